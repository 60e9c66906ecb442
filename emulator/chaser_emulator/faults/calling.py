"""For which calls the running task works: what is planned for a call is done to all that is done for it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaser_emulator.operations import Call

_calling: ContextVar[tuple[Call, ...]] = ContextVar("chaser_calling", default=())
"""The outermost first; what they start in the background knows them too."""


def under_way() -> tuple[Call, ...]:
    """The calls for which the running task works."""
    return _calling.get()


def begin(call: Call) -> None:
    """From now on the running task works for this call, within another where it is no request of its own."""
    # A request may be read on behalf of the one before it on the connection, and is no part of that.
    _calling.set((*_calling.get(), call) if call.http is None else (call,))


def end(call: Call) -> None:
    """A call within another is over; what comes next is for the other alone."""
    _calling.set(tuple(each for each in _calling.get() if each is not call))
