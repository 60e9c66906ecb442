"""A command of the scripted engine: the answer of a stub, played as a process that is waited for, fed and killed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

from chaser_emulator.sandbox import CommandSpec
from chaser_emulator.sandbox.scripted_ports import ScriptedPort
from chaser_emulator.sandbox.stubs import Answer, Decide, filled

CHUNK = 65_536

_HARMLESS = frozenset([0, 17, 18, 19, 20, 21, 22, 23, 28])
"""Signals that end no command: questions, notices, and those that only make it pause."""

_UNREAD = 65_536
"""Bytes sent back that may wait to be read; with more, whoever feeds an echo waits."""


class ScriptedProcess:
    """What `decide` answers is played in real time; `store` writes the files of an answer.

    An answer that takes no time is there at once, without a task of its own: most are.
    """

    def __init__(
        self, pid: int, command: CommandSpec, decide: Decide, store: Callable[[Mapping[str, bytes | str]], None]
    ) -> None:
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.ports: dict[int, ScriptedPort] = {}
        self._pid = pid
        self._decide = decide
        self._store = store
        self._answer: Answer | None = None
        self._given = bytearray()
        """All that it has been fed, for a decision or for an answer that needs it."""
        self._unread: deque[bytes] = deque()
        """Fed and not sent back yet."""
        self._whole = not command.stdin
        self._said: deque[bytes] = deque()
        self._stirred = asyncio.Event()
        self._playing: asyncio.Task[None] | None = None
        self._choose()

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def reads(self) -> bool:
        """Whether it waits for input, or for the end of that."""
        if self._whole or self.ended.done():
            return False
        return self._answer is None or self._answer.reads is not None or self._answer.runs == "until_eof"

    async def output(self) -> AsyncIterator[bytes]:
        while True:
            while self._said:
                piece = self._said.popleft()
                self._stir()
                for start in range(0, len(piece), CHUNK):
                    yield piece[start : start + CHUNK]
            if self.ended.done():
                return
            await self._stir_of(lambda: bool(self._said) or self.ended.done())

    async def write(self, data: bytes) -> None:
        # One that answers at once has still read what comes right after its start.
        if self._whole or (self.ended.done() and self._playing is not None):
            raise BrokenPipeError("the command reads no more")
        if self._answer is None or self._answer.reads == "all":
            self._given += data
        elif self._answer.reads == "echo" and not self.ended.done():
            await self._stir_of(lambda: sum(map(len, self._unread)) < _UNREAD or self.ended.done())
            self._unread.append(data)
        self._stir()
        self._choose()

    async def close_stdin(self) -> None:
        self._whole = True
        self._stir()
        self._choose()

    async def signal(self, number: int) -> None:
        if number not in _HARMLESS:
            self._end(128 + number)

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    def _choose(self) -> None:
        """Begin the answer, once it is known."""
        if self._answer is not None or self.ended.done():
            return
        answer = self._answer = self._decide(bytes(self._given), self._whole)
        if answer is None:
            return
        if self._given and answer.reads == "echo":
            self._unread.append(bytes(self._given))
        waits = (answer.reads or answer.runs == "until_eof") and not self._whole
        if waits or answer.delay > 0 or answer.runs == "forever" or any(piece.after > 0 for piece in answer.pieces):
            if answer.reads != "all" and answer.delay <= 0:
                # Whoever has started a server may come to it at once.
                self._listen(answer)
            self._playing = asyncio.create_task(self._play(answer))
            return
        if answer.reads == "all":
            answer = filled(answer, {"stdin": self._given.decode(errors="replace")})
        self._store(answer.files)
        for piece in answer.pieces:
            self._say(piece.data)
        if answer.reads == "echo":
            self._say(bytes(self._given))
        self._end(answer.code)

    async def _play(self, answer: Answer) -> None:
        try:
            if answer.reads == "all":
                await self._until_eof()
                answer = filled(answer, {"stdin": self._given.decode(errors="replace")})
            if answer.delay > 0:
                await asyncio.sleep(answer.delay)
            self._listen(answer)
            await self._tell(answer)
            if answer.reads == "echo":
                await self._echo()
            if answer.runs == "forever":
                await asyncio.shield(self.ended)
            if answer.runs == "until_eof":
                await self._until_eof()
        finally:
            self._end(answer.code)

    def _listen(self, answer: Answer) -> None:
        self.ports = self.ports or {number: ScriptedPort(port) for number, port in answer.ports.items()}

    async def _tell(self, answer: Answer) -> None:
        """Say the pieces in their time, and write the files before the last: who sees that finds them."""
        pieces = answer.pieces
        for piece in pieces[:-1]:
            await asyncio.sleep(piece.after)
            self._say(piece.data)
        if pieces:
            await asyncio.sleep(pieces[-1].after)
        self._store(answer.files)
        if pieces:
            self._say(pieces[-1].data)

    async def _echo(self) -> None:
        while True:
            await self._stir_of(lambda: bool(self._unread) or self._whole)
            if not self._unread:
                return
            await self._stir_of(lambda: sum(map(len, self._said)) < _UNREAD)
            self._say(self._unread.popleft())

    async def _until_eof(self) -> None:
        await self._stir_of(lambda: self._whole)

    def _say(self, data: bytes | str) -> None:
        if data:
            self._said.append(data.encode(errors="surrogateescape") if isinstance(data, str) else data)
            self._stir()

    def _end(self, code: int) -> None:
        if self.ended.done():
            return
        for port in self.ports.values():
            port.close()
        self.ports = {}
        self.ended.set_result(code)
        if self._playing is not None and self._playing is not asyncio.current_task():
            self._playing.cancel()
        self._stir()

    def _stir(self) -> None:
        """Wake all who wait for a change."""
        stirred, self._stirred = self._stirred, asyncio.Event()
        stirred.set()

    async def _stir_of(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._stirred.wait()
