"""Commands that are waited for: what they may do, what they answer, and what happens when they misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import httpx
import pytest
from boxes import Box, box_fixture, real_client_fixture, real_emulator_fixture, refused
from chaser_emulator.server import Running
from strangers import stranger

__all__ = ["box_fixture", "real_client_fixture", "real_emulator_fixture"]


def run(box: Box, command: str, **fields: object) -> dict[str, object]:
    answer = box.client.post(f"/v1/sessions/{box.session}/exec", json={"command": command, **fields}, timeout=60)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something that must become true."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, "it did not become true in time"
        pause.wait(0.02)


def test_stdout_and_stderr_come_in_the_order_they_were_written(box: Box) -> None:
    assert run(box, "echo 1; echo 2 >&2; echo 3; echo 4 >&2")["output"] == "1\n2\n3\n4\n"


def test_a_failing_command_is_an_answer_and_no_error(box: Box) -> None:
    answer = run(box, "echo no; exit 3")
    assert (answer["status"], answer["exit_code"], answer["output"]) == ("completed", 3, "no\n")
    assert run(box, "no-such-program-anywhere")["exit_code"] == 127


def test_death_by_a_signal_is_128_and_its_number(box: Box) -> None:
    assert run(box, "kill -9 $$")["exit_code"] == 137
    assert run(box, "kill -TERM $$")["exit_code"] == 143


def test_a_command_sees_its_directory_variables_and_input(box: Box) -> None:
    box.put("/workspace/sub/file", b"x")
    answer = run(box, 'pwd; echo "$A"; cat', cwd="/workspace/sub", env={"A": "b c\n$d"}, stdin="typed")
    assert answer["output"] == "/workspace/sub\nb c\n$d\ntyped"
    assert run(box, "pwd", cwd="sub")["output"] == "/workspace/sub\n"
    assert run(box, "cat")["output"] == ""


def test_an_unknown_directory_and_an_unknown_user_are_refused(box: Box) -> None:
    url = f"/v1/sessions/{box.session}/exec"
    body = refused(box.client.post(url, json={"command": "true", "cwd": "/no/such"}), 400, "invalid_request")
    assert body["details"][0]["pointer"] == "/cwd"
    body = refused(box.client.post(url, json={"command": "true", "user": "nobody-here"}), 400, "invalid_request")
    assert body["details"][0]["pointer"] == "/user"


def test_what_is_no_utf8_is_replaced(box: Box) -> None:
    assert run(box, r"printf 'a\377b\303\244'")["output"] == "a\ufffdbä"


def test_output_is_kept_up_to_a_mebibyte_and_cut_between_characters(box: Box) -> None:
    answer = run(box, "yes äöü | head -c 3000000")
    output = str(answer["output"])
    assert answer["output_truncated"] is True
    assert answer["exit_code"] in (0, 141)
    assert 2**20 - 3 <= len(output.encode()) <= 2**20
    assert "\ufffd" not in output
    exact = run(box, "head -c 1048576 /dev/zero | tr '\\0' x")
    assert (len(str(exact["output"])), exact["output_truncated"]) == (2**20, False)


def test_a_timeout_kills_grandchildren_that_ignore_term(box: Box) -> None:
    began = time.monotonic()
    answer = run(box, "trap '' TERM; (trap '' TERM; sleep 77) & echo begun; wait", timeout_ms=500)
    assert (answer["status"], answer["exit_code"], answer["output"]) == ("timed_out", 124, "begun\n")
    assert time.monotonic() - began < 10
    until(lambda: "sleep 77" not in run(box, "ps -ef 2>/dev/null || ps")["output"].__str__().replace("ps -ef", ""))


def test_a_command_that_forks_and_exits_answers_at_once(box: Box) -> None:
    began = time.monotonic()
    answer = run(box, "sleep 30 & echo gone")
    assert (answer["output"], answer["exit_code"]) == ("gone\n", 0)
    assert time.monotonic() - began < 5


def test_a_command_that_closes_its_output_is_waited_for(box: Box) -> None:
    answer = run(box, "echo first; exec >&- 2>&-; sleep 0.4; exit 6")
    assert (answer["output"], answer["exit_code"]) == ("first\n", 6)


def test_large_input_reaches_the_command(box: Box) -> None:
    assert run(box, "wc -c", stdin="x" * 1_000_000)["output"].__str__().strip() == "1000000"
    # One that never reads it does not hang.
    assert run(box, "exit 4", stdin="x" * 1_000_000)["exit_code"] == 4


def test_a_long_command_is_no_problem(box: Box) -> None:
    text = "x" * 100_000
    assert run(box, f"printf %s {text} | wc -c")["output"].__str__().strip() == "100000"


def test_a_client_that_leaves_ends_its_command(box: Box) -> None:
    port = int(box.emulator.url.rpartition(":")[2])
    body = b'{"command": "echo here > /workspace/begun; sleep 78"}'
    request = (
        f"POST /v1/sessions/{box.session}/exec HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {box.emulator.api_key}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(request + body)
        until(lambda: box.download("/workspace/begun").status_code == 200)
    until(lambda: "sleep 78" not in str(run(box, "ps -ef 2>/dev/null || ps")["output"]))
    until(lambda: box.emulator.world.lifecycle.leases(box.session) == 0)


def test_an_ephemeral_exec_leaves_no_session(real_emulator: Running, real_client: httpx.Client) -> None:
    answer = real_client.post("/v1/exec", json={"command": "echo hi", "ephemeral": True}).json()
    assert answer["output"] == "hi\n"
    assert real_client.get(f"/v1/sessions/{answer['session_id']}").json()["status"] == "terminated"
    assert real_client.get("/v1/sessions").json()["total"] == 0


def test_an_ephemeral_background_command_keeps_its_sandbox_until_it_ends(real_client: httpx.Client) -> None:
    answer = real_client.post(
        "/v1/exec", json={"command": "sleep 0.5; exit 2", "ephemeral": True, "background": True}
    ).json()
    url = f"/v1/sessions/{answer['session_id']}"
    assert real_client.get(url).json()["status"] == "running"
    until(lambda: real_client.get(url).json()["status"] == "terminated")
    assert real_client.get(f"{url}/commands/{answer['command_id']}").json()["exit_code"] == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/command"),
        ({"command": ""}, "/command"),
        ({"command": "a\u0000b"}, "/command"),
        ({"command": 1}, "/command"),
        ({"command": "true", "timeout_ms": -1}, "/timeout_ms"),
        ({"command": "true", "timeout_ms": 3_600_001}, "/timeout_ms"),
        ({"command": "true", "env": {"A": 1}}, "/env/A"),
        ({"command": "true", "background": "yes"}, "/background"),
    ],
)
def test_a_bad_field_is_named(client: httpx.Client, body: dict[str, object], pointer: str) -> None:
    session = client.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
    answer = refused(client.post(f"/v1/sessions/{session}/exec", json=body), 400, "invalid_request")
    assert pointer in [problem["pointer"] for problem in answer["details"]]
    client.delete(f"/v1/sessions/{session}")


def test_targets_that_exclude_each_other_are_refused(client: httpx.Client) -> None:
    for target in (
        {"workspace": "w", "ephemeral": True},
        {"workspace": "w", "image": "debian"},
        {"image": "debian"},
    ):
        refused(client.post("/v1/exec", json={"command": "true", **target}), 400, "invalid_request")
    refused(client.post("/v1/exec", json={"command": "true", "workspace": "nobody"}), 404, "not_found")


def test_a_free_account_runs_ephemerally(emulator: Running) -> None:
    key = stranger(emulator, plan="free")
    answer = httpx.post(
        f"{emulator.url}/v1/exec", json={"command": "echo hi"}, headers={"Authorization": f"Bearer {key}"}
    ).json()
    assert (answer["ephemeral"], answer["output"]) == (True, "hi\n")


def test_an_ended_session_takes_no_command(client: httpx.Client) -> None:
    session = client.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
    client.delete(f"/v1/sessions/{session}")
    refused(client.post(f"/v1/sessions/{session}/exec", json={"command": "true"}), 409, "not_running")
    refused(client.post(f"/v1/sessions/{session}/self-test"), 409, "not_running")


def test_a_browser_session_takes_no_command(client: httpx.Client) -> None:
    session = client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}).json()
    url = f"/v1/sessions/{session['id']}"
    refused(client.post(f"{url}/exec", json={"command": "true"}), 400, "not_a_sandbox")
    refused(client.post(f"{url}/self-test"), 400, "not_a_sandbox")
    refused(client.get(f"{url}/commands"), 400, "not_a_sandbox")
