"""What the local engine promises beyond the common suite: isolation, no strays, no leaks, and the plain fallback."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from chaser_emulator.sandbox import (
    CommandSpec,
    DiskFull,
    NotWritable,
    SandboxGone,
    SandboxSpec,
    SandboxUnavailable,
    environment,
)
from chaser_emulator.sandbox.local import Isolation, LocalEngine
from engines import anyio_backend_fixture, collect, content_of, run, stream  # noqa: F401 - a fixture among them
from requirements import require

pytestmark = pytest.mark.anyio

PASSWD = Path("/etc/passwd").read_bytes()
KINDS: tuple[Isolation, ...] = ("bubblewrap", "none")


def engine_in(folder: Path, kind: Isolation) -> LocalEngine:
    """A local engine of this kind, always with the same instance's name."""
    if kind == "bubblewrap":
        require("bubblewrap")
    return LocalEngine(data_dir=folder, instance="test-local", isolation=kind)


@pytest.fixture
async def isolated(tmp_path: Path) -> AsyncIterator[LocalEngine]:
    """An open engine with isolation."""
    engine = engine_in(tmp_path / "data", "bubblewrap")
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture(params=KINDS)
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LocalEngine]:
    """An open engine, with and without isolation."""
    engine = engine_in(tmp_path / "data", request.param)
    await engine.open()
    yield engine
    await engine.close()


def related_to(folder: Path) -> list[int]:
    """Processes that name `folder` in their arguments or environment and have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(f"{folder}/") in text:
                found.append(int(entry.name))
    return found


def all_arguments() -> bytes:
    """What `ps` shows to every user of the host."""
    words = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words.append(entry.read_bytes())
        except OSError:
            continue  # it has just ended
    return b"\n".join(words)


async def until_none_related_to(folder: Path) -> None:
    async with asyncio.timeout(10):
        while related_to(folder):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.02)


# Isolation.


async def test_the_host_is_out_of_sight(isolated: LocalEngine, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    ref = await isolated.start(SandboxSpec(session_id="sess-1"))
    for place in (secret, tmp_path / "data", Path(__file__)):
        assert (await run(isolated, ref, f"ls -d {place}")).exit_code != 0, place
    assert (await run(isolated, ref, "ls -A /home /root")).output.split() == [b"/home:", b"/root:"]
    processes = (await run(isolated, ref, "echo /proc/[0-9]*")).output.split()
    assert len(processes) <= 4
    assert (await run(isolated, ref, f"kill -0 {os.getpid()}")).exit_code != 0
    await isolated.stop(ref)


async def test_another_workspace_is_out_of_sight(isolated: LocalEngine) -> None:
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    one = await isolated.start(SandboxSpec(session_id="sess-1", workspace_id=first, disk_id=first))
    await isolated.write_file(one, "only-here-4711", stream(b"x"))
    other = await isolated.start(SandboxSpec(session_id="sess-2", workspace_id=second, disk_id=second))
    found = await run(isolated, other, "find / -name only-here-4711 -not -path '/proc/*' 2>/dev/null")
    assert found.output == b""
    assert (await run(isolated, other, "echo $CHASER_WORKSPACE_ID")).output.decode().strip() == second


async def test_a_command_has_no_privilege_and_cannot_change_the_system(isolated: LocalEngine) -> None:
    ref = await isolated.start(SandboxSpec(session_id="sess-1"))
    status = (await run(isolated, ref, "grep -E '^(Cap|NoNewPrivs)' /proc/self/status")).output.decode()
    values = dict(line.split(":\t") for line in status.splitlines())
    assert values.pop("NoNewPrivs") == "1"
    assert set(values.values()) == {"0000000000000000"}
    for attempt in ("touch /usr/x", "touch /x", "mkdir /etc/x", "umount /workspace", "mount -o remount,rw,bind /usr"):
        assert (await run(isolated, ref, attempt)).exit_code != 0, attempt
    with pytest.raises(NotWritable):
        await isolated.write_file(ref, "/etc/motd", stream(b"x"))
    assert await content_of(isolated, ref, "/etc/passwd") == PASSWD


async def test_a_library_of_the_workspace_is_not_loaded_before_privileges_are_gone(isolated: LocalEngine) -> None:
    # The loader complains of a library that it cannot load, once for each program: only the command may be told of it.
    ref = await isolated.start(SandboxSpec(session_id="sess-1"))
    ended = await run(isolated, ref, "true", env={"LD_PRELOAD": "/workspace/none.so"})
    assert ended.output.count(b"/workspace/none.so") == 1


async def test_values_of_variables_are_no_arguments_of_a_process(isolated: LocalEngine) -> None:
    ref = await isolated.start(SandboxSpec(session_id="sess-1"))
    process = await isolated.exec(ref, CommandSpec("echo ready; sleep 60; true", env={"TOKEN": "never-in-ps-4711"}))
    assert await anext(process.output()) == b"ready\n"
    assert b"echo ready" in all_arguments()
    assert b"never-in-ps-4711" not in all_arguments()
    await process.signal(signal.SIGKILL)


async def test_variables_that_a_shell_refuses_reach_the_command(either: LocalEngine) -> None:
    ref = await either.start(SandboxSpec(session_id="sess-1"))
    env = {"a.b-c": "dotted", "UID": "u", "OPTIND": "word", "IFS": "x", "PS4": "p", "plain": "yes"}
    # As the command's shell was given them, before it has its own way with them.
    output = (await run(either, ref, "cat /proc/$$/environ; true", env=env)).output.split(b"\0")
    for name, value in env.items():
        assert f"{name}={value}".encode() in output


# Signals and ends.


async def test_an_ignored_interrupt_is_not_handed_down(either: LocalEngine) -> None:
    ref = await either.start(SandboxSpec(session_id="sess-1"))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = await either.exec(ref, CommandSpec("sleep 60"))
    finally:
        signal.signal(signal.SIGINT, before)
    await process.signal(signal.SIGINT)
    async with asyncio.timeout(5):
        assert await process.wait() == 130


async def test_a_stopped_command_goes_on_or_dies(either: LocalEngine) -> None:
    ref = await either.start(SandboxSpec(session_id="sess-1"))
    process = await either.exec(ref, CommandSpec("(sleep 0.2; kill -CONT $$) & kill -STOP $$; echo on"))
    async with asyncio.timeout(5):
        assert (await collect(process)).output == b"on\n"
    process = await either.exec(ref, CommandSpec("kill -STOP $$; echo never"))
    await asyncio.sleep(0.1)
    await process.signal(signal.SIGKILL)
    async with asyncio.timeout(5):
        assert await process.wait() == 137


async def test_a_child_that_lives_on_may_go_on_writing(either: LocalEngine) -> None:
    ref = await either.start(SandboxSpec(session_id="sess-1"))
    script = "(while :; do echo noise; sleep 0.01; echo x >> count; done) & echo started"
    assert b"started" in (await run(either, ref, script)).output
    before = int((await run(either, ref, "wc -l < count")).output)
    async with asyncio.timeout(10):
        while int((await run(either, ref, "wc -l < count")).output) < before + 20:  # noqa: ASYNC110 - asked inside
            await asyncio.sleep(0.02)


async def test_stop_reaches_those_that_left_their_group(either: LocalEngine, tmp_path: Path) -> None:
    ref = await either.start(SandboxSpec(session_id="sess-1"))
    await run(either, ref, "setsid -f sh -c 'sleep 600' >/dev/null 2>&1; setsid -f sleep 600 >/dev/null 2>&1")
    assert related_to(tmp_path / "data")
    await either.stop(ref)
    await until_none_related_to(tmp_path / "data" / "run" / "test-local" / ref)


async def test_a_sandbox_that_is_killed_is_gone(isolated: LocalEngine, tmp_path: Path) -> None:
    ref = await isolated.start(SandboxSpec(session_id="sess-1"))
    process = await isolated.exec(ref, CommandSpec("sleep 600"))
    for pid in related_to(tmp_path / "data" / "run" / "test-local" / ref):
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        assert await process.wait() == 137
        while await isolated.alive(ref):  # noqa: ASYNC110 - as the API's callers ask
            await asyncio.sleep(0.01)
    with pytest.raises(SandboxGone):
        await isolated.exec(ref, CommandSpec("true"))
    assert await isolated.refs() == {}
    await isolated.stop(ref)
    assert not (tmp_path / "data" / "run" / "test-local" / ref).exists()


# The emulator's own end.

_DYING = """
import asyncio, sys
from pathlib import Path
from chaser_emulator.sandbox import CommandSpec, SandboxSpec
from chaser_emulator.sandbox.local import LocalEngine

async def main():
    engine = LocalEngine(data_dir=Path(sys.argv[1]), instance="test-local", isolation=sys.argv[2])
    await engine.open()
    ref = await engine.start(SandboxSpec(session_id="sess-1", workspace_id="kept", disk_id="kept"))
    await engine.start(SandboxSpec(session_id="sess-2"))
    await engine.exec(ref, CommandSpec("echo x > file; setsid -f sleep 600; sleep 600"))
    await engine.exec(ref, CommandSpec("touch stopped; kill -STOP $$"))
    while not (Path(sys.argv[1]) / "workspaces/kept/stopped").exists():
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("kind", KINDS)
async def test_after_kill_9_nothing_is_left_but_workspaces(kind: Isolation, tmp_path: Path) -> None:
    engine = engine_in(tmp_path, kind)
    # A file and no -c, so that the folder is no argument by which it would count as one of its own strays.
    script = tmp_path.parent / f"{tmp_path.name}-dying.py"
    script.write_text(textwrap.dedent(_DYING))
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(tmp_path), kind, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    async with asyncio.timeout(20):
        assert await child.stdout.readline() == b"ready\n"
    assert related_to(tmp_path / "run")
    child.kill()
    await child.wait()
    await engine.open()
    await until_none_related_to(tmp_path / "run")
    assert await engine.refs() == {}
    assert sorted(path.name for path in (tmp_path / "run" / "test-local").iterdir()) == ["staging"]
    ref = await engine.start(SandboxSpec(session_id="sess-3", workspace_id="kept", disk_id="kept"))
    assert await content_of(engine, ref, "file") == b"x\n"
    await engine.close()


async def test_starts_and_stops_leak_nothing(either: LocalEngine, tmp_path: Path) -> None:
    async def once() -> None:
        ref = await either.start(SandboxSpec(session_id="sess-1"))
        assert (await run(either, ref, "echo x > file; sleep 600 & echo ok")).output == b"ok\n"
        unread = await either.exec(ref, CommandSpec("cat", stdin=True))
        await either.stop(ref)
        assert await unread.wait() == 137

    await once()
    await asyncio.sleep(0.2)
    before = len(os.listdir("/proc/self/fd"))
    await asyncio.gather(*(once() for _ in range(20)))
    async with asyncio.timeout(5):
        while len(os.listdir("/proc/self/fd")) > before:  # noqa: ASYNC110 - what was being drained closes by itself
            await asyncio.sleep(0.02)
    await until_none_related_to(tmp_path / "data")
    assert [path.name for path in (tmp_path / "data" / "run" / "test-local").iterdir()] == ["staging"]


async def test_a_cancelled_start_leaves_nothing(isolated: LocalEngine, tmp_path: Path) -> None:
    for turns in range(1, 12):
        start = asyncio.create_task(isolated.start(SandboxSpec(session_id="sess-1")))
        for _ in range(turns):
            await asyncio.sleep(0)
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
    await until_none_related_to(tmp_path / "data")
    assert [path.name for path in (tmp_path / "data" / "run" / "test-local").iterdir()] == ["staging"]


async def test_folders_without_rights_are_removed_too(either: LocalEngine, tmp_path: Path) -> None:
    ref = await either.start(SandboxSpec(session_id="sess-1"))
    await run(either, ref, "mkdir -p a/b/c; touch a/b/c/d; chmod 0 a/b/c a/b a")
    await either.stop(ref)
    assert not (tmp_path / "data" / "run" / "test-local" / ref).exists()


# Disk, login shell, fallback.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_full_disk_keeps_the_old_file(kind: Isolation, small_disk: Path) -> None:
    engine = engine_in(small_disk, kind)
    await engine.open()
    ref = await engine.start(SandboxSpec(session_id="sess-1"))
    await engine.write_file(ref, "file", stream(b"old"))
    with pytest.raises(DiskFull):
        await engine.write_file(ref, "file", stream(*[b"x" * 1_000_000] * 4))
    assert await content_of(engine, ref, "file") == b"old"
    assert await engine.write_file(ref, "other", stream(b"x" * 1_000_000)) == 1_000_000
    await engine.close()


async def test_a_login_shell_that_hangs_costs_its_time_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = tmp_path / "bin" / "bash"
    shell.parent.mkdir()
    shell.write_text('#!/bin/sh\n[ "$1" = -l ] && { echo x >> "$0.asked"; exec sleep 600; }\nexec /bin/bash "$@"\n')
    shell.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shell.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(environment, "LOGIN_SECONDS", 0.3)
    engine = engine_in(tmp_path / "data", "none")
    await engine.open()
    async with asyncio.timeout(5):
        for _ in range(2):
            ref = await engine.start(SandboxSpec(session_id="sess-1"))
            assert (await run(engine, ref, "echo $PATH")).output.startswith(b"/usr/local/")
    assert (shell.parent / "bash.asked").read_text() == "x\n"
    await engine.close()


async def test_without_bubblewrap_it_falls_back_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = LocalEngine(data_dir=tmp_path / "data", instance="test-local")
    info = await engine.open()
    assert info.version == "plain processes"
    assert "not installed" in info.isolation
    assert any("your user" in warning for warning in info.warnings)
    await engine.close()
    with pytest.raises(SandboxUnavailable, match="not installed"):
        await LocalEngine(data_dir=tmp_path / "data", instance="test-local", isolation="bubblewrap").open()


async def test_a_bubblewrap_that_may_nothing_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo bubblewrap 9.9; exit 0; }\n'
        f"echo 'bwrap: {os.strerror(errno.EPERM)}' >&2; exit 1\n"
    )
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    engine = LocalEngine(data_dir=tmp_path / "data", instance="test-local")
    info = await engine.open()
    assert info.version == "plain processes"
    assert os.strerror(errno.EPERM) in info.isolation
    ref = await engine.start(SandboxSpec(session_id="sess-1"))
    assert (await run(engine, ref, "echo runs")).output == b"runs\n"
    await engine.close()


async def test_a_start_that_is_cut_short_at_any_moment_leaves_no_process(isolated: LocalEngine, tmp_path: Path) -> None:
    for round_number in range(40):
        try:
            async with asyncio.timeout(0.0004 * round_number):
                await isolated.stop(await isolated.start(SandboxSpec(session_id="sess-1")))
        except TimeoutError:
            continue
    lines = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    assert [line for line in lines if any(str(tmp_path / "data" / "run") in word for word in line)] == []
