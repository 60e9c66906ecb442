"""Background commands: their state, their output as a stream, their input, and signals."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
from boxes import Box, box_fixture, real_client_fixture, real_emulator_fixture, refused
from test_exec import until

__all__ = ["box_fixture", "real_client_fixture", "real_emulator_fixture"]

Event = tuple[str, str | None, Any]

# `from` is a keyword, so it cannot be written as one.
FROM_2: Any = {"from": 2}
FROM_4: Any = {"from": 4}
FROM_99: Any = {"from": 99}


def start(box: Box, command: str, **fields: object) -> str:
    """The URL of a command in the background."""
    url = f"/v1/sessions/{box.session}"
    answer = box.client.post(f"{url}/exec", json={"command": command, "background": True, **fields})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "running"
    return f"{url}/commands/{answer.json()['command_id']}"


def events(lines: Iterator[str]) -> Iterator[Event]:
    """Server-Sent Events as (event, id, data)."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield fields["event"], fields.get("id"), json.loads(fields["data"])
            fields = {}


def follow(box: Box, command: str, *, last: str | None = None, **query: int) -> list[Event]:
    headers = {"Last-Event-ID": last} if last is not None else {}
    with box.client.stream("GET", f"{command}/stream", params=query, headers=headers, timeout=30) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(events(answer.iter_lines()))


def text_of(found: list[Event]) -> bytes:
    """What the stream carried; offsets must follow each other."""
    data = b""
    position = found[0][2].get("offset", 0) if found else 0
    for event, number, chunk in found:
        if event != "output":
            continue
        piece = base64.b64decode(chunk["data"]) if chunk["encoding"] == "base64" else chunk["data"].encode()
        assert chunk["offset"] == position
        position += len(piece)
        assert number == str(position)
        data += piece
    return data


def test_a_stream_carries_all_output_and_how_it_ended(box: Box) -> None:
    found = follow(box, start(box, "echo one; sleep 0.3; echo two >&2; exit 5"), interval_ms=10)
    assert text_of(found) == b"one\ntwo\n"
    assert len(found) == 3
    assert found[-1] == ("exit", None, {"status": "exited", "exit_code": 5, "output_bytes": 8})


def test_a_stream_resumes_where_it_was_left(box: Box) -> None:
    command = start(box, "printf 0123456789")
    assert text_of(follow(box, command)) == b"0123456789"
    assert text_of(follow(box, command, **FROM_4)) == b"456789"
    assert text_of(follow(box, command, **FROM_2, last="7")) == b"789"
    assert [event for event, _, _ in follow(box, command, **FROM_99)] == ["exit"]


def test_chunks_are_bounded_and_cut_between_characters(box: Box) -> None:
    command = start(box, "printf 'aäöü€bc'")
    found = follow(box, command, max_bytes=4)
    assert text_of(found).decode() == "aäöü€bc"
    outputs = [data for event, _, data in found if event == "output"]
    assert {data["encoding"] for data in outputs} == {"utf-8"}
    assert all(len(data["data"].encode()) <= 4 for data in outputs)
    # Too small for any of the characters: bytes then.
    assert text_of(follow(box, command, max_bytes=1)).decode() == "aäöü€bc"


def test_bytes_that_are_no_text_travel_as_base64(box: Box) -> None:
    found = follow(box, start(box, r"printf '\377\376\000ok'"))
    assert text_of(found) == b"\xff\xfe\x00ok"
    assert found[0][2]["encoding"] == "base64"


def test_a_flood_arrives_whole(box: Box) -> None:
    command = start(box, "head -c 5000000 /dev/zero | tr '\\0' y")
    assert text_of(follow(box, command, max_bytes=1_048_576)) == b"y" * 5_000_000
    state = box.client.get(command).json()
    assert (state["output_bytes"], state["output_truncated"], len(state["output"])) == (5_000_000, True, 2**20)


def test_input_reaches_the_command_and_ends(box: Box) -> None:
    command = start(box, "cat; echo done", stdin="first ")
    answer = box.client.post(f"{command}/stdin", json={"input": "second "}).json()
    assert answer["bytes_written"] == 7
    third = base64.b64encode("dritte ü\n".encode()).decode()
    box.client.post(f"{command}/stdin", json={"input": third, "encoding": "base64", "eof": True})
    assert text_of(follow(box, command)).decode() == "first second dritte ü\ndone\n"
    refused(box.client.post(f"{command}/stdin", json={"input": "late"}), 409, "not_running")


def test_bad_input_is_refused(box: Box) -> None:
    command = start(box, "cat")
    refused(
        box.client.post(f"{command}/stdin", json={"input": "no base64!", "encoding": "base64"}), 400, "invalid_request"
    )
    refused(box.client.post(f"{command}/stdin", json={"input": "a", "encoding": "latin-1"}), 400, "invalid_request")
    refused(box.client.post(f"{command}/kill", json={"signal": "NOTHING"}), 400, "invalid_request")


def test_a_signal_reaches_the_whole_group(box: Box) -> None:
    command = start(box, "sleep 79 & sleep 79 & wait")
    until(lambda: box.run("ps -ef 2>/dev/null || ps").count("sleep 79") >= 2)
    answer = box.client.post(f"{command}/kill", json={}).json()
    assert answer["signal"] in ("TERM", "SIGTERM")
    until(lambda: box.client.get(command).json()["status"] == "killed")
    assert box.client.get(command).json()["exit_code"] == 143
    until(lambda: "sleep 79" not in box.run("ps -ef 2>/dev/null || ps"))
    refused(box.client.post(f"{command}/kill", json={}), 409, "not_running")


def test_signals_have_names_and_numbers(box: Box) -> None:
    for spelling in ("USR1", "SIGUSR1", "10"):
        command = start(box, "trap 'echo caught; exit 0' USR1; echo ready; while :; do sleep 0.05; done")
        until(lambda at=command: "ready" in box.client.get(at).json()["output"])  # type: ignore[misc]  # bound per round
        assert box.client.post(f"{command}/kill", json={"signal": spelling}).status_code == 200
        until(lambda at=command: box.client.get(at).json()["status"] == "exited")  # type: ignore[misc]  # bound per round
        assert "caught" in box.client.get(command).json()["output"]


def test_time_runs_out_in_the_background_too(box: Box) -> None:
    command = start(box, "echo begun; sleep 30", timeout_ms=300)
    until(lambda: box.client.get(command).json()["status"] == "timed_out")
    state = box.client.get(command).json()
    assert (state["exit_code"], state["output"]) == (124, "begun\n")
    assert state["finished_at_epoch"] >= state["started_at_epoch"] > 1_500_000_000


def test_commands_are_listed_newest_first_without_output(box: Box) -> None:
    commands = [start(box, f"echo {number}").rpartition("/")[2] for number in range(3)]
    listed = box.client.get(f"/v1/sessions/{box.session}/commands").json()["commands"]
    assert [one["command_id"] for one in listed] == commands[::-1]
    assert all("output" not in one for one in listed)
    box.run("echo foreground commands are not listed")
    assert len(box.client.get(f"/v1/sessions/{box.session}/commands").json()["commands"]) == 3


def test_commands_end_with_their_session_and_stay_readable(box: Box) -> None:
    command = start(box, "echo kept; sleep 60")
    until(lambda: box.client.get(command).json()["output"] == "kept\n")
    box.client.delete(f"/v1/sessions/{box.session}", params={"force": "true"})
    state = box.client.get(command).json()
    assert state["status"] not in ("running", "starting")
    assert state["output"] == "kept\n"
    assert follow(box, command)[-1][0] == "exit"


def test_an_unknown_command_is_not_found(box: Box) -> None:
    unknown = f"/v1/sessions/{box.session}/commands/00000000-0000-4000-8000-000000000000"
    for answer in (
        box.client.get(unknown),
        box.client.get(f"{unknown}/stream"),
        box.client.post(f"{unknown}/stdin", json={"input": ""}),
        box.client.post(f"{unknown}/kill", json={}),
    ):
        refused(answer, 404, "not_found")


def test_a_reader_that_leaves_holds_nothing(box: Box) -> None:
    command = start(box, "while :; do echo line; sleep 0.02; done")
    for _ in range(5):
        with box.client.stream("GET", f"{command}/stream", params={"interval_ms": 10}) as answer:
            next(answer.iter_lines())
    assert box.client.post(f"{command}/kill", json={"signal": "KILL"}).status_code == 200
    until(lambda: box.client.get(command).json()["status"] == "killed")
    assert isinstance(box.client, httpx.Client)
