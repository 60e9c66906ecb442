"""Emulator: a Chaser inside the program that tests, or the way to one that runs elsewhere."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlsplit

from chaser_emulator.clock import new_secret_key
from chaser_emulator.embedded.asking import Door, Refused, Sockets
from chaser_emulator.embedded.chaser import Chaser, clock_of, limit_of, made
from chaser_emulator.embedded.direct import Host
from chaser_emulator.embedded.seeds import Seed
from chaser_emulator.embedded.world import World, world_of
from chaser_emulator.loading import without_collections
from chaser_emulator.plans import PLANS
from chaser_emulator.settings import DEFAULT_API_KEY, SandboxChoice, Settings

if TYPE_CHECKING:
    from chaser_emulator.embedded.twins import AsyncChaser
    from chaser_emulator.meter import Limits


class Emulator:
    """An emulator of this process, from `start` to `stop`, or for a block: `with Emulator() as chaser:`.

    It serves from a thread of its own, on a free port, and keeps nothing. `engine` is what runs commands (`scripted`
    runs none, and has answers from stubs), `seed` what its default world holds at first, `clock` `real`, `frozen` or a
    moment. `settings` are all that `chaser-emulator serve` has, but for what has an argument of its own here. What
    `start` and the block give is a Chaser: the default world, which has all that a test needs; `world` makes others.

    In `async with` it serves from a thread as well, so that even a client that blocks the loop is answered.
    """

    def __init__(
        self,
        *,
        engine: SandboxChoice = "scripted",
        seed: Seed | None = None,
        plan: str = "pro",
        clock: str | datetime | None = None,
        strict: bool = False,
        port: int = 0,
        settings: Settings | None = None,
    ) -> None:
        _check(engine, plan)
        base = settings if settings is not None else Settings(api_key=new_secret_key(), rate_limit=_no_limit())
        self._settings = replace(base, sandbox=engine, plan=plan, strict=strict, port=port, data_dir=None)
        self._seed = seed
        self._clock = clock
        self._stack = ExitStack()
        self._chaser: Chaser | None = None

    @classmethod
    def at(cls, url: str, api_key: str | None = None) -> Emulator:
        """The emulator that runs at an address, where `stop` lets go of it and no more.

        `api_key` is its own key, which this machine may ask for. Raises ConnectionError, and Refused for a wrong key.
        """
        found = cls()
        with ExitStack() as stack:
            sockets = Sockets(url)
            stack.callback(sockets.close)
            asking = Door(url.rstrip("/"), api_key or DEFAULT_API_KEY, sockets)
            told = asking.ask("GET", "/worlds/default")
            if api_key is not None and told["api_key"] != api_key:
                # The machine's own programs need no key to ask, so that nobody else would notice.
                raise Refused(401, "unauthorized", f"the key is not that of the default world of {url}")
            door = replace(asking, api_key=told["api_key"])
            found._chaser = Chaser(door, world_of(door, told))
            stack.callback(found._chaser.close)
            found._stack = stack.pop_all()
        return found

    def start(self) -> Chaser:
        """Serve, and answer the Chaser of the default world. Raises SandboxUnavailable and PortTakenError."""
        if self._chaser is not None:
            return self._chaser
        with ExitStack() as stack, without_collections():
            # Imported on use: `Emulator.at` needs none of it.
            from chaser_emulator.server import running

            one = stack.enter_context(running(self._settings))
            host = Host(one.app, one.loop, urlsplit(one.url).netloc, one.worlds)
            sockets = Sockets(one.url)
            stack.callback(sockets.close)
            door = Door(one.url, one.api_key, sockets, host)
            chaser = Chaser(door, World(door, "default", one.api_key, one.world.account_id, self._settings.strict))
            stack.callback(chaser.close)
            # The control plane reads its document when it is asked first.
            door.ask("GET", "/health")
            if self._seed is not None:
                chaser.seed(self._seed)
            if (clock := clock_of(self._clock)) is not None:
                door.ask("POST", "/clock", clock)
            self._stack = stack.pop_all()
        self._chaser = chaser
        # A program that forgets to stop it leaves no folder behind.
        atexit.register(self.stop)
        return chaser

    def stop(self) -> None:
        """End it, with all its worlds."""
        atexit.unregister(self.stop)
        self._chaser = None
        self._stack.close()

    @property
    def running(self) -> bool:
        return self._chaser is not None

    @property
    def chaser(self) -> Chaser:
        """The Chaser of the default world. Raises RuntimeError before `start`."""
        if self._chaser is None:
            raise RuntimeError("this emulator does not run: use it in a with block, or call start()")
        return self._chaser

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return self.chaser.url

    @property
    def api_key(self) -> str:
        """The key of the default world."""
        return self.chaser.api_key

    @property
    def env(self) -> dict[str, str]:
        """CHASER_API_URL and CHASER_API_KEY of the default world."""
        return self.chaser.env

    @property
    def client(self) -> Any:
        """The official SDK's client in the default world."""
        return self.chaser.client

    def world(
        self,
        name: str | None = None,
        *,
        engine: SandboxChoice | None = None,
        seed: Seed | None = None,
        plan: str | None = None,
        clock: str | datetime | None = None,
        strict: bool | None = None,
        rate_limit: Limits | None = None,
    ) -> Chaser:
        """A new world with nothing in it but its first user and the seed, until it is deleted or its block ends.

        What is not said is as in the default world; `rate_limit` is that of every surface.
        """
        door = self.chaser._door
        body: Mapping[str, Any] = {
            "id": name, "sandbox": engine, "plan": plan, "strict": strict, "clock": clock_of(clock),
            "rate_limit": limit_of(rate_limit),
        }  # fmt: skip
        chaser = Chaser(door, made(door, "/worlds", body))
        try:
            if seed is not None:
                chaser.seed(seed)
        except BaseException:
            chaser.delete()
            raise
        return chaser

    def fork(self, name: str | None = None) -> Chaser:
        """A world that begins with all that the default one holds now."""
        return self.chaser.fork(name)

    def __enter__(self) -> Chaser:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        chaser = self._chaser
        try:
            if kind is None and chaser is not None:
                chaser.check()
        finally:
            self.stop()

    async def __aenter__(self) -> AsyncChaser:
        from chaser_emulator.embedded.waiting import in_thread

        return (await in_thread(self.start)).awaited

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from chaser_emulator.embedded.waiting import in_thread

        await in_thread(self.__exit__, kind, error, trace)

    def __repr__(self) -> str:
        return f"<Emulator {f'at {self.url}' if self.running else 'that does not run'}>"


def _no_limit() -> Any:
    from chaser_emulator.meter import Limits

    return Limits(enabled=False)


def _check(engine: str, plan: str) -> None:
    """Raise ValueError for what there is not: nobody else looks at what a program says itself."""
    for what, given, known in (("engine", engine, get_args(SandboxChoice)), ("plan", plan, tuple(PLANS))):
        if given not in known:
            raise ValueError(f"there is no {what} {given!r}; there are: {', '.join(known)}")
