"""Sessions of a seed that have ended long ago: rows alone, of which the API tells as of any other that has ended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from chaser_emulator.acting import Acting
from chaser_emulator.clock import moment, new_id, timestamp
from chaser_emulator.errors import not_found
from chaser_emulator.plans import PLANS
from chaser_emulator.seeding.text import SeedText
from chaser_emulator.store import sessions, workspaces
from chaser_emulator.world import World

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment_of(text: str, now: datetime) -> datetime:
    """A moment, or how far it is from now."""
    if match := re.fullmatch(r"([+-][0-9]+)([smhd])", text):
        return now + timedelta(**{_UNITS[match[2]]: int(match[1])})
    return moment(text.upper())


async def session(
    world: World, who: Acting, seed: SeedText, path: tuple[str | int, ...], item: Mapping[str, Any]
) -> str:
    """Write down a session that has ended: it had no sandbox, cost nothing, and nobody is told of it; answers its id.

    Raises SeedError for times that cannot be, and ApiError for an unknown workspace.
    """
    now = world.clock.now()
    ended = moment_of(item["ended_at"], now)
    began = moment_of(item.get("created_at", item["ended_at"]), now)
    if ended > now:
        raise seed.error("lies after now", *path, "ended_at")
    if began > ended:
        raise seed.error("lies after ended_at", *path, "created_at")
    workspace_id = None
    if (named := item.get("workspace")) is not None:
        workspace = await workspaces.find(world.store, who.account.id, named)
        if workspace is None:
            raise not_found("workspace", named)
        workspace_id = workspace["id"]
    session_id, longest = new_id(), timedelta(seconds=PLANS[who.account.plan].max_session_seconds)
    async with world.store.transaction() as tx:
        await sessions.insert(
            tx,
            session_id=session_id,
            account_id=who.account.id,
            session_type=item.get("session_type", "sandbox"),
            workspace_id=workspace_id,
            image=item.get("image"),
            github_repo=item.get("github_repo"),
            created_at=timestamp(began),
            expires_at=timestamp(began + longest),
        )
        status = item.get("status", sessions.TERMINATED)
        await sessions.end(
            tx, session_id, status, timestamp(ended), "it failed in the seed" if status == sessions.FAILED else None
        )
    return session_id
