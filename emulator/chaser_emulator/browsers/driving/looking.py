"""Looking at a page: pictures, what a function finds out, and waiting for a text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from chaser_emulator.browsers.devtools import Failed, Json, NoAnswer, Refused
from chaser_emulator.browsers.driving import NotDone, elements, outline, scripts
from chaser_emulator.browsers.driving.pages import GROUP, Node, Page
from chaser_emulator.browsers.driving.watching import told_exception

_PICTURE = 20.0
_TALLEST = 16_384
"""Pixels: Chromium draws no picture beyond."""

_ANSWER = 2**20
_DEEPEST = 100
_PROBE = 1.0
_LOOK = 0.1


async def picture(
    page: Page, form: str, quality: int | None, *, node: Node | None = None, full: bool = False
) -> tuple[str, bool]:
    """A picture of what is to be seen, of one element, or of the whole page. Answers (base64, whether it is cut off).

    Raises NotDone.
    """
    params: Json = {"format": form}
    if quality is not None and form != "png":
        params["quality"] = quality
    cut = False
    if node is not None:
        params |= {"clip": await _clip(page, node), "captureBeyondViewport": True}
    elif full:
        size = (await page.ask("Page.getLayoutMetrics"))["cssContentSize"]
        width, height = min(size["width"], _TALLEST), min(size["height"], _TALLEST)
        cut = size["height"] > height or size["width"] > width
        clip = {"x": 0, "y": 0, "width": max(width, 1), "height": max(height, 1), "scale": 1}
        params |= {"clip": clip, "captureBeyondViewport": True}
    try:
        taken = await page.ask("Page.captureScreenshot", within=_PICTURE, **params)
    except Refused as error:
        raise NotDone(f"no picture could be taken: {error}") from None
    return str(taken["data"]), cut


async def _clip(page: Page, node: Node) -> Json:
    await elements.point(page, node, seen=False)
    box = await elements.run(page, node, scripts.BOX)
    left, top = await elements.offset(page, node.session, node.frame)
    view = (await page.ask("Page.getLayoutMetrics"))["cssVisualViewport"]
    if box["width"] < 1 or box["height"] < 1:
        raise NotDone(f"{node} is not to be seen: it has no size")
    return {
        "x": box["x"] + left + view["pageX"],
        "y": box["y"] + top + view["pageY"],
        "width": min(box["width"], _TALLEST),
        "height": min(box["height"], _TALLEST),
        "scale": 1,
    }


async def evaluate(page: Page, function: str, args: Sequence[Node | Any], seconds: float) -> Any:
    """What a function of the page's own world answers, awaited, as JSON has it. Elements must be of one frame.

    Raises NotDone with what it throws, or when it does not end.
    """
    nodes = [one for one in args if isinstance(one, Node)]
    if len({(node.session, node.frame) for node in nodes}) > 1:
        raise NotDone("the elements in args belong to different frames; a function sees those of one frame only")
    given = [
        {"objectId": await elements.resolve(page, one)} if isinstance(one, Node) else {"value": one} for one in args
    ]
    session = nodes[0].session if nodes else page.session
    this = next((one["objectId"] for one in given if "objectId" in one), None) or await _everything(page)
    try:
        told = await page.ask(
            "Runtime.callFunctionOn",
            within=seconds,
            session=session,
            functionDeclaration=function,
            objectId=this,
            arguments=given,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
    except Refused as error:
        raise NotDone(_refused(str(error))) from None
    except asyncio.CancelledError:
        await asyncio.shield(stop(page, session))
        raise
    except NotDone:
        if not page.busy:
            raise
        raise NotDone(await _stopped(page, session, seconds)) from None
    if "exceptionDetails" in told:
        raise NotDone(f"the function failed: {told_exception(told['exceptionDetails'])[:5000]}")
    result = told["result"]
    value = result["unserializableValue"] if "unserializableValue" in result else result.get("value")
    if _depth(value) > _DEEPEST:
        raise NotDone(f"the function returned something that is nested deeper than {_DEEPEST} levels")
    if (size := len(json.dumps(value))) > _ANSWER:
        raise NotDone(f"the function returned {size} characters of JSON; at most {_ANSWER} are answered")
    return value


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= _DEEPEST:
        depth += 1
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [one for many in inner for one in many]
    return depth


async def _everything(page: Page) -> str:
    try:
        told = await page.ask("Runtime.evaluate", expression="globalThis", objectGroup=GROUP)
    except Refused as error:
        raise NotDone(f"the page can run no script now: {error}") from None
    return str(told["result"]["objectId"])


def _refused(text: str) -> str:
    if "does not evaluate to a function" in text:
        return 'it is no function; write "() => document.title" or "(element) => element.innerText"'
    if "stack limit" in text or "Object reference chain is too long" in text or "couldn't be returned by value" in text:
        return "the function returned something that JSON cannot say: it is too deep, or contains itself"
    if "context" in text or "navigated" in text or "collected" in text:
        return "the page went elsewhere while the function ran"
    return f"the function cannot be run: {text}"


async def _stopped(page: Page, session: str, seconds: float) -> str:
    """Say why a function did not end, once it has."""
    within = f"within {seconds * 1000:.0f} ms"
    if await stop(page, session):
        return f"the function did not end {within}, and was stopped"
    return f"the promise of the function was not settled {within}"


async def stop(page: Page, session: str) -> bool:
    """Stop a script that keeps a page busy; answers whether one did.

    A page that is idle is left alone: it would lose the script that it runs next.
    """
    with suppress(Failed):
        try:
            await page.talk.call("Runtime.evaluate", {"expression": "0"}, session=session, patience=_PROBE)
        except NoAnswer:
            await page.talk.post("Runtime.terminateExecution", {}, session=session)
            page.busy = False
            return True
    page.busy = False
    return False


async def wait_for(page: Page, wanted: Sequence[str], seconds: float) -> str:
    """Wait until one of some texts is to be read on the page; answers which. Raises NotDone when none comes."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        began = loop.time()
        try:
            async with asyncio.timeout_at(end):
                if (found := await _reads(page, wanted)) is not None:
                    return found
        except TimeoutError:
            pass
        if loop.time() >= end:
            named = " or ".join(f'"{one}"' for one in wanted)
            raise NotDone(f"{named} did not appear within {seconds * 1000:.0f} ms")
        # As long again as a look took: a large page has other things to do.
        await asyncio.sleep(min(max(_LOOK, loop.time() - began), max(end - loop.time(), 0)))


async def _reads(page: Page, wanted: Sequence[str]) -> str | None:
    script = f"({scripts.HAS_TEXT})({json.dumps(list(wanted))})"
    try:
        world = await page.world(page.session, page.target)
        told = await page.ask("Runtime.evaluate", expression=script, contextId=world, returnByValue=True)
    except Refused:
        # It is about to be another document.
        page.forget_world(page.session, page.target)
        return None
    if found := told["result"].get("value"):
        return str(found)
    plain = {" ".join(one.split()): one for one in wanted}
    for text in await outline.texts(page):
        said = " ".join(text.split())
        if hit := next((one for key, one in plain.items() if key in said), None):
            return hit
    return None
