"""Budget: how much of a real service a run may use; it is looked at before each request, and counts what was used."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from chaser_contract.live.stopping import BudgetSpent

DOLLARS_PER_SESSION_HOUR = 0.05
"""The price table: a session costs this by the second, whatever the plan (a plan may cost less, none costs more)."""

SMALLEST_TOPUP = 10.0
"""Dollars that a checkout is about when it does not say."""


@dataclass(frozen=True)
class Limits:
    """`minutes` are of sandbox time, all sessions together; `dollars` those that it costs by the price table."""

    sessions: int = 20
    minutes: float = 30.0
    dollars: float = 0.25
    requests_per_second: float = 10.0
    requests: int = 20_000


class Budget:
    """What a run has used, and what is left. `now` and `sleep` are the clock; all methods may be called by any thread.

    Once it is spent it stays so, with the same reason.
    """

    def __init__(
        self,
        limits: Limits,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limits = limits
        self.requests = 0
        self.sessions = 0
        self._now = now
        self._sleep = sleep
        self._lock = threading.RLock()
        self._next = 0.0
        self._running: dict[str, float] = {}
        self._seconds = 0.0
        self._committed = 0.0
        self._spent: str | None = None

    @property
    def seconds(self) -> float:
        """Sandbox time so far; sessions that run are counted up to now."""
        with self._lock:
            now = self._now()
            return self._seconds + sum(now - begun for begun in self._running.values())

    @property
    def dollars(self) -> float:
        return self.seconds * DOLLARS_PER_SESSION_HOUR / 3600 + self._committed

    @property
    def spent(self) -> str | None:
        """Why nothing more may be asked; None while something may."""
        with self._lock:
            if self._spent is None:
                limits = self.limits
                if self.requests >= limits.requests:
                    self._spent = _said(f"{self.requests} of {limits.requests} requests", "requests")
                elif self.seconds >= limits.minutes * 60:
                    self._spent = _said(f"{self.seconds / 60:.1f} of {limits.minutes:g} sandbox minutes", "minutes")
                elif self.dollars >= limits.dollars and self.dollars > 0:
                    self._spent = _said(f"{self.dollars:.4f} of {limits.dollars:g} dollars", "dollars")
            return self._spent

    def request(self) -> None:
        """Count a request, once its turn has come. Raises BudgetSpent."""
        with self._lock:
            self._refuse_when_spent()
            self.requests += 1
        self.turn()

    def turn(self) -> None:
        """Wait until another request may be sent, without counting it."""
        with self._lock:
            now = self._now()
            begins = max(now, self._next)
            self._next = begins + 1 / self.limits.requests_per_second
        if begins > now:
            self._sleep(begins - now)

    def session_begins(self, key: str) -> None:
        """Count a session that is about to be made. Raises BudgetSpent when there is none left."""
        with self._lock:
            self._refuse_when_spent()
            if self.sessions >= self.limits.sessions:
                self._spent = _said(f"{self.sessions} of {self.limits.sessions} sessions", "sessions")
                raise BudgetSpent(self._spent)
            self.sessions += 1
            self._running[key] = self._now()

    def session_known(self, key: str, name: str) -> None:
        """Go on counting under another name: the id, once there is one. One that runs already is not another."""
        with self._lock:
            begun = self._running.pop(key, None)
            if begun is None:
                return
            if name in self._running:
                self.sessions -= 1
            else:
                self._running[name] = begun

    def session_ended(self, key: str) -> None:
        with self._lock:
            begun = self._running.pop(key, None)
            if begun is not None:
                self._seconds += self._now() - begun

    def session_refused(self, key: str) -> None:
        """None was made after all."""
        with self._lock:
            if self._running.pop(key, None) is not None:
                self.sessions -= 1

    def commit(self, dollars: float) -> None:
        """Count dollars that are asked for at once. Raises BudgetSpent when they are more than is left."""
        with self._lock:
            self._refuse_when_spent()
            if self.dollars + dollars > self.limits.dollars:
                total = self.dollars + dollars
                self._spent = _said(f"{total:.2f} of {self.limits.dollars:g} dollars", "dollars")
                raise BudgetSpent(self._spent)
            self._committed += dollars

    def wait(self, seconds: float) -> None:
        """Wait as the service asks for. Raises BudgetSpent when sessions that run would use up what is left."""
        with self._lock:
            self._refuse_when_spent()
            used = self.seconds + seconds * len(self._running)
            cost = self.dollars + seconds * len(self._running) * DOLLARS_PER_SESSION_HOUR / 3600
            if self._running and (used >= self.limits.minutes * 60 or cost >= self.limits.dollars):
                self._spent = _said(f"the service asks for {seconds:.0f} s of patience, which sessions do", "minutes")
                raise BudgetSpent(self._spent)
        self._sleep(seconds)

    def _refuse_when_spent(self) -> None:
        if (spent := self.spent) is not None:
            raise BudgetSpent(spent)


def _said(used: str, option: str) -> str:
    return f"budget spent: {used} (--max-{option})"
