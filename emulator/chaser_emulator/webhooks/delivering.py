"""The duty that sends deliveries: each queue in its order, queues beside each other, hooks apart from each other.

It starts from rows and writes what became of them, so that a crash loses none; one that was under way is sent again.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from chaser_emulator.agenda import Agenda, Due, Fired, Started
from chaser_emulator.clock import Clock, moment, new_signing_secret, timestamp
from chaser_emulator.store import Row, Store, deliveries, webhooks
from chaser_emulator.store.deliveries import DELIVERED, FAILED, PENDING, Attempt
from chaser_emulator.vault import Vault, VaultError
from chaser_emulator.webhooks import signing
from chaser_emulator.webhooks.composing import body_of, headers_of
from chaser_emulator.webhooks.connecting import Dialer
from chaser_emulator.webhooks.misbehaving import DeliveryFault, Plan, no_fault
from chaser_emulator.webhooks.recording import Recording
from chaser_emulator.webhooks.schedule import next_attempt
from chaser_emulator.webhooks.sending import Outcome, Receiver
from chaser_emulator.webhooks.sink import Sink, SinkReceiver

_log = logging.getLogger(__name__)

_HANDS = 16
"""How many queues of one webhook are seen to at once. Webhooks share no hands, so none waits for another's receiver."""

_RUN = 50
"""How many deliveries of one queue go out before others of its webhook have their turn."""

_PAUSE = 1.0
"""Seconds before what could not be read is read again."""

_AT_ONCE = datetime.min.replace(tzinfo=UTC)

Queue = tuple[str, str] | int
"""A kind of resource and its id; or the sequence of a replay, which stands in no queue but its own."""


@dataclass
class _Hook:
    """A webhook that is not deleted, and which of its queues are being seen to. `secret` None: it cannot be read."""

    id: str
    sealed: str = field(repr=False)
    receiver: Receiver | SinkReceiver
    secret: str | None = field(repr=False)
    busy: set[Queue] = field(default_factory=set)


class Delivering:
    """Sends the deliveries of a world. `patience` is how many seconds a receiver may take.

    What is for the `sink` is handed over to it here. `tell` hears of each delivery how an attempt has left it. `plan`
    says which attempts misbehave on purpose.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        vault: Vault,
        agenda: Agenda,
        dialer: Dialer,
        patience: float,
        sink: Sink,
        tell: Callable[[Row], None],
        plan: Plan = no_fault,
    ) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._agenda = agenda
        self._dialer = dialer
        self._patience = patience
        self._sink = sink
        self._plan = plan
        self._put_off: dict[int, DeliveryFault] = {}
        self._overtaken: dict[tuple[str, Queue], Row] = {}
        self._recording = Recording(store, tell)
        self._hooks: dict[str, _Hook] = {}
        self._hooks_changed = True
        self._runs: set[asyncio.Task[list[Fired]]] = set()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Send until the block ends. What is under way then is given up, and sent after the next start."""
        try:
            yield
        finally:
            for run in self._runs:
                run.cancel()
            await asyncio.gather(*self._runs, return_exceptions=True)
            await self._recording.close()
            for hook in self._hooks.values():
                hook.receiver.close()

    # What the agenda asks

    def concerned(self, tables: frozenset[str]) -> bool:
        """Whether there may be something new to send. Without a webhook nothing is, so sessions cost nothing more."""
        self._hooks_changed = self._hooks_changed or "webhooks" in tables
        return self._hooks_changed or (bool(self._hooks) and not tables.isdisjoint(("outbox", "deliveries")))

    async def next(self) -> datetime | None:
        """When something is to be sent for which there is a hand."""
        await self._know_hooks()
        await self._let_overtake()
        found = await self._startable()
        return _moment(found[0]["next_attempt_at"]) if found else None

    async def perform(self) -> list[Started]:
        """Begin to send what is due, one delivery of each queue."""
        now, started = timestamp(self._clock.now()), []
        for row in await self._startable():
            hook = self._hooks[row["webhook_id"]]
            if row["next_attempt_at"] > now:
                break
            # Twice in it is a queue whose first is overtaken on purpose.
            if len(hook.busy) < _HANDS and _queue(row) not in hook.busy:
                hook.busy.add(_queue(row))
                begun = self._fired(row["id"])
                run = asyncio.create_task(self._run(hook, row["sequence"], _queue(row)))
                self._runs.add(run)
                run.add_done_callback(self._runs.discard)
                self._agenda.wait_for(run)
                started.append(Started(begun, run))
        return started

    async def ahead(self, most: int) -> list[Due]:
        """The next attempt at what is first of its queue."""
        await self._know_hooks()
        found = await deliveries.candidates(self._store, list(self._hooks), most) if self._hooks else []
        return [Due("webhook.attempted", row["id"], _moment(row["next_attempt_at"])) for row in found[:most]]

    def _fired(self, delivery_id: str) -> Fired:
        return Fired("webhook.attempted", delivery_id, self._clock.now())

    async def _know_hooks(self) -> None:
        """Read which webhooks there are, where that may have changed."""
        if not self._hooks_changed:
            return
        self._hooks_changed = False
        try:
            live = {row["id"]: row for row in await webhooks.live(self._store)}
        except sqlite3.Error:
            self._hooks_changed = True
            raise
        for gone in self._hooks.keys() - live.keys():
            self._hooks.pop(gone).receiver.close()
        for webhook_id, row in live.items():
            known = self._hooks.get(webhook_id)
            if known is None:
                secret = self._opened(row["secret"])
                self._hooks[webhook_id] = _Hook(webhook_id, row["secret"], self._receiver(row["url"], secret), secret)
            elif known.sealed != row["secret"]:
                known.receiver.close()
                known.sealed, known.secret = row["secret"], self._opened(row["secret"])
                known.receiver = self._receiver(row["url"], known.secret)

    def _receiver(self, url: str, secret: str | None) -> Receiver | SinkReceiver:
        own = self._sink.receiver(url, secret, self._patience)
        return own or Receiver(url, self._dialer, self._patience)

    def _opened(self, sealed: str) -> str | None:
        try:
            return self._vault.open(sealed)
        except VaultError:
            return None

    async def _startable(self) -> list[Row]:
        """What is next of each queue that nobody sees to, of hooks with a free hand, earliest first."""
        # Looked at before rows are: one that is in hand now may be over when they are here, and they may not know it.
        busy = {hook.id: frozenset(hook.busy) for hook in self._hooks.values() if len(hook.busy) < _HANDS}
        # Twice as many as can be in hand: those that are may be among them.
        found = await deliveries.candidates(self._store, list(busy), 2 * _HANDS) if busy else []
        return [row for row in found if _queue(row) not in busy[row["webhook_id"]]]

    # Sending

    async def _run(self, hook: _Hook, sequence: int, queue: Queue) -> list[Fired]:
        """Send a delivery and, while all goes well, what stands behind it in its queue; answers what that was."""
        fired = []
        try:
            row = await deliveries.pending(self._store, sequence)
            written = None
            for number in range(_RUN):
                if row is None:
                    break
                if number:
                    fired.append(self._fired(row["id"]))
                fault = self._put_off.pop(row["sequence"], None) or self._plan(row) or DeliveryFault()
                if fault.waits:
                    await self._wait(row, fault)
                    break
                if (waiting := self._overtaken.get((hook.id, queue))) and waiting["sequence"] == row["sequence"]:
                    # Nothing has come behind it in its time.
                    del self._overtaken[hook.id, queue]
                attempt = await self._attempt(hook, row, fault)
                written = self._recording.add(attempt)
                if attempt.status != DELIVERED or row["replayed_from_delivery_id"] is not None:
                    break
                if (hook.id, queue) in self._overtaken:
                    await written
                    await self._overtake(hook, queue)
                    break
                row = await deliveries.follower(self._store, row)
                if row is not None and row["next_attempt_at"]:
                    break
            if written is not None:
                await written
        except sqlite3.Error:
            _log.exception("a queue of deliveries could not be read; it is tried again")
            await asyncio.sleep(_PAUSE)
        finally:
            hook.busy.discard(queue)
            self._agenda.poke(self)
        return fired

    async def _attempt(self, hook: _Hook, row: Row, fault: DeliveryFault) -> Attempt:
        begun, real = self._clock.now(), asyncio.get_running_loop().time()
        signed: dict[str, str] = {}
        try:
            body = body_of(row)
            signed = self._signed(hook, row, begun, fault, body)
            outcome = await self._send(hook, row, signed, fault, body)
        except Exception:
            # An attempt as any other that failed: the same would happen at once again.
            _log.exception("delivery %s could not be sent", row["id"])
            outcome = Outcome(None, "the emulator failed; its log says why")
        # When it ended on a clock that nobody moved meanwhile: what follows from it is not to be late by that.
        passed = asyncio.get_running_loop().time() - real
        ended = min(self._clock.now(), begun + timedelta(seconds=passed if self._clock.mode == "real" else 0))
        again = next_attempt(row["attempts"] + 1, ended) if outcome.error is not None else None
        delivered = outcome.error is None
        return Attempt(
            sequence=row["sequence"],
            status=DELIVERED if delivered else PENDING if again is not None else FAILED,
            next_attempt_at=timestamp(again) if again is not None else None,
            last_http_status=outcome.status,
            last_error=outcome.error,
            delivered_at=timestamp(ended) if delivered else None,
            updated_at=timestamp(ended),
            at=timestamp(begun),
            duration_ms=round(passed * 1000, 3),
            signed_at=int(signed["webhook-timestamp"]) if signed else None,
            signature=signed.get("webhook-signature"),
        )

    def _signed(self, hook: _Hook, row: Row, at: datetime, fault: DeliveryFault, body: bytes) -> dict[str, str]:
        """The headers that sign an attempt; none where the secret cannot be read."""
        if hook.secret is None:
            return {}
        secret = new_signing_secret() if fault.wrong_signature else hook.secret
        return signing.headers(secret, row["event_id"], int(at.timestamp() + fault.timestamp_skew), body)

    async def _send(self, hook: _Hook, row: Row, signed: dict[str, str], fault: DeliveryFault, body: bytes) -> Outcome:
        if not signed:
            return Outcome(None, "the signing secret cannot be read: the key of the vault is another")
        headers = headers_of(row, signed)
        outcome = await hook.receiver.send(headers, body)
        for _ in range(fault.duplicate):
            # Whatever becomes of copies: the sender had its answer.
            await hook.receiver.send(headers, body)
        return outcome

    # Misbehaving on purpose

    async def _wait(self, row: Row, fault: DeliveryFault) -> None:
        """Put an attempt off. The plan is in memory alone: after a restart the delivery goes as any other.

        A replay, which stands in no queue, is overtaken by nothing, and waits all the same.
        """
        self._put_off[row["sequence"]] = fault.once_waited()
        if fault.reorder:
            self._overtaken[row["webhook_id"], _queue(row)] = row
        async with self._store.transaction() as tx:
            await deliveries.put_off(tx, row, timestamp(self._clock.now() + timedelta(seconds=fault.waits)))

    async def _let_overtake(self) -> None:
        """Send what has come behind a delivery that is to be overtaken."""
        for key, row in list(self._overtaken.items()):
            if await deliveries.pending(self._store, row["sequence"]) is None:
                self._overtaken.pop(key, None)
                self._put_off.pop(row["sequence"], None)
                continue
            behind = await deliveries.follower(self._store, row)
            if behind is not None and behind["next_attempt_at"] is None:
                async with self._store.transaction() as tx:
                    await deliveries.put_off(tx, behind, "")

    async def _overtake(self, hook: _Hook, queue: Queue) -> None:
        """What stood behind it has gone: now it is the turn of the one that was overtaken."""
        row = self._overtaken.pop((hook.id, queue))
        async with self._store.transaction() as tx:
            await deliveries.put_off(tx, row, "")


def _queue(row: Row) -> Queue:
    if row["replayed_from_delivery_id"] is not None:
        return int(row["sequence"])
    return (row["resource_type"], row["resource_id"])


def _moment(next_attempt_at: str) -> datetime:
    return moment(next_attempt_at) if next_attempt_at else _AT_ONCE
