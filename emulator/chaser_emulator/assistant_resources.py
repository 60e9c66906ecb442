"""Rows of assistants and of what belongs to them as the API shows them, for answers and for the data of events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from chaser_emulator.resources import present
from chaser_emulator.shapes import (
    AssistantChannel,
    AssistantConfigChange,
    AssistantCredentialInfo,
    AssistantInfo,
    AssistantRuntimeState,
    AssistantUsageEvent,
    AssistantUsageTotals,
)
from chaser_emulator.store import Row


def assistant_info(row: Row, channels: Iterable[Row]) -> AssistantInfo:
    """AssistantInfo of a row of `assistants` with its rows of `assistant_channels` (T10)."""
    return {
        "id": row["id"],
        "name": row["name"],
        "status": row["status"],
        "config": json.loads(row["config"]),
        "config_version": row["config_version"],
        "workspace_id": row["workspace_id"],
        "channels": [channel_info(channel) for channel in channels],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def channel_info(row: Row) -> AssistantChannel:
    """AssistantChannel of a row of `assistant_channels` (T14)."""
    return present(
        AssistantChannel,
        id=row["id"],
        channel_type=row["channel_type"],
        channel_id=row["channel_id"],
        credential_name=row["credential_name"],
        created_at=row["created_at"],
    )


def credential_info(row: Row) -> AssistantCredentialInfo:
    """AssistantCredentialInfo of a row of `assistant_credentials` (T15)."""
    return present(
        AssistantCredentialInfo, name=row["name"], assistant_id=row["assistant_id"], updated_at=row["updated_at"]
    )


def state_info(row: Row | None) -> AssistantRuntimeState:
    """AssistantRuntimeState of a row of `assistant_states`, or of none before the first write (T17)."""
    if row is None:
        return {"state": None, "version": 0}
    return {"state": json.loads(row["state"]), "version": row["version"], "updated_at": row["updated_at"]}


def usage_event_info(row: Row) -> AssistantUsageEvent:
    """AssistantUsageEvent of a row of `assistant_usage_events` (T18)."""
    return present(
        AssistantUsageEvent,
        id=row["id"],
        kind=row["kind"],
        quantity=row["quantity"],
        metadata=None if row["metadata"] is None else json.loads(row["metadata"]),
        created_at=row["created_at"],
    )


def usage_totals(sums: Mapping[str, int | float]) -> AssistantUsageTotals:
    """AssistantUsageTotals of sums by kind; 0 for a kind without events."""
    return {
        "tokens": sums.get("tokens", 0),
        "tool_call": sums.get("tool_call", 0),
        "session": sums.get("session", 0),
    }


def change_info(row: Row) -> AssistantConfigChange:
    """AssistantConfigChange of a row of `assistant_config_changes` (T19)."""
    return present(
        AssistantConfigChange,
        id=row["id"],
        status=row["status"],
        patch=json.loads(row["patch"]),
        reason=row["reason"],
        proposed_by=row["proposed_by"],
        decided_by=row["decided_by"],
        created_at=row["created_at"],
        decided_at=row["decided_at"],
    )
