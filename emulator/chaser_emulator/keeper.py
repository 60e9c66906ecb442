"""The keeper of sessions: ends what has expired or is not used, forgets what is long over, and looks what really runs.

All of it starts from rows, so that a crash loses nothing: what fell due meanwhile is done at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from chaser_emulator import events, usage
from chaser_emulator.agenda import Due, Fired, Started
from chaser_emulator.clock import Clock, moment, timestamp
from chaser_emulator.commands import Commands
from chaser_emulator.disks import Disks
from chaser_emulator.errors import ApiError
from chaser_emulator.lifecycle import Lifecycle
from chaser_emulator.sandbox import Engine, SandboxError
from chaser_emulator.store import Row, Store
from chaser_emulator.store import commands as command_rows
from chaser_emulator.store import sessions as rows
from chaser_emulator.store import usage as segments
from chaser_emulator.store.sessions import RUNNING, STARTING, TERMINATING

_log = logging.getLogger(__name__)

KEPT = timedelta(hours=24)
"""How long an ended session stays readable (S8)."""

_TICK = 1.0
_LOOK = 10.0
"""Seconds between two looks at what the engine really runs."""


class Keeper:
    """What goes on in a world without anybody asking. `idle_timeout` is in seconds; None: sessions may idle (S25)."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        clock: Clock,
        commands: Commands,
        disks: Disks,
        lifecycle: Lifecycle,
        *,
        idle_timeout: float | None = None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._commands = commands
        self._disks = disks
        self._lifecycle = lifecycle
        self._idle_timeout = idle_timeout
        self._strays: set[str] = set()
        self._silent = False

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Keep until the block ends."""
        loops = [asyncio.create_task(self._repeat(self.sweep, _TICK, 0))]
        loops.append(asyncio.create_task(self._repeat(self.look, _LOOK, _LOOK)))
        try:
            yield
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def _repeat(self, work: Callable[[], Awaitable[None]], every: float, first: float) -> None:
        await asyncio.sleep(first)
        while True:
            try:
                await work()
            except (SandboxError, OSError, sqlite3.Error):
                _log.exception("the keeper of sessions failed; it tries again")
            await asyncio.sleep(every)

    def concerned(self, _tables: frozenset[str]) -> bool:
        """Nothing brings an expiry forward; the loops see to what is new in good time."""
        return False

    async def next(self) -> datetime | None:
        """When a session expires, idles for too long, or has ended long enough ago to be forgotten."""
        now = self._clock.now()
        moments = [moment for row in await rows.all_live(self._store) for moment in self._ends(row, now)]
        ended = await rows.first_end(self._store)
        if ended is not None:
            moments.append(moment(ended) + KEPT)
        return min(moments, default=None)

    async def ahead(self, most: int) -> list[Due]:
        """The ends of the sessions that live. That those which are over are forgotten is told to nobody."""
        now = self._clock.now()
        ends = [
            Due("session.expired", row["id"], min(self._ends(row, now))) for row in await rows.all_live(self._store)
        ]
        return sorted(ends, key=lambda due: due.at)[:most]

    def _ends(self, row: Row, now: datetime) -> list[datetime]:
        """Until when a live session may go on. One that has expired and is in use may for a little longer."""
        expires = moment(row["expires_at"])
        ends = [expires if expires > now else expires + self._lifecycle.expiry_grace]
        if self._idle_timeout is not None and row["status"] == RUNNING and not self._lifecycle.in_use(row["id"]):
            ends.append(now + timedelta(seconds=self._idle_timeout - self._lifecycle.unused(row["id"])))
        return ends

    async def perform(self) -> list[Started]:
        """Sweep; answers which sessions ended by it."""
        before = {row["id"] for row in await rows.all_live(self._store)}
        await self.sweep()
        ended = before - {row["id"] for row in await rows.all_live(self._store)}
        now = self._clock.now()
        return [Started(Fired("session.expired", session_id, now)) for session_id in sorted(ended)]

    async def sweep(self) -> None:
        """End what is over, try again what could not be stopped, forget what ended long ago."""
        live = await rows.all_live(self._store)
        if live:
            # Read in this order: a command that is not seen here had a session that was just used.
            working = {row["session_id"] for row in await command_rows.running(self._store)}
            await asyncio.gather(*(self._attend(row, working) for row in live))
        now = self._clock.now()
        async with self._store.transaction() as tx:
            forgotten = await rows.forget(tx, timestamp(now - KEPT))
            await segments.forget(tx, usage.micros(now - usage.KEPT))
        for session_id in forgotten:
            self._commands.forget(session_id)

    async def _attend(self, row: Row, working: Collection[str]) -> None:
        if row["status"] == TERMINATING:
            self._lifecycle.stop_again(row)
            return
        busy = row["id"] in working or self._lifecycle.in_use(row["id"])
        if busy:
            self._lifecycle.touch(row["id"])
        if self._lifecycle.expired(row):
            if row["status"] == STARTING or not busy or self._lifecycle.expired(row, with_grace=True):
                summary = f"session {row['id']} reached the longest time that its plan allows"
                await self._lifecycle.terminate(row, force=True, actor=events.SYSTEM, summary=summary)
        elif row["status"] == RUNNING and not busy and self._idles(row["id"]):
            summary = f"session {row['id']} was not used for {self._idle_timeout:g} seconds"
            with contextlib.suppress(ApiError):  # somebody has come back
                await self._lifecycle.terminate(row, force=False, actor=events.SYSTEM, summary=summary)

    def _idles(self, session_id: str) -> bool:
        return self._idle_timeout is not None and self._lifecycle.unused(session_id) >= self._idle_timeout

    async def look(self) -> None:
        """Hold rows against what really runs: note what has ended on its own, remove what nobody can name.

        An engine that does not answer says nothing about either.
        """
        try:
            await self._find_lost_and_strays()
            await self._disks.clear()
        except SandboxError as error:
            if not self._silent:
                _log.warning("what runs cannot be compared with what should until the engine answers again: %s", error)
            self._silent = True
            return
        if self._silent:
            _log.warning("the engine answers again")
        self._silent = False

    async def _find_lost_and_strays(self) -> None:
        # Rows first: what runs by them must be in an answer of the engine that is younger, unless it has ended.
        before = await rows.all_live(self._store)
        refs = await self._engine.refs()
        for row in before:
            # A list may leave out what is paused, so the single one is asked for, too.
            if row["status"] == RUNNING and row["ref"] not in refs and not await self._engine.alive(row["ref"]):
                await self._lifecycle.lost(row)
        live = await rows.all_live(self._store)
        named = {row["ref"] for row in live}
        starting = {row["id"] for row in live if row["status"] == STARTING}
        # Without a session's name are helpers and what waits for a session; both are the engine's own.
        unnamed = {ref for ref, session_id in refs.items() if session_id and session_id not in starting} - named
        # Between the end of a start and its row, and in a failing start's clearing away, a look sees too much.
        for ref in unnamed & self._strays:
            _log.warning("stopping %s, which no session names", ref)
            await self._engine.stop(ref)
        self._strays = unnamed
