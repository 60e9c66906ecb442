"""Someone who acts for an account: by a request (`Call` is one), by a shell over SSH, or by a job (`Acting`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from chaser_emulator import events
from chaser_emulator.admission import Account, Principal
from chaser_emulator.clock import Clock
from chaser_emulator.sandbox import Engine
from chaser_emulator.store import Store, Transaction

if TYPE_CHECKING:
    from chaser_emulator.world import World


class Acts(Protocol):
    """What the code behind an operation needs to know of its caller, however they came."""

    @property
    def world(self) -> World: ...
    @property
    def account(self) -> Account: ...
    @property
    def store(self) -> Store: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def actor(self) -> events.Actor: ...
    async def emit(self, tx: Transaction, kind: str, resource_id: str, data: Mapping[str, object]) -> None: ...


@dataclass(frozen=True)
class Acting:
    """A known caller without a request. `base_url` is the server's address as they see it, where that is known."""

    world: World
    principal: Principal
    account: Account
    base_url: str | None = None
    request_id: str | None = None

    @property
    def store(self) -> Store:
        return self.world.store

    @property
    def engine(self) -> Engine:
        return self.world.engine

    @property
    def clock(self) -> Clock:
        return self.world.clock

    @property
    def actor(self) -> events.Actor:
        return events.Actor(self.principal.kind, self.principal.id)

    async def emit(self, tx: Transaction, kind: str, resource_id: str, data: Mapping[str, object]) -> None:
        """Put an event in the outbox, in the transaction of the change."""
        await events.emit(tx, self.clock, self.account.id, kind, resource_id, data)


class Perform(Protocol):
    """Performs an operation of the document for a known caller; answers its JSON, or raises ApiError."""

    async def __call__(
        self,
        who: Acting,
        operation_id: str,
        body: Any = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any: ...
