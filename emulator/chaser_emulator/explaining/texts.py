"""Texts near a text: the word that was meant, the form that a pattern or a format wants."""

from __future__ import annotations

import base64
import difflib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

_CLOSE = 0.6
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TIME_LENGTH = 10
_MILLISECONDS = 1e11


def nearest(wanted: str, known: Iterable[str], cutoff: float = _CLOSE) -> str | None:
    """The known word that was probably meant, if any is near."""
    by_form = {_plain(word): word for word in known}
    found = difflib.get_close_matches(_plain(wanted), by_form, 1, cutoff)
    return by_form[found[0]] if found else None


def likeness(one: str, other: str) -> float:
    """From 0 (nothing in common) to 1 (the same)."""
    return difflib.SequenceMatcher(None, one[:500], other[:500]).ratio()


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_").replace(".", "_")


def reshaped(text: str) -> Iterator[str]:
    """Texts that say nearly the same in the forms that patterns usually want, the most faithful first."""
    clean = _CONTROL.sub("", text).strip()
    yield clean
    yield clean.replace(" ", "")
    yield clean.replace(" ", "-")
    yield clean.lower()
    yield clean.upper()
    yield clean.rstrip("/.")
    for kept in ("A-Za-z0-9._-", "A-Za-z0-9-", "A-Za-z0-9_", "A-Za-z0-9", "A-Za-z0-9._/-", "A-Za-z0-9._:/@-"):
        for filler in ("-", "_", ""):
            shaped = re.sub(f"[^{kept}]+", filler, clean)
            yield shaped.strip("-._:/@")
            yield "_" + shaped.lstrip("0123456789-._:/@")
            yield "x" + shaped.strip("-._:/@")
            yield shaped.strip("-._:/@") + "-1"
    for scheme in ("https://", "http://"):
        yield scheme + clean.partition("://")[2] if "://" in clean else scheme + clean
        if host := urlsplit(scheme + clean.partition("://")[2]).hostname if clean.isascii() else None:
            yield scheme + host
    yield clean + "@example.com"
    yield base64.b64encode(clean.encode()).decode()


def of_format(form: str, value: Any, now: datetime) -> Iterator[str]:
    """Texts of a format near a value."""
    text = str(value).strip()
    match form:
        case "date-time":
            yield from _moments(value, text)
            yield now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case "uuid":
            digits = re.sub(r"[^0-9a-f]", "", text.lower())
            yield f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
        case "uri":
            yield f"https://{text}"
            yield text.replace(" ", "%20")
        case "email":
            yield text.replace(" ", "")
            yield f"{re.sub('[^A-Za-z0-9._-]+', '.', text).strip('.')}@example.com"


def _moments(value: Any, text: str) -> Iterator[str]:
    spaced = text.upper().replace(" ", "T", 1)
    yield spaced
    yield f"{spaced}Z"
    yield f"{spaced}:00Z"
    if len(text) == _TIME_LENGTH:
        yield f"{text}T00:00:00Z"
    try:
        seconds = float(value)
        seconds = seconds / 1000 if seconds > _MILLISECONDS else seconds
        yield datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (TypeError, ValueError, OverflowError, OSError):
        pass
    try:
        read = datetime.fromisoformat(text)
        yield (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        pass
