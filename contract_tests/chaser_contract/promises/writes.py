"""Writes: each changes what it names and nothing else, tells of it once, and is seen by all who act in the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chaser_contract import making
from chaser_contract.arranging import Arranged
from chaser_contract.asking import Asking
from chaser_contract.client import Answer, Client
from chaser_contract.expected_writes import Write, of_organization, personal
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.viewing import Change, View, view


@promise("emulator", stateful=True)
def a_write_changes_what_it_names(chaser: Subject) -> None:
    """Every write in a personal account changes just what it says of what it names, and sends just its events."""
    _each_changes_its_own(chaser, chaser.client, personal(chaser))


@promise("emulator", stateful=True)
def a_write_of_an_organization_changes_what_it_names(chaser: Subject) -> None:
    """Every write among members, service accounts and their keys changes just what it says of what it names."""
    client, _ = making.organization(chaser)
    _each_changes_its_own(chaser, client, of_organization(chaser))


@promise("emulator", "peer")
def a_refused_write_changes_nothing(chaser: Subject) -> None:
    """Whatever a write is refused for (who asks, what it names, its form), all is as before, and no event is sent."""
    making.webhook(chaser)
    arranged = Arranged(chaser)
    narrow = chaser.as_(chaser.ask("create-key", json={"scopes": ["billing.read"]}, expect=200).json["key"])
    # The one has refusals of its own form, the other is open to everybody.
    open_ = ("mcp-handler", "create-organization")
    asked = [
        asking
        for asking in arranged.every(lambda operation: operation.method != "GET" and operation.path.startswith("/v1/"))
        if asking.operation.id not in open_
    ]
    before = view(chaser)
    for asking in asked:
        with chaser.case():
            _refuse(chaser, asking, narrow)
    after = view(chaser)
    if not before.until(after):
        return
    # Which of them it was shows when they are sent one by one.
    for asking in asked:
        with chaser.case():
            _refuse(chaser, asking, narrow)
            before, after = after, view(chaser)
            change = before.until(after)
            chaser.require(
                not change, f"{asking.operation.id}: a write that is refused changes nothing", f"{change} afterwards"
            )
    chaser.require(False, "a write that is refused changes nothing", "something is otherwise after all of them")


def _refuse(chaser: Subject, asking: Asking, narrow: Client) -> None:
    """Send a request as those who may not, about what is not there, and in forms that it does not have."""
    answers = [asking.by(caller) for caller in (chaser.nobody, narrow)]
    if asking.path or asking.account is not None:
        answers.append(asking.by(chaser.peer))
    if asking.path:
        answers.append(asking.but(path=asking.unknown()).by(chaser.client))
    if asking.has_body:
        answers += [
            asking.but(content=b'{"name":', media_type="application/json").by(chaser.client),
            asking.but(json=[]).by(chaser.client),
            asking.but(content=b"name=x", media_type="text/plain").by(chaser.client),
        ]
    odd = next((one for one in answers if one.status < 400), None)
    if odd is not None:
        odd.require(False, "a request that is wrong, or of somebody else, is refused")


@promise("emulator", stateful=True)
def a_write_is_seen_by_everybody(chaser: Subject) -> None:
    """What one writes in an organization is what all others read there at once, whatever their credential."""
    owner, account = making.organization(chaser)
    person, user = making.person(chaser)
    owner.ask("add-current-member", json={"email": user["email"], "role": "admin"}, expect=200)
    admin = chaser.as_(person.credential, account=account["id"])
    bound = chaser.as_(admin.ask("create-key", json={}, expect=200).json["key"])
    robot = owner.ask("create-current-service-account", json={"name": "robot"}, expect=200).json["service_account"]
    told = owner.ask("create-current-service-account-key", said=robot["id"], json={}, expect=200)
    machine = chaser.as_(told.json["key"])
    callers: tuple[Client, ...] = (owner, admin, bound, machine)
    shared: dict[str, dict[str, Any]] = {}
    for turn, writer in enumerate(callers):
        disk = making.workspace(chaser, writer)
        live = making.session(writer, workspace=disk["name"])
        job = making.waiting_job(writer)
        hook = making.webhook(chaser, writer)
        ended = making.session(writer)
        writer.ask("terminate-session", id=ended["id"], expect=204)
        shared |= {one["id"]: one for one in (disk, live, job, hook)}
        # Somebody else goes on with it.
        other = callers[(turn + 1) % len(callers)]
        other.ask("set-workspace-name", ws=disk["name"], json={"name": f"renamed-{turn}"}, expect=200)
        other.ask("set-workspace-template", ws=f"renamed-{turn}", json={"template": True}, expect=200)
        other.ask("cancel-job", id=job["id"], expect=200)
        found = other.ask("create-session", json={"workspace": f"renamed-{turn}"}, expect=200)
        found.require(found.json["id"] == live["id"], "the live session of a workspace is found by all of its account")
        reads: tuple[tuple[str, dict[str, Any]], ...] = (
            ("list-workspaces", {}), ("list-sessions", {}), ("get-session", {"id": live["id"]}),
            ("get-session", {"id": ended["id"]}), ("list-jobs", {}), ("get-job", {"id": job["id"]}),
            ("list-webhooks", {}), ("get-billing-summary", {}), ("list-audit-events", {"query": {"limit": 30}}),
        )  # fmt: skip
        for operation, request in reads:
            with chaser.case():
                answers = [caller.ask(operation, expect=200, **request) for caller in callers]
                seen = [_steady(operation, one.json) for one in answers]
                for number, one in enumerate(seen):
                    answers[number].require(
                        one == seen[0], "all who act in an account read the same", f"{one}, not {seen[0]}"
                    )
        listed = {one["id"]: one for one in owner.ask("list-workspaces", expect=200).json}[disk["id"]]
        chaser.require(
            (listed["name"], listed["template"], listed["status"], listed["active_session_id"])
            == (f"renamed-{turn}", True, "active", live["id"]),
            "list-workspaces: a workspace is as it was written last", f"{listed}",
        )  # fmt: skip
        now = machine.ask("get-job", id=job["id"], expect=200)
        now.require(now.json["status"] == "canceled", "a job is as it was written last")
    outside = chaser.ask("list-workspaces", expect=200)
    outside.require(
        not shared.keys() & {one["id"] for one in outside.json},
        "what belongs to an organization is in no other account",
    )


def _steady(operation: str, told: Any) -> Any:
    """What does not go on by itself between two looks."""
    if operation == "get-billing-summary":
        return {name: value for name, value in told.items() if not name.startswith(("usage_last", "workspace_storage"))}
    return told


def _each_changes_its_own(chaser: Subject, client: Client, writes: Iterator[Write]) -> None:
    chaser.steered.clock.freeze()
    making.webhook(chaser, client)
    for write in writes:
        with chaser.case():
            before = view(client)
            answer = client.ask(write.operation, **write.request)
            answer.require(answer.status < 300, "a write that is right is made")
            if write.after is not None:
                write.after(answer)
            chaser.steered.clock.run_until_idle(0)
            _is_as_written(answer, write, before, view(client))


def _is_as_written(answer: Answer, write: Write, before: View, after: View) -> None:
    change = before.until(after)
    deliveries = [key for key in change.created if key[0] == "delivery"]
    events = sorted(str(after.things[key]["event_type"]) for key in deliveries)
    answer.require(
        events == sorted(write.events), f"it is told by {', '.join(write.events) or 'no event'}, once",
        f"{', '.join(events) or 'none'} came",
    )  # fmt: skip
    others = Change(change.created - {*deliveries}, change.deleted, change.changed)
    seen = (
        sorted(kind for kind, _ in others.created),
        sorted(kind for kind, _ in others.deleted),
        sorted(f"{kind}.{name}" for kind, _, name in others.changed),
    )
    wanted = (sorted(write.created), sorted(write.deleted), sorted(write.changed))
    answer.require(seen == wanted, f"it changes what it names and nothing else: {_said(wanted)}", _said(seen))


def _said(change: tuple[list[str], list[str], list[str]]) -> str:
    words = zip(("created", "deleted", "changed"), change, strict=True)
    return "; ".join(f"{word} {', '.join(names)}" for word, names in words if names) or "nothing"
