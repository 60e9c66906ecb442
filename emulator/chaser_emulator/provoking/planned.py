"""Failures that are planned for one call alone: a handler that breaks, an engine that does not do what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from chaser_emulator.faults import calling
from chaser_emulator.faults.answered import PlannedFailure
from chaser_emulator.operations import Call
from chaser_emulator.sandbox.failing import Attempt, Failure
from chaser_emulator.sandbox.failing import Operation as EngineOperation


@dataclass(frozen=True)
class Concerned:
    """Which calls a failure is for: those of an operation by one principal (None: anybody).

    With `request_id`, only the one call that has it.
    """

    operation: str
    principal_id: str | None
    request_id: str | None

    def has(self, call: Call) -> bool:
        if call.operation.id != self.operation:
            return False
        if self.request_id is not None:
            return call.request_id == self.request_id
        known = call.known_principal
        return self.principal_id is None or (known is not None and known.id == self.principal_id)


@dataclass(frozen=True)
class _EngineFailure:
    concerned: Concerned | None
    fits: Callable[[Attempt], bool]
    failure: Failure


class Strikes(Protocol):
    """Something arranged, which can be undone."""

    async def strike(self) -> None: ...
    def info(self, name: str) -> dict[str, Any]: ...


@dataclass
class PlannedFailures:
    """All that is planned in one world. Nothing is, nearly always, and then nothing is looked at."""

    standing: dict[str, Strikes] = field(default_factory=dict)
    """What was arranged for the client of a user, by its name, until it is undone."""
    _handlers: list[Concerned] = field(default_factory=list)
    _engine: list[_EngineFailure] = field(default_factory=list)

    @contextmanager
    def of_handler(self, concerned: Concerned) -> Iterator[None]:
        """Let the handler of these calls fail for as long as the block lasts."""
        self._handlers.append(concerned)
        try:
            yield
        finally:
            self._handlers.remove(concerned)

    @contextmanager
    def of_engine(
        self,
        operation: EngineOperation,
        failure: Failure,
        *,
        concerned: Concerned | None = None,
        session_id: str | None = None,
    ) -> Iterator[None]:
        """Let the engine fail at this for as long as the block lasts: within these calls, or in this session."""

        def fits(attempt: Attempt) -> bool:
            return attempt.operation == operation and session_id in (None, attempt.session_id)

        planned = _EngineFailure(concerned, fits, failure)
        self._engine.append(planned)
        try:
            yield
        finally:
            self._engine.remove(planned)

    async def close(self) -> None:
        """Undo whatever still stands, at the end of a world."""
        while self.standing:
            await self.standing.popitem()[1].strike()

    def break_handler(self, call: Call) -> None:
        """Raise PlannedFailure where one is planned for this call."""
        if any(concerned.has(call) for concerned in self._handlers):
            raise PlannedFailure(f"{call.operation.id} fails, as was asked for")

    def engine_failure(self, attempt: Attempt) -> Failure | None:
        """What is planned for an attempt of the engine: the plan of a FailingEngine."""
        if not self._engine:
            return None
        calls = calling.under_way()
        for planned in self._engine:
            concerned = planned.concerned
            if planned.fits(attempt) and (concerned is None or any(concerned.has(call) for call in calls)):
                return planned.failure
        return None
