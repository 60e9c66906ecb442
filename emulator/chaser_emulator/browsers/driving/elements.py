"""Elements of a page by the ids of its outline: found again, asked, and pointed at."""

from __future__ import annotations

import asyncio
from typing import Any

from chaser_emulator.browsers.devtools import Json, Refused
from chaser_emulator.browsers.driving import NotDone, scripts
from chaser_emulator.browsers.driving.pages import GROUP, PATIENCE, Node, Page

_ACTIONABLE = 1.5
"""Seconds to wait for an element to be free: it may still be moving, or about to be enabled."""

_AGAIN = 0.05


def gone(node: Node) -> NotDone:
    return NotDone(f"{node} is not on the page any more; take a new snapshot with take_snapshot")


async def resolve(page: Page, node: Node, *, world: int | None = None) -> str:
    """An object for an element, in the page's own world unless another one is given. Raises NotDone."""
    where: dict[str, Any] = {} if world is None else {"executionContextId": world}
    try:
        told = await page.ask(
            "DOM.resolveNode", session=node.session, backendNodeId=node.backend, objectGroup=GROUP, **where
        )
    except Refused:
        raise gone(node) from None
    return str(told["object"]["objectId"])


async def run(page: Page, node: Node, script: str, *args: Any, within: float = PATIENCE) -> Any:
    """What one of our scripts answers for an element. Raises NotDone, also when the element is not there any more."""
    for attempt in (1, 2):
        world = await _world(page, node)
        try:
            found = await resolve(page, node, world=world)
            break
        except NotDone:
            # Its frame may have another document by now, with an element of the same number; or only another world.
            page.forget_world(node.session, node.frame)
            if attempt == 2:
                raise
    try:
        told = await page.ask(
            "Runtime.callFunctionOn",
            within=within,
            session=node.session,
            functionDeclaration=script,
            objectId=found,
            arguments=[{"value": one} for one in args],
            returnByValue=True,
            awaitPromise=True,
        )
    except Refused:
        raise gone(node) from None
    if "exceptionDetails" in told:
        raise NotDone(f"{node} cannot be used: {told['exceptionDetails'].get('text', 'its page throws an error')}")
    value = told["result"].get("value")
    if isinstance(value, dict) and value.get("gone"):
        raise gone(node)
    return value


async def _world(page: Page, node: Node) -> int:
    try:
        return await page.world(node.session, node.frame)
    except Refused:
        raise gone(node) from None


async def point(page: Page, node: Node, *, seen: bool = True) -> tuple[float, float]:
    """Scroll an element into view, and answer where in the page's window to point at it.

    `seen` asks for a point where nothing lies above it. Raises NotDone with the reason when there is none for a while.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + _ACTIONABLE
    while True:
        await _show(page, node)
        found: Json = await run(page, node, scripts.PLACE, seen)
        if "x" in found:
            left, top = await offset(page, node.session, node.frame)
            return left + found["x"], top + found["y"]
        if loop.time() >= end:
            raise NotDone(_why_not(node, found))
        await asyncio.sleep(_AGAIN)


def _why_not(node: Node, found: Json) -> str:
    if "covered" in found:
        return f"{node} is covered by {found['covered']}, which would take the click; close or scroll that away first"
    if "disabled" in found:
        return f"{node} is disabled"
    return f"{node} is not to be seen: it has no size, or is hidden, or outside of what can be scrolled to"


async def _show(page: Page, node: Node) -> None:
    try:
        await page.ask("DOM.scrollIntoViewIfNeeded", session=node.session, backendNodeId=node.backend)
    except Refused:
        # What has no box cannot be scrolled to; the script that looks for its place says so in better words.
        return


async def offset(page: Page, session: str, frame: str) -> tuple[float, float]:
    """Where the corner of a frame is in the page's window."""
    left = top = 0.0
    while session in page.parts or frame != page.target:
        root = page.root_of(session)
        if frame == root:
            # It has a process of its own: its frame element is in the session around it.
            session = page.parts[session].parent
        corner = await _corner(page, session, frame)
        left, top = left + corner[0], top + corner[1]
        frame = page.root_of(session)
    return left, top


async def _corner(page: Page, session: str, frame: str) -> tuple[float, float]:
    try:
        owner = await page.ask("DOM.getFrameOwner", session=session, frameId=frame)
        box = await page.ask("DOM.getBoxModel", session=session, backendNodeId=owner["backendNodeId"])
    except Refused:
        raise NotDone("the frame of this element is not on the page any more; take a new snapshot") from None
    content = box["model"]["content"]
    return float(content[0]), float(content[1])
