"""The bridge for agents that want a local MCP server: lines of JSON-RPC on stdin and stdout, relayed to an emulator."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import select
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import httpx

from chaser_emulator.whereabouts import NotRunningError

FAILED: Final = -32603
_LOOK_EVERY: Final = 0.2
_IDLE: Final = 2.0  # seconds after which a connection is not used again: a server closes it soon after
_TIMES: Final = httpx.Timeout(10.0, read=None, pool=None)  # a command may take an hour


@dataclass(frozen=True)
class Place:
    """Where an emulator is: its base URL, and the key to send."""

    url: str
    key: str


def run(find: Callable[[], Place], *, proxied: bool = False) -> None:
    """Relay until stdin ends and all that was asked is answered, or until SIGTERM or SIGINT.

    `find` is asked at each message, so that an emulator may start later than the bridge; it raises NotRunningError.
    Nothing but answers is written to stdout. `proxied` is whether a proxy of the environment is used.
    """
    asyncio.run(_Bridge(find, sys.stdin.buffer, sys.stdout.buffer).run(proxied))


class _Bridge:
    def __init__(self, find: Callable[[], Place], source: BinaryIO, target: BinaryIO) -> None:
        self._find = find
        self._source = source
        self._target = target
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._ended = asyncio.Event()
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, proxied: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ended.set)
        lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        # Threads, as both may be files, which an event loop cannot wait for, or pipes that nobody moves on.
        threading.Thread(target=self._read, args=(loop, lines), name="stdin", daemon=True).start()
        threading.Thread(target=self._write, args=(loop,), name="stdout", daemon=True).start()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=_IDLE)
        async with httpx.AsyncClient(timeout=_TIMES, limits=limits, trust_env=proxied) as client:
            relaying = asyncio.create_task(self._relay(client, lines))
            ending = asyncio.create_task(self._ended.wait())
            await asyncio.wait({relaying, ending}, return_when=asyncio.FIRST_COMPLETED)
            tasks = [relaying, ending, *self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _read(self, loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[bytes | None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before stdin
            try:
                for line in self._source:
                    loop.call_soon_threadsafe(lines.put_nowait, line)
            except OSError as error:
                note(f"stdin cannot be read: {error.strerror}")
            loop.call_soon_threadsafe(lines.put_nowait, None)

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):
            while True:
                line = self._answers.get()
                try:
                    self._target.write(line)
                    self._target.flush()
                except OSError:
                    loop.call_soon_threadsafe(self._ended.set)  # nobody reads any more
                    return
                self._answers.task_done()

    async def _relay(self, client: httpx.AsyncClient, lines: asyncio.Queue[bytes | None]) -> None:
        while (line := await lines.get()) is not None:
            if text := line.strip():
                self._start(client, text)
        # Whoever has closed stdin may still wait for answers; one that is gone does not.
        while (self._tasks or self._answers.unfinished_tasks) and not _is_deaf(self._target):
            await asyncio.wait(self._tasks or {asyncio.create_task(asyncio.sleep(0.01))}, timeout=_LOOK_EVERY)

    def _start(self, client: httpx.AsyncClient, text: bytes) -> None:
        message = _parsed(text)
        if message.get("method") == "notifications/cancelled" and isinstance(message.get("params"), dict):
            # To leave is how a request is cancelled over HTTP; its answer is wanted no more.
            cancelled = self._asked.pop(json.dumps(message["params"].get("requestId")), None)
            if cancelled is not None:
                cancelled.cancel()
        task = asyncio.create_task(self._ask(client, text, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if "id" in message:
            name = json.dumps(message["id"])
            self._asked[name] = task
            task.add_done_callback(lambda done: self._asked.get(name) is done and self._asked.pop(name))

    async def _ask(self, client: httpx.AsyncClient, text: bytes, message: dict[str, Any]) -> None:
        try:
            place = self._find()
            response = await client.post(
                f"{place.url}/v1/mcp",
                content=text,
                headers={
                    "Authorization": f"Bearer {place.key}",
                    "Content-Type": "application/json",
                    "Accept": "application/json, text/event-stream",
                },
            )
        except NotRunningError as error:
            self._fail(message, str(error))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            self._fail(message, f"no answer from {place.url}: {reason}; is the emulator running?")
        else:
            self._answer(response, message)

    def _answer(self, response: httpx.Response, message: dict[str, Any]) -> None:
        if response.status_code == 202:
            return
        told = _parsed(response.content)
        if told.get("jsonrpc") == "2.0" and ("id" in message or told.get("id") is None):
            self._put(response.content)
            return
        text = str(told.get("message") or response.reason_phrase or "no reason is given")
        if response.status_code == 401:
            text += " (from the environment: CHASER_API_KEY)"
        self._fail(message, f"HTTP {response.status_code}: {text}", told if "code" in told else None)

    def _fail(self, message: dict[str, Any], reason: str, data: dict[str, Any] | None = None) -> None:
        """Tell whoever asked; what was a notification, or no request at all, is told in the log."""
        note(reason)
        if isinstance(found := message.get("id"), str | int) and not isinstance(found, bool):
            error = {"code": FAILED, "message": reason} | ({} if data is None else {"data": data})
            self._put(json.dumps({"jsonrpc": "2.0", "id": found, "error": error}).encode())

    def _put(self, content: bytes) -> None:
        if b"\n" in content:
            content = json.dumps(json.loads(content), ensure_ascii=False).encode()
        self._answers.put(content + b"\n")


def note(text: str) -> None:
    """Say something to people; stdout is for the protocol."""
    with contextlib.suppress(OSError):
        print(f"chaser-emulator mcp: {text}", file=sys.stderr, flush=True)  # noqa: T201 - the log of a bridge


def _parsed(text: bytes) -> dict[str, Any]:
    """A JSON object, or an empty one for everything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_deaf(target: BinaryIO) -> bool:
    """Whether the other end of a pipe is closed."""
    poll = select.poll()
    try:
        poll.register(target.fileno(), 0)
    except (OSError, ValueError):
        return False
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def environment() -> tuple[str | None, str | None]:
    """CHASER_API_URL without a slash at its end, and CHASER_API_KEY; None for what is not set."""
    url, key = os.environ.get("CHASER_API_URL"), os.environ.get("CHASER_API_KEY")
    return (url.rstrip("/") if url else None), key or None
