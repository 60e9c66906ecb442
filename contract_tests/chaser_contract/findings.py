"""Findings: what a run found, one for each promise that was broken, however often it was."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from chaser_contract.exchanges import Exchange

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b\d+\b|(?:req|sk|whsec)_\w+")


@dataclass(frozen=True)
class Finding:
    """A broken promise. `part` found it, `pointer` is where the document makes it, `steps` lead to it and end with it.

    `promise` and `came` are one line each; `repeats` is False for what did not come again with the same requests.
    """

    part: str
    promise: str
    came: str
    pointer: str = ""
    kind: str = "behaviour"
    steps: tuple[Exchange, ...] = ()
    repeats: bool = True

    @property
    def exchange(self) -> Exchange | None:
        """The request that shows it."""
        return self.steps[-1] if self.steps else None

    @property
    def operation(self) -> str | None:
        return None if self.exchange is None else self.exchange.operation

    @property
    def fingerprint(self) -> tuple[str, str, str, str]:
        """What makes two findings one: ids and numbers that differ do not."""
        return self.kind, self.operation or "", self.pointer, masked(self.promise)


@dataclass
class Outcome:
    """What came of one part of a run. `status`: passed, failed, skipped (with the reason), or error (it broke itself).

    `seen` counts answers by operation, status and axis (`driven`, `refused`, `stateful`); `requests` are all that were
    sent.
    """

    part: str
    status: str = "passed"
    reason: str = ""
    findings: list[Finding] = field(default_factory=list)
    seen: dict[tuple[str, int, str], int] = field(default_factory=dict)
    requests: int = 0
    seconds: float = 0.0


def masked(promise: str) -> str:
    """A promise without the ids and numbers in it."""
    return _ID.sub("*", promise)


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """One of those that are the same, the one with the fewest steps, in the order in which they came."""
    kept: dict[tuple[str, str, str, str], Finding] = {}
    for one in findings:
        known = kept.get(one.fingerprint)
        if known is None or len(one.steps) < len(known.steps):
            kept[one.fingerprint] = one
    return list(kept.values())
