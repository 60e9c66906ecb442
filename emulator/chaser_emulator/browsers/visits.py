"""Who comes to a browser, by the API or by its session's gateway: found, or refused, and answered in its own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from chaser_emulator.browsers import Browser, bridge, devtools, refusals
from chaser_emulator.errors import ApiError
from chaser_emulator.lifecycle import START_PATIENCE
from chaser_emulator.operations import Upgrade
from chaser_emulator.shapes import BrowserCdpTargetInfo, BrowserCdpVersionInfo
from chaser_emulator.store import Row, sessions

if TYPE_CHECKING:
    from chaser_emulator.world import World


@dataclass(frozen=True)
class Visit:
    """A running browser, and the address of its session under which its sockets are told."""

    browser: Browser
    base: str

    async def version(self) -> BrowserCdpVersionInfo:
        with refusals.as_answers():
            told = await devtools.version(self.browser.place, self.base, self.browser.guid)
        return cast("BrowserCdpVersionInfo", told)

    async def targets(self) -> list[BrowserCdpTargetInfo]:
        with refusals.as_answers():
            return cast("list[BrowserCdpTargetInfo]", await devtools.targets(self.browser.place, self.base))

    async def open_target(self, url: str) -> BrowserCdpTargetInfo:
        with refusals.as_answers():
            return cast("BrowserCdpTargetInfo", await devtools.open_target(self.browser.place, self.base, url))

    async def activate(self, target: str) -> str:
        with refusals.as_answers():
            return await devtools.activate(self.browser.place, target)

    async def close(self, target: str) -> str:
        with refusals.as_answers():
            return await devtools.close(self.browser.place, target)

    async def protocol(self) -> dict[str, Any]:
        with refusals.as_answers():
            return await devtools.protocol(self.browser.place)


async def visit(world: World, row: Row, base: str) -> Visit:
    """A browser that runs, waited for while it starts. `base` is how its caller calls its session.

    Raises ApiError `not_a_browser`, `not_running`, and `sandbox_unavailable` when it fails while one waits (S27).
    """
    if row["session_type"] != "browser":
        raise ApiError("not_a_browser", f"session {row['id']} is a {row['session_type']}; this works on browsers only")
    waited = row["status"] == sessions.STARTING
    if waited:
        row = await world.lifecycle.settled(row["id"], START_PATIENCE) or row
    browser = world.browsers.get(row["id"])
    if row["status"] == sessions.RUNNING and browser is not None:
        return Visit(browser, base)
    reason = f": {row['failure']}" if row["failure"] else ""
    code = "sandbox_unavailable" if waited and row["status"] != sessions.TERMINATED else "not_running"
    raise ApiError(code, f"session {row['id']} is {row['status']}, not running{reason}")


async def connect_browser(world: World, session_id: str, guid: str) -> Upgrade:
    """All of a browser on a WebSocket, for whom its secret is known. Raises as `visit`, and ApiError `not_found`."""
    browser = await _known(world, session_id)
    if guid != browser.guid:
        raise _nothing()
    return bridge.upgrade(browser.place, f"browser/{guid}", world.lifecycle.lease(browser.session_id))


async def connect_target(world: World, session_id: str, target: str) -> Upgrade:
    """One target on a WebSocket, for whom its id is known; as `connect_browser` else."""
    browser = await _known(world, session_id)
    return bridge.upgrade(browser.place, f"page/{target}", world.lifecycle.lease(browser.session_id))


def address(query: str) -> str:
    """The page that a raw query asks for: `url=` and it, or all of the query as Chromium has it (S23)."""
    return unquote(query.removeprefix("url="))


async def _known(world: World, session_id: str) -> Browser:
    row = await sessions.get(world.store, session_id.lower())
    if row is None:
        # The same for a session of whoever, as no credential says who asks.
        raise _nothing()
    return (await visit(world, row, "")).browser


def _nothing() -> ApiError:
    return ApiError("not_found", "there is no browser at this address")
