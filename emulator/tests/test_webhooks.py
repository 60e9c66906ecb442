"""Webhooks: made, listed and deleted by those who may; the secret is shown once and left nowhere."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from chaser_emulator.server import Running
from databases import ask
from emulators import emulator_on, http_of, sdk_of
from people import Organization, failed_audits, ok, refused
from previews import until
from receivers import answer, hooked, receiving, workspace
from strangers import audited, stranger

NOWHERE = "https://hooks.example.com/chaser?token=in-the-url"


@pytest.fixture
def client(emulator: Running) -> Iterator[httpx.Client]:
    """Somebody with an account of their own."""
    with http_of(emulator, stranger(emulator)) as one:
        yield one


def test_a_webhook_is_made_listed_and_deleted(client: httpx.Client) -> None:
    body = {"url": NOWHERE, "description": "Pages whoever is on call", "events": ["session.*", "job.failed"]}
    made = ok(client.post("/v1/webhooks", json=body))
    webhook, secret = made["webhook"], made["signing_secret"]
    assert body.items() <= webhook.items()
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert webhook["signing_secret_preview"] == f"whsec_…{secret[-4:]}"
    assert webhook["created_at"] == webhook["updated_at"]
    assert ok(client.get("/v1/webhooks")) == {"webhooks": [webhook]}
    other = ok(client.post("/v1/webhooks", json={"url": "http://localhost:9"}))["webhook"]
    assert "description" not in other
    assert other["events"] == []
    assert ok(client.get("/v1/webhooks"))["webhooks"] == [other, webhook]
    gone = client.delete(f"/v1/webhooks/{webhook['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert ok(client.get("/v1/webhooks"))["webhooks"] == [other]
    refused(client.delete(f"/v1/webhooks/{webhook['id']}"), 404, "not_found")
    refused(client.delete("/v1/webhooks/nonsense"), 404, "not_found")


def test_two_webhooks_have_two_secrets(client: httpx.Client) -> None:
    first, second = (ok(client.post("/v1/webhooks", json={"url": NOWHERE})) for _ in range(2))
    assert first["signing_secret"] != second["signing_secret"]


@pytest.mark.parametrize(
    "url",
    [
        "http://ada:secretpw@hooks.example.com/",
        "http://ada@hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "//hooks.example.com/",
        "hooks.example.com",
        "http://",
        "http:///path",
        "http://hooks example.com/",
        "http://hooks.example.com/ä",
        "http://hooks.example.com/\n",
        "http://[::1",
        "http://256.1.1.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://h:0/",
        "http://h:65536/",
        "",
    ],
)
def test_only_plain_web_addresses_are_taken(client: httpx.Client, url: str) -> None:
    answered = client.post("/v1/webhooks", json={"url": url})
    body = refused(answered, 400, "invalid_request")
    assert body["message"].startswith("body /url: must be an absolute http:// or https:// URL")
    assert body["details"][0]["pointer"] == "/url"
    assert "secretpw" not in answered.text
    [event] = failed_audits(client, "webhook.create")
    assert "secretpw" not in json.dumps(event)


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "invalid_request", "/url"),
        ({"url": None}, "invalid_request", "/url"),
        ({"url": "http://h/" + "a" * 2048}, "invalid_request", "/url"),
        ({"url": NOWHERE, "events": ["session.created", "nonsense"]}, "unknown_event", "/events/1"),
        ({"url": NOWHERE, "events": ["*.created"]}, "unknown_event", "/events/0"),
        ({"url": NOWHERE, "events": "session.*"}, "invalid_request", "/events"),
        ({"url": NOWHERE, "events": ["*"] * 101}, "invalid_request", "/events"),
        ({"url": NOWHERE, "description": "x" * 1025}, "invalid_request", "/description"),
    ],
)
def test_what_is_wrong_is_named(client: httpx.Client, body: dict[str, object], code: str, pointer: str) -> None:
    assert refused(client.post("/v1/webhooks", json=body), 400, code)["details"][0]["pointer"] == pointer


def test_an_account_has_twenty_webhooks_and_no_more(emulator: Running, client: httpx.Client) -> None:
    made = [ok(client.post("/v1/webhooks", json={"url": NOWHERE}))["webhook"]["id"] for _ in range(20)]
    assert "20" in refused(client.post("/v1/webhooks", json={"url": NOWHERE}), 409, "conflict")["message"]
    with http_of(emulator, stranger(emulator)) as other:
        ok(other.post("/v1/webhooks", json={"url": NOWHERE}))
    ok(client.delete(f"/v1/webhooks/{made[7]}"))
    ok(client.post("/v1/webhooks", json={"url": NOWHERE}))


def test_webhooks_need_their_scopes(emulator: Running) -> None:
    with (
        http_of(emulator, stranger(emulator, scopes=["webhooks.read"])) as reader,
        http_of(emulator, stranger(emulator, scopes=["webhooks.write"])) as writer,
    ):
        ok(reader.get("/v1/webhooks"))
        ok(reader.get("/v1/webhooks/deliveries"))
        refused(reader.get("/v1/webhooks/deliveries/x"), 404, "not_found")
        made = ok(writer.post("/v1/webhooks", json={"url": NOWHERE}))["webhook"]["id"]
        ok(writer.delete(f"/v1/webhooks/{made}"))
        for allowed in ("replay", "discard"):
            refused(writer.post(f"/v1/webhooks/deliveries/x/{allowed}"), 404, "not_found")
            refused(reader.post(f"/v1/webhooks/deliveries/x/{allowed}"), 403, "insufficient_scope")
        refused(reader.post("/v1/webhooks", json={"url": NOWHERE}), 403, "insufficient_scope")
        refused(reader.delete("/v1/webhooks/x"), 403, "insufficient_scope")
        for path in ("/v1/webhooks", "/v1/webhooks/deliveries", "/v1/webhooks/deliveries/x"):
            refused(writer.get(path), 403, "insufficient_scope")


def test_an_organization_shares_its_webhooks_with_nobody_else(organization: Organization) -> None:
    with receiving() as receiver, hooked(organization.member, receiver.url) as hook:
        assert [one["id"] for one in ok(organization.owner.get("/v1/webhooks"))["webhooks"]] == [hook.id]
        assert ok(organization.outsider.get("/v1/webhooks")) == {"webhooks": []}
        refused(organization.outsider.delete(f"/v1/webhooks/{hook.id}"), 404, "not_found")
        workspace(organization.outsider)
        workspace(organization.owner)
        [delivery] = hook.settled(1)
        [got] = receiver.got
        assert got.event["account_id"] == organization.id
        for method, path in (("GET", ""), ("POST", "/replay"), ("POST", "/discard")):
            answered = organization.outsider.request(method, f"/v1/webhooks/deliveries/{delivery['id']}{path}")
            refused(answered, 404, "not_found")
        query = {"webhook_id": hook.id}
        assert ok(organization.outsider.get("/v1/webhooks/deliveries", params=query)) == {"deliveries": []}


def test_making_and_deleting_is_audited_without_what_the_address_hides(emulator: Running, client: httpx.Client) -> None:
    made = ok(client.post("/v1/webhooks", json={"url": NOWHERE, "events": ["job.*"]}))
    webhook_id = made["webhook"]["id"]
    ok(client.delete(f"/v1/webhooks/{webhook_id}"))
    assert audited(emulator, webhook_id) == [
        ("webhook.create", "success", {"host": "hooks.example.com", "events": ["job.*"]}),
        ("webhook.delete", "success", {"host": "hooks.example.com", "discarded_deliveries": 0}),
    ]
    events = ok(client.get("/v1/audit/events"))["events"]
    assert {event["resource_type"] for event in events} == {"webhook"}
    assert "in-the-url" not in json.dumps(events)


def test_the_secret_is_in_no_file_log_answer_or_payload(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        emulator_on("scripted", data_dir=tmp_path) as emulator,
        http_of(emulator) as client,
        receiving() as receiver,
        hooked(client, receiver.url) as hook,
    ):
        receiver.then = [answer(500)]
        workspace(client)
        receiver.wait(1)
        hook.settled(1, "pending")
        told = [client.get(path).text for path in ("/v1/webhooks", "/v1/webhooks/deliveries", "/v1/audit/events")]
        told += [receiver.got[0].body.decode(), *receiver.got[0].headers.values()]
        told += [entry.getMessage() for entry in caplog.records]
        held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    bare = hook.secret.removeprefix("whsec_")
    assert bare not in "".join(told)
    assert bare.encode() not in held
    assert base64.b64decode(bare) not in held


def test_a_deleted_webhook_keeps_no_secret(emulator: Running, client: httpx.Client) -> None:
    made = ok(client.post("/v1/webhooks", json={"url": NOWHERE}))["webhook"]["id"]
    [kept] = ask(emulator, "SELECT secret FROM webhooks WHERE id = ?", made)
    assert kept["secret"]
    ok(client.delete(f"/v1/webhooks/{made}"))
    assert [row["secret"] for row in ask(emulator, "SELECT secret FROM webhooks WHERE id = ?", made)] == [""]


def test_the_official_client_does_it_all(emulator: Running) -> None:
    sdk = sdk_of(emulator, stranger(emulator))
    with receiving() as receiver:
        made = sdk.webhooks.create(url=receiver.url, description="mine", events=["workspace.*"])
        assert made["signing_secret"].startswith("whsec_")
        assert [one["id"] for one in sdk.webhooks.list()] == [made["webhook"]["id"]]
        sdk.workspaces.create(session_type="sandbox")
        receiver.wait(1)
        [delivery] = sdk.webhooks.deliveries.list(webhook_id=made["webhook"]["id"], limit=1)
        assert sdk.webhooks.deliveries.get(delivery["id"])["event_type"] == "workspace.created"
        until(lambda: sdk.webhooks.deliveries.get(delivery["id"])["status"] == "delivered")
        again = sdk.webhooks.deliveries.replay(delivery["id"])
        assert again["replayed_from_delivery_id"] == delivery["id"]
        until(lambda: sdk.webhooks.deliveries.get(again["id"])["status"] == "delivered")
        receiver.usual = answer(500)
        failing = sdk.webhooks.deliveries.replay(delivery["id"])
        assert sdk.webhooks.deliveries.discard(failing["id"])["status"] == "discarded"
        sdk.webhooks.delete(made["webhook"]["id"])
        assert sdk.webhooks.list() == []
