"""Audited: what an action's request has named stands in the metadata of its event, and what it has hidden does not."""

from __future__ import annotations

import json
from typing import Any

from chaser_contract import making
from chaser_contract.client import Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.targets import PEER
from chaser_contract.values import holds

SECRET = "never-to-be-told"  # noqa: S105 - of nobody


@promise("emulator")
def what_sessions_are_asked_for_is_noted(chaser: Subject) -> None:
    """Events of sessions name their type, their workspace and whether they are ephemeral, commands, and force."""
    client = chaser.client
    room = making.workspace(chaser)
    env = {"TOKEN": SECRET}
    wish = {"session_type": "sandbox", "workspace": room["name"], "env": env}
    made = chaser.ask("create-session", json=wish, expect=200).json["id"]
    _noted(client, "session.create", made, session_type="sandbox", workspace=room["name"])
    making.ready(chaser, made)
    run = {"command": "true", "env": env, "stdin": SECRET}
    chaser.ask("exec-session", id=made, json=run, expect=200)
    _noted(client, "session.exec", made, command="true")
    for query, force in (({}, False), ({"force": True}, True)):
        chaser.ask("terminate-session", id=made, query=query, expect=204)
        _noted(client, "session.terminate", made, force=force)
    bare = chaser.ask("create-session", json={"ephemeral": True, "image": "debian:12"}, expect=200).json["id"]
    _noted(client, "session.create", bare, ephemeral=True, image="debian:12")


@promise("emulator")
def what_workspaces_are_asked_for_is_noted(chaser: Subject) -> None:
    """Events of workspaces and snapshots name the new name, the mark, the snapshot and force."""
    client = chaser.client
    room = making.workspace(chaser)["id"]
    chaser.ask("set-workspace-name", ws=room, json={"name": "other"}, expect=200)
    _noted(client, "workspace.name.update", room, name="other")
    chaser.ask("set-workspace-name", ws=room, json={"name": None}, expect=200)
    _noted(client, "workspace.name.update", room, name=None)
    chaser.ask("set-workspace-template", ws=room, json={"template": True}, expect=200)
    _noted(client, "workspace.template.update", room, template=True)
    for force in (True, False):
        name = f"s{force}"
        chaser.ask("create-workspace-snapshot", ws=room, json={"name": name, "force": force}, expect=200)
        _noted(client, "workspace.snapshot.create", room, snapshot=name, force=force)
        chaser.ask("restore-workspace-snapshot", ws=room, name=name, json={"force": force}, expect=200)
        _noted(client, "workspace.snapshot.restore", room, snapshot=name, force=force)
        query = {"force": force}
        chaser.ask("delete-workspace-snapshot", ws=room, name=name, query=query, expect=204)
        _noted(client, "workspace.snapshot.delete", room, snapshot=name, force=force)
    chaser.ask("delete-workspace", ws=room, query={"force": True}, expect=204)
    _noted(client, "workspace.delete", room, force=True)


@promise("emulator")
def what_becomes_a_workspace_is_noted(chaser: Subject) -> None:
    """Events of new workspaces name all that was asked for; the home of an assistant is noted for who made it."""
    user = chaser.ask("get-me", expect=200).json["user"]["id"]
    wish = {"name": chaser.name("noted"), "session_type": "sandbox", "template": True, "image": "debian:12"}
    made = chaser.ask("create-workspace", json=wish, expect=200).json
    _noted(chaser.client, "workspace.create", made["id"], **wish)
    copy = {"clone_from": made["name"], "name": chaser.name("copy")}
    cloned = chaser.ask("create-workspace", json=copy, expect=200).json
    _noted(chaser.client, "workspace.create", cloned["id"], **copy)
    home = making.assistant(chaser)["workspace_id"]
    _noted(chaser.client, "workspace.create", home)
    for room in (made["id"], home):
        query = {"action": "workspace.create", "resource_id": room}
        told = chaser.ask("list-audit-events", query=query, expect=200)
        [event] = told.json["events"]
        holds(told, event, "event", actor_type="user", actor_id=user, resource_type="workspace")


@promise("emulator", "peer")
def what_people_are_asked_for_is_noted(chaser: Subject) -> None:
    """Events of members, keys and service accounts name who and what, and no secret."""
    org, account = making.organization(chaser)
    member = org.ask("add-current-member", json={"email": PEER, "role": "admin"}, expect=200).json["member"]["user_id"]
    _noted(org, "account.member.add", member, email=PEER, role="admin")
    org.ask("update-current-member", uid=member, json={"role": "member"}, expect=200)
    _noted(org, "account.member.update", member, role="member")
    made = org.ask("create-key", json={"name": "mine", "scopes": ["audit.read"]}, expect=200).json
    told = _noted(org, "api_key.create", made["id"], name="mine", scopes=["audit.read"])
    chaser.require(made["key"] not in told, "list-audit-events: no event holds a key", "one does")
    robot = org.ask("create-current-service-account", json={"name": "ci"}, expect=200).json["service_account"]["id"]
    _noted(org, "service_account.create", robot, name="ci")
    wanted = {"name": "night", "scopes": ["audit.read"]}
    made = org.ask("create-current-service-account-key", said=robot, json=wanted, expect=200).json
    told = _noted(org, "api_key.create", made["id"], **wanted)
    chaser.require(made["key"] not in told, "list-audit-events: no event holds a key", "one does")
    line = making.ssh_line(chaser, "me@here")
    key = org.ask("create-ssh-key", json={"public_key": line}, expect=200).json["key"]
    _noted(org, "ssh_key.create", key["id"], name="me@here", fingerprint=key["fingerprint"])
    org.ask("update-billing-account", json={"plan_code": "team"}, expect=200)
    _noted(org, "billing.account.update", account["id"], plan_code="team")
    wish: dict[str, Any] = {"mode": "topup", "amount_usd": 25}
    org.ask("create-billing-checkout", json=wish, expect=200)
    _noted(org, "billing.checkout.create", account["id"], **wish)


@promise("emulator")
def what_the_vault_is_asked_for_is_noted(chaser: Subject) -> None:
    """Each look at a credential names it and for whom it was read, and never its value."""
    made = making.assistant(chaser)["id"]
    chaser.ask("store-assistant-credential", json={"name": "bot", "value": SECRET}, expect=200)
    asked = {"assistant_id": made, "name": "bot"}
    chaser.ask("resolve-assistant-credential", json=asked, expect=200)
    _noted(chaser.client, "assistant.credential.resolve", "bot", **asked)


def _noted(client: Client, action: str, resource_id: str, **wanted: Any) -> str:
    """Hold the newest event of an action on a resource against what its request named; answers the event as text."""
    query = {"action": action, "resource_id": resource_id, "limit": 1}
    told = client.ask("list-audit-events", query=query, expect=200)
    events = told.json["events"]
    told.require(events, f"{action} is in the audit log")
    holds(told, events[0], "event", action=action, resource_id=resource_id, status="success")
    holds(told, events[0]["metadata"], "metadata", **wanted)
    text = json.dumps(events[0])
    told.require(SECRET not in text, f"the event of {action} holds no secret", "it holds one")
    return text
