"""Statements about sessions."""

from __future__ import annotations

from collections.abc import Sequence

from chaser_emulator.store import Reader, Row, Transaction

STARTING = "starting"
RUNNING = "running"
TERMINATING = "terminating"
TERMINATED = "terminated"
FAILED = "failed"


async def insert(
    tx: Transaction,
    *,
    session_id: str,
    account_id: str,
    session_type: str,
    workspace_id: str | None,
    image: str | None,
    github_repo: str | None,
    created_at: str,
    expires_at: str,
) -> Row:
    """Add a session that starts, and answer it. A workspace remembers it as its last one."""
    row = await tx.insert(
        "sessions",
        id=session_id,
        account_id=account_id,
        session_type=session_type,
        status=STARTING,
        ephemeral=workspace_id is None,
        workspace_id=workspace_id,
        image=image,
        github_repo=github_repo,
        created_at=created_at,
        expires_at=expires_at,
    )
    if workspace_id is not None:
        await tx.run("UPDATE workspaces SET last_session_id = ? WHERE id = ?", session_id, workspace_id)
    return row


async def get(reader: Reader, session_id: str) -> Row | None:
    return await reader.one("SELECT * FROM sessions WHERE id = ?", session_id)


async def get_in(reader: Reader, account_id: str, session_id: str) -> Row | None:
    """A session of this account, ended ones included for as long as they are kept (S8)."""
    return await reader.one("SELECT * FROM sessions WHERE id = ? AND account_id = ?", session_id.lower(), account_id)


async def live(reader: Reader, account_id: str, *, limit: int, offset: int) -> tuple[list[Row], int]:
    """One page of the account's sessions that have not ended, newest first, and how many there are (S7)."""
    rows = await reader.all(
        """SELECT *, count(*) OVER () AS total FROM sessions WHERE account_id = ? AND ended_at IS NULL
           ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?""",
        account_id,
        limit,
        offset,
    )
    if rows or offset == 0:
        return rows, rows[0]["total"] if rows else 0
    return rows, await count_live(reader, account_id)


async def count_live(reader: Reader, account_id: str) -> int:
    row = await reader.one("SELECT count(*) AS n FROM sessions WHERE account_id = ? AND ended_at IS NULL", account_id)
    return int(row["n"]) if row else 0


async def running(reader: Reader, account_id: str) -> set[str]:
    """The ids of the account's sessions that run."""
    rows = await reader.all(
        "SELECT id FROM sessions WHERE account_id = ? AND ended_at IS NULL AND status = ?", account_id, RUNNING
    )
    return {row["id"] for row in rows}


async def starting(reader: Reader, account_id: str) -> list[Row]:
    """The account's sessions that do not run yet."""
    return await reader.all(
        "SELECT * FROM sessions WHERE account_id = ? AND ended_at IS NULL AND status = ?", account_id, STARTING
    )


async def all_live(reader: Reader) -> list[Row]:
    """Every session of every account that has not ended."""
    return await reader.all("SELECT * FROM sessions WHERE ended_at IS NULL")


async def of_workspace(reader: Reader, workspace_id: str) -> Row | None:
    """The live session of a workspace, if there is one."""
    return await reader.one("SELECT * FROM sessions WHERE workspace_id = ? AND ended_at IS NULL", workspace_id)


async def set_status(tx: Transaction, session_id: str, status: str, *, expected: Sequence[str]) -> bool:
    """Move a live session on, if it is in one of the `expected` states; answers whether it was."""
    marks = ", ".join("?" * len(expected))
    changed = await tx.run(
        f"UPDATE sessions SET status = ? WHERE id = ? AND status IN ({marks})",  # noqa: S608 - marks only
        status,
        session_id,
        *expected,
    )
    return changed == 1


async def run(tx: Transaction, session_id: str, ref: str) -> Row | None:
    """Note the sandbox of a session that was starting, which runs from now on; None when it is no longer starting."""
    return await tx.one(
        "UPDATE sessions SET ref = ?, status = ? WHERE id = ? AND status = ? RETURNING *",
        ref,
        RUNNING,
        session_id,
        STARTING,
    )


async def end(
    tx: Transaction, session_id: str, status: str, at: str, failure: str | None = None, failure_code: str | None = None
) -> Row | None:
    """End a session that has not ended, and answer it; None when it had. `failure_code` is one of the API's codes."""
    return await tx.one(
        """UPDATE sessions SET status = ?, failure = ?, failure_code = ?, ended_at = ?
           WHERE id = ? AND ended_at IS NULL RETURNING *""",
        status,
        failure,
        failure_code,
        at,
        session_id,
    )


async def set_disk(tx: Transaction, session_id: str, disk_id: str) -> bool:
    """Give an ephemeral session a disk of its own, which goes when it ends; answers whether it has not ended yet."""
    changed = await tx.run("UPDATE sessions SET disk_id = ? WHERE id = ? AND ended_at IS NULL", disk_id, session_id)
    return changed == 1


async def forget(tx: Transaction, ended_before: str) -> list[str]:
    """Drop sessions that ended before a moment, with their commands; answers their ids (S8)."""
    rows = await tx.all("DELETE FROM sessions WHERE ended_at < ? RETURNING id", ended_before)
    return [row["id"] for row in rows]


async def first_end(reader: Reader) -> str | None:
    """When the session ended that ended first of those that are kept."""
    row = await reader.one("SELECT min(ended_at) AS first FROM sessions WHERE ended_at IS NOT NULL")
    return None if row is None else row["first"]


async def set_size(tx: Transaction, session_id: str, *, rows: int, cols: int) -> None:
    """The size that terminals of this session have."""
    await tx.run("UPDATE sessions SET rows = ?, cols = ? WHERE id = ?", rows, cols, session_id)
