"""One attempt over HTTP: a request with a whole answer's head in time, or a sentence that says what went wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import h11

from chaser_emulator.webhooks.connecting import Dialer, Place, Stream, Unreachable, place_of

_LARGEST_HEAD = 65_536
_MOST_INTERIM = 20

_DRAINED = 65_536
_DRAIN_PATIENCE = 0.5
"""How much of an answer's body is read, and for how many seconds, to use its connection again. Nobody reads it."""

_IDLE = 2.0
"""Seconds that a connection waits for the next delivery: node hangs up after five."""

_LONG = 0.3
"""Seconds without an answer after which a receiver may be one that serves a single connection at a time."""


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: the status of the answer, if there was one, and why it failed, unless it did not."""

    status: int | None
    error: str | None


class _Broken(Exception):
    """There was no answer that could be understood; the text says why."""


class _Stale(Exception):
    """A kept connection turned out to be closed before it said anything; the request goes out on another."""


class _Connection:
    """A stream, and what HTTP has been spoken on it; `reused` ones may have gone stale."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.reused = False
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)


class Receiver:
    """The address of one webhook, and the connections to it that wait for the next delivery.

    `patience` is in seconds, from the lookup of the name to the last byte of the answer's head (H9).
    """

    def __init__(self, url: str, dialer: Dialer, patience: float) -> None:
        self._place = place_of(url)
        self._dialer = dialer
        self._patience = patience
        self._idle: list[_Connection] = []
        self._hurried = 0
        self._closed = False

    async def send(self, headers: Mapping[str, str], body: bytes) -> Outcome:
        """POST once. Any 2xx in time is a success; a redirect is not followed."""
        try:
            async with asyncio.timeout(self._patience):
                connection, status = await self._exchange(headers, body)
        except TimeoutError:
            return Outcome(None, f"no answer within {self._patience:g} s")
        except (Unreachable, _Broken) as error:
            return Outcome(None, str(error))
        await self._let_go(connection)
        return Outcome(status, failure_of(status))

    def close(self) -> None:
        """Keep no connection from now on."""
        self._closed = True
        self._drop()

    async def _exchange(self, headers: Mapping[str, str], body: bytes) -> tuple[_Connection, int]:
        while connection := self._take():
            with contextlib.suppress(_Stale):
                return connection, await self._ask(connection, headers, body)
        connection = _Connection(await self._dialer.open(self._place))
        return connection, await self._ask(connection, headers, body)

    async def _ask(self, connection: _Connection, headers: Mapping[str, str], body: bytes) -> int:
        try:
            with self._waiting():
                return await self._status(connection, headers, body)
        except BaseException:
            connection.stream.close()
            raise

    async def _status(self, connection: _Connection, headers: Mapping[str, str], body: bytes) -> int:
        """Send the request, and read until the answer's head is whole."""
        http, heard = connection.http, False
        request = h11.Request(
            method="POST",
            target=self._place.target,
            headers=whole(self._place, headers, body),
        )
        parts = [http.send(request), http.send(h11.Data(data=body)), http.send(h11.EndOfMessage())]
        # Not waited for until it is sent: a receiver may answer without having read all.
        connection.stream.write(b"".join(part for part in parts if part))
        interim = 0
        try:
            while True:
                event = http.next_event()
                if isinstance(event, h11.Response):
                    return event.status_code
                if event is h11.NEED_DATA:
                    data = await connection.stream.read()
                    if not data and connection.reused and not heard:
                        raise _Stale
                    if not data:
                        raise _Broken(f"the connection was closed {'within' if heard else 'without'} an answer")
                    heard = True
                    http.receive_data(data)
                elif not isinstance(event, h11.InformationalResponse) or (interim := interim + 1) > _MOST_INTERIM:
                    raise _Broken("the answer does not come to its final status")
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 431:
                raise _Broken(f"the answer's head is larger than {_LARGEST_HEAD // 1024} KiB") from None
            raise _Broken("the answer is no HTTP/1.1") from None

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.stream.quiet:
                connection.reused = True
                return connection
            connection.stream.close()
        return None

    async def _let_go(self, connection: _Connection) -> None:
        """Keep a connection for the next delivery, or close it."""
        keep = False
        try:
            keep = await _drained(connection) and not self._closed and not self._hurried
        finally:
            if not keep:
                connection.stream.close()
        if keep:
            self._keep(connection)

    def _keep(self, connection: _Connection) -> None:
        connection.http.start_next_cycle()
        self._idle.append(connection)
        asyncio.get_running_loop().call_later(_IDLE, self._tire, connection)

    def _tire(self, connection: _Connection) -> None:
        # One that was taken meanwhile and came back has a later call of its own; closing it early does no harm.
        if connection in self._idle:
            self._idle.remove(connection)
            connection.stream.close()

    def _drop(self) -> None:
        while self._idle:
            self._idle.pop().stream.close()

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        """While an attempt waits long, no idle connection may be what its receiver is busy with."""
        hurried = False

        def hurry() -> None:
            nonlocal hurried
            hurried = True
            self._hurried += 1
            self._drop()

        timer = asyncio.get_running_loop().call_later(_LONG, hurry)
        try:
            yield
        finally:
            timer.cancel()
            self._hurried -= hurried


def failure_of(status: int) -> str | None:
    """Why an answer of this status is a failure; None for a success."""
    if 200 <= status < 300:
        return None
    redirect = ", and redirects are not followed" if 300 <= status < 400 else ""
    return f"the answer was {status}{redirect}"


def whole(place: Place, headers: Mapping[str, str], body: bytes) -> list[tuple[str, str]]:
    """Every header of a request, in the order in which they are sent."""
    return [("Host", place.authority), *headers.items(), ("Content-Length", str(len(body)))]


async def _drained(connection: _Connection) -> bool:
    """Read the rest of an answer, and say whether its connection can be used again."""
    http, size = connection.http, 0
    try:
        async with asyncio.timeout(_DRAIN_PATIENCE):
            while size <= _DRAINED:
                event = http.next_event()
                if isinstance(event, h11.Data):
                    size += len(event.data)
                elif event is h11.NEED_DATA:
                    http.receive_data(await connection.stream.read())
                else:
                    return http.our_state is h11.DONE and http.their_state is h11.DONE and not http.trailing_data[0]
    except (TimeoutError, h11.RemoteProtocolError):
        pass
    return False
