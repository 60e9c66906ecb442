"""The database of a saved state: made ready to be saved, and checked and changed before a world begins with it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from chaser_emulator.clock import new_id
from chaser_emulator.states.file import StateError
from chaser_emulator.store import images, migrations, steps

_DISKS = """SELECT disk_id FROM workspaces UNION SELECT disk_id FROM snapshots
            UNION SELECT disk_id FROM sessions WHERE ended_at IS NULL AND disk_id IS NOT NULL"""


def newest_form() -> int:
    """The newest form of a database that is known here."""
    return migrations()[-1][0]


def to_save(image: bytes, clock: Mapping[str, Any], clock_fact: str) -> bytes:
    """A database with where the clock stands, and without what was deleted from it but still stands in its pages."""
    with closing(images.opened(image)) as database:
        database.execute(
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (clock_fact, json.dumps(clock)),
        )
        # Which also makes its pages small, as most tables have few rows.
        database.execute(f"PRAGMA page_size = {images.PAGE}")
        database.execute("VACUUM")
        return images.of(database)


def disks_of(image: bytes) -> list[str]:
    """Every disk that a row names."""
    with closing(images.opened(image)) as database:
        return [disk_id for (disk_id,) in database.execute(_DISKS)]


@contextmanager
def opened(image: bytes, form: int) -> Iterator[sqlite3.Connection]:
    """A saved database, sound and brought to the newest form, to be changed. Raises StateError.

    Its tables and triggers must be our own: what runs in a database runs with the emulator's rights.
    """
    try:
        with closing(images.opened(image)) as database:
            _check(database, form)
            _bring_up_to_date(database, form)
            if broken := database.execute("PRAGMA foreign_key_check").fetchone():
                raise StateError(f"it is damaged: a row of {broken[0]} belongs to one of {broken[2]} that is not there")
            yield database
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise StateError(f"it is damaged: its database cannot be read: {error}") from error


def _check(database: sqlite3.Connection, form: int) -> None:
    [[said]] = database.execute("PRAGMA user_version")
    if said != form:
        raise StateError(f"it is damaged: its database has form {said}, its manifest says {form}")
    [[found], *_] = database.execute("PRAGMA integrity_check(1)")
    if found != "ok":
        raise StateError(f"it is damaged: its database is not sound: {found}")
    with closing(images.opened(None)) as ours:
        _bring_up_to_date(ours, 0, form)
        if _schema(ours) != _schema(database):
            raise StateError(f"its database is none of ours: its tables are not those of form {form}")
    known = {name for (name,) in database.execute("SELECT name FROM facts")}
    if missing := {"first_account", "first_user"} - known:
        raise StateError(f"it is damaged: its database does not say what its {missing.pop()} is")


def _bring_up_to_date(database: sqlite3.Connection, form: int, to: int | None = None) -> None:
    database.create_function("new_id", 0, new_id)
    for step in steps(form, to):
        database.executescript(step)


def _schema(database: sqlite3.Connection) -> set[tuple[str, ...]]:
    return set(
        database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'")
    )


def give_new_disks(database: sqlite3.Connection) -> dict[str, str]:
    """Let each row name a disk that there is nowhere yet; answers the new ids by the old ones.

    So what the engine has under the old ids is neither mixed up with this nor lost before this is whole.
    """
    fresh = {disk_id: new_id() for (disk_id,) in database.execute(_DISKS).fetchall()}
    for table in ("workspaces", "snapshots", "sessions"):
        pairs = [(new, old) for old, new in fresh.items()]
        database.executemany(f"UPDATE {table} SET disk_id = ? WHERE disk_id = ?", pairs)  # noqa: S608 - our own names
    return fresh
