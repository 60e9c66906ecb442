"""The worlds of one process: made, forked, reset, deleted."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from chaser_emulator import leftovers
from chaser_emulator.acting import Perform
from chaser_emulator.clock import Mode, new_id, new_secret_key
from chaser_emulator.directory import Directory
from chaser_emulator.errors import ApiError, invalid_field
from chaser_emulator.meter import Limits
from chaser_emulator.sandbox import Engine
from chaser_emulator.settings import SandboxChoice, Settings
from chaser_emulator.store import empty, identity
from chaser_emulator.world import DEFAULT, Beginning, KnownKey, World, open_world

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ONE_S_OWN = frozenset({"keys", "facts"})
"""What a world writes of itself when it is opened, whatever it begins with."""

_PATIENCE = 0.5
"""Seconds that requests under way have when their world is reset or deleted."""


class _Visits:
    """Requests under way in each world, which come to their end before it does."""

    def __init__(self) -> None:
        self._under_way: Counter[World] = Counter()
        self._left = asyncio.Event()

    @contextlib.contextmanager
    def one(self, world: World) -> Iterator[None]:
        self._under_way[world] += 1
        try:
            yield
        finally:
            self._under_way[world] -= 1
            if not self._under_way[world]:
                del self._under_way[world]
            self._left.set()

    async def over(self, world: World) -> None:
        """Wait for those of a world, but not for ever: some wait themselves for what only its end will bring."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while world in self._under_way:
                    self._left.clear()
                    await self._left.wait()


class Worlds:
    """All worlds of a process. The default one lasts as long as it; the others until they are deleted."""

    def __init__(
        self, settings: Settings, perform: Perform, base_url: str | None = None, own_ports: Collection[int] = ()
    ) -> None:
        self._settings = settings
        self._perform = perform
        self._base_url = base_url
        self._own_ports = own_ports
        self.ssh_port: int | None = None
        """Where SSH is answered for all of them, if it is."""
        self._worlds: dict[str, World] = {}
        self._closing: dict[str, AsyncExitStack] = {}
        self._changing: dict[str, asyncio.Event] = {}
        self._directory = Directory()
        self._replaced: dict[str, frozenset[str]] = {}
        """Those that are closed and not yet open again, with the hashes of their keys; others that change are not yet,
        or no longer, to be found."""
        self._visits = _Visits()
        self._lasting = ExitStack()
        self._begun: set[str] = set()
        """Those whose beginning is not what they were opened with, but what was put into them."""

    @property
    def default(self) -> World:
        return self._worlds[DEFAULT]

    @property
    def api_key(self) -> str:
        """The key of the default world, also while that is being replaced."""
        return self._settings.api_key

    @cached_property
    def folder(self) -> Path:
        """A folder that lasts as long as the process, whatever becomes of its worlds; or longer, where data is kept."""
        if self._settings.data_dir is not None:
            return self._settings.data_dir.resolve()
        return self._lasting.enter_context(leftovers.temporary())

    def __len__(self) -> int:
        return len(self._worlds)

    def all(self) -> list[World]:
        """Every world, the default one first."""
        return list(self._worlds.values())

    def get(self, world_id: str) -> World:
        """The world of this id. Raises ApiError `not_found`."""
        try:
            return self._worlds[world_id]
        except KeyError:
            raise ApiError("not_found", f"there is no world {world_id[:80]!r}") from None

    async def of_key(self, secret: str) -> list[World]:
        """The worlds that know a key, the eldest first."""
        return await self._directory.of(secret)

    # Worlds come and go

    @asynccontextmanager
    async def opened(self, engine: Engine | None = None) -> AsyncIterator[Worlds]:
        """Open the default world, and at the end of the block close it and all others."""
        with self._lasting:
            async with self._opened(engine):
                yield self

    @asynccontextmanager
    async def _opened(self, engine: Engine | None) -> AsyncIterator[None]:
        try:
            await self._open(DEFAULT, self._settings, engine=engine)
            yield
        finally:
            others = [self._close(world_id) for world_id in self._worlds if world_id != DEFAULT]
            for failure in await asyncio.gather(*others, return_exceptions=True):
                if isinstance(failure, Exception):
                    raise failure
            if DEFAULT in self._worlds:
                await self._close(DEFAULT)

    async def create(
        self,
        world_id: str | None = None,
        *,
        sandbox: SandboxChoice | None = None,
        plan: str | None = None,
        api_key: str | None = None,
        strict: bool | None = None,
        clock: tuple[Mode, datetime | None] | None = None,
        rate_limit: Limits | None = None,
    ) -> World:
        """A new world with nothing in it but its first user; what is not given is as in the default one.

        Raises ApiError `conflict` for an id or a key that another world has, `invalid_request` for an odd id, and
        SandboxUnavailable.
        """
        changes: dict[str, Any] = {"sandbox": sandbox, "plan": plan, "strict": strict, **_limited(rate_limit)}
        settings = self._settings_for(api_key, {name: value for name, value in changes.items() if value is not None})
        return await self._new(world_id, settings, None, clock)

    async def fork(
        self,
        source: World,
        world_id: str | None = None,
        *,
        api_key: str | None = None,
        strict: bool | None = None,
        clock: tuple[Mode, datetime | None] | None = None,
        rate_limit: Limits | None = None,
    ) -> World:
        """A world that begins with all that another one is now; afterwards neither knows of the other.

        Its keys are new ones. Sessions of the scripted engine go on, without what ran in them; on other engines they
        have ended. What is planned to fail is planned in it as well, as if nothing had failed yet.
        Raises as `create` does.
        """
        held = source.settings
        changes: dict[str, Any] = {
            "sandbox": held.sandbox,
            "plan": held.plan,
            "rate_limit": held.rate_limit,
            "rate_limits": held.rate_limits,
            **_limited(rate_limit),
        }
        settings = self._settings_for(api_key, changes if strict is None else changes | {"strict": strict})
        from chaser_emulator.states import copying

        # The old texts select the world that they came from.
        keys = {name: KnownKey(key.id, new_secret_key()) for name, key in source.keys.items()}
        fork = await self._new(world_id, settings, await copying.copy(source), clock, keys)
        await source.faults.copy_to(fork.faults)
        return fork

    def _settings_for(self, api_key: str | None, changes: Mapping[str, Any]) -> Settings:
        return dataclasses.replace(
            self._settings, data_dir=None, ssh_port=None, warm=0, api_key=api_key or new_secret_key(), **changes
        )

    async def _new(
        self,
        world_id: str | None,
        settings: Settings,
        beginning: Beginning | None,
        clock: tuple[Mode, datetime | None] | None,
        keys: Mapping[str, KnownKey] | None = None,
    ) -> World:
        if world_id is not None and _ID.fullmatch(world_id) is None:
            raise invalid_field("/id", "must be 1 to 63 of a-z, 0-9 and -, with no - at either end")
        world_id = world_id or f"world-{new_id()}"
        if world_id in self._worlds or world_id in self._changing:
            raise ApiError("conflict", f"there is a world {world_id!r} already")
        if await self._directory.of(settings.api_key):
            raise ApiError("conflict", "the API key is another world's; a key belongs to one world, which it selects")
        with self._change(world_id):
            return await self._open(world_id, settings, beginning=beginning, clock=clock, keys=keys)

    async def delete(self, world_id: str) -> None:
        """End all that runs in a world, and forget it. Raises ApiError `not_found`, `conflict` for the default one."""
        if world_id == DEFAULT:
            raise ApiError("conflict", "the default world lasts as long as the emulator; reset it instead")
        while change := self._changing.get(world_id):
            # One that is put back just now would come back.
            await change.wait()
        world = self.get(world_id)
        with self._change(world.id):
            await self._close(world_id)

    async def reset(self, world: World) -> World:
        """Put a world back to what it began with: what it was made, seeded or forked with, under the same key.

        A world that is kept on disk and was not seeded since its emulator started is as empty as a new one afterwards.
        Requests that come meanwhile wait.
        """
        start = world.beginning
        if world.settings.data_dir is not None and world.id not in self._begun:
            start = Beginning(empty())
        return await self._replace(world, start)

    async def replace(self, world: World, beginning: Beginning) -> World:
        """Let a world begin anew with something else, under its id and its key; where that fails it is as it was.

        On a real engine its sessions have ended then, and an ephemeral world has lost its disks.
        """
        replaced = await self._replace(world, beginning)
        self._begun.add(world.id)
        return replaced

    async def _replace(self, world: World, beginning: Beginning | None) -> World:
        if world.id in self._changing:
            raise ApiError("conflict", f"world {world.id!r} is being changed by another request")
        # Whoever asks may have known it before it was replaced the last time.
        world = self.get(world.id)
        keys = world.keys if beginning is world.beginning else None
        with self._change(world.id):
            # What it has had in its engine is still its own, to be cleared away.
            instance = await identity.fact(world.store, "instance")
            before = dataclasses.replace(await world.copy(), instance=instance)
            start = None if beginning is None else dataclasses.replace(beginning, instance=instance)
            self._replaced[world.id] = await self._directory.hashes_of(world)
            try:
                await self._close(world.id)
                return await self._open(world.id, world.settings, beginning=start, keys=keys)
            except BaseException:
                await asyncio.shield(self._open(world.id, world.settings, beginning=before, keys=world.keys))
                raise
            finally:
                del self._replaced[world.id]

    async def begin_here(self, world: World) -> None:
        """Let this be what a world began with, to which a reset leads back and from which a diff counts."""
        from chaser_emulator.states import copying

        world.beginning = await copying.copy(world)
        self._begun.add(world.id)

    @contextlib.contextmanager
    def _change(self, world_id: str) -> Iterator[None]:
        done = self._changing[world_id] = asyncio.Event()
        try:
            yield
        finally:
            del self._changing[world_id]
            done.set()

    async def _open(
        self,
        world_id: str,
        settings: Settings,
        *,
        engine: Engine | None = None,
        beginning: Beginning | None = None,
        clock: tuple[Mode, datetime | None] | None = None,
        keys: Mapping[str, KnownKey] | None = None,
    ) -> World:
        folder = None
        if world_id != DEFAULT and settings.sandbox == "scripted":
            folder = self.folder / "worlds" / world_id
        async with AsyncExitStack() as stack:
            world = await stack.enter_async_context(
                open_world(
                    settings, engine, self._base_url, self._own_ports,
                    world_id=world_id, beginning=beginning, folder=folder,
                )
            )  # fmt: skip
            world.perform = self._perform
            if clock is not None:
                await world.set_clock(*clock)
            world.keys = await _known_keys(world, keys or {})
            await stack.enter_async_context(world.agenda.at_work())
            if beginning is not None and clock is None and _is_as_it_began(world, beginning):
                # Forks of a world that does not change share all that they begin with.
                world.beginning = beginning
            else:
                # What it has kept from earlier is no beginning to go back to.
                world.beginning = dataclasses.replace(await world.copy(), fill=beginning.fill if beginning else None)
            self._closing[world_id] = stack.pop_all()
        self._worlds[world_id] = world
        self._directory.add(world)
        return world

    async def _close(self, world_id: str) -> None:
        world = self._worlds.pop(world_id)
        self._directory.remove(world)
        # Those that hang as planned would not.
        world.faults.close()
        await self._visits.over(world)
        await self._closing.pop(world_id).aclose()

    # What requests ask

    def __contains__(self, world_id: str) -> bool:
        return world_id in self._worlds

    def holds(self, world: World) -> bool:
        """Whether a world is there still; one that was put back is another since."""
        return self._worlds.get(world.id) is world

    def visit(self, world: World) -> AbstractContextManager[None]:
        """Let a world not end while the block lasts, unless that takes long."""
        return self._visits.one(world)

    @property
    def replaces(self) -> bool:
        """Whether any world is being replaced."""
        return bool(self._replaced)

    def replacing(self, named: str | None, secret: str | None) -> asyncio.Event | None:
        """The end of a change by which the world becomes another that is named, or has a key; None: there is none.

        Where neither says which world is meant it may be any. A key that a world has which does not change is that
        one's, unless one that does has it as well.
        """
        if named in self._replaced:
            return self._changing[named]
        if named in self._worlds:
            return None
        known = secret is not None and self._directory.knows(secret)
        for world_id, hashes in self._replaced.items():
            if not known or (secret is not None and identity.hash_of(secret) in hashes):
                return self._changing[world_id]
        return None


def _limited(limit: Limits | None) -> dict[str, Any]:
    """The settings by which one limit is that of every surface; none where nothing is said."""
    return {} if limit is None else {"rate_limit": limit, "rate_limits": {}}


def _is_as_it_began(world: World, beginning: Beginning) -> bool:
    """Whether nothing has been written since it was opened but what each world writes."""
    return beginning.engine is not None and world.store.written <= _ONE_S_OWN


async def _known_keys(world: World, keys: Mapping[str, KnownKey]) -> dict[str, KnownKey]:
    """Give keys of a world that was just opened these texts; answers those that are there."""
    if not keys:
        return {}
    async with world.store.transaction() as tx:
        return {name: key for name, key in keys.items() if await identity.renew_key(tx, key.id, key.text)}
