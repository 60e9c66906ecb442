"""How often: sliding windows for each limited surface, per principal and per account (G11, G12)."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

PER_PRINCIPAL = 600
PER_ACCOUNT = 1200
WINDOW = 60.0


@dataclass(frozen=True)
class Limits:
    """Requests a window (seconds) for one surface; `enabled` False counts nothing and refuses nothing."""

    per_principal: int = PER_PRINCIPAL
    per_account: int = PER_ACCOUNT
    window: float = WINDOW
    enabled: bool = True


@dataclass(frozen=True)
class Reading:
    """The bucket closest to empty after a request: what the four X-RateLimit headers say."""

    scope: str
    limit: int
    remaining: int
    reset: int
    retry_after: int | None

    def headers(self) -> dict[str, str]:
        """The headers of an answer; Retry-After only when the request was refused."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
            "X-RateLimit-Scope": self.scope,
        }
        return headers if self.retry_after is None else headers | {"Retry-After": str(self.retry_after)}


@dataclass
class Meter:
    """The buckets of one world. `surfaces` overrides the default limits by the name of a surface."""

    default: Limits = field(default_factory=Limits)
    surfaces: dict[str, Limits] = field(default_factory=dict)
    _taken: dict[tuple[str, str, str], deque[float]] = field(default_factory=dict)
    _held: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The surfaces on which a principal is counted though nobody else is."""

    def take(self, surface: str, principal: str, account: str | None, now: float | None = None) -> Reading:
        """Count one request, unless a bucket is empty. `now` is in epoch seconds; `account` None counts for none."""
        limits = self.surfaces.get(surface, self.default)
        now = time.time() if now is None else now
        buckets = [("principal", principal, limits.per_principal)]
        if account is not None:
            buckets.append(("account", account, limits.per_account))
        taken = [self._bucket(surface, scope, name, now - limits.window) for scope, name, _limit in buckets]
        full = (limits.enabled or self._held[surface, principal] > 0) and any(
            len(bucket) >= limit for bucket, (_scope, _name, limit) in zip(taken, buckets, strict=True)
        )
        if not full and limits.enabled:
            for bucket in taken:
                bucket.append(now)
        readings = [
            self._reading(scope, limit, bucket, limits.window, now, refused=full)
            for bucket, (scope, _name, limit) in zip(taken, buckets, strict=True)
        ]
        # Where both are empty, the one that stays so for longer: it decides when a repetition can succeed.
        return min(readings, key=lambda reading: (reading.remaining, -(reading.retry_after or 0)))

    def use_up(self, surface: str, principal: str, now: float) -> tuple[int, Callable[[], None]]:
        """Count as many requests as a principal may make, also where none are counted.

        Answers how many that are, and what takes them back.
        """
        limits = self.surfaces.get(surface, self.default)
        bucket = self._bucket(surface, "principal", principal, now - limits.window)
        added = max(0, limits.per_principal - len(bucket))
        bucket.extend([now] * added)
        self._held[surface, principal] += 1

        def take_back() -> None:
            self._held -= Counter([(surface, principal)])
            for _ in range(min(added, bucket.count(now))):
                bucket.remove(now)

        return limits.per_principal, take_back

    def _bucket(self, surface: str, scope: str, name: str, since: float) -> deque[float]:
        bucket = self._taken.setdefault((surface, scope, name), deque())
        while bucket and bucket[0] <= since:
            bucket.popleft()
        return bucket

    def _reading(
        self, scope: str, limit: int, bucket: deque[float], window: float, now: float, *, refused: bool
    ) -> Reading:
        remaining = max(0, limit - len(bucket))
        oldest = bucket[0] if bucket else now
        retry = max(1, math.ceil(oldest + window - now)) if refused and remaining == 0 else None
        # The window slides, so the bucket is whole again when its newest request has left.
        reset = math.ceil(bucket[-1] + window) if bucket else math.ceil(now)
        return Reading(scope, limit, remaining, reset, retry)
