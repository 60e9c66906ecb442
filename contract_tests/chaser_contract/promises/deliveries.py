"""Deliveries: tried until they go well or are given up, each attempt at its moment; sent again, discarded, listed."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from chaser_contract.promises import promise
from chaser_contract.receiver import Hook, Receiver, hooked, receiving, require_signed
from chaser_contract.subject import Subject
from chaser_contract.waiting import eventually

PAUSES = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
"""Seconds between the attempts."""

AT = "2031-03-01T12:00:00Z"


@promise("emulator")
def it_is_tried_eight_times_each_at_its_moment(chaser: Subject) -> None:
    """A delivery that fails is tried again after 5 s, 5 and 30 min, 2, 5, 10 and 10 h, and then has failed."""
    clock = chaser.steered.clock
    begun = clock.freeze(AT)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        receiver.usual = 503
        happen(chaser)
        (first,) = hook.settled(1)
        is_told_as(hook, first["id"], status="pending", attempts=1, last_http_status=503, delivered_at=None)
        for made, pause in enumerate(PAUSES, start=1):
            clock.advance(pause - 1)
            count(receiver, made, f"after attempt {made} none is made before {pause} s")
            clock.advance(1)
            eventually(
                lambda: hook.deliveries()[0]["attempts"],
                lambda attempts, due=made + 1: attempts == due,  # type: ignore[misc]
                f"get-webhook-delivery: attempt {made + 1} is made {pause} s after the one before",
            )
            status = "pending" if made < len(PAUSES) else "failed"
            is_told_as(hook, first["id"], status=status, attempts=made + 1, last_http_status=503, delivered_at=None)
        clock.advance(40 * 86_400)
        count(receiver, 8, "a delivery that has failed is not tried any more")
        last = is_told_as(hook, first["id"], status="failed", attempts=8, last_http_status=503, discarded_at=None)
        chaser.require(last.get("last_error"), "get-webhook-delivery: why an attempt failed is told", f"{last}")
        expected = [begun + timedelta(seconds=sum(PAUSES[:number])) for number in range(8)]
        sent = [datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), begun.tzinfo) for one in receiver.came]
        late = [found - due for found, due in zip(sent, expected, strict=True)]
        chaser.require(
            all(timedelta(seconds=-1) < one < timedelta(seconds=1) for one in late),
            "create-webhook: `webhook-timestamp` is the moment of the attempt",
            f"they are {[str(one) for one in sent]}, and due {[str(one) for one in expected]}",
        )
        for came in receiver.came:
            require_signed(came, hook.secret)
        same = {(one.body, one.headers["webhook-id"], one.headers["x-chaser-delivery"]) for one in receiver.came}
        chaser.require(len(same) == 1, "create-webhook: each attempt sends the same event", f"{len(same)} differ")


@promise("emulator")
def any_2xx_is_a_success_and_nothing_else(chaser: Subject) -> None:
    """An answer of 200 to 299 delivers, any other is a failure, and a redirect is not followed."""
    clock = chaser.steered.clock
    clock.freeze(AT)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        for status in (200, 201, 202, 204, 299, 301, 302, 307, 308, 300, 304, 400, 404, 410, 429, 500, 503, 599):
            with chaser.case():
                receiver.then = [status]
                before = len(receiver.came)
                happen(chaser)
                found = hook.settled(1)[0]
                well = 200 <= status < 300
                expected: dict[str, Any] = {
                    "status": "delivered" if well else "pending", "attempts": 1, "last_http_status": status,
                }  # fmt: skip
                told = is_told_as(hook, found["id"], **expected)
                for name in ("delivered_at", "last_error"):
                    there = well is (name == "delivered_at")
                    promised = f"get-webhook-delivery: after {status} there is {'a' if there else 'no'} `{name}`"
                    chaser.require((told.get(name) is not None) is there, promised, f"{told}")
                if not well:
                    clock.advance(5)
                    is_told_as(hook, found["id"], status="delivered", attempts=2, last_http_status=200, last_error=None)
                count(receiver, before + (1 if well else 2), f"after {status} it is tried as often as it takes")
        paths = {came.path for came in receiver.came}
        chaser.require(paths == {"/hook"}, "create-webhook: a redirect is not followed", f"{paths}")


@promise("emulator")
def an_answer_has_15_seconds(chaser: Subject) -> None:
    """A receiver has 15 seconds to answer; later is a failure without a status, and is tried again."""
    chaser.steered.clock.freeze(AT)
    sink = chaser.steered.webhooks
    for delay, status in ((14, "delivered"), (16, "pending")):
        with chaser.case():
            name = f"late-{delay}"
            made = chaser.ask("create-webhook", json={"url": sink.url(name)}, expect=200).json
            hook = Hook(chaser, Receiver(""), made["webhook"]["id"], made["signing_secret"])
            sink.behave(delay=delay, times=1, name=name)
            happen(chaser)
            found = hook.settled(1)[0]
            expected = {"status": status, "attempts": 1, "last_http_status": 200 if status == "delivered" else None}
            is_told_as(hook, found["id"], **expected)
            if status == "pending":
                chaser.steered.clock.advance(5)
                is_told_as(hook, found["id"], status="delivered", attempts=2, last_http_status=200)
            chaser.ask("delete-webhook", id=hook.id, expect=204)


@promise("emulator")
def the_last_attempt_is_told(chaser: Subject) -> None:
    """The status is that of the last attempt: absent where that got no answer, though one before it did."""
    chaser.steered.clock.freeze(AT)
    sink = chaser.steered.webhooks
    name = chaser.name("last")
    made = chaser.ask("create-webhook", json={"url": sink.url(name)}, expect=200).json
    hook = Hook(chaser, Receiver(""), made["webhook"]["id"], made["signing_secret"])
    sink.behave(status=503, times=1, name=name)
    happen(chaser)
    found = hook.settled(1)[0]
    is_told_as(hook, found["id"], status="pending", attempts=1, last_http_status=503)
    sink.behave(delay=16, times=1, name=name)
    chaser.steered.clock.advance(5)
    is_told_as(hook, found["id"], status="pending", attempts=2, last_http_status=None, delivered_at=None)
    chaser.steered.clock.advance(5 * 60)
    is_told_as(hook, found["id"], status="delivered", attempts=3, last_http_status=200, last_error=None)


@promise("emulator")
def nobody_there_is_a_failure(chaser: Subject) -> None:
    """Where nobody listens an attempt fails without a status, and says why."""
    chaser.steered.clock.freeze(AT)
    with receiving(chaser) as gone:
        pass
    with hooked(chaser, gone) as hook:
        happen(chaser)
        found = hook.settled(1)[0]
        told = is_told_as(hook, found["id"], status="pending", attempts=1, last_http_status=None, delivered_at=None)
        chaser.require(told.get("last_error"), "get-webhook-delivery: why an attempt failed is told", f"{told}")


@promise("emulator")
def the_events_of_a_resource_come_in_their_order(chaser: Subject) -> None:
    """Events of one resource arrive in the order in which they happened, also when the first has to be retried."""
    clock = chaser.steered.clock
    clock.freeze(AT)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.*") as hook:
        receiver.then = [500, 503]
        made = happen(chaser)
        for _ in range(3):
            chaser.ask("set-workspace-name", ws=made, json={"name": chaser.name()}, expect=200)
        chaser.ask("delete-workspace", ws=made, expect=204)
        clock.advance(600)
        eventually(
            lambda: [one["status"] for one in hook.deliveries()],
            lambda statuses: statuses == ["delivered"] * 5,
            "list-webhook-deliveries: what failed at first is delivered once the receiver answers well",
        )
        well = [one.type for one in receiver.came if one.answered == 200]
        expected = ["workspace.created", *["workspace.renamed"] * 3, "workspace.deleted"]
        chaser.require(well == expected, "create-webhook: events of a resource come in their order", f"{well}")
        moments = [one.event["created_at"] for one in receiver.came if one.answered == 200]
        chaser.require(
            moments == sorted(moments), "create-webhook: the moments of events are in their order", f"{moments}"
        )


@promise("emulator")
def what_fails_holds_up_its_own_resource_alone(chaser: Subject) -> None:
    """While an event waits to be tried again, those behind it of its resource wait, and no others do."""
    clock = chaser.steered.clock
    clock.freeze(AT)
    with receiving(chaser) as receiver, receiving(chaser) as another:
        receiver.then = [500]
        with hooked(chaser, receiver, "workspace.*") as hook, hooked(chaser, another, "workspace.*") as other:
            first = happen(chaser)
            hook.settled(1)
            chaser.ask("set-workspace-name", ws=first, json={"name": chaser.name()}, expect=200)
            second = happen(chaser)
            due = {(second, "workspace.created"): "delivered", (first, "workspace.renamed"): "pending"}
            for told, wanted, promised in (
                (hook, due | {(first, "workspace.created"): "pending"}, "events of another resource do not wait"),
                (
                    other,
                    dict.fromkeys([*due, (first, "workspace.created")], "delivered"),
                    "another webhook does not wait",
                ),
            ):
                eventually(
                    lambda told=told: {  # type: ignore[misc]
                        (one["resource_id"], one["event_type"]): one["status"] for one in told.deliveries()
                    },
                    lambda found, wanted=wanted: found == wanted,  # type: ignore[misc]
                    f"create-webhook: {promised} for one that is to be tried again",
                    seconds=10,
                )
            clock.advance(PAUSES[0])
            count(receiver, 4, "what waited is sent once what it waited for has been delivered")


def happen(chaser: Subject) -> str:
    """Something happens: a workspace is created."""
    body = {"name": chaser.name(), "session_type": "sandbox"}
    return str(chaser.ask("create-workspace", json=body, expect=200).json["id"])


def is_told_as(hook: Hook, delivery_id: str, **expected: Any) -> dict[str, Any]:
    """A delivery, which says all this: None stands for a field that is not there."""

    def look() -> dict[str, Any]:
        found: dict[str, Any] = hook.chaser.ask("get-webhook-delivery", did=delivery_id, expect=200).json["delivery"]
        return found

    told = look()
    if told["attempts"] != expected.get("attempts", told["attempts"]) or told["status"] == "pending":
        # The clock has moved, and the attempt may still be on its way.
        deadline = time.monotonic() + 10
        while any(told.get(name) != value for name, value in expected.items()) and time.monotonic() < deadline:
            told = look()
    for name, value in expected.items():
        hook.chaser.require(
            told.get(name) == value, f"get-webhook-delivery: `{name}` is {value!r} now", f"it is {told.get(name)!r}"
        )
    listed = next((one for one in hook.deliveries() if one["id"] == delivery_id), None)
    hook.chaser.require(
        listed == told, "list-webhook-deliveries: it tells of each what reading it tells", f"{listed} and not {told}"
    )
    return told


def count(receiver: Receiver, count: int, promised: str) -> None:
    eventually(lambda: len(receiver.came), lambda found: found == count, f"create-webhook: {promised}", seconds=10)
