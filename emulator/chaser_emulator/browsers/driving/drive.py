"""The open pages of a browser, kept while it runs: which there are, which one is selected, and whose turn it is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from chaser_emulator.browsers import devtools
from chaser_emulator.browsers.devtools import Json
from chaser_emulator.browsers.driving import NotDone
from chaser_emulator.browsers.driving.pages import Page
from chaser_emulator.browsers.driving.watching import LONGEST_URL, clip

if TYPE_CHECKING:
    from chaser_emulator.browsers import Browser

_PAGES = [{"type": "page"}]
_BLANK = "about:blank"
_PATIENCE = 8.0


class Drive:
    """The connection of a driver to one browser. Pages that come later are attached before they run a script."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._stack = AsyncExitStack()
        self._talk: devtools.Conversation | None = None
        self._came = asyncio.Event()
        self._pages: list[Page] = []
        self.selected: Page | None = None
        self.snapshots = 0

    @property
    def talk(self) -> devtools.Conversation:
        assert self._talk is not None, "it has been opened"  # noqa: S101
        return self._talk

    @property
    def pages(self) -> list[Page]:
        """The open pages in their order, without those that a job has opened for itself."""
        return [page for page in self._pages if not page.closed and page.target not in self._browser.aside]

    @property
    def over(self) -> bool:
        return self._talk is None or self._talk.over.is_set()

    async def open(self) -> None:
        """Attach to the pages that are open. Raises as `devtools.conversation` does."""
        place, guid = self._browser.place, self._browser.guid
        talk = devtools.conversation(place, f"browser/{guid}", self._hear)
        self._talk = await self._stack.enter_async_context(talk)
        await self._talk.ask(
            "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True, filter=_PAGES
        )
        listed = await devtools.targets(place, "")
        front = next((one["id"] for one in listed if one["type"] == "page"), None)
        self.selected = next((page for page in self.pages if page.target == front), None)

    async def close(self) -> None:
        """Let go of the browser, which runs on."""
        for page in self._pages:
            page.end()
        self._pages = []
        await self._stack.aclose()

    async def current(self) -> Page:
        """The selected page. Raises NotDone, once, when it has been closed; another one is selected then."""
        if self.selected is not None and not self.selected.closed:
            return self.selected
        lost, self.selected = self.selected is not None, None
        if not self.pages:
            return await self.add(_BLANK)
        self.selected = self.pages[-1]
        if lost:
            number = len(self.pages) - 1
            raise NotDone(
                f"the selected page has been closed; page {number} is selected now, call again to go on there"
            )
        return self.selected

    def at(self, index: int) -> Page | None:
        """The page with this number."""
        return self.pages[index] if 0 <= index < len(self.pages) else None

    async def add(self, url: str) -> Page:
        """A new page, which is selected. Raises NotDone."""
        made = await self._ask("Target.createTarget", url=url)
        page = await self._attached(str(made["targetId"]))
        self.selected = page
        return page

    async def remove(self, page: Page) -> None:
        """Close a page, whatever its scripts say to that, and select another one if it was selected."""
        before = self.pages.index(page)
        await self._ask("Target.closeTarget", targetId=page.target)
        with contextlib.suppress(NotDone):
            await page.until(lambda: page.closed, _PATIENCE)
        if self.selected is page or self.selected is None:
            self.selected = self.pages[min(before, len(self.pages) - 1)] if self.pages else None

    async def to_front(self, page: Page) -> None:
        """Show a page: those behind others draw nothing, and some answer to no input."""
        with contextlib.suppress(devtools.Refused):
            await page.ask("Page.bringToFront")

    async def listed(self) -> list[Json]:
        """What `list_pages` answers: `[{"idx", "url", "title", "selected"}]`."""
        told = await self._ask("Target.getTargets", filter=_PAGES)
        known = {one["targetId"]: one for one in told["targetInfos"]}
        return [
            {
                "idx": number,
                "url": clip(str(known.get(page.target, {}).get("url") or page.url), LONGEST_URL),
                "title": str(known.get(page.target, {}).get("title", "")),
                "selected": page is self.selected,
            }
            for number, page in enumerate(self.pages)
        ]

    async def _attached(self, target: str) -> Page:
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    came = self._came
                    for page in self._pages:
                        if page.target == target:
                            return page
                    await came.wait()
        except TimeoutError:
            raise NotDone("the new page did not come up in time") from None

    async def _ask(self, method: str, **params: object) -> Json:
        try:
            return await self.talk.ask(method, **params)
        except devtools.Failed as error:
            raise NotDone(str(error)) from None

    def _hear(self, method: str, params: Json) -> None:
        match method:
            case "Target.attachedToTarget":
                info = params["targetInfo"]
                self._pages.append(Page(self.talk, str(params["sessionId"]), str(info["targetId"])))
                before, self._came = self._came, asyncio.Event()
                before.set()
            case "Target.detachedFromTarget":
                for page in [one for one in self._pages if one.session == params.get("sessionId")]:
                    self._pages.remove(page)
                    page.end()


@asynccontextmanager
async def turn(browser: Browser) -> AsyncIterator[Drive]:
    """Drive a browser while nobody else does: one tool after the other. Raises as `devtools.conversation` does."""
    async with browser.driving:
        drive = browser.drive
        if drive is None or drive.over:
            if drive is not None:
                await drive.close()
            drive = browser.drive = Drive(browser)
            try:
                await drive.open()
            except BaseException:
                browser.drive = None
                await drive.close()
                raise
        for page in drive.pages:
            page.answered = 0
            page.acted_on = True
        try:
            yield drive
        finally:
            for page in drive.pages:
                page.acted_on = False
