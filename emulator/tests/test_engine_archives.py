"""What every engine promises of disks that leave it as archives and come back, and what no archive may do."""

from __future__ import annotations

import asyncio
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from chaser_emulator.sandbox import Engine, archives
from engines import (  # noqa: F401 - fixtures are found by import
    anyio_backend_fixture,
    content_of,
    engine_fixture,
    needs_processes,
    run,
    stream,
)
from test_engine_disks import LOOK, TREE, lines, new, start

pytestmark = pytest.mark.anyio

SHUT = r"""
mkdir shut; echo 1 > shut/in; chmod 0 shut/in shut
long=$(printf '%0200d' 0); mkdir $long; echo deep > $long/$long
"""
"""Makes what its owner may not read, and a path that is too long for the older forms of an archive."""

LOOK_AT_SHUT = r"""
stat -c '%a %h %s %F' shut; cat 0*/*
"""


async def move(engine: Engine, source: str, target: str, archive: Path, *, owners: bool = True) -> None:
    """Make a disk of another one, by way of a file."""
    with archive.open("w+b") as file:
        await engine.export_disk(source, file)
        file.seek(0)
        archives.check(file)
        file.seek(0)
        await engine.import_disk(target, file, owners=owners)


async def test_a_disk_comes_back_from_its_archive_and_lives_apart(engine: Engine, tmp_path: Path) -> None:
    source, target, empty = new(), new(), new()
    ref = await start(engine, source)
    await engine.write_file(ref, "folder/deep/text", stream(b"first"))
    await move(engine, source, target, tmp_path / "disk.tar")  # while it is in use
    await engine.write_file(ref, "folder/deep/text", stream(b"second"))
    await engine.stop(ref)
    before = await engine.disks()
    assert {source, target} <= before
    other = await start(engine, target)
    assert await content_of(engine, other, "folder/deep/text") == b"first"
    await engine.write_file(other, "folder/deep/more", stream(b"written"))
    await engine.stop(other)
    await move(engine, new(), empty, tmp_path / "empty.tar")
    ref = await start(engine, empty)
    assert (await engine.list_files(ref, "/workspace", recursive=True, limit=10)).entries == []
    await engine.stop(ref)
    assert await engine.disks() == before | {empty}
    for disk in (source, target, empty):
        await engine.delete_disk(disk)


@pytest.mark.parametrize("owners", [True, False], ids=["owners", "ours"])
async def test_links_modes_times_and_odd_names_survive(engine: Engine, tmp_path: Path, owners: bool) -> None:
    needs_processes(engine)
    source, target = new(), new()
    ref = await start(engine, source)
    await lines(engine, ref, TREE + SHUT)
    look = LOOK + LOOK_AT_SHUT
    before = await lines(engine, ref, look)
    await engine.stop(ref)
    await move(engine, source, target, tmp_path / "disk.tar", owners=owners)
    other = await start(engine, target)
    assert await lines(engine, other, look) == before
    if engine.name == "local":
        used = await lines(engine, other, "du -k sparse | cut -f 1")
        assert int(used[0]) < 8 * 1024
        assert (tmp_path / "disk.tar").stat().st_size < 1_000_000
    await lines(engine, other, "chmod 700 shut && chmod 600 shut/in && echo 2 >> shut/in")
    await engine.stop(other)
    for disk in (source, target):
        await engine.delete_disk(disk)


async def test_owners_survive_where_there_are_several(engine: Engine, tmp_path: Path) -> None:
    if engine.name != "docker":
        pytest.skip("its sandboxes have one user")
    source, kept, ours = new(), new(), new()
    ref = await start(engine, source)
    await lines(engine, ref, "echo text > file && chown 1234:4321 file && mkdir in && chown 77 in")
    await engine.stop(ref)
    await move(engine, source, kept, tmp_path / "disk.tar")
    await move(engine, source, ours, tmp_path / "disk.tar", owners=False)
    for disk, expected in ((kept, ["1234:4321", "77:0"]), (ours, ["0:0", "0:0"])):
        ref = await start(engine, disk)
        assert await lines(engine, ref, "stat -c %u:%g file in") == expected
        await engine.stop(ref)
    for disk in (source, kept, ours):
        await engine.delete_disk(disk)


async def test_files_that_change_do_not_spoil_an_archive(engine: Engine, tmp_path: Path) -> None:
    needs_processes(engine)
    source, target = new(), new()
    ref = await start(engine, source)
    await lines(engine, ref, "echo here > stays")
    churn = asyncio.create_task(
        run(engine, ref, "while [ ! -e stop ]; do seq 1 5000 >> log; [ $(wc -c < log) -lt 9999999 ] || : > log; done")
    )
    await move(engine, source, target, tmp_path / "disk.tar")
    await lines(engine, ref, "touch stop")
    await churn
    await engine.stop(ref)
    other = await start(engine, target)
    assert await content_of(engine, other, "stays") == b"here\n"
    await engine.stop(other)
    for disk in (source, target):
        await engine.delete_disk(disk)


async def test_an_import_that_fails_leaves_nothing(engine: Engine) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 200_000:
                raise OSError(28, "No space left on device")
            return super().read(size)

        def readinto(self, buffer: object, /) -> int:
            raise NotImplementedError

    whole = archive(lambda tar: add(tar, "disk/large", content=os.urandom(900_000)))
    before = await engine.disks()
    with pytest.raises(Exception, match=r"[Ss]pace|archive|engine"):
        await engine.import_disk(new(), Broken(whole), owners=True)
    assert await engine.disks() == before


# What no archive may do


def add(tar: tarfile.TarFile, name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"") -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    tar.addfile(info, io.BytesIO(content))


def archive(fill: Callable[[tarfile.TarFile], None]) -> bytes:
    """An archive with the folder of a disk, and more."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        add(tar, "disk", tarfile.DIRTYPE)
        fill(tar)
    return file.getvalue()


def through_a_link(tar: tarfile.TarFile) -> None:
    add(tar, "disk/out", tarfile.SYMTYPE, "/etc")
    add(tar, "disk/out/passwd", content=b"x")


def over_a_link(tar: tarfile.TarFile) -> None:
    add(tar, "disk/out", tarfile.SYMTYPE, "/etc/passwd")
    add(tar, "disk/out", content=b"x")


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (lambda tar: add(tar, "/etc/passwd"), "in no folder of the disk"),
        (lambda tar: add(tar, "other/file"), "in no folder of the disk"),
        (lambda tar: add(tar, "disk/../file"), "in no folder of the disk"),
        (lambda tar: add(tar, "disk/.."), "in no folder of the disk"),
        (lambda tar: add(tar, "disk/./file"), "in no folder of the disk"),
        (lambda tar: add(tar, "disk/missing/file"), "in no folder of the disk"),
        (through_a_link, "in no folder of the disk"),
        (over_a_link, "in it twice"),
        (lambda tar: add(tar, "disk/passwd", tarfile.LNKTYPE, "/etc/passwd"), "no file of the disk"),
        (lambda tar: add(tar, "disk/passwd", tarfile.LNKTYPE, "disk/../../etc/passwd"), "no file of the disk"),
        (lambda tar: add(tar, "disk/null", tarfile.CHRTYPE), "no file, folder, link or pipe"),
        (lambda tar: add(tar, "disk/sda", tarfile.BLKTYPE), "no file, folder, link or pipe"),
    ],
    ids=[
        "absolute", "beside", "above", "the-parent", "dot", "no-folder", "through-a-link", "over-a-link", "hard-link",
        "hard-link-above", "device", "disk",
    ],
)  # fmt: skip
def test_an_archive_that_would_leave_its_folder_is_refused(fill: Callable[[tarfile.TarFile], None], said: str) -> None:
    with pytest.raises(archives.ArchiveError, match=said):
        archives.check(io.BytesIO(archive(fill)))


def with_headers(name: str, **headers: str) -> Callable[[tarfile.TarFile], None]:
    """A file whose entry says more of it; `GNU_sparse_` stands for what has dots there."""

    def fill(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = 512
        info.pax_headers = {key.replace("GNU_sparse_", "GNU.sparse."): value for key, value in headers.items()}
        content = f"{headers.get('parts', '')}".encode()
        tar.fileobj.write(info.tobuf(tarfile.PAX_FORMAT) + content + bytes(512 - len(content)))

    return fill


def with_parts(size: int, parts: str) -> Callable[[tarfile.TarFile], None]:
    """A file with holes: its size, and the map of what is there, as GNU tar writes it."""
    return with_headers(
        "sparse", GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_name="disk/file",
        GNU_sparse_realsize=str(size), parts=parts,
    )  # fmt: skip


@pytest.mark.parametrize("at", ["nan", "inf", "-inf", "1e30"])
def test_a_time_that_no_file_has_is_refused(at: str) -> None:
    with pytest.raises(archives.ArchiveError, match="no time"):
        archives.check(io.BytesIO(archive(with_headers("disk/file", mtime=at))))


@pytest.mark.parametrize(
    ("size", "parts"),
    [(100, "1\n-5\n3\n"), (100, "1\n0\n1000\n"), (100, "2\n0\n3\n1\n3\n"), (100, f"1\n{2**62}\n3\n"), (-1, "0\n")],
    ids=["before", "longer", "over", "behind", "negative"],
)
def test_parts_of_a_file_with_holes_stay_in_it(size: int, parts: str) -> None:
    with pytest.raises(archives.ArchiveError, match="no place for them"):
        archives.check(io.BytesIO(archive(with_parts(size, parts))))


def test_holes_are_counted_and_the_archive_can_be_read_again() -> None:
    file = io.BytesIO(archive(with_parts(2**40, f"1\n{2**40}\n0\n")))
    archives.check(file)
    file.seek(0)
    assert archives.holes(file) == 2**40
    assert file.tell() == 0


@pytest.mark.parametrize("content", [b"", b"x" * 1024, bytes(1024)], ids=["nothing", "letters", "zeros"])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(archives.ArchiveError):
        archives.check(io.BytesIO(content))
