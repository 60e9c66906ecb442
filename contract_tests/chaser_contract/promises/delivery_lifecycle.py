"""Deliveries of webhooks from their event to their end, held against a model: attempts, pauses, replays, discards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chaser_contract import making
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

_PAUSES = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""Seconds between attempts, of which there are one more."""

_STRIDES = (6.513, 401.77, 3_661.31, 40_007.13, 100_801.9)
"""Seconds to move on by, so odd that no attempt falls due at the very end of a move."""


@promise("emulator", stateful=True)
def deliveries_live_as_a_model_says(chaser: Subject) -> None:
    """Whatever a receiver answers and whoever replays, discards or deletes: each delivery is where it should be."""
    chaser.machine(lambda: _Deliveries(chaser), steps=15)


@dataclass
class _Delivery:
    id: str
    hook: int
    event: str
    payload: Any
    made: float
    status: str = "pending"
    attempts: int = 0
    answered: int | None = None
    due: float = 0
    replayed: bool = False
    replays: str | None = None


@dataclass
class _Hook:
    told: dict[str, Any]
    answers: int = 200
    deleted: bool = False
    received: int = 0


class _Deliveries(RuleBasedStateMachine):
    """Two webhooks for the same events, whose receivers answer as they are told, on a clock that stands still."""

    def __init__(self, chaser: Subject) -> None:
        super().__init__()
        self.chaser = chaser
        chaser.steered.reset()
        chaser.steered.clock.freeze()
        self.now = 0.0
        self.hooks = [_Hook(making.webhook(chaser, events=["job.queued"])) for _ in range(2)]
        self.deliveries: list[_Delivery] = []

    # What is done

    @precondition(lambda self: len(self.deliveries) < 10)
    @rule()
    def happens(self) -> None:
        job = making.waiting_job(self.chaser)
        self._settle()
        for number, hook in enumerate(self.hooks):
            found = [one for one in self._listed(webhook_id=hook.told["id"]) if one["resource_id"] == job["id"]]
            self.chaser.require(
                len(found) == (not hook.deleted),
                "create-webhook: each event is one delivery to each webhook",
                f"{found}",
            )
            for told in found:
                self.chaser.require(
                    told["payload"]["data"] == job and told["target_url"] == hook.told["url"]
                    and told["event_id"] == told["payload"]["id"] and told["event_type"] == "job.queued",
                    "list-webhook-deliveries: a delivery has its event and its target", f"{told}",
                )  # fmt: skip
                self._new(_Delivery(told["id"], number, told["event_id"], told["payload"], self.now))
        self._attempts()

    @rule(number=st.integers(0, 1), status=st.sampled_from([200, 202, 302, 400, 410, 500]))
    def answer_otherwise(self, number: int, status: int) -> None:
        hook = self.hooks[number]
        self.chaser.steered.webhooks.behave(status=status, name=hook.told["received"])
        hook.answers = status

    @rule(seconds=st.sampled_from(_STRIDES))
    def move_on(self, seconds: float) -> None:
        self.chaser.steered.clock.advance(timedelta(seconds=seconds))
        self.now += seconds
        self._attempts()

    @precondition(lambda self: bool(self.deliveries))
    @rule(index=st.integers(0, 11))
    def discard(self, index: int) -> None:
        one = self.deliveries[index % len(self.deliveries)]
        answer = self.chaser.ask("discard-webhook-delivery", did=one.id)
        if one.status not in ("pending", "failed"):
            answer.must_be(409, "invalid_state", because=f"the delivery is {one.status}")
            return
        answer.must_be(200, because=f"the delivery is {one.status}")
        one.status = "discarded"
        self._is(one, answer.json["delivery"])

    @precondition(lambda self: 0 < len(self.deliveries) < 12)
    @rule(index=st.integers(0, 11))
    def replay(self, index: int) -> None:
        one = self.deliveries[index % len(self.deliveries)]
        answer = self.chaser.ask("replay-webhook-delivery", did=one.id)
        if one.status == "pending" or self.hooks[one.hook].deleted:
            answer.must_be(409, "invalid_state", because="it is pending, or its webhook is deleted")
            return
        answer.must_be(200, because=f"the delivery is {one.status}")
        told = answer.json["delivery"]
        answer.require(
            told["id"] not in {each.id for each in self.deliveries}, "a replay is a new delivery", f"{told['id']}"
        )
        one.replayed = True
        self._new(_Delivery(told["id"], one.hook, one.event, one.payload, self.now, replays=one.id))
        self._settle()
        self._attempts()

    @precondition(lambda self: len(self.deliveries) > 3 and not self.hooks[1].deleted)
    @rule()
    def delete_hook(self) -> None:
        self.chaser.ask("delete-webhook", id=self.hooks[1].told["id"], expect=204)
        self.hooks[1].deleted = True
        for one in self.deliveries:
            if one.hook == 1 and one.status == "pending":
                one.status = "discarded"

    # What is seen

    @invariant()
    def every_reader_sees_it(self) -> None:
        listed = self._listed()
        wanted = {one.id: one for one in self.deliveries}
        self.chaser.require(
            {one["id"] for one in listed} == set(wanted), "list-webhook-deliveries: all deliveries are listed, once",
            f"{len(listed)}, not {len(wanted)}",
        )  # fmt: skip
        moments = [one["created_at"] for one in listed]
        self.chaser.require(
            moments == sorted(moments, reverse=True), "list-webhook-deliveries: newest first", f"{moments}"
        )
        for told in listed:
            self._is(wanted[told["id"]], told)
        for told in listed[:2]:
            read = self.chaser.ask("get-webhook-delivery", did=told["id"], expect=200)
            read.require(read.json["delivery"] == told, "a delivery is read as it is listed")

    def teardown(self) -> None:
        """Each attempt has come to the receiver, and no other."""
        for number, hook in enumerate(self.hooks):
            received = self.chaser.steered.webhooks.all(name=hook.told["received"])
            made = sum(one.attempts for one in self.deliveries if one.hook == number)
            self.chaser.require(
                len(received) == made,
                "create-webhook: every attempt that is counted was made, and no other",
                f"{len(received)} came, {made} are counted",
            )
            unsigned = [one for one in received if not one.verified]
            self.chaser.require(
                not unsigned,
                "create-webhook: every attempt is signed with the webhook's secret, at its time",
                f"{len(unsigned)} of {len(received)} are not",
            )

    # The model

    def _new(self, one: _Delivery) -> None:
        one.due = self.now
        self.deliveries.append(one)

    def _attempts(self) -> None:
        """What has fallen due by now was tried."""
        for one in self.deliveries:
            while one.status == "pending" and one.due <= self.now:
                one.attempts += 1
                one.answered = self.hooks[one.hook].answers
                if 200 <= one.answered < 300:
                    one.status = "delivered"
                elif one.attempts == 8:
                    one.status = "failed"
                else:
                    one.due += _PAUSES[one.attempts - 1]

    def _settle(self) -> None:
        self.chaser.steered.clock.run_until_idle(0)

    def _listed(self, **named: str) -> list[dict[str, Any]]:
        answer = self.chaser.ask("list-webhook-deliveries", query={"limit": 200, **named}, expect=200)
        listed: list[dict[str, Any]] = answer.json["deliveries"]
        return listed

    def _is(self, one: _Delivery, told: dict[str, Any]) -> None:
        hook = self.hooks[one.hook]
        went_well = one.answered is not None and 200 <= one.answered < 300
        wanted = {
            "status": one.status, "attempts": one.attempts, "webhook_id": hook.told["id"],
            "event_id": one.event, "payload": one.payload, "last_http_status": one.answered,
            "replayed_from_delivery_id": one.replays,
        }  # fmt: skip
        seen = {name: told.get(name) for name in wanted}
        differs = sorted(name for name in wanted if seen[name] != wanted[name])
        self.chaser.require(
            not differs, "get-webhook-delivery: a delivery is where its attempts and those who decide have brought it",
            f"{[(name, seen[name], wanted[name]) for name in differs]}",
        )  # fmt: skip
        there = {
            "delivered_at": one.status == "delivered", "discarded_at": one.status == "discarded",
            "replayed_at": one.replayed, "last_error": one.attempts > 0 and not went_well,
        }  # fmt: skip
        for name, is_there in there.items():
            self.chaser.require(
                (name in told) == is_there,
                f"get-webhook-delivery: `{name}` is there exactly where it applies",
                f"{told}",
            )
