"""Refusals on demand, by real state that leads to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaser_emulator.embedded.asking import Door, segment
from chaser_emulator.embedded.placed import InPlace, unless_gone

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Provoked(InPlace):
    """A refusal that is arranged, until it is undone or the block ends that it is entered in.

    `by` is `state` where the next such request of the client is refused, whatever it asks for, `resource` where one
    about what was arranged is, which `request` names, and `request` where only one with something wrong in it is:
    `send` sends it. `arranged` says what was done, in words.
    """

    door: Door = field(repr=False)
    world: str
    id: str
    operation: str
    code: str
    status: int
    by: str
    arranged: list[str]
    request: Mapping[str, Any] = field(repr=False)

    def send(self) -> httpx.Response:
        """Send a request that is refused so, and answer the refusal."""
        from base64 import b64decode

        import httpx

        body, encoding = self.request.get("body"), self.request.get("encoding")
        content: dict[str, Any] = {"json": body} if body is not None and encoding is None else {}
        if encoding is not None and body is not None:
            content = {"content": b64decode(body) if encoding == "base64" else str(body).encode()}
        headers = {"X-Chaser-World": self.world, **self.request["headers"]}
        with httpx.Client(base_url=self.door.url, transport=self.door.sockets.transport, timeout=60) as client:
            return client.request(self.request["method"], self.request["url"], headers=headers, **content)

    def undo(self) -> None:
        """Put limits and engines back, and end what was started for it."""
        with unless_gone():
            self.door.ask("DELETE", f"/provoke/{segment(self.id)}", world=self.world)

    remove = undo
    """As faults and stubs are taken away."""


def provoke(
    door: Door, world: str, operation: str, code: str, path: Mapping[str, str] | None, account: str | None
) -> Provoked:
    """Arrange a refusal. Raises Refused with the reason where nothing leads to it."""
    __tracebackhide__ = True
    body: dict[str, Any] = {"operation": operation.replace("_", "-"), "code": code, "send": False}
    if path is not None:
        body["path"] = dict(path)
    if account is not None:
        body["account"] = account
    told = door.ask("POST", "/provoke", body, world=world)
    names = ("id", "operation", "code", "status", "by", "arranged", "request")
    return Provoked(door, world, **{name: told[name] for name in names})
