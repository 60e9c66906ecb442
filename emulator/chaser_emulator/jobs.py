"""The queue of jobs, and the hands that work on it: each job runs once, and its row says what came of it.

All of it starts from rows: a job that waits is found again after a crash, and one that ran is failed with a reason.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chaser_emulator import events
from chaser_emulator.acting import Acting
from chaser_emulator.admission import Account, Principal, select_account
from chaser_emulator.agenda import Due, Fired, Started
from chaser_emulator.clock import moment
from chaser_emulator.errors import ApiError
from chaser_emulator.resources import job_info
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.store import Row, Transaction, accounts
from chaser_emulator.store import jobs as rows
from chaser_emulator.store.jobs import CANCELED, COMPLETED, FAILED
from chaser_emulator.work import JobFailed, Task
from chaser_emulator.work.kinds import KINDS

if TYPE_CHECKING:
    from chaser_emulator.world import World

_log = logging.getLogger(__name__)

HANDS = 16
"""How many jobs of one account run at once; those of other accounts do not wait for them."""

_CRASHED = "the emulator ended while this job ran; retry it to run it again"
_STOPPED = "the emulator stopped while this job ran; retry it to run it again"

_FAILED = "the emulator failed; its log says why, under the id of this job"

_STOP_GRACE = 1.5
"""Seconds that running jobs get to come to an end when the emulator stops."""

_PAUSE = 1.0


@dataclass
class _Hand:
    """A job under way: its work, and the end of it, which is known once the row says it (None: it said so before)."""

    account_id: str
    work: asyncio.Task[Any]
    ended: asyncio.Future[Row | None]
    carrying: asyncio.Task[None] = field(init=False)
    stopped: tuple[str, str | None] | None = None
    """What the job becomes when its work was cut short: a status, and an error."""

    def stop(self, status: str, error: str | None = None) -> bool:
        """Cut the work short; answers whether this call did."""
        if self.stopped is not None or not self.work.cancel():
            return False
        self.stopped = (status, error)
        return True


class Jobs:
    """The jobs of a world. A duty of its agenda."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store
        self._clock = world.clock
        self._hands: dict[str, _Hand] = {}
        self._closing = False

    # What the agenda asks

    def concerned(self, tables: frozenset[str]) -> bool:
        return "jobs" in tables

    async def next(self) -> datetime | None:
        """When a job may run; None also while no hand is free."""
        if self._closing:
            return None
        moments = []
        for queue in await rows.waiting(self._store):
            if self._free(queue["account_id"]) > 0:
                if queue["at_once"]:
                    return self._clock.now()
                moments.append(moment(queue["due"]))
        return min(moments, default=None)

    async def perform(self) -> list[Started]:
        """Start the jobs whose turn it is, as many as there are hands free."""
        if self._closing:
            return []
        taken: list[Row] = []
        async with self._store.transaction() as tx:
            now = self._clock.timestamp()
            for queue in await rows.waiting(tx):
                if (free := self._free(queue["account_id"])) > 0:
                    taken += await rows.start(tx, queue["account_id"], now, at_most=free)
            for row in taken:
                await self._emit(tx, "started", row)
        # In one go with the commit: who finds a job running must find the hand that works on it.
        return [self._take_up(row) for row in taken]

    async def ahead(self, most: int) -> list[Due]:
        """The jobs that wait."""
        now = self._clock.now()
        found = await rows.next_in_line(self._store, most)
        return [Due("job.started", row["id"], moment(row["due_at"]) if row["due_at"] else now) for row in found]

    def _free(self, account_id: str) -> int:
        """How many hands an account has that do nothing."""
        return HANDS - sum(hand.account_id == account_id for hand in self._hands.values())

    def _take_up(self, row: Row) -> Started:
        work, loop = self._work(row), asyncio.get_running_loop()
        hand = _Hand(row["account_id"], loop.create_task(work), loop.create_future())
        hand.carrying = asyncio.create_task(self._carry(row, hand))
        self._hands[row["id"]] = hand
        return Started(Fired("job.started", row["id"], moment(row["updated_at"])), hand.carrying)

    # The work

    async def _work(self, row: Row) -> Any:
        """Do the work of a job for whom it was queued, with the rights that they have now."""
        principal = _principal(row["principal"])
        account = await self._account(principal, row["account_id"])
        work = KINDS.get(row["kind"])
        if work is None:
            raise JobFailed(f"this emulator knows no jobs of the kind {row['kind']}")
        who = Acting(self._world, principal, account, request_id=row["id"])
        return await work(Task(who, json.loads(row["input"])))

    async def _account(self, principal: Principal, account_id: str) -> Account:
        if principal.kind == "service_account":
            found = await accounts.service_account(self._store, account_id, principal.id)
            if found is None or found["disabled"]:
                raise JobFailed("the service account that queued this job was deleted or disabled")
        try:
            return await select_account(self._store, principal, account_id)
        except ApiError:
            raise JobFailed("who queued this job does not belong to the account any more") from None

    async def _carry(self, row: Row, hand: _Hand) -> None:
        """Wait for the end of a job's work, whatever it is, and write it down."""
        await asyncio.wait({hand.work})
        try:
            status, result, error = _outcome(row, hand)
            kept, reason = _text(result), None if error is None else _whole(error)
        except (ValueError, TypeError, RecursionError):
            _log.exception("what came of job %s is no JSON", row["id"])
            status, kept, reason = FAILED, None, _FAILED
        while True:
            try:
                ended = await self._end(row["id"], status, kept, reason)
                break
            except sqlite3.Error:
                _log.exception("the end of job %s could not be written; it is tried again", row["id"])
                await asyncio.sleep(_PAUSE)
        del self._hands[row["id"]]
        hand.ended.set_result(ended)
        self._world.agenda.poke(self)

    async def _end(self, job_id: str, status: str, result: str | None, error: str | None) -> Row | None:
        async with self._store.transaction() as tx:
            row = await rows.finish(tx, job_id, status, self._clock.timestamp(), result=result, error=error)
            if row is not None:
                await self._emit(tx, status, row)
        return row

    # What requests ask

    async def cancel(self, row: Row) -> Row:
        """Take a job out of the queue, or stop it; answers it once nothing of it runs.

        Raises ApiError `invalid_state`.
        """
        async with self._store.transaction() as tx:
            withdrawn = await rows.withdraw(tx, row["id"], self._clock.timestamp())
            if withdrawn is not None:
                await self._emit(tx, CANCELED, withdrawn)
                return withdrawn
        hand = self._hands.get(row["id"])
        if hand is not None:
            mine = hand.stop(CANCELED)
            ended = await asyncio.shield(hand.ended)
            if mine and ended is not None and ended["status"] == CANCELED:
                return ended
        raise await self._refusal(row, "only one that is queued or running can be canceled")

    async def retry(self, row: Row, principal: Principal) -> Row:
        """Queue a final job once more, for this caller (J10). Raises ApiError `invalid_state`."""
        async with self._store.transaction() as tx:
            again = await rows.requeue(tx, row["id"], principal_text(principal), self._clock.timestamp())
            if again is not None:
                await self._emit(tx, "queued", again)
                return again
        raise await self._refusal(row, "only one that has ended can be run again")

    async def _refusal(self, row: Row, reason: str) -> ApiError:
        now = await rows.get_in(self._store, row["account_id"], row["id"]) or row
        state = {"job": row["id"], "status": now["status"]}
        return ApiError("invalid_state", f"job {row['id']} is {now['status']}; {reason}", state=state)

    # The start and the end of the emulator

    async def recover(self) -> None:
        """After a start: no job of an earlier process has anyone who works on it."""
        for row in await rows.under_way(self._store):
            await self._end(row["id"], FAILED, None, _CRASHED)

    async def close(self) -> None:
        """Stop the jobs that run, and say so in their rows; those that wait go on at the next start."""
        self._closing = True
        under_way = dict(self._hands)
        for hand in under_way.values():
            hand.stop(FAILED, _STOPPED)
        if under_way:
            await asyncio.wait({hand.carrying for hand in under_way.values()}, timeout=_STOP_GRACE)
        for job_id in list(self._hands):
            # Its sandbox ends next, and with it what is left of the work.
            under_way[job_id].carrying.cancel()
            await asyncio.gather(under_way[job_id].carrying, return_exceptions=True)
            await self._end(job_id, FAILED, None, _STOPPED)

    async def _emit(self, tx: Transaction, what: str, row: Row) -> None:
        await events.emit(tx, self._clock, row["account_id"], f"job.{what}", row["id"], job_info(row))


def _outcome(row: Row, hand: _Hand) -> tuple[str, Any, str | None]:
    """(status, result, error) of a job whose work is over."""
    if hand.work.cancelled():
        status, error = hand.stopped or (FAILED, "its work was cut short")
        return status, None, error
    failure = hand.work.exception()
    if failure is None:
        return COMPLETED, hand.work.result(), None
    if hand.stopped is not None:
        # What went wrong on the way out is of no interest.
        status, error = hand.stopped
        return status, None, error
    match failure:
        case JobFailed():
            return FAILED, failure.result, str(failure)
        case ApiError():
            return FAILED, None, failure.message
        case SandboxError():
            return FAILED, None, str(failure) or "the sandbox failed"
    _log.error("job %s failed", row["id"], exc_info=failure)
    return FAILED, None, _FAILED


def _text(result: Any) -> str | None:
    """A result as JSON text. Raises ValueError, TypeError or RecursionError for what is no JSON."""
    return None if result is None else _whole(json.dumps(result, ensure_ascii=False, allow_nan=False))


def _whole(text: str) -> str:
    """A text in which the halves of surrogate pairs, which pages can answer, are U+FFFD: nothing else could show it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def principal_text(principal: Principal) -> str:
    """Who queues a job, as its row keeps it."""
    scopes = None if principal.scopes is None else sorted(principal.scopes)
    return json.dumps(
        {
            "kind": principal.kind,
            "id": principal.id,
            "key_id": principal.key_id,
            "scopes": scopes,
            "account_id": principal.account_id,
        }
    )


def _principal(text: str) -> Principal:
    kept = json.loads(text)
    scopes = None if kept["scopes"] is None else frozenset(kept["scopes"])
    return Principal(**(kept | {"scopes": scopes}))
