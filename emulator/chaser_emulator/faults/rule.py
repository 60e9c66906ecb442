"""Fault: a rule that says which calls it is about, which of them it acts on, and what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.faults import effects
from chaser_emulator.faults.effects import Effect, Layer

Span = tuple[int, int | None]
"""The first and the last call of a row of calls; None: it has no end."""

SEED = 0
"""The seed of a rule that draws and names none."""


@dataclass(frozen=True)
class Fault:
    """One rule. `selectors` are operationIds, wildcards and tags as they were given, `operations` what they select.

    `events` are selectors as well, and `event_types` what they select. `account` and `key` are ids. `path` holds path
    parameters as addresses have them. `calls` None means every matching call; `probability` is drawn, from a generator
    of the rule's own, for each call that is among them; `times` is how often it acts at most.
    """

    id: str
    effect: Effect
    selectors: tuple[str, ...] = ()
    operations: frozenset[str] = frozenset()
    account: str | None = None
    key: str | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = ()
    event_types: frozenset[str] = frozenset()
    webhook_id: str | None = None
    calls: tuple[Span, ...] | None = None
    probability: float = 1.0
    seed: int = SEED
    times: int | None = None

    @property
    def layer(self) -> Layer:
        return effects.layer_of(self.effect)

    @property
    def always(self) -> bool:
        """Whether it acts on whatever it matches, for ever."""
        return self.probability >= 1 and self.times is None and (self.calls is None or _covers_all(self.calls))

    @property
    def last_call(self) -> int | None:
        """The last call on which it can act; None: there is none."""
        if self.calls is None:
            return None
        ends = [last for _first, last in self.calls]
        return None if None in ends else max(end for end in ends if end is not None)

    def is_about(self, number: int) -> bool:
        """Whether it may act on the matching call with this number, counted from 1."""
        return self.calls is None or any(
            first <= number and (last is None or number <= last) for first, last in self.calls
        )

    def covers(self, other: Fault) -> bool:
        """Whether every call that the other matches is matched by this one as well."""
        if self.layer != other.layer:
            return False
        if isinstance(self.effect, effects.Engine) and isinstance(other.effect, effects.Engine):
            # Without a selector it is also about what the engine does for nobody's call.
            ours = not self.selectors or (bool(other.selectors) and other.operations <= self.operations)
            ours = ours and other.effect.on <= self.effect.on
        else:
            ours = other.operations <= self.operations and other.event_types <= self.event_types
        return (
            ours
            and self.account in (None, other.account)
            and self.key in (None, other.key)
            and self.webhook_id in (None, other.webhook_id)
            and self.path.items() <= other.path.items()
        )

    def info(self) -> dict[str, Any]:
        """Its JSON, as it could be given again."""
        told: dict[str, Any] = {
            "id": self.id,
            "operations": list(self.selectors) or None,
            "account": self.account,
            "key": self.key,
            "path": dict(self.path) or None,
            "events": list(self.events) or None,
            "webhook_id": self.webhook_id,
            "calls": None if self.calls is None else [_span(span) for span in self.calls],
            "probability": self.probability if self.probability < 1 else None,
            "seed": self.seed if self.draws else None,
            "times": self.times,
        }
        return {name: value for name, value in told.items() if value is not None} | effects.info(self.effect)

    @property
    def draws(self) -> bool:
        """Whether it needs its random numbers."""
        effect = self.effect
        return self.probability < 1 or (isinstance(effect, effects.Latency) and effect.shortest < effect.longest)


def size(calls: Sequence[Span]) -> int | None:
    """How many calls there are; None: there is no end."""
    count = reached = 0
    for first, last in sorted(calls, key=lambda span: span[0]):
        if last is None:
            return None
        if last > reached:
            count += last - max(first - 1, reached)
            reached = last
    return count


def _covers_all(calls: Sequence[Span]) -> bool:
    wanted = 1
    for first, last in sorted(calls, key=lambda span: span[0]):
        if first > wanted:
            return False
        if last is None:
            return True
        wanted = max(wanted, last + 1)
    return False


def _span(span: Span) -> int | str:
    first, last = span
    return first if first == last else f"{first}-" if last is None else f"{first}-{last}"
