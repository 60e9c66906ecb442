"""What only docker's terminals, ports and waiting containers promise: in any image, and when the emulator dies."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable

import docker
import psutil
import pytest
from chaser_emulator.sandbox import CommandSpec, PortClosed, SandboxSpec, SandboxUnavailable, TerminalSpec
from chaser_emulator.sandbox.docker import DockerEngine
from containers import client_fixture, instance_fixture, opened  # noqa: F401 - fixtures are found by import
from engines import anyio_backend_fixture, collect, run  # noqa: F401 - a fixture among them
from images import busybox, busybox_as_ubuntu, debian
from requirements import require

pytestmark = pytest.mark.anyio

SERVER = """
import socket, threading
server = socket.create_server(("127.0.0.1", 8000))
def serve(stream):
    stream.sendall(b"hello ")
    got = b""
    while data := stream.recv(65536):
        got += data
        stream.sendall(data)
    stream.sendall(b" %d" % len(got))
    stream.close()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


@pytest.fixture(scope="module", autouse=True)
def _needs_docker() -> None:
    require("docker")


async def until(met: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not met():  # noqa: ASYNC110 - asked of the engine
            await asyncio.sleep(0.05)


async def listens(engine: DockerEngine, ref: str) -> None:
    """Wait until something listens on 8000."""
    async with asyncio.timeout(10):
        while await engine.ports(ref) != [8000]:  # noqa: ASYNC110 - asked of the engine
            await asyncio.sleep(0.02)


def started(program: str) -> subprocess.Popen[str]:
    """Another emulator's engine, by a program that prints a ref."""
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


# Terminals


async def test_a_bare_shell_of_bash_says_nothing_of_its_own(instance: str) -> None:
    async with opened(instance, debian()) as engine:
        ref = await engine.start(SandboxSpec("s-1"))
        terminal = await engine.open_terminal(ref, TerminalSpec(mode="agent", user="ubuntu"))
        await terminal.write(b"echo $BASH_VERSION | cut -c 1; id -un; exit 0\n")
        assert (await collect(terminal)).output.replace(b"exit\r\n", b"") == b"5\r\nubuntu\r\n"


async def test_the_shell_of_a_login_is_the_images_bash(instance: str) -> None:
    async with opened(instance, debian()) as engine:
        ref = await engine.start(SandboxSpec("s-1"))
        terminal = await engine.open_terminal(ref, TerminalSpec())
        await terminal.write(b"shopt login_shell; tty; exit 0\r")
        output = (await collect(terminal)).output
        assert b"login_shell    \ton" in output
        assert b"/dev/pts/" in output


async def test_an_emulator_that_is_killed_leaves_no_terminal_and_no_relay(
    instance: str, client: docker.DockerClient
) -> None:
    program = f"""
import asyncio
from chaser_emulator.sandbox import CommandSpec, SandboxSpec, TerminalSpec
from chaser_emulator.sandbox.docker import DockerEngine

async def main():
    engine = DockerEngine(instance={instance!r}, default_image={debian()!r}, relayed=True)
    await engine.open()
    ref = await engine.start(SandboxSpec("s-1", disk_id="w-1"))
    await engine.exec(ref, CommandSpec({f"setsid python3 -c {shlex.quote(SERVER)} >/dev/null 2>&1 &"!r}))
    while not await engine.ports(ref):
        await asyncio.sleep(0.02)
    streams = [await engine.connect(ref, 8000)]
    for mode in ("human", "agent"):
        terminal = await engine.open_terminal(ref, TerminalSpec(mode=mode))
        await terminal.write(b"trap : HUP; sleep 4321 & sleep 4321\\n")
    await engine.open_terminal(ref, TerminalSpec(command="trap '' HUP; exec sleep 4321"))
    await asyncio.sleep(0.5)
    print(ref, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    emulator = started(program)
    assert emulator.stdout is not None
    ref = emulator.stdout.readline().strip()

    def left() -> int:
        processes = client.api.top(ref)["Processes"]
        return sum("4321" in process[-1] or "_chaser_python" in process[-1] for process in processes)

    assert left() >= 5
    emulator.kill()
    emulator.wait()
    emulator.stdout.close()
    await until(lambda: left() == 0)
    async with opened(instance, debian()) as engine:
        # One who comes after it has terminals of its own, which nobody ends.
        terminal = await engine.open_terminal(ref, TerminalSpec(command="sleep 5; echo stayed"))
        assert (await collect(terminal)).output == b"stayed\r\n"


# Ports


@pytest.mark.parametrize("program", ["python3", "perl", "bash"])
async def test_every_program_that_an_image_may_have_relays_both_ways(instance: str, program: str) -> None:
    async with opened(instance, debian(), relayed=True) as engine:
        ref = await engine.start(SandboxSpec("s-1"))
        server = await engine.exec(ref, CommandSpec(f"python3 -c {shlex.quote(SERVER)}"))
        await listens(engine, ref)
        missing = {"python3": "", "perl": "python3", "bash": "python3 perl"}[program].split()
        for name in missing:
            assert (await run(engine, ref, f"rm $(command -v {name})")).exit_code == 0
        loop = asyncio.get_running_loop()
        stream = await engine.connect(ref, 8000)
        sent = os.urandom(1_000_000)

        async def send() -> None:
            await loop.sock_sendall(stream, sent)
            if program != "bash":
                stream.shutdown(socket.SHUT_WR)

        sending = asyncio.create_task(send())
        wanted = b"hello " + sent + (b" 1000000" if program != "bash" else b"")
        got = b""
        with stream:
            async with asyncio.timeout(20):
                while len(got) < len(wanted):
                    got += await loop.sock_recv(stream, 65536)
                await sending
                if program != "bash":
                    assert await loop.sock_recv(stream, 10) == b""
        assert got == wanted
        await server.signal(9)


@pytest.mark.parametrize("relayed", [False, True])
async def test_an_image_with_busybox_only_is_reached(instance: str, relayed: bool) -> None:
    async with opened(instance, relayed=relayed) as engine:
        ref = await engine.start(SandboxSpec("s-1"))
        await engine.exec(ref, CommandSpec("nc -ll -p 8000 -e cat"))
        await listens(engine, ref)
        loop = asyncio.get_running_loop()
        for size in (0, 1, 100_000):
            sent = os.urandom(size)
            with await engine.connect(ref, 8000) as stream:
                await loop.sock_sendall(stream, sent)
                stream.shutdown(socket.SHUT_WR)
                got = b""
                async with asyncio.timeout(10):
                    while data := await loop.sock_recv(stream, 65536):
                        got += data
            assert got == sent


async def test_relays_end_when_their_caller_closes_or_the_container_goes(instance: str) -> None:
    here = psutil.Process()
    async with opened(instance, debian(), relayed=True) as engine:
        ref = await engine.start(SandboxSpec("s-1"))
        # One that never ends by itself, whatever its callers do.
        quiet = "import socket,time; s=socket.create_server(('127.0.0.1',8000)); k=[]\nwhile 1: k.append(s.accept())"
        await engine.exec(ref, CommandSpec(f"python3 -c {shlex.quote(quiet)}"))
        await listens(engine, ref)
        (await engine.connect(ref, 8000)).close()
        descriptors, tasks = here.num_fds(), len(asyncio.all_tasks())
        streams = [await engine.connect(ref, 8000) for _ in range(4)]
        streams[1].shutdown(socket.SHUT_WR)
        for stream in streams[:3]:
            stream.close()
        for pause in (0.0, 0.02, 0.05):
            connecting = asyncio.create_task(engine.connect(ref, 8000))
            await asyncio.sleep(pause)
            connecting.cancel()
            await asyncio.wait({connecting})

        async def relays() -> int:
            return int((await run(engine, ref, "grep -ls far.recv /proc/[0-9]*/cmdline | wc -l")).output)

        async with asyncio.timeout(10):
            # The shell that counts, and what it has started, has the word among its arguments too.
            while await relays() > 3:  # noqa: ASYNC110 - asked of the machine
                await asyncio.sleep(0.05)
        await engine.stop(ref)
        async with asyncio.timeout(5):
            assert await asyncio.get_running_loop().sock_recv(streams[3], 10) == b""
        streams[3].close()
        await until(lambda: here.num_fds() <= descriptors and len(asyncio.all_tasks()) <= tasks)


async def test_a_question_whose_asker_has_gone_is_not_answered_to_the_next_one(instance: str) -> None:
    async with opened(instance, debian()) as engine:
        ref = await engine.start(SandboxSpec("s-1"))
        await engine.exec(ref, CommandSpec(f"exec python3 -c {shlex.quote(SERVER)}"))
        await listens(engine, ref)
        for pause in (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.012):
            for question in (engine.ports(ref), engine.connect(ref, 9)):
                asking = asyncio.create_task(question)
                await asyncio.wait({asking}, timeout=pause)
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                assert await engine.ports(ref) == [8000]


async def test_a_relay_that_is_killed_while_it_waits_is_replaced(instance: str) -> None:
    async with opened(instance, debian(), relayed=True) as engine:
        ref = await engine.start(SandboxSpec("s-1"))
        server = await engine.exec(ref, CommandSpec(f"python3 -c {shlex.quote(SERVER)}"))
        await listens(engine, ref)
        loop = asyncio.get_running_loop()
        for _ in range(5):
            with await engine.connect(ref, 8000) as stream:
                assert await loop.sock_recv(stream, 6) == b"hello "
            await run(engine, ref, "pkill -9 -f '[f]ar.recv'")
        await server.signal(9)


async def test_an_image_without_any_program_to_relay_with_is_told_what_to_install(instance: str) -> None:
    async with opened(instance, debian(), relayed=True) as engine:
        ref = await engine.start(SandboxSpec("s-1"))
        await engine.exec(ref, CommandSpec(f"python3 -c {shlex.quote(SERVER)}"))
        await listens(engine, ref)
        await run(engine, ref, "rm $(command -v python3 perl bash)")
        with pytest.raises(SandboxUnavailable, match="install python3"):
            await engine.connect(ref, 8000)
        with pytest.raises(PortClosed):
            await engine.connect(ref, 8001)


# Containers that wait


def waiting(client: docker.DockerClient, instance: str) -> list[str]:
    """Running containers of an instance that are no session's."""
    label: dict[str, str | list[str] | bool] = {"label": f"chaser.emulator.instance={instance}"}
    found = client.containers.list(filters=label, ignore_removed=True)
    return [one.name for one in found if "-idle-" in (one.name or "")]  # type: ignore[misc] # named


async def test_a_container_that_waits_becomes_a_session_of_its_own_name_and_variables(
    instance: str, client: docker.DockerClient
) -> None:
    async with opened(instance, busybox_as_ubuntu(), warm=2) as engine:
        await until(lambda: len(engine._pool._idle) == 2)
        assert await engine.refs() == {}
        ref = await engine.start(SandboxSpec("s-1", env={"COLOUR": "blue"}))
        assert await engine.refs() == {ref: "s-1"}
        show = "echo $CHASER_SESSION_ID $COLOUR $CHASER_MODE $(id -un) $(stat -c %U .)"
        assert (await run(engine, ref, show)).output == b"s-1 blue exec ubuntu ubuntu\n"
        root = await engine.exec(ref, CommandSpec(show, user="root"))
        assert (await collect(root)).output == b"s-1 blue exec root ubuntu\n"
        assert (await collect(await engine.open_terminal(ref, TerminalSpec(command=show)))).output == (
            b"s-1 blue pty ubuntu ubuntu\r\n"
        )
        await until(lambda: len(waiting(client, instance)) == 2)
        # What has a disk, or another image, is made for its session.
        for spec in (SandboxSpec("s-2", disk_id="d"), SandboxSpec("s-3", image=busybox())):
            other = await engine.start(spec)
            assert (await engine.refs())[other] == spec.session_id
            await engine.stop(other)
        # One that has died while it waited is not given to anyone.
        for name in waiting(client, instance):
            client.containers.get(name).kill()
        await until(lambda: not any(one.listens for one in engine._pool._idle))
        other = await engine.start(SandboxSpec("s-4"))
        assert (await run(engine, other, "echo works")).output == b"works\n"
    assert (
        client.containers.list(all=True, filters={"label": f"chaser.emulator.instance={instance}"}, ignore_removed=True)
        == []
    )


async def test_what_waited_when_the_emulator_was_killed_is_removed(instance: str, client: docker.DockerClient) -> None:
    program = f"""
import asyncio
from chaser_emulator.sandbox import SandboxSpec
from chaser_emulator.sandbox.docker import DockerEngine

async def main():
    engine = DockerEngine(instance={instance!r}, default_image={busybox()!r}, warm=1)
    await engine.open()
    while not engine._pool._idle:
        await asyncio.sleep(0.02)
    ref = await engine.start(SandboxSpec("s-1"))
    while not engine._pool._idle:
        await asyncio.sleep(0.02)
    print(ref, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    emulator = started(program)
    assert emulator.stdout is not None
    ref = emulator.stdout.readline().strip()
    assert len(waiting(client, instance)) == 1
    emulator.kill()
    emulator.wait()
    emulator.stdout.close()
    async with opened(instance) as engine:
        assert await engine.refs() == {ref: "s-1"}
        assert waiting(client, instance) == []


async def test_a_browser_has_the_memory_and_the_folder_it_needs(instance: str) -> None:
    async with opened(instance, busybox_as_ubuntu()) as engine:
        ref = await engine.start(SandboxSpec("s-1", browser=True))
        shown = await run(
            engine, ref, "df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2; readlink /data/chaser"
        )
        assert shown.output == b"524288\n/workspace\n"
