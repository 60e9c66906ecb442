"""Statements about background commands."""

from __future__ import annotations

from chaser_emulator.store import Reader, Row, Transaction


async def get(reader: Reader, session_id: str, command_id: str) -> Row | None:
    return await reader.one("SELECT * FROM commands WHERE id = ? AND session_id = ?", command_id.lower(), session_id)


async def of_session(reader: Reader, session_id: str) -> list[Row]:
    """Newest first (X26)."""
    return await reader.all("SELECT * FROM commands WHERE session_id = ? ORDER BY started_at DESC, id DESC", session_id)


async def finish(
    tx: Transaction, command_id: str, *, status: str, exit_code: int | None, size: int, truncated: bool, at: str
) -> None:
    await tx.run(
        """UPDATE commands SET status = ?, exit_code = ?, output_bytes = ?, output_truncated = ?, finished_at = ?
           WHERE id = ?""",
        status,
        exit_code,
        size,
        truncated,
        at,
        command_id,
    )


async def running(reader: Reader) -> list[Row]:
    """Every command that has not finished, in every session."""
    return await reader.all("SELECT * FROM commands WHERE finished_at IS NULL")
