"""The same transport for an emulator in another process, which only sockets reach."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from chaser_emulator.embedded.twins import InThread

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter


class ForwardingTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Requests go to the emulator at an address, whatever host theirs names; as ChaserTransport otherwise."""

    def __init__(self, url: str, sockets: httpx.BaseTransport, world: str) -> None:
        self._base = httpx.URL(url)
        self._sockets = sockets
        self._awaited = InThread(sockets)
        self._world = world

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._redirect(request)
        return self._sockets.handle_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._redirect(request)
        return await self._awaited.handle_async_request(request)

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float | None
    ) -> Any:
        """What the official SDK asks of its transport; fails as its own one does, which is urllib's."""
        from chaser_sdk.client import HttpResponse

        try:
            with httpx.Client(transport=self, timeout=timeout) as client:
                answer = client.request(method, url, headers=dict(headers), content=body)
        except httpx.TimeoutException as error:
            raise TimeoutError("timed out") from error
        except httpx.RemoteProtocolError as error:
            raise http.client.RemoteDisconnected(str(error)) from error
        except httpx.TransportError as error:
            raise ConnectionResetError(str(error)) from error
        return HttpResponse(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

    def adapter(self) -> BaseAdapter:
        """For `requests`: `session.mount("https://", transport.adapter())`. Raises ImportError without `requests`."""
        from chaser_emulator.embedded.requests_adapter import ForwardingAdapter

        return ForwardingAdapter(str(self._base), self._world)

    def close(self) -> None:
        """Nothing is held: one transport serves any number of clients, each of which closes it."""

    async def aclose(self) -> None:
        """As `close`."""

    def _redirect(self, request: httpx.Request) -> None:
        base = self._base
        request.url = request.url.copy_with(scheme=base.scheme, host=base.host, port=base.port)
        request.headers["host"] = base.netloc.decode("ascii")
        request.headers.setdefault("x-chaser-world", self._world)


def redirected(url: str, base: str) -> str:
    """An address with the scheme and the authority of another."""
    to = urlsplit(base)
    return urlsplit(url)._replace(scheme=to.scheme, netloc=to.netloc).geturl()
