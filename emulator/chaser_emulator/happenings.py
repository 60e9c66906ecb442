"""What happens in a world, told to whoever watches: exchanges, events, what falls due, and how it is steered."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from chaser_emulator.agenda import Agenda, Fired
from chaser_emulator.clock import Clock, timestamp
from chaser_emulator.journal import Exchange, Journal
from chaser_emulator.store import Row, Store, outbox
from chaser_emulator.webhooks.sink import Received

KEPT = 1000
"""Happenings that a world remembers for who was away."""

_QUIET = 15.0
"""Real seconds after which a watcher is told that nothing has happened: a connection that is gone is noticed so."""

_BATCH = 200

_OF_DELIVERY = ("account_id", "webhook_id", "status", "attempts", "last_http_status", "last_error", "next_attempt_at")


@dataclass(frozen=True)
class Happening:
    """One thing that has happened: its number in the world, its kind, and what there is to say of it as JSON."""

    number: int
    kind: str
    data: dict[str, Any]


class Happenings:
    """What happens in one world. It costs nothing until somebody watches, and knows from then on."""

    def __init__(self, clock: Clock, store: Store, journal: Journal, agenda: Agenda) -> None:
        self._clock = clock
        self._store = store
        self._journal = journal
        self._agenda = agenda
        self._ring: deque[Happening] = deque(maxlen=KEPT)
        self._last = 0
        self._last_event = 0
        self._reading = asyncio.Lock()
        self._begun = False
        self._closed = False
        self._watchers: set[asyncio.Event] = set()

    async def watch(self, after: int | None = 0, *, follow: bool = True) -> AsyncGenerator[Happening | None]:
        """What is remembered beyond a number, then (with `follow`) all that happens until the world is closed.

        `after` None is the newest number that was given: only what happens from now on comes.

        None says that nothing has happened for a while. A number that has not been given yet is another world's or
        that of an earlier life: then all that is remembered comes.
        """
        await self._begin()
        if after is None:
            await self._read_events()
            after = self._last
        elif after > self._last:
            after = 0
        woken = asyncio.Event()
        self._watchers.add(woken)
        try:
            while True:
                woken.clear()
                await self._read_events()
                for one in [one for one in self._ring if one.number > after]:
                    after = one.number
                    yield one
                if self._closed or not follow:
                    return
                if not woken.is_set():
                    try:
                        async with asyncio.timeout(_QUIET):
                            await woken.wait()
                    except TimeoutError:
                        yield None
        finally:
            self._watchers.discard(woken)

    def clock_moved(self) -> None:
        """The clock was set or moved."""
        if self._begun:
            self._add("clock", {"now": self._clock.timestamp(), "mode": self._clock.mode})

    def steered(self, operation: str, tag: str) -> None:
        """An operation of the control plane was carried out that may have changed something."""
        if self._begun:
            self._add("control", {"operation": operation, "tag": tag, "at": self._clock.timestamp()})

    def received(self, one: Received) -> None:
        """Something has come to the sink."""
        if self._begun:
            self._add("received", one.brief())

    def delivery_changed(self, row: Row) -> None:
        """There was an attempt at a delivery, or it was given up or sent again."""
        if self._begun:
            told = {"id": row["id"], "at": row["updated_at"]}
            told |= {name: row[name] for name in _OF_DELIVERY if row[name] is not None}
            self._add("delivery", told)

    def close(self) -> None:
        """The world ends, and with it what its watchers see."""
        self._closed = True
        self._wake()

    async def _begin(self) -> None:
        async with self._reading:
            if self._begun:
                return
            self._last_event = await outbox.newest(self._store)
            # What came before anybody watched: exchanges are all that is still known.
            for exchange in self._journal.find():
                if exchange.done:
                    self._exchange(exchange)
            self._journal.listen(self._exchange)
            self._agenda.listen(self._due)
            self._store.listen(self._changed)
            self._begun = True

    def _exchange(self, exchange: Exchange) -> None:
        self._add("exchange", exchange.brief())

    def _due(self, fired: Fired) -> None:
        self._add("due", {"what": fired.what, "id": fired.id, "at": timestamp(fired.at)})

    def _changed(self, tables: frozenset[str]) -> None:
        if "outbox" in tables:
            self._wake()

    async def _read_events(self) -> None:
        """Take over the events that were written since the last time."""
        if self._closed:
            return
        async with self._reading:
            # A database that was put back, as after a seed that is refused half-way, gives its numbers again.
            self._last_event = min(self._last_event, await outbox.newest(self._store))
            while rows := await outbox.after(self._store, self._last_event, _BATCH):
                for row in rows:
                    self._last_event = row["row"]
                    self._add("event", _event(row))

    def _add(self, kind: str, data: dict[str, Any]) -> None:
        self._last += 1
        self._ring.append(Happening(self._last, kind, data))
        self._wake()

    def _wake(self) -> None:
        for watcher in self._watchers:
            watcher.set()


def _event(row: Any) -> dict[str, Any]:
    """An event in short: what it tells of, and the state that has."""
    told: dict[str, Any] = {
        "type": row["type"],
        "at": row["created_at"],
        "account_id": row["account_id"],
        "resource_type": row["resource_type"],
        "resource_id": row["resource_id"],
    }
    data = json.loads(row["data"])
    status = data.get("status") if isinstance(data, dict) else None
    return told | {"status": status} if isinstance(status, str) else told
