"""Filters of lists: each alone and all together let through what fits them all, and nothing else; so do cursors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.promises.pagination import limits_are_kept, refused
from chaser_contract.subject import Subject


@promise("emulator")
def jobs_are_listed_by_kind_and_status(chaser: Subject) -> None:
    """`status` and `kind` let through the jobs that fit both, counted as well, also a page at a time."""
    newest: list[tuple[str, str, str]] = []

    def queue(kind: str, given: dict[str, Any], becomes: str) -> None:
        run_at = {} if becomes in ("completed", "failed") else {"run_at": making.LATER}
        made = chaser.ask("create-job", json={"kind": kind, "input": given, **run_at}, expect=200).json["id"]
        if becomes == "canceled":
            chaser.ask("cancel-job", id=made, expect=200)
        elif becomes != "queued":
            making.finished_job(chaser, made)
        newest.insert(0, (made, kind, becomes))

    nowhere = {"session_id": UNKNOWN}
    everything = {"all": True, "session_type": "browser"}
    for becomes in ("queued", "failed", "canceled", "queued"):
        queue("session.terminate", nowhere, becomes)
        queue("workspace.delete", {"workspace": UNKNOWN}, becomes)
    for becomes in ("completed", "queued", "completed"):
        queue("session.bulk_terminate", everything, becomes)
    kinds = (None, "session.terminate", "workspace.delete", "session.bulk_terminate", "sandbox.exec")
    statuses = (None, "queued", "running", "completed", "failed", "canceled")
    for kind, status in itertools.product(kinds, statuses):
        with chaser.case():
            fits = [one for one, of, is_ in newest if kind in (None, of) and status in (None, is_)]
            named = {name: value for name, value in (("kind", kind), ("status", status)) if value is not None}
            whole = chaser.ask("list-jobs", query=named, expect=200)
            told = [one["id"] for one in whole.json["jobs"]]
            whole.require(told == fits, "filters let through the jobs that fit them all", f"{told}, not {fits}")
            whole.require(whole.json["total"] == len(fits), "`total` counts what fits the filters")
            page = chaser.ask("list-jobs", query={**named, "limit": 2, "offset": 1}, expect=200)
            told = [one["id"] for one in page.json["jobs"]]
            page.require(told == fits[1:3], "a page is a slice of what fits", f"{told}, not {fits[1:3]}")
            page.require(page.json["has_more"] == (len(fits) > 3), "`has_more` speaks of what fits the filters")
            page.require(page.json["total"] == len(fits), "`total` counts what fits the filters")
    for name, wrong in (("kind", "sandbox"), ("kind", "Sandbox.exec"), ("status", "done"), ("status", "Queued")):
        with chaser.case():
            refused(chaser.ask("list-jobs", query={name: wrong}), name)


@promise("emulator")
def deliveries_are_listed_by_webhook_and_status(chaser: Subject) -> None:
    """`webhook_id` and `status` let through the deliveries that fit both, newest first, deleted webhooks included."""
    clock, sink = chaser.steered.clock, chaser.steered.webhooks
    clock.freeze()
    good, bad = making.webhook(chaser, events=["job.*"]), making.webhook(chaser, events=["job.queued"])
    sink.behave(status=500, name=bad["received"])
    expected: dict[tuple[str, str], str] = {}
    for _ in range(3):
        job = making.waiting_job(chaser)["id"]
        expected |= {(good["id"], job): "delivered", (bad["id"], job): "failed"}
    clock.advance("28h")
    for _ in range(2):
        job = making.waiting_job(chaser)["id"]
        clock.run_until_idle(0)
        expected |= {(good["id"], job): "delivered", (bad["id"], job): "pending"}
    found = chaser.ask("list-webhook-deliveries", query={"webhook_id": bad["id"], "limit": 1}, expect=200)
    given_up = found.json["deliveries"][0]
    chaser.ask("discard-webhook-delivery", did=given_up["id"], expect=200)
    expected[bad["id"], given_up["resource_id"]] = "discarded"
    newest = list(reversed(expected.items()))
    for webhook, status in itertools.product(
        (None, good["id"], bad["id"], UNKNOWN), (None, "pending", "delivered", "failed", "discarded")
    ):
        with chaser.case():
            fits = {key for key, is_ in newest if webhook in (None, key[0]) and status in (None, is_)}
            named = {name: value for name, value in (("webhook_id", webhook), ("status", status)) if value is not None}
            answer = chaser.ask("list-webhook-deliveries", query=named, expect=200)
            listed = answer.json["deliveries"]
            told = [(one["webhook_id"], one["resource_id"]) for one in listed]
            answer.require(set(told) == fits and len(told) == len(fits), "filters let through what fits them all")
            answer.require(
                all(one["status"] == expected[one["webhook_id"], one["resource_id"]] for one in listed),
                "each delivery is listed in the state that it is in",
            )
            moments = [one["created_at"] for one in listed]
            answer.require(moments == sorted(moments, reverse=True), "deliveries are listed newest first", f"{moments}")
            shorter = chaser.ask("list-webhook-deliveries", query={**named, "limit": 2}, expect=200)
            first = [one["id"] for one in listed[:2]]
            shorter.require(
                [one["id"] for one in shorter.json["deliveries"]] == first, "a limit leaves the newest that fit"
            )
    chaser.ask("delete-webhook", id=good["id"], expect=204)
    kept = chaser.ask("list-webhook-deliveries", query={"webhook_id": good["id"]}, expect=200)
    kept.require(len(kept.json["deliveries"]) == 5, "the deliveries of a deleted webhook stay")
    refused(chaser.ask("list-webhook-deliveries", query={"status": "done"}), "status")


@promise("emulator")
def deliveries_come_by_50_and_at_most_by_200(chaser: Subject) -> None:
    """There are 50 deliveries in an answer unless another number from 1 to 200 is asked for."""
    chaser.steered.clock.freeze()
    making.webhook(chaser, events=["job.queued"])
    jobs = [making.waiting_job(chaser)["id"] for _ in range(201)][::-1]
    for limit in (None, 1, 199, 200):
        with chaser.case():
            query = {} if limit is None else {"limit": limit}
            answer = chaser.ask("list-webhook-deliveries", query=query, expect=200)
            told = [one["resource_id"] for one in answer.json["deliveries"]]
            answer.require(
                told == jobs[: limit or 50], f"an answer has the {limit or 50} newest deliveries", f"{len(told)} of 201"
            )


@promise("emulator")
def audit_events_are_found_by_each_filter(chaser: Subject) -> None:
    """`action`, `resource_type`, `resource_id`, `status` and `before` let through the events that fit all of them."""
    events = _audited(chaser)
    whole = chaser.ask("list-audit-events", query={"limit": 500}, expect=200).json["events"]
    chaser.require(len(whole) >= events, "list-audit-events: each change is an event", f"{len(whole)}, not {events}")
    fields = ("action", "resource_type", "resource_id", "status")
    asked: set[tuple[tuple[str, str], ...]] = set()
    for one, count in itertools.product(whole, range(1, len(fields) + 1)):
        for names in itertools.combinations(fields, count):
            asked.add(tuple((name, one[name]) for name in names if name in one))
    asked |= {(("status", status), ("action", one["action"])) for one in whole for status in ("success", "failure")}
    asked |= {((name, "nothing"),) for name in fields[:3]}
    for named in sorted(asked):
        with chaser.case():
            query = dict(named)
            fits = [one["id"] for one in whole if all(one.get(name) == value for name, value in named)]
            told = _ids(chaser, query)
            chaser.require(
                told == fits, "list-audit-events: filters let through the events that fit them all, newest first",
                f"{query} lets through {told}, not {fits}",
            )  # fmt: skip
    for one, status in itertools.product(whole[::3], ("success", "failure")):
        with chaser.case():
            query = {"before": one["created_at"], "status": status, "limit": "2"}
            fits = [e["id"] for e in whole if e["created_at"] < one["created_at"] and e["status"] == status][:2]
            told = _ids(chaser, query)
            chaser.require(
                told == fits, "list-audit-events: the newest that are older and fit are let through",
                f"{query} lets through {told}, not {fits}",
            )  # fmt: skip
    for name, wrong in (("status", "done"), ("before", "yesterday"), ("before", "2026-01-15"), ("before", "0")):
        with chaser.case():
            refused(chaser.ask("list-audit-events", query={name: wrong}), name)


@promise("emulator")
def audit_pages_join_by_their_cursor(chaser: Subject) -> None:
    """With `before`, the `created_at` of the last event leads to the next page, whatever happens in between."""
    _audited(chaser)
    whole = chaser.ask("list-audit-events", query={"limit": 500}, expect=200).json["events"]
    moments = [one["created_at"] for one in whole]
    chaser.require(moments == sorted(moments, reverse=True), "list-audit-events: newest first", f"{moments}")
    for limit in (1, 3, len(whole)):
        joined: list[Any] = []
        query: dict[str, Any] = {"limit": limit, "before": _after(moments[0])}
        while page := chaser.ask("list-audit-events", query=query, expect=200).json["events"]:
            joined += page
            query["before"] = page[-1]["created_at"]
            # What happens while somebody turns the pages is newer than all of them.
            making.workspace(chaser) if limit == 1 and len(joined) in (2, 5) else None
        chaser.require(joined == whole, "list-audit-events: pages join without gap or repeat", f"{len(joined)} events")
    middle = whole[len(whole) // 2]["created_at"]
    older = [one for one in moments if one < middle]
    for same in (_in_zone(middle, 2), _in_zone(middle, -7.5), middle.replace("Z", "+00:00"), middle.lower()):
        with chaser.case():
            answer = chaser.ask("list-audit-events", query={"before": same, "limit": 500}, expect=200)
            told = [one["created_at"] for one in answer.json["events"]]
            answer.require(told == older, "`before` is a moment, in whatever zone it is said", f"{len(told)} events")
    chaser.ask("list-audit-events", query={"before": "1970-01-01T00:00:00Z"}, expect=200).require(
        chaser.ask("list-audit-events", query={"before": moments[-1]}, expect=200).json["events"] == [],
        "nothing is older than the oldest event",
    )


@promise("emulator")
def audit_events_come_by_100_and_at_most_by_500(chaser: Subject) -> None:
    """There are 100 events in an answer unless another number from 1 to 500 is asked for."""
    disk = making.workspace(chaser)["id"]
    for turn in range(500):
        chaser.ask("set-workspace-template", ws=disk, json={"template": turn % 2 == 0}, expect=200)
    for limit in (None, 1, 499, 500):
        with chaser.case():
            answer = chaser.ask("list-audit-events", query={} if limit is None else {"limit": limit}, expect=200)
            count = len(answer.json["events"])
            answer.require(count == (limit or 100), f"an answer has {limit or 100} events of 501", f"{count}")


@promise("emulator")
def usage_is_listed_and_summed_by_kind_and_since(chaser: Subject) -> None:
    """`kind` and `since` let through the events that fit both; `limit` cuts the list, and never the sums."""
    used, other = making.assistant(chaser)["id"], making.assistant(chaser)["id"]
    chaser.ask("create-assistant-usage-event", id=other, json={"kind": "tokens", "quantity": 7}, expect=200)
    newest: list[dict[str, Any]] = []
    for turn, used_kind in enumerate(["tokens", "tool_call", "session", "tokens", "tokens", "session", "tool_call"]):
        said: dict[str, Any] = {"kind": used_kind, "quantity": [0, 1, 2.5, 1280, 0.25, 10**12, 3][turn]}
        if turn % 2:
            said["metadata"] = {"turn": turn, "of": ["ä", None]}
        told = chaser.ask("create-assistant-usage-event", id=used, json=said, expect=200).json["event"]
        chaser.require(
            {name: told.get(name) for name in said} == said and ("metadata" in told) == ("metadata" in said),
            "create-assistant-usage-event: the event has what was sent, and nothing else", f"{told}, sent was {said}",
        )  # fmt: skip
        newest.insert(0, told)
    kinds = (None, "tokens", "tool_call", "session")
    moments = [
        None,
        *(one["created_at"] for one in newest),
        _in_zone(newest[3]["created_at"], 5),
        newest[2]["created_at"].lower(),
    ]
    for kind, since, limit in itertools.product(kinds, moments, (None, 2)):
        fits = [one for one in newest if kind in (None, one["kind"]) and _not_before(one["created_at"], since)]
        query = {
            name: value
            for name, value in (("kind", kind), ("since", since), ("limit", limit))
            if value is not None
        }  # fmt: skip
        with chaser.case():
            answer = chaser.ask("list-assistant-usage-events", id=used, query=query, expect=200)
            answer.require(answer.json["events"] == fits[:limit], "the newest events that fit are listed")
            sums = {one: sum(event["quantity"] for event in fits if event["kind"] == one) for one in kinds if one}
            answer.require(
                answer.json["totals"] == sums, "the sums are those of all that fits", f"{answer.json['totals']}, {sums}"
            )
    limits_are_kept(chaser, "list-assistant-usage-events", 200, id=used)
    for named, wrong in (("kind", "token"), ("since", "yesterday")):
        with chaser.case():
            refused(chaser.ask("list-assistant-usage-events", id=used, query={named: wrong}), named)


@promise("emulator")
def usage_comes_by_50_and_at_most_by_200(chaser: Subject) -> None:
    """There are 50 usage events in an answer unless another number from 1 to 200 is asked for."""
    used = making.assistant(chaser)["id"]
    for turn in range(201):
        chaser.ask("create-assistant-usage-event", id=used, json={"kind": "tokens", "quantity": turn}, expect=200)
    for limit in (None, 1, 199, 200):
        query = {} if limit is None else {"limit": limit}
        answer = chaser.ask("list-assistant-usage-events", id=used, query=query, expect=200)
        told = [one["quantity"] for one in answer.json["events"]]
        wanted = list(range(200, 200 - (limit or 50), -1))
        answer.require(told == wanted, f"an answer has the {len(wanted)} newest events", f"{len(told)} of 201")
        answer.require(answer.json["totals"]["tokens"] == 20_100, "the sums are those of all events")


def _ids(chaser: Subject, query: dict[str, str]) -> list[str]:
    return [
        one["id"] for one in chaser.ask("list-audit-events", query={"limit": 500, **query}, expect=200).json["events"]
    ]


def _audited(chaser: Subject) -> int:
    """Do what is audited, well and in vain; answers how often."""
    first, second = making.workspace(chaser), making.workspace(chaser)
    steps: list[Callable[[], Any]] = [
        lambda: chaser.ask("set-workspace-name", ws=first["id"], json={"name": second["name"]}),
        lambda: chaser.ask("set-workspace-template", ws=first["id"], json={"template": True}),
        lambda: chaser.ask("create-workspace-snapshot", ws=second["id"], json={"name": "one"}),
        lambda: chaser.ask("create-workspace-snapshot", ws=second["id"], json={"name": "one"}),
        lambda: chaser.ask("create-key", json={}),
        lambda: chaser.ask("create-webhook", json={"url": "http://127.0.0.1:9/"}),
        lambda: chaser.ask("delete-workspace", ws=first["id"]),
        lambda: chaser.ask("create-workspace", json={"session_type": "browser", "name": second["name"]}),
    ]
    for step in steps:
        step()
    return len(steps) + 2


def _moment(text: str) -> datetime:
    # RFC 3339 allows small letters, which Python does not read.
    return datetime.fromisoformat(text.upper())


def _in_zone(text: str, hours: float) -> str:
    """The same moment as clocks elsewhere show it."""
    return _moment(text).astimezone(timezone(timedelta(hours=hours))).isoformat()


def _after(text: str) -> str:
    return (_moment(text) + timedelta(microseconds=1)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def _not_before(text: str, since: str | None) -> bool:
    return since is None or _moment(text) >= _moment(since)
