"""The tool `terminal`: commands as the routes for exec run them, and operations on files, on every engine."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.sandbox.stubs import stub
from chaser_emulator.server import Running
from chaser_emulator.tools import xml
from emulators import ENGINES, emulator_on, http_of
from mcp_calls import MCP, call, done, official, refusal, wrong
from people import failed_audits, ok, person, refused
from test_exec import until

MIB = 2**20


@pytest.fixture(name="any_emulator", scope="module", params=ENGINES)
def any_emulator_fixture(request: pytest.FixtureRequest) -> Iterator[Running]:
    with emulator_on(request.param) as one:
        yield one
        with http_of(one) as client:
            client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})


@pytest.fixture(name="any_client")
def any_client_fixture(any_emulator: Running) -> Iterator[httpx.Client]:
    with http_of(any_emulator) as client:
        yield client


@pytest.fixture(name="session")
def session_fixture(any_client: httpx.Client) -> Iterator[str]:
    """An ephemeral sandbox of its own on each engine."""
    one = done(any_client, "chaser_create_sandbox_session", ephemeral=True)["id"]
    yield one
    any_client.delete(f"/v1/sessions/{one}", params={"force": "true"})


@pytest.fixture(name="room")
def room_fixture(client: httpx.Client) -> Iterator[str]:
    """The same without processes."""
    one = done(client, "chaser_create_sandbox_session", ephemeral=True)["id"]
    yield one
    client.delete(f"/v1/sessions/{one}")


@pytest.fixture(name="local", scope="module")
def local_fixture() -> Iterator[Running]:
    with emulator_on("local") as one:
        yield one


def put(client: httpx.Client, session: str, path: str, data: bytes) -> None:
    parts: dict[str, Any] = {"path": (None, path.encode()), "file": ("f", data)}
    ok(client.post(f"/v1/sessions/{session}/upload", files=parts))


def got(client: httpx.Client, session: str, path: str) -> bytes:
    answer = client.get(f"/v1/sessions/{session}/download", params={"path": path})
    assert answer.status_code == 200, answer.text
    return answer.content


# Commands.


@pytest.mark.parametrize("word", ["command", "cmd"])
def test_a_command_is_answered_as_by_the_route(any_client: httpx.Client, session: str, word: str) -> None:
    by_tool = done(any_client, "terminal", session_id=session, **{word: "echo hello"})
    by_route = ok(any_client.post(f"/v1/sessions/{session}/exec", json={"command": "echo hello"}))
    assert by_tool == by_route
    assert (by_tool["session_id"], by_tool["output"]) == (session, "hello\n")
    tool, route = (
        {key: row[key] for key in row if key not in ("id", "created_at")}
        for row in ok(any_client.get("/v1/audit/events", params={"action": "session.exec", "limit": 2}))["events"]
    )
    assert tool == route


def test_a_command_that_fails_is_an_error_with_its_answer(any_client: httpx.Client, session: str) -> None:
    result = call(any_client, "terminal", session_id=session, command="exit 3")
    assert result["isError"] is True
    assert (result["structuredContent"]["status"], result["structuredContent"]["exit_code"]) == ("completed", 3)
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


@pytest.mark.parametrize("limit", [50, 50.5, 0.5, 0, 1e2])
def test_a_command_whose_time_is_up_is_an_error(any_client: httpx.Client, session: str, limit: float) -> None:
    result = call(any_client, "terminal", session_id=session, command="sleep 60", timeout_ms=limit)
    found = result["structuredContent"]
    assert (result["isError"], found["status"], found["exit_code"]) == (True, "timed_out", 124)


def test_without_a_target_it_is_the_plan_that_decides(emulator: Running) -> None:
    with http_of(emulator, person(emulator).key) as client:
        found = done(client, "terminal", command="echo a")
        assert (found["workspace"], found["ephemeral"]) == ("default", False)
        again = done(client, "terminal", xml='<list_files path="."/>')
        assert (again["session_id"], again["workspace_id"]) == (found["session_id"], found["workspace_id"])
        assert done(client, "chaser_get_session", session_id=found["session_id"])["status"] == "running"
    with http_of(emulator, person(emulator, plan="free").key) as client:
        found = done(client, "terminal", command="echo a")
        assert (found["ephemeral"], "workspace_id" in found) == (True, False)
        found = done(client, "terminal", xml='<write_file path="a">b</write_file>')
        assert (found["ephemeral"], "workspace_id" in found) == (True, False)
        assert done(client, "chaser_list_sessions")["total"] == 0


def test_a_session_goes_before_the_rest(client: httpx.Client, room: str) -> None:
    for arguments in ({"workspace": "no-such-one"}, {"ephemeral": True, "image": "no/such:one"}):
        assert done(client, "terminal", session_id=room, command="echo", **arguments)["session_id"] == room
        listed = done(client, "terminal", session_id=room, xml='<list_files path="."/>', **arguments)
        assert (listed["session_id"], listed["ephemeral"]) == (room, True)
    assert done(client, "chaser_get_session", session_id=room)["status"] == "running"


def test_a_workspace_keeps_its_session_and_its_files(client: httpx.Client) -> None:
    workspace = done(client, "chaser_create_workspace", session_type="sandbox", name="kept")
    first = done(client, "terminal", workspace="kept", xml='<write_file path="notes">one</write_file>')
    assert (first["workspace"], first["workspace_id"]) == ("kept", workspace["id"])
    second = done(client, "terminal", workspace=workspace["id"], command="echo")
    assert (second["session_id"], second["workspace"]) == (first["session_id"], "kept")
    done(client, "chaser_terminate_session", session_id=first["session_id"])
    third = done(client, "terminal", workspace="kept", xml='<read_file path="notes"/>')
    assert third["session_id"] != first["session_id"]
    assert third["content"] == "one"


def test_an_ephemeral_sandbox_ends_with_its_answer(client: httpx.Client) -> None:
    live = done(client, "chaser_list_sessions")["total"]
    for arguments in ({"command": "echo"}, {"xml": '<list_files path="."/>'}):
        found = done(client, "terminal", ephemeral=True, **arguments)
        assert found["ephemeral"] is True
        assert done(client, "chaser_get_session", session_id=found["session_id"])["status"] == "terminated"
    error = refusal(client, "terminal", ephemeral=True, xml='<read_file path="missing"/>')
    assert error["code"] == "not_found"
    assert done(client, "chaser_list_sessions")["total"] == live


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({}, "exactly one of command, cmd and xml"),
        ({"command": "a", "cmd": "b"}, "exactly one of command, cmd and xml"),
        ({"command": "a", "xml": "<a/>"}, "exactly one of command, cmd and xml"),
        ({"comand": "a"}, "comand"),
        ({"command": ""}, "command"),
        ({"command": 7}, "command"),
        ({"command": ["ls"]}, "command"),
        ({"command": "a\0b"}, "command"),
        ({"command": "x" * 131_073}, "command"),
        ({"command": "a", "timeout_ms": -1}, "timeout_ms"),
        ({"command": "a", "timeout_ms": 3_600_001}, "timeout_ms"),
        ({"command": "a", "timeout_ms": "5"}, "timeout_ms"),
        ({"command": "a", "workspace": "w", "ephemeral": True}, "workspace"),
        ({"command": "a", "image": "debian:12"}, "ephemeral"),
        ({"command": "a", "image": "not an image", "ephemeral": True}, "image"),
        ({"command": "a", "session_id": ""}, "session_id"),
        ({"command": "a", "background": True}, "background"),
        ({"xml": ""}, "xml"),
    ],
)
def test_wrong_arguments_are_named_and_start_nothing(
    client: httpx.Client, arguments: dict[str, Any], names: str
) -> None:
    before = done(client, "chaser_list_sessions")["total"]
    assert names in wrong(client, "terminal", **arguments)["message"]
    assert done(client, "chaser_list_sessions")["total"] == before


@pytest.mark.parametrize("what", [{"command": "echo"}, {"xml": '<list_files path="."/>'}])
def test_what_cannot_be_reached_is_refused_as_by_the_routes(client: httpx.Client, what: dict[str, str]) -> None:
    gone = done(client, "chaser_create_sandbox_session", ephemeral=True)["id"]
    done(client, "chaser_terminate_session", session_id=gone)
    assert refusal(client, "terminal", session_id=gone, **what)["code"] == "not_running"
    assert refusal(client, "terminal", session_id="nope", **what)["code"] == "not_found"
    assert refusal(client, "terminal", workspace="nope", **what)["code"] == "not_found"
    browser = done(client, "chaser_create_workspace", session_type="browser")["id"]
    assert refusal(client, "terminal", workspace=browser, **what)["code"] == "invalid_request"
    # The scripted engine has no browsers: the session fails.
    failed = ok(client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))["id"]
    assert refusal(client, "terminal", session_id=failed, **what)["code"] == "not_a_sandbox"


@pytest.mark.parametrize("what", [{"command": "echo"}, {"xml": '<list_files path="."/>'}])
def test_the_plan_limits_it(emulator: Running, what: dict[str, str]) -> None:
    with http_of(emulator, person(emulator, plan="free").key) as client:
        while client.post("/v1/sessions", json={"ephemeral": True}).status_code == 200:
            pass
        error = refusal(client, "terminal", **what)
        twin = refused(client.post("/v1/exec", json={"command": "echo"}), 403, "plan_limit_exceeded")
        assert (error["code"], error["details"]) == (twin["code"], twin["details"])
        if "command" in what:
            tool, route = failed_audits(client, "session.exec")
            assert (tool["summary"], tool["metadata"]) == (route["summary"], route["metadata"])


def test_output_is_cut_and_mended_as_by_the_route() -> None:
    stubs = (stub("large", "x" * (MIB + 10)), stub("bytes", b"a\xffb\0c"))
    with emulator_on("scripted", stubs=stubs) as one, http_of(one) as client:
        found = done(client, "terminal", command="large")
        assert (len(found["output"]), found["output_truncated"]) == (MIB, True)
        assert done(client, "terminal", command="bytes")["output"] == "a�b\0c"


def test_an_image_that_cannot_be_had_is_told(local: Running) -> None:
    with http_of(local) as client:
        error = refusal(client, "terminal", command="echo", workspace="nope")
        assert error["code"] == "not_found"
        assert done(client, "terminal", command="echo $0 $PWD", ephemeral=True)["output"].endswith("/workspace\n")


# Who leaves.


def _leaving(emulator: Running, arguments: dict[str, Any], started: Any) -> None:
    """Call `terminal`, and close the connection once `started` says that it is under way."""
    call_it = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "terminal", "arguments": arguments},
    }

    async def leave() -> None:
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        async with httpx.AsyncClient(base_url=emulator.url, headers=headers, timeout=60) as client:
            asking = asyncio.create_task(client.post(MCP, json=call_it))
            await asyncio.to_thread(until, started)
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

    asyncio.run(leave())


def _sleeps(client: httpx.Client, session: str, seconds: int) -> bool:
    command = f"pgrep -f '[s]leep {seconds}' >/dev/null"
    return bool(ok(client.post(f"/v1/sessions/{session}/exec", json={"command": command}))["exit_code"] == 0)


def test_the_command_of_a_client_that_leaves_is_killed(local: Running) -> None:
    with http_of(local) as client:
        session = done(client, "chaser_create_sandbox_session", ephemeral=True)["id"]
        arguments = {"session_id": session, "command": "sleep 4711 & sleep 4711"}
        _leaving(local, arguments, lambda: _sleeps(client, session, 4711))
        until(lambda: not _sleeps(client, session, 4711))
        until(lambda: done(client, "chaser_get_session", session_id=session)["active_connection_leases"] == 0)
        assert done(client, "terminal", session_id=session, command="echo still here")["output"] == "still here\n"


def test_the_ephemeral_sandbox_of_a_client_that_leaves_ends(local: Running) -> None:
    with http_of(local, person(local).key) as client:
        held = dataclasses.replace(local, api_key=client.headers["authorization"][7:], ssh_port=None)

        def running() -> bool:
            return any(one["active_connection_leases"] for one in done(client, "chaser_list_sessions")["sessions"])

        _leaving(held, {"ephemeral": True, "command": "sleep 4712"}, running)
        until(lambda: done(client, "chaser_list_sessions")["total"] == 0)


def test_the_official_client_gives_up_a_command_by_closing(local: Running) -> None:
    with http_of(local) as client:
        session = done(client, "chaser_create_sandbox_session", ephemeral=True)["id"]

        async def talk() -> None:
            async with official(local.url, local.api_key) as agent:
                arguments = {"session_id": session, "command": "sleep 4713"}
                asking = asyncio.create_task(agent.call_tool("terminal", arguments))
                await asyncio.to_thread(until, lambda: _sleeps(client, session, 4713))
                asking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asking

        asyncio.run(talk())
        until(lambda: not _sleeps(client, session, 4713))


def test_a_slow_command_holds_nobody_up(local: Running) -> None:
    with http_of(local) as client, http_of(local) as other:
        session = done(client, "chaser_create_sandbox_session", ephemeral=True)["id"]
        slow = threading.Thread(
            target=call, args=(other, "terminal"), kwargs={"session_id": session, "command": "read x <gate; echo $x"}
        )
        done(client, "terminal", session_id=session, command="mkfifo gate")
        slow.start()
        until(lambda: done(client, "chaser_get_session", session_id=session)["active_connection_leases"] == 1)
        assert done(client, "terminal", session_id=session, command="echo quick")["output"] == "quick\n"
        done(client, "terminal", session_id=session, command="echo >gate")
        slow.join(30)
        assert not slow.is_alive()


# Files.


def test_a_file_is_written_read_edited_and_listed(any_client: httpx.Client, session: str) -> None:
    def files(text: str) -> dict[str, Any]:
        return done(any_client, "terminal", session_id=session, xml=text)

    text = "first\n  second & <third>\n\tfourth «é»"
    written = files(f'<write_file path="a/b.txt"><![CDATA[{text}]]></write_file>')
    assert written == {
        "kind": "write_file",
        "session_id": session,
        "ephemeral": True,
        "path": "/workspace/a/b.txt",
        "size": len(text.encode()),
    }
    assert got(any_client, session, "a/b.txt") == text.encode()
    read = files('<read_file path="/workspace/a/b.txt"/>')
    assert (read["content"], read["size"]) == (text, len(text.encode()))
    assert (read["start_line"], read["end_line"], read["total_lines"]) == (1, 3, 3)
    edited = files(
        '<apply_edit path="a/b.txt"><search>second &amp; &lt;third&gt;</search><replace>2nd\n3rd</replace></apply_edit>'
    )
    assert (edited["kind"], edited["path"], edited["line"]) == ("apply_edit", "/workspace/a/b.txt", 2)
    assert got(any_client, session, "a/b.txt").decode() == "first\n  2nd\n3rd\n\tfourth «é»"
    assert edited["size"] == len(got(any_client, session, "a/b.txt"))
    listed = files('<list_files path="/workspace" recursive="true"/>')
    assert (listed["path"], listed["truncated"]) == ("/workspace", False)
    assert listed["entries"] == [
        {"path": "a", "type": "directory"},
        {"path": "a/b.txt", "type": "file", "size": edited["size"]},
    ]
    assert files('<list_files path="."/>')["entries"] == [{"path": "a", "type": "directory"}]


@pytest.mark.parametrize(
    ("lines", "content", "start", "end"),
    [
        ("", "1\n2\r\n3\n\n5", 1, 5),
        ('start_line="2"', "2\r\n3\n\n5", 2, 5),
        ('end_line="2"', "1\n2\r\n", 1, 2),
        ('start_line="2" end_line="3"', "2\r\n3\n", 2, 3),
        ('start_line="5" end_line="5"', "5", 5, 5),
        ('start_line="4" end_line="99"', "\n5", 4, 5),
        ('start_line="01" end_line="1"', "1\n", 1, 1),
    ],
)
def test_lines_are_counted_from_one_and_both_ends_are_read(
    client: httpx.Client, room: str, lines: str, content: str, start: int, end: int
) -> None:
    put(client, room, "f", b"1\n2\r\n3\n\n5")
    read = done(client, "terminal", session_id=room, xml=f'<read_file path="f" {lines}/>')
    assert (read["content"], read["start_line"], read["end_line"]) == (content, start, end)
    assert (read["total_lines"], read["size"]) == (5, 9)


@pytest.mark.parametrize(("data", "total"), [(b"", 0), (b"\n", 1), (b"a", 1), (b"a\n", 1), (b"a\n\n", 2), (b"\r", 1)])
def test_a_last_line_may_lack_its_end(client: httpx.Client, room: str, data: bytes, total: int) -> None:
    put(client, room, "f", data)
    read = done(client, "terminal", session_id=room, xml='<read_file path="f"/>')
    assert (read["content"].encode(), read["total_lines"], read["end_line"]) == (data, total, total)
    error = refusal(client, "terminal", session_id=room, xml=f'<read_file path="f" start_line="{total + 2}"/>')
    assert f"{total} line" in error["message"]


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("", ""),
        ("\n", "\n"),
        ("\nleading and trailing \n\n", "\nleading and trailing \n\n"),
        ("a\r\nb\rc", "a\r\nb\rc"),
        ("<![CDATA[a\r\n<b>&amp;]]>\r\n", "a\r\n<b>&amp;\r\n"),
        ("<![CDATA[]]]]><![CDATA[>]]>", "]]>"),
        ("&lt;&#228;&#x1F600;&amp;&quot;", '<ä😀&"'),
        ("\ttab\u2028and\u0085more\ufeff", "\ttab\u2028and\u0085more\ufeff"),
    ],
)
def test_text_is_written_exactly_as_it_is_meant(client: httpx.Client, room: str, inside: str, text: str) -> None:
    done(client, "terminal", session_id=room, xml=f' <write_file path="f">{inside}</write_file>\n')
    assert got(client, room, "f").decode() == text


@pytest.mark.parametrize(
    ("before", "search", "replace", "after"),
    [
        ("a\r\nb\r\nc\r\n", "a\nb", "x\ny\nz", "x\r\ny\r\nz\r\nc\r\n"),
        ("a\r\nb\r\n", "b", "c\nd", "a\r\nc\r\nd\r\n"),
        ("a\r\nb\r\n", "a\r\nb", "c", "c\r\n"),
        ("a\nb\r\n", "a\n", "c\n", "c\nb\r\n"),
        ("a\nb", "b", "", "a\n"),
        ("äöü", "ö", "o", "äoü"),
        ("one", "one", "one", "one"),
        ("  x = 1\n", "\n", "  # y\n", "  x = 1  # y\n"),
    ],
)
def test_an_edit_changes_one_place_and_no_line_end(
    client: httpx.Client, room: str, before: str, search: str, replace: str, after: str
) -> None:
    put(client, room, "f", before.encode())
    text = f'<apply_edit path="f">\n<search>{search}</search>\r\n <replace>{replace}</replace>\n</apply_edit>'
    done(client, "terminal", session_id=room, xml=text)
    assert got(client, room, "f").decode() == after


@pytest.mark.parametrize(
    ("search", "says"), [("x", "does not occur"), ("a", "occurs 3 times"), ("bb", "occurs 2 times"), ("A", "does not")]
)
def test_an_edit_that_fits_not_exactly_once_changes_nothing(
    client: httpx.Client, room: str, search: str, says: str
) -> None:
    put(client, room, "f", b"a a a bbb")
    text = f'<apply_edit path="f"><search>{search}</search><replace>y</replace></apply_edit>'
    error = refusal(client, "terminal", session_id=room, xml=text)
    assert error["code"] == "invalid_request"
    assert says in error["message"]
    assert got(client, room, "f") == b"a a a bbb"


def test_an_edited_file_keeps_its_mode(local: Running) -> None:
    with http_of(local) as client:
        session = done(client, "chaser_create_sandbox_session", ephemeral=True)["id"]

        def run(command: str) -> str:
            return str(done(client, "terminal", session_id=session, command=command)["output"])

        done(client, "terminal", session_id=session, xml='<write_file path="s">#!/bin/sh\necho old\n</write_file>')
        assert run("stat -c %a s; chmod 755 s") == "644\n"
        edit = '<apply_edit path="s"><search>old</search><replace>new</replace></apply_edit>'
        done(client, "terminal", session_id=session, xml=edit)
        assert run("./s; stat -c %a s") == "new\n755\n"


def test_what_is_no_text_is_neither_read_nor_edited(any_client: httpx.Client, session: str) -> None:
    put(any_client, session, "bin", b"ok\xff\xfe\0")
    for text in ('<read_file path="bin"/>', '<apply_edit path="bin"><search>ok</search><replace/></apply_edit>'):
        error = refusal(any_client, "terminal", session_id=session, xml=text)
        assert (error["code"], "UTF-8" in error["message"]) == ("invalid_request", True)
    assert got(any_client, session, "bin") == b"ok\xff\xfe\0"


def test_a_file_may_have_16_mib(any_client: httpx.Client, session: str) -> None:
    put(any_client, session, "most", b"x" * (16 * MIB))
    assert len(done(any_client, "terminal", session_id=session, xml='<read_file path="most"/>')["content"]) == 16 * MIB
    text = '<read_file path="large"/>'
    if any_client.post(f"/v1/sessions/{session}/exec", json={"command": "uname"}).json()["exit_code"] == 0:
        done(any_client, "terminal", session_id=session, command=f"head -c {16 * MIB + 1} /dev/zero >large")
        assert refusal(any_client, "terminal", session_id=session, xml=text)["code"] == "payload_too_large"
    edit = f'<apply_edit path="most"><search>{"x" * 10}</search><replace>y</replace></apply_edit>'
    assert "times" in refusal(any_client, "terminal", session_id=session, xml=edit)["message"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('<read_file path="missing"/>', "not_found"),
        ('<read_file path="folder"/>', "invalid_request"),
        ('<read_file path="folder/"/>', "invalid_request"),
        ('<read_file path="../etc/passwd"/>', "invalid_request"),
        ('<read_file path="/workspace/../etc/passwd"/>', "invalid_request"),
        ('<write_file path="folder">x</write_file>', "invalid_request"),
        ('<write_file path="folder/file/below">x</write_file>', "invalid_request"),
        ('<write_file path="../x">x</write_file>', "invalid_request"),
        ('<apply_edit path="missing"><search>a</search><replace>b</replace></apply_edit>', "not_found"),
        ('<list_files path="missing"/>', "not_found"),
        ('<list_files path="folder/file"/>', "invalid_request"),
        ('<list_files path=".."/>', "invalid_request"),
    ],
)
def test_what_cannot_be_done_to_a_file_is_refused(any_client: httpx.Client, session: str, text: str, code: str) -> None:
    put(any_client, session, "folder/file", b"kept")
    assert refusal(any_client, "terminal", session_id=session, xml=text)["code"] == code
    assert got(any_client, session, "folder/file") == b"kept"


def test_a_long_list_is_cut() -> None:
    stubs = [stub("fill", files={f"/workspace/deep/{number:04}": b"" for number in range(1200)})]
    with emulator_on("scripted", stubs=tuple(stubs)) as one, http_of(one) as other:
        session = done(other, "terminal", command="fill")["session_id"]
        listed = done(other, "terminal", session_id=session, xml='<list_files path="." recursive="true"/>')
        assert (len(listed["entries"]), listed["truncated"]) == (1000, True)
        assert listed["entries"][0] == {"path": "deep", "type": "directory"}


def test_an_operation_on_files_needs_the_scope_of_the_terminal(client: httpx.Client, emulator: Running) -> None:
    key = ok(client.post("/v1/keys", json={"scopes": ["exec.write"]}))["key"]
    with http_of(emulator, key) as scoped:
        done(scoped, "terminal", ephemeral=True, xml='<write_file path="a">b</write_file>')
    key = ok(client.post("/v1/keys", json={"scopes": ["files.read", "files.write", "sessions.write"]}))["key"]
    with http_of(emulator, key) as scoped:
        error = refusal(scoped, "terminal", ephemeral=True, xml='<write_file path="a">b</write_file>')
        assert (error["code"], error["details"]) == ("insufficient_scope", {"required": "exec.write"})


# XML.


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("plain", "well-formed"),
        ("<", "well-formed"),
        ('<read_file path="a">', "well-formed"),
        ('<read_file path="a"/><read_file path="b"/>', "well-formed"),
        ('<read_file path="a"/>text', "well-formed"),
        ("<write_file path='a'>a & b</write_file>", "&amp;"),
        ("<write_file path='a'>a < b</write_file>", "&lt;"),
        ("<write_file path='a'>&nbsp;</write_file>", "entit"),
        ('<read_file path="a" path="b"/>', "well-formed"),
        ("<write_file path='a'>\x01</write_file>", "well-formed"),
        ('<!DOCTYPE read_file><read_file path="a"/>', "document type"),
        ('<!DOCTYPE r [<!ENTITY x "y">]><read_file path="&x;"/>', "document type"),
        ('<!DOCTYPE r SYSTEM "file:///etc/passwd"><read_file path="a"/>', "document type"),
        (
            '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><write_file path="a">&x;</write_file>',
            "document type",
        ),
        ('<?xml-stylesheet href="a"?><read_file path="a"/>', "processing instruction"),
        ("<write_file path='a'><?php echo 1 ?></write_file>", "processing instruction"),
        ("<write_file path='a'>a<!-- b -->c</write_file>", "CDATA"),
        ("<write_file path='a'><b>c</b></write_file>", "CDATA"),
        ('<delete_file path="a"/>', "<read_file"),
        ("<search>a</search>", "no operation"),
        ('<x:read_file xmlns:x="urn:x" path="a"/>', "no operation"),
        ("<read_file/>", "path"),
        ('<read_file path=""/>', "path"),
        ('<read_file path="a" line="1"/>', "start_line"),
        ('<read_file path="a">text</read_file>', "no text"),
        ('<read_file path="a"><search/></read_file>', "nothing"),
        ('<read_file path="a" start_line="0"/>', "start_line"),
        ('<read_file path="a" start_line="-1"/>', "start_line"),
        ('<read_file path="a" end_line="x"/>', "end_line"),
        ('<read_file path="a" end_line="1.5"/>', "end_line"),
        ('<read_file path="a" start_line="5" end_line="4"/>', "before"),
        ('<list_files path="a" recursive="yes"/>', "recursive"),
        ('<list_files path="a" depth="2"/>', "recursive"),
        ('<write_file path="a" mode="755">x</write_file>', "mode"),
        ('<apply_edit path="a"/>', "search"),
        ('<apply_edit path="a"><search>x</search></apply_edit>', "replace"),
        ('<apply_edit path="a"><replace>x</replace></apply_edit>', "search"),
        ('<apply_edit path="a"><search/><replace>x</replace></apply_edit>', "empty"),
        ('<apply_edit path="a"><search>x</search><search>y</search><replace>z</replace></apply_edit>', "not two"),
        ('<apply_edit path="a">text<search>x</search><replace>z</replace></apply_edit>', "no text"),
        ('<apply_edit path="a"><search all="true">x</search><replace>z</replace></apply_edit>', "all"),
        ('<apply_edit path="a"><search><b/></search><replace>z</replace></apply_edit>', "CDATA"),
        ("<a>" * 10_000, "no operation"),
    ],
)
def test_what_is_no_operation_is_refused_and_starts_nothing(client: httpx.Client, text: str, says: str) -> None:
    before = done(client, "chaser_list_sessions")["total"]
    error = wrong(client, "terminal", xml=text)
    assert "xml" in error["message"]
    assert says in error["message"], error["message"]
    assert error["data"]["details"][0]["pointer"] == "/params/arguments/xml"
    assert done(client, "chaser_list_sessions")["total"] == before


def test_xml_of_every_dress_is_read() -> None:
    assert xml.parse(
        '<?xml version="1.0" encoding="latin-1"?>\r\n<read_file\r\n  path="ä&amp;b"\r\n/>'
    ) == xml.ReadFile("ä&b")
    assert xml.parse("<!-- a --><list_files path='.' recursive='false'></list_files>") == xml.ListFiles(".")
    edit = '<apply_edit path="a"><replace/><search> \n</search></apply_edit>'
    assert xml.parse(edit) == xml.ApplyEdit("a", " \n", "")
    large = "\r\n<x>" * 300_000
    assert xml.parse(f'<write_file path="a"><![CDATA[{large}]]></write_file>') == xml.WriteFile("a", large)
    with pytest.raises(xml.XmlError):
        xml.parse("\r<![CDATA[" * 200_000)
