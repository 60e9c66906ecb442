"""What there is in a session at this moment, its ports and the pages of a browser: looked up while somebody watches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from chaser_emulator.browsers import Browsers, devtools
from chaser_emulator.lifecycle import Lifecycle
from chaser_emulator.sandbox import Engine, SandboxError, SandboxGone
from chaser_emulator.store import Row, Store, sessions

_log = logging.getLogger(__name__)

_APART = 1.0
"""Real seconds between two looks."""

_QUIET = 15.0
"""Real seconds after which a watcher is told that nothing has changed: a connection that is gone is noticed so."""

_PATIENCE = 5.0


@dataclass(frozen=True)
class Page:
    """A page of a browser; `kind` in the words of Chromium."""

    id: str
    kind: str
    title: str
    url: str


@dataclass(frozen=True)
class Inside:
    """A session's status and why it failed, the ports that listen in it, and its pages (None: it is no browser)."""

    status: str
    failure: str | None = None
    ports: tuple[int, ...] = ()
    pages: tuple[Page, ...] | None = None

    @property
    def over(self) -> bool:
        return self.status in (sessions.TERMINATED, sessions.FAILED)


@dataclass
class _Watched:
    """A session that somebody watches."""

    now: Inside | None = None
    watchers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    looking: asyncio.Task[None] | None = None


class Insides:
    """What is in the sessions of a world. However many watch one of them, it is looked at once a second; else never."""

    def __init__(self, store: Store, engine: Engine, lifecycle: Lifecycle, browsers: Browsers) -> None:
        self._store = store
        self._engine = engine
        self._lifecycle = lifecycle
        self._browsers = browsers
        self._watched: dict[str, _Watched] = {}
        self._closed = False

    async def look(self, session_id: str) -> Inside:
        """What is in a session now; nothing in one that does not run. Raises SandboxError and TimeoutError."""
        row = await sessions.get(self._store, session_id)
        if row is None:
            return Inside(sessions.TERMINATED)
        if row["status"] != sessions.RUNNING:
            return Inside(row["status"], row["failure"], pages=() if row["session_type"] == "browser" else None)
        async with asyncio.timeout(_PATIENCE):
            try:
                ports = await self._engine.ports(row["ref"])
            except SandboxGone:
                await self._lifecycle.lost(row)
                raise
            return Inside(row["status"], None, tuple(ports), await self._pages(row))

    async def watch(self, session_id: str) -> AsyncGenerator[Inside | None]:
        """What is in a session, now and whenever that has changed, until it has ended. None: nothing for a while."""
        watched = self._watched.setdefault(session_id, _Watched())
        watched.watchers += 1
        if watched.looking is None:
            watched.looking = asyncio.create_task(self._keep_looking(session_id, watched))
        seen: Inside | None = None
        try:
            while not self._closed:
                changed = watched.changed
                if watched.now is not None and watched.now != seen:
                    seen = watched.now
                    yield seen
                    if seen.over:
                        return
                    continue
                try:
                    async with asyncio.timeout(_QUIET):
                        await changed.wait()
                except TimeoutError:
                    if watched.looking.done():
                        return
                    yield None
        finally:
            watched.watchers -= 1
            if watched.watchers == 0:
                watched.looking.cancel()
                if self._watched.get(session_id) is watched:
                    del self._watched[session_id]

    async def close(self) -> None:
        """The world ends, and with it what its watchers see."""
        self._closed = True
        looking = [one.looking for one in self._watched.values() if one.looking is not None]
        for one in list(self._watched.values()):
            one.changed.set()
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)

    async def _keep_looking(self, session_id: str, watched: _Watched) -> None:
        while watched.now is None or not watched.now.over:
            now: Inside | None
            try:
                now = await self.look(session_id)
            except (SandboxError, TimeoutError) as error:
                # It may be starting, or ending: the next look knows.
                _log.debug("session %s could not be looked into: %s", session_id, error)
                now = watched.now
            if now is not None and now != watched.now:
                watched.now = now
                before, watched.changed = watched.changed, asyncio.Event()
                before.set()
            if now is not None and now.status == sessions.STARTING:
                await self._lifecycle.settled(session_id, _APART)
                await asyncio.sleep(_APART / 10)
            else:
                await asyncio.sleep(_APART)

    async def _pages(self, row: Row) -> tuple[Page, ...] | None:
        if row["session_type"] != "browser":
            return None
        browser = self._browsers.get(row["id"])
        if browser is None:
            return ()
        with contextlib.suppress(devtools.Failed, OSError):
            told = await devtools.targets(browser.place, "")
            return tuple(Page(one["id"], one["type"], one["title"], one["url"]) for one in told)
        return ()
