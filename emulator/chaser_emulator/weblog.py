"""What the web server logs as its own failures though each is the doing of a peer, or of our own stop: left out."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar

_broken_off: ContextVar[bool] = ContextVar("chaser_broken_off", default=False)


def breaking_off() -> None:
    """Say that the answer to this request is left without its end on purpose, and that its reason is logged."""
    _broken_off.set(True)


def is_failure(record: logging.LogRecord) -> bool:
    """Whether a record of uvicorn's tells of more than a peer that left, or of requests that a stop cut short."""
    message = str(record.msg)
    if message.startswith("ASGI callable returned without completing response"):
        # The filter runs in the task of the request.
        return not _broken_off.get()
    if message.startswith("Exception in ASGI application"):
        return not _is_of(record, asyncio.CancelledError)
    if message.startswith("Invalid UTF-8 sequence"):
        # The client has been told by its close code.
        return not _is_of(record, UnicodeDecodeError)
    return not (message.startswith("Cancel ") and "graceful shutdown" in message)


def _is_of(record: logging.LogRecord, kind: type[BaseException]) -> bool:
    return isinstance(record.exc_info, tuple) and isinstance(record.exc_info[1], kind)
