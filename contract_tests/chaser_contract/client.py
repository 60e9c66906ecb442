"""Client: asks operations by their ids, as one caller; every answer is held against the document as it comes."""

from __future__ import annotations

import json as json_
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from chaser_emulator.spec import Operation

from chaser_contract import conformance
from chaser_contract.broken import Broken, NotTried
from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange

TIMEOUT = 30.0
"""Seconds in which an answer must begin, and each further piece of it come."""

NOT_SAID: Any = object()
"""For a body where none is to be sent: None is JSON as well."""


@dataclass(frozen=True)
class Answer:
    """What an operation answered, already known to have the form that the document gives it."""

    document: Document
    operation: Operation
    exchange: Exchange

    @property
    def status(self) -> int:
        return self.exchange.status or 0

    @property
    def headers(self) -> Mapping[str, str]:
        """By their names in lower case."""
        return self.exchange.headers

    @property
    def body(self) -> bytes:
        return self.exchange.body

    @property
    def json(self) -> Any:
        return self.exchange.json

    @property
    def code(self) -> str | None:
        """The code of a refusal."""
        return self.json.get("code") if self.status >= 400 and self.body else None

    def must_be(self, status: int, code: str | None = None, *, because: str = "") -> Answer:
        """Raise Broken unless it has this status, and this code. `because` says when that is promised."""
        if self.status != status or (code is not None and self.code != code):
            wanted = f"{status} {code}" if code else str(status)
            when = f" {because}" if because else ""
            self.broken(
                f"it answers {wanted}{when}", self.exchange.said(), status=status, kind=f"status-{code or status}"
            )
        return self

    def require(self, condition: object, promise: str, came: str | None = None) -> Answer:
        """Raise Broken with what was promised of this answer, unless that is so."""
        if not condition:
            self.broken(promise, self.exchange.said() if came is None else came)
        return self

    def broken(self, promise: str, came: str, *, status: int | None = None, kind: str = "behaviour") -> None:
        """Raise Broken about this answer."""
        pointer = self.document.response_pointer(self.operation, self.status if status is None else status)
        raise Broken(f"{self.operation.id}: {promise}", came, pointer=pointer, exchange=self.exchange, kind=kind)


@dataclass(frozen=True)
class Client:
    """One caller: `credential` None is nobody; `account` is sent as X-Chaser-Account.

    `record` is told of each exchange before it is looked at. Parameters of the path are given by their names in the
    document, `query` and `headers` as mappings, and a body as `json`, `content` (bytes, of `media_type`), or `files`
    (a form's files by field: name and bytes).
    """

    document: Document
    http: httpx.Client
    record: Callable[[Exchange], None]
    credential: str | None
    account: str | None = None

    def ask(
        self,
        operation_id: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: Any = NOT_SAID,
        content: bytes | None = None,
        media_type: str | None = None,
        files: Mapping[str, tuple[str | None, bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: int | None = None,
        conforming: bool = True,
        timeout: float = TIMEOUT,
        **path: str,
    ) -> Answer:
        """The answer of an operation. Raises Broken where it breaks the document, or is not the status to `expect`.

        With `conforming` False only the exchange is recorded: for answers that are refused before they are an
        operation's, such as 405.
        """
        operation = self.document.operation(operation_id)
        request = self.request(
            operation, path, query=query, json=json, content=content, media_type=media_type, files=files,
            headers=headers, timeout=timeout,
        )  # fmt: skip
        answer = Answer(self.document, operation, self.send(request, operation))
        if conforming:
            conformance.check(self.document, operation, answer.exchange)
        elif answer.exchange.status is None:
            answer.broken("every request is answered", str(answer.exchange.trouble), kind="no-answer")
        return answer if expect is None else answer.must_be(expect)

    def request(
        self,
        operation: Operation,
        path: Mapping[str, str],
        *,
        query: Mapping[str, Any] | None = None,
        json: Any = NOT_SAID,
        content: bytes | None = None,
        media_type: str | None = None,
        files: Mapping[str, tuple[str | None, bytes]] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> httpx.Request:
        """The request that `ask` sends."""
        target = operation.path
        for name, value in path.items():
            if f"{{{name}}}" not in target:
                raise TypeError(f"{operation.id} has no parameter {name!r} in its path {operation.path}")
            target = target.replace(f"{{{name}}}", quote(value, safe=""))
        if "{" in target:
            raise TypeError(f"{operation.id} needs every parameter of {operation.path}")
        if json is not NOT_SAID:
            content, media_type = json_.dumps(json).encode(), media_type or "application/json"
        sent = dict(self._credentials())
        if media_type is not None:
            sent["Content-Type"] = media_type
        return self.http.build_request(
            operation.method,
            target,
            params=None if query is None else {name: _text(value) for name, value in query.items()},
            content=content,
            files=files,
            headers={**sent, **(headers or {})},
            timeout=timeout,
        )

    def send(self, request: httpx.Request, operation: Operation | None = None) -> Exchange:
        """Any request, with its answer read to the end."""
        begun = time.perf_counter()
        try:
            response = self.http.send(request)
            status, headers, body, trouble = response.status_code, _headers(response), response.content, None
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as error:
            raise NotTried(f"such a request cannot be sent over a connection: {error}") from None
        except httpx.TransportError as error:
            status, headers, body = None, {}, b""
            trouble = f"no answer: {type(error).__name__} {error}".rstrip()
        exchange = _exchange(request, operation, status, headers, body, time.perf_counter() - begun, trouble)
        self.record(exchange)
        return exchange

    @contextmanager
    def stream(
        self,
        operation_id: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        **path: str,
    ) -> Iterator[httpx.Response]:
        """An answer to be read as it comes; of a refusal the body is read and held against the document."""
        operation = self.document.operation(operation_id)
        request = self.request(operation, path, query=query, headers=headers, timeout=timeout)
        begun = time.perf_counter()
        response = self.http.send(request, stream=True)
        try:
            body = response.read() if response.status_code >= 400 else b""
            exchange = _exchange(
                request, operation, response.status_code, _headers(response), body, time.perf_counter() - begun, None
            )
            self.record(exchange)
            if response.status_code >= 400:
                conformance.check(self.document, operation, exchange)
            yield response
        finally:
            response.close()

    def _credentials(self) -> Mapping[str, str]:
        sent = {} if self.credential is None else {"Authorization": f"Bearer {self.credential}"}
        return sent if self.account is None else {**sent, "X-Chaser-Account": self.account}


def _exchange(
    request: httpx.Request,
    operation: Operation | None,
    status: int | None,
    headers: Mapping[str, str],
    body: bytes,
    seconds: float,
    trouble: str | None,
) -> Exchange:
    return Exchange(
        operation=None if operation is None else operation.id,
        method=request.method,
        target=request.url.raw_path.decode("ascii"),
        request_headers={name: value for name, value in request.headers.items() if name not in ("host", "user-agent")},
        request_body=request.read(),
        status=status,
        headers=headers,
        body=body,
        seconds=seconds,
        trouble=trouble,
        at=time.time() - seconds,
    )


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _text(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_text(one) for one in value]
    return json_.dumps(value) if isinstance(value, bool) else str(value)
