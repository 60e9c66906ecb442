"""Plans: how many sessions and workspaces each allows, exactly, and that what is refused changes nothing."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.broken import NotTried
from chaser_contract.promises import promise
from chaser_contract.sandboxes import stubbed
from chaser_contract.subject import Subject
from chaser_contract.values import equals, holds, refused


@promise("emulator", "limits")
def sessions_are_limited(chaser: Subject) -> None:
    """As many sessions live at once as the plan allows, 1, 20 or 100; one more is 403, and one that ends makes room."""
    if not stubbed(chaser, {"command": "true"}):
        raise NotTried("a hundred sandboxes are too many for an engine that starts them")
    made: list[str] = []
    for body, limit in (
        ({"pricing_model": "free"}, 1),
        ({"plan_code": "pro"}, 20),
        ({"plan_code": "team"}, 100),
    ):
        told = chaser.ask("update-billing-account", json=body, expect=200)
        holds(told, told.json["limits"], "limits", max_concurrency=limit)
        while len(made) < limit:
            made.append(chaser.ask("create-session", json={"ephemeral": True}, expect=200).json["id"])
        with chaser.case():
            _no_session(chaser, limit)
        chaser.ask("terminate-session", id=made.pop(), expect=204)
        made.append(chaser.ask("create-session", json={"ephemeral": True}, expect=200).json["id"])
        with chaser.case():
            _no_session(chaser, limit)
    # Less than what runs: it goes on, and nothing is started until there is room again.
    chaser.ask("update-billing-account", json={"pricing_model": "free"}, expect=200)
    listed = chaser.ask("list-sessions", query={"limit": 1}, expect=200)
    holds(listed, listed.json, total=100)
    chaser.ask("bulk-terminate-sessions", json={"ids": made[1:]}, expect=200)
    _no_session(chaser, 1)


@promise("emulator", "limits")
def a_live_session_of_a_workspace_counts_once(chaser: Subject) -> None:
    """With as many sessions as are allowed, the one that lives on a workspace can still be had; also by exec."""
    if not stubbed(chaser, {"command": "true"}):
        raise NotTried("twenty sandboxes are many for an engine that starts them")
    chaser.ask("update-billing-account", json={"plan_code": "pro"}, expect=200)
    room = making.workspace(chaser)
    first = making.running(chaser, workspace=room["id"])
    for _ in range(19):
        making.session(chaser)
    again = chaser.ask("create-session", json={"workspace": room["name"]}, expect=200)
    holds(again, again.json, id=first["id"])
    told = chaser.ask("exec-sandbox", json={"workspace": room["id"], "command": "true"}, expect=200)
    holds(told, told.json, session_id=first["id"])
    one_more: dict[str, Any] = {"command": "true", "ephemeral": True}
    details = refused(chaser.ask("exec-sandbox", json=one_more), 403, "plan_limit_exceeded")
    equals(again, details, {"limit": 20}, "`details.limit` is the number of sessions that are allowed")


@promise("emulator")
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


def _no_session(chaser: Subject, limit: int) -> None:
    before = chaser.ask("list-sessions", query={"limit": 1}, expect=200).json["total"]
    for answer in (
        chaser.ask("create-session", json={"ephemeral": True}),
        chaser.ask("exec-sandbox", json={"ephemeral": True, "command": "true"}),
    ):
        details = refused(answer, 403, "plan_limit_exceeded")
        equals(answer, details, {"limit": limit}, "`details.limit` is the number of sessions that are allowed")
    after = chaser.ask("list-sessions", query={"limit": 1}, expect=200)
    holds(after, after.json, total=before)


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
