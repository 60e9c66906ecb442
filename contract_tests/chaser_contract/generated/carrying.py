"""How requests of Schemathesis travel: by the target's own transport, each answer held against the document."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx
import requests
from chaser_emulator.embedded.requests_adapter import answer_of, body_of, text_of
from chaser_emulator.pieces import Pieces
from chaser_emulator.spec import Operation
from requests.adapters import HTTPAdapter
from schemathesis.transport.requests import ManagedCookiesSession

from chaser_contract import conformance
from chaser_contract.broken import Broken
from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange

_STREAM = "text/event-stream"
_BOUNDARY = "between-the-parts-of-a-form-1234"
_TRIES = 5
_LONGEST_WAIT = 120.0


@dataclass(frozen=True)
class Carried:
    """A request that was sent, its answer, and the promise that the answer does not keep, if any."""

    exchange: Exchange
    broken: Broken | None


CARRIED: WeakKeyDictionary[requests.PreparedRequest, Carried] = WeakKeyDictionary()
"""What came of a request, for as long as anybody has it."""


class Carrier(HTTPAdapter):
    """Sends by a client of httpx what is asked of `requests`, so that all of a run goes one way.

    `check` is what an answer is held to. `prefix` stands before the paths of the document; `told` hears of each
    exchange. With `patient` a 429 is asked again when its time has come.
    """

    def __init__(
        self,
        document: Document,
        http: httpx.Client,
        told: Callable[[Carried], None],
        *,
        check: Callable[[Document, Operation, Exchange], None] = conformance.check,
        prefix: str = "",
        patient: bool = False,
    ) -> None:
        super().__init__()
        self._document = document
        self._http = http
        self._told = told
        self._check = check
        self._prefix = prefix
        self._patient = patient

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
        _settle(request)
        begun = time.perf_counter()
        try:
            response, body = self._answered(request, seconds)
        except httpx.TransportError as error:
            trouble = f"no answer: {type(error).__name__} {error}".rstrip()
            self._tell(request, None, {}, b"", time.perf_counter() - begun, trouble)
            if isinstance(error, httpx.TimeoutException):
                # Schemathesis reads the seconds out of the words of urllib3.
                words = TimeoutError(f"no answer (read timeout={seconds})")
                raise requests.ReadTimeout(words, request=request) from None
            raise requests.ConnectionError(error, request=request) from None
        pieces = _Streamed(response, request) if body is None else Pieces([body])
        found = {name.lower(): value for name, value in response.headers.items()}
        self._tell(request, response.status_code, found, body or b"", time.perf_counter() - begun, None)
        return self.build_response(request, answer_of(request, response.status_code, response.headers.raw, pieces))

    def _answered(
        self, request: requests.PreparedRequest, seconds: float | None
    ) -> tuple[httpx.Response, bytes | None]:
        """An answer, and its body as it was sent unless it is one to be read as it comes."""
        for _ in range(_TRIES):
            response = self._http.send(_of_httpx(request, seconds), stream=True)
            if response.headers.get("content-type", "").startswith(_STREAM):
                return response, None
            try:
                # What stands between may have read it already.
                body = response.content if response.is_stream_consumed else b"".join(response.iter_raw())
            finally:
                response.close()
            wait = response.headers.get("retry-after", "")
            if not (self._patient and response.status_code == 429 and wait.isdecimal() and float(wait) < _LONGEST_WAIT):
                break
            time.sleep(float(wait))
        return response, body

    def _tell(
        self,
        request: requests.PreparedRequest,
        status: int | None,
        headers: Mapping[str, str],
        body: bytes,
        seconds: float,
        trouble: str | None,
    ) -> None:
        target = str(request.url).split(urlsplit(str(request.url)).netloc, 1)[1] or "/"
        method = str(request.method)
        operation = self._document.operation_at(method, target.partition("?")[0].removeprefix(self._prefix))
        exchange = Exchange(
            operation=None if operation is None else operation.id, method=method, target=target,
            request_headers={name: text_of(value) for name, value in request.headers.items() if name not in _OWN},
            request_body=body_of(request) or b"", status=status, headers=headers, body=body, seconds=seconds,
            trouble=trouble, at=time.time() - seconds,
        )  # fmt: skip
        broken = None
        if operation is not None:
            try:
                self._check(self._document, operation, exchange)
            except Broken as error:
                broken = error
        carried = Carried(exchange, broken)
        CARRIED[request] = carried
        self._told(carried)


_OWN = ("User-Agent", "Accept-Encoding", "Connection", "Content-Length", "X-Schemathesis-TestCaseId")
"""Headers that Schemathesis and `requests` add to whatever is sent."""


def session_of(carrier: Carrier) -> requests.Session:
    """A session whose requests all go by a carrier, and which minds nothing of the environment."""
    session = ManagedCookiesSession()
    session.headers = {}
    session.trust_env = False
    session.mount("http://", carrier)
    session.mount("https://", carrier)
    return session


class _Streamed(Pieces):
    """The body of an answer that is read as it comes; to close it is to leave."""

    def __init__(self, response: httpx.Response, request: requests.PreparedRequest) -> None:
        super().__init__(_pieces(response, request))
        self._response = response

    def close(self) -> None:
        if not self.closed:
            self._response.close()
        super().close()


def _pieces(response: httpx.Response, request: requests.PreparedRequest) -> Iterator[bytes]:
    try:
        yield from response.iter_raw()
    except httpx.TimeoutException as error:
        # What Schemathesis takes for the end of a stream that goes on.
        raise TimeoutError(str(error)) from None
    except httpx.TransportError as error:
        raise requests.ConnectionError(error, request=request) from None


def _of_httpx(request: requests.PreparedRequest, seconds: float | None) -> httpx.Request:
    headers = [(_raw(name), _raw(value)) for name, value in request.headers.items()]
    return httpx.Request(
        str(request.method), str(request.url), headers=headers, content=body_of(request) or b"",
        extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)},
    )  # fmt: skip


def _settle(request: requests.PreparedRequest) -> None:
    """Let the parts of a form be divided by the same line in each run."""
    media_type, found, boundary = str(request.headers.get("Content-Type", "")).partition("boundary=")
    if media_type.startswith("multipart/form-data") and re.fullmatch(r"[0-9a-f]{32}", boundary):
        request.body = (body_of(request) or b"").replace(boundary.encode(), _BOUNDARY.encode())
        request.headers["Content-Type"] = f"{media_type}{found}{_BOUNDARY}"


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")
