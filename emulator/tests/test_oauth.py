"""Signing in at a provider: states and codes that work once and together, where the token goes, and the Codex login."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from chaser_emulator.clock import moment
from chaser_emulator.server import Running
from chaser_emulator.store import Row
from click.testing import CliRunner
from databases import ask
from emulators import emulator_on, http_of
from people import Organization, ok, refused
from sign_ins import address, bearer, choose, nobody, query_of, register, sign_in, start
from test_readme import block

TEN_MINUTES = 600
PROVIDERS = ("google", "github")


@pytest.fixture
def visitor(emulator: Running) -> Iterator[httpx.Client]:
    with nobody(emulator) as one:
        yield one


@pytest.fixture
def fresh() -> Iterator[Running]:
    """An emulator of the test's own, whose clock it may move."""
    with emulator_on("scripted") as one:
        yield one


def changed(url: str, **query: str | None) -> str:
    """The address with other values in its query; None leaves one out."""
    merged = {name: value for name, value in (query_of(url) | query).items() if value is not None}
    return f"{url.partition('?')[0]}?{urlencode(merged)}"


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


# Google and GitHub


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_start_leads_to_the_page_with_state_and_challenge(
    visitor: httpx.Client, emulator: Running, provider: str
) -> None:
    answer = visitor.get(f"/auth/{provider}/login")
    assert answer.status_code == 302
    assert "set-cookie" not in answer.headers
    page = answer.headers["location"]
    assert page.startswith(f"{emulator.url}/_emulator/sign-in/{provider}?")
    query = query_of(page)
    assert query["redirect_uri"] == f"{emulator.url}/auth/{provider}/callback"
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    assert len(query["state"]) >= 32
    assert len(query["code_challenge"]) == 43
    again = query_of(start(visitor, provider))
    assert again["state"] != query["state"]
    assert again["code_challenge"] != query["code_challenge"]


def test_a_provider_finds_or_makes_the_user_of_an_address(visitor: httpx.Client) -> None:
    email = address()
    made = sign_in(visitor, "google", email)
    assert made["user"]["email"] == email
    assert sign_in(visitor, "github", email.upper())["user"] == made["user"]
    me = ok(visitor.get("/auth/me", headers=bearer(made["access_token"])))
    assert [one["kind"] for one in me["accounts"]] == ["personal"]
    # On the free plan.
    answer = visitor.post("/v1/workspaces", json={"session_type": "sandbox"}, headers=bearer(made["access_token"]))
    refused(answer, 403, "plan_limit_exceeded")


def test_somebody_added_by_address_finds_the_membership_by_a_provider(
    visitor: httpx.Client, organization: Organization
) -> None:
    email = address()
    ok(organization.owner.post("/v1/accounts/current/members", json={"email": email}))
    token = sign_in(visitor, "github", email)["access_token"]
    assert (
        ok(visitor.get("/v1/accounts/current", headers=bearer(token, organization.id)))["account"]["role"] == "member"
    )


def test_the_first_user_signs_in_at_a_provider(visitor: httpx.Client, client: httpx.Client) -> None:
    token = sign_in(visitor, "google", "developer@localhost")["access_token"]
    assert ok(visitor.get("/auth/me", headers=bearer(token)))["user"] == ok(client.get("/auth/me"))["user"]


def test_a_sign_in_with_a_redirect_uri_ends_there_with_the_token_in_the_fragment(visitor: httpx.Client) -> None:
    wanted = "http://localhost:4321/done?from=chaser&x=%2Fy"
    answer = visitor.get(choose(visitor, start(visitor, "google", wanted), address()))
    assert answer.status_code == 302
    assert answer.content == b""
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    place, _, fragment = answer.headers["location"].partition("#")
    assert place == wanted
    told = {name: value for name, [value] in parse_qs(fragment, strict_parsing=True).items()}
    assert (set(told), told["token_type"]) == ({"access_token", "token_type", "expires_in"}, "Bearer")
    assert told["expires_in"] == "86400"
    ok(visitor.get("/v1/accounts", headers=bearer(told["access_token"])))


def test_the_example_of_the_readme_signs_in_without_a_browser(emulator: Running) -> None:
    example = block("sh", "auth/google/login").replace("http://localhost:8000", emulator.url)
    ran = subprocess.run(["bash", "-euc", example], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout)["user"]["email"] == "ada@example.com"
    turned_down = example.replace("email=ada@example.com", "cancel=yes")
    ran = subprocess.run(["bash", "-euc", turned_down], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout)["code"] == "unauthorized"


# What does not belong together


def test_a_sign_in_works_once(visitor: httpx.Client) -> None:
    back = choose(visitor, start(visitor, "google"), address())
    ok(visitor.get(back))
    assert "state" in refused(visitor.get(back), 401, "unauthorized")["message"]


def test_of_two_who_come_back_at_once_one_is_signed_in(emulator: Running, visitor: httpx.Client) -> None:
    def come(back: str) -> int:
        with nobody(emulator) as one:
            return one.get(back).status_code

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            back = choose(visitor, start(visitor, "github"), address())
            assert sorted(pool.map(come, [back] * 8)) == [200] + [401] * 7


def test_a_state_ends_after_ten_minutes(fresh: Running) -> None:
    with nobody(fresh) as visitor:
        early, late = start(visitor, "google"), start(visitor, "google")
        ok(visitor.post("/_emulator/clock/advance", json={"seconds": TEN_MINUTES - 30}))
        back = choose(visitor, late, address())
        ok(visitor.get(choose(visitor, early, address())))
        ok(visitor.post("/_emulator/clock/advance", json={"seconds": 30}))
        refused(visitor.get(back), 401, "unauthorized")
        page = visitor.get(late)
        assert page.status_code == 400
        assert "Start it again" in page.text
        # The time is no shorter for those that begin now, and what is old is not kept.
        start(visitor, "google")
        assert len(_logins(fresh)) == 1


def _logins(emulator: Running) -> list[Row]:
    return ask(emulator, "SELECT * FROM logins")


@pytest.mark.parametrize(
    "change",
    [
        {"state": "unknown"},
        {"code": "unknown"},
        {"code": None},
        {"error": "access_denied"},
        {"error": "server_error", "code": None},
    ],
)
def test_what_comes_back_altered_is_refused(visitor: httpx.Client, change: dict[str, str | None]) -> None:
    back = choose(visitor, start(visitor, "google"), address())
    answer = visitor.get(changed(back, **change))
    refused(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    # Only another state leaves this one as it was: nobody guesses twice.
    assert visitor.get(back).status_code == (200 if "state" in change else 401)


def test_a_code_belongs_to_its_state_and_a_state_to_its_provider(visitor: httpx.Client) -> None:
    one, other = (choose(visitor, start(visitor, "google"), address()) for _ in range(2))
    refused(visitor.get(changed(one, code=query_of(other)["code"])), 401, "unauthorized")
    refused(visitor.get(other.replace("google", "github")), 401, "unauthorized")
    ok(visitor.get(other))
    page = start(visitor, "google")
    assert visitor.get(page.replace("sign-in/google", "sign-in/github")).status_code == 400


def test_a_state_without_a_choice_has_no_code(visitor: httpx.Client) -> None:
    page = start(visitor, "google")
    for code in ("", "None", "null"):
        back = f"/auth/google/callback?{urlencode({'state': query_of(page)['state'], 'code': code})}"
        assert visitor.get(back).status_code in (400, 401)


def test_a_code_for_another_challenge_is_refused(visitor: httpx.Client) -> None:
    page = changed(start(visitor, "google"), code_challenge=challenge_of("v" * 43))
    assert visitor.get(page).status_code == 200
    assert "code_challenge" in refused(visitor.get(choose(visitor, page, address())), 401, "unauthorized")["message"]


def test_the_last_choice_counts(visitor: httpx.Client) -> None:
    page, email = start(visitor, "google"), address()
    first = choose(visitor, page, address())
    second = choose(visitor, page, email)
    assert query_of(first)["code"] != query_of(second)["code"]
    assert ok(visitor.get(second))["user"]["email"] == email
    refused(visitor.get(first), 401, "unauthorized")


@pytest.mark.parametrize("redirect_uri", [None, "http://localhost:4321/done"])
def test_a_sign_in_that_is_turned_down_is_refused(visitor: httpx.Client, redirect_uri: str | None) -> None:
    page = start(visitor, "google", redirect_uri)
    back = choose(visitor, page, None)
    assert query_of(back) == {"error": "access_denied", "state": query_of(page)["state"]}
    assert "turned down" in refused(visitor.get(back), 401, "unauthorized")["message"]
    assert visitor.get(page).status_code == 400


@pytest.mark.parametrize("state", ["a\r\nSet-Cookie: x=1", "a b", "a\0b", "ä", "x" * 2049, "", "'--"])
def test_a_state_that_is_none_is_refused_and_not_repeated(visitor: httpx.Client, state: str) -> None:
    answer = visitor.get("/auth/google/callback", params={"state": state, "code": "x"})
    assert answer.status_code in (400, 401)
    assert "set-cookie" not in answer.headers
    if len(state) > 3:
        assert state not in answer.text
    page = visitor.get("/_emulator/sign-in/google", params={"state": state})
    assert page.status_code == 400
    form = {"state": state, "code_challenge": "c" * 43, "email": address()}
    sent = visitor.post("/_emulator/sign-in/google", data=form)
    assert (sent.status_code, "location" in sent.headers) == (400, False)


# Where a sign-in may lead


def attempt(client: httpx.Client, redirect_uri: str, **headers: str) -> httpx.Response:
    return client.get("/auth/google/login", params={"redirect_uri": redirect_uri}, headers=headers)


@pytest.mark.parametrize(
    "place",
    [
        "http://localhost:4321",
        "http://localhost:4321/done",
        "https://localhost/",
        "http://LOCALHOST:4321/",
        "http://app.localhost:3000/auth/callback?x=1",
        "http://127.0.0.1:1/",
        "http://127.200.3.4:65535/",
        "http://[::1]:4321/done",
        "http://localhost?x=http://evil.example@y",
    ],
)
def test_a_sign_in_leads_to_this_machine(visitor: httpx.Client, place: str) -> None:
    assert attempt(visitor, place).status_code == 302
    answer = visitor.get(choose(visitor, start(visitor, "google", place), address()))
    assert answer.headers["location"].partition("#")[0] == place


@pytest.mark.parametrize(
    "place",
    [
        "",
        "localhost:4321",
        "//localhost:4321/",
        "/done",
        "ftp://localhost/",
        "javascript:alert(1)",
        "data:text/html,x",
        "chrome://settings",
        "http://evil.example/",
        "https://evil.example:443/",
        "http://localhost.evil.example/",
        "http://evillocalhost/",
        "http://localhost-evil:4321/",
        "http://evil.example#localhost",
        "http://localhost:4321/#",
        "http://localhost:4321/#fragment",
        "http://localhost@evil.example/",
        "http://user:pass@localhost:4321/",
        "http://evil.example\\@localhost/",
        "http://localhost\\.evil.example/",
        "http://evil.example%2F@localhost/",
        "http://localhost%2eevil.example/",
        "http://local%68ost:4321/",
        "http://localhost:4321/\r\nSet-Cookie: x=1",
        "http://localhost:4321/\tx",
        " http://localhost:4321/",
        "http://localhost:4321/ ",
        "http://localhost:0/",
        "http://localhost:65536/",
        "http://localhost:04321/",
        "http://localhost:/",
        "http://0.0.0.0:4321/",
        "http://[::]:4321/",
        "http://[::ffff:127.0.0.1]:4321/",
        "http://[::1%25lo]:4321/",
        "http://128.0.0.1:4321/",
        "http://10.0.0.1:4321/",
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433:4321/",
        "http://0x7f000001:4321/",
        "http://0177.0.0.1:4321/",
        "http://127.1:4321/",
        "http://ｌocalhost:4321/",
        "http://local。host/",
        "HTTP://localhost:4321/",
        "http:/localhost:4321/",
        "http:///localhost:4321/",
        "http://",
        "http://localhost:4321/" + "x" * 2048,
    ],
)
def test_a_sign_in_leads_nowhere_else(visitor: httpx.Client, place: str) -> None:
    assert "redirect_uri" in refused(attempt(visitor, place), 400, "invalid_request")["message"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "127.0.0.1", "127.0.0.2", "[::1]", "x.localhost", "3000-a.localhost"]
)
@pytest.mark.parametrize("path", ["", "/_emulator/clock", "/auth/google/callback", "/s/x/"])
def test_a_sign_in_never_leads_to_the_emulator_itself(
    visitor: httpx.Client, emulator: Running, host: str, path: str
) -> None:
    port = urlsplit(emulator.url).port
    for scheme in ("http", "https"):
        refused(attempt(visitor, f"{scheme}://{host}:{port}{path}"), 400, "invalid_request")


def test_the_address_that_the_caller_sees_is_the_emulator_as_well(visitor: httpx.Client) -> None:
    # As through the mapped port of a container, and behind a proxy.
    refused(attempt(visitor, "http://127.0.0.1:9000/_emulator/", host="localhost:9000"), 400, "invalid_request")
    refused(attempt(visitor, "http://localhost/_emulator/", host="localhost"), 400, "invalid_request")
    proxied = {"host": "localhost", "x-forwarded-proto": "https"}
    refused(attempt(visitor, "https://localhost/_emulator/", **proxied), 400, "invalid_request")
    assert attempt(visitor, "http://127.0.0.1:9001/", host="localhost:9000").status_code == 302


def test_settings_let_a_sign_in_lead_elsewhere() -> None:
    allowed = ("https://app.example.com", "https://other.example.com/auth/done", "http://10.0.0.5:8080/")
    with emulator_on("scripted", allowed_redirects=allowed) as one, nobody(one) as visitor:
        for fine in (
            "https://app.example.com",
            "https://APP.example.com:443/any/path?x=1",
            "https://other.example.com/auth/done",
            "http://10.0.0.5:8080/done",
            "http://localhost:4321/",
        ):
            assert attempt(visitor, fine).status_code == 302, fine
        for wrong in (
            "http://app.example.com/",
            "https://app.example.com:444/",
            "https://app.example.com.evil.example/",
            "https://evil.app.example.com/",
            "https://other.example.com/",
            "https://other.example.com/auth/done/x",
            "https://other.example.com/auth/done?x=1",
            "https://other.example.com/auth/../auth/done",
            "http://10.0.0.5/",
        ):
            refused(attempt(visitor, wrong), 400, "invalid_request")


def test_no_setting_lets_a_sign_in_lead_to_the_emulator() -> None:
    allowed = ("http://localhost", "https://emulator.example.com", "http://0.0.0.0:8000")
    public = "https://emulator.example.com"
    with emulator_on("scripted", allowed_redirects=allowed, public_url=public) as one, nobody(one) as visitor:
        port = urlsplit(one.url).port
        refused(attempt(visitor, "https://emulator.example.com/_emulator/clock"), 400, "invalid_request")
        refused(attempt(visitor, f"http://localhost:{port}/"), 400, "invalid_request")
        page = start(visitor, "google", "http://localhost:4321/")
        assert page.startswith("https://emulator.example.com/_emulator/sign-in/google?")


@pytest.mark.parametrize(
    "wrong", ["app.example.com", "ftp://app.example.com", "https://a@b", "https://x/#y", "http://"]
)
def test_a_setting_that_is_no_address_is_refused_at_the_start(wrong: str) -> None:
    from chaser_emulator.cli import commands

    ran = CliRunner().invoke(commands, ["serve", "--ephemeral", "--allowed-redirect", wrong])
    assert ran.exit_code == 2
    assert "--allowed-redirect" in ran.output


# Codex


def login_url(client: httpx.Client, token: str, **query: str) -> dict[str, Any]:
    answer: dict[str, Any] = ok(client.get("/auth/codex/login-url", params=query, headers=bearer(token)))
    return answer


def connections(emulator: Running) -> list[Row]:
    """What is kept of all Codex logins."""
    return ask(emulator, "SELECT * FROM codex_connections ORDER BY created_at")


def test_a_codex_login_needs_a_caller(visitor: httpx.Client) -> None:
    refused(visitor.get("/auth/codex/login-url"), 401, "unauthorized")


def test_a_codex_login_comes_back_by_the_browser(fresh: Running) -> None:
    with nobody(fresh) as visitor:
        made = register(visitor)
        begun = login_url(visitor, made["access_token"])
        assert set(begun) == {"authorization_url", "state", "code_verifier", "expires_in"}
        assert begun["expires_in"] == TEN_MINUTES
        page = query_of(begun["authorization_url"])
        assert page["state"] == begun["state"]
        assert page["code_challenge"] == challenge_of(begun["code_verifier"])
        email = address()
        back = choose(visitor, begun["authorization_url"], email)
        connected = ok(visitor.get(back))
        assert (connected["status"], connected["provider"]) == ("connected", "codex")
        now = moment(ok(visitor.get("/_emulator/clock"))["now"])
        assert moment(connected["expires_at"]) > now
        refused(visitor.get(back), 401, "unauthorized")
        [kept] = connections(fresh)
        assert (kept["user_id"], kept["email"], kept["expires_at"]) == (
            made["user"]["id"], email, connected["expires_at"]
        )  # fmt: skip
        # Another login takes the place of the first.
        ok(visitor.get(choose(visitor, login_url(visitor, made["access_token"])["authorization_url"], address())))
        [other] = connections(fresh)
        assert other["token"] != kept["token"]
        # Whom OpenAI knows is no user here.
        assert ok(visitor.get("/auth/me", headers=bearer(made["access_token"])))["user"] == made["user"]
        refused(visitor.post("/auth/login", json={"email": email, "password": "x"}), 401, "invalid_credentials")


def test_a_program_catches_the_browser_and_finishes_with_the_verifier(visitor: httpx.Client) -> None:
    token = register(visitor)["access_token"]
    begun = login_url(visitor, token, redirect_uri="http://localhost:1455/auth/callback")
    back = choose(visitor, begun["authorization_url"], address())
    assert back.startswith("http://localhost:1455/auth/callback?")
    body = {**query_of(back), "code_verifier": begun["code_verifier"]}
    assert ok(visitor.post("/auth/codex/callback", json=body))["status"] == "connected"
    refused(visitor.post("/auth/codex/callback", json=body), 401, "unauthorized")


def test_a_codex_login_may_lead_where_a_sign_in_may(visitor: httpx.Client, emulator: Running) -> None:
    headers = bearer(register(visitor)["access_token"])
    for wrong in ("https://evil.example/", f"{emulator.url}/_emulator/clock", "http://localhost:1/#x"):
        answer = visitor.get("/auth/codex/login-url", params={"redirect_uri": wrong}, headers=headers)
        assert "redirect_uri" in refused(answer, 400, "invalid_request")["message"]


@pytest.mark.parametrize("wrong", [{"code": "other"}, {"state": "other"}, {"code_verifier": "v" * 43}])
def test_a_codex_login_that_does_not_belong_together_is_refused(visitor: httpx.Client, wrong: dict[str, str]) -> None:
    begun = login_url(visitor, register(visitor)["access_token"])
    caught = query_of(choose(visitor, begun["authorization_url"], address()))
    good = {**caught, "code_verifier": begun["code_verifier"]}
    refused(visitor.post("/auth/codex/callback", json=good | wrong), 401, "unauthorized")
    again = visitor.post("/auth/codex/callback", json=good)
    assert again.status_code == (200 if "state" in wrong else 401)


@pytest.mark.parametrize("field", ["code", "state", "code_verifier"])
def test_a_codex_callback_names_what_is_missing(visitor: httpx.Client, field: str) -> None:
    body = {"code": "c", "state": "s", "code_verifier": "v" * 43}
    del body[field]
    assert field in refused(visitor.post("/auth/codex/callback", json=body), 400, "invalid_request")["message"]


def test_a_codex_login_ends_after_ten_minutes(fresh: Running) -> None:
    with nobody(fresh) as visitor:
        begun = login_url(visitor, register(visitor)["access_token"])
        caught = query_of(choose(visitor, begun["authorization_url"], address()))
        ok(visitor.post("/_emulator/clock/advance", json={"seconds": TEN_MINUTES}))
        body = {**caught, "code_verifier": begun["code_verifier"]}
        refused(visitor.post("/auth/codex/callback", json=body), 401, "unauthorized")
        refused(visitor.get("/auth/codex/callback", params=caught), 401, "unauthorized")
        assert connections(fresh) == []


def test_of_two_who_finish_a_codex_login_at_once_one_does(emulator: Running, visitor: httpx.Client) -> None:
    begun = login_url(visitor, register(visitor)["access_token"])
    caught = query_of(choose(visitor, begun["authorization_url"], address()))

    def finish(number: int) -> int:
        with nobody(emulator) as one:
            if number % 2:
                return one.get("/auth/codex/callback", params=caught).status_code
            body = {**caught, "code_verifier": begun["code_verifier"]}
            return one.post("/auth/codex/callback", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(finish, range(8))) == [200] + [401] * 7


def test_what_is_connected_belongs_to_the_caller_in_the_account(fresh: Running) -> None:
    with nobody(fresh) as visitor, http_of(fresh) as first:
        team = ok(first.post("/v1/accounts/organizations", json={"name": "team"}))["account"]["id"]
        owner = {"X-Chaser-Account": team}
        robot = ok(first.post("/v1/accounts/current/service-accounts", json={"name": "robot"}, headers=owner))
        robot_id = robot["service_account"]["id"]
        keys = f"/v1/accounts/current/service-accounts/{robot_id}/keys"
        key = ok(first.post(keys, json={}, headers=owner))["key"]
        made = register(visitor)
        member = made["user"]["id"]
        ok(first.post("/v1/accounts/current/members", json={"email": made["user"]["email"]}, headers=owner))
        in_team = bearer(made["access_token"], team)

        def begin(headers: dict[str, str]) -> str:
            return str(ok(visitor.get("/auth/codex/login-url", headers=headers))["authorization_url"])

        for headers in (bearer(made["access_token"]), in_team, bearer(key)):
            ok(visitor.get(choose(visitor, begin(headers), address())))
        mine, ours, its = connections(fresh)
        assert (mine["user_id"], ours["user_id"], its["service_account_id"]) == (member, member, robot_id)
        assert (ours["account_id"], its["account_id"]) == (team, team)
        # Who leaves the account takes nothing along, and cannot finish what was begun in it.
        late = [choose(visitor, begin(headers), address()) for headers in (in_team, bearer(key))]
        ok(first.delete(f"/v1/accounts/current/members/{member}", headers=owner))
        ok(first.delete(f"/v1/accounts/current/service-accounts/{robot_id}", headers=owner))
        for back in late:
            refused(visitor.get(back), 401, "unauthorized")
        assert [row["account_id"] for row in connections(fresh)] == [mine["account_id"]]


def test_a_codex_login_that_is_under_way_outlives_a_restart(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, nobody(one) as visitor:
        begun = login_url(visitor, register(visitor)["access_token"])
        caught = query_of(choose(visitor, begun["authorization_url"], address()))
    with emulator_on("scripted", data_dir=tmp_path) as one, nobody(one) as visitor:
        assert ok(visitor.get("/auth/codex/callback", params=caught))["status"] == "connected"
