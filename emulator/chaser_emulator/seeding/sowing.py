"""One seed into one world, from its text to the ids of what was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaser_emulator.sandbox.files import in_thread
from chaser_emulator.seeding import checking, references
from chaser_emulator.seeding.applying import Applying
from chaser_emulator.seeding.filling import Sources
from chaser_emulator.seeding.problems import SeedError, SeedProblem
from chaser_emulator.seeding.text import SeedText, read
from chaser_emulator.spec import Spec
from chaser_emulator.uploads import FILE_LIMIT
from chaser_emulator.world import World
from chaser_emulator.worlds import Worlds


async def sow(
    world: World,
    worlds: Worlds,
    spec: Spec,
    text: str | bytes,
    name: str = "seed",
    sources: Sources | None = None,
    *,
    draw_keys: bool = False,
) -> dict[str, Any]:
    """Apply a seed, and let that be what the world began with. Answers ids by section and name.

    `spec` is Chaser's document; `name` is what the seed is called where something is wrong; `sources` reads the files
    that stand beside it (None: there are none). With `draw_keys` no API key is the one that the seed chooses: such a
    key is one world's alone, which it selects, and a seed may be for many worlds. Nothing else ought to happen in the
    world meanwhile. Raises SeedError, and has changed nothing then.
    """
    # Which takes a second or two for the largest, and others are to be answered meanwhile.
    seed = await in_thread(read, text, name)
    value = await in_thread(checking.check, seed)
    kept = _read_all(seed, value, sources)

    async def knows(key: str) -> str | None:
        others = [one.id for one in await worlds.of_key(key) if one is not world]
        return others[0] if others else None

    async with world.seeding:
        await references.check(seed, value, world.store, None if draw_keys else knows)
        ids = await Applying(world, seed, spec, kept.__getitem__, draw_keys=draw_keys).apply(value)
        await worlds.begin_here(world)
    return ids


def _read_all(seed: SeedText, value: Mapping[str, Any], sources: Sources | None) -> dict[str, bytes]:
    """The content of every file beside the seed that it names, by that name. Raises SeedError."""
    found: dict[str, bytes] = {}
    problems = []
    for path, files in references.file_sets(value):
        for name, content in files.items():
            if isinstance(content, dict) and "from" in content:
                where, beside = (*path, name, "from"), content["from"]
                try:
                    found[beside] = _read(beside, sources)
                except (OSError, ValueError) as error:
                    reason = getattr(error, "strerror", None) or str(error)
                    problems.append(SeedProblem(seed.place(*where), where, f"cannot be read: {reason}"))
    if problems:
        raise SeedError(seed.name, problems)
    return found


def _read(beside: str, sources: Sources | None) -> bytes:
    if sources is None:
        raise ValueError("a seed that comes over HTTP has no files beside it; the command `seed` puts them in")
    content = sources(beside)
    if len(content) > FILE_LIMIT:
        raise ValueError(f"it is larger than {FILE_LIMIT // 2**20} MiB")
    return content
