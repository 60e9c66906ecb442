"""Files of a local sandbox, read and stored from outside it; uploads appear whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

from chaser_emulator.sandbox import (
    BadPath,
    DiskFull,
    FileDownload,
    NotAFile,
    NotWritable,
    PathNotFound,
    SandboxError,
)
from chaser_emulator.sandbox.beneath import Spot, View, locate, walk

P = ParamSpec("P")
T = TypeVar("T")

CHUNK = 262_144

# Where there are no such flags there are no sandboxes with files on this machine either.
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


async def read(view: View, path: str) -> FileDownload:
    """Open a regular file; the size is that of the moment, and no more than it is sent."""
    fd, size = await in_thread(_open, locate(view, path))
    return FileDownload(size=size, chunks=Chunks(fd, size, path))


async def write(view: View, path: str, content: AsyncIterator[bytes], *, keep_mode: bool) -> int:
    """Store a file: collected beside the sandbox, then moved to its place in one step."""
    spot = locate(view, path)
    if not spot.writable:
        raise NotWritable(f"{path} cannot be written to.")
    await in_thread(_check_target, spot)
    staged = spot.place.staging / f".chaser-upload-{secrets.token_hex(8)}"
    fd = await in_thread(_guard, path, os.open, staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    size = 0
    try:
        waiting = bytearray()
        async for chunk in content:
            waiting += chunk
            if len(waiting) >= CHUNK:
                size += await in_thread(_guard, path, _write_all, fd, bytes(waiting))
                waiting.clear()
        size += await in_thread(_guard, path, _write_all, fd, bytes(waiting))
        await in_thread(_guard, path, _commit, fd, staged, spot, keep_mode)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    return size


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking work in a thread, and see it through even when we are cancelled: it uses what we shall close."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue
        if not task.cancelled() and (error := task.exception()) is not None:
            raise asyncio.CancelledError from error
        raise


def _open(spot: Spot) -> tuple[int, int]:
    try:
        folder, name = walk(spot)
        try:
            # Looked at before it is opened: opening a device or a pipe is an act of its own.
            if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise NotAFile(f"{spot.path} is no regular file.")
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        finally:
            os.close(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise PathNotFound(f"There is no file {spot.path}.") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BadPath(f"{spot.path} changed while it was looked up.") from None
        raise PathNotFound(f"{spot.path} cannot be read: {error.strerror}.") from None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise NotAFile(f"{spot.path} is no regular file.")
    return fd, found.st_size


def _check_target(spot: Spot) -> None:
    """Refuse early what could not be stored at the end; a folder that is missing will be made then."""

    def check() -> None:
        try:
            folder, name = walk(spot)
        except FileNotFoundError:
            return
        try:
            _refuse_special(name, folder, spot)
        finally:
            os.close(folder)

    _guard(spot.path, check)


def _refuse_special(name: str, folder: int, spot: Spot) -> int | None:
    """The mode of the file that is there, if one is."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise NotAFile(f"{spot.path} is {'a folder' if stat.S_ISDIR(mode) else 'no regular file'}.")
    return mode


def _commit(fd: int, staged: Path, spot: Spot, keep_mode: bool) -> None:
    folder, name = walk(spot, create=True)
    try:
        old = _refuse_special(name, folder, spot)
        os.fchmod(fd, 0o644 if old is None or not keep_mode else stat.S_IMODE(old))
        os.replace(staged, name, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _write_all(fd: int, data: bytes) -> int:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    return len(data)


def _guard(path: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run file work of a write, with the kernel's refusals in the engine's words."""
    try:
        return work(*args, **kwargs)
    except OSError as error:
        _refuse(path, error)


def _refuse(path: str, error: OSError) -> NoReturn:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            raise DiskFull("No space is left on the disk.") from None
        case errno.ENAMETOOLONG | errno.ELOOP:
            raise BadPath(f"{path} is too long, or changed while it was looked up.") from None
        case errno.EISDIR:
            raise NotAFile(f"{path} is a folder.") from None
        case _:
            raise NotWritable(f"{path} cannot be written to: {error.strerror}.") from None


class Chunks:
    """The content of an open file. An object and not a generator: one that is never read must close its file too."""

    def __init__(self, fd: int, size: int, path: str) -> None:
        self._fd = fd
        self._left = size
        self._path = path

    def __aiter__(self) -> Chunks:
        return self

    async def __anext__(self) -> bytes:
        if self._left <= 0 or self._fd < 0:
            self._close()
            raise StopAsyncIteration
        chunk = await in_thread(os.read, self._fd, min(CHUNK, self._left))
        if not chunk:
            self._close()
            raise SandboxError(f"{self._path} became shorter while it was read.")
        self._left -= len(chunk)
        return chunk

    async def aclose(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    __del__ = _close


def remove_tree(folder: Path) -> None:
    """Delete a folder, even one whose owner has taken their own rights away in it, however deep it is.

    Each folder in it is moved to the top before it is emptied, so that no path gets too long, and depth costs neither
    descriptors nor recursion.
    """
    if os.open not in os.supports_dir_fd:
        shutil.rmtree(folder, ignore_errors=True)
        return
    prefix = f".removing-{secrets.token_hex(8)}-"
    try:
        _open_up(os.lstat(folder), str(folder))
        top = os.open(folder, _FOLDER)
    except FileNotFoundError:
        return
    try:
        waiting = _empty(top)
        moved = 0
        while waiting:
            name = waiting.pop()
            at = os.open(name, _FOLDER, dir_fd=top)
            try:
                for inner in _empty(at):
                    moved += 1
                    os.rename(inner, f"{prefix}{moved}", src_dir_fd=at, dst_dir_fd=top)
                    waiting.append(f"{prefix}{moved}")
            finally:
                os.close(at)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(folder)


def _empty(folder: int) -> list[str]:
    """Delete the files in an open folder; answers the names of the folders in it, which are open to us from now on."""
    with os.scandir(folder) as found:
        entries = list(found)
    folders = []
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                _open_up(entry.stat(follow_symlinks=False), entry.name, folder)
                folders.append(entry.name)
            else:
                os.unlink(entry.name, dir_fd=folder)
    return folders


def _open_up(found: os.stat_result, name: str, at: int | None = None) -> None:
    if stat.S_ISDIR(found.st_mode) and found.st_mode & 0o700 != 0o700:
        os.chmod(name, 0o700, dir_fd=at)


def below(folder: Path) -> Iterator[os.stat_result]:
    """What is known of each entry below a folder, however deep it is, with one descriptor and no recursion.

    What vanishes meanwhile, or is in a folder that is shut to us, is left out.
    """
    try:
        here = os.open(folder, _FOLDER)
    except OSError:
        return
    try:
        found, names = _look(here)
        yield from found
        way = [(_identity(here), names)]
        while way:
            if names := way[-1][1]:
                try:
                    inner = os.open(names.pop(), _FOLDER, dir_fd=here)
                except OSError:
                    continue
                os.close(here)
                here = inner
                found, names = _look(here)
                yield from found
                way.append((_identity(here), names))
                continue
            way.pop()
            if way:
                outer = _open_above(here, way[-1][0])
                if outer is None:
                    # The folder has been moved meanwhile: what is left on the way back cannot be found from here.
                    del way[1:]
                    outer = os.open(folder, _FOLDER)
                os.close(here)
                here = outer
    except OSError:
        return  # the folder itself has gone
    finally:
        os.close(here)


def _look(folder: int) -> tuple[list[os.stat_result], list[str]]:
    found, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError, PermissionError):
                found.append(entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
    return found, folders


def _open_above(here: int, expected: tuple[int, int]) -> int | None:
    try:
        outer = os.open("..", _FOLDER, dir_fd=here)
    except OSError:
        return None
    if _identity(outer) == expected:
        return outer
    os.close(outer)
    return None


def _identity(folder: int) -> tuple[int, int]:
    found = os.fstat(folder)
    return found.st_dev, found.st_ino


def used_bytes(folder: Path) -> int:
    """Bytes of disk below a folder, a file with several names counted once; what vanishes meanwhile is not counted."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for found in below(folder):
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
        total += found.st_blocks * 512
    return total
