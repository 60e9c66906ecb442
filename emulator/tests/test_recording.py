"""What real commands answered, recorded as stubs: a world without commands that replays it says the same."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from boxes import Box, open_box, ran, refused
from chaser_emulator.sandbox import CommandSpec, SandboxSpec
from chaser_emulator.sandbox.recording import HIDDEN, RecordingEngine
from chaser_emulator.sandbox.scripted import ScriptedEngine
from chaser_emulator.sandbox.stubs import Said, Stub
from emulators import emulator_on, http_of
from engines import content_of, make_engine, run, stream
from test_background import follow, start, text_of
from test_exec import until


@pytest.fixture(scope="module")
def real() -> Iterator[Box]:
    """A session whose commands really run."""
    with emulator_on("local") as emulator, http_of(emulator) as client:
        yield open_box(emulator, client)


@pytest.fixture
def scripted(client: httpx.Client, emulator: Any) -> Iterator[Box]:
    """A session whose commands do not."""
    one = open_box(emulator, client)
    yield one
    client.delete("/_emulator/stubs")
    one.end()


def record(box: Box, state: str) -> dict[str, Any]:
    answer = box.client.post("/_emulator/stubs/record", json={"state": state})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def replay(real: Box, scripted: Box) -> list[dict[str, Any]]:
    """Load what was recorded into the other world."""
    stubs: list[dict[str, Any]] = real.client.get("/_emulator/stubs/recorded").json()
    answer = scripted.client.post("/_emulator/stubs/load", json={"stubs": stubs})
    assert answer.status_code == 201, answer.text
    return stubs


def test_a_scripted_world_replays_what_a_real_one_recorded(real: Box, scripted: Box) -> None:
    commands: list[tuple[str, dict[str, Any]]] = [
        ("printf 'a\\377b' | od -c; exit 4", {}),
        ("mkdir -p out; echo built >out/app; printf '\\377' >bin; cat out/app", {}),
        ("pwd", {"cwd": "/tmp"}),
        ("pwd", {}),
        ("cat; echo end", {"stdin": "fed"}),
        ("test -e marker && echo second; touch marker", {}),
        ("test -e marker && echo second; touch marker", {}),
        ("test -e marker && echo second; touch marker", {}),
        ("kill -SEGV $$", {}),
        ("printf '{{1}} {{stdin}}'", {}),
    ]
    ran(real, "echo before")
    assert record(real, "on") == {"state": "on", "commands": 0}
    truth = [ran(real, text, **how) for text, how in commands]
    assert record(real, "off") == {"state": "off", "commands": 10}
    ran(real, "echo after")
    stubs = replay(real, scripted)
    assert [ran(scripted, text, **how) for text, how in commands] == truth
    assert (scripted.get("out/app"), scripted.get("bin")) == (b"built\n", b"\xff")
    assert [one.get("times") for one in stubs if "marker" in one["command"]] == [1, None]
    assert [one.get("cwd") for one in stubs if one["command"] == "pwd"] == ["/tmp", None]
    assert not [one for one in stubs if one["command"] in ("echo before", "echo after")]
    assert scripted.client.get("/_emulator/stubs").json()["unknown"] == []


def test_output_keeps_its_time(real: Box, scripted: Box) -> None:
    record(real, "on")
    text = "echo one; sleep 0.4; echo two; sleep 0.3"
    truth = text_of(follow(real, start(real, text), interval_ms=10))
    (stub,) = replay(real, scripted)
    assert [piece.get("text") for piece in stub["output"]] == ["one\n", "two\n", None]
    assert all(0.2 <= piece["after"] <= 5 for piece in stub["output"][1:])
    found = follow(scripted, start(scripted, text), interval_ms=10)
    assert text_of(found) == truth
    assert len(found) == 3


def test_a_command_that_was_killed_runs_until_it_is(real: Box, scripted: Box) -> None:
    record(real, "on")
    url = start(real, "echo up; exec sleep 100")
    until(lambda: real.client.get(url).json()["output"] == "up\n")
    assert record(real, "off")["commands"] == 0
    real.client.post(f"{url}/kill", json={"signal": "SIGTERM"})
    until(lambda: real.client.get(url).json()["status"] == "killed")
    (stub,) = replay(real, scripted)
    assert (stub["runs"], stub["note"]) == ("forever", "it ran until it was killed")
    again = start(scripted, "echo up; exec sleep 100")
    until(lambda: scripted.client.get(again).json()["output"] == "up\n")
    assert scripted.client.get(again).json()["status"] == "running"


def test_neither_variables_nor_input_are_recorded(real: Box, scripted: Box) -> None:
    record(real, "on")
    secret = "hunter2-and-more"
    env = {"TOKEN": secret, "SHORT": "true"}
    truth = ran(real, f'echo "$TOKEN {secret}"; echo "$TOKEN" >token; echo $SHORT', env=env, stdin="password9")
    assert secret in truth[1]
    stubs = replay(real, scripted)
    told = json.dumps(stubs)
    assert secret not in told
    assert "password9" not in told
    code, output = ran(scripted, f'echo "$TOKEN {secret}"; echo "$TOKEN" >token; echo $SHORT', env=env, stdin="x")
    assert (code, output) == (0, f"{HIDDEN} {HIDDEN}\ntrue\n")
    assert scripted.get("token") == f"{HIDDEN}\n".encode()


def test_each_world_refuses_what_is_not_its_own(real: Box, scripted: Box) -> None:
    refused(scripted.client.post("/_emulator/stubs/record", json={"state": "on"}), 409, "conflict")
    refused(scripted.client.get("/_emulator/stubs/recorded"), 409, "conflict")
    refused(real.client.get("/_emulator/stubs"), 409, "conflict")
    said = refused(real.client.post("/_emulator/stubs", json={"command": "a"}), 409, "conflict")["message"]
    assert "--sandbox scripted" in said


def test_what_cannot_be_told_of_files_is_said(tmp_path: Path) -> None:
    async def stubs() -> list[Stub]:
        engine = RecordingEngine(make_engine("local-plain", tmp_path))
        await engine.open()
        ref = await engine.start(SandboxSpec("session"))
        await engine.write_file(ref, "there", stream(b"1"))
        engine.record()
        await run(engine, ref, "rm there; echo 1 >a; echo 22 >b; head -c 2000000 /dev/zero >large")
        slow = await engine.exec(ref, CommandSpec("read x; echo 1 >slow", stdin=True))
        await run(engine, ref, "echo 1 >quick")
        await slow.close_stdin()
        await slow.wait()
        waiting = await engine.exec(ref, CommandSpec("read x; echo 1 >own", stdin=True))
        await engine.write_file(ref, "uploaded", stream(b"2"))
        await waiting.close_stdin()
        await waiting.wait()
        await engine.stop(ref)
        await engine.close()
        return engine.recorded()

    first, slow, quick, waiting = asyncio.run(stubs())
    assert first.answer.files == {"/workspace/a": b"1\n", "/workspace/b": b"22\n"}
    assert first.note is not None
    assert "removed" in first.note
    assert "1 files are left out" in first.note
    assert [one.note for one in (slow, quick)] == ["which files it wrote is not known"] * 2
    assert waiting.answer.files == {"/workspace/own": b"1\n"}


def test_a_secret_across_two_pieces_is_hidden(tmp_path: Path) -> None:
    async def stubs() -> list[Stub]:
        engine = RecordingEngine(make_engine("local-plain", tmp_path))
        await engine.open()
        ref = await engine.start(SandboxSpec("session", env={"KEY": "abcdefgh"}))
        engine.record()
        await run(engine, ref, "printf abcd; sleep 0.3; printf efgh")
        await engine.stop(ref)
        await engine.close()
        return engine.recorded()

    (stub,) = asyncio.run(stubs())
    said = b"".join(
        bytes(one.data) for one in stub.answer.pieces if isinstance(one, Said) and not isinstance(one.data, str)
    )
    assert said == HIDDEN.encode()


def test_an_engine_that_does_not_record_hands_its_processes_over_as_they_are() -> None:
    async def same() -> None:
        inner = ScriptedEngine()
        engine = RecordingEngine(inner)
        ref = await engine.start(SandboxSpec("session"))
        engine.recording = False
        assert re.search("Scripted", type(await engine.exec(ref, CommandSpec("true"))).__name__)
        await engine.write_file(ref, "a", stream(b"1"))
        assert await content_of(engine, ref, "a") == b"1"
        assert engine.recorded() == []

    asyncio.run(same())
