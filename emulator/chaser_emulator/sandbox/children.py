"""Children of ours on the event loop: how they are started, heard of while they start, and waited for."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

LIMITS = "ulimit -c 0; ulimit -S -n 4096"
"""No core files in a workspace; the customary number of files, whatever the emulator has raised its own to."""

# Variables that a shell refuses to be given, or that would change how it reads the rest of its script.
_SPECIAL = frozenset(
    [
        "UID",
        "EUID",
        "PPID",
        "SHELLOPTS",
        "BASHOPTS",
        "BASH_ENV",
        "ENV",
        "IFS",
        "OPTIND",
        "LINENO",
        "PS1",
        "PS2",
        "PS4",
        "PWD",
        "OLDPWD",
        "_",
    ]
)


@dataclass(frozen=True)
class Started:
    """A program that has begun: `pid` as the sandbox sees it, its process group as we do, and how it ends."""

    pid: int
    group: int
    ended: asyncio.Future[int]


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_LONGEST_ARGUMENT = 100_000  # Linux refuses a single argument of 128 KiB and more


def shell_argv(shell: str, command: str) -> list[str]:
    """The argv that runs `command`; one that is too long for a single argument goes in pieces and is put together."""
    if len(command) * 4 < _LONGEST_ARGUMENT or len(os.fsencode(command)) < _LONGEST_ARGUMENT:
        return [shell, "-c", command]
    step = _LONGEST_ARGUMENT // 4
    pieces = [command[start : start + step] for start in range(0, len(command), step)]
    whole = "".join(f"${{{number}}}" for number in range(1, len(pieces) + 1))
    return [shell, "-c", f'eval "set --\n{whole}"', shell, *pieces]


def dialogue_argv(shell: str, mode: str) -> list[str]:
    """The argv of a shell on a terminal: a login shell for humans, a silent one for agents."""
    if mode == "human":
        return [shell, "-l"]
    return [shell, "--noprofile", "--norc", "--noediting"] if os.path.basename(shell) == "bash" else [shell]


def apart(env: Mapping[str, str], special: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Variables that a shell can export, and as NAME=value the others; `special` are names that it keeps for itself."""
    plain = {name: value for name, value in env.items() if name not in special and _NAME.fullmatch(name)}
    return plain, [f"{name}={value}" for name, value in env.items() if name not in plain]


def env_for_shell(env: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What may pass through the shell that prepares a command, and a prefix of its argv that sets the rest."""
    plain, odd = apart(env, _SPECIAL)
    return plain, ["/usr/bin/env", *odd] if odd else []


def inheritable_fds() -> tuple[int, ...]:
    """Descriptors above 2 that whoever started us left open, and that no command should find open too."""
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    found = []
    for name in os.listdir(folder):
        try:
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
        except OSError:
            continue  # the descriptor of the listing itself
    return tuple(found)


def spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    fds: Mapping[int, int],
    shut: Sequence[int] = (),
    *,
    terminal: str | None = None,
) -> int:
    """Start `argv` in a session of its own, with `fds` (child's number -> ours, above 9) and nothing else open.

    Standard input is empty and standard error goes to nowhere unless `fds` says otherwise. A `terminal` is a device to
    be opened by the child itself as all three, whereby it becomes the session's controlling one. Runs on the loop's
    thread: a sandbox ends with the thread that started it (PR_SET_PDEATHSIG). Every signal is back at its default,
    since a server started with `&` ignores SIGINT, and would hand that down.
    """
    actions: list[tuple[object, ...]] = [(os.POSIX_SPAWN_CLOSE, fd) for fd in shut]
    device = terminal or "/dev/null"
    actions += [(os.POSIX_SPAWN_OPEN, fd, device, os.O_RDWR, 0) for fd in (0, 1, 2) if fd not in fds]
    actions += [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in fds.items()]
    return os.posix_spawnp(
        argv[0],
        [os.fsencode(part) for part in argv],
        dict(env),
        file_actions=actions,
        setsid=True,
        setsigmask=(),
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )


def above_standard(fd: int) -> int:
    """The same open file under a number above 9, so that handing it down cannot overwrite another."""
    if fd > 9:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    finally:
        os.close(fd)


def pipe() -> tuple[int, int]:
    """A pipe as (read end, write end), both above the standard descriptors and not inherited."""
    reader, writer = os.pipe()
    return above_standard(reader), above_standard(writer)


def on_end(pid: int, told: Callable[[], None]) -> None:
    """Call `told` on the loop once process `pid`, any process we may watch, has ended; at once if it already has."""
    loop = asyncio.get_running_loop()
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        loop.call_soon(told)
        return

    def ended() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        told()

    loop.add_reader(pidfd, ended)


def exit_of(pid: int) -> asyncio.Future[int]:
    """How our child `pid` ends, 0–255, with 128 plus the signal for a death by one (X8). Reaps it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()

    def settle(status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if not future.done():
            future.set_result(128 - code if code < 0 else code)

    if hasattr(os, "pidfd_open"):
        on_end(pid, lambda: settle(os.waitpid(pid, 0)[1]))
        return future

    def wait() -> None:  # macOS has no descriptor of a process; a thread waits
        status = os.waitpid(pid, 0)[1]
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, status)

    threading.Thread(target=wait, daemon=True, name=f"wait-{pid}").start()
    return future


async def ready(fd: int, *, write: bool = False, unless: asyncio.Future[int] | None = None, at: float = 0) -> bool:
    """Wait until `fd` can be read (or written); False when `unless` is done or the loop's time is `at` before that."""
    loop = asyncio.get_running_loop()
    wake: asyncio.Future[bool] = loop.create_future()

    def settle(found: bool) -> None:
        if not wake.done():
            wake.set_result(found)

    def gone(_: asyncio.Future[int]) -> None:
        settle(False)

    add, remove = (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)
    add(fd, settle, True)
    timer = loop.call_at(at, settle, False) if at else None
    if unless is not None:
        unless.add_done_callback(gone)
    try:
        return await wake
    finally:
        remove(fd)
        if timer is not None:
            timer.cancel()
        if unless is not None:
            unless.remove_done_callback(gone)


class Report:
    """A socket on which a process that starts says one line; with it, the kernel tells which process that is.

    The number comes as a credential, so it is right also when the sender lives in another pid namespace.
    """

    def __init__(self) -> None:
        mine, theirs = socket.socketpair()
        mine.setblocking(False)
        if sys.platform == "linux":
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._mine = mine
        self.theirs = above_standard(theirs.detach())

    async def read(self, *, at: float = 0, unless: asyncio.Future[int] | None = None) -> tuple[str, int]:
        """The line and the sender's pid; ("", 0) when it ended, or time ran out, without a word."""
        while True:
            try:
                data, extra, _, _ = self._mine.recvmsg(100, socket.CMSG_SPACE(12))
                pids = [
                    struct.unpack("iII", body)[0]
                    for _, kind, body in extra
                    if kind == getattr(socket, "SCM_CREDENTIALS", 2)
                ]
                return data.decode().strip(), pids[0] if data and pids else 0
            except BlockingIOError:
                if not await ready(self._mine.fileno(), at=at, unless=unless):
                    return "", 0

    def handed_over(self) -> None:
        """Close the end that the child now has."""
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1

    def close(self) -> None:
        self.handed_over()
        self._mine.close()
