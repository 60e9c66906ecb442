"""Plans: how many sessions and workspaces each allows, exactly, and that what is refused changes nothing."""

from __future__ import annotations

from chaser_contract import making
from chaser_contract.broken import NotTried
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.sandboxes import stubbed
from chaser_contract.subject import Subject
from chaser_contract.values import equals, holds, refused

_PLANS = (({"pricing_model": "free"}, 1), ({"plan_code": "pro"}, 20), ({"plan_code": "team"}, 100))
"""What sets each plan, and the sessions that it allows at once."""

_MOST = 120
"""Sessions: what allows more is no plan."""


@promise("emulator", "limits", stateful=True)
def sessions_are_limited(chaser: Subject) -> None:
    """As many sessions live at once as the plan allows, 1, 20 or 100; one more is 403, and one that ends makes room."""
    made: list[str] = []
    for body, limit in _PLANS if _is_cheap(chaser) else _PLANS[:-1]:
        told = chaser.ask("update-billing-account", json=body, expect=200)
        _allows(told, limit)
        while len(made) < limit:
            made.append(making.session(chaser)["id"])
        with chaser.case():
            _no_session(chaser, made)
        for _ in range(2):
            chaser.ask("terminate-session", id=made.pop(0), expect=204)
            made.append(making.session(chaser)["id"])
            with chaser.case():
                _no_session(chaser, made)
    # Less than what runs: it goes on, and nothing is started until there is room again.
    chaser.ask("update-billing-account", json={"pricing_model": "free"}, expect=200)
    listed = chaser.ask("list-sessions", query={"limit": 1}, expect=200)
    holds(listed, listed.json, total=len(made))
    chaser.ask("bulk-terminate-sessions", json={"ids": made[1:]}, expect=200)
    _no_session(chaser, made[:1])


@promise("emulator", "limits", stateful=True)
def who_registers_has_one_session(chaser: Subject) -> None:
    """Somebody who has just registered is on the free plan, and has one session at once, whatever others have."""
    free, _ = making.person(chaser)
    told = free.ask("get-billing-summary", expect=200)
    _allows(told, 1)
    making.session(chaser)
    live = [making.session(free)["id"]]
    _no_session(free, live)
    free.ask("terminate-session", id=live[0], expect=204)
    _no_session(free, [making.session(free)["id"]])


@promise("emulator", "limits", stateful=True)
def a_live_session_of_a_workspace_counts_once(chaser: Subject) -> None:
    """With as many sessions as are allowed, the one that lives on a workspace can still be had; also by exec."""
    stubbed(chaser, {"command": "true"})
    room = making.workspace(chaser)
    first = making.running(chaser, workspace=room["id"])
    _allows(chaser.ask("get-billing-summary", expect=200), 20)
    live = [first["id"], *(making.session(chaser)["id"] for _ in range(19))]
    for selector in (room["name"], room["id"]):
        again = chaser.ask("create-session", json={"workspace": selector}, expect=200)
        holds(again, again.json, id=first["id"])
    told = chaser.ask("exec-sandbox", json={"workspace": room["id"], "command": "true"}, expect=200)
    holds(told, told.json, session_id=first["id"])
    _no_session(chaser, live)


@promise("emulator", stateful=True)
def workspaces_are_limited(chaser: Subject) -> None:
    """50 workspaces can be made on `pro`, homes of assistants included; one more is 403 until one is gone."""
    source = making.workspace(chaser)
    home = making.assistant(chaser)["workspace_id"]
    for number in range(48):
        wish = {"session_type": "browser", "name": f"w{number}"}
        chaser.ask("create-workspace", json=wish, expect=200)
    _no_workspace(chaser, source["id"])
    told = chaser.ask("update-billing-account", json={"pricing_model": "subscription", "plan_code": "pro"}, expect=200)
    holds(told, told.json["limits"], "limits", max_workspaces=50)
    chaser.ask("delete-workspace", ws="w7", expect=204)
    making.workspace(chaser)
    _no_workspace(chaser, source["id"])
    chaser.ask("delete-workspace", ws=home, expect=204)
    making.workspace(chaser)
    _no_workspace(chaser, source["id"])
    chaser.ask("update-billing-account", json={"plan_code": "team"}, expect=200)
    making.workspace(chaser)
    chaser.ask("update-billing-account", json={"plan_code": "pro"}, expect=200)
    _no_workspace(chaser, source["id"], count=51)


@promise("emulator", stateful=True)
def the_free_plan_has_no_workspaces(chaser: Subject) -> None:
    """On the free plan no workspace can be made, and so no assistant."""
    free, _ = making.person(chaser)
    for operation, said in (
        ("create-workspace", {"session_type": "sandbox"}),
        ("create-workspace", {"session_type": "browser", "name": chaser.name()}),
        ("create-assistant", {"name": "helper"}),
    ):
        with chaser.case():
            answer = free.ask(operation, json=said)
            details = refused(answer, 403, "plan_limit_exceeded", because="the free plan has no workspaces")
            equals(answer, details, {"limit": 0}, "`details.limit` is the number of workspaces that are allowed")
    listed = free.ask("list-workspaces", expect=200)
    equals(listed, listed.json, [], "what is refused makes no workspace")


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


def _is_cheap(chaser: Subject) -> bool:
    """Whether a hundred sandboxes are not too many, as for an engine that starts none."""
    return stubbed(chaser, {"command": "true"})


def _allows(told: Answer, sessions: int) -> None:
    """Hold that a plan allows so many sessions. Raises NotTried where an emulator elsewhere allows more than any."""
    limits = told.json["limits"]
    if limits["max_concurrency"] > _MOST:
        raise NotTried(f"this emulator allows {limits['max_concurrency']} sessions at once")
    holds(told, limits, "limits", max_concurrency=sessions)


def _no_session(chaser: Subject | Client, live: list[str]) -> None:
    """Hold that as many sessions live as are allowed, the newest last, and that no further one comes."""
    for answer in (
        chaser.ask("create-session", json={"ephemeral": True}),
        chaser.ask("exec-sandbox", json={"ephemeral": True, "command": "true"}),
    ):
        details = refused(answer, 403, "plan_limit_exceeded", because=f"{len(live)} sessions live")
        equals(answer, details, {"limit": len(live)}, "`details.limit` is the number of sessions that are allowed")
    listed = chaser.ask("list-sessions", query={"limit": 200}, expect=200)
    found = [one["id"] for one in listed.json["sessions"]]
    equals(listed, found, live[::-1], "what is refused makes no session")


def _no_workspace(chaser: Subject, source: str, count: int = 50) -> None:
    for answer in (
        chaser.ask("create-workspace", json={"session_type": "sandbox"}),
        chaser.ask("create-workspace", json={"clone_from": source}),
        chaser.ask("create-assistant", json={"name": "one more"}),
        chaser.ask("import-workspace", json={"github_repo": "octocat/hello-world"}),
        chaser.ask("create-session", json={}),
    ):
        with chaser.case():
            details = refused(answer, 403, "plan_limit_exceeded")
            equals(answer, details, {"limit": 50}, "`details.limit` is the number of workspaces that are allowed")
    listed = chaser.ask("list-workspaces", expect=200)
    equals(listed, len(listed.json), count, "what is refused makes no workspace")
