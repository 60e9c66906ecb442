"""Patience: what passes by itself at a real service is waited for, and what was only to be read is asked again."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from chaser_emulator.spec import Operation

from chaser_contract.live.stopping import NotSteady

TRIES = 5
"""How often a request is sent at most."""

LONGEST_WAIT = 120.0
"""Seconds that a service may ask to wait for; one that asks for more is not waited for."""

_PASSING = frozenset({502, 503, 504})
_FIRST_PAUSE = 0.25
_STREAM = "text/event-stream"
NOT_SENDABLE = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
"""What is raised for what cannot be sent at all."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Patience:
    """Sends by another transport. `before` is called before each try, `wait` sleeps, and either may raise.

    `troubles` counts what was met and waited out, or not.
    """

    def __init__(
        self, transport: httpx.BaseTransport, before: Callable[[], None], wait: Callable[[float], None]
    ) -> None:
        self._transport = transport
        self._before = before
        self._wait = wait
        self._lock = threading.Lock()
        self._not_before = 0.0
        self.troubles: Counter[str] = Counter()

    def send(self, request: httpx.Request, operation: Operation | None, *, again: bool) -> httpx.Response:
        """The answer, its body read to the end unless it is a stream.

        `again`: it may be sent once more though it may have been carried out. Raises NotSteady when the answer is only
        that it cannot be given now, or does not come, as often as it is asked for.
        """
        request.read()
        name = operation.id if operation is not None else f"{request.method} {request.url.path}"
        for attempt in range(1, TRIES + 1):
            self._hold()
            self._before()
            try:
                response = _whole(self._transport.handle_request(request))
            except NOT_SENDABLE:
                raise
            except httpx.TransportError as error:
                trouble, pause = f"{type(error).__name__} {error}".strip(), None
                may = again or isinstance(error, _NOT_SENT)
            else:
                if not passing(response, operation):
                    return response
                trouble, pause = str(response.status_code), retry_after(response)
                # What was refused for coming too early was not carried out, whatever it is.
                may = again or response.status_code == 429
            self.troubles[f"{name}: {trouble}"] += 1
            if pause is not None and pause > LONGEST_WAIT:
                said = f"not steady: {name} answered {trouble} and asks to wait for {pause:.0f} s"
                raise NotSteady(said, done=not may)
            if pause is not None:
                self._postpone(pause)
            if not may:
                raise NotSteady(f"not steady: {name} was not answered ({trouble}), and may have been carried out")
            if attempt < TRIES and pause is None:
                self._wait(_FIRST_PAUSE * 2 ** (attempt - 1))
        raise NotSteady(f"not steady: {name} was asked {TRIES} times, and not answered ({trouble})", done=again)

    def _postpone(self, seconds: float) -> None:
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _hold(self) -> None:
        """Wait until the moment that the service has asked for."""
        with self._lock:
            pause, self._not_before = self._not_before - time.monotonic(), 0.0
        if pause > 0:
            self._wait(pause)


def passing(response: httpx.Response, operation: Operation | None) -> bool:
    """Whether an answer says that another would come at another time.

    A refusal with a code that the document has for this operation is an answer, unless it says when to come again.
    """
    if response.status_code == 429:
        return True
    if response.status_code not in _PASSING:
        return False
    if "retry-after" in response.headers or operation is None:
        return True
    try:
        code = json.loads(content_of(response))["code"]
    except (ValueError, KeyError, TypeError):
        return True
    return operation.codes.get(code) != response.status_code


def content_of(response: httpx.Response) -> bytes:
    """The body of an answer that was read to its end, decoded; nothing of a stream. The answer stays as it is."""
    if not isinstance(response.stream, httpx.ByteStream):
        return b""
    copy = httpx.Response(
        response.status_code, headers=response.headers, stream=httpx.ByteStream(b"".join(response.stream))
    )
    return copy.read()


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that an answer asks to wait for, whether it says a number or a date; None where it says neither."""
    said = response.headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    moment = moment_of(said)
    if moment is None:
        return None
    # By the clock of who says it, which may not be ours.
    now = moment_of(response.headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (moment - now).total_seconds())


def moment_of(text: str) -> datetime | None:
    """The moment that an HTTP date names, or None."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _whole(response: httpx.Response) -> httpx.Response:
    """The same with its body at hand, so that one that is cut off is noticed here."""
    if response.status_code == 101 or response.headers.get("content-type", "").startswith(_STREAM):
        return response
    try:
        body = b"".join(response.stream)  # type: ignore[arg-type]
    finally:
        response.close()
    return httpx.Response(
        response.status_code, headers=response.headers, stream=httpx.ByteStream(body), extensions=response.extensions
    )
