"""How an operation of the control plane meets its document: @control("advance-clock"), and the call that it gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from chaser_emulator.operations import entered
from chaser_emulator.spec import Operation, Spec

if TYPE_CHECKING:
    from chaser_emulator.world import World
    from chaser_emulator.worlds import Worlds


@dataclass
class ControlCall:
    """One admitted, validated request to the control plane.

    `api` is Chaser's document, `spec` that of the control plane. `base_url` is the server's address as the caller sees
    it. `worlds` are all worlds of the process. `body` is checked JSON; of any other media type it is None, and the
    handler reads `request` itself.
    """

    spec: Spec
    api: Spec
    operation: Operation
    world: World
    worlds: Worlds
    request: Request
    base_url: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None

    @property
    def media_type(self) -> str:
        """The type of the body, in small letters and without parameters."""
        return self.request.headers.get("content-type", "").partition(";")[0].strip().lower()


ControlHandler = Callable[[ControlCall], Awaitable[Any]]
"""Answers JSON, None for no body, a Reply where there is more to say, or a response of Starlette as it is."""

CONTROL: dict[str, ControlHandler] = {}
"""Every handler by the operationId it answers; import fills it."""


def control(operation_id: str) -> Callable[[ControlHandler], ControlHandler]:
    """Make a function answer an operation of the control plane's document."""
    return entered(operation_id, CONTROL)
