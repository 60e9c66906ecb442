"""Changes: what differs between two documents, and whether clients of the one break with the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["breaking", "unclear", "not breaking"]
VERDICTS: tuple[Verdict, ...] = ("breaking", "unclear", "not breaking")

Direction = Literal["request", "answer"]

Reach = Literal["narrower", "wider", "other", "unclear"]
"""What becomes of the values that a schema takes: fewer, more, others, or nobody can tell."""


@dataclass(frozen=True)
class Change:
    """One difference. `place` is where in the operation; `pointer` is the place in the bundled document."""

    operation: str
    place: str
    what: str
    verdict: Verdict
    pointer: str

    def said(self) -> str:
        """It in a line."""
        return f"{self.place}: {self.what}" if self.place else self.what


def verdict_of(reach: Reach, direction: Direction) -> Verdict:
    """What a change of the values means: clients send what was taken before, and expect what was answered before."""
    if reach == "other":
        return "breaking"
    if reach == "unclear":
        return "unclear"
    return "breaking" if (reach == "narrower") == (direction == "request") else "not breaking"
