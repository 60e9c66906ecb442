"""What a client of a world asked and got, to be looked through and asserted on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, TypedDict, Unpack

from chaser_emulator.durations import Duration, seconds_of
from chaser_emulator.embedded.asking import Door
from chaser_emulator.embedded.clocks import moment

_SHOWN = 40
"""Lines of the journal in a message."""


@dataclass(frozen=True)
class Exchange:
    """A request and its answer. Secrets are hidden; `status` is None where no answer was sent, `code` is a refusal's.

    `operation` is the document's operationId. Bodies are JSON values or texts. `raw` is all that the emulator told.
    """

    number: int
    request_id: str
    at: datetime
    method: str
    path: str
    query: str
    operation: str | None
    status: int | None
    code: str | None
    fault: str | None
    duration_ms: float
    request_headers: Mapping[str, str]
    request_body: Any
    response_headers: Mapping[str, str]
    response_body: Any
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def session_id(self) -> str | None:
        """The session that it is about: in its path, in its body, or made by it."""
        parts = self.path.split("/")
        if parts[1:3] == ["v1", "sessions"] and len(parts) > 3 and parts[3] != "bulk-terminate":
            return parts[3]
        if parts[1:2] == ["s"] and len(parts) > 2:
            return parts[2]
        for body in (self.request_body, self.response_body):
            if isinstance(body, Mapping) and isinstance(found := body.get("session_id"), str):
                return found
        made = self.response_body
        if self.operation == "create-session" and isinstance(made, Mapping) and isinstance(made.get("id"), str):
            return str(made["id"])
        return None

    @property
    def answered(self) -> bool:
        """Whether an answer was sent that is no refusal."""
        return self.status is not None and self.status < 400

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        status = "lost" if self.status is None else str(self.status)
        more = "".join(f" {word}" for word in (self.code, self.fault and f"(fault {self.fault})") if word)
        said = f"{self.method} {self.path}{query}  {status}{more}"
        return f"#{self.number} {self.operation or '-'}  {said}  {self.duration_ms:.1f} ms  {self.request_id}"


class What(TypedDict, total=False):
    """What an exchange is to be like, beside its operation; all that is given must be true of it.

    `path` may have wildcards, `status` may be a range such as `range(500, 600)`, `body` are fields of the request's
    body, and of what is in them. `after` and `before` are an exchange, or an operation: the first of it that was
    answered (with `session_id` for that session). `where` is a question of one's own.
    """

    method: str | None
    path: str | None
    status: int | range | None
    code: str | None
    session_id: str | None
    account_id: str | None
    body: Mapping[str, Any] | None
    after: str | Exchange | None
    before: str | Exchange | None
    where: Callable[[Exchange], bool] | None


class Requests:
    """The journal of a world: every request to it and what was answered, oldest first.

    `operation` is everywhere an operationId such as `exec-session`, or one with wildcards; None is any.
    """

    def __init__(self, door: Door, world: str) -> None:
        self._door = door
        self._world = world

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "\n".join(map(str, self.all())) or "<no request yet>"

    def all(self) -> list[Exchange]:
        """Every exchange that the world remembers: the last thousand."""
        found = self._door.ask("GET", "/requests", world=self._world, limit=1000)
        return [_exchange(one) for one in found["requests"]]

    def clear(self) -> None:
        """Forget them; later ones are numbered on."""
        self._door.ask("DELETE", "/requests", world=self._world)

    @property
    def last(self) -> Exchange:
        """The newest. Raises AssertionError where there is none."""
        found = self.all()
        if not found:
            raise AssertionError("no request has come yet")
        return found[-1]

    def find(self, operation: str | None = None, **what: Unpack[What]) -> list[Exchange]:
        """Those of which all of it is true, oldest first."""
        __tracebackhide__ = True
        return _Question(operation, **what).of(self.all())

    def count(self, operation: str | None = None, **what: Unpack[What]) -> int:
        """How many `find` finds."""
        return len(self.find(operation, **what))

    def one(self, operation: str | None = None, **what: Unpack[What]) -> Exchange:
        """The only one. Raises AssertionError for none and for several."""
        __tracebackhide__ = True
        return self._asserted(_Question(operation, **what), 1, 1)[0]

    def assert_called(
        self,
        operation: str | None = None,
        *,
        times: int | None = None,
        at_least: int = 1,
        at_most: int | None = None,
        **what: Unpack[What],
    ) -> list[Exchange]:
        """That it was: `times` exactly, or as often as the bounds say. Answers those; takes what `find` takes."""
        __tracebackhide__ = True
        low, high = (times, times) if times is not None else (at_least, at_most)
        return self._asserted(_Question(operation, **what), low, high)

    def assert_not_called(self, operation: str | None = None, **what: Unpack[What]) -> None:
        """That it was not; takes what `find` takes."""
        __tracebackhide__ = True
        self._asserted(_Question(operation, **what), 0, 0)

    def assert_order(self, *operations: str, session_id: str | None = None) -> list[Exchange]:
        """That these came in this order, others between them or not. Answers those."""
        __tracebackhide__ = True
        every, at = self.all(), 0
        found: list[Exchange] = []
        for operation in operations:
            question = _Question(operation, session_id=session_id)
            fitting = next((one for one in question.of(every) if one.number > at), None)
            if fitting is None:
                wanted = " -> ".join(operations)
                done = f"after #{at} no {operation} came" if at else f"no {operation} came"
                raise AssertionError(f"expected {wanted}, but {done}\n{_journal(every, found)}")
            found.append(fitting)
            at = fitting.number
        return found

    def assert_no_errors(self, **what: Unpack[What]) -> None:
        """That nothing was refused or lost."""
        __tracebackhide__ = True
        every = self.all()
        wrong = [one for one in _Question(None, **what).of(every) if not one.answered]
        if wrong:
            count = "a request was" if len(wrong) == 1 else f"{len(wrong)} requests were"
            raise AssertionError(f"{count} refused or lost\n{_journal(every, wrong)}")

    def wait_for(self, operation: str | None = None, *, within: Duration = 5, **what: Unpack[What]) -> Exchange:
        """The first that fits, once there is one, for what asks in the background. `within` is real time."""
        __tracebackhide__ = True
        question = _Question(operation, **what)
        end = time.monotonic() + seconds_of(within)
        while not (found := question.of(every := self.all())):
            if time.monotonic() >= end:
                raise AssertionError(f"{question} did not come within {within}\n{_journal(every, [])}")
            time.sleep(0.01)
        return found[0]

    def _asserted(self, question: _Question, low: int, high: int | None) -> list[Exchange]:
        __tracebackhide__ = True
        every = self.all()
        found = question.of(every)
        if len(found) >= low and (high is None or len(found) <= high):
            return found
        wanted = _times(low) if low == high else f"at least {_times(low)}" if high is None else f"{low} to {high} times"
        was = f"was called {_times(len(found))}" if found else "was not called"
        text = f"{question} {was}, expected {'it not to be' if high == 0 else wanted}"
        raise AssertionError(f"{text}\n{_journal(every, found)}")


@dataclass(frozen=True)
class _Question:
    """What an exchange is to be like."""

    operation: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | range | None = None
    code: str | None = None
    session_id: str | None = None
    account_id: str | None = None
    body: Mapping[str, Any] | None = None
    after: str | Exchange | None = None
    before: str | Exchange | None = None
    where: Callable[[Exchange], bool] | None = None

    def __post_init__(self) -> None:
        __tracebackhide__ = True
        for one in (self.operation, self.after, self.before):
            if isinstance(one, str):
                _known(one)
        # What can never be so would make each `assert_not_called` hold.
        if not isinstance(self.status, (int, range, type(None))):
            raise TypeError(f"status={self.status!r} must be a number, or a range of them")
        if self.where is not None and not callable(self.where):
            raise TypeError(f"where={self.where!r} must be a function of an exchange; body= is what its request holds")

    def of(self, every: Sequence[Exchange]) -> list[Exchange]:
        low = self._bound(every, self.after, default=0)
        high = self._bound(every, self.before, default=None)
        if low is None:
            return []
        found = [one for one in every if one.number > low and (high is None or one.number < high) and self._fits(one)]
        return found if self.before is None or high is not None else []

    def _bound(self, every: Sequence[Exchange], edge: str | Exchange | None, *, default: int | None) -> int | None:
        """The number of the exchange before or after which it must lie; of an operation the first that was answered."""
        if edge is None:
            return default
        if isinstance(edge, Exchange):
            return edge.number
        question = _Question(edge, session_id=self.session_id)
        return next((one.number for one in question.of(every) if one.answered), None)

    def _fits(self, one: Exchange) -> bool:
        return (
            (self.operation is None or _same(one.operation, self.operation))
            and (self.method is None or one.method == self.method.upper())
            and (self.path is None or fnmatchcase(one.path, self.path))
            and (self.status is None or _in(one.status, self.status))
            and (self.code is None or one.code == self.code)
            and (self.session_id is None or one.session_id == self.session_id)
            and (self.account_id is None or one.raw.get("account_id") == self.account_id)
            and (self.body is None or _holds(one.request_body, self.body))
            and (self.where is None or self.where(one))
        )

    def __str__(self) -> str:
        said = {
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "code": self.code,
            "account_id": self.account_id,
            "body": self.body,
        }
        words = [self.operation or "a request", *(f"{name}={value!r}" for name, value in said.items() if value)]
        words += [f"for session {self.session_id}"] if self.session_id else []
        for name in ("after", "before"):
            if (edge := getattr(self, name)) is not None:
                words.append(f"{name} {f'#{edge.number}' if isinstance(edge, Exchange) else edge}")
        return " ".join(words)


def _same(operation: str | None, wanted: str) -> bool:
    return operation is not None and fnmatchcase(operation, wanted.replace("_", "-"))


def _in(status: int | None, wanted: int | range) -> bool:
    return status is not None and (status in wanted if isinstance(wanted, range) else status == wanted)


def _holds(body: Any, wanted: Any) -> bool:
    """Whether a body has the fields that are wanted, and below them as well."""
    if isinstance(wanted, Mapping):
        return isinstance(body, Mapping) and all(name in body and _holds(body[name], wanted[name]) for name in wanted)
    return bool(body == wanted)


@cache
def _operations() -> frozenset[str]:
    # Imported on use: only who names an operation needs it.
    from chaser_emulator import handlers
    from chaser_emulator.operations import HANDLERS

    handlers.load()
    return frozenset(HANDLERS)


@cache
def _known(operation: str) -> None:
    """Raise ValueError for an operation that the document does not have: nothing could ever be one."""
    __tracebackhide__ = True
    name = operation.replace("_", "-")
    if any(fnmatchcase(one, name) for one in _operations()):
        return
    import difflib

    near = difflib.get_close_matches(name, _operations(), 1)
    raise ValueError(f"the API has no operation {operation!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")


def _journal(every: Sequence[Exchange], meant: Sequence[Exchange]) -> str:
    if not every:
        return "No request has come."
    marked = {one.number for one in meant}
    listed = [f"{'>' if one.number in marked else ' '} {one}" for one in every[-_SHOWN:]]
    left = len(every) - len(listed)
    return "\n".join(["Requests so far:", *([f"  ... {left} before these"] if left else []), *listed])


def _exchange(told: Mapping[str, Any]) -> Exchange:
    path, _, query = str(told["path"]).partition("?")
    return Exchange(
        number=told["number"],
        request_id=told["request_id"],
        at=moment(told["at"]),
        method=told["method"],
        path=path,
        query=told.get("query") or query,
        operation=told.get("operation"),
        status=told.get("status"),
        code=told.get("code"),
        fault=told.get("fault"),
        duration_ms=told.get("duration_ms", 0.0),
        request_headers=told.get("request_headers", {}),
        request_body=told.get("request_body"),
        response_headers=told.get("response_headers", {}),
        response_body=told.get("response_body"),
        raw=told,
    )
