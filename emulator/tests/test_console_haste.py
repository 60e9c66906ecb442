"""What goes wrong around the console: clicks that come twice, pages left too early, addresses mistyped, things gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import console_of, go
from emulators import http_of
from people import ok
from playwright.sync_api import Browser, Page, Route, expect


@pytest.fixture(autouse=True)
def _afresh(emulator: Running) -> None:
    with http_of(emulator) as client:
        ok(client.post("/_emulator/reset"))


_HOLD = """([path, method]) => {
  const { fetch } = window;
  const waiting = [];
  let first;
  const asked = new Promise((done) => { first = done; });
  window.fetch = async (url, how) => {
    if (how.method === method && String(url).endsWith(path)) {
      first();
      await new Promise((done) => waiting.push(done));
    }
    return fetch(url, how);
  };
  window.letGo = async () => {
    await asked;
    window.fetch = fetch;
    for (const done of waiting) done();
    return waiting.length;
  };
}"""


@contextmanager
def _held(page: Page, path: str, method: str = "POST") -> Iterator[list[int]]:
    """What the page asks for meanwhile, once at least, is sent when the block ends; the list then says how often."""
    asked: list[int] = []
    page.evaluate(_HOLD, [path, method])
    yield asked
    asked.append(page.evaluate("() => window.letGo()"))


def test_a_double_click_opens_one_dialog(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/sessions") as page:
        with _held(page, "/_emulator/operations/create-session", "GET"):
            page.get_by_role("button", name="New session").dblclick()
        expect(page.get_by_role("dialog", name="New session")).to_have_count(1)
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_double_click_makes_nothing_twice(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/sink") as page:
        with _held(page, "/v1/webhooks") as asked:
            page.get_by_role("button", name="Webhook to the sink").dblclick()
        assert asked == [1]
        expect(page.get_by_role("dialog", name="The signing secret")).to_have_count(1)
    assert len(ok(client.get("/v1/webhooks"))["webhooks"]) == 1


def test_a_slow_double_click_takes_away_one_of_a_list(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    for _ in range(3):
        rule = {"operations": ["list-jobs"], "error": {"code": "internal_error"}, "times": 1}
        client.post("/_emulator/faults", json=rule).raise_for_status()
    names = [one["id"] for one in client.get("/_emulator/faults").json()["faults"]]
    with console_of(emulator, browser, "/faults") as page:
        box = page.get_by_role("button", name=f"Remove {names[0]}").bounding_box()
        assert box
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.up()
        expect(page.get_by_role("button", name=f"Remove {names[0]}")).to_have_count(0)
        # The next one has come into its place.
        page.mouse.down(click_count=2)
        page.mouse.up(click_count=2)
        page.get_by_role("button", name=f"Remove {names[2]}").click()
        expect(page.get_by_role("button", name=f"Remove {names[2]}")).to_have_count(0)
    assert [one["id"] for one in client.get("/_emulator/faults").json()["faults"]] == [names[1]]


def test_what_is_refused_to_a_button_can_be_tried_again(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/sink", expected=("500",)) as page:
        page.route("**/v1/webhooks", lambda route: route.fulfill(status=500, body="{}"), times=2)
        for _ in range(2):
            with page.expect_response(lambda response: response.status == 500):
                page.get_by_role("button", name="Webhook to the sink").click()
            # What is said again is not said beside itself.
            expect(page.get_by_text("The emulator could not do it (500)")).to_have_count(1)
        page.get_by_role("button", name="Webhook to the sink").click()
        expect(page.get_by_role("dialog", name="The signing secret")).to_be_visible()


def test_a_form_that_is_sent_twice_by_keys_makes_one_thing(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/workspaces") as page:
        page.get_by_role("button", name="New workspace").click()
        page.get_by_label("name").fill("once")
        with _held(page, "/v1/workspaces") as asked:
            page.keyboard.press("Control+Enter")
            page.keyboard.press("Control+Enter")
            page.keyboard.press("Enter")
        assert asked == [1]
        page.get_by_role("heading", name="once", level=1).wait_for()
    assert [one["name"] for one in ok(client.get("/v1/workspaces"))] == ["once"]


def test_the_secret_of_a_key_is_shown_though_its_form_was_closed(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/keys") as page:
        page.get_by_role("button", name="New key").click()
        page.get_by_label("name").fill("closed early")
        with _held(page, "/v1/keys"):
            page.keyboard.press("Enter")
            page.get_by_role("dialog", name="New API key").get_by_role("button", name="Close").click()
            expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("dialog", name="The new key")).to_be_visible()


def test_who_left_a_page_while_its_form_was_sent_is_told_what_came_of_it(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/workspaces", expected=("409",)) as page:
        for said in ("New workspace: done, after its page was left.", "taken"):
            page.get_by_role("button", name="New workspace").click()
            page.get_by_label("name").fill("left")
            with _held(page, "/v1/workspaces"):
                page.keyboard.press("Enter")
                go(page, "/clock", "Clock")
            expect(page.locator("#notices").get_by_text(said)).to_be_visible()
            expect(page.get_by_role("heading", name="Clock", level=1)).to_be_visible()
            go(page, "/workspaces", "Workspaces")


def test_a_key_that_cannot_be_one_is_refused_until_another_is_given(emulator: Running, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{emulator.url}/_emulator/")
    page.get_by_label("Key of the emulator").fill(f"“{emulator.api_key}”")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("That is not the key of this emulator")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("That is not the key of this emulator")
    page.get_by_label("Key of the emulator").fill(f" {emulator.api_key} ")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Overview", level=1).wait_for()
    context.close()


def test_an_address_that_leads_nowhere_says_so(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/requests/%", expected=("404", "400")) as page:
        expect(page.get_by_text("There is no such page.")).to_be_visible()
        for path, said in (
            ("/requests/..", "The journal has no such request"),
            ("/workspaces/..", "There is no such workspace"),
            ("/sessions/a%2Fb", "has ended, or never was"),
        ):
            page.evaluate("(path) => { location.hash = path }", path)
            expect(page.get_by_text(said)).to_be_visible()


def test_a_rule_in_an_address_that_is_none_opens_the_form(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/faults?new=%7B%22operations%22:[5]%7D") as page:
        expect(page.get_by_role("dialog", name="New fault")).to_be_visible()


def test_whether_something_was_done_is_not_known_where_its_answer_is_lost(emulator: Running, browser: Browser) -> None:
    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    with console_of(emulator, browser, "/workspaces", expected=("net::ERR",)) as page:
        page.get_by_role("button", name="New workspace").click()
        page.get_by_label("name").fill("lost")
        page.route("**/v1/workspaces", lose, times=1)
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("nobody knows whether this was done")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("link", name="lost")).to_be_visible()


def test_a_stream_that_breaks_off_is_not_complained_about_later(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/jobs", prepare=lambda page: page.clock.install()) as page:
        page.evaluate(
            """async () => {
              const { stream } = await import("/_emulator/console/api.js");
              const fetch = window.fetch;
              const broken = new ReadableStream({ start: (it) => it.error(new TypeError("network error")) });
              window.fetch = async () => new Response(broken);
              await stream("watch-events", { quiet: 1000, onEvent: () => {} }).catch(() => {});
              window.fetch = fetch;
            }"""
        )
        page.clock.fast_forward(2000)
        page.get_by_role("link", name="Clock").click()
        page.get_by_role("heading", name="Clock", level=1).wait_for()
        expect(page.locator("#notices")).to_be_empty()


def test_what_is_gone_is_said_once(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    workspace = ok(client.post("/v1/workspaces", json={"session_type": "sandbox"}))["id"]
    with console_of(emulator, browser, f"/workspaces/{workspace}?tab=snapshots", expected=("404",)) as page:
        expect(page.get_by_text("No snapshots yet.")).to_be_visible()
        ok(client.post("/_emulator/reset"))
        expect(page.get_by_text("There is no such workspace in this account.")).to_be_visible()
        expect(page.get_by_role("link", name="Snapshots")).to_be_hidden()
        expect(page.locator("#notices")).to_be_empty()
    assistant = ok(client.post("/v1/assistants", json={"name": "helper", "config": {}}))["assistant"]["id"]
    with console_of(emulator, browser, f"/assistants/{assistant}", expected=("404",)) as page:
        page.get_by_role("heading", name="helper").wait_for()
        ok(client.post("/_emulator/reset"))
        expect(page.get_by_role("alert").filter(has_text="there is no assistant")).to_have_count(1)
