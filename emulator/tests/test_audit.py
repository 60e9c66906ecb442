"""The audit log: what is in it, who reads it, filters that combine, and pages that neither skip nor repeat."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import chaser_sdk.types as sdk_types
import httpx
import pytest
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient
from databases import tell
from emulators import http_of, sdk_of
from people import Organization, ok, organization_of, refused
from shapes import complete

EVENTS = "/v1/audit/events"


def events(client: httpx.Client, **query: str | int) -> list[dict[str, Any]]:
    """A page of the log."""
    found: list[dict[str, Any]] = ok(client.get(EVENTS, params=query))["events"]
    return found


def make_keys(client: httpx.Client, count: int) -> list[str]:
    """The ids of new API keys: one event each."""
    return [str(ok(client.post("/v1/keys", json={"name": f"key {number}"}))["id"]) for number in range(count)]


def moment(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["created_at"])


def test_a_change_tells_who_did_what_to_which_thing(organization: Organization) -> None:
    key = ok(organization.admin.post("/v1/keys", json={"name": "ci", "scopes": ["exec.write"]}))
    event = events(organization.owner)[0]
    assert {name: value for name, value in event.items() if name not in ("id", "summary", "created_at")} == {
        "actor_type": "user",
        "actor_id": organization.people["admin"].user_id,
        "action": "api_key.create",
        "resource_type": "api_key",
        "resource_id": key["id"],
        "status": "success",
        "metadata": {"name": "ci", "scopes": ["exec.write"]},
    }
    assert event["summary"]
    assert event["created_at"].endswith("Z")
    assert abs(moment(event) - datetime.now(UTC)) < timedelta(minutes=1)


def test_every_member_reads_the_log_and_nobody_reads_anothers(organization: Organization, emulator: Running) -> None:
    make_keys(organization.owner, 1)
    seen = events(organization.owner)
    assert seen == events(organization.admin) == events(organization.member)
    with organization_of(emulator) as elsewhere:
        ours, theirs = {one["id"] for one in seen}, {one["id"] for one in events(elsewhere.owner)}
    assert ours
    assert theirs
    assert not ours & theirs


def test_a_scoped_key_needs_audit_read(organization: Organization, emulator: Running) -> None:
    for scopes, allowed in ((["audit.read"], True), (["keys.read", "sessions.read"], False)):
        secret = ok(organization.owner.post("/v1/keys", json={"scopes": scopes}))["key"]
        with http_of(emulator, secret) as scoped:
            if allowed:
                assert events(scoped)
            else:
                refusal = refused(scoped.get(EVENTS), 403, "insufficient_scope")
                assert refusal["details"] == {"required": "audit.read"}


def test_what_a_service_account_does_is_told_of_it(organization: Organization, emulator: Running) -> None:
    path = "/v1/accounts/current/service-accounts"
    robot = ok(organization.owner.post(path, json={"name": "ci"}))["service_account"]["id"]
    secret = ok(organization.owner.post(f"{path}/{robot}/keys", json={}))["key"]
    with http_of(emulator, secret) as bound:
        session = ok(bound.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))["id"]
    [event] = events(organization.owner, action="session.create")
    assert (event["actor_type"], event["actor_id"], event["resource_id"]) == ("service_account", robot, session)


def test_filters_combine(organization: Organization) -> None:
    first, second = make_keys(organization.owner, 2)
    ok(organization.owner.delete(f"/v1/keys/{first}"))
    refused(organization.owner.delete("/v1/keys/unknown"), 404, "not_found")

    def found(**query: str) -> list[tuple[str, str]]:
        return [(one["action"], one["resource_id"]) for one in events(organization.owner, **query)]

    assert found(action="api_key.create") == [("api_key.create", second), ("api_key.create", first)]
    assert found(resource_type="api_key", resource_id=first) == [("api_key.revoke", first), ("api_key.create", first)]
    assert found(action="api_key.revoke", status="success") == [("api_key.revoke", first)]
    assert found(action="api_key.revoke", status="failure") == [("api_key.revoke", "unknown")]
    assert found(resource_id=second, action="api_key.revoke") == []
    assert found(resource_type="workspace") == []
    assert found(action="api_key") == []
    assert {one[0] for one in found(resource_type="account_member")} == {"account.member.add"}
    assert len(found(status="success")) + len(found(status="failure")) == len(found())


def test_a_filter_is_compared_and_not_executed(organization: Organization) -> None:
    make_keys(organization.owner, 1)
    for text in ("' OR 1=1 --", "%", "*", "a\x00b"):
        assert events(organization.owner, action=text) == []
        assert events(organization.owner, resource_id=text) == []


def test_pages_follow_each_other_without_gap_or_repetition(organization: Organization) -> None:
    make_keys(organization.owner, 7)
    everything = events(organization.owner)
    assert [moment(one) for one in everything] == sorted((moment(one) for one in everything), reverse=True)
    walked: list[dict[str, Any]] = []
    page = events(organization.owner, limit=2)
    while page and len(walked) < len(everything):
        assert len(page) <= 2
        walked += page
        # Whatever happens meanwhile is newer than the cursor, and disturbs no page.
        make_keys(organization.owner, 1)
        page = events(organization.owner, limit=2, before=page[-1]["created_at"])
    assert walked == everything
    assert page == []


def test_before_is_exclusive_and_takes_any_offset(organization: Organization) -> None:
    make_keys(organization.owner, 3)
    newest, cursor, *older = events(organization.owner)
    at = moment(cursor)
    forms = [
        cursor["created_at"],
        cursor["created_at"].lower(),
        at.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat(),
        at.astimezone(timezone(timedelta(hours=-8))).isoformat(),
        cursor["created_at"].replace("Z", "+00:00"),
        cursor["created_at"].replace("Z", "000Z"),
    ]
    for form in forms:
        assert events(organization.owner, before=form) == older, form
    later = (at + timedelta(microseconds=1)).isoformat()
    assert events(organization.owner, before=later) == [cursor, *older]
    assert events(organization.owner, before="2999-01-01T00:00:00Z")[0] == newest
    assert events(organization.owner, before="1970-01-01T00:00:00Z") == []
    assert events(organization.owner, before="0999-01-01T00:00:00Z") == []


def test_an_offset_whose_plus_was_not_encoded_is_understood(organization: Organization) -> None:
    make_keys(organization.owner, 2)
    _newest, cursor, *older = events(organization.owner)
    form = moment(cursor).astimezone(timezone(timedelta(hours=2))).isoformat()
    assert "+" in form
    # In a query string a plain + is a space.
    answer = organization.owner.get(f"{EVENTS}?before={form}")
    assert answer.request.url.query.decode().count("+") == 1
    assert ok(answer)["events"] == older


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": -1}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"limit": "9" * 30}, "limit"),
        ({"status": "maybe"}, "status"),
        ({"status": "SUCCESS"}, "status"),
        ({"before": "yesterday"}, "before"),
        ({"before": "2026-01-15"}, "before"),
        ({"before": "2026-01-15T09:30:00"}, "before"),
        ({"before": "2026-02-30T09:30:00Z"}, "before"),
        ({"before": "0000-01-01T00:00:00Z"}, "before"),
        ({"before": "0001-01-01T00:00:00+02:00"}, "before"),
        ({"before": "1700000000"}, "before"),
        ({"before": ""}, "before"),
        ({"action": ""}, "action"),
        ({"resource_id": "x" * 257}, "resource_id"),
    ],
)
def test_a_query_out_of_its_bounds_is_refused(client: httpx.Client, query: dict[str, Any], pointer: str) -> None:
    body = refused(client.get(EVENTS, params=query), 400, "invalid_request")
    assert [(one["in"], one["pointer"]) for one in body["details"]] == [("query", pointer)]
    assert pointer in body["message"]


def test_a_parameter_sent_twice_is_refused(client: httpx.Client) -> None:
    refused(client.get(f"{EVENTS}?limit=1&limit=2"), 400, "invalid_request")


def test_unknown_parameters_are_ignored(client: httpx.Client) -> None:
    ok(client.get(EVENTS, params={"offset": 3, "order": "up"}))


def test_a_page_has_100_events_unless_up_to_500_are_asked_for(organization: Organization, emulator: Running) -> None:
    add_events(emulator, organization.id, 600)
    assert len(events(organization.owner)) == 100
    assert len(events(organization.owner, limit=500)) == 500
    assert len(events(organization.owner, limit=1)) == 1


def test_a_refusal_before_the_account_is_known_is_in_no_log(organization: Organization) -> None:
    before = events(organization.owner)
    refused(organization.outsider.post("/v1/keys", headers={"X-Chaser-Account": organization.id}), 404, "not_found")
    refused(organization.owner.post("/v1/keys", headers={"Authorization": "Bearer no"}), 401, "unauthorized")
    assert events(organization.owner) == before


def test_reading_leaves_no_trace(organization: Organization) -> None:
    before = events(organization.owner)
    ok(organization.owner.get("/v1/keys"))
    refused(organization.owner.get("/v1/sessions/unknown"), 404, "not_found")
    assert events(organization.owner) == before


def add_events(emulator: Running, account_id: str, count: int) -> None:
    """Put events of another year straight into the log, for tests of its length."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = (
        (str(uuid.uuid4()), account_id, "user", "somebody", "session.exec", "session", f"thing {number}",
         "success", "ran", "{}", (start + timedelta(milliseconds=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        for number in range(count)
    )  # fmt: skip
    statement = f"INSERT INTO audit_events VALUES ({', '.join('?' * 11)})"  # noqa: S608
    tell(emulator, *((statement, *row) for row in rows))


def test_the_official_client_reads_the_log(sdk: ChaserClient, emulator: Running, organization: Organization) -> None:
    key = sdk.keys.create(name="audited")
    sdk.keys.revoke(key["id"])
    newest, older = sdk.audit.list(resource_id=key["id"], resource_type="api_key")
    for event in (newest, older):
        complete(event, sdk_types.AuditEventInfo)
    assert [newest["action"], older["action"]] == ["api_key.revoke", "api_key.create"]
    assert sdk.audit.list(action="api_key.create", status="success", limit=1)[0]["id"] == older["id"]
    assert sdk.audit.list(resource_id=key["id"], before=newest["created_at"]) == [older]
    ours = sdk_of(emulator, organization.people["owner"].key).with_account(organization.id)
    assert {one["action"] for one in ours.audit.list()} == {"account.member.add"}
