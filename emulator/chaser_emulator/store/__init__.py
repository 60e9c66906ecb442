"""The only code that talks to SQLite: a file with one writer behind a lock and one reader, or a database in memory.

Beside this module, one file a group of tables holds their statements; `connections` has the two ways to reach SQLite,
and `images` has whole databases as bytes.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, suppress
from contextvars import ContextVar
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from chaser_emulator.store import images
from chaser_emulator.store.connections import Connection, Direct, Threaded
from chaser_emulator.store.connections import Row as Row
from chaser_emulator.store.connections import Value as Value

# A write, and its table. (That a key was used changes nothing about what it may.)
_CHANGE = re.compile(r"\s*(?:INSERT INTO|DELETE FROM|UPDATE) (\w+)\b(?! SET last_used_at)")
_IDENTITY = frozenset({"users", "accounts", "members", "service_accounts", "keys"})

_MIGRATION = re.compile(r"^([0-9]{4})_[a-z_]+\.sql$")


class StoreError(Exception):
    """The database cannot be used: it is newer than this emulator, or no database."""


class Reader(Protocol):
    """Something that statements can be read through: the store itself, or a transaction that sees its own writes."""

    async def all(self, statement: str, *values: Value) -> list[Row]:
        """Every row."""
        ...

    async def one(self, statement: str, *values: Value) -> Row | None:
        """The first row, if there is one."""
        ...


class Transaction:
    """All or nothing; other writers wait. Never await a sandbox or a socket inside."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.changed: set[str] = set()
        """The tables that it has written to; those whom they concern are told once it is committed."""

    async def all(self, statement: str, *values: Value) -> list[Row]:
        self._watch(statement)
        return await self._connection.all(statement, values)

    def _watch(self, statement: str) -> None:
        if match := _CHANGE.match(statement):
            self.changed.add(match[1])

    async def one(self, statement: str, *values: Value) -> Row | None:
        rows = await self.all(statement, *values)
        return rows[0] if rows else None

    async def run(self, statement: str, *values: Value) -> int:
        """Execute a statement and answer how many rows it changed."""
        self._watch(statement)
        return await self._connection.run(statement, values)

    async def insert(self, table: str, **columns: Value) -> Row:
        """Add a row and answer it. Raises sqlite3.IntegrityError when it breaks a rule of the table."""
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING *"  # noqa: S608 - our own names
        [row] = await self.all(statement, *columns.values())
        return row


# The transactions that a task is in, its own and those of the tasks that started it.
_INSIDE: ContextVar[tuple[Transaction, ...]] = ContextVar("transactions", default=())


class Store:
    """One database. Open with `Store.open`, close with `close`; `path` is None when it is in memory.

    A file has a connection for reading of its own, which sees what is committed. A database in memory has one
    connection for everything: a read waits for the transaction of another task, and sees the writes of its own.
    """

    def __init__(self, path: Path | None, writer: Connection, reader: Connection) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._writing = asyncio.Lock()
        self._under_way: Transaction | None = None
        self.identity_version = 0
        """Grows whenever a transaction has changed users, accounts, memberships or keys."""
        self.version = 0
        """Grows with every transaction: while it is the same, so is all that is in here."""
        self.written: set[str] = set()
        """Every table that was written to since it was opened."""
        self._listeners: list[Callable[[frozenset[str]], None]] = []

    @classmethod
    async def open(cls, path: Path | None, *, durable: bool = True, image: bytes | None = None) -> Store:
        """Open or create the database at `path`, or one in memory, and bring it to the newest form.

        `durable` False gives up surviving a power cut, for a file that is thrown away. `image` is what a database in
        memory starts with; in the place of a file it takes the place of all that was in it. Raises StoreError.
        """
        if path is None:
            return await cls._in_memory(image)
        await asyncio.to_thread(_keep_private, path)
        opened: list[Connection] = []
        try:
            if image is not None:
                # Opened once before anything is lost for it.
                known = await cls._in_memory(image)
                await known.close()
                await asyncio.to_thread(images.put_in_place, path, image)
            opened.append(writer := await Threaded.connect(path))
            opened.append(reader := await Threaded.connect(path))
            await _set_up(writer, durable=durable)
            await _migrate(writer)
            await _set_up(reader, durable=durable)
            await reader.all("PRAGMA query_only = ON")
        except BaseException as error:
            # Each connection has a thread, which would keep the process alive.
            for connection in opened:
                await connection.close()
            if isinstance(error, sqlite3.Error):
                raise StoreError(f"{path} is no database of the emulator: {error}") from error
            raise
        return cls(path, writer, reader)

    @classmethod
    async def _in_memory(cls, image: bytes | None) -> Store:
        try:
            connection = Direct(images.opened(empty() if image is None else image))
        except sqlite3.Error as error:
            raise StoreError(f"the image is no database of the emulator: {error}") from error
        try:
            await _set_up(connection, durable=None)
            await _migrate(connection)
        except BaseException as error:
            await connection.close()
            if isinstance(error, sqlite3.Error):
                raise StoreError(f"the image is no database of the emulator: {error}") from error
            raise
        return cls(None, connection, connection)

    @classmethod
    @asynccontextmanager
    async def of_image(cls, image: bytes) -> AsyncIterator[Store]:
        """A copy of an image in memory, for as long as the block lasts. Raises StoreError."""
        store = await cls.open(None, image=image)
        try:
            yield store
        finally:
            await store.close()

    async def close(self) -> None:
        """Let go of the file, in which what was committed stays, or of the memory."""
        async with self._writing:
            if self._reader is not self._writer:
                await self._reader.close()
            await self._writer.close()

    async def all(self, statement: str, *values: Value) -> list[Row]:
        if self.path is not None or self._under_way is None or self._under_way in _INSIDE.get():
            return await self._reader.all(statement, values)
        async with self._writing:
            return await self._reader.all(statement, values)

    async def one(self, statement: str, *values: Value) -> Row | None:
        rows = await self.all(statement, *values)
        return rows[0] if rows else None

    async def image(self) -> bytes:
        """The whole database, as it is between two transactions: what `Store.open` takes for one in memory."""
        if self._under_way is not None and self._under_way in _INSIDE.get():
            raise RuntimeError("an image is taken outside transactions")
        async with self._writing:
            return await self._reader.image()

    async def restore(self, image: bytes) -> None:
        """Put an earlier image of this database in the place of all that is in it now, under everybody's feet."""
        async with self._writing:
            await self._writer.restore(image)
            tables = {row["name"] for row in await self._writer.all("SELECT name FROM sqlite_schema")}
        self.version += 1
        self.written |= tables
        self.identity_version += 1
        for listener in self._listeners:
            listener(frozenset(tables))

    def listen(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Tell `listener` after every transaction which tables it wrote to."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction, committed at the end of the block and rolled back when the block raises."""
        async with self._writing:
            transaction = Transaction(self._writer)
            around = _INSIDE.get()
            try:
                # Inside, as a caller who is cancelled while it begins leaves it begun.
                await self._writer.begin()
                self._under_way = transaction
                _INSIDE.set((*around, transaction))
                yield transaction
                await _to_the_end(self._writer.commit())
            except BaseException:
                await asyncio.shield(self._writer.rollback())
                raise
            finally:
                _INSIDE.set(around)
                self._under_way = None
                # Also after a failure: it may have been the answer that was lost, not the commit.
                changed = frozenset(transaction.changed)
                self.version += 1
                self.written |= changed
                self.identity_version += not changed.isdisjoint(_IDENTITY)
                for listener in self._listeners:
                    listener(changed)


async def _to_the_end(commit: Coroutine[Any, Any, None]) -> None:
    """Await a commit; a cancellation meanwhile is put off to the caller's next wait.

    A caller who leaves must not leave the lock before it, and must not take for undone what is done: what follows
    from a change at once, such as the start of a session that was inserted, is not missed.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this is a coroutine
    committing = asyncio.ensure_future(commit)
    put_off: list[asyncio.CancelledError] = []
    while not committing.done():
        try:
            await asyncio.wait({committing})
        except asyncio.CancelledError as error:
            put_off.append(error)
            # Taken back, and asked for once more below: timeouts count such requests.
            task.uncancel()
    for request in put_off:
        task.cancel(*request.args)
    committing.result()


def _keep_private(path: Path) -> None:
    """See to it that a database, which holds secrets, is its owner's alone; what SQLite puts beside it follows."""
    with suppress(OSError):  # SQLite says better what is wrong with the place
        path.touch(mode=0o600)
        path.chmod(0o600)


async def _set_up(opened: Connection, *, durable: bool | None) -> None:
    """Make a connection ready; `durable` None: there is no file, so nothing to keep safe."""
    if durable is not None:
        await opened.all("PRAGMA journal_mode = WAL")
        await opened.all(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
        await opened.all("PRAGMA busy_timeout = 5000")
    await opened.all("PRAGMA foreign_keys = ON")
    # What triggers draw ids with. Some builds of SQLite let triggers use no function of a program unless told so.
    await opened.all("PRAGMA trusted_schema = ON")


@cache
def migrations() -> tuple[tuple[int, str], ...]:
    """Every migration as (number, statements), in order."""
    folder = resources.files(__package__) / "migrations"
    found = sorted((match[1], file) for file in folder.iterdir() if (match := _MIGRATION.match(file.name)))
    return tuple((int(number), file.read_text("utf-8")) for number, file in found)


def steps(form: int, to: int | None = None) -> Iterator[str]:
    """What brings a database from one form to another (None: the newest), to be executed in this order."""
    for number, statements in migrations():
        if form < number and (to is None or number <= to):
            yield f"BEGIN;\n{statements}\nPRAGMA user_version = {number};\nCOMMIT;"


async def _migrate(connection: Connection) -> None:
    [[form]] = await connection.all("PRAGMA user_version")
    _refuse_newer(form)
    for step in steps(form):
        await connection.script(step)


@cache
def empty() -> bytes:
    """A database with nothing in it: to copy one takes a tenth of the time that the migrations take."""
    with closing(images.opened(None)) as connection:
        for step in steps(0):
            connection.executescript(step)
        return images.of(connection)


def _refuse_newer(form: int) -> None:
    known = migrations()[-1][0]
    if form > known:
        raise StoreError(f"the data was written by a newer emulator (form {form}, this one knows {known})")
