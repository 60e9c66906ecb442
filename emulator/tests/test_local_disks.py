"""What the local engine promises of disks beyond the common suite: whole or not at all, with nothing of the host."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from chaser_emulator.sandbox import CommandSpec, DiskFull, SandboxSpec, SandboxUnavailable
from chaser_emulator.sandbox.local import Isolation, LocalEngine
from engines import anyio_backend_fixture, run  # noqa: F401 - a fixture among them
from requirements import require

pytestmark = pytest.mark.anyio
MIB = 1_048_576
KINDS: tuple[Isolation, ...] = ("bubblewrap", "none")


def engine_in(folder: Path, kind: Isolation) -> LocalEngine:
    """A local engine of this kind, always with the same instance's name."""
    if kind == "bubblewrap":
        require("bubblewrap")
    return LocalEngine(data_dir=folder, instance="test-disks", isolation=kind)


@pytest.fixture(params=KINDS)
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LocalEngine]:
    """An open engine, with and without isolation, whose data is in `tmp_path / "data"`."""
    one = engine_in(tmp_path / "data", request.param)
    await one.open()
    yield one
    await one.close()


def on_disk(tmp_path: Path) -> set[str]:
    """All that lies where the disks are, whatever it is called."""
    return set(os.listdir(tmp_path / "data" / "workspaces"))


def copying(folder: Path) -> list[psutil.Process]:
    """Every cp that works below a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "cp" in words and any(str(folder) in word for word in words):
            found.append(process)
    return found


def emulator_that_copies(folder: Path, kind: Isolation) -> subprocess.Popen[bytes]:
    """Another emulator's engine on the same data, making one copy of `source` after the other."""
    script = """
        import asyncio, sys
        from pathlib import Path
        from chaser_emulator.sandbox.local import LocalEngine

        async def main():
            engine = LocalEngine(data_dir=Path(sys.argv[1]), instance="test-disks", isolation=sys.argv[2])
            await engine.open()
            number = 0
            while True:
                number += 1
                await engine.copy_disk("source", f"copy-{number}")

        asyncio.run(main())
    """
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(folder), kind])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 4 MB of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_odd_entries_are_copied_as_they_are(engine: LocalEngine, tmp_path: Path) -> None:
    ref = await engine.start(SandboxSpec(session_id="sess-1", disk_id="source"))
    script = r"""
    mkdir -p d/empty d/shut; echo text > d/file; ln d/file d/hard; ln -s /etc/passwd d/link; ln -s nowhere d/dangling
    mkfifo d/fifo; truncate -s 50M d/holes; echo end >> d/holes; touch d/-n "d/$(printf 'odd\nname\377')"
    chmod 0640 d/file; chmod 0555 d/shut; chmod 4755 d/holes; touch -d 2001-02-03T04:05:06 d/empty; chmod 0750 .
    """
    assert (await run(engine, ref, script)).exit_code == 0
    await engine.copy_disk("source", "target")
    source, target = (os.fsencode(tmp_path / "data" / "workspaces" / name) for name in ("source", "target"))

    def seen(root: bytes) -> dict[bytes, tuple[object, ...]]:
        found: dict[bytes, tuple[object, ...]] = {}
        for parent, folders, names in os.walk(root):
            for name in (b".", *folders, *names):
                path = os.path.join(parent, name)
                at = os.lstat(path)
                link = os.readlink(path) if stat.S_ISLNK(at.st_mode) else b""
                size = at.st_size if stat.S_ISREG(at.st_mode) else 0
                links = at.st_nlink if stat.S_ISREG(at.st_mode) else 0
                found[os.path.relpath(path, root)] = (at.st_mode, at.st_mtime_ns, size, links, link)
        return found

    assert seen(target) == seen(source)
    assert b"odd\nname\xff" in os.listdir(os.path.join(target, b"d"))
    hard = [os.lstat(os.path.join(target, b"d", name)).st_ino for name in (b"file", b"hard")]
    assert hard[0] == hard[1]
    used = await engine.disk_bytes("target")
    assert used is not None
    assert used < MIB


async def test_a_disk_in_use_is_copied_while_it_changes(engine: LocalEngine) -> None:
    ref = await engine.start(SandboxSpec(session_id="sess-1", disk_id="source"))
    await run(engine, ref, "mkdir kept; for i in $(seq 200); do echo $i > kept/$i; done")
    churn = "while :; do mkdir -p come/and; touch come/and/go; rm -rf come; mv kept/1 kept/0; mv kept/0 kept/1; done"
    process = await engine.exec(ref, CommandSpec(f"yes > grows & {churn}"))
    async with asyncio.timeout(30):  # the file grows as fast as it is read
        for number in range(3):
            await engine.copy_disk("source", f"copy-{number}")
    await process.signal(signal.SIGKILL)
    await engine.stop(ref)
    for number in range(3):
        ref = await engine.start(SandboxSpec(session_id="sess-2", disk_id=f"copy-{number}"))
        assert int((await run(engine, ref, "ls kept | grep -vx '[01]' | wc -l")).output) == 199
        await engine.stop(ref)


async def test_a_folder_that_becomes_a_link_leads_nowhere(tmp_path: Path) -> None:
    engine = engine_in(tmp_path / "data", "bubblewrap")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("secret")
    await engine.open()
    ref = await engine.start(SandboxSpec(session_id="sess-1", disk_id="source"))
    swap = f"ln -s {secret} link; mkdir real; while :; do mv real at; mv at real; mv link at; mv at link; done"
    process = await engine.exec(ref, CommandSpec(swap))
    for number in range(20):
        await engine.copy_disk("source", f"copy-{number}")
        copied = tmp_path / "data" / "workspaces" / f"copy-{number}"
        assert list(copied.rglob("file")) == []
    await process.signal(signal.SIGKILL)
    await engine.close()


async def test_a_copy_that_is_cancelled_leaves_nothing(engine: LocalEngine, tmp_path: Path) -> None:
    ref = await engine.start(SandboxSpec(session_id="sess-1", disk_id="source"))
    await run(engine, ref, "for i in $(seq 1000); do echo $i > $i; done; head -c 30000000 /dev/zero > large")
    for pause in (0.0, 0.005, 0.02, 0.05):
        copy = asyncio.create_task(engine.copy_disk("source", "target"))
        await asyncio.wait({copy}, timeout=pause)
        copy.cancel()
        await asyncio.wait({copy})
        if copy.cancelled():
            assert on_disk(tmp_path) == {"source"}
        await engine.delete_disk("target")
    async with asyncio.timeout(5):
        while copying(tmp_path):  # noqa: ASYNC110 - asked of the machine
            await asyncio.sleep(0.02)
    assert await engine.disks() == {"source"}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_killed_emulator_left_is_cleared(kind: Isolation, tmp_path: Path) -> None:
    engine = engine_in(tmp_path / "data", kind)
    await engine.open()
    ref = await engine.start(SandboxSpec(session_id="sess-1", disk_id="source"))
    await run(engine, ref, "mkdir d; for i in $(seq 2000); do echo $i > d/$i; done; mkfifo pipe")
    await engine.close()
    with emulator_that_copies(tmp_path / "data", kind) as emulator:
        async with asyncio.timeout(10):
            while not any(name.startswith(".partial-") for name in on_disk(tmp_path)):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        emulator.kill()
    engine = engine_in(tmp_path / "data", kind)
    await engine.open()
    assert on_disk(tmp_path) == await engine.disks()
    assert copying(tmp_path) == []
    for disk_id in await engine.disks():
        folder = tmp_path / "data" / "workspaces" / disk_id
        assert (len(os.listdir(folder / "d")), len(os.listdir(folder))) == (2000, 2)
        await engine.delete_disk(disk_id)
    await engine.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_full_disk_is_said_and_leaves_nothing(kind: Isolation, small_disk: Path, tmp_path: Path) -> None:
    engine = engine_in(small_disk, kind)
    await engine.open()
    ref = await engine.start(SandboxSpec(session_id="sess-1", disk_id="source"))
    await run(engine, ref, "head -c 2500000 /dev/urandom > large")
    with pytest.raises(DiskFull):
        await engine.copy_disk("source", "target")
    assert on_disk(tmp_path) == {"source"}
    await engine.close()


async def test_a_disk_is_filled_from_a_folder(engine: LocalEngine, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "a" / "empty").mkdir(parents=True)
    (folder / "a" / "file").write_text("text")
    (folder / "a" / "file").chmod(0o750)
    (folder / "link").symlink_to("a/file")
    (folder / "out").symlink_to("/etc/shadow")
    if os.geteuid() == 0:
        os.chown(folder / "a" / "file", 12345, 12345)
    await engine.fill_disk("filled", folder)
    filled = tmp_path / "data" / "workspaces" / "filled"
    assert os.readlink(filled / "out") == "/etc/shadow"
    assert (filled / "a" / "file").stat().st_uid == os.geteuid()
    ref = await engine.start(SandboxSpec(session_id="sess-1", disk_id="filled"))
    assert (await run(engine, ref, "cat link; test -x a/file && test -d a/empty && echo ok")).output == b"textok\n"
    with pytest.raises(SandboxUnavailable):
        await engine.fill_disk("other", tmp_path / "not-there")
    assert await engine.disks() == {"filled"}


async def test_a_workspace_that_is_shut_to_its_owner_is_copied_and_deleted(tmp_path: Path) -> None:
    engine = engine_in(tmp_path / "data", "bubblewrap")
    await engine.open()
    ref = await engine.start(SandboxSpec(session_id="sess-1", disk_id="source"))
    await run(engine, ref, "mkdir shut; echo text > shut/file; chmod 000 shut/file shut .")
    await engine.stop(ref)
    await engine.copy_disk("source", "target")
    await engine.delete_disk("source")
    assert await engine.disks() == {"target"}
    ref = await engine.start(SandboxSpec(session_id="sess-2", disk_id="target"))
    assert (
        await run(engine, ref, "chmod 700 /workspace; chmod -R 700 /workspace/shut; cat /workspace/shut/file", cwd="/")
    ).output == b"text\n"
    await engine.close()


async def test_a_disk_of_any_depth_is_measured_refused_to_copies_and_deleted(
    engine: LocalEngine, tmp_path: Path
) -> None:
    await engine.stop(await engine.start(SandboxSpec(session_id="sess-1", disk_id="deep")))
    at = os.open(tmp_path / "data" / "workspaces" / "deep", os.O_RDONLY)
    for _ in range(2500):
        os.mkdir("d", dir_fd=at)
        above, at = at, os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(above)
    end = os.open("end", os.O_WRONLY | os.O_CREAT, dir_fd=at)
    os.write(end, bytes(40_000))
    os.close(end)
    os.close(at)
    used = await engine.disk_bytes("deep")
    assert used is not None
    assert used >= 40_000
    with pytest.raises(SandboxUnavailable, match="longer than 4096 bytes"):
        await engine.copy_disk("deep", "target")
    await engine.delete_disk("deep")
    assert on_disk(tmp_path) == set()
