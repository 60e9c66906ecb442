"""How a handler meets the document: @operation("create-session"), the Call it gets and the Reply it may give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.websockets import WebSocket

from chaser_emulator import events
from chaser_emulator.acting import Acting
from chaser_emulator.admission import Account, Principal
from chaser_emulator.clock import Clock
from chaser_emulator.errors import ApiError
from chaser_emulator.sandbox import Engine
from chaser_emulator.spec import Operation, Spec
from chaser_emulator.store import Store, Transaction

if TYPE_CHECKING:
    from chaser_emulator.faults.acting import Plan
    from chaser_emulator.world import World


@dataclass(frozen=True)
class Reply:
    """An answer that is no plain JSON of the usual status: other headers, a stream of bytes, another media type.

    `chunks` is closed when the client goes away. `status` None is the operation's usual one. A handler that has nothing
    special to say returns its JSON value, or None for an answer without a body.
    """

    body: Any = None
    chunks: AsyncGenerator[bytes, None] | None = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None


@dataclass
class Call:
    """One admitted, validated request. It has a principal and an account where the document secures the operation.

    `base_url` is the server's address as the caller sees it. A job or a tool performs an operation without an HTTP
    request of its own.
    """

    spec: Spec
    operation: Operation
    world: World
    http: Request | None
    request_id: str
    base_url: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    plan: Plan | None = None
    """What is planned to go wrong with it."""
    _principal: Principal | None = None
    _account: Account | None = None

    @property
    def request(self) -> Request:
        """The HTTP request, for those few operations that are about more than JSON."""
        assert self.http is not None, f"{self.operation.id} is only to be had by HTTP"  # noqa: S101
        return self.http

    @property
    def principal(self) -> Principal:
        assert self._principal is not None, f"{self.operation.id} is not secured"  # noqa: S101
        return self._principal

    @property
    def account(self) -> Account:
        assert self._account is not None, f"{self.operation.id} selects no account"  # noqa: S101
        return self._account

    @property
    def known_principal(self) -> Principal | None:
        return self._principal

    @property
    def known_account(self) -> Account | None:
        return self._account

    def admit(self, principal: Principal, account: Account | None) -> None:
        """Note who calls, once that is known."""
        self._principal = principal
        self._account = account

    def dismiss(self) -> None:
        """Forget who calls, for whom there was a refusal as if that were not known."""
        self._principal = self._account = None

    @property
    def store(self) -> Store:
        return self.world.store

    @property
    def engine(self) -> Engine:
        return self.world.engine

    @property
    def clock(self) -> Clock:
        return self.world.clock

    async def left(self) -> None:
        """Return when the client has gone away. Only once the body has been read."""
        if self.http is None:
            # A job or a tool is cancelled instead.
            await asyncio.Event().wait()
        while (await self.request.receive())["type"] != "http.disconnect":
            pass

    @property
    def actor(self) -> events.Actor:
        return events.Actor(self.principal.kind, self.principal.id)

    async def perform(
        self,
        operation_id: str,
        body: Any = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """Perform another operation for this caller, as a request of its own would; answers its JSON.

        The same rights, limits, audit and checks apply. Raises the ApiError that the request would be refused with.
        """
        who = Acting(self.world, self.principal, self.account, self.base_url, self.request_id)
        return await self.world.perform(who, operation_id, body, path=path, query=query)

    async def audit(
        self, tx: Transaction, resource_id: str | None, summary: str, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Write the operation's audit row, in the transaction of the change. `metadata` never holds a secret."""
        mark = self.operation.audit
        assert mark is not None, f"{self.operation.id} has no x-audit"  # noqa: S101
        await events.audit(
            tx, self.clock, self.account.id, self.actor, mark.action, mark.resource_type, resource_id, summary, metadata
        )

    async def emit(self, tx: Transaction, kind: str, resource_id: str, data: Mapping[str, object]) -> None:
        """Put an event in the outbox, in the transaction of the change."""
        await events.emit(tx, self.clock, self.account.id, kind, resource_id, data)


@dataclass(frozen=True)
class Upgrade:
    """What a handler answers whose operation opens a WebSocket: who talks on it once it is accepted.

    `talk` returns when it has closed the socket, or when the client has. `held` is entered before the socket is
    accepted, so that what it raises is a plain refusal, and left at the end, also when the client did not wait.
    """

    talk: Callable[[WebSocket], Awaitable[None]]
    held: AbstractAsyncContextManager[object] = field(default_factory=nullcontext)


Handler = Callable[[Call], Awaitable[Any]]

HANDLERS: dict[str, Handler] = {}
"""Every handler by the operationId it answers. This table and the next are all that import fills."""

Refusal = Callable[[Call, ApiError], Reply | None]

REFUSALS: dict[str, Refusal] = {}
"""For operations that refuse in words of their own: what such an answer is (None: the usual one)."""


H = TypeVar("H")


def entered(operation_id: str, table: dict[str, H]) -> Callable[[H], H]:
    """Make a function the one of a table that answers an operation."""

    def register(handler: H) -> H:
        if operation_id in table:
            raise ValueError(f"two handlers answer {operation_id}")
        table[operation_id] = handler
        return handler

    return register


def operation(operation_id: str) -> Callable[[Handler], Handler]:
    """Make a function answer an operation of the document."""
    return entered(operation_id, HANDLERS)


def refusal(operation_id: str) -> Callable[[Refusal], Refusal]:
    """Make a function answer what an operation refuses, where the document has it answer in words of its own."""

    def register(words: Refusal) -> Refusal:
        REFUSALS[operation_id] = words
        return words

    return register
