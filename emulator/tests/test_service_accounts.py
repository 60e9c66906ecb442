"""Service accounts: who makes them, what their keys may do, and that they end with what they belong to."""

from __future__ import annotations

import uuid
from typing import Any

import chaser_sdk.types as sdk_types
import httpx
import pytest
from chaser_emulator.server import Running
from emulators import http_of, sdk_of
from people import Organization, failed_audits, ok, organization_of, refused
from shapes import complete

ROBOTS = "/v1/accounts/current/service-accounts"


def made(client: httpx.Client, name: str = "ci") -> str:
    """The id of a new service account."""
    return str(ok(client.post(ROBOTS, json={"name": name}))["service_account"]["id"])


def key_of(client: httpx.Client, robot: str, **body: Any) -> dict[str, Any]:
    """A new key of a service account, with its secret."""
    key: dict[str, Any] = ok(client.post(f"{ROBOTS}/{robot}/keys", json=body))
    return key


def test_owners_and_admins_make_list_and_delete_service_accounts(organization: Organization) -> None:
    names = {}
    for role, client in (("owner", organization.owner), ("admin", organization.admin)):
        robot = ok(client.post(ROBOTS, json={"name": f"  {role}'s robot "}))["service_account"]
        assert (robot["name"], robot["disabled"]) == (f"{role}'s robot", False)
        assert robot["created_by_user_id"] == organization.people[role].user_id
        assert robot["created_at"] == robot["updated_at"]
        names[robot["id"]] = robot
    listed = ok(organization.admin.get(ROBOTS))["service_accounts"]
    assert listed == list(reversed(names.values()))
    for robot_id in names:
        answer = organization.owner.delete(f"{ROBOTS}/{robot_id}")
        assert (answer.status_code, answer.content) == (204, b"")
        refused(organization.owner.delete(f"{ROBOTS}/{robot_id}"), 404, "not_found")
    assert ok(organization.owner.get(ROBOTS))["service_accounts"] == []


def test_two_service_accounts_may_share_a_name(organization: Organization) -> None:
    assert made(organization.owner, "personal") != made(organization.owner, "personal")


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", 1, None])
def test_a_name_that_is_none_is_refused(organization: Organization, name: object) -> None:
    body = refused(organization.owner.post(ROBOTS, json={"name": name}), 400, "invalid_request")
    assert body["details"][0]["pointer"] == "/name"


def test_plain_members_have_no_say_about_service_accounts(organization: Organization) -> None:
    robot = made(organization.owner)
    key = key_of(organization.owner, robot)
    for answer in (
        organization.member.get(ROBOTS),
        organization.member.post(ROBOTS, json={"name": "mine"}),
        organization.member.delete(f"{ROBOTS}/{robot}"),
        organization.member.get(f"{ROBOTS}/{robot}/keys"),
        organization.member.post(f"{ROBOTS}/{robot}/keys", json={}),
        organization.member.delete(f"{ROBOTS}/{robot}/keys/{key['id']}"),
    ):
        refused(answer, 403, "forbidden")


def test_a_personal_account_has_no_service_accounts(client: httpx.Client) -> None:
    for answer in (
        client.get(ROBOTS),
        client.post(ROBOTS, json={"name": "ci"}),
        client.delete(f"{ROBOTS}/{uuid.uuid4()}"),
        client.get(f"{ROBOTS}/{uuid.uuid4()}/keys"),
        client.post(f"{ROBOTS}/{uuid.uuid4()}/keys", json={}),
        client.delete(f"{ROBOTS}/{uuid.uuid4()}/keys/{uuid.uuid4()}"),
    ):
        refused(answer, 403, "forbidden")


def test_another_organizations_service_account_is_not_found(organization: Organization, emulator: Running) -> None:
    robot = made(organization.owner)
    key = key_of(organization.owner, robot)
    other = made(organization.owner, "other")
    # A key is found under its own service account alone.
    refused(organization.owner.delete(f"{ROBOTS}/{other}/keys/{key['id']}"), 404, "not_found")
    with organization_of(emulator) as elsewhere:
        for answer in (
            elsewhere.owner.delete(f"{ROBOTS}/{robot}"),
            elsewhere.owner.get(f"{ROBOTS}/{robot}/keys"),
            elsewhere.owner.post(f"{ROBOTS}/{robot}/keys", json={}),
            elsewhere.owner.delete(f"{ROBOTS}/{robot}/keys/{key['id']}"),
        ):
            refused(answer, 404, "not_found")
    assert [one["id"] for one in ok(organization.owner.get(f"{ROBOTS}/{robot}/keys"))["keys"]] == [key["id"]]


def test_a_secret_is_shown_once_and_works_at_once(organization: Organization, emulator: Running) -> None:
    robot = made(organization.owner)
    key = key_of(organization.owner, robot, name="runner")
    assert key["key"].startswith(key["key_prefix"])
    assert len(key["key_prefix"]) == 10
    assert (key["scopes"], key["full_access"], key["service_account"]["id"]) == ([], True, robot)
    [listed] = ok(organization.owner.get(f"{ROBOTS}/{robot}/keys"))["keys"]
    assert listed["key_prefix"] == key["key_prefix"]
    assert "last_used_at" not in listed
    assert "revoked" not in listed
    with http_of(emulator, key["key"]) as bound:
        account = ok(bound.get("/v1/accounts/current"))["account"]
        assert (account["id"], account["personal"]) == (organization.id, False)
    answer = organization.owner.get(f"{ROBOTS}/{robot}/keys")
    assert ok(answer)["keys"][0]["last_used_at"] > listed["created_at"]
    assert key["key"] not in answer.text


def test_a_service_account_acts_in_its_organization_alone(organization: Organization, emulator: Running) -> None:
    key = key_of(organization.owner, made(organization.owner))["key"]
    with http_of(emulator, key) as bound:
        assert [one["id"] for one in ok(bound.get("/v1/accounts"))["accounts"]] == [organization.id]
        for selector in (organization.id, organization.name):
            ok(bound.get("/v1/workspaces", headers={"X-Chaser-Account": selector}))
        refused(bound.get("/v1/workspaces", headers={"X-Chaser-Account": "personal"}), 404, "not_found")
        session = ok(bound.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))
    assert ok(organization.member.get(f"/v1/sessions/{session['id']}"))["id"] == session["id"]
    with organization_of(emulator) as elsewhere, http_of(emulator, key, elsewhere.id) as bound:
        refused(bound.get("/v1/workspaces"), 404, "not_found")


def test_a_service_account_only_reads_the_account_that_it_lives_in(
    organization: Organization, emulator: Running
) -> None:
    robot = made(organization.owner)
    key = key_of(organization.owner, robot)
    with http_of(emulator, key["key"]) as bound:
        members = ok(bound.get("/v1/accounts/current/members"))["members"]
        assert len(members) == 3
        assert ok(bound.get("/v1/keys"))["keys"][0]["id"] == key["id"]
        assert ok(bound.get("/v1/ssh-keys"))["keys"] == []
        member = f"/v1/accounts/current/members/{members[0]['user_id']}"
        for answer in (
            bound.post("/v1/accounts/organizations", json={"name": "acme"}),
            bound.post("/v1/accounts/current/members", json={"email": "new@example.com"}),
            bound.patch(member, json={"role": "admin"}),
            bound.delete(member),
            bound.get(ROBOTS),
            bound.post(ROBOTS, json={"name": "mine"}),
            bound.delete(f"{ROBOTS}/{robot}"),
            bound.get(f"{ROBOTS}/{robot}/keys"),
            bound.post(f"{ROBOTS}/{robot}/keys", json={}),
            bound.delete(f"{ROBOTS}/{robot}/keys/{key['id']}"),
            bound.post("/v1/keys", json={}),
            bound.delete(f"/v1/keys/{key['id']}"),
            bound.post("/v1/ssh-keys", json={"public_key": "ssh-ed25519 AAAA"}),
            bound.delete(f"/v1/ssh-keys/{uuid.uuid4()}"),
        ):
            refused(answer, 403, "forbidden")


def test_a_scoped_key_of_a_service_account_does_what_its_scopes_say(
    organization: Organization, emulator: Running
) -> None:
    robot = made(organization.owner)
    key = key_of(organization.owner, robot, scopes=["audit.read", "workspaces.read", "audit.read"])
    assert (key["scopes"], key["full_access"]) == (["audit.read", "workspaces.read"], False)
    with http_of(emulator, key["key"]) as bound:
        ok(bound.get("/v1/audit/events"))
        ok(bound.get("/v1/workspaces"))
        refusal = refused(bound.post("/v1/workspaces", json={"session_type": "sandbox"}), 403, "insufficient_scope")
        assert refusal["details"] == {"required": "workspaces.write"}


@pytest.mark.parametrize("scopes", [["sessions.delete"], ["sessions.read", "full"], ["*"], [""]])
def test_a_scope_that_does_not_exist_is_refused(organization: Organization, scopes: list[str]) -> None:
    robot = made(organization.owner)
    refused(organization.owner.post(f"{ROBOTS}/{robot}/keys", json={"scopes": scopes}), 400, "unknown_scope")
    assert ok(organization.owner.get(f"{ROBOTS}/{robot}/keys"))["keys"] == []


@pytest.mark.parametrize("body", [{}, {"scopes": None}, {"scopes": []}, {"name": None, "scopes": None}])
def test_no_scopes_mean_full_access_however_they_are_left_out(
    organization: Organization, body: dict[str, object]
) -> None:
    key = key_of(organization.owner, made(organization.owner), **body)
    assert (key["scopes"], key["full_access"]) == ([], True)


def test_a_revoked_key_is_dead_and_stays_in_the_list(organization: Organization, emulator: Running) -> None:
    robot = made(organization.owner)
    first, second = key_of(organization.owner, robot), key_of(organization.owner, robot)
    path = f"{ROBOTS}/{robot}/keys/{first['id']}"
    with http_of(emulator, first["key"]) as dead, http_of(emulator, second["key"]) as alive:
        ok(dead.get("/v1/workspaces"))
        answer = organization.owner.delete(path)
        assert (answer.status_code, answer.content) == (204, b"")
        refused(dead.get("/v1/workspaces"), 401, "unauthorized")
        ok(alive.get("/v1/workspaces"))
    newest, revoked = ok(organization.owner.get(f"{ROBOTS}/{robot}/keys"))["keys"]
    assert (newest["id"], "revoked" in newest) == (second["id"], False)
    assert revoked["revoked"] > revoked["created_at"]
    assert organization.owner.delete(path).status_code == 204
    assert ok(organization.owner.get(f"{ROBOTS}/{robot}/keys"))["keys"][1] == revoked
    refused(organization.owner.delete(f"{ROBOTS}/{robot}/keys/{uuid.uuid4()}"), 404, "not_found")


def test_keys_end_with_their_service_account(organization: Organization, emulator: Running) -> None:
    robot = made(organization.owner)
    key = key_of(organization.owner, robot)
    with http_of(emulator, key["key"]) as bound:
        ok(bound.get("/v1/accounts/current"))
        ok(organization.admin.delete(f"{ROBOTS}/{robot}"))
        refused(bound.get("/v1/accounts/current"), 401, "unauthorized")
    refused(organization.owner.get(f"{ROBOTS}/{robot}/keys"), 404, "not_found")


def test_changes_of_service_accounts_are_audited(organization: Organization, emulator: Running) -> None:
    robot = made(organization.owner, "deployer")
    key = key_of(organization.owner, robot, name="runner", scopes=["exec.write"])
    ok(organization.owner.delete(f"{ROBOTS}/{robot}/keys/{key['id']}"))
    ok(organization.owner.delete(f"{ROBOTS}/{robot}"))
    answer = organization.owner.get("/v1/audit/events")
    events = [one for one in ok(answer)["events"] if one["resource_id"] in (robot, key["id"])]
    assert [(one["action"], one["resource_type"], one["resource_id"]) for one in events] == [
        ("service_account.delete", "service_account", robot),
        ("api_key.revoke", "api_key", key["id"]),
        ("api_key.create", "api_key", key["id"]),
        ("service_account.create", "service_account", robot),
    ]
    assert events[2]["metadata"] == {"service_account_id": robot, "name": "runner", "scopes": ["exec.write"]}
    assert key["key"] not in answer.text
    refused(organization.owner.post(f"{ROBOTS}/{robot}/keys", json={"scopes": ["x"]}), 400, "unknown_scope")
    [failure] = failed_audits(organization.owner, "api_key.create")
    assert (failure["resource_id"], failure["metadata"]) == (robot, {"code": "unknown_scope"})


def test_the_official_client_manages_service_accounts(organization: Organization, emulator: Running) -> None:
    ours = sdk_of(emulator, organization.people["admin"].key).with_account(organization.name)
    robots = ours.accounts.service_accounts
    robot = robots.create(" ci ")
    complete(robot, sdk_types.ServiceAccountInfo)
    assert robots.list() == [robot]
    key = robots.keys.create(robot["id"], name="runner", scopes=["sessions.read"])
    complete(key, sdk_types.CreateServiceAccountKeyResponse)
    nameless = robots.keys.create(robot["id"])
    complete(nameless, sdk_types.CreateServiceAccountKeyResponse, absent=frozenset(["name"]))
    assert sdk_of(emulator, key["key"]).sessions.list() == []
    robots.keys.revoke(robot["id"], key["id"])
    listed = robots.keys.list(robot["id"])
    complete(listed[0], sdk_types.ServiceAccountKeyInfo, absent=frozenset(["name", "last_used_at", "revoked"]))
    complete(listed[1], sdk_types.ServiceAccountKeyInfo)
    robots.delete(robot["id"])
    assert robots.list() == []
