"""Jobs in the browser of a session: calls of the DevTools protocol one by one, and what is on a page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from chaser_emulator.browsers import Browser, devtools, refusals, visits
from chaser_emulator.browsers.devtools import Conversation, Json
from chaser_emulator.browsers.driving import NotDone, looking, settling
from chaser_emulator.browsers.driving.pages import Page
from chaser_emulator.errors import not_found
from chaser_emulator.shapes import BrowserActionResult, BrowserScrapeResult
from chaser_emulator.store import sessions
from chaser_emulator.work import JobFailed, Task

DEFAULT_TIMEOUT_MS = 120_000
_LARGEST = 2**24
"""Characters of JSON that a result may have."""

_LOADING = 30.0
"""Seconds that the call after one that goes elsewhere waits at most for the page to load."""

_LEADING = ("Page.navigate", "Page.reload", "Page.navigateToHistoryEntry")
_ANSWERING = "Page.handleJavaScriptDialog"
_APPEARING = 2.0
_LOOK = 0.1
_CLOSING = 3.0
_LONG = 3600.0

_SCRAPE = """(selector, all) => {
  const page = {url: location.href, title: document.title || ''};
  if (selector === null) {
    const root = document.documentElement;
    return {...page, html: root ? root.outerHTML : ''};
  }
  let found;
  try {
    found = all ? [...document.querySelectorAll(selector)] : [document.querySelector(selector)].filter(Boolean);
  } catch {
    return {invalid: true};
  }
  const text = (one) => (one.innerText === undefined ? one.textContent : one.innerText).trim();
  return {...page, matches: found.map((one) => ({text: text(one), html: one.outerHTML}))};
}"""


async def browser_action(task: Task) -> BrowserActionResult:
    """Make the calls of `steps` in their order on the selected page, or the one in front (J18).

    Raises JobFailed with the results so far when the browser refuses one, or the time is over, and ApiError for a
    session that is no running browser. After a call that goes to another page, the next one waits until it has loaded.
    """
    steps: Sequence[Mapping[str, Any]] = task.input["steps"]
    ms = task.input.get("timeout_ms", DEFAULT_TIMEOUT_MS)
    results: list[Json] = []
    try:
        async with asyncio.timeout(ms / 1000), _visited(task) as (browser, talk):
            page = await _front(browser, talk)
            drive = browser.drive
            also = [one for one in drive.pages if one.target == page.target] if drive is not None else []
            try:
                await _play(talk, [page, *also], steps, results)
            finally:
                if len(results) < len(steps):
                    await asyncio.shield(_given_up(talk, page))
                page.end()
    except TimeoutError:
        raise JobFailed(f"timed out after {ms} ms{_at(steps, results)}", {"results": results}) from None
    except devtools.Failed as error:
        raise JobFailed(f"{error}{_at(steps, results)}", {"results": results}) from None
    except NotDone as error:
        raise JobFailed(f"{error}{_at(steps, results)}", {"results": results}) from None
    return {"results": results}


async def browser_scrape(task: Task) -> BrowserScrapeResult:
    """Open `url` in a page of its own, and take all of it, or what `selector` names (J19).

    Raises JobFailed for an address that cannot be loaded, an answer of the server that is an error (with what it shows
    as the result), and a selector that is none; ApiError for a session that is no running browser.
    """
    url, ms = task.input["url"], task.input.get("timeout_ms", DEFAULT_TIMEOUT_MS)
    try:
        async with asyncio.timeout(ms / 1000), _visited(task) as (browser, talk), _own_page(browser, talk) as page:
            wanted = task.input.get("selector"), bool(task.input.get("all"))
            await _scrape(page, *wanted)
            arrived = await settling.go(page, url, ms / 1000 + 1)
            found = await _appeared(page, *wanted)
    except TimeoutError:
        raise JobFailed(f"timed out after {ms} ms: {url} has not loaded") from None
    except (devtools.Failed, NotDone) as error:
        raise JobFailed(str(error)) from None
    if arrived.status is not None and arrived.status >= 400:
        raise JobFailed(f"{arrived.url} answered {arrived.status}", found)
    return found


@asynccontextmanager
async def _visited(task: Task) -> AsyncIterator[tuple[Browser, Conversation]]:
    """The running browser of the session that a job names, held while the job talks with it."""
    who = task.who
    row = await sessions.get_in(who.store, who.account.id, task.input["session_id"])
    if row is None:
        raise not_found("session", task.input["session_id"])
    if row["session_type"] == "browser":
        who.world.lifecycle.require_time(row)
    visit = await visits.visit(who.world, row, "")
    browser = visit.browser
    with who.world.lifecycle.lease(row["id"]):
        async with _conversation(browser) as talk:
            yield browser, talk


@asynccontextmanager
async def _conversation(browser: Browser) -> AsyncIterator[Conversation]:
    opened = devtools.conversation(browser.place, f"browser/{browser.guid}")
    with refusals.as_answers():
        talk = await opened.__aenter__()
    try:
        yield talk
    finally:
        await opened.__aexit__(None, None, None)


async def _given_up(talk: Conversation, page: Page) -> None:
    """Stop what a call has set off that did not come to its end."""
    with suppress(devtools.Failed):
        await talk.post("Page.stopLoading", {}, session=page.session)
    await looking.stop(page, page.session)


async def _attached(talk: Conversation, target: str) -> Page:
    told = await talk.ask("Target.attachToTarget", targetId=target, flatten=True)
    return Page(talk, str(told["sessionId"]), target)


async def _front(browser: Browser, talk: Conversation) -> Page:
    """The page that the tools for browsers act on, or else the one in front."""
    drive = browser.drive
    if drive is not None and not drive.over and drive.selected is not None and not drive.selected.closed:
        return await _attached(talk, drive.selected.target)
    listed = await devtools.targets(browser.place, "")
    pages = [one["id"] for one in listed if one["type"] == "page" and one["id"] not in browser.aside]
    if not pages:
        pages = [(await talk.ask("Target.createTarget", url="about:blank"))["targetId"]]
    return await _attached(talk, pages[0])


async def _play(
    talk: Conversation, pages: Sequence[Page], steps: Sequence[Mapping[str, Any]], results: list[Json]
) -> None:
    """Make the calls on the first of `pages`, which are one page for whoever drives it; each result is in `results` as
    soon as it is there."""
    page = pages[0]
    while len(results) < len(steps):
        step, rest = steps[len(results)], steps[len(results) + 1 :]
        if rest and rest[0]["method"] == _ANSWERING:
            # What opens a dialog is answered only once the next call has answered that.
            await _play_dialog(talk, pages, step, rest[0], results)
        else:
            results.append(await _call(talk, page, step))
        if len(json.dumps(results)) > _LARGEST:
            results.pop()
            raise devtools.Failed(f"the results have more than {_LARGEST} characters")


async def _play_dialog(
    talk: Conversation,
    pages: Sequence[Page],
    step: Mapping[str, Any],
    answer: Mapping[str, Any],
    results: list[Json],
) -> None:
    """A call that may open a dialog, and the one that answers that: the first comes to its end only then."""
    page = pages[0]
    for one in pages:
        one.leave_dialogs = True
    first = asyncio.ensure_future(_call(talk, page, step))
    opening = asyncio.ensure_future(page.until(lambda: page.asking, _LONG))
    try:
        await asyncio.wait({first, opening}, return_when=asyncio.FIRST_COMPLETED)
        if first.done() and not page.asking:
            # It may open a moment later; the call says so itself when none does.
            results.append(first.result())
            await page.until(lambda: page.asking, 1)
            results.append(await _call(talk, page, answer))
        else:
            second = await _call(talk, page, answer)
            results += [await first, second]
    finally:
        for one in pages:
            one.leave_dialogs = False
        for task in (first, opening):
            task.cancel()
        await asyncio.gather(first, opening, return_exceptions=True)


async def _call(talk: Conversation, page: Page, step: Mapping[str, Any]) -> Json:
    method, params = step["method"], step.get("params") or {}
    await page.prepared()
    documents, moves = page.documents, page.moves
    try:
        result = await _answer(talk, page, method, params)
    except devtools.NoAnswer:
        raise
    except devtools.Refused:
        raise
    except devtools.Failed:
        if method != "Browser.close":
            raise
        # It has heard that.
        return {}
    if method in _LEADING and not result.get("errorText"):
        loader = result.get("loaderId")
        if method != "Page.navigate" or loader:
            await page.until(lambda: page.documents > documents or page.moves > moves, _LOADING)
            await page.until(lambda: page.at_rest, _LOADING)
    return result


async def _answer(talk: Conversation, page: Page, method: str, params: Json) -> Json:
    """Ask the page, or the browser for what pages do not know. However long that takes: the job has its own time."""
    try:
        return await talk.call(method, params, session=page.session, patience=_LONG)
    except devtools.Refused as error:
        if "wasn't found" not in str(error):
            raise
    return await talk.call(method, params, patience=_LONG)


@asynccontextmanager
async def _own_page(browser: Browser, talk: Conversation) -> AsyncIterator[Page]:
    """A new page in a window of its own, which leaves those of others where they are; it is closed at the end."""
    made = asyncio.ensure_future(talk.ask("Target.createTarget", url="about:blank", newWindow=True))
    page: Page | None = None
    try:
        target = str((await asyncio.shield(made))["targetId"])
        browser.aside.add(target)
        page = await _attached(talk, target)
        yield page
    finally:
        await asyncio.shield(_closed(browser, talk, made, page))


async def _closed(browser: Browser, talk: Conversation, made: asyncio.Future[Json], page: Page | None) -> None:
    with suppress(devtools.Failed, NotDone, TimeoutError):
        async with asyncio.timeout(_CLOSING):
            target = str((await made)["targetId"])
            await talk.ask("Target.closeTarget", targetId=target)
            if page is not None:
                await page.until(lambda: page.closed, _CLOSING)
            browser.aside.discard(target)
    if page is not None:
        page.end()


async def _appeared(page: Page, selector: str | None, every: bool) -> BrowserScrapeResult:
    """What is to be taken; a selector that names nothing yet is waited for a little."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _APPEARING
    while True:
        found = await _scrape(page, selector, every)
        if selector is None or found["matches"] or loop.time() >= end:
            return found
        await asyncio.sleep(_LOOK)


async def _scrape(page: Page, selector: str | None, every: bool) -> BrowserScrapeResult:
    arguments = ", ".join(json.dumps(one) for one in (selector, every))
    try:
        world = await page.world(page.session, page.target)
        told = await page.ask(
            "Runtime.evaluate", within=60, expression=f"({_SCRAPE})({arguments})", contextId=world, returnByValue=True
        )
    except devtools.Refused as error:
        raise NotDone(f"the page went elsewhere while it was read: {error}") from None
    found: Any = told["result"].get("value")
    if not isinstance(found, dict):
        raise NotDone("the page cannot be read")
    if "invalid" in found:
        raise NotDone(f"/selector: {selector!r} is no CSS selector")
    if len(json.dumps(found)) > _LARGEST:
        raise NotDone(f"what was found has more than {_LARGEST} characters; a selector can take less of it")
    result: BrowserScrapeResult = found  # type: ignore[assignment]
    return result


def _at(steps: Sequence[Mapping[str, Any]], results: Sequence[Json]) -> str:
    """Which call it was that did not come to its end."""
    number = len(results)
    return f" (/steps/{number}, {steps[number]['method']})" if number < len(steps) else ""
