"""Why a request was refused: the rule, where it stands, and what would have passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.embedded.asking import Door
from chaser_emulator.embedded.exchanges import Exchange


@dataclass(frozen=True)
class Explanation:
    """What refused a request. `str` of it is all that there is to say, for people; `raw` is that for programs."""

    text: str
    raw: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return self.text


def explain(door: Door, world: str, exchange: Exchange | str) -> Explanation:
    """The explanation of an exchange, a request id, or the last refusal. Raises Refused where there is none."""
    request_id = exchange.request_id if isinstance(exchange, Exchange) else exchange
    told = door.ask("GET", "/explain", world=world, request_id=request_id)
    return Explanation(told["text"], told)
