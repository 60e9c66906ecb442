"""Registering, signing in by password, and the access token that this gives: where it is taken, and until when."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient
from emulators import emulator_on, http_of
from people import Organization, ok, person, refused
from sign_ins import PASSWORD, address, bearer, choose, nobody, query_of, register, sign_in, start
from sockets import pty_url, refusal
from websockets.sync.client import connect

DAY = 24 * 3600


@pytest.fixture
def visitor(emulator: Running) -> Iterator[httpx.Client]:
    with nobody(emulator) as one:
        yield one


@pytest.fixture
def fresh() -> Iterator[Running]:
    """An emulator of the test's own, whose clock it may move."""
    with emulator_on("scripted") as one:
        yield one


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(_decoded(token.split(".")[1]))
    return claims


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


# Registering and signing in by password


def test_who_registers_is_signed_in_with_a_personal_account_on_the_free_plan(visitor: httpx.Client) -> None:
    email = address()
    answer = visitor.post("/auth/register", json={"email": email, "password": PASSWORD, "name": "Ada"})
    made = ok(answer)
    assert (made["token_type"], made["expires_in"]) == ("Bearer", DAY)
    assert (made["user"]["email"], made["user"]["name"]) == (email, "Ada")
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    me = ok(visitor.get("/auth/me", headers=bearer(made["access_token"])))
    assert me["user"] == made["user"]
    [account] = me["accounts"]
    assert (account["kind"], account["role"], account["name"]) == ("personal", "owner", "Ada")
    # The free plan has no workspaces.
    refused_workspace = visitor.post(
        "/v1/workspaces", json={"session_type": "sandbox"}, headers=bearer(made["access_token"])
    )
    refused(refused_workspace, 403, "plan_limit_exceeded")


@pytest.mark.parametrize("name", [{}, {"name": None}, {"name": ""}, {"name": "   "}])
def test_a_user_without_a_name_has_none(visitor: httpx.Client, name: dict[str, Any]) -> None:
    email = address()
    made = register(visitor, email, **name)
    assert "name" not in made["user"]
    [account] = ok(visitor.get("/auth/me", headers=bearer(made["access_token"])))["accounts"]
    assert account["name"] == email.partition("@")[0]


def test_a_registered_user_signs_in_again_whatever_the_case_of_the_address(visitor: httpx.Client) -> None:
    email = address()
    made = register(visitor, email)
    again = ok(visitor.post("/auth/login", json={"email": email.upper(), "password": PASSWORD}))
    assert again["user"] == made["user"]
    assert again["access_token"] != made["access_token"]


def test_an_address_is_taken_whatever_its_case(visitor: httpx.Client) -> None:
    email = address()
    register(visitor, email)
    for form in (email, email.upper()):
        refused(visitor.post("/auth/register", json={"email": form, "password": "another one"}), 409, "already_exists")
    # Nothing of the second attempt is left.
    refused(visitor.post("/auth/login", json={"email": email, "password": "another one"}), 401, "invalid_credentials")
    ok(visitor.post("/auth/login", json={"email": email, "password": PASSWORD}))


def test_of_twenty_who_register_one_address_at_once_one_does(emulator: Running) -> None:
    email = address()

    def attempt(number: int) -> httpx.Response:
        with nobody(emulator) as client:
            return client.post("/auth/register", json={"email": email, "password": f"password {number}"})

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(attempt, range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    [winner] = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    with nobody(emulator) as client:
        for number in (winner, (winner + 1) % 20):
            answer = client.post("/auth/login", json={"email": email, "password": f"password {number}"})
            assert answer.status_code == (200 if number == winner else 401)


def test_a_wrong_password_and_an_unknown_address_look_the_same(visitor: httpx.Client, emulator: Running) -> None:
    email, keyed = address(), person(emulator).email
    register(visitor, email)
    said = set()
    for who, password in ((email, PASSWORD + "x"), (email, ""), (address(), PASSWORD), (keyed, PASSWORD)):
        answer = visitor.post("/auth/login", json={"email": who, "password": password})
        said.add(refused(answer, 401, "invalid_credentials")["message"])
        assert answer.headers["www-authenticate"] == "Bearer"
    assert len(said) == 1


@pytest.mark.parametrize("password", ["p" * 8, "p" * 128, "pässwörd 🔑", "        ", "nul\0nul\0", "\n\t\r\b\f\v1234"])
def test_every_password_of_8_to_128_characters_works(visitor: httpx.Client, password: str) -> None:
    email = address()
    ok(visitor.post("/auth/register", json={"email": email, "password": password}))
    ok(visitor.post("/auth/login", json={"email": email, "password": password}))
    refused(visitor.post("/auth/login", json={"email": email, "password": password[:-1]}), 401, "invalid_credentials")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": PASSWORD}, "/email"),
        ({"email": "ada@example.com"}, "/password"),
        ({"email": "ada", "password": PASSWORD}, "/email"),
        ({"email": "ada@example.com\r\nBcc: eve@example.com", "password": PASSWORD}, "/email"),
        ({"email": "ada@example.com", "password": "1234567"}, "/password"),
        ({"email": "ada@example.com", "password": "x" * 129}, "/password"),
        ({"email": "ada@example.com", "password": 12345678}, "/password"),
        ({"email": "ada@example.com", "password": PASSWORD, "name": "x" * 129}, "/name"),
        ({"email": "ada@example.com", "password": PASSWORD, "name": "a\nb"}, "/name"),
    ],
)
def test_what_registering_does_not_take_is_named_and_not_repeated(
    visitor: httpx.Client, body: dict[str, Any], field: str
) -> None:
    answer = visitor.post("/auth/register", json=body)
    assert field in refused(answer, 400, "invalid_request")["message"]
    assert str(body.get("password", "?")) not in answer.text


def test_half_a_character_is_no_password(visitor: httpx.Client) -> None:
    raw = b'{"email": "ada@example.com", "password": "\\ud83d1234567"}'
    answer = visitor.post("/auth/register", content=raw, headers={"Content-Type": "application/json"})
    refused(answer, 400, "invalid_json")


def test_somebody_added_by_address_registers_and_finds_the_membership(
    visitor: httpx.Client, organization: Organization
) -> None:
    email = address()
    ok(organization.owner.post("/v1/accounts/current/members", json={"email": email, "role": "admin"}))
    refused(visitor.post("/auth/login", json={"email": email, "password": PASSWORD}), 401, "invalid_credentials")
    made = register(visitor, email, name="Grace")
    me = ok(visitor.get("/auth/me", headers=bearer(made["access_token"])))
    assert [(one["id"], one["role"]) for one in me["accounts"] if not one["personal"]] == [(organization.id, "admin")]
    members = ok(visitor.get("/v1/accounts/current/members", headers=bearer(made["access_token"], organization.id)))
    assert [one["name"] for one in members["members"] if one["email"] == email] == ["Grace"]
    refused(visitor.post("/auth/register", json={"email": email, "password": PASSWORD}), 409, "already_exists")


def test_nobody_registers_the_address_of_somebody_who_has_come_another_way(
    visitor: httpx.Client, emulator: Running
) -> None:
    by_provider = address()
    sign_in(visitor, "google", by_provider)
    # The first user owns everything, and has no password.
    for taken in ("developer@localhost", "Developer@Localhost", by_provider, person(emulator).email):
        refused(visitor.post("/auth/register", json={"email": taken, "password": PASSWORD}), 409, "already_exists")


def test_who_has_a_password_signs_in_at_a_provider_as_the_same_user(visitor: httpx.Client) -> None:
    email = address()
    made = register(visitor, email)
    for provider in ("google", "github"):
        assert sign_in(visitor, provider, email.upper())["user"] == made["user"]
    ok(visitor.post("/auth/login", json={"email": email, "password": PASSWORD}))


# The caller


def test_a_key_tells_who_its_user_is_and_a_service_account_is_nobody(organization: Organization) -> None:
    person = organization.people["owner"]
    me = ok(organization.owner.get("/auth/me"))
    assert (me["user"]["id"], me["user"]["email"]) == (person.user_id, person.email)
    assert {one["id"] for one in me["accounts"]} >= {organization.id}
    assert [one["created_at"] for one in me["accounts"]] == sorted(
        (one["created_at"] for one in me["accounts"]), reverse=True
    )
    scoped = ok(organization.owner.post("/v1/keys", json={"scopes": ["audit.read"]}))["key"]
    assert ok(organization.owner.get("/auth/me", headers=bearer(scoped)))["user"]["id"] == person.user_id
    robot = ok(organization.owner.post("/v1/accounts/current/service-accounts", json={"name": "robot"}))
    keys = f"/v1/accounts/current/service-accounts/{robot['service_account']['id']}/keys"
    key = ok(organization.owner.post(keys, json={}))["key"]
    refused(organization.owner.get("/auth/me", headers=bearer(key)), 403, "forbidden")


# The token


def test_a_token_has_the_documented_claims(visitor: httpx.Client) -> None:
    made = register(visitor)
    token = made["access_token"]
    assert json.loads(_decoded(token.split(".")[0])) == {"alg": "HS256", "typ": "JWT", "kid": "default"}
    claims = claims_of(token)
    assert set(claims) == {"sub", "email", "iat", "exp", "iss", "jti"}
    assert (claims["sub"], claims["email"]) == (made["user"]["id"], made["user"]["email"])
    assert claims["exp"] - claims["iat"] == DAY
    assert uuid.UUID(claims["jti"])


def test_a_token_chooses_among_the_accounts_of_its_user(visitor: httpx.Client, organization: Organization) -> None:
    made = register(visitor)
    token = made["access_token"]
    body = {"email": made["user"]["email"], "role": "member"}
    ok(organization.owner.post("/v1/accounts/current/members", json=body))

    def current(selector: str | None) -> httpx.Response:
        return visitor.get("/v1/accounts/current", headers=bearer(token, selector))

    assert ok(current(None))["account"]["personal"]
    assert ok(current("personal"))["account"]["personal"]
    for selector in (organization.id, organization.name):
        chosen = ok(current(selector))["account"]
        assert (chosen["id"], chosen["role"]) == (organization.id, "member")
    refused(current(str(uuid.uuid4())), 404, "not_found")
    # The role counts, not the full access of the token.
    new_robot = visitor.post(
        "/v1/accounts/current/service-accounts", json={"name": "robot"}, headers=bearer(token, organization.id)
    )
    refused(new_robot, 403, "forbidden")
    ok(organization.owner.delete(f"/v1/accounts/current/members/{made['user']['id']}"))
    refused(current(organization.id), 404, "not_found")


def test_a_token_makes_sessions_and_keys_and_runs_commands(visitor: httpx.Client, emulator: Running) -> None:
    headers = bearer(register(visitor)["access_token"])
    session = ok(visitor.post("/v1/sessions", json={"ephemeral": True}, headers=headers))
    ok(visitor.post(f"/v1/sessions/{session['id']}/exec", json={"command": "true"}, headers=headers))
    key = ok(visitor.post("/v1/keys", json={"name": "mine"}, headers=headers))["key"]
    with http_of(emulator, key) as client:
        assert [one["id"] for one in ok(client.get("/v1/sessions"))["sessions"]] == [session["id"]]


def test_the_official_client_takes_a_token(visitor: httpx.Client, emulator: Running) -> None:
    token = register(visitor, name="Ada")["access_token"]
    sdk = ChaserClient(base_url=emulator.url, token=token, timeout=60)
    [account] = sdk.accounts.list()
    assert account["name"] == "Ada"


def test_a_terminal_opens_with_a_token_in_its_address(visitor: httpx.Client, emulator: Running) -> None:
    token = register(visitor)["access_token"]
    session = ok(visitor.post("/v1/sessions", json={"ephemeral": True}, headers=bearer(token)))["id"]
    with connect(pty_url(emulator, session, access_token=token)) as socket:
        assert json.loads(socket.recv(timeout=20))["type"] == "ready"
    status, body = refusal(pty_url(emulator, session, access_token=token[:-2]), {})
    assert (status, body["code"]) == (401, "unauthorized")
    other = register(visitor)["access_token"]
    status, body = refusal(pty_url(emulator, session, access_token=other), {})
    assert (status, body["code"]) == (404, "not_found")


def test_a_token_in_the_address_of_a_plain_request_is_none(visitor: httpx.Client) -> None:
    token = register(visitor)["access_token"]
    refused(visitor.get("/v1/accounts", params={"access_token": token}), 401, "unauthorized")


def _resigned(head: Any, claims: Any, key: bytes) -> str:
    text = f"{_encoded(head)}.{_encoded(claims)}"
    return f"{text}.{_encoded(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


_HEAD = {"alg": "HS256", "typ": "JWT", "kid": "default"}

FORGERIES: dict[str, Callable[[str], str]] = {
    "no algorithm": lambda token: f"{_encoded({'alg': 'none'})}.{token.split('.')[1]}.",
    "no algorithm, a signature": lambda token: ".".join([_encoded({"alg": "none"}), *token.split(".")[1:]]),
    "another algorithm": lambda token: ".".join([_encoded({"alg": "HS512", "typ": "JWT"}), *token.split(".")[1:]]),
    "another key": lambda token: _resigned(_HEAD, claims_of(token), b"k" * 32),
    "an empty key": lambda token: _resigned(_HEAD, claims_of(token), b""),
    "a key in the token": lambda token: _resigned(
        _HEAD | {"jwk": {"kty": "oct", "k": _encoded(b"k" * 32)}}, claims_of(token), b"k" * 32
    ),
    "another user": lambda token: ".".join(
        [token.split(".")[0], _encoded(claims_of(token) | {"sub": str(uuid.uuid4())}), token.split(".")[2]]
    ),
    "a longer life": lambda token: ".".join(
        [token.split(".")[0], _encoded(claims_of(token) | {"exp": 2**40}), token.split(".")[2]]
    ),
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "two parts": lambda token: token.rpartition(".")[0],
    "four parts": lambda token: token + ".e30",
    "a bit": lambda token: token[:-1] + ("A" if token[-1] != "A" else "Q"),
    "padding": lambda token: token + "=",
    "a header that is none": lambda token: ".".join([_encoded([]), *token.split(".")[1:]]),
    "much of nothing": lambda _token: "e30." * 5000,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_token_that_is_not_ours_looks_like_no_credential(visitor: httpx.Client, forgery: str) -> None:
    token = register(visitor)["access_token"]
    answer = visitor.get("/v1/accounts", headers=bearer(FORGERIES[forgery](token)))
    without = visitor.get("/v1/accounts")
    assert refused(answer, 401, "unauthorized")["message"] == refused(without, 401, "unauthorized")["message"]
    ok(visitor.get("/v1/accounts", headers=bearer(token)))


def test_a_token_ends_after_a_day_on_the_clock_of_the_emulator(fresh: Running) -> None:
    with nobody(fresh) as visitor:
        headers = bearer(register(visitor)["access_token"])
        ok(visitor.get("/auth/me", headers=headers))
        ok(visitor.post("/_emulator/clock/advance", json={"seconds": DAY - 60}))
        ok(visitor.get("/auth/me", headers=headers))
        ok(visitor.post("/_emulator/clock/advance", json={"seconds": 60}))
        without = visitor.get("/auth/me")
        for path in ("/auth/me", "/v1/accounts"):
            over = refused(visitor.get(path, headers=headers), 401, "unauthorized")
            assert over["message"] == refused(without, 401, "unauthorized")["message"]
        # Set back, the clock is before its end again.
        ok(visitor.post("/_emulator/clock", json={"mode": "real"}))
        ok(visitor.get("/auth/me", headers=headers))


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2999-12-31T00:00:00Z"])
def test_a_token_is_good_wherever_the_clock_stands_and_when_it_is_set_back(fresh: Running, at: str) -> None:
    with nobody(fresh) as visitor:
        early = bearer(register(visitor)["access_token"])
        ok(visitor.post("/_emulator/clock", json={"mode": "frozen", "at": at}))
        late = bearer(register(visitor)["access_token"])
        ok(visitor.get("/auth/me", headers=late))
        before = at < "2000"
        assert visitor.get("/auth/me", headers=early).status_code == (200 if before else 401)
        ok(visitor.post("/_emulator/clock", json={"mode": "real"}))
        assert visitor.get("/auth/me", headers=late).status_code == (401 if before else 200)
        ok(visitor.get("/auth/me", headers=early))


def test_a_token_outlives_a_restart_on_the_same_data_and_no_other(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path / "one") as one, nobody(one) as visitor:
        email = address()
        headers = bearer(register(visitor, email)["access_token"])
    with emulator_on("scripted", data_dir=tmp_path / "one") as one, nobody(one) as visitor:
        assert ok(visitor.get("/auth/me", headers=headers))["user"]["email"] == email
        ok(visitor.post("/auth/login", json={"email": email, "password": PASSWORD}))
    with emulator_on("scripted", data_dir=tmp_path / "two") as two, nobody(two) as visitor:
        refused(visitor.get("/auth/me", headers=headers), 401, "unauthorized")


def test_a_token_of_a_user_who_is_gone_is_none(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, nobody(one) as visitor:
        made = register(visitor)
        headers = bearer(made["access_token"])
        ok(visitor.get("/v1/accounts", headers=headers))
    with contextlib.closing(sqlite3.connect(tmp_path / "chaser.db")) as database, database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("DELETE FROM users WHERE id = ?", (made["user"]["id"],))
    with emulator_on("scripted", data_dir=tmp_path) as one, nobody(one) as visitor:
        for path in ("/v1/accounts", "/auth/me"):
            refused(visitor.get(path, headers=headers), 401, "unauthorized")
        # And the address is free again.
        register(visitor, made["user"]["email"])


def test_no_secret_is_kept_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = [PASSWORD]
    with emulator_on("scripted", data_dir=tmp_path) as one, nobody(one) as visitor:
        made = register(visitor)
        headers = bearer(made["access_token"])
        ok(visitor.post("/auth/login", json={"email": made["user"]["email"], "password": PASSWORD}))
        page = start(visitor, "google")
        back = choose(visitor, page, address())
        secrets += [made["access_token"], query_of(page)["state"], query_of(back)["code"]]
        ok(visitor.get(back))
        left = start(visitor, "github")
        codex = ok(visitor.get("/auth/codex/login-url", headers=headers))
        caught = query_of(choose(visitor, codex["authorization_url"], address()))
        secrets += [query_of(left)["state"], codex["state"], codex["code_verifier"], caught["code"]]
        wrong = visitor.post("/auth/codex/callback", json={**caught, "code_verifier": "v" * 43})
        spent = visitor.get(back)
        for answer in (wrong, spent):
            refused(answer, 401, "unauthorized")
            assert not [secret for secret in secrets if secret in answer.text]
        assert not [secret for secret in secrets if secret in visitor.get("/v1/audit/events", headers=headers).text]
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    kept += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert made["user"]["email"].encode() in kept
    assert not [secret for secret in secrets if secret.encode() in kept]
    # The client of this test logs what it asks for.
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    assert logged
    assert not [secret for secret in secrets if secret in "\n".join(logged)]
