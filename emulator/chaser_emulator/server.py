"""The emulator on a socket: in this event loop, or in a thread of its own for those who have none."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from chaser_emulator import cutting, weblog
from chaser_emulator.app import open_emulator
from chaser_emulator.handshake import WebSocketProtocol
from chaser_emulator.sandbox import Engine
from chaser_emulator.settings import Settings
from chaser_emulator.world import World
from chaser_emulator.worlds import Worlds

THREAD = "chaser-emulator"
"""What the names of the threads begin with that an emulator in a thread has."""

_GRACE = 1
"""Seconds that open requests get when the server stops."""

_TICK = 0.1
"""Seconds between two looks of uvicorn, which counts ten to a second."""


class PortTakenError(Exception):
    """The address cannot be bound."""


@dataclass(frozen=True)
class Running:
    """An emulator that answers: its address without a trailing slash, its key, its worlds, and a request to stop.

    `ssh_port` is None where SSH is not answered. `app` is what answers, on `loop`, for who needs no socket.
    """

    url: str
    api_key: str
    ssh_port: int | None
    worlds: Worlds
    stop: Callable[[], None]
    stopped: asyncio.Event
    app: ASGIApp
    loop: asyncio.AbstractEventLoop

    @property
    def world(self) -> World:
        """The world that answers whoever names none."""
        return self.worlds.default


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its signal handlers, as a signal must close the world first; it ends once that is asked for."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()

    def end(self) -> None:
        """End, now rather than at the next tick."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        for tick in itertools.count():
            if await self.on_tick(tick):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(settings: Settings, engine: Engine | None = None) -> AsyncIterator[Running]:
    """Serve until the block ends; port 0 takes a free one.

    Raises PortTakenError, StoreError, SandboxUnavailable, and InUseError where the SSH host key cannot be used.
    """
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(bind(settings.host, settings.port)))
        ssh_listener = None
        if settings.ssh_port is not None:
            ssh_listener = stack.enter_context(
                contextlib.closing(bind(settings.host, settings.ssh_port, flag="--ssh-port"))
            )
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        shown = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - shown, not bound
        url = f"http://{shown}:{listener.getsockname()[1]}"
        seen = (settings.public_url or url).rstrip("/")
        ports = [one.getsockname()[1] for one in (listener, ssh_listener) if one is not None]
        async with open_emulator(settings, engine, seen, ports) as emulator:
            config = uvicorn.Config(
                emulator.app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE,
                # Its INFO lines name the address of each WebSocket, and a token may be in that.
                log_level="warning",
                # Called, as a class would be.
                http=cast("type[asyncio.Protocol]", _http_protocol),
                ws=WebSocketProtocol,
                # Screenshots travel as one message.
                ws_max_size=2**28,
                # Nothing of that is worth compressing on loopback; and who reads slowly answers pings late.
                ws_per_message_deflate=False,
                ws_ping_timeout=None,
            )
            logging.getLogger("uvicorn.error").addFilter(weblog.is_failure)
            server = _Uvicorn(config)
            stopped = asyncio.Event()

            def stop() -> None:
                server.end()
                stopped.set()

            task = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(0.001)
                async with _ssh(emulator.worlds, ssh_listener) as ssh_port:
                    emulator.worlds.ssh_port = ssh_port
                    loop = asyncio.get_running_loop()
                    yield Running(url, settings.api_key, ssh_port, emulator.worlds, stop, stopped, emulator.app, loop)
            finally:
                stop()
                for world in emulator.worlds.all():
                    # What is planned to hang would hold up the end.
                    world.faults.close()
                await task


def _http_protocol(**arguments: Any) -> asyncio.Protocol:
    """Uvicorn's own, of the library that is installed; the application can cut its connections."""
    protocol: Any = AutoHTTPProtocol(**arguments)
    protocol.app = cutting.cuttable(protocol.app, protocol)
    return cast("asyncio.Protocol", protocol)


@asynccontextmanager
async def _ssh(worlds: Worlds, listener: socket.socket | None) -> AsyncIterator[int | None]:
    """The SSH gateway, where it is wanted."""
    if listener is None:
        yield None
        return
    # Imported on use: its library takes longer than all the rest of a start.
    from chaser_emulator.gateway import ssh

    async with ssh.open_gateway(worlds, listener) as port:
        yield port


def bind(host: str, port: int, flag: str = "--port") -> socket.socket:
    """A listening socket. Raises PortTakenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Uvicorn turns Nagle's algorithm off only for sockets that say that they are TCP; else answers come 40 ms late.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise PortTakenError(
            f"{host}:{port} cannot be bound: {error.strerror}; choose another with {flag}, or 0 for a free one"
        ) from error
    listener.setblocking(False)
    return listener


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest loop that is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


@contextmanager
def running(settings: Settings, engine: Engine | None = None) -> Iterator[Running]:
    """An emulator in a thread of its own, for tests and programs without an event loop. Raises what `serve` does."""
    ready = threading.Event()
    found: list[Running] = []
    failed: list[BaseException] = []
    loop = new_event_loop()

    async def main() -> None:
        # All of its threads can be told from those of who runs it.
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix=THREAD))
        async with serve(settings, engine) as one:
            found.append(one)
            ready.set()
            await one.stopped.wait()

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(main())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name=THREAD, daemon=True)
    thread.start()
    ready.wait()
    try:
        if not found:
            raise failed[0]
        yield found[0]
    finally:
        if found and thread.is_alive():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(found[0].stop)
        thread.join()
    if failed:
        raise failed[0]
