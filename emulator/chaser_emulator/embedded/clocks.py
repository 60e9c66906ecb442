"""The clock of a world, in the hands of a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, overload

from chaser_emulator.durations import Duration, seconds_of
from chaser_emulator.embedded.asking import Door


@dataclass(frozen=True)
class Fired:
    """Something that fell due: what it was, of which resource, and when by the world's clock."""

    what: str
    id: str
    at: datetime


class AllFired(Sequence[Fired]):
    """What fell due while the clock moved, in its order."""

    def __init__(self, fired: Sequence[Fired]) -> None:
        self._fired = tuple(fired)

    @property
    def kinds(self) -> list[str]:
        """What fell due, without of what."""
        return [one.what for one in self._fired]

    def __len__(self) -> int:
        return len(self._fired)

    @overload
    def __getitem__(self, index: int) -> Fired: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Fired]: ...
    def __getitem__(self, index: int | slice) -> Fired | Sequence[Fired]:
        return self._fired[index]

    def __iter__(self) -> Iterator[Fired]:
        return iter(self._fired)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (AllFired, list, tuple)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._fired)

    def __repr__(self) -> str:
        return repr(list(self._fired))


class Clock:
    """By it everything in a world happens; only commands in sandboxes keep the machine's time."""

    def __init__(self, door: Door, world: str) -> None:
        self._door = door
        self._world = world

    @property
    def now(self) -> datetime:
        """The world's time, in UTC. A look moves a frozen clock by a microsecond."""
        return moment(self._ask("GET", "/clock")["now"])

    @property
    def mode(self) -> str:
        """`real` or `frozen`."""
        return str(self._ask("GET", "/clock")["mode"])

    def freeze(self, at: datetime | str | None = None) -> datetime:
        """Let it stand still, where it is or at a moment; what lies between does not fall due."""
        return moment(self._ask("POST", "/clock", {"mode": "frozen", **_at(at)})["now"])

    def real(self, at: datetime | str | None = None) -> datetime:
        """Let it go: with the machine's, or on from a moment."""
        return moment(self._ask("POST", "/clock", {"mode": "real", **_at(at)})["now"])

    def advance(self, duration: Duration | None = None, *, to: datetime | str | None = None) -> AllFired:
        """Move it on, by seconds, "5m" or a timedelta, or to a moment; what falls due on the way happens, in order."""
        __tracebackhide__ = True
        if (duration is None) == (to is None):
            raise TypeError("advance() takes a duration, or to=, and not both")
        body = {"seconds": seconds_of(duration)} if duration is not None else {"to": _text(to)}
        return _fired(self._ask("POST", "/clock/advance", body))

    def run_until_idle(self, within: Duration = 3600) -> AllFired:
        """Move it from one thing that falls due to the next, until nothing is due `within` so long any more.

        Raises RuntimeError where something falls due for ever.
        """
        told = self._ask("POST", "/clock/run-until-idle", {"within": seconds_of(within)})
        fired = _fired(told)
        if not told["idle"]:
            raise RuntimeError(f"something falls due for ever; the last of {len(fired)}: {list(fired)[-3:]}")
        return fired

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        __tracebackhide__ = True
        return self._door.ask(method, path, body, world=self._world)

    def __repr__(self) -> str:
        return f"<the clock of {self._world}>"


def moment(text: str) -> datetime:
    """A moment that the emulator wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _fired(answer: Any) -> AllFired:
    return AllFired([Fired(one["what"], one["id"], moment(one["at"])) for one in answer["fired"]])


def _at(at: datetime | str | None) -> dict[str, str]:
    return {} if at is None else {"at": _text(at)}


def _text(at: datetime | str | None) -> str:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ValueError(f"{at!r} has no time zone; give it one, as datetime(..., tzinfo=UTC)")
        return at.isoformat()
    return str(at)
