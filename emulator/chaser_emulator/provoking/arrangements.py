"""Which function arranges a refusal: one for all operations with a code, or one of an operation's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from chaser_emulator.provoking.requests import ApiRequest
from chaser_emulator.provoking.stage import Stage
from chaser_emulator.spec import Operation

By = Literal["state", "resource", "request"]
"""What is refused: any request of the caller's as things stand (`state`), one about what was arranged for it
(`resource`), or one that has something wrong itself, in any state (`request`)."""

Arrange = Callable[[Stage], Awaitable[ApiRequest]]


@dataclass(frozen=True)
class Arrangement:
    """How a refusal comes about: `arrange` makes what it takes, and answers the request that is refused then."""

    arrange: Arrange
    by: By


_TABLE: dict[tuple[str, str | None], Arrangement] = {}


def arranges(code: str, *operation_ids: str, by: By = "resource") -> Callable[[Arrange], Arrange]:
    """Make a function arrange a code, for these operations or, where none is named, for all that have no own one."""

    def register(arrange: Arrange) -> Arrange:
        for operation_id in operation_ids or (None,):
            if (code, operation_id) in _TABLE:
                raise ValueError(f"two functions arrange {code} of {operation_id or 'all operations'}")
            _TABLE[code, operation_id] = Arrangement(arrange, by)
        return arrange

    return register


def arrangement_of(operation: Operation, code: str) -> Arrangement | None:
    """How this operation is made to refuse with this code; None: it cannot be."""
    return _TABLE.get((code, operation.id)) or _TABLE.get((code, None))
