"""Subject: one Chaser in the hands of a promise, with callers, fresh names, examples that shrink, and cases."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import httpx
import hypothesis
from chaser_emulator.embedded import Refused
from chaser_emulator.embedded.chaser import Chaser
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.internal.conjecture import engine
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from chaser_contract import secret
from chaser_contract.broken import Broken, NotTried
from chaser_contract.client import Answer, Client
from chaser_contract.document import Document
from chaser_contract.exchanges import KEY, OTHER_KEY, PEER_KEY, Exchange
from chaser_contract.findings import Finding
from chaser_contract.live import PREFIX
from chaser_contract.live.stopping import BudgetSpent

T = TypeVar("T")

# There is no setting for it; by itself Hypothesis looks for a shorter way to a finding for five minutes.
engine.MAX_SHRINKING_SECONDS = 10

_STEPS = 30
"""Exchanges that a finding shows at most, the last ones."""


@dataclass
class Subject:
    """What a promise is tried on. `emulator` steers it (clock, faults, sink), and is None for the real service.

    A promise raises Broken, or has it collected by `case`; what it makes need not be removed from an emulator.
    """

    part: str
    document: Document
    http: httpx.Client
    url: str
    api_key: str = field(repr=False)
    peer_key: str | None = field(default=None, repr=False)
    emulator: Chaser | None = None
    seed: int = 0
    examples: int = 10
    stateful: bool = False
    findings: list[Finding] = field(default_factory=list)
    seen: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    requests: int = 0
    prefix: str = PREFIX
    left_out: list[str] = field(default_factory=list)
    _steps: list[Exchange] = field(default_factory=list)
    _secrets: dict[str, str] = field(default_factory=dict)
    _names: int = 0
    _broke: Broken | None = None
    """What the last machine that broke a promise raised."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - it decides what is tried, and hides nothing
        self._secrets[self.api_key] = KEY
        if self.peer_key is not None:
            self._secrets[self.peer_key] = PEER_KEY

    # Callers

    @cached_property
    def client(self) -> Client:
        """The caller whose key the run was given."""
        return Client(self.document, self.http, self._record, self.api_key)

    def ask(self, operation_id: str, **request: Any) -> Answer:
        """`client.ask`."""
        return self.client.ask(operation_id, **request)

    def as_(self, credential: str | None, *, account: str | None = None) -> Client:
        """Another caller, such as one with a key that was made on the way; None is nobody."""
        if credential is not None:
            self._secrets.setdefault(credential, OTHER_KEY)
        return Client(self.document, self.http, self._record, credential, account)

    @property
    def nobody(self) -> Client:
        return self.as_(None)

    @property
    def peer(self) -> Client:
        """Another user, who has nothing to do with the first. Raises NotTried where there is no key of one."""
        if self.peer_key is None:
            raise NotTried("it takes the key of another user: --peer-key")
        return self.as_(self.peer_key)

    @property
    def steered(self) -> Chaser:
        """The emulator. Raises NotTried where the target is none."""
        if self.emulator is None:
            raise NotTried("it takes an emulator, whose clock and state can be steered")
        return self.emulator

    @property
    def scripted(self) -> bool:
        """Whether commands get answers of stubs, and none runs: only such an emulator tells of its stubs."""
        if self.emulator is None:
            return False
        try:
            self.emulator.stubs.listed()
        except Refused as refused:
            if refused.code != "conflict":
                raise
            return False
        return True

    def name(self, kind: str = "it") -> str:
        """A name that nothing has yet, and by which what a run has made can be told."""
        self._names += 1
        return f"{self.prefix}{kind}-{self.random.getrandbits(32):08x}-{self._names}"

    # Trying

    def require(self, condition: object, promise: str, came: str, *, pointer: str = "") -> None:
        """Raise Broken for a promise that is not about one answer; the last exchange shows it."""
        if not condition:
            raise Broken(promise, came, pointer=pointer, exchange=self.last)

    @contextmanager
    def case(self) -> Iterator[None]:
        """One of several cases of a promise: what is broken in it is kept, and the promise goes on with the next.

        So it does where one cannot be tried on this target.
        """
        self.begin()
        try:
            yield
        except Broken as broken:
            self.found(broken)
        except BudgetSpent:
            raise
        except NotTried as error:
            self.left_out.append(str(error))

    def for_all(
        self, strategy: st.SearchStrategy[T], check: Callable[[T], None], *, examples: int | None = None
    ) -> None:
        """Try a check on values that Hypothesis draws. Raises Broken for the smallest that breaks it."""

        @self._settings(examples)
        @hypothesis.seed(self.seed)
        @hypothesis.given(strategy)
        def run(value: T) -> None:
            self.begin()
            check(value)

        self._hypothesis(run)

    def machine(
        self, make: Callable[[], RuleBasedStateMachine], *, examples: int | None = None, steps: int = 20
    ) -> None:
        """Try sequences of a state machine's rules. Raises Broken for the shortest that breaks a promise."""

        @hypothesis.seed(self.seed)
        def factory() -> RuleBasedStateMachine:
            self.begin()
            return self._watched(make())

        settings = self._settings(examples, stateful_step_count=steps)
        self._hypothesis(lambda: run_state_machine_as_test(factory, settings=settings))  # type: ignore[arg-type]

    def _watched(self, machine: RuleBasedStateMachine) -> RuleBasedStateMachine:
        """A machine of which it is kept what it raises: a repetition that goes otherwise would hide that."""
        teardown = machine.teardown

        def watched() -> None:
            error = sys.exc_info()[1]
            if isinstance(error, Broken):
                self._broke = error
            teardown()

        machine.teardown = watched  # type: ignore[method-assign]
        return machine

    def begin(self) -> None:
        """Forget the exchanges so far: they have nothing to do with what comes."""
        self._steps.clear()

    def found(self, broken: Broken, *, repeats: bool = True, steps: Sequence[Exchange] | None = None) -> None:
        """Keep a finding, with the exchanges that led to it: all since `begin`, unless `steps` says which."""
        steps = list(self._steps if steps is None else steps)
        if broken.exchange is not None and broken.exchange in steps:
            steps = steps[: steps.index(broken.exchange) + 1]
        elif broken.exchange is not None:
            steps.append(broken.exchange)
        pointer = broken.pointer or self._place(broken.exchange)
        self.findings.append(
            Finding(
                self.part, broken.promise, _hidden(broken.came, self._secrets), pointer, broken.kind,
                tuple(one.without(self._secrets) for one in steps[-_STEPS:]), repeats,
            )
        )  # fmt: skip

    @property
    def last(self) -> Exchange | None:
        """The last exchange since `begin`."""
        return self._steps[-1] if self._steps else None

    def _place(self, exchange: Exchange | None) -> str:
        """Where the document speaks of an exchange's answer."""
        if exchange is None or exchange.operation is None or exchange.status is None:
            return ""
        return self.document.response_pointer(self.document.operation(exchange.operation), exchange.status)

    def _settings(self, examples: int | None, **more: Any) -> hypothesis.settings:
        return hypothesis.settings(
            max_examples=self.examples if examples is None else examples,
            deadline=None,
            database=None,
            derandomize=False,
            print_blob=False,
            report_multiple_bugs=False,
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate, hypothesis.Phase.shrink),
            suppress_health_check=list(hypothesis.HealthCheck),
            verbosity=hypothesis.Verbosity.quiet,
            **more,
        )

    def _hypothesis(self, run: Callable[[], object]) -> None:
        self._broke = None
        try:
            run()
        except Flaky as flaky:
            # What came once, and not again by the same requests, is a finding: what was there before has a part in it.
            raised = getattr(flaky, "exceptions", ())
            broken = next((one for one in raised if isinstance(one, Broken)), self._broke)
            if broken is None:
                not_tried = next((one for one in raised if isinstance(one, NotTried)), None)
                raise flaky if not_tried is None else not_tried from None
            self.found(broken, repeats=False)

    def _record(self, exchange: Exchange) -> None:
        self._steps.append(exchange)
        self.saw(exchange)

    def saw(self, exchange: Exchange) -> None:
        """Count an exchange."""
        self.requests += 1
        if exchange.operation is not None and exchange.status is not None:
            axis = "refused" if exchange.status >= 400 else "driven"
            self.seen[exchange.operation, exchange.status, axis] += 1
            if self.stateful:
                self.seen[exchange.operation, exchange.status, "stateful"] += 1


def _hidden(text: str, secrets: dict[str, str]) -> str:
    """What came without secrets: those that callers have, and whatever has the form of one."""
    for value, name in secrets.items():
        text = text.replace(value, name)
    return secret.CREDENTIAL.sub("(hidden)", text)
