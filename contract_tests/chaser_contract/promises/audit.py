"""Audit: each change that is audited leaves one event with all that is true of it, and nothing else leaves any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chaser_contract.arranging import Arranged
from chaser_contract.asking import UNKNOWN, Asking
from chaser_contract.client import Answer, Client
from chaser_contract.document import JSON
from chaser_contract.promises import promise
from chaser_contract.promises.scopes import call
from chaser_contract.rights import AUDITED
from chaser_contract.subject import Subject

Event = Mapping[str, Any]

BESIDES = {
    # A sandbox that is there for one command comes and goes with it.
    "exec-sandbox": Counter({"session.create": 1, "session.terminate": 1}),
    # An assistant's home is a workspace like others.
    "create-assistant": Counter({"workspace.create": 1}),
}
"""What an operation does besides, which is audited as what it is."""

LATER = ("retry-job", "create-job")
"""What is done when it has answered, and audited then."""


def events(client: Client, **query: Any) -> list[Event]:
    """The audit events of the caller's account, newest first."""
    found = client.ask("list-audit-events", query={"limit": 500, **query}, expect=200).json["events"]
    return list(found)


def _since(client: Client, known: list[Event]) -> list[Event]:
    """The events that are new, newest first."""
    ids = {one["id"] for one in known}
    return [one for one in events(client) if one["id"] not in ids]


def _acting(asking: Asking, client: Client) -> Client:
    """The caller in the account that a request is about."""
    if asking.account is None or client.account is not None:
        return client
    return Client(client.document, client.http, client.record, client.credential, asking.account)


def _names(asking: Asking, answer: Answer, account: str) -> str:
    """The id of what a change was made to."""
    operation, told = asking.operation.id, answer.json if answer.body else {}
    kind = AUDITED[operation][1]
    if kind == "account":
        return account
    if operation == "bulk-terminate-sessions":
        return str(told["terminated"][0])
    if operation == "bulk-delete-workspaces":
        return str(told["results"][0]["id"])
    if operation == "resolve-assistant-credential":
        return str(asking.json["name"])
    if kind == "session" and "session_id" in told:
        return str(told["session_id"])
    if operation.startswith(("create", "import", "add")) and "snapshot" not in operation:
        inner = next((told[one] for one in ("workspace", "webhook", "member") if isinstance(told.get(one), dict)), told)
        inner = told["service_account"] if operation == "create-current-service-account" else inner
        inner = told["key"] if operation == "create-ssh-key" else inner
        return str(inner.get("user_id") or inner["id"])
    last = [name for name in asking.path if name not in ("name",)][-1]
    return asking.path[last]


@promise()
def each_change_leaves_one_event(chaser: Subject) -> None:
    """Each audited change leaves exactly one event: its action, who did it, to what, when, and that it went well."""
    if chaser.emulator is not None:
        # Another day than that of the machine.
        chaser.steered.clock.freeze()
        chaser.steered.clock.advance(3 * 24 * 3600)
    arranged = Arranged(chaser)
    user = chaser.ask("get-me", expect=200).json["user"]["id"]
    for asking in arranged.every(lambda one: one.id in AUDITED):
        if asking.status >= 400:
            # This target has nothing that it could be done with.
            continue
        with chaser.case():
            client = _acting(asking, chaser.client)
            account = client.ask("get-current-account", expect=200).json["account"]["id"]
            known = events(client)
            answer = asking.by(client).must_be(asking.status, asking.code)
            action, kind = AUDITED[asking.operation.id]
            found = _since(client, known)
            event = _only(answer, found, action)
            _true(answer, event, kind, _names(asking, answer, account), ("user", user))
            _when(chaser, answer, event)
            _named(answer, asking, event)


def _only(answer: Answer, found: list[Event], action: str) -> Event:
    actions = Counter(one["action"] for one in found)
    besides = BESIDES.get(answer.operation.id, Counter())
    answer.require(
        actions[action] == 1, f"it leaves exactly one audit event {action}", f"it left {dict(actions) or 'none'}"
    )
    more = actions - besides - Counter([action])
    answer.require(not more, "it leaves no other audit event", f"it left {dict(more)}")
    return next(one for one in found if one["action"] == action)


def _true(
    answer: Answer, event: Event, kind: str, resource: str, actor: tuple[str, str], status: str = "success"
) -> None:
    for name, value in (
        ("status", status), ("resource_type", kind), ("resource_id", resource), ("actor_type", actor[0]),
        ("actor_id", actor[1]),
    ):  # fmt: skip
        answer.require(
            event.get(name) == value,
            f"its audit event has the {name} that is true",
            f"{event.get(name)!r} is not {value!r}",
        )
    answer.require(bool(str(event["summary"]).strip()), "its audit event says in a sentence what was done")


def _when(chaser: Subject, answer: Answer, event: Event) -> None:
    """It is of now, by the clock of the emulator."""
    if chaser.emulator is not None:
        off = abs((chaser.steered.clock.now - _moment(event["created_at"])).total_seconds())
        answer.require(off < 60, "its audit event is of when it was done", f"{event['created_at']} is {off} s off")


def _named(answer: Answer, asking: Asking, event: Event) -> None:
    """What the request named is in the metadata as it was named."""
    metadata = event.get("metadata") or {}
    for name in (
        "name",
        "role",
        "command",
        "template",
        "mode",
        "amount_usd",
        "pricing_model",
        "scopes",
        "events",
        "email",
    ):
        if isinstance(asking.json, dict) and name in asking.json and name in metadata:
            answer.require(
                metadata[name] == asking.json[name], f"the metadata of its audit event has the {name} of the request",
                f"{metadata[name]!r} is not {asking.json[name]!r}",
            )  # fmt: skip


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@promise()
def nothing_else_leaves_an_event(chaser: Subject) -> None:
    """What only looks, and changes that are no audited action, leave nothing in the audit log."""
    for asking in Arranged(chaser).every(
        lambda one: one.secured and one.id not in AUDITED and one.id not in LATER and not one.upgrades
    ):
        with chaser.case():
            client = _acting(asking, chaser.client)
            known = events(client)
            answer = asking.by(client)
            more = Counter(one["action"] for one in _since(client, known))
            more -= BESIDES.get(asking.operation.id, Counter())
            answer.require(not more, "it leaves no audit event", f"it left {dict(more)}")


@promise()
def a_refused_change_leaves_one_event(chaser: Subject) -> None:
    """An audited change that was refused to a known caller leaves one event `failure`; 401 and other accounts none."""
    arranged = Arranged(chaser)
    user = chaser.ask("get-me", expect=200).json["user"]["id"]
    for asking in arranged.every(lambda one: one.id in AUDITED):
        client = _acting(asking, chaser.client)
        action, kind = AUDITED[asking.operation.id]
        refused: list[tuple[str, Asking, int]] = []
        if asking.operation.body is not None and JSON in asking.operation.body.content:
            refused.append(("400", asking.but(content=b"{", media_type=JSON), 400))
            refused.append(("415", asking.but(content=b"{}", media_type="text/plain"), 415))
        if asking.path:
            refused.append(("404", asking.but(path=asking.unknown()), 404))
        for _, wrong, status in refused:
            with chaser.case():
                known = events(client)
                answer = wrong.by(client).must_be(status)
                event = _only(answer, _since(client, known), action)
                answer.require(event["status"] == "failure", "a refused change is in the audit log as failure")
                answer.require(event["resource_type"] == kind, f"the event of a refused change is about a {kind}")
                answer.require(event["actor_id"] == user, "the event of a refused change says who was refused")
                # Snapshots are told of under their workspace, as when all goes well; a refused create made nothing.
                about = wrong.path.get("ws") or next(reversed([*wrong.path.values()]), None)
                came = event.get("resource_id")
                answer.require(came == about, "the event of a refused change says to what", f"{came}, not {about}")
                told = (event.get("metadata") or {}).get("code")
                answer.require(told == answer.code, "the event of a refused change has its code", f"it is {told}")
        for who, headers, status in ((chaser.nobody, {}, 401), (client, {"X-Chaser-Account": UNKNOWN}, 404)):
            with chaser.case():
                known = events(client)
                answer = asking.by(who, headers=headers).must_be(status)
                answer.require(not _since(client, known), "what is refused to who is not let in leaves no event")


@promise()
def a_key_without_the_scope_leaves_a_failure(chaser: Subject) -> None:
    """A change that a key's scopes do not allow is in the audit log as failure, under who has the key."""
    arranged = Arranged(chaser)
    user = chaser.ask("get-me", expect=200).json["user"]["id"]
    key = chaser.as_(arranged.new_key(scopes=["audit.read"])["key"])
    for asking in arranged.every(lambda one: one.id in AUDITED and one.scope != "full"):
        with chaser.case():
            known = events(chaser.client)
            answer = asking.by(key).must_be(403, "insufficient_scope")
            event = _only(answer, _since(chaser.client, known), AUDITED[asking.operation.id][0])
            answer.require(
                (event["status"], event["actor_id"]) == ("failure", user),
                "it is a failure of who has the key",
                str(event),
            )


@promise()
def whoever_acts_is_named(chaser: Subject) -> None:
    """The event names the service account whose key was used, and the user behind a key or a sign-in."""
    arranged = Arranged(chaser)
    owner = arranged.in_organization
    robot = arranged.service_account
    member = arranged.new_person("member")
    people = [
        (chaser.as_(arranged.new_service_account_key()["key"]), ("service_account", robot["id"])),
        (member, ("user", member.ask("get-me").json["user"]["id"])),
        (chaser.as_(member.ask("create-key", json={}).json["key"]), ("user", member.ask("get-me").json["user"]["id"])),
    ]
    for client, actor in people:
        with chaser.case():
            known = events(owner)
            answer = client.ask("create-session", json={"ephemeral": True}, expect=200)
            _true(answer, _only(answer, _since(owner, known), "session.create"), "session", answer.json["id"], actor)


@promise()
def tools_and_bulk_calls_are_audited_as_their_operations(chaser: Subject) -> None:
    """A tool of MCP leaves the event of its operation; a bulk call leaves one for each thing that it ends."""
    arranged = Arranged(chaser)
    user = chaser.ask("get-me", expect=200).json["user"]["id"]
    for tool, arguments, action in (
        ("chaser_create_workspace", {"name": chaser.name("tool"), "session_type": "sandbox"}, "workspace.create"),
        ("chaser_create_sandbox_session", {"ephemeral": True}, "session.create"),
        ("chaser_terminate_session", {"session_id": arranged.new_session()["id"]}, "session.terminate"),
        ("chaser_create_snapshot", {"workspace": arranged.workspace["id"]}, "workspace.snapshot.create"),
        ("chaser_delete_workspace", {"workspace": arranged.new_workspace()["id"]}, "workspace.delete"),
    ):
        with chaser.case():
            known = events(chaser.client)
            answer = call(chaser.client, tool, dict(arguments))
            event = _only(answer, _since(chaser.client, known), action)
            answer.require(
                (event["status"], event["actor_id"]) == ("success", user), f"the tool {tool} is audited as {action}"
            )
    sessions = [arranged.new_session()["id"] for _ in range(3)]
    workspaces = [arranged.new_workspace()["id"] for _ in range(2)]
    for operation, ids, action in (
        ("bulk-terminate-sessions", sessions, "session.terminate"),
        ("bulk-delete-workspaces", workspaces, "workspace.delete"),
    ):
        with chaser.case():
            known = events(chaser.client)
            answer = chaser.ask(operation, json={"ids": [*ids, ids[0]]}, expect=200)
            found = Counter((one["action"], one["resource_id"]) for one in _since(chaser.client, known))
            wanted = Counter((action, one) for one in ids)
            answer.require(
                found == wanted, "a bulk call leaves one event for each thing that it ends", f"{dict(found)}"
            )


@promise("emulator")
def what_ends_by_itself_is_the_systems(chaser: Subject) -> None:
    """A session that ends when its plan's time is up is in the audit log as terminated by `system`."""
    clock = chaser.steered.clock
    clock.freeze()
    session = Arranged(chaser).new_session()["id"]
    known = events(chaser.client)
    hours = chaser.ask("get-billing-summary").json["limits"]["max_session_seconds"]
    clock.advance(hours + 60)
    answer = chaser.ask("get-session", id=session, expect=200)
    answer.require(answer.json["status"] == "terminated", "a session ends when its plan's time is up")
    found = [one for one in _since(chaser.client, known) if one["resource_id"] == session]
    event = _only(answer, found, "session.terminate")
    answer.require(event["actor_type"] == "system", "what ends by itself is ended by system", f"{event['actor_type']}")
