"""Worlds: made, listed, forked and deleted."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

from chaser_emulator import __version__
from chaser_emulator.banner import exports
from chaser_emulator.clock import Mode
from chaser_emulator.control.clock import moment_of
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.control.seed import sown
from chaser_emulator.errors import invalid_field
from chaser_emulator.meter import Limits
from chaser_emulator.world import World


@control("list-worlds")
async def list_worlds(call: ControlCall) -> dict[str, Any]:
    """All worlds of the process, the default one first."""
    return {"worlds": [world_info(call, world) for world in call.worlds.all()]}


@control("create-world")
async def create_world(call: ControlCall) -> dict[str, Any]:
    """A new one, with nothing in it but its first user."""
    wanted = call.body
    world = await call.worlds.create(
        wanted.get("id"),
        sandbox=wanted.get("sandbox"),
        plan=wanted.get("plan"),
        api_key=wanted.get("api_key"),
        strict=wanted.get("strict"),
        clock=_clock(wanted),
        rate_limit=_rate_limit(wanted),
    )
    if "seed" not in wanted:
        return world_info(call, world, with_key=True)
    try:
        seeded = await _seed(call, world, wanted["seed"])
    except BaseException:
        await asyncio.shield(call.worlds.delete(world.id))
        raise
    return world_info(call, world, with_key=True) | {"seeded": seeded}


async def _seed(call: ControlCall, world: World, seed: str | dict[str, Any]) -> dict[str, Any]:
    """Put a seed into a world that has nothing yet. Raises ApiError."""
    if not isinstance(seed, str):
        return await sown(call, world, json.dumps(seed, indent=2).encode(), "seed", None)
    # Imported on use: most worlds begin with nothing.
    from chaser_emulator.seeding import ready

    try:
        found = ready.find_ready(seed)
    except ready.UnknownSeedError as error:
        raise invalid_field("/seed", str(error)) from None
    return await sown(call, world, found.text, f"{seed}.yaml", found.sources)


@control("get-world")
async def get_world(call: ControlCall) -> dict[str, Any]:
    """One of them."""
    return world_info(call, call.worlds.get(call.path["id"]), with_key=True)


@control("delete-world")
async def delete_world(call: ControlCall) -> None:
    """End all that runs in it, and forget it."""
    await call.worlds.delete(call.path["id"])


@control("fork-world")
async def fork_world(call: ControlCall) -> dict[str, Any]:
    """One that begins with all that another one is now."""
    wanted, source = call.body, call.worlds.get(call.path["id"])
    world = await call.worlds.fork(
        source,
        wanted.get("id"),
        api_key=wanted.get("api_key"),
        strict=wanted.get("strict"),
        clock=_clock(wanted),
        rate_limit=_rate_limit(wanted),
    )
    return world_info(call, world, with_key=True)


@control("describe-world")
async def describe_world(call: ControlCall) -> dict[str, Any]:
    """The world that is asked, what runs it, and what points a client at it."""
    world, url = call.world, call.base_url
    engine = world.engine_info
    said = {
        "name": engine.name,
        "version": engine.version,
        "isolation": engine.isolation,
        "isolated": engine.isolated,
        "warnings": list(engine.warnings),
    }
    info = world_info(call, world, with_key=True) | {"emulator": __version__}
    info["engine"] = said | ({"reason": world.engine_reason} if world.engine_reason else {})
    info["environment"] = {"CHASER_API_URL": url, "CHASER_API_KEY": world.api_key}
    info["exports"] = exports(url, world.api_key).splitlines()
    if call.worlds.ssh_port is not None:
        info["ssh_port"] = call.worlds.ssh_port
    return info


def world_info(call: ControlCall, world: World, *, with_key: bool = False) -> dict[str, Any]:
    """A world as the control plane shows it. Its key is in the answers about one world alone."""
    info = {
        "id": world.id,
        "url": call.base_url,
        "account_id": world.account_id,
        "engine": world.engine_info.name,
        "plan": world.settings.plan,
        "strict": world.settings.strict,
        "clock": {"now": world.clock.timestamp(), "mode": world.clock.mode},
    }
    if not with_key:
        return info
    return info | {"api_key": world.api_key, "keys": {name: key.text for name, key in world.keys.items()}}


def _clock(wanted: dict[str, Any]) -> tuple[Mode, datetime | None] | None:
    setting = wanted.get("clock")
    if setting is None:
        return None
    return setting["mode"], moment_of(setting["at"], "/clock/at") if "at" in setting else None


def _rate_limit(wanted: dict[str, Any]) -> Limits | None:
    setting = wanted.get("rate_limit")
    if setting is None:
        return None
    default = Limits()
    return Limits(
        # 3.0 is a whole number to JSON Schema.
        per_principal=int(setting.get("per_principal", default.per_principal)),
        per_account=int(setting.get("per_account", default.per_account)),
        window=setting.get("window_seconds", default.window),
        enabled=setting.get("enabled", default.enabled),
    )
