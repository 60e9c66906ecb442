"""How long something takes, as people write it: 90, "90s", "5m", "1h30m", a timedelta."""

from __future__ import annotations

import math
import re
from datetime import timedelta

Duration = float | str | timedelta
"""Seconds, or a text such as `5m` or `1h 30m`, or a timedelta."""

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_WORDS = {"sec": "s", "second": "s", "min": "m", "minute": "m", "hour": "h", "day": "d", "week": "w"}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")


def seconds_of(duration: Duration) -> float:
    """The number of seconds. Raises ValueError for what names no duration, and for less than none."""
    seconds = _parsed(duration) if isinstance(duration, str) else _counted(duration)
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{duration!r} is no duration: it must not be negative, and have an end")
    return seconds


def _counted(duration: float | timedelta) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def _parsed(text: str) -> float:
    small = text.strip().lower()
    try:
        return float(small)
    except ValueError:
        pass
    seconds, at = 0.0, 0
    while (match := _PART.match(small, at)) is not None:
        unit = _WORDS.get(match[2].removesuffix("s") or match[2], match[2])
        if unit not in _SECONDS:
            break
        seconds += float(match[1]) * _SECONDS[unit]
        at = match.end()
    if at == 0 or at != len(small):
        raise ValueError(f"{text!r} is no duration; 90, '90s', '5m', '1h30m' and '2 days' are")
    return seconds
