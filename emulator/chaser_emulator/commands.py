"""Commands in a sandbox: one that is waited for, and those in the background with their output on disk."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import logging
import shutil
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from chaser_emulator import events
from chaser_emulator.clock import Clock, new_id
from chaser_emulator.resources import command_info
from chaser_emulator.sandbox import CommandSpec, Engine, Process, SandboxError
from chaser_emulator.store import Row, Store
from chaser_emulator.store import commands as rows

_log = logging.getLogger(__name__)

OUTPUT_LIMIT = 2**20
"""Bytes of output in one JSON answer (X6)."""

KEPT_LIMIT = 64 * 2**20
"""Bytes of output kept of a background command (X26)."""

TIMED_OUT = 124
"""The exit code of a command whose time ran out (X7)."""

DEFAULT_TIMEOUT_MS = 120_000
"""How long a command may run when its request does not say (X7)."""

_GRACE = 5.0

EXITED, KILLED, TIME_OUT, FAILED = "exited", "killed", "timed_out", "failed"


@dataclass(frozen=True)
class Outcome:
    """How a command ended: `completed` or `timed_out`, its exit code, and the first `OUTPUT_LIMIT` bytes it wrote."""

    status: str
    exit_code: int
    output: str
    truncated: bool


async def run(engine: Engine, ref: str, spec: CommandSpec, *, stdin: str | None, timeout: float) -> Outcome:
    """Run a command to its end, or to the end of its time (seconds). A caller that is cancelled kills it.

    Raises what `Engine.exec` does.
    """
    process = await engine.exec(ref, spec)
    kept = bytearray()
    truncated = False

    async def drain() -> None:
        nonlocal truncated
        async for chunk in process.output():
            room = OUTPUT_LIMIT - len(kept)
            kept.extend(chunk[:room])
            truncated = truncated or len(chunk) > room

    async def follow() -> int:
        if stdin is None:
            await drain()
        else:
            await asyncio.gather(drain(), _feed(process, stdin.encode()))
        return await process.wait()

    status, code = "completed", TIMED_OUT
    try:
        async with asyncio.timeout(timeout):
            code = await follow()
    except TimeoutError:
        status = TIME_OUT
        await kill(process)
    except BaseException:
        await asyncio.shield(kill(process))
        raise
    return Outcome(status, code, text_of(bytes(kept), whole=not truncated), truncated)


def text_of(data: bytes, *, whole: bool) -> str:
    """Bytes as text: what is no UTF-8 becomes U+FFFD, a character cut off at the end (not `whole`) is left out (X6)."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data, final=whole)


async def _feed(process: Process, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        await process.write(data)
    await process.close_stdin()


async def kill(process: Process) -> None:
    """Kill the whole process group and see it end."""
    with contextlib.suppress(SandboxError, TimeoutError):
        async with asyncio.timeout(_GRACE):
            await process.signal(signal.SIGKILL)
            await process.wait()


@dataclass
class _Running:
    """A background command under way in this process."""

    process: Process
    size: int = 0
    truncated: bool = False
    kill_requested: bool = False
    timed_out: bool = False
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Commands:
    """The background commands of a world: a row and a file of output each, and the process while it lives."""

    def __init__(self, store: Store, engine: Engine, clock: Clock, folder: Path) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._folder = folder
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(
        self,
        session: Row,
        spec: CommandSpec,
        *,
        stdin: str | None,
        timeout: float | None,
        at_end: Callable[[], Awaitable[None]] | None = None,
    ) -> Row:
        """Start a command and answer its row. `timeout` in seconds; `at_end` is awaited once it has ended."""
        command_id = new_id()
        async with self._store.transaction() as tx:
            await tx.insert(
                "commands",
                id=command_id,
                session_id=session["id"],
                command=spec.command,
                cwd=spec.cwd,
                user=spec.user,
                status="starting",
                started_at=self._clock.timestamp(),
            )
        try:
            process = await self._engine.exec(session["ref"], spec)
        except BaseException:
            async with self._store.transaction() as tx:
                await tx.run("DELETE FROM commands WHERE id = ?", command_id)
            raise
        running = _Running(process)
        self._running[command_id] = running
        async with self._store.transaction() as tx:
            await tx.run("UPDATE commands SET status = 'running', pid = ? WHERE id = ?", process.pid, command_id)
            row = await rows.get(tx, session["id"], command_id)
        assert row is not None  # noqa: S101 - inserted above
        follow = asyncio.create_task(self._follow(session, command_id, running, stdin, timeout, at_end))
        self._tasks.add(follow)
        follow.add_done_callback(self._tasks.discard)
        return row

    def state(self, row: Row) -> tuple[int, bool]:
        """(bytes of output so far, whether more was dropped)."""
        running = self._running.get(row["id"])
        return (running.size, running.truncated) if running else (row["output_bytes"], bool(row["output_truncated"]))

    def output(self, row: Row) -> tuple[str, bool]:
        """(the first OUTPUT_LIMIT bytes of output as text, whether that leaves anything out)."""
        size, truncated = self.state(row)
        data = self._read(row, 0, OUTPUT_LIMIT)
        partial = truncated or size > len(data)
        return text_of(data, whole=not partial and row["finished_at"] is not None), partial

    async def write(self, row: Row, data: bytes, *, eof: bool) -> bool:
        """Feed a command's input. False when it has finished or reads no more; TimeoutError when it does not read."""
        running = self._running.get(row["id"])
        if running is None:
            return False
        try:
            async with asyncio.timeout(_GRACE), running.writing:
                if data:
                    await running.process.write(data)
                if eof:
                    await running.process.close_stdin()
        except BrokenPipeError:
            return False
        return True

    async def signal(self, row: Row, number: int) -> str | None:
        """Signal a command's group and answer its status shortly after; None when it had finished before."""
        running = self._running.get(row["id"])
        if running is None:
            return None
        running.kill_requested = True
        await running.process.signal(number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.25):
                await running.done.wait()
        after = await rows.get(self._store, row["session_id"], row["id"])
        return str(after["status"]) if after else None

    def wrap(self, command_id: str, around: Callable[[Process], Process]) -> Callable[[], None]:
        """Put something around a command that runs, for who feeds and signals it; answers what takes it away."""
        running = self._running.get(command_id)
        if running is None:
            return lambda: None
        inner = running.process
        running.process = around(inner)

        def unwrap() -> None:
            running.process = inner

        return unwrap

    async def stream(
        self, row: Row, *, start: int, interval: float, most: int
    ) -> AsyncGenerator[tuple[int, bytes, bool], None]:
        """Output from a byte offset on, as (offset, bytes, whether the command has ended and this is its last).

        Chunks have at most `most` bytes and wait at most `interval` seconds to be joined with the next. A final empty
        chunk says that it has ended; an empty one before that, that nothing came for a while.
        """
        position = start
        while True:
            running = self._running.get(row["id"])
            size, _ = (running.size, running.truncated) if running else self.state(await self._fresh(row))
            if running is not None and size - position < most:
                await _wait_for_more(running, position, most, interval)
                size = running.size
                if running.done.is_set():
                    continue
            data = self._read(row, position, most) if size > position else b""
            ended = running is None
            yield position, data, ended and position + len(data) >= size
            position += len(data)
            if ended and position >= size:
                return

    async def _fresh(self, row: Row) -> Row:
        return await rows.get(self._store, row["session_id"], row["id"]) or row

    async def recover(self) -> None:
        """After a crash: no command of an earlier process has one who follows it."""
        for row in await rows.running(self._store):
            size = self._path(row["session_id"], row["id"]).stat().st_size if self._exists(row) else 0
            async with self._store.transaction() as tx:
                await rows.finish(
                    tx, row["id"], status=FAILED, exit_code=None, size=size, truncated=False, at=self._clock.timestamp()
                )

    async def session_ended(self, session_id: str) -> None:
        """Wait until the commands of a session that is gone have noticed."""
        mine = [r for row in await rows.of_session(self._store, session_id) if (r := self._running.get(row["id"]))]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await asyncio.gather(*(running.done.wait() for running in mine))

    def forget(self, session_id: str) -> None:
        """Remove the output of a session that is no longer kept."""
        shutil.rmtree(self._folder / session_id, ignore_errors=True)

    async def close(self) -> None:
        """End every command of this process and wait for the rows to say so."""
        for running in list(self._running.values()):
            running.kill_requested = True
            await kill(running.process)
        for task in list(self._tasks):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(task), 1)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(
        self,
        session: Row,
        command_id: str,
        running: _Running,
        stdin: str | None,
        timeout: float | None,
        at_end: Callable[[], Awaitable[None]] | None,
    ) -> None:
        process = running.process
        path = self._path(session["id"], command_id)
        code: int | None = None
        status = FAILED
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                feeding = asyncio.create_task(process.write(stdin.encode())) if stdin else None
                try:
                    async with asyncio.timeout(timeout):
                        await self._drain(running, file)
                        code = await process.wait()
                except TimeoutError:
                    running.timed_out = True
                    await kill(process)
                    code = TIMED_OUT
                finally:
                    if feeding is not None:
                        feeding.cancel()
                        await asyncio.gather(feeding, return_exceptions=True)
            ended_by_signal = code is not None and code > 128
            status = TIME_OUT if running.timed_out else KILLED if running.kill_requested and ended_by_signal else EXITED
        except (SandboxError, OSError) as error:
            _log.warning("command %s could not be followed: %s", command_id, error)
        finally:
            await asyncio.shield(self._finish(session, command_id, running, status, code))
            if at_end is not None:
                await at_end()

    async def _finish(self, session: Row, command_id: str, running: _Running, status: str, code: int | None) -> None:
        try:
            async with self._store.transaction() as tx:
                at = self._clock.timestamp()
                await rows.finish(
                    tx, command_id, status=status, exit_code=code, size=running.size, truncated=running.truncated, at=at
                )
                row = await rows.get(tx, session["id"], command_id)
                if row is not None:
                    output, partial = self.output(row)
                    data = command_info(row, running.size, partial, output)
                    await events.emit(tx, self._clock, session["account_id"], "command.finished", command_id, data)
        finally:
            del self._running[command_id]
            running.done.set()
            async with running.changed:
                running.changed.notify_all()

    async def _drain(self, running: _Running, file: BinaryIO) -> None:
        async for chunk in running.process.output():
            kept = chunk[: KEPT_LIMIT - running.size]
            running.truncated = running.truncated or len(kept) < len(chunk)
            if kept:
                try:
                    file.write(kept)
                    file.flush()
                except OSError as error:
                    # The disk is full: the command goes on, its output does not.
                    _log.warning("output is dropped: %s", error)
                    running.truncated = True
                    continue
                running.size += len(kept)
                async with running.changed:
                    running.changed.notify_all()

    def _path(self, session_id: str, command_id: str) -> Path:
        return self._folder / session_id / command_id

    def _exists(self, row: Row) -> bool:
        return self._path(row["session_id"], row["id"]).exists()

    def _read(self, row: Row, position: int, most: int) -> bytes:
        try:
            with self._path(row["session_id"], row["id"]).open("rb") as file:
                file.seek(position)
                return file.read(most)
        except FileNotFoundError:
            return b""


async def _wait_for_more(running: _Running, position: int, most: int, interval: float) -> None:
    """Wait for output after `position`, then up to `interval` for enough to fill a chunk; at most 15 s in all (X17)."""

    async def until(size: int, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), running.changed:
                await running.changed.wait_for(lambda: running.size >= size or running.done.is_set())

    await until(position + 1, 15.0)
    if running.size > position:
        await until(position + most, interval)


def sse(event: str, data: object, event_id: int | None = None) -> bytes:
    """One Server-Sent Event."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {event}\ndata: {json.dumps(data)}\n\n".encode()
