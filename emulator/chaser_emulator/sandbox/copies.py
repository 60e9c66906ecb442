"""A copy of a workspace's folder: links stay links, and modes, times and holes in files stay what they are."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from chaser_emulator.sandbox import DiskFull, SandboxUnavailable, files
from chaser_emulator.sandbox.children import above_standard, exit_of, spawn

_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


async def copy_tree(source: Path, target: Path, shut: Sequence[int]) -> None:
    """Copy a folder to a place that is free. When it fails, or the caller is cancelled, nothing of the copy remains.

    `cp` does it, which knows links, holes and pipes, never follows a link, and shares blocks where the disk can.
    """
    try:
        with tempfile.TemporaryFile() as complaints:
            code = await _cp(source, target, complaints.fileno(), shut)
            complaints.seek(0)
            said = complaints.read(2000).decode(errors="replace").strip().splitlines()
        if code != 0:
            if any("No space left" in line or "quota" in line for line in said):
                raise DiskFull("No space is left on the disk for the copy.")
            reason = said[-1].rpartition(": ")[2] if said else f"cp ended with {code}"
            raise SandboxUnavailable(f"The workspace cannot be copied: {reason}.")
    except BaseException:
        await files.in_thread(files.remove_tree, target)
        raise


async def _cp(source: Path, target: Path, complaints: int, shut: Sequence[int]) -> int:
    errors = above_standard(os.dup(complaints))
    try:
        pid = spawn(["cp", "-a", "--", str(source), str(target)], _ENV, {2: errors}, shut)
    except OSError as error:
        raise SandboxUnavailable(f"cp cannot be started: {error.strerror}.") from None
    finally:
        os.close(errors)
    ended = exit_of(pid)
    try:
        return await asyncio.shield(ended)
    except BaseException:
        if not ended.done():
            os.kill(pid, signal.SIGKILL)
            await asyncio.wait({ended})
        raise
