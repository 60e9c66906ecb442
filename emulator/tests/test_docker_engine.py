"""What only the docker engine promises: containers, volumes, limits; an engine that hangs, an emulator that is killed.

What every engine promises is in test_engines.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import docker
import pytest
from chaser_emulator.sandbox import CommandSpec, SandboxError, SandboxGone, SandboxSpec, SandboxUnavailable
from chaser_emulator.sandbox.docker import DockerEngine
from containers import client_fixture, instance_fixture, opened  # noqa: F401 - fixtures are found by import
from docker.errors import NotFound
from images import busybox, busybox_as_ubuntu, debian
from requirements import require


@pytest.fixture(scope="module", autouse=True)
def _needs_docker() -> None:
    require("docker")


async def run(engine: DockerEngine, ref: str, command: str, user: str | None = None) -> tuple[int, str]:
    process = await engine.exec(ref, CommandSpec(command, user=user))
    output = b"".join([chunk async for chunk in process.output()])
    return await process.wait(), output.decode()


async def until(met: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not met():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_a_session_is_a_container_with_labels_limits_an_init_and_no_folder_of_the_host(
    instance: str, client: docker.DockerClient
) -> None:
    async def scenario() -> None:
        async with opened(instance) as engine:
            ref = await engine.start(SandboxSpec("s-1", workspace_id="w-1", disk_id="w-1", env={"COLOUR": "blue"}))
            found = client.containers.get(ref).attrs
            limits = found["HostConfig"]
            assert found["Config"]["Labels"]["chaser.emulator.session"] == "s-1"
            assert found["Config"]["Labels"]["chaser.emulator.disk"] == "w-1"
            assert limits["Memory"] == 256 * 1024**2
            assert limits["PidsLimit"] == 200
            assert limits["NanoCpus"] > 0
            assert limits["Init"] is True
            assert not limits["Binds"]
            assert [(mount["Type"], mount["Destination"]) for mount in found["Mounts"]] == [("volume", "/workspace")]
            assert await run(engine, ref, "echo $COLOUR") == (0, "blue\n")

    asyncio.run(scenario())


def test_the_user_of_the_image_owns_the_workspace(instance: str) -> None:
    async def scenario() -> None:
        async with opened(instance, busybox_as_ubuntu()) as engine:
            for workspace in ("w-1", None):
                ref = await engine.start(SandboxSpec("s-1", workspace_id=workspace, disk_id=workspace))
                assert await run(engine, ref, "id -u; echo text > file; stat -c %U file") == (0, "1000\nubuntu\n")
                assert await run(engine, ref, "id -u", user="root") == (0, "0\n")

    asyncio.run(scenario())


def test_bash_runs_commands_where_there_is_bash_in_the_environment_of_a_login(instance: str) -> None:
    async def scenario() -> None:
        async with opened(instance, debian()) as engine:
            ref = await engine.start(SandboxSpec("s-1"))
            assert await run(engine, ref, "a=(x y); echo ${a[1]}") == (0, "y\n")
            profile = "echo 'echo noise; export FROM_PROFILE=yes' > ~/.profile; echo 'sleep 60' >> ~/.profile"
            await run(engine, ref, profile, user="ubuntu")
            assert await run(engine, ref, 'python3 -c "print(6 * 7)"') == (0, "42\n")

            client = docker.from_env()
            client.containers.get(ref).exec_run(["sh", "-c", "echo 'export FROM_PROFILE=yes' > /etc/profile.d/x.sh"])
            client.close()
            # The environment is taken once, when the first shell of a user starts.
            assert await run(engine, ref, "echo $FROM_PROFILE") == (0, "\n")
            assert await run(engine, ref, "echo $FROM_PROFILE", user="daemon") == (0, "yes\n")

    asyncio.run(scenario())


def test_an_image_that_cannot_be_had_is_named_with_the_reason_and_leaves_nothing(
    instance: str, client: docker.DockerClient
) -> None:
    async def scenario() -> None:
        async with opened(instance) as engine:
            with pytest.raises(SandboxUnavailable, match=r"127\.0\.0\.1:1/no/image.*refused"):
                await engine.start(SandboxSpec("s-1", workspace_id="w-1", disk_id="w-1", image="127.0.0.1:1/no/image"))

    asyncio.run(scenario())
    _assert_nothing_left(client, instance)


def test_an_image_without_a_shell_is_refused_and_leaves_nothing(
    instance: str, client: docker.DockerClient, tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo("nothing"))
    name = f"chaser-test/{instance}"
    client.api.import_image_from_file(str(archive), repository=name, tag="latest")

    async def scenario() -> None:
        async with opened(instance) as engine:
            with pytest.raises(SandboxUnavailable, match="cannot run commands"):
                await engine.start(SandboxSpec("s-1", workspace_id="w-1", disk_id="w-1", image=name))

    try:
        asyncio.run(scenario())
        _assert_nothing_left(client, instance)
    finally:
        client.images.remove(name)


def test_starts_that_are_cancelled_leave_nothing(instance: str, client: docker.DockerClient) -> None:
    async def scenario() -> None:
        async with opened(instance) as engine:
            for delay in (0.0, 0.005, 0.02, 0.1):
                starting = asyncio.create_task(engine.start(SandboxSpec("s-1")))
                await asyncio.sleep(delay)
                starting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await engine.stop(await starting)

    asyncio.run(scenario())
    _assert_nothing_left(client, instance)


def test_sessions_come_and_go_without_a_trace(instance: str, client: docker.DockerClient) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd"))

    others = threading.active_count()

    async def scenario() -> None:
        async with opened(instance) as engine:

            async def one(number: int) -> None:
                ref = await engine.start(SandboxSpec(f"s-{number}"))
                assert await run(engine, ref, f"echo {number} > file; cat file") == (0, f"{number}\n")
                await engine.stop(ref)
                await engine.stop(ref)

            await asyncio.gather(*(one(number) for number in range(20)))
            before = held()
            for number in range(5):
                await one(number)
            await asyncio.gather(*(one(number) for number in range(10)))
            # Connections that were let go of are closed a moment later.
            async with asyncio.timeout(10):
                while held() > before:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            # Threads that ask the engine, and the loop's own, are kept up to a bound.
            assert threading.active_count() <= others + 24

    asyncio.run(scenario())
    _assert_nothing_left(client, instance)


def test_many_commands_at_once_lose_and_mix_up_nothing(instance: str) -> None:
    async def scenario() -> None:
        async with opened(instance) as engine:
            refs = await asyncio.gather(*(engine.start(SandboxSpec(f"s-{number}")) for number in range(4)))
            commands = [run(engine, refs[number % 4], f"echo {number}; echo $(({number}*2))") for number in range(80)]
            answers = await asyncio.gather(*commands)
            assert answers == [(0, f"{number}\n{number * 2}\n") for number in range(80)]

    asyncio.run(scenario())


def test_a_container_removed_behind_our_back_is_a_sandbox_that_is_gone(
    instance: str, client: docker.DockerClient
) -> None:
    async def scenario() -> None:
        async with opened(instance) as engine:
            ref = await engine.start(SandboxSpec("s-1"))
            process = await engine.exec(ref, CommandSpec("echo begun; sleep 600"))
            async for _ in process.output():
                break
            await asyncio.to_thread(lambda: client.containers.get(ref).remove(force=True))
            async with asyncio.timeout(10):
                assert await process.wait() == 137
            assert not await engine.alive(ref)
            with pytest.raises(SandboxGone):
                await run(engine, ref, "true")
            with pytest.raises(SandboxGone):
                await engine.read_file(ref, "/etc/passwd")
            with pytest.raises(SandboxGone):
                await engine.write_file(ref, "file", _content(b"text"))
            await process.signal(signal.SIGTERM)
            await engine.stop(ref)

    asyncio.run(scenario())


def test_a_command_that_kills_the_resident_shells_harms_no_other_command(instance: str) -> None:
    async def scenario() -> None:
        async with opened(instance) as engine:
            ref = await engine.start(SandboxSpec("s-1"))
            # As ubuntu it reaches every shell of that user, its own included, and none of root's.
            assert (await run(engine, ref, "kill -9 -1", user="ubuntu"))[0] == 137
            assert await run(engine, ref, "echo on", user="ubuntu") == (0, "on\n")
            assert await run(engine, ref, "echo on") == (0, "on\n")

    asyncio.run(scenario())


def test_the_output_of_a_child_that_lives_on_does_not_reach_the_next_command(instance: str) -> None:
    async def scenario() -> None:
        async with opened(instance) as engine:
            ref = await engine.start(SandboxSpec("s-1"))
            for _ in range(3):
                code, output = await run(engine, ref, "setsid sh -c 'while :; do echo late; done' & echo now")
                assert code == 0
                assert "now\n" in output
                assert await run(engine, ref, "sleep 0.1; echo clean") == (0, "clean\n")

    asyncio.run(scenario())


def test_a_full_disk_is_told_and_leaves_no_part_of_a_file(instance: str) -> None:
    async def scenario() -> None:
        async with opened(instance) as engine:
            ref = await engine.start(SandboxSpec("s-1"))
            with pytest.raises(SandboxError, match="No space left"):
                await engine.write_file(ref, "/dev/shm/file", _content(*[bytes(1024**2)] * 80))
            assert await run(engine, ref, "ls -A /dev/shm") == (0, "")

    asyncio.run(scenario())


def test_an_engine_that_is_not_there_says_so(instance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    engine = DockerEngine(instance=instance, default_image="unused")
    with pytest.raises(SandboxUnavailable, match="engine"):
        asyncio.run(engine.open())


def test_an_engine_that_stops_answering_is_unavailable_within_seconds(
    instance: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    image = busybox_image_before(monkeypatch)

    async def scenario() -> None:
        link = _Link(tmp_path / "engine.sock")
        await link.open()
        async with opened(instance, image, patience=1) as engine:
            ref = await engine.start(SandboxSpec("s-1"))
            assert await run(engine, ref, "echo on") == (0, "on\n")
            link.stuck = True
            for attempt in (
                lambda: run(engine, ref, "echo on"),
                lambda: engine.read_file(ref, "/etc/passwd"),
                lambda: engine.start(SandboxSpec("s-2")),
                lambda: engine.alive(ref),
                engine.refs,
            ):
                async with asyncio.timeout(5):
                    with pytest.raises(SandboxUnavailable, match="does not answer"):
                        await attempt()
            link.stuck = False
            assert await run(engine, ref, "echo on") == (0, "on\n")
        await link.close()

    asyncio.run(scenario())


def test_an_emulator_that_is_killed_leaves_a_sandbox_to_adopt_and_no_command(
    instance: str, client: docker.DockerClient
) -> None:
    program = f"""
import asyncio, time
from chaser_emulator.sandbox import CommandSpec, SandboxSpec
from chaser_emulator.sandbox.docker import DockerEngine

async def main():
    engine = DockerEngine(instance={instance!r}, default_image={busybox()!r})
    await engine.open()
    ref = await engine.start(SandboxSpec("s-1", workspace_id="w-1", disk_id="w-1", env={{"COLOUR": "blue"}}))
    for stdin in (False, True):
        process = await engine.exec(ref, CommandSpec("sleep 4321 & sleep 4321 & sleep 4321", stdin=stdin))
    await asyncio.sleep(0.5)
    print(ref, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    emulator = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert emulator.stdout is not None
    ref = emulator.stdout.readline().strip()

    def sleepers() -> int:
        processes = client.api.top(ref)["Processes"]
        return sum("4321" in process[-1] for process in processes)

    assert sleepers() >= 6
    emulator.kill()
    emulator.wait()
    emulator.stdout.close()

    async def scenario() -> None:
        await until(lambda: sleepers() == 0)
        async with opened(instance) as engine:
            assert await engine.refs() == {ref: "s-1"}
            assert await engine.alive(ref)
            assert await run(engine, ref, "echo $COLOUR") == (0, "blue\n")

    asyncio.run(scenario())


def test_a_copy_that_the_emulator_did_not_live_to_finish_is_made_anew_and_not_mixed(
    instance: str, client: docker.DockerClient
) -> None:
    program = f"""
import asyncio
from chaser_emulator.sandbox import CommandSpec, SandboxSpec
from chaser_emulator.sandbox.docker import DockerEngine

async def main():
    engine = DockerEngine(instance={instance!r}, default_image={busybox()!r})
    await engine.open()
    ref = await engine.start(SandboxSpec("s-1", disk_id="old"))
    fill = "mkfifo pipe; head -c 300000000 /dev/zero | tr '\\\\000' x > large"
    await (await engine.exec(ref, CommandSpec(fill))).wait()
    print(ref, flush=True)
    await engine.copy_disk("old", "new")

asyncio.run(main())
"""
    emulator = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert emulator.stdout is not None
    ref = emulator.stdout.readline().strip()
    label: dict[str, str | list[str] | bool] = {"label": f"chaser.emulator.instance={instance}"}

    def copying() -> bool:
        return len(client.containers.list(filters=label, ignore_removed=True)) > 1

    async def scenario() -> None:
        await until(copying)
        emulator.kill()
        emulator.wait()
        async with opened(instance) as engine:
            assert await engine.refs() == {ref: "s-1"}
            assert not copying()
            assert await engine.disks() == {"old", "new"}
            assert (await run(engine, ref, "rm large; echo second > text"))[0] == 0
            await engine.copy_disk("old", "new")
            other = await engine.start(SandboxSpec("s-2", disk_id="new"))
            assert await run(engine, other, "ls") == (0, "pipe\ntext\n")

    asyncio.run(scenario())
    emulator.stdout.close()


def test_containers_that_do_not_run_are_removed_at_the_next_start(instance: str, client: docker.DockerClient) -> None:
    async def first() -> str:
        engine = DockerEngine(instance=instance, default_image=busybox())
        await engine.open()
        ref = await engine.start(SandboxSpec("s-1"))
        await engine.close()
        return ref

    ref = asyncio.run(first())
    client.containers.get(ref).kill()

    async def second() -> None:
        async with opened(instance) as engine:
            assert await engine.refs() == {}

    asyncio.run(second())
    with pytest.raises(NotFound):
        client.containers.get(ref)


def test_a_resident_shell_is_many_times_faster_than_the_engines_own_exec(
    instance: str, client: docker.DockerClient
) -> None:
    async def scenario() -> None:
        async with opened(instance) as engine:
            ref = await engine.start(SandboxSpec("s-1"))
            await run(engine, ref, "true")
            container = client.containers.get(ref)
            ours, theirs = [], []
            for _ in range(9):
                begun = time.perf_counter()
                await run(engine, ref, "echo on")
                ours.append(time.perf_counter() - begun)
                begun = time.perf_counter()
                container.exec_run(["sh", "-c", "echo on"])
                theirs.append(time.perf_counter() - begun)
            assert sorted(ours)[4] * 3 < sorted(theirs)[4]

    asyncio.run(scenario())


async def _content(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def busybox_image_before(monkeypatch: pytest.MonkeyPatch) -> str:
    """The image's name, made by the real engine and not over a link that is not open yet."""
    with monkeypatch.context() as real:
        real.delenv("DOCKER_HOST")
        return busybox()


def _assert_nothing_left(client: docker.DockerClient, instance: str) -> None:
    label: dict[str, str | list[str] | bool] = {"label": f"chaser.emulator.instance={instance}"}
    assert client.containers.list(all=True, filters=label, ignore_removed=True) == []
    assert client.volumes.list(filters={"label": label["label"]}) == []


class _Link:
    """The engine's socket under another name, which can get stuck: it takes everything and passes nothing on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._moving = asyncio.Event()
        self._moving.set()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0)

    @property
    def stuck(self) -> bool:
        return not self._moving.is_set()

    @stuck.setter
    def stuck(self, value: bool) -> None:
        (self._moving.clear if value else self._moving.set)()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        there_reader, there_writer = await asyncio.open_unix_connection("/var/run/docker.sock")
        try:
            await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))
        except asyncio.CancelledError:
            # Nobody waits for it: the server made this task, and would log that it was cancelled.
            return
        finally:
            for one in (writer, there_writer):
                one.transport.abort()
            self._serving.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._moving.wait()
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
