"""Deliveries: tried until they go well or are given up, each attempt at its moment; sent again, discarded, listed."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from chaser_contract.promises import promise
from chaser_contract.receiver import Hook, Receiver, hooked, receiving, require_signed
from chaser_contract.sandboxes import eventually
from chaser_contract.subject import Subject

PAUSES = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
"""Seconds between the attempts."""

_AT = "2031-03-01T12:00:00Z"


@promise("emulator")
def it_is_tried_eight_times_each_at_its_moment(chaser: Subject) -> None:
    """A delivery that fails is tried again after 5 s, 5 and 30 min, 2, 5, 10 and 10 h, and then has failed."""
    clock = chaser.steered.clock
    begun = clock.freeze(_AT)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        receiver.usual = 503
        _happen(chaser)
        (first,) = hook.settled(1)
        _is(hook, first["id"], status="pending", attempts=1, last_http_status=503, delivered_at=None)
        for made, pause in enumerate(PAUSES, start=1):
            clock.advance(pause - 1)
            _count(receiver, made, f"after attempt {made} none is made before {pause} s")
            clock.advance(1)
            eventually(
                lambda: hook.deliveries()[0]["attempts"],
                lambda attempts, due=made + 1: attempts == due,  # type: ignore[misc]
                f"get-webhook-delivery: attempt {made + 1} is made {pause} s after the one before",
            )
            status = "pending" if made < len(PAUSES) else "failed"
            _is(hook, first["id"], status=status, attempts=made + 1, last_http_status=503, delivered_at=None)
        clock.advance(40 * 86_400)
        _count(receiver, 8, "a delivery that has failed is not tried any more")
        last = _is(hook, first["id"], status="failed", attempts=8, last_http_status=503, discarded_at=None)
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
    clock.freeze(_AT)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        for status in (200, 201, 202, 204, 299, 301, 302, 307, 308, 300, 304, 400, 404, 410, 429, 500, 503, 599):
            with chaser.case():
                receiver.then = [status]
                before = len(receiver.came)
                _happen(chaser)
                found = hook.settled(1)[0]
                well = 200 <= status < 300
                expected: dict[str, Any] = {
                    "status": "delivered" if well else "pending", "attempts": 1, "last_http_status": status,
                }  # fmt: skip
                told = _is(hook, found["id"], **expected)
                for name in ("delivered_at", "last_error"):
                    there = well is (name == "delivered_at")
                    promised = f"get-webhook-delivery: after {status} there is {'a' if there else 'no'} `{name}`"
                    chaser.require((told.get(name) is not None) is there, promised, f"{told}")
                if not well:
                    clock.advance(5)
                    _is(hook, found["id"], status="delivered", attempts=2, last_http_status=200, last_error=None)
                _count(receiver, before + (1 if well else 2), f"after {status} it is tried as often as it takes")
        paths = {came.path for came in receiver.came}
        chaser.require(paths == {"/hook"}, "create-webhook: a redirect is not followed", f"{paths}")


@promise("emulator")
def an_answer_has_15_seconds(chaser: Subject) -> None:
    """A receiver has 15 seconds to answer; later is a failure without a status, and is tried again."""
    chaser.steered.clock.freeze(_AT)
    sink = chaser.steered.webhooks
    for delay, status in ((14, "delivered"), (16, "pending")):
        with chaser.case():
            name = f"late-{delay}"
            made = chaser.ask("create-webhook", json={"url": sink.url(name)}, expect=200).json
            hook = Hook(chaser, Receiver(""), made["webhook"]["id"], made["signing_secret"])
            sink.behave(delay=delay, times=1, name=name)
            _happen(chaser)
            found = hook.settled(1)[0]
            expected = {"status": status, "attempts": 1, "last_http_status": 200 if status == "delivered" else None}
            _is(hook, found["id"], **expected)
            if status == "pending":
                chaser.steered.clock.advance(5)
                _is(hook, found["id"], status="delivered", attempts=2, last_http_status=200)
            chaser.ask("delete-webhook", id=hook.id, expect=204)


@promise("emulator")
def nobody_there_is_a_failure(chaser: Subject) -> None:
    """Where nobody listens an attempt fails without a status, and says why."""
    chaser.steered.clock.freeze(_AT)
    with receiving(chaser) as gone:
        pass
    with hooked(chaser, gone) as hook:
        _happen(chaser)
        found = hook.settled(1)[0]
        told = _is(hook, found["id"], status="pending", attempts=1, last_http_status=None, delivered_at=None)
        chaser.require(told.get("last_error"), "get-webhook-delivery: why an attempt failed is told", f"{told}")


@promise("emulator")
def the_events_of_a_resource_come_in_their_order(chaser: Subject) -> None:
    """Events of one resource arrive in the order in which they happened, also when the first has to be retried."""
    clock = chaser.steered.clock
    clock.freeze(_AT)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.*") as hook:
        receiver.then = [500, 503]
        made = _happen(chaser)
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


@promise()
def one_is_sent_again_as_another(chaser: Subject) -> None:
    """A replay is a new delivery of the same event, sent at once; the old one says when, and stays what it was."""
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        made = _happen(chaser)
        receiver.wait(1)
        before = eventually(
            hook.deliveries, lambda found: found[0]["status"] == "delivered", "list-webhook-deliveries: it is delivered"
        )[0]
        answer = chaser.ask("replay-webhook-delivery", did=before["id"], expect=200)
        again = answer.json["delivery"]
        answer.require(again["id"] != before["id"], "a replay is a new delivery")
        answer.require(again.get("replayed_from_delivery_id") == before["id"], "a replay names what it repeats")
        for name in ("webhook_id", "event_id", "event_type", "resource_type", "resource_id", "target_url", "payload"):
            answer.require(again[name] == before[name], f"`{name}` of a replay is that of what it repeats")
        first, second = receiver.wait(2)
        chaser.require(
            first.body == second.body, "replay-webhook-delivery: it sends the same event", f"{second.body!r}"
        )
        chaser.require(
            second.headers["x-chaser-delivery"] == again["id"] and second.headers["webhook-id"] == before["event_id"],
            "replay-webhook-delivery: it is sent under its own id, with the id of the event",
            f"{dict(second.headers)}",
        )
        require_signed(second, hook.secret)
        eventually(
            lambda: hook.deliveries()[0],
            lambda found: found["id"] == again["id"] and found["status"] == "delivered",
            "replay-webhook-delivery: a replay is delivered as any other",
        )
        old = _is(hook, before["id"], status="delivered", attempts=1, delivered_at=before["delivered_at"])
        chaser.require(old.get("replayed_at"), "get-webhook-delivery: when it was replayed is told", f"{old}")
        chaser.require(len(receiver.of(made)) == 2, "replay-webhook-delivery: it is sent once", f"{receiver.types()}")
        chaser.ask("discard-webhook-delivery", did=before["id"]).must_be(
            409, "invalid_state", because="for one that is delivered"
        )


@promise("emulator")
def one_that_is_given_up_is_not_tried_any_more(chaser: Subject) -> None:
    """A pending or failed delivery can be given up, and is not tried again; a pending one cannot be replayed."""
    clock = chaser.steered.clock
    clock.freeze(_AT)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        receiver.usual = 500
        _happen(chaser)
        pending = hook.settled(1)[0]["id"]
        chaser.ask("replay-webhook-delivery", did=pending).must_be(409, "invalid_state", because="while it is pending")
        answer = chaser.ask("discard-webhook-delivery", did=pending, expect=200)
        answer.require(answer.json["delivery"]["id"] == pending, "what is given up is answered")
        answer.require(answer.json["delivery"]["status"] == "discarded", "what is given up is discarded")
        clock.advance(30 * 86_400)
        _count(receiver, 1, "what is given up is not tried any more")
        told = _is(hook, pending, status="discarded", attempts=1, last_http_status=500, delivered_at=None)
        chaser.require(told.get("discarded_at"), "get-webhook-delivery: when it was given up is told", f"{told}")
        again = chaser.ask("discard-webhook-delivery", did=pending)
        again.must_be(409, "invalid_state", because="for one that is discarded")
        _happen(chaser)
        clock.advance(30 * 86_400)
        failed = hook.deliveries()[0]["id"]
        _is(hook, failed, status="failed", attempts=8)
        receiver.usual = 200
        replayed = chaser.ask("replay-webhook-delivery", did=failed, expect=200).json["delivery"]["id"]
        hook.settled(3)
        _is(hook, replayed, status="delivered", attempts=1)
        chaser.ask("discard-webhook-delivery", did=failed, expect=200)
        _is(hook, failed, status="discarded", attempts=8)
        other = chaser.ask("replay-webhook-delivery", did=pending, expect=200).json["delivery"]["id"]
        hook.settled(4)
        _is(hook, other, status="delivered", attempts=1, replayed_from_delivery_id=pending)


@promise("emulator")
def those_of_a_deleted_webhook_stay_and_go_nowhere(chaser: Subject) -> None:
    """When a webhook is deleted its pending deliveries are discarded, all stay readable, and nothing more is sent."""
    clock = chaser.steered.clock
    clock.freeze(_AT)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        _happen(chaser)
        hook.settled(1)
        receiver.usual = 500
        _happen(chaser)
        pending, delivered = (one["id"] for one in hook.settled(2))
        chaser.ask("delete-webhook", id=hook.id, expect=204)
        _happen(chaser)
        clock.advance(86_400)
        _count(receiver, 2, "nothing is sent to a webhook that is deleted")
        _is(hook, delivered, status="delivered", attempts=1)
        told = _is(hook, pending, status="discarded", attempts=1)
        chaser.require(told.get("discarded_at"), "get-webhook-delivery: when it was discarded is told", f"{told}")
        chaser.require(len(hook.deliveries()) == 2, "list-webhook-deliveries: they stay, and none is added", "")
        answer = chaser.ask("replay-webhook-delivery", did=delivered)
        answer.must_be(409, "invalid_state", because="when its webhook is deleted")


@promise()
def they_are_listed_newest_first_and_filtered(chaser: Subject) -> None:
    """Deliveries are listed newest first, by webhook and state, 50 where no limit from 1 to 200 is given."""
    with (
        receiving(chaser) as receiver,
        hooked(chaser, receiver, "workspace.created") as hook,
        receiving(chaser) as failing,
        hooked(chaser, failing, "workspace.created") as other,
    ):
        failing.usual = 500
        made = []
        for _ in range(52):
            made.append(_happen(chaser))
            # A plan has room for 50.
            chaser.ask("delete-workspace", ws=made[-1], expect=204)
        found = hook.settled(52)
        other.settled(52)
        _require_list(chaser, [one["resource_id"] for one in found], made[::-1], "newest first, each once")
        _require_list(chaser, [one["status"] for one in found], ["delivered"] * 52, "each is delivered")
        ids = [one["id"] for one in found]
        for limit, count in ((None, 50), (1, 1), (2, 2), (51, 51), (200, 52)):
            asked = {"webhook_id": hook.id} | ({} if limit is None else {"limit": limit})
            listed = chaser.ask("list-webhook-deliveries", query=asked, expect=200)
            _require_list(chaser, [one["id"] for one in listed.json["deliveries"]], ids[:count], f"with limit {limit}")
        for status, ours, theirs in (
            ("delivered", 52, 0),
            ("pending", 0, 52),
            ("failed", 0, 0),
            ("discarded", 0, 0),
        ):
            for one, count in ((hook, ours), (other, theirs)):
                got = one.deliveries(status=status)
                same = all(entry["status"] == status and entry["webhook_id"] == one.id for entry in got)
                chaser.require(
                    len(got) == count and same, "list-webhook-deliveries: all filters must fit", f"{status}: {got}"
                )
        both = chaser.ask("list-webhook-deliveries", query={"limit": 104, "status": "delivered"}, expect=200)
        both.require(len(both.json["deliveries"]) >= 52, "without a webhook those of all are listed")
        none = chaser.ask("list-webhook-deliveries", query={"webhook_id": "none-of-that-id"}, expect=200)
        none.require(none.json["deliveries"] == [], "of a webhook that never was there are no deliveries")
        wrong_ones: tuple[dict[str, Any], ...] = (
            {"limit": 0},
            {"limit": 201},
            {"limit": "x"},
            {"status": "done"},
            {"status": "Delivered"},
        )
        for query in wrong_ones:
            with chaser.case():
                wrong = chaser.ask("list-webhook-deliveries", query=query)
                wrong.must_be(400, "invalid_request", because=f"for {query}")
        for operation in ("get-webhook-delivery", "replay-webhook-delivery", "discard-webhook-delivery"):
            chaser.ask(operation, did=hook.id).must_be(404, "not_found", because="for what is no delivery")


def _happen(chaser: Subject) -> str:
    """Something happens: a workspace is created."""
    body = {"name": chaser.name(), "session_type": "sandbox"}
    return str(chaser.ask("create-workspace", json=body, expect=200).json["id"])


def _is(hook: Hook, delivery_id: str, **expected: Any) -> dict[str, Any]:
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


def _count(receiver: Receiver, count: int, promised: str) -> None:
    eventually(lambda: len(receiver.came), lambda found: found == count, f"create-webhook: {promised}", seconds=10)


def _require_list(chaser: Subject, found: list[str], due: list[str], what: str) -> None:
    chaser.require(
        found == due, f"list-webhook-deliveries: deliveries are listed {what}", f"{found} and not {due}"[:400]
    )
