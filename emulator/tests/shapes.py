"""What the official client's types promise, held against what an answer really has."""

from __future__ import annotations

import typing
from typing import Any


def complete(value: Any, expected: Any, *, absent: frozenset[str] = frozenset(), where: str = "") -> None:
    """Fail unless a JSON object has every field of one of the client's types, save `absent`, and each of its type."""
    assert isinstance(value, dict), f"{where}: {value!r} is no object"
    hints = typing.get_type_hints(expected)
    assert set(value) == set(hints) - absent, f"{where}: {set(hints) ^ set(value)}"
    for name, item in value.items():
        _fits(item, hints[name], f"{where}.{name}")


def _fits(value: Any, expected: Any, where: str) -> None:
    if typing.is_typeddict(expected):
        complete(value, expected, where=where)
    elif typing.get_origin(expected) is list:
        assert isinstance(value, list), where
        for item in value:
            _fits(item, typing.get_args(expected)[0], where)
    elif expected is not Any:
        assert type(value) is expected, f"{where}: {value!r} is no {expected}"
