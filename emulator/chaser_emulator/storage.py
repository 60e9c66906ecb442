"""How much the workspaces of an account hold on disk, and whether there is room for more (W7)."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaser_emulator.errors import ApiError
from chaser_emulator.plans import STORAGE_CAP_BYTES
from chaser_emulator.sandbox import Engine, SandboxError
from chaser_emulator.store import Row, Store, snapshots, workspaces

if TYPE_CHECKING:
    from chaser_emulator.acting import Acts

_log = logging.getLogger(__name__)

_FRESH = 30.0
_PATIENCE = 10.0


@dataclass(frozen=True)
class Holding:
    """What the workspaces and snapshots of an account hold on disk, and may; of how many workspaces that is known."""

    used: int
    cap: int
    measured: int
    unresolved: int


@dataclass(frozen=True)
class _Measure:
    """What a workspace held at a moment, whether no session used it then, and which one had been the last."""

    disk_id: str
    used: int
    moment: float
    idle: bool
    last_session_id: str | None


class Storage:
    """Measures of the workspaces of one world. Measuring is slow work of the engine, so each holds for a while.

    A workspace that no session has used since it was measured, and that still has the same disk, is not measured again:
    nothing can have changed it.
    """

    def __init__(self, store: Store, engine: Engine, *, cap: int = STORAGE_CAP_BYTES) -> None:
        self.cap = cap
        self.lowered: list[tuple[str, int]] = []
        """Accounts that may hold less, and how much."""
        self._store = store
        self._engine = engine
        self._measures: dict[str, _Measure] = {}
        self._measuring = asyncio.Lock()
        self._asking = asyncio.Lock()

    async def used(self, account_id: str) -> int:
        """Bytes on disk of all workspaces and snapshots of an account, as far as the engine can say."""
        rows = await workspaces.of_account(self._store, account_id)
        snapshotted = await snapshots.used_bytes(self._store, account_id)
        return sum(await self._used(rows)) + snapshotted

    async def holding(self, account_id: str, *, measure: bool = True) -> Holding:
        """What the account holds now; `measure` False asks no engine, and goes by what is known already."""
        rows = await workspaces.of_account(self._store, account_id)
        if measure:
            await self._refresh(rows, 0)
        known = [row for row in rows if _is_untouched(row) or row["id"] in self._measures]
        used = sum(self._known(rows)) + await snapshots.used_bytes(self._store, account_id)
        return Holding(used, self.cap_of(account_id), len(known), len(rows) - len(known))

    def cap_of(self, account_id: str) -> int:
        """Bytes that an account may hold."""
        return min((cap for lowered, cap in self.lowered if lowered == account_id), default=self.cap)

    async def of_workspace(self, row: Row) -> int:
        """Bytes on disk of one workspace, as far as the engine can say."""
        return sum(await self._used([row]))

    async def of_each(self, rows: list[Row]) -> dict[str, int | None]:
        """Bytes on disk of workspaces by their ids; None of one whose size the engine could not say."""
        await self._refresh(rows)
        used: dict[str, int | None] = {row["id"]: 0 if _is_untouched(row) else None for row in rows}
        return used | {one: self._measures[one].used for one in used if one in self._measures}

    async def _used(self, rows: list[Row]) -> list[int]:
        await self._refresh(rows)
        return self._known(rows)

    def _known(self, rows: list[Row]) -> list[int]:
        found = (self._measures.get(row["id"]) for row in rows)
        return [measure.used for measure in found if measure is not None]

    async def _refresh(self, rows: list[Row], fresh: float = _FRESH) -> None:
        """Measure what is not known, and what is in use and was measured longer ago than `fresh` seconds."""
        asked = asyncio.get_running_loop().time()
        if any(not self._holds(row, asked - fresh) for row in rows):
            async with self._measuring:
                await self._measure_all([row for row in rows if not self._holds(row, asked - fresh)])

    async def measured(self, disk_id: str) -> int | None:
        """Ask the engine about one disk, one at a time: a container engine refuses more. Raises SandboxError."""
        async with self._asking:
            return await self._engine.disk_bytes(disk_id)

    def forget(self, workspace_id: str) -> None:
        """It is gone."""
        self._measures.pop(workspace_id, None)

    def _holds(self, row: Row, since: float) -> bool:
        if _is_untouched(row):
            return True
        measure = self._measures.get(row["id"])
        if measure is None or (measure.disk_id, measure.last_session_id) != (row["disk_id"], row["last_session_id"]):
            return False
        if row["active_session_id"] is None:
            return measure.idle
        return measure.moment > since

    async def _measure_all(self, rows: list[Row]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                for row in rows:
                    await self._measure(row)
        except TimeoutError:
            _log.warning("the engine takes too long to say what the workspaces hold; the last known sizes count")

    async def _measure(self, row: Row) -> None:
        try:
            used = await self.measured(row["disk_id"])
        except SandboxError as error:
            # An engine that cannot say must not stop what needs no engine; the last known size counts.
            _log.warning("workspace %s cannot be measured: %s", row["id"], error)
            return
        self._measures[row["id"]] = _Measure(
            row["disk_id"],
            used or 0,
            asyncio.get_running_loop().time(),
            row["active_session_id"] is None,
            row["last_session_id"],
        )


def _is_untouched(row: Row) -> bool:
    """Whether nothing ever wrote to a workspace."""
    return all(row[trace] is None for trace in ("last_session_id", "source_workspace_id", "github_repo"))


async def require_room(call: Acts, adding: int = 0) -> None:
    """Raise ApiError `storage_limit_exceeded` when the account holds more than it may, `adding` bytes more included.

    To be asked before a workspace is made, before a disk is copied and before a persistent session attaches; never in
    a transaction.
    """
    storage = call.world.storage
    used, cap = await storage.used(call.account.id), storage.cap_of(call.account.id)
    if used + adding > cap:
        more = f", {adding} more are needed" if adding else ""
        raise ApiError(
            "storage_limit_exceeded",
            f"the workspaces and snapshots of this account hold {used} bytes{more}, and {cap} are allowed; "
            "delete some first",
            details={"limit": cap, "used": used},
        )
