"""Rows of the store as the API shows them, for answers and for the data of events alike."""

from __future__ import annotations

from typing import Any

from chaser_emulator.clock import moment
from chaser_emulator.store import Row

Json = dict[str, Any]


def present(**fields: Any) -> Json:
    """An object without the fields that are None: absent, not null."""
    return {name: value for name, value in fields.items() if value is not None}


def session_info(row: Row, base_url: str, leases: int | None) -> Json:
    """SessionInfo of a row of `sessions`."""
    return {
        "id": row["id"],
        "session_type": row["session_type"],
        "status": row["status"],
        "created_at": row["created_at"],
        "endpoints": {"control": f"{base_url}/s/{row['id']}/"},
        "workspace_id": row["workspace_id"],
        "persistence": not row["ephemeral"],
        "active_connection_leases": leases,
    }


def workspace_info(row: Row) -> Json:
    """WorkspaceInfo of a row of `workspaces` with its `active_session_id` (W8, W11)."""
    return present(
        id=row["id"],
        name=row["name"] or row["id"],
        created_at=row["created_at"],
        persistence=True,
        session_type=row["session_type"],
        status="active" if row["active_session_id"] else "idle",
        image=row["image"],
        template=bool(row["template"]),
        source_workspace_id=row["source_workspace_id"],
        github_repo=row["github_repo"],
        active_session_id=row["active_session_id"],
        last_session_id=row["last_session_id"],
        assistant_home=bool(row["assistant_home"]),
    )


def command_info(row: Row, output_bytes: int, truncated: bool, output: str | None = None) -> Json:
    """SessionCommandInfo of a row of `commands`; `output` only where one command is asked for (X26)."""
    return present(
        command_id=row["id"],
        session_id=row["session_id"],
        status=row["status"],
        command=row["command"],
        cwd=row["cwd"],
        user=row["user"],
        pid=row["pid"],
        exit_code=row["exit_code"],
        started_at_epoch=int(moment(row["started_at"]).timestamp()),
        finished_at_epoch=int(moment(row["finished_at"]).timestamp()) if row["finished_at"] else None,
        output=output,
        output_bytes=output_bytes,
        output_truncated=truncated,
    )
