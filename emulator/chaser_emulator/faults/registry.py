"""Faults: the rules of one world in their order, how often each has matched and acted, and what is planned by them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chaser_emulator.errors import ApiError, invalid_field
from chaser_emulator.faults import calling
from chaser_emulator.journal import exchange_of
from chaser_emulator.paths import decode_segment
from chaser_emulator.spec import Spec
from chaser_emulator.store import Row, Store

if TYPE_CHECKING:
    from chaser_emulator.faults import effects
    from chaser_emulator.faults.acting import Plan
    from chaser_emulator.faults.rule import Fault
    from chaser_emulator.operations import Call
    from chaser_emulator.sandbox.failing import Attempt, Failure
    from chaser_emulator.webhooks.misbehaving import DeliveryFault

MOST = 1000
"""Rules of one world."""


class Planned:
    """A rule at work. `over` is set once it is removed: whoever waits for its sake waits no longer."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.matched = 0
        self.acted = 0
        self.random = random.Random(fault.seed)  # noqa: S311 - the same in every run, which is what it is for
        self.over = asyncio.Event()

    @property
    def spent(self) -> bool:
        """Whether it never acts again."""
        last = self.fault.last_call
        used_up = self.fault.times is not None and self.acted >= self.fault.times
        return used_up or (last is not None and self.matched >= last)

    def is_due(self) -> bool:
        """Count a call that matches, and say whether the rule would act on it."""
        self.matched += 1
        if not self.fault.is_about(self.matched):
            return False
        # Drawn whether or not it is needed, so that what is drawn for a call depends on its number alone.
        drawn = self.fault.probability >= 1 or self.random.random() < self.fault.probability
        return drawn and (self.fault.times is None or self.acted < self.fault.times)

    def act(self) -> None:
        self.acted += 1

    def take_back(self) -> None:
        """It was about to act, and there was nothing to act on."""
        self.acted -= 1

    def seconds(self, latency: effects.Latency) -> float:
        if latency.shortest == latency.longest:
            return latency.shortest
        return self.random.uniform(latency.shortest, latency.longest)

    def info(self) -> dict[str, Any]:
        return self.fault.info() | {"matched": self.matched, "acted": self.acted, "spent": self.spent}


class Faults:
    """The rules of one world. Of those of a layer that match a call, the first that would act does, and it alone.

    Every rule counts the calls that it matches, whichever acts.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: dict[str, Planned] = {}
        self._layers: Mapping[effects.Layer, Sequence[Planned]] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Planned]:
        return iter(list(self._rules.values()))

    # Adding and removing

    async def add(self, rules: Sequence[Any], spec: Spec, pointers: Sequence[str] | None = None) -> list[Planned]:
        """Add rules, given as JSON, behind those that are there: all, or none where one is refused.

        `spec` is Chaser's document; `pointers` say where in what was sent each of them stands. Raises ApiError.
        """
        # A start need not wait for what reads rules.
        from chaser_emulator.faults import checking, reading

        added: list[Planned] = []
        number = self._number
        for index, value in enumerate(rules):
            pointer = pointers[index] if pointers is not None else ""
            fault = reading.read(value, pointer)
            ahead = [*self._rules.values(), *added]
            taken = {planned.fault.id for planned in ahead}
            if fault.id in taken:
                raise invalid_field(f"{pointer}/id", f"there is a rule {fault.id!r} already")
            while not fault.id or fault.id in taken:
                number += 1
                fault = replace(fault, id=f"fault-{number}")
                if fault.id in taken:
                    fault = replace(fault, id="")
            earlier = [planned.fault for planned in ahead if not planned.spent]
            added.append(Planned(await checking.checked(fault, spec, self._store, earlier, pointer)))
            if len(ahead) >= MOST:
                raise ApiError("invalid_request", f"a world holds at most {MOST} rules; remove some")
        # Another request may have added some while the store was asked.
        for planned in added:
            if planned.fault.id in self._rules:
                raise invalid_field("/id", f"there is a rule {planned.fault.id!r} already")
        self._number = max(self._number, number)
        self._rules.update({planned.fault.id: planned for planned in added})
        self._changed()
        return added

    def get(self, fault_id: str) -> Planned:
        """Raises ApiError `not_found`."""
        try:
            return self._rules[fault_id]
        except KeyError:
            known = ", ".join(list(self._rules)[:6]) or "none"
            raise ApiError("not_found", f"there is no fault {fault_id!r}; there are: {known}") from None

    def remove(self, fault_id: str) -> Planned:
        """Remove a rule; calls that it holds go on, and connections that hang for its sake are closed."""
        planned = self.get(fault_id)
        del self._rules[fault_id]
        planned.over.set()
        self._changed()
        return planned

    def clear(self) -> int:
        """Remove all rules; answers how many there were."""
        count = len(self._rules)
        for planned in self._rules.values():
            planned.over.set()
        self._rules.clear()
        self._changed()
        return count

    close = clear

    async def copy_to(self, fork: Faults) -> None:
        """Give a fork of this world the same rules, as if none of them had matched yet."""
        for name, planned in self._rules.items():
            fault = planned.fault
            if fault.key is not None and not await fork._store.all("SELECT 1 FROM keys WHERE id = ?", fault.key):
                # The first user's own key is another one in each world.
                own = await fork._store.one("SELECT id FROM keys WHERE account_id IS NULL")
                fault = fault if own is None else replace(fault, key=str(own["id"]))
            fork._rules[name] = Planned(fault)
        fork._number = self._number
        fork._changed()

    def _changed(self) -> None:
        layers: dict[effects.Layer, list[Planned]] = {}
        for planned in self._rules.values():
            layers.setdefault(planned.fault.layer, []).append(planned)
        self._layers = layers

    # What is planned

    def plan(self, call: Call) -> Plan | None:
        """What is planned for a call, as far as it has been read: who calls is known, where they are let in."""
        if not self._layers:
            return None
        from chaser_emulator.faults import effects
        from chaser_emulator.faults.acting import Plan

        chosen = _first_due(
            planned
            for planned in self._layers.get("request", ())
            if not (call.http is None and effects.needs_connection(planned.fault.effect))
            and _matches(planned.fault, call)
        )
        return None if chosen is None else Plan(chosen, call)

    def engine_failure(self, attempt: Attempt) -> Failure | None:
        """What is planned for an attempt of the engine: the plan of a FailingEngine."""
        if "engine" not in self._layers:
            return None
        from chaser_emulator.faults import effects

        calls = [call for call in calling.under_way() if call.world.faults is self]
        chosen = _first_due(
            planned for planned in self._layers.get("engine", ()) if _is_about_attempt(planned.fault, attempt, calls)
        )
        if chosen is None:
            return None
        effect = chosen.fault.effect
        assert isinstance(effect, effects.Engine)  # noqa: S101 - the layer has no others
        for call in calls:
            if call.http is not None and (exchange := exchange_of(call.http.scope)) is not None:
                exchange.fault = chosen.fault.id
        return effect.failure

    def plan_delivery(self, row: Row) -> DeliveryFault | None:
        """What is planned for an attempt to deliver an event."""
        if "webhook" not in self._layers:
            return None
        from chaser_emulator.faults import effects

        chosen = _first_due(
            planned
            for planned in self._layers.get("webhook", ())
            if row["event_type"] in planned.fault.event_types
            and planned.fault.webhook_id in (None, row["webhook_id"])
            and planned.fault.account in (None, row["account_id"])
        )
        if chosen is None:
            return None
        effect = chosen.fault.effect
        assert isinstance(effect, effects.Webhook)  # noqa: S101 - the layer has no others
        return effect.delivery


def _first_due(matching: Iterator[Planned]) -> Planned | None:
    """Count a call for all rules that match it; the first that would act on it does."""
    chosen: Planned | None = None
    for planned in matching:
        if planned.is_due() and chosen is None:
            chosen = planned
    if chosen is not None:
        chosen.act()
    return chosen


def _matches(fault: Fault, call: Call) -> bool:
    if call.operation.id not in fault.operations:
        return False
    if fault.account is not None and (call.known_account is None or call.known_account.id != fault.account):
        return False
    if fault.key is not None and (call.known_principal is None or call.known_principal.key_id != fault.key):
        return False
    return not fault.path or _has(call, fault.path)


def _has(call: Call, wanted: Mapping[str, str]) -> bool:
    """Whether the address names these; ids and names are the same in capitals."""
    if call.path or call.http is None:
        given = dict(call.path)
    else:
        given = {name: decode_segment(value) for name, value in call.http.path_params.items()}
    return all(given.get(name, "").lower() == value.lower() for name, value in wanted.items())


def _is_about_attempt(fault: Fault, attempt: Attempt, calls: Sequence[Call]) -> bool:
    from chaser_emulator.faults import effects

    effect = fault.effect
    if not isinstance(effect, effects.Engine) or attempt.operation not in effect.on:
        return False
    if fault.selectors or fault.account or fault.key or fault.path:
        return any(_matches(fault, call) for call in calls)
    return True
