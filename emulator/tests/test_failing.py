"""Engines that fail as planned, and what becomes of sessions, commands, files and workspaces then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from boxes import Box, open_box, refused
from chaser_emulator.sandbox import (
    CommandSpec,
    DiskFull,
    SandboxGone,
    SandboxSpec,
    SandboxUnavailable,
    TerminalSpec,
)
from chaser_emulator.sandbox.failing import POSSIBLE, Attempt, FailingEngine, Failure, Plan
from chaser_emulator.sandbox.layers import find
from chaser_emulator.sandbox.scripted import ScriptedEngine
from chaser_emulator.sandbox.stubs import stub
from chaser_emulator.server import Running
from emulators import emulator_on
from engines import content_of, run, stream
from sockets import tty
from test_background import start
from test_exec import until

Planned = Callable[..., list[Attempt]]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    """One whose engine has a command that takes its time."""
    with emulator_on("scripted", stubs=(stub("serve", "ready\n", runs="forever"),)) as one:
        yield one


@pytest.fixture
def planned(emulator: Running) -> Iterator[Planned]:
    """Plan one failure of one operation; answers the attempts at that, as they come."""
    engine = find(emulator.world.engine, FailingEngine)
    assert engine is not None
    before = engine.plan

    def plan(operation: str, failure: Failure) -> list[Attempt]:
        attempts: list[Attempt] = []

        def fail(attempt: Attempt) -> Failure | None:
            if attempt.operation != operation:
                return None
            attempts.append(attempt)
            return failure if len(attempts) == 1 else None

        engine.plan = fail
        return attempts

    yield plan
    engine.plan = before


@pytest.fixture
def box(emulator: Running, client: httpx.Client) -> Iterator[Box]:
    one = open_box(emulator, client)
    yield one
    one.end()


def session_of(client: httpx.Client, session_id: str) -> dict[str, object]:
    answer: dict[str, object] = client.get(f"/v1/sessions/{session_id}").json()
    return answer


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Failure("image_missing"), "The image cannot be had."),
        (Failure("cannot_start"), "The sandbox could not be started."),
        (Failure("unavailable", delay=0.05), "The engine does not answer."),
        (Failure("disk_full", message="No more room here."), "No more room here."),
    ],
    ids=lambda value: value.kind if isinstance(value, Failure) else "",
)
def test_a_session_fails_that_cannot_start(
    client: httpx.Client, planned: Planned, failure: Failure, reason: str
) -> None:
    attempts = planned("start", failure)
    answer = client.post("/v1/exec", json={"command": "true", "ephemeral": True})
    assert reason in refused(answer, 503, "sandbox_unavailable")["message"]
    (attempt,) = attempts
    assert session_of(client, str(attempt.session_id))["status"] == "failed"
    assert client.post("/v1/exec", json={"command": "true", "ephemeral": True}).status_code == 200


def test_a_slow_start_is_only_that(client: httpx.Client, planned: Planned) -> None:
    attempts = planned("start", Failure("slow", delay=0.3))
    made = client.post("/v1/sessions", json={"ephemeral": True}).json()
    until(lambda: session_of(client, made["id"])["status"] == "running")
    assert len(attempts) == 1


def test_a_sandbox_that_dies_during_a_command_is_really_gone(box: Box, planned: Planned) -> None:
    attempts = planned("exec", Failure("sandbox_dies", after=0.1))
    answer = box.client.post(f"/v1/sessions/{box.session}/exec", json={"command": "serve"})
    refused(answer, 409, "not_running")
    assert [(one.command, one.session_id) for one in attempts] == [("serve", box.session)]
    assert session_of(box.client, box.session)["status"] == "failed"
    assert box.session not in asyncio.run(box.emulator.world.engine.refs()).values()
    refused(box.client.post(f"/v1/sessions/{box.session}/exec", json={"command": "true"}), 409, "not_running")


def test_a_quick_command_does_not_outlive_its_sandbox(box: Box, planned: Planned) -> None:
    planned("exec", Failure("sandbox_dies", after=60))
    refused(box.client.post(f"/v1/sessions/{box.session}/exec", json={"command": "true"}), 409, "not_running")
    assert session_of(box.client, box.session)["status"] == "failed"


def test_a_command_in_the_background_fails_with_its_sandbox(box: Box, planned: Planned) -> None:
    planned("exec", Failure("sandbox_dies", after=0.1))
    url = start(box, "serve")
    until(lambda: session_of(box.client, box.session)["status"] == "failed")
    until(lambda: box.client.get(url).json()["status"] == "failed")
    assert box.client.get(url).json()["output"] == "ready\n"


def test_a_terminal_ends_with_its_sandbox(box: Box, planned: Planned) -> None:
    planned("open_terminal", Failure("sandbox_dies", after=0.1))
    with tty(box.emulator, box.session, mode="human") as one:
        one.until(rb"\$ ")
        while not [told for told in one.messages if told["type"] == "exit"]:
            one.take()
        assert one.messages[-1]["exit_code"] == 137
    assert session_of(box.client, box.session)["status"] == "failed"


def test_a_full_disk_keeps_the_old_file(box: Box, planned: Planned) -> None:
    box.put("kept", b"old")
    attempts = planned("write_file", Failure("disk_full"))
    refused(box.upload("kept", b"new"), 403, "storage_limit_exceeded")
    assert [one.path for one in attempts] == ["kept"]
    assert box.get("kept") == b"old"
    box.put("kept", b"new")


def test_a_full_disk_refuses_a_snapshot(client: httpx.Client, planned: Planned) -> None:
    wanted = {"session_type": "sandbox", "name": "full"}
    workspace = client.post("/v1/workspaces", json=wanted).json()["id"]
    attempts = planned("copy_disk", Failure("disk_full"))
    url = f"/v1/workspaces/{workspace}/snapshots"
    refused(client.post(url, json={}), 403, "storage_limit_exceeded")
    assert client.post(url, json={}).status_code < 300
    assert len(attempts) == 2
    client.delete(f"/v1/workspaces/{workspace}")


def test_an_engine_that_does_not_answer_leaves_the_session_as_it_is(box: Box, planned: Planned) -> None:
    planned("read_file", Failure("unavailable"))
    box.put("a", b"1")
    refused(box.download("a"), 503, "sandbox_unavailable")
    assert box.get("a") == b"1"


def test_each_operation_fails_in_each_possible_way_and_in_no_other(tmp_path: Path) -> None:
    async def every_one() -> None:
        for operation, kinds in POSSIBLE.items():
            for kind in ("image_missing", "cannot_start", "unavailable", "sandbox_dies", "disk_full", "slow"):
                engine = FailingEngine(ScriptedEngine([stub("serve", ports={3000: "tcp"}, runs="forever")]))
                ref = await engine.start(SandboxSpec("session", workspace_id="workspace", disk_id="disk"))
                await engine.write_file(ref, "a", stream(b"1"))
                engine.plan = _once(operation, Failure(kind))
                if kind not in kinds:
                    with pytest.raises(ValueError, match=kind):
                        await _do(engine, operation, ref, tmp_path)
                elif kind == "slow":
                    await _do(engine, operation, ref, tmp_path)
                else:
                    expected = {"sandbox_dies": SandboxGone, "disk_full": DiskFull}.get(kind, SandboxUnavailable)
                    with pytest.raises(expected):
                        await _do(engine, operation, ref, tmp_path)
                engine.plan = None
                assert await engine.alive(ref) == (kind != "sandbox_dies" or kind not in kinds)
                await engine.close()

    asyncio.run(every_one())


def _once(operation: str, failure: Failure) -> Plan:
    return lambda attempt: failure if attempt.operation == operation else None


async def _do(engine: FailingEngine, operation: str, ref: str, folder: Path) -> None:
    match operation:
        case "start":
            await engine.start(SandboxSpec("another"))
        case "stop":
            await engine.stop(await engine.inner.start(SandboxSpec("another")))
        case "exec":
            await run(engine, ref, "true")
        case "open_terminal":
            terminal = await engine.open_terminal(ref, TerminalSpec(command="true"))
            await terminal.wait()
        case "read_file":
            await content_of(engine, ref, "a")
        case "list_files":
            await engine.list_files(ref, "/workspace", recursive=True, limit=10)
        case "write_file":
            await engine.write_file(ref, "b", stream(b"2"))
        case "ports":
            await engine.ports(ref)
        case "connect":
            process = await engine.inner.exec(ref, CommandSpec("serve"))
            (await engine.connect(ref, 3000)).close()
            await process.signal(9)
        case "copy_disk":
            await engine.copy_disk("disk", "copy")
        case "fill_disk":
            await engine.fill_disk("copy", folder)


def test_an_attempt_names_what_is_asked_for() -> None:
    async def attempts() -> list[Attempt]:
        engine = FailingEngine(ScriptedEngine())
        ref = await engine.start(SandboxSpec("earlier"))
        found: list[Attempt] = []

        def note(attempt: Attempt) -> None:
            found.append(attempt)

        engine.plan = note
        other = await engine.start(SandboxSpec("session", workspace_id="workspace", disk_id="disk", image="debian"))
        await run(engine, other, "true")
        await engine.write_file(other, "a", stream())
        # A sandbox of another layer, as one that was adopted: the engine knows whose it is.
        adopted = FailingEngine(engine.inner)
        adopted.plan = note
        await adopted.ports(ref)
        return found

    assert asyncio.run(attempts()) == [
        Attempt("start", "session", "workspace", "debian", disk_id="disk"),
        Attempt("exec", "session", "workspace", command="true"),
        Attempt("write_file", "session", "workspace", path="a"),
        Attempt("ports", "earlier"),
    ]
