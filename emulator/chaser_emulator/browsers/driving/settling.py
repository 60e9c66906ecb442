"""Going to an address, and waiting like a person does for what a page makes of something."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from chaser_emulator.browsers.devtools import Json, Refused
from chaser_emulator.browsers.driving import NotDone, scripts
from chaser_emulator.browsers.driving.pages import Mark, Page
from chaser_emulator.browsers.driving.watching import LONGEST_URL, clip

QUIET_MS = 50
"""Nothing in a document has changed for so long: it is taken to be finished with what was done."""

_LONGEST = 3.0
"""Seconds to wait for what an action has asked of the network."""

_LOADING = 10.0
"""Seconds to wait for a page that an action leads to."""

_ASKED = ("document", "fetch", "script", "xhr")
_COMMIT = 3.0
_EVENT = 0.5
_CALM = 1.0
"""Seconds to wait for a document to be quiet: some never are."""


@dataclass(frozen=True)
class Arrived:
    """Where a navigation has led to, and the HTTP status there, where there is one."""

    url: str
    status: int | None


async def go(page: Page, url: str, seconds: float) -> Arrived:
    """Go to an address, and wait until it has loaded. Raises NotDone when it cannot be reached, or takes too long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await _free(page)
    before, moves, seen = len(page.downloads), page.moves, page.documents
    try:
        told = await _navigate(page, url, seconds)
    except Refused as error:
        raise NotDone(f"the browser cannot go to {url}: {error}") from None
    if told.get("isDownload"):
        await page.until(lambda: len(page.downloads) > before, _EVENT)
        raise NotDone(f"the address {url} is a download, not a page; the page stays where it was")
    loader = told.get("loaderId")
    if failure := told.get("errorText"):
        if failure == "net::ERR_ABORTED":
            # So it is, too, for a page that is about to be closed.
            await page.until(lambda: page.closed, _EVENT)
            if page.closed:
                raise NotDone("the page has been closed")
            raise NotDone(f"the address {url} gave nothing to show ({failure}); the page stays where it was")
        # The browser shows a page of its own about it.
        await page.until(lambda: page.loader == loader, _COMMIT)
        raise NotDone(f"could not go to {url}: {failure}")
    if loader is None:
        # A place in the same document.
        await page.until(lambda: page.moves > moves, _EVENT)
    else:
        await page.until(lambda: page.loader == loader or page.documents > seen, end - loop.time())
        await loaded(page, end - loop.time(), seconds)
    return _arrived(page)


async def _navigate(page: Page, url: str, seconds: float) -> Json:
    """`Page.navigate`, which answers once the server has; a page that is late is stopped."""
    try:
        return await page.ask("Page.navigate", within=seconds, url=url)
    except NotDone:
        if not page.busy:
            raise
        page.busy = False
        await page.talk.post("Page.stopLoading", {}, session=page.session)
        raise NotDone(f"the server did not answer within {seconds * 1000:.0f} ms: {url}") from None


async def step(page: Page, by: int, seconds: float) -> Arrived:
    """Go back (-1) or forward (1). Raises NotDone, also where there is nothing to go to."""
    await _free(page)
    history = await page.ask("Page.getNavigationHistory")
    index = history["currentIndex"] + by
    if not 0 <= index < len(history["entries"]):
        raise NotDone(f"there is no page to go {'back' if by < 0 else 'forward'} to")
    documents, moves = page.documents, page.moves
    await page.ask("Page.navigateToHistoryEntry", entryId=history["entries"][index]["id"])
    return await _changed(page, documents, moves, seconds)


async def reload(page: Page, seconds: float, *, ignore_cache: bool = False) -> Arrived:
    """Load the page again. Raises NotDone."""
    await _free(page)
    documents = page.documents
    await page.ask("Page.reload", ignoreCache=ignore_cache)
    return await _changed(page, documents, None, seconds)


async def _changed(page: Page, documents: int, moves: int | None, seconds: float) -> Arrived:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    if not await page.until(lambda: page.documents > documents or (moves is not None and page.moves > moves), seconds):
        await page.talk.post("Page.stopLoading", {}, session=page.session)
        raise NotDone(f"the page did not answer within {seconds * 1000:.0f} ms")
    if page.documents > documents:
        await loaded(page, end - loop.time(), seconds)
    if page.unreachable is not None:
        raise NotDone(f"could not go to {page.unreachable}: {page.network.why_failed(page.unreachable) or 'failed'}")
    return _arrived(page)


async def loaded(page: Page, left: float, seconds: float) -> None:
    """Wait until the document, or another that it goes on to, has loaded. Raises NotDone when that takes too long."""
    if not await page.until(lambda: page.at_rest, max(left, 0)):
        raise NotDone(
            f"the page has not finished loading after {seconds * 1000:.0f} ms; it is at {page.url}, and what has come "
            "can be used already"
        )
    await settle(page, page.mark())


async def settle(page: Page, mark: Mark, *, longest: float = _LONGEST) -> None:
    """Wait for what has been set off since `mark`: another page, answers that scripts wait for, changes. Never fails,
    be it that the page does not come to rest, or that it ends."""
    with contextlib.suppress(NotDone):
        await _settle(page, mark, longest)


async def _settle(page: Page, mark: Mark, longest: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + longest
    while not page.closed and not page.crashed:
        if not page.at_rest:
            await page.until(lambda: page.at_rest or page.closed, _LOADING)
            if not page.at_rest:
                return
            end = max(end, loop.time() + QUIET_MS / 1000)
        documents = page.documents
        await _calm(page, min(max(end - loop.time(), QUIET_MS / 1000), _CALM))
        if page.documents != documents or not page.at_rest:
            continue
        if loop.time() >= end or not page.network.pending_since(mark.requests, _ASKED):
            return
        await page.until(lambda: not page.network.pending_since(mark.requests, _ASKED), end - loop.time())


async def _calm(page: Page, seconds: float) -> None:
    """Wait for a document to be quiet."""
    try:
        world = await page.world(page.session, page.target)
        await page.ask(
            "Runtime.evaluate",
            within=seconds + 1,
            # A page that still builds itself does not answer either.
            telling=False,
            expression=f"({scripts.CALM})({QUIET_MS}, {seconds * 1000:.0f})",
            contextId=world,
            awaitPromise=True,
            returnByValue=True,
        )
    except Refused:
        # The document went away under the script.
        page.forget_world(page.session, page.target)
        await asyncio.sleep(QUIET_MS / 1000)
    except NotDone:
        return


async def _free(page: Page) -> None:
    """Make a page that crashed, or that a script keeps busy, able to go elsewhere."""
    page.crashed = False
    if page.busy:
        await page.talk.post("Runtime.terminateExecution", {}, session=page.session)
        page.busy = False


def _arrived(page: Page) -> Arrived:
    return Arrived(clip(page.url, LONGEST_URL), page.network.status_of(page.url.partition("#")[0]))
