"""The console as a whole: the key, the menu, both themes, what a browser lets it do, and how fast it is there."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import Scheme, a_browser, assert_accessible, assert_fits, console_of
from people import refused
from playwright.sync_api import Browser, expect


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as one:
        yield one


def test_a_session_is_made_and_ended_by_clicking(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/sessions") as page:
        page.get_by_role("button", name="New session").click()
        page.get_by_label("ephemeral").check()
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        session = client.get("/v1/sessions").json()["sessions"][0]
        page.goto(f"{emulator.url}/_emulator/#/sessions")
        row = page.get_by_role("row").filter(has_text=session["id"][:8])
        expect(row).to_contain_text("running")
        row.get_by_role("button", name="End").click()
        page.get_by_role("button", name="End it").click()
        expect(row).to_have_count(0)


def test_what_others_do_is_seen_at_once(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/sessions") as page:
        made = client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}).json()
        expect(page.get_by_role("row").filter(has_text=made["id"][:8])).to_contain_text("running")
        client.delete(f"/v1/sessions/{made['id']}")
        expect(page.get_by_role("row").filter(has_text=made["id"][:8])).to_have_count(0)


def test_looking_leaves_no_trace(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    client.delete("/_emulator/requests")
    with console_of(emulator, browser, "/sessions"):
        pass
    assert client.get("/_emulator/requests").json()["count"] == 0


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1920, "light")])
def test_it_fits_and_is_accessible(emulator: Running, browser: Browser, width: int, scheme: Scheme) -> None:
    with console_of(emulator, browser, "/sessions", width=width, scheme=scheme) as page:
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="New session").click()
        page.get_by_role("dialog").wait_for()
        assert_fits(page)
        assert_accessible(page)


def test_another_key_opens_nothing(emulator: Running, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{emulator.url}/_emulator/")
    page.get_by_label("Key of the emulator").fill("sk_not_this_one")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("not the key")
    assert page.evaluate("sessionStorage.length") == 0
    page.close()


def test_the_page_runs_nothing_but_its_own_files(emulator: Running) -> None:
    answer = httpx.get(f"{emulator.url}/_emulator/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "<script>" not in answer.text
    assert refused(httpx.get(f"{emulator.url}/_emulator/", headers={"Host": "evil.example"}), 403, "forbidden")
