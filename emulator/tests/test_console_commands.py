"""Commands of a session in the console: run, followed while they write, fed, signalled and found again."""

from __future__ import annotations

import json

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import assert_accessible, assert_fits, console_of, go
from people import ok
from playwright.sync_api import Browser, Page, Route, expect


@pytest.fixture(scope="module")
def session(http: httpx.Client) -> str:
    return str(ok(http.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))["id"])


def _background(http: httpx.Client, session: str, command: str) -> str:
    body = {"command": command, "background": True}
    return str(ok(http.post(f"/v1/sessions/{session}/exec", json=body))["command_id"])


def _tab(session: str, command: str | None = None) -> str:
    return f"/sessions/{session}?tab=commands" + (f"&command={command}" if command else "")


def _write(page: Page, command: str) -> None:
    page.get_by_role("textbox", name="command").fill(command)


def test_a_command_is_run_and_its_end_shown(local: Running, http: httpx.Client, session: str, browser: Browser) -> None:
    with console_of(local, browser, _tab(session)) as page:
        _write(page, "printf '\\033[31mred\\033[0m <b>no markup</b>\\n'; cat; exit 3")
        page.get_by_text("More", exact=True).click()
        page.get_by_label("input", exact=True).fill("fed\nby form")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_text("It exited with 3.")).to_be_visible()
        output = page.get_by_role("region", name="Output of the command")
        expect(output).to_contain_text("red <b>no markup</b>")
        expect(output).to_contain_text("by form")
        expect(output.locator(".fore-red")).to_have_text("red")
        assert_accessible(page)


def test_one_that_is_waited_for_can_be_stopped(
    local: Running, http: httpx.Client, session: str, browser: Browser
) -> None:
    with console_of(local, browser, _tab(session)) as page:
        _write(page, "touch begun; sleep 600; touch survived")
        page.get_by_role("textbox", name="command").press("Control+Enter")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("It was stopped.")).to_be_visible()
        expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()


def test_what_is_wrong_is_said_at_the_field(local: Running, session: str, browser: Browser) -> None:
    with console_of(local, browser, _tab(session), expected=("400",)) as page:
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("textbox", name="command")).to_be_focused()
        _write(page, "true")
        page.get_by_text("More", exact=True).click()
        page.get_by_label("folder", exact=True).fill("/nowhere")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_text("is no directory")).to_be_visible()


def test_one_in_the_background_is_followed_fed_and_signalled(
    local: Running, http: httpx.Client, session: str, browser: Browser
) -> None:
    with console_of(local, browser, _tab(session)) as page:
        _write(page, "trap 'echo caught' USR1; while read line; do echo \"got $line\"; done; echo over; exec sleep 600")
        page.get_by_role("button", name="Run in the background").click()
        output = page.get_by_role("region", name="Output", exact=True)
        page.get_by_label("Input").fill("a line ü")
        page.get_by_role("button", name="Send the line").click()
        expect(output).to_contain_text("got a line ü")
        expect(page.get_by_label("Input")).to_have_value("")
        assert_accessible(page)
        page.get_by_role("button", name="End the input").click()
        expect(output).to_contain_text("over")
        page.get_by_label("Signal").select_option("KILL")
        page.get_by_role("button", name="Send the signal").click()
        expect(page.locator(".command-head .badge")).to_have_text("killed")
        expect(page.get_by_role("button", name="Send the signal")).to_be_hidden()
        told = ok(http.get(f"/v1/sessions/{session}/commands"))["commands"][0]
        assert (told["status"], told["exit_code"]) == ("killed", 137)
        page.get_by_role("link", name="All commands").click()
        expect(page.get_by_role("row").filter(has_text="trap").first).to_contain_text("killed")


def test_the_list_follows_what_others_start(local: Running, http: httpx.Client, session: str, browser: Browser) -> None:
    with console_of(local, browser, _tab(session)) as page:
        _background(http, session, "echo of-somebody-else; exit 4")
        row = page.get_by_role("row").filter(has_text="of-somebody-else")
        expect(row).to_contain_text("exited with 4")
        row.get_by_role("link").click()
        expect(page.get_by_role("region", name="Output", exact=True)).to_contain_text("of-somebody-else")


def test_bytes_that_are_no_text_and_characters_cut_in_two_arrive(
    local: Running, http: httpx.Client, session: str, browser: Browser
) -> None:
    command = _background(http, session, "printf 'a\\377b '; printf '\\303'; sleep 0.3; printf '\\274\\n'")
    with console_of(local, browser, _tab(session, command)) as page:
        expect(page.get_by_role("region", name="Output", exact=True)).to_contain_text("a\ufffdb ü")


def test_much_output_stays_smooth_and_is_all_in_the_download(
    local: Running, http: httpx.Client, session: str, browser: Browser
) -> None:
    command = _background(http, session, "seq 1 1500000")
    with console_of(local, browser, _tab(session, command)) as page:
        output = page.get_by_role("region", name="Output", exact=True)
        expect(output).to_contain_text("1500000", timeout=30_000)
        expect(page.get_by_text("1,500,000 lines")).to_be_visible()
        assert page.locator(".output-row").count() < 200
        output.press("Home")
        expect(page.get_by_role("button", name="Go to the end")).to_be_visible()
        page.get_by_role("button", name="Go to the end").click()
        expect(output).to_contain_text("1500000")
        with page.expect_download() as caught:
            page.get_by_role("button", name="Download").click()
        assert caught.value.path().stat().st_size == 10_888_896


def test_output_goes_on_where_it_broke_off(local: Running, http: httpx.Client, session: str, browser: Browser) -> None:
    command = _background(http, session, "echo one; echo two")
    data = json.dumps({"offset": 0, "encoding": "utf-8", "data": "one\n"})
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(content_type="text/event-stream", body=f"id: 4\nevent: output\ndata: {data}\n\n")
        else:
            route.continue_()

    with console_of(local, browser, _tab(session)) as page:
        page.route("**/stream?*", answer)
        go(page, _tab(session, command), f"Session {session[:8]}")
        expect(page.get_by_text("2 lines, 8 B")).to_be_visible()
        assert ["from=4" in url for url in asked] == [False, True]


def test_who_scrolls_up_stays_there(local: Running, http: httpx.Client, session: str, browser: Browser) -> None:
    command = _background(http, session, "seq 1 500; while read x; do seq 1 50; done")
    with console_of(local, browser, _tab(session, command)) as page:
        output = page.get_by_role("region", name="Output", exact=True)
        expect(output).to_contain_text("500")
        output.press("Home")
        expect(output.get_by_text("1", exact=True).first).to_be_visible()
        page.get_by_label("Input").fill("more")
        page.get_by_role("button", name="Send the line").click()
        expect(page.get_by_text("550 lines")).to_be_visible()
        assert output.evaluate("(node) => node.scrollTop") == 0


def test_commands_fit_a_telephone(local: Running, http: httpx.Client, session: str, browser: Browser) -> None:
    command = _background(http, session, "cat; echo " + "wide" * 200)
    with console_of(local, browser, _tab(session), width=360, scheme="dark") as page:
        page.get_by_role("row").first.wait_for()
        assert_fits(page)
        assert_accessible(page)
        go(page, _tab(session, command), f"Session {session[:8]}")
        page.get_by_role("region", name="Output", exact=True).wait_for()
        assert_fits(page)
        assert_accessible(page)


def test_the_self_test_says_what_a_command_finds(local: Running, session: str, browser: Browser) -> None:
    with console_of(local, browser, _tab(session)) as page:
        page.get_by_role("button", name="Self-test").click()
        dialog = page.get_by_role("dialog", name="Self-test")
        expect(dialog).to_contain_text("/workspace")
        assert_accessible(page)
        page.keyboard.press("Escape")


def test_the_scripted_engine_says_that_nothing_runs(emulator: Running, client: httpx.Client, browser: Browser) -> None:
    made = ok(client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))
    with console_of(emulator, browser, _tab(made["id"])) as page:
        expect(page.get_by_text("The scripted engine runs no commands")).to_be_visible()
        _write(page, "echo hello")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_role("region", name="Output of the command")).to_contain_text("hello")
        client.delete(f"/v1/sessions/{made['id']}", params={"force": True})
        expect(page.get_by_text("nothing more runs in it")).to_be_visible()
        expect(page.get_by_role("button", name="Run", exact=True)).to_have_count(0)
