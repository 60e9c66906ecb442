"""Comparing: one step on both Chasers, when both stand still, and the first place where their answers differ."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaser_emulator.spec import Operation

from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange
from chaser_contract.live.stopping import NotAllowed
from chaser_contract.parity.answers import Answers, Difference, Pair
from chaser_contract.parity.ignoring import Known
from chaser_contract.parity.linking import linked
from chaser_contract.parity.normalising import body_of, places
from chaser_contract.parity.sides import EVENTS, Side
from chaser_contract.parity.steps import MISSING, Step

_MOVING = {
    "get-session": frozenset({"starting", "terminating"}),
    "get-session-command": frozenset({"starting", "running"}),
    "get-job": frozenset({"queued", "running"}),
}
"""What is looked at after a step, and the states there that another may follow by itself."""

_ANY_MOVING = frozenset().union(*_MOVING.values(), {"pending"})
_STILL, _PAUSE = 5, 0.015
"""Looks at which nothing has changed, and the seconds between them."""

_PATIENCE, _LONG_PATIENCE = 1.0, 10.0
"""Seconds until two answers are taken for different, and where one of them is still on its way."""


@dataclass
class Comparison:
    """Two Chasers that are asked the same, each as it begins."""

    left: Side
    right: Side
    answers: Answers
    steps: int = 0
    asked: list[Pair] = field(default_factory=list)

    @property
    def document(self) -> Document:
        return self.answers.document

    def take(self, step: Step) -> Difference | None:
        """Carry a step out on both, and answer the first difference."""
        operation = self.document.operation(step.operation)
        number = self.steps
        self.steps += 1
        if self._never_ends(operation, step):
            self._skip()
            return None
        for names in (self.answers.left, self.answers.right):
            names.sent(step)
        try:
            pair = self._ask_both(step)
        except NotAllowed:
            # A real service is not asked for what is not its own run's; the other one is then not asked either.
            self._skip()
            return None
        if operation.method == "GET":
            pair = self._still(operation, step, pair)
        self.asked.append(pair)
        for side, exchange in zip((self.left, self.right), pair, strict=True):
            side.keep(exchange)
        watched = [] if operation.method == "GET" else self._watched(operation, step, number)
        found = self.answers.difference(number, operation, pair, left_out=common_fields(pair, watched))
        for other, looked in watched:
            found = found or self.answers.difference(number, other, looked)
        if self.left.steered and self.right.steered:
            for side in (self.left, self.right):
                side.tick()
        return found

    def _skip(self) -> None:
        """Leave a step out, so that the later ones keep their numbers."""
        for side in (self.left, self.right):
            side.answers.append(None)

    def _never_ends(self, operation: Operation, step: Step) -> bool:
        """Whether a stream would go on for as long as a command runs, so that nothing is to be compared."""
        if not any(EVENTS in response.content for response in operation.responses.values()):
            return False
        for side in (self.left, self.right):
            state = side.ask(Step("get-session-command", path=step.path, caller=step.caller, account=step.account))
            if moves(state, "get-session-command"):
                return True
        return False

    def _still(self, operation: Operation, step: Step, pair: Pair) -> Pair:
        """What both answer to a question that changes nothing, once they agree or nothing changes any more."""
        begun = time.monotonic()
        looks_alike, before = 0, None
        while looks_alike < _STILL and (found := self.answers.foreseen(operation, pair)) is not None:
            moving = any(holds_moving(one) for one in pair)
            if time.monotonic() - begun > (_LONG_PATIENCE if moving else _PATIENCE):
                break
            # They differ in the same way as before, and nothing tells that they will not.
            looks_alike = looks_alike + 1 if found == before and not moving else 0
            before = found
            time.sleep(_PAUSE)
            pair = self._ask_both(step)
        return pair

    def _ask_both(self, step: Step) -> Pair:
        # Of a real service and an emulator the service comes first, as it may not be asked at all.
        if self.left.steered and not self.right.steered:
            right = self.right.ask(step)
            return self.left.ask(step), right
        return self.left.ask(step), self.right.ask(step)

    def _watched(self, operation: Operation, step: Step, number: int) -> list[tuple[Operation, Pair]]:
        """What a step has made or changed, looked at once it moves no more."""
        found = []
        for other, look in looks(self.document, operation.id):
            path = {name: linked(expression, number, step) for name, expression in look.items()}
            asked = Step(other, path=path, caller=step.caller, account=step.account)
            if any(not 200 <= (one.status or 0) < 300 for one in self.asked[-1]):
                continue
            if any(side.said(ref) == MISSING for side in (self.left, self.right) for ref in asked.refs()):
                continue
            pair = self._settled(asked)
            found.append((self.document.operation(other), pair))
        return found

    def _settled(self, step: Step) -> Pair:
        """What both say of something, once it has come to rest, or is in one state on both and stays there."""
        deadline = time.monotonic() + _LONG_PATIENCE
        pair, unchanged = self._ask_both(step), 0
        while any(moves(one, step.operation) for one in pair) and unchanged < _STILL and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            again = self._ask_both(step)
            unchanged = unchanged + 1 if _equal(pair, again) and len({_state(one) for one in again}) == 1 else 0
            pair = again
        return pair


def compared(document: Document, sides: tuple[Side, Side], known: Sequence[Known] = ()) -> Comparison:
    """A comparison of two Chasers. Words of refusals are an emulator's own, and compared with another's only."""
    left, right = sides
    wordings = left.steered and right.steered
    return Comparison(left, right, Answers(document, left.names(), right.names(), known, wordings))


@functools.lru_cache(maxsize=1024)
def looks(document: Document, operation_id: str) -> Sequence[tuple[str, Mapping[str, str]]]:
    """How what an operation makes or changes is looked at: an operation, and the expressions of its path."""
    operation = document.operation(operation_id)
    root = document.spec.document
    node = root["paths"][operation.path][operation.method.lower()]
    found: dict[str, Mapping[str, str]] = {}
    for response in node["responses"].values():
        for link in response.get("links", {}).values():
            if link["operationId"] in _MOVING and link.get("parameters"):
                found.setdefault(link["operationId"], link["parameters"])
    for other in _MOVING:
        # What is below it in the path changes it.
        path = document.operations[other].path if other in document.operations else None
        if path is not None and (operation.path == path or operation.path.startswith(f"{path}/")):
            names = [one.name for one in document.operations[other].parameters if one.location == "path"]
            found.setdefault(other, {name: f"$request.path.{name}" for name in names})
    return list(found.items())


def _state(exchange: Exchange) -> str | None:
    """The state that an answer about one thing says it is in."""
    try:
        body = exchange.json
    except ValueError:
        return None
    return str(body.get("status")) if isinstance(body, Mapping) else None


def moves(exchange: Exchange, operation_id: str) -> bool:
    return exchange.status == 200 and _state(exchange) in _MOVING[operation_id]


def holds_moving(exchange: Exchange) -> bool:
    """Whether anything in an answer is on its way to another state."""
    body = body_of(exchange)
    return any(place.endswith("/status") and value in _ANY_MOVING for place, value in places(body))


def _equal(pair: Pair, again: Pair) -> bool:
    return all(one.status == other.status and one.body == other.body for one, other in zip(pair, again, strict=True))


def common_fields(pair: Pair, watched: list[tuple[Operation, Pair]]) -> set[str]:
    """The fields of an answer about something that moved while it was written; it is compared as it came to rest."""
    bodies = [body_of(one) for one in pair]
    states = [body.get("status") for body in bodies if isinstance(body, Mapping)]
    if len(set(states)) < 2 or not _ANY_MOVING & set(map(str, states)):
        return set()
    found = {"status"}
    for _, looked in watched:
        for one in looked:
            body = body_of(one)
            found |= set(body) if isinstance(body, Mapping) else set()
    return found - {"id"}
