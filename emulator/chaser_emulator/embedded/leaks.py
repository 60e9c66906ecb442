"""That a test leaves nothing behind in its world."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from chaser_emulator.embedded.asking import Door

_PATIENCE = 2.0
"""Real seconds for what is about to be over by itself: a session that ends, a delivery that is on its way."""


class NoLeaks:
    """An expectation: it is looked at when its `with` block ends, or else when the test does."""

    def __init__(self, door: Door, world: str, checks: list[Callable[[], None]]) -> None:
        self._door = door
        self._world = world
        self._checks = checks
        checks.append(self.check)

    def check(self) -> None:
        """Raise AssertionError with what is left, if anything is."""
        __tracebackhide__ = True
        end = time.monotonic() + _PATIENCE
        while left := self._left():
            if not any(one["settling"] for one in left) or time.monotonic() >= end:
                listed = "\n".join(f"  {one['text']}" for one in left)
                count = "one thing is" if len(left) == 1 else f"{len(left)} things are"
                raise AssertionError(f"{count} left in {self._world}:\n{listed}")
            time.sleep(0.01)

    def __enter__(self) -> NoLeaks:
        self._checks.remove(self.check)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        if kind is None:
            self.check()

    def _left(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._door.ask("GET", "/leaks", world=self._world)["leaks"]
        return found
