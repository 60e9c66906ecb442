"""Races: when several ask for the same at the same moment, the outcome is as if they had come one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.racing import race, won
from chaser_contract.subject import Subject

_ROUNDS = 3
"""How often each race is run: one alone may end well by luck."""

_RUNNERS = 6


@promise(stateful=True)
def one_gets_a_workspace_name(chaser: Subject) -> None:
    """Of several who want the same name at once, in whatever case, one gets it and the others 409."""
    for _ in range(_ROUNDS):
        with chaser.case():
            name = chaser.name("name")
            spare = [making.workspace(chaser)["id"] for _ in range(2)]
            answers = race(
                partial(chaser.ask, "create-workspace", json={"session_type": "sandbox", "name": name}),
                partial(chaser.ask, "create-workspace", json={"session_type": "browser", "name": name.upper()}),
                partial(chaser.ask, "create-workspace", json={"clone_from": spare[0], "name": name.title()}),
                partial(chaser.ask, "set-workspace-name", ws=spare[0], json={"name": name}),
                partial(chaser.ask, "set-workspace-name", ws=spare[1], json={"name": name.swapcase()}),
            )
            won(answers, 1, 409, ("name_taken",), "a name belongs to one workspace, whoever asks at once")
            named = [
                one for one in chaser.ask("list-workspaces", expect=200).json if one["name"].lower() == name.lower()
            ]
            chaser.require(len(named) == 1, "list-workspaces: a name belongs to one workspace", f"{named}")


@promise("emulator", stateful=True)
def one_gets_what_is_unique(chaser: Subject) -> None:
    """An organization's name, an address, a channel, an SSH key, a snapshot's name, a member: one who asks gets it."""
    line, name, mail = making.ssh_line(chaser), chaser.name("org"), f"{chaser.name('race')}@example.com"
    channel = {"channel_type": "discord", "channel_id": chaser.name("channel")}
    owners = [making.assistant(chaser)["id"] for _ in range(2)]
    disk = making.workspace(chaser)["id"]
    organization, _ = making.organization(chaser)
    sign_in = {"email": mail, "password": "correct horse battery"}
    names = [{"name": one} for one in (name, name.upper(), name.title())]
    people = [{**sign_in, "email": one} for one in (mail, mail.upper(), mail.title())]
    runs: Mapping[str, tuple[str, list[Callable[[], Answer]]]] = {
        "create-organization": (
            "name_taken",
            [partial(chaser.ask, "create-organization", json=said) for said in names],
        ),
        "register": (
            "already_exists",
            [partial(chaser.nobody.ask, "register", json=said, headers=making.world(chaser)) for said in people],
        ),
        "create-ssh-key": (
            "already_exists",
            [partial(chaser.ask, "create-ssh-key", json={"public_key": line})] * 3,
        ),
        "add-assistant-channel": (
            "already_exists",
            [partial(chaser.ask, "add-assistant-channel", id=one, json=channel) for one in owners],
        ),
        "create-workspace-snapshot": (
            "already_exists",
            [partial(chaser.ask, "create-workspace-snapshot", ws=disk, json={"name": "race"})] * 3,
        ),
        "add-current-member": (
            "already_exists",
            [partial(organization.ask, "add-current-member", json={"email": "new@example.com"})] * 3,
        ),
    }
    for operation, (code, asked) in runs.items():
        with chaser.case():
            won(race(*asked, *asked), 1, 409, (code,), f"{operation}: one of those who ask at once gets it")


@promise("emulator", stateful=True)
def a_workspace_gets_one_session(chaser: Subject) -> None:
    """Several who ask for a session of the same workspace at once all get the same one, and only one is started."""
    for _ in range(_ROUNDS):
        with chaser.case():
            disk = making.workspace(chaser)
            answers = race(
                *[
                    partial(
                        chaser.ask, "create-session", json={"workspace": disk["id"] if number % 2 else disk["name"]}
                    )
                    for number in range(_RUNNERS)
                ]
            )
            for one in answers:
                one.must_be(200, because="the workspace has a session, or gets one")
            _one_session(chaser, disk["id"], {one.json["id"] for one in answers})
    for _ in range(_ROUNDS):
        with chaser.case():
            disk = making.workspace(chaser)
            said = {"workspace": disk["name"], "command": "true"}
            answers = race(*[partial(chaser.ask, "exec-sandbox", json=said)] * _RUNNERS)
            for one in answers:
                one.must_be(200, because="the workspace has a session, or gets one")
                one.require(one.json["exit_code"] == 0, "each command is run")
            _one_session(chaser, disk["id"], {one.json["session_id"] for one in answers})
    with chaser.case():
        answers = race(*[partial(chaser.ask, "create-session", json={})] * _RUNNERS)
        ids = {one.must_be(200).json["id"] for one in answers}
        named = [one for one in chaser.ask("list-workspaces", expect=200).json if one["name"] == "default"]
        chaser.require(
            len(ids) == 1 and len(named) == 1,
            "create-session: several who ask at once get one session of one default workspace",
            f"{len(ids)} sessions, {len(named)} workspaces",
        )


@promise(stateful=True)
def an_idempotency_key_makes_one_job(chaser: Subject) -> None:
    """Several who send the same idempotency key at once all get the same job, and with another input a conflict."""
    for _ in range(_ROUNDS):
        with chaser.case():
            said = _waiting(chaser)
            before = _total(chaser)
            answers = race(*[partial(chaser.ask, "create-job", json=said)] * _RUNNERS)
            ids = {one.must_be(200).json["id"] for one in answers}
            chaser.require(
                len(ids) == 1 and _total(chaser) == before + 1, "create-job: a key makes one job, whoever asks at once",
                f"{len(ids)} jobs were answered, {_total(chaser) - before} were queued",
            )  # fmt: skip
        with chaser.case():
            said = _waiting(chaser)
            answers = race(
                *[
                    partial(chaser.ask, "create-job", json={**said, "input": {"session_id": f"session-{number % 2}"}})
                    for number in range(_RUNNERS)
                ]
            )
            won(answers, 3, 409, ("idempotency_conflict",), "a key belongs to the job of one input")


@promise("emulator", "limits", stateful=True)
def limits_hold_for_all_at_once(chaser: Subject) -> None:
    """Several who take the last places at once get as many as there are: sessions, workspaces, webhooks, snapshots."""
    free = making.person(chaser)[0]
    if free.ask("get-billing-summary", expect=200).json["limits"]["max_concurrency"] == 1:
        for _ in range(_ROUNDS):
            with chaser.case():
                answers = race(*[partial(free.ask, "create-session", json={"ephemeral": True})] * _RUNNERS)
                winner = won(answers, 1, 403, ("plan_limit_exceeded",), "a plan's sessions are not exceeded")[0]
                free.ask("terminate-session", id=winner.json["id"], expect=204)
    with chaser.case():
        for _ in range(48):
            making.workspace(chaser)
        answers = race(*[partial(chaser.ask, "create-workspace", json={"session_type": "sandbox"})] * _RUNNERS)
        won(answers, 2, 403, ("plan_limit_exceeded",), "a plan's workspaces are not exceeded")
    with chaser.case():
        for _ in range(18):
            making.webhook(chaser)
        answers = race(*[partial(chaser.ask, "create-webhook", json={"url": "http://127.0.0.1:9/"})] * _RUNNERS)
        won(answers, 2, 409, ("conflict",), "an account has at most 20 webhooks")


def _one_session(chaser: Subject, disk: str, answered: set[str]) -> None:
    live = [
        one["id"]
        for one in chaser.ask("list-sessions", query={"limit": 200}, expect=200).json["sessions"]
        if one.get("workspace_id") == disk
    ]
    chaser.require(
        len(answered) == 1 and set(live) == answered,
        "create-session: several who ask at once get the one session of the workspace",
        f"{sorted(answered)} were answered, {live} are listed",
    )
    chaser.ask("terminate-session", id=live[0], query={"force": True}, expect=204)


def _waiting(chaser: Subject) -> dict[str, Any]:
    return {
        "kind": "session.terminate", "input": {"session_id": UNKNOWN}, "run_at": making.LATER,
        "idempotency_key": chaser.name("key"),
    }  # fmt: skip


def _total(chaser: Subject) -> int:
    return int(chaser.ask("list-jobs", query={"limit": 1}, expect=200).json["total"])
