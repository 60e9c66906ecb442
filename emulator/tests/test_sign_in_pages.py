"""The pages that stand in for Google, GitHub and OpenAI: clicked through in a real browser, and what they refuse."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
import pytest
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient
from emulators import emulator_on
from people import ok, refused
from playwright.sync_api import Browser, Page
from sign_ins import address, bearer, choose, nobody, query_of, register, start


@pytest.fixture
def visitor(emulator: Running) -> Iterator[httpx.Client]:
    with nobody(emulator) as one:
        yield one


@pytest.fixture
def page(browser: Browser, emulator: Running) -> Iterator[Page]:
    """A page that runs no script, in a browser that keeps nothing."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    yield context.new_page()
    assert context.cookies() == []
    context.close()


class App:
    """A developer's program on a port of its own, which keeps what browsers ask it for and may send them on."""

    def __init__(self, then: str | None = None) -> None:
        asked: list[tuple[str, dict[str, str]]] = []

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, dict(self.headers)))
                self.send_response(302 if then else 200)
                if then:
                    self.send_header("Location", then)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<h1>Welcome back</h1>")

            def log_message(self, *_args: Any) -> None:
                pass

        self.asked = asked
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def app(then: str | None = None) -> Iterator[App]:
    one = App(then)
    try:
        yield one
    finally:
        one.close()


def shown(page: Page) -> Any:
    """The JSON that a page shows."""
    return json.loads(page.inner_text("body"))


# In a browser


def test_an_account_is_chosen_at_google_and_its_token_works_in_every_account(
    page: Page, emulator: Running, visitor: httpx.Client
) -> None:
    owner = bearer(register(visitor)["access_token"])
    team = ok(visitor.post("/v1/accounts/organizations", json={"name": "team"}, headers=owner))["account"]["id"]
    made = register(visitor, name="Ada Lovelace")
    email = made["user"]["email"]
    added = {"email": email, "role": "admin"}
    ok(visitor.post("/v1/accounts/current/members", json=added, headers=owner | {"X-Chaser-Account": team}))
    page.goto(f"{emulator.url}/auth/google/login")
    assert page.title().startswith("Sign in with Google")
    address_of_page = page.url
    page.get_by_role("button", name=email).click()
    signed_in = shown(page)
    assert signed_in["user"] == made["user"]
    token = signed_in["access_token"]
    assert ok(visitor.get("/v1/accounts/current", headers=bearer(token, "personal")))["account"]["personal"]
    chosen = ok(visitor.get("/v1/accounts/current", headers=bearer(token, team)))["account"]
    assert (chosen["id"], chosen["role"]) == (team, "admin")
    sdk = ChaserClient(base_url=emulator.url, token=token, account="team", timeout=60)
    assert sdk.accounts.current()["id"] == team
    page.goto(address_of_page)
    assert "Start it again" in page.inner_text("body")


def test_a_new_address_is_typed_at_github_and_arrives_at_the_app(page: Page, emulator: Running) -> None:
    email = address()
    with app() as done, nobody(emulator) as visitor:
        wanted = f"http://localhost:{done.port}/signed-in"
        page.goto(f"{emulator.url}/auth/github/login?{urlencode({'redirect_uri': wanted})}")
        page.get_by_label("Use another address").fill(email)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{wanted}#**")
        place, _, fragment = page.url.partition("#")
        assert place == wanted
        assert page.inner_text("h1") == "Welcome back"
        token = parse_qs(fragment)["access_token"][0]
        assert ok(visitor.get("/auth/me", headers=bearer(token)))["user"]["email"] == email
    [(path, headers), *_] = [one for one in done.asked if "favicon" not in one[0]]
    assert path == "/signed-in"
    assert "Referer" not in headers


def test_an_app_may_send_the_browser_on_to_another_port(page: Page, emulator: Running) -> None:
    with app() as front, app(f"http://127.0.0.1:{front.port}/home") as back:
        wanted = f"http://app.localhost:{back.port}/x"
        page.goto(f"{emulator.url}/auth/google/login?{urlencode({'redirect_uri': wanted})}")
        page.get_by_role("button", name="developer@localhost").click()
        page.wait_for_url(f"http://127.0.0.1:{front.port}/home#**")


def test_a_sign_in_is_canceled(page: Page, emulator: Running) -> None:
    page.goto(f"{emulator.url}/auth/google/login")
    page.get_by_role("button", name="Cancel").click()
    refusal = shown(page)
    assert (refusal["code"], "turned down" in refusal["message"]) == ("unauthorized", True)
    page.goto(f"{emulator.url}/auth/google/login")
    # With an address half typed as well.
    page.get_by_label("Use another address").fill("not an address")
    page.get_by_role("button", name="Cancel").click()
    assert shown(page)["code"] == "unauthorized"


def test_an_address_that_is_none_is_asked_for_again(page: Page, emulator: Running) -> None:
    page.goto(f"{emulator.url}/auth/google/login")
    # Good enough for a browser, not for Chaser.
    page.get_by_label("Use another address").fill("a" * 65 + "@example.com")
    page.get_by_role("button", name="Continue").click()
    assert "This is no e-mail address." in page.inner_text("body")
    assert page.get_by_label("Use another address").input_value() == "a" * 65 + "@example.com"
    email = address()
    page.get_by_label("Use another address").fill(email)
    page.get_by_role("button", name="Continue").click()
    assert shown(page)["user"]["email"] == email


def test_codex_is_connected_in_a_browser(page: Page, emulator: Running, visitor: httpx.Client) -> None:
    token = register(visitor)["access_token"]
    begun = ok(visitor.get("/auth/codex/login-url", headers=bearer(token)))
    page.goto(begun["authorization_url"])
    assert page.inner_text("h1") == "Connect OpenAI Codex"
    page.get_by_label("Use another address").fill("ada@openai.example")
    page.get_by_role("button", name="Continue").click()
    assert shown(page)["status"] == "connected"


def test_a_program_catches_the_browser_of_codex(page: Page, emulator: Running, visitor: httpx.Client) -> None:
    token = register(visitor)["access_token"]
    with app() as program:
        wanted = f"http://localhost:{program.port}/auth/callback"
        begun = ok(visitor.get("/auth/codex/login-url", params={"redirect_uri": wanted}, headers=bearer(token)))
        page.goto(begun["authorization_url"])
        page.get_by_role("button", name="developer@localhost").click()
        page.wait_for_url(f"{wanted}?**")
        caught = query_of(program.asked[0][0])
    body = {**caught, "code_verifier": begun["code_verifier"]}
    assert ok(visitor.post("/auth/codex/callback", json=body))["provider"] == "codex"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_and_keeps_its_policy(
    browser: Browser, emulator: Running, visitor: httpx.Client, scheme: Any, width: int
) -> None:
    for name in ("<script>alert(1)</script>", "W" * 128):
        register(visitor, "w" * 64 + "@" + address().replace("@", "."), name=name)
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 740})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto(start(visitor, "google"))
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in ground[4:-1].split(",")) < 384) is (scheme == "dark")
    assert complaints == []
    context.close()


# What the pages refuse


def test_a_script_of_a_page_of_the_same_origin_chooses_for_nobody(browser: Browser, emulator: Running) -> None:
    context = browser.new_context()
    page = context.new_page()
    # As a preview of a sandbox by its path is one.
    page.goto(f"{emulator.url}/api-docs/openapi.json")
    started = page.evaluate("fetch('/auth/google/login').then((answer) => answer.status)")
    sent = page.evaluate(
        """fetch('/_emulator/sign-in/google', {method: 'POST', body: new URLSearchParams({email: 'a@example.com'})})
            .then((answer) => answer.status)"""
    )
    assert (started, sent) == (403, 403)
    context.close()


def altered(url: str, **query: str) -> str:
    return f"{url.partition('?')[0]}?{urlencode(query_of(url) | query)}"


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://localhost:4321/"},
        {"redirect_uri": "{base}/auth/github/callback"},
        {"redirect_uri": "{base}/auth/google/callback/"},
        {"redirect_uri": "{base}/_emulator/clock"},
        {"redirect_uri": ""},
        {"response_type": "token"},
        {"client_id": "somebody"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"code_challenge": "x" * 42},
    ],
)
def test_a_page_is_no_way_to_anywhere_else(visitor: httpx.Client, emulator: Running, change: dict[str, str]) -> None:
    good = start(visitor, "google")
    url = altered(good, **{name: value.format(base=emulator.url) for name, value in change.items()})
    answer = visitor.get(url)
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert next(iter(change)) in answer.text
    assert "<form" not in answer.text
    assert visitor.get(f"{good}&redirect_uri=https%3A%2F%2Fevil.example").status_code == 400
    # What a form says of where to go does not count.
    back = choose(visitor, good, address(), redirect_uri="https://evil.example/")
    assert back.startswith(f"{emulator.url}/auth/google/callback?")


def test_a_page_says_nothing_of_users_without_a_sign_in_under_way(visitor: httpx.Client) -> None:
    email = register(visitor)["user"]["email"]
    for url in ("/_emulator/sign-in/google", "/_emulator/sign-in/google?state=x"):
        answer = visitor.get(url)
        assert answer.status_code == 400
        assert email not in answer.text
    refused(visitor.get("/_emulator/sign-in/facebook"), 404, "not_found")
    wrong = visitor.delete("/_emulator/sign-in/google")
    refused(wrong, 405, "method_not_allowed")
    assert set(wrong.headers["allow"].split(", ")) >= {"GET", "POST"}


def test_a_page_takes_forms_of_its_own_alone(visitor: httpx.Client) -> None:
    page = start(visitor, "google")
    query = query_of(page)
    url = page.partition("?")[0]
    form = {"state": query["state"], "code_challenge": query["code_challenge"], "email": address()}
    refused(visitor.post(url, json=form), 415, "unsupported_media_type")
    refused(visitor.post(url, data=form, headers={"Origin": "https://evil.example"}), 403, "forbidden")
    refused(visitor.post(url, data=form, headers={"Origin": "null"}), 403, "forbidden")
    refused(visitor.post(url, data=form, headers={"X-Chaser-Delivery": "1"}), 403, "forbidden")
    plain = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(visitor.post(url, content=b"state=%ff", headers=plain), 400, "invalid_request")
    refused(visitor.post(url, content=b"a=1&" * 5000, headers=plain), 400, "invalid_request")
    refused(visitor.post(url, content=b"a" * (3 * 2**20), headers=plain), 413, "payload_too_large")
    for email in ("", "ada", "a\r\nb@example.com", "<b>@example.com", "a" * 300 + "@example.com", "ä@example.com"):
        answer = visitor.post(url, data=form | {"email": email})
        assert (answer.status_code, "location" in answer.headers) == (400, False)
        assert "<b>" not in answer.text
    ok(visitor.get(choose(visitor, page, address())))


def test_a_page_is_kept_and_framed_by_nobody(visitor: httpx.Client) -> None:
    answer = visitor.get(start(visitor, "google"))
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "script" not in answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers


def test_a_page_lists_the_first_user_and_the_newest() -> None:
    with emulator_on("scripted") as one, nobody(one) as visitor:
        users = [register(visitor, name=f"Nr. {number} & <sons>")["user"]["email"] for number in range(25)]
        listed = visitor.get(start(visitor, "google")).text
        assert "developer@localhost" in listed
        assert [email in listed for email in users] == [False] * 6 + [True] * 19
        assert html.escape("Nr. 24 & <sons>") in listed
