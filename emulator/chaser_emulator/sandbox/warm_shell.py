"""A resident shell in a container, the commands it runs, and the stock of such shells: what makes exec fast."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources
from typing import Protocol

from . import SandboxGone, SandboxUnavailable, UnknownUser
from .docker_exec import Endpoint, ExecError, ExecStream, open_exec

Reply = tuple[str, ...]

_BUFFER = 1024 * 1024
_PIECE = 64 * 1024
_ARGV = ("sh", "-c", 'eval "$_chaser_script"', "chaser")
_SUPERVISOR = resources.files(__package__).joinpath("supervisor.sh").read_text()


class Shell:
    """The near end of supervisor.sh: sends it code, and tells its replies from the output of what it runs."""

    def __init__(self, stream: ExecStream, mark: bytes) -> None:
        self._stream = stream
        self._mark = mark
        self._held = b""
        self.pid = 0
        self.gone = False

    @classmethod
    async def open(cls, endpoint: Endpoint, container: str, user: str | None, patience: float) -> Shell:
        """Start one within `patience` seconds. SandboxGone, UnknownUser, or SandboxUnavailable with the reason."""
        try:
            async with asyncio.timeout(patience):
                stream = await open_exec(endpoint, container, _ARGV, user=user, env=[f"_chaser_script={_SUPERVISOR}"])
        except TimeoutError as error:
            raise SandboxUnavailable("The container engine does not answer.") from error
        except ExecError as error:
            raise refusal(str(error), user) from error
        shell = cls(stream, secrets.token_hex(16).encode())
        noise = b""
        try:
            async with asyncio.timeout(patience):
                stream.write(shell._mark + b"\n")
                while isinstance(item := await shell.next(), bytes):
                    noise += item
        except TimeoutError as error:
            shell.close()
            raise SandboxUnavailable("The container engine does not answer.") from error
        except BaseException:
            shell.close()
            raise
        if item is None:
            # An engine that has begun to stream can only tell in the stream itself why it did not start the command.
            shell.close()
            raise refusal((noise + stream.complaint).decode(errors="replace").strip(), user)
        shell.pid = int(item[1])
        return shell

    def request(self, code: str) -> None:
        """Have code evaluated, when what was asked before is done."""
        content = code.encode("utf-8", "surrogatepass")
        self._stream.write(b"%d\n%b\n" % (content.count(b"\n") + 1, content))

    async def next(self) -> bytes | Reply | None:
        """What comes next: output, a reply, or None when the shell has ended."""
        while True:
            at = self._held.find(self._mark)
            if at == 0:
                end = self._held.find(b">")
                if end > 0:
                    words = self._held[len(self._mark) : end].decode().split()
                    self._held = self._held[end + 1 :]
                    return tuple(words)
            else:
                output = self._held[: self._whole() if at < 0 else at]
                if output:
                    self._held = self._held[len(output) :]
                    return output
            data = await self._stream.read()
            if not data:
                self.gone = True
                return None
            self._held += data

    def _whole(self) -> int:
        """How much of what is held cannot be the beginning of a mark."""
        at = max(0, len(self._held) - len(self._mark) + 1)
        while (at := self._held.find(self._mark[:1], at)) >= 0:
            if self._mark.startswith(self._held[at:]):
                return at
            at += 1
        return len(self._held)

    @property
    def stream(self) -> ExecStream:
        return self._stream

    def close(self) -> None:
        """Let it go; it ends by itself when it sees the end of its input."""
        self.gone = True
        self._stream.close()


def refusal(text: str, user: str | None) -> Exception:
    """Why an engine, in these words, did not start something for a user."""
    lowered = text.lower()
    if user is not None and any(word in lowered for word in ("user", "uid", "gid", "group")):
        return UnknownUser(f"There is no user {user!r} in the sandbox.")
    # "Stopped" is what runc says between the end of a container and the engine's notice of it.
    if not text or any(word in lowered for word in ("not running", "no such container", "stopped")):
        return SandboxGone("The sandbox has ended.")
    return SandboxUnavailable(f"The container engine cannot run a command: {text}")


class Control(Protocol):
    """The shell of a container's root, as a command needs it."""

    async def kill(self, number: int, group: int) -> None: ...
    async def lives(self, pid: int) -> bool: ...
    async def reads(self, shell: int) -> bool:
        """Whether any process but the resident shell itself still has that shell's input open."""
        ...


class ShellProcess:
    """A command in a resident shell, as `Process` wants it.

    Up to 1 MiB of output that nobody reads is taken in, then the command is held back. It may have ended behind what
    is held back; so while someone waits, it is asked for, and once it has ended the little that is under way is taken
    in, whoever reads. The supervisor says that the command has ended in the very pipe of its output, behind all of it:
    output ends there, whoever else holds the pipe.
    """

    def __init__(self, shell: Shell, control: Control, release: Callable[[Shell, bool], None], *, stdin: bool) -> None:
        self._shell = shell
        self._control = control
        self._release = release
        self._stdin = stdin
        self._clean = not stdin
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = asyncio.Event()
        self._waiting = 0
        self._dead = False
        self._code = 137
        self.pid = 0
        self.first: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self.replies: list[Reply] = []
        self._pumping = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        clean = False
        try:
            while (item := await self._shell.next()) is not None:
                if isinstance(item, bytes):
                    if self.first.done() and not self._ended.is_set():
                        await self._store(item)
                elif item[0] == "exit":
                    self._code = int(item[1])
                    self._end()
                elif item[0] in ("clean", "dirty"):
                    clean = self._clean and item[0] == "clean"
                    break
                else:
                    self._reply(item)
        finally:
            self._end()
            self._release(self._shell, clean)

    def _reply(self, reply: Reply) -> None:
        self.replies.append(reply)
        if reply[0] == "pid":
            self.pid = int(reply[1])
        if not self.first.done():
            self.first.set_result(reply)

    def _end(self) -> None:
        self._ended.set()
        self._news.set()
        if not self.first.done():
            self.first.set_result(None)

    async def _store(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        self._news.set()
        while self._size > _BUFFER and not self._dead:
            self._room.clear()
            try:
                async with asyncio.timeout(0.1 if self._waiting else None):
                    await self._room.wait()
            except TimeoutError:
                self._dead = not await self._control.lives(self.pid)

    async def output(self) -> AsyncIterator[bytes]:
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._size -= len(chunk)
                if self._size <= _BUFFER:
                    self._room.set()
                yield chunk
            if self._ended.is_set():
                return
            self._news.clear()
            await self._news.wait()

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        for at in range(0, len(data), _PIECE):
            if not self._stdin or self._ended.is_set() or self._shell.gone:
                raise BrokenPipeError("The command does not read its standard input.")
            self._shell.stream.write(bytes(view[at : at + _PIECE]))
            await self._drain()

    async def _drain(self) -> None:
        """Wait for room, and look now and then whether anyone still reads: the shell itself keeps the pipe open."""
        draining = asyncio.ensure_future(self._shell.stream.drain())
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            while not draining.done():
                await asyncio.wait((draining, ended), timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
                if draining.done():
                    break
                if ended.done() or not await self._control.reads(self._shell.pid):
                    self._stdin = False
                    raise BrokenPipeError("The command does not read its standard input any more.")
            if draining.exception() is not None:
                raise BrokenPipeError("The command has ended.") from draining.exception()
        finally:
            draining.cancel()
            ended.cancel()

    async def close_stdin(self) -> None:
        if self._stdin:
            self._stdin = False
            self._shell.stream.write_eof()

    async def signal(self, number: int) -> None:
        if not self._ended.is_set():
            await self._control.kill(number, self.pid)

    async def wait(self) -> int:
        self._waiting += 1
        self._room.set()
        try:
            await self._ended.wait()
        finally:
            self._waiting -= 1
        return self._code

    async def released(self) -> None:
        """Wait until its shell has been given back."""
        await asyncio.shield(self._pumping)

    def abandon(self) -> None:
        """Let it go together with its shell, whatever it is doing."""
        self._shell.close()
        self._pumping.cancel()


class ShellStock:
    """Resident shells of one user in one container, kept warm.

    Who needs one takes one that is free; else the next that becomes free or gets ready, whichever comes first.
    """

    def __init__(
        self, open_shell: Callable[[], Awaitable[Shell]], *, patience: float, spare: int = 1, most: int = 4
    ) -> None:
        self._open_shell = open_shell
        self._patience = patience
        self._spare = spare
        self._most = most
        self._idle: list[Shell] = []
        self._all: set[Shell] = set()
        self._waiting: deque[asyncio.Future[Shell]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False

    async def take(self) -> Shell:
        while self._idle:
            shell = self._idle.pop()
            if shell.gone or shell.stream.ended:
                self._drop(shell)
                continue
            self.warm()
            return shell
        waiter: asyncio.Future[Shell] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self.warm()
        try:
            async with asyncio.timeout(3 * self._patience):
                try:
                    return await waiter
                except asyncio.CancelledError:
                    # It may have been handed over at this very moment.
                    if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                        self.give(waiter.result(), clean=True)
                    raise
        except TimeoutError as error:
            raise SandboxUnavailable("The container engine does not answer.") from error
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def give(self, shell: Shell, clean: bool) -> None:
        """Take one back."""
        if not clean or shell.gone or self._closed:
            self._drop(shell)
            if not self._closed:
                self.warm()
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(shell)
                return
        if len(self._idle) < self._most:
            self._idle.append(shell)
        else:
            self._drop(shell)

    def warm(self) -> None:
        """See to it that as many are getting ready as are wanted."""
        wanted = len(self._waiting) + max(0, self._spare - len(self._idle)) - len(self._opening)
        for _ in range(min(wanted, self._most - len(self._opening))):
            task = asyncio.create_task(self._add())
            self._opening.add(task)
            task.add_done_callback(self._opened)

    async def _add(self) -> None:
        shell = await self._open_shell()
        self._all.add(shell)
        self.give(shell, clean=True)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            # Who waits is told. Without anyone waiting it was only to be a spare one, and the next take tries again.
            while self._waiting:
                waiter = self._waiting.popleft()
                if not waiter.done():
                    waiter.set_exception(error)
        elif self._waiting and not self._closed:
            self.warm()

    def _drop(self, shell: Shell) -> None:
        self._all.discard(shell)
        shell.close()

    @property
    def waits(self) -> bool:
        """Whether one is free, as far as is known without asking it."""
        return any(not shell.gone and not shell.stream.ended for shell in self._idle)

    def tell(self, code: str) -> None:
        """Have all that are free evaluate code that says nothing."""
        for shell in self._idle:
            shell.request(code)

    @property
    def pids(self) -> list[int]:
        """The shells' numbers in the container."""
        return [shell.pid for shell in self._all]

    async def close(self) -> None:
        """Let all go, those in use included."""
        self._closed = True
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for shell in list(self._all):
            self._drop(shell)
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(SandboxGone("The sandbox has ended."))
        self._waiting.clear()
        self._idle.clear()
