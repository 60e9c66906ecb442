"""A browser session in the console: its live picture, its pages, and how programs drive it."""

from __future__ import annotations

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import assert_accessible, assert_fits, console_of
from people import ok
from playwright.sync_api import Browser, expect
from test_exec import until

PAGE = "data:text/html,<title>A%20page%20of%20ours</title><body style='background:green'>hello"


@pytest.fixture(scope="module")
def session(http: httpx.Client) -> str:
    return str(ok(http.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))["id"])


def _viewers(emulator: Running, session: str, wanted: int) -> None:
    """Wait until so many look at the picture."""
    one = emulator.world.browsers.get(session)
    assert one is not None
    until(lambda: one.screen._viewers == wanted)


def test_the_picture_is_live_while_one_looks(local: Running, session: str, browser: Browser) -> None:
    with console_of(local, browser, f"/sessions/{session}?tab=screen") as page:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        image = page.get_by_role("img", name="What the browser shows")
        assert image.evaluate("(node) => node.naturalWidth") > 100
        _viewers(local, session, 1)
        assert_accessible(page)
        page.get_by_role("button", name="Pause").click()
        _viewers(local, session, 0)
        page.get_by_role("button", name="Go on").click()
        _viewers(local, session, 1)
        hide = """(hidden) => {
            Object.defineProperty(document, "hidden", {configurable: true, value: hidden});
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
        page.evaluate(hide, True)
        _viewers(local, session, 0)
        page.evaluate(hide, False)
        _viewers(local, session, 1)
        page.get_by_role("link", name="Ports").click()
        _viewers(local, session, 0)


def test_pages_are_opened_shown_and_closed(local: Running, http: httpx.Client, session: str, browser: Browser) -> None:
    with console_of(local, browser, f"/sessions/{session}?tab=screen") as page:
        page.get_by_label("Address").fill(PAGE)
        page.get_by_role("button", name="Open a page").click()
        ours = page.get_by_role("listitem").filter(has_text="A page of ours")
        expect(ours).to_contain_text("in front")
        # What a program opens is seen as well.
        opened = ok(http.put(f"/v1/sessions/{session}/json/new", params={"url": "about:blank"}))
        expect(ours.get_by_role("button", name="Show")).to_be_visible()
        ours.get_by_role("button", name="Show").click()
        expect(ours).to_contain_text("in front")
        ours.get_by_role("button", name="Close").click()
        expect(ours).to_have_count(0)
        left = [one["id"] for one in ok(http.get(f"/v1/sessions/{session}/json/list"))]
        assert opened["id"] in left
        assert not any("ours" in one["title"] for one in ok(http.get(f"/v1/sessions/{session}/json/list")))


def test_it_says_how_to_drive_it_and_fits_a_telephone(
    local: Running, http: httpx.Client, session: str, browser: Browser
) -> None:
    with console_of(local, browser, f"/sessions/{session}?tab=screen", width=360, scheme="dark") as page:
        told = ok(http.get(f"/v1/sessions/{session}/json/version"))["webSocketDebuggerUrl"]
        expect(page.get_by_text(told, exact=True)).to_be_visible()
        expect(page.get_by_text("playwright.chromium.connect_over_cdp(")).to_be_visible()
        assert_fits(page)
        assert_accessible(page)
        http.delete(f"/v1/sessions/{session}", params={"force": True})
        expect(page.get_by_text("The browser has ended with its session.")).to_be_visible()
        assert_accessible(page)


def test_the_scripted_engine_says_that_it_has_none(emulator: Running, client: httpx.Client, browser: Browser) -> None:
    made = ok(client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))
    with console_of(emulator, browser, f"/sessions/{made['id']}?tab=screen") as page:
        expect(page.get_by_text("The scripted engine runs no browsers")).to_be_visible()
        assert_accessible(page)
