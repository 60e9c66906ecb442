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


_SEND = """
  const send = (target, action, fields) => {
    const form = document.createElement('form');
    Object.assign(form, {method: 'post', target, action});
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement('input');
      Object.assign(input, {name, value});
      form.append(input);
    }
    document.body.append(form);
    form.submit();
  };
"""
"""Sends a form into a frame or a window."""

_IN_A_FRAME = (
    "async ([action, fields]) => {"
    + _SEND
    + """
  const frame = document.createElement('iframe');
  frame.name = 'hidden';
  document.body.append(frame);
  send('hidden', action, fields);
  // What may not be framed is of another origin then.
  const shown = () => (frame.contentDocument ? frame.contentDocument.body?.innerText : 'refused');
  for (let tries = 0; tries < 200 && !shown(); tries++) await new Promise((done) => setTimeout(done, 50));
  const seen = shown() || '';
  frame.remove();
  return seen;
}"""
)


def test_a_script_of_a_preview_signs_nobody_in_within_a_frame(preview: Page, client: httpx.Client) -> None:
    started = client.get("/auth/google/login").headers["location"]
    fields = {name: values[0] for name, values in parse_qs(urlsplit(started).query).items()}
    fields |= {"email": "developer@localhost"}
    assert preview.evaluate(_IN_A_FRAME, ["/_emulator/sign-in/google", fields]) == "refused"
    bought = checkout(client)
    assert preview.evaluate(_IN_A_FRAME, [f"/_emulator/checkout/{bought}", {"outcome": "paid"}]) == "refused"
    framed = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    answer = client.post(f"/_emulator/checkout/{bought}", data={"outcome": "paid"}, headers=framed)
    assert "Sec-Fetch-Dest" in refused(answer, 403, "forbidden")["message"]
    assert ok(client.get(f"/_emulator/checkout/{bought}"))["status"] == "open"


_IN_A_WINDOW = (
    "async ([action, fields]) => {"
    + _SEND
    + """
  const opened = open(fields ? 'about:blank' : action, 'window');
  if (fields) send('window', action, fields);
  for (;;) {
    await new Promise((done) => setTimeout(done, 20));
    try {
      if (opened.closed) return 'closed';
      const shown = opened.location.href !== 'about:blank' && opened.document.body?.innerText;
      if (shown) return shown;
    } catch (error) {
      return error.name;
    }
  }
}"""
)
"""What a page sees of a window that it opens, or sends a form to."""

_NOTHING = ("SecurityError", "closed")


@pytest.mark.parametrize("path", ["world", "requests", "", "sign-in/google", "none"])
def test_a_preview_sees_nothing_of_a_window_that_it_opens(preview: Page, path: str) -> None:
    assert preview.evaluate(_IN_A_WINDOW, [f"/_emulator/{path}", None]) in _NOTHING


def test_a_preview_is_not_led_to_what_shows_the_key(preview: Page, emulator: Running) -> None:
    preview.evaluate("location.href = '/_emulator/world'")
    preview.wait_for_url("**/world")
    assert "Sec-Fetch-Site" in preview.content()
    assert emulator.api_key not in preview.content()
    # A person who types it comes there.
    preview.goto(f"{emulator.url}/_emulator/world")
    assert emulator.api_key in preview.content()


def test_a_form_of_a_preview_neither_resets_nor_pays_nor_signs_anybody_in(preview: Page, client: httpx.Client) -> None:
    key = str(ok(client.post("/v1/keys", json={"name": "kept"}))["id"])
    bought = checkout(client)
    # The address to which it was led is the one thing that its script sees.
    led = preview.evaluate("fetch('/auth/google/login').then((answer) => answer.url)")
    fields = {name: values[0] for name, values in parse_qs(urlsplit(led).query).items()}
    with preview.expect_popup():
        assert preview.evaluate(_IN_A_WINDOW, ["/_emulator/reset", {}]) in _NOTHING
    assert key in {one["id"] for one in ok(client.get("/v1/keys"))["keys"]}
    for path, sent in (
        (f"/_emulator/checkout/{bought}", {"outcome": "paid"}),
        ("/_emulator/sign-in/google", fields | {"email": "developer@localhost"}),
    ):
        with preview.expect_popup() as opened:
            assert preview.evaluate(_IN_A_WINDOW, [path, sent]) in _NOTHING
        opened.value.get_by_text("Another page has sent that").wait_for()
        opened.value.close()
    assert ok(client.get(f"/_emulator/checkout/{bought}"))["status"] == "open"


@pytest.mark.parametrize("site", ["same-origin", "same-site", "cross-site"])
def test_nobody_is_led_by_a_page_to_what_is_not_one(client: httpx.Client, site: str) -> None:
    led = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for path in ("world", "requests", "webhooks/sink/any", "openapi.json"):
        assert "Sec-Fetch-Site" in refused(client.get(f"/_emulator/{path}", headers=led), 403, "forbidden")["message"]
    assert client.get("/_emulator/", headers=led).status_code == 200
    worker = {"Service-Worker": "script", "Sec-Fetch-Site": site}
    refused(client.get("/_emulator/console/loading.js", headers=worker), 403, "forbidden")
    own = {**led, "Sec-Fetch-Site": "none"}
    assert "no page has a form" in refused(client.post("/_emulator/reset", headers=own), 403, "forbidden")["message"]


def test_every_answer_of_it_is_held_apart_from_other_pages(client: httpx.Client) -> None:
    policies = {
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
    for path, headers in (
        ("", {}),
        ("world", {}),
        ("none", {}),
        ("%2e%2e/none", {}),
        ("console/app.js", {}),
        ("console/none.js", {}),
        ("style.css", {}),
        ("sign-in/google", {}),
        ("checkout/none", {"Accept": "text/html"}),
        ("world", {"Host": "elsewhere.example"}),
        ("world", {"Origin": "null"}),
        ("world", {"X-Chaser-World": "none"}),
        ("requests?limit=no", {}),
    ):
        answer = client.get(f"/_emulator/{path}", headers=headers)
        assert {name: answer.headers.get(name) for name in policies} == policies, (path, headers)
        policy = answer.headers["content-security-policy"]
        for part in ("default-src 'none'", "frame-ancestors 'none'"):
            assert part in policy, (path, headers)


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
