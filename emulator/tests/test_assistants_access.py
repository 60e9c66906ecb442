"""Who may do what with assistants, over all operations: people of the account with a key that may do everything."""

from __future__ import annotations

import uuid

import pytest
from assistants import ASSISTANTS, CREDENTIALS, Shot, bind, create, propose, read, shots
from chaser_emulator.server import Running
from emulators import http_of
from people import Organization, failed_audits, ok, organization_of, refused

IDS = {name: str(uuid.uuid4()) for name in ("id", "bid", "rid")}
ALL = shots(IDS)
NAMING = [shot for shot in ALL if IDS["id"] in f"{shot.path} {shot.body}"]
WITH_BODY = [shot for shot in ALL if shot.body is not None]


def name_of(shot: Shot) -> str:
    return shot.operation_id


def test_there_are_eighteen_operations() -> None:
    assert len(ALL) == 18
    assert len(NAMING) == 14


@pytest.mark.parametrize("shot", ALL, ids=name_of)
def test_a_credential_is_needed(emulator: Running, shot: Shot) -> None:
    with http_of(emulator, "sk_nobody") as client:
        assert refused(shot.by(client), 401, "unauthorized")


@pytest.mark.parametrize("shot", ALL, ids=name_of)
def test_a_key_with_scopes_is_refused(organization: Organization, emulator: Running, shot: Shot) -> None:
    scopes = ["workspaces.write", "workspaces.read", "keys.write", "exec.write"]
    key = ok(organization.owner.post("/v1/keys", json={"scopes": scopes}))["key"]
    with http_of(emulator, key) as client:
        assert refused(shot.by(client), 403, "insufficient_scope")["details"] == {"required": "full"}


@pytest.mark.parametrize("shot", ALL, ids=name_of)
def test_a_service_account_is_refused(organization: Organization, emulator: Running, shot: Shot) -> None:
    robots = "/v1/accounts/current/service-accounts"
    robot = ok(organization.owner.post(robots, json={"name": "ci"}))["service_account"]["id"]
    key = ok(organization.owner.post(f"{robots}/{robot}/keys", json={}))["key"]
    with http_of(emulator, key) as client:
        refused(shot.by(client), 403, "forbidden")


@pytest.mark.parametrize("shot", NAMING, ids=name_of)
def test_what_is_not_there_is_not_found(organization: Organization, shot: Shot) -> None:
    body = dict(shot.body or {})
    if shot.path == CREDENTIALS:
        body["assistant_id"] = IDS["id"]
    refused(shot.by(organization.owner, json=body) if body else shot.by(organization.owner), 404, "not_found")


def test_what_is_another_accounts_is_not_found(organization: Organization, emulator: Running) -> None:
    made = create(organization.owner)
    binding = bind(organization.owner, made, "-1001234567890")
    ok(organization.owner.put(CREDENTIALS, json={"name": "telegram-bot", "value": "s3cret"}))
    asked = propose(organization.owner, made, {"system_prompt": "x"})
    before = read(organization.owner, made)
    tried = shots({"id": made["id"], "bid": binding["id"], "rid": asked["id"]})
    with organization_of(emulator) as elsewhere:
        for shot in tried:
            if shot.operation_id in ("list-assistants", "create-assistant", "store-assistant-credential"):
                continue
            refused(shot.by(elsewhere.owner), 404, "not_found")
        own = {"name": "telegram-bot", "value": "mine", "assistant_id": made["id"]}
        refused(elsewhere.owner.put(CREDENTIALS, json=own), 404, "not_found")
        assert ok(elsewhere.owner.get(ASSISTANTS)) == {"assistants": []}
        # The look for a secret is in the log of the account that looked.
        [failure] = failed_audits(elsewhere.owner, "assistant.credential.resolve")
        assert failure["metadata"] == {"code": "not_found"}
    assert failed_audits(organization.owner, "assistant.credential.resolve") == []
    assert read(organization.owner, made) == before


@pytest.mark.parametrize("shot", WITH_BODY, ids=name_of)
def test_a_body_that_is_no_json_is_refused(organization: Organization, shot: Shot) -> None:
    headers = {"Content-Type": "application/json"}
    refused(shot.by(organization.owner, content=b'{"name":', headers=headers), 400, "invalid_json")
    refused(shot.by(organization.owner, content=b'{"n": 1e400}', headers=headers), 400, "invalid_json")
    refused(shot.by(organization.owner, content=b'{"n": "\\ud800"}', headers=headers), 400, "invalid_json")
    refused(shot.by(organization.owner, content=b"[]", headers=headers), 400, "invalid_request")
    refused(shot.by(organization.owner, content=b"", headers=headers), 400, "invalid_request")
    refused(shot.by(organization.owner, content=b"{}", headers={"Content-Type": "text/plain"}), 415, UNSUPPORTED)
    refused(shot.by(organization.owner, content=b" " * (2 * 2**20 + 1), headers=headers), 413, "payload_too_large")


UNSUPPORTED = "unsupported_media_type"


def test_any_member_works_with_assistants_and_only_owners_and_admins_decide(organization: Organization) -> None:
    made = create(organization.member)
    binding = bind(organization.member, made, "1")
    asked = propose(organization.member, made, {"system_prompt": "x"})
    for shot in shots({"id": made["id"], "bid": binding["id"], "rid": asked["id"]}):
        answer = shot.by(organization.member)
        if shot.operation_id.startswith(("approve", "deny")):
            refused(answer, 403, "forbidden")
        else:
            assert answer.status_code in (200, 204), (shot, answer.text)
