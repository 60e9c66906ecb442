"""What falls due in a world: seen to when its moment comes, or in order when the clock is moved past it.

A duty starts from rows, so that a crash loses nothing: what fell due meanwhile is seen to at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from chaser_emulator.clock import Clock
from chaser_emulator.store import Store

_log = logging.getLogger(__name__)

_LONGEST = 3600.0
_PAUSE = 1.0
"""Seconds before a duty is asked again that failed, or had nothing to do although something was due."""

PATIENCE = 30.0
"""Real seconds that a moved clock waits for what it has started, such as a command of a job."""

_MOST_STEPS = 2000
_LONGEST_RUN = 120.0
"""Steps, and real seconds, after which a run to where nothing is due is given up: it may be that there always is."""


@dataclass(frozen=True)
class Fired:
    """Something that fell due: what, for which resource, and when on the world's clock."""

    what: str
    id: str
    at: datetime


@dataclass(frozen=True)
class Due:
    """Something that will fall due by itself: what will be told of it then, for which resource, and when."""

    what: str
    id: str
    at: datetime


@dataclass(frozen=True)
class Started:
    """Something that fell due and is under way; `done` None means that it is over already.

    What a task answers is what else fell due, and was seen to, before it was over.
    """

    fired: Fired
    done: asyncio.Task[None] | asyncio.Task[list[Fired]] | None = None


class Duty(Protocol):
    """One kind of thing that falls due."""

    def concerned(self, tables: frozenset[str]) -> bool:
        """Whether a change to these tables may have brought the next moment forward."""
        ...

    async def next(self) -> datetime | None:
        """When there is something to do; None while there is nothing, or no hand free for it."""
        ...

    async def perform(self) -> list[Started]:
        """Start all that is due by now, without waiting for it."""
        ...

    async def ahead(self, most: int) -> list[Due]:
        """What it will tell of, the earliest first, up to so many; what has to wait for something else is left out."""
        ...


class Agenda:
    """The duties of one world."""

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock = clock
        self._duties: list[Duty] = []
        self._next: dict[Duty, datetime | None] = {}
        self._stale: set[Duty] = set()
        self._not_before: dict[Duty, float] = {}
        self._under_way: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()
        self._performing = asyncio.Lock()
        self.moving = asyncio.Lock()
        """Held by who sets the clock or moves it: of two who move it on by an hour, each moves it by an hour."""
        self._listeners: list[Callable[[Fired], None]] = []
        store.listen(self._listen)

    def listen(self, listener: Callable[[Fired], None]) -> None:
        """Tell `listener` of whatever falls due, once it is under way."""
        self._listeners.append(listener)

    def add(self, *duties: Duty) -> None:
        """See to these from now on."""
        self._duties += duties
        self._stale |= set(duties)
        self._changed.set()

    def poke(self, duty: Duty) -> None:
        """Ask a duty again: a hand is free, or something in memory has changed."""
        self._stale.add(duty)
        self._changed.set()

    def wait_for(self, task: asyncio.Task[Any]) -> None:
        """Let a clock that is moved wait for this first: what follows from it may fall due on the way."""
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _listen(self, tables: frozenset[str]) -> None:
        for duty in self._duties:
            if duty not in self._stale and duty.concerned(tables):
                self.poke(duty)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """See to what falls due until the block ends."""
        loop = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            self._changed.clear()
            try:
                async with self._performing:
                    wait = await self._round()
            except Exception:
                # Whatever it is: were this loop to end, nothing would fall due any more.
                _log.exception("what falls due could not be seen to; it is tried again")
                wait = _PAUSE
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def _round(self) -> float:
        """Perform what is due; answers in how many seconds something is next."""
        while self._stale:
            # Taken out first: it may become stale again while it is asked.
            duty = self._stale.pop()
            try:
                self._next[duty] = await duty.next()
            except BaseException:
                self._stale.add(duty)
                raise
        real = asyncio.get_running_loop().time()
        wait = _LONGEST
        for duty in self._duties:
            moment = self._next.get(duty)
            if moment is None:
                continue
            seconds = self._clock.real_seconds(moment)
            if moment > self._clock.now():
                wait = min(wait, _LONGEST if seconds is None else seconds)
                continue
            if (rest := self._not_before.get(duty, 0) - real) > 0:
                wait = min(wait, rest)
                continue
            started = await self._perform(duty)
            again = self._next[duty] = await duty.next()
            if not started and again is not None and again <= moment:
                self._not_before[duty] = real + _PAUSE
            wait = 0
        return wait

    async def _perform(self, duty: Duty) -> list[Started]:
        started = await duty.perform()
        for one in started:
            for listener in self._listeners:
                listener(one.fired)
        return started

    async def settle(self) -> None:
        """The clock was set: ask every duty anew."""
        for duty in self._duties:
            self.poke(duty)

    async def advance(self, to: datetime) -> Sequence[Fired]:
        """Move the clock on, and let everything that falls due on the way happen in its order and at its moment.

        Answers what happened. What was started is waited for, up to `PATIENCE` seconds each time, so that what follows
        from it falls due in its turn.
        """
        async with self._performing:
            try:
                return await self._advance(to)
            finally:
                await self.settle()

    async def upcoming(self) -> datetime | None:
        """When something falls due next that is not due yet."""
        now = self._clock.now()
        moments = [moment for duty in self._duties if (moment := await duty.next()) is not None]
        return min((moment for moment in moments if moment > now), default=None)

    async def ahead(self, most: int) -> list[Due]:
        """What falls due next as things stand, the earliest first, up to so many. What is due already is due now."""
        now = self._clock.now()
        found = [due for duty in self._duties for due in await duty.ahead(most)]
        shown = [due if due.at > now else Due(due.what, due.id, now) for due in found]
        return sorted(shown, key=lambda due: due.at)[:most]

    async def run_until_idle(
        self, within: timedelta, keep: Callable[[datetime], Awaitable[None]]
    ) -> tuple[Sequence[Fired], bool]:
        """Move the clock from one thing that falls due to the next, until nothing is due within that time of it.

        `keep` is told each moment before the clock goes there. Answers what happened, and whether nothing is due: what
        falls due for ever is given up after a while.
        """
        fired: list[Fired] = []
        end = asyncio.get_running_loop().time() + _LONGEST_RUN
        async with self._performing:
            try:
                # What is under way at first may bring forth more.
                fired += await self._advance(self._clock.now())
                for _ in range(_MOST_STEPS):
                    moments = [moment for duty in self._duties if (moment := await duty.next()) is not None]
                    now = self._clock.now()
                    ahead = sorted(moment for moment in moments if now < moment <= now + within)
                    if not ahead:
                        return fired, True
                    if asyncio.get_running_loop().time() > end:
                        break
                    await keep(ahead[0])
                    fired += await self._advance(ahead[0])
                return fired, False
            finally:
                await self.settle()

    async def _advance(self, to: datetime) -> list[Fired]:
        fired: list[Fired] = []
        idle: set[Duty] = set()
        while True:
            fired += await self._stand_still(set(self._under_way))
            moments = [(moment, duty) for duty in self._duties if duty not in idle and (moment := await duty.next())]
            due = [(moment, duty) for moment, duty in moments if moment <= to]
            if not due:
                break
            moment, duty = min(due, key=lambda one: one[0])
            self._clock.move(moment)
            started = await self._perform(duty)
            if not started:
                again = await duty.next()
                if again is not None and again <= moment:
                    # It says that something is due and finds nothing to do: nothing but another change can help.
                    idle.add(duty)
                continue
            idle.clear()
            fired += [one.fired for one in started]
            fired += await self._stand_still({one.done for one in started if one.done is not None})
        self._clock.move(to)
        return fired

    async def _stand_still(self, tasks: set[asyncio.Task[Any]]) -> list[Fired]:
        """Let what was started come to its end with the clock where it is, for up to `PATIENCE` seconds.

        What falls due meanwhile is started as well, so that nobody waits for the slowest. Answers what that was.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        fired: list[Fired] = []
        while tasks and (left := end - loop.time()) > 0:
            self._changed.clear()
            change = asyncio.create_task(self._changed.wait())
            try:
                done, _ = await asyncio.wait({*tasks, change}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                change.cancel()
            for task in tasks & done:
                if not task.cancelled() and task.exception() is None:
                    fired += task.result() or []
            tasks -= done
            stale, self._stale = self._stale, set()
            for duty in stale:
                moment = await duty.next()
                if moment is not None and moment <= self._clock.now():
                    started = await self._perform(duty)
                    fired += [one.fired for one in started]
                    tasks |= {one.done for one in started if one.done is not None}
        return fired
