"""Whole databases as bytes: taken from a connection or a file, opened in memory, put in the place of a file."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

PAGE = 1024
"""Bytes in a page of a database in memory. Each table and index has at least one, and most of them are nearly empty."""

_IN_MEMORY = hasattr(sqlite3.Connection, "serialize")
"""Whether this build of SQLite hands a database over as bytes; otherwise it goes by way of a file."""

_JOURNAL = slice(18, 20)
"""Where a database says how it is written and read: 1 for by a rollback journal, 2 for by a log beside it."""


def opened(image: bytes | None) -> sqlite3.Connection:
    """A connection to a database in memory: an empty one, or a copy of an image. Raises sqlite3.Error."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if image is None:
            connection.execute(f"PRAGMA page_size = {PAGE}")
        elif not image:
            raise sqlite3.DatabaseError("it is empty")
        else:
            # Copied, so that it can grow without a bound, which an image in its own place cannot.
            with _read(image) as source:
                source.backup(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def of(connection: sqlite3.Connection) -> bytes:
    """The database of a connection, which must be in no transaction."""
    if _IN_MEMORY:
        return _without_log(connection.serialize())
    with _scratch() as path:
        with closing(sqlite3.connect(path)) as copy:
            connection.backup(copy)
        return _without_log(path.read_bytes())


def of_file(path: Path) -> bytes:
    """What is committed in the database at `path`, which others may be writing to."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        return of(connection)


def restore(connection: sqlite3.Connection, image: bytes) -> None:
    """Put an image in the place of all that a connection's database holds; others that use it see it from then on."""
    with _read(image) as source:
        source.backup(connection)


def restore_file(path: Path, image: bytes) -> None:
    """The same with the database at `path`, at which others may be looking."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
        restore(connection, image)


def put_in_place(path: Path, image: bytes) -> None:
    """Replace the database at `path`, which nobody may be using; either all of it is replaced or nothing."""
    if path.stat().st_size:
        # What is written in the log beside the old file would be read into the new one.
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as old:
            old.execute("PRAGMA journal_mode = DELETE")
    new = path.with_name(path.name + ".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(image)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _without_log(image: bytes) -> bytes:
    if image[_JOURNAL] == b"\1\1":
        return image
    changed = bytearray(image)
    if len(changed) >= _JOURNAL.stop:
        changed[_JOURNAL] = b"\1\1"
    return bytes(changed)


@contextmanager
def _read(image: bytes) -> Iterator[sqlite3.Connection]:
    """A connection to an image as it is."""
    if _IN_MEMORY:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(image)
            yield connection
        return
    with _scratch() as path:
        path.write_bytes(image)
        with closing(sqlite3.connect(path)) as connection:
            yield connection


@contextmanager
def _scratch() -> Iterator[Path]:
    """Where to put a copy that is handed over as a file."""
    with tempfile.TemporaryDirectory(prefix="chaser-image-") as folder:
        yield Path(folder) / "image.db"
