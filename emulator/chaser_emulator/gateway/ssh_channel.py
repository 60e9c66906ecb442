"""A shell or a command on a channel: what the client types goes in, what the program writes comes out."""

from __future__ import annotations

import asyncio
import re
import secrets
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncssh

from chaser_emulator.gateway.ssh_shell import let_go
from chaser_emulator.sandbox import CommandSpec, Process, SandboxError, Terminal, TerminalSpec

if TYPE_CHECKING:
    from chaser_emulator.gateway.ssh_access import Sandbox

_REFUSED = 255
"""What `ssh` itself exits with when it cannot do what was asked."""
_CHUNK = 65_536
_HANGUP_GRACE = 0.5
"""Seconds that a command has to end by itself once its client is gone."""
_ERROR_GRACE = 0.2
"""Seconds that error output is still awaited once a command has ended while a child of it keeps the pipe open."""

_ACCEPTED = re.compile(r"^(LANG|LC_[A-Z]+|COLORTERM)$")
"""The variables of a client that OpenSSH's servers usually take."""

_SHELL = '[ -n "$SHELL" ] && [ -x "$SHELL" ] && exec "$SHELL"; exec sh'


def refuse(channel: asyncssh.SSHServerChannel[bytes], reason: str) -> None:
    """Say why not, and close the channel."""
    with suppress(OSError, asyncssh.Error):
        channel.write(f"chaser: {reason}\r\n".encode(), asyncssh.EXTENDED_DATA_STDERR)
        channel.exit(_REFUSED)


async def converse(process: asyncssh.SSHServerProcess[bytes], sandbox: Sandbox) -> None:
    """Run what a channel asks for until it ends, or until the channel does. Raises SandboxError."""
    channel = process.channel
    if channel.get_subsystem() is not None:
        refuse(channel, f"there is no subsystem {channel.get_subsystem()!r}; sftp is the one there is")
    elif channel.get_terminal_type() is not None:
        terminal = await sandbox.engine.open_terminal(sandbox.ref, _terminal_spec(channel))
        try:
            await _follow(process, terminal, terminal, None)
        finally:
            await _through(terminal.close())
    else:
        await _run(process, sandbox)


async def _run(process: asyncssh.SSHServerProcess[bytes], sandbox: Sandbox) -> None:
    """A command, or a shell that reads commands, without a terminal."""
    channel = process.channel
    errors = await _Errors.open(sandbox)
    ended = False
    try:
        command = errors.prefix + (channel.get_command() or _SHELL)
        own = channel.get_command() is None
        spec = CommandSpec(command, env=_variables(channel), stdin=True, ours=own)
        program = await sandbox.engine.exec(sandbox.ref, spec)
        try:
            ended = await _follow(process, program, None, errors.chunks)
        finally:
            if not ended:
                await _through(_hang_up(program))
    finally:
        if not ended:
            await _through(errors.close())


def _variables(channel: asyncssh.SSHServerChannel[bytes]) -> dict[str, str]:
    given: Mapping[str, str] = channel.get_environment()
    host, port, *_ = channel.get_extra_info("peername") or ("", 0)
    _, own, *_ = channel.get_extra_info("sockname") or ("", 0)
    told = {"SSH_CLIENT": f"{host} {port} {own}", "SSH_CONNECTION": f"{host} {port} {host} {own}"}
    return {name: value for name, value in given.items() if _ACCEPTED.match(name)} | told


def _terminal_spec(channel: asyncssh.SSHServerChannel[bytes]) -> TerminalSpec:
    cols, rows, _, _ = channel.get_terminal_size()
    env = _variables(channel)
    if name := channel.get_terminal_type():
        env["TERM"] = name
    return TerminalSpec(command=channel.get_command(), rows=rows or 24, cols=cols or 80, env=env)


async def _follow(
    process: asyncssh.SSHServerProcess[bytes],
    program: Process,
    terminal: Terminal | None,
    errors: AsyncIterator[bytes] | None,
) -> bool:
    """Pass on both ways until the program has ended and all it wrote is sent (True), or the channel is closed."""
    typing = asyncio.create_task(_type(process, program, terminal))
    gone = asyncio.create_task(process.channel.wait_closed())
    showing = asyncio.create_task(_show(program.output(), process.stdout))
    complaining = asyncio.create_task(_show(errors, process.stderr)) if errors is not None else None
    tasks = [task for task in (typing, gone, showing, complaining) if task is not None]
    try:
        await asyncio.wait({showing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            return False
        showing.result()
        code = await program.wait()
        if complaining is not None:
            await asyncio.wait({complaining, gone}, timeout=_ERROR_GRACE, return_when=asyncio.FIRST_COMPLETED)
        process.exit(code)
        return True
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _show(chunks: AsyncIterator[bytes], screen: asyncssh.SSHWriter[bytes]) -> None:
    """Pass on what a program writes, no faster than the client takes it."""
    try:
        async for chunk in chunks:
            screen.write(chunk)
            await screen.drain()
    except (OSError, asyncssh.Error):
        return  # the client is gone; whoever follows notices
    finally:
        await let_go(chunks)


async def _type(process: asyncssh.SSHServerProcess[bytes], program: Process, terminal: Terminal | None) -> None:
    """Pass on what a client types, and what it says of its window."""
    while True:
        try:
            data = await process.stdin.read(_CHUNK)
            if not data:
                await program.close_stdin()
                return
            await program.write(data)
        except asyncssh.TerminalSizeChanged as size:
            if terminal is not None and size.height and size.width:
                await terminal.resize(size.height, size.width)
        except asyncssh.SignalReceived as received:
            number = getattr(signal, f"SIG{received.signal}", None)
            if isinstance(number, signal.Signals):
                await program.signal(number)
        except asyncssh.BreakReceived:
            await program.signal(signal.SIGINT)
        except (OSError, asyncssh.Error, SandboxError):
            return  # it reads no more, or its client is gone; whoever follows notices


async def _hang_up(program: Process) -> None:
    """End a command whose client is gone; nothing when it has ended."""
    with suppress(SandboxError):
        await program.signal(signal.SIGHUP)
        with suppress(TimeoutError):
            async with asyncio.timeout(_HANGUP_GRACE):
                await program.wait()
                return
        await program.signal(signal.SIGKILL)


async def _through(work: Coroutine[Any, Any, None]) -> None:
    """Go through with an end, also when whoever waits for it is cancelled."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


class _Errors:
    """What a command writes to standard error, kept apart from its output.

    Engines merge the two, and rsync, git and scp speak a protocol on the one that a complaint on the other would
    break. So a second process reads a named pipe that the command gets as its standard error. `prefix` goes before
    the command; `chunks` is None where they stay merged.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._path = f"/tmp/.chaser-ssh-{secrets.token_hex(8)}"  # noqa: S108 - in the sandbox
        self._reader: Process | None = None
        self.prefix = ""
        self.chunks: AsyncIterator[bytes] | None = None

    @classmethod
    async def open(cls, sandbox: Sandbox) -> _Errors:
        """Merged as they come where the sandbox cannot have a named pipe, or runs nothing. Raises SandboxError."""
        errors = cls(sandbox)
        if sandbox.engine.name == "scripted":
            return errors
        path = errors._path
        script = f"umask 077; mkfifo {path} 2>/dev/null || exit 1; echo; exec <{path}; rm -f {path}; exec cat"
        reader = await sandbox.engine.exec(sandbox.ref, CommandSpec(script, ours=True))
        chunks = reader.output()
        try:
            made = await anext(chunks, b"")
        except BaseException:
            await _through(_hang_up(reader))
            raise
        if not made:
            await let_go(chunks)
        else:
            errors._reader, errors.chunks, errors.prefix = reader, chunks, f"exec 2>{path}\n"
        return errors

    async def close(self) -> None:
        """Give up, also when no command has come to use it."""
        if self._reader is None:
            return
        with suppress(SandboxError):
            await self._reader.signal(signal.SIGKILL)
            await let_go(self.chunks)
            remains = await self._sandbox.engine.exec(self._sandbox.ref, CommandSpec(f"rm -f {self._path}", ours=True))
            await remains.wait()
