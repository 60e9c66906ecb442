"""What the database of a running emulator says, and changes that no request can make; for tests alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from chaser_emulator.server import Running
from chaser_emulator.store import Row, Store, Value

T = TypeVar("T")


def inside(emulator: Running, work: Callable[[Store], Awaitable[T]]) -> T:
    """Do something with the store of an emulator, where it lives."""

    async def run() -> T:
        return await work(emulator.world.store)

    return asyncio.run_coroutine_threadsafe(run(), emulator.loop).result(60)


def ask(emulator: Running, statement: str, *values: Value) -> list[Row]:
    """The rows that a statement finds."""
    return inside(emulator, lambda store: store.all(statement, *values))


def tell(emulator: Running, *statements: tuple[str, *tuple[Value, ...]]) -> None:
    """Execute statements, each with its values, in one transaction."""

    async def work(store: Store) -> None:
        async with store.transaction() as tx:
            for statement, *values in statements:
                await tx.run(statement, *values)

    inside(emulator, work)
