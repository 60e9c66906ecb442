"""Events: each thing that happens is told of once, by its type, with the thing itself as reading it answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from chaser_contract import making
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.promises.webhooks import TYPES
from chaser_contract.receiver import Hook, hooked, receiving, require_signed
from chaser_contract.sandboxes import begin, ended
from chaser_contract.subject import Subject
from chaser_contract.waiting import eventually


@promise("emulator")
def everything_that_happens_is_told_once(chaser: Subject) -> None:
    """Each type of event is sent when its thing happens, once, in order, with the thing as reading it answers."""
    with receiving(chaser) as receiver, hooked(chaser, receiver) as hook:
        told = [
            *_of_a_workspace(chaser), *_of_a_session_that_fails(chaser), *_of_jobs(chaser), *_of_money(chaser),
            *_of_an_assistant(chaser),
        ]  # fmt: skip
        hook.silent()
        account = chaser.ask("get-current-account", expect=200).json["account"]["id"]
        by_resource: dict[str, list[tuple[str, Any]]] = {}
        for kind, resource_id, data in told:
            by_resource.setdefault(resource_id, []).append((kind, data))
        for resource_id, expected in by_resource.items():
            with chaser.case():
                _told_as(hook, account, resource_id, expected)
        with chaser.case():
            missing = set(TYPES) - set(receiver.types())
            chaser.require(not missing, "create-webhook: each type of event is sent when it happens", f"not {missing}")
        for came in receiver.came:
            with chaser.case():
                require_signed(came, hook.secret)


@promise()
def what_is_refused_is_not_told(chaser: Subject) -> None:
    """What was refused, or had happened already, sends no event."""
    with receiving(chaser) as receiver, hooked(chaser, receiver) as hook:
        made = chaser.ask("create-session", json={"ephemeral": True}, expect=200).json["id"]
        making.ready(chaser, made)
        chaser.ask("terminate-session", id=made, expect=204)
        chaser.ask("terminate-session", id=made, expect=204)
        chaser.ask("bulk-terminate-sessions", json={"ids": [made]}, expect=200)
        room = chaser.ask("create-workspace", json={"name": chaser.name(), "session_type": "sandbox"}, expect=200).json
        chaser.ask("create-workspace", json={"name": room["name"], "session_type": "sandbox"}).must_be(409)
        chaser.ask("set-workspace-name", ws=room["id"], json={"name": "no name"}).must_be(400)
        chaser.ask("restore-workspace-snapshot", ws=room["id"], name="none", json={}).must_be(404)
        chaser.ask("delete-workspace-snapshot", ws=room["id"], name="none").must_be(404)
        chaser.ask("create-job", json={"kind": "no.such.kind", "input": {}}).must_be(400)
        chaser.ask("update-billing-account", json={"pricing_model": "no-such"}).must_be(400)
        chaser.ask("delete-workspace", ws=room["id"], expect=204)
        chaser.ask("delete-workspace", ws=room["id"]).must_be(404)
        hook.silent()
        for resource_id, due in (
            (made, ["session.created", "session.running", "session.terminated"]),
            (room["id"], ["workspace.created", "workspace.deleted"]),
        ):
            types = [came.type for came in receiver.of(resource_id)]
            chaser.require(types == due, f"create-webhook: what happened is told once, as {due}", f"{types}")
        others = {came.type for came in receiver.came if came.event["resource_type"] not in ("session", "workspace")}
        chaser.require(not others, "create-webhook: what is refused is not told of", f"{others}")


def _of_a_workspace(chaser: Subject) -> list[tuple[str, str, Any]]:
    name = chaser.name("room")
    made = chaser.ask("create-workspace", json={"name": name, "session_type": "sandbox"}, expect=200)
    room = made.json["id"]
    told: list[tuple[str, str, Any]] = [("workspace.created", room, _entry(chaser, room))]
    chaser.ask("set-workspace-name", ws=room, json={"name": chaser.name("other")}, expect=200)
    told.append(("workspace.renamed", room, _entry(chaser, room)))
    snapshot = chaser.name("kept")
    chaser.ask("create-workspace-snapshot", ws=room, json={"name": snapshot}, expect=200)
    (kept,) = chaser.ask("list-workspace-snapshots", ws=room, expect=200).json
    told.append(("workspace.snapshot.created", snapshot, kept))
    chaser.ask("restore-workspace-snapshot", ws=room, name=snapshot, json={}, expect=200)
    (restored,) = chaser.ask("list-workspace-snapshots", ws=room, expect=200).json
    told.append(("workspace.snapshot.restored", snapshot, restored))
    chaser.ask("delete-workspace-snapshot", ws=room, name=snapshot, expect=204)
    told.append(("workspace.snapshot.deleted", snapshot, restored))
    one = chaser.ask("create-session", json={"workspace": room}, expect=200).json["id"]
    live = making.ready(chaser, one)
    told += [("session.created", one, {**live, "status": "starting"}), ("session.running", one, live)]
    command = begin(chaser, one, "echo x; exit 3")
    told.append(("command.finished", command, ended(chaser, one, command).json))
    chaser.ask("terminate-session", id=one, expect=204)
    told.append(("session.terminated", one, chaser.ask("get-session", id=one, expect=200).json))
    left = eventually(
        lambda: _entry(chaser, room), lambda entry: entry["status"] == "idle", "list-workspaces: it is idle again"
    )
    chaser.ask("delete-workspace", ws=room, expect=204)
    return [*told, ("workspace.deleted", room, left)]


def _of_a_session_that_fails(chaser: Subject) -> list[tuple[str, str, Any]]:
    fault = chaser.steered.faults.add("create-session", engine="image_missing", times=1)
    one = chaser.ask("create-session", json={"ephemeral": True}, expect=200).json["id"]
    failed = eventually(
        lambda: chaser.ask("get-session", id=one, expect=200),
        lambda answer: answer.json["status"] == "failed",
        "get-session: a session whose image cannot be had fails",
    )
    fault.remove()
    # Nobody counts the connections of what is no more.
    begun = {**failed.json, "status": "starting", "active_connection_leases": 0}
    return [("session.created", one, begun), ("session.failed", one, failed.json)]


def _of_jobs(chaser: Subject) -> list[tuple[str, str, Any]]:
    told: list[tuple[str, str, Any]] = []
    for command, end in (("echo x", "completed"), ("exit 2", "failed")):
        body = {"kind": "sandbox.exec", "input": {"command": command, "ephemeral": True}}
        queued = chaser.ask("create-job", json=body, expect=200)
        job = queued.json["id"]
        done = _job(chaser, job, end)
        told += [("job.queued", job, queued.json), ("job.started", job, None), (f"job.{end}", job, done.json)]
    later = {"kind": "sandbox.exec", "input": {"command": "echo x"}, "run_at": "2039-01-01T00:00:00Z"}
    waiting = chaser.ask("create-job", json=later, expect=200)
    chaser.ask("cancel-job", id=waiting.json["id"], expect=200)
    canceled = _job(chaser, waiting.json["id"], "canceled")
    return [
        *told,
        ("job.queued", waiting.json["id"], waiting.json),
        ("job.canceled", waiting.json["id"], canceled.json),
    ]


def _of_money(chaser: Subject) -> list[tuple[str, str, Any]]:
    account = chaser.ask("get-current-account", expect=200).json["account"]["id"]
    changed = chaser.ask("update-billing-account", json={"plan_code": "team"}, expect=200)
    return [("billing.updated", account, changed.json)]


def _of_an_assistant(chaser: Subject) -> list[tuple[str, str, Any]]:
    config = {"alerts": [{"metric": "tokens", "threshold": 10, "window_seconds": 3600}]}
    made = chaser.ask("create-assistant", json={"name": chaser.name("spender"), "config": config}, expect=200)
    one = made.json["assistant"]["id"]
    for quantity in (10, 1, 50):
        body = {"kind": "tokens", "quantity": quantity}
        chaser.ask("create-assistant-usage-event", id=one, json=body, expect=200)
    read = chaser.ask("get-assistant", id=one, expect=200).json["assistant"]
    return [("assistant.alert", one, read)]


def _entry(chaser: Subject, workspace_id: str) -> dict[str, Any]:
    listed = chaser.ask("list-workspaces", expect=200)
    found: dict[str, Any] | None = next((one for one in listed.json if one["id"] == workspace_id), None)
    listed.require(found is not None, "a workspace that was made is listed")
    return found or {}


def _job(chaser: Subject, job_id: str, status: str) -> Answer:
    return eventually(
        lambda: chaser.ask("get-job", id=job_id, expect=200),
        lambda answer: answer.json["status"] == status,
        f"get-job: the job comes to be {status}",
    )


def _told_as(hook: Hook, account: str, resource_id: str, expected: list[tuple[str, Any]]) -> None:
    """That all that happened to one resource came, in order, once each, as it was read."""
    came = hook.receiver.of(resource_id)
    kinds, due = [one.type for one in came], [kind for kind, _ in expected]
    hook.chaser.require(
        kinds == due, f"create-webhook: what happens is told once and in order: {', '.join(due)}", f"{kinds}"
    )
    for one, (kind, data) in zip(came, expected, strict=True):
        event = one.event
        for name, value in (("account_id", account), ("resource_type", kind.rpartition(".")[0])):
            hook.chaser.require(
                event[name] == value, f"create-webhook: `{name}` of {kind} is {value}", f"{event[name]}"
            )
        if data is None:
            running_ = event["data"].get("status") == "running"
            hook.chaser.require(running_, f"create-webhook: `data` of {kind} is the thing as it is", f"{event['data']}")
            continue
        found, read = _placeless(event["data"]), _placeless(data)
        differing = sorted(name for name in {*found, *read} if found.get(name) != read.get(name))
        hook.chaser.require(
            not differing,
            f"create-webhook: `data` of {kind} is what reading it answers",
            f"{ {name: (found.get(name), read.get(name)) for name in differing} }",
        )


def _placeless(data: dict[str, Any]) -> dict[str, Any]:
    """The same without the host that is in addresses: an event does not know by which its receiver comes in."""
    if "endpoints" not in data:
        return data
    return {**data, "endpoints": {name: value and urlsplit(value).path for name, value in data["endpoints"].items()}}
