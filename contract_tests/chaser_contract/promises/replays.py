"""Deliveries once they were made: sent again, given up, left behind by their webhook, and listed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chaser_contract.promises import promise
from chaser_contract.promises.deliveries import AT, count, happen, is_told_as
from chaser_contract.receiver import hooked, receiving, require_signed
from chaser_contract.subject import Subject
from chaser_contract.values import frozen, is_at, passed
from chaser_contract.waiting import eventually


@promise()
def one_is_sent_again_as_another(chaser: Subject) -> None:
    """A replay is a new delivery of the same event, sent at once; the old one says when, and stays what it was."""
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        made = happen(chaser)
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
        begun = (again["status"], again["attempts"], again.get("last_http_status"), again.get("delivered_at"))
        answer.require(begun == ("pending", 0, None, None), "a replay begins as any delivery, untried", f"{begun}")
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
        old = is_told_as(hook, before["id"], status="delivered", attempts=1, delivered_at=before["delivered_at"])
        chaser.require(old.get("replayed_at"), "get-webhook-delivery: when it was replayed is told", f"{old}")
        chaser.require(len(receiver.of(made)) == 2, "replay-webhook-delivery: it is sent once", f"{receiver.types()}")
        chaser.ask("discard-webhook-delivery", did=before["id"]).must_be(
            409, "invalid_state", because="for one that is delivered"
        )


@promise("emulator")
def one_that_is_given_up_is_not_tried_any_more(chaser: Subject) -> None:
    """A pending or failed delivery can be given up, and is not tried again; a pending one cannot be replayed."""
    clock = chaser.steered.clock
    clock.freeze(AT)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        receiver.usual = 500
        happen(chaser)
        pending = hook.settled(1)[0]["id"]
        chaser.ask("replay-webhook-delivery", did=pending).must_be(409, "invalid_state", because="while it is pending")
        answer = chaser.ask("discard-webhook-delivery", did=pending, expect=200)
        answer.require(answer.json["delivery"]["id"] == pending, "what is given up is answered")
        answer.require(answer.json["delivery"]["status"] == "discarded", "what is given up is discarded")
        clock.advance(30 * 86_400)
        count(receiver, 1, "what is given up is not tried any more")
        told = is_told_as(hook, pending, status="discarded", attempts=1, last_http_status=500, delivered_at=None)
        chaser.require(told.get("discarded_at"), "get-webhook-delivery: when it was given up is told", f"{told}")
        again = chaser.ask("discard-webhook-delivery", did=pending)
        again.must_be(409, "invalid_state", because="for one that is discarded")
        happen(chaser)
        clock.advance(30 * 86_400)
        failed = hook.deliveries()[0]["id"]
        is_told_as(hook, failed, status="failed", attempts=8)
        receiver.usual = 200
        replayed = chaser.ask("replay-webhook-delivery", did=failed, expect=200).json["delivery"]["id"]
        hook.settled(3)
        is_told_as(hook, replayed, status="delivered", attempts=1)
        chaser.ask("discard-webhook-delivery", did=failed, expect=200)
        is_told_as(hook, failed, status="discarded", attempts=8)
        other = chaser.ask("replay-webhook-delivery", did=pending, expect=200).json["delivery"]["id"]
        hook.settled(4)
        is_told_as(hook, other, status="delivered", attempts=1, replayed_from_delivery_id=pending)


@promise("emulator")
def what_happens_to_one_is_told_with_its_moment(chaser: Subject) -> None:
    """An attempt, a replay, giving up and the end of the webhook change `updated_at`, and say when they were."""
    then = frozen(chaser)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        happen(chaser)
        first = hook.settled(1)[0]["id"]
        _at(chaser, first, then, "delivered_at")
        later = passed(chaser, hours=1)
        again = chaser.ask("replay-webhook-delivery", did=first, expect=200).json["delivery"]["id"]
        hook.settled(2)
        _at(chaser, first, later, "replayed_at")
        _at(chaser, again, later, "delivered_at")
        receiver.usual = 500
        for made, how in enumerate(("discard-webhook-delivery", "delete-webhook"), start=3):
            happen(chaser)
            pending = hook.settled(made)[0]["id"]
            later = passed(chaser, seconds=3)
            where = {"did": pending} if how.startswith("discard") else {"id": hook.id}
            chaser.ask(how, **where).must_be(200 if "did" in where else 204)
            _at(chaser, pending, later, "discarded_at")


def _at(chaser: Subject, delivery: str, then: datetime, name: str) -> None:
    told = chaser.ask("get-webhook-delivery", did=delivery, expect=200)
    for each in (name, "updated_at"):
        is_at(told, told.json["delivery"], each, then)


@promise("emulator")
def those_of_a_deleted_webhook_stay_and_go_nowhere(chaser: Subject) -> None:
    """When a webhook is deleted its pending deliveries are discarded, all stay readable, and nothing more is sent."""
    clock = chaser.steered.clock
    clock.freeze(AT)
    with receiving(chaser) as receiver, hooked(chaser, receiver, "workspace.created") as hook:
        happen(chaser)
        hook.settled(1)
        receiver.usual = 500
        happen(chaser)
        pending, delivered = (one["id"] for one in hook.settled(2))
        chaser.ask("delete-webhook", id=hook.id, expect=204)
        happen(chaser)
        clock.advance(86_400)
        count(receiver, 2, "nothing is sent to a webhook that is deleted")
        is_told_as(hook, delivered, status="delivered", attempts=1)
        told = is_told_as(hook, pending, status="discarded", attempts=1)
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
            made.append(happen(chaser))
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


def _require_list(chaser: Subject, found: list[str], due: list[str], what: str) -> None:
    chaser.require(
        found == due, f"list-webhook-deliveries: deliveries are listed {what}", f"{found} and not {due}"[:400]
    )
