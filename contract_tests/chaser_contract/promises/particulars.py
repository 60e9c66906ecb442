"""Particulars that are easily left out: ids in capitals, halves of characters, the last second, what is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chaser_contract import making
from chaser_contract.broken import NotTried
from chaser_contract.promises import promise
from chaser_contract.promises.tokens import part
from chaser_contract.subject import Subject
from chaser_contract.values import equals, holds


@promise()
def a_background_command_says_as_whom_and_where_it_runs(chaser: Subject) -> None:
    """`user` and `cwd` of a background command are those that were asked for, alone and in the list."""
    one = making.running(chaser)
    asked = {"command": "true", "user": "root", "cwd": "/tmp", "background": True}  # noqa: S108 - in the sandbox
    begun = chaser.ask("exec-session", id=one["id"], json=asked)
    if begun.status == 400:
        raise NotTried("it takes a sandbox with a user root")
    begun.must_be(200)
    command = begun.json["command_id"]
    told = chaser.ask("get-session-command", id=one["id"], cid=command, expect=200)
    holds(told, told.json, user="root", cwd="/tmp", command="true", session_id=one["id"])  # noqa: S108 - as above
    listed = chaser.ask("list-session-commands", id=one["id"], expect=200)
    shown: dict[str, Any] = next((each for each in listed.json["commands"] if each["command_id"] == command), {})
    holds(listed, shown, user="root", cwd="/tmp", command="true", session_id=one["id"])  # noqa: S108 - as above


@promise()
def a_default_workspace_is_told_as_others_are(chaser: Subject) -> None:
    """The workspace that a session makes by itself sends `workspace.created`, once; later sessions make none."""
    making.webhook(chaser, events=["workspace.created"])
    if any(one["name"] == "default" for one in chaser.ask("list-workspaces", expect=200).json):
        raise NotTried("the account has its default workspace already")
    first = chaser.ask("create-session", json={}, expect=200).json
    chaser.ask("terminate-session", id=first["id"], query={"force": True}, expect=204)
    again = chaser.ask("create-session", json={}, expect=200)
    equals(again, again.json["workspace_id"], first["workspace_id"], "the default workspace is the same each time")
    listed = chaser.ask("list-webhook-deliveries", expect=200)
    told = [(one["event_type"], one["resource_id"]) for one in listed.json["deliveries"]]
    wanted = [("workspace.created", first["workspace_id"])]
    equals(listed, told, wanted, "a workspace that comes into being is told of, once")


@promise()
def a_workspace_is_found_by_its_id_in_any_case(chaser: Subject) -> None:
    """A selector that is an id, or a name, means the same in capitals."""
    room = making.workspace(chaser)
    kept = making.snapshot(chaser, room["id"])["id"]
    for selector in (room["id"].upper(), room["name"].upper()):
        with chaser.case():
            listed = chaser.ask("list-workspace-snapshots", ws=selector, expect=200)
            equals(listed, [one["id"] for one in listed.json], [kept], "a selector in capitals means the same")
            copy = chaser.ask("create-workspace", json={"clone_from": selector}, expect=200)
            holds(copy, copy.json, source_workspace_id=room["id"])
    made = chaser.ask("create-session", json={"workspace": room["id"].upper()}, expect=200)
    holds(made, made.json, workspace_id=room["id"])


@promise("emulator")
def half_a_character_is_refused(chaser: Subject) -> None:
    """Half of a surrogate pair, which is no character, is 400 in every text of a body, and stored nowhere."""
    helper = making.assistant(chaser)["id"]
    half = rb'"x\ud800y"'
    asked: list[tuple[str, bytes, dict[str, str]]] = [
        ("create-workspace", b'{"session_type": "sandbox", "name": %s}', {}),
        ("create-webhook", b'{"url": "http://127.0.0.1:9/", "description": %s}', {}),
        ("create-assistant", b'{"name": %s}', {}),
        ("create-key", b'{"name": %s}', {}),
        ("store-assistant-credential", b'{"name": "bot", "value": %s}', {}),
        ("put-assistant-runtime-state", b'{"state": {"deep": [%s]}}', {"id": helper}),
        ("create-organization", b'{"name": %s}', {}),
        ("exec-sandbox", b'{"ephemeral": true, "command": %s}', {}),
        ("create-job", b'{"kind": "sandbox.exec", "input": {"command": %s}}', {}),
    ]
    for operation, body, path in asked:
        with chaser.case():
            answer = chaser.ask(operation, content=body % half, media_type="application/json", **path)
            answer.must_be(400, because="for half of a character")


@promise("emulator", "peer")
def a_token_is_over_at_its_end(chaser: Subject) -> None:
    """A token is good in the second before its `exp`, and no longer at that very moment."""
    clock = chaser.steered.clock
    clock.freeze()
    token = making.person(chaser)[0]
    assert token.credential is not None  # noqa: S101 - who has registered has one
    end = datetime.fromtimestamp(part(token.credential.split(".")[1])["exp"], UTC)
    clock.freeze(end - timedelta(seconds=1))
    token.ask("get-me").must_be(200, because="a second before its end")
    clock.freeze(end)
    token.ask("get-me").must_be(401, "unauthorized", because="at its end")


@promise("emulator")
def an_ended_session_is_kept_for_a_day(chaser: Subject) -> None:
    """A session that has ended can be read for 24 hours, also when others end meanwhile, and no longer."""
    clock = chaser.steered.clock
    clock.freeze()
    making.running(chaser)
    clock.advance(2 * 3600)
    one = making.running(chaser)["id"]
    chaser.ask("terminate-session", id=one, query={"force": True}, expect=204)
    # The first one has reached the longest time of its plan by then.
    clock.advance(23 * 3600)
    told = chaser.ask("get-session", id=one).must_be(200, because="23 hours after its end")
    holds(told, told.json, status="terminated")
    clock.advance(2 * 3600)
    chaser.ask("get-session", id=one).must_be(404, "not_found", because="25 hours after its end")


@promise()
def each_wrong_field_is_told(chaser: Subject) -> None:
    """A body with several wrong fields is refused with all of them in `details`."""
    answer = chaser.ask("create-workspace", json={"session_type": "none", "template": 5, "name": "a b"})
    answer.must_be(400, "invalid_request")
    told = sorted(one["pointer"] for one in answer.json["details"])
    equals(answer, told, ["/name", "/session_type", "/template"], "`details` lists each problem")


@promise()
def input_that_is_no_base64_is_refused(chaser: Subject) -> None:
    """Input for a command that is declared as base64 and is none is 400, and the command gets nothing."""
    one = making.running(chaser)
    begun = chaser.ask("exec-session", id=one["id"], json={"command": "sleep 30", "background": True}, expect=200)
    for text in ("a!b?", "YQ=", "Y Q = =", "äöü="):
        with chaser.case():
            answer = chaser.ask(
                "write-session-command-stdin", id=one["id"], cid=begun.json["command_id"],
                json={"input": text, "encoding": "base64"},
            )  # fmt: skip
            answer.must_be(400, "invalid_request", because=f"for {text!r}")
    chaser.ask("terminate-session", id=one["id"], query={"force": True}, expect=204)
