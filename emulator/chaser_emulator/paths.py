"""Paths of requests, whose segments are decoded one by one so that `%2F` is no separator, and of files in sandboxes."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from chaser_emulator.sandbox import WORKSPACE_ROOT

CONTROL = "/_emulator"
"""Where the control plane is."""


def routed(raw: bytes) -> str:
    """A raw path with its segments decoded, save `/` and `%`, which stay encoded until `decode_segment`."""
    segments = raw.decode("ascii", "replace").split("/")
    return "/".join(unquote(segment).replace("%", "%25").replace("/", "%2F") for segment in segments)


def decode_segment(segment: str) -> str:
    """What one segment of a `routed` path stood for."""
    return segment.replace("%2F", "/").replace("%25", "%")


def in_sandbox(path: str) -> str:
    """The path of a file as the sandbox sees it (X29)."""
    return posixpath.normpath("/" + posixpath.join(WORKSPACE_ROOT, path).lstrip("/"))
