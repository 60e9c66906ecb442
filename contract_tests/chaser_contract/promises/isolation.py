"""Isolation: nobody reads, lists, counts, changes or can tell the existence of what is in another account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chaser_contract import making
from chaser_contract.arranging import Arranged, signed_in_peer
from chaser_contract.asking import UNKNOWN, Asking
from chaser_contract.broken import Broken
from chaser_contract.client import Answer, Client
from chaser_contract.looking import differences, looked
from chaser_contract.promises import promise
from chaser_contract.promises.scopes import call, inputs
from chaser_contract.subject import Subject

_ENDS = ("terminate-session", "delete-workspace", "bulk-terminate-sessions", "bulk-delete-workspaces")


@promise("peer")
def what_is_anothers_is_not_found(chaser: Subject) -> None:
    """For each operation with an id, one of another account is 404, in the same words as one that nothing has."""
    _not_found(chaser, Arranged(chaser, signed_in_peer(chaser)), Arranged(chaser))


@promise()
def what_is_in_another_account_of_ones_own_is_not_found(chaser: Subject) -> None:
    """In one account of a user what another account of theirs has is 404, as what nobody has."""
    _not_found(chaser, Arranged(chaser), Arranged(chaser, Arranged(chaser).in_organization))


def _not_found(chaser: Subject, theirs: Arranged, mine: Arranged) -> None:
    askings = list(theirs.every(lambda one: one.secured and "{" in one.path))
    before = looked(theirs.client)
    for asking in askings:
        own = mine.request_of(asking.operation.id)
        for parameter, foreign in asking.path.items():
            if parameter in ("target", "guid"):
                continue
            # What is above it is one's own, so that this one is what is looked at.
            path = {**own.path, parameter: foreign}
            if parameter == "name":
                path = dict(asking.path)
            with chaser.case():
                account = own.account or mine.client.account
                wrong = asking.but(path=path, account=account)
                _same(wrong, wrong.but(path={parameter: UNKNOWN}), parameter, mine.client)
        if len(asking.path) > 1:
            with chaser.case():
                asking.but(account=own.account or mine.client.account).by(mine.client).must_be(404, "not_found")
    for name, came in differences(before, looked(theirs.client)):
        with chaser.case():
            raise Broken(f"{name}: what others were refused has changed nothing", came, kind="touched")


def _same(foreign: Asking, unknown: Asking, parameter: str, client: Client) -> None:
    """A foreign id is refused as an unknown one is."""
    expected = unknown.by(client).must_be(404, "not_found", because=f"where {parameter} is what nothing has")
    answer = foreign.by(client).must_be(404, "not_found", because=f"where {parameter} is of another account")
    told = _words(answer, foreign.path[parameter])
    answer.require(
        told == _words(expected, UNKNOWN),
        f"where {parameter} is of another account it is refused as where nothing has it", answer.exchange.said(),
    )  # fmt: skip


def _words(answer: Answer, name: str) -> Mapping[str, Any]:
    text = json.dumps({**answer.json, "request_id": ""}, ensure_ascii=False)
    return dict(json.loads(text.replace(name, "…")))


@promise("emulator")
def what_others_do_changes_nothing_here(chaser: Subject) -> None:
    """Whatever another user does, bulk operations included, is in no list, count, audit or delivery of this one."""
    chaser.steered.clock.freeze()
    mine, theirs = Arranged(chaser), Arranged(chaser, signed_in_peer(chaser))
    for own in mine.every(lambda one: one.secured and one.method == "POST" and one.id not in _ENDS):
        with chaser.case():
            own.by(chaser.client)
    others = [chaser.client, mine.in_organization]
    before = [looked(client) for client in others]
    for asking in theirs.every(lambda one: one.secured and not one.upgrades):
        with chaser.case():
            asking.by(theirs.client).must_be(asking.status, asking.code)
    for name, body in (
        ("bulk-terminate-sessions", {"all": True, "force": True}),
        ("bulk-delete-workspaces", {"all": True, "force": True}),
    ):
        with chaser.case():
            chaser.peer.ask(name, json=body, expect=200)
    for client, known in zip(others, before, strict=True):
        for name, came in differences(known, looked(client)):
            with chaser.case():
                raise Broken(f"{name}: it holds nothing of another account", came, kind="leak")


@promise("emulator")
def accounts_of_one_user_know_nothing_of_each_other(chaser: Subject) -> None:
    """What a user does in an organization is in no list of their personal account, and the other way round."""
    chaser.steered.clock.freeze()
    personal = Arranged(chaser)
    organization = Arranged(chaser, personal.in_organization)
    theirs = ("list-accounts", "get-me")
    for one, other in ((personal, organization), (organization, personal)):
        before = looked(other.client, *theirs, "list-current-members", "list-current-service-accounts")
        for asking in one.every(lambda each: each.secured and each.tag in _OF_ACCOUNTS and not each.upgrades):
            with chaser.case():
                asking.by(one.client).must_be(asking.status, asking.code)
        with chaser.case():
            one.client.ask("bulk-terminate-sessions", json={"all": True, "force": True}, expect=200)
            one.client.ask("bulk-delete-workspaces", json={"all": True, "force": True}, expect=200)
        after = looked(other.client, *theirs, "list-current-members", "list-current-service-accounts")
        for name, came in differences(before, after):
            with chaser.case():
                raise Broken(f"{name}: it holds nothing of another account of the same user", came, kind="leak")


_OF_ACCOUNTS = frozenset(
    {"sessions", "exec", "files", "workspaces", "snapshots", "jobs", "keys", "ssh-keys", "webhooks", "assistants"}
)


@promise("peer")
def names_are_taken_in_one_account_alone(chaser: Subject) -> None:
    """What one account calls a thing, each other may call one of theirs, and finds its own by that name."""
    mine, theirs = Arranged(chaser), Arranged(chaser, chaser.peer)
    line = mine.new_ssh_key()
    same: list[tuple[str, dict[str, Any]]] = [
        ("create-workspace", {"name": chaser.name("shared"), "session_type": "sandbox"}),
        ("create-ssh-key", {"public_key": line}),
        ("create-job", {**mine.job(), "idempotency_key": chaser.name("key")}),
        ("create-key", {"name": "shared"}),
        ("create-assistant", {"name": "shared", "config": {}}),
        ("create-webhook", {"url": "http://127.0.0.1:9/shared", "events": ["job.canceled"]}),
        ("create-organization", {"name": chaser.name("shared")}),
    ]
    for operation, body in same:
        with chaser.case():
            first = mine.client.ask(operation, json=body, expect=200).json
            answer = theirs.client.ask(operation, json=body)
            answer.must_be(200, because="where another account has the same")
            answer.require(_id(answer.json) != _id(first), "what two accounts make is two things")
    with chaser.case():
        name = mine.new_workspace()["name"]
        theirs.client.ask("set-workspace-name", ws=name, json={"name": "other"}).must_be(404, "not_found")
        other = theirs.new_workspace(name=name)
        told = theirs.client.ask("create-workspace-snapshot", ws=name, json={"name": "one"}, expect=200)
        told.require(
            theirs.client.ask("list-workspace-snapshots", ws=other["id"], expect=200).json,
            "a name is that of one's own workspace",
        )
        mine.client.ask("list-workspace-snapshots", ws=name, expect=200).require(
            mine.client.ask("list-workspace-snapshots", ws=name, expect=200).json == [],
            "what another makes under the same name is not here",
        )


def _id(told: Any) -> Any:
    if "id" in told:
        return told["id"]
    return next((value["id"] for value in told.values() if isinstance(value, dict) and "id" in value), None)


@promise("peer")
def bodies_name_nothing_of_others(chaser: Subject) -> None:
    """What the body or the query of a request names of another account is treated as what nothing has."""
    theirs, mine = Arranged(chaser, chaser.peer), Arranged(chaser)
    workspace, session, assistant = theirs.workspace, theirs.session["id"], theirs.assistant["id"]
    channel = {name: value for name, value in theirs.new_channel().items() if name.startswith("channel_")}
    credential = theirs.new_credential()
    shared = {"name": chaser.name("shared"), "value": "a secret of theirs"}
    theirs.make("store-assistant-credential", json=shared)
    before = looked(chaser.peer)
    named: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for foreign in (workspace["id"], workspace["name"], str(workspace["name"]).upper()):
        named += [
            ("create-session", {"workspace": foreign}, {"workspace": UNKNOWN}),
            ("exec-sandbox", {"workspace": foreign, "command": "echo x"}, {"workspace": UNKNOWN, "command": "echo x"}),
        ]
    named += [
        (
            "store-assistant-credential",
            {"name": "x", "value": "a secret of mine", "assistant_id": assistant},
            {"name": "x", "value": "a secret of mine", "assistant_id": UNKNOWN},
        ),
        (
            "resolve-assistant-credential",
            {"name": credential["name"], "assistant_id": assistant},
            {"name": credential["name"], "assistant_id": UNKNOWN},
        ),
        (
            # One of the whole account, which each of its assistants finds.
            "resolve-assistant-credential",
            {"name": shared["name"], "assistant_id": mine.assistant["id"]},
            {"name": "contract-of-nobody", "assistant_id": mine.assistant["id"]},
        ),
        ("resolve-assistant-channel", channel, {**channel, "channel_id": "contract-of-nobody"}),
    ]
    for operation, foreign_body, unknown_body in named:
        with chaser.case():
            answer = mine.client.ask(operation, json=foreign_body)
            answer.must_be(404, "not_found", because="where the body names what is another account's")
            expected = mine.client.ask(operation, json=unknown_body).must_be(404, "not_found")
            answer.require(
                _without_names(answer, foreign_body) == _without_names(expected, unknown_body),
                "what is another account's is refused in the words for what nothing has",
            )
    with chaser.case():
        told = mine.make("bulk-terminate-sessions", json={"ids": [session, UNKNOWN], "force": True})
        _none_ended(chaser, "bulk-terminate-sessions", told["terminated"], told["failed"])
    with chaser.case():
        told = mine.make("bulk-terminate-sessions", json={"workspaces": [workspace["id"]], "force": True})
        _none_ended(chaser, "bulk-terminate-sessions", told["terminated"], None)
    with chaser.case():
        told = mine.make("bulk-delete-workspaces", json={"ids": [workspace["id"], workspace["name"]], "force": True})
        chaser.require(told["deleted"] == 0, "bulk-delete-workspaces: it deletes nothing of others", f"{told}")
    for operation, query in (
        ("list-audit-events", {"resource_id": session}),
        ("list-webhook-deliveries", {"webhook_id": theirs.new_webhook("job.queued")["id"]}),
    ):
        with chaser.case():
            found = mine.client.ask(operation, query=query, expect=200).json
            chaser.require(not any(found.values()), f"{operation}: a filter finds nothing of others", f"{found}")
    _tools(chaser, mine, {"session_id": session, "workspace": workspace["id"], "assistant_id": assistant})
    after = looked(chaser.peer, "list-webhooks")
    for name, came in differences(before, after):
        if name != "list-webhooks" and not name.startswith("list-audit"):
            with chaser.case():
                raise Broken(f"{name}: what others were refused has changed nothing", came, kind="touched")


def _without_names(answer: Answer, body: Mapping[str, Any]) -> str:
    text = json.dumps({**answer.json, "request_id": ""}, ensure_ascii=False)
    for value in body.values():
        text = text.replace(str(value), "…")
    return text


def _none_ended(chaser: Subject, operation: str, ended: Any, failed: Any) -> None:
    chaser.require(ended == [], f"{operation}: it ends nothing of others", f"it ended {ended}")
    if failed is not None:
        codes = [one["code"] for one in failed]
        chaser.require(codes == ["not_found"] * 2, f"{operation}: what is another's is not found", f"{codes}")


def _tools(chaser: Subject, mine: Arranged, foreign: Mapping[str, str]) -> None:
    """Each tool that takes one of these, with what is another's: it says that there is none."""
    listed = mine.make("mcp-handler", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})["result"]["tools"]
    for tool in listed:
        schema = tool["inputSchema"]
        for name in set(foreign) & set(schema["properties"]):
            arguments: dict[str, Any] = {one: _anything(one) for one in schema.get("required", [])}
            if tool["name"] == "terminal":
                arguments["command"] = "echo x"
            if tool["name"] == "browser":
                arguments["tool"] = "list_pages"
            with chaser.case():
                answer = call(mine.client, tool["name"], {**arguments, name: foreign[name]})
                text = json.dumps(answer.json)
                answer.require(
                    answer.json.get("result", {}).get("isError") is True and "not_found" in text,
                    f"the tool {tool['name']} finds nothing of others by {name}",
                )


def _anything(name: str) -> Any:
    return {"patch": {"a": 1}, "reason": "because", "value": "a secret of mine"}.get(name, f"contract-{name}")


@promise("peer", "emulator")
def jobs_do_nothing_to_others(chaser: Subject) -> None:
    """A job whose input names what is another account's fails, and changes nothing there."""
    theirs, mine = Arranged(chaser, chaser.peer), Arranged(chaser)
    given = inputs(theirs)
    before = looked(chaser.peer)
    for kind in ("pipeline.run", "session.terminate", "session.bulk_terminate", "workspace.delete",
                 "workspace.bulk_delete", "browser.scrape"):  # fmt: skip
        with chaser.case():
            answer = chaser.ask("create-job", json={"kind": kind, "input": given[kind]})
            if answer.status == 200:
                _finished(chaser, mine, kind, answer.json["id"])
            else:
                answer.must_be(404, "not_found")
    for name, came in differences(before, looked(chaser.peer)):
        with chaser.case():
            raise Broken(f"{name}: a job of another account has changed nothing", came, kind="touched")


def _finished(chaser: Subject, mine: Arranged, kind: str, job: str) -> None:
    told = making.finished_job(mine.client, job)
    if kind.endswith(("bulk_terminate", "bulk_delete")):
        done = told.get("result", {})
        nothing = not done.get("terminated") and not done.get("deleted")
        chaser.require(nothing, f"get-job: a job {kind} does nothing to others", f"{told}")
    else:
        chaser.require(told["status"] == "failed", f"get-job: a job {kind} about another's fails", f"{told}")
