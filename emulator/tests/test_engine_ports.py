"""What every engine promises of the ports of its sandboxes: one suite over all of them."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import images
import psutil
import pytest
from chaser_emulator.sandbox import CommandSpec, Engine, PortClosed, Process, SandboxGone, SandboxSpec
from engines import (  # noqa: F401 - fixtures are found by import
    anyio_backend_fixture,
    engine_fixture,
    needs_processes,
    run,
)

pytestmark = pytest.mark.anyio
MIB = 1_048_576


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncIterator[str]:
    """An ephemeral sandbox of the engine."""
    ref = await engine.start(_spec(engine, "sess-ports"))
    yield ref
    await engine.stop(ref)


def _spec(engine: Engine, session_id: str) -> SandboxSpec:
    """An ephemeral sandbox that has python3, to serve with."""
    return SandboxSpec(session_id=session_id, image=images.debian() if engine.name == "docker" else None)


def free_port() -> int:
    """A port that nobody on this machine listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


async def serve(engine: Engine, ref: str, port: int, *, on: str = "127.0.0.1", does: str = "echo hello") -> Process:
    """Start a server that answers every connection by a command, and wait until it listens."""
    if engine.name != "docker" and shutil.which("python3") is None:
        pytest.skip("there is no python3 to serve with")
    script = f"""
import socket, subprocess
server = socket.create_server(("{on}", {port}), family=socket.AF_INET6 if ":" in "{on}" else socket.AF_INET)
while True:
    stream, _ = server.accept()
    subprocess.Popen(["sh", "-c", "{does}"], stdin=stream, stdout=stream)
    stream.close()
"""
    await engine.write_file(ref, f"serve-{port}.py", _once(script.encode()))
    command = f"exec python3 serve-{port}.py"
    process = await engine.exec(ref, CommandSpec(command))
    await listens(engine, ref, port)
    return process


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def listens(engine: Engine, ref: str, port: int) -> None:
    """Wait until a port is listed."""
    async with asyncio.timeout(10):
        while port not in await engine.ports(ref):  # noqa: ASYNC110 - asked of the engine
            await asyncio.sleep(0.02)


async def closes(engine: Engine, ref: str, port: int) -> None:
    """Wait until a port is listed no more."""
    async with asyncio.timeout(10):
        while port in await engine.ports(ref):  # noqa: ASYNC110 - asked of the engine
            await asyncio.sleep(0.02)


async def all_of(stream: socket.socket) -> bytes:
    """What a peer sends until it ends; closes the stream."""
    loop = asyncio.get_running_loop()
    got = b""
    with stream:
        async with asyncio.timeout(30):
            while chunk := await loop.sock_recv(stream, 65_536):
                got += chunk
    return got


@contextmanager
def listening_outside() -> Iterator[int]:
    """A port that a process outside of all sandboxes listens on."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield int(one.getsockname()[1])


async def test_a_closed_port_is_refused(engine: Engine, sandbox: str) -> None:
    port = free_port()
    assert port not in await engine.ports(sandbox)
    with pytest.raises(PortClosed):
        await engine.connect(sandbox, port)


async def test_a_server_on_the_loopback_is_listed_and_reached(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    first, second = sorted((free_port(), free_port()))
    await serve(engine, sandbox, second)
    process = await serve(engine, sandbox, first)
    assert await engine.ports(sandbox) == [first, second]
    stream = await engine.connect(sandbox, first)
    assert not stream.getblocking()
    assert await all_of(stream) == b"hello\n"
    await process.signal(9)
    await closes(engine, sandbox, first)
    with pytest.raises(PortClosed):
        await engine.connect(sandbox, first)
    assert await engine.ports(sandbox) == [second]


@pytest.mark.parametrize("on", ["0.0.0.0", "::1", "::"])
async def test_a_server_on_another_address_is_reached(engine: Engine, sandbox: str, on: str) -> None:
    needs_processes(engine)
    if ":" in on and (await run(engine, sandbox, "test -s /proc/net/if_inet6")).exit_code != 0:
        pytest.skip("the sandbox has no IPv6")
    port = free_port()
    await serve(engine, sandbox, port, on=on)
    assert await all_of(await engine.connect(sandbox, port)) == b"hello\n"


async def test_each_side_may_end_first(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    port = free_port()
    await serve(engine, sandbox, port, does="wc -c")
    loop = asyncio.get_running_loop()
    stream = await engine.connect(sandbox, port)
    await loop.sock_sendall(stream, b"x" * MIB)
    stream.shutdown(socket.SHUT_WR)
    assert int(await all_of(stream)) == MIB


async def test_many_connections_at_once_mix_nothing_up(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    port = free_port()
    await serve(engine, sandbox, port, does="exec cat")
    loop = asyncio.get_running_loop()
    descriptors = psutil.Process().num_fds()

    async def echo(number: int) -> None:
        sent = b"%08d" % number * 4096
        stream = await engine.connect(sandbox, port)

        async def send() -> None:
            await loop.sock_sendall(stream, sent)
            stream.shutdown(socket.SHUT_WR)

        sending = asyncio.create_task(send())
        assert await all_of(stream) == sent
        await sending

    await asyncio.gather(*(echo(number) for number in range(20)))
    async with asyncio.timeout(10):
        while psutil.Process().num_fds() > descriptors:  # noqa: ASYNC110 - asked of the machine
            await asyncio.sleep(0.02)


async def test_ports_of_others_are_not_reached(engine: Engine, sandbox: str) -> None:
    other = await engine.start(_spec(engine, "sess-other"))
    with listening_outside() as outside:
        assert outside not in await engine.ports(sandbox)
        with pytest.raises(PortClosed):
            await engine.connect(sandbox, outside)
    if engine.name != "scripted":
        port = free_port()
        await serve(engine, other, port)
        assert port not in await engine.ports(sandbox)
        with pytest.raises(PortClosed):
            await engine.connect(sandbox, port)
        assert await all_of(await engine.connect(other, port)) == b"hello\n"
    await engine.stop(other)


async def test_a_port_that_changes_hands_is_its_new_owners(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    other = await engine.start(_spec(engine, "sess-heir"))
    port = free_port()
    process = await serve(engine, sandbox, port, does="echo first")
    assert await all_of(await engine.connect(sandbox, port)) == b"first\n"
    await process.signal(9)
    await process.wait()
    await serve(engine, other, port, does="echo second")
    with pytest.raises(PortClosed):  # at once, whatever was known of it a moment ago
        await engine.connect(sandbox, port)
    assert await all_of(await engine.connect(other, port)) == b"second\n"
    await engine.stop(other)


async def test_a_server_that_went_to_the_background_is_the_sandboxes(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    port = free_port()
    process = await serve(engine, sandbox, port)
    await process.signal(9)
    await closes(engine, sandbox, port)
    again = f"python3 serve-{port}.py"
    daemon = await engine.exec(sandbox, CommandSpec(f"(setsid {again} </dev/null >/dev/null 2>&1 &)"))
    assert await daemon.wait() == 0
    await listens(engine, sandbox, port)
    assert await all_of(await engine.connect(sandbox, port)) == b"hello\n"


async def test_ports_of_one_that_is_gone(engine: Engine) -> None:
    ref = await engine.start(_spec(engine, "sess-gone"))
    await engine.stop(ref)
    with pytest.raises(SandboxGone):
        await engine.ports(ref)
    with pytest.raises(SandboxGone):
        await engine.connect(ref, 80)
