"""Planned faults of a world: what goes wrong, for which calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from chaser_emulator.durations import Duration, seconds_of
from chaser_emulator.embedded.asking import Door, segment
from chaser_emulator.embedded.placed import InPlace, unless_gone


class Fault(InPlace):
    """A rule that is in force until it is removed, or the block ends that it is entered in."""

    def __init__(self, faults: Faults, told: Mapping[str, Any]) -> None:
        self._faults = faults
        self._told = dict(told)
        self.id = str(told["id"])

    @property
    def info(self) -> dict[str, Any]:
        """The rule as it was understood, and how often it has matched and acted; as it was when it was removed."""
        with unless_gone():
            self._told = self._faults.get(self.id)
        return dict(self._told)

    @property
    def matched(self) -> int:
        """How many calls it was about so far."""
        return int(self.info["matched"])

    @property
    def acted(self) -> int:
        """How many of them it has acted on."""
        return int(self.info["acted"])

    def remove(self) -> None:
        """Let it end; one that has been removed already is fine."""
        self._told = self.info
        with unless_gone():
            self._faults.remove(self.id)

    def __repr__(self) -> str:
        return f"Fault({self._told!r})"


class Faults:
    """The planned faults of a world. The first rule that is about a call, and still may, acts on it."""

    def __init__(self, door: Door, world: str) -> None:
        self._door = door
        self._world = world

    def add(
        self,
        *operations: str,
        id: str | None = None,  # noqa: A002 - the field's name
        error: str | Mapping[str, Any] | None = None,
        answer: int | Mapping[str, Any] | None = None,
        lost: bool | str | Mapping[str, Any] | None = None,
        reset: bool | str | Mapping[str, Any] | None = None,
        truncate: bool | int | Mapping[str, Any] | None = None,
        latency: Duration | Sequence[float] | None = None,
        slow: Duration | Mapping[str, Any] | None = None,
        drop: bool | int | Mapping[str, Any] | None = None,
        raise_: bool | str | Mapping[str, Any] | None = None,
        engine: str | Mapping[str, Any] | None = None,
        webhook: str | Mapping[str, Any] | None = None,
        when: Literal["before", "after"] | None = None,
        calls: int | str | Sequence[int | str] | None = None,
        times: int | None = None,
        probability: float | None = None,
        seed: int | None = None,
        account: str | None = None,
        key: str | None = None,
        path: Mapping[str, str] | None = None,
        events: str | Sequence[str] | None = None,
        webhook_id: str | None = None,
    ) -> Fault:
        """One rule, with one effect, for these operations (ids, wildcards, tags; none: all that can have it).

        `error="rate_limited"` is a true refusal, `answer=502` any answer; `lost=True` makes the change and loses the
        answer, `reset=True` cuts the connection before anything is done; `truncate`, `latency`, `slow`, `drop` are of
        the connection, `raise_` fails inside; `engine` and `webhook` are of the sandbox and of deliveries. `calls` are
        the numbers of the calls meant: 2, "2-3", "4-"; `times` is how often it acts at most. Raises Refused for a rule
        that can never act.
        """
        __tracebackhide__ = True
        rule: dict[str, Any] = {
            "id": id,
            "operations": [one.replace("_", "-") for one in operations] or None,
            "error": error,
            "answer": answer,
            "lost": lost,
            "reset": reset,
            "truncate": truncate,
            "latency": _seconds(latency),
            "slow": _seconds(slow),
            "drop": drop,
            "raise": raise_,
            "engine": engine,
            "webhook": webhook,
            "when": when,
            "calls": calls,
            "times": times,
            "probability": probability,
            "seed": seed,
            "account": account,
            "key": key,
            "path": path,
            "events": [events] if isinstance(events, str) else events,
            "webhook_id": webhook_id,
        }
        return self.add_rule({name: value for name, value in rule.items() if value is not None})

    def add_rule(self, rule: Mapping[str, Any]) -> Fault:
        """A rule as the control plane takes it."""
        __tracebackhide__ = True
        return Fault(self, self._ask("POST", "/faults", dict(rule)))

    def all(self) -> list[Fault]:
        """The rules in force, in the order in which they are asked."""
        return [Fault(self, one) for one in self._ask("GET", "/faults")["faults"]]

    def get(self, fault_id: str) -> dict[str, Any]:
        """One as the control plane tells of it."""
        found: dict[str, Any] = self._ask("GET", f"/faults/{segment(fault_id)}")
        return found

    def remove(self, fault_id: str) -> None:
        """Let a rule end."""
        self._ask("DELETE", f"/faults/{segment(fault_id)}")

    def clear(self) -> None:
        """Let all of them end."""
        self._ask("DELETE", "/faults")

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def __bool__(self) -> bool:
        return True

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        __tracebackhide__ = True
        return self._door.ask(method, path, body, world=self._world)


def _seconds(given: Any) -> Any:
    return seconds_of(given) if isinstance(given, (str, timedelta)) else given
