"""Sign-ins at a provider: a state that works once and for ten minutes, PKCE, and where a browser may be led."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chaser_contract.arranging import Arranged
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.promises.tokens import DAY, address, signed_in
from chaser_contract.subject import Subject

PROVIDERS = ("google", "github")
MINUTES = 10 * 60

HERE = ("http://127.0.0.1:4321/done", "http://localhost:4321/a?b=c", "http://[::1]:4321/", "http://app.localhost:1/x")
ELSEWHERE = (
    "https://example.com/", "http://127.0.0.1.example.com/", "http://localhost.example.com/", "//example.com/",
    "http://localhost@example.com/", "http://127.0.0.1:80@example.com/", "javascript:alert(1)", "file:///etc/passwd",
    "/done", "ftp://127.0.0.1/", "http://192.0.2.1/", "http://0.0.0.0:4321/", "http:\\\\example.com", "", "http://",
    "http://notlocalhost:4321/", "http://localhostile:4321/", "http://localhost.app:1/", "http://127.0.0.1.nip.io/",
)  # fmt: skip


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def finish(chaser: Subject, provider: str, returned: dict[str, Any]) -> Answer:
    return chaser.nobody.ask(f"finish-{provider}-login", query=returned)


def _over(answer: Answer, because: str) -> None:
    answer.must_be(401, "unauthorized", because=because)


@promise()
def a_sign_in_begins_at_a_page_with_a_state_and_a_challenge(chaser: Subject) -> None:
    """The start is 302 to a page with a fresh state, our callback as redirect_uri, and an S256 code challenge."""
    states: set[str] = set()
    for provider in PROVIDERS:
        for _ in range(2):
            with chaser.case():
                answer = chaser.nobody.ask(f"start-{provider}-login", expect=302)
                told = query_of(answer.headers["location"])
                wanted = {"state", "redirect_uri", "code_challenge", "code_challenge_method"}
                answer.require(wanted <= set(told), f"the page is led to with {sorted(wanted)}", f"{sorted(told)}")
                answer.require(told["code_challenge_method"] == "S256", "the challenge is one of S256")
                answer.require(len(told["code_challenge"]) == 43, "the challenge is 43 characters of base64url")
                answer.require(
                    urlsplit(told["redirect_uri"]).path == f"/auth/{provider}/callback", "it leads back to the callback"
                )
                answer.require(
                    told["state"] not in states and len(told["state"]) >= 16, "each sign-in has a state of its own"
                )
                answer.require("set-cookie" not in answer.headers, "no route of auth sets a cookie")
                states.add(told["state"])


@promise("emulator")
def who_comes_back_is_signed_in(chaser: Subject) -> None:
    """The callback answers as a sign-in by password does; the address decides who it is, also an existing user."""
    arranged = Arranged(chaser)
    for provider in PROVIDERS:
        with chaser.case():
            email = address(chaser)
            answer = finish(chaser, provider, arranged.returned(provider, arranged.started(provider), email))
            told = signed_in(answer, email)
            me = chaser.as_(told["access_token"]).ask("get-me", expect=200)
            me.require(me.json["user"] == told["user"], "the token is that of who signed in")
            again = finish(chaser, provider, arranged.returned(provider, arranged.started(provider), email.upper()))
            again.require(
                signed_in(again, email)["user"]["id"] == told["user"]["id"], "an address is one user, in any case"
            )
    with chaser.case():
        user = arranged.new_user()
        answer = finish(chaser, "google", arranged.returned("google", arranged.started("google"), user["email"]))
        told = signed_in(answer, user["email"])
        answer.require(told["user"]["id"] == user["user"]["id"], "who has registered is who signs in with the address")


@promise("emulator")
def a_state_works_once_and_with_its_own_code(chaser: Subject) -> None:
    """A state that is used, unknown, of another provider, or comes with another's code is 401, and is used up."""
    arranged = Arranged(chaser)
    for provider, other in zip(PROVIDERS, reversed(PROVIDERS), strict=True):
        with chaser.case():
            returned = arranged.returned(provider, arranged.started(provider))
            finish(chaser, provider, returned).must_be(200)
            _over(finish(chaser, provider, returned), "to a state that was used")
        with chaser.case():
            returned = arranged.returned(provider, arranged.started(provider))
            _over(finish(chaser, provider, {**returned, "state": "nothing-has-this-state"}), "to an unknown state")
            _over(finish(chaser, other, returned), "to a state of another provider")
        with chaser.case():
            first, second = (arranged.returned(provider, arranged.started(provider)) for _ in range(2))
            _over(finish(chaser, provider, {**first, "code": second["code"]}), "to the code of another sign-in")
            _over(finish(chaser, provider, first), "to a state that was used in vain")
            finish(chaser, provider, second).must_be(200, because="to the sign-in whose code was tried elsewhere")
        with chaser.case():
            state = query_of(arranged.started(provider))["state"]
            _over(finish(chaser, provider, {"state": state, "code": "guessed"}), "to a code that nobody was given")
        with chaser.case():
            state = query_of(arranged.started(provider))["state"]
            _over(finish(chaser, provider, {"state": state, "error": "access_denied"}), "to who turned it down")
        with chaser.case():
            finish(chaser, provider, {"code": "x"}).must_be(400, "invalid_request", because="without a state")


@promise("emulator")
def a_state_lives_ten_minutes(chaser: Subject) -> None:
    """A state is good for ten minutes on the emulator's clock, and 401 after them."""
    clock, arranged = chaser.steered.clock, Arranged(chaser)
    clock.freeze()
    for provider in PROVIDERS:
        for seconds, status in ((MINUTES - 5, 200), (MINUTES + 1, 401)):
            with chaser.case():
                returned = arranged.returned(provider, arranged.started(provider))
                clock.advance(seconds)
                finish(chaser, provider, returned).must_be(status, because=f"{seconds} s after the start")


@promise("emulator")
def a_browser_is_led_to_this_machine_alone(chaser: Subject) -> None:
    """redirect_uri is an address of this machine, where the token arrives in the fragment; any other is 400."""
    arranged = Arranged(chaser)
    for provider in PROVIDERS:
        for address_ in HERE:
            with chaser.case():
                started = chaser.nobody.ask(f"start-{provider}-login", query={"redirect_uri": address_})
                page = started.must_be(302, because=f"to redirect_uri = {address_}").headers["location"]
                answer = finish(chaser, provider, arranged.returned(provider, page)).must_be(302)
                target, _, fragment = answer.headers["location"].partition("#")
                answer.require(target == address_, "it leads to the redirect_uri of the start", f"it leads to {target}")
                told = dict(parse_qsl(fragment))
                answer.require(
                    (told.get("token_type"), told.get("expires_in")) == ("Bearer", str(DAY)),
                    "the fragment has the token, its type and its time", f"it has {sorted(told)}",
                )  # fmt: skip
                chaser.as_(told["access_token"]).ask("get-me", expect=200)
    for address_ in ELSEWHERE:
        for operation in ("start-google-login", "start-github-login", "get-codex-login-url"):
            with chaser.case():
                client = chaser.client if operation.startswith("get") else chaser.nobody
                answer = client.ask(operation, query={"redirect_uri": address_})
                answer.must_be(400, "invalid_request", because=f"to redirect_uri = {address_!r}")


@promise()
def a_codex_login_has_a_verifier_for_its_challenge(chaser: Subject) -> None:
    """The login URL comes with state and PKCE verifier, whose S256 is the challenge in it, and is good for 600 s."""
    first, second = (chaser.ask("get-codex-login-url", expect=200) for _ in range(2))
    for answer in (first, second):
        told = answer.json
        query = query_of(told["authorization_url"])
        digest = hashlib.sha256(told["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        answer.require(query.get("state") == told["state"], "the URL carries the state")
        answer.require(query.get("code_challenge") == challenge, "the challenge is the S256 of the verifier")
        answer.require(query.get("code_challenge_method") == "S256", "the challenge is one of S256")
        answer.require(told["expires_in"] == MINUTES, "it is good for 600 seconds", f"{told['expires_in']}")
        answer.require(43 <= len(told["code_verifier"]) <= 128, "a verifier has 43 to 128 characters (RFC 7636)")
    first.require(first.json["state"] != second.json["state"], "each login has a state of its own")
    first.require(first.json["code_verifier"] != second.json["code_verifier"], "each login has a verifier of its own")
    chaser.nobody.ask("get-codex-login-url").must_be(401, "unauthorized")


@promise("emulator")
def a_codex_login_is_finished_once_by_its_code_and_verifier(chaser: Subject) -> None:
    """GET and POST callbacks connect once; a wrong code, state or verifier is 401, and so is what is too old."""
    arranged, clock = Arranged(chaser), chaser.steered.clock
    clock.freeze()

    def begun() -> tuple[dict[str, Any], dict[str, str]]:
        told = chaser.ask("get-codex-login-url", expect=200).json
        return told, arranged.returned("codex", told["authorization_url"])

    def get(query: dict[str, Any]) -> Answer:
        return chaser.nobody.ask("finish-codex-login", query=query)

    def post(body: dict[str, Any]) -> Answer:
        return chaser.nobody.ask("post-codex-callback", json=body)

    with chaser.case():
        _, returned = begun()
        _connected(get(returned), clock.now)
        _over(get(returned), "to a state that was used")
    with chaser.case():
        told, returned = begun()
        _connected(post({**returned, "code_verifier": told["code_verifier"]}), clock.now)
        _over(post({**returned, "code_verifier": told["code_verifier"]}), "to a state that was used")
    for change in ({"code": "guessed"}, {"state": "nothing-has-this-state"}, {"code_verifier": "x" * 43}):
        with chaser.case():
            told, returned = begun()
            _over(
                post({**returned, "code_verifier": told["code_verifier"], **change}), f"to a wrong {next(iter(change))}"
            )
    with chaser.case():
        told, returned = begun()
        other, _ = begun()
        _over(post({**returned, "code_verifier": other["code_verifier"]}), "to the verifier of another login")
    with chaser.case():
        told, returned = begun()
        post({**returned}).must_be(400, "invalid_request", because="without a verifier")
    with chaser.case():
        told, returned = begun()
        clock.advance(MINUTES + 1)
        _over(post({**returned, "code_verifier": told["code_verifier"]}), "after ten minutes")


def _connected(answer: Answer, now: datetime) -> None:
    told = answer.must_be(200).json
    answer.require(
        (told.get("status"), told.get("provider")) == ("connected", "codex"), "it answers that codex is connected"
    )
    answer.require("expires_at" in told and set(told) == {"status", "provider", "expires_at"}, "and until when, alone")
    answer.require(datetime.fromisoformat(told["expires_at"]) > now, "a connection is good for a while", f"at {now}")
