"""Terminals in the console: shells of real sandboxes, used as a person uses them, on a full screen and a plain one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of, go
from emulators import emulator_on, http_of
from playwright.sync_api import Browser, Locator, Page, expect
from requirements import require


@pytest.fixture(scope="module")
def client(local: Running) -> Iterator[httpx.Client]:
    with http_of(local) as one:
        yield one


@pytest.fixture
def session(client: httpx.Client) -> Iterator[str]:
    made = client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}).json()["id"]
    yield made
    client.delete(f"/v1/sessions/{made}", params={"force": True})


@contextmanager
def terminal_of(
    emulator: Running, browser: Browser, session: str, *, width: int = 1280, scheme: Scheme = "light"
) -> Iterator[Page]:
    """The page of a session with a full terminal that is ready."""
    require("xterm")
    with console_of(emulator, browser, f"/sessions/{session}", width=width, scheme=scheme) as page:
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        page.get_by_label("Input of Shell 1").focus()
        yield page


@contextmanager
def plain_terminal_of(
    emulator: Running, browser: Browser, session: str, *, width: int = 1280, scheme: Scheme = "light"
) -> Iterator[Page]:
    """The same where the component was not brought in, of which the page is told."""

    def without(page: Page) -> None:
        tell = "document.documentElement.dataset.terminal = 'plain'"
        page.add_init_script(f"new MutationObserver(() => {{ {tell} }}).observe(document, {{ childList: true }})")

    with console_of(emulator, browser, f"/sessions/{session}", width=width, scheme=scheme, prepare=without) as page:
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        yield page


def screen(page: Page) -> Locator:
    """What is drawn on the terminal in sight."""
    return page.locator(".terminal-pane:visible .xterm-rows")


def run(page: Page, command: str) -> None:
    """Type a command, as one types."""
    page.keyboard.type(command)
    page.keyboard.press("Enter")


def click(page: Page, word: Locator, times: int = 1) -> None:
    """Click on a word; what is drawn is under what takes the mouse, and may be drawn anew meanwhile."""
    while (box := word.bounding_box()) is None:
        pass
    page.mouse.move(box["x"] + 20, box["y"] + 5)
    page.mouse.click(box["x"] + 20, box["y"] + 5, click_count=times)


def size_of(page: Page) -> tuple[int, int]:
    """Rows and columns, as the page says them."""
    said = page.locator(".terminal-pane:visible").get_by_title("Columns and rows").inner_text()
    columns, rows = map(int, said.split(" × "))
    return rows, columns


def test_a_command_is_typed_and_its_output_seen(local: Running, browser: Browser, session: str) -> None:
    with terminal_of(local, browser, session) as page:
        run(page, "echo $((6 * 7)); cat")
        expect(screen(page)).to_contain_text("42")
        page.keyboard.insert_text("grün 日本 🦊")
        page.keyboard.press("Enter")
        # What a screen reader is given: once as it was typed, and once as it came back.
        expect(page.get_by_role("listitem").filter(has_text="grün 日本 🦊")).to_have_count(2)


def test_the_shell_knows_how_large_the_terminal_is(local: Running, browser: Browser, session: str) -> None:
    with terminal_of(local, browser, session) as page:
        run(page, "echo size: $(stty size)")
        rows, columns = size_of(page)
        expect(screen(page)).to_contain_text(f"size: {rows} {columns}")
        page.set_viewport_size({"width": 900, "height": 1000})
        expect(page.get_by_title("Columns and rows").filter(has_text=f"{columns} ×")).to_have_count(0)
        run(page, "clear; echo now: $(stty size)")
        expect(screen(page)).to_contain_text("now: {} {}".format(*size_of(page)))
        assert size_of(page) != (rows, columns)


def test_ctrl_c_interrupts_what_runs(local: Running, browser: Browser, session: str) -> None:
    with terminal_of(local, browser, session) as page:
        # What is typed is on the screen as well, and is not what it writes.
        run(page, "echo be'gun'; sleep 1000; echo not this")
        expect(screen(page)).to_contain_text("begun")
        page.keyboard.press("Control+c")
        run(page, "echo interrupted=$?")
        expect(screen(page)).to_contain_text("interrupted=130")


def test_a_program_may_have_the_whole_screen_and_colours(local: Running, browser: Browser, session: str) -> None:
    with terminal_of(local, browser, session) as page:
        run(page, "echo before; seq 1 500 | less")
        expect(screen(page)).not_to_contain_text("before")
        page.keyboard.type("G")
        expect(screen(page)).to_contain_text("500")
        page.keyboard.type("q")
        expect(screen(page)).to_contain_text("before")
        run(page, r"printf '\033[31mred\033[0m \033[38;2;10;120;200mtrue\033[0m \033[1;44mbold\033[0m\n'")
        red = screen(page).locator(".xterm-fg-1", has_text=re.compile("^red$"))
        expect(red).to_have_css("color", "rgb(168, 28, 42)")
        expect(screen(page).locator("[style*=color]", has_text=re.compile("^true$"))).to_have_count(1)
        page.get_by_label("Colours").select_option("dark")
        expect(red).to_have_css("color", "rgb(255, 143, 153)")


def test_a_flood_ends_and_can_be_ended(local: Running, browser: Browser, session: str) -> None:
    with terminal_of(local, browser, session) as page:
        run(page, "head -c 5000000 /dev/zero | tr '\\0' x | fold -w 99; echo; echo all of it")
        expect(screen(page)).to_contain_text("all of it", timeout=60_000)
        run(page, "yes flood")
        expect(screen(page)).to_contain_text("flood")
        page.keyboard.press("Control+c")
        run(page, "clear; echo over")
        expect(screen(page)).to_contain_text("over", timeout=60_000)


def test_a_sequence_that_says_to_do_it_without_end_does_not_keep_the_page_busy(
    local: Running, browser: Browser, session: str
) -> None:
    with terminal_of(local, browser, session) as page:
        asked = "\\n".join(f"x\\033[2147483647{letter}" for letter in "STLMIZbABCDEFGHJKPX@dt")
        run(page, f"printf '{asked}'; clear; echo $((6 * 7)) after it")
        expect(screen(page)).to_contain_text("42 after it")
        # Nor does a line without an end, or a letter with marks without one.
        run(page, r"yes $(printf '\314\201') | head -n 900000 | tr -d '\n'; clear; echo $((6 * 8)) after it")
        expect(screen(page)).to_contain_text("48 after it")
        run(page, r"head -c 3000000 /dev/zero | tr '\0' x; clear; echo $((6 * 9)) after it")
        expect(screen(page)).to_contain_text("54 after it")
        assert (
            page.locator(".xterm-accessibility .live-region").evaluate("(region) => region.textContent.length") < 20000
        )
        # What is asked for within the screen is done.
        run(page, r"clear; printf 'ab\033[5b'; echo; echo gone; printf '\033[A\033[99999Mstays\n'")
        expect(screen(page)).to_contain_text("abbbbbb")
        expect(screen(page)).to_contain_text("stays")
        expect(screen(page).get_by_text("gone", exact=True)).to_have_count(0)


def test_output_is_text_and_never_markup(local: Running, browser: Browser, session: str) -> None:
    with terminal_of(local, browser, session) as page:
        page.evaluate("() => { window.open = (address) => { document.body.dataset.opened = address } }")
        run(page, "echo '<img src=x onerror=document.title=1><b>bold</b><style>*{display:none}</style>'")
        run(
            page,
            r"printf '\033]0;a <b>title</b>\007\033]52;c;c2VjcmV0\007\033]8;;http://example.test/\033\\link\033]8;;\033\\\n'",
        )
        run(page, r"printf '\033]8;;javascript:alert(1)\033\\trap\033]8;;\033\\\n'")
        expect(screen(page)).to_contain_text("<img src=x onerror=document.title=1><b>bold</b>")
        assert page.locator("main img, main b").count() == 0
        assert page.title() == "Session · Chaser emulator"
        # A link is asked about before it is followed, and only those of the web are links at all.
        click(page, screen(page).get_by_text("trap", exact=True).last)
        expect(page.get_by_role("dialog")).to_have_count(0)
        click(page, screen(page).get_by_text("link", exact=True).last)
        expect(page.get_by_role("dialog")).to_contain_text("http://example.test/")
        page.get_by_role("button", name="Cancel").click()
        assert page.evaluate("document.body.dataset.opened") is None


def test_the_keyboard_can_leave_and_copy(local: Running, browser: Browser, session: str) -> None:
    with terminal_of(local, browser, session) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        expect(page.get_by_text("Ctrl+Shift+L")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_label("Input of Shell 1")).to_be_focused()
        page.keyboard.press("Control+Shift+L")
        expect(page.get_by_role("button", name="Close Shell 1")).to_be_focused()
        page.keyboard.press("Shift+Tab")
        expect(page.get_by_label("Input of Shell 1")).to_be_focused()
        page.keyboard.press("Control+u")
        run(page, "clear; echo copied-by-keys")
        click(page, screen(page).get_by_text(re.compile("^copied-by-keys")), times=2)
        page.keyboard.press("Control+Shift+C")
        expect(page.get_by_text("Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == "copied-by-keys"
        page.evaluate("navigator.clipboard.writeText('echo pasted-$((1+1))')")
        page.keyboard.press("Control+Shift+V")
        page.keyboard.press("Enter")
        expect(screen(page)).to_contain_text("pasted-2")


def test_the_end_of_a_shell_is_told_and_another_begun(local: Running, browser: Browser, session: str) -> None:
    with terminal_of(local, browser, session) as page:
        run(page, "exit 3")
        expect(page.get_by_text("Ended with exit code 3.")).to_be_visible()
        expect(page.get_by_role("button", name="Start again")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        expect(page.get_by_label("Input of Shell 1")).to_be_focused()
        run(page, "echo again")
        expect(screen(page)).to_contain_text("again")


def test_terminals_stay_open_on_other_pages_and_are_closed_one_by_one(
    local: Running, browser: Browser, session: str, client: httpx.Client
) -> None:
    with terminal_of(local, browser, session) as page:
        run(page, "name=first")
        page.get_by_role("button", name="New terminal").click()
        expect(page.get_by_label("Input of Shell 2")).to_be_focused()
        expect(page.locator(".terminal-pane:visible").get_by_text("Connected", exact=True)).to_be_visible()
        page.get_by_label("Kind of the new terminal").select_option("agent")
        page.get_by_role("button", name="New terminal").click()
        page.get_by_label("Input of Bare shell 3").fill("echo bare $((40 + 2)); ps -o tty= $$ | wc -l")
        page.keyboard.press("Enter")
        expect(page.get_by_role("log", name="Output of Bare shell 3")).to_contain_text("bare 42")
        assert client.get(f"/v1/sessions/{session}").json()["active_connection_leases"] == 3
        page.get_by_role("link", name="Sessions", exact=True).click()
        page.get_by_role("heading", name="Sessions").wait_for()
        page.go_back()
        page.get_by_role("tab", name="Shell 1", exact=True).click()
        run(page, "echo my name is $name")
        expect(screen(page)).to_contain_text("my name is first")
        page.get_by_role("button", name="Close Shell 1").click()
        page.get_by_role("button", name="Close it").click()
        expect(page.get_by_role("tab")).to_have_count(2)
        expect(page.get_by_role("tab", name="Shell 2", exact=True)).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Bare shell 3")).to_be_focused()
        expect(page.get_by_label("Input of Bare shell 3")).to_be_visible()
        expect(page.get_by_text("Open connections2")).to_have_count(1)


def test_the_end_of_a_session_is_told_where_one_looks(
    local: Running, browser: Browser, session: str, client: httpx.Client
) -> None:
    with terminal_of(local, browser, session) as page:
        run(page, "echo last words")
        expect(screen(page)).to_contain_text("last words")
        page.get_by_role("button", name="End", exact=True).click()
        page.get_by_role("button", name="End it").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("terminated")
        expect(page.get_by_text(re.compile("Ended with exit code"))).to_be_visible()
        expect(screen(page)).to_contain_text("last words")
        expect(page.get_by_role("button", name="End", exact=True)).to_have_count(0)


def test_a_browser_that_cannot_hold_a_sender_back_has_terminals_too(
    local: Running, browser: Browser, session: str
) -> None:
    require("xterm")

    def without(page: Page) -> None:
        page.add_init_script("delete window.WebSocketStream")

    with console_of(local, browser, f"/sessions/{session}", prepare=without) as page:
        page.get_by_label("Input of Shell 1").focus()
        run(page, "seq -s ' ' 1 9; seq 1 300000; echo; echo sum: $((6 * 7)); exit 5")
        expect(screen(page)).to_contain_text("sum: 42", timeout=60_000)
        expect(page.get_by_text("Ended with exit code 5.")).to_be_visible()


def test_a_session_of_another_account_has_terminals_as_well(
    local: Running, browser: Browser, client: httpx.Client
) -> None:
    require("xterm")
    made = client.post("/v1/accounts/organizations", json={"name": "another"}).json()["account"]
    with http_of(local, account=made["id"]) as inside:
        session = inside.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}).json()["id"]
        with console_of(local, browser) as page:
            page.get_by_label("Account").select_option(made["id"])
            expect(page.get_by_label("Account")).to_have_value(made["id"])
            go(page, f"/sessions/{session}", "Session")
            expect(page.get_by_text("Connected", exact=True)).to_be_visible()
        inside.delete(f"/v1/sessions/{session}", params={"force": True})


def test_a_session_that_is_no_more_is_said_so(local: Running, browser: Browser) -> None:
    with console_of(local, browser, f"/sessions/{uuid4()}", expected=("404",)) as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("No such session")
        page.get_by_role("link", name="All sessions").click()
        page.get_by_role("heading", name="Sessions").wait_for()


def test_an_emulator_that_stops_is_told(browser: Browser) -> None:
    require("xterm")
    with emulator_on("local") as one:
        with http_of(one) as client:
            made = client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}).json()["id"]
        lost = ("WebSocket", "Failed to load", "ERR_")
        with console_of(one, browser, f"/sessions/{made}", expected=lost) as page:
            expect(page.get_by_text("Connected", exact=True)).to_be_visible()
            one.stop()
            # Which of these it is depends on what is over first, the shell or the connection.
            told = re.compile(r"Ended with exit code 137\.|The emulator was stopped\.|The connection was lost\.")
            expect(page.get_by_text(told)).to_be_visible()
            page.get_by_role("button", name="Start again").click()
            expect(page.get_by_text("The emulator does not answer.")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1920, "light")])
def test_a_full_terminal_fits_and_is_accessible(
    local: Running, browser: Browser, session: str, width: int, scheme: Scheme
) -> None:
    with terminal_of(local, browser, session, width=width, scheme=scheme) as page:
        run(page, "printf '\\033[3%dmcolour ' 1 2 3 4 5 6 7")
        expect(screen(page)).to_contain_text("colour colour")
        assert_fits(page)
        assert_accessible(page)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1920, "light")])
def test_without_the_component_there_is_a_plain_terminal(
    local: Running, browser: Browser, session: str, width: int, scheme: Scheme
) -> None:
    with plain_terminal_of(local, browser, session, width=width, scheme=scheme) as page:
        expect(page.get_by_text("This is a plain terminal")).to_be_visible()
        line = page.get_by_label("Input of Shell 1")
        log = page.get_by_role("log")
        line.fill("echo $((6 * 7)) '<b>grün</b>'; printf '\\033[31mred\\033[0m\\n'")
        line.press("Enter")
        expect(log).to_contain_text("42 <b>grün</b>")
        expect(log.locator(".fore-red", has_text="red")).to_have_count(1)
        assert_fits(page)
        assert_accessible(page)
        line.fill("cat; head -c 3000000 /dev/zero | tr '\\0' x | fold -w 99; echo; echo all of it")
        line.press("Enter")
        line.fill("typed to cat")
        page.get_by_role("button", name="Send").click()
        expect(log.get_by_text("typed to cat", exact=True)).to_have_count(2)
        page.get_by_role("button", name="Ctrl-D").click()
        expect(log.get_by_text("all of it", exact=True)).to_be_visible(timeout=60_000)
        line.fill("sleep 1000")
        line.press("Enter")
        page.get_by_role("button", name="Ctrl-C").click()
        line.press("ArrowUp")
        expect(line).to_have_value("sleep 1000")
        line.fill("exit 4")
        line.press("Enter")
        expect(page.get_by_text("Ended with exit code 4.")).to_be_visible()
