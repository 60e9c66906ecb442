"""A terminal of a local sandbox: a pty whose one end we hold, and the shell that leads the session on the other."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from chaser_emulator.sandbox import SandboxUnavailable, TerminalSpec
from chaser_emulator.sandbox.children import Started, above_standard, ready
from chaser_emulator.sandbox.files import in_thread

CHUNK = 65_536
GRACE = 0.1
"""Seconds that output is still awaited once the shell has ended while a child of it keeps the terminal open."""
KILL_AFTER = 0.5
"""Seconds that programs have to save their work once the terminal has hung up."""
_BUFFERED = 65_536
"""More than the kernel keeps of a terminal's output: what comes beyond it was written after the shell's end."""

# Of <asm-generic/ioctls.h>, for what Python has no names for yet.
_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441


class Pty:
    """Both ends of a pty. Ours is read and written; theirs is kept open for as long as the shell runs.

    Without that, a shell that closes its standard streams for a moment would look like one that has ended.
    """

    def __init__(self, master: int, slave: int) -> None:
        self.master = above_standard(master)
        self.slave = above_standard(slave)
        os.set_blocking(self.master, False)

    def release_slave(self) -> None:
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    def close(self) -> None:
        self.release_slave()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def resize(self, rows: int, cols: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    __del__ = close


def open_pty(spec: TerminalSpec, inside: int | None = None) -> Pty:
    """A pty of the wanted size; of the terminals that process `inside` sees, None meaning our own.

    A sandbox has a /dev/pts of its own. A pty from elsewhere would work there but have no name, which tmux, ssh, gpg
    and `tty` need. FileNotFoundError when the process has ended.
    """
    try:
        if inside is None:
            pty = Pty(*os.openpty())
        else:
            master = os.open(f"/proc/{inside}/root/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            try:
                fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
                slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            except BaseException:
                os.close(master)
                raise
            pty = Pty(master, slave)
    except (FileNotFoundError, ProcessLookupError):
        raise FileNotFoundError from None
    except OSError as error:
        raise SandboxUnavailable(f"No terminal can be opened: {error.strerror}.") from None
    pty.resize(spec.rows, spec.cols)
    if spec.mode == "agent":
        modes = termios.tcgetattr(pty.slave)
        modes[3] &= ~(termios.ECHO | termios.ECHONL)
        termios.tcsetattr(pty.slave, termios.TCSANOW, modes)
    return pty


class LocalTerminal:
    """A shell or command on a pty of its own, which is its controlling terminal."""

    def __init__(self, started: Started, pty: Pty) -> None:
        self._started = started
        self._pty = pty
        self._state = state = _State(asyncio.get_running_loop().create_future(), asyncio.get_running_loop())
        self._writing = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None

        # This knows the pty and not the terminal: one that nobody holds any more is to hang up.
        def note_end(_: asyncio.Future[int]) -> None:
            pty.release_slave()
            state.end()

        started.ended.add_done_callback(note_end)

    @property
    def pid(self) -> int:
        return self._started.pid

    @property
    def group(self) -> int:
        """Its process group, and its session, as we see them."""
        return self._started.group

    @property
    def runs(self) -> bool:
        return not self._started.ended.done()

    async def output(self) -> AsyncIterator[bytes]:
        late = 0
        while self._pty.master >= 0 and not self._state.closed and late <= _BUFFERED:
            try:
                chunk = os.read(self._pty.master, CHUNK)
            except BlockingIOError:
                if not await self._more():
                    break
                continue
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                break  # nobody has it open any more
            if not chunk:
                break
            yield chunk
            if self._state.graceless:
                late += len(chunk)
            await asyncio.sleep(0)  # a flood must leave the loop to others
        if self._state.over.done():
            self.let_go()

    async def _more(self) -> bool:
        """Wait for more output; False once the shell and its grace are over, or the terminal is closed."""
        if not self._state.over.done() and await self._ready(unless=self._state.over):
            return True
        if self._state.closed:
            return False
        return await self._ready(at=self._state.ended_at + GRACE)

    async def _ready(self, *, write: bool = False, unless: asyncio.Future[int] | None = None, at: float = 0) -> bool:
        """Wait until the pty can be read or written. It is closed only when nobody waits for it any more."""
        self._state.waiting += 1
        try:
            return await ready(self._pty.master, write=write, unless=unless, at=at)
        finally:
            self._state.waiting -= 1
            if self._state.closed:
                self.let_go()

    def let_go(self) -> None:
        """Close our end, by which the terminal hangs up."""
        self._state.close()
        if self._state.waiting == 0:
            self._pty.close()

    async def write(self, data: bytes) -> None:
        async with self._writing:
            rest = memoryview(data)
            while rest:
                if self._state.over.done() or self._pty.master < 0:
                    raise BrokenPipeError("the terminal has ended")
                try:
                    rest = rest[os.write(self._pty.master, rest) :]
                except BlockingIOError:
                    await self._ready(write=True, unless=self._state.over)
                except OSError as error:
                    if error.errno != errno.EIO:
                        raise
                    raise BrokenPipeError("the terminal has ended") from None
                else:
                    if rest:
                        await asyncio.sleep(0)

    async def close_stdin(self) -> None:
        try:
            await self.write(b"\x04")
        except BrokenPipeError:
            return

    async def resize(self, rows: int, cols: int) -> None:
        if self._pty.master >= 0 and self.runs:
            self._pty.resize(rows, cols)

    async def signal(self, number: int) -> None:
        if self.runs:
            _signal_group(self.group, number)

    async def wait(self) -> int:
        return await asyncio.shield(self._started.ended)

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._hang_up())
        await asyncio.shield(self._closing)

    async def _hang_up(self) -> None:
        """As the line of a modem that drops, with a kill for those who stay.

        What a user has started by nohup in the background stays, as on any machine. Once the shell itself has ended,
        nobody is on the terminal, and what it has left behind is meant to be there.
        """
        if not self.runs or self._pty.master < 0:
            self.let_go()
            return
        front = {self.group, _foreground(self._pty.master)}
        for group in front | {one.group for one in await in_thread(_members, self.group)}:
            _signal_group(group, signal.SIGHUP)
            _signal_group(group, signal.SIGCONT)
        self.let_go()
        loop = asyncio.get_running_loop()
        patience = loop.time() + KILL_AFTER
        await asyncio.wait({self._started.ended}, timeout=KILL_AFTER)
        while left := [one for one in await in_thread(_members, self.group) if one.group in front or not one.deaf]:
            if loop.time() < patience:
                await asyncio.sleep(0.05)
                continue
            for one in left:
                _signal(one.pid, signal.SIGKILL)
            await asyncio.sleep(0.005)
        if sys.platform != "linux":
            for group in front:
                _signal_group(group, signal.SIGKILL)

    def __del__(self) -> None:
        self._pty.close()


@dataclass
class _State:
    """How far a terminal has come."""

    over: asyncio.Future[int]
    """Done when its shell has ended, or our end is closed."""
    loop: asyncio.AbstractEventLoop
    ended_at: float = 0
    closed: bool = False
    waiting: int = 0

    def end(self) -> None:
        self.ended_at = self.loop.time()
        self._settle()

    def close(self) -> None:
        self.closed = True
        self._settle()

    @property
    def graceless(self) -> bool:
        return bool(self.ended_at) and self.loop.time() >= self.ended_at + GRACE

    def _settle(self) -> None:
        if not self.over.done() and not self.loop.is_closed():
            self.over.set_result(0)


@dataclass(frozen=True)
class _Member:
    pid: int
    group: int
    deaf: bool
    """Whether it ignores SIGHUP, as after nohup."""


def _members(session: int) -> list[_Member]:
    """The processes of a session, where /proc tells."""
    found = []
    for name in os.listdir("/proc") if sys.platform == "linux" else ():
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                state, _, group, leader = stat.read().rpartition(b")")[2].split()[:4]
            if int(leader) == session and state not in (b"Z", b"X"):
                with open(f"/proc/{name}/status", "rb") as status:
                    ignored = next(line for line in status if line.startswith(b"SigIgn:")).split()[1]
                found.append(_Member(int(name), int(group), bool(int(ignored, 16) & 1 << (signal.SIGHUP - 1))))
        except (OSError, ValueError, StopIteration):
            continue  # it has just ended
    return found


def _foreground(master: int) -> int:
    try:
        return os.tcgetpgrp(master)
    except OSError:
        return 0


def _signal_group(group: int, number: int) -> None:
    if group > 1:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            return  # it has just ended; macOS says the latter of a zombie


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def groups_of(terminals: Iterable[LocalTerminal]) -> list[int]:
    """The groups of the terminals that run."""
    return [one.group for one in terminals if one.runs]
