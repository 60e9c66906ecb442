"""Paths of requests: each segment decoded on its own, so that `%2F` inside an id does not become a separator."""

from __future__ import annotations

from urllib.parse import unquote


def routed(raw: bytes) -> str:
    """A raw path with its segments decoded, save `/` and `%`, which stay encoded until `decode_segment`."""
    segments = raw.decode("ascii", "replace").split("/")
    return "/".join(unquote(segment).replace("%", "%25").replace("/", "%2F") for segment in segments)


def decode_segment(segment: str) -> str:
    """What one segment of a `routed` path stood for."""
    return segment.replace("%2F", "/").replace("%25", "%")
