"""Who only looks on: a request that reads and says so leaves no trace in the journal, the meter and the faults."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Scope

HEADER = "X-Chaser-Observer"
"""Whatever its value: a request that carries it is somebody's look at a Chaser that others use."""


def is_look(scope: Scope) -> bool:
    """Whether a request only looks on. What changes something is noted whoever asks for it, as is a WebSocket."""
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and HEADER in Headers(scope=scope)
