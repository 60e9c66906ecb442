"""Headers on their way through the gateway: what an app in a sandbox sees, and what a browser gets back.

An app sees the Host that the browser asked, where that is a name of this machine: development servers accept
`localhost` and `*.localhost` (Vite, Next, Django, Rails and webpack do), and whoever compares Origin, Host and
X-Forwarded-Host finds them equal (Rails and Next compare Origin with X-Forwarded-Host, Django with Host). Under any
other name they would refuse, so there the app sees `localhost:<port>`, and an Origin of ours is changed alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from chaser_emulator.gateway.places import COOKIE, Place, authority_of, is_local

Pairs = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_OF_THE_ORIGIN = frozenset((b"alt-svc", b"clear-site-data", b"nel", b"report-to", b"strict-transport-security"))
"""Headers about all that is at an origin: what is stored there, where it is, and who is told of each request."""

_ABSOLUTE = re.compile(r"(?:https?:)?//([^/?#\\]*)(.*)", re.IGNORECASE | re.DOTALL)
_REFRESH = re.compile(r"(\s*[0-9.]*\s*[;,]\s*url\s*=\s*)(['\"]?)(.*)", re.IGNORECASE | re.DOTALL)
_SAME_ORIGIN = re.compile(r"\s*same-origin\s*(;.*)?", re.DOTALL)
_ISOLATING = re.compile(rb"\s*require-corp\s*(;.*)?", re.DOTALL)
_SESSION_PATH = re.compile(r"/s/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:[/?#]|$)")


@dataclass(frozen=True)
class Outside:
    """How the gateway was reached: the Host header, http or https, and the caller's address."""

    host: str
    scheme: str
    client: str


@dataclass(frozen=True)
class Rewriting:
    """What changes between a browser and one port of a session."""

    place: Place
    outside: Outside

    @property
    def host(self) -> str:
        """The Host header that the app sees."""
        name, _ = authority_of(self.outside.host)
        return self.outside.host if is_local(name) else f"localhost:{self.place.port}"

    # To the app

    def request(self, headers: Iterable[tuple[bytes, bytes]]) -> Pairs:
        """The headers of a request without those of the connection, with Host first and the X-Forwarded ones."""
        ours = {b"host", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix"}
        listed = list(headers)
        passed = [(b"host", self.host.encode("latin-1"))]
        for name, value in _end_to_end(listed):
            if name in ours:
                continue
            if name == b"cookie":
                value = _without_our_cookie(value)
                if not value:
                    continue
            elif name == b"origin":
                value = self._origin(value)
            passed.append((name, value))
        chain = [value for name, value in listed if name == b"x-forwarded-for"]
        client = self.outside.client.encode("latin-1")
        # Our server takes the address from a proxy on this machine at its word, and then it is there already.
        if client and client not in b",".join(chain).replace(b" ", b"").split(b","):
            chain.append(client)
        passed += [
            (b"x-forwarded-for", b", ".join(chain)),
            (b"x-forwarded-host", self.outside.host.encode("latin-1")),
            (b"x-forwarded-proto", self.outside.scheme.encode("latin-1")),
        ]
        if self.place.prefix:
            passed.append((b"x-forwarded-prefix", self.place.prefix.encode("latin-1")))
        return passed

    def _origin(self, value: bytes) -> bytes:
        if self.host == self.outside.host:
            return value
        try:
            own = urlsplit(value.decode("latin-1")).netloc.lower() == self.outside.host.lower()
        except ValueError:
            own = False
        return f"http://{self.host}".encode("latin-1") if own else value

    # To the browser

    def response(self, headers: Iterable[tuple[bytes, bytes]]) -> Pairs:
        """The headers of an answer without those of the connection; redirects and cookies stay in the preview."""
        passed = []
        listed = _end_to_end(headers)
        isolated = _isolates(listed)
        for name, value in listed:
            if name == b"date":
                # Our server writes its own, and two are one too many.
                continue
            text = value.decode("latin-1")
            if name in (b"location", b"content-location"):
                text = self.address(text)
            elif name == b"refresh" and (found := _REFRESH.fullmatch(text)):
                text = f"{found[1]}{found[2]}{self.address(found[3])}"
            elif name == b"set-cookie":
                text = self._cookie(text)
            elif self.place.prefix and name in _OF_THE_ORIGIN:
                continue
            elif self.place.prefix and name == b"service-worker-allowed":
                # At the root a worker of an app would answer for all that is here.
                text = f"{self.place.prefix}/"
            elif self.place.base and name == b"cross-origin-opener-policy" and not isolated:
                text = _apart(text)
            passed.append((name, text.encode("latin-1")))
        return passed

    def address(self, url: str) -> str:
        """An address that an app gave for itself, as the browser reaches it; a foreign or relative one as it is."""
        found = _ABSOLUTE.fullmatch(url)
        if found is not None:
            if not self._is_app(found[1]):
                return url
            path = found[2] if found[2].startswith("/") else f"/{found[2]}"
            if found[1].lower() == self.outside.host.lower() and self._is_ours(path):
                return url
        elif url.startswith("/"):
            path = url
        else:
            return url
        return path if self._is_ours(path) else self.place.prefix + path

    def _is_app(self, authority: str) -> bool:
        """Whether an authority is the app's own: what it listens on, what it was asked for, or where we are."""
        if authority.lower() in (self.outside.host.lower(), self.host.lower()):
            return True
        name, port = authority_of(authority)
        return is_local(name) and port in ("", str(self.place.port))

    def _is_ours(self, path: str) -> bool:
        """Whether a path is one of the gateway already, as an app gives it that honours X-Forwarded-Prefix."""
        if not self.place.prefix or path == self.place.prefix:
            return True
        if path.startswith(tuple(self.place.prefix + end for end in "/?#")):
            return True
        return bool(self.place.base) and _SESSION_PATH.match(path) is not None

    def _cookie(self, text: str) -> str:
        if text.lstrip().lower().startswith("__host-"):
            # Such a cookie is refused under any other path.
            return text
        first, *attributes = text.split(";")
        kept = [first]
        for attribute in attributes:
            name, _, value = attribute.partition("=")
            match name.strip().lower():
                case "domain":
                    domain = value.strip().lower().lstrip(".")
                    if is_local(domain) or domain == authority_of(self.outside.host)[0]:
                        continue
                case "path" if value.strip().startswith("/") and not self._is_ours(value.strip()):
                    attribute = f" Path={self.place.prefix}{value.strip()}"
            kept.append(attribute)
        return ";".join(kept)

    def remember(self) -> tuple[bytes, bytes]:
        """The cookie that says which port this browser has a page of."""
        value = f"{COOKIE}={self.place.session_id}.{self.place.port}; Path=/; HttpOnly; SameSite=Lax"
        return b"set-cookie", value.encode("latin-1")


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Pairs:
    listed = [(name.lower(), value) for name, value in headers]
    named = b",".join(value for name, value in listed if name == b"connection")
    dropped = _HOP_BY_HOP | {part.strip().lower() for part in named.split(b",")}
    # Some would do harm by being named there: whoever wants the Host gone wants the app confused.
    dropped -= {b"host", b"content-length", b"cookie", b"set-cookie", b"authorization"}
    return [(name, value) for name, value in listed if name not in dropped]


def _apart(policy: str) -> str:
    """A policy of windows that is not the console's, which has the same origin: a page could have a hand on its window.

    To other pages it is the same, but for those that this one opens.
    """
    found = _SAME_ORIGIN.fullmatch(policy)
    return policy if found is None else f"same-origin-allow-popups{found[1] or ''}"


def _isolates(headers: Pairs) -> bool:
    """Whether a page asks to be isolated from other origins, by which its window is also apart from the console's."""
    policies = [value for name, value in headers if name == b"cross-origin-embedder-policy"]
    return len(policies) == 1 and _ISOLATING.fullmatch(policies[0]) is not None


def _without_our_cookie(value: bytes) -> bytes:
    if COOKIE.encode() not in value:
        return value
    pairs = [pair for pair in value.split(b";") if pair.partition(b"=")[0].strip() != COOKIE.encode()]
    return b";".join(pairs).strip()
