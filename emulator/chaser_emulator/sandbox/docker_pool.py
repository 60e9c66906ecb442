"""Containers that wait for a session: started, and with shells that listen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from . import SandboxUnavailable
from .docker_container import Container


class Pool:
    """Keeps `size` of them. `make` starts one; `remove` ends one. One that cannot be had is tried again later."""

    def __init__(
        self,
        size: int,
        make: Callable[[], Coroutine[object, object, Container]],
        remove: Callable[[Container], Awaitable[None]],
    ) -> None:
        self._size = size
        self._make = make
        self._remove = remove
        self._idle: list[Container] = []
        self._filling: asyncio.Task[None] | None = None
        self._closed = False

    def fill(self) -> None:
        """See to it, in the background, that there are as many as wanted."""
        if self._size and not self._closed and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        while len(self._idle) < self._size:
            try:
                self._idle.append(await self._make())
            except SandboxUnavailable:
                # Sessions do without; whoever starts the next one has this tried again, or hears the reason.
                return

    async def take(self) -> Container | None:
        """One that is alive, if there is one now."""
        found = None
        while self._idle and found is None:
            one = self._idle.pop(0)
            if one.listens:
                found = one
            else:
                await self._remove(one)
        self.fill()
        return found

    async def close(self) -> None:
        """End those that wait, and those on their way."""
        self._closed = True
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait((self._filling,))
        await asyncio.gather(*(self._remove(one) for one in self._idle))
        self._idle.clear()
