"""Stopping: why a promise is not tried any further on a real service. None of it is a broken promise."""

from __future__ import annotations

from chaser_contract.broken import NotTried


class NotAllowed(NotTried):
    """It takes what this run may not do."""


class BudgetSpent(NotTried):
    """The run has used what it was given; everything that is left of it is skipped."""


class NotSteady(NotTried):
    """The service, or the way to it, failed in a manner that passes; the text says how.

    `done` says whether what was asked for may have been carried out all the same.
    """

    def __init__(self, text: str, *, done: bool = True) -> None:
        super().__init__(text)
        self.done = done
