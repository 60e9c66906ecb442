"""How attempts ended, written down: what ends while a transaction is under way shares the next one."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable

from chaser_emulator.store import Row, Store, deliveries
from chaser_emulator.store.deliveries import Attempt

_log = logging.getLogger(__name__)

_GATHERING = 0.005
"""Seconds that the first one waits for others: a transaction for each takes longer than the attempts themselves."""

_PAUSE = 1.0
"""Seconds before what could not be written is written again."""


class Recording:
    """The one who writes attempts down, and tells of each delivery what became of it."""

    def __init__(self, store: Store, tell: Callable[[Row], None]) -> None:
        self._store = store
        self._tell = tell
        self._waiting: list[tuple[Attempt, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    def add(self, attempt: Attempt) -> asyncio.Future[None]:
        """Write an attempt soon, after those that were added before; the answer is done once it is written."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((attempt, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return written

    async def close(self) -> None:
        """Write what is left; what a full disk does not take is lost, and sent again after the next start."""
        if self._writing is not None and not self._writing.done():
            await asyncio.wait({self._writing}, timeout=_PAUSE)
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHERING)
            batch, self._waiting = self._waiting, []
            await self._to_the_end([attempt for attempt, _ in batch])
            for _, written in batch:
                if not written.done():
                    written.set_result(None)

    async def _to_the_end(self, attempts: list[Attempt]) -> None:
        while True:
            try:
                async with self._store.transaction() as tx:
                    changed = await deliveries.record(tx, attempts)
            except (sqlite3.Error, OSError):
                _log.exception("what became of deliveries could not be written; it is tried again")
                await asyncio.sleep(_PAUSE)
            else:
                for row in changed:
                    self._tell(row)
                return
