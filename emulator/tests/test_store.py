"""The store: what is committed is done, also for a caller who leaves while it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from chaser_emulator.store import Store, identity


def test_a_caller_who_is_canceled_during_a_commit_still_does_what_follows_from_it(tmp_path: Path) -> None:
    followed: list[str] = []

    async def change(store: Store, *, seconds: float | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        async with asyncio.timeout(seconds):
            async with store.transaction() as tx:
                await identity.set_fact(tx, "colour", "blue")
                # The next turn of the loop comes while the commit is under way.
                asyncio.get_running_loop().call_soon(task.cancel)
            followed.append("at once")
            await asyncio.sleep(0)
            followed.append("after a wait")

    async def main() -> None:
        store = await Store.open(tmp_path / "chaser.db")
        try:
            for seconds in (None, 60):
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.create_task(change(store, seconds=seconds))
                assert await identity.fact(store, "colour") == "blue"
                async with store.transaction() as tx:
                    await tx.run("DELETE FROM facts")
        finally:
            await store.close()

    asyncio.run(main())
    assert followed == ["at once", "at once"]


def test_a_change_whose_caller_is_canceled_before_the_commit_is_undone(tmp_path: Path) -> None:
    async def change(store: Store) -> None:
        async with store.transaction() as tx:
            await identity.set_fact(tx, "colour", "blue")
            await asyncio.Event().wait()

    async def main() -> None:
        store = await Store.open(tmp_path / "chaser.db")
        try:
            task = asyncio.create_task(change(store))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await identity.fact(store, "colour") is None
        finally:
            await store.close()

    asyncio.run(main())
