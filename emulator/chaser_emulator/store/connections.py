"""The two ways to reach SQLite: a file through a thread of its own, and a database in memory where one stands."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import aiosqlite

from chaser_emulator.clock import new_id
from chaser_emulator.store import images

Row = sqlite3.Row
Value = str | int | float | bytes | None

_READ = re.compile(r"\s*(?:SELECT|WITH|VALUES|PRAGMA|EXPLAIN)\b", re.IGNORECASE)


class Connection(Protocol):
    """One connection to a database, outside a transaction unless one is begun."""

    async def all(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Every row that a statement answers."""
        ...

    async def run(self, statement: str, values: Sequence[Value]) -> int:
        """Execute a statement and answer how many rows it changed."""
        ...

    async def script(self, statements: str) -> None:
        """Execute several statements."""
        ...

    async def begin(self) -> None:
        """Begin a transaction that will write."""
        ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None:
        """Undo a transaction, if one is begun."""
        ...

    async def image(self) -> bytes:
        """The whole database, as it was committed."""
        ...

    async def restore(self, image: bytes) -> None:
        """Put an image of this very database in the place of all that is in it; outside a transaction."""
        ...

    async def close(self) -> None: ...


class Threaded:
    """A connection to a file, which can make one wait, and so has a thread."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    async def connect(cls, path: Path) -> Threaded:
        connection = await aiosqlite.connect(path, isolation_level=None)
        connection.row_factory = sqlite3.Row
        opened = cls(path, connection)
        try:
            await connection.create_function("new_id", 0, new_id)
        except BaseException:
            await opened.close()
            raise
        return opened

    async def all(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        return list(await self._connection.execute_fetchall(statement, values))

    async def run(self, statement: str, values: Sequence[Value]) -> int:
        # Closing the cursor would be a second trip to the database's thread; it closes itself when it is let go.
        cursor = await self._connection.execute(statement, values)
        return cursor.rowcount

    async def script(self, statements: str) -> None:
        await self._connection.executescript(statements)

    async def begin(self) -> None:
        await self._connection.execute("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        await self._connection.commit()

    async def rollback(self) -> None:
        await self._connection.rollback()

    async def image(self) -> bytes:
        return await asyncio.to_thread(images.of_file, self._path)

    async def restore(self, image: bytes) -> None:
        await asyncio.to_thread(images.restore_file, self._path, image)

    async def close(self) -> None:
        await self._connection.close()


class Direct:
    """A connection to a database in memory, used on the loop itself.

    It makes nobody wait for a disk: a statement takes microseconds, less than the way to a thread and back. And a
    thread for each of thousands of worlds would be too many.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.row_factory = sqlite3.Row
        connection.create_function("new_id", 0, new_id)

    async def all(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        if not self._connection.in_transaction and not _READ.match(statement):
            raise sqlite3.OperationalError("attempt to write outside a transaction")
        return self._connection.execute(statement, values).fetchall()

    async def run(self, statement: str, values: Sequence[Value]) -> int:
        return self._connection.execute(statement, values).rowcount

    async def script(self, statements: str) -> None:
        self._connection.executescript(statements)

    async def begin(self) -> None:
        # With a file, others have their turn here; races are to be as they are there.
        await asyncio.sleep(0)
        self._connection.execute("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        self._connection.commit()

    async def rollback(self) -> None:
        self._connection.rollback()

    async def image(self) -> bytes:
        return images.of(self._connection)

    async def restore(self, image: bytes) -> None:
        images.restore(self._connection, image)

    async def close(self) -> None:
        self._connection.close()
