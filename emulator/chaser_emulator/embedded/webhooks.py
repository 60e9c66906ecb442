"""What the webhooks of a world send, received and verified by the emulator itself."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from chaser_emulator.durations import Duration, seconds_of
from chaser_emulator.embedded.asking import Door, Refused
from chaser_emulator.embedded.clocks import Clock, moment

_ALL = "all"
"""The name of the sink to which all events of all accounts come."""

_PATIENCE = 2.0
"""Real seconds that a clock which goes is waited for before it is moved on."""


@dataclass(frozen=True)
class Received:
    """A webhook that has come. `body` is its JSON, `data` the resource in it; `raw` all that the emulator told.

    `verified` says that it is signed as the webhook's secret wants it; `wrong` what is not right about that.
    """

    type: str
    event_id: str
    at: datetime
    attempt: int
    name: str
    verified: bool
    wrong: str | None
    headers: Mapping[str, str] = field(repr=False)
    body: Any
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def data(self) -> Any:
        """The resource that the event is about, as its GET answered at that moment."""
        return self.body.get("data") if isinstance(self.body, Mapping) else None


class Webhooks:
    """The webhooks of a world at the emulator's own receiver, which needs no server in the test.

    The first look at what has come gives every account a webhook for all events, and sends it what happened before as
    well; `listen` does so earlier. A `name` is that of an address of one's own (`url`), where nothing else comes.
    """

    def __init__(self, door: Door, world: str, clock: Clock) -> None:
        self._door = door
        self._world = world
        self._clock = clock

    def url(self, name: str) -> str:
        """Where a webhook leads that is to be received under a name of one's own."""
        return f"{self._door.url}/_emulator/webhooks/sink/{name}"

    def listen(self) -> None:
        """Let every account have a webhook for all events from now on, and for those since the world began."""
        self._ask("POST", "/webhooks/sink/listen", {"name": _ALL})

    def expect(
        self,
        event: str,
        *,
        within: Duration = 0,
        where: Mapping[str, Any] | None = None,
        name: str | None = None,
        verified: bool = True,
    ) -> Received:
        """The first event of a type (wildcards are fine) that has not been expected before; its signature is right.

        `where` says what is in it: `{"data.status": "terminated"}`. `within` is time of the world's clock: what does
        not come in two real seconds is brought about by moving the clock on, as far as it takes and no farther. Raises
        AssertionError, which tells what has come.
        """
        __tracebackhide__ = True
        seconds = seconds_of(within)
        wanted = {"event": event, "name": name, "where": where, "verified": verified}
        body = {key: value for key, value in wanted.items() if value is not None}
        if name is None:
            _known(event)
            self.listen()
            body["name"] = _ALL
        try:
            if self._clock.mode == "frozen":
                return self._first(body, seconds)
            try:
                return self._first(body, _PATIENCE)
            except Refused as error:
                if error.code != "not_received" or seconds <= _PATIENCE:
                    raise
            # A clock that stands still is moved from one thing that falls due to the next.
            at = self._clock.freeze()
            try:
                return self._first(body, seconds - _PATIENCE)
            finally:
                self._clock.real(max(at, self._clock.now))
        except Refused as error:
            if error.code != "not_received":
                raise
            raise AssertionError(_missing(event, where, within, error)) from None

    def expect_none(self, event: str = "*", *, name: str | None = None) -> None:
        """That no such event has come. Raises AssertionError with those that have."""
        __tracebackhide__ = True
        if found := self.all(event, name=name):
            raise AssertionError(f"no {event} was expected, but there came\n{_listed(found)}")

    def all(self, event: str = "*", *, name: str | None = None) -> list[Received]:
        """Those that have come, oldest first, once what is on its way has arrived."""
        if name is None:
            _known(event)
            self.listen()
        self._settle()
        found = self._ask("GET", "/webhooks/sink", event=event, name=name or _ALL)
        return [_received(one) for one in found["received"]]

    def behave(
        self, *, status: int = 200, delay: Duration = 0, times: int | None = None, name: str | None = None
    ) -> None:
        """Answer otherwise from now on, or the next `times`: with a status, or late. Without anything well again."""
        body = {"status": status, "delay": seconds_of(delay), "times": times, "name": name}
        self._ask("POST", "/webhooks/sink/behaviour", {key: one for key, one in body.items() if one is not None})

    def clear(self, name: str | None = None) -> None:
        """Forget what has come."""
        self._ask("DELETE", "/webhooks/sink", name=name)

    def _first(self, body: Mapping[str, Any], within: float) -> Received:
        __tracebackhide__ = True
        return _received(self._ask("POST", "/webhooks/sink/expect", {**body, "within": within}))

    def _settle(self) -> None:
        """Let deliveries that are due arrive; time of the world does not pass."""
        self._clock.run_until_idle(0)

    def _ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        __tracebackhide__ = True
        return self._door.ask(method, path, body, world=self._world, **query)


def _known(event: str) -> None:
    """Raise ValueError for a type that the API never sends, which would be waited for, or be absent, in vain."""
    # Read on use, as there are many shapes.
    from chaser_emulator.shapes import WebhookEventType

    types = get_args(WebhookEventType)
    if not fnmatch.filter(types, event):
        near = difflib.get_close_matches(event, types, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(types)}"
        raise ValueError(f"the API has no event {event!r}; {hint}")


def _missing(event: str, where: Mapping[str, Any] | None, within: Duration, error: Refused) -> str:
    """That an event has not come, with what has, and why that was not it."""
    found = error.details["received"] if isinstance(error.details, Mapping) else []
    told = [f"  {one['event_type']} at {one['at']}: {one['why']}" for one in found] or ["  nothing"]
    words = f"{f' with {dict(where)}' if where else ''} has come{f' within {within}' if within else ''}"
    return "\n".join([f"no {event}{words}; what has:", *told])


def _listed(found: list[Received]) -> str:
    return "\n".join(f"  {one.type} {one.wrong or ''}  {one.body}"[:300] for one in found)


def _received(told: Mapping[str, Any]) -> Received:
    return Received(
        type=told.get("event_type", ""),
        event_id=told.get("event_id", ""),
        at=moment(told["at"]),
        attempt=told["attempt"],
        name=told["name"],
        verified=told["verified"],
        wrong=told.get("wrong"),
        headers=told["headers"],
        body=told.get("json", told.get("body")),
        raw=told,
    )
