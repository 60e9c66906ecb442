"""Where commands run: the Engine and Process protocols, and what may go wrong in them.

Three engines implement them: `local` (children of the emulator, isolated by bubblewrap), `docker` (a container a
session) and `scripted` (no processes, answers from rules). One test suite runs over all of them.

A *ref* is a string naming a started sandbox; it outlives the emulator's own process and is kept in the session's row.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

EngineName = Literal["local", "docker", "scripted"]

WORKSPACE_ROOT = "/workspace"
"""Where a session finds its files; the default working directory of its commands."""


@dataclass(frozen=True)
class SandboxSpec:
    """The sandbox that a session asks for.

    `workspace_id` None means ephemeral: an empty `/workspace` that goes away with the sandbox.
    `image` None means the engine's default. `env` is seen by every command of the sandbox.
    """

    session_id: str
    workspace_id: str | None = None
    image: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CommandSpec:
    """One command for a shell in a sandbox.

    `cwd` is a path in the sandbox (relative ones are taken from `/workspace`). `user` None means the sandbox's own.
    `stdin` True leaves standard input open for `Process.write`; False is an empty one.
    """

    command: str
    cwd: str = WORKSPACE_ROOT
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stdin: bool = False


class Process(Protocol):
    """One command under way, the leader of its own process group."""

    @property
    def pid(self) -> int:
        """Its number as seen inside the sandbox."""
        ...

    def output(self) -> AsyncIterator[bytes]:
        """What it writes, stdout and stderr merged in the order written, until it has ended; to be read once.

        It ends soon after the command itself has ended, even when a child that lives on keeps the pipe open. Reading
        slowly holds the command back; nothing piles up.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Feed its standard input, waiting while the pipe is full. BrokenPipeError when it reads no more."""
        ...

    async def close_stdin(self) -> None:
        """End its standard input; again is nothing."""
        ...

    async def signal(self, number: int) -> None:
        """Send a signal to its whole process group; nothing when it has ended."""
        ...

    async def wait(self) -> int:
        """Its exit code, 0–255: 128 plus the number for a death by signal. Output need not be read for it to return."""
        ...


@dataclass(frozen=True)
class FileDownload:
    """A file on its way out of a sandbox: its size in bytes, and its content in chunks."""

    size: int
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True)
class EngineInfo:
    """What an engine says of itself at start, in `doctor` and in a self-test.

    `isolation` is one sentence; `warnings` name each thing a user might expect and does not get.
    """

    name: EngineName
    version: str
    isolation: str
    default_image: str | None = None
    warnings: Sequence[str] = ()
    isolated: bool = True
    """Whether a sandbox is kept from the host and from other sandboxes; a self-test is `degraded` where it is not."""


class Engine(Protocol):
    """A kind of sandbox. Every call may raise `SandboxUnavailable`; none blocks the event loop or hangs without end."""

    name: EngineName

    outlives: bool
    """Whether its sandboxes live on when the emulator's process has ended."""

    async def open(self) -> EngineInfo:
        """Get ready, and look for what an earlier run of this instance left; SandboxUnavailable says why it cannot."""
        ...

    async def close(self) -> None:
        """Let go of connections and helpers. Sandboxes that outlive the emulator are left to the caller's `stop`."""
        ...

    async def start(self, spec: SandboxSpec) -> str:
        """Boot a sandbox and answer its ref once commands can run in it. On failure nothing of it remains."""
        ...

    async def stop(self, ref: str) -> None:
        """End it: every process gone, ephemeral files gone. Of one that is not there: nothing."""
        ...

    async def alive(self, ref: str) -> bool:
        """Whether it still runs."""
        ...

    async def refs(self) -> dict[str, str]:
        """Session id by ref, for all running sandboxes of this instance: what to adopt or to reap after a crash."""
        ...

    async def exec(self, ref: str, command: CommandSpec) -> Process:
        """Start a command. UnknownDirectory and UnknownUser for a bad `cwd` or `user`; SandboxGone when it is dead."""
        ...

    async def read_file(self, ref: str, path: str) -> FileDownload:
        """Open a file of the sandbox. PathNotFound, NotAFile (folder, device, socket, fifo), BadPath."""
        ...

    async def write_file(self, ref: str, path: str, content: AsyncIterator[bytes]) -> int:
        """Store a file and answer its size: folders made, an old file replaced atomically, mode 0644, the own user.

        When `content` raises, or the caller is cancelled, the old file is as it was and no partial file remains.
        Raises BadPath, NotAFile (the path is a folder), NotWritable, DiskFull.
        """
        ...

    async def delete_workspace(self, workspace_id: str) -> None:
        """Delete a workspace's disk; no sandbox is using it. Of one that is not there: nothing."""
        ...

    async def copy_workspace(self, source_id: str, target_id: str) -> None:
        """Make a new workspace's disk of all that is on another one's: links, modes and times too.

        No sandbox uses either. On failure nothing of the new one remains, save what `delete_workspace` clears away.
        Raises DiskFull.
        """
        ...

    async def workspace_bytes(self, workspace_id: str) -> int | None:
        """Bytes really used by a workspace's disk; None when it cannot be known."""
        ...


class SandboxError(Exception):
    """Root of what an engine raises. The text is for the API's caller: one sentence, without host paths."""


class SandboxUnavailable(SandboxError):
    """The engine does not answer, or cannot start what was asked (an image that cannot be had, …)."""


class SandboxGone(SandboxError):
    """The sandbox has ended behind our back."""


class UnknownDirectory(SandboxError):
    """`cwd` is no directory of the sandbox."""


class UnknownUser(SandboxError):
    """`user` is no user of the sandbox, or the engine cannot run as it."""


class BadPath(SandboxError):
    """A path that is empty, has a NUL, is too long, climbs out of /workspace by `..`, or leaves it by a symlink."""


class PathNotFound(SandboxError):
    """No such file."""


class NotAFile(SandboxError):
    """It is there, but it is no regular file."""


class NotWritable(SandboxError):
    """The place cannot be written to."""


class DiskFull(SandboxError):
    """No space left."""
