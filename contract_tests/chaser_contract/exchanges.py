"""A request and its answer as they went over the wire, and the lines that send the request again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chaser_emulator import shell

KEY, PEER_KEY, OTHER_KEY = "$CHASER_API_KEY", "$CHASER_PEER_KEY", "$CHASER_OTHER_KEY"
"""What stands in findings for the credentials of a run: its own, another user's, and any made on the way."""

NAMES = (KEY, PEER_KEY, OTHER_KEY)

LONGEST = 4096
"""Bytes of a body that a line holds."""

_SHOWN = ("authorization", "x-chaser-account", "content-type", "accept", "last-event-id", "origin", "x-request-id")


@dataclass(frozen=True)
class Exchange:
    """One request, and what came. `status` None: nothing did, and `trouble` says why.

    `target` is path and query; `at` is when it was sent, in seconds since 1970, and `seconds` how long it took.
    """

    operation: str | None
    method: str
    target: str
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    trouble: str | None = None
    at: float = 0.0

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def json(self) -> Any:
        """The JSON of the answer. Raises ValueError for anything else."""
        return json.loads(self.body)

    @property
    def sent_json(self) -> Any:
        """The JSON that was sent, or None."""
        try:
            return json.loads(self.request_body)
        except ValueError:
            return None

    def said(self, limit: int = 300) -> str:
        """What came, in a line."""
        if self.status is None:
            return self.trouble or "no answer"
        text = " ".join(self.body[: limit * 4].decode("utf-8", "replace").split())
        shown = text if len(text) <= limit else f"{text[:limit]}…"
        return f"{self.status} {shown}".rstrip()

    def without(self, secrets: Mapping[str, str]) -> Exchange:
        """The same with names in place of secrets: `{secret: name}`."""

        def text(value: str) -> str:
            for secret, name in secrets.items():
                value = value.replace(secret, name)
            return value

        def raw(value: bytes) -> bytes:
            for secret, name in secrets.items():
                value = value.replace(secret.encode(), name.encode())
            return value

        return replace(
            self,
            target=text(self.target),
            request_headers={name: text(value) for name, value in self.request_headers.items()},
            request_body=raw(self.request_body),
            headers={name: text(value) for name, value in self.headers.items()},
            body=raw(self.body),
        )

    def curl(self, base_url: str) -> str:
        """A line for a shell in which CHASER_API_KEY is set."""
        headers = [
            (name.title(), value)
            for name, value in self.request_headers.items()
            if name.lower() in _SHOWN and (name.lower(), value) != ("accept", "*/*")
        ]
        size = len(self.request_body)
        # No line is so long that one would paste it: the report for programs has the body.
        body = shell.File(f"body-of-{size}-bytes") if size > LONGEST else self.request_body or None
        return shell.curl(self.method, base_url + self.target, headers, body, names=NAMES, options=("-i",))


def header(headers: Mapping[str, str], name: str) -> str:
    """The value of a header, in whatever case its name is sent; empty where there is none."""
    return next((value for key, value in headers.items() if key.lower() == name), "")
