"""`chaser-emulator mcp`: a local MCP server for agents, which relays lines between stdio and an emulator."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaser_emulator.meter import Limits
from chaser_emulator.server import Running
from chaser_emulator.whereabouts import NOTE
from emulators import emulator_on, http_of
from mcp import Client, StdioServerParameters, stdio_client
from mcp_calls import done
from people import ok, person
from test_crash import server
from test_exec import until

BRIDGE = [sys.executable, "-m", "chaser_emulator.cli", "mcp"]


def environment(url: str | None = None, key: str | None = None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CHASER_")}
    chosen = {"CHASER_API_URL": url, "CHASER_API_KEY": key}
    return clean | {name: value for name, value in chosen.items() if value is not None}


def request(message_id: Any, method: str, params: Any = None) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": message_id, "method": method}
    return message if params is None else message | {"params": params}


def terminal(message_id: Any, **arguments: Any) -> dict[str, Any]:
    return request(message_id, "tools/call", {"name": "terminal", "arguments": arguments})


def relayed(
    cwd: Path, messages: list[Any], url: str | None = None, key: str | None = None, *options: str
) -> subprocess.CompletedProcess[str]:
    """What a bridge makes of lines on a pipe that ends."""
    lines = "".join(f"{message if isinstance(message, str) else json.dumps(message)}\n" for message in messages)
    return subprocess.run(
        [*BRIDGE, *options],
        input=lines,
        cwd=cwd,
        env=environment(url, key),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answers(finished: subprocess.CompletedProcess[str]) -> dict[Any, dict[str, Any]]:
    """The answers of a bridge that ended well, by their ids; nothing else is on its stdout."""
    assert finished.returncode == 0, finished.stderr
    told = [json.loads(line) for line in finished.stdout.splitlines()]
    assert all(one["jsonrpc"] == "2.0" for one in told)
    found = {one["id"]: one for one in told}
    assert len(found) == len(told)
    return found


class Bridge:
    """A bridge that runs, and what it has said so far."""

    def __init__(self, cwd: Path, url: str, key: str) -> None:
        self.process = subprocess.Popen(
            BRIDGE,
            cwd=cwd,
            env=environment(url, key),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(json.loads(line))

    def say(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=30)
        self._reader.join(30)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None and not stream.closed:
                stream.close()


@contextmanager
def bridge(cwd: Path, url: str, key: str) -> Iterator[Bridge]:
    one = Bridge(cwd, url, key)
    try:
        yield one
    finally:
        one.end()


@pytest.fixture(name="local", scope="module")
def local_fixture() -> Iterator[Running]:
    with emulator_on("local") as one:
        yield one


# Relaying.


def test_lines_are_relayed_and_answered_until_the_input_ends(emulator: Running, tmp_path: Path) -> None:
    messages = [
        request(1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x"}}),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        request("two", "tools/list"),
        "",
        terminal(3, command="echo grüße 世界", ephemeral=True),
        request(4, "nothing"),
        request(5, "tools/call", {"name": "terminal", "arguments": {}}),
    ]
    finished = relayed(tmp_path, messages, emulator.url, emulator.api_key)
    told = answers(finished)
    assert set(told) == {1, "two", 3, 4, 5}
    assert told[1]["result"]["serverInfo"]["name"] == "chaser"
    assert len(told["two"]["result"]["tools"]) == 18
    assert told[3]["result"]["structuredContent"]["output"] == "grüße 世界\n"
    assert (told[4]["error"]["code"], told[5]["error"]["code"]) == (-32601, -32602)
    assert finished.stderr == ""


def test_a_slash_at_the_end_of_the_address_does_no_harm(emulator: Running, tmp_path: Path) -> None:
    assert answers(relayed(tmp_path, [request(1, "ping")], f"{emulator.url}/", emulator.api_key))[1]["result"] == {}


def test_input_may_come_from_a_file_and_output_go_to_one(emulator: Running, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_text(json.dumps(request(1, "ping")))  # without an end of its line
    with source.open() as stdin, target.open("w") as stdout:
        code = subprocess.run(
            BRIDGE,
            cwd=tmp_path,
            env=environment(emulator.url, emulator.api_key),
            stdin=stdin,
            stdout=stdout,
            timeout=60,
            check=False,
        ).returncode
    assert code == 0
    assert [json.loads(line) for line in target.read_text().splitlines()] == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


@pytest.mark.parametrize(
    ("line", "code"), [("no json", -32700), ("[]", -32600), ('{"jsonrpc":"2.0"}', -32600), ("null", -32600)]
)
def test_what_is_no_request_is_told_in_the_words_of_the_route(
    emulator: Running, tmp_path: Path, line: str, code: int
) -> None:
    told = answers(relayed(tmp_path, [line, request(1, "ping")], emulator.url, emulator.api_key))
    assert told[None]["error"]["code"] == code
    assert told[1]["result"] == {}


def test_large_answers_are_one_line(local: Running, tmp_path: Path) -> None:
    command = "head -c 1000000 /dev/zero | tr '\\0' '\\n'"
    told = answers(relayed(tmp_path, [terminal(1, command=command, ephemeral=True)], local.url, local.api_key))
    assert told[1]["result"]["structuredContent"]["output"] == "\n" * 1_000_000


def test_a_slow_request_blocks_no_other_and_is_answered_after_the_end_of_input(local: Running, tmp_path: Path) -> None:
    with http_of(local) as client:
        session = done(client, "chaser_create_sandbox_session", ephemeral=True)["id"]
        done(client, "terminal", session_id=session, command="mkfifo gate")
        with bridge(tmp_path, local.url, local.api_key) as one:
            one.say(terminal("slow", session_id=session, command="read x <gate; echo $x"))
            for number in range(20):
                one.say(terminal(number, session_id=session, command=f"echo {number}"))
            until(lambda: len(one.told) == 20)
            assert {answer["id"] for answer in one.told} == set(range(20))
            assert one.process.stdin is not None
            one.process.stdin.close()
            done(client, "terminal", session_id=session, command="echo late >gate")
            assert one.process.wait(timeout=30) == 0
            until(lambda: len(one.told) == 21)
            assert one.told[-1]["result"]["structuredContent"]["output"] == "late\n"


# The end.


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_what_it_waits_for(local: Running, tmp_path: Path, how: signal.Signals) -> None:
    with http_of(local) as client, bridge(tmp_path, local.url, local.api_key) as one:
        session = done(client, "chaser_create_sandbox_session", ephemeral=True)["id"]
        one.say(terminal(1, session_id=session, command="sleep 4721"))
        until(lambda: _leases(client, session) == 1)
        one.process.send_signal(how)
        assert one.process.wait(timeout=30) == 0
        until(lambda: _leases(client, session) == 0)
        assert one.told == []


def test_nobody_is_waited_for_who_has_gone(local: Running, tmp_path: Path) -> None:
    with http_of(local) as client:
        session = done(client, "chaser_create_sandbox_session", ephemeral=True)["id"]
        process = subprocess.Popen(
            BRIDGE,
            cwd=tmp_path,
            env=environment(local.url, local.api_key),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(terminal(1, session_id=session, command="sleep 4722")) + "\n")
        process.stdin.flush()
        until(lambda: _leases(client, session) == 1)
        # As when an agent is killed.
        process.stdout.close()
        process.stdin.close()
        assert process.wait(timeout=30) == 0
        until(lambda: _leases(client, session) == 0)


def test_a_cancelled_request_is_given_up(local: Running, tmp_path: Path) -> None:
    with http_of(local) as client, bridge(tmp_path, local.url, local.api_key) as one:
        session = done(client, "chaser_create_sandbox_session", ephemeral=True)["id"]
        one.say(terminal(7, session_id=session, command="sleep 4723"))
        until(lambda: _leases(client, session) == 1)
        one.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "7"}})
        one.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})
        until(lambda: _leases(client, session) == 0)
        one.say(request(8, "ping"))
        until(lambda: bool(one.told))
        assert [answer["id"] for answer in one.told] == [8]


def _leases(client: httpx.Client, session: str) -> int:
    return int(done(client, "chaser_get_session", session_id=session)["active_connection_leases"])


# What goes wrong.


def test_a_bad_key_is_an_error_with_the_id_of_the_request(emulator: Running, tmp_path: Path) -> None:
    finished = relayed(tmp_path, [request("a", "ping")], emulator.url, "sk_wrong")
    error = answers(finished)["a"]["error"]
    assert error["code"] == -32603
    assert "401" in error["message"]
    assert "CHASER_API_KEY" in error["message"]
    assert error["data"]["code"] == "unauthorized"
    assert "sk_wrong" not in finished.stdout + finished.stderr


def test_too_many_requests_are_an_error(tmp_path: Path) -> None:
    with emulator_on("scripted", rate_limits={"mcp": Limits(per_principal=2, per_account=9)}) as one:
        told = answers(relayed(tmp_path, [request(n, "ping") for n in range(5)], one.url, one.api_key))
    refused = [answer["error"] for answer in told.values() if "error" in answer]
    assert len(refused) == 3
    assert all("429" in error["message"] and error["data"]["code"] == "rate_limited" for error in refused)


def test_without_an_emulator_each_request_is_an_error(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        messages = [request(1, "ping"), {"jsonrpc": "2.0", "method": "notifications/initialized"}, request(2, "ping")]
        finished = relayed(tmp_path, messages, url, "sk_key")
    told = answers(finished)
    assert set(told) == {1, 2}
    assert all(url in answer["error"]["message"] for answer in told.values())
    assert url in finished.stderr


@pytest.mark.parametrize(("status", "body"), [(500, b"oops"), (502, b"<html>"), (200, b"<html>"), (404, b"{}")])
def test_what_is_no_answer_of_an_emulator_is_an_error(tmp_path: Path, status: int, body: bytes) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_address[1]}"
        error = answers(relayed(tmp_path, [request(1, "ping")], url, "sk_key"))[1]["error"]
        other.shutdown()
    assert (error["code"], str(status) in error["message"]) == (-32603, True)


@pytest.mark.parametrize(
    ("url", "key", "says"),
    [
        ("localhost:8000", "sk_a", "CHASER_API_URL"),
        ("ftp://x", "sk_a", "CHASER_API_URL"),
        (None, "a b", "CHASER_API_KEY"),
    ],
)
def test_a_wrong_environment_is_wrong_usage(tmp_path: Path, url: str | None, key: str, says: str) -> None:
    finished = relayed(tmp_path, [], url, key)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert says in finished.stderr


# Where the emulator is.


def test_the_emulator_that_runs_is_found_and_may_start_later(tmp_path: Path) -> None:
    data = tmp_path / "data"

    options = ("--data-dir", str(data))
    finished = relayed(tmp_path, [request(1, "ping")], None, None, *options)
    assert "no emulator runs" in answers(finished)[1]["error"]["message"]
    assert "no emulator runs" in finished.stderr
    with server("scripted", tmp_path):
        assert (data / NOTE).exists()
        told = answers(relayed(tmp_path, [request(1, "ping"), terminal(2, command="echo a")], None, None, *options))
        assert told[1]["result"] == {}
        assert told[2]["result"]["isError"] is False
        # With its address alone it is known by it; another one wants a key.
        url = json.loads((data / NOTE).read_text())["url"]
        assert answers(relayed(tmp_path, [request(1, "ping")], url, None, *options))[1]["result"] == {}
        error = answers(relayed(tmp_path, [request(1, "ping")], "http://127.0.0.1:9", None, *options))[1]["error"]
        assert "CHASER_API_KEY" in error["message"]


# The official client.


def test_the_official_client_works_over_it(local: Running, tmp_path: Path) -> None:
    key = person(local).key
    parameters = StdioServerParameters(
        command=BRIDGE[0], args=BRIDGE[1:], env=environment(local.url, key), cwd=str(tmp_path)
    )

    async def talk() -> None:
        with (tmp_path / "log").open("w") as log:
            async with Client(stdio_client(parameters, errlog=log), mode="legacy") as agent:
                assert len((await agent.list_tools()).tools) == 18
                await agent.call_tool("terminal", {"command": "echo 1 >file"})
                results = await asyncio.gather(
                    *(agent.call_tool("terminal", {"command": f"cat file; echo {number}"}) for number in range(10))
                )
                outputs = [result.structured_content["output"] for result in results if result.structured_content]
                assert outputs == [f"1\n{number}\n" for number in range(10)]
                result = await agent.call_tool("terminal", {"xml": '<read_file path="file"/>'})
                assert result.structured_content is not None
                assert result.structured_content["content"] == "1\n"
                result = await agent.call_tool("terminal", {"command": "exit 9"})
                assert result.is_error

    asyncio.run(talk())
    assert (tmp_path / "log").read_text() == ""
    with http_of(local, key) as client:
        assert ok(client.get("/v1/sessions"))["total"] == 1
