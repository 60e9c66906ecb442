"""What each plan allows (H22 and the documented rules of the free plan)."""

from __future__ import annotations

from dataclasses import dataclass

_HOUR = 3600


@dataclass(frozen=True)
class Plan:
    """The limits of a plan: live sessions at once, seconds a session may last, workspaces that may exist."""

    code: str
    pricing_model: str
    max_concurrency: int
    max_session_seconds: int
    max_workspaces: int

    @property
    def allow_workspaces(self) -> bool:
        return self.max_workspaces > 0


PLANS = {
    plan.code: plan
    for plan in (
        Plan("free", "free", 1, _HOUR, 0),
        Plan("usage_based", "usage_based", 20, 24 * _HOUR, 50),
        Plan("pro", "subscription", 20, 24 * _HOUR, 50),
        Plan("team", "subscription", 100, 24 * _HOUR, 200),
    )
}

STORAGE_CAP_BYTES = 25 * 10**9
"""What the workspaces of one account may use together, as bytes on disk."""
