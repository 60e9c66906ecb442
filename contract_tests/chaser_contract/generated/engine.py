"""Schemathesis itself, run in this process: its phases over some operations of a document, as events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import requests
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.context import EngineContext
from schemathesis.engine.core import EventStream, ExecutionPlan
from schemathesis.engine.events import EngineEvent, PhaseStarted
from schemathesis.engine.observations import Observations
from schemathesis.engine.run import PhaseName
from schemathesis.schemas import BaseSchema

from chaser_contract.generated import checking

PHASES = {
    "examples": PhaseName.EXAMPLES,
    "coverage": PhaseName.COVERAGE,
    "fuzzing": PhaseName.FUZZING,
    "stateful": PhaseName.STATEFUL_TESTING,
}


def events(
    document: Mapping[str, Any],
    config: Mapping[str, Any],
    session: requests.Session,
    operations: Collection[str],
    phases: Collection[str],
    fresh: Callable[[], object] | None = None,
) -> Iterator[EngineEvent]:
    """What happens in a run over some operations, by their ids; `config` is that of a `schemathesis.toml`.

    `fresh` makes all as it was, before each sequence.
    """
    checking.register()
    schema: BaseSchema = schemathesis.openapi.from_dict(
        dict(document), config=SchemathesisConfig.from_dict(dict(config))
    )
    # An `include` would be one more, beside all those that the configuration says something about.
    others = [name for name in _ids(document) if name not in operations]
    if others:
        schema = schema.exclude(operation_id=others)
    schema.hook(checking.filter_failure)
    schema.config.phases.update(phases=list(phases))
    if fresh is not None:
        schema.build_state_machine = _afresh(schema.build_state_machine, fresh)  # type: ignore[method-assign]
    engine = from_schema(schema)
    # Without the requests that look for what a server can take, nobody asks anything but what is promised.
    plan = ExecutionPlan([
        engine.get_phase_config(PHASES[name], is_supported=True, requires_transitions=name == "stateful")
        for name in PHASES
        if name in phases
    ])  # fmt: skip
    stop = threading.Event()
    context = _Context(schema, session, stop)
    for event in EventStream(plan.execute(context), stop):
        if isinstance(event, PhaseStarted):
            # Cases of the other phases are as small as they get; of these the smallest is looked for.
            schema.config.continue_on_failure = event.phase.name in (PhaseName.EXAMPLES, PhaseName.COVERAGE)
        yield event


def _ids(document: Mapping[str, Any]) -> list[str]:
    methods = (method for path in document["paths"].values() for method in path.values() if isinstance(method, dict))
    return [method["operationId"] for method in methods if "operationId" in method]


def _afresh(make: Callable[..., type[Any]], fresh: Callable[[], object]) -> Callable[..., type[Any]]:
    """State machines that each begin with the same state: else Hypothesis, which tries to repeat itself, gives up."""

    def made(**how: Any) -> type[Any]:
        class Afresh(make(**how)):  # type: ignore[misc]
            def __init__(self) -> None:
                fresh()
                super().__init__()

        return Afresh

    return made


class _Context(EngineContext):
    """The context of a run whose requests all go by one session."""

    __slots__ = ("_session",)

    def __init__(self, schema: BaseSchema, session: requests.Session, stop: threading.Event) -> None:
        super().__init__(schema=schema, stop_event=stop, observations=Observations())
        self._session = session

    def get_session(self, *, operation: Any = None) -> requests.Session:
        return self._session
