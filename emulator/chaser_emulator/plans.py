"""What each plan allows (H22 and the documented rules of the free plan)."""

from __future__ import annotations

from dataclasses import dataclass

FREE, USAGE_BASED, SUBSCRIPTION = "free", "usage_based", "subscription"

_HOUR = 3600
_PRICE_MICROS_PER_HOUR = 50_000


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

    @property
    def price_micros_per_hour(self) -> int:
        """What an hour of a session is metered at, in millionths of a dollar."""
        return 0 if self.pricing_model == FREE else _PRICE_MICROS_PER_HOUR

    @property
    def from_wallet(self) -> bool:
        """Whether the wallet pays for what is metered."""
        return self.pricing_model == USAGE_BASED

    @property
    def subscribed(self) -> bool:
        return self.pricing_model == SUBSCRIPTION


PLANS = {
    plan.code: plan
    for plan in (
        Plan(FREE, FREE, 1, _HOUR, 0),
        Plan(USAGE_BASED, USAGE_BASED, 20, 24 * _HOUR, 50),
        Plan("pro", SUBSCRIPTION, 20, 24 * _HOUR, 50),
        Plan("team", SUBSCRIPTION, 100, 24 * _HOUR, 200),
    )
}

DEFAULT_SUBSCRIPTION = "pro"
"""What a subscription is for where no plan is named."""

TOPUP_MIN_MICROS_USD = 10_000_000

STORAGE_CAP_BYTES = 25 * 10**9
"""What the workspaces of one account may use together, as bytes on disk."""
