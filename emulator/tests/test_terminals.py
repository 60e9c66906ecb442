"""Terminals over WebSockets: real shells that size, stop and end as on a desk, and leave when their client does."""

from __future__ import annotations

import contextlib
import json
import socket as sockets
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import docker
import httpx
import images
import pytest
from boxes import (  # noqa: F401 - fixtures are found by import
    Box,
    box_fixture,
    open_box,
    real_client_fixture,
    real_emulator_fixture,
    refused,
)
from chaser_emulator.sandbox.stubs import stub
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient
from emulators import emulator_on, http_of
from people import Organization
from requirements import require
from sockets import PATIENCE, Tty, pty_url, refusal, tty
from test_exec import until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin


@pytest.fixture
def shell(box: Box) -> Iterator[Tty]:
    """A human's terminal that shows no more than the output of commands, and a mark before it can be used."""
    with tty(box.emulator, box.session) as one:
        one.command("bind 'set enable-bracketed-paste off' 2>/dev/null; PS1=; stty -echo")
        yield one


def running(box: Box, word: str) -> bool:
    """Whether a process of the sandbox has this word, written with a bracket, in its command line."""
    found = box.run(
        f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '{word[0]}[{word[1]}]{word[2:]}'; true"
    )
    return int(found) > 0


# What is shown and typed


def test_a_human_has_a_login_shell_on_a_terminal(shell: Tty) -> None:
    shell.command("tty; echo $TERM; shopt -q login_shell && echo login; pwd")
    shown = shell.shown.decode()
    assert "/dev/pts/" in shown
    assert "xterm-256color" in shown
    assert "login\r\n/workspace" in shown


def test_keys_are_echoed_and_lines_are_edited(box: Box) -> None:
    with tty(box.emulator, box.session) as shell:
        shell.command("true")
        shell.type("echo wro")
        shell.until(rb"wro")
        shell.type("\x7f\x7f\x7fright''side\n")
        shell.until(rb"rightside\r\n")


def test_text_that_is_no_json_object_is_typed(shell: Tty) -> None:
    for text in ("echo grüße\n", '[1, "resize"]\n', '"resize"\n', "{ echo br''aced; }\n"):
        shell.socket.send(text)
    shell.until("grüße\r\n".encode())
    shell.until(rb"braced\r\n")


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": "what"},
        {"type": None, "rows": 1, "cols": 1},
        {"type": "resize"},
        {"type": "resize", "rows": 0, "cols": 80},
        {"type": "resize", "rows": 24, "cols": 1001},
        {"type": "resize", "rows": -1, "cols": 10},
        {"type": "resize", "rows": "30", "cols": "90"},
        {"type": "resize", "rows": True, "cols": True},
        {"type": "resize", "rows": 30.5, "cols": 90},
        {"type": ["resize"], "rows": 30, "cols": 90},
    ],
)
def test_a_message_that_cannot_be_obeyed_is_ignored(scripted_box: Box, message: dict[str, object]) -> None:
    with tty(scripted_box.emulator, scripted_box.session) as shell:
        shell.tell(**message)
        shell.type("stty size\n")
        shell.until(rb"\n24 80\r\n")


def test_an_agent_sees_output_and_nothing_else(box: Box) -> None:
    with tty(box.emulator, box.session, mode="agent") as shell:
        shell.type("echo one; test -t 0 && echo terminal; echo $TERM; false\n")
        shell.type("exit $?\n")
        assert shell.end() == (1, 1000)
        # Bash says `exit` itself.
        assert bytes(shell.shown).replace(b"\r", b"").removesuffix(b"exit\n") == b"one\nterminal\ndumb\n"


def test_several_terminals_are_apart_and_share_the_files(box: Box) -> None:
    with tty(box.emulator, box.session) as first, tty(box.emulator, box.session) as second:
        first.command("X=mine; tty > first; stty cols 100")
        second.command('echo "[$X]"; tty > second; stty size')
        assert b"[]\r\n" in second.shown
        assert b"24 80\r\n" in second.shown
        assert box.get("first") != box.get("second")


@pytest.mark.parametrize("mode", ["human", "agent"])
def test_the_exit_code_is_told_at_the_end(box: Box, mode: str) -> None:
    with tty(box.emulator, box.session, mode=mode) as shell:
        shell.type("echo la''st; exit 7\n")
        assert shell.end() == (7, 1000)
        assert b"last" in shell.shown
    assert box.client.get(f"/v1/sessions/{box.session}").json()["status"] == "running"


def test_a_shell_that_is_killed_has_its_signal_as_exit_code(shell: Tty) -> None:
    shell.type("kill -9 $$\n")
    assert shell.end() == (137, 1000)


def test_ctrl_c_stops_the_program_in_front_and_not_the_shell(shell: Tty) -> None:
    shell.type("""bash -c 'trap "echo cau""ght; exit" INT; echo re""ady; while :; do sleep 0.1; done'\n""")
    shell.until(rb"ready")
    shell.type("\x03")
    shell.until(rb"caught")
    shell.command("echo al''ive")
    assert b"alive" in shell.shown


def test_ctrl_c_stops_a_flood(shell: Tty) -> None:
    shell.type("yes\n")
    shell.until(rb"y\r\ny\r\n")
    shell.type("\x03")
    shell.command("true")


def test_ctrl_z_and_fg_work(shell: Tty) -> None:
    shell.type("cat\n")
    shell.type("one\n")
    shell.until(rb"one\r\n")
    shell.type("\x1a")
    shell.until(rb"Stopped")
    shell.type("fg\n")
    shell.type("two\n")
    shell.until(rb"two\r\n")
    shell.type("\x04")
    shell.command("true")


@pytest.mark.parametrize("how", ["typed", "told"])
def test_the_end_of_input_ends_the_shell(shell: Tty, how: str) -> None:
    # As on any terminal, a key that is hit while the shell sets up its line editor after a command may be lost.
    for _ in range(PATIENCE):
        if how == "typed":
            shell.type("\x04")
        else:
            shell.tell(type="eof")
        with contextlib.suppress(TimeoutError):
            assert shell.end(seconds=1) == (0, 1000)
            return
    pytest.fail("the shell did not end")


# Size


def test_a_size_reaches_the_program_both_ways(box: Box, shell: Tty) -> None:
    shell.command("stty size")
    assert b"24 80\r\n" in shell.shown
    shell.type("""bash -c 'trap "stty size" WINCH; echo tra""pped; while :; do sleep 0.1; done'\n""")
    shell.until(rb"trapped")
    shell.tell(type="resize", rows=33, cols=101)
    shell.until(rb"33 101\r\n")
    answer = box.client.post(f"/v1/sessions/{box.session}/resize", json={"rows": 44, "cols": 111})
    assert answer.status_code == 204
    shell.until(rb"44 111\r\n")


def test_a_request_sizes_all_terminals_of_the_session_and_the_next_one(box: Box) -> None:
    other = open_box(box.emulator, box.client)
    with (
        tty(box.emulator, box.session, mode="agent") as first,
        tty(box.emulator, box.session, mode="agent") as second,
        tty(box.emulator, other.session, mode="agent") as strange,
    ):
        box.client.post(f"/v1/sessions/{box.session}/resize", json={"rows": 50, "cols": 160})
        with tty(box.emulator, box.session, mode="agent") as third:
            for shell in (first, second, third):
                shell.type("stty size\n")
                shell.until(rb"^50 160\r?\n")
        strange.type("stty size\n")
        strange.until(rb"^24 80\r?\n")
    other.end()


def test_what_one_terminal_asks_for_is_its_own(box: Box) -> None:
    with tty(box.emulator, box.session, mode="agent") as first, tty(box.emulator, box.session, mode="agent") as second:
        first.tell(type="resize", rows=40, cols=120)
        first.type("stty size\n")
        first.until(rb"^40 120\r?\n")
        second.type("stty size\n")
        second.until(rb"^24 80\r?\n")


# Full screens


@pytest.fixture(scope="module")
def full_screens() -> Iterator[Box]:
    """A sandbox with `vi`, `less` and `top`."""
    require("docker")
    with emulator_on("docker", image=images.busybox()) as emulator, http_of(emulator) as client:
        yield open_box(emulator, client)


def test_vi_edits_a_file(full_screens: Box) -> None:
    with tty(full_screens.emulator, full_screens.session) as shell:
        shell.tell(type="resize", rows=30, cols=70)
        shell.type("vi notes.txt\n")
        shell.until(rb"- notes.txt")
        shell.type("ihello from vi")
        shell.until(rb"hello from vi")
        # What comes at once after an escape is taken for a part of it.
        shell.type("\x1b")
        shell.until(rb"- notes.txt \[Modified\]")
        shell.type(":wq\n")
        shell.command("true")
    assert full_screens.get("notes.txt") == b"hello from vi\n"


def test_less_pages_by_the_size_of_the_terminal(full_screens: Box) -> None:
    full_screens.run("seq 1 100 > numbers")
    with tty(full_screens.emulator, full_screens.session) as shell:
        shell.tell(type="resize", rows=11, cols=40)
        shell.type("less numbers\n")
        shell.until(rb"\D9\D")
        assert b"\n11" not in shell.shown
        shell.type(" ")
        shell.until(rb"\D15\D")
        shell.type("q")
        shell.command("true")


def test_top_runs_until_it_is_left(full_screens: Box) -> None:
    with tty(full_screens.emulator, full_screens.session) as shell:
        shell.type("top\n")
        shell.until(rb"PID")
        shell.type("q")
        shell.command("true")


# Commands without a terminal


def test_a_command_has_no_terminal_and_both_outputs(box: Box) -> None:
    command = "test -t 0 || echo none; echo oops >&2; cat; pwd; exit 3"
    with tty(box.emulator, box.session, mode="exec", command=command) as run:
        run.tell(type="resize", rows=40, cols=120)
        run.type("typed\x03\n")
        run.socket.send("text\n")
        run.tell(type="eof")
        assert run.end() == (3, 1000)
        assert bytes(run.shown) == b"none\noops\ntyped\x03\ntext\n/workspace\n"


def test_bytes_pass_a_command_unchanged(box: Box) -> None:
    data = bytes(range(256)) * 4096
    with tty(box.emulator, box.session, mode="exec", command="cat") as run:

        def send() -> None:
            run.socket.send(data)
            run.tell(type="eof")

        sending = threading.Thread(target=send)
        sending.start()
        assert run.end() == (0, 1000)
        sending.join()
        assert bytes(run.shown) == data


def test_what_a_command_does_not_read_is_lost_without_harm(box: Box) -> None:
    with tty(box.emulator, box.session, mode="exec", command="exec <&-; sleep 0.2; echo done") as run:
        for _ in range(20):
            run.socket.send(b"x" * 100_000)
        assert run.end() == (0, 1000)
        assert bytes(run.shown) == b"done\n"


def test_a_command_ends_with_its_client(box: Box) -> None:
    with tty(box.emulator, box.session, mode="exec", command="echo on; sleep 4711; true") as run:
        run.until(rb"on\n")
        assert running(box, "sleep 4711")
    until(lambda: not running(box, "sleep 4711"))


def test_a_command_must_be_named(scripted_box: Box) -> None:
    headers = {"Authorization": f"Bearer {scripted_box.emulator.api_key}"}
    for query in ({}, {"command": ""}):
        status, body = refusal(pty_url(scripted_box.emulator, scripted_box.session, mode="exec", **query), headers)
        assert (status, body["code"], body["details"][0]["pointer"]) == (400, "invalid_request", "command")


# Leases and ends


def leases(box: Box) -> int:
    return int(box.client.get(f"/v1/sessions/{box.session}").json()["active_connection_leases"])


def test_open_terminals_hold_their_session(box: Box) -> None:
    url = f"/v1/sessions/{box.session}"
    with tty(box.emulator, box.session), tty(box.emulator, box.session, mode="exec", command="cat"):
        assert leases(box) == 2
        assert refused(box.client.delete(url), 409, "session_leased")["details"] == {"active_connection_leases": 2}
        bulk = box.client.post("/v1/sessions/bulk-terminate", json={"ids": [box.session]}).json()
        assert [one["code"] for one in bulk["failed"]] == ["session_leased"]
    until(lambda: leases(box) == 0)
    assert box.client.delete(url).status_code == 204


@pytest.mark.parametrize("query", [{"mode": "human"}, {"mode": "exec", "command": "cat"}])
def test_a_forced_end_is_told_to_the_client(box: Box, query: dict[str, str]) -> None:
    with tty(box.emulator, box.session, **query) as shell:
        answer = box.client.delete(f"/v1/sessions/{box.session}", params={"force": "true"})
        assert answer.status_code == 204
        code, closed = shell.end()
        assert closed == 1000
        assert code is not None
        assert code > 128
    refused(box.client.post(f"/v1/sessions/{box.session}/resize", json={"rows": 1, "cols": 1}), 409, "not_running")


def test_a_forced_end_waits_for_no_client_that_does_not_read(box: Box) -> None:
    with tty(box.emulator, box.session, mode="exec", command="yes") as run:
        answer = box.client.delete(f"/v1/sessions/{box.session}", params={"force": "true"})
        assert answer.status_code == 204
        assert box.client.get(f"/v1/sessions/{box.session}").json()["status"] == "terminated"
        assert run.end()[1] in (1000, 1006)


def test_a_sandbox_that_is_taken_away_ends_its_terminals(full_screens: Box) -> None:
    box = open_box(full_screens.emulator, full_screens.client)
    engine = docker.from_env()
    with tty(box.emulator, box.session) as shell:
        shell.command("true")
        [container] = engine.containers.list(filters={"label": f"chaser.emulator.session={box.session}"})
        container.remove(force=True)
        assert shell.end() == (137, 1000)
        assert box.client.get(f"/v1/sessions/{box.session}").json()["status"] == "failed"
    engine.close()


# Clients that leave


def gone(box: Box, word: str) -> None:
    until(lambda: not running(box, word))
    until(lambda: leases(box) == 0)


def test_the_shell_and_its_jobs_leave_with_the_client(box: Box) -> None:
    with tty(box.emulator, box.session) as shell:
        shell.command("sleep 4712 & true")
        shell.type("echo fr''ont; sleep 4713\n")
        shell.until(rb"front\r\n")
        assert running(box, "sleep 4712")
    gone(box, "sleep 4712")
    gone(box, "sleep 4713")


@pytest.mark.parametrize("flood", [False, True], ids=["quiet", "in a flood"])
def test_a_client_that_breaks_off_is_noticed(box: Box, flood: bool) -> None:
    with tty(box.emulator, box.session) as shell:
        shell.type("echo st''arted; exec sleep 4714\n" if not flood else "echo st''arted; exec yes 4714\n")
        shell.until(rb"started\r\n")
        assert running(box, "4714")
        # Closing it like this sends a reset.
        shell.socket.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
        shell.socket.socket.shutdown(sockets.SHUT_RD if flood else sockets.SHUT_RDWR)
        shell.socket.socket.close()
    gone(box, "4714")


def test_a_client_is_missed_also_while_the_program_reads_nothing(box: Box) -> None:
    with tty(box.emulator, box.session, mode="exec", command="sleep 4715") as shell:
        shell.socket.socket.settimeout(0.5)
        stalled = False
        while not stalled:
            try:
                shell.socket.socket.sendall(_frame(b"x" * 60_000))
            except TimeoutError:
                stalled = True
        assert leases(box) == 1
        shell.socket.socket.close()
        shell.socket.close()
    gone(box, "sleep 4715")


def _frame(data: bytes) -> bytes:
    """A binary frame of a client, with a mask of zeros."""
    return b"\x82\xfe" + struct.pack(">H", len(data)) + b"\0\0\0\0" + data


def test_a_client_that_breaks_the_protocol_is_let_go(box: Box) -> None:
    with tty(box.emulator, box.session) as shell:
        shell.command("true")
        shell.socket.socket.sendall(b"\xff\xff\xff\xff")
        code, closed = shell.end()
        assert (code, closed) == (None, 1002)
    gone(box, "bash -l")


# Pace


def test_a_client_that_reads_slowly_holds_the_program_back(box: Box) -> None:
    counting = "i=0; while :; do printf '%050000d' 0; i=$((i+1)); echo $i > next; mv next progress; done"
    with tty(box.emulator, box.session, mode="exec", command=counting) as run:
        reached = [0]

        def stands() -> bool:
            reached.append(int(box.run("cat progress 2>/dev/null || echo 0")))
            return reached[-1] > 0 and len(set(reached[-5:])) == 1

        until(stands, 60)
        while len(run.shown) <= reached[-1] * 50_000:
            run.take()
        until(lambda: int(box.run("cat progress")) > reached[-1])


def test_a_flood_comes_in_few_frames(box: Box) -> None:
    with tty(box.emulator, box.session, mode="agent") as shell:
        shell.type("seq 1 200000; exec true\n")
        assert shell.end() == (0, 1000)
        assert shell.shown.replace(b"\r", b"").split() == [b"%d" % number for number in range(1, 200_001)]
        assert max(shell.frames) <= 65_536
        assert len(shell.shown) / len(shell.frames) > 8192


def test_a_long_paste_arrives_whole(box: Box) -> None:
    line = b"x" * 99 + b"\n"
    with tty(box.emulator, box.session, mode="agent") as shell:
        shell.type("echo re''ady; head -c 1000000 | cksum; exec true\n")
        shell.until(rb"ready\r?\n")
        shell.socket.send(line * 10_000)
        assert shell.end() == (0, 1000)
        box.put("same", line * 10_000)
        assert shell.shown[shell.seen :].split() == box.run("cksum < same").encode().split()


def test_many_terminals_at_once_mix_nothing_up(box: Box) -> None:
    def one(number: int) -> None:
        mark = f"{number:04d}" * 2500
        with tty(box.emulator, box.session, mode="exec", command="cat") as run:
            for _ in range(10):
                run.type(mark)
            run.tell(type="eof")
            assert run.end() == (0, 1000)
            assert run.shown.decode() == mark * 10

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(one, range(12)))
    until(lambda: leases(box) == 0)


# Who may


@pytest.fixture
def scripted_box(emulator: Running, client: httpx.Client) -> Iterator[Box]:
    one = open_box(emulator, client)
    yield one
    one.end()


def test_the_official_clients_address_opens_a_terminal(scripted_box: Box, sdk: ChaserClient) -> None:
    url = sdk.sessions.pty_websocket_url(scripted_box.session)
    headers = {"Authorization": f"Bearer {scripted_box.emulator.api_key}"}
    with connect(url, additional_headers=headers) as socket:
        assert json.loads(socket.recv(timeout=10))["type"] == "ready"
        sdk.sessions.resize_pty(scripted_box.session, 40, 100)
        shell = Tty(socket)
        shell.type("stty size\n")
        shell.until(rb"\n40 100\r\n")
    agent = sdk.sessions.pty_websocket_url(scripted_box.session, mode="agent")
    with connect(agent, additional_headers=headers) as socket:
        assert json.loads(socket.recv(timeout=10))["mode"] == "agent"


def test_a_browser_gives_its_token_in_the_address(scripted_box: Box) -> None:
    key = scripted_box.emulator.api_key
    url = pty_url(scripted_box.emulator, scripted_box.session, access_token=key)
    with connect(url, origin=Origin(scripted_box.emulator.url)) as socket:
        assert json.loads(socket.recv(timeout=10))["type"] == "ready"
    for token in ("sk_" + "x" * 40, ""):
        status, body = refusal(pty_url(scripted_box.emulator, scripted_box.session, access_token=token), {})
        assert (status, body["code"]) in ((401, "unauthorized"), (401, "invalid_token"))


def test_a_page_of_a_foreign_origin_is_refused(scripted_box: Box) -> None:
    authorization = {"Authorization": f"Bearer {scripted_box.emulator.api_key}"}
    url = pty_url(scripted_box.emulator, scripted_box.session)
    for origin in ("http://evil.test", "null", f"{scripted_box.emulator.url}.evil.test", "http://localhost:1"):
        status, body = refusal(url, authorization | {"Origin": origin})
        assert (status, body["code"]) == (403, "forbidden")
    assert leases(scripted_box) == 0


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk_wrong"}, {"Authorization": "Basic eDp5"}])
def test_a_caller_who_is_not_known_gets_no_terminal(scripted_box: Box, headers: dict[str, str]) -> None:
    status, _ = refusal(pty_url(scripted_box.emulator, scripted_box.session), headers)
    assert status == 401


def test_a_key_needs_the_scope(scripted_box: Box, sdk: ChaserClient) -> None:
    secret = sdk.keys.create(name="reader", scopes=["sessions.read", "sessions.write"])["key"]
    url = pty_url(scripted_box.emulator, scripted_box.session)
    status, body = refusal(url, {"Authorization": f"Bearer {secret}"})
    assert (status, body["code"]) == (403, "insufficient_scope")
    enough = sdk.keys.create(name="runner", scopes=["exec.write"])["key"]
    with tty(scripted_box.emulator, scripted_box.session, key=enough):
        pass


def test_anothers_session_is_not_found(scripted_box: Box, organization: Organization) -> None:
    url = pty_url(scripted_box.emulator, scripted_box.session)
    stranger = {"Authorization": f"Bearer {organization.people['outsider'].key}"}
    unknown = pty_url(scripted_box.emulator, "no-such-session")
    for status, body in (refusal(url, stranger), refusal(unknown, stranger)):
        assert (status, body["code"]) == (404, "not_found")


def test_a_session_that_has_ended_has_no_terminal(scripted_box: Box) -> None:
    scripted_box.end()
    headers = {"Authorization": f"Bearer {scripted_box.emulator.api_key}"}
    status, body = refusal(pty_url(scripted_box.emulator, scripted_box.session), headers)
    assert (status, body["code"]) == (409, "not_running")


def test_a_mode_must_be_known(scripted_box: Box) -> None:
    headers = {"Authorization": f"Bearer {scripted_box.emulator.api_key}"}
    status, body = refusal(pty_url(scripted_box.emulator, scripted_box.session, mode="robot"), headers)
    assert (status, body["code"]) == (400, "invalid_request")
    assert "mode" in body["message"]


def test_a_request_without_an_upgrade_starts_nothing(scripted_box: Box) -> None:
    answer = scripted_box.client.get(f"/v1/sessions/{scripted_box.session}/pty")
    refused(answer, 400, "invalid_request")
    assert answer.headers["upgrade"] == "websocket"
    assert leases(scripted_box) == 0
    refused(scripted_box.client.get("/v1/sessions/nobody/pty"), 404, "not_found")


def test_a_command_may_be_long(scripted_box: Box) -> None:
    with tty(scripted_box.emulator, scripted_box.session, mode="exec", command=f": {'é' * 131_000}; echo") as one:
        one.end()


@pytest.mark.parametrize(("length", "more", "status"), [(2_500_000, 0, 414), (1, 200, 431)])
def test_a_handshake_that_is_too_large_is_answered(scripted_box: Box, length: int, more: int, status: int) -> None:
    headers = {f"X-More-{number}": "1" for number in range(more)}
    url = pty_url(scripted_box.emulator, scripted_box.session, mode="exec", command="x" * length)
    with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers=headers):
        pass
    assert refused.value.response.status_code == status


# The end of the emulator


@pytest.mark.parametrize("engine", ["local", "docker", "scripted"])
def test_the_end_of_the_emulator_closes_terminals(engine: str) -> None:
    stubs = (stub("sleep 100", delay=100),)
    with emulator_on(engine, stubs=stubs) as emulator, http_of(emulator) as client:  # type: ignore[arg-type]
        box = open_box(emulator, client)
        with tty(emulator, box.session) as shell, tty(emulator, box.session, mode="exec", command="sleep 100") as run:
            shell.type("sleep 100\n")
            emulator.stop()
            assert shell.end() == (None, 1012)
            assert run.end() == (None, 1012)
    with sockets.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(emulator.url).port or 0)) != 0
