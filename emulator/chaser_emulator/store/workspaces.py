"""Statements about workspaces."""

from __future__ import annotations

import re

from chaser_emulator.store import Reader, Row, Transaction

_UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")

# Each row carries the session that uses the workspace now, so that one statement has all that the API shows.
_SELECT = """SELECT workspaces.*, sessions.id AS active_session_id FROM workspaces
             LEFT JOIN sessions ON sessions.workspace_id = workspaces.id AND sessions.ended_at IS NULL"""


async def find(reader: Reader, account_id: str, selector: str) -> Row | None:
    """The workspace that a selector names in an account: by UUID, else by name without regard to case (W12)."""
    if _UUID.match(selector):
        row = await reader.one(
            f"{_SELECT} WHERE workspaces.id = ? AND workspaces.account_id = ?", selector.lower(), account_id
        )
        if row is not None:
            return row
    return await named(reader, account_id, selector)


async def named(reader: Reader, account_id: str, name: str) -> Row | None:
    """The workspace with this name, without regard to case."""
    return await reader.one(f"{_SELECT} WHERE workspaces.name = ? AND workspaces.account_id = ?", name, account_id)


async def called(reader: Reader, name: str) -> list[Row]:
    """The workspaces of all accounts with this name, without regard to case."""
    return await reader.all(f"{_SELECT} WHERE workspaces.name = ? ORDER BY workspaces.created_at", name)


async def all_of_them(reader: Reader) -> list[Row]:
    """Every workspace of every account, newest first."""
    return await reader.all(f"{_SELECT} ORDER BY workspaces.created_at DESC, workspaces.id DESC")


async def get(reader: Reader, workspace_id: str) -> Row | None:
    return await reader.one(f"{_SELECT} WHERE workspaces.id = ?", workspace_id)


async def of_account(reader: Reader, account_id: str) -> list[Row]:
    """Every workspace, newest first."""
    return await reader.all(
        f"{_SELECT} WHERE workspaces.account_id = ? ORDER BY workspaces.created_at DESC, workspaces.id DESC", account_id
    )


async def count(reader: Reader, account_id: str) -> int:
    row = await reader.one("SELECT count(*) AS n FROM workspaces WHERE account_id = ?", account_id)
    return int(row["n"]) if row else 0


async def insert(
    tx: Transaction,
    workspace_id: str,
    *,
    account_id: str,
    name: str | None,
    session_type: str,
    disk_id: str | None = None,
    image: str | None = None,
    template: bool = False,
    created_at: str,
    source_workspace_id: str | None = None,
    github_repo: str | None = None,
    assistant_home: bool = False,
) -> None:
    """Add a workspace, which holds nothing yet unless a disk that is whole is given."""
    await tx.insert(
        "workspaces",
        id=workspace_id,
        account_id=account_id,
        name=name,
        session_type=session_type,
        disk_id=disk_id or workspace_id,
        image=image,
        template=template,
        source_workspace_id=source_workspace_id,
        github_repo=github_repo,
        assistant_home=assistant_home,
        created_at=created_at,
    )


async def rename(tx: Transaction, workspace_id: str, name: str | None) -> None:
    await tx.run("UPDATE workspaces SET name = ? WHERE id = ?", name, workspace_id)


async def set_template(tx: Transaction, workspace_id: str, template: bool) -> None:
    await tx.run("UPDATE workspaces SET template = ? WHERE id = ?", template, workspace_id)


async def set_disk(tx: Transaction, workspace_id: str, disk_id: str) -> bool:
    """Make it hold another disk, from one moment to the next; answers whether there is such a workspace."""
    return await tx.run("UPDATE workspaces SET disk_id = ? WHERE id = ?", disk_id, workspace_id) == 1


async def set_repository(tx: Transaction, workspace_id: str, github_repo: str) -> None:
    await tx.run("UPDATE workspaces SET github_repo = ? WHERE id = ?", github_repo, workspace_id)


async def disks(reader: Reader) -> set[str]:
    """Every disk that a row names, of workspaces, snapshots and live sessions of all accounts."""
    rows = await reader.all(
        """SELECT disk_id FROM workspaces UNION SELECT disk_id FROM snapshots
           UNION SELECT disk_id FROM sessions WHERE ended_at IS NULL AND disk_id IS NOT NULL"""
    )
    return {row["disk_id"] for row in rows}


async def delete(tx: Transaction, workspace_id: str) -> list[str]:
    """Delete a workspace and its snapshots; answers the disks that nothing names now."""
    snapshots = await tx.all("DELETE FROM snapshots WHERE workspace_id = ? RETURNING disk_id", workspace_id)
    gone = await tx.all("DELETE FROM workspaces WHERE id = ? RETURNING disk_id", workspace_id)
    return [row["disk_id"] for row in (*gone, *snapshots)]
