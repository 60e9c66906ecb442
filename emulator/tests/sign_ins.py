"""Signing in for tests: by password, and at a provider's page as a browser does it, over plain HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from chaser_emulator.server import Running
from people import ok

PASSWORD = "correct horse battery"


def address() -> str:
    """An e-mail address that nobody has."""
    return f"{uuid.uuid4().hex[:12]}@example.com"


@contextmanager
def nobody(emulator: Running) -> Iterator[httpx.Client]:
    """Plain HTTP without a credential, which follows no redirect."""
    with httpx.Client(base_url=emulator.url, timeout=60) as client:
        yield client


def register(client: httpx.Client, email: str | None = None, **more: Any) -> dict[str, Any]:
    """The answer to a registration."""
    answer: dict[str, Any] = ok(
        client.post("/auth/register", json={"email": email or address(), "password": PASSWORD, **more})
    )
    return answer


def bearer(token: str, account: str | None = None) -> dict[str, str]:
    """The headers of a caller with this token."""
    return {"Authorization": f"Bearer {token}"} | ({"X-Chaser-Account": account} if account else {})


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def start(client: httpx.Client, provider: str, redirect_uri: str | None = None) -> str:
    """The address of the provider's page, where a sign-in has just begun."""
    query = {"redirect_uri": redirect_uri} if redirect_uri else {}
    answer = client.get(f"/auth/{provider}/login", params=query)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


def choose(client: httpx.Client, page: str, email: str | None, **more: str) -> str:
    """Where the page leads to when this address is chosen, or, with None, when it is turned down."""
    query = query_of(page)
    form = {"state": query["state"], "code_challenge": query["code_challenge"]}
    form |= ({"cancel": "yes"} if email is None else {"email": email}) | more
    answer = client.post(page.partition("?")[0], data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def sign_in(client: httpx.Client, provider: str, email: str) -> dict[str, Any]:
    """The answer to a sign-in at a provider."""
    answer: dict[str, Any] = ok(client.get(choose(client, start(client, provider), email)))
    return answer
