"""Answers: two of them, to the same question, and the first place where they differ."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chaser_emulator.spec import Operation

from chaser_contract import secret
from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange
from chaser_contract.parity.ignoring import STATUS, TIMES, Known
from chaser_contract.parity.normalising import Names, body_of, places

Pair = tuple[Exchange, Exchange]
"""What the one and the other have answered."""

_VALUES = ("content-type", "allow", "location", "content-disposition", "www-authenticate")
_PRESENCE = ("retry-after", "x-request-id", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
"""Headers that are compared, and those of which only matters whether they are there."""

_LONGEST, _BEFORE = 160, 30
"""Characters of a value that are shown, and those before what differs."""

_NONE: Any = "(nothing)"


@dataclass(frozen=True)
class Difference:
    """Where two Chasers differ: in what the answer of one step says at a place, on the one side and on the other.

    `asked` is the operation; it is another than the step's where what the step did was looked at.
    """

    step: int
    asked: str
    place: str
    left: Any
    right: Any

    def said(self, names: tuple[str, str] = ("A", "B")) -> str:
        """It in a line."""
        left, right = _shown(self.left, self.right)
        if self.place == STATUS:
            left, right = str(self.left), str(self.right)
        return f"{self.asked}: {self.place} is {left} in {names[0]} and {right} in {names[1]}"


@dataclass
class Answers:
    """What two Chasers have answered so far, each with its placeholders.

    `wordings`: whether the words of refusals are compared as well.
    """

    document: Document
    left: Names
    right: Names
    known: Sequence[Known] = ()
    wordings: bool = True

    def foreseen(self, operation: Operation, pair: Pair) -> Difference | None:
        """The first difference of two answers, with placeholders that nothing else is told of."""
        return replace(self, left=self.left.copy(), right=self.right.copy()).difference(0, operation, pair)

    def difference(
        self, number: int, operation: Operation, pair: Pair, left_out: Collection[str] = ()
    ) -> Difference | None:
        """The first place where two answers differ that is not known to."""
        left, right = pair
        if left.status != right.status and self._is_known(operation, STATUS):
            return None
        secrets = secrets_of(self.document, operation.id)
        seen = []
        for names, exchange in zip((self.left, self.right), pair, strict=True):
            body = self._compared(operation, exchange, left_out)
            normal, times = names.answer(body, secrets)
            seen.append((exchange, _headers(names, exchange), normal, times))
        for place, one, other in _places(seen[0], seen[1]):
            if not self._is_known(operation, place):
                return Difference(number, operation.id, place, one, other)
        return None

    def _is_known(self, operation: Operation, place: str) -> bool:
        return any(one.about(operation.id, place) for one in self.known)

    def _compared(self, operation: Operation, exchange: Exchange, left_out: Collection[str]) -> Any:
        """The body of an answer without what is not compared."""
        body = body_of(exchange)
        if isinstance(body, Mapping):
            dropped = set(left_out)
            if (exchange.status or 0) >= 400 and not self.wordings:
                dropped |= {"message", "details"}
            body = {name: part for name, part in body.items() if name not in dropped}
        return self._without_known(operation, body)

    def _without_known(self, operation: Operation, value: Any, pointer: str = "") -> Any:
        """A body without the places that may differ, so that no placeholder is spent on them."""
        if isinstance(value, Mapping):
            return {
                name: self._without_known(operation, part, f"{pointer}/{name}")
                for name, part in value.items()
                if not self._is_known(operation, f"{pointer}/{name}")
            }
        if isinstance(value, list):
            return [self._without_known(operation, part, f"{pointer}/{place}") for place, part in enumerate(value)]
        return value


@functools.lru_cache(maxsize=1024)
def secrets_of(document: Document, operation_id: str) -> frozenset[str]:
    """The fields of an operation's answers whose values are secret."""
    return secret.fields_of_answers(document, document.operation(operation_id))


def _headers(names: Names, exchange: Exchange) -> dict[str, str]:
    found = {}
    for name in _VALUES:
        if name in exchange.headers:
            found[name] = names.text(exchange.headers[name])
    return found | {name: "(any)" for name in _PRESENCE if name in exchange.headers}


Seen = tuple[Exchange, dict[str, str], Any, list[str]]


def _places(left: Seen, right: Seen) -> Iterator[tuple[str, Any, Any]]:
    """Where two answers differ, the most telling first."""
    (one, one_headers, one_body, one_times), (other, other_headers, other_body, other_times) = left, right
    if one.status != other.status:
        yield STATUS, _verdict(one), _verdict(other)
        return
    for name in sorted({*one_headers, *other_headers}):
        if one_headers.get(name) != other_headers.get(name):
            yield f"header {name}", one_headers.get(name, _NONE), other_headers.get(name, _NONE)
    here, there = dict(places(one_body)), dict(places(other_body))
    for place in {**here, **there}:
        if place not in here or place not in there or not _same(here[place], there[place]):
            yield place or "/", here.get(place, _NONE), there.get(place, _NONE)
    if one_times != other_times:
        yield TIMES, one_times, other_times


def _verdict(exchange: Exchange) -> str:
    """A status, with the code of a refusal."""
    body = body_of(exchange)
    code = body.get("code", "") if isinstance(body, Mapping) and (exchange.status or 0) >= 400 else ""
    return f"{exchange.status or exchange.trouble} {code}".rstrip()


def _same(one: Any, other: Any) -> bool:
    """Whether two values of JSON are one; True is not 1, and 1.0 is 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _shown(left: Any, right: Any) -> tuple[str, str]:
    """Two values in a few words; of long texts the part in which they differ."""
    begin = 0
    if isinstance(left, str) and isinstance(right, str) and max(len(left), len(right)) > _LONGEST:
        same = next((place for place, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), 0)
        begin = max(0, same - _BEFORE)
    return _short(left, begin), _short(right, begin)


def _short(value: Any, begin: int) -> str:
    if begin:
        value = f"…{value[begin:]}"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
