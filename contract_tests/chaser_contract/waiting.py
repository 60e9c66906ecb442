"""Waiting: what is to come by itself is looked for until it has come, or its time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from chaser_contract.broken import Broken
from chaser_contract.client import Answer

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds in which what is said to happen by itself has to have happened."""

_PAUSE = 0.01

_LESS = 1.0
"""Seconds for what has been waited for in vain before: the smallest example is looked for among many."""

_in_vain: set[str] = set()


def eventually(look: Callable[[], T], fits: Callable[[T], object], promise: str, *, seconds: float = PATIENCE) -> T:
    """Look until what is seen fits. Raises Broken with the promise and what was seen last."""
    found, fitted = _waited(look, fits, promise, seconds)
    if not fitted:
        exchange = found.exchange if isinstance(found, Answer) else None
        came = f"after {seconds:g} s: {exchange.said() if exchange else found!r}"
        raise Broken(promise, came, exchange=exchange)
    return found


def until(
    ask: Callable[[], Answer], holds: Callable[[Any], object], promise: str, *, seconds: float = PATIENCE
) -> Answer:
    """The first answer whose JSON is as it should become. Raises Broken with what was promised of the operation."""
    answer, fitted = _waited(ask, lambda one: one.status < 400 and holds(one.json), promise, seconds)
    if not fitted:
        answer.broken(promise, f"after {seconds:g} s still: {answer.exchange.said()}")
    return answer


def comes(look: Callable[[], T], fits: Callable[[T], object], *, seconds: float) -> bool:
    """Whether what is seen comes to fit, where it need not."""
    return _looked(look, fits, seconds)[1]


def forget() -> None:
    """Have all patience again, as with another target."""
    _in_vain.clear()


def _waited(look: Callable[[], T], fits: Callable[[T], object], promise: str, seconds: float) -> tuple[T, bool]:
    found, fitted = _looked(look, fits, min(seconds, _LESS) if promise in _in_vain else seconds)
    if not fitted:
        _in_vain.add(promise)
    return found, fitted


def _looked(look: Callable[[], T], fits: Callable[[T], object], seconds: float) -> tuple[T, bool]:
    """What was seen last, and whether it fits."""
    deadline = time.monotonic() + seconds
    while not fits(found := look()):
        if time.monotonic() > deadline:
            return found, False
        time.sleep(_PAUSE)
    return found, True
