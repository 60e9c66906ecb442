"""Copies of a disk's folder that appear whole or not at all, also while commands write to what is copied."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import secrets
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from chaser_emulator.sandbox import DiskFull, SandboxUnavailable, archives, bubblewrap, files, plain
from chaser_emulator.sandbox.children import above_standard, exit_of, spawn

COPY_SECONDS = 1800
"""A copy that takes longer hangs: on a file that became a pipe at the wrong moment, on a dead network disk."""
_ROOM_TO_GROW = 16 * 1_048_576
_LONGEST = 4096
"""Bytes of a path that cp can still reach."""

_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
# What cp says of files that came, went and changed while it read them; none of that makes a copy wrong. The last is
# of one that grows for as long as it is read: it is cut at the limit which `copy_tree` sets.
_OF_THE_MOMENT = re.compile(
    rb"cp: .*(: No such file or directory|: Not a directory|: Too many levels of symbolic links"
    rb"|as it was replaced while being copied|: File too large)$"
)


@dataclass(frozen=True)
class Where:
    """Where copies are made: beside the disks, under names that no disk has, by processes found by their mark."""

    disks: Path
    run: Path
    hidden: Sequence[Path]
    shut: Sequence[int]

    def partial(self) -> Path:
        return self.disks / f".partial-{secrets.token_hex(8)}-{self.run.name}"

    def clear(self) -> None:
        """Remove what copies left that a crash cut short, other instances' excepted."""
        for entry in self.disks.glob(".partial-*"):
            if entry.name[len(".partial-") + 17 :] == self.run.name:
                files.remove_tree(entry)


async def copy_tree(where: Where, source: Path, target: Path, *, isolated: bool, in_use: bool) -> None:
    """Make the folder `target` of all that is in the folder `source`; empty when that is not there.

    `cp` does it, which knows links, holes, pipes and attributes, and shares blocks where the disk can. It walks by
    names, so commands that swap a folder for a link under it could lead it to files of the host: where there is
    isolation, it sees the two folders and the system's programs, and nothing else. There it may also read what the
    owner has taken their own rights to away.
    """
    partial = where.partial()
    mark = str(where.run / partial.name)
    if not await files.in_thread(source.is_dir):
        await _make(where, [], mark, partial, target)
        return
    limit = []
    if in_use and sys.platform == "linux":
        # Else a log that grows as fast as it is copied would be copied until the disk is full.
        most = await files.in_thread(_largest, source) + _ROOM_TO_GROW
        limit = ["sh", "-c", 'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"', "sh", str(most // 512)]
    if isolated:
        argv = [*_jail(where, source, partial, mark), *limit, *_cp(owners=False), "/from/.", "/to/"]
    else:
        argv = [*limit, *_cp(owners=True), f"{source}/.", f"{partial}/"]
    await _make(where, argv, mark, partial, target)


async def fill_tree(where: Where, source: Path, target: Path) -> None:
    """Make the folder `target` of a folder of ours; all in it belongs to the emulator's user."""
    if not await files.in_thread(source.is_dir):
        raise SandboxUnavailable("The folder that the disk is to be filled from is not there.")
    partial = where.partial()
    argv = [*_cp(owners=False), f"{source}/.", f"{partial}/"]
    await _make(where, argv, str(where.run / partial.name), partial, target)


async def unpack_tree(where: Where, archive: BinaryIO, target: Path, *, owners: bool) -> None:
    """Make the folder `target` of an archive that was checked; without `owners` all belongs to the emulator's user."""
    partial = where.partial()
    try:
        await files.in_thread(os.mkdir, partial, 0o700)
        await files.in_thread(archives.unpack, archive, partial, owners=owners)
        # What is there under the name is of an earlier time.
        await files.in_thread(files.remove_tree, target)
        os.rename(partial, target)
    except BaseException as error:
        await files.in_thread(_remove, partial)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("No space is left on the disk for the files.") from None
        if isinstance(error, OSError):
            raise SandboxUnavailable(f"The disk cannot be made: {error.strerror}.") from None
        raise


def _cp(*, owners: bool) -> list[str]:
    if sys.platform != "linux":
        return ["cp", "-a"] if owners else ["cp", "-RPp"]
    return ["cp", "-a", *([] if owners else ["--no-preserve=ownership"]), "--reflink=auto", "--"]


def _jail(where: Where, source: Path, partial: Path, mark: str) -> list[str]:
    args = ["bwrap", *bubblewrap.NAMESPACES, "--cap-add", "ALL", "--die-with-parent"]
    # Without /proc the C library cannot set the mode of what may be a link.
    args += [*bubblewrap.system_arguments(where.hidden), "--proc", "/proc", "--setenv", plain.MARK, mark]
    return [*args, "--ro-bind", str(source), "/from", "--bind", str(partial), "/to", "--chdir", "/"]


async def _make(where: Where, argv: Sequence[str], mark: str, partial: Path, target: Path) -> None:
    try:
        await files.in_thread(os.mkdir, partial, 0o700)
        if argv:
            await _run(argv, mark, where.shut)
        # Not in a thread: a caller that is cancelled meanwhile would not know that the disk is there now.
        os.rename(partial, target)
    except BaseException as error:
        await files.in_thread(_remove, partial)
        if isinstance(error, OSError):
            raise SandboxUnavailable(f"The disk cannot be made: {error.strerror}.") from None
        raise


async def _run(argv: Sequence[str], mark: str, shut: Sequence[int]) -> None:
    with tempfile.TemporaryFile() as complaints:
        errors = above_standard(os.dup(complaints.fileno()))
        try:
            pid = spawn(argv, {**_ENV, plain.MARK: mark}, {2: errors}, shut)
        except OSError as error:
            raise SandboxUnavailable(f"{argv[0]} cannot be started: {error.strerror}.") from None
        finally:
            os.close(errors)
        ended = exit_of(pid)
        try:
            async with asyncio.timeout(COPY_SECONDS):
                code = await asyncio.shield(ended)
        except BaseException as error:
            if not ended.done():
                os.killpg(pid, signal.SIGKILL)
                await asyncio.wait({ended})
            if isinstance(error, TimeoutError):
                raise SandboxUnavailable("The disk could not be copied in time.") from None
            raise
        complaints.seek(0)
        if code != 0:
            await files.in_thread(_judge, complaints, code)


def _judge(complaints: IO[bytes], code: int) -> None:
    """Whether a copy that ended with complaints is one."""
    last = b""
    for line in complaints:
        said = line.rstrip()
        if b"No space left" in said or b"quota exceeded" in said:
            raise DiskFull("No space is left on the disk for the copy.")
        if said.endswith(b": File name too long"):
            raise SandboxUnavailable(f"The disk cannot be copied: a path in it is longer than {_LONGEST} bytes.")
        if not _OF_THE_MOMENT.match(said):
            raise SandboxUnavailable(f"The disk cannot be copied: {said.decode(errors='replace').rpartition(': ')[2]}.")
        last = said
    if not last:
        raise SandboxUnavailable(f"The disk cannot be copied: cp ended with {code}.")


def _largest(folder: Path) -> int:
    return max((found.st_size for found in files.below(folder) if stat.S_ISREG(found.st_mode)), default=0)


def _remove(partial: Path) -> None:
    """Remove a copy that failed, whose cp may be in its last breath."""
    for attempt in range(50):
        try:
            files.remove_tree(partial)
            return
        except OSError:
            if attempt == 49:
                raise
            time.sleep(0.01)
