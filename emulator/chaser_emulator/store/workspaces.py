"""Statements about workspaces. One that is `doomed` (being deleted, or not copied yet) is in none of the answers."""

from __future__ import annotations

import re

from chaser_emulator.store import Reader, Row, Transaction

_UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")

# Each row carries the session that uses the workspace now, so that one statement has all that the API shows.
_SELECT = """SELECT workspaces.*, sessions.id AS active_session_id FROM workspaces
             LEFT JOIN sessions ON sessions.workspace_id = workspaces.id AND sessions.ended_at IS NULL
             WHERE NOT workspaces.doomed"""


async def find(reader: Reader, account_id: str, selector: str) -> Row | None:
    """The workspace that a selector names in an account: by UUID, else by name without regard to case (W12)."""
    if _UUID.match(selector):
        row = await reader.one(
            f"{_SELECT} AND workspaces.id = ? AND workspaces.account_id = ?", selector.lower(), account_id
        )
        if row is not None:
            return row
    return await named(reader, account_id, selector)


async def named(reader: Reader, account_id: str, name: str) -> Row | None:
    """The workspace with this name, without regard to case."""
    return await reader.one(f"{_SELECT} AND workspaces.name = ? AND workspaces.account_id = ?", name, account_id)


async def get(reader: Reader, workspace_id: str) -> Row | None:
    return await reader.one(f"{_SELECT} AND workspaces.id = ?", workspace_id)


async def of_account(reader: Reader, account_id: str) -> list[Row]:
    """Every workspace, newest first."""
    return await reader.all(
        f"{_SELECT} AND workspaces.account_id = ? ORDER BY workspaces.created_at DESC, workspaces.id DESC", account_id
    )


async def count(reader: Reader, account_id: str) -> int:
    row = await reader.one("SELECT count(*) AS n FROM workspaces WHERE account_id = ? AND NOT doomed", account_id)
    return int(row["n"]) if row else 0


async def insert(
    tx: Transaction,
    workspace_id: str,
    *,
    account_id: str,
    name: str | None,
    session_type: str,
    image: str | None = None,
    template: bool = False,
    created_at: str,
    source_workspace_id: str | None = None,
    github_repo: str | None = None,
    hidden: bool = False,
) -> None:
    """Add a workspace. A hidden one has no name yet, and is deleted by the next start unless it is shown by then."""
    await tx.insert(
        "workspaces",
        id=workspace_id,
        account_id=account_id,
        name=None if hidden else name,
        session_type=session_type,
        disk_id=workspace_id,
        image=image,
        template=template,
        source_workspace_id=source_workspace_id,
        github_repo=github_repo,
        doomed=hidden,
        created_at=created_at,
    )


async def show(tx: Transaction, workspace_id: str, name: str) -> None:
    """Bring a hidden workspace to light, under its name."""
    await tx.run("UPDATE workspaces SET doomed = 0, name = ? WHERE id = ?", name, workspace_id)


async def rename(tx: Transaction, workspace_id: str, name: str | None) -> None:
    await tx.run("UPDATE workspaces SET name = ? WHERE id = ?", name, workspace_id)


async def set_template(tx: Transaction, workspace_id: str, template: bool) -> None:
    await tx.run("UPDATE workspaces SET template = ? WHERE id = ?", template, workspace_id)


async def doom(tx: Transaction, workspace_id: str) -> None:
    """Take a workspace out of sight and free its name; its disk goes next, its row last."""
    await tx.run("UPDATE workspaces SET doomed = 1, name = NULL WHERE id = ?", workspace_id)


async def doomed(reader: Reader) -> list[str]:
    """Workspaces whose deletion was begun and not finished, and copies that were not."""
    return [row["id"] for row in await reader.all("SELECT id FROM workspaces WHERE doomed")]


async def disks(reader: Reader) -> set[str]:
    """Every disk that a row names, of workspaces and snapshots of all accounts, doomed ones included."""
    rows = await reader.all("SELECT disk_id FROM workspaces UNION SELECT disk_id FROM snapshots")
    return {row["disk_id"] for row in rows}


async def remove(tx: Transaction, workspace_id: str) -> None:
    await tx.run("DELETE FROM workspaces WHERE id = ? AND doomed", workspace_id)
