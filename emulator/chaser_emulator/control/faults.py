"""Planned faults: add rules, look at what has become of them, remove them."""

from __future__ import annotations

from typing import Any

from chaser_emulator.control.operations import ControlCall, control


@control("list-faults")
async def list_faults(call: ControlCall) -> dict[str, Any]:
    """Every rule in its order."""
    return {"faults": [planned.info() for planned in call.world.faults]}


@control("add-fault")
async def add_fault(call: ControlCall) -> dict[str, Any]:
    """Add one behind the others."""
    [planned] = await call.world.faults.add([call.body], call.api)
    return planned.info()


@control("load-faults")
async def load_faults(call: ControlCall) -> dict[str, Any]:
    """Add several, or none of them."""
    rules = call.body["faults"]
    added = await call.world.faults.add(rules, call.api, [f"/faults/{index}" for index in range(len(rules))])
    return {"faults": [planned.info() for planned in added]}


@control("get-fault")
async def get_fault(call: ControlCall) -> dict[str, Any]:
    """One rule."""
    return call.world.faults.get(call.path["id"]).info()


@control("remove-fault")
async def remove_fault(call: ControlCall) -> None:
    """Remove one rule."""
    call.world.faults.remove(call.path["id"])


@control("clear-faults")
async def clear_faults(call: ControlCall) -> dict[str, Any]:
    """Remove all of them."""
    return {"removed": call.world.faults.clear()}
