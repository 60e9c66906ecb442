"""Races of changes: when several write, decide or delete at the same moment, it is as if one came after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from chaser_contract import making
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.racing import outcomes, race, won
from chaser_contract.subject import Subject

_ROUNDS = 3
"""How often each race is run: one alone may end well by luck."""

_RUNNERS = 6


@promise("emulator", stateful=True)
def a_state_is_written_by_one(chaser: Subject) -> None:
    """Of several who write a state on the same version one succeeds; without a version all do, one after the other."""
    owner = making.assistant(chaser)["id"]
    for version in range(_ROUNDS):
        with chaser.case():
            answers = race(
                *[
                    partial(
                        chaser.ask, "put-assistant-runtime-state", id=owner, json={"state": number, "version": version}
                    )
                    for number in range(_RUNNERS)
                ]
            )
            winner = won(answers, 1, 409, ("conflict",), "a version of the state is written once")[0]
            wanted = {"state": answers.index(winner), "version": version + 1}
            now = chaser.ask("get-assistant-runtime-state", id=owner, expect=200)
            now.require(
                {name: now.json[name] for name in wanted} == wanted, "the state is that of the write that succeeded",
                f"{now.json}, not {wanted}",
            )  # fmt: skip
    versions = [
        one.must_be(200).json["version"]
        for one in race(
            *[partial(chaser.ask, "put-assistant-runtime-state", id=owner, json={"state": n}) for n in range(_RUNNERS)]
        )
    ]
    wanted_versions = list(range(_ROUNDS + 1, _ROUNDS + 1 + _RUNNERS))
    chaser.require(
        sorted(versions) == wanted_versions, "put-assistant-runtime-state: each write has a version of its own",
        f"{sorted(versions)}, not {wanted_versions}",
    )  # fmt: skip


@promise("emulator", stateful=True)
def no_write_is_lost(chaser: Subject) -> None:
    """Changes of different parts of one thing at once are all made; each counts."""
    owner = making.assistant(chaser)["id"]
    answers = race(
        *[partial(chaser.ask, "update-assistant", id=owner, json={"config": {f"part{n}": n}}) for n in range(_RUNNERS)]
    )
    versions = [one.must_be(200).json["assistant"]["config_version"] for one in answers]
    now = chaser.ask("get-assistant", id=owner, expect=200)
    wanted = {f"part{n}": n for n in range(_RUNNERS)}
    now.require(now.json["assistant"]["config"] == wanted, "each change at once is made", f"{now.json}, not {wanted}")
    now.require(
        sorted(versions) == list(range(2, _RUNNERS + 2)), "each change at once makes a version", f"{sorted(versions)}"
    )
    race(
        *[
            partial(chaser.ask, "create-assistant-usage-event", id=owner, json={"kind": "tokens", "quantity": 2**n})
            for n in range(_RUNNERS)
        ]
    )
    usage = chaser.ask("list-assistant-usage-events", id=owner, expect=200)
    usage.require(usage.json["totals"]["tokens"] == 2**_RUNNERS - 1, "each event at once counts", f"{usage.json}")
    keys = [one.json["id"] for one in race(*[partial(chaser.ask, "create-key", json={}, expect=200)] * _RUNNERS)]
    listed = [one["id"] for one in chaser.ask("list-keys", expect=200).json["keys"]]
    chaser.require(
        set(keys) <= set(listed) and len(set(keys)) == _RUNNERS,
        "create-key: each of several at once is made",
        f"{keys}",
    )


@promise("emulator", stateful=True)
def one_decides(chaser: Subject) -> None:
    """Of those who decide over the same thing at once one does: approve or deny, retry or cancel, discard, delete."""
    owner = making.assistant(chaser)["id"]
    for turn in range(_ROUNDS):
        with chaser.case():
            patch = {"turn": turn}
            rid = chaser.ask(
                "create-assistant-config-change-request", id=owner, json={"patch": patch}, expect=200
            ).json["id"]
            words = ("approve", "deny") * (_RUNNERS // 2)
            answers = race(
                *(partial(chaser.ask, f"{word}-assistant-config-change-request", id=owner, rid=rid) for word in words)
            )
            winner = won(answers, 1, 409, ("invalid_state",), "a change request is decided once")[0]
            config = chaser.ask("get-assistant", id=owner, expect=200).json["assistant"]["config"]
            approved = winner.operation.id.startswith("approve")
            status = "approved" if approved else "denied"
            chaser.require(
                (config.get("turn") == turn) == approved and winner.json["status"] == status,
                "approve-assistant-config-change-request: the configuration is what was decided", f"{config}",
            )  # fmt: skip
    for _ in range(_ROUNDS):
        with chaser.case():
            job = making.waiting_job(chaser)["id"]
            answers = race(*[partial(chaser.ask, "cancel-job", id=job)] * _RUNNERS)
            won(answers, 1, 409, ("invalid_state",), "a job is canceled once")
            answers = race(*[partial(chaser.ask, "retry-job", id=job)] * _RUNNERS)
            won(answers, 1, 409, ("invalid_state",), "a job is queued again once", at_least=True)
            making.finished_job(chaser, job)
        with chaser.case():
            # Whoever is first: the job is queued again, and is canceled once or comes to its own end.
            answers = race(
                partial(chaser.ask, "retry-job", id=job),
                partial(chaser.ask, "cancel-job", id=job),
                partial(chaser.ask, "cancel-job", id=job),
            )
            answers[0].must_be(200, because="the job is final, and nobody else has it run again")
            canceled = won(answers[1:], 0, 409, ("invalid_state",), "a job is canceled once", at_least=True)
            ended = making.finished_job(chaser, job)
            chaser.require(
                len(canceled) < 2 and ended["status"] == ("canceled" if canceled else "failed"),
                "cancel-job: a job that was canceled is canceled, and else has ended by itself", f"{ended}",
            )  # fmt: skip


@promise(stateful=True)
def one_deletes(chaser: Subject) -> None:
    """Of several who delete the same thing at once one does, and the others do not find it; a session all may end."""
    disk = making.workspace(chaser)["id"]
    making.snapshot(chaser, disk, name="one")
    ssh = chaser.ask("create-ssh-key", json={"public_key": making.ssh_line(chaser)}, expect=200).json["key"]["id"]
    runs: tuple[tuple[str, dict[str, Any]], ...] = (
        ("delete-workspace-snapshot", {"ws": disk, "name": "one"}),
        ("delete-workspace", {"ws": disk}),
        ("delete-webhook", {"id": making.webhook(chaser)["id"]}),
        ("delete-ssh-key", {"id": ssh}),
    )
    for operation, path in runs:
        with chaser.case():
            answers = race(*[partial(chaser.ask, operation, **path)] * _RUNNERS)
            won(answers, 1, 404, ("not_found",), "one of several who delete at once does")
    live = making.session(chaser)["id"]
    with chaser.case():
        answers = race(*[partial(chaser.ask, "terminate-session", id=live)] * _RUNNERS)
        won(answers, _RUNNERS, 204, (), "a session may be ended by several at once")
        events = chaser.ask("list-audit-events", query={"resource_id": live, "action": "session.terminate"}, expect=200)
        chaser.ask("get-session", id=live, expect=200).require(
            chaser.ask("get-session", id=live, expect=200).json["status"] == "terminated", "the session has ended"
        )
        events.require(len(events.json["events"]) >= 1, "the end of the session is audited")
    key = chaser.ask("create-key", json={}, expect=200).json["id"]
    with chaser.case():
        answers = race(*[partial(chaser.ask, "revoke-key", id=key)] * _RUNNERS)
        moments = {one.must_be(200).json["revoked"] for one in answers}
        chaser.require(len(moments) == 1, "revoke-key: a key is revoked once, and all are told when", f"{moments}")


@promise("emulator", stateful=True)
def an_owner_stays(chaser: Subject) -> None:
    """When all owners of an organization leave or step down at once, the last one stays."""
    for turn in range(_ROUNDS):
        with chaser.case():
            client, account = making.organization(chaser)
            people = [making.person(chaser) for _ in range(2)]
            for _, user in people:
                client.ask("add-current-member", json={"email": user["email"], "role": "owner"}, expect=200)
            me = chaser.ask("get-me", expect=200).json["user"]["id"]
            owners: list[tuple[Client, str]] = [(client, me)]
            owners += [(chaser.as_(one.credential, account=account["id"]), user["id"]) for one, user in people]
            runs = [
                partial(who.ask, "remove-current-member", uid=uid)
                if turn % 2
                else partial(who.ask, "update-current-member", uid=uid, json={"role": "member"})
                for who, uid in owners
            ]
            answers = race(*runs)
            kept = [one for one in answers if one.status == 409]
            chaser.require(
                len(kept) == 1 and kept[0].code == "last_owner", "remove-current-member: the last owner stays",
                f"{outcomes([one.status for one in answers])}",
            )  # fmt: skip
            last, _ = owners[answers.index(kept[0])]
            members = last.ask("list-current-members", expect=200).json["members"]
            chaser.require(
                [one["role"] for one in members].count("owner") == 1,
                "list-current-members: one owner is left",
                f"{members}",
            )


@promise(stateful=True)
def use_and_delete_end_well(chaser: Subject) -> None:
    """What is used while it is deleted is there or not: each answer is one of the documented, and then it is gone."""
    for _ in range(_ROUNDS):
        with chaser.case():
            disk = making.workspace(chaser)
            answers = race(
                partial(chaser.ask, "delete-workspace", ws=disk["id"], query={"force": True}),
                partial(chaser.ask, "create-session", json={"workspace": disk["id"]}),
                partial(chaser.ask, "create-workspace-snapshot", ws=disk["id"], json={}),
                partial(chaser.ask, "set-workspace-template", ws=disk["id"], json={"template": True}),
                partial(chaser.ask, "create-workspace", json={"clone_from": disk["id"]}),
            )
            answers[0].must_be(204, because="by force a workspace is deleted, whatever goes on")
            for one in answers[1:]:
                one.require(one.status in (200, 404, 409), "what is used while it is deleted is there, or is not")
            chaser.require(
                making.workspace_of(chaser, disk["id"]) is None,
                "list-workspaces: what is deleted is gone",
                f"{disk['id']}",
            )
            live = chaser.ask("list-sessions", query={"limit": 200}, expect=200).json["sessions"]
            left = [one for one in live if one.get("workspace_id") == disk["id"]]
            chaser.require(not left, "list-sessions: no session lives on a workspace that is deleted", f"{left}")
    for _ in range(_ROUNDS):
        with chaser.case():
            live_id = making.running(chaser)["id"]
            commands = [
                partial(chaser.ask, "exec-session", id=live_id, json={"command": "true", "background": back})
                for back in (True, False, True)
            ]
            answers = race(partial(chaser.ask, "terminate-session", id=live_id, query={"force": True}), *commands)
            answers[0].must_be(204, because="by force a session is ended, whatever goes on")
            for one in answers[1:]:
                one.require(one.status in (200, 409), "a command is run before the session ends, or is refused")
            chaser.ask("exec-session", id=live_id, json={"command": "true"}).must_be(
                409, "not_running", because="the session has ended"
            )


@promise("emulator", stateful=True)
def an_end_is_told_when_it_has_come(chaser: Subject) -> None:
    """Whoever of several ends a session at once is answered when it has ended, also where that takes a while."""
    for in_bulk in (False, True):
        with chaser.case():
            live = making.running(chaser)["id"]
            end = (
                partial(chaser.ask, "bulk-terminate-sessions", json={"ids": [live]})
                if in_bulk
                else partial(chaser.ask, "terminate-session", id=live)
            )
            with chaser.steered.faults.add(engine={"kind": "slow", "on": ["stop"], "delay": 0.1}):
                seen = race(*[partial(_ended, chaser, end, live)] * _RUNNERS)
            for after in seen:
                after.require(after.json["status"] == "terminated", "a session has ended when its end is answered")


def _ended(chaser: Subject, end: Callable[[], Answer], session_id: str) -> Answer:
    """How a session is read by who has just ended it."""
    ended = end()
    ended.require(ended.status in (200, 204), "a session may be ended by several at once")
    return chaser.ask("get-session", id=session_id, expect=200)
