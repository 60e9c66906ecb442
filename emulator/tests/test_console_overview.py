"""The overview of the console: what runs, how one reaches it, what lives; and the ways to other worlds and accounts."""

from __future__ import annotations

import subprocess

import httpx
import pytest
from chaser_emulator import __version__
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of
from emulators import emulator_on, http_of
from people import ok, refused
from playwright.sync_api import Browser, Locator, Page, expect


def card(page: Page, title: str) -> Locator:
    return page.locator("section.card").filter(has=page.get_by_role("heading", name=title, exact=True))


def test_the_world_that_is_asked_is_described(emulator: Running, client: httpx.Client) -> None:
    described = ok(client.get("/_emulator/world"))
    assert described["id"] == "default"
    assert described["emulator"] == __version__
    assert described["engine"]["name"] == "scripted"
    assert described["engine"]["isolation"]
    assert described["environment"] == {"CHASER_API_URL": emulator.url, "CHASER_API_KEY": emulator.api_key}
    assert "ssh_port" not in described
    shell = "\n".join([*described["exports"], 'printf "%s %s" "$CHASER_API_URL" "$CHASER_API_KEY"'])
    said = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
    assert said.stdout == f"{emulator.url} {emulator.api_key}"
    other = ok(client.post("/_emulator/worlds", json={"plan": "team"}))
    try:
        there = ok(
            httpx.get(f"{emulator.url}/_emulator/world", headers={"Authorization": f"Bearer {other['api_key']}"})
        )
        assert (there["id"], there["plan"], there["api_key"]) == (other["id"], "team", other["api_key"])
    finally:
        client.delete(f"/_emulator/worlds/{other['id']}")


def test_no_world_is_described_to_who_may_not_reach_it() -> None:
    with emulator_on("scripted", host="0.0.0.0", api_key="sk_of_my_very_own") as emulator:
        port = emulator.url.rpartition(":")[2]
        with http_of(emulator) as client:
            refused(client.get("/_emulator/world", headers={"X-Chaser-World": "nowhere"}), 404, "not_found")
            for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
                assert "sk_of" not in client.get("/_emulator/world", headers=headers).text
            # A script of a page needs the key, wherever it runs.
            page = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
            answer = httpx.get(f"http://127.0.0.1:{port}/_emulator/world", headers=page)
            refused(answer, 403, "forbidden")


def test_an_address_without_its_slash_leads_to_the_console(emulator: Running) -> None:
    answer = httpx.get(f"{emulator.url}/_emulator", follow_redirects=True)
    assert (answer.status_code, str(answer.url)) == (200, f"{emulator.url}/_emulator/")
    assert answer.headers["content-type"].startswith("text/html")
    refused(httpx.post(f"{emulator.url}/_emulator", json={}), 404, "not_found")


def test_the_overview_shows_what_there_is_and_follows_it(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser) as page:
        lines = card(page, "Point a client here")
        expect(lines).to_contain_text(f"export CHASER_API_URL={emulator.url}")
        expect(lines).to_contain_text(f"export CHASER_API_KEY={emulator.api_key}")
        expect(card(page, "Engine")).to_contain_text(__version__)
        expect(card(page, "World")).to_contain_text("default")
        expect(card(page, "Billing")).to_contain_text("$")
        sessions = card(page, "Live sessions")
        expect(sessions).to_contain_text("None lives now")
        made = ok(client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))
        row = sessions.get_by_role("listitem").filter(has_text=made["id"][:8])
        expect(row).to_contain_text("running")
        client.get(f"/v1/sessions/{made['id']}x")
        expect(card(page, "Refused lately")).to_contain_text("404")
        client.delete(f"/v1/sessions/{made['id']}")
        expect(sessions).to_contain_text("None lives now")
        client.post("/_emulator/clock", json={"mode": "frozen", "at": "2031-05-01T12:00:00Z"})
        expect(card(page, "World")).to_contain_text("2031-05-01 12:00:00")
        client.post("/_emulator/clock", json={"mode": "real"})


def test_an_export_line_is_copied(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy CHASER_API_KEY").click()
        expect(page.get_by_text("Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == f"export CHASER_API_KEY={emulator.api_key}"


def test_what_is_still_to_come_is_told(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    client.post("/_emulator/stubs", json={"command": "wait", "delay": 60})
    with console_of(emulator, browser) as page:
        expect(card(page, "Still to come")).to_contain_text("at rest")
        job = ok(client.post("/v1/jobs", json={"kind": "sandbox.exec", "input": {"command": "wait"}}))
        expect(card(page, "Still to come")).to_contain_text(f"job {job['id']}")
        ok(client.post(f"/v1/jobs/{job['id']}/cancel"))
        expect(card(page, "Still to come")).to_contain_text("at rest")
        later = {"kind": "sandbox.exec", "input": {"command": "wait"}, "run_at": "2035-01-01T00:00:00Z"}
        waiting = ok(client.post("/v1/jobs", json=later))
        expect(card(page, "Still to come")).to_contain_text(f"Job starts {waiting['id'][:8]}")
        ok(client.post(f"/v1/jobs/{waiting['id']}/cancel"))


def test_a_world_is_made_entered_forked_reset_and_deleted_by_keyboard(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser) as page:
        page.get_by_role("button", name="New world").press("Enter")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("name").fill("garden")
        dialog.get_by_label("name").press("Enter")
        expect(dialog).to_have_count(0)
        choice = page.get_by_label("World", exact=True)
        expect(choice.locator("option")).to_have_text(["default", "garden"])
        choice.focus()
        page.keyboard.press("ArrowDown")
        expect(card(page, "World")).to_contain_text("garden")
        expect(choice).to_be_focused()
        garden = ok(client.get("/_emulator/worlds/garden"))
        expect(card(page, "Point a client here")).to_contain_text(garden["api_key"])

        headers = {"Authorization": f"Bearer {garden['api_key']}"}
        made = ok(client.post("/v1/sessions", json={"session_type": "sandbox"}, headers=headers))
        expect(card(page, "Live sessions")).to_contain_text(made["id"][:8])
        page.get_by_role("button", name="Fork", exact=True).press("Enter")
        dialog.get_by_label("name").fill("garden-2")
        dialog.get_by_role("button", name="Fork").press("Enter")
        expect(choice.locator("option")).to_have_text(["default", "garden", "garden-2"])
        page.get_by_role("button", name="Reset").click()
        dialog.get_by_role("button", name="Reset").click()
        expect(card(page, "Live sessions")).to_contain_text("None lives now")
        choice.select_option("garden-2")
        expect(card(page, "Live sessions")).to_contain_text(made["id"][:8])
        page.get_by_role("button", name="Delete").click()
        dialog.get_by_role("button", name="Delete").click()
        expect(card(page, "World")).to_contain_text("default")
    refused(client.get("/_emulator/worlds/garden-2"), 404, "not_found")
    client.delete("/_emulator/worlds/garden")


def test_another_account_is_chosen_and_its_things_are_shown(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    account = ok(client.post("/v1/accounts/organizations", json={"name": "greenhouse"}))["account"]
    there = {"X-Chaser-Account": account["id"]}
    ok(client.post("/v1/billing/account", json={"plan_code": "team"}, headers=there))
    made = ok(client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}, headers=there))
    with console_of(emulator, browser) as page:
        expect(card(page, "Live sessions")).not_to_contain_text("Loading")
        expect(card(page, "Live sessions")).not_to_contain_text(made["id"][:8])
        choice = page.get_by_label("Account", exact=True)
        choice.select_option(label="greenhouse (owner)")
        expect(card(page, "Live sessions")).to_contain_text(made["id"][:8])
        expect(card(page, "Billing")).to_contain_text("team")
        page.reload()
        expect(choice.locator("option:checked")).to_have_text("greenhouse (owner)")
        expect(card(page, "Live sessions")).to_contain_text(made["id"][:8])
        choice.select_option(index=1)
        expect(card(page, "Live sessions")).not_to_contain_text(made["id"][:8])
    client.delete(f"/v1/sessions/{made['id']}", headers=there)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1920, "light")])
def test_the_overview_fits_and_is_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    client.get("/v1/sessions/a-name-that-is-much-longer-than-there-is-room-for-in-a-narrow-window-of-a-telephone")
    with console_of(emulator, browser, width=width, scheme=scheme) as page:
        expect(card(page, "Refused lately").get_by_role("listitem").first).to_be_visible()
        expect(card(page, "Billing")).to_contain_text("$")
        assert_fits(page)
        assert_accessible(page)
        if width < 600:
            page.get_by_role("button", name="Menu").click()
            expect(page.get_by_label("World", exact=True)).to_be_visible()
            assert_fits(page)
            assert_accessible(page)


def test_the_first_page_is_small(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser) as page:
        expect(card(page, "Billing")).to_contain_text("$")
        expect(card(page, "Refused lately")).not_to_contain_text("Loading")
        sent = page.evaluate(
            """[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
                .map((one) => one.transferSize).reduce((sum, one) => sum + one, 0)"""
        )
        assert 20_000 < sent <= 200_000
