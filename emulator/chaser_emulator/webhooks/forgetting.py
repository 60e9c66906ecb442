"""The duty that forgets events which no webhook wanted, so that they do not fill the disk."""

from __future__ import annotations

from datetime import datetime, timedelta

from chaser_emulator.agenda import Due, Started
from chaser_emulator.clock import Clock, moment, timestamp
from chaser_emulator.store import Store, deliveries

KEPT = timedelta(hours=24)
"""How long an event is kept that no delivery carries."""

_EVERY = timedelta(hours=1)


class Forgetting:
    """Forgets events of a world, once an hour at most."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._idle = False

    def concerned(self, tables: frozenset[str]) -> bool:
        """What is new is not old, so it matters only where there was nothing."""
        return self._idle and "outbox" in tables

    async def next(self) -> datetime | None:
        """An hour after the oldest has become old, so that others have, too."""
        first = await deliveries.first_not_carried(self._store)
        self._idle = first is None
        return None if first is None else moment(first) + KEPT + _EVERY

    async def perform(self) -> list[Started]:
        """Forget what is old. It is nothing that anybody need know."""
        async with self._store.transaction() as tx:
            await deliveries.forget_events(tx, timestamp(self._clock.now() - KEPT))
        return []

    async def ahead(self, most: int) -> list[Due]:
        """Nothing, for the same reason."""
        return []
