"""The moment at which a wallet runs dry: what then runs in its account ends (H23)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from chaser_emulator import billing, events, usage
from chaser_emulator.agenda import Agenda, Due, Fired, Started
from chaser_emulator.clock import Clock
from chaser_emulator.lifecycle import Lifecycle
from chaser_emulator.storage import Storage
from chaser_emulator.store import Row, Store, sessions
from chaser_emulator.store import usage as segments

_TABLES = frozenset({"usage", "accounts"})
_FARTHEST = usage.micros(datetime.fromisoformat("9000-01-01T00:00:00Z"))


class Wallets:
    """Charges wallets when they run dry, and ends the sessions for which nobody pays from then on."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        lifecycle: Lifecycle,
        storage: Storage,
        agenda: Agenda,
        *,
        max_sessions: int | None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._lifecycle = lifecycle
        self._storage = storage
        self._agenda = agenda
        self._max_sessions = max_sessions
        self._ending: dict[str, asyncio.Task[None]] = {}

    def concerned(self, tables: frozenset[str]) -> bool:
        return not tables.isdisjoint(_TABLES)

    async def next(self) -> datetime | None:
        """When the first wallet runs dry."""
        moment = min((await self._moments()).values(), default=None)
        return None if moment is None or moment > _FARTHEST else usage.moment_of(moment)

    async def ahead(self, most: int) -> list[Due]:
        """When each wallet runs dry, as long as what runs now goes on."""
        near = sorted((at, account_id) for account_id, at in (await self._moments()).items() if at <= _FARTHEST)
        return [Due("wallet.empty", account_id, usage.moment_of(at)) for at, account_id in near[:most]]

    async def _moments(self) -> dict[str, int]:
        """When the wallet of each account runs dry, or did, while its sessions still run."""
        found = {}
        paying = sorted(await segments.all_paying(self._store), key=lambda row: str(row["account_id"]))
        for account_id, group in groupby(paying, key=lambda row: str(row["account_id"])):
            live = list(group)
            moment = usage.dry_at(live, live[0]["wallet_micros_usd"], live[0]["owed_parts"])
            if moment is not None:
                found[account_id] = moment
        found |= {row["account_id"]: row["dry_at"] or 0 for row in await segments.unpaid(self._store)}
        return {account_id: moment for account_id, moment in found.items() if account_id not in self._ending}

    async def perform(self) -> list[Started]:
        """Charge the wallets that are dry by now, and start to end what runs in their accounts."""
        now = usage.micros(self._clock.now())
        due = [account_id for account_id, moment in (await self._moments()).items() if moment <= now]
        return [started for account_id in due if (started := await self._run_dry(account_id)) is not None]

    async def _run_dry(self, account_id: str) -> Started | None:
        holding = await self._storage.holding(account_id, measure=False)
        async with self._store.transaction() as tx:
            now = self._clock.now()
            standing = await usage.standing(tx, account_id, now)
            ending = [row for row in await segments.unpaid(tx) if row["account_id"] == account_id]
            if not ending:
                return None
            moment = max(usage.moment_of(row["dry_at"] or 0) for row in ending)
            if standing.wallet_micros_usd <= 0:
                ending += await sessions.starting(tx, account_id)
            data = await billing.summary(tx, account_id, now, holding, self._max_sessions)
            await events.emit(tx, self._clock, account_id, "billing.updated", account_id, data)
        task = asyncio.create_task(self._end(account_id, ending))
        self._ending[account_id] = task
        return Started(Fired("wallet.empty", account_id, moment), task)

    async def _end(self, account_id: str, ending: Sequence[Row]) -> None:
        try:
            await asyncio.gather(
                *(
                    self._lifecycle.terminate(
                        row, force=True, actor=events.SYSTEM, summary=f"the wallet ran dry; session {row['id']} ended"
                    )
                    for row in ending
                )
            )
        finally:
            del self._ending[account_id]
            self._agenda.poke(self)

    async def close(self) -> None:
        """Wait no longer for what is ending; its rows say that it is."""
        tasks = list(self._ending.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
