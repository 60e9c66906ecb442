"""A terminal in a container: a `docker exec -t`, the shell that leads the session on it, and how that ends."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
import secrets
import shlex
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, Protocol

from . import WORKSPACE_ROOT, SandboxError, SandboxGone, SandboxUnavailable, TerminalSpec, UnknownDirectory
from .children import apart, shell_argv
from .docker_exec import Endpoint, ExecError, ExecStream, exit_code, open_exec, resize_exec
from .environment import of_terminal
from .warm_shell import refusal

_BUFFER: Final = 256 * 1024
_PIECE: Final = 64 * 1024
_KILL_AFTER: Final = 0.5
"""Seconds that programs have to save their work once the terminal has hung up."""

# The first program on the terminal. What it says there, with a random mark, is never shown. A size that cannot be set
# from within is set by the engine. busybox edits lines, and so echoes, on descriptor 0 only, and begins with a banner.
_FIRST: Final = """
stty rows {rows} cols {cols} 2>/dev/null && _chaser_sized=yes || _chaser_sized=no
case {mode} in agent) stty -echo 2>/dev/null ;; esac
cd -- {cwd} 2>/dev/null || {{ printf '%s error directory>' {mark}; exit 1; }}
unset OLDPWD
_chaser_shell=$(command -v bash || command -v sh)
printf '%s pid %s %s>' {mark} $$ "$_chaser_sized"
case $#:{mode}:$_chaser_shell in
0:human:*) exec {odd} "$_chaser_shell" -l ;;
0:agent:*/bash) exec {odd} "$_chaser_shell" --noprofile --norc --noediting ;;
0:agent:*)
    ENV=/proc/self/fd/5
    export ENV
    exec {odd} "$_chaser_shell" -i /dev/tty 3>&1 >/dev/null 5<<'EOF'
unset ENV
exec >&3 3>&- 5<&-
EOF
    ;;
*) exec {odd} "$_chaser_shell" "$@" ;;
esac
"""

# What a shell keeps for itself: it would stumble over an `export` of these, or read with them.
SHELLS_OWN: Final = {"IFS", "UID", "EUID", "PPID", "SHELLOPTS", "BASHOPTS", "BASH_VERSINFO", "_"}
# Files that these name are for the user's shell, not for the one that comes before it.
_KEPT_FROM_FIRST: Final = SHELLS_OWN | {"BASH_ENV", "ENV"}


class Root(Protocol):
    """The shell of a container's root, as a terminal needs it."""

    async def kill(self, number: int, group: int) -> None: ...
    async def lives(self, pid: int) -> bool: ...
    async def hang_up(self, session: int) -> int: ...
    async def clear(self, session: int, front: int) -> int: ...


async def open_terminal(
    endpoint: Endpoint, ref: str, root: Root, spec: TerminalSpec, env: Mapping[str, str], patience: float
) -> DockerTerminal:
    """Start one within `patience` seconds. `env` is what its user's commands see; the spec's own comes on top."""
    cwd = posixpath.join(WORKSPACE_ROOT, spec.cwd)
    if not spec.cwd or "\0" in cwd:
        raise UnknownDirectory("cwd is no directory of the sandbox.")
    mark = secrets.token_hex(16)
    variables = {**env, **of_terminal(spec.mode), **spec.env}
    plain, odd = apart(variables, _KEPT_FROM_FIRST)
    first = _FIRST.format(
        rows=int(spec.rows),
        cols=int(spec.cols),
        mode=spec.mode,
        mark=mark,
        cwd=shlex.quote(cwd),
        odd=shlex.join(["env", *odd]) if odd else "",
    )
    argv = ["sh", "-c", first, "chaser"]
    if spec.command is not None:
        argv += shell_argv("", spec.command)[1:]
    env_list = [f"{name}={value}" for name, value in plain.items()]
    try:
        async with asyncio.timeout(patience):
            stream = await open_exec(endpoint, ref, argv, user=spec.user, env=env_list, tty=True)
            try:
                said, rest = await _said(stream, mark.encode())
            except BaseException:
                stream.close()
                raise
    except TimeoutError as error:
        raise SandboxUnavailable("The container engine does not answer.") from error
    except ExecError as error:
        raise refusal(str(error), spec.user) from error
    if not said:
        stream.close()
        raise refusal(rest.decode(errors="replace").strip(), spec.user)
    if said[0] != "pid":
        stream.close()
        raise UnknownDirectory(f"{spec.cwd!r} is no directory of the sandbox.")
    terminal = DockerTerminal(endpoint, root, stream, int(said[1]), rest, patience)
    if said[2] != "yes":
        await terminal.resize(spec.rows, spec.cols)
    return terminal


async def _said(stream: ExecStream, mark: bytes) -> tuple[list[str], bytes]:
    """What the first program says, and what has come after that; no words, and the engine's, when it never started."""
    seen = b""
    while data := await stream.read():
        seen += data
        words, found, rest = seen.partition(mark)[2].partition(b">")
        if found:
            return words.decode(errors="replace").split(), rest
    return [], seen


class DockerTerminal:
    """A shell or command on a terminal of its own. `first` is what has been read of its output."""

    def __init__(
        self, endpoint: Endpoint, root: Root, stream: ExecStream, pid: int, first: bytes, patience: float
    ) -> None:
        self.pid = pid
        self._endpoint = endpoint
        self._root = root
        self._stream = stream
        self._patience = patience
        self._chunks: deque[bytes] = deque([first] if first else [])
        self._size = len(first)
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._drained = asyncio.Event()
        self._ended = asyncio.Event()
        self._closed = False
        self._waiting = 0
        self._code = 137
        self._writing = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        self._learning: asyncio.Task[None] | None = None
        self._pumping = asyncio.create_task(self._pump())

    def on_end(self, then: Callable[[DockerTerminal], None]) -> None:
        """Have something done once nothing of it is held any more."""
        self._pumping.add_done_callback(lambda _: then(self))

    async def _pump(self) -> None:
        try:
            while data := await self._stream.read():
                await self._store(data)
            await self._learn()
        finally:
            self._drained.set()
            self._news.set()
            self._ended.set()
            self._stream.close()

    async def _store(self, data: bytes) -> None:
        if self._closed:
            return
        self._chunks.append(data)
        self._size += len(data)
        self._news.set()
        while self._size > _BUFFER and not self._closed:
            self._room.clear()
            polling = self._waiting and self._learning is None
            try:
                async with asyncio.timeout(0.1 if polling else None):
                    await self._room.wait()
            except TimeoutError:
                # Who only waits for the end need not read; and the stream does not tell before it has been read.
                if not await self._root.lives(self.pid):
                    self._learning = asyncio.create_task(self._learn())

    async def _learn(self) -> None:
        """Get to know how it has ended, which the engine may notice a moment late."""
        with contextlib.suppress(SandboxError, ExecError, TimeoutError):
            async with asyncio.timeout(self._patience):
                pause = 0.002
                while (code := await exit_code(self._endpoint, self._stream.number)) is None:
                    await asyncio.sleep(pause)
                    pause = min(0.1, pause * 2)
                if not self._ended.is_set():
                    self._code = code & 255
        self._ended.set()

    async def output(self) -> AsyncIterator[bytes]:
        while not self._closed:
            if self._chunks:
                chunk = self._chunks.popleft()
                self._size -= len(chunk)
                if self._size <= _BUFFER:
                    self._room.set()
                yield chunk
                continue
            if self._drained.is_set():
                return
            self._news.clear()
            await self._news.wait()

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        async with self._writing:
            for at in range(0, len(data), _PIECE):
                if self._closed or self._ended.is_set() or self._stream.ended:
                    raise BrokenPipeError("The terminal has ended.")
                self._stream.write(bytes(view[at : at + _PIECE]))
                await self._drain()

    async def _drain(self) -> None:
        draining = asyncio.ensure_future(self._stream.drain())
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((draining, ended), return_when=asyncio.FIRST_COMPLETED)
            if not draining.done():
                raise BrokenPipeError("The terminal has ended.")
            if draining.exception() is not None:
                raise BrokenPipeError("The terminal has ended.") from draining.exception()
        finally:
            draining.cancel()
            ended.cancel()

    async def close_stdin(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            await self.write(b"\x04")

    async def resize(self, rows: int, cols: int) -> None:
        if self._closed or self._ended.is_set():
            return
        # One that has ended cannot be resized, and need not.
        with contextlib.suppress(ExecError, SandboxGone):
            try:
                async with asyncio.timeout(self._patience):
                    await resize_exec(self._endpoint, self._stream.number, rows, cols)
            except TimeoutError as error:
                raise SandboxUnavailable("The container engine does not answer.") from error

    async def signal(self, number: int) -> None:
        if not self._ended.is_set():
            await self._root.kill(number, self.pid)

    async def wait(self) -> int:
        self._waiting += 1
        self._room.set()
        try:
            await self._ended.wait()
        finally:
            self._waiting -= 1
        return self._code

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._hang_up())
        await asyncio.shield(self._closing)

    async def _hang_up(self) -> None:
        """Once the shell itself has ended, nobody is on the terminal, and what it has left is meant to be there."""
        self._let_go()
        try:
            if not self._ended.is_set():
                async with asyncio.timeout(self._patience):
                    await self._end_all()
        except TimeoutError as error:
            raise SandboxUnavailable("The terminal's programs cannot be ended.") from error
        finally:
            self.abandon()

    async def _end_all(self) -> None:
        front = await self._root.hang_up(self.pid)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_KILL_AFTER):
                await self._ended.wait()
        while await self._root.clear(self.pid, front):  # noqa: ASYNC110 - asked of the machine
            await asyncio.sleep(0.01)
        await self._ended.wait()

    def _let_go(self) -> None:
        """Have no more output, and take what still comes for nothing."""
        self._closed = True
        self._chunks.clear()
        self._size = 0
        self._room.set()
        self._news.set()

    def abandon(self) -> None:
        """Drop our end, its sandbox being about to end."""
        self._let_go()
        self._ended.set()
        self._pumping.cancel()
        if self._learning is not None:
            self._learning.cancel()
