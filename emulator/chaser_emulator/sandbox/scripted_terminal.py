"""The terminal of the scripted engine: a line at a time is echoed, answered by the stubs, and shown."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from chaser_emulator.sandbox import SandboxGone, TerminalSpec
from chaser_emulator.sandbox.scripted_process import ScriptedProcess

PROMPT = b"$ "
_SCREEN = 65_536
"""Bytes that may wait to be read; with more, whoever writes to the screen waits."""
_LINE = 4095
"""What a terminal keeps of one line, as Linux does."""
_LINES = 1000
_KEYS = re.compile(rb"[\r\n\x03\x04\x08\x7f]|[^\r\n\x03\x04\x08\x7f]{1,4096}")
_HARMLESS = (0, 18, 28)
"""Signals that end no shell: the question whether it runs, SIGCONT and SIGWINCH."""


class ScriptedTerminal:
    """A dialogue without a shell: `run` answers each line, `exit` and Ctrl-D end it, Ctrl-C stops what runs.

    A command that reads gets the lines that are typed while it runs; Ctrl-D ends its input.
    """

    def __init__(self, pid: int, spec: TerminalSpec, run: Callable[[str], Awaitable[ScriptedProcess]]) -> None:
        loop = asyncio.get_running_loop()
        self.size = (spec.rows, spec.cols)
        self.ended: asyncio.Future[int] = loop.create_future()
        self._pid = pid
        self._spec = spec
        self._run = run
        self._front: ScriptedProcess | None = None
        self._line = bytearray()
        self._lines: deque[bytes | None] = deque()
        """Typed and not answered yet; None is the end of input."""
        self._screen = bytearray()
        self._waiting: list[asyncio.Future[None]] = []
        self._writing = asyncio.Lock()
        self._serving = loop.create_task(self._serve())

    @property
    def pid(self) -> int:
        return self._pid

    async def output(self) -> AsyncIterator[bytes]:
        while True:
            await self._until(lambda: bool(self._screen) or self.ended.done())
            if not self._screen:
                return
            chunk = bytes(self._screen)
            self._screen.clear()
            self._stir()
            yield chunk

    async def write(self, data: bytes) -> None:
        async with self._writing:
            for key in _KEYS.findall(data):
                await self._until(
                    lambda: self.ended.done() or (len(self._screen) < _SCREEN and len(self._lines) < _LINES)
                )
                if self.ended.done():
                    raise BrokenPipeError("the terminal has ended")
                await self._press(key)

    async def _press(self, key: bytes) -> None:
        match key:
            case b"\r" | b"\n":
                line = bytes(self._line)
                self._line.clear()
                self._echo(b"\r\n")
                if self._front is not None and self._front.reads:
                    await self._front.write(line + b"\n")
                else:
                    self._lines.append(line)
            case b"\x03":
                self._line.clear()
                self._lines.clear()
                self._echo(b"^C")
                if self._front is not None:
                    await self._front.signal(2)
                else:
                    self._lines.append(b"")
                self._echo(b"\r\n")
            case b"\x04":
                if self._front is not None and self._front.reads:
                    if self._line:
                        await self._front.write(bytes(self._line))
                        self._line.clear()
                    else:
                        await self._front.close_stdin()
                elif not self._line:
                    self._lines.append(None)
            case b"\x08" | b"\x7f":
                if self._line:
                    del self._line[-1:]
                    self._echo(b"\b \b")
            case _:
                kept = key[: _LINE - len(self._line)]
                self._line += kept
                self._echo(kept)
        self._stir()

    def _echo(self, data: bytes) -> None:
        if self._spec.mode == "human":
            self._screen += data

    async def close_stdin(self) -> None:
        try:
            await self.write(b"\x04")
        except BrokenPipeError:
            return

    async def signal(self, number: int) -> None:
        if number not in _HARMLESS:
            self._end(128 + number)

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    async def resize(self, rows: int, cols: int) -> None:
        if not self.ended.done():
            self.size = (rows, cols)

    async def close(self) -> None:
        self._end(129)
        self._screen.clear()

    def _end(self, code: int) -> None:
        if not self.ended.done():
            self.ended.set_result(code)
            self._serving.cancel()
            self._stir()

    async def _serve(self) -> None:
        try:
            if self._spec.command is not None:
                code = await self._answer(self._spec.command)
            else:
                code = await self._talk()
        except SandboxGone:
            code = 137
        except asyncio.CancelledError:
            if self._front is not None:
                await self._front.signal(1)
            raise
        self._end(code)

    async def _talk(self) -> int:
        code = 0
        while True:
            if self._spec.mode == "human":
                await self._show(PROMPT)
            await self._until(lambda: bool(self._lines))
            line = self._lines.popleft()
            self._stir()
            words = [] if line is None else line.split()
            match words:
                case [] if line is None:
                    return code
                case []:
                    continue
                case [b"exit"]:
                    return code
                case [b"exit", number] if number.isdigit():
                    return int(number) % 256
                case [b"stty", b"size"]:
                    await self._show(b"%d %d\r\n" % self.size)
                    code = 0
                case _:
                    code = await self._answer((line or b"").decode(errors="surrogateescape").strip())

    async def _answer(self, command: str) -> int:
        self._front = process = await self._run(command)
        async for chunk in process.output():
            await self._show(chunk.replace(b"\n", b"\r\n"))
        code = await process.wait()
        self._front = None
        return code

    async def _show(self, data: bytes) -> None:
        await self._until(lambda: len(self._screen) < _SCREEN)
        self._screen += data
        self._stir()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            stirred: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(stirred)
            await stirred

    def _stir(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)
