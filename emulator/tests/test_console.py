"""The console as a whole: the key, the menu, dialogs, refusals in plain words, and a stream that comes back."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from chaser_emulator.banner import print_banner
from chaser_emulator.server import Running, running
from chaser_emulator.settings import Settings
from consoles import Scheme, assert_accessible, assert_fits, console_of
from emulators import emulator_on, http_of
from playwright.sync_api import Browser, Page, Route, expect


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


def test_a_session_tells_its_workspace_by_name(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    workspace = client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "shop"}).json()
    session = client.post("/v1/sessions", json={"workspace": "shop"}).json()
    with console_of(emulator, browser, "/sessions") as page:
        row = page.get_by_role("row").filter(has_text=session["id"][:8])
        expect(row.get_by_role("link", name="shop")).to_be_visible()
        client.put(f"/v1/workspaces/{workspace['id']}/name", json={"name": "store"})
        row.get_by_role("link", name="store").click()
        expect(page).to_have_url(re.compile(workspace["id"]))
        page.goto(f"{emulator.url}/_emulator/#/sessions/{session['id']}")
        expect(page.get_by_role("main").get_by_role("link", name="store")).to_be_visible()
    client.delete(f"/v1/sessions/{session['id']}")


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


def test_a_deep_link_keeps_its_place_through_the_key_and_a_reload(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/sessions?x=1") as page:
        expect(page.get_by_role("heading", name="Sessions", level=1)).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="Sessions", level=1)).to_be_visible()
        assert page.url.endswith("#/sessions?x=1")


def test_the_key_is_kept_in_this_tab_alone_and_forgotten_when_asked(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser) as page:
        assert emulator.api_key in page.evaluate("Object.values(sessionStorage)")
        assert emulator.api_key not in page.evaluate("JSON.stringify(localStorage) + document.cookie")
        other = page.context.new_page()
        other.goto(f"{emulator.url}/_emulator/")
        expect(other.get_by_label("Key of the emulator")).to_be_focused()
        other.close()
        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_label("Key of the emulator")).to_be_focused()
        assert emulator.api_key not in page.evaluate("JSON.stringify([sessionStorage, localStorage, history.state])")
        page.reload()
        expect(page.get_by_label("Key of the emulator")).to_be_visible()


def test_a_key_that_is_none_any_more_is_asked_for_again(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    world = client.post("/_emulator/worlds", json={"id": "brief"}).json()
    with console_of(emulator, browser, "/sessions", key=world["api_key"], expected=("403", "401", "404")) as page:
        client.delete("/_emulator/worlds/brief")
        expect(page.get_by_role("alert")).to_contain_text("no longer known")
        # What is asked for was the sessions, and that is what the next key shows.
        page.get_by_label("Key of the emulator").fill(emulator.api_key)
        page.get_by_role("button", name="Open", exact=True).click()
        expect(page.get_by_role("heading", name="Sessions", level=1)).to_be_visible()


def test_the_way_back_leads_through_pages_and_out_of_dialogs(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser) as page:
        page.get_by_role("link", name="Sessions", exact=True).click()
        expect(page).to_have_title("Sessions · Chaser emulator")
        page.get_by_role("button", name="New session").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page).to_have_title("Overview · Chaser emulator")
        page.go_forward()
        expect(page).to_have_title("Sessions · Chaser emulator")
        expect(page.get_by_role("link", name="Sessions", exact=True)).to_have_attribute("aria-current", "page")


def test_a_dialog_keeps_the_focus_and_gives_it_back(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/sessions") as page:
        opener = page.get_by_role("button", name="New session")
        opener.press("Enter")
        inside = "document.querySelector('dialog').contains(document.activeElement)"
        expect(page.get_by_role("dialog")).to_be_visible()
        expect(page.get_by_role("dialog").locator(":focus")).to_have_count(1)
        # More often than there is anything to stop at, and back beyond the first.
        for key in [*["Tab"] * 20, *["Shift+Tab"] * 24]:
            page.keyboard.press(key)
            assert page.evaluate(inside), key
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(opener).to_be_focused()


def test_a_page_is_reached_and_read_by_keyboard_alone(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser) as page:
        skip = page.get_by_role("link", name="Skip to the content")
        skip.focus()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.get_by_role("link", name="Sessions", exact=True).press("Enter")
        expect(page.get_by_role("heading", name="Sessions", level=1)).to_be_visible()
        expect(page.locator("main")).to_be_focused()


def test_chosen_colours_are_there_before_anything_is_painted(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, scheme="light", expected=("Failed to load resource",)) as page:
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.get_by_label("Colours").select_option("dark")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert dark != light
        # The first picture of the next visit, before any module has run.
        page.route("**/app.js", lambda route: route.abort())
        page.reload(wait_until="domcontentloaded")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
        page.unroute("**/app.js")
        page.reload()
        page.get_by_label("Colours").select_option("system")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"error": "rate_limited"}, "Too much was asked for"),
        ({"error": "internal_error"}, "could not do it (500)"),
        ({"error": "insufficient_scope"}, "not allowed"),
        ({"error": "not_found"}, "not there"),
    ],
    ids=["429", "500", "403", "404"],
)
def test_a_refusal_is_told_in_plain_words(
    emulator: Running, browser: Browser, client: httpx.Client, fault: dict[str, str], said: str
) -> None:
    answer = client.post("/_emulator/faults", json={"operations": ["create-session"], **fault})
    assert answer.status_code == 201, answer.text
    with console_of(emulator, browser, "/sessions", expected=("Failed to load resource",)) as page:
        page.get_by_role("button", name="New session").click()
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(said)
        expect(page.get_by_role("button", name="Create")).to_be_enabled()
    client.delete("/_emulator/faults")


def test_what_is_not_there_is_said_with_a_way_on(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/nothing/of/this/kind") as page:
        expect(page.get_by_role("heading", name="Nothing here")).to_be_visible()
        page.locator("main").get_by_role("link", name="Overview").click()
        expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


def test_a_page_that_cannot_be_loaded_says_so_with_a_way_on(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, expected=("Failed to load resource", "could not be loaded")) as page:
        page.route("**/views/sessions.js", lambda route: route.abort())
        page.get_by_role("link", name="Sessions", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
        page.unroute("**/views/sessions.js")
        page.get_by_role("button", name="Load anew").click()
        expect(page.get_by_role("button", name="New session")).to_be_visible()


def test_an_emulator_that_comes_back_is_heard_again(browser: Browser, tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path / "data") as first:
        port, key = int(first.url.rpartition(":")[2]), first.api_key
        page = browser.new_page()
        page.goto(f"{first.url}/_emulator/#/sessions")
        page.get_by_label("Key of the emulator").fill(key)
        page.get_by_role("button", name="Open", exact=True).click()
        expect(page.locator("#status")).to_have_text("live")
        expect(page.get_by_role("button", name="New session")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("not connected")
    page.get_by_role("button", name="New session").click()
    # The form comes from the document, which nobody serves now.
    expect(page.locator("#notices")).to_contain_text("does not answer")
    with running(Settings(port=port, sandbox="scripted", data_dir=tmp_path / "data", api_key=key)) as second:
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.locator("#status")).to_have_text("live")
        with http_of(second) as client:
            made = client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}).json()
            expect(page.get_by_role("row").filter(has_text=made["id"][:8])).to_contain_text("running")
            # A world that is put back ends its stream as well.
            client.post("/_emulator/reset")
            expect(page.get_by_role("row").filter(has_text=made["id"][:8])).to_have_count(0)
    page.close()


def test_the_start_names_the_console(emulator: Running, capsys: pytest.CaptureFixture[str]) -> None:
    print_banner(emulator, emulator.world.settings)
    assert f"{emulator.url}/_emulator/" in capsys.readouterr().out


def test_a_file_that_did_not_come_is_asked_for_again(emulator: Running, browser: Browser) -> None:
    """As when a container starts while the page is opened, which is a change of the machine's networks."""
    lost = ["live.js", "app.js", "views/sessions.js"]

    def prepare(page: Page) -> None:
        def answer(route: Route) -> None:
            name = route.request.url.partition("/console/")[2]
            if name in lost:
                lost.remove(name)
                route.abort("failed")
            else:
                route.continue_()

        page.route("**/console/**", answer)

    with console_of(emulator, browser, "/sessions", prepare=prepare, expected=("net::ERR_FAILED",)) as page:
        expect(page.get_by_role("heading", name="Sessions", level=1)).to_be_visible()
        expect(page.get_by_role("button", name="New session")).to_be_visible()
    assert lost == []
