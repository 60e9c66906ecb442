"""A checked seed -> a world: by the API's own operations where it has any, so that all rules hold; or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from chaser_emulator import events, stubs
from chaser_emulator.clock import moment
from chaser_emulator.errors import ApiError
from chaser_emulator.sandbox.stubs import Added
from chaser_emulator.seeding import filling
from chaser_emulator.seeding.making import Making
from chaser_emulator.seeding.placing import at
from chaser_emulator.seeding.text import SeedText
from chaser_emulator.spec import Spec
from chaser_emulator.store import deliveries, jobs, sessions
from chaser_emulator.world import World

Json = dict[str, Any]

_PATIENCE = 10.0
"""Real seconds that a seed waits for jobs and deliveries of its own that are due."""

_LOOK = 0.005
"""Real seconds between two looks at them."""


class Applying:
    """One seed on its way into one world."""

    def __init__(self, world: World, seed: SeedText, spec: Spec, sources: filling.Sources, *, draw_keys: bool) -> None:
        self._world = world
        self._seed = seed
        self._spec = spec
        self._making = Making(world, seed, sources, draw_keys=draw_keys)
        self._stubs: list[Added] = []
        self._faults: dict[str, str] = {}

    async def apply(self, value: Mapping[str, Any]) -> Json:
        """Make everything; answers ids by section and name. Raises SeedError, after which nothing has changed."""
        world = self._world
        before, clock = await world.store.image(), world.clock.state()
        alive = {row["id"] for row in await sessions.all_live(world.store)}
        try:
            await self._all(value)
        except BaseException:
            await asyncio.shield(self._take_back(before, clock, alive))
            raise
        world.keys.update(self._making.keys)
        return self._making.ids

    async def _all(self, value: Mapping[str, Any]) -> None:
        if (clock := value.get("clock")) is not None:
            await self._set_clock({"at": clock} if isinstance(clock, str) else clock)
        if "billing" in value:
            async with at(self._seed, "billing"):
                await self._making.bill(self._world.account_id, value["billing"])
        await self._making.users(value.get("users", []))
        early = [one.get("from_start", False) for one in value.get("webhooks", [])]
        for section, make in (
            ("organizations", self._making.organization),
            ("service_accounts", self._making.service_account),
            ("keys", self._making.key),
            ("ssh_keys", self._making.ssh_key),
        ):
            await self._each(value, section, make)
        await self._each(value, "webhooks", self._making.webhook, early)
        await self._each(value, "workspaces", self._making.workspace)
        await self._each(value, "assistants", self._making.assistant)
        if value.get("stubs"):
            await self._add_stubs(value["stubs"])
        await self._each(value, "sessions", self._making.session)
        await self._each(value, "jobs", self._making.job)
        await self._at_rest(deliveries_too=any(early))
        await self._each(value, "webhooks", self._making.webhook, [not one for one in early])
        if value.get("faults"):
            await self._add_faults(value["faults"])

    async def _each(self, value: Mapping[str, Any], section: str, make: Any, chosen: list[bool] | None = None) -> None:
        for index, item in enumerate(value.get(section, [])):
            if chosen is None or chosen[index]:
                async with at(self._seed, section, index):
                    await make((section, index), item)

    # Where it fails, and what then

    async def _take_back(self, before: bytes, clock: Json, alive: set[str]) -> None:
        """Make the world what it was: end what was started, then put the whole database back."""
        world = self._world
        for job_id in self._making.queued:
            row = await jobs.get(world.store, job_id)
            if row is not None:
                with contextlib.suppress(ApiError):
                    await world.jobs.cancel(row)
        for row in await sessions.all_live(world.store):
            if row["id"] not in alive:
                await world.lifecycle.terminate(row, force=True, actor=events.SYSTEM, audited=False)
        for fault_id in self._faults.values():
            world.faults.remove(fault_id)
        for added in self._stubs:
            stubs.of_world(world).remove(added.id)
        if clock["frozen"] is None:
            world.clock.set("real")
        world.clock.restore(clock)
        await world.store.restore(before)
        await world.disks.clear()
        await world.agenda.settle()

    # What is made

    async def _set_clock(self, clock: Mapping[str, Any]) -> None:
        async with self._world.agenda.moving:
            since = moment(clock["at"].upper()) if "at" in clock else None
            await self._world.set_clock(clock.get("mode", "frozen"), since)

    async def _at_rest(self, *, deliveries_too: bool) -> None:
        """Wait for what is due of it, so that a seed leads to the same world each time; but not for ever."""

        async def busy() -> bool:
            store, now = self._world.store, self._world.clock.timestamp()
            if self._making.queued and await jobs.any_due(store, self._making.queued, now):
                return True
            return deliveries_too and await deliveries.any_due(store, now)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while await busy():  # noqa: ASYNC110 - the store forgets no listener
                    await asyncio.sleep(_LOOK)

    async def _add_stubs(self, values: list[Json]) -> None:
        async with at(self._seed, "stubs"):
            self._stubs = stubs.of_world(self._world).add(*stubs.read_all(values, ""))

    async def _add_faults(self, values: list[Json]) -> None:
        for index, value in enumerate(values):
            async with at(self._seed, "faults", index):
                [added] = await self._world.faults.add([value], self._spec)
                self._faults[str(index)] = added.fault.id
        self._making.ids["faults"] = self._faults
