"""The only code that talks to SQLite: one writer behind a lock, one reader, numbered migrations.

Beside this module, one file a group of tables holds their statements.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import aiosqlite

from chaser_emulator.clock import new_id

Row = sqlite3.Row
Value = str | int | float | bytes | None

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

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self.changed: set[str] = set()
        """The tables that it has written to; those whom they concern are told once it is committed."""

    async def all(self, statement: str, *values: Value) -> list[Row]:
        self._watch(statement)
        return list(await self._connection.execute_fetchall(statement, values))

    def _watch(self, statement: str) -> None:
        if match := _CHANGE.match(statement):
            self.changed.add(match[1])

    async def one(self, statement: str, *values: Value) -> Row | None:
        rows = await self.all(statement, *values)
        return rows[0] if rows else None

    async def run(self, statement: str, *values: Value) -> int:
        """Execute a statement and answer how many rows it changed."""
        # Closing the cursor would be a second trip to the database's thread; it closes itself when it is let go.
        self._watch(statement)
        cursor = await self._connection.execute(statement, values)
        return cursor.rowcount

    async def insert(self, table: str, **columns: Value) -> Row:
        """Add a row and answer it. Raises sqlite3.IntegrityError when it breaks a rule of the table."""
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING *"  # noqa: S608 - our own names
        [row] = await self.all(statement, *columns.values())
        return row


class Store:
    """One database file. Open with `Store.open`, close with `close`."""

    def __init__(self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._writing = asyncio.Lock()
        self.identity_version = 0
        """Grows whenever a transaction has changed users, accounts, memberships or keys."""
        self._listeners: list[Callable[[frozenset[str]], None]] = []

    @classmethod
    async def open(cls, path: Path, *, durable: bool = True) -> Store:
        """Open or create the database at `path` and bring it to the newest form.

        `durable` False gives up surviving a power cut, for a database that is thrown away. Raises StoreError.
        """
        opened: list[aiosqlite.Connection] = []
        await asyncio.to_thread(_keep_private, path)
        try:
            opened.append(writer := await aiosqlite.connect(path, isolation_level=None))
            opened.append(reader := await aiosqlite.connect(path, isolation_level=None))
            await _set_up(writer, durable=durable)
            await _migrate(writer)
            await _set_up(reader, durable=durable)
            await reader.execute("PRAGMA query_only = ON")
        except BaseException as error:
            # Each connection has a thread, which would keep the process alive.
            for connection in opened:
                await connection.close()
            if isinstance(error, sqlite3.Error):
                raise StoreError(f"{path} is no database of the emulator: {error}") from error
            raise
        return cls(path, writer, reader)

    async def close(self) -> None:
        """Let go of the file; what was committed stays."""
        async with self._writing:
            await self._reader.close()
            await self._writer.close()

    async def all(self, statement: str, *values: Value) -> list[Row]:
        return list(await self._reader.execute_fetchall(statement, values))

    async def one(self, statement: str, *values: Value) -> Row | None:
        rows = await self.all(statement, *values)
        return rows[0] if rows else None

    def listen(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Tell `listener` after every transaction which tables it wrote to."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction, committed at the end of the block and rolled back when the block raises."""
        async with self._writing:
            transaction = Transaction(self._writer)
            try:
                # Inside, as a caller who is cancelled while it begins leaves it begun.
                await self._writer.execute("BEGIN IMMEDIATE")
                yield transaction
                await _to_the_end(self._writer.commit())
            except BaseException:
                await asyncio.shield(self._writer.rollback())
                raise
            finally:
                # Also after a failure: it may have been the answer that was lost, not the commit.
                changed = frozenset(transaction.changed)
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


async def _set_up(opened: aiosqlite.Connection, *, durable: bool) -> None:
    opened.row_factory = sqlite3.Row
    await opened.execute("PRAGMA journal_mode = WAL")
    await opened.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
    await opened.execute("PRAGMA foreign_keys = ON")
    await opened.execute("PRAGMA busy_timeout = 5000")
    # What triggers draw ids with. Some builds of SQLite let triggers use no function of a program unless told so.
    await opened.create_function("new_id", 0, new_id)
    await opened.execute("PRAGMA trusted_schema = ON")


def migrations() -> Iterable[tuple[int, str]]:
    """Every migration as (number, statements), in order."""
    folder = resources.files(__package__) / "migrations"
    found = sorted((match[1], file) for file in folder.iterdir() if (match := _MIGRATION.match(file.name)))
    return [(int(number), file.read_text("utf-8")) for number, file in found]


async def _migrate(connection: aiosqlite.Connection) -> None:
    async with connection.execute("PRAGMA user_version") as cursor:
        row: Any = await cursor.fetchone()
    known = 0
    for number, statements in migrations():
        known = number
        if number > row[0]:
            await connection.executescript(f"BEGIN;\n{statements}\nPRAGMA user_version = {number};\nCOMMIT;")
    if row[0] > known:
        raise StoreError(f"the data was written by a newer emulator (form {row[0]}, this one knows {known})")
