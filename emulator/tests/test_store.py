"""The store: what is committed is done, also for a caller who leaves while it is; in a file and in memory alike."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, Literal

import pytest
from chaser_emulator.store import Store, StoreError, identity, images, migrations

Kind = Literal["file", "memory"]


@pytest.fixture(params=["file", "memory"])
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@asynccontextmanager
async def a_store(kind: Kind, folder: Path, image: bytes | None = None) -> AsyncIterator[Store]:
    store = await Store.open(folder / "chaser.db" if kind == "file" else None, image=image)
    try:
        yield store
    finally:
        await store.close()


def test_a_caller_who_is_canceled_during_a_commit_still_does_what_follows_from_it(kind: Kind, tmp_path: Path) -> None:
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
        async with a_store(kind, tmp_path) as store:
            for seconds in (None, 60):
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.create_task(change(store, seconds=seconds))
                assert await identity.fact(store, "colour") == "blue"
                async with store.transaction() as tx:
                    await tx.run("DELETE FROM facts")

    asyncio.run(main())
    assert followed == ["at once", "at once"]


def test_a_change_whose_caller_is_canceled_before_the_commit_is_undone(kind: Kind, tmp_path: Path) -> None:
    async def change(store: Store) -> None:
        async with store.transaction() as tx:
            await identity.set_fact(tx, "colour", "blue")
            await asyncio.Event().wait()

    async def main() -> None:
        async with a_store(kind, tmp_path) as store:
            # Canceled at every wait that it comes to: on its way in, while it begins, and in the middle.
            for turns in range(4):
                task = asyncio.create_task(change(store))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert await identity.fact(store, "colour") is None
            async with store.transaction() as tx:
                await identity.set_fact(tx, "colour", "red")
            assert await identity.fact(store, "colour") == "red"

    asyncio.run(main())


def test_a_failed_change_is_undone(kind: Kind, tmp_path: Path) -> None:
    async def change(store: Store) -> None:
        async with store.transaction() as tx:
            await tx.insert("facts", name="colour", value="blue")
            await tx.insert("facts", name="colour", value="red")

    async def main() -> None:
        async with a_store(kind, tmp_path) as store:
            with pytest.raises(sqlite3.IntegrityError):
                await change(store)
            assert await identity.fact(store, "colour") is None

    asyncio.run(main())


def test_a_read_never_sees_what_another_has_not_committed(kind: Kind, tmp_path: Path) -> None:
    async def main() -> None:
        async with a_store(kind, tmp_path) as store:
            reads: list[asyncio.Task[str | None]] = []
            written = asyncio.Event()

            async def read() -> str | None:
                await written.wait()
                return await identity.fact(store, "colour")

            reads = [asyncio.create_task(read()) for _ in range(3)]
            await asyncio.sleep(0)
            with suppress(KeyError):
                async with store.transaction() as tx:
                    await identity.set_fact(tx, "colour", "blue")
                    written.set()
                    for _ in range(3):
                        await asyncio.sleep(0)
                    raise KeyError
            assert await asyncio.gather(*reads) == [None, None, None]

    asyncio.run(asyncio.wait_for(main(), 10))


def test_whoever_is_in_a_transaction_can_read_by_the_store(kind: Kind, tmp_path: Path) -> None:
    async def main() -> None:
        async with a_store(kind, tmp_path) as store:
            late = asyncio.Event()

            async def read_later() -> str | None:
                await late.wait()
                return await identity.fact(store, "colour")

            async with store.transaction() as tx:
                await identity.fact(store, "colour")
                # Tasks that are started in it, which it waits for, or which outlive it.
                await asyncio.gather(identity.fact(store, "colour"), identity.fact(store, "size"))
                outliving = asyncio.create_task(read_later())
                await identity.set_fact(tx, "colour", "blue")
            async with store.transaction() as tx:
                await identity.set_fact(tx, "colour", "red")
                late.set()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            assert await outliving in ("blue", "red")
            assert await identity.fact(store, "colour") == "red"

    asyncio.run(asyncio.wait_for(main(), 10))


def test_transactions_of_two_databases_can_stand_in_each_other(kind: Kind, tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "other").mkdir()
        async with a_store(kind, tmp_path) as one, a_store(kind, tmp_path / "other") as other:
            async with one.transaction() as tx, other.transaction() as other_tx:
                await identity.set_fact(other_tx, "colour", "red")
                await identity.set_fact(tx, "colour", "blue")
                await one.all("SELECT 1 FROM facts")
                await other.all("SELECT 1 FROM facts")
            assert [await identity.fact(one, "colour"), await identity.fact(other, "colour")] == ["blue", "red"]

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_write_needs_a_transaction(kind: Kind, tmp_path: Path) -> None:
    async def main() -> None:
        async with a_store(kind, tmp_path) as store:
            with pytest.raises(sqlite3.OperationalError, match="attempt to write"):
                await store.all("INSERT INTO facts VALUES ('colour', 'blue')")
            assert await identity.fact(store, "colour") is None

    asyncio.run(main())


def test_listeners_are_told_which_tables_changed(kind: Kind, tmp_path: Path) -> None:
    async def main() -> None:
        told: list[frozenset[str]] = []
        async with a_store(kind, tmp_path) as store:
            store.listen(told.append)
            async with store.transaction() as tx:
                await identity.set_fact(tx, "colour", "blue")
            assert (told, store.identity_version) == ([frozenset({"facts"})], 0)
            async with store.transaction() as tx:
                await identity.add_user(tx, "a@b.example", "A", plan="free", at="2026-01-01T00:00:00Z")
            assert store.identity_version == 1

    asyncio.run(main())


def test_an_image_is_a_copy_that_goes_its_own_way(kind: Kind, tmp_path: Path) -> None:
    async def main() -> None:
        async with a_store(kind, tmp_path) as store:
            async with store.transaction() as tx:
                await identity.set_fact(tx, "colour", "blue")
            image = await store.image()
            async with a_store("memory", tmp_path, image) as copy:
                assert await identity.fact(copy, "colour") == "blue"
                async with copy.transaction() as tx:
                    await identity.set_fact(tx, "colour", "red")
                again = await copy.image()
            assert await identity.fact(store, "colour") == "blue"
            async with a_store("memory", tmp_path, again) as second:
                assert await identity.fact(second, "colour") == "red"

    asyncio.run(main())


def test_an_image_has_all_of_a_transaction_or_nothing(kind: Kind, tmp_path: Path) -> None:
    async def main() -> None:
        async with a_store(kind, tmp_path) as store:
            async with store.transaction() as tx:
                await identity.set_fact(tx, "colour", "blue")
                taking = asyncio.create_task(outside(store.image))
                for _ in range(3):
                    await asyncio.sleep(0)
                await identity.set_fact(tx, "size", "big")
                with pytest.raises(RuntimeError, match="outside transactions"):
                    await store.image()
            async with a_store("memory", tmp_path, await taking) as copy:
                assert [await identity.fact(copy, name) for name in ("colour", "size")] == ["blue", "big"]

    async def outside(take: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        return await asyncio.get_running_loop().create_task(take(), context=before)

    before = contextvars.copy_context()
    asyncio.run(asyncio.wait_for(main(), 10))


def test_an_image_takes_the_place_of_what_was_in_a_file(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_store("memory", tmp_path) as source:
            async with source.transaction() as tx:
                await identity.set_fact(tx, "colour", "blue")
            image = await source.image()
        async with a_store("file", tmp_path) as store, store.transaction() as tx:
            await identity.set_fact(tx, "size", "big")
        async with a_store("file", tmp_path, image) as store:
            assert [await identity.fact(store, name) for name in ("colour", "size")] == ["blue", None]
        with pytest.raises(StoreError, match="no database"):
            await Store.open(tmp_path / "chaser.db", image=b"no database" * 100)
        async with a_store("file", tmp_path) as store:
            assert await identity.fact(store, "colour") == "blue"

    asyncio.run(main())
    assert (tmp_path / "chaser.db").stat().st_mode & 0o777 == 0o600


def test_an_older_image_is_brought_up_to_date_and_a_newer_one_is_refused() -> None:
    def image_of(form: int, said: int) -> bytes:
        with closing(images.opened(None)) as connection:
            for number, statements in migrations():
                if number <= form:
                    connection.executescript(statements)
            connection.execute(f"PRAGMA user_version = {said}")
            return images.of(connection)

    newest = migrations()[-1][0]

    async def main() -> None:
        for form in range(newest + 1):
            store = await Store.open(None, image=image_of(form, form))
            assert await store.all("SELECT * FROM assistants") == []
            await store.close()
        with pytest.raises(StoreError, match=rf"newer emulator \(form {newest + 1}, this one knows {newest}\)"):
            await Store.open(None, image=image_of(newest, newest + 1))
        for damaged in (b"x" * 5000, image_of(newest, newest)[:3000], b"SQLite format 3\0", b""):
            with pytest.raises(StoreError, match="no database"):
                await Store.open(None, image=damaged)

    asyncio.run(main())


def test_a_build_without_serialize_takes_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        store = await Store.open(None)
        async with store.transaction() as tx:
            await identity.set_fact(tx, "colour", "blue")
        usual = await store.image()
        monkeypatch.setattr(images, "_IN_MEMORY", False)
        copy = await Store.open(None, image=await store.image())
        assert await identity.fact(copy, "colour") == "blue"
        second = await Store.open(None, image=usual)
        assert await identity.fact(second, "colour") == "blue"
        for one in (store, copy, second):
            await one.close()

    asyncio.run(main())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux shows them")
def test_a_thousand_databases_in_memory_hold_no_file_and_no_thread() -> None:
    async def main() -> None:
        store = await Store.open(None)
        image = await store.image()
        before = (len(os.listdir("/proc/self/fd")), threading.active_count())
        copies = [await Store.open(None, image=image) for _ in range(1000)]
        assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before
        for one in [store, *copies]:
            await one.close()

    asyncio.run(main())
