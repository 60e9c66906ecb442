"""What is asked again and again stays cheap, however much there is: it goes through what it is about alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from chaser_emulator.store import Row, Store, Transaction, Value
from chaser_emulator.store import jobs as rows


class Explaining(Transaction):
    """A reader that answers no rows, and remembers how SQLite would find them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.plan: list[str] = []

    async def all(self, statement: str, *values: Value) -> list[Row]:
        self.plan += [row["detail"] for row in await self.store.all(f"EXPLAIN QUERY PLAN {statement}", *values)]
        return []

    async def one(self, statement: str, *values: Value) -> Row | None:
        await self.all(statement, *values)
        return None

    def reads_of(self, table: str) -> set[str]:
        return {line for line in self.plan if f" {table} " in f"{line} "}


def test_the_queue_is_looked_at_without_the_jobs_that_have_ended(tmp_path: Path) -> None:
    async def look() -> set[str]:
        store = await Store.open(tmp_path / "chaser.db")
        try:
            reader = Explaining(store)
            await rows.waiting(reader)
            await rows.start(reader, "an account", "2026-01-01T00:00:00.000000Z", at_most=16)
            return reader.reads_of("jobs")
        finally:
            await store.close()

    reads = asyncio.run(look())
    assert len(reads) >= 4
    assert all("INDEX jobs_waiting" in read for read in reads)
