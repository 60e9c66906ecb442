"""Both: two Chasers asked as one, for the test files that `parity` writes; a difference fails the test."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from chaser_contract.document import bundled
from chaser_contract.parity.comparing import Comparison, compared
from chaser_contract.parity.ignoring import Known
from chaser_contract.parity.sides import Place, fresh, reached
from chaser_contract.parity.steps import FIRST, NOTHING, Ref, Step


@dataclass(frozen=True)
class Answered:
    """What both were answered: `session["id"]` is the id that each of them gave."""

    ref: Ref

    def __getitem__(self, name: str | int) -> Answered:
        part = str(name).replace("~", "~0").replace("/", "~1")
        return Answered(Ref(self.ref.step, f"{self.ref.pointer}/{part}"))


class Both:
    """Two Chasers. `ask` asks both, and fails where they answer differently."""

    def __init__(self, comparison: Comparison, names: tuple[str, str]) -> None:
        self._comparison = comparison
        self._names = names

    def ask(
        self,
        operation: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        json: Any = NOTHING,
        content: bytes | None = None,
        media_type: str | None = None,
        file: bytes | None = None,
        caller: Any = FIRST,
        account: Any = None,
        **path: Any,
    ) -> Answered:
        """Ask an operation by its id; parameters of its path by their names. Raises AssertionError if they differ."""
        __tracebackhide__ = True
        step = Step(
            operation, _refs(path), _refs(query or {}), _refs(headers or {}), _refs(json), content, media_type, file,
            _refs(caller), _refs(account),
        )  # fmt: skip
        number = self._comparison.steps
        difference = self._comparison.take(step)
        if difference is not None:
            raise AssertionError(difference.said(self._names))
        return Answered(Ref(number, ""))


@contextmanager
def both(left: str, right: str, *, ignoring: Mapping[tuple[str, str], str] | None = None) -> Iterator[Both]:
    """Two Chasers as they begin: `here`, `here:local`, or URLs; CHASER_A_URL and CHASER_B_URL come first.

    `ignoring` are places that may differ, by operation and place, each with its reason.
    """
    places = (_place("A", left), _place("B", right))
    known = [Known(operation, place, reason) for (operation, place), reason in (ignoring or {}).items()]
    with ExitStack() as stack:
        one, other = (stack.enter_context(reached(place, 0)) for place in places)
        sides = stack.enter_context(fresh(one, other))
        yield Both(compared(bundled(), sides, known), (places[0].text, places[1].text))


def _place(letter: str, usual: str) -> Place:
    said = {name: os.environ.get(f"CHASER_{letter}_{name}") for name in ("URL", "API_KEY", "PEER_KEY")}
    return Place(said["URL"] or usual, said["API_KEY"], said["PEER_KEY"])


def _refs(value: Any) -> Any:
    if isinstance(value, Answered):
        return value.ref
    if isinstance(value, Mapping):
        return {name: _refs(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_refs(part) for part in value]
    return value
