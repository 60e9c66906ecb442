"""The terminals that are open, by session: so that one request sizes them all, and none outlives the emulator."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from chaser_emulator.gateway import memory
from chaser_emulator.sandbox import SandboxError, Terminal

_log = logging.getLogger(__name__)

_GRACE = 3.0
"""Seconds that the end of the emulator waits for shells that are being hung up."""


class Terminals:
    """The open terminals of a world, and the ends of others that are still under way."""

    def __init__(self) -> None:
        self._open: dict[str, set[Terminal]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @contextmanager
    def listed(self, session_id: str, terminal: Terminal) -> Iterator[None]:
        """Count a terminal among those of a session."""
        self._open.setdefault(session_id, set()).add(terminal)
        try:
            yield
        finally:
            left = self._open[session_id]
            left.discard(terminal)
            if not left:
                del self._open[session_id]

    def counts(self) -> dict[str, int]:
        """How many are open in each session that has any."""
        return {session_id: len(terminals) for session_id, terminals in self._open.items()}

    async def resize(self, session_id: str, rows: int, cols: int) -> None:
        """Give every terminal of a session this size."""

        async def one(terminal: Terminal) -> None:
            with contextlib.suppress(SandboxError):  # it is ending
                await terminal.resize(rows, cols)

        await asyncio.gather(*(one(terminal) for terminal in list(self._open.get(session_id, ()))))

    def end(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a program's end go on by itself: who has left must not be waited for, nor hold a session."""
        task = asyncio.create_task(self._end(work))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except SandboxError as error:
            _log.warning("a program whose client has left could not be ended: %s", error)
        if len(self._ending) == 1:  # the last of those that end together
            memory.give_back()

    async def close(self) -> None:
        """Wait for what is ending."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=_GRACE)
        for task in list(self._ending):
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
