"""Values of GitHub's expressions: as text, as numbers, compared, and what the functions make of them.

A value is None, a bool, a number, a str, a list or a dict, as in JSON.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_LARGEST = 10 * 2**20
_PLACE = re.compile(r"\{\{|\}\}|\{(\d{1,9})\}|[{}]")


class ExpressionError(Exception):
    """An expression that cannot be read or worked out; the text is a sentence for the author of the workflow."""


def text_of(value: Any) -> str:
    """A value as text; an object is only ever called one."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number_text(value)
        case str():
            return value
        case list():
            return "Array"
    return "Object"


def _number_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return f"{value:.15G}" if value != 0 else "0"


def number_of(value: Any) -> float:
    """A value as a number; NaN where it is none."""
    match value:
        case None:
            return 0.0
        case bool() | int() | float():
            return float(value)
        case str():
            return _number_in(value.strip())
    return math.nan


def _number_in(text: str) -> float:
    if text == "":
        return 0.0
    if _NUMBER.fullmatch(text):
        return float(text)
    if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", text):
        return float(int(text, 16))
    if re.fullmatch(r"0o[0-7]{1,11}", text):
        return float(int(text, 8))
    return {"Infinity": math.inf, "+Infinity": math.inf, "-Infinity": -math.inf}.get(text, math.nan)


def truth_of(value: Any) -> bool:
    """Whether a value counts as true."""
    if isinstance(value, (list, dict)):
        return True
    return bool(value) and value == value


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(type(value))
    return "number" if isinstance(value, (int, float)) else str(type(value))


def _pair(left: Any, right: Any) -> tuple[Any, Any] | None:
    """Both in a form that Python compares; None where nothing is true of them."""
    if _kind(left) != _kind(right):
        pair = number_of(left), number_of(right)
        return None if any(map(math.isnan, pair)) else pair
    if isinstance(left, str):
        return left.upper(), right.upper()
    return left, right


def equal(left: Any, right: Any) -> bool:
    """`==`: text without regard to case, values of different kinds as numbers, objects only with themselves."""
    if isinstance(left, (list, dict)) and isinstance(right, (list, dict)):
        return left is right
    pair = _pair(left, right)
    return pair is not None and bool(pair[0] == pair[1])


def less(left: Any, right: Any) -> bool:
    """`<`: text by its characters, without regard to case."""
    pair = _pair(left, right)
    if pair is None or isinstance(pair[0], (list, dict)) or pair[0] is None:
        return False
    return bool(pair[0] < pair[1])


class Exact(dict[str, Any]):
    """An object whose names do not ignore case, as the variables of Linux."""


def member(value: Any, key: Any) -> Any:
    """A part of an object or an array, None where there is none; names ignore case."""
    if isinstance(value, Exact):
        return value.get(text_of(key))
    if isinstance(value, dict):
        wanted = text_of(key).lower()
        return next((part for name, part in value.items() if str(name).lower() == wanted), None)
    if isinstance(value, list):
        place = number_of(key)
        return value[int(place)] if 0 <= place < len(value) else None
    return None


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, list):
        return any(equal(one, what) for one in where)
    return not isinstance(where, dict) and text_of(what).upper() in text_of(where).upper()


def joined(parts: Iterable[str]) -> str:
    """Texts as one. Raises ExpressionError where that is larger than any expression may be on GitHub."""
    taken, size = [], 0
    for part in parts:
        size += len(part)
        if size > _LARGEST:
            raise ExpressionError(f"an expression makes a text of more than {_LARGEST} characters")
        taken.append(part)
    return "".join(taken)


def _format(pattern: Any, *values: Any) -> str:
    text, at, parts = text_of(pattern), 0, []
    shown = repr(text[:100])

    def filled(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] is None:
            raise ExpressionError(f"format: {shown} has a brace that neither is doubled nor names a value")
        if int(match[1]) >= len(values):
            raise ExpressionError(f"format: {shown} names {match[0]}, and {len(values)} values follow")
        return text_of(values[int(match[1])])

    for match in _PLACE.finditer(text):
        parts += [text[at : match.start()], filled(match)]
        at = match.end()
    return joined([*parts, text[at:]])


def _join(values: Any, separator: Any = ",") -> str:
    many = values if isinstance(values, list) else [values]
    between = text_of(separator)
    return joined(text_of(one) if place == 0 else between + text_of(one) for place, one in enumerate(many))


def _to_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _from_json(text: Any) -> Any:
    try:
        value = json.loads(text_of(text))
        json.dumps(value, ensure_ascii=False).encode()  # half of a character could not be stored
        return value
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"fromJSON: {text_of(text)[:100]!r} is no JSON: {error}") from None


FUNCTIONS: Mapping[str, tuple[int, int, Callable[..., Any]]] = {
    "contains": (2, 2, _contains),
    "startswith": (2, 2, lambda where, what: text_of(where).upper().startswith(text_of(what).upper())),
    "endswith": (2, 2, lambda where, what: text_of(where).upper().endswith(text_of(what).upper())),
    "format": (1, 255, _format),
    "join": (1, 2, _join),
    "tojson": (1, 1, _to_json),
    "fromjson": (1, 1, _from_json),
}
"""Every function by its name in small letters: how few and how many arguments it takes, and what it does."""

STATUS_FUNCTIONS: Sequence[str] = ("success", "failure", "cancelled", "always")
"""Those that ask how the job stands; only an `if` may."""
