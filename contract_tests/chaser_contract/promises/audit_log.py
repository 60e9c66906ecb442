"""The audit log as it is read: newest first, filtered, paged by moments, and without a secret."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from chaser_contract.arranging import Arranged
from chaser_contract.client import Client
from chaser_contract.promises import promise
from chaser_contract.promises.audit import events
from chaser_contract.subject import Subject

Event = Mapping[str, Any]

FILTERS = ("action", "resource_type", "resource_id", "status")


def _filled(chaser: Subject) -> list[Event]:
    """A log with something of each kind in it, newest first."""
    arranged = Arranged(chaser)
    for number in range(4):
        workspace = arranged.new_workspace()
        chaser.ask("set-workspace-template", ws=workspace["id"], json={"template": number % 2 == 0}, expect=200)
        chaser.ask("create-workspace", json={"name": workspace["name"], "session_type": "sandbox"}, expect=409)
        arranged.new_session()
        chaser.ask("delete-workspace", ws=f"contract-unknown-{number}", expect=404)
    arranged.client.ask("revoke-key", id=arranged.new_key()["id"], expect=200)
    return events(chaser.client)


@promise()
def the_newest_event_comes_first(chaser: Subject) -> None:
    """Events come newest first, each once, with what was done last at the head."""
    found = _filled(chaser)
    moments = [one["created_at"] for one in found]
    chaser.require(moments == sorted(moments, reverse=True), "list-audit-events: newest first", f"{moments}")
    chaser.require(len({one["id"] for one in found}) == len(found), "list-audit-events: each event has its id", "")
    chaser.require(
        [one["action"] for one in found[:2]] == ["api_key.revoke", "api_key.create"],
        "list-audit-events: what was done last comes first", f"{[one['action'] for one in found[:2]]}",
    )  # fmt: skip


@promise()
def filters_choose_what_they_say(chaser: Subject) -> None:
    """Each filter, and each two of them together, choose the events that have what they say, and no other."""
    found = _filled(chaser)
    values = {name: sorted({str(one[name]) for one in found if name in one})[:5] for name in FILTERS}
    values = {name: [*known, "nothing"] if name != "status" else known for name, known in values.items()}
    queries = [{name: value} for name, known in values.items() for value in known]
    queries += [
        {one: a, other: b}
        for one, other in (("action", "status"), ("resource_type", "status"), ("action", "resource_id"))
        for a, b in product(values[one][:3], values[other][:3])
    ]
    for query in queries:
        with chaser.case():
            answer = chaser.ask("list-audit-events", query={**query, "limit": 500}, expect=200)
            wanted = [one["id"] for one in found if all(str(one.get(name)) == value for name, value in query.items())]
            told = [one["id"] for one in answer.json["events"]]
            answer.require(told == wanted, f"the filter {' and '.join(query)} chooses the events that have it",
                           f"{query}: {len(told)} events are not the {len(wanted)}")  # fmt: skip
    for status in ("ok", "SUCCESS", ""):
        with chaser.case():
            chaser.ask("list-audit-events", query={"status": status}).must_be(400, "invalid_request")


@promise()
def pages_by_moments_join(chaser: Subject) -> None:
    """`before` leaves out what is of that moment or later, and pages from the last moment of each join without gaps."""
    found = _filled(chaser)
    for limit in (1, 3, len(found), 500):
        with chaser.case():
            _paged(chaser.client, limit, found)
    for one in found[:: max(1, len(found) // 6)]:
        with chaser.case():
            answer = chaser.ask("list-audit-events", query={"before": one["created_at"], "limit": 500}, expect=200)
            wanted = [each["id"] for each in found if each["created_at"] < one["created_at"]]
            answer.require([each["id"] for each in answer.json["events"]] == wanted, "`before` is exclusive")
    for before, status in (
        ("2000-01-01T00:00:00Z", 200), ("2100-01-01T00:00:00.5+02:00", 200), ("2026-01-01", 400), ("yesterday", 400),
        ("1767225600", 400), ("2026-13-01T00:00:00Z", 400),
    ):  # fmt: skip
        with chaser.case():
            answer = chaser.ask("list-audit-events", query={"before": before, "limit": 500})
            answer.must_be(status, because=f"to before = {before!r}")
            if status == 200:
                wanted = [] if before < "2001" else [one["id"] for one in found]
                answer.require(
                    [one["id"] for one in answer.json["events"]] == wanted, "`before` is any RFC 3339 moment"
                )


def _paged(client: Client, limit: int, found: list[Event]) -> None:
    joined: list[str] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        answer = client.ask("list-audit-events", query=query, expect=200)
        page = answer.json["events"]
        answer.require(len(page) <= limit, "a page holds at most `limit` events", f"{len(page)} for {limit}")
        joined += [one["id"] for one in page]
        if len(page) < limit or len(joined) > len(found):
            break
        query["before"] = page[-1]["created_at"]
    answer.require(joined == [one["id"] for one in found], "pages join without gap or repeat", f"for limit {limit}")


@promise("emulator")
def a_page_has_a_hundred_by_default_and_five_hundred_at_most(chaser: Subject) -> None:
    """`limit` is 100 where it is not said, 500 at most; 0 and 501 are 400."""
    chaser.steered.clock.freeze()
    workspace = Arranged(chaser).workspace["id"]
    for number in range(503):
        chaser.ask("set-workspace-template", ws=workspace, json={"template": number % 2 == 0}, expect=200)
    for limit, status, count in ((None, 200, 100), (1, 200, 1), (500, 200, 500), (499, 200, 499)):
        with chaser.case():
            query = {} if limit is None else {"limit": limit}
            answer = chaser.ask("list-audit-events", query=query, expect=status)
            told = len(answer.json["events"])
            answer.require(told == count, f"{count} events come for limit {limit}", f"{told} came")
    for wrong in (0, -1, 501, 1000):
        with chaser.case():
            chaser.ask("list-audit-events", query={"limit": wrong}).must_be(400, "invalid_request")


@promise()
def no_event_holds_a_secret(chaser: Subject) -> None:
    """No audit event holds a key, a credential, a signing secret, or what a command was given in secret."""
    arranged = Arranged(chaser)
    hidden = {name: f"hidden-{name}-{chaser.random.getrandbits(64):x}" for name in ("env", "stdin", "value", "query")}
    made = [arranged.new_key()["key"], arranged.new_service_account_key()["key"]]
    hook = arranged.make(
        "create-webhook", json={"url": f"http://127.0.0.1:9/?token={hidden['query']}", "events": ["job.queued"]}
    )
    signing = hook["signing_secret"]
    chaser.ask("delete-webhook", id=hook["webhook"]["id"], expect=204)
    chaser.ask(
        "exec-session", id=arranged.session["id"],
        json={"command": "echo x", "env": {"TOKEN": hidden["env"]}, "stdin": hidden["stdin"]}, expect=200,
    )  # fmt: skip
    credential = {"name": chaser.name("credential"), "value": hidden["value"], "assistant_id": arranged.assistant["id"]}
    chaser.ask("store-assistant-credential", json=credential, expect=200)
    chaser.ask("resolve-assistant-credential", json={**credential, "value": None}, expect=200)
    for client in (chaser.client, arranged.in_organization):
        with chaser.case():
            answer = client.ask("list-audit-events", query={"limit": 500}, expect=200)
            text = answer.body.decode()
            for what in (*hidden.values(), *made, signing):
                answer.require(what not in text, "no audit event holds a secret", f"one holds {what[:9]}…")
