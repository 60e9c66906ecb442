"""The engines that the tests run over, and what they have in common: a fixture of each, and a few short hands."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import images
import pytest
from chaser_emulator.sandbox import CommandSpec, Engine, Process
from chaser_emulator.sandbox.local import LocalEngine
from chaser_emulator.sandbox.scripted import ScriptedEngine
from requirements import require

ENGINES = ("local", "local-plain", "scripted", "docker")
"""Every engine; `local` is the one with isolation."""


def make_engine(name: str, data_dir: Path) -> Engine:
    """The engine `name`, not opened yet; the test is skipped, or fails, where the machine cannot have it."""
    instance = f"test-{secrets.token_hex(4)}"
    match name:
        case "local":
            require("bubblewrap")
            return LocalEngine(data_dir=data_dir, instance=instance, isolation="bubblewrap")
        case "local-plain":
            return LocalEngine(data_dir=data_dir, instance=instance, isolation="none")
        case "scripted":
            return ScriptedEngine()
        case "docker":
            require("docker")
            from chaser_emulator.sandbox.docker import DockerEngine

            return DockerEngine(instance=instance, default_image=images.busybox())
        case _:
            raise ValueError(name)


@pytest.fixture(name="anyio_backend", scope="module")
def anyio_backend_fixture() -> str:
    """Async tests run on asyncio, all of a module on one loop."""
    return "asyncio"


@pytest.fixture(name="engine", scope="module", params=ENGINES)
async def engine_fixture(
    request: pytest.FixtureRequest, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    """Each engine in turn, open, for all tests of a module; whatever a test has left running is stopped at the end."""
    engine = make_engine(request.param, tmp_path_factory.mktemp("data"))
    await engine.open()
    yield engine
    for ref in await engine.refs():
        await engine.stop(ref)
    await engine.close()


def needs_processes(engine: Engine) -> None:
    """Skip where commands do not really run."""
    if engine.name == "scripted":
        pytest.skip("the scripted engine runs no processes")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    output: bytes


async def collect(process: Process) -> Ended:
    """All of a command's output, and its exit code."""
    output = b"".join([chunk async for chunk in process.output()])
    return Ended(await process.wait(), output)


async def run(engine: Engine, ref: str, command: str, **how: object) -> Ended:
    """Run a command to its end; `how` are the other fields of CommandSpec."""
    return await collect(await engine.exec(ref, CommandSpec(command, **how)))  # type: ignore[arg-type] # passed through


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    """Content for `write_file`."""
    for chunk in chunks:
        yield chunk


async def content_of(engine: Engine, ref: str, path: str) -> bytes:
    """A file's bytes."""
    download = await engine.read_file(ref, path)
    content = b"".join([chunk async for chunk in download.chunks])
    assert len(content) == download.size
    return content
