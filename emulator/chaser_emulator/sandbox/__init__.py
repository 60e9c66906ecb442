"""Where commands run: the Engine and Process protocols, and what may go wrong in them.

Three engines implement them: `local` (children of the emulator, isolated by bubblewrap), `docker` (a container a
session) and `scripted` (no processes, answers from stubs). One test suite runs over all of them.

A *ref* is a string naming a started sandbox; it outlives the emulator's own process and is kept in the session's row.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

EngineName = Literal["local", "docker", "scripted"]

WORKSPACE_ROOT = "/workspace"
"""Where a session finds its files; the default working directory of its commands."""


@dataclass(frozen=True)
class SandboxSpec:
    """The sandbox that a session asks for.

    `disk_id` names what is at `/workspace`; None means ephemeral: an empty one that goes away with the sandbox.
    `workspace_id` is what commands are told of it. `image` None means the engine's default. `env` is seen by every
    command of the sandbox. A `browser` gets what Chromium needs beyond that, such as shared memory.
    """

    session_id: str
    workspace_id: str | None = None
    disk_id: str | None = None
    image: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    browser: bool = False


@dataclass(frozen=True)
class CommandSpec:
    """One command for a shell in a sandbox.

    `cwd` is a path in the sandbox (relative ones are taken from `/workspace`). `user` None means the sandbox's own.
    `stdin` True leaves standard input open for `Process.write`; False is an empty one. `ours` is a command of the
    emulator's own, which nobody has asked for.
    """

    command: str
    cwd: str = WORKSPACE_ROOT
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stdin: bool = False
    ours: bool = False


@dataclass(frozen=True)
class TerminalSpec:
    """A terminal in a sandbox, `rows` by `cols` characters, and what runs on it.

    `human` is the user's login shell with `TERM=xterm-256color`; `agent` a bare shell for programs: no login files, no
    echo, no prompt, no colours, `TERM=dumb`. `command` is run by that shell in place of a dialogue. `env` comes on top
    and may set another TERM; the rest is as in a CommandSpec.
    """

    mode: Literal["human", "agent"] = "human"
    command: str | None = None
    rows: int = 24
    cols: int = 80
    cwd: str = WORKSPACE_ROOT
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None


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


class Terminal(Process, Protocol):
    """A shell or command on a terminal of its own, which is its controlling terminal.

    `write` is what is typed (Ctrl-C as byte 3 reaches the foreground group), `output` what the screen gets; reading
    slowly holds the programs back, and nothing piles up. `close_stdin` types the end of input (Ctrl-D).
    """

    async def resize(self, rows: int, cols: int) -> None:
        """Give the terminal another size; its foreground group is told (SIGWINCH). Nothing when it has ended."""
        ...

    async def close(self) -> None:
        """Hang up: SIGHUP for all on the terminal, SIGKILL a moment later for what is left; again is nothing."""
        ...


@dataclass(frozen=True)
class FileDownload:
    """A file on its way out of a sandbox: its size in bytes, and its content in chunks."""

    size: int
    chunks: AsyncIterator[bytes]


EntryKind = Literal["file", "directory", "symlink", "other"]


@dataclass(frozen=True)
class FileEntry:
    """Something in a folder: its path below that folder, and the bytes of a file (None: it is no regular file)."""

    path: str
    kind: EntryKind
    size: int | None


@dataclass(frozen=True, slots=True)
class DiskEntry:
    """Something on a disk: its path there (names need not be UTF-8), the bytes of a file, permissions, and a target.

    `modified` is in seconds since 1970, None where nobody knows. Files of one size and one `digest` hold the same; it
    is None where none was asked for, and of a file that may not be read.
    """

    path: str
    kind: EntryKind
    size: int | None
    mode: int
    modified: int | None
    target: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class FileListing:
    """What is in a folder, parents before what is in them; `truncated` when there is more than was asked for."""

    entries: Sequence[FileEntry]
    truncated: bool


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

    async def list_files(self, ref: str, path: str, *, recursive: bool, limit: int) -> FileListing:
        """What is in a folder, and with `recursive` below it; links are shown and not followed.

        Of more than `limit` entries those nearest to the folder are listed; what may not be read is left out.
        PathNotFound, NotAFolder, BadPath.
        """
        ...

    async def write_file(self, ref: str, path: str, content: AsyncIterator[bytes], *, keep_mode: bool = False) -> int:
        """Store a file and answer its size: folders made, an old file replaced atomically, mode 0644, the own user.

        With `keep_mode` a file that replaces one has its mode. When `content` raises, or the caller is cancelled,
        the old file is as it was and no partial file remains. Raises BadPath, NotAFile (the path is a folder),
        NotWritable, DiskFull.
        """
        ...

    async def open_terminal(self, ref: str, spec: TerminalSpec) -> Terminal:
        """Start a shell or a command on a new terminal. UnknownDirectory, UnknownUser, SandboxGone."""
        ...

    async def ports(self, ref: str) -> list[int]:
        """The TCP ports that processes of this sandbox listen on, in order."""
        ...

    async def connect(self, ref: str, port: int) -> socket.socket:
        """A stream to what listens on a port of this sandbox, be it on its loopback address only.

        The socket is connected, non-blocking, and the caller's to close; half-closing works both ways. It need not be
        a TCP socket. PortClosed when nothing of this sandbox listens there; never another sandbox's port, nor the
        host's.
        """
        ...

    # Disks. A disk is all that /workspace holds; a workspace's row and a snapshot's row each name one.

    async def disks(self) -> set[str]:
        """Every disk of this instance, halves of copies that a crash left behind included."""
        ...

    async def delete_disk(self, disk_id: str) -> None:
        """Delete a disk that no sandbox is using. Of one that is not there: nothing."""
        ...

    async def copy_disk(self, source_id: str, target_id: str) -> None:
        """Make a new disk of all that is on another: links, holes, owners, modes and times too.

        A source that is not there is an empty one. A sandbox may use the source: what it writes meanwhile is in the
        copy or not, and a file that vanishes meanwhile is no failure. On failure, and when the caller is cancelled,
        nothing of the new one remains. Raises DiskFull.
        """
        ...

    async def fill_disk(self, disk_id: str, folder: Path) -> None:
        """Make a new disk of a folder on the emulator's machine, owned by the sandbox's user; as `copy_disk` else."""
        ...

    async def export_disk(self, disk_id: str, to: BinaryIO) -> None:
        """Write all that is on a disk into a file here, as `archives` says; a sandbox may use it, as in `copy_disk`."""
        ...

    async def import_disk(self, disk_id: str, archive: BinaryIO, *, owners: bool) -> None:
        """Make a new disk of an archive that was checked; on failure nothing of it remains. Raises DiskFull.

        Without `owners`, which mean something to the engine that wrote it alone, all is the sandbox's user's.
        """
        ...

    async def disk_entries(
        self, disk_id: str, folder: str = "", *, recursive: bool = True, digests: bool = False
    ) -> Sequence[DiskEntry]:
        """What is in a folder of a disk, parents before what is in them; no link is followed, to it or in it.

        With `digests` also what tells contents apart. A disk that is not there has nothing on it. A sandbox may use it:
        what it does meanwhile is seen or not. Raises PathNotFound, NotAFolder, TooMuch.
        """
        ...

    async def read_disk_file(self, disk_id: str, path: str) -> FileDownload:
        """Open a file by its path on a disk, of plain names alone; no link is followed. PathNotFound, NotAFile."""
        ...

    async def disk_bytes(self, disk_id: str) -> int | None:
        """Bytes really used by a disk, a file with several names counted once; None when it cannot be known."""
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


class PortClosed(SandboxError):
    """Nothing in the sandbox listens on the port."""


class BadPath(SandboxError):
    """A path that is empty, has a NUL, is too long, climbs out of /workspace by `..`, or leaves it by a symlink."""


class PathNotFound(SandboxError):
    """No such file."""


class NotAFile(SandboxError):
    """It is there, but it is no regular file."""


class NotAFolder(SandboxError):
    """It is there, but it is no folder, or none that can be listed."""


class NotWritable(SandboxError):
    """The place cannot be written to."""


class DiskFull(SandboxError):
    """No space left."""


class TooMuch(SandboxError):
    """There is more than can be looked at."""
