"""What is no address is refused with what is one, not with the pattern that it does not match."""

from __future__ import annotations

import httpx
import pytest
from people import refused


@pytest.mark.parametrize(
    "wrong", ["http://127.1:9/", "javascript:alert(1)", "http://a@localhost/", "http://localhost/#x"]
)
@pytest.mark.parametrize("path", ["/auth/google/login", "/auth/github/login", "/auth/codex/login-url"])
def test_of_a_redirect_uri(client: httpx.Client, path: str, wrong: str) -> None:
    said = refused(client.get(path, params={"redirect_uri": wrong}), 400, "invalid_request")["message"]
    assert said.startswith("query redirect_uri: must be an absolute http:// or https:// URL, without a user")
    assert "^" not in said


@pytest.mark.parametrize("wrong", ["ada", "ada@", "ä@example.com", "ada@example..com"])
def test_of_an_email(client: httpx.Client, wrong: str) -> None:
    body = {"email": wrong, "password": "long enough"}
    said = refused(client.post("/auth/register", json=body), 400, "invalid_request")["message"]
    assert said.startswith("body /email: must be an e-mail address of the plain kind")
