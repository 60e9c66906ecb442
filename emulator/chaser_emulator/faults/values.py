"""The values of a rule's fields: each reader takes JSON and where it stands, or refuses it with what is accepted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from chaser_emulator.errors import invalid_field
from chaser_emulator.faults.effects import When
from chaser_emulator.faults.rule import Span

LONGEST = 86_400
"""Seconds that anything may take."""

MOST = 10**9

_MOST_SPANS = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SPAN = re.compile(r"([0-9]{1,9})(?:(-)([0-9]{1,9})?)?")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})


def spans(value: Any, pointer: str) -> tuple[Span, ...]:
    """Calls, as numbers and ranges."""
    accepted = "calls are numbers from 1 and ranges such as 2-4 or 5-"
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    found: list[Span] = []
    for part in parts:
        said = part.strip() if isinstance(part, str) else str(part) if type(part) is int else ""
        match = _SPAN.fullmatch(said)
        if match is None:
            raise invalid_field(pointer, f"{part!r} is no call; {accepted}")
        first = int(match[1])
        last = first if not match[2] else int(match[3]) if match[3] else None
        if first < 1 or (last is not None and last < first):
            raise invalid_field(pointer, f"{said} names no call; {accepted}")
        found.append((first, last))
    if len(found) > _MOST_SPANS:
        raise invalid_field(pointer, f"has more than {_MOST_SPANS} calls and ranges")
    if not found:
        raise invalid_field(pointer, f"is empty, so it would never act; {accepted}")
    return tuple(found)


def chance(value: Any, pointer: str) -> float:
    """A probability that is not 0."""
    likely = number(value, pointer, 0, 1)
    if not likely:
        raise invalid_field(pointer, "is 0, so it would never act; more than 0 and at most 1 is accepted")
    return likely


def seconds_between(value: Any, pointer: str) -> tuple[float, float]:
    """A number of seconds, or the shortest and the longest."""
    if isinstance(value, list):
        if len(value) != 2:
            raise invalid_field(pointer, "must be a number of seconds, or the shortest and the longest of them")
        shortest, longest = (seconds(each, pointer) for each in value)
    else:
        shortest = longest = seconds(value, pointer)
    if longest < shortest:
        raise invalid_field(pointer, "names the longest first; the shortest comes first")
    if not longest:
        raise invalid_field(pointer, "is 0, so it would do nothing; more than 0 seconds are accepted")
    return shortest, longest


def seconds(value: Any, pointer: str) -> float:
    """A number of seconds."""
    return number(value, pointer, 0, LONGEST)


def number(value: Any, pointer: str, least: float, most: float) -> float:
    """A number in bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise invalid_field(pointer, f"must be a number from {least} to {most}")
    return float(value)


def integer(value: Any, pointer: str, least: int, most: int) -> int:
    """An integer in bounds."""
    if type(value) is not int or not least <= value <= most:
        raise invalid_field(pointer, f"must be an integer from {least} to {most}")
    return value


def count(value: Any, pointer: str) -> int:
    """How often, or how many; at least one."""
    return integer(value, pointer, 1, MOST)


def from_zero(value: Any, pointer: str) -> int:
    """How many, or none."""
    return integer(value, pointer, 0, MOST)


def truth(value: Any, pointer: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise invalid_field(pointer, "must be true or false")
    return value


def text(value: Any, pointer: str) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise invalid_field(pointer, "must be a string that is not empty")
    return value


def words(value: Any, pointer: str) -> tuple[str, ...]:
    """A word, several between commas, or a list of them."""
    words = [word.strip() for word in value.split(",")] if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise invalid_field(pointer, "must be a name, or a list of names that is not empty")
    return tuple(dict.fromkeys(words))


def path(value: Any, pointer: str) -> dict[str, str]:
    """Path parameters and their values."""
    if not isinstance(value, Mapping) or not value or not all(isinstance(part, str) for part in value.values()):
        raise invalid_field(pointer, 'must be an object of path parameters and their values, such as {"id": "…"}')
    return {str(name): part for name, part in value.items()}


def headers(value: Any, pointer: str) -> dict[str, str]:
    """Headers that may be set."""
    if not isinstance(value, Mapping):
        raise invalid_field(pointer, "must be an object of header names and their values")
    for name, text in value.items():
        if not _HEADER.fullmatch(str(name)) or not isinstance(text, str) or not _HEADER_VALUE.fullmatch(text):
            raise invalid_field(f"{pointer}/{name}", "is no header; a name of RFC 9110 and a string are accepted")
        if str(name).lower() in _FRAMING:
            raise invalid_field(f"{pointer}/{name}", "is set by the server itself")
    return {str(name): text for name, text in value.items()}


def when(value: Any, pointer: str) -> When:
    """Before or after."""
    if value not in ("before", "after"):
        raise invalid_field(pointer, "must be before or after")
    return cast("When", value)


def name(value: Any, pointer: str) -> str:
    """The id of a rule."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise invalid_field(pointer, "must be 1 to 64 letters, digits, dots, dashes or underscores")
    return value
