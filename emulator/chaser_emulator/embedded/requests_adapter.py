"""The adapter by which `requests` reaches the emulator without a socket."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from chaser_emulator.embedded.forwarding import redirected
from chaser_emulator.pieces import Pieces

if TYPE_CHECKING:
    from chaser_emulator.embedded.transport import ChaserTransport, Reading


class ChaserAdapter(HTTPAdapter):
    """Mounted in a `requests.Session`, it sends what is for any address below it to the emulator of this process."""

    def __init__(self, transport: ChaserTransport) -> None:
        super().__init__()
        self._transport = transport

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        seconds = timeout[1] if isinstance(timeout, tuple) else timeout
        headers = {str(name): text_of(value) for name, value in request.headers.items()}
        try:
            reading = self._transport.begin(
                request.method or "GET", request.url or "", headers, body_of(request), seconds
            )
            head = reading.wait(reading.conversation.head())
        except TimeoutError as error:
            raise requests.ReadTimeout(error, request=request) from None
        except OSError as error:
            raise requests.ConnectionError(error, request=request) from None
        return self.build_response(request, answer_of(request, head.status, head.headers, _Raw(reading)))


class ForwardingAdapter(HTTPAdapter):
    """Mounted in a `requests.Session`, it sends what is for any address below it to an emulator elsewhere."""

    def __init__(self, url: str, world: str) -> None:
        super().__init__()
        self._url = url
        self._world = world

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request = request.copy()
        request.url = redirected(request.url or "", self._url)
        request.headers.setdefault("X-Chaser-World", self._world)
        return super().send(request, *args, **kwargs)


class _Raw(Pieces):
    """The body of an answer as a file; closing it is leaving."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading.pieces())
        self._reading = reading

    def close(self) -> None:
        if not self.closed:
            self._reading.conversation.leave()
        super().close()


def answer_of(
    request: requests.PreparedRequest, status: int, headers: Iterable[tuple[bytes, bytes]], body: Pieces
) -> HTTPResponse:
    """An answer as `requests` has it from its own connections."""
    names = HTTPHeaderDict([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])
    return HTTPResponse(
        io.BufferedReader(body), names, status, version=11, preload_content=False, request_method=request.method
    )


def body_of(request: requests.PreparedRequest) -> bytes | None:
    """The whole body of a request; None where it has none."""
    body: Any = request.body
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, bytearray):
        return bytes(body)
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        content = body.read()
        return content.encode() if isinstance(content, str) else bytes(content)
    pieces: Iterator[bytes] = iter(body)
    return b"".join(pieces)


def text_of(value: str | bytes) -> str:
    """The value of a header."""
    return value.decode("latin-1") if isinstance(value, bytes) else value
