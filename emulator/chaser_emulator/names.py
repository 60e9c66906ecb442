"""Names of workspaces (W2, W3) and of snapshots (W25): generated ones, and which are allowed."""

from __future__ import annotations

import re
from datetime import datetime

from chaser_emulator.clock import new_hex, new_name

_ADJECTIVES = """
amber brisk calm candid clever coastal crisp curious dapper distant eager early fabled fleet gentle gilded
glad golden honest humble ivory jolly keen kind lively lucid lunar mellow merry mild misty modest nimble
northern patient placid plain polar polite quick quiet rapid ready rustic sandy serene silent silver sleek
solar steady still sturdy sunny swift tidal tidy velvet vivid warm wild winter wise woven young
"""

_NOUNS = """
anchor arbor atlas badger beacon birch bramble breeze brook canyon cedar cliff comet coral cove crane creek
dune ember falcon fern field finch fjord forest garden glacier grove harbor hazel heron hill inlet island
juniper kestrel lagoon lake lantern larch ledge lynx maple marsh meadow mesa moss oak orchard osprey otter
pebble pine plover pond prairie quarry raven reef ridge river sparrow spruce stone summit thicket tundra
valley willow
"""


_FORM = re.compile(r"(?!\w{8}(-\w{4}){3}-\w{12}$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def allowed(text: str) -> bool:
    """Whether this can be a name, by the rules that the document has for names in requests."""
    return _FORM.fullmatch(text) is not None


def generated() -> str:
    """`adjective-noun-1234`; that it is free is the caller's to check."""
    return new_name(tuple(_ADJECTIVES.split()), tuple(_NOUNS.split()))


def of_snapshot(now: datetime) -> str:
    """`snap-20260115T093000Z-1a2b`, of a moment in UTC."""
    return f"snap-{now:%Y%m%dT%H%M%SZ}-{new_hex(4)}"
