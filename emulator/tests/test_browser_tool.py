"""Which browser the tool `browser` acts in, who may use it, and what becomes of it: started, shared, ended."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import images
import jsonschema_rs
import psutil
import pytest
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from driven import Agent, site
from emulators import emulator_on, http_of
from people import ok, organization_of
from playwright.sync_api import sync_playwright
from requirements import require
from test_browsers import chromium_of


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


@pytest.fixture(autouse=True)
def _tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """End what a test has started: browsers are many processes."""
    yield
    if "api" in request.fixturenames:
        client: httpx.Client = request.getfixturevalue("api")
        ok(client.post("/v1/sessions/bulk-terminate", json={"all": True, "force": True}))


def live(client: httpx.Client) -> list[str]:
    return [str(one["id"]) for one in ok(client.get("/v1/sessions"))["sessions"]]


def error_of(result: dict[str, Any]) -> dict[str, Any]:
    assert result["isError"], result
    error: dict[str, Any] = json.loads(result["content"][0]["text"])
    return error


# Which session


def test_a_session_is_named_by_its_id(api: httpx.Client, url: str) -> None:
    session = ok(api.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))["id"]
    agent = Agent(api, session_id=session)
    agent.go(f"{url}/blank")
    assert agent.target == {"session_id": session}
    assert live(api) == [session]
    [page] = [one for one in ok(api.get(f"/v1/sessions/{session}/json/list")) if one["type"] == "page"]
    assert page["url"] == f"{url}/blank"


def test_a_workspace_keeps_its_browser_and_its_profile(api: httpx.Client, url: str) -> None:
    workspace = ok(api.post("/v1/workspaces", json={"session_type": "browser"}))
    first = Agent(api, workspace=workspace["name"]).call("navigate_page", url=f"{url}/blank")["structuredContent"]
    assert first["workspace_id"] == workspace["id"]
    again = Agent(api, workspace=workspace["id"]).call("list_pages")["structuredContent"]
    assert again["session_id"] == first["session_id"]
    assert again["result"]["pages"][0]["url"] == f"{url}/blank"
    Agent(api, session_id=first["session_id"]).value("() => { localStorage.kept = 'yes' }")
    ok(api.delete(f"/v1/sessions/{first['session_id']}"))
    later = Agent(api, workspace=workspace["id"])
    later.go(f"{url}/list")
    assert later.target["session_id"] != first["session_id"]
    assert later.value("() => localStorage.kept") == "yes"


def test_an_ephemeral_browser_is_a_new_one_and_stays(api: httpx.Client, url: str) -> None:
    one, other = Agent(api, ephemeral=True), Agent(api, ephemeral=True)
    result = one.call("navigate_page", url=f"{url}/blank")["structuredContent"]
    assert result["workspace_id"] is None
    other.go(f"{url}/list")
    assert one.target != other.target
    assert (one.title, other.title) == ("Blank", "List")
    session = ok(api.get(f"/v1/sessions/{one.target['session_id']}"))
    assert (session["session_type"], session["persistence"], session["status"]) == ("browser", False, "running")


def test_who_names_none_goes_on_in_their_own(local: Running, api: httpx.Client, url: str) -> None:
    first = Agent(api)
    first.go(f"{url}/blank")
    again = Agent(api)
    assert again.title == "Blank"
    assert again.target == first.target
    ok(api.delete(f"/v1/sessions/{first.target['session_id']}"))
    fresh = Agent(api)
    assert fresh.pages()[0]["url"] == "about:blank"
    assert fresh.target != first.target
    with organization_of(local) as organization:
        stranger = Agent(organization.member)
        stranger.do("list_pages")
        assert stranger.target != fresh.target
        ok(organization.owner.post("/v1/sessions/bulk-terminate", json={"all": True, "force": True}))


def test_two_calls_at_once_that_name_none_start_one(api: httpx.Client) -> None:
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda agent: agent.call("list_pages"), [Agent(api), Agent(api)])
    assert one["structuredContent"]["session_id"] == other["structuredContent"]["session_id"]
    assert len(live(api)) == 1


def test_the_session_of_an_answer_that_failed_can_be_used_again(api: httpx.Client, url: str) -> None:
    agent = Agent(api, ephemeral=True)
    assert "net::ERR_CONNECTION_REFUSED" in agent.failed("navigate_page", url="http://127.0.0.1:59999/")
    agent.go(f"{url}/blank")
    assert live(api) == [agent.target["session_id"]]


# What is refused, and that it costs nothing


@pytest.mark.parametrize(
    ("tool", "arguments", "names"),
    [
        ("navigate_page", {}, "arguments/url"),
        ("navigate_page", {"url": "example.com"}, "arguments/url"),
        ("navigate_page", {"url": "javascript:alert(1)"}, "arguments/url"),
        ("navigate_page", {"url": 5}, "arguments/url"),
        ("navigate_page", {"type": "up"}, "arguments/type"),
        ("navigate_page", {"type": "back", "url": "https://example.com"}, "arguments/url"),
        ("navigate_page", {"url": "https://example.com", "timeout": -1}, "arguments/timeout"),
        ("new_page", {}, "arguments/url"),
        ("select_page", {}, "arguments/pageIdx"),
        ("select_page", {"pageIdx": "0"}, "arguments/pageIdx"),
        ("close_page", {"pageIdx": -1}, "arguments/pageIdx"),
        ("take_snapshot", {"verbose": "yes"}, "arguments/verbose"),
        ("take_screenshot", {"format": "gif"}, "arguments/format"),
        ("take_screenshot", {"quality": 101}, "arguments/quality"),
        ("click", {}, "arguments/uid"),
        ("click", {"uid": 1}, "arguments/uid"),
        ("fill", {"uid": "1_1"}, "arguments/value"),
        ("hover", {"uid": ""}, "arguments/uid"),
        ("press_key", {}, "arguments/key"),
        ("press_key", {"key": "Control+Nothing"}, "arguments/key"),
        ("evaluate_script", {"function": "() => 1", "args": [{}]}, "arguments/args/0"),
        ("wait_for", {"text": ""}, "arguments/text"),
        ("wait_for", {"text": []}, "arguments/text"),
        ("list_console_messages", {"types": ["shout"]}, "arguments/types/0"),
        ("list_network_requests", {"resourceTypes": "fetch"}, "arguments/resourceTypes"),
    ],
)
def test_arguments_are_refused_by_name_before_a_browser_is_started(
    api: httpx.Client, tool: str, arguments: dict[str, Any], names: str
) -> None:
    assert names in Agent(api, ephemeral=True).wrong(tool, **arguments)
    assert live(api) == []


def test_null_is_as_good_as_nothing(api: httpx.Client, url: str) -> None:
    agent = Agent(api, ephemeral=True)
    agent.do("navigate_page", url=f"{url}/blank", type=None, timeout=None)
    agent.do("take_screenshot", uid=None, fullPage=None, quality=None)


def test_arguments_of_newer_versions_are_ignored_and_said_to_be(api: httpx.Client) -> None:
    told = Agent(api, ephemeral=True).do("take_screenshot", filePath="/tmp/picture.png")
    assert told["message"].endswith("Not known here, and ignored: filePath.")


def test_a_sandbox_is_no_browser_and_strangers_have_none(local: Running, api: httpx.Client) -> None:
    sandbox = ok(api.post("/v1/sessions", json={"ephemeral": True}))["id"]
    assert error_of(Agent(api, session_id=sandbox).call("list_pages"))["code"] == "not_a_browser"
    assert error_of(Agent(api, session_id=str(uuid.uuid4())).call("list_pages"))["code"] == "not_found"
    workspace = ok(api.post("/v1/workspaces", json={"session_type": "sandbox"}))
    error = error_of(Agent(api, workspace=workspace["id"]).call("list_pages"))
    assert error["code"] == "invalid_request"
    assert error["message"].startswith("workspace: ")
    assert error_of(Agent(api, workspace="no-such-workspace").call("list_pages"))["code"] == "not_found"
    mine = Agent(api, ephemeral=True)
    mine.do("list_pages")
    with organization_of(local) as organization:
        stranger = Agent(organization.member, **mine.target)
        assert error_of(stranger.call("list_pages"))["code"] == "not_found"


def test_an_ended_session_takes_no_tools(api: httpx.Client) -> None:
    agent = Agent(api, ephemeral=True)
    agent.do("list_pages")
    ok(api.delete(f"/v1/sessions/{agent.target['session_id']}"))
    assert error_of(agent.call("list_pages"))["code"] == "not_running"


def test_a_key_needs_the_scope_of_sessions(local: Running, api: httpx.Client) -> None:
    made = ok(api.post("/v1/keys", json={"name": "reader", "scopes": ["sessions.read"]}))
    with http_of(local, made["key"]) as reader:
        assert error_of(Agent(reader, ephemeral=True).call("list_pages"))["code"] == "insufficient_scope"
    assert live(api) == []


def test_a_plan_is_kept_to(url: str) -> None:
    require("chromium")
    with emulator_on("local", max_sessions=1) as one, http_of(one) as client:
        agent = Agent(client, ephemeral=True)
        agent.go(f"{url}/blank")
        assert error_of(Agent(client, ephemeral=True).call("list_pages"))["code"] == "plan_limit_exceeded"
        assert agent.title == "Blank"


def test_where_no_browser_runs_the_reason_is_told(client: httpx.Client) -> None:
    error = error_of(Agent(client, ephemeral=True).call("list_pages"))
    assert error["code"] == "sandbox_unavailable"
    assert "The scripted engine runs no browsers" in error["message"]


# What it is to be called


def test_every_answer_keeps_the_schema_that_is_listed(api: httpx.Client, url: str) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    tools = ok(api.post("/v1/mcp", json=message))["result"]["tools"]
    [schema] = [tool["outputSchema"] for tool in tools if tool["name"] == "browser"]
    listed = jsonschema_rs.Draft202012Validator(schema)
    agent = Agent(api, ephemeral=True)

    def kept(tool: str, **arguments: Any) -> None:
        listed.validate(agent.call(tool, **arguments)["structuredContent"])

    kept("navigate_page", url=f"{url}/")
    kept("list_pages")
    kept("click", uid=agent.uid('button "Ask"'))
    kept("click", uid=agent.uid('button "Log"'), includeSnapshot=True)
    kept("click", uid=agent.uid('link "Download"'))
    kept("click", uid=agent.uid('button "Off"'))
    kept("evaluate_script", function="() => ({a: [1, null]})")
    kept("take_screenshot")
    kept("wait_for", text="Welcome")
    kept("list_console_messages")
    kept("list_network_requests")
    kept("navigate_page", url="http://127.0.0.1:59999/")


# Life


def test_calls_in_one_session_wait_for_each_other(api: httpx.Client, url: str) -> None:
    agent = Agent(api, ephemeral=True)
    agent.go(f"{url}/blank")
    agent.value("() => { window.inside = 0; window.most = 0 }")
    function = """async () => {
      most = Math.max(most, ++inside);
      await new Promise((go) => setTimeout(go, 100));
      inside--;
    }"""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: agent.value(function), range(4)))
    assert agent.value("() => most") == 1


def test_sessions_do_not_wait_for_each_other(api: httpx.Client, url: str) -> None:
    one, other = Agent(api, ephemeral=True), Agent(api, ephemeral=True)
    one.go(f"{url}/late")
    other.go(f"{url}/blank")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(one.failed, "wait_for", text="what never comes", timeout=20_000)
        assert other.title == "Blank"
        assert not waiting.done()
        ok(api.delete(f"/v1/sessions/{one.target['session_id']}", params={"force": "true"}))
        assert "closed" in waiting.result(timeout=15)


def test_a_session_is_held_while_a_tool_acts_and_only_then(api: httpx.Client, url: str) -> None:
    agent = Agent(api, ephemeral=True)
    agent.go(f"{url}/blank")
    session = agent.target["session_id"]
    assert ok(api.get(f"/v1/sessions/{session}"))["active_connection_leases"] == 0
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.failed, "wait_for", text="what never comes", timeout=2_000)
        deadline = time.monotonic() + 5
        while ok(api.get(f"/v1/sessions/{session}"))["active_connection_leases"] != 1:
            assert time.monotonic() < deadline
        assert api.delete(f"/v1/sessions/{session}").status_code == 409
        waiting.result()
    ok(api.delete(f"/v1/sessions/{session}"))


def test_a_client_that_leaves_stops_what_it_asked_for(api: httpx.Client, url: str) -> None:
    agent = Agent(api, ephemeral=True)
    agent.go(f"{url}/blank")
    given = {**agent.target, "tool": "evaluate_script", "arguments": {"function": "() => { for (;;); }"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "browser", "arguments": given}}
    with pytest.raises(httpx.ReadTimeout):
        api.post("/v1/mcp", json=message, timeout=0.5)
    assert agent.title == "Blank"


def test_other_clients_of_the_browser_are_seen_and_not_disturbed(api: httpx.Client, url: str) -> None:
    agent = Agent(api, ephemeral=True)
    agent.go(f"{url}/blank")
    ok(api.put(f"/v1/sessions/{agent.target['session_id']}/json/new?{url}/list"))
    assert [page["url"] for page in agent.pages()] == [f"{url}/blank", f"{url}/list"]
    assert agent.title == "Blank"


def test_dialogs_of_other_clients_are_left_to_them_between_calls(api: httpx.Client, url: str) -> None:
    agent = Agent(api, ephemeral=True)
    agent.go(f"{url}/blank")
    control = ok(api.get(f"/v1/sessions/{agent.target['session_id']}"))["endpoints"]["control"]
    with sync_playwright() as playwright:
        there = playwright.chromium.connect_over_cdp(control)
        page = there.contexts[0].pages[0]
        page.on("dialog", lambda dialog: dialog.dismiss())
        assert page.evaluate("confirm('sure?')") is False
        there.close()
    assert "dialogs" not in agent.do("take_snapshot")


def test_a_browser_in_a_container_is_driven_as_any_other() -> None:
    require("docker")
    with emulator_on("docker", image=images.chromium()) as one, http_of(one) as client:
        agent = Agent(client, ephemeral=True)
        agent.go("data:text/html,<title>Inside</title><button onclick='document.title = confirm(1)'>Ask</button>")
        assert agent.click('button "Ask"')["dialogs"][0]["type"] == "confirm"
        assert agent.title == "true"
        assert agent.call("take_screenshot")["content"][1]["mimeType"] == "image/png"


def test_a_browser_that_dies_is_told_and_leaves_nothing(api: httpx.Client, url: str) -> None:
    before = set(chromium_of(os.getpid()))
    agent = Agent(api, ephemeral=True)
    agent.go(f"{url}/blank")
    started = [one for one in chromium_of(os.getpid()) if one not in before]
    next(one for one in started if not any("--type=" in word for word in one.cmdline())).kill()
    deadline = time.monotonic() + 15
    while ok(api.get(f"/v1/sessions/{agent.target['session_id']}"))["status"] == "running":
        assert time.monotonic() < deadline
    assert error_of(agent.call("list_pages"))["code"] == "not_running"
    _, left = psutil.wait_procs(started, timeout=10)
    assert left == []
