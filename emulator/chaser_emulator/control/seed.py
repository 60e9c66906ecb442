"""Seeds over HTTP: what a world is to hold, as text or as one of those that come with the emulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chaser_emulator import uploads
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import ApiError

# What reads seeds is imported on use: most who come to the control plane bring none.
if TYPE_CHECKING:
    from chaser_emulator.seeding.filling import Sources
    from chaser_emulator.world import World


@control("apply-seed")
async def apply_seed(call: ControlCall) -> dict[str, Any]:
    """Apply the seed that is sent."""
    from chaser_emulator.seeding.text import LARGEST

    if call.body is not None:
        # JSON that has been read by now: where a mistake stands is said by the field alone.
        text = json.dumps(call.body, indent=2).encode()
    else:
        text = await uploads.read_text(call.request, LARGEST, "a seed")
    return await _applied(call, text, call.query.get("file", "seed"), None)


@control("apply-ready-seed")
async def apply_ready_seed(call: ControlCall) -> dict[str, Any]:
    """Apply one that comes with the emulator."""
    from chaser_emulator.seeding import ready

    name = call.path["name"]
    try:
        found = ready.find_ready(name)
    except ready.UnknownSeedError as error:
        raise ApiError("not_found", str(error)) from None
    return await _applied(call, found.text, f"{name}.yaml", found.sources)


@control("list-ready-seeds")
async def list_ready_seeds(_call: ControlCall) -> dict[str, Any]:
    """Those that come with the emulator."""
    from chaser_emulator.seeding import ready

    return {"seeds": [{"name": name, "description": ready.about(name)} for name in ready.names()]}


@control("get-seed-schema")
async def get_seed_schema(_call: ControlCall) -> dict[str, Any]:
    """What a seed may hold."""
    from chaser_emulator.seeding import checking

    return checking.schema()


async def _applied(call: ControlCall, text: bytes, name: str, sources: Sources | None) -> dict[str, Any]:
    return await sown(call, call.world, text, name, sources, draw_keys=call.query["api_keys"] == "drawn")


async def sown(
    call: ControlCall, world: World, text: bytes, name: str, sources: Sources | None, *, draw_keys: bool = False
) -> dict[str, Any]:
    """Put a seed into a world; answers ids. Raises ApiError for one that is refused."""
    from chaser_emulator.seeding.problems import SeedError
    from chaser_emulator.seeding.sowing import sow

    try:
        return await sow(world, call.worlds, call.api, text, name, sources, draw_keys=draw_keys)
    except SeedError as error:
        raise error.refusal() from None
