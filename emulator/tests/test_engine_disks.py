"""What every engine promises of its disks: one suite over all of them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import pytest
from chaser_emulator.sandbox import Engine, SandboxSpec, SandboxUnavailable
from engines import (  # noqa: F401 - fixtures are found by import
    anyio_backend_fixture,
    content_of,
    engine_fixture,
    needs_processes,
    run,
    stream,
)

pytestmark = pytest.mark.anyio
MIB = 1_048_576

TREE = r"""
mkdir -p deep/empty && chmod 750 deep/empty
echo text > file && chmod 640 file && ln file deep/twin && ln -s ../file deep/link && ln -s /nowhere dangling
printf '#!/bin/sh\n' > tool && chmod 4755 tool
name=$(printf 'odd \n\347 name'); echo odd > "$name"; echo dash > ./-rf
mkfifo pipe; touch .hidden; touch -d '2001-02-03 04:05:06' old
truncate -s 64M sparse; printf end >> sparse; printf X | dd of=sparse bs=1 seek=33554432 conv=notrunc 2>/dev/null
"""
"""Makes links, holes, modes, times and odd names."""

LOOK = r"""
stat -c '%a %h %s %F' deep/empty file deep/twin deep/link dangling tool .hidden pipe
test file -ef deep/twin && readlink deep/link; readlink dangling; stat -c %Y old
name=$(printf 'odd \n\347 name'); cat "$name" ./-rf; md5sum < sparse
"""
"""Prints all that is to be seen of them."""


def new() -> str:
    """The id of a disk that is not there yet."""
    return str(uuid4())


async def start(engine: Engine, disk_id: str) -> str:
    """A sandbox on a disk."""
    return await engine.start(SandboxSpec(session_id="sess-disk", workspace_id="w", disk_id=disk_id))


async def lines(engine: Engine, ref: str, command: str) -> list[str]:
    """What a command that succeeds prints."""
    ended = await run(engine, ref, command)
    assert ended.exit_code == 0, ended.output
    return ended.output.decode("utf-8", "surrogateescape").splitlines()


async def test_a_copy_holds_what_the_disk_held_and_lives_apart(engine: Engine) -> None:
    source, target = new(), new()
    ref = await start(engine, source)
    await engine.write_file(ref, "folder/text", stream(b"first"))
    await engine.copy_disk(source, target)  # while it is in use
    await engine.write_file(ref, "folder/text", stream(b"second"))
    await engine.stop(ref)
    assert {source, target} <= await engine.disks()
    other = await start(engine, target)
    assert await content_of(engine, other, "folder/text") == b"first"
    await engine.write_file(other, "folder/text", stream(b"third"))
    await engine.stop(other)
    ref = await start(engine, source)
    assert await content_of(engine, ref, "folder/text") == b"second"
    await engine.stop(ref)
    for disk in (source, target):
        await engine.delete_disk(disk)
        await engine.delete_disk(disk)
    assert not {source, target} & await engine.disks()


async def test_a_copy_of_what_is_not_there_is_empty(engine: Engine) -> None:
    target = new()
    await engine.copy_disk(new(), target)
    ref = await start(engine, target)
    await engine.write_file(ref, "text", stream(b"works"))
    assert await content_of(engine, ref, "text") == b"works"
    await engine.stop(ref)
    await engine.delete_disk(target)


async def test_links_modes_holes_times_and_odd_names_are_copied(engine: Engine) -> None:
    needs_processes(engine)
    source, target = new(), new()
    ref = await start(engine, source)
    await lines(engine, ref, TREE)
    before = await lines(engine, ref, LOOK)
    await engine.copy_disk(source, target)
    await engine.stop(ref)
    other = await start(engine, target)
    assert await lines(engine, other, LOOK) == before
    used = await lines(engine, other, "du -k sparse | cut -f 1")
    assert int(used[0]) < 8 * 1024
    await engine.stop(other)
    for disk in (source, target):
        await engine.delete_disk(disk)


async def test_files_that_vanish_do_not_fail_a_copy(engine: Engine) -> None:
    needs_processes(engine)
    source = new()
    ref = await start(engine, source)
    await lines(engine, ref, "seq 1 300 | sed 's/^/f/' | xargs touch; echo here > stays")
    churn = asyncio.create_task(
        run(engine, ref, "while [ ! -e stop ]; do seq 1 300 | sed 's/^/f/' | xargs rm -f; mkdir -p a/b; touch a/b/c;"
            " seq 1 300 | sed 's/^/f/' | xargs touch; rm -r a; done")
    )  # fmt: skip
    copies = [new() for _ in range(3)]
    for target in copies:
        await engine.copy_disk(source, target)
    await lines(engine, ref, "touch stop")
    await churn
    await engine.stop(ref)
    other = await start(engine, copies[-1])
    assert await content_of(engine, other, "stays") == b"here\n"
    await engine.stop(other)
    for disk in (source, *copies):
        await engine.delete_disk(disk)


async def test_a_copy_that_is_cancelled_leaves_nothing(engine: Engine) -> None:
    source = new()
    ref = await start(engine, source)
    await engine.write_file(ref, "large", stream(*[os.urandom(MIB)] * 20))
    await engine.stop(ref)
    before = await engine.disks()
    for pause in (0.0, 0.01, 0.1, 0.3):
        copying = asyncio.create_task(engine.copy_disk(source, target := new()))
        await asyncio.wait({copying}, timeout=pause)
        if not copying.done():
            copying.cancel()
            await asyncio.wait({copying})
        else:
            await engine.delete_disk(target)
        assert await engine.disks() == before
    await engine.delete_disk(source)


async def test_a_disk_is_filled_from_a_folder(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep" / "empty").mkdir(parents=True)
    (folder / "text").write_text("of this machine")
    (folder / "text").chmod(0o640)
    (folder / "deep" / "tool").write_text("#!/bin/sh\necho ran\n")
    (folder / "deep" / "tool").chmod(0o755)
    (folder / "large").write_bytes(bytes(range(256)) * 12_345)
    disk = new()
    await engine.fill_disk(disk, folder)
    assert disk in await engine.disks()
    ref = await start(engine, disk)
    assert await content_of(engine, ref, "text") == b"of this machine"
    assert await content_of(engine, ref, "large") == bytes(range(256)) * 12_345
    if engine.name != "scripted":
        assert await lines(engine, ref, "stat -c %a text; deep/tool; test -d deep/empty; stat -c %U text; id -un")
        mode, ran, owner, own = await lines(engine, ref, "stat -c %a text; deep/tool; stat -c %U text; id -un")
        assert (mode, ran, owner) == ("640", "ran", own)
    await engine.stop(ref)
    await engine.delete_disk(disk)


async def test_links_of_a_folder_stay_links(engine: Engine, tmp_path: Path) -> None:
    needs_processes(engine)
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_text("not to be followed")
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "one").write_text("twice")
    (folder / "two").hardlink_to(folder / "one")
    disk = new()
    await engine.fill_disk(disk, folder)
    ref = await start(engine, disk)
    assert await lines(engine, ref, "readlink out; test -L out && test one -ef two && stat -c %h two") == [
        str(tmp_path / "secret"),
        "2",
    ]
    await engine.stop(ref)
    await engine.delete_disk(disk)


async def test_the_size_counts_a_file_with_two_names_once(engine: Engine) -> None:
    needs_processes(engine)
    disk = new()
    ref = await start(engine, disk)
    await lines(engine, ref, "head -c 3145728 /dev/urandom > one; ln one two; sync")
    while_running = await engine.disk_bytes(disk)
    await engine.stop(ref)
    after = await engine.disk_bytes(disk)
    for size in (while_running, after):
        assert size is not None
        assert 3 * MIB <= size < 4 * MIB
    await engine.delete_disk(disk)


async def test_a_disk_that_is_too_deep_to_copy_is_refused_in_plain_words(engine: Engine) -> None:
    needs_processes(engine)
    source, target = new(), new()
    ref = await start(engine, source)
    half = "/".join(["d" * 250] * 12)
    await lines(engine, ref, f"mkdir -p {half} other/{half} && mv other {half}/")
    await engine.stop(ref)
    with pytest.raises(SandboxUnavailable, match=r"cannot be copied: a path in it is longer than 4096 bytes\.$"):
        await engine.copy_disk(source, target)
    assert target not in await engine.disks()
    await engine.delete_disk(source)
    assert source not in await engine.disks()
