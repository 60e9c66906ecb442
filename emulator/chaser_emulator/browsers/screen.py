"""What a browser shows, as a stream of pictures for any number of people who look at it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.browsers import devtools
from chaser_emulator.sandbox import SandboxError

_log = logging.getLogger(__name__)

BOUNDARY = "frame"
MEDIA_TYPE = f"multipart/x-mixed-replace; boundary={BOUNDARY}"

_APART = 1 / 15
"""Seconds between pictures at the least."""

_LOOK = 1.0
"""Seconds between looks at which page is in front."""

_REPEAT = 5.0
"""Seconds after which a picture that has not changed is sent again, so that nobody takes the stream for dead."""

_ONCE_MORE = 0.3
"""Seconds after which a new picture is sent a second time: some browsers show a part only once the next one begins."""

_PICTURE: dict[str, Any] = {"format": "jpeg", "quality": 70, "maxWidth": 1280, "maxHeight": 1024, "everyNthFrame": 1}


@dataclass
class Screen:
    """The picture of the page in front; it is taken while somebody looks.

    A viewer gets the newest picture once the one before it is sent, so a slow one gets fewer of them.
    """

    place: devtools.Place
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _picture: bytes = b""
    _number: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _viewers: int = 0
    _filming: asyncio.Task[None] | None = None

    async def view(self) -> AsyncGenerator[bytes, None]:
        """Parts of a multipart stream until the browser ends. Close it to look no longer."""
        self._viewers += 1
        if self._filming is None:
            self._filming = asyncio.create_task(self._film())
        try:
            yield f"--{BOUNDARY}\r\n".encode()
            seen, patience = 0, _REPEAT
            while not self.ended.is_set():
                changed = self._changed
                if self._picture and self._number != seen:
                    seen, patience = self._number, _ONCE_MORE
                    yield _part(self._picture)
                elif not await self._news(changed, patience) and self._picture:
                    patience = _REPEAT
                    yield _part(self._picture)
        finally:
            self._viewers -= 1
            if self._viewers == 0 and self._filming is not None:
                self._filming.cancel()
                self._filming = None
                self._picture = b""

    async def _news(self, changed: asyncio.Event, patience: float) -> bool:
        """Wait for another picture or the end; False when there is neither for a while."""
        waits = [asyncio.ensure_future(changed.wait()), asyncio.ensure_future(self.ended.wait())]
        try:
            done, _ = await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            return bool(done)
        finally:
            for wait in waits:
                wait.cancel()

    async def _film(self) -> None:
        """Follow the page in front, from page to page."""
        while not self.ended.is_set():
            try:
                front = await self._front()
                if front is not None:
                    await self._follow(front)
                    continue
            except (devtools.Failed, SandboxError, OSError, TimeoutError) as error:
                # A page that closes takes its socket with it; the next round finds another one.
                _log.debug("the page in front went away: %s", error)
            await asyncio.sleep(_LOOK / 4)

    async def _front(self) -> str | None:
        pages = [one["id"] for one in await devtools.targets(self.place, "") if one["type"] == "page"]
        return pages[0] if pages else None

    async def _follow(self, target: str) -> None:
        """Take pictures of one page until another is in front of it."""
        frames: asyncio.Queue[devtools.Json] = asyncio.Queue()

        def heard(method: str, params: devtools.Json) -> None:
            if method == "Page.screencastFrame":
                frames.put_nowait(params)

        async with devtools.conversation(self.place, f"page/{target}", heard) as talk:
            await talk.ask("Page.enable")
            await talk.ask("Page.startScreencast", **_PICTURE)
            loop = asyncio.get_running_loop()
            looked = loop.time()
            while True:
                frame = None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, looked + _LOOK - loop.time())):
                        frame = await frames.get()
                if frame is not None:
                    self._show(base64.b64decode(frame["data"]))
                    await asyncio.sleep(_APART)
                    # Chromium takes the next picture only once it hears that this one has arrived.
                    await talk.ask("Page.screencastFrameAck", sessionId=frame["sessionId"])
                if loop.time() - looked >= _LOOK:
                    looked = loop.time()
                    if await self._front() != target:
                        return

    def _show(self, picture: bytes) -> None:
        self._picture = picture
        self._number += 1
        before, self._changed = self._changed, asyncio.Event()
        before.set()


def _part(picture: bytes) -> bytes:
    # With the boundary after it: browsers show a picture only once they see where it ends.
    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
    return head.encode() + picture + f"\r\n--{BOUNDARY}\r\n".encode()
