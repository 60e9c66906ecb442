"""The stubs of a world without real commands, and the recording of one that has them."""

from __future__ import annotations

from typing import Any

from chaser_emulator import stubs
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import ApiError, invalid
from chaser_emulator.sandbox.layers import find
from chaser_emulator.sandbox.recording import RecordingEngine


@control("list-stubs")
async def list_stubs(call: ControlCall) -> dict[str, Any]:
    """All of them, and what they have no answer for."""
    found = stubs.of_world(call.world)
    return {
        "stubs": [stubs.info(added) for added in found],
        "unknown": [stubs.unknown_info(unknown) for unknown in found.unknown],
    }


@control("add-stub")
async def add_stub(call: ControlCall) -> dict[str, Any]:
    """Add one before all others."""
    found = stubs.of_world(call.world)
    try:
        stub = stubs.read(call.body)
    except stubs.BadStub as error:
        raise invalid(error.problems) from None
    return stubs.info(found.add(stub)[0])


@control("load-stubs")
async def load_stubs(call: ControlCall) -> dict[str, Any]:
    """Add a list before all others."""
    found = stubs.of_world(call.world)
    return {"stubs": [stubs.info(added) for added in found.add(*stubs.read_all(call.body["stubs"], "/stubs"))]}


@control("remove-stub")
async def remove_stub(call: ControlCall) -> None:
    """Remove one."""
    if stubs.of_world(call.world).remove(call.path["id"]) is None:
        raise ApiError("not_found", f"there is no stub {call.path['id']!r}")


@control("clear-stubs")
async def clear_stubs(call: ControlCall) -> dict[str, int]:
    """Remove all."""
    return {"removed": stubs.of_world(call.world).clear()}


@control("record-stubs")
async def record_stubs(call: ControlCall) -> dict[str, Any]:
    """Begin a recording, or end it."""
    recording = _recording(call)
    if call.body["state"] == "on":
        recording.record()
    else:
        recording.recording = False
    return {"state": "on" if recording.recording else "off", "commands": recording.ended}


@control("recorded-stubs")
async def recorded_stubs(call: ControlCall) -> list[dict[str, Any]]:
    """What was recorded, as stubs."""
    return [stubs.write(stub) for stub in _recording(call).recorded()]


def _recording(call: ControlCall) -> RecordingEngine:
    found = find(call.world.engine, RecordingEngine)
    if found is None:
        raise ApiError(
            "conflict", "the commands of this world do not really run (scripted), so there is nothing to record"
        )
    return found
