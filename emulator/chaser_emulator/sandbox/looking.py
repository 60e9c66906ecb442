"""What is on a disk, looked at while no sandbox need run: its entries, a digest of each file, and single files."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from chaser_emulator.sandbox import (
    DiskEntry,
    EntryKind,
    FileDownload,
    NotAFile,
    NotAFolder,
    PathNotFound,
    SandboxUnavailable,
    TooMuch,
    archives,
    files,
)

MOST_ENTRIES = 200_000
"""Files and folders of one disk."""
MOST_BYTES = 8 * 2**30
"""Bytes of one disk's files that are read for their digests, holes left out."""

_LONGEST = 4095
"""Bytes of a path."""
_KEPT = 64
"""Folders that are open at once."""
_CHUNK = 256 * 1024
_ZEROS = bytes(_CHUNK)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)

Names = tuple[str, ...]


class Look:
    """The entries that were found so far. Raises TooMuch as soon as there are more than anybody is told of."""

    def __init__(self) -> None:
        self._found: list[DiskEntry] = []
        self._read = 0

    def add(self, entry: DiskEntry) -> None:
        self._found.append(entry)
        if len(self._found) > MOST_ENTRIES:
            raise TooMuch(f"There are more than {MOST_ENTRIES} files and folders on the disk.")

    def read(self, count: int) -> None:
        """Note that so many bytes of files are about to be read."""
        self._read += count
        if self._read > MOST_BYTES:
            raise TooMuch(f"The files on the disk hold more than {MOST_BYTES >> 30} GiB, and are not compared.")

    def all(self) -> list[DiskEntry]:
        """Parents before what is in them, names in order."""
        return sorted(self._found, key=lambda entry: entry.path.split("/"))


class Digest:
    """Tells contents apart by all but their zeros, so that a hole is what it reads as, and costs nothing."""

    def __init__(self, size: int) -> None:
        self._sum = hashlib.blake2b(b"%d" % size, digest_size=16)

    def add(self, at: int, chunk: bytes) -> None:
        """What is at a multiple of the length of a chunk."""
        if chunk != (_ZEROS if len(chunk) == _CHUNK else _ZEROS[: len(chunk)]):
            self._sum.update(b"%d:" % at)
            self._sum.update(chunk)

    def done(self) -> str:
        return self._sum.hexdigest()


def digest_of(content: bytes) -> str:
    """The digest of what is in memory."""
    digest = Digest(len(content))
    for at in range(0, len(content), _CHUNK):
        digest.add(at, content[at : at + _CHUNK])
    return digest.done()


# A folder of this machine


def of_folder(disk: Path, folder: str = "", *, recursive: bool = True, digests: bool = False) -> list[DiskEntry]:
    """What is in a folder of a disk that is one here, links not followed; what vanishes or may not be read is left out.

    So is what has a longer path than any program takes. It blocks. PathNotFound and NotAFolder as of
    `disk_entries`.
    """
    within = tuple(folder.split("/")) if folder else ()
    try:
        top = os.open(disk, _FOLDER)
    except FileNotFoundError:
        if folder:
            raise no_folder(folder) from None
        return []
    except OSError as error:
        raise SandboxUnavailable(f"The disk cannot be read: {error.strerror}.") from None
    look = Look()
    waiting: list[Names] = [within]
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, top)
        _require_folder(top, within)
        way = _Way(top)
        stack.callback(way.close)
        while waiting:
            names = waiting.pop()
            for entry in _within(way, names, look, digests=digests):
                if len(entry.path) > _LONGEST:
                    continue
                look.add(entry)
                if recursive and entry.kind == "directory":
                    waiting.append(tuple(entry.path.split("/")))
    return look.all()


def _require_folder(top: int, names: Names) -> None:
    try:
        with opened(top, names):
            pass
    except FileNotFoundError:
        raise no_folder("/".join(names)) from None
    except OSError as error:
        said = "is no folder" if error.errno in (errno.ENOTDIR, errno.ELOOP) else f"cannot be listed: {error.strerror}"
        raise NotAFolder(f"{'/'.join(names)} {said}.") from None


def below(found: Sequence[DiskEntry], folder: str, *, recursive: bool) -> list[DiskEntry]:
    """Of all that is on a disk what is in a folder. PathNotFound and NotAFolder as of `disk_entries`."""
    if folder:
        itself = next((entry for entry in found if entry.path == folder), None)
        if itself is None:
            raise no_folder(folder)
        if itself.kind != "directory":
            raise NotAFolder(f"{folder} is no folder.")
    start = f"{folder}/" if folder else ""
    return [
        entry for entry in found if entry.path.startswith(start) and (recursive or "/" not in entry.path[len(start) :])
    ]


def no_folder(folder: str) -> PathNotFound:
    """The refusal to list what is not there."""
    return PathNotFound(f"There is no folder {folder} on the disk.")


class _Way:
    """Folders below an open one, on the way to where one is: to go on from there costs no more than the steps."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._names: list[str] = []
        self._open: deque[int] = deque()

    def to(self, names: Names) -> int:
        """An open folder, until the next call; step by step, so that no link leads out. Raises OSError."""
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(names, self._names, strict=False)))
        while self._open and len(self._names) > same:
            os.close(self._open.pop())
            self._names.pop()
        if not self._open:
            self._names.clear()
        for name in names[len(self._names) :]:
            here = os.open(name, _FOLDER, dir_fd=self._open[-1] if self._open else self._top)
            self._open.append(here)
            self._names.append(name)
            if len(self._open) > _KEPT:
                os.close(self._open.popleft())
        return self._open[-1] if self._open else self._top

    def close(self) -> None:
        while self._open:
            os.close(self._open.pop())


def _within(way: _Way, names: Names, look: Look, *, digests: bool) -> Iterator[DiskEntry]:
    """The entries of a folder."""
    with contextlib.suppress(OSError):
        here = way.to(names)
        # Who has read it before has left the place in it at its end.
        os.lseek(here, 0, os.SEEK_SET)
        with os.scandir(here) as entries:
            found = list(entries)
        for one in found:
            with contextlib.suppress(OSError):
                state = one.stat(follow_symlinks=False)
                path = "/".join((*names, one.name))
                yield _entry_of(path, one.name, here, state, look, digests=digests)


def _entry_of(path: str, name: str, here: int, state: os.stat_result, look: Look, *, digests: bool) -> DiskEntry:
    kind = kind_of(state.st_mode)
    size = state.st_size if kind == "file" else None
    target = os.readlink(name, dir_fd=here) if kind == "symlink" else None
    digest = _digest_at(name, here, look) if kind == "file" and digests else None
    return DiskEntry(path, kind, size, stat.S_IMODE(state.st_mode), int(state.st_mtime), target, digest)


def _digest_at(name: str, here: int, look: Look) -> str | None:
    """The digest of a file in an open folder; None when it may not be read."""
    try:
        fd = os.open(name, _FILE, dir_fd=here)
    except PermissionError:
        return None
    try:
        state = os.fstat(fd)
        size = state.st_size
        digest = Digest(size)
        at = 0
        for start, length in archives.parts(fd, state) or [(0, size)]:
            look.read(length)
            at = max(at, start - start % _CHUNK)
            while at < start + length:
                digest.add(at, os.pread(fd, min(_CHUNK, size - at), at))
                at += _CHUNK
        return digest.done()
    finally:
        os.close(fd)


def open_file(folder: Path, path: str) -> FileDownload:
    """A file below a folder; no link on the way is followed. It blocks; PathNotFound and NotAFile as of `read_file`."""
    *above, name = path.split("/")
    try:
        with contextlib.ExitStack() as stack:
            top = os.open(folder, _FOLDER)
            stack.callback(os.close, top)
            here = stack.enter_context(opened(top, tuple(above)))
            # Looked at before it is opened: opening a device or a pipe is an act of its own.
            mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
            if not stat.S_ISREG(mode):
                raise no_file(path, kind_of(mode))
            fd = os.open(name, _FILE, dir_fd=here)
    except FileNotFoundError:
        raise PathNotFound(f"There is no file {path} on the disk.") from None
    except NotADirectoryError:
        raise NotAFile(f"{path} goes through what is no folder; links are not followed here.") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotAFile(f"{path} goes through a link; links are not followed here.") from None
        raise NotAFile(f"{path} cannot be read: {error.strerror}.") from None
    size = os.fstat(fd).st_size
    return FileDownload(size, files.Chunks(fd, size, path))


def no_file(path: str, kind: str) -> NotAFile:
    """The refusal to read what is no file."""
    what = {"directory": "a folder", "symlink": "a link, which is not followed here"}.get(kind, "no regular file")
    return NotAFile(f"{path} is {what}.")


@contextlib.contextmanager
def opened(top: int, names: Names) -> Iterator[int]:
    """A folder below an open one, opened step by step: no link leads out, and no path gets too long."""
    here = os.dup(top)
    try:
        for name in names:
            inner = os.open(name, _FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        # A copy of a descriptor shares its place in the folder with it.
        os.lseek(here, 0, os.SEEK_SET)
        yield here
    finally:
        os.close(here)


def kind_of(mode: int) -> EntryKind:
    """What something is, by its mode."""
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "symlink" if stat.S_ISLNK(mode) else "other"


# Files in memory


def of_files(contents: Iterable[tuple[str, bytes]], *, digests: bool = False) -> list[DiskEntry]:
    """Files by their paths on a disk, and the folders that they are in."""
    look = Look()
    folders: set[str] = set()
    for path, content in contents:
        above = path.split("/")[:-1]
        folders |= {"/".join(above[:depth]) for depth in range(1, len(above) + 1)}
        digest = digest_of(content) if digests else None
        look.add(DiskEntry(path, "file", len(content), 0o644, None, digest=digest))
    for path in folders:
        look.add(DiskEntry(path, "directory", None, 0o755, None))
    return look.all()
