"""Where in the gateway a request goes, read from its Host and raw path; nothing is decoded on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from chaser_emulator.errors import ApiError, Problem, invalid
from chaser_emulator.settings import Settings

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_LABEL = re.compile(rf"(?:(?P<port>[0-9]{{1,5}})-)?(?P<session>{_ID})")
_BY_PATH = re.compile(rb"(/s/([^/]+))(/.*)?", re.DOTALL)
_FORWARD = re.compile(rb"(/forward/([^/]*))(/.*)?", re.DOTALL)
_SESSION = re.compile(_ID)

COOKIE = "chaser_forward"
"""Tells which port a browser last opened a page of, for requests that say nothing else of where they belong."""


@dataclass(frozen=True)
class Place:
    """A session, or a port in it, and what is asked of it.

    `base` is the part of the raw path that names the session, empty where the host does. `prefix` is the part that
    names the port as well, empty where the host does. `tail` is the rest, exactly as it came.
    """

    session_id: str
    base: str
    port: int | None
    prefix: str
    tail: str


def authority_of(host: str) -> tuple[str, str]:
    """(name, port) of a Host header or of the authority of an address, in lower case, without brackets."""
    text = host.strip().lower()
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        return name, rest.removeprefix(":")
    name, _, port = text.partition(":")
    return name.removesuffix("."), port


def is_local(name: str) -> bool:
    """Whether a name is this machine's alone, so that programs of developers trust it."""
    return name in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::") or name.endswith(".localhost")  # noqa: S104


def split_label(host: str, settings: Settings) -> tuple[str, str | None, str] | None:
    """(session id, port, the name that is left) of `<id>.<ours>` and `<port>-<id>.<ours>`; None for another host."""
    name, _ = authority_of(host)
    label, _, site = name.partition(".")
    found = _LABEL.fullmatch(label)
    ours = {"localhost", *(allowed.lower() for allowed in settings.allowed_hosts)}
    if settings.public_url:
        ours.add((urlsplit(settings.public_url).hostname or "localhost").lower())
    if found is None or site not in ours:
        return None
    return found["session"], found["port"], site


def root_host(host: str, session_id: str, settings: Settings) -> str | None:
    """The host whose names have a session's ports at their root, as far as it is sure to lead here for who asks `host`.

    Port 3000 is at `3000-` and what is answered.
    """
    name, port = authority_of(host)
    label = split_label(host, settings)
    if label is None and not is_local(name):
        return None
    site = label[2] if label else "localhost"
    return f"{session_id}.{site}" + (f":{port}" if port else "")


def find(scope: Scope, settings: Settings) -> Place | None:
    """The place that a request names; None when it is not for the gateway. Raises ApiError for an impossible port."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return _find(raw, Headers(scope=scope).get("host", ""), settings)


def _find(raw: bytes, host: str, settings: Settings) -> Place | None:
    path = raw.decode("latin-1")
    labelled = split_label(host, settings)
    if labelled is not None:
        session_id, port, _ = labelled
        if port is not None:
            return Place(session_id, "", _port(port), "", path)
        return _forwarded(Place(session_id, "", None, "", path))
    by_path = _BY_PATH.fullmatch(raw)
    if by_path is None:
        return None
    base, name, tail = by_path.groups(b"")
    session_id = unquote_to_bytes(name).decode("utf-8", "replace").lower()
    return _forwarded(Place(session_id, base.decode("latin-1"), None, "", tail.decode("latin-1")))


def _forwarded(place: Place) -> Place:
    found = _FORWARD.fullmatch(place.tail.encode("latin-1"))
    if found is None or not found[2]:
        return place
    part, port, tail = (group.decode("latin-1") for group in found.groups(b""))
    return replace(place, port=_port(port), prefix=place.base + part, tail=tail)


def _port(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > 65535:
        raise invalid([Problem("path", "port", f"must be a whole number from 1 to 65535, not {text[:20]!r}")])
    return int(text)


def astray(scope: Scope, settings: Settings, own: Place | None) -> Place | None:
    """The forwarded port that a request means whose path was made by an app that thinks itself at the root.

    `own` is the session's own place where the host names it, None on the plain host. The page that asks is known by
    its Referer; a WebSocket has none, and then the port whose page this browser opened last is taken (as everywhere on
    a session's own host, where nothing else could be meant).
    """
    headers = Headers(scope=scope)
    raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    found = _by_referer(headers, settings)
    if found is None and (scope["type"] == "websocket" or (own is not None and raw != "/")):
        found = _by_cookie(headers, own)
    if found is None or (own is not None and found.session_id != own.session_id):
        return None
    return replace(found, tail=raw)


def _by_referer(headers: Headers, settings: Settings) -> Place | None:
    try:
        referer = urlsplit(headers.get("referer", ""))
        if referer.netloc.lower() != headers.get("host", "").lower():
            return None
        found = _find(referer.path.encode("latin-1", "replace"), referer.netloc, settings)
    except (ValueError, ApiError):
        return None
    return found if found is not None and found.port is not None and found.prefix else None


def _by_cookie(headers: Headers, own: Place | None) -> Place | None:
    value = cookies_of(headers).get(COOKIE, "")
    session_id, _, port = value.partition(".")
    if not _SESSION.fullmatch(session_id) or not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        return None
    base = "" if own is not None else f"/s/{session_id}"
    return Place(session_id, base, int(port), f"{base}/forward/{port}", "")


def cookies_of(headers: Headers) -> dict[str, str]:
    """The cookies of a request by name."""
    pairs = (pair.partition("=") for line in headers.getlist("cookie") for pair in line.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}
