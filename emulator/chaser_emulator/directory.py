"""Which worlds know an API key."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection

from chaser_emulator.store import identity
from chaser_emulator.world import World


class Directory:
    """Which worlds know a key. A world is asked again once its keys have changed, and when somebody wants to know."""

    def __init__(self) -> None:
        self._worlds: dict[str, list[World]] = {}
        self._known: dict[World, frozenset[str]] = {}
        self._stale: set[World] = set()
        self._asking = asyncio.Lock()

    def add(self, world: World) -> None:
        self._known[world] = frozenset()
        self._stale.add(world)

        def changed(tables: frozenset[str]) -> None:
            if "keys" in tables and world in self._known:
                self._stale.add(world)

        world.store.listen(changed)

    def remove(self, world: World) -> None:
        self._stale.discard(world)
        self._forget(world, self._known.pop(world, frozenset()))

    def _forget(self, world: World, hashes: Collection[str]) -> None:
        for hashed in hashes:
            left = [one for one in self._worlds.get(hashed, []) if one is not world]
            if left:
                self._worlds[hashed] = left
            else:
                self._worlds.pop(hashed, None)

    async def of(self, secret: str) -> list[World]:
        """The worlds that know a key, the eldest first; one that was revoked is known."""
        # Also while another request is asking: the key may be one of those that it does not know yet.
        if self._stale or self._asking.locked():
            async with self._asking:
                while self._stale:
                    await self._ask(next(iter(self._stale)))
        return self._worlds.get(identity.hash_of(secret), [])

    def knows(self, secret: str) -> bool:
        """Whether a world is known to have a key; one that nobody has asked yet may have it all the same."""
        return identity.hash_of(secret) in self._worlds

    async def hashes_of(self, world: World) -> frozenset[str]:
        """The hashes of the keys that a world has."""
        async with self._asking:
            if world in self._stale:
                await self._ask(world)
        return self._known.get(world, frozenset())

    async def _ask(self, world: World) -> None:
        self._stale.discard(world)
        try:
            now = await identity.key_hashes(world.store)
        except BaseException as error:
            if world in self._known:
                # Whoever asked has left; others will ask.
                self._stale.add(world)
                raise
            if isinstance(error, sqlite3.Error):
                # It was deleted meanwhile.
                return
            raise
        if world not in self._known:
            return
        before = self._known[world]
        self._forget(world, before - now)
        for hashed in now - before:
            self._worlds.setdefault(hashed, []).append(world)
        self._known[world] = now
