"""What the web server logs as its own failures though each is the doing of a peer, or of our own stop: left out."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar

_meant: ContextVar[bool] = ContextVar("chaser_unfinished_on_purpose", default=False)


def unfinished_on_purpose() -> None:
    """Say that this request is to end without what the server waits for: an answer's end, or an open WebSocket."""
    _meant.set(True)


def is_failure(record: logging.LogRecord) -> bool:
    """Whether a record of uvicorn's tells of more than a peer that left, or of requests that a stop cut short."""
    message = str(record.msg)
    if message.startswith("ASGI callable returned without completing"):
        # The filter runs in the task of the request.
        return not _meant.get()
    if message.startswith("Exception in ASGI application"):
        return not _is_of(record, asyncio.CancelledError)
    if message.startswith("Invalid UTF-8 sequence"):
        # The client has been told by its close code.
        return not _is_of(record, UnicodeDecodeError)
    return not (message.startswith("Cancel ") and "graceful shutdown" in message)


def _is_of(record: logging.LogRecord, kind: type[BaseException]) -> bool:
    return isinstance(record.exc_info, tuple) and isinstance(record.exc_info[1], kind)
