"""Asking: a request for an operation that is right in every way, and the same with something else in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chaser_emulator.spec import Operation

from chaser_contract.client import NOT_SAID, Answer, Client

UNKNOWN = "00000000-0000-4000-8000-000000000000"
"""An id that nothing has."""


@dataclass(frozen=True)
class Asking:
    """A request for an operation. `status` and `code` are what it is answered with when nothing is wrong with it."""

    operation: Operation
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] | None = None
    json: Any = NOT_SAID
    content: bytes | None = None
    media_type: str | None = None
    files: Mapping[str, tuple[str | None, bytes]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    status: int = 200
    code: str | None = None

    def but(self, *, path: Mapping[str, str] | None = None, **changes: Any) -> Asking:
        """The same with something else; `path` replaces what it names. A body replaces every other."""
        if {"json", "content", "files"} & changes.keys():
            changes = {"json": NOT_SAID, "content": None, "files": None, "media_type": None} | changes
        return replace(self, path={**self.path, **(path or {})}, **changes)

    @property
    def has_body(self) -> bool:
        return self.json is not NOT_SAID or self.content is not None or self.files is not None

    def unknown(self, *parameters: str) -> dict[str, str]:
        """For these parameters of the path (all, where none is said) ids that nothing has."""
        return {name: "nothing-called-so" if name == "name" else UNKNOWN for name in parameters or self.path}

    def by(self, client: Client, **more: Any) -> Answer:
        """The answer to a caller. `more` goes to `Client.ask`, such as `conforming`."""
        if client.account is None and self.account is not None:
            client = replace(client, account=self.account)
        more = {**more, **self.path, "headers": {**self.headers, **more.get("headers", {})}}
        return client.ask(
            self.operation.id,
            query=self.query,
            json=self.json,
            content=self.content,
            media_type=self.media_type,
            files=self.files,
            **more,
        )
