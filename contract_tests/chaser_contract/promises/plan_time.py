"""How long a plan lets a session live, and how long one that has ended is read; to the second on the clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from chaser_contract import making
from chaser_contract.client import Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.waiting import until


@promise("emulator", stateful=True)
def a_session_ends_with_the_time_of_its_plan(chaser: Subject) -> None:
    """A session of a paid plan lasts 24 hours, one of the free plan one, and then the system ends it."""
    clock = chaser.steered.clock
    clock.freeze()
    # A token of a sign-in would not live as long.
    free = chaser.as_(making.person(chaser)[0].ask("create-key", json={}, expect=200).json["key"])
    disk = making.workspace(chaser)
    hook = making.webhook(chaser, events=["session.*"])
    cases: tuple[tuple[Client, int, dict[str, Any]], ...] = (
        (chaser.client, 24 * 3600, {"workspace": disk["name"]}),
        (chaser.client, 24 * 3600, {"ephemeral": True}),
        (free, 3600, {"ephemeral": True}),
    )
    for client, seconds, said in cases:
        with chaser.case():
            told = client.ask("get-billing-summary", expect=200)
            told.require(told.json["limits"]["max_session_seconds"] == seconds, f"a session has {seconds} seconds")
            one = making.running(client, **said)
            end = datetime.fromisoformat(one["created_at"]) + timedelta(seconds=seconds)
            clock.advance(to=end - timedelta(seconds=1))
            _is(client, one["id"], "running", f"it lives for {seconds} seconds")
            client.ask("exec-session", id=one["id"], json={"command": "true"}, expect=200)
            clock.advance(2)
            _is(client, one["id"], "terminated", f"it has ended after {seconds} seconds")
            client.ask("exec-session", id=one["id"], json={"command": "true"}).must_be(
                409, "not_running", because="the time of the session is up"
            )
            listed = client.ask("list-sessions", expect=200)
            listed.require(listed.json == {"sessions": [], "total": 0}, "a session whose time is up is not listed")
            named = {"resource_id": one["id"], "action": "session.terminate"}
            events = client.ask("list-audit-events", query=named, expect=200)
            ends = [(each["actor_type"], each["actor_id"], each["status"]) for each in events.json["events"]]
            events.require(
                ends == [("system", "system", "success")],
                "the end by the plan's time is audited once, as the system's",
                f"{ends}",
            )
            clock.advance(to=end + timedelta(hours=24) - timedelta(seconds=2))
            _is(client, one["id"], "terminated", "a session that has ended stays readable for 24 hours")
            clock.advance(4)
            client.ask("get-session", id=one["id"]).must_be(
                404, "not_found", because="the session ended more than 24 hours ago"
            )
    shown = making.workspace_of(chaser, disk["id"]) or {}
    chaser.require(
        shown.get("status") == "idle" and shown.get("active_session_id") is None,
        "list-workspaces: a workspace is idle when its session's time is up",
        f"{shown}",
    )
    told_ends = [one.data for one in chaser.steered.webhooks.all("session.terminated", name=hook["received"])]
    chaser.require(
        len(told_ends) == 2 and all(one["status"] == "terminated" for one in told_ends),
        "create-webhook: session.terminated is sent once for each session whose time is up",
        f"{told_ends}",
    )


@promise("emulator", stateful=True)
def a_session_beyond_its_time_takes_no_commands(chaser: Subject) -> None:
    """When the time of its plan is up a session takes no command more, also while one still runs in it."""
    clock = chaser.steered.clock
    clock.freeze()
    one = making.running(chaser)
    said = {"command": "sleep 900", "background": True}
    chaser.ask("exec-session", id=one["id"], json=said, expect=200)
    clock.advance(24 * 3600 + 2)
    for background in (False, True):
        chaser.ask("exec-session", id=one["id"], json={"command": "true", "background": background}).must_be(
            409, "not_running", because="the time of the session is up"
        )


@promise("emulator", stateful=True)
def an_ended_session_is_readable_for_a_day(chaser: Subject) -> None:
    """A session that was terminated or has failed is read for 24 hours more, not less, as it was at its end."""
    clock = chaser.steered.clock
    clock.freeze()
    one = making.running(chaser)
    with chaser.steered.faults.add(engine="cannot_start", times=1):
        lost = making.session(chaser)
        until(
            lambda: chaser.ask("get-session", id=lost["id"], expect=200),
            lambda told: told["status"] == "failed",
            "a session that cannot start becomes failed",
        )
    chaser.ask("terminate-session", id=one["id"], expect=204)
    at_end = {each["id"]: chaser.ask("get-session", id=each["id"], expect=200).json for each in (one, lost)}
    for duration in ("23h", 3598):
        clock.advance(duration)
        for session_id, told in at_end.items():
            with chaser.case():
                now = chaser.ask("get-session", id=session_id).must_be(200, because="it ended within 24 hours")
                now.require(now.json == told, "an ended session stays as it was", f"{now.json}, was {told}")
                chaser.ask("terminate-session", id=session_id, expect=204)
    clock.advance(4)
    for session_id in at_end:
        for operation in ("get-session", "terminate-session"):
            with chaser.case():
                chaser.ask(operation, id=session_id).must_be(
                    404, "not_found", because="the session ended more than 24 hours ago"
                )


def _is(client: Client, session_id: str, status: str, promise_: str) -> None:
    told = client.ask("get-session", id=session_id, expect=200)
    told.require(told.json["status"] == status, promise_)
