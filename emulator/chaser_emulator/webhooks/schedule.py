"""When a delivery that failed is tried again (H9)."""

from __future__ import annotations

from datetime import datetime, timedelta

_PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
)

ATTEMPTS = len(_PAUSES) + 1
"""How often a delivery is tried in all."""


def next_attempt(made: int, ended: datetime) -> datetime | None:
    """When to try again after so many attempts, of which the last failed at `ended`; None: not any more."""
    return ended + _PAUSES[made - 1] if made < ATTEMPTS else None
