"""Who is let in, into which account, with which right, and what is said about a request that is no good."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator import spec
from chaser_emulator.server import Running
from chaser_emulator.spec import Operation
from chaser_sdk import ChaserApiError, ChaserClient
from emulators import emulator_on, http_of, sdk_of
from people import Organization, ok, organization_of, person, refused

OPERATIONS = spec.load().operations
SECURED = sorted(name for name, one in OPERATIONS.items() if one.secured)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SCOPES = sorted(spec.load().scopes)
GENERATED_ID = re.compile("req_[a-z2-7]{26}")


def paths() -> dict[str, set[str]]:
    """The methods of every path of the document."""
    found: dict[str, set[str]] = {}
    for one in OPERATIONS.values():
        found.setdefault(one.path, set()).add(one.method)
    return found


def call(client: httpx.Client, operation: Operation, **more: Any) -> httpx.Response:
    """The operation with something in place of each parameter of its path."""
    return client.request(operation.method, re.sub(r"\{[^}]*\}", "x", operation.path), **more)


# Credentials.


@pytest.mark.parametrize("operation_id", SECURED)
def test_no_operation_says_anything_to_a_caller_it_does_not_know(emulator: Running, operation_id: str) -> None:
    with httpx.Client(base_url=emulator.url) as client:
        # Neither an account that is not there nor a body of the wrong kind is found out before the credential.
        answer = call(
            client, OPERATIONS[operation_id], headers={"X-Chaser-Account": "nobody", "Content-Type": "text/x"}
        )
    refused(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer unknown",
        "Bearer sk_0000000000000000000000000000000000000000",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.",
        "Basic {key}",
        "{key}",
        "Bearer{key}",
        "Bearer {key}x",
        "Bearer {prefix}",
        "Token {key}",
    ],
)
def test_a_credential_that_is_not_good_is_refused_alike(emulator: Running, header: str) -> None:
    text = header.format(key=emulator.api_key, prefix=emulator.api_key[:10])
    with httpx.Client(base_url=emulator.url) as client:
        without = client.get("/v1/accounts")
        answer = client.get("/v1/accounts", headers={"Authorization": text})
    body = refused(answer, 401, "unauthorized")
    assert body["message"] == refused(without, 401, "unauthorized")["message"]
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer   {}"])
def test_the_scheme_is_read_without_regard_to_case_and_spaces(emulator: Running, form: str) -> None:
    with httpx.Client(base_url=emulator.url) as client:
        ok(client.get("/v1/accounts", headers={"Authorization": form.format(emulator.api_key)}))


def test_bytes_that_are_no_text_are_no_credential(emulator: Running) -> None:
    with httpx.Client(base_url=emulator.url) as client:
        refused(client.get("/v1/accounts", headers={b"Authorization": b"Bearer \xff\xfe"}), 401, "unauthorized")


def test_the_official_client_tells_a_bad_key(emulator: Running) -> None:
    with pytest.raises(ChaserApiError) as error:
        sdk_of(emulator, "sk_wrong").accounts.list()
    assert (error.value.status, error.value.code) == (401, "unauthorized")
    assert GENERATED_ID.fullmatch(str(error.value.request_id))


# Accounts.


def test_an_account_is_chosen_by_id_by_exact_name_or_by_the_word_personal(organization: Organization) -> None:
    own = organization.people["owner"]
    for selector, personal in (
        (organization.id, False),
        (organization.id.upper(), False),
        (organization.name, False),
        ("personal", True),
        ("Personal", True),
        ("PERSONAL", True),
        ("", True),
    ):
        answer = organization.owner.get("/v1/accounts/current", headers={"X-Chaser-Account": selector})
        assert ok(answer)["account"]["personal"] is personal, selector
    for unknown in (organization.name.upper(), organization.name[:-1], str(uuid.uuid4()), own.user_id, "*", "%"):
        answer = organization.owner.get("/v1/accounts/current", headers={"X-Chaser-Account": unknown})
        assert "X-Chaser-Account" in refused(answer, 404, "not_found")["message"]


def test_an_unknown_account_and_anothers_look_the_same(organization: Organization, emulator: Running) -> None:
    with organization_of(emulator) as other:
        messages = []
        for selector in (other.id, str(uuid.uuid4())):
            answer = organization.owner.get("/v1/accounts/current", headers={"X-Chaser-Account": selector})
            messages.append(refused(answer, 404, "not_found")["message"].replace(selector, "…"))
    assert messages[0] == messages[1]


def test_an_id_wins_over_a_name_of_the_same_form(emulator: Running) -> None:
    with http_of(emulator, person(emulator).key) as client:
        real = ok(client.post("/v1/accounts/organizations", json={"name": "real"}))["account"]["id"]
        ok(client.post("/v1/accounts/organizations", json={"name": real}))
        chosen = ok(client.get("/v1/accounts/current", headers={"X-Chaser-Account": real}))["account"]
    assert chosen["name"] == "real"


@pytest.mark.parametrize("name", ["Söhne", "voilà", "東京"])
def test_a_name_beyond_ascii_is_understood_in_either_encoding(emulator: Running, name: str) -> None:
    with http_of(emulator, person(emulator).key) as client:
        ok(client.post("/v1/accounts/organizations", json={"name": name}))
        encodings = ["utf-8"] if name == "東京" else ["utf-8", "latin-1"]
        for encoding in encodings:
            sent = {b"X-Chaser-Account": name.encode(encoding)}
            assert ok(client.get("/v1/accounts/current", headers=sent))["account"]["name"] == name


def test_an_unbound_key_acts_in_the_personal_account_by_default(client: httpx.Client, sdk: ChaserClient) -> None:
    assert ok(client.get("/v1/accounts/current"))["account"]["personal"] is True
    assert sdk.accounts.current()["personal"] is True


def test_a_bound_key_acts_in_its_account_and_in_no_other(organization: Organization, emulator: Running) -> None:
    second = ok(organization.owner.post("/v1/accounts/organizations", json={"name": "second"}))["account"]
    secret = ok(organization.owner.post("/v1/keys", json={}))["key"]
    with http_of(emulator, secret) as bound:
        assert ok(bound.get("/v1/accounts/current"))["account"]["id"] == organization.id
        for selector in (organization.id, organization.name, ""):
            answer = bound.get("/v1/accounts/current", headers={"X-Chaser-Account": selector})
            assert ok(answer)["account"]["id"] == organization.id
        for selector in (second["id"], "second", "personal"):
            answer = bound.get("/v1/accounts/current", headers={"X-Chaser-Account": selector})
            refused(answer, 403, "account_mismatch")
        for selector in (str(uuid.uuid4()), "nobody"):
            refused(bound.get("/v1/accounts/current", headers={"X-Chaser-Account": selector}), 404, "not_found")
    with pytest.raises(ChaserApiError) as error:
        sdk_of(emulator, secret).with_account("personal").accounts.current()
    assert (error.value.status, error.value.code) == (403, "account_mismatch")


def test_a_key_of_the_personal_account_stays_in_it(organization: Organization, emulator: Running) -> None:
    secret = ok(organization.owner.post("/v1/keys", json={}, headers={"X-Chaser-Account": "personal"}))["key"]
    with http_of(emulator, secret) as bound:
        assert ok(bound.get("/v1/accounts/current"))["account"]["personal"] is True
        refused(bound.get("/v1/keys", headers={"X-Chaser-Account": organization.id}), 403, "account_mismatch")


def test_what_an_account_owns_is_seen_in_it_alone(organization: Organization) -> None:
    made = ok(organization.member.post("/v1/workspaces", json={"session_type": "sandbox"}))["id"]
    assert [one["id"] for one in ok(organization.owner.get("/v1/workspaces"))] == [made]
    assert ok(organization.member.get("/v1/workspaces", headers={"X-Chaser-Account": "personal"})) == []
    refused(
        organization.member.delete(f"/v1/workspaces/{made}", headers={"X-Chaser-Account": "personal"}),
        404,
        "not_found",
    )


# Rights.


@pytest.fixture(scope="module")
def narrow(emulator: Running) -> Iterator[dict[str, httpx.Client]]:
    """For each scope a client that has all the others; under `full` one that has all of them, which is not the same."""
    with http_of(emulator, person(emulator).key) as maker:
        clients = {}
        for scope in (*SCOPES, "full"):
            others = [one for one in SCOPES if one != scope]
            clients[scope] = http_of(emulator, ok(maker.post("/v1/keys", json={"scopes": others}))["key"])
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize(
    "operation_id", sorted(name for name, one in OPERATIONS.items() if one.scope not in (None, "dynamic"))
)
def test_a_key_without_the_scope_of_an_operation_is_told_which_one(
    narrow: dict[str, httpx.Client], operation_id: str
) -> None:
    operation = OPERATIONS[operation_id]
    body = refused(call(narrow[str(operation.scope)], operation), 403, "insufficient_scope")
    assert body["details"] == {"required": operation.scope}
    assert str(operation.scope) in body["message"] or operation.scope == "full"


@pytest.mark.parametrize("operation_id", sorted(name for name, one in OPERATIONS.items() if not one.service_accounts))
def test_what_is_for_people_is_closed_to_service_accounts(robot: httpx.Client, operation_id: str) -> None:
    refused(call(robot, OPERATIONS[operation_id]), 403, "forbidden")


@pytest.fixture(scope="module")
def robot(emulator: Running) -> Iterator[httpx.Client]:
    """A client with a service account's key of full access."""
    path = "/v1/accounts/current/service-accounts"
    with organization_of(emulator) as organization:
        made = ok(organization.owner.post(path, json={"name": "ci"}))["service_account"]["id"]
        secret = ok(organization.owner.post(f"{path}/{made}/keys", json={}))["key"]
        with http_of(emulator, secret) as client:
            yield client


@pytest.mark.parametrize("operation_id", sorted(name for name, one in OPERATIONS.items() if one.roles is not None))
def test_what_needs_a_role_is_closed_to_plain_members(plain: httpx.Client, operation_id: str) -> None:
    refused(call(plain, OPERATIONS[operation_id]), 403, "forbidden")


@pytest.fixture(scope="module")
def plain(emulator: Running) -> Iterator[httpx.Client]:
    """A plain member of an organization."""
    with organization_of(emulator) as organization:
        yield organization.member


# Routes.


@pytest.mark.parametrize("path", sorted(paths()))
def test_a_wrong_method_is_told_every_right_one(client: httpx.Client, path: str) -> None:
    known = paths()[path]
    for method in METHODS:
        if method not in known:
            answer = client.request(method, re.sub(r"\{[^}]*\}", "x", path))
            assert answer.status_code == 405, method
            assert answer.headers["allow"].split(", ") == sorted(known)
            assert GENERATED_ID.fullmatch(answer.headers["x-request-id"])
            if method != "HEAD":
                refused(answer, 405, "method_not_allowed")


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/nothing", "/v2/accounts", "/v1/accounts/", "/V1/accounts", "//v1/accounts", "/v1/keys/a/b"],
)
def test_an_unknown_path_is_not_found_and_not_redirected(client: httpx.Client, path: str) -> None:
    for method in ("GET", "POST"):
        refused(client.request(method, client.base_url.copy_with(raw_path=path.encode())), 404, "not_found")


@pytest.mark.parametrize(
    ("segment", "shown"),
    [("a%2Fb", "a/b"), ("a%252Fb", "a%2Fb"), ("%20", " "), ("%E2%9C%93", "✓"), ("%00", "\x00"), ("%FF", "\ufffd")],
)
def test_an_id_is_decoded_once_and_stays_one_segment(client: httpx.Client, segment: str, shown: str) -> None:
    url = client.base_url.copy_with(raw_path=f"/v1/keys/{segment}".encode())
    assert repr(shown) in refused(client.delete(url), 404, "not_found")["message"]


def test_an_id_longer_than_any_is_refused(client: httpx.Client) -> None:
    body = refused(client.delete(f"/v1/keys/{'x' * 257}"), 400, "invalid_request")
    assert [(one["in"], one["pointer"]) for one in body["details"]] == [("path", "id")]


# Request ids.


@pytest.mark.parametrize("sent", ["a", "trace-1234", "x" * 128, "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
def test_a_good_request_id_is_kept(client: httpx.Client, sent: str) -> None:
    answer = client.get("/v1/accounts", headers={"x-request-id": sent})
    assert answer.headers["x-request-id"] == sent
    answer = client.get("/v1/sessions/unknown", headers={"x-request-id": sent})
    assert refused(answer, 404, "not_found")["request_id"] == sent


@pytest.mark.parametrize("sent", [b"", b"x" * 129, b"two words", b"gr\xc3\xbc\xc3\x9fe", b"tab\there"])
def test_another_request_id_is_replaced(client: httpx.Client, sent: bytes) -> None:
    answer = client.get("/v1/accounts", headers={b"x-request-id": sent})
    assert GENERATED_ID.fullmatch(answer.headers["x-request-id"])


def test_every_answer_has_an_id_of_its_own_and_names_the_emulator(client: httpx.Client, emulator: Running) -> None:
    with httpx.Client(base_url=emulator.url) as unknown:
        answers = [
            client.get("/v1/accounts"),
            client.get("/v1/nothing"),
            client.put("/v1/accounts"),
            unknown.get("/v1/accounts"),
            client.get("/v1/accounts", headers={"Host": "evil.example"}),
            client.get("/api-docs/openapi.json"),
        ]
    assert [answer.status_code for answer in answers] == [200, 404, 405, 401, 403, 200]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == len(answers)
    assert all(GENERATED_ID.fullmatch(one) for one in ids)
    assert {answer.headers["x-chaser-emulator"] for answer in answers} == {answers[0].headers["x-chaser-emulator"]}


# Hosts.


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8000", "a.b.localhost:80",
     "192.168.1.20:8000"],
)  # fmt: skip
def test_names_of_this_machine_and_addresses_are_answered(client: httpx.Client, host: str) -> None:
    ok(client.get("/v1/accounts", headers={"Host": host}))


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "notlocalhost", "127.0.0.1.evil.example",
     "[::1].evil.example", "localhost:80@evil.example", "[]", ":80", "[::1"],
)  # fmt: skip
def test_another_sites_name_is_not_answered(client: httpx.Client, host: str) -> None:
    body = refused(client.get("/v1/accounts", headers={"Host": host}), 403, "forbidden")
    assert host in body["message"]


def test_a_configured_name_is_answered() -> None:
    with emulator_on("scripted", allowed_hosts=("Chaser.Test",)) as emulator, http_of(emulator) as client:
        ok(client.get("/v1/accounts", headers={"Host": "chaser.test:8000"}))
        refused(client.get("/v1/accounts", headers={"Host": "other.test"}), 403, "forbidden")


# Bodies.


def post(
    client: httpx.Client, content: bytes | Iterator[bytes], media_type: str | None = "application/json"
) -> httpx.Response:
    """A raw body, to an operation that takes JSON."""
    headers = {} if media_type is None else {"Content-Type": media_type}
    return client.post("/v1/keys", content=content, headers=headers)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"name=x",
        b"{'name': 'x'}",
        b'{"name": "x",}',
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"{} {}",
        b" ",
        b"\x00",
        b'{"name": "a\nb"}',
    ],
)
def test_a_body_that_is_no_json_is_refused(client: httpx.Client, content: bytes) -> None:
    refused(post(client, content), 400, "invalid_json")


@pytest.mark.parametrize("depth", [65, 1_000, 100_000])
def test_a_body_that_is_nested_too_deeply_is_refused(client: httpx.Client, depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        refused(post(client, opening * depth + b"1" * (opening != b"[") + closing * depth), 400, "invalid_json")


def test_a_body_that_is_nested_as_deeply_as_is_allowed_is_read(client: httpx.Client) -> None:
    ok(post(client, b'{"more":' + b"[" * 63 + b"]" * 63 + b"}"))


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON ; x=y"]
)
def test_json_is_recognised(client: httpx.Client, media_type: str) -> None:
    ok(post(client, b"{}", media_type))


@pytest.mark.parametrize(
    "media_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/merge-patch+json",
     "multipart/form-data; boundary=x"],
)  # fmt: skip
def test_another_content_type_is_refused(client: httpx.Client, media_type: str | None) -> None:
    refused(post(client, b"{}", media_type), 415, "unsupported_media_type")


def test_a_missing_body_is_refused(client: httpx.Client) -> None:
    for media_type in (None, "application/json"):
        body = refused(post(client, b"", media_type), 400, "invalid_request")
        assert body["details"][0]["in"] == "body"


def test_unknown_fields_are_ignored(client: httpx.Client) -> None:
    assert ok(client.post("/v1/keys", json={"name": "x", "colour": "red", "scope": "all"}))["name"] == "x"


def test_every_problem_of_a_body_is_named(client: httpx.Client) -> None:
    body = refused(client.post("/v1/keys", json={"name": 7, "scopes": "all"}), 400, "invalid_request")
    assert sorted(one["pointer"] for one in body["details"]) == ["/name", "/scopes"]
    assert {one["in"] for one in body["details"]} == {"body"}
    assert body["message"].startswith("body /")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_that_is_too_large_is_refused(client: httpx.Client, streamed: bool) -> None:
    limit = 2 * 2**20
    fitting = json.dumps({"more": ""}).encode()
    padding = limit - len(fitting)
    small = json.dumps({"more": "x" * padding}).encode()
    large = json.dumps({"more": "x" * (padding + 1)}).encode()
    assert len(small) == limit
    ok(post(client, iter([small]) if streamed else small))
    body = refused(post(client, iter([large]) if streamed else large), 413, "payload_too_large")
    assert body["details"] == {"limit": limit}


def test_a_refused_body_leaves_the_connection_usable(client: httpx.Client) -> None:
    for size in (3, 3, 40):
        refused(post(client, b"x" * (size * 2**20)), 413, "payload_too_large")
        ok(client.get("/v1/accounts"))


def test_an_operation_of_the_document_that_takes_no_body_ignores_one(client: httpx.Client) -> None:
    ok(client.request("GET", "/v1/accounts", content=b"not json", headers={"Content-Type": "text/plain"}))
