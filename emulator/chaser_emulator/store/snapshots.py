"""Statements about snapshots. A name is looked up without regard to case."""

from __future__ import annotations

from chaser_emulator.store import Reader, Row, Transaction


async def named(reader: Reader, workspace_id: str, name: str) -> Row | None:
    return await reader.one("SELECT * FROM snapshots WHERE workspace_id = ? AND name = ?", workspace_id, name)


async def of_workspace(reader: Reader, workspace_id: str) -> list[Row]:
    """Every snapshot of a workspace, newest first."""
    return await reader.all(
        "SELECT * FROM snapshots WHERE workspace_id = ? ORDER BY created_at DESC, name DESC", workspace_id
    )


async def all_of_them(reader: Reader) -> list[Row]:
    """Every snapshot of every workspace, newest first."""
    return await reader.all("SELECT * FROM snapshots ORDER BY created_at DESC, name DESC")


async def count(reader: Reader, workspace_id: str) -> int:
    row = await reader.one("SELECT count(*) AS n FROM snapshots WHERE workspace_id = ?", workspace_id)
    return int(row["n"]) if row else 0


async def used_bytes(reader: Reader, account_id: str) -> int:
    """What all snapshots of an account hold, as far as it is known. They never change, so it was measured once."""
    row = await reader.one(
        """SELECT sum(snapshots.used_bytes) AS used FROM snapshots
           JOIN workspaces ON workspaces.id = snapshots.workspace_id WHERE workspaces.account_id = ?""",
        account_id,
    )
    return int(row["used"] or 0) if row else 0


async def insert(
    tx: Transaction, workspace_id: str, name: str, *, disk_id: str, used_bytes: int | None, created_at: str
) -> Row:
    return await tx.insert(
        "snapshots",
        workspace_id=workspace_id,
        name=name,
        disk_id=disk_id,
        used_bytes=used_bytes,
        created_at=created_at,
    )


async def restored(tx: Transaction, disk_id: str, at: str) -> Row | None:
    """Note that a workspace went back to it, and answer it."""
    return await tx.one("UPDATE snapshots SET restored_at = ? WHERE disk_id = ? RETURNING *", at, disk_id)


async def delete(tx: Transaction, disk_id: str) -> None:
    await tx.run("DELETE FROM snapshots WHERE disk_id = ?", disk_id)
