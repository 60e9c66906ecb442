"""API keys: what they may do, where they act, and that their secrets are shown once."""

from __future__ import annotations

import re
import uuid

import chaser_sdk.types as sdk_types
import httpx
import pytest
from chaser_emulator import spec
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient
from databases import inside
from emulators import http_of, sdk_of
from people import Organization, failed_audits, ok, person, refused
from shapes import complete

KEYS = "/v1/keys"


def test_a_key_has_the_published_form(client: httpx.Client) -> None:
    key = ok(client.post(KEYS, json={}))
    assert re.fullmatch("sk_[0-9A-Za-z]{40}", key["key"])
    assert key["key_prefix"] == key["key"][:10]
    assert str(uuid.UUID(key["id"])) == key["id"]
    assert (key["scopes"], key["full_access"], "name" in key) == ([], True, False)
    assert ok(client.post(KEYS, json={}))["key"] != key["key"]


def test_a_secret_is_neither_listed_nor_kept(organization: Organization, emulator: Running) -> None:
    secret = ok(organization.owner.post(KEYS, json={"name": "once"}))["key"]
    for answer in (organization.owner.get(KEYS), organization.owner.get("/v1/audit/events")):
        assert "once" in answer.text
        assert secret not in answer.text
        assert secret[10:] not in answer.text
    image = inside(emulator, lambda store: store.image())
    assert b"once" in image
    assert secret[10:].encode() not in image


@pytest.mark.parametrize("body", [{}, {"scopes": None}, {"scopes": []}, {"name": None}])
def test_no_scopes_mean_full_access_however_they_are_left_out(client: httpx.Client, body: dict[str, object]) -> None:
    key = ok(client.post(KEYS, json=body))
    assert (key["scopes"], key["full_access"]) == ([], True)


def test_every_scope_can_be_given(client: httpx.Client) -> None:
    scopes = sorted(spec.load().scopes)
    assert len(scopes) == 14
    key = ok(client.post(KEYS, json={"scopes": scopes}))
    assert (key["scopes"], key["full_access"]) == (scopes, False)


def test_a_scope_given_twice_is_held_once(client: httpx.Client) -> None:
    key = ok(client.post(KEYS, json={"scopes": ["files.read", "exec.write", "files.read"]}))
    assert key["scopes"] == ["files.read", "exec.write"]


@pytest.mark.parametrize("scopes", [["jobs.read"], ["sessions.read", "nothing"], ["SESSIONS.READ"], ["full"]])
def test_a_scope_that_does_not_exist_is_refused(client: httpx.Client, scopes: list[str]) -> None:
    refusal = refused(client.post(KEYS, json={"scopes": scopes}), 400, "unknown_scope")
    assert refusal["details"][0]["pointer"] == f"/scopes/{len(scopes) - 1}"


@pytest.mark.parametrize("body", [{"name": 1}, {"name": "x" * 257}, {"scopes": "files.read"}, {"scopes": {}}, [], "x"])
def test_a_body_of_another_shape_is_refused(client: httpx.Client, body: object) -> None:
    refused(client.post(KEYS, json=body), 400, "invalid_request")


def test_a_scope_that_is_no_text_is_refused(client: httpx.Client) -> None:
    assert client.post(KEYS, json={"scopes": [1]}).status_code == 400


def test_a_key_acts_in_the_account_that_it_was_made_in(organization: Organization, emulator: Running) -> None:
    for account, personal in ((organization.id, False), (organization.name, False), ("personal", True)):
        secret = ok(organization.owner.post(KEYS, json={}, headers={"X-Chaser-Account": account}))["key"]
        with http_of(emulator, secret) as bound:
            assert ok(bound.get("/v1/accounts/current"))["account"]["personal"] is personal


def test_a_list_has_ones_own_keys_of_this_account_newest_first(organization: Organization) -> None:
    own = [ok(organization.member.post(KEYS, json={"name": name}))["id"] for name in ("first", "second")]
    ok(organization.owner.post(KEYS, json={}))
    ok(organization.member.post(KEYS, json={}, headers={"X-Chaser-Account": "personal"}))
    listed = ok(organization.member.get(KEYS))["keys"]
    assert [one["id"] for one in listed] == own[::-1]
    assert [one["name"] for one in listed] == ["second", "first"]


def test_the_key_that_the_emulator_starts_with_is_not_listed(emulator: Running) -> None:
    # It belongs to no account (A27), so it is in no account's list, and nobody can revoke it by accident.
    with http_of(emulator, person(emulator).key) as client:
        assert ok(client.get(KEYS))["keys"] == []


def test_a_key_says_when_it_was_last_used(organization: Organization, emulator: Running) -> None:
    secret = ok(organization.owner.post(KEYS, json={}))["key"]
    [unused] = ok(organization.owner.get(KEYS))["keys"]
    assert "last_used_at" not in unused
    with http_of(emulator, secret) as bound:
        ok(bound.get("/v1/accounts"))
    [used] = ok(organization.owner.get(KEYS))["keys"]
    assert used["last_used_at"] > used["created_at"]


def test_a_revoked_key_is_dead_at_once_and_stays_in_the_list(organization: Organization, emulator: Running) -> None:
    key = ok(organization.owner.post(KEYS, json={}))
    with http_of(emulator, key["key"]) as bound:
        ok(bound.get("/v1/accounts"))
        revoked = ok(organization.owner.delete(f"{KEYS}/{key['id']}"))
        assert set(revoked) == {"id", "revoked"}
        answer = bound.get("/v1/accounts")
        refused(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    [listed] = ok(organization.owner.get(KEYS))["keys"]
    assert (listed["id"], listed["revoked"]) == (revoked["id"], revoked["revoked"])
    assert ok(organization.owner.delete(f"{KEYS}/{key['id']}")) == revoked


def test_a_key_may_revoke_itself(organization: Organization, emulator: Running) -> None:
    key = ok(organization.owner.post(KEYS, json={"scopes": ["keys.write"]}))
    with http_of(emulator, key["key"]) as bound:
        assert ok(bound.delete(f"{KEYS}/{key['id']}"))["id"] == key["id"]
        refused(bound.delete(f"{KEYS}/{key['id']}"), 401, "unauthorized")


def test_only_its_holder_finds_a_key_and_only_in_its_account(organization: Organization) -> None:
    key = ok(organization.member.post(KEYS, json={}))["id"]
    refused(organization.owner.delete(f"{KEYS}/{key}"), 404, "not_found")
    elsewhere = {"X-Chaser-Account": "personal"}
    refused(organization.member.delete(f"{KEYS}/{key}", headers=elsewhere), 404, "not_found")
    for unknown in (str(uuid.uuid4()), "x", "%2e%2e", "a%2Fb"):
        refused(organization.member.delete(f"{KEYS}/{unknown}"), 404, "not_found")
    ok(organization.member.delete(f"{KEYS}/{key}"))


def test_a_scoped_key_makes_no_wider_one(organization: Organization, emulator: Running) -> None:
    secret = ok(organization.owner.post(KEYS, json={"scopes": ["keys.write", "files.read"]}))["key"]
    with http_of(emulator, secret) as scoped:
        for scopes in (["files.read"], ["keys.write"], ["files.read", "keys.write"]):
            assert ok(scoped.post(KEYS, json={"scopes": scopes}))["scopes"] == scopes
        for wider, required in (
            (["files.write"], "files.write"),
            (["files.read", "exec.write"], "exec.write"),
            ([], "full"),
            (None, "full"),
        ):
            refusal = refused(scoped.post(KEYS, json={"scopes": wider}), 403, "insufficient_scope")
            assert refusal["details"] == {"required": required}
        refused(scoped.post(KEYS, json={}), 403, "insufficient_scope")


def test_keys_need_the_scopes_of_keys(organization: Organization, emulator: Running) -> None:
    reader = ok(organization.owner.post(KEYS, json={"scopes": ["keys.read"]}))
    writer = ok(organization.owner.post(KEYS, json={"scopes": ["keys.write"]}))
    with http_of(emulator, reader["key"]) as client:
        assert len(ok(client.get(KEYS))["keys"]) == 2
        for answer in (client.post(KEYS, json={"scopes": ["keys.read"]}), client.delete(f"{KEYS}/{writer['id']}")):
            assert refused(answer, 403, "insufficient_scope")["details"] == {"required": "keys.write"}
    with http_of(emulator, writer["key"]) as client:
        assert refused(client.get(KEYS), 403, "insufficient_scope")["details"] == {"required": "keys.read"}
        ok(client.delete(f"{KEYS}/{reader['id']}"))


def test_keys_are_audited_without_their_secrets(organization: Organization) -> None:
    key = ok(organization.owner.post(KEYS, json={"name": "ci", "scopes": ["exec.write"]}))
    ok(organization.owner.delete(f"{KEYS}/{key['id']}"))
    refused(organization.owner.delete(f"{KEYS}/unknown"), 404, "not_found")
    refused(organization.owner.post(KEYS, json={"scopes": ["x"]}), 400, "unknown_scope")
    events = ok(organization.owner.get("/v1/audit/events", params={"resource_id": key["id"]}))["events"]
    assert [(one["action"], one["resource_type"]) for one in events] == [
        ("api_key.revoke", "api_key"),
        ("api_key.create", "api_key"),
    ]
    assert events[1]["metadata"] == {"name": "ci", "scopes": ["exec.write"]}
    [revocation] = failed_audits(organization.owner, "api_key.revoke")
    assert (revocation["resource_id"], revocation["metadata"]) == ("unknown", {"code": "not_found"})
    [creation] = failed_audits(organization.owner, "api_key.create")
    assert creation["metadata"] == {"code": "unknown_scope"}


def test_the_official_client_manages_keys(sdk: ChaserClient, emulator: Running) -> None:
    key = sdk.keys.create(name="laptop", scopes=["sessions.read"])
    complete(key, sdk_types.CreateApiKeyResponse)
    nameless = sdk.keys.create()
    complete(nameless, sdk_types.CreateApiKeyResponse, absent=frozenset(["name"]))
    assert sdk_of(emulator, key["key"]).sessions.list() == []
    revoked = sdk.keys.revoke(key["id"])
    listed = {one["id"]: one for one in sdk.keys.list()}
    complete(listed[key["id"]], sdk_types.ApiKeyInfo)
    complete(listed[nameless["id"]], sdk_types.ApiKeyInfo, absent=frozenset(["name", "last_used_at", "revoked"]))
    assert listed[key["id"]]["revoked"] == revoked["revoked"]
