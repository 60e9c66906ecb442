"""Explanation: what is told of one exchange, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chaser_emulator.explaining.asking import Ask
from chaser_emulator.explaining.documents import Place
from chaser_emulator.explaining.places import Change

Step = Literal[
    "routing",
    "authentication",
    "account",
    "rate limit",
    "scope",
    "validation",
    "state",
    "sandbox",
    "fault",
    "emulator",
]


@dataclass(frozen=True)
class BrokenRule:
    """One rule that a request broke.

    `location` and `pointer` say where in the request it was, `place` where in the document it stands.
    """

    location: str | None
    pointer: str | None
    message: str
    value: Any
    accepted: Any
    place: Place

    def info(self) -> dict[str, Any]:
        """Its JSON."""
        shown = {
            "in": self.location,
            "pointer": self.pointer,
            "message": self.message,
            "value": self.value,
            "accepted": self.accepted,
            "document": self.place.pointer,
            "file": self.place.file,
            "description": self.place.description,
            "rulings": [{"number": number, "text": text} for number, text in self.place.rulings.items()] or None,
        }
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(frozen=True)
class Line:
    """A request with what is typed to make it."""

    ask: Ask
    curl: str
    sdk: str | None

    def info(self) -> dict[str, Any]:
        """Its JSON."""
        shown = self.ask.info() | {"curl": self.curl}
        return shown if self.sdk is None else shown | {"sdk": self.sdk}


@dataclass(frozen=True)
class Explanation:
    """Why an exchange went as it did.

    `passes` is the nearest request that passes, after those in `first`; `changes` is what is different in it. Where
    there is none, `why_not` says why. `acts_as` is whose key is needed, where it is not the caller's.
    """

    number: int
    request_id: str
    at: str
    asked: str
    summary: str
    operation: str | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    step: Step | None = None
    rules: Sequence[BrokenRule] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    fault: Mapping[str, Any] | None = None
    ignored: Sequence[str] = ()
    hints: Sequence[str] = ()
    first: Sequence[Line] = ()
    passes: Line | None = None
    changes: Sequence[Change] = ()
    why_not: str | None = None
    note: str | None = None
    wait_seconds: int | None = None
    acts_as: Mapping[str, str] | None = None

    def info(self) -> dict[str, Any]:
        """Its JSON; what does not apply is absent."""
        shown = {
            "number": self.number,
            "request_id": self.request_id,
            "at": self.at,
            "operation": self.operation,
            "asked": self.asked,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "summary": self.summary,
            "step": self.step,
            "rules": [rule.info() for rule in self.rules] or None,
            "state": dict(self.state) or None,
            "fault": self.fault,
            "ignored": list(self.ignored) or None,
            "hints": list(self.hints) or None,
            "first": [line.info() for line in self.first] or None,
            "passes": self.passes.info() if self.passes is not None else None,
            "changes": [str(change) for change in self.changes] or None,
            "why_not": self.why_not,
            "note": self.note,
            "wait_seconds": self.wait_seconds,
            "acts_as": dict(self.acts_as) if self.acts_as else None,
        }
        return {name: value for name, value in shown.items() if value is not None}
