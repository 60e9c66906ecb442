"""Stubs: what commands answer where none runs, set over HTTP and in the test's own process."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from boxes import Box, open_box, ran, refused
from chaser_emulator import stubs as written
from chaser_emulator.control.plane import load
from chaser_emulator.errors import ApiError
from chaser_emulator.sandbox import CommandSpec, PortClosed, SandboxSpec
from chaser_emulator.sandbox.scripted import ScriptedEngine
from chaser_emulator.sandbox.stubs import Answer, HttpAnswer, Said, Stubs, Unknown, stub
from chaser_emulator.server import Running
from chaser_emulator.validation import Validator
from chaser_sdk import ChaserClient
from emulators import emulator_on, http_of
from engines import collect, content_of, run
from openssh import OpenSsh
from previews import ports_of
from sockets import tty
from test_background import follow, start, text_of
from test_exec import until
from websockets.sync.client import connect
from websockets.typing import Subprotocol


@pytest.fixture
def box(emulator: Running, client: httpx.Client) -> Iterator[Box]:
    """A session, and no stubs but those of the test."""
    one = open_box(emulator, client)
    yield one
    assert client.delete("/_emulator/stubs").status_code == 200
    one.end()


def add(box: Box, **fields: Any) -> str:
    """The id of a stub that must be accepted."""
    answer = box.client.post("/_emulator/stubs", json=fields)
    assert answer.status_code == 201, answer.text
    assert answer.json()["answered"] == 0
    return str(answer.json()["id"])


def listed(box: Box) -> dict[str, Any]:
    answer: dict[str, Any] = box.client.get("/_emulator/stubs").json()
    return answer


def test_a_command_gets_the_answer_of_its_stub(box: Box, sdk: ChaserClient) -> None:
    named = add(box, command="npm test", output="3 failed\n", exit_code=1, files={"report.txt": "all of them\n"})
    answer = sdk.exec.in_session(box.session, command="npm test")
    assert (answer["exit_code"], answer["output"]) == (1, "3 failed\n")
    assert box.get("/workspace/report.txt") == b"all of them\n"
    assert ran(box, "npm test -- --all")[0] == 127
    (one,) = listed(box)["stubs"]
    assert one == {
        "id": named,
        "answered": 1,
        "command": "npm test",
        "output": "3 failed\n",
        "exit_code": 1,
        "files": {"report.txt": "all of them\n"},
    }
    assert box.client.delete(f"/_emulator/stubs/{named}").status_code == 204
    refused(box.client.delete(f"/_emulator/stubs/{named}"), 404, "not_found")
    assert ran(box, "npm test")[0] == 127


def test_a_whole_number_may_be_written_with_a_fraction_and_is_told_without(box: Box) -> None:
    answer = {"status": 201.0, "body": "made"}
    ports = [{"port": 4711.0, "answers": [answer]}]
    stub = {"command": "whole", "times": 2.0, "exit_code": 3.0, "runs": "forever", "ports": ports}
    told = box.client.post("/_emulator/stubs", json=stub)
    assert told.status_code == 201, told.text
    for part in ('"times":2,', '"exit_code":3', '"port":4711,', '"status":201'):
        assert part in told.text
        assert f"{part.rstrip(',')}.0" not in told.text


def test_text_has_what_the_pattern_found(box: Box) -> None:
    add(
        box,
        pattern=r"^git clone (?P<url>\S+)(?: (\w+))?$",
        output="Cloning {{url}} into {{ 2 }}. {{url}}! {{other}} {",
        files={"/workspace/{{2}}/origin": "{{url}}", "image.png": {"base64": "/9g="}},
    )
    assert ran(box, "git clone http://x/y here") == (0, "Cloning http://x/y into here. http://x/y! {{other}} {")
    assert (box.get("here/origin"), box.get("image.png")) == (b"http://x/y", b"\xff\xd8")
    assert ran(box, "git clone z")[1].startswith("Cloning z into . ")
    # A name that leads out of the workspace is no file, and no failure.
    assert ran(box, "git clone http://x/y __")[0] == 0


def test_stubs_are_tried_in_the_order_of_their_list_and_later_lists_first(box: Box) -> None:
    add(box, command="make", output="old")
    answer = box.client.post(
        "/_emulator/stubs/load",
        json={"stubs": [{"command": "make", "output": "first", "times": 2}, {"pattern": "m", "output": "second"}]},
    )
    assert answer.status_code == 201
    assert [ran(box, "make")[1] for _ in range(3)] == ["first", "first", "second"]
    add(box, command="make", output="new", times=1)
    assert [ran(box, "make")[1] for _ in range(2)] == ["new", "second"]
    assert [one["answered"] for one in listed(box)["stubs"]] == [1, 2, 2, 0]


def test_a_stub_can_be_for_one_session_workspace_or_directory(box: Box) -> None:
    workspace = box.client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "stubbed"}).json()["id"]
    there = open_box(box.emulator, box.client, workspace)
    add(box, command="pwd", output="elsewhere")
    add(box, command="pwd", output="tmp", cwd="/tmp")
    add(box, command="pwd", output="workspace", workspace_id=workspace)
    add(box, command="whoami", output="me", session_id=box.session)
    assert (ran(there, "pwd")[1], ran(box, "pwd")[1]) == ("workspace", "elsewhere")
    assert ran(box, "pwd", cwd="/tmp/.")[1] == "tmp"
    assert (ran(box, "whoami"), ran(there, "whoami")[0]) == ((0, "me"), 127)
    there.end()
    box.client.delete(f"/v1/workspaces/{workspace}")


def test_output_comes_over_time_and_can_be_followed(box: Box) -> None:
    add(
        box,
        command="build",
        output=[{"text": "one\n"}, {"after": 0.3, "text": "two\n"}, {"after": 0.3}, {"base64": "/w=="}],
        exit_code=5,
        files={"out": "done"},
    )
    found = follow(box, start(box, "build"), interval_ms=10)
    assert text_of(found) == b"one\ntwo\n\xff"
    assert len(found) == 4
    assert found[-1][2]["exit_code"] == 5
    assert box.get("out") == b"done"
    add(box, command="crash", signal="SIGSEGV", output="oops")
    assert ran(box, "crash") == (139, "oops")


def test_a_frozen_clock_holds_no_stub_back(box: Box) -> None:
    add(box, command="wait", delay=0.2, output=[{"after": 0.1, "text": "over"}])
    box.client.post("/_emulator/clock", json={"mode": "frozen"})
    try:
        assert ran(box, "wait") == (0, "over")
    finally:
        box.client.post("/_emulator/clock", json={"mode": "real"})


def test_a_command_goes_on_until_it_is_killed(box: Box) -> None:
    add(box, command="serve", output="ready\n", runs="forever")
    assert ran(box, "serve", timeout_ms=100) == (124, "ready\n")
    url = start(box, "serve")
    until(lambda: box.client.get(url).json()["output"] == "ready\n")
    for harmless in ("SIGWINCH", "SIGCONT"):
        assert box.client.post(f"{url}/kill", json={"signal": harmless}).json()["status"] == "running"
    assert box.client.post(f"{url}/kill", json={"signal": "SIGTERM"}).status_code == 200
    until(lambda: box.client.get(url).json()["status"] == "killed")
    assert box.client.get(url).json()["exit_code"] == 143


def test_a_command_reads_its_input(box: Box) -> None:
    add(box, command="cat", reads="echo")
    add(box, command="sort", reads="all", output="sorted: {{stdin}}", files={"in": "{{stdin}}"})
    add(box, command="ask", output="go on?\n", runs="until_eof")
    assert ran(box, "cat", stdin="abc") == (0, "abc")
    assert ran(box, "cat") == (0, "")
    assert ran(box, "sort", stdin="b a") == (0, "sorted: b a")
    assert box.get("in") == b"b a"
    assert ran(box, "ask") == (0, "go on?\n")

    url = start(box, "cat", stdin="first ")
    assert box.client.post(f"{url}/stdin", json={"input": "second"}).status_code == 200
    until(lambda: box.client.get(url).json()["output"] == "first second")
    assert box.client.get(url).json()["status"] == "running"
    assert box.client.post(f"{url}/stdin", json={"input": "", "eof": True}).status_code == 200
    until(lambda: box.client.get(url).json()["status"] == "exited")
    refused(box.client.post(f"{url}/stdin", json={"input": "late"}), 409, "not_running")


def test_input_decides_which_stub_answers(box: Box) -> None:
    add(box, command="login", output="nobody knows that\n", exit_code=1)
    add(box, command="login", stdin="hunter2\n", output="welcome\n")
    add(box, command="login", stdin_pattern="^root:", output="never\n", exit_code=2)
    assert ran(box, "login", stdin="hunter2\n") == (0, "welcome\n")
    assert ran(box, "login", stdin="root:x") == (2, "never\n")
    assert ran(box, "login", stdin="hunter3") == (1, "nobody knows that\n")
    assert ran(box, "login") == (1, "nobody knows that\n")
    url = start(box, "login")
    box.client.post(f"{url}/stdin", json={"input": "hunt"})
    box.client.post(f"{url}/stdin", json={"input": "er2\n"})
    until(lambda: box.client.get(url).json()["status"] == "exited")
    assert box.client.get(url).json()["output"] == "welcome\n"


def test_a_port_gives_its_answers_through_the_gateway_while_its_command_runs(box: Box) -> None:
    add(
        box,
        command="npm run dev",
        output="ready\n",
        runs="forever",
        ports=[
            {
                "port": 3000,
                "answers": [
                    {"path": "/", "body": "<h1>hello</h1>", "headers": {"Content-Type": "text/html", "X-Own": "1"}},
                    {"path": "/api/items", "method": "post", "status": 201, "json": {"id": 7}},
                    {"path": "/a b?c=1", "body": "query"},
                    {"path": "/static/*", "base64": "AAE="},
                    {"path": "/empty", "status": 204},
                ],
            },
            {"port": 3001, "echo": "http"},
            {"port": 3002, "answers": []},
        ],
    )
    base = f"/s/{box.session}/forward/3000"
    assert ports_of(box) == []
    url = start(box, "npm run dev")
    until(lambda: ports_of(box) == [3000, 3001, 3002])
    page = box.client.get(f"{base}/")
    assert (page.text, page.headers["x-own"], page.headers["content-type"]) == ("<h1>hello</h1>", "1", "text/html")
    head = box.client.head(f"{base}/")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "14", b"")
    made = box.client.post(f"{base}/api/items", json={"name": "x"})
    assert (made.status_code, made.json()) == (201, {"id": 7})
    assert box.client.get(f"{base}/static/deep/x.bin?v=1").content == b"\0\1"
    assert box.client.get(f"{base}/a%20b?c=1").text == "query"
    assert box.client.get(f"{base}/empty").status_code == 204
    missing = box.client.get(f"{base}/api/items")
    assert missing.status_code == 404
    assert "post /api/items" in missing.text

    body = b"x" * 300_000
    told = box.client.put(f"/s/{box.session}/forward/3001/deep?q=1", content=body, headers={"X-Mine": "2"}).json()
    assert (told["method"], told["query"], told["headers"]["x-mine"], len(told["body"])) == ("PUT", "q=1", "2", 300_000)
    assert told["path"].endswith("/deep")
    assert box.client.get(f"/s/{box.session}/forward/3002/").status_code == 404
    ws = f"{box.emulator.url.replace('http', 'ws', 1)}/s/{box.session}/forward/3001/"
    headers = {"Authorization": f"Bearer {box.emulator.api_key}"}
    with connect(ws, additional_headers=headers, subprotocols=[Subprotocol("vite-hmr")]) as socket:
        assert socket.subprotocol == "vite-hmr"
        for message in ("hello", b"\0\1", "x" * 200_000):
            socket.send(message)
            assert socket.recv(timeout=20) == message

    box.client.post(f"{url}/kill", json={"signal": "SIGKILL"})
    until(lambda: ports_of(box) == [])
    assert box.client.get(f"{base}/").status_code >= 400


def test_ssh_reaches_a_port_and_is_let_go_by_it(tmp_path: Path) -> None:
    serving = stub("serve", ports={3000: [HttpAnswer(body="hello")]}, runs="forever")
    with emulator_on("scripted", ssh_port=0, stubs=(serving,)) as one, http_of(one) as client:
        user = OpenSsh.make(one, tmp_path / "user")
        user.register(client)
        client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "web"})
        there = open_box(one, client, "web")
        start(there, "serve")
        with subprocess.Popen(user.command("web", "-W", "localhost:3000"), stdin=-1, stdout=-1) as ssh:
            assert ssh.stdin is not None
            assert ssh.stdout is not None
            ssh.stdin.write(b"GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n")
            ssh.stdin.flush()
            # The server is the first to say its last; its client ends all the same.
            assert ssh.stdout.read().endswith(b"hello")
            ssh.stdin.close()
            try:
                assert ssh.wait(20) == 0
            finally:
                ssh.kill()


def test_a_terminal_is_answered_by_stubs(box: Box) -> None:
    add(box, command="cat", reads="echo", output="type\n")
    add(box, command="tail -f log", output=[{"text": "a\n"}, {"after": 0.1, "text": "b\n"}], runs="forever")
    add(box, command="deploy", stdin="yes\n", output="deployed\n")
    with tty(box.emulator, box.session, mode="human") as one:
        one.until(rb"\$ ")
        one.type("cat\n")
        one.until(rb"type\r\n")
        one.type("echo me\n")
        one.until(rb"echo me\r\necho me\r\n")
        one.type("\x04")
        one.until(rb"\$ ")
        one.type("tail -f log\n")
        one.until(rb"a\r\nb\r\n")
        one.type("\x03")
        one.until(rb"\$ ")
        one.type("deploy\n")
        one.until(rb"deploy\r\n")
        one.type("yes\n")
        one.until(rb"deployed\r\n")
        one.type("unheard\n")
        one.until(rb"not found\r\n")
    assert [found["command"] for found in listed(box)["unknown"]] == ["unheard"]


def test_what_nothing_answers_is_told_with_a_stub_that_would(box: Box) -> None:
    assert ran(box, "echo fine; true")[0] == 127
    assert [ran(box, known)[0] for known in ("echo fine", "true", "false", "exit 3", "sleep 0")] == [0, 0, 1, 3, 0]
    add(box, command="npm ci", times=1)
    add(box, command="ls", session_id="another")
    assert [ran(box, "npm ci")[0] for _ in range(2)] == [0, 127]
    assert ran(box, "ls", cwd="/tmp")[0] == 127
    # The emulator's own commands are nobody's to answer.
    assert box.client.post(f"/v1/sessions/{box.session}/self-test").status_code < 500
    found = listed(box)["unknown"]
    assert [one["command"] for one in found] == ["echo fine; true", "npm ci", "ls"]
    assert found[1]["near"].endswith("has answered as often as it may (1)")
    assert found[2]["near"].endswith("is for another session, workspace or directory")
    assert {one["session_id"] for one in found} == {box.session}
    add(box, **found[2]["stub"])
    assert ran(box, "ls") == (0, "")


def test_the_emulators_own_commands_are_nobodys_to_answer() -> None:
    async def unknown() -> list[Unknown]:
        engine = ScriptedEngine([stub("npm ci", times=1)])
        ref = await engine.start(SandboxSpec("session"))
        for text in ("npm ci", "npm ci", "make"):
            await run(engine, ref, text, cwd="/tmp")
        await run(engine, ref, "ls -A", ours=True)
        return list(engine.stubs.unknown)

    assert asyncio.run(unknown()) == [
        Unknown("npm ci", "session", "/tmp", "stub_1 has answered as often as it may (1)"),
        Unknown("make", "session", "/tmp", None),
    ]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({}, "/command", "required"),
    ({"command": ""}, "/command", "at least 1"),
    ({"command": "a", "pattern": "b"}, "/pattern", "one of the two"),
    ({"pattern": "a(b"}, "/pattern", "unterminated subpattern"),
    ({"command": "a", "stdin_pattern": "*"}, "/stdin_pattern", "nothing to repeat"),
    ({"command": "a", "exit_code": 256}, "/exit_code", "at most 255"),
    ({"command": "a", "exit_code": 1, "signal": "SIGKILL"}, "/signal", "one of the two"),
    ({"command": "a", "signal": "SIGNAL"}, "/signal", "SIGKILL"),
    ({"command": "a", "times": 0}, "/times", "at least 1"),
    ({"command": "a", "output": [{"text": "a", "base64": "YQ=="}]}, "/output/0/base64", "one of the two"),
    ({"command": "a", "output": [{"base64": "?"}]}, "/output/0/base64", "Base64"),
    ({"command": "a", "output": [{"after": -1}]}, "/output/0/after", "at least 0"),
    ({"command": "a", "files": {"../x": ""}}, "/files/..~1x", "climbs out"),
    ({"command": "a", "files": {"/etc/": ""}}, "/files/~1etc~1", "folder"),
    ({"command": "a", "runs": "forever", "ports": [{"port": 65536, "echo": "tcp"}]}, "/ports/0/port", "at most 65535"),
    ({"command": "a", "runs": "forever", "ports": [{"port": 1}]}, "/ports/0/answers", "required"),
    ({"command": "a", "ports": [{"port": 1, "echo": "tcp"}]}, "/ports", "runs: forever"),
    (
        {"command": "a", "runs": "forever", "ports": [{"port": 1, "echo": "tcp"}, {"port": 1, "echo": "tcp"}]},
        "/ports/1/port",
        "twice",
    ),
    (
        {"command": "a", "runs": "forever", "ports": [{"port": 1, "answers": [{"headers": {"Content-Length": "1"}}]}]},
        "/ports/0/answers/0/headers/Content-Length",
        "header",
    ),
    (
        {"command": "a", "runs": "forever", "ports": [{"port": 1, "answers": [{"path": "x"}]}]},
        "/ports/0/answers/0/path",
        "begins with /",
    ),
    ({"command": "a", "ouput": "b"}, "", "ouput"),
]


@pytest.mark.parametrize(("fields", "pointer", "words"), WRONG, ids=[f"{p}-{w}" for _, p, w in WRONG])
def test_a_bad_stub_is_refused_by_its_field(client: httpx.Client, fields: Any, pointer: str, words: str) -> None:
    details = refused(client.post("/_emulator/stubs", json=fields), 400, "invalid_request")["details"]
    assert [words in one["message"] for one in details if one["pointer"] == pointer] == [True], details
    listed = refused(
        client.post("/_emulator/stubs/load", json={"stubs": [{"command": "ok"}, fields]}), 400, "invalid_request"
    )
    assert f"/stubs/1{pointer}" in [one["pointer"] for one in listed["details"]]
    assert client.get("/_emulator/stubs").json()["stubs"] == []


FULL: dict[str, Any] = {
    "pattern": "(?i)^RUN (\\w+)",
    "session_id": "s",
    "workspace_id": "w",
    "cwd": "/tmp",
    "stdin_pattern": "x+",
    "times": 3,
    "output": [{"text": "a"}, {"after": 1.5, "base64": "/w=="}, {"after": 2}],
    "signal": "SIGTERM",
    "delay": 0.5,
    "runs": "until_eof",
    "reads": "echo",
    "files": {"/workspace/a": "text", "/tmp/b": {"base64": "/w=="}},
    "ports": [
        {"port": 1, "echo": "http"},
        {"port": 2, "answers": [{"path": "/", "method": "GET", "status": 201, "headers": {"a": "b"}, "body": "c"}]},
    ],
    "note": "n",
}


def test_what_is_written_of_a_stub_is_read_again() -> None:
    spec = load()
    schema = spec.operations["add-stub"].body.content["application/json"]  # type: ignore[union-attr] # it has one
    for value in (
        FULL,
        {"command": "a", "exit_code": 0},
        {"command": "a", "stdin": "b", "exit_code": 9, "output": "x"},
    ):
        Validator(spec).body(schema, value)
        once = written.write(written.read(value))
        assert once == value
        assert written.write(written.read(once)) == once
    in_process = stub(re.compile("a", re.IGNORECASE), b"\xff", ports={1: [HttpAnswer(body=b"\0")]}, runs="forever")
    there = written.read(written.write(in_process))
    assert written.write(there) == written.write(in_process)


def test_stubs_are_refused_where_commands_really_run() -> None:
    class Real:
        name = "local"

    class World:
        engine = Real()

    with pytest.raises(ApiError) as refusal:
        written.of_world(World())  # type: ignore[arg-type] # all that is looked at
    assert (refusal.value.code, "--sandbox scripted" in refusal.value.message) == ("conflict", True)


def test_a_function_answers_in_the_tests_own_process() -> None:
    def sums(command: CommandSpec) -> Answer | str | bool | None:
        match command.command.split():
            case ["add", *numbers]:
                return f"{sum(map(int, numbers))}\n"
            case ["fail", code]:
                return Answer("failed\n", int(code))
            case ["rest"]:
                return True
        return None

    async def answers() -> list[tuple[int, bytes]]:
        engine = ScriptedEngine([stub(sums, "the rest\n"), stub("mul", "product\n")])
        ref = await engine.start(SandboxSpec("session"))
        found = [await run(engine, ref, text) for text in ("add 1 2 3", "fail 7", "rest", "mul", "div")]
        assert [one.answered for one in engine.stubs] == [3, 1]
        assert written.info(next(iter(engine.stubs)))["function"].endswith("sums")
        return [(one.exit_code, one.output) for one in found]

    assert asyncio.run(answers()) == [
        (0, b"6\n"),
        (7, b"failed\n"),
        (0, b"the rest\n"),
        (0, b"product\n"),
        (127, b"sh: div: command not found\n"),
    ]


def test_a_port_sends_bytes_back_and_hangs_up_with_its_command() -> None:
    async def talk() -> None:
        engine = ScriptedEngine([stub("redis", "ready", ports={6379: "tcp"}, runs="forever", delay=0.01)])
        ref = await engine.start(SandboxSpec("session"))
        with pytest.raises(PortClosed):
            await engine.connect(ref, 6379)
        process = await engine.exec(ref, CommandSpec("redis"))
        await anext(process.output())
        assert await engine.ports(ref) == [6379]
        loop = asyncio.get_running_loop()
        with await engine.connect(ref, 6379) as sock:
            data = bytes(range(256)) * 4000
            sending = asyncio.create_task(loop.sock_sendall(sock, data))
            got = b""
            while len(got) < len(data):
                got += await loop.sock_recv(sock, 65_536)
            await sending
            assert got == data
            await process.signal(15)
            assert await loop.sock_recv(sock, 1) == b""
        assert await process.wait() == 143
        assert await engine.ports(ref) == []
        await engine.close()
        assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    asyncio.run(talk())


def test_an_echo_waits_for_who_reads_slowly() -> None:
    async def feed() -> None:
        engine = ScriptedEngine([stub("cat", reads="echo")])
        ref = await engine.start(SandboxSpec("session"))
        process = await engine.exec(ref, CommandSpec("cat", stdin=True))
        data = b"0123456789" * 50_000

        async def all_of_it() -> None:
            for at in range(0, len(data), 10_000):
                await process.write(data[at : at + 10_000])
            await process.close_stdin()

        feeding = asyncio.create_task(all_of_it())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not feeding.done()
        assert (await collect(process)).output == data
        await feeding

    asyncio.run(feed())


def test_a_fork_has_stubs_and_files_of_its_own() -> None:
    async def fork() -> None:
        engine = ScriptedEngine([stub("once", "one", times=1), stub("write", files={"a": b"1"})])
        ref = await engine.start(SandboxSpec("session", disk_id="disk"))
        await run(engine, ref, "write")
        other = await engine.fork(sandboxes=True)
        assert await content_of(other, ref, "a") == b"1"
        assert await other.disks() == {"disk"}
        assert (await run(other, ref, "once")).output == b"one"
        assert (await run(engine, ref, "once")).output == b"one"
        other.stubs.add(stub("write", files={"a": b"2"}))
        await run(other, ref, "write")
        assert (await content_of(other, ref, "a"), await content_of(engine, ref, "a")) == (b"2", b"1")
        assert [one.id for one in other.stubs] == ["stub_3", "stub_1", "stub_2"]
        bare = await engine.fork()
        assert (await bare.refs(), await bare.disks()) == ({}, {"disk"})

    asyncio.run(fork())


def test_an_answer_that_takes_no_time_needs_no_task() -> None:
    async def count() -> int:
        engine = ScriptedEngine([stub("quick", [Said("a"), Said("b")])])
        ref = await engine.start(SandboxSpec("session"))
        assert (await run(engine, ref, "quick")).output == b"ab"
        return len(asyncio.all_tasks())

    assert asyncio.run(count()) == 1


def test_ids_are_never_given_twice() -> None:
    stubs = Stubs(stub("a"), stub("b"))
    assert stubs.remove("stub_2") is not None
    assert [one.id for one in stubs.add(stub("c"))] == ["stub_3"]
    assert [one.id for one in stubs.copy().add(stub("d"))] == ["stub_4"]
    assert stubs.clear() == 2
