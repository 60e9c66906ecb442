"""Channels and credentials of assistants: who answers where, and secrets that only one operation tells."""

from __future__ import annotations

import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from assistants import (
    ASSISTANTS,
    CREDENTIALS,
    RESOLVE_CHANNEL,
    RESOLVE_CREDENTIAL,
    Json,
    bind,
    create,
    path_of,
    read,
)
from chaser_emulator.server import Running
from chaser_emulator.vault import KEY
from databases import ask
from emulators import emulator_on, http_of
from people import Organization, failed_audits, ok, organization_of, refused

RESOLVED = "assistant.credential.resolve"


def store(client: httpx.Client, name: str, value: str, **more: str) -> Json:
    stored: Json = ok(client.put(CREDENTIALS, json={"name": name, "value": value} | more))["credential"]
    return stored


def resolve(client: httpx.Client, assistant: Json, name: str) -> httpx.Response:
    return client.post(RESOLVE_CREDENTIAL, json={"assistant_id": assistant["id"], "name": name})


# Channels.


def test_a_channel_leads_to_its_assistant_until_it_is_unbound(organization: Organization) -> None:
    made = create(organization.owner)
    binding = bind(organization.owner, made, "-1001234567890", credential_name="telegram-bot")
    assert binding == {
        "id": str(uuid.UUID(binding["id"])),
        "channel_type": "telegram",
        "channel_id": "-1001234567890",
        "credential_name": "telegram-bot",
        "created_at": binding["created_at"],
    }
    other = bind(organization.owner, made, "Straße 🦉", "discord")
    assert "credential_name" not in other
    after = read(organization.owner, made)
    assert after["channels"] == [other, binding]
    assert (after["updated_at"] > made["updated_at"], after["config_version"]) == (True, 1)
    named = {"channel_type": "telegram", "channel_id": "-1001234567890"}
    assert ok(organization.member.post(RESOLVE_CHANNEL, json=named)) == {
        "assistant_id": made["id"],
        "binding_id": binding["id"],
    }
    answer = organization.owner.delete(path_of(made, "channels", binding["id"]))
    assert (answer.status_code, answer.content) == (204, b"")
    refused(organization.owner.post(RESOLVE_CHANNEL, json=named), 404, "not_found")
    refused(organization.owner.delete(path_of(made, "channels", binding["id"])), 404, "not_found")
    assert read(organization.owner, made)["channels"] == [other]
    assert read(organization.owner, made)["updated_at"] > after["updated_at"]


def test_a_channel_belongs_to_one_assistant_of_the_account(organization: Organization, emulator: Running) -> None:
    first, second = create(organization.owner), create(organization.owner)
    binding = bind(organization.owner, first, "1")
    body = {"channel_type": "telegram", "channel_id": "1"}
    for one in (first, second):
        error = refused(organization.owner.post(path_of(one, "channels"), json=body), 409, "already_exists")
        assert error["details"] == {"assistant_id": first["id"], "binding_id": binding["id"]}
    # The same words of another platform, or in another account, are another channel.
    bind(organization.owner, second, "1", "discord")
    with organization_of(emulator) as elsewhere:
        bind(elsewhere.owner, create(elsewhere.owner), "1")
    # Only the assistant that is bound can be unbound.
    refused(organization.owner.delete(path_of(second, "channels", binding["id"])), 404, "not_found")
    ok(organization.owner.delete(path_of(first, "channels", binding["id"])))
    bind(organization.owner, second, "1")


def test_of_many_that_bind_a_channel_at_once_one_does(organization: Organization) -> None:
    made = [create(organization.owner) for _ in range(4)]
    body = {"channel_type": "telegram", "channel_id": "1"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda n: organization.owner.post(path_of(made[n % 4], "channels"), json=body), range(8))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    listed = ok(organization.owner.get(ASSISTANTS))["assistants"]
    assert sum(len(one["channels"]) for one in listed) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"channel_id": "1"}, "/channel_type"),
        ({"channel_type": "slack", "channel_id": "1"}, "/channel_type"),
        ({"channel_type": "telegram"}, "/channel_id"),
        ({"channel_type": "telegram", "channel_id": -100}, "/channel_id"),
        ({"channel_type": "telegram", "channel_id": ""}, "/channel_id"),
        ({"channel_type": "telegram", "channel_id": "a\n"}, "/channel_id"),
        ({"channel_type": "telegram", "channel_id": "x" * 257}, "/channel_id"),
    ],
)
def test_what_is_no_channel_is_refused_by_name(organization: Organization, body: Json, pointer: str) -> None:
    made = create(organization.owner)
    for path in (path_of(made, "channels"), RESOLVE_CHANNEL):
        error = refused(organization.owner.post(path, json=body), 400, "invalid_request")
        assert [problem["pointer"] for problem in error["details"]] == [pointer]
    assert read(organization.owner, made) == made


# Credentials.


@pytest.mark.parametrize("value", ["x", "123456:not-a-real-token", "päss wörd\n🦉\t", "y" * 65536])
def test_a_secret_comes_back_as_it_was(organization: Organization, value: str) -> None:
    made = create(organization.owner)
    stored = store(organization.owner, "token", value, assistant_id=made["id"].upper())
    assert stored == {"name": "token", "assistant_id": made["id"], "updated_at": stored["updated_at"]}
    assert ok(resolve(organization.member, made, "token")) == {"name": "token", "value": value}


def test_an_assistants_own_secret_wins_over_the_one_of_all(organization: Organization) -> None:
    first, second = create(organization.owner), create(organization.owner)
    shared = store(organization.owner, "token", "for all")
    assert "assistant_id" not in shared
    store(organization.owner, "token", "for the first", assistant_id=first["id"])
    store(organization.owner, "Token", "of another case")
    assert ok(resolve(organization.owner, first, "token"))["value"] == "for the first"
    assert ok(resolve(organization.owner, second, "token"))["value"] == "for all"
    assert ok(resolve(organization.owner, second, "Token"))["value"] == "of another case"
    # A new value takes the place of the old one of its own kind, and of no other.
    again = store(organization.owner, "token", "for all, anew")
    assert again["updated_at"] > shared["updated_at"]
    assert ok(resolve(organization.owner, first, "token"))["value"] == "for the first"
    assert ok(resolve(organization.owner, second, "token"))["value"] == "for all, anew"
    refused(resolve(organization.owner, first, "other"), 404, "not_found")


def test_of_values_that_are_stored_at_once_one_is_kept(organization: Organization, emulator: Running) -> None:
    made = create(organization.owner)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store(organization.owner, "token", f"value {n}"), range(8)))
    assert ok(resolve(organization.owner, made, "token"))["value"] in {f"value {n}" for n in range(8)}
    rows = ask(emulator, "SELECT 1 FROM assistant_credentials WHERE account_id = ?", organization.id)
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": None}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "-a"}, "/name"),
        ({"name": "a b"}, "/name"),
        ({"name": "a\n"}, "/name"),
        ({"name": "x" * 129}, "/name"),
        ({"value": ""}, "/value"),
        ({"value": None}, "/value"),
        ({"value": 5}, "/value"),
        ({"value": "planted-in-an-error\u0000"}, "/value"),
        ({"value": "planted-in-an-error" * 4000}, "/value"),
        ({"value": ["planted-in-an-error"]}, "/value"),
        ({"assistant_id": None}, "/assistant_id"),
        ({"assistant_id": ""}, "/assistant_id"),
    ],
)
def test_a_refusal_names_the_field_and_never_the_value(organization: Organization, fields: Json, pointer: str) -> None:
    answer = organization.owner.put(CREDENTIALS, json={"name": "token", "value": "planted-in-an-error"} | fields)
    error = refused(answer, 400, "invalid_request")
    assert {problem["pointer"] for problem in error["details"]} == {pointer}
    assert "planted-in-an-error" not in answer.text


def test_each_look_at_a_secret_is_in_the_audit_log(organization: Organization) -> None:
    made = create(organization.owner)
    store(organization.owner, "token", "planted-for-the-log")
    ok(resolve(organization.admin, made, "token"))
    refused(resolve(organization.member, made, "nothing"), 404, "not_found")
    refused(resolve(organization.member, {"id": str(uuid.uuid4())}, "token"), 404, "not_found")
    answer = organization.owner.get("/v1/audit/events", params={"action": RESOLVED})
    *failures, success = ok(answer)["events"]
    assert (success["status"], success["resource_type"]) == ("success", "assistant_credential")
    assert success["actor_id"] == organization.people["admin"].user_id
    assert success["metadata"] == {"assistant_id": made["id"], "name": "token"}
    assert [one["status"] for one in failures] == ["failure"] * 2
    assert len(failed_audits(organization.owner, RESOLVED)) == 2
    assert "planted-for-the-log" not in answer.text


class _Lines(logging.Handler):
    """Keeps every line that is logged, with its trace."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter().format(record))


def test_a_secret_lies_nowhere_in_plain(tmp_path: Path) -> None:
    planted, replaced = f"planted-{uuid.uuid4().hex}", f"replaced-{uuid.uuid4().hex}"
    log = _Lines()
    logging.getLogger().addHandler(log)
    before = logging.getLogger("chaser_emulator").level
    logging.getLogger("chaser_emulator").setLevel(logging.DEBUG)
    try:
        with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
            made = create(client)
            store(client, "token", replaced)
            answers = [
                client.put(CREDENTIALS, json={"name": "token", "value": planted}),
                client.put(CREDENTIALS, json={"name": "own", "value": planted, "assistant_id": made["id"]}),
                client.put(CREDENTIALS, json={"name": "own", "value": planted, "assistant_id": "nobody"}),
                client.put(CREDENTIALS, json={"name": "a b", "value": planted}),
                client.put(CREDENTIALS, json={"name": "own", "value": planted + "\u0000"}),
                client.put(CREDENTIALS, content=f'{{"name": "own", "value": "{planted}"'.encode(), headers=JSON),
                client.put(CREDENTIALS, content=f'{{"value": "{planted}"}}'.encode()),
                client.post(RESOLVE_CREDENTIAL, json={"assistant_id": made["id"], "name": "nothing"}),
                client.get(path_of(made)),
                client.get("/v1/audit/events"),
            ]
            assert ok(resolve(client, made, "own"))["value"] == planted
            answers.append(client.get("/v1/audit/events"))
            files = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        files |= {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    finally:
        logging.getLogger().removeHandler(log)
        logging.getLogger("chaser_emulator").setLevel(before)
    assert [answer.status_code for answer in answers] == [200, 200, 404, 400, 400, 400, 415, 404, 200, 200, 200]
    for secret in (planted, replaced):
        assert [answer.text for answer in answers if secret in answer.text] == []
        assert [file for file, content in files.items() if secret.encode() in content] == []
        assert [line for line in log.lines if secret in line] == []


JSON = {"Content-Type": "application/json"}


def test_secrets_outlive_a_restart_and_need_the_key_of_the_vault(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        made = create(client)
        store(client, "token", "kept")
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        assert ok(resolve(client, made, "token"))["value"] == "kept"
    (tmp_path / KEY).unlink()
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        # Not readable, and not a reason to fail for good: a new value under the name is.
        assert resolve(client, made, "token").status_code == 500
        store(client, "token", "anew")
        assert ok(resolve(client, made, "token"))["value"] == "anew"
