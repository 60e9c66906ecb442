"""The seed that the settings name: for a world that has never had it, at the first start on its data."""

from __future__ import annotations

from chaser_emulator.seeding import ready
from chaser_emulator.seeding.sowing import sow
from chaser_emulator.spec import Spec
from chaser_emulator.store import identity
from chaser_emulator.worlds import Worlds

SEEDED = "seeded"
"""The fact that says which seed a world began with."""


async def seed_once(worlds: Worlds, spec: Spec, named: str) -> None:
    """Apply a seed, a file or a ready one, to the default world, unless one was applied so before. Raises SeedError."""
    world = worlds.default
    if await identity.fact(world.store, SEEDED) is not None:
        return
    found = ready.find(named)
    await sow(world, worlds, spec, found.text, found.name, found.sources)
    async with world.store.transaction() as tx:
        await identity.set_fact(tx, SEEDED, found.name)
    await worlds.begin_here(world)
