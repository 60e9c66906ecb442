"""Clients without a socket: one transport that the official SDK, `httpx` and, by its adapter, `requests` take."""

from __future__ import annotations

import errno
import http.client
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx

from chaser_emulator.embedded.direct import Conversation, Ended, Host, Stopped, scope_of
from chaser_emulator.embedded.waiting import outcome

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

T = TypeVar("T")

_TROUBLE = (Ended, Stopped, TimeoutError, CancelledError)

Say = Callable[[BaseException], Exception]
"""How a client says what is wrong with a connection."""


@dataclass(frozen=True)
class Reading:
    """An answer as it is read: `seconds` for each step, and its failures in the words of the client."""

    conversation: Conversation
    seconds: float | None
    say: Say

    def wait(self, coming: Future[T]) -> T:
        try:
            return coming.result(self.seconds)
        except _TROUBLE as error:
            self.conversation.leave()
            raise self.say(error) from None

    async def await_(self, coming: Future[T]) -> T:
        try:
            return await outcome(coming, self.seconds)
        except _TROUBLE as error:
            self.conversation.leave()
            raise self.say(error) from None
        except BaseException:
            self.conversation.leave()
            raise

    def pieces(self) -> Iterator[bytes]:
        while piece := self.wait(self.conversation.piece()):
            yield piece

    async def pieces_awaited(self) -> AsyncIterator[bytes]:
        while piece := await self.await_(self.conversation.piece()):
            yield piece


class ChaserTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Requests go to the emulator in this process, whatever host their address names.

    For `ChaserClient(transport=...)`, `httpx.Client(transport=...)` and `httpx.AsyncClient(transport=...)`; `adapter()`
    is what a `requests.Session` mounts. What carries no key of a world is for `world`. A connection that a fault cuts
    is the error that each client knows from its sockets.
    """

    def __init__(self, host: Host, world: str) -> None:
        self._host = host
        self._world = world

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        reading = self._of_httpx(request, request.read())
        head = reading.wait(reading.conversation.head())
        return httpx.Response(head.status, headers=head.headers, stream=_Body(reading), request=request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        reading = self._of_httpx(request, await request.aread())
        head = await reading.await_(reading.conversation.head())
        return httpx.Response(head.status, headers=head.headers, stream=_AsyncBody(reading), request=request)

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float | None
    ) -> Any:
        """What the official SDK asks of its transport; fails as its own one does, which is urllib's."""
        from chaser_sdk.client import HttpResponse

        reading = self.begin(method, url, headers, body, timeout)
        head = reading.wait(reading.conversation.head())
        names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
        content: list[bytes] = []
        try:
            content.extend(reading.pieces())
        except http.client.IncompleteRead:
            raise http.client.IncompleteRead(b"".join(content)) from None
        return HttpResponse(status=head.status, headers=names, body=b"".join(content))

    def adapter(self) -> BaseAdapter:
        """For `requests`: `session.mount("https://", transport.adapter())`. Raises ImportError without `requests`."""
        from chaser_emulator.embedded.requests_adapter import ChaserAdapter

        return ChaserAdapter(self)

    def begin(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float | None
    ) -> Reading:
        """A request whose failures are those of http.client."""
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        return Reading(self._conversation(method, url, raw, body or b""), timeout, _as_urllib)

    def close(self) -> None:
        """Nothing is held: one transport serves any number of clients, each of which closes it."""

    async def aclose(self) -> None:
        """As `close`."""

    def _of_httpx(self, request: httpx.Request, body: bytes) -> Reading:
        conversation = self._conversation(request.method, str(request.url), request.headers.raw, body)
        seconds = request.extensions.get("timeout", {}).get("read")
        return Reading(conversation, seconds, lambda error: _as_httpx(error, request))

    def _conversation(self, method: str, url: str, headers: list[tuple[bytes, bytes]], body: bytes) -> Conversation:
        names = {name.lower() for name, _ in headers}
        more = [] if b"x-chaser-world" in names else [(b"x-chaser-world", self._world.encode())]
        if body and b"content-length" not in names:
            more.append((b"content-length", str(len(body)).encode()))
        return Conversation(self._host, scope_of(self._host, method, urlsplit(url), [*headers, *more]), body)


@dataclass(frozen=True)
class _Body(httpx.SyncByteStream):
    reading: Reading

    def __iter__(self) -> Iterator[bytes]:
        return self.reading.pieces()

    def close(self) -> None:
        self.reading.conversation.leave()


@dataclass(frozen=True)
class _AsyncBody(httpx.AsyncByteStream):
    reading: Reading

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.reading.pieces_awaited()

    async def aclose(self) -> None:
        self.reading.conversation.leave()


def _as_httpx(error: BaseException, request: httpx.Request) -> Exception:
    match error:
        case TimeoutError():
            return httpx.ReadTimeout("timed out", request=request)
        case Ended(reset=True):
            return httpx.ReadError(str(error), request=request)
        case Ended():
            return httpx.RemoteProtocolError(str(error), request=request)
    return httpx.ConnectError(str(error) or "the emulator has stopped", request=request)


def _as_urllib(error: BaseException) -> Exception:
    match error:
        case TimeoutError():
            return TimeoutError("timed out")
        case Ended(reset=True):
            return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        case Ended(begun=True):
            return http.client.IncompleteRead(b"")
        case Ended():
            return http.client.RemoteDisconnected(str(error))
    return ConnectionRefusedError(str(error) or "the emulator has stopped")
