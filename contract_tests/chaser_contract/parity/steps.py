"""Steps: one sequence of calls, written without knowing what a Chaser will answer to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

NOTHING: Any = object()
"""No body at all, which is not the body `null`."""

FIRST, PEER, NOBODY, WRONG = "first", "peer", "nobody", "wrong"
"""Who calls: the user of the run's key, another user, no credential, and one that no Chaser has made."""

MISSING = "00000000-0000-4000-8000-000000000000"
"""What stands for what an earlier answer does not hold: the id of nothing."""


@dataclass(frozen=True)
class Ref:
    """What an earlier step was answered: a JSON pointer into its body. Steps count from 0."""

    step: int
    pointer: str


@dataclass(frozen=True)
class Step:
    """One call. Anywhere in path, query, headers and body a Ref may stand, and as `caller` one to a key."""

    operation: str
    path: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    json: Any = NOTHING
    content: bytes | None = None
    media_type: str | None = None
    file: bytes | None = None
    """The bytes of a form, whose other fields are `json`."""
    caller: str | Ref = FIRST
    account: Any = None

    def put(self, change: Callable[[Ref], Any]) -> Step:
        """The same with something in place of each Ref."""
        return replace(
            self,
            path=replaced(self.path, change),
            query=replaced(self.query, change),
            headers=replaced(self.headers, change),
            json=replaced(self.json, change),
            caller=replaced(self.caller, change),
            account=replaced(self.account, change),
        )

    def refs(self) -> list[Ref]:
        """The earlier answers that it needs."""
        found: list[Ref] = []

        def note(ref: Ref) -> Ref:
            found.append(ref)
            return ref

        self.put(note)
        return found


def replaced(value: Any, change: Callable[[Ref], Any]) -> Any:
    """A value with something in place of each Ref in it, at any depth."""
    if isinstance(value, Ref):
        return change(value)
    if isinstance(value, Mapping):
        return {name: replaced(part, change) for name, part in value.items()}
    if isinstance(value, list):
        return [replaced(part, change) for part in value]
    return value


def at(value: Any, pointer: str) -> Any:
    """What stands at a JSON pointer, or MISSING."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return MISSING
    return MISSING if value is None else value


def without(steps: Sequence[Step], left_out: int) -> list[Step] | None:
    """The steps without one of them; None where another needs its answer."""
    if any(ref.step == left_out for step in steps for ref in step.refs()):
        return None

    def moved(ref: Ref) -> Ref:
        return Ref(ref.step - 1, ref.pointer) if ref.step > left_out else ref

    return [step.put(moved) for place, step in enumerate(steps) if place != left_out]
