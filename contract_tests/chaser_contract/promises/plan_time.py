"""What a plan allows: how many sessions at once, how long each, how many workspaces; to the second on the clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from chaser_contract import making
from chaser_contract.broken import NotTried
from chaser_contract.client import Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.waiting import until

_MOST = 120
"""Sessions: what allows more is no plan."""


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


@promise("emulator", "limits", stateful=True)
def a_plan_limits_sessions_at_once(chaser: Subject) -> None:
    """A plan allows so many live sessions and no more: the free one 1, pro 20; one that ends makes room."""
    free, _ = making.person(chaser)
    for client, most in ((free, 1), (chaser.client, 20)):
        limits = client.ask("get-billing-summary", expect=200).json["limits"]
        if limits["max_concurrency"] > _MOST:
            raise NotTried(f"this emulator allows {limits['max_concurrency']} sessions at once")
        with chaser.case():
            chaser.require(
                limits["max_concurrency"] == most, f"get-billing-summary: the plan allows {most} sessions", f"{limits}"
            )
            live = [making.session(client)["id"] for _ in range(most)]
            for _ in range(2):
                refused = client.ask("create-session", json={"ephemeral": True})
                refused.must_be(403, "plan_limit_exceeded", because=f"{most} sessions live").require(
                    refused.json.get("details", {}).get("limit") == most, "the refusal names the limit"
                )
            client.ask("exec-sandbox", json={"ephemeral": True, "command": "true"}).must_be(
                403, "plan_limit_exceeded", because=f"{most} sessions live"
            )
            listed = client.ask("list-sessions", query={"limit": 200}, expect=200)
            listed.require(
                [one["id"] for one in listed.json["sessions"]] == live[::-1], "a refused session is not there"
            )
            for _ in range(2):
                client.ask("terminate-session", id=live.pop(0), expect=204)
                live.append(making.session(client)["id"])
                client.ask("create-session", json={"ephemeral": True}).must_be(
                    403, "plan_limit_exceeded", because=f"{most} sessions live again"
                )
    # At its limit an account still finds the session that is live.
    chaser.ask("bulk-terminate-sessions", json={"all": True}, expect=200)
    disk = making.workspace(chaser)
    found = making.session(chaser, workspace=disk["id"])
    for _ in range(19):
        making.session(chaser)
    again = chaser.ask("create-session", json={"workspace": disk["id"]}).must_be(
        200, because="a session that is found is no further one"
    )
    again.require(again.json["id"] == found["id"], "the live session of the workspace is answered")


@promise("emulator", stateful=True)
def a_plan_limits_workspaces(chaser: Subject) -> None:
    """The pro plan allows 50 workspaces, homes of assistants included, and the free plan none."""
    free, _ = making.person(chaser)
    for said in ({"session_type": "sandbox"}, {"session_type": "browser", "name": chaser.name()}):
        with chaser.case():
            refused = free.ask("create-workspace", json=said)
            refused.must_be(403, "plan_limit_exceeded", because="the free plan has no workspaces").require(
                refused.json.get("details", {}).get("limit") == 0, "the refusal names the limit"
            )
    with chaser.case():
        free.ask("create-assistant", json={"name": "helper"}).must_be(
            403, "plan_limit_exceeded", because="the free plan has no workspaces, and so no assistants"
        )
    free.ask("list-workspaces", expect=200).require(
        free.ask("list-workspaces", expect=200).json == [], "what was refused is not there"
    )
    disks = [making.workspace(chaser) for _ in range(49)]
    making.assistant(chaser)
    for operation, said in (
        ("create-workspace", {"session_type": "sandbox"}),
        ("create-workspace", {"clone_from": disks[0]["name"]}),
        ("create-assistant", {"name": "helper"}),
        ("create-session", {}),
    ):
        with chaser.case():
            refused = chaser.ask(operation, json=said)
            refused.must_be(403, "plan_limit_exceeded", because="there are 50 workspaces").require(
                refused.json.get("details", {}).get("limit") == 50, "the refusal names the limit"
            )
    listed = chaser.ask("list-workspaces", expect=200)
    listed.require(len(listed.json) == 50, "a refused workspace is not there", f"{len(listed.json)}")
    chaser.ask("delete-workspace", ws=disks[7]["id"], expect=204)
    making.workspace(chaser)
    chaser.ask("create-workspace", json={"session_type": "sandbox"}).must_be(
        403, "plan_limit_exceeded", because="there are 50 workspaces again"
    )


@promise("emulator", stateful=True)
def a_change_of_plan_holds_at_once(chaser: Subject) -> None:
    """A plan that was changed decides from the next request on; what is there already stays."""
    disk = making.workspace(chaser)
    for said, limits in (
        ({"pricing_model": "free"}, (3600, 0, False)),
        ({"pricing_model": "subscription", "plan_code": "team"}, (86400, 200, True)),
        ({"pricing_model": "usage_based"}, (86400, 50, True)),
        ({"pricing_model": "subscription", "plan_code": "pro"}, (86400, 50, True)),
    ):
        with chaser.case():
            told = chaser.ask("update-billing-account", json=said, expect=200)
            read = chaser.ask("get-billing-summary", expect=200)
            for answer in (told, read):
                found = answer.json["limits"]
                seen = (found["max_session_seconds"], found["max_workspaces"], found["allow_workspaces"])
                answer.require(seen == limits, "the limits are those of the plan", f"{found}, not {limits}")
            chaser.require(
                making.workspace_of(chaser, disk["id"]) is not None,
                "update-billing-account: what was there before stays there",
                f"{disk['name']} is not listed",
            )
            made = chaser.ask("create-workspace", json={"session_type": "sandbox"})
            if limits[-1]:
                made.must_be(200, because="the plan has workspaces")
            else:
                made.must_be(403, "plan_limit_exceeded", because="the plan has no workspaces")


def _is(client: Client, session_id: str, status: str, promise_: str) -> None:
    told = client.ask("get-session", id=session_id, expect=200)
    told.require(told.json["status"] == status, promise_)
