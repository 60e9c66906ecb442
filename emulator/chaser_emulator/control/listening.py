"""Webhooks of all accounts that lead to the sink."""

from __future__ import annotations

from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.webhooks import listening


@control("listen-at-sink")
async def listen_at_sink(call: ControlCall) -> dict[str, int]:
    """Let every account have one."""
    return {"made": await listening.listen(call.world, call.body.get("name", "all"), call.base_url)}
