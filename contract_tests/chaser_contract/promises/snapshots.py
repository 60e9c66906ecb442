"""Snapshots: what each tells of itself, going back to one, and what may not be done while a session lives."""

from __future__ import annotations

import re
from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.broken import NotTried
from chaser_contract.client import Client
from chaser_contract.promises import promise
from chaser_contract.sandboxes import stubbed
from chaser_contract.subject import Subject
from chaser_contract.values import equals, frozen, holds, is_at, lacks, passed, refused, unchanged


@promise()
def a_new_one_is_what_was_asked_for(chaser: Subject) -> None:
    """A new snapshot has the name it was given as its id, names its workspace, and is listed as it was made."""
    room = making.workspace(chaser)
    names = [f"a{'x' * 63}", "9", "Before.The_upgrade-1"]
    made = []
    for name in names:
        answer = chaser.ask("create-workspace-snapshot", ws=room["name"].upper(), json={"name": name}, expect=200)
        holds(answer, answer.json, id=name, workspace_id=room["id"])
        lacks(answer, answer.json, "restored_at")
        made.append(answer.json)
    listed = chaser.ask("list-workspace-snapshots", ws=room["name"], expect=200)
    equals(listed, listed.json, made[::-1], "snapshots are listed as they were made, newest first")
    chaser.ask("delete-workspace", ws=room["id"], expect=204)


@promise("emulator")
def is_made_and_restored_now(chaser: Subject) -> None:
    """`created_at` and `restored_at` are moments of the clock; each restoration moves the latter on."""
    room = making.workspace(chaser)
    then = frozen(chaser)
    made = chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": "one"}, expect=200)
    is_at(made, made.json, "created_at", then)
    for _ in range(2):
        later = passed(chaser, days=1, seconds=1)
        back = chaser.ask("restore-workspace-snapshot", ws=room["id"], name="one", json={}, expect=200)
        is_at(back, back.json, "restored_at", later)
        unchanged(back, back.json, made.json, but=["restored_at"])
        listed = chaser.ask("list-workspace-snapshots", ws=room["id"], expect=200)
        equals(listed, listed.json, [back.json], "a snapshot is listed as the workspace went back to it")


@promise("emulator")
def a_name_is_made_up(chaser: Subject) -> None:
    """A snapshot without a name is called `snap-`, the time in UTC to the second, and four hex digits."""
    room = making.workspace(chaser)
    frozen(chaser)
    seen = set()
    bodies: tuple[dict[str, Any], ...] = ({"json": {}}, {}, {"json": {"force": False}})
    for body in bodies:
        made = chaser.ask("create-workspace-snapshot", ws=room["id"], **body, expect=200)
        fits = re.fullmatch(r"snap-20310506T070809Z-[0-9a-f]{4}", made.json["id"])
        made.require(fits, "a name that is made up has the form `snap-<UTC time>-<4 hex digits>`", made.json["id"])
        seen.add(made.json["id"])
    chaser.require(len(seen) == 3, "create-workspace-snapshot: names that are made up differ", str(seen))


@promise()
def names_are_taken_in_any_case(chaser: Subject) -> None:
    """A name that a snapshot of the workspace has, in any case, is 409 already_exists; elsewhere it is free."""
    room, other = making.workspace(chaser), making.workspace(chaser)
    made = chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": "Kept"}, expect=200)
    for name in ("Kept", "kept", "KEPT"):
        with chaser.case():
            answer = chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": name})
            refused(answer, 409, "already_exists")
            forced = chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": name, "force": True})
            refused(forced, 409, "already_exists")
    listed = chaser.ask("list-workspace-snapshots", ws=room["id"], expect=200)
    equals(listed, listed.json, [made.json], "what is refused leaves the snapshots as they are")
    elsewhere = chaser.ask("create-workspace-snapshot", ws=other["id"], json={"name": "kept"}, expect=200)
    holds(elsewhere, elsewhere.json, id="kept", workspace_id=other["id"])
    back = chaser.ask("restore-workspace-snapshot", ws=room["id"], name="KEPT", json={}, expect=200)
    holds(back, back.json, id="Kept", workspace_id=room["id"])
    chaser.ask("delete-workspace-snapshot", ws=room["id"], name="kept", expect=204)
    listed = chaser.ask("list-workspace-snapshots", ws=other["id"], expect=200)
    equals(listed, listed.json, [elsewhere.json], "a snapshot of the same name of another workspace stays")
    chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": "kept"}, expect=200)
    for one in (room, other):
        chaser.ask("delete-workspace", ws=one["id"], expect=204)


@promise()
def one_that_is_deleted_is_gone(chaser: Subject) -> None:
    """A deleted snapshot is in no list and cannot be gone back to; the others and the workspace stay."""
    room = making.workspace(chaser)
    for name in ("one", "two"):
        chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": name}, expect=200)
    answer = chaser.ask("delete-workspace-snapshot", ws=room["name"], name="one", expect=204)
    answer.require(answer.body == b"", "the answer has no body")
    listed = chaser.ask("list-workspace-snapshots", ws=room["id"], expect=200)
    equals(listed, [one["id"] for one in listed.json], ["two"], "only the snapshot that was named is gone")
    for missing in ("one", "three", UNKNOWN):
        refused(chaser.ask("delete-workspace-snapshot", ws=room["id"], name=missing), 404, "not_found")
        back = chaser.ask("restore-workspace-snapshot", ws=room["id"], name=missing, json={"force": True})
        refused(back, 404, "not_found")
    refused(chaser.ask("list-workspace-snapshots", ws=UNKNOWN), 404, "not_found")
    refused(chaser.ask("create-workspace-snapshot", ws=UNKNOWN, json={}), 404, "not_found")
    forced: dict[str, Any] = {"query": {"force": "yes"}}
    refused(chaser.ask("delete-workspace-snapshot", ws=room["id"], name="two", **forced), 400, "invalid_request")
    for operation in ("create-workspace-snapshot", "restore-workspace-snapshot"):
        where = {"ws": room["id"]} | ({"name": "two"} if operation.startswith("restore") else {})
        refused(chaser.ask(operation, json={"force": "yes"}, **where), 400, "invalid_request", "/force")
    chaser.ask("delete-workspace", ws=room["id"], expect=204)


@promise()
def by_force_a_session_is_no_hindrance(chaser: Subject) -> None:
    """By force a snapshot is made and deleted although a session lives, which goes on; going back ends it first."""
    room = making.workspace(chaser)
    made = making.running(chaser, workspace=room["id"])
    for name in ("one", "two"):
        body = {"name": name, "force": True}
        chaser.ask("create-workspace-snapshot", ws=room["id"], json=body, expect=200)
    chaser.ask("delete-workspace-snapshot", ws=room["id"], name="one", query={"force": True}, expect=204)
    read = chaser.ask("get-session", id=made["id"], expect=200)
    holds(read, read.json, status="running")
    back = chaser.ask("restore-workspace-snapshot", ws=room["id"], name="two", json={"force": True}, expect=200)
    holds(back, back.json, id="two")
    read = chaser.ask("get-session", id=made["id"], expect=200)
    holds(read, read.json, status="terminated")
    again = making.running(chaser, workspace=room["id"])
    chaser.require(again["id"] != made["id"], "create-session: what was ended is not answered again", again["id"])
    chaser.ask("delete-workspace", ws=room["id"], query={"force": True}, expect=204)


@promise("emulator")
def a_workspace_has_a_hundred_at_most(chaser: Subject) -> None:
    """A hundred snapshots of a workspace can be made; one more is 403 plan_limit_exceeded until one is deleted."""
    if not stubbed(chaser, {"command": "true"}):
        raise NotTried("a hundred copies take long on an engine that makes them")
    room, other = making.workspace(chaser), making.workspace(chaser)
    for number in range(100):
        chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": f"s{number}"}, expect=200)
    for body in ({}, {"name": "more"}, {"force": True}):
        details = refused(chaser.ask("create-workspace-snapshot", ws=room["id"], json=body), 403, "plan_limit_exceeded")
        chaser.require(details == {"limit": 100}, "create-workspace-snapshot: `details.limit` is 100", str(details))
    chaser.ask("create-workspace-snapshot", ws=other["id"], json={}, expect=200)
    listed = chaser.ask("list-workspace-snapshots", ws=room["id"], expect=200)
    wanted = [f"s{number}" for number in reversed(range(100))]
    equals(listed, [one["id"] for one in listed.json], wanted, "every snapshot is listed, newest first")
    chaser.ask("delete-workspace-snapshot", ws=room["id"], name="s50", expect=204)
    chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": "more"}, expect=200)
    refused(chaser.ask("create-workspace-snapshot", ws=room["id"], json={}), 403, "plan_limit_exceeded")


@promise("commands")
def going_back_brings_modes_and_links_back(chaser: Subject) -> None:
    """Going back makes the files what they were: changed and deleted ones are back, new ones gone, twice as well."""
    room = making.workspace(chaser)
    client = chaser.client
    first = making.running(chaser, workspace=room["id"])["id"]
    _run(client, first, "printf old > kept; printf gone > deleted; mkdir -p deep/er; printf x > deep/er/one")
    _run(client, first, "chmod 750 kept; ln -s kept link")
    chaser.ask("terminate-session", id=first, expect=204)
    snapshot = chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": "then"}, expect=200)
    used = snapshot.json.get("used_bytes")
    snapshot.require(used is None or used > 0, "`used_bytes` is what the files take", str(used))
    for _ in range(2):
        changed = making.running(chaser, workspace=room["id"])["id"]
        _run(client, changed, "printf new > kept; rm -r deleted deep link; printf new > made")
        chaser.ask("terminate-session", id=changed, expect=204)
        chaser.ask("restore-workspace-snapshot", ws=room["id"], name="then", json={}, expect=200)
        again = making.running(chaser, workspace=room["id"])["id"]
        look = "cat kept deleted deep/er/one link; ls made 2>&- || printf none; stat -c %a kept"
        found = chaser.ask("exec-session", id=again, json={"command": look, "cwd": "/workspace"}, expect=200)
        output = found.json["output"]
        found.require(
            output == "oldgonexoldnone750\n", "the files are what they were when the snapshot was made", output
        )
        chaser.ask("terminate-session", id=again, expect=204)
    chaser.ask("delete-workspace", ws=room["id"], expect=204)


@promise("commands")
def a_copy_has_modes_of_its_own(chaser: Subject) -> None:
    """A copy of a workspace begins with its files, and what is changed in one of the two is not in the other."""
    room = making.workspace(chaser)
    first = making.running(chaser, workspace=room["id"])["id"]
    _run(chaser.client, first, "printf both > shared; printf run > tool; chmod 755 tool")
    chaser.ask("terminate-session", id=first, expect=204)
    copy = chaser.ask("create-workspace", json={"clone_from": room["id"]}, expect=200).json
    for one, other in ((room, copy), (copy, room)):
        there = making.running(chaser, workspace=one["id"])["id"]
        look = "cat shared; stat -c %a tool"
        found = chaser.ask("exec-session", id=there, json={"command": look, "cwd": "/workspace"}, expect=200)
        output = found.json["output"]
        found.require(output == "both755\n", "a copy begins with the files of its source, and keeps its own", output)
        _run(chaser.client, there, f"printf {other['id']} > shared")
        chaser.ask("terminate-session", id=there, expect=204)
    for one in (room, copy):
        chaser.ask("delete-workspace", ws=one["id"], expect=204)


def _run(client: Client, session_id: str, command: str) -> None:
    """A command that changes files and has to go well."""
    told = client.ask("exec-session", id=session_id, json={"command": command, "cwd": "/workspace"}, expect=200)
    told.require(told.json["exit_code"] == 0, "a command that can be run goes well", told.json["output"])
