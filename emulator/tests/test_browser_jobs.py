"""Jobs in browsers: calls of the DevTools protocol in their order, and pages that are opened and read."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from driven import Agent, finished, queue, run, site
from emulators import emulator_on, http_of
from people import ok
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
def session(api: httpx.Client) -> str:
    return str(ok(api.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))["id"])


def evaluate(expression: str) -> dict[str, Any]:
    return {"method": "Runtime.evaluate", "params": {"expression": expression, "returnByValue": True}}


def navigate(url: str) -> dict[str, Any]:
    return {"method": "Page.navigate", "params": {"url": url}}


def pages(client: httpx.Client, session: str) -> list[str]:
    listed = ok(client.get(f"/v1/sessions/{session}/json/list"))
    return sorted(str(one["url"]) for one in listed if one["type"] == "page")


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Actions


def test_calls_are_made_in_their_order_and_each_is_answered(api: httpx.Client, session: str, url: str) -> None:
    steps = [navigate(f"{url}/list"), evaluate("document.title"), {"method": "Browser.getVersion"}]
    job = run(api, "browser.action", session_id=session, steps=steps)
    assert job["status"] == "completed", job
    went, title, version = job["result"]["results"]
    assert went["frameId"]
    assert title == {"result": {"type": "string", "value": "List"}}
    assert version["product"].startswith("Chrome/")


def test_after_going_elsewhere_the_next_call_finds_the_page_loaded(api: httpx.Client, session: str, url: str) -> None:
    steps = [
        navigate(f"{url}/slow?0.3"),
        evaluate("document.readyState + ' ' + document.title"),
        {"method": "Page.reload"},
        evaluate("document.readyState + ' ' + performance.getEntriesByType('navigation')[0].type"),
    ]
    results = run(api, "browser.action", session_id=session, steps=steps)["result"]["results"]
    assert results[1]["result"]["value"] == "complete Slow"
    assert results[3]["result"]["value"] == "complete reload"


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ({"method": "Nope.nothing"}, "'Nope.nothing' wasn't found (/steps/1, Nope.nothing)"),
        ({"method": "Page.navigate", "params": {}}, "Invalid parameters"),
        ({"method": "DOM.getBoxModel", "params": {"backendNodeId": 999_999}}, "No node found"),
    ],
)
def test_a_call_that_is_refused_fails_the_job_with_what_there_is(
    api: httpx.Client, session: str, step: dict[str, Any], reason: str
) -> None:
    job = run(api, "browser.action", session_id=session, steps=[evaluate("1"), step, evaluate("2")])
    assert job["status"] == "failed"
    assert reason in job["error"]
    assert f"(/steps/1, {step['method']})" in job["error"]
    assert [one["result"]["value"] for one in job["result"]["results"]] == [1]


def test_a_call_that_does_not_end_is_cut_off_and_the_page_lives_on(api: httpx.Client, session: str, url: str) -> None:
    steps = [navigate(f"{url}/blank"), evaluate("for (;;);")]
    job = run(api, "browser.action", session_id=session, steps=steps, timeout_ms=1500)
    assert (job["status"], job["error"]) == ("failed", "timed out after 1500 ms (/steps/1, Runtime.evaluate)")
    assert len(job["result"]["results"]) == 1
    job = run(api, "browser.action", session_id=session, steps=[evaluate("document.title")])
    assert job["result"]["results"][0]["result"]["value"] == "Blank"


def test_a_cancelled_action_stops_for_good(api: httpx.Client, session: str, url: str) -> None:
    run(api, "browser.action", session_id=session, steps=[navigate(f"{url}/blank")])
    job = queue(api, "browser.action", session_id=session, steps=[evaluate("for (;;);")])
    until(lambda: bool(ok(api.get(f"/v1/sessions/{session}"))["active_connection_leases"]))
    assert ok(api.post(f"/v1/jobs/{job}/cancel"))["status"] == "canceled"
    until(lambda: not ok(api.get(f"/v1/sessions/{session}"))["active_connection_leases"])
    done = run(api, "browser.action", session_id=session, steps=[evaluate("document.title")])
    assert done["result"]["results"][0]["result"]["value"] == "Blank"


@pytest.mark.parametrize("driven", [False, True])
def test_dialogs_are_answered_by_the_next_call_or_else_by_themselves(
    api: httpx.Client, session: str, url: str, driven: bool
) -> None:
    if driven:
        Agent(api, session_id=session).go(f"{url}/blank")
    answer = {"method": "Page.handleJavaScriptDialog", "params": {"accept": False}}
    steps = [evaluate("confirm('one')"), evaluate("confirm('two')"), answer, evaluate("3")]
    job = run(api, "browser.action", session_id=session, steps=steps)
    assert job["status"] == "completed", job
    values = [one.get("result", {}).get("value") for one in job["result"]["results"]]
    assert values == [True, False, None, 3]


def test_actions_are_on_the_page_that_the_tools_have_selected(api: httpx.Client, session: str, url: str) -> None:
    agent = Agent(api, session_id=session)
    agent.go(f"{url}/blank")
    agent.do("new_page", url=f"{url}/list")
    agent.do("select_page", pageIdx=0)
    job = run(api, "browser.action", session_id=session, steps=[evaluate("document.title")])
    assert job["result"]["results"][0]["result"]["value"] == "Blank"
    agent.do("close_page", pageIdx=1)


def test_a_page_and_a_browser_can_be_closed(api: httpx.Client) -> None:
    session = ok(api.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))["id"]
    job = run(api, "browser.action", session_id=session, steps=[{"method": "Page.close"}, evaluate("1")])
    assert (job["status"], job["result"]) == ("failed", {"results": [{}]})
    assert "the page has been closed" in job["error"]
    job = run(api, "browser.action", session_id=session, steps=[{"method": "Browser.close"}])
    assert (job["status"], job["result"]) == ("completed", {"results": [{}]})
    until(lambda: bool(ok(api.get(f"/v1/sessions/{session}"))["status"] == "terminated"))
    job = run(api, "browser.action", session_id=session, steps=[evaluate("1")])
    assert job["status"] == "failed"
    assert "not running" in job["error"]


# Reading pages


def test_a_page_is_read_as_a_whole(api: httpx.Client, session: str, url: str) -> None:
    before = pages(api, session)
    job = run(api, "browser.scrape", session_id=session, url=f"{url}/redirect")
    assert job["status"] == "completed", job
    assert job["result"] == {
        "url": f"{url}/blank",
        "title": "Blank",
        "html": "<html><head><title>Blank</title></head><body>nothing much</body></html>",
    }
    assert pages(api, session) == before


@pytest.mark.parametrize(
    ("more", "matches"),
    [
        ({"selector": "li"}, [{"text": "one", "html": "<li>one</li>"}]),
        (
            {"selector": "li", "all": True},
            [
                {"text": "one", "html": "<li>one</li>"},
                {"text": "two bold", "html": "<li>two <b>bold</b></li>"},
                {"text": "three", "html": "<li>three</li>"},
            ],
        ),
        ({"selector": "title"}, [{"text": "List", "html": "<title>List</title>"}]),
        ({"selector": "table", "all": True}, []),
    ],
)
def test_what_a_selector_names_is_taken(
    api: httpx.Client, session: str, url: str, more: dict[str, Any], matches: list[dict[str, str]]
) -> None:
    job = run(api, "browser.scrape", session_id=session, url=f"{url}/list", **more)
    assert job["result"] == {"url": f"{url}/list", "title": "List", "matches": matches}


def test_what_scripts_show_later_is_there(api: httpx.Client, session: str, url: str) -> None:
    job = run(api, "browser.scrape", session_id=session, url=f"{url}/visible", selector="p")
    assert job["result"]["matches"][0]["text"] == "visible"
    job = run(api, "browser.scrape", session_id=session, url=f"{url}/redirected", selector="body")
    assert job["result"]["url"] == f"{url}/blank"
    job = run(api, "browser.scrape", session_id=session, url=f"{url}/alerts", selector="p")
    assert job["result"]["matches"][0]["text"] == "after"


@pytest.mark.parametrize(
    ("address", "more", "reason"),
    [
        ("http://127.0.0.1:59999/", {}, "net::ERR_CONNECTION_REFUSED"),
        ("http://no-such-host.invalid/", {}, "net::ERR_"),
        ("{}/loop", {}, "net::ERR_TOO_MANY_REDIRECTS"),
        ("{}/file", {}, "is a download"),
        ("{}/list", {"selector": "li["}, "/selector: 'li[' is no CSS selector"),
        ("{}/hang", {"timeout_ms": 1500}, "timed out after 1500 ms"),
        ("{}/never", {"timeout_ms": 1500}, "timed out after 1500 ms"),
        ("{}/list", {"timeout_ms": 0}, "timed out after 0 ms"),
    ],
)
def test_what_cannot_be_read_says_why_and_leaves_no_page(
    api: httpx.Client, session: str, url: str, address: str, more: dict[str, Any], reason: str
) -> None:
    before = pages(api, session)
    job = run(api, "browser.scrape", session_id=session, url=address.format(url), **more)
    assert (job["status"], "result" in job) == ("failed", False)
    assert reason in job["error"]
    assert pages(api, session) == before


def test_an_error_of_the_server_fails_the_job_and_shows_its_page(api: httpx.Client, session: str, url: str) -> None:
    job = run(api, "browser.scrape", session_id=session, url=f"{url}/nowhere", selector="body")
    assert (job["status"], job["error"]) == ("failed", f"{url}/nowhere answered 404")
    assert job["result"]["matches"][0]["text"] == "not there"


def test_a_cancelled_scrape_leaves_no_page(api: httpx.Client, session: str, url: str) -> None:
    before = pages(api, session)
    job = queue(api, "browser.scrape", session_id=session, url=f"{url}/hang")
    until(lambda: len(pages(api, session)) > len(before))
    assert ok(api.post(f"/v1/jobs/{job}/cancel"))["status"] == "canceled"
    until(lambda: pages(api, session) == before)


def test_pages_of_jobs_are_not_those_of_the_tools(api: httpx.Client, session: str, url: str) -> None:
    agent = Agent(api, session_id=session)
    agent.go(f"{url}/blank")
    job = queue(api, "browser.scrape", session_id=session, url=f"{url}/hang", timeout_ms=3000)
    until(lambda: len(pages(api, session)) > 1)
    until(lambda: len(agent.pages()) == 1)
    assert agent.title == "Blank"
    assert agent.value("() => document.visibilityState") == "visible"
    finished(api, job)


def test_many_pages_are_read_at_once(api: httpx.Client, session: str, url: str) -> None:
    paths = ["/list", "/blank", "/form", "/frames"] * 2
    jobs = [queue(api, "browser.scrape", session_id=session, url=url + path, selector="title") for path in paths]
    told = [finished(api, job) for job in jobs]
    assert [one["result"]["url"] for one in told] == [url + path for path in paths]


# Where


@pytest.mark.parametrize(
    ("kind", "given"),
    [("browser.action", {"steps": [{"method": "Page.enable"}]}), ("browser.scrape", {"url": "http://127.0.0.1/"})],
)
def test_a_job_needs_a_browser_of_the_account(api: httpx.Client, kind: str, given: dict[str, Any]) -> None:
    sandbox = ok(api.post("/v1/sessions", json={"ephemeral": True}))["id"]
    for session_id, reason in ((sandbox, "this works on browsers only"), (str(uuid.uuid4()), "there is no session")):
        job = run(api, kind, session_id=session_id, **given)
        assert job["status"] == "failed"
        assert reason in job["error"]
    ok(api.delete(f"/v1/sessions/{sandbox}"))


def test_a_session_that_ends_ends_its_jobs(api: httpx.Client, url: str) -> None:
    session = ok(api.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))["id"]
    job = queue(api, "browser.scrape", session_id=session, url=f"{url}/hang")
    until(lambda: len(pages(api, session)) > 1)
    ok(api.delete(f"/v1/sessions/{session}", params={"force": "true"}))
    told = finished(api, job)
    assert told["status"] == "failed"
    assert "closed" in told["error"]
