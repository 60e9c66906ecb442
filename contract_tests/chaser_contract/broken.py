"""Broken: a promise of the document that an answer did not keep."""

from __future__ import annotations

from unittest import SkipTest

from chaser_contract.exchanges import Exchange


class Broken(AssertionError):
    """Raised where a promise is broken. `promise` says it in one line, `pointer` is where the document makes it.

    `came` is what came instead, in a line; `exchange` the request that shows it, None where none does by itself.
    """

    def __init__(
        self, promise: str, came: str, *, pointer: str = "", exchange: Exchange | None = None, kind: str = "behaviour"
    ) -> None:
        super().__init__(f"{promise}; {came}")
        self.promise = promise
        self.came = came
        self.pointer = pointer
        self.exchange = exchange
        self.kind = kind


class NotTried(SkipTest):
    """A promise cannot be tried on this target, for a reason that the report names.

    Hypothesis takes it for what it is, and looks for no smaller example of it.
    """
