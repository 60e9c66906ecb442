"""Listening ports of a session: listed and watched by programs, and as links in the console that come and go."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.cli import commands
from chaser_emulator.sandbox.scripted import ScriptedEngine
from chaser_emulator.sandbox.stubs import Answer, Stub
from chaser_emulator.server import Running
from click.testing import CliRunner
from consoles import assert_accessible, assert_fits, console_of
from emulators import emulator_on, http_of
from people import ok, refused
from playwright.sync_api import Browser, expect
from test_exec import until

SERVER = Stub("serve", Answer(ports={3000: "http", 8080: "http"}, runs="forever"))
OTHER = Stub("more", Answer(ports={4000: "http"}, runs="forever"))


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted", stubs=(SERVER, OTHER)) as one:
        yield one


@pytest.fixture
def session(client: httpx.Client) -> Iterator[str]:
    made = ok(client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))
    yield str(made["id"])
    client.delete(f"/v1/sessions/{made['id']}", params={"force": True})


def _start(client: httpx.Client, session: str, command: str) -> str:
    body = {"command": command, "background": True}
    return str(ok(client.post(f"/v1/sessions/{session}/exec", json=body))["command_id"])


def _kill(client: httpx.Client, session: str, command: str) -> None:
    ok(client.post(f"/v1/sessions/{session}/commands/{command}/kill", json={"signal": "KILL"}))


@contextlib.contextmanager
def _watched(client: httpx.Client, session: str, **query: Any) -> Iterator[Iterator[tuple[str, Any]]]:
    """The events of a session as they come: kind and data."""

    def events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
        kind = ""
        for line in lines:
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, json.loads(value)

    with client.stream("GET", f"/_emulator/sessions/{session}/watch", params=query) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def _ports(data: Any) -> list[int]:
    return [one["port"] for one in data["ports"]]


def test_ports_are_listed_with_both_addresses(emulator: Running, client: httpx.Client, session: str) -> None:
    assert ok(client.get(f"/_emulator/sessions/{session}/ports")) == {"ports": []}
    _start(client, session, "serve")
    first = ok(client.get(f"/_emulator/sessions/{session}/ports"))["ports"][0]
    port = emulator.url.rpartition(":")[2]
    assert first == {
        "port": 3000,
        "url": f"{emulator.url}/s/{session}/forward/3000/",
        "root_url": f"http://3000-{session}.localhost:{port}/",
    }
    assert client.get(first["url"]).json()["path"] == "/"
    assert client.get(f"{emulator.url}/", headers={"Host": httpx.URL(first["root_url"]).netloc.decode()}).json()


def test_what_changes_is_told_once_to_each_until_the_end(client: httpx.Client, session: str) -> None:
    with _watched(client, session) as events, http_of_same(client) as other, _watched(other, session) as others:
        assert [next(events), next(events)] == [("status", {"status": "running"}), ("ports", {"ports": []})]
        command = _start(client, session, "serve")
        kind, data = next(events)
        assert (kind, _ports(data)) == ("ports", [3000, 8080])
        _kill(client, session, command)
        assert next(events) == ("ports", {"ports": []})
        client.delete(f"/v1/sessions/{session}", params={"force": True})
        assert [one for one in events if one[0] == "status"][-1] == ("status", {"status": "terminated"})
        seen = list(others)
        assert [_ports(data) for kind, data in seen if kind == "ports"] == [[], [3000, 8080], []]


@contextlib.contextmanager
def http_of_same(client: httpx.Client) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=client.base_url, headers=client.headers, timeout=60) as one:
        yield one


def test_one_look_is_for_all_who_watch_and_none_without(
    emulator: Running, client: httpx.Client, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    ports = ScriptedEngine.ports

    async def counted(engine: ScriptedEngine, ref: str) -> list[int]:
        looks.append(ref)
        return await ports(engine, ref)

    monkeypatch.setattr(ScriptedEngine, "ports", counted)
    insides = emulator.world.insides
    with contextlib.ExitStack() as stack:
        watching = [stack.enter_context(_watched(stack.enter_context(http_of_same(client)), session)) for _ in range(5)]
        for events in watching:
            assert next(events)[0] == "status"
        assert len(insides._watched) == 1
        assert len(looks) <= 2
    until(lambda: not insides._watched)


def test_a_look_without_following_ends_by_itself(client: httpx.Client, session: str) -> None:
    with _watched(client, session, follow=False) as events:
        assert [kind for kind, _ in events] == ["status", "ports"]
    refused(client.get("/_emulator/sessions/nope/watch"), 404, "not_found")
    refused(client.get("/_emulator/sessions/nope/ports"), 404, "not_found")


def test_watching_neither_keeps_a_session_nor_leaves_a_trace(client: httpx.Client, session: str) -> None:
    client.delete("/_emulator/requests")
    with _watched(client, session, follow=False) as events:
        list(events)
    assert ok(client.get("/_emulator/requests"))["count"] == 0
    assert ok(client.get(f"/v1/sessions/{session}"))["active_connection_leases"] == 0


def test_what_is_inside_is_told_on_the_command_line(emulator: Running, client: httpx.Client, session: str) -> None:
    _start(client, session, "serve")
    ok(client.post(f"/v1/sessions/{session}/upload", data={"path": "a b.txt"}, files={"file": ("f", b"12")}))

    def run(*words: str) -> str:
        result = CliRunner().invoke(commands, [*words, session, "--url", emulator.url], standalone_mode=False)
        assert result.exception is None, result.exception
        return result.stdout

    assert _ports(json.loads(run("sessions", "ports"))) == [3000, 8080]
    assert json.loads(run("sessions", "files"))["entries"] == [{"path": "a b.txt", "kind": "file", "size": 2}]
    told = run("sessions", "watch", "--no-follow")
    assert told.startswith(': watching\n\nevent: status\ndata: {"status":"running"}\n\nevent: ports\n')


def test_links_come_and_go_while_one_looks(
    emulator: Running, client: httpx.Client, session: str, browser: Browser
) -> None:
    with console_of(emulator, browser, f"/sessions/{session}?tab=ports") as page:
        expect(page.get_by_text("No port is open.")).to_be_visible()
        command = _start(client, session, "serve")
        expect(page.get_by_role("heading", name="Port 8080")).to_be_visible()
        expect(page.get_by_text("2 ports are open.")).to_be_visible()
        assert_accessible(page)
        link = page.locator("li").filter(has_text="Port 3000").get_by_role("link").first
        assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener")
        link.focus()
        _start(client, session, "more")
        expect(page.get_by_role("heading", name="Port 4000")).to_be_visible()
        expect(link).to_be_focused()
        with page.context.expect_page() as opened:
            link.click()
        expect(opened.value.locator("body")).to_contain_text('"method": "GET"')
        opened.value.close()
        _kill(client, session, command)
        expect(page.get_by_role("heading", name="Port 8080")).to_have_count(0)
        expect(page.get_by_text("One port is open.")).to_be_visible()


def test_ports_fit_a_telephone(emulator: Running, client: httpx.Client, session: str, browser: Browser) -> None:
    with console_of(emulator, browser, f"/sessions/{session}?tab=ports", width=360, scheme="dark") as page:
        expect(page.get_by_text("With the scripted engine")).to_be_visible()
        assert_accessible(page)
        _start(client, session, "serve")
        page.get_by_role("heading", name="Port 3000").wait_for()
        assert_fits(page)
        assert_accessible(page)


def test_ports_of_a_real_sandbox_are_those_that_listen() -> None:
    with emulator_on("local") as emulator, http_of(emulator) as http:
        made = ok(http.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))
        with _watched(http, made["id"]) as events, http_of(emulator) as other:
            assert [next(events)[0], next(events)[0]] == ["status", "ports"]
            command = _start(other, made["id"], "exec python3 -m http.server 0")
            assert len(_ports(next(events)[1])) == 1
            _kill(other, made["id"], command)
            assert _ports(next(events)[1]) == []
