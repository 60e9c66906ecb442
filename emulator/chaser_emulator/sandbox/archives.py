"""A disk as a tar archive: written from a folder, checked before anything is made of it, and unpacked to a folder.

In the archive all of a disk is below the folder `disk`, parents before what is in them. It has folders, files, links
and pipes with their modes, times (to the second) and owners. A file with holes is a sparse one. Devices and sockets
are left out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, BinaryIO, cast

ROOT = "disk"
"""The folder of an archive that holds the disk."""

_CHUNK = 256 * 1024
_BLOCK = 512
_KINDS = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE}
END = bytes(2 * _BLOCK)
"""What an archive ends with."""

_SPARSE = "GNU.sparse."
_LONGEST_NAME, _LONGEST_PATH = 255, 4095
"""Bytes that Linux takes."""

_END_OF_TIME = 2**62
"""Seconds since 1970 beyond which no system sets the time of a file."""


class ArchiveError(Exception):
    """The archive is none of a disk: it is damaged, or made to write where it should not. The text says how."""


# Out


def write(folder: Path, to: BinaryIO) -> None:
    """Write a folder that nobody else uses; what its owner may not read is opened up in it on the way."""
    first: dict[tuple[int, int], str] = {}
    for path, name, state in _below(folder):
        info = tarfile.TarInfo(name)
        info.mode, info.mtime = stat.S_IMODE(state.st_mode), int(state.st_mtime)
        info.uid, info.gid = state.st_uid, state.st_gid
        if stat.S_ISDIR(state.st_mode):
            info.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(state.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
        elif stat.S_ISFIFO(state.st_mode):
            info.type = tarfile.FIFOTYPE
        elif not stat.S_ISREG(state.st_mode):
            continue
        elif state.st_nlink > 1 and (known := first.setdefault((state.st_dev, state.st_ino), name)) != name:
            info.type, info.linkname = tarfile.LNKTYPE, known
        else:
            info.size = state.st_size
            _write_file(path, info, state, to)
            continue
        to.write(_head(info))
    to.write(END)


def _below(folder: Path) -> Iterator[tuple[str, str, os.stat_result]]:
    """Everything in a folder and the folder itself, as (path, name in the archive, state), parents first."""
    waiting = [(str(folder), ROOT)]
    while waiting:
        path, name = waiting.pop()
        state = os.lstat(path)
        yield path, name, state
        if stat.S_ISDIR(state.st_mode):
            if state.st_mode & 0o500 != 0o500:
                os.chmod(path, 0o700)
            waiting += sorted(
                ((os.path.join(path, inner), f"{name}/{inner}") for inner in os.listdir(path)), reverse=True
            )


def _write_file(path: str, info: tarfile.TarInfo, state: os.stat_result, to: BinaryIO) -> None:
    if state.st_mode & 0o400 == 0:
        os.chmod(path, 0o600)
    with open(path, "rb") as file:
        found = parts(file.fileno(), state)
        if found is not None:
            # As GNU tar writes them since 1.14: a map of what is there, then that.
            places = "".join(f"{start}\n{length}\n" for start, length in found)
            plan = f"{len(found)}\n{places}".encode()
            plan += bytes(-len(plan) % _BLOCK)
            info.pax_headers = {
                f"{_SPARSE}major": "1",
                f"{_SPARSE}minor": "0",
                f"{_SPARSE}name": info.name,
                f"{_SPARSE}realsize": str(info.size),
            }
            info.name, info.size = "sparse", len(plan) + sum(length for _, length in found)
            to.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
            to.write(plan)
        else:
            to.write(_head(info))
        for start, length in [(0, info.size)] if found is None else found:
            file.seek(start)
            for chunk in _read(file, length):
                to.write(chunk)
    to.write(bytes(-info.size % _BLOCK))


def parts(fd: int, state: os.stat_result) -> list[tuple[int, int]] | None:
    """Where a file has data, as (start, length); None for one without holes, or where they cannot be told."""
    if state.st_blocks * 512 >= state.st_size or not hasattr(os, "SEEK_DATA"):
        return None
    found, at = [], 0
    try:
        while at < state.st_size:
            start = os.lseek(fd, at, os.SEEK_DATA)
            at = os.lseek(fd, start, os.SEEK_HOLE)
            found.append((start, at - start))
    except OSError as error:
        if error.errno != errno.ENXIO:  # no data after this
            return None
    finally:
        os.lseek(fd, 0, os.SEEK_SET)
    # The end is a part of its own, so that whoever reads it knows how long the file is.
    return [*found, (state.st_size, 0)]


def _head(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _read(file: BinaryIO, length: int) -> Iterator[bytes]:
    """So many bytes of a file; zeros where it has become shorter."""
    left = length
    while left and (chunk := file.read(min(_CHUNK, left))):
        left -= len(chunk)
        yield chunk
    while left:
        yield bytes(min(_CHUNK, left))
        left -= min(_CHUNK, left)


# In


@contextlib.contextmanager
def reading(archive: BinaryIO, *, stream: bool = False) -> Iterator[tarfile.TarFile]:
    """The entries of an archive, to be read once, in order. Raises ArchiveError."""
    try:
        with tarfile.open(fileobj=archive, mode="r|" if stream else "r:", errors="surrogateescape") as tar:
            yield tar
    except (tarfile.TarError, EOFError, UnicodeError, ValueError, OverflowError) as error:
        raise ArchiveError(f"it is no tar archive: {error}") from error


def check(archive: BinaryIO) -> None:
    """Raise ArchiveError unless everything in an archive stays in its folder and is of a kind that a disk has.

    Whatever an entry is put into must be a folder that came before it, so no link can lead out.
    """
    kinds: dict[str, bytes] = {}
    with reading(archive) as tar:
        for info in tar:
            name, said = info.name, f"{info.name[:200]!r}"
            if info.type not in _KINDS:
                raise ArchiveError(f"{said} is no file, folder, link or pipe")
            parent, _, last = name.rpartition("/")
            if name in kinds:
                raise ArchiveError(f"{said} is in it twice")
            if (kinds.get(parent) != tarfile.DIRTYPE or last in ("", ".", "..")) and (name != ROOT or kinds):
                raise ArchiveError(f"{said} is in no folder of the disk")
            if name == ROOT and not info.isdir():
                raise ArchiveError(f"{said} is no folder")
            if info.islnk() and kinds.get(info.linkname) not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise ArchiveError(f"{said} is another name of what is no file of the disk")
            if not abs(info.mtime) < _END_OF_TIME:
                raise ArchiveError(f"{said} is of no time that there is")
            if not _fits(info):
                raise ArchiveError(f"{said} has parts where it has no place for them")
            if "\0" in name or "\0" in info.linkname or (info.issym() and not info.linkname):
                raise ArchiveError(f"{said} is no name")
            if len(os.fsencode(name)) > _LONGEST_PATH or len(os.fsencode(last)) > _LONGEST_NAME:
                raise ArchiveError(f"{said} is a longer name than a file can have")
            kinds[name] = info.type
    if not kinds:
        raise ArchiveError("it is empty")


def _fits(info: tarfile.TarInfo) -> bool:
    """Whether the parts of a file with holes follow one another, up to its end."""
    end = 0
    for start, length in _map_of(info) or ():
        if start < end or length < 0:
            return False
        end = start + length
    return end <= info.size


def _map_of(info: tarfile.TarInfo) -> Sequence[tuple[int, int]] | None:
    return cast("Sequence[tuple[int, int]] | None", info.sparse)


def holes(archive: BinaryIO) -> int:
    """How many bytes of an archive's files are in none of their parts; it can be read again afterwards."""
    at = archive.tell()
    with reading(archive) as tar:
        found = sum(info.size - sum(length for _, length in _map_of(info) or ()) for info in tar if info.issparse())
    archive.seek(at)
    return found


def unpack(archive: BinaryIO, folder: Path, *, owners: bool) -> None:
    """Fill an empty folder, in which nobody else is at work, with an archive that was checked.

    With `owners` all belongs to whom it belonged, else to us.
    """
    folders: list[tuple[Path, tarfile.TarInfo]] = []
    with reading(archive) as tar:
        for info in tar:
            path = folder / info.name[len(ROOT) + 1 :]
            if info.isdir():
                folders.append((path, info))
                if info.name != ROOT:
                    path.mkdir(0o700)
                continue
            if info.islnk():
                os.link(folder / info.linkname[len(ROOT) + 1 :], path, follow_symlinks=False)
                continue
            if info.issym():
                path.symlink_to(info.linkname)
            elif info.isfifo():
                os.mkfifo(path, 0o600)
            else:
                _unpack_file(tar, info, path)
            _finish(path, info, owners=owners)
    # Last, as their times change with what is put into them, and their modes may forbid that.
    for path, info in reversed(folders):
        _finish(path, info, owners=owners)


def _unpack_file(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(info)
    with open(path, "xb") as file:
        parts = _map_of(info)
        for start, length in [(0, info.size)] if parts is None else parts:
            if content is None or length == 0:
                continue
            content.seek(start)
            file.seek(start)
            for chunk in _read_exactly(content, length, info):
                file.write(chunk)
        file.truncate(info.size)


def _read_exactly(content: IO[bytes], length: int, info: tarfile.TarInfo) -> Iterator[bytes]:
    left = length
    while left:
        chunk = content.read(min(_CHUNK, left))
        if not chunk:
            raise ArchiveError(f"{info.name[:200]!r} ends early")
        left -= len(chunk)
        yield chunk


def _finish(path: Path, info: tarfile.TarInfo, *, owners: bool) -> None:
    if owners:
        os.chown(path, info.uid, info.gid, follow_symlinks=False)
    if not info.issym():
        path.chmod(stat.S_IMODE(info.mode))
    os.utime(path, (info.mtime, info.mtime), follow_symlinks=False)


# From one place to another


def empty() -> bytes:
    """The archive of a disk with nothing on it."""
    return head(ROOT, tarfile.DIRTYPE, 0o755) + END


def head(name: str, kind: bytes, mode: int, size: int = 0) -> bytes:
    """What stands before the content of an entry of nobody in particular."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size = kind, mode, size
    return _head(info)


def rewritten(archive: BinaryIO, owner: tuple[int, int] | None = None, *, stream: bool = False) -> Iterator[bytes]:
    """An archive once more, without what a disk does not have, and with holes filled; all is `owner`'s, if given.

    With `stream` it is one that cannot be gone back in.
    """
    with reading(archive, stream=stream) as tar:
        for info in tar:
            if info.type not in _KINDS and not info.issparse():
                continue
            content = tar.extractfile(info) if info.isreg() else None
            info.uname = info.gname = ""
            info.name = info.name.rstrip("/")
            info.pax_headers = {}
            info.mtime = int(info.mtime)
            if owner is not None:
                info.uid, info.gid = owner
            if info.isreg():
                info.type = tarfile.REGTYPE
            yield _head(info)
            if content is not None:
                yield from _read_exactly(content, info.size, info)
                yield bytes(-info.size % _BLOCK)
    yield END
