"""To wait for a webhook at the sink: on a clock that stands still it is moved on, so that retries are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chaser_emulator.errors import ApiError
from chaser_emulator.webhooks.sink import Received, Sink, fits

if TYPE_CHECKING:
    from chaser_emulator.world import World

CODE = "not_received"

_GRACE = 1.0
"""Real seconds that are left, on a clock that stands still, to what happens in real time: commands in sandboxes."""

_TOLD = 20

_SHOWN = 80
"""Characters of a value that is told."""


@dataclass(frozen=True)
class Expected:
    """What is waited for: an event whose type may hold `*`, at a name of the sink, with what its JSON has to hold.

    It must have been answered with a success, and be signed by a webhook of this world unless `verified` is False.
    """

    event: str
    name: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    verified: bool = True
    since: int = 0

    def first(self, sink: Sink) -> Received | None:
        """The oldest that fits, and that was not the answer to an expectation before."""
        found = sink.found(name=self.name, event=self.event, since=self.since, where=self.where)
        return next((one for one in found if self.flaw(one, sink) is None), None)

    def flaw(self, one: Received, sink: Sink) -> str | None:
        """Why one that has come is not what is waited for, though its type and its content are."""
        if one.number in sink.taken:
            return "answered an earlier expectation"
        if one.status is None or not 200 <= one.status < 300:
            return f"was answered {one.status}" if one.status is not None else "was answered too late"
        if self.verified and not one.verified:
            return f"is not verified: {one.wrong}"
        return None


async def expect(world: World, expected: Expected, *, within: float) -> Received:
    """The event, as soon as it is there; each is the answer to one expectation alone.

    `within` is in seconds of the world's clock: a clock that goes is waited for, one that stands still is moved on by
    no more than that, from one thing that falls due to the next. Raises ApiError `not_received`, which says what has
    come instead.
    """
    sink = world.sink
    found = expected.first(sink)
    if found is None and world.clock.mode == "frozen":
        found = await _moved(world, expected, within)
        within = min(within, _GRACE)
    if found is None:
        found = await sink.wait_for(lambda: expected.first(sink), within)
    if found is None:
        raise _in_vain(sink, expected, world.clock.timestamp())
    sink.taken.add(found.number)
    return found


async def _moved(world: World, expected: Expected, within: float) -> Received | None:
    """Let fall due what does, one moment after the other, until it is there or the time is over."""
    agenda = world.agenda
    async with agenda.moving:
        end = world.clock.now() + timedelta(seconds=within)
        # What is under way may bring it without any time.
        at: datetime | None = world.clock.now()
        while at is not None and at <= end:
            await world.keep_clock(at)
            await agenda.advance(at)
            if (found := expected.first(world.sink)) is not None:
                break
            at = await agenda.upcoming()
        else:
            await agenda.advance(end)
            found = expected.first(world.sink)
        await world.keep_clock()
        world.happenings.clock_moved()
        return found


def _in_vain(sink: Sink, expected: Expected, now: str) -> ApiError:
    """What is told of an event that has not come."""
    where = f" at {expected.name}" if expected.name is not None else ""
    like = f" with {dict(expected.where)}" if expected.where else ""
    details = []
    for one in sink.found()[-_TOLD:]:
        told = {"number": one.number, "at": one.at, "name": one.name, "event_type": one.event_type}
        details.append({**told, "why": _why(one, expected, sink)})
    came = "; ".join(f"{one['event_type']} ({one['why']})" for one in details[-5:]) or "nothing"
    text = f"no {expected.event}{like} has come to the sink{where} by {now}; what has: {came}"
    return ApiError(CODE, text, details={"received": details})


def _why(one: Received, expected: Expected, sink: Sink) -> str:
    if one.number <= expected.since:
        return "came before"
    if expected.name is not None and one.name != expected.name:
        return f"came to {one.name}"
    alike = [each.number for each in sink.found(event=expected.event)]
    if one.number not in alike:
        return "is another event"
    if one not in sink.found(event=expected.event, where=expected.where):
        return f"holds something else: {_other(one.json, expected.where)}"
    return expected.flaw(one, sink) or "fits"


def _other(value: Any, where: Mapping[str, Any]) -> str:
    """What stands in the places that were named, of those that do not fit."""
    wanted = _flat(where)
    return ", ".join(f"{name} is {_at(value, name)}" for name, want in wanted.items() if not fits(value, {name: want}))


def _flat(where: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with a name of its own for each place."""
    found: dict[str, Any] = {}
    for name, want in where.items():
        inner = _flat(want) if isinstance(want, Mapping) and want else {}
        found |= {f"{name}.{rest}": one for rest, one in inner.items()} if inner else {name: want}
    return found


def _at(value: Any, name: str) -> str:
    """The value at a place as `fits` reads it, shortened."""
    while isinstance(value, Mapping) and name:
        if name in value:
            value, name = value[name], ""
        else:
            first, _, name = name.partition(".")
            value = value.get(first)
    return "not there" if name or value is None else repr(value)[:_SHOWN]
