"""What every engine tells of a disk without a sandbox on it: its entries, what tells contents apart, single files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chaser_emulator.sandbox import DiskEntry, Engine, NotAFile, NotAFolder, PathNotFound, TooMuch, files, looking
from engines import (  # noqa: F401 - fixtures are found by import
    anyio_backend_fixture,
    engine_fixture,
    needs_processes,
    stream,
)
from test_engine_disks import TREE, lines, new, start

pytestmark = pytest.mark.anyio


async def look(engine: Engine, disk: str, *, digests: bool = False) -> dict[str, DiskEntry]:
    """What is on a disk, by path; parents come before what is in them."""
    found = await engine.disk_entries(disk, digests=digests)
    paths = [entry.path for entry in found]
    assert paths == sorted(paths, key=lambda path: path.split("/"))
    return {entry.path: entry for entry in found}


async def content(engine: Engine, disk: str, path: str) -> bytes:
    download = await engine.read_disk_file(disk, path)
    data = b"".join([chunk async for chunk in download.chunks])
    assert len(data) == download.size
    return data


async def test_a_disk_tells_what_is_on_it_in_use_and_at_rest(engine: Engine) -> None:
    disk = new()
    assert await engine.disk_entries(disk) == []
    ref = await start(engine, disk)
    large = os.urandom(700_000)
    await engine.write_file(ref, "folder/deep/one", stream(large))
    await engine.write_file(ref, "folder/other", stream(large[:-1] + bytes([large[-1] ^ 1])))
    await engine.write_file(ref, "folder/same", stream(large))
    await engine.write_file(ref, "empty", stream())
    in_use = await look(engine, disk, digests=True)
    assert await content(engine, disk, "folder/deep/one") == large
    await engine.stop(ref)
    at_rest = await look(engine, disk, digests=True)
    assert at_rest == in_use
    told = {path: (entry.kind, entry.size, oct(entry.mode)) for path, entry in at_rest.items()}
    assert told == {
        "empty": ("file", 0, "0o644"),
        "folder": ("directory", None, "0o755"),
        "folder/deep": ("directory", None, "0o755"),
        "folder/deep/one": ("file", 700_000, "0o644"),
        "folder/other": ("file", 700_000, "0o644"),
        "folder/same": ("file", 700_000, "0o644"),
    }
    inner = [entry.path for entry in await engine.disk_entries(disk, "folder", recursive=False)]
    assert inner == ["folder/deep", "folder/other", "folder/same"]
    assert [entry.path for entry in await engine.disk_entries(disk, "folder/deep")] == ["folder/deep/one"]
    with pytest.raises(PathNotFound):
        await engine.disk_entries(disk, "folder/missing")
    with pytest.raises(NotAFolder):
        await engine.disk_entries(disk, "folder/same")
    with pytest.raises(PathNotFound):
        await engine.disk_entries(new(), "folder")
    digests = {path: at_rest[f"folder/{path}"].digest for path in ("deep/one", "other", "same")}
    assert digests["deep/one"] == digests["same"] != digests["other"]
    assert all(entry.digest is None for entry in await engine.disk_entries(disk))
    assert await content(engine, disk, "empty") == b""
    assert await content(engine, disk, "folder/same") == large
    await engine.delete_disk(disk)


async def test_links_modes_holes_times_and_odd_names_are_told(engine: Engine) -> None:
    needs_processes(engine)
    disk = new()
    ref = await start(engine, disk)
    await lines(engine, ref, TREE + "truncate -s 8M hole; head -c 8388608 /dev/zero > zeros; chmod 0 .hidden")
    await engine.stop(ref)
    found = await look(engine, disk, digests=True)
    told = {path: (entry.kind, entry.size, entry.target) for path, entry in found.items()}
    assert told["deep/link"] == ("symlink", None, "../file")
    assert told["dangling"] == ("symlink", None, "/nowhere")
    assert told["deep/empty"] == ("directory", None, None)
    assert told["pipe"] == ("other", None, None)
    assert told["sparse"] == ("file", 64 * 2**20 + 3, None)
    assert told["deep/twin"] == told["file"] == ("file", 5, None)
    assert [oct(found[path].mode) for path in ("deep/empty", "file", "tool", ".hidden")] == [
        "0o750", "0o640", "0o4755", "0o0",
    ]  # fmt: skip
    assert found["old"].modified == 981_173_106
    assert found["hole"].digest == found["zeros"].digest
    assert found["file"].digest == found["deep/twin"].digest is not None
    odd = os.fsdecode(b"odd \n\347 name")
    assert odd in found
    assert await content(engine, disk, "-rf") == b"dash\n"
    if engine.name == "local":  # a container engine takes names in UTF-8 alone
        assert await content(engine, disk, odd) == b"odd\n"
    await engine.delete_disk(disk)


async def test_no_link_is_followed_and_only_files_are_read(engine: Engine) -> None:
    disk = new()
    ref = await start(engine, disk)
    await engine.write_file(ref, "folder/text", stream(b"text"))
    if engine.name != "scripted":
        await lines(
            engine,
            ref,
            "ln -s /etc/passwd out; ln -s folder/text link; ln -s folder through; ln -s / root; mkfifo pipe",
        )
    await engine.stop(ref)
    for path in ("missing", "folder/missing", "folder/text/below"):
        with pytest.raises((PathNotFound, NotAFile)):
            await engine.read_disk_file(disk, path)
    with pytest.raises(NotAFile, match="folder is a folder"):
        await engine.read_disk_file(disk, "folder")
    if engine.name != "scripted":
        for path in ("out", "link", "through/text", "root/etc/passwd"):
            with pytest.raises(NotAFile, match="link"):
                await engine.read_disk_file(disk, path)
        for path in ("through", "root"):
            with pytest.raises(NotAFolder):
                await engine.disk_entries(disk, path)
        with pytest.raises(NotAFile, match="no regular file"):
            await engine.read_disk_file(disk, "pipe")
    await engine.delete_disk(disk)


def test_of_too_much_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcd":
        (tmp_path / name).write_bytes(bytes(100))
    monkeypatch.setattr(looking, "MOST_ENTRIES", 3)
    with pytest.raises(TooMuch, match="more than 3"):
        looking.of_folder(tmp_path, digests=False)
    monkeypatch.setattr(looking, "MOST_ENTRIES", 4)
    monkeypatch.setattr(looking, "MOST_BYTES", 399)
    assert len(looking.of_folder(tmp_path, digests=False)) == 4
    with pytest.raises(TooMuch, match="not compared"):
        looking.of_folder(tmp_path, digests=True)


def test_deep_folders_are_told_as_far_as_a_path_can_be_named(tmp_path: Path) -> None:
    top = os.open(tmp_path, os.O_RDONLY)
    here = os.dup(top)
    names = ("a" * 40, "z" * 40)
    for depth in range(110):
        for name in names:
            os.mkdir(name, dir_fd=here)
        if depth == 90:
            os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
        inner = os.open(names[depth % 2], os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    os.close(top)
    found = looking.of_folder(tmp_path, digests=True)
    for name in names:
        files.remove_tree(tmp_path / name)  # too deep for others
    assert [entry.path.count("/") for entry in found if entry.kind == "file"] == [90]
    assert max(entry.path.count("/") for entry in found) == 98
    assert len(found) == 2 * 99 + 1
