"""What an agent does in a real Chromium by the tool `browser`: goes, looks, clicks, fills in, waits, and is told."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from driven import Agent, site
from emulators import emulator_on, http_of
from requirements import require


@pytest.fixture(scope="module")
def local() -> Iterator[Running]:
    require("chromium")
    with emulator_on("local", rate_limit=Limits(enabled=False)) as one:
        yield one


@pytest.fixture(scope="module")
def api(local: Running) -> Iterator[httpx.Client]:
    with http_of(local) as one:
        yield one


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with site() as one:
        yield one


@pytest.fixture(scope="module")
def browser(api: httpx.Client) -> Agent:
    agent = Agent(api, ephemeral=True)
    agent.do("list_pages")
    return agent


@pytest.fixture
def agent(browser: Agent) -> Agent:
    """One whose browser has a single page; the session is shared by the tests of this module."""
    while len(browser.pages()) > 1:
        browser.do("close_page", pageIdx=1)
    browser.go("about:blank")
    return Agent(browser.client, **browser.target)


# Going places


def test_a_page_is_gone_to_once_it_has_loaded(agent: Agent, url: str) -> None:
    told = agent.do("navigate_page", url=f"{url}/blank")
    assert (told["url"], told["status"]) == (f"{url}/blank", 200)
    assert told["pages"] == [{"idx": 0, "url": f"{url}/blank", "title": "Blank", "selected": True}]


@pytest.mark.parametrize("path", ["/redirect", "/redirected"])
def test_where_a_redirect_or_a_script_leads_is_where_one_ends_up(agent: Agent, url: str, path: str) -> None:
    assert agent.do("navigate_page", url=url + path)["url"] == f"{url}/blank"


def test_one_goes_back_and_forward_and_loads_again(agent: Agent, url: str) -> None:
    agent.go(f"{url}/blank")
    agent.go(f"{url}/list")
    assert agent.do("navigate_page", type="back")["url"] == f"{url}/blank"
    assert agent.do("navigate_page", type="forward")["url"] == f"{url}/list"
    assert "no page to go forward to" in agent.failed("navigate_page", type="forward")
    agent.value("() => { document.title = 'mine' }")
    assert agent.do("navigate_page", type="reload")["url"] == f"{url}/list"
    assert agent.title == "List"


def test_a_place_within_a_page_is_no_new_page(agent: Agent, url: str) -> None:
    agent.go(f"{url}/list")
    agent.value("() => { window.kept = 1 }")
    assert agent.do("navigate_page", url=f"{url}/list#two")["url"] == f"{url}/list#two"
    assert agent.value("() => window.kept") == 1


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://127.0.0.1:59999/", "net::ERR_CONNECTION_REFUSED"),
        ("http://no-such-host.invalid/", "net::ERR_"),
        ("{}/loop", "net::ERR_TOO_MANY_REDIRECTS"),
        ("{}/empty", "net::ERR_ABORTED"),
        ("{}/file", "is a download"),
        ("http://[", "Cannot navigate to invalid URL"),
    ],
)
def test_an_address_that_shows_nothing_fails_with_the_reason(agent: Agent, url: str, address: str, reason: str) -> None:
    assert reason in agent.failed("navigate_page", url=address.format(url))


def test_an_error_of_the_server_is_a_page_with_its_status(agent: Agent, url: str) -> None:
    told = agent.do("navigate_page", url=f"{url}/nowhere")
    assert told["status"] == 404
    assert "The server answered 404" in told["message"]


def test_a_server_that_does_not_answer_is_given_up_in_time(agent: Agent, url: str) -> None:
    assert "did not answer within 300 ms" in agent.failed("navigate_page", url=f"{url}/hang", timeout=300)
    agent.go(f"{url}/blank")


def test_a_page_that_never_loads_can_be_used_all_the_same(agent: Agent, url: str) -> None:
    assert "has not finished loading after 500 ms" in agent.failed("navigate_page", url=f"{url}/never", timeout=500)
    assert "here already" in agent.do("take_snapshot")["snapshot"]


# Pages


def test_pages_open_come_to_the_front_and_close(agent: Agent, url: str) -> None:
    agent.go(f"{url}/blank")
    told = agent.do("new_page", url=f"{url}/list")
    assert [(page["url"], page["selected"]) for page in told["pages"]] == [
        (f"{url}/blank", False),
        (f"{url}/list", True),
    ]
    assert agent.title == "List"
    agent.do("select_page", pageIdx=0)
    assert agent.title == "Blank"
    told = agent.do("close_page", pageIdx=0)
    assert [(page["url"], page["selected"]) for page in told["pages"]] == [(f"{url}/list", True)]
    assert "the last open page cannot be closed" in agent.failed("close_page", pageIdx=0).lower()
    assert "there are 0 to 0" in agent.refused("select_page", pageIdx=1)


def test_a_page_that_a_click_opens_is_told_and_not_selected(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    told = agent.click('link "Popup"')
    assert [(page["url"], page["selected"]) for page in told["pages"]] == [(f"{url}/", True), (f"{url}/blank", False)]
    agent.do("select_page", pageIdx=1)
    assert "nothing much" in agent.do("take_snapshot")["snapshot"]


def test_a_page_that_closes_itself_is_missed_once(agent: Agent, url: str) -> None:
    agent.go(f"{url}/blank")
    agent.value(f"() => {{ open('{url}/') }}")
    agent.do("select_page", pageIdx=1)
    assert "has been closed" in agent.click('button "Close"')["message"]
    assert "page 0 is selected now" in agent.failed("take_snapshot")
    assert agent.title == "Blank"


# Looking


def test_a_snapshot_is_an_outline_of_what_can_be_perceived(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    lines = agent.do("take_snapshot")["snapshot"].splitlines()
    plain = [re.sub(r"uid=\d+_\d+ ", "", line) for line in lines]
    assert plain[0].startswith('RootWebArea "Home"')
    assert '  heading "Welcome" level="1"' in plain
    assert '  StaticText "bold"' in plain
    assert '  button "Off" disabled' in plain
    assert '  button "Load"' in plain
    assert not [line for line in plain if "Ghost" in line or "generic" in line or "InlineTextBox" in line]
    assert len({line.split()[0] for line in lines}) == len(lines)


def test_a_snapshot_shows_what_is_filled_in_but_no_secret(agent: Agent, url: str) -> None:
    agent.go(f"{url}/form")
    agent.do("fill", uid=agent.uid('textbox "Name"'), value="Ada")
    agent.do("fill", uid=agent.uid('textbox "Secret"'), value="hunter2")
    shown = agent.do("take_snapshot")["snapshot"]
    assert 'textbox "Name" value="Ada"' in shown
    assert "hunter2" not in shown


def test_a_verbose_snapshot_tells_more(agent: Agent, url: str) -> None:
    agent.go(f"{url}/form")
    short = agent.do("take_snapshot")["snapshot"]
    long = agent.do("take_snapshot", verbose=True)["snapshot"]
    assert "focusable" in long
    assert "focusable" not in short
    assert len(long.splitlines()) > len(short.splitlines())


def test_what_is_in_frames_is_seen_and_used_wherever_they_are_from(agent: Agent, url: str) -> None:
    agent.go(f"{url}/frames")
    shown = agent.do("take_snapshot")["snapshot"]
    near, deep, far, deepest = re.findall(r'uid=(\S+) button "(?:Press|Deep)"', shown)
    for uid in (near, deep, far, deepest):
        agent.do("click", uid=uid)
    shown = agent.do("take_snapshot")["snapshot"]
    assert shown.count('button "Deeper"') == 2
    assert 'button "Pressed on 127.0.0.1"' in shown
    assert 'button "Pressed on localhost"' in shown
    _, inside = re.findall(r'uid=(\S+) textbox "Inside"', shown)
    agent.do("fill", uid=inside, value="typed")
    assert agent.value("(element) => element.value + ' on ' + location.hostname", inside) == "typed on localhost"


@pytest.mark.parametrize(
    ("form", "start"), [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF")], ids=lambda one: str(one)
)
def test_a_screenshot_is_a_picture_of_its_kind(agent: Agent, url: str, form: str, start: bytes) -> None:
    agent.go(f"{url}/")
    text, picture = agent.call("take_screenshot", format=form, quality=50)["content"]
    assert (text["type"], picture["type"], picture["mimeType"]) == ("text", "image", f"image/{form}")
    assert base64.b64decode(picture["data"]).startswith(start)


def test_a_screenshot_shows_the_window_the_page_or_one_element(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")

    def size(**arguments: Any) -> tuple[int, int]:
        data = base64.b64decode(agent.call("take_screenshot", **arguments)["content"][1]["data"])
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")

    window, whole, button = size(), size(fullPage=True), size(uid=agent.uid('button "Bottom"'))
    assert whole[1] > 3000 > window[1] > button[1] > 0
    assert whole[0] >= window[0] - 20 > button[0] > 0
    assert "fullPage" in agent.wrong("take_screenshot", fullPage=True, uid="1_1")


# Acting


def test_a_click_scrolls_to_its_element_and_waits_for_what_follows(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    agent.click('button "Bottom"')
    assert agent.title == "bottom"
    told = agent.do("click", uid=agent.uid('button "Load"'), includeSnapshot=True)
    assert "loaded data" in told["snapshot"]


def test_a_click_on_a_link_waits_for_the_page_that_it_leads_to(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    told = agent.click('link "Slow"')
    assert told["url"] == f"{url}/slow?0.4"
    assert "finally" in agent.do("take_snapshot")["snapshot"]


def test_a_link_to_another_program_says_that_there_is_none(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    assert "another program (mailto:)" in agent.click('link "Mail"')["message"]
    agent.do("navigate_page", type="reload")
    assert "program" not in agent.click('button "Twice"')["message"]


def test_clicks_are_single_or_double(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    agent.click('button "Twice"')
    assert agent.title == "Home"
    agent.do("click", uid=agent.uid('button "Twice"'), dblClick=True)
    assert agent.title == "double"


def test_pointing_at_something_does_not_click_it(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    agent.do("hover", uid=agent.uid('button "Hover me"'))
    assert agent.title == "hovered"


def test_what_cannot_be_clicked_says_why(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    assert "is disabled" in agent.failed("click", uid=agent.uid('button "Off"'))
    agent.go(f"{url}/covered")
    assert "is covered by <div>#lid" in agent.failed("click", uid=agent.uid('button "Under"'))
    assert agent.title == "Covered"


def test_what_is_in_a_closed_shadow_can_be_clicked(agent: Agent, url: str) -> None:
    agent.go(f"{url}/shadow")
    agent.click('button "Within"')
    assert agent.title == "reached"


def test_a_page_that_is_never_still_does_not_hold_up_a_click(agent: Agent, url: str) -> None:
    agent.go(f"{url}/restless")
    agent.click('button "Go"')


def test_a_form_is_filled_in_and_sent(agent: Agent, url: str) -> None:
    agent.go(f"{url}/form")
    for what, value in (
        ('textbox "Name"', "Ada Ω"),
        ('textbox "Secret"', "s"),
        ('spinbutton "Age"', "36"),
        ('Date "Day"', "2026-05-04"),
        ('slider "Volume"', "7"),
        ('checkbox "Agree"', "true"),
        ('radio "Large"', "true"),
        ('textbox "Notes"', "one\ntwo"),
        ('combobox "Fruit"', "Banana"),
    ):
        agent.do("fill", uid=agent.uid(what), value=value)
    assert agent.title == "chose b"
    told = agent.click('button "Send"')
    sent = httpx.QueryParams(told["url"].partition("?")[2])
    assert dict(sent) == {
        "name": "Ada Ω",
        "secret": "s",
        "age": "36",
        "day": "2026-05-04",
        "volume": "7",
        "agree": "on",
        "size": "l",
        "notes": "one\r\ntwo",
        "fruit": "b",
    }


def test_filling_in_replaces_empties_and_unticks(agent: Agent, url: str) -> None:
    agent.go(f"{url}/form")
    agent.do("fill", uid=agent.uid('textbox "Rich"'), value="plain now")
    assert agent.value("() => document.querySelector('[contenteditable]').innerText") == "plain now"
    agent.do("fill", uid=agent.uid('textbox "Name"'), value="")
    assert agent.title == "typed"
    for value, ticked in (("true", True), ("true", True), ("false", False)):
        agent.do("fill", uid=agent.uid('checkbox "Agree"'), value=value)
        assert agent.value("() => document.querySelector('[name=agree]').checked") is ticked


def test_a_click_on_an_option_chooses_it(agent: Agent, url: str) -> None:
    agent.go(f"{url}/form")
    agent.click('option "Banana"')
    assert agent.title == "chose b"


@pytest.mark.parametrize(
    ("what", "value", "reason"),
    [
        ('combobox "Fruit"', "Kiwi", 'there are: "Apple", "Banana", "Cherry"'),
        ('combobox "Fruit"', "Cherry", "is disabled"),
        ('checkbox "Agree"', "yes", '"true" or "false"'),
        ('Date "Day"', "4 May", "2026-01-31"),
        ('spinbutton "Age"', "old", "did not take"),
        ('textbox "Fixed"', "y", "can only be read"),
        ('button "File', "y", "an input for file"),
        ('button "Send"', "y", "cannot be filled"),
    ],
)
def test_what_a_field_does_not_take_says_what_it_takes(
    agent: Agent, url: str, what: str, value: str, reason: str
) -> None:
    agent.go(f"{url}/form")
    assert reason in agent.failed("fill", uid=agent.uid(what), value=value)


def test_what_a_field_makes_of_a_value_is_told(agent: Agent, url: str) -> None:
    agent.go(f"{url}/form")
    assert 'It holds "abc" now' in agent.do("fill", uid=agent.uid('textbox "Short"'), value="abcdef")["message"]


def test_keys_are_pressed_alone_and_together(agent: Agent, url: str) -> None:
    agent.go(f"{url}/form")
    agent.click('textbox "Name"')
    for key in ("Control+A", "a", "Shift+b", "+", "é", "ArrowLeft", "Backspace", "Home", "Delete"):
        agent.do("press_key", key=key)
    assert agent.value("() => document.querySelector('[name=name]').value") == "Bé"
    assert agent.do("press_key", key="Enter")["url"].startswith(f"{url}/done?name=B%C3%A9")
    for key in ("Entr", "Control+", "a+b", "F99"):
        assert "arguments/key" in agent.wrong("press_key", key=key)


# Ids


def test_ids_are_good_until_the_next_snapshot_or_page(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    old = agent.uid('button "Load"')
    new = agent.uid('button "Load"')
    assert "take a new snapshot" in agent.refused("click", uid=old)
    agent.do("click", uid=new)
    agent.go(f"{url}/")
    assert f"'{new}' is stale" in agent.refused("click", uid=new)
    assert "is no uid" in agent.refused("fill", uid="button", value="x")


def test_an_element_that_is_gone_says_so(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    uid = agent.uid('button "Load"')
    agent.value("(element) => element.remove()", uid)
    assert "is not on the page any more" in agent.failed("click", uid=uid)


def test_an_id_of_another_page_names_that_page(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    uid = agent.uid('button "Load"')
    agent.do("new_page", url=f"{url}/")
    assert "is of page 0" in agent.refused("click", uid=uid)
    agent.do("select_page", pageIdx=0)
    agent.do("click", uid=uid)


# Scripts


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("() => 1 + 1", 2),
        ("async () => { await new Promise((go) => setTimeout(go, 50)); return [1, {a: null}] }", [1, {"a": None}]),
        ("function () { return 'text' }", "text"),
        ("() => undefined", None),
        ("() => 10n", "10n"),
        ("() => NaN", "NaN"),
    ],
)
def test_what_a_function_returns_is_answered_as_json(agent: Agent, url: str, function: str, value: Any) -> None:
    agent.go(f"{url}/blank")
    assert agent.value(function) == value


def test_a_function_gets_elements(agent: Agent, url: str) -> None:
    agent.go(f"{url}/list")
    one, two = agent.uid("listitem"), agent.uid('StaticText "two')
    assert "arguments/args/0/uid" in agent.refused("evaluate_script", function="(a) => a", args=[{"uid": one}])
    assert agent.value("(text) => text.parentElement.innerText", two) == "two bold"
    assert agent.do("evaluate_script", function="(text) => text.nodeName", args=[two])["value"] == "#text"


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("document.title", "is no function"),
        ("() => {", "SyntaxError"),
        ("() => { throw new TypeError('wrong') }", "TypeError: wrong"),
        ("async () => { throw 'text' }", "text"),
        ("() => { const a = {}; a.a = a; return a }", "contains itself"),
        ("() => 'x'.repeat(2 ** 21)", "at most 1048576"),
    ],
)
def test_what_is_wrong_with_a_function_is_told(agent: Agent, function: str, reason: str) -> None:
    assert reason in agent.failed("evaluate_script", function=function)


def test_what_no_text_can_hold_is_replaced(agent: Agent, url: str) -> None:
    agent.go(f"{url}/blank")
    half = "() => { document.title = 'a\\ud83d'; document.body.append('b\\udc00'); return 'c\\ud800' }"
    assert agent.value(half) == "c\N{REPLACEMENT CHARACTER}"
    shown = agent.do("take_snapshot")["snapshot"]
    assert "a\N{REPLACEMENT CHARACTER}" in shown
    assert "b\N{REPLACEMENT CHARACTER}" in shown
    deep = "() => { let a = []; for (let i = 0; i < COUNT; i++) a = [a]; return a }"
    for count in ("150", "900"):
        assert "deep" in agent.failed("evaluate_script", function=deep.replace("COUNT", count))


def test_a_long_address_is_shown_in_short(agent: Agent) -> None:
    told = agent.call("navigate_page", url=f"data:text/html,<title>Long</title>{'x' * 100_000}")
    assert len(told["content"][0]["text"]) < 10_000
    assert agent.title == "Long"


def test_a_function_that_does_not_end_is_stopped_and_the_page_lives_on(agent: Agent, url: str) -> None:
    agent.go(f"{url}/blank")
    told = agent.failed("evaluate_script", function="() => { for (;;); }", timeout=300)
    assert "did not end within 300 ms, and was stopped" in told
    assert agent.title == "Blank"
    told = agent.failed("evaluate_script", function="() => new Promise(() => {})", timeout=300)
    assert "promise of the function was not settled" in told
    assert agent.title == "Blank"


def test_a_function_may_lead_elsewhere(agent: Agent, url: str) -> None:
    agent.go(f"{url}/blank")
    told = agent.do("evaluate_script", function="() => { location.href = '/list' }")
    assert told["url"] == f"{url}/list"


# Waiting and being told


def test_a_text_is_waited_for(agent: Agent, url: str) -> None:
    agent.go(f"{url}/late")
    told = agent.do("wait_for", text="Arrived <at> last")
    assert "Arrived <at> last" in told["snapshot"]
    assert agent.do("wait_for", text=["never", "Arrived"])["found"] == "Arrived"
    assert "did not appear within 300 ms" in agent.failed("wait_for", text="never", timeout=300)
    agent.go(f"{url}/frames")
    agent.do("wait_for", text="Deep")


def test_dialogs_are_answered_and_told(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    [told] = agent.click('button "Alert"')["dialogs"]
    assert told == {"type": "alert", "message": "boo", "answer": "accepted"}
    assert agent.title == "alerted"
    told = agent.click('button "Ask"')
    assert [one["type"] for one in told["dialogs"]] == ["confirm", "prompt"]
    assert agent.title == "true,Ada"
    assert "dialogs" not in agent.do("take_snapshot")
    assert agent.do("navigate_page", url=f"{url}/alerts")["dialogs"][0]["message"] == "at load"


def test_a_page_that_asks_before_it_is_left_is_left(agent: Agent, url: str) -> None:
    agent.go(f"{url}/leave")
    agent.click('button "Arm"')
    told = agent.do("navigate_page", url=f"{url}/blank")
    assert [one["type"] for one in told["dialogs"]] == ["beforeunload"]
    assert agent.title == "Blank"


def test_a_page_that_opens_dialogs_without_end_is_stopped(agent: Agent, url: str) -> None:
    agent.go(f"{url}/blank")
    told = agent.failed("evaluate_script", function="() => { for (;;) alert('again') }")
    assert "opened 100 dialogs in a row and was stopped" in told
    agent.go(f"{url}/blank")
    assert agent.title == "Blank"


def test_a_page_that_crashed_says_so_and_can_be_left(agent: Agent, url: str) -> None:
    agent.call("navigate_page", url="chrome://crash", timeout=2000)
    assert "has crashed" in agent.failed("take_snapshot")
    agent.go(f"{url}/blank")
    assert "nothing much" in agent.do("take_snapshot")["snapshot"]


def test_downloads_are_told(agent: Agent, url: str) -> None:
    agent.go(f"{url}/")
    assert agent.click('link "Download"')["downloads"] == ["f.bin"]


def test_the_console_is_kept_across_pages(agent: Agent, url: str) -> None:
    agent.do("new_page", url=f"{url}/")
    agent.click('button "Log"')
    agent.go(f"{url}/blank")
    agent.value("() => console.warn('later')")
    told = agent.do("list_console_messages")
    texts = [(one["type"], one["text"].splitlines()[0]) for one in told["messages"]]
    assert ("log", "clicked me {a: 1}") in texts
    assert ("error", "Uncaught Error: oops") in texts
    assert texts[-1] == ("warn", "later")
    assert told["total"] == len(texts)
    [only] = agent.do("list_console_messages", types=["warn"])["messages"]
    assert only["text"] == "later"
    told = agent.do("list_console_messages", pageSize=1, pageIdx=1)
    assert [one["text"].splitlines()[0] for one in told["messages"]] == [texts[1][1]]


def test_requests_are_kept_across_pages(agent: Agent, url: str) -> None:
    agent.do("new_page", url=f"{url}/redirect")
    agent.go(f"{url}/")
    agent.click('button "Load"')
    agent.value("() => fetch('http://127.0.0.1:59999/').catch(() => 0)")
    told = agent.do("list_network_requests", resourceTypes=["document", "fetch"])["requests"]
    assert [(one["url"].removeprefix(url), one.get("status"), one["state"]) for one in told] == [
        ("/redirect", 302, "finished"),
        ("/blank", 200, "finished"),
        ("/", 200, "finished"),
        ("/data", 200, "finished"),
        ("http://127.0.0.1:59999/", None, "failed"),
    ]
    assert told[-1]["error"] == "net::ERR_CONNECTION_REFUSED"
