"""Moments that a query names, in the form of the rows, so that they can be compared with them."""

from __future__ import annotations

from chaser_emulator.clock import moment, timestamp
from chaser_emulator.errors import Problem, invalid
from chaser_emulator.operations import Call


def of_query(call: Call, name: str) -> str | None:
    """The moment in a parameter, whatever its offset; None where it was left out. Raises ApiError for what is none."""
    if name not in call.query:
        return None
    try:
        return timestamp(moment(call.query[name].upper()))
    except (ValueError, OverflowError) as error:
        raise invalid([Problem("query", name, f"is no moment that can be compared: {error}")]) from None
