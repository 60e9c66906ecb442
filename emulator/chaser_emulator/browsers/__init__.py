"""Browsers: Chromium as a command in a sandbox of any engine, from its start to its end, and who may talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chaser_emulator.browsers import chromium, devtools, relay
from chaser_emulator.browsers.screen import Screen
from chaser_emulator.sandbox import Engine, Process, SandboxError, SandboxUnavailable

if TYPE_CHECKING:
    from chaser_emulator.browsers.driving.drive import Drive

_log = logging.getLogger(__name__)

START_SECONDS = 20.0
CLOSE_SECONDS = 2.0
"""How long Chromium may take to write down its profile before it is killed."""

_TAIL = 20
_LINE = 4096


@dataclass
class Browser:
    """A Chromium that runs: where its DevTools listen inside its sandbox, and the secret end of their address."""

    session_id: str
    place: devtools.Place
    guid: str
    process: Process
    screen: Screen
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    """The last lines that it wrote, which say why it ended."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    installing: asyncio.Lock = field(default_factory=asyncio.Lock)
    closing: bool = False
    driving: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by who drives it: one tool after the other."""
    drive: Drive | None = None
    aside: set[str] = field(default_factory=set)
    """Pages that are a job's own, and nobody else's to drive."""

    async def let_go(self) -> None:
        """End what we hold open to it ourselves."""
        drive, self.drive = self.drive, None
        if drive is not None:
            await drive.close()


@dataclass
class OnDemand:
    """The session that was started last for a caller who named none."""

    session_id: str | None = None
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)


Ended = Callable[[str | None], Awaitable[None]]
"""Told of a browser that ended by itself, and what went wrong (None: a client asked it to close)."""


class Browsers:
    """The browsers of one world by their sessions."""

    def __init__(self, engine: Engine, binary: str | None) -> None:
        self._engine = engine
        self._binary = binary
        self._running: dict[str, Browser] = {}
        self._relays: dict[str, relay.Relay] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_demand: dict[tuple[str, str], OnDemand] = {}
        """By caller: account, and principal in it."""

    def get(self, session_id: str) -> Browser | None:
        return self._running.get(session_id)

    async def start(self, session_id: str, ref: str, env: Mapping[str, str], ended: Ended) -> Browser:
        """Start Chromium in a sandbox, and return once it has a page. `ended` is told when it ends without `close`.

        Raises SandboxUnavailable with what it said last when it does not come up; nothing of it remains but the
        sandbox, which is the caller's to stop.
        """
        try:
            async with asyncio.timeout(START_SECONDS):
                browser = await self._start(session_id, ref, env)
        except TimeoutError:
            await self._let_go(session_id)
            raise SandboxUnavailable(f"Chromium did not answer within {START_SECONDS:.0f} s.") from None
        except BaseException:
            await self._let_go(session_id)
            raise
        self._running[session_id] = browser
        self._spawn(self._watch(browser, ended))
        return browser

    def take_in(self, browser: Browser) -> None:
        """Let a browser that somebody else has started count as one of these; they see to its end as well."""
        self._running[browser.session_id] = browser

    async def close(self, session_id: str) -> None:
        """Ask a browser to end, and wait a moment for it: what it has in memory of its profile is written then."""
        browser = self._running.pop(session_id, None)
        if browser is None:
            await self._let_go(session_id)
            return
        browser.closing = True
        await browser.let_go()
        with contextlib.suppress(SandboxError, OSError, TimeoutError, devtools.Failed):
            async with asyncio.timeout(CLOSE_SECONDS):
                async with devtools.conversation(browser.place, f"browser/{browser.guid}") as talk:
                    await talk.ask("Browser.close")
                await browser.process.wait()
        browser.ended.set()
        await self._let_go(session_id)

    async def close_all(self) -> None:
        """Let go of whatever is left, at the end of a world."""
        for session_id in list(self._running.keys() | self._relays.keys()):
            await self.close(session_id)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start(self, session_id: str, ref: str, env: Mapping[str, str]) -> Browser:
        proxy = env.get("ALL_PROXY")
        server = None
        if proxy is not None:
            server, opened = await relay.way_through(proxy, local=ref.startswith("local-"))
            if opened is not None:
                self._relays[session_id] = opened
        process = await self._engine.exec(ref, chromium.command(self._binary, server))
        tail: deque[str] = deque(maxlen=_TAIL)
        listening: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        reading = self._spawn(_read(process, tail, listening))
        try:
            await asyncio.wait((listening, reading), return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                code = await process.wait()
                raise SandboxUnavailable(chromium.why_it_ended(code, tail))
            port, guid = listening.result()
            place = devtools.Place(self._engine, ref, port)
            await devtools.first_page(place)
        except BaseException:
            reading.cancel()
            raise
        browser = Browser(session_id, place, guid, process, Screen(place), tail)
        browser.screen.ended = browser.ended
        return browser

    async def _watch(self, browser: Browser, ended: Ended) -> None:
        try:
            code = await browser.process.wait()
        except SandboxError:
            code = 255
        browser.ended.set()
        if browser.closing or self._running.get(browser.session_id) is not browser:
            return
        del self._running[browser.session_id]
        await browser.let_go()
        await self._let_go(browser.session_id)
        # A client may close the browser by its protocol; that is no failure.
        await ended(None if code == 0 else chromium.why_it_ended(code, browser.tail))

    async def _let_go(self, session_id: str) -> None:
        if (opened := self._relays.pop(session_id, None)) is not None:
            await opened.close()

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _read(process: Process, tail: deque[str], listening: asyncio.Future[tuple[int, str]]) -> None:
    """Read all that Chromium writes: it says where it listens, and would stand still were nobody to read."""
    rest = b""
    try:
        async for chunk in process.output():
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-_LINE:]
            for raw in lines:
                line = raw[:_LINE].decode(errors="replace").strip()
                if not listening.done() and (found := chromium.listens(line)) is not None:
                    listening.set_result(found)
                elif line:
                    tail.append(line)
        if last := rest.decode(errors="replace").strip():
            tail.append(last)
    except SandboxError as error:
        tail.append(str(error))
