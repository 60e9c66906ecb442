"""A refusal with all that is known about it, and what may be done about one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.errors import ApiError
from chaser_emulator.explaining.asking import JSON, SELECTOR, Ask, Asked
from chaser_emulator.explaining.mending import Menders
from chaser_emulator.explaining.places import Path
from chaser_emulator.journal import Exchange
from chaser_emulator.spec import Operation, Spec
from chaser_emulator.store import Row
from chaser_emulator.world import World

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")


@dataclass(frozen=True)
class Remedy:
    """What helps. `first` is done before `passes`; `note` is for people; `acts_as` says whose key is needed."""

    passes: Ask | None = None
    first: tuple[Ask, ...] = ()
    why_not: str | None = None
    note: str | None = None
    wait_seconds: int | None = None
    acts_as: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Case:
    """One refused exchange of a world."""

    world: World
    spec: Spec
    menders: Menders
    exchange: Exchange
    operation: Operation | None
    error: ApiError
    asked: Asked
    own_key: str | None
    """The id of the world's key."""
    state: dict[str, Any] = field(default_factory=dict)
    """What is found out on the way and tells why: it becomes part of the explanation."""
    acting_in: str | None = None
    """The account, where it is another one than the exchange's."""

    @property
    def ask(self) -> Ask:
        return self.asked.ask

    @property
    def account_id(self) -> str:
        return (self.exchange.account_id or "") if self.acting_in is None else self.acting_in

    @property
    def declared(self) -> Collection[str]:
        """The codes that the operation may refuse with."""
        return self.operation.codes if self.operation is not None else ()

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        """Rows of the world's store."""
        return await self.world.store.all(sql, *values)

    async def one(self, sql: str, *values: Any) -> Row | None:
        """The first of such rows."""
        return await self.world.store.one(sql, *values)

    def note(self, facts: Mapping[str, Any]) -> None:
        """Add what is found out now; what was known at the refusal itself is nearer to the truth."""
        for name, value in facts.items():
            self.state.setdefault(name, value)

    def beside(self, method: str, path: str, body: Any = None, **takes: str) -> Ask:
        """Another request of the same caller in the same account. `takes`: see `Ask`."""
        kept = {name: value for name, value in self.ask.headers.items() if name in ("authorization", SELECTOR)}
        ask = Ask(method, path, headers=kept, takes=takes)
        return ask if body is None else ask.with_body(body)

    def control(self, path: str, body: Any) -> Ask:
        """A request to the control plane."""
        world = {"x-chaser-world": self.world.id}
        return Ask("POST", f"/_emulator{path}", headers={**world, "content-type": JSON}, body=body, media_type=JSON)

    @property
    def body(self) -> Mapping[str, Any]:
        """The fields of the body, none where it is no object."""
        return self.ask.body if isinstance(self.ask.body, Mapping) else {}

    def body_places(self, value: str) -> list[Path]:
        """Where in the body a text stands."""
        return [path for path, part in leaves(self.ask.body) if part == value]


def quoted(sentence: str) -> list[str]:
    """What a sentence quotes."""
    return [one or other for one, other in _QUOTED.findall(sentence)]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every scalar in a JSON value, with its place."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from leaves(part, (*path, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from leaves(part, (*path, index))
    else:
        yield path, value
