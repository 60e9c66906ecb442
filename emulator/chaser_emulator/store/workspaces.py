"""Statements about workspaces. One that is being deleted (doomed) is in none of the answers but `doomed`."""

from __future__ import annotations

import re

from chaser_emulator.store import Reader, Row, Transaction

_UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


async def find(reader: Reader, account_id: str, selector: str) -> Row | None:
    """The workspace that a selector names in an account: by UUID, else by name without regard to case (W12)."""
    if _UUID.match(selector):
        row = await reader.one(
            "SELECT * FROM workspaces WHERE id = ? AND account_id = ? AND NOT doomed", selector.lower(), account_id
        )
        if row is not None:
            return row
    return await reader.one(
        "SELECT * FROM workspaces WHERE name = ? AND account_id = ? AND NOT doomed", selector, account_id
    )


async def get(reader: Reader, workspace_id: str) -> Row | None:
    return await reader.one("SELECT * FROM workspaces WHERE id = ? AND NOT doomed", workspace_id)


async def of_account(reader: Reader, account_id: str) -> list[Row]:
    """Every workspace, newest first, each with `active_session_id`."""
    return await reader.all(
        """SELECT workspaces.*, sessions.id AS active_session_id FROM workspaces
           LEFT JOIN sessions ON sessions.workspace_id = workspaces.id AND sessions.ended_at IS NULL
           WHERE workspaces.account_id = ? AND NOT doomed
           ORDER BY workspaces.created_at DESC, workspaces.id DESC""",
        account_id,
    )


async def count(reader: Reader, account_id: str) -> int:
    row = await reader.one("SELECT count(*) AS n FROM workspaces WHERE account_id = ? AND NOT doomed", account_id)
    return int(row["n"]) if row else 0


async def doom(tx: Transaction, workspace_id: str) -> None:
    """Take a workspace out of sight and free its name; its disk goes next, its row last."""
    await tx.run("UPDATE workspaces SET doomed = 1, name = NULL WHERE id = ?", workspace_id)


async def doomed(reader: Reader) -> list[str]:
    """Workspaces whose deletion was begun and not finished."""
    return [row["id"] for row in await reader.all("SELECT id FROM workspaces WHERE doomed")]


async def remove(tx: Transaction, workspace_id: str) -> None:
    await tx.run("DELETE FROM workspaces WHERE id = ? AND doomed", workspace_id)
