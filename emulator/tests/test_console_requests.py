"""Requests in the console: the journal as it is written, one exchange in full, and what is made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of, go
from people import ok
from playwright.sync_api import Browser, Locator, Page, expect

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def empty(client: httpx.Client) -> Iterator[None]:
    """A journal with nothing in it, and no faults."""
    ok(client.delete("/_emulator/requests"))
    yield
    ok(client.delete("/_emulator/faults"))


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Requests").locator(".rows .row")


def newest(client: httpx.Client) -> Json:
    [one] = ok(client.get("/_emulator/requests", params={"limit": 1}))["requests"]
    found: Json = one
    return found


def page_of(number: int) -> str:
    return f"/requests/{number}"


def test_requests_are_seen_as_they_happen_newest_first(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/requests") as page:
        expect(page.get_by_text("No request yet that fits")).to_be_visible()
        client.get("/v1/sessions")
        client.get("/v1/sessions?limit=900")
        expect(rows(page)).to_have_count(2)
        expect(rows(page).first).to_contain_text("400")
        expect(rows(page).first).to_contain_text("invalid_request")
        page.get_by_role("button", name="Pause").click()
        client.get("/v1/workspaces")
        expect(page.get_by_text("1 have come since")).to_be_visible()
        expect(rows(page)).to_have_count(2)
        page.get_by_role("button", name="Go on").click()
        expect(rows(page).first).to_contain_text("/v1/workspaces")
        page.get_by_role("button", name="Clear the journal").click()
        page.get_by_role("button", name="Clear it").click()
        expect(rows(page)).to_have_count(0)
    assert ok(client.get("/_emulator/requests"))["count"] == 0


def test_filters_are_in_the_address_and_come_back(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    made = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    client.get("/v1/sessions")
    client.post("/v1/keys", json={"name": "blue whale"})
    client.get(f"/v1/sessions/{made}")
    client.get("/v1/sessions?limit=900")
    with console_of(emulator, browser, "/requests") as page:
        expect(rows(page)).to_have_count(5)
        page.get_by_label("Method").select_option("GET")
        expect(rows(page)).to_have_count(3)
        page.get_by_label("Refused only").check()
        expect(rows(page)).to_have_count(1)
        expect(page.get_by_text("1 of 5 requests")).to_be_visible()
        rows(page).first.get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("/v1/sessions")
        page.go_back()
        expect(rows(page)).to_have_count(1)
        expect(page.get_by_label("Method")).to_have_value("GET")
        page.get_by_role("button", name="Clear", exact=True).click()
        expect(rows(page)).to_have_count(5)
        # What only a body says is found by the emulator.
        page.get_by_label("Search").fill("Blue WHALE")
        expect(rows(page)).to_have_count(1)
        client.post("/v1/keys", json={"name": "another blue whale"})
        expect(rows(page)).to_have_count(2)
        page.get_by_label("Search").fill("")
        page.get_by_text("More filters").click()
        page.get_by_label("Session or other id").fill(made)
        expect(rows(page)).to_have_count(2)
        expect(page).to_have_url(re.compile(f"session_id={made}"))
        page.get_by_label("Session or other id").fill("")
        page.get_by_label("Operation").fill("create-*")
        expect(rows(page)).to_have_count(3)


def test_one_exchange_is_shown_in_full_and_its_neighbours(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    client.get("/v1/workspaces")
    client.put("/v1/assistants/credentials", json={"name": "token", "value": "hunter2-hunter2"})
    exchange = newest(client)
    with console_of(emulator, browser, page_of(exchange["number"]), expected=("404",)) as page:
        request = page.get_by_role("region", name="Request", exact=True)
        expect(request).to_contain_text('"[hidden]"')
        request.get_by_text("headers").click()
        expect(request).to_contain_text("Bearer [hidden]")
        expect(page.get_by_role("main")).to_contain_text(exchange["request_id"])
        expect(page.get_by_role("main")).to_contain_text(exchange["account_id"])
        expect(page.get_by_role("main")).not_to_contain_text("hunter2")
        expect(page.get_by_role("link", name="Newer")).to_have_count(0)
        client.get("/v1/keys")
        page.get_by_role("link", name="Newer").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("/v1/keys")
        page.get_by_role("link", name="Older").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("credentials")
        go(page, "/requests/99999999", "Request 99999999")
        expect(page.get_by_role("main")).to_contain_text("no such request")


def test_an_exchange_that_is_under_way_is_shown_as_it_goes_on(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    first = begun(client)
    with console_of(emulator, browser, "/requests") as page:
        expect(rows(page).filter(has_text="under way")).to_have_count(1)
        ok(client.delete("/_emulator/faults"))
        expect(rows(page).filter(has_text="under way")).to_have_count(0)
        second = begun(client)
        assert second > first
        # It is noticed when another one has come.
        client.get("/v1/workspaces")
        expect(rows(page).filter(has_text="under way")).to_have_count(1)
        page.goto(f"{emulator.url}/_emulator/#{page_of(second)}")
        expect(page.get_by_role("heading", level=1)).to_contain_text("/v1/keys under way")
        ok(client.delete("/_emulator/faults"))
        expect(page.get_by_role("heading", level=1)).not_to_contain_text("under way")


def begun(client: httpx.Client) -> int:
    """A request that lasts until its fault is removed: its number."""
    rule = {"operations": ["list-keys"], "latency": 60}
    assert client.post("/_emulator/faults", json=rule).status_code == 201
    with httpx.Client(timeout=0.3, headers=client.headers) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.get(f"{client.base_url}/v1/keys")
    return int(newest(client)["number"])


def test_a_refusal_is_explained_and_what_passes_is_sent(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    client.get("/v1/sessions?limit=900")
    exchange = newest(client)
    with console_of(emulator, browser, page_of(exchange["number"])) as page:
        why = page.get_by_role("region", name="Why it was refused")
        expect(why).to_contain_text("must be at most 200")
        expect(why).to_contain_text("#/paths/~1v1~1sessions/get/parameters/0/schema/maximum")
        assert why.get_by_role("link", name="Swagger").get_attribute("href") == "../swagger-ui#/sessions/list-sessions"
        why.get_by_role("button", name="Send the one that passes").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("200")
    assert (newest(client)["status"], newest(client)["query"]) == (200, "limit=200")


def test_what_passes_only_after_another_request_is_sent_after_it(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    client.get("/v1/sessions/5b1f6c1e-2d4a-4b5f-9c3d-8e7f6a5b4c3d/commands")
    exchange = newest(client)
    with console_of(emulator, browser, page_of(exchange["number"])) as page:
        page.get_by_role("button", name="Send the one that passes").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("200")
    assert newest(client)["operation"] == "list-session-commands"


def test_what_a_fault_refused_passes_once_the_fault_is_gone(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    client.post("/_emulator/faults", json={"operations": ["list-keys"], "error": "internal_error", "id": "broken"})
    client.get("/v1/keys")
    with console_of(emulator, browser, page_of(newest(client)["number"])) as page:
        page.get_by_role("button", name="Send the one that passes").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("200")
    assert ok(client.get("/_emulator/faults"))["faults"] == []


def test_lines_are_copied(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    client.post("/v1/keys", json={"name": "it's"})
    exchange = newest(client)
    lines = ok(client.get(f"/_emulator/requests/{exchange['number']}/lines"))
    with console_of(emulator, browser, page_of(exchange["number"])) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        whole = f"{lines['sdk_setup']}\n{lines['sdk']}"
        for name, line in (("Copy as curl", lines["curl"]), ("Copy as SDK call", whole)):
            page.get_by_role("button", name=name).click()
            expect(page.get_by_text("Copied.").first).to_be_visible()
            page.wait_for_function("(text) => navigator.clipboard.readText().then((one) => one === text)", arg=line)
        expect(page.get_by_role("region", name="Make it again yourself")).to_contain_text("$CHASER_API_KEY")


def test_an_exchange_becomes_a_fault(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    client.get("/v1/sessions?limit=900")
    exchange = newest(client)
    with console_of(emulator, browser, page_of(exchange["number"])) as page:
        page.get_by_role("button", name="Make this a fault").click()
        page.get_by_role("dialog", name="New fault").get_by_role("button", name="Add it").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.evaluate("location.hash").startswith("#/faults")
    [fault] = ok(client.get("/_emulator/faults"))["faults"]
    assert (fault["operations"], fault["error"]["code"], fault["times"]) == (["list-sessions"], "invalid_request", 1)
    assert client.get("/v1/sessions").json()["message"] == exchange["response_body"]["message"]
    assert client.get("/v1/sessions").status_code == 200


def test_a_request_is_edited_and_sent_again(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    client.get("/v1/sessions?limit=5")
    exchange = newest(client)
    with console_of(emulator, browser, page_of(exchange["number"])) as page:
        page.get_by_role("button", name="Replay").click()
        again = page.get_by_role("region", name="Send it again")
        again.get_by_label("Path and query").fill("/v1/sessions?limit=900")
        again.get_by_role("button", name="Send it again").click()
        expect(again.get_by_role("heading", name="differences")).to_be_focused()
        expect(again.get_by_text("differs").first).to_be_visible()
        expect(again).to_contain_text("invalid_request")
        made = newest(client)
        assert (made["query"], made["status"], made["key_id"]) == ("limit=900", 400, exchange["key_id"])
        again.get_by_label("Path and query").fill("/v1/sessions?limit=5")
        again.get_by_label("Made by").select_option("nobody")
        again.get_by_role("button", name="Send it again").click()
        expect(again).to_contain_text("unauthorized")
        again.get_by_label("Headers").fill("no header")
        again.get_by_role("button", name="Send it again").click()
        expect(again.get_by_role("alert")).to_contain_text('"no header" is not')


def test_a_body_is_changed_and_its_secrets_stay(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    client.put("/v1/assistants/credentials", json={"name": "token", "value": "hunter2-hunter2"})
    with console_of(emulator, browser, page_of(newest(client)["number"])) as page:
        page.get_by_role("button", name="Replay").click()
        again = page.get_by_role("region", name="Send it again")
        body = again.get_by_label("Body", exact=True)
        body.fill(body.input_value().replace("token", "other"))
        again.get_by_role("button", name="Send it again").click()
        expect(again.get_by_role("heading", name="difference")).to_be_visible()
    sent = emulator.world.journal.find()[-1].sent
    assert json.loads(sent or b"") == {"name": "other", "value": "hunter2-hunter2"}


def test_what_cannot_be_sent_again_is_told(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "x" * 70_000})
    with console_of(emulator, browser, page_of(newest(client)["number"]), expected=("409",)) as page:
        expect(page.get_by_role("region", name="Request", exact=True)).to_contain_text(
            "which the journal does not show"
        )
        page.get_by_role("button", name="Replay").click()
        again = page.get_by_role("region", name="Send it again")
        again.get_by_role("button", name="Send it again").click()
        expect(again.get_by_role("alert")).to_contain_text("body was not kept")


def test_markup_in_paths_and_bodies_stays_text(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    markup = "<img src=x onerror=\"document.title='run'\"><b>bold</b>"
    client.post("/v1/workspaces", json={"session_type": "sandbox", "name": markup, markup: markup})
    number = newest(client)["number"]
    client.get("/v1/nothing", params={"q": markup}, headers={"x-thing": markup})
    with console_of(emulator, browser, "/requests") as page:
        expect(rows(page)).to_have_count(2)
        for one in (number, number + 1):
            page.goto(f"{emulator.url}/_emulator/#{page_of(one)}")
            expect(page.get_by_role("region", name="Answer", exact=True)).to_be_visible()
            assert page.locator("main img, main b").count() == 0
        assert page.title() != "run"


def test_of_many_requests_a_few_rows_are_in_the_page(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/requests") as page:
        client.get("/v1/workspaces")
        expect(rows(page)).to_have_count(1)
        for _ in range(1010):
            client.get("/v1/nothing")
        expect(page.get_by_text("1,011 requests; the oldest 11 in brief only")).to_be_visible()
        assert rows(page).count() < 60
        region = page.get_by_role("region", name="Requests, scrollable")
        region.focus()
        page.keyboard.press("End")
        expect(rows(page).filter(has_text="/v1/workspaces")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1920, "light")])
def test_it_fits_and_is_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    client.post("/v1/exec", json={"comand": "npm test " * 30, "workspace": "my-app", "timeout_ms": 9_000_000})
    with console_of(emulator, browser, "/requests", width=width, scheme=scheme) as page:
        expect(rows(page)).to_have_count(1)
        page.get_by_text("More filters").click()
        assert_fits(page)
        assert_accessible(page)
        rows(page).first.get_by_role("link").click()
        page.get_by_role("region", name="Why it was refused").wait_for()
        page.get_by_role("button", name="Replay").click()
        again = page.get_by_role("region", name="Send it again")
        again.get_by_role("button", name="Send it again").click()
        expect(again.get_by_role("heading", level=3)).to_be_visible()
        assert_fits(page)
        assert_accessible(page)
