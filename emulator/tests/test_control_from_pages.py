"""Pages that a browser shows from this very origin, as previews of sandboxes are, and the control plane."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from chaser_emulator.server import Running
from people import ok, refused
from playwright.sync_api import Browser, Page


@pytest.fixture
def preview(browser: Browser, emulator: Running) -> Iterator[Page]:
    """A page of the same origin whose scripts nobody of ours wrote."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{emulator.url}/api-docs/openapi.json")
    yield page
    context.close()


def checkout(client: httpx.Client) -> str:
    body = {"mode": "subscription", "plan_code": "team"}
    return str(ok(client.post("/v1/billing/checkout", json=body))["checkout_session_id"])


def test_a_script_of_a_preview_neither_moves_the_clock_nor_pays(preview: Page, client: httpx.Client) -> None:
    before = ok(client.get("/_emulator/clock"))["now"]
    bought = checkout(client)
    sent = """([path, type, body]) => fetch(path, {method: 'POST', headers: {'Content-Type': type}, body})
        .then((answer) => answer.status)"""
    json_type, form_type = "application/json", "application/x-www-form-urlencoded"
    for path, kind, body in (
        ("/_emulator/clock/advance", json_type, '{"seconds": 86400}'),
        ("/_emulator/clock", json_type, '{"mode": "frozen"}'),
        (f"/_emulator/checkout/{bought}", form_type, "outcome=paid"),
        (f"/_emulator/checkout/{bought}/complete", json_type, '{"outcome": "paid"}'),
        ("/_emulator/github/workflow-jobs", json_type, '{"repository": "a/b", "workflow": "c.yml", "job": "d"}'),
    ):
        assert preview.evaluate(sent, [path, kind, body]) == 403, path
    now = ok(client.get("/_emulator/clock"))
    assert (now["mode"], now["now"][:10]) == ("real", before[:10])
    assert ok(client.get(f"/_emulator/checkout/{bought}"))["status"] == "open"


_IN_A_FRAME = """async ([action, fields]) => {
  const frame = document.createElement('iframe');
  frame.name = 'hidden';
  document.body.append(frame);
  const form = document.createElement('form');
  Object.assign(form, {method: 'post', target: 'hidden', action});
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement('input');
    Object.assign(input, {name, value});
    form.append(input);
  }
  document.body.append(form);
  form.submit();
  const shown = () => frame.contentDocument?.body?.innerText;
  for (let tries = 0; tries < 200 && !shown(); tries++) await new Promise((done) => setTimeout(done, 50));
  const seen = shown() || '';
  frame.remove();
  return seen;
}"""


def test_a_script_of_a_preview_signs_nobody_in_within_a_frame(preview: Page, client: httpx.Client) -> None:
    started = client.get("/auth/google/login").headers["location"]
    fields = {name: values[0] for name, values in parse_qs(urlsplit(started).query).items()}
    fields |= {"email": "developer@localhost"}
    seen = preview.evaluate(_IN_A_FRAME, ["/_emulator/sign-in/google", fields])
    assert "access_token" not in seen
    assert "Sec-Fetch-Dest" in seen
    bought = checkout(client)
    assert "Sec-Fetch-Dest" in preview.evaluate(_IN_A_FRAME, [f"/_emulator/checkout/{bought}", {"outcome": "paid"}])
    assert ok(client.get(f"/_emulator/checkout/{bought}"))["status"] == "open"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_other_site_sends_a_form(client: httpx.Client, site: str) -> None:
    bought = checkout(client)
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    answer = client.post(f"/_emulator/checkout/{bought}", data={"outcome": "paid"}, headers=headers)
    assert "Sec-Fetch-Site" in refused(answer, 403, "forbidden")["message"]
    # The API sends people there from anywhere.
    assert client.get(f"/_emulator/checkout/{bought}", headers=headers).status_code == 200


def test_programs_in_node_use_all_of_it(client: httpx.Client) -> None:
    """Its fetch says `Sec-Fetch-Mode: cors`, though no page of a browser is behind it."""
    node: dict[str, Any] = {"headers": {"Sec-Fetch-Mode": "cors", "User-Agent": "node"}}
    ok(client.post("/_emulator/clock/advance", json={"seconds": 0}, **node))
    page = client.get("/auth/google/login", **node).headers["location"]
    assert client.get(page, **node).status_code == 200
    back = client.post(page, data={"email": "node@example.com"}, **node).headers["location"]
    assert ok(client.get(back, **node))["user"]["email"] == "node@example.com"


def test_a_form_of_thousands_of_fields_is_refused(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post(f"/_emulator/checkout/{checkout(client)}", content="a=1&" * 1000, headers=headers)
    assert "at most 16 fields" in refused(answer, 400, "invalid_request")["message"]
