"""Values: what stands in an answer, held against what was asked for, what is ruled, and the clock."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chaser_contract.client import Answer
from chaser_contract.subject import Subject

ABSENT: Any = object()
"""What a field is that does not stand there."""

THEN = datetime(2031, 5, 6, 7, 8, 9, 123456, UTC)
"""A moment to which clocks are set: far from today, so that what goes by another clock is seen."""

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHORT = timedelta(milliseconds=100)
"""How far the looks at a frozen clock move it, at most."""


def holds(answer: Answer, found: Mapping[str, Any], of: str = "", /, **wanted: Any) -> None:
    """Raise Broken unless each of these fields is exactly that; `of` says what they are fields of."""
    for name, value in wanted.items():
        came = found.get(name, ABSENT)
        where = f"`{of}.{name}`" if of else f"`{name}`"
        answer.require(same(came, value), f"{where} is {shown(value)} there", f"it is {shown(came)}")


def lacks(answer: Answer, found: Mapping[str, Any], *names: str) -> None:
    """Raise Broken for a field that says something: it is to be absent, or null where the document has that."""
    for name in names:
        came = found.get(name)
        answer.require(came is None, f"`{name}` says nothing there", f"it is {shown(came)}")


def equals(answer: Answer, found: Any, wanted: Any, what: str) -> None:
    """Raise Broken unless what was found is exactly what is wanted; `what` is the promise."""
    answer.require(same(found, wanted), what, f"it is {shown(found)}, and not {shown(wanted)}")


def unchanged(answer: Answer, found: Mapping[str, Any], before: Mapping[str, Any], *, but: Iterable[str] = ()) -> None:
    """Raise Broken where a field is another than it was."""
    for name in sorted({*found, *before} - set(but)):
        came, was = found.get(name, ABSENT), before.get(name, ABSENT)
        answer.require(same(came, was), f"`{name}` is as it was", f"it was {shown(was)} and is {shown(came)}")


def is_uuid(answer: Answer, found: Mapping[str, Any], *names: str) -> None:
    """Raise Broken unless these fields are UUIDs, as the API writes them."""
    for name in names:
        came = found.get(name, ABSENT)
        fits = isinstance(came, str) and _UUID.fullmatch(came)
        answer.require(fits, f"`{name}` is a UUID in lower case", f"it is {shown(came)}")


def moment(answer: Answer, found: Mapping[str, Any], name: str) -> datetime:
    """A field that is a moment. Raises Broken unless it is written in UTC, with microseconds and `Z`."""
    came = found.get(name, ABSENT)
    fits = isinstance(came, str) and _MOMENT.fullmatch(came)
    answer.require(fits, f"`{name}` is a moment in UTC with microseconds and Z", f"it is {shown(came)}")
    return datetime.fromisoformat(came)


def is_at(answer: Answer, found: Mapping[str, Any], name: str, then: datetime) -> datetime:
    """Raise Broken unless a field is this moment of a frozen clock, which each look moves on a little."""
    came = moment(answer, found, name)
    lately = timedelta() <= came - then < _SHORT
    answer.require(lately, f"`{name}` goes by the clock of the emulator", f"it is {came}, at {then}")
    return came


def refused(answer: Answer, status: int, code: str, pointer: str | None = None, *, because: str = "") -> Any:
    """The `details` of a refusal. Raises Broken for another one, or where no problem is at the place in the request."""
    answer.must_be(status, code, because=because)
    details = answer.json.get("details")
    if pointer is not None:
        answer.require(isinstance(details, list), "the `details` of a refused input list its problems", shown(details))
        places = [problem["pointer"] for problem in details]
        answer.require(
            any(place == pointer or place.startswith(f"{pointer}/") for place in places),
            f"`details` of the refusal point to {pointer or 'the body'}",
            f"they point to {places}",
        )
    return details


def frozen(chaser: Subject, at: datetime = THEN) -> datetime:
    """Let the clock stand still at a moment, and answer it. Raises NotTried where there is no emulator."""
    chaser.steered.clock.freeze(at)
    return at


def passed(chaser: Subject, **duration: float) -> datetime:
    """Let a frozen clock move on by a timedelta; answers the moment at which it then stands."""
    chaser.steered.clock.advance(timedelta(**duration))
    return chaser.steered.clock.now


def same(one: Any, other: Any) -> bool:
    """Whether two values of JSON are the same; true is not 1, and 1.0 is 1."""
    if one is ABSENT or other is ABSENT:
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def unlike(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """In which fields one is not as wanted, for people who would have to look for them in two long objects."""
    return ", ".join(
        f"`{name}` is {shown(found.get(name, ABSENT))}, not {shown(wanted.get(name, ABSENT))}"
        for name in sorted({*found, *wanted})
        if not same(found.get(name, ABSENT), wanted.get(name, ABSENT))
    )


def shown(value: Any) -> str:
    """A value as a finding shows it."""
    if value is ABSENT:
        return "absent"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 160 else f"{text[:160]}…"
