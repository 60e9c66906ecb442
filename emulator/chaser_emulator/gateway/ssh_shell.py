"""Work on files in a sandbox by the commands that every image has: a shell that stays, and streams of bytes."""

from __future__ import annotations

import asyncio
import re
import secrets
import shlex
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncssh

from chaser_emulator.sandbox import CommandSpec, Process, SandboxError, SandboxUnavailable

if TYPE_CHECKING:
    from chaser_emulator.gateway.ssh_access import Sandbox

_RUNS = re.compile(rb"[\0-\x7f]+|[\x80-\xff]+")
_ODD = re.compile(rb"[^ -&(-[\]-~\n]")
"""What stands for itself neither between single quotes nor for `printf %b`."""

_SMALL = 16_384
"""Bytes of a file that go in and out by the shell that is there already; more is worth a process of its own."""

# What the tools of GNU and busybox, and the shells, say at the end of their complaints.
_REASONS: tuple[tuple[str, Callable[[str], asyncssh.SFTPError]], ...] = (
    ("no such file", asyncssh.SFTPNoSuchFile),
    ("nonexistent", asyncssh.SFTPNoSuchFile),
    ("not a directory", asyncssh.SFTPNotADirectory),
    ("permission denied", asyncssh.SFTPPermissionDenied),
    ("not permitted", asyncssh.SFTPPermissionDenied),
    ("read-only file system", asyncssh.SFTPPermissionDenied),
    ("file exists", asyncssh.SFTPFileAlreadyExists),
    ("no space left", asyncssh.SFTPNoSpaceOnFilesystem),
    ("not empty", asyncssh.SFTPDirNotEmpty),
    ("is a directory", asyncssh.SFTPFileIsADirectory),
)


def word(path: bytes) -> str:
    """A path as one word of a shell's script; the script stays plain text whatever bytes a name has."""
    # Only what is no ASCII goes through a command substitution, which would drop line breaks at the end.
    parts = [
        shlex.quote(part.decode("ascii")) if part.isascii() else f'"$(printf %b {_escaped(part)})"'
        for part in _RUNS.findall(path)
    ]
    return "".join(parts) or "''"


def _escaped(data: bytes) -> str:
    """Any bytes as the word that `printf %b` turns into them."""
    odd = _ODD.sub(lambda found: b"\\0%03o" % found[0][0], data)
    return f"'{odd.decode('ascii')}'"


def refusal(text: bytes) -> asyncssh.SFTPError:
    """What a failed command's complaint means to a client."""
    said = text.decode(errors="replace").strip() or "it failed"
    reason = said.splitlines()[-1].rpartition(": ")[2]
    for sign, kind in _REASONS:
        if sign in reason.lower():
            return kind(reason)
    return asyncssh.SFTPFailure(reason)


async def let_go(chunks: AsyncIterator[bytes] | None) -> None:
    """Read no further: what a process still writes is its engine's to take care of."""
    close = getattr(chunks, "aclose", None)
    if close is not None:
        # It is being read just now: whoever does sees it end.
        with suppress(RuntimeError):
            await close()


class Shell:
    """A shell in the sandbox that runs scripts one after the other: a hundredth of what a process for each costs."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._output: AsyncIterator[bytes] = process.output()
        self._busy = asyncio.Lock()
        self._mark = secrets.token_hex(16).encode()
        self.base = b"/"
        """Where relative paths start."""

    @classmethod
    async def open(cls, sandbox: Sandbox) -> Shell:
        """Raises SandboxError."""
        shell = cls(await sandbox.engine.exec(sandbox.ref, CommandSpec("exec sh", stdin=True, ours=True)))
        try:
            shell.base = (await shell.run("LC_ALL=C; export LC_ALL; pwd")).removesuffix(b"\n") or b"/"
        except asyncssh.SFTPError:
            await shell.close()
            raise SandboxUnavailable(f"The sandbox ({sandbox.engine.name}) has no shell to work on files.") from None
        except BaseException:
            await asyncio.shield(shell.close())
            raise
        return shell

    async def run(self, script: str) -> bytes:
        """What a script writes. Raises the SFTPError that its complaint stands for when it fails."""
        async with self._busy:
            text = f"{{ {script}\n}} </dev/null 2>&1\nprintf '\\n%s %s\\n' {self._mark.decode()} $?\n"
            found = bytearray()
            end = re.compile(rb"\n" + self._mark + rb" ([0-9]+)\n")
            try:
                await self._process.write(text.encode("ascii"))
                match = None
                while match is None:
                    # The mark may be in two chunks, so it is looked for from a little before the new one on.
                    start = max(0, len(found) - len(self._mark) - 16)
                    found += await anext(self._output)
                    match = end.search(found, start)
            except StopAsyncIteration:
                raise asyncssh.SFTPConnectionLost("the sandbox has ended") from None
            except (BrokenPipeError, SandboxError):
                raise asyncssh.SFTPConnectionLost("the sandbox has ended") from None
        output = bytes(found[: match.start()])
        if match[1] != b"0":
            raise refusal(output)
        return output

    async def close(self) -> None:
        """End it, and what it may be waiting for."""
        with suppress(SandboxError):
            await self._process.signal(signal.SIGKILL)
        async with self._busy:
            await let_go(self._output)


class Reading:
    """The bytes of a file from an offset on."""

    def __init__(self, shell: Shell, sandbox: Sandbox, path: bytes, offset: int) -> None:
        self.offset = offset
        self._shell = shell
        self._sandbox = sandbox
        self._path = path
        self._left = b""
        self._begun = False
        self._process: Process | None = None
        self._output: AsyncIterator[bytes] | None = None

    async def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end. Raises SFTPError and SandboxError."""
        if not self._begun:
            await self._begin()
        parts = [self._left]
        have = len(self._left)
        while have < size and self._output is not None:
            chunk = await anext(self._output, b"")
            if not chunk:
                break
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts)
        self._left = data[size:]
        self.offset += min(size, have)
        return data[:size]

    async def _begin(self) -> None:
        """Most files are small, and a client that looks for something in a large one begins at its start, too."""
        self._begun = True
        start = self.offset
        if start == 0:
            self._left = await self._shell.run(f"dd bs={_SMALL} count=1 <{word(self._path)} 2>/dev/null")
            if len(self._left) < _SMALL:
                return
            start = _SMALL
        skip = f"dd bs=1 skip={start} count=0 2>/dev/null; "
        script = f"{{ {skip}exec cat; }} <{word(self._path)} 2>/dev/null"
        self._process = await self._sandbox.engine.exec(self._sandbox.ref, CommandSpec(script, ours=True))
        self._output = self._process.output()

    async def close(self) -> None:
        if self._process is not None:
            with suppress(SandboxError):
                await self._process.signal(signal.SIGKILL)
            await let_go(self._output)


class Writing:
    """Bytes into a file that is there, from an offset on; None: at its end, wherever that is."""

    def __init__(self, shell: Shell, sandbox: Sandbox, path: bytes, offset: int | None) -> None:
        self.offset = offset
        self._shell = shell
        self._sandbox = sandbox
        self._path = path
        self._start = offset
        self._held = bytearray()
        self._process: Process | None = None

    def _script(self, source: str) -> str:
        """What makes the output of `source` go to its place; no file is made by it."""
        if self._start is None:
            return f"{source} >>{word(self._path)}"
        seek = f"dd bs=1 seek={self._start} count=0 conv=notrunc 2>/dev/null; " if self._start else ""
        return f"{{ {seek}{source}; }} 1<>{word(self._path)}"

    async def write(self, data: bytes) -> None:
        """Raises SFTPError and SandboxError."""
        if self.offset is not None:
            self.offset += len(data)
        if self._process is None and len(self._held) + len(data) <= _SMALL:
            self._held += data
            return
        if self._process is None:
            command = CommandSpec(self._script("cat"), stdin=True, ours=True)
            self._process = await self._sandbox.engine.exec(self._sandbox.ref, command)
        try:
            held, self._held = bytes(self._held), bytearray()
            if held:
                await self._process.write(held)
            await self._process.write(data)
        except BrokenPipeError:
            await self.finish()
            raise asyncssh.SFTPFailure("the file cannot be written to") from None

    async def finish(self) -> None:
        """Wait until all is in the file. Raises the SFTPError that it failed with."""
        if self._process is None:
            if self._held:
                await self._shell.run(self._script(f"printf %b {_escaped(bytes(self._held))}"))
            return
        await self._process.close_stdin()
        said = b"".join([chunk async for chunk in self._process.output()])
        if await self._process.wait() != 0:
            raise refusal(said)

    async def close(self) -> None:
        """Give up."""
        if self._process is not None:
            with suppress(SandboxError):
                await self._process.signal(signal.SIGKILL)
