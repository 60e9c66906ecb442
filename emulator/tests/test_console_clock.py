"""The clock in the console: it ticks, stands still, is moved with what falls due on the way, and tells what is next."""

from __future__ import annotations

import re

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of
from emulators import http_of
from people import ok, refused
from playwright.sync_api import Browser, Page, expect


@pytest.fixture(autouse=True)
def _afresh(emulator: Running) -> None:
    with http_of(emulator) as client:
        ok(client.post("/_emulator/reset"))


def _frozen(client: httpx.Client, at: str = "2026-03-01T12:00:00Z") -> None:
    ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": at}))


def _session(client: httpx.Client) -> str:
    return str(ok(client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))["id"])


def _shown(page: Page) -> str:
    return str(page.locator(".clock-face time").get_attribute("datetime"))


def test_what_is_due_is_listed_with_its_moment(client: httpx.Client) -> None:
    _frozen(client)
    session = _session(client)
    job = {"kind": "session.terminate", "input": {"session_id": session}, "run_at": "2026-03-01T13:00:00Z"}
    queued = ok(client.post("/v1/jobs", json=job))["id"]
    found = ok(client.get("/_emulator/clock/due"))
    assert found["mode"] == "frozen"
    assert [(one["what"], one["id"]) for one in found["due"]] == [("job.started", queued), ("session.expired", session)]
    assert found["due"][0]["at"] == "2026-03-01T13:00:00.000000Z"
    assert found["due"][1]["at"].startswith("2026-03-02T12:00:00")
    assert found["more"] is False
    first = ok(client.get("/_emulator/clock/due", params={"limit": 1}))
    assert ([one["id"] for one in first["due"]], first["more"]) == ([queued], True)
    fired = ok(client.post("/_emulator/clock/advance", json={"to": found["due"][0]["at"]}))["fired"]
    assert (fired[0]["what"], fired[0]["id"]) == ("job.started", queued)
    # The job has ended the session, which is due no more.
    assert ok(client.get("/_emulator/clock/due"))["due"] == []


def test_a_delivery_that_failed_is_due_again(client: httpx.Client) -> None:
    _frozen(client)
    ok(client.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/nobody"}))
    _session(client)
    ok(client.post("/_emulator/clock/advance", json={"seconds": 0}))
    due = {one["id"]: one["at"] for one in ok(client.get("/_emulator/clock/due"))["due"]}
    tried = [one for one in ok(client.get("/v1/webhooks/deliveries"))["deliveries"] if one["attempts"]]
    assert tried
    assert all(due[one["id"]] > one["updated_at"] for one in tried)


def test_how_much_is_listed_has_bounds(client: httpx.Client) -> None:
    refused(client.get("/_emulator/clock/due", params={"limit": 0}), 400, "invalid_request")


def test_it_ticks_without_asking_and_stands_still_when_it_is_frozen(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/clock") as page:
        before = _shown(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        expect(page.locator(".clock-face time")).not_to_have_attribute("datetime", before)
        assert asked == []
        page.get_by_role("button", name="Freeze it").click()
        expect(page.locator(".clock-face")).to_contain_text("stands still")
        assert ok(client.get("/_emulator/clock"))["mode"] == "frozen"
        expect(page.get_by_role("button", name="Freeze it")).to_be_disabled()
        page.get_by_role("button", name="Let it go").click()
        expect(page.locator(".clock-face")).to_contain_text("with the machine")
        assert ok(client.get("/_emulator/clock"))["mode"] == "real"


def test_it_is_set_to_a_moment(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/clock") as page:
        page.get_by_role("button", name="Set it to a moment…").click()
        page.get_by_label("To this moment").fill("soon")
        page.get_by_role("button", name="Set it", exact=True).click()
        expect(page.get_by_role("alert").filter(has_text="is no moment")).to_be_visible()
        page.get_by_label("To this moment").fill("2026-04-01 9:30")
        page.get_by_role("button", name="Set it", exact=True).click()
        expect(page.locator(".clock-face time")).to_have_attribute("datetime", re.compile("^2026-04-01T09:30:00"))
    assert ok(client.get("/_emulator/clock"))["now"].startswith("2026-04-01T09:30:00")


def test_moving_it_on_tells_what_fell_due_with_its_page(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    _frozen(client)
    session = _session(client)
    with console_of(emulator, browser, "/clock") as page:
        due = page.get_by_role("table", name="What falls due next")
        expect(due.get_by_role("row").filter(has_text=session[:8])).to_contain_text("in 1 d")
        page.get_by_role("button", name="Move on by 1 hour").click()
        expect(page.get_by_text("nothing fell due on the way")).to_be_visible()
        expect(due.get_by_role("row").filter(has_text=session[:8])).to_contain_text("in 23 h")
        page.get_by_label("How far, or to when").fill("30 h")
        page.keyboard.press("Enter")
        fired = page.get_by_role("table", name="What fell due")
        expect(fired.get_by_role("row").filter(has_text=session[:8])).to_have_count(1)
        expect(page.get_by_text("Nothing falls due")).to_be_visible()
        assert ok(client.get(f"/v1/sessions/{session}"))["status"] == "terminated"
        fired.get_by_role("link").first.click()
        page.wait_for_url(re.compile(f"#/sessions/{session}$"))


def test_one_goes_to_what_is_next_and_others_moves_are_seen(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    _frozen(client)
    session = _session(client)
    with console_of(emulator, browser, "/clock") as page:
        page.get_by_role("row").filter(has_text=session[:8]).get_by_role("button", name="Move on to").click()
        expect(page.get_by_role("table", name="What fell due").get_by_text(session[:8])).to_be_visible()
        other = _session(client)
        due = page.get_by_role("table", name="What falls due next")
        expect(due.get_by_role("row").filter(has_text=other[:8])).to_be_visible()
        ok(client.post("/_emulator/clock/advance", json={"seconds": 90_000}))
        expect(page.get_by_role("table", name="What fell due").get_by_text(other[:8])).to_be_visible()


def test_it_runs_until_nothing_is_due(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    _frozen(client)
    session = _session(client)
    with console_of(emulator, browser, "/clock") as page:
        page.get_by_label("Until nothing is due within").fill("for a while")
        page.get_by_role("button", name="Run until idle").click()
        expect(page.get_by_role("alert").filter(has_text="is no duration")).to_be_visible()
        page.get_by_label("Until nothing is due within").fill("2 days")
        page.get_by_role("button", name="Run until idle").click()
        expect(page.get_by_role("table", name="What fell due").get_by_text(session[:8])).to_be_visible()
        expect(page.get_by_role("button", name="Run until idle")).to_be_focused()


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1920, "light")])
def test_it_fits_and_is_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    _frozen(client)
    _session(client)
    with console_of(emulator, browser, "/clock", width=width, scheme=scheme) as page:
        page.get_by_role("button", name="Move on by 30 days").click()
        expect(page.get_by_text("1 thing fell due")).to_be_visible()
        _session(client)
        expect(page.get_by_role("button", name="Move on to")).to_be_visible()
        assert_fits(page)
        assert_accessible(page)
