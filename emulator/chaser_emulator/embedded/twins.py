"""The same handles for who awaits, on asyncio or trio: each call is made in a thread, while the loop goes on."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

import httpx

from chaser_emulator.embedded.chaser import Chaser
from chaser_emulator.embedded.clocks import Clock
from chaser_emulator.embedded.exchanges import Exchange, Requests
from chaser_emulator.embedded.faults import Faults
from chaser_emulator.embedded.placed import InPlace
from chaser_emulator.embedded.stubs import Stubs, UnknownCommand
from chaser_emulator.embedded.transport import ChaserTransport
from chaser_emulator.embedded.waiting import in_thread
from chaser_emulator.embedded.webhooks import Webhooks
from chaser_emulator.embedded.world import World

if TYPE_CHECKING:
    from chaser_sdk import ChaserClient

    from chaser_emulator.embedded.forwarding import ForwardingTransport

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
M = TypeVar("M", bound=InPlace)


class Twin(Generic[S]):
    """What awaits, around the handle that does not."""

    def __init__(self, blocking: S) -> None:
        self.blocking = blocking


def awaited(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[Twin[S], P], Awaitable[R]]:
    """The method of the handle within, called in a thread."""

    async def call(self: Twin[S], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await in_thread(method, self.blocking, *args, **kwargs)

    functools.update_wrapper(call, method)
    return call


class Placed(Generic[M]):
    """A fault, stub or refusal about to be put in place: awaited it stays, in `async with` it goes with the block."""

    def __init__(self, put: Callable[[], M]) -> None:
        self._put = put
        self._placed: M | None = None

    def __await__(self) -> Generator[Any, Any, M]:
        return in_thread(self._put).__await__()

    async def __aenter__(self) -> M:
        self._placed = await self
        return self._placed

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._placed is not None:
            await in_thread(self._placed.remove)


def placed(method: Callable[Concatenate[S, P], M]) -> Callable[Concatenate[Twin[S], P], Placed[M]]:
    """The method of the handle within, for `await` or `async with`."""

    def call(self: Twin[S], /, *args: P.args, **kwargs: P.kwargs) -> Placed[M]:
        return Placed(functools.partial(method, self.blocking, *args, **kwargs))

    functools.update_wrapper(call, method)
    return call


class AsyncClock(Twin[Clock]):
    """As Clock; `now` and `mode` are methods."""

    async def now(self) -> datetime:
        """The world's time, in UTC."""
        return await in_thread(lambda: self.blocking.now)

    async def mode(self) -> str:
        """`real` or `frozen`."""
        return await in_thread(lambda: self.blocking.mode)

    freeze = awaited(Clock.freeze)
    real = awaited(Clock.real)
    advance = awaited(Clock.advance)
    run_until_idle = awaited(Clock.run_until_idle)


class AsyncFaults(Twin[Faults]):
    """As Faults: `await faults.add(...)`, or `async with faults.add(...):`."""

    add = placed(Faults.add)
    add_rule = placed(Faults.add_rule)
    all = awaited(Faults.all)
    get = awaited(Faults.get)
    remove = awaited(Faults.remove)
    clear = awaited(Faults.clear)


class AsyncStubs(Twin[Stubs]):
    """As Stubs: `await stubs.add(...)`, or `async with stubs.add(...):`; `unknown` is a method."""

    async def unknown(self) -> list[UnknownCommand]:
        """The commands that neither a stub answered nor the engine."""
        return await in_thread(lambda: self.blocking.unknown)

    add = placed(Stubs.add)
    load = awaited(Stubs.load)
    record = awaited(Stubs.record)
    recorded = awaited(Stubs.recorded)
    listed = awaited(Stubs.listed)
    require_known = awaited(Stubs.require_known)
    remove = awaited(Stubs.remove)
    clear = awaited(Stubs.clear)


class AsyncRequests(Twin[Requests]):
    """As Requests; `last` is a method."""

    async def last(self) -> Exchange:
        """The newest. Raises AssertionError where there is none."""
        return await in_thread(lambda: self.blocking.last)

    all = awaited(Requests.all)
    clear = awaited(Requests.clear)
    find = awaited(Requests.find)
    count = awaited(Requests.count)
    one = awaited(Requests.one)
    wait_for = awaited(Requests.wait_for)
    assert_called = awaited(Requests.assert_called)
    assert_not_called = awaited(Requests.assert_not_called)
    assert_order = awaited(Requests.assert_order)
    assert_no_errors = awaited(Requests.assert_no_errors)


class AsyncWebhooks(Twin[Webhooks]):
    """As Webhooks."""

    def url(self, name: str) -> str:
        """Where a webhook leads that is to be received under a name of one's own."""
        return self.blocking.url(name)

    listen = awaited(Webhooks.listen)
    behave = awaited(Webhooks.behave)
    expect = awaited(Webhooks.expect)
    expect_none = awaited(Webhooks.expect_none)
    all = awaited(Webhooks.all)
    clear = awaited(Webhooks.clear)


class AsyncChaser(Twin[Chaser]):
    """As Chaser, whose words are the same; `blocking` is that one, and `http` an httpx client that awaits."""

    def __init__(self, blocking: Chaser) -> None:
        super().__init__(blocking)
        self.clock = AsyncClock(blocking.clock)
        self.faults = AsyncFaults(blocking.faults)
        self.stubs = AsyncStubs(blocking.stubs)
        self.requests = AsyncRequests(blocking.requests)
        self.webhooks = AsyncWebhooks(blocking.webhooks)

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return self.blocking.url

    @property
    def api_key(self) -> str:
        """The key of the world's first user."""
        return self.blocking.api_key

    @property
    def account_id(self) -> str:
        """The personal account of that user."""
        return self.blocking.account_id

    @property
    def keys(self) -> Mapping[str, str]:
        """The API keys that the seed has made, by their names."""
        return self.blocking.keys

    @property
    def env(self) -> dict[str, str]:
        """CHASER_API_URL and CHASER_API_KEY."""
        return self.blocking.env

    @property
    def world(self) -> World:
        """The world by its id; what it does blocks."""
        return self.blocking.world

    @property
    def client(self) -> ChaserClient:
        """The official SDK's client, which blocks: `await asyncio.to_thread(chaser.client.sessions.list)`."""
        return self.blocking.client

    def client_as(self, api_key: str, *, account: str | None = None) -> ChaserClient:
        """The official client, which blocks, with another key or in another account."""
        return self.blocking.client_as(api_key, account=account)

    @property
    def transport(self) -> ChaserTransport | ForwardingTransport:
        """A transport without a socket, for `httpx.AsyncClient` as well."""
        return self.blocking.transport

    @cached_property
    def http(self) -> httpx.AsyncClient:
        """An httpx client with the key. It is bound to no loop, and need not be closed."""
        return self.http_as(self.api_key)

    def http_as(self, api_key: str | None, *, account: str | None = None) -> httpx.AsyncClient:
        """An httpx client with another key, or none."""
        headers = self.blocking.headers_as(api_key, account=account)
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, transport=InThread(self.blocking.sockets), timeout=60
        )

    seed = awaited(Chaser.seed)
    provoke = placed(Chaser.provoke)
    explain = awaited(Chaser.explain)
    diff = awaited(Chaser.diff)
    save = awaited(Chaser.save)
    load = awaited(Chaser.load)
    reset = awaited(Chaser.reset)
    check = awaited(Chaser.check)
    delete = awaited(Chaser.delete)

    async def fork(self, name: str | None = None, **what: Any) -> AsyncChaser:
        """Another Chaser that begins with all that this one holds now."""
        return AsyncChaser(await in_thread(self.blocking.fork, name, **what))

    def expect_no_leaks(self) -> AbstractAsyncContextManager[None]:
        """That nothing is left at the end of the `async with` block, or else of the test."""
        expected = self.blocking.expect_no_leaks()

        @asynccontextmanager
        async def block() -> AsyncIterator[None]:
            expected.__enter__()
            yield
            await in_thread(expected.check)

        return block()

    async def __aenter__(self) -> AsyncChaser:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await in_thread(self.blocking.__exit__, kind, error, trace)

    def __repr__(self) -> str:
        return f"<AsyncChaser {self.world.id} at {self.url}>"


class InThread(httpx.AsyncBaseTransport):
    """A transport that blocks, for who awaits: its sockets belong to no loop."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        asked = httpx.Request(
            request.method, request.url, headers=request.headers, content=body, extensions=request.extensions
        )
        answer = await in_thread(self._inner.handle_request, asked)
        assert isinstance(answer.stream, httpx.SyncByteStream)  # noqa: S101 - it comes from a transport that blocks
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            stream=_Stream(answer.stream),
            request=request,
            extensions=answer.extensions,
        )


class _Stream(httpx.AsyncByteStream):
    """The body of an answer, read piece by piece in a thread."""

    def __init__(self, inner: httpx.SyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self._inner)
        while piece := await in_thread(next, pieces, b""):
            yield piece

    async def aclose(self) -> None:
        await in_thread(self._inner.close)
