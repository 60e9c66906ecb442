"""What a request of an operation has beside its caller, by functions that make what it is about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.provoking.stage import Stage


@dataclass(frozen=True)
class Needs:
    """Path, body, query and form of a request that succeeds; bytes are files."""

    path: dict[str, str] = field(default_factory=dict)
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str | bytes] | None = None


Making = Callable[[Stage], Awaitable[Needs]]

MAKINGS: dict[str, Making] = {}
"""By operation; import fills it. An operation that is not in it needs nothing."""


def request_of(*operation_ids: str) -> Callable[[Making], Making]:
    """Make a function say what the requests of these operations need."""

    def register(making: Making) -> Making:
        MAKINGS.update(dict.fromkeys(operation_ids, making))
        return making

    return register
