"""What the local engine promises of ports beyond the common suite: on a network that all share, none is mistaken."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from chaser_emulator.sandbox import CommandSpec, PortClosed, SandboxSpec
from chaser_emulator.sandbox.listeners import Listener, listed, listeners
from chaser_emulator.sandbox.local import Isolation, LocalEngine
from engines import anyio_backend_fixture  # noqa: F401 - a fixture
from requirements import require

pytestmark = pytest.mark.anyio

SERVE = """exec python3 -c '
import socket
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(("{address}", {port}))
server.listen()
while True:
    stream, _ = server.accept()
    stream.sendall(b"inside")
    stream.close()
'"""


@pytest.mark.parametrize("kind", ["bubblewrap", "none"])
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
async def test_a_port_that_is_shared_with_a_stranger_is_refused(tmp_path: Path, kind: Isolation, address: str) -> None:
    if kind == "bubblewrap":
        require("bubblewrap")
    engine = LocalEngine(data_dir=tmp_path, instance="test-ports", isolation=kind)
    await engine.open()
    ref = await engine.start(SandboxSpec(session_id="sess-1"))
    loop = asyncio.get_running_loop()
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        stranger.bind(("127.0.0.1", 0))
        port = stranger.getsockname()[1]
        await engine.exec(ref, CommandSpec(SERVE.format(address=address, port=port)))
        async with asyncio.timeout(10):
            while port not in await engine.ports(ref):  # noqa: ASYNC110 - asked of the engine
                await asyncio.sleep(0.02)
        with await engine.connect(ref, port) as stream:
            assert await loop.sock_recv(stream, 100) == b"inside"
        stranger.listen()
        with pytest.raises(PortClosed):
            await engine.connect(ref, port)
    with await engine.connect(ref, port) as stream:
        assert await loop.sock_recv(stream, 100) == b"inside"
    await engine.close()


async def test_both_ways_of_asking_the_kernel_agree() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        inode = os.fstat(one.fileno()).st_ino
        assert await listeners(port) == listed(port) == [Listener("127.0.0.1", port, inode)]
    assert await listeners(port) == listed(port) == []
