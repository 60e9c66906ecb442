"""Provoked refusals: which there are, one really brought about, and what was arranged for a client undone again."""

from __future__ import annotations

from typing import Any

from chaser_emulator.control.operations import ControlCall, control

# What arranges refusals is imported on use: the first request to the control plane need not wait for all of it.


@control("list-refusals")
async def list_refusals(call: ControlCall) -> dict[str, Any]:
    """Every refusal of the document, and what of them is arranged now."""
    from chaser_emulator.provoking.provoke import operation_of, pairs

    wanted = {name: call.query[name] for name in ("operation", "code") if name in call.query}
    if "operation" in wanted:
        wanted["operation"] = operation_of(call.api, wanted["operation"], location="query").id
    found = [pair.info() for pair in pairs(call.api)]
    found = [one for one in found if all(one[name] == value for name, value in wanted.items())]
    return {
        "refusals": found,
        "count": len(found),
        "possible": sum(one["possible"] for one in found),
        "arranged": [standing.info(name) for name, standing in call.world.planned.standing.items()],
    }


@control("provoke")
async def provoke(call: ControlCall) -> dict[str, Any]:
    """Bring one about, or arrange it for the user's client."""
    from chaser_emulator.provoking.provoke import Provoking

    body = call.body
    provoking = Provoking(call.request.state.application, call.api)
    provoked = await provoking.provoke(
        call.world,
        body["operation"],
        body["code"],
        sent=body.get("send", True),
        path=body.get("path"),
        account=body.get("account"),
    )
    return provoked.info()


@control("undo-refusal")
async def undo_refusal(call: ControlCall) -> None:
    """Undo what was arranged for one."""
    from chaser_emulator.provoking.provoke import undo

    await undo(call.world, call.path["id"])


@control("undo-refusals")
async def undo_refusals(call: ControlCall) -> dict[str, Any]:
    """Undo all of it."""
    names = [*call.world.planned.standing]
    await call.world.planned.close()
    return {"undone": names}
