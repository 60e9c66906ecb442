"""The life of sessions: start, reuse, leases, end, and what to make of a crash (S1, S10, S25, S27)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chaser_emulator import events, usage
from chaser_emulator.bootstrap import Bootstrap
from chaser_emulator.browsers import Browsers
from chaser_emulator.clock import Clock, moment, new_id, timestamp
from chaser_emulator.commands import Commands
from chaser_emulator.disks import Disks
from chaser_emulator.errors import ApiError
from chaser_emulator.resources import session_info
from chaser_emulator.sandbox import Engine, SandboxError, SandboxSpec
from chaser_emulator.store import Row, Store, Transaction
from chaser_emulator.store import sessions as rows
from chaser_emulator.store.sessions import FAILED, RUNNING, STARTING, TERMINATED, TERMINATING

_log = logging.getLogger(__name__)

TERMINATE = ("session.terminate", "session")
"""The audit mark of an end that no request asked for."""

START_PATIENCE = 60.0
"""Seconds that who needs a session waits for one that is still starting (S1)."""

_STOP_GRACE = 4.0


@dataclass(frozen=True)
class Wanted:
    """A session to be: its account, its type, and where its files live (`workspace_id` None: nowhere for long)."""

    account_id: str
    session_type: str
    workspace_id: str | None
    image: str | None
    github_repo: str | None
    max_seconds: int


@dataclass
class _Live:
    """What this process knows of a session that has not ended."""

    leases: int = 0
    uses: int = 0
    used_at: datetime | None = None
    starting: asyncio.Task[None] | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Lifecycle:
    """Moves the sessions of a world from state to state; each move is committed before anyone is told.

    `base_url` is where events say that sessions are to be found; the server sets it once it is bound. `expiry_grace`
    is in seconds.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        clock: Clock,
        commands: Commands,
        disks: Disks,
        bootstrap: Bootstrap,
        browsers: Browsers,
        *,
        expiry_grace: float,
    ) -> None:
        self.base_url = "http://localhost:8000"
        self._store = store
        self._engine = engine
        self._clock = clock
        self._commands = commands
        self._disks = disks
        self._bootstrap = bootstrap
        self._browsers = browsers
        self._live: dict[str, _Live] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.expiry_grace = timedelta(seconds=expiry_grace)
        self._given_up: set[str] = set()

    # Start

    async def insert(self, tx: Transaction, wanted: Wanted) -> Row:
        """Write a session that starts, in the caller's transaction; `boot` it once that is committed."""
        session_id, now = new_id(), self._clock.now()
        row = await rows.insert(
            tx,
            session_id=session_id,
            account_id=wanted.account_id,
            session_type=wanted.session_type,
            workspace_id=wanted.workspace_id,
            image=wanted.image,
            github_repo=wanted.github_repo,
            created_at=timestamp(now),
            expires_at=timestamp(now + timedelta(seconds=wanted.max_seconds)),
        )
        await self._emit(tx, "session.created", row)
        return row

    def boot(self, row: Row, env: Mapping[str, str]) -> None:
        """Start the sandbox of an inserted session in the background; `settled` waits for it."""
        live = self._live.setdefault(row["id"], _Live())
        live.starting = self._spawn(self._boot(row, env, live))

    async def settled(self, session_id: str, seconds: float | None) -> Row | None:
        """The session once it is no longer starting, or as it is when the time is over."""
        live = self._live.get(session_id)
        if live is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await live.ready.wait()
        return await rows.get(self._store, session_id)

    async def _boot(self, row: Row, env: Mapping[str, str], live: _Live) -> None:
        session_id = row["id"]
        try:
            try:
                spec = SandboxSpec(
                    session_id,
                    workspace_id=row["workspace_id"],
                    image=row["image"],
                    env=env,
                    browser=row["session_type"] == "browser",
                )
                ref = await self._bootstrap.start(row, spec)
                if spec.browser:
                    await self._launch(row, ref, env)
            except SandboxError as error:
                await self._end(row, FAILED, str(error))
                return
            except ApiError as error:
                await self._end(row, FAILED, error.message, error.code)
                return
            running = None
            try:
                async with self._store.transaction() as tx:
                    running = await rows.run(tx, session_id, ref)
                    if running is not None:
                        await usage.opened(tx, running, self._clock.now())
                        await self._emit(tx, "session.running", running)
            except BaseException:
                # An end that cuts the start short waits for it, and knows a sandbox by the row alone.
                await asyncio.shield(self._unnamed(session_id, ref))
                raise
            if running is None:
                await self._unnamed(session_id, ref)
        finally:
            live.ready.set()

    async def _unnamed(self, session_id: str, ref: str) -> None:
        """Stop a sandbox that has started, unless its session's row names it after all."""
        row = await rows.get(self._store, session_id)
        if row is None or row["ref"] != ref:
            await self._browsers.close(session_id)
            await self._engine.stop(ref)

    async def _launch(self, row: Row, ref: str, env: Mapping[str, str]) -> None:
        """Start the browser of a sandbox; without one it is stopped, and SandboxError raised."""

        async def ended(failure: str | None) -> None:
            self._spawn(self._browser_ended(row, ref, failure), name=row["id"])

        try:
            await self._browsers.start(row["id"], ref, env, ended)
        except BaseException:
            await asyncio.shield(self._engine.stop(ref))
            raise

    async def _browser_ended(self, row: Row, ref: str, failure: str | None) -> None:
        """End the session of a browser that ended by itself; `failure` None means that a client closed it."""
        async with self._store.transaction() as tx:
            # First of all: whoever asks meanwhile would find a running session without a sandbox.
            mine = await rows.set_status(tx, row["id"], TERMINATING, expected=[STARTING, RUNNING])
        if mine:
            with contextlib.suppress(SandboxError):
                await self._engine.stop(ref)
            await self._end(row, FAILED if failure else TERMINATED, failure)

    def knows(self, session_id: str) -> bool:
        """Whether it is one of this world's sessions that has not ended."""
        return session_id in self._live

    # Leases

    @contextmanager
    def lease(self, session_id: str) -> Iterator[None]:
        """Hold a session: while anyone does, an end must be forced (S10, S11)."""
        # One that has ended a moment ago is not to be known again: its end would be waited for, for ever.
        live = self._live.get(session_id) or _Live()
        live.leases += 1
        try:
            yield
        finally:
            live.leases -= 1
            live.used_at = self._clock.now()

    @contextmanager
    def use(self, session_id: str) -> Iterator[None]:
        """Keep a session from idling, without holding it: what goes in and out while the block lasts."""
        live = self._live.get(session_id) or _Live()
        live.uses += 1
        try:
            yield
        finally:
            live.uses -= 1
            live.used_at = self._clock.now()

    def touch(self, session_id: str) -> None:
        """Note that a session is used now."""
        if live := self._live.get(session_id):
            live.used_at = self._clock.now()

    def leases(self, session_id: str) -> int:
        live = self._live.get(session_id)
        return live.leases if live else 0

    def in_use(self, session_id: str) -> bool:
        """Whether somebody is connected, waits for a command, or moves a file."""
        live = self._live.get(session_id)
        return live is not None and live.leases + live.uses > 0

    def unused(self, session_id: str) -> float:
        """Seconds since a session was last used, as far as this process has seen."""
        live = self._live.get(session_id)
        if live is None:
            return 0
        now = self._clock.now()
        live.used_at = live.used_at or now
        return (now - live.used_at).total_seconds()

    # Expiry

    def expired(self, row: Row, *, with_grace: bool = False) -> bool:
        """Whether a session has lasted as long as it may, or has gone on for longer than even what runs may (S25)."""
        end = moment(row["expires_at"]) + (self.expiry_grace if with_grace else timedelta())
        return end <= self._clock.now()

    def require_time(self, row: Row) -> None:
        """Raise ApiError `not_running` for a session that only lets what runs come to its end."""
        if self.expired(row):
            raise ApiError(
                "not_running",
                f"session {row['id']} reached the longest time that its plan allows: it takes no new commands, and "
                "ends as soon as those that run have ended",
            )

    # End

    async def terminate(
        self, row: Row, *, force: bool, actor: events.Actor, audited: bool = True, summary: str = ""
    ) -> None:
        """End a session and wait until nothing of it runs; one that has ended stays as it is (S9).

        Raises ApiError `session_leased` when it is held and `force` is False.
        """
        session_id = row["id"]
        if row["ended_at"] is None and not force and (held := self.leases(session_id)):
            raise ApiError(
                "session_leased",
                f"session {session_id} has {held} active connection leases; send force=true to end it all the same",
                details={"active_connection_leases": held},
            )
        async with self._store.transaction() as tx:
            mine = await rows.set_status(tx, session_id, TERMINATING, expected=[STARTING, RUNNING])
            if audited:
                text = summary or f"terminated session {session_id}"
                await events.audit(
                    tx, self._clock, row["account_id"], actor, *TERMINATE, session_id, text, {"force": force}
                )
        if mine:
            await asyncio.shield(self._spawn(self._stop(row), name=row["id"]))
        elif live := self._live.get(session_id):
            await live.ended.wait()

    def stop_again(self, row: Row) -> None:
        """Try once more to stop a session that is `terminating`, unless somebody is at it."""
        if not any(task.get_name() == row["id"] for task in self._tasks):
            self._spawn(self._stop(row), name=row["id"])

    @contextmanager
    def given_up(self, session_id: str) -> Iterator[None]:
        """Let nobody wait for the end of a session, of which it is known that it does not come, in this block."""
        self._given_up.add(session_id)
        try:
            yield
        finally:
            self._given_up.discard(session_id)

    async def wait_for_end(self, session_id: str, until: float) -> None:
        """As `ended`, until a moment of the loop's clock at the latest. Raises TimeoutError."""
        if session_id in self._given_up:
            raise TimeoutError
        async with asyncio.timeout_at(until):
            await self.ended(session_id)

    async def ended(self, session_id: str) -> None:
        """Wait until a session that is ending has ended."""
        if session_id in self._given_up:
            return
        if live := self._live.get(session_id):
            await live.ended.wait()

    async def _stop(self, row: Row) -> None:
        session_id = row["id"]
        live = self._live.setdefault(session_id, _Live())
        if live.starting is not None and not live.starting.done():
            live.starting.cancel()
            await asyncio.gather(live.starting, return_exceptions=True)
        fresh = await rows.get(self._store, session_id)
        try:
            await self._browsers.close(session_id)
            if fresh is not None and fresh["ref"] is not None:
                await self._engine.stop(fresh["ref"])
        except SandboxError as error:
            # It stays `terminating`, and the keeper tries again.
            _log.warning("session %s could not be stopped yet: %s", session_id, error)
            live.ended.set()
            live.ended = asyncio.Event()
            return
        await self._end(row, TERMINATED, None)

    async def _end(self, row: Row, status: str, failure: str | None, code: str | None = None) -> None:
        """Write the end of a session whose sandbox is gone."""
        session_id = row["id"]
        if failure is not None:
            _log.warning("session %s failed: %s", session_id, failure)
        await self._commands.session_ended(session_id)
        async with self._store.transaction() as tx:
            now = self._clock.now()
            fresh = await rows.end(tx, session_id, status, timestamp(now), failure, code)
            if fresh is not None:
                await usage.closed(tx, fresh, now)
                await self._emit(tx, f"session.{status}", fresh)
        if live := self._live.pop(session_id, None):
            live.ready.set()
            live.ended.set()
        if fresh is not None and fresh["disk_id"] is not None:
            await self._disks.discard(fresh["disk_id"])

    # What runs, really

    async def reconcile(self, listed: list[Row]) -> list[Row]:
        """The sessions with their effective status: one whose sandbox went away behind our back has failed."""
        running = [row for row in listed if row["status"] == RUNNING]
        if not running:
            return listed
        try:
            async with asyncio.timeout(1.0):
                # One question for many: an engine in another process answers a list as fast as a name.
                refs = await self._engine.refs() if len(running) > 1 else None
                lost = {
                    row["id"]: row
                    for row in running
                    if (row["ref"] not in refs if refs is not None else not await self._engine.alive(row["ref"]))
                }
        except (SandboxError, TimeoutError):
            # It cannot be asked; what is written is the best that is known.
            return listed
        if not lost:
            return listed
        for row in lost.values():
            await self.lost(row)
        return [await rows.get(self._store, row["id"]) or row if row["id"] in lost else row for row in listed]

    async def lost(self, row: Row) -> None:
        """Note that a sandbox ended behind our back, and clear away what is left of it."""
        await self._browsers.close(row["id"])
        with contextlib.suppress(SandboxError):
            await self._engine.stop(row["ref"])
        fresh = await rows.get(self._store, row["id"])
        if fresh is not None and fresh["status"] == RUNNING:
            await self._end(row, FAILED, "the sandbox ended on its own")

    async def recover(self, *, all_of_them: bool = False) -> None:
        """After a start: adopt the sandboxes that live on, end the sessions that have none, remove strays.

        Ephemeral sessions end as well, unless all are to go on whose sandboxes are there.
        """
        refs = await self._engine.refs()
        await self._commands.recover()
        adopted = []
        for row in await rows.all_live(self._store):
            if row["status"] == RUNNING and (all_of_them or _outlives(row)) and row["ref"] in refs:
                live = self._live.setdefault(row["id"], _Live())
                live.ready.set()
                del refs[row["ref"]]
                adopted.append(row)
                continue
            for ref in [ref for ref, session_id in refs.items() if session_id == row["id"]]:
                await self._engine.stop(ref)
                del refs[ref]
            if row["status"] == STARTING:
                await self._end(row, FAILED, "the emulator ended while it started")
            else:
                await self._end(row, TERMINATED, None)
        for ref in refs:
            await self._engine.stop(ref)
        if adopted:
            async with self._store.transaction() as tx:
                await usage.adopted(tx, adopted, self._clock.now())
        await self._disks.clear()

    async def close(self, *, keep: bool) -> None:
        """End ephemeral sessions and what cannot outlive this process, within a few seconds.

        `keep` False is the end of this world's data: nothing outlives it then, disks included.
        """
        live = await rows.all_live(self._store)
        outlives = keep and self._engine.outlives
        ending = [row for row in live if not _outlives(row) or row["status"] != RUNNING or not outlives]
        stops = [
            self.terminate(row, force=True, actor=events.SYSTEM, summary=f"the emulator stopped; so did {row['id']}")
            for row in ending
        ]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_GRACE):
                await asyncio.gather(*stops, return_exceptions=True)
        await self._commands.close()
        await self._browsers.close_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not keep:
            disks = [self._engine.delete_disk(one) for one in await self._engine.disks()]
            await asyncio.gather(*disks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str | None = None) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _emit(self, tx: Transaction, kind: str, row: Row) -> None:
        data = session_info(row, self.base_url, None if row["ended_at"] else self.leases(row["id"]))
        await events.emit(tx, self._clock, row["account_id"], kind, row["id"], data)


def _outlives(row: Row) -> bool:
    """Whether a session may live on without this process, where its engine lets it.

    A browser may not: its profile is whole only when it ends well, and what leads to it is known here alone.
    """
    return not row["ephemeral"] and row["session_type"] == "sandbox"
