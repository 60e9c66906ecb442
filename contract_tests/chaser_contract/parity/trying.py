"""Trying: sequences on two Chasers until they differ, and then the shortest one on which they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import hypothesis
from hypothesis.errors import FlakyFailure, FlakyReplay

from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange
from chaser_contract.parity.answers import Difference
from chaser_contract.parity.comparing import compared
from chaser_contract.parity.ignoring import Known
from chaser_contract.parity.sequences import NARROW, Sequences
from chaser_contract.parity.sides import fresh, kind_of
from chaser_contract.parity.steps import NOBODY, PEER, WRONG, Step, without
from chaser_contract.targets import Target


@dataclass(frozen=True)
class Found:
    """Steps of which the last shows a difference, and what both answered there. `repeats`: whether it always does."""

    steps: Sequence[Step]
    difference: Difference
    exchanges: tuple[Exchange, Exchange] | None
    repeats: bool = True


@dataclass
class Tried:
    """What a run has done: how many sequences and steps, and which answers of which operation."""

    sequences: int = 0
    steps: int = 0
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    found: Found | None = None


class _Differs(AssertionError):
    def __init__(self, found: Found) -> None:
        super().__init__(found.difference.said())
        self.found = found


def search(
    document: Document,
    left: Target,
    right: Target,
    *,
    seed: int,
    steps: int,
    examples: int,
    known: Sequence[Known] = (),
    told: Callable[[Tried], None] = lambda tried: None,
) -> Tried:
    """Try sequences that a seed decides, until one shows a difference; that one is made as short as it gets."""
    kinds = {kind_of(left), kind_of(right)}
    callers = [NARROW, NOBODY, WRONG]
    if all(target.emulator is not None or target.where.peer_key is not None for target in (left, right)):
        callers += [PEER, PEER, PEER]
    sequences = Sequences(
        document,
        callers,
        browsers="scripted" not in kinds or len(kinds) == 1,
        forges=left.where.url is None and right.where.url is None,
        allowed=lambda operation: all(one.guard is None or one.guard.allows(operation) for one in (left, right)),
    )
    tried = Tried()

    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.seed(seed)
    @hypothesis.given(sequences.strategy(steps))
    def run(sequence: list[Step]) -> None:
        found = first_difference(document, left, right, sequence, known, tried)
        told(tried)
        if found is not None:
            raise _Differs(found)

    try:
        run()
    except _Differs as differs:
        tried.found = _shortest(document, left, right, differs.found, known)
    except (FlakyFailure, FlakyReplay) as flaky:
        differs_once = next((one for one in getattr(flaky, "exceptions", ()) if isinstance(one, _Differs)), None)
        if differs_once is None:
            raise
        found = differs_once.found
        tried.found = Found(found.steps, found.difference, found.exchanges, repeats=False)
    return tried


def first_difference(
    document: Document,
    left: Target,
    right: Target,
    sequence: Sequence[Step],
    known: Sequence[Known] = (),
    tried: Tried | None = None,
) -> Found | None:
    """The first difference that a sequence shows on two fresh Chasers."""
    with fresh(left, right) as sides:
        comparison = compared(document, sides, known)
        for place, step in enumerate(sequence):
            difference = comparison.take(step)
            if tried is not None:
                tried.steps += 1
            if difference is not None:
                exchanges = comparison.asked[-1] if comparison.asked else None
                return Found(list(sequence[: place + 1]), difference, exchanges)
        if tried is not None:
            tried.sequences += 1
            for pair in comparison.asked:
                if (operation := pair[0].operation) is not None:
                    tried.seen[operation, pair[0].status or 0] += 1
    return None


def _shortest(document: Document, left: Target, right: Target, found: Found, known: Sequence[Known]) -> Found:
    """The same difference with fewer steps: also those that were put in for what is not needed any more."""
    place = len(found.steps) - 2
    while place >= 0:
        fewer = without(found.steps, place)
        again = None if fewer is None else first_difference(document, left, right, fewer, known)
        if again is not None and (again.difference.asked, again.difference.place) == (
            found.difference.asked,
            found.difference.place,
        ):
            found = again
            place = min(place, len(found.steps) - 1)
        place -= 1
    return found
