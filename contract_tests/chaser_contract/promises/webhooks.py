"""Webhooks: how one is made and told of, what is refused, and what it is sent: all that it asked for, signed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from chaser_contract.promises import promise
from chaser_contract.receiver import Came, Hook, hooked, receiving, require_signed
from chaser_contract.sandboxes import session
from chaser_contract.subject import Subject

SOMEWHERE = "https://hooks.example.com/chaser?team=blue"

TYPES = (
    "session.created", "session.running", "session.terminated", "session.failed", "command.finished",
    "workspace.created", "workspace.renamed", "workspace.deleted", "workspace.snapshot.created",
    "workspace.snapshot.restored", "workspace.snapshot.deleted", "job.queued", "job.started", "job.completed",
    "job.failed", "job.canceled", "billing.updated", "assistant.alert",
)  # fmt: skip


@promise()
def one_is_told_as_it_was_made(chaser: Subject) -> None:
    """A webhook is answered and listed as it was asked for, and its secret shown when it is made and never again."""
    before = chaser.ask("list-webhooks", expect=200).json["webhooks"]
    asked: tuple[dict[str, Any], ...] = (
        {"url": SOMEWHERE},
        {"url": "http://127.0.0.1:9/a%20b#c", "description": "Für die Bereitschaft ☎", "events": ["session.*"]},
        {"url": "http://[::1]:9000/hooks", "description": None, "events": None},
        {"url": "HTTP://localhost", "description": "", "events": []},
        {"url": SOMEWHERE, "description": "x" * 1024, "events": [*TYPES, "*", "job.*"]},
        {"url": "https://x.test/" + "a" * 2033, "events": ["*"] * 100},
    )
    made, secrets = [], []
    for body in asked:
        answer = chaser.ask("create-webhook", json=body, expect=200)
        hook, secret = answer.json["webhook"], answer.json["signing_secret"]
        answer.require(hook["url"] == body["url"], "`url` is what was asked for", hook["url"][:200])
        wanted = body.get("events") or []
        answer.require(hook["events"] == wanted, "`events` is what was asked for", f"{hook['events']}")
        description = body.get("description")
        if description != "":
            answer.require(hook.get("description") == description, "`description` is what was asked for")
        preview = f"whsec_…{secret[-4:]}"
        answer.require(hook["signing_secret_preview"] == preview, "the preview is `whsec_…` and the secret's last four")
        answer.require(hook["created_at"] == hook["updated_at"], "what was just made has not changed since")
        made.append(hook)
        secrets.append(secret)
    listed = chaser.ask("list-webhooks", expect=200)
    expected = [*made[::-1], *before]
    listed.require(listed.json["webhooks"] == expected, "webhooks are listed newest first, as they were answered")
    hidden = not any(secret.removeprefix("whsec_") in listed.body.decode() for secret in secrets)
    listed.require(hidden, "a secret is shown once, when the webhook is made", "it is in the list")
    listed.require(len(set(secrets)) == len(secrets), "each webhook has a secret of its own", f"{len(set(secrets))}")
    for hook in made:
        chaser.ask("delete-webhook", id=hook["id"], expect=204)
        chaser.ask("delete-webhook", id=hook["id"]).must_be(404, "not_found", because="once it is deleted")
    left = chaser.ask("list-webhooks", expect=200)
    left.require(left.json["webhooks"] == before, "what is deleted is not listed, and what is not stays")


@promise()
def wrong_ones_are_refused(chaser: Subject) -> None:
    """A webhook with a wrong address or event is refused with 400, and none is made."""
    urls = (
        "", "hooks.example.com", "/hooks", "ftp://x.test/", "file:///etc/passwd", "https://", "http://user@x.test/",
        "http://user:pass@x.test/", "https://x.test:0/", "https://x.test:65536/", "http://x y.test/",
        "https://x.test/é", "https://x.test/%zz", "//x.test/", "javascript:alert(1)", "https://x.test/" + "a" * 2034,
        7, None, ["https://x.test/"],
    )  # fmt: skip
    before = chaser.ask("list-webhooks", expect=200).json
    for url in urls:
        with chaser.case():
            answer = chaser.ask("create-webhook", json={"url": url})
            answer.must_be(400, "invalid_request", because=f"for the address {str(url)[:60]!r}")
    for event in ("session", "session.", "session.create", "Session.created", "**", "", "sess*", "*.created", "ping"):
        with chaser.case():
            answer = chaser.ask("create-webhook", json={"url": SOMEWHERE, "events": ["session.*", event]})
            answer.must_be(400, "unknown_event", because=f"for the event {event!r}")
    for body in (
        {}, {"events": ["*"]}, {"url": SOMEWHERE, "events": "session.*"}, {"url": SOMEWHERE, "events": ["*"] * 101},
        {"url": SOMEWHERE, "description": 7}, {"url": SOMEWHERE, "description": "x" * 1025},
    ):  # fmt: skip
        with chaser.case():
            chaser.ask("create-webhook", json=body).must_be(400, "invalid_request", because=f"for {str(body)[:60]}")
    after = chaser.ask("list-webhooks", expect=200)
    after.require(after.json == before, "what is refused is not made")


@promise("emulator", "peer")
def an_account_has_twenty_and_no_more(chaser: Subject) -> None:
    """An account has at most 20 webhooks; another is refused with conflict until one is deleted."""
    made = [chaser.ask("create-webhook", json={"url": SOMEWHERE}, expect=200).json["webhook"]["id"] for _ in range(20)]
    chaser.ask("create-webhook", json={"url": SOMEWHERE}).must_be(409, "conflict", because="beyond 20")
    listed = chaser.ask("list-webhooks", expect=200)
    listed.require(len(listed.json["webhooks"]) == 20, "what is refused is not made")
    chaser.peer.ask("create-webhook", json={"url": SOMEWHERE}, expect=200)
    chaser.ask("delete-webhook", id=made[7], expect=204)
    chaser.ask("create-webhook", json={"url": SOMEWHERE}, expect=200)
    chaser.ask("create-webhook", json={"url": SOMEWHERE}).must_be(409, "conflict", because="beyond 20")


@promise("peer")
def those_of_another_account_are_not_there(chaser: Subject) -> None:
    """Webhooks and deliveries of one account are not there for another, and events stay in their account."""
    with (
        receiving(chaser) as ours,
        receiving(chaser) as theirs,
        hooked(chaser, ours) as hook,
        hooked(chaser, theirs, caller=chaser.peer) as foreign,
    ):
        hook.silent()
        (delivery, *_) = hook.deliveries()
        listed = chaser.peer.ask("list-webhooks", expect=200)
        ids = [one["id"] for one in listed.json["webhooks"]]
        listed.require(ids == [foreign.id], "the webhooks of another account are not listed", f"{ids}")
        for operation, path in (
            ("delete-webhook", {"id": hook.id}),
            ("get-webhook-delivery", {"did": delivery["id"]}),
            ("replay-webhook-delivery", {"did": delivery["id"]}),
            ("discard-webhook-delivery", {"did": delivery["id"]}),
        ):
            with chaser.case():
                chaser.peer.ask(operation, **path).must_be(404, "not_found", because="in another account")
        for query in ({}, {"webhook_id": hook.id}):
            found = chaser.peer.ask("list-webhook-deliveries", query=query, expect=200)
            found.require(found.json["deliveries"] == [], "the deliveries of another account are not listed")
        chaser.require(not theirs.came, "create-webhook: events go to webhooks of their account", f"{theirs.came}")


@promise()
def each_delivery_is_signed_and_says_what_it_is(chaser: Subject) -> None:
    """A delivery is a POST of the event as JSON, signed over its very bytes, with the headers that name it."""
    with (
        receiving(chaser) as receiver,
        hooked(chaser, receiver, path="/a%20b/c?team=blue") as hook,
        receiving(chaser) as second,
        hooked(chaser, second) as other,
    ):
        made = chaser.ask("create-workspace", json={"name": chaser.name(), "session_type": "sandbox"}, expect=200).json
        hook.silent()
        other.silent()
        for one, got in ((hook, receiver), (other, second)):
            for came in got.came:
                with chaser.case():
                    require_signed(came, one.secret)
                    _says_what_it_is(chaser, came, {d["id"]: d for d in one.deliveries()})
        chaser.require(
            [came.path for came in receiver.came] == ["/a%20b/c?team=blue"] * len(receiver.came),
            "create-webhook: a delivery goes to the address as it was written",
            f"{[came.path for came in receiver.came]}",
        )
        chaser.require(
            [came.body for came in receiver.of(made["id"])] == [came.body for came in second.of(made["id"])],
            "create-webhook: every webhook gets the same event, by the same id",
            f"{receiver.of(made['id'])} and {second.of(made['id'])}",
        )


@promise("emulator")
def the_built_in_receiver_gets_the_same(chaser: Subject) -> None:
    """What an emulator's own receiver gets are the headers and bytes that another receiver gets, signed for it."""
    sink = chaser.steered.webhooks
    name = chaser.name("sink")
    made = chaser.ask("create-webhook", json={"url": sink.url(name)}, expect=200).json
    with receiving(chaser) as receiver, hooked(chaser, receiver) as hook:
        hook.silent()
        Hook(chaser, receiver, made["webhook"]["id"], made["signing_secret"]).settled(len(receiver.came))
        found = {one.event_id: one for one in sink.all(name=name)}
        chaser.require(
            set(found) == {came.event["id"] for came in receiver.came},
            "create-webhook: an emulator's own receiver gets each event once",
            f"{[one.type for one in found.values()]} and not {receiver.types()}",
        )
        for came in receiver.came:
            with chaser.case():
                one = found[came.event["id"]]
                body = str(one.raw["body"]).encode()
                require_signed(Came("POST", "", one.headers, body, 200), made["signing_secret"])
                chaser.require(one.verified, "create-webhook: its own receiver verifies the signature", f"{one.wrong}")
                chaser.require(
                    body == came.body, "create-webhook: every webhook gets the same event", f"{body!r}"[:300]
                )


@promise()
def one_gets_what_it_asked_for(chaser: Subject) -> None:
    """A webhook gets each event that one of its selectors names, once, in the order of events, and no other."""
    wanted: tuple[tuple[str, ...], ...] = (
        (), ("*",), ("workspace.*",), ("workspace.snapshot.*",), ("session.running", "workspace.created"),
        ("session.*", "session.created", "*"), ("job.*", "billing.*"), ("workspace.deleted",),
    )  # fmt: skip
    with ExitStack() as stack:
        everything, selected = (stack.enter_context(receiving(chaser)) for _ in range(2))
        hook = stack.enter_context(hooked(chaser, everything))
        hooks = [
            stack.enter_context(hooked(chaser, selected, *events, path=f"/{index}"))
            for index, events in enumerate(wanted)
        ]
        name = chaser.name("room")
        room = chaser.ask("create-workspace", json={"name": name, "session_type": "sandbox"}, expect=200).json["id"]
        chaser.ask("create-workspace-snapshot", ws=room, json={"name": "kept"}, expect=200)
        with session(chaser, workspace=room) as one:
            chaser.ask("terminate-session", id=one["id"], expect=204)
        chaser.ask("set-workspace-name", ws=room, json={"name": chaser.name("other")}, expect=200)
        chaser.ask("delete-workspace", ws=room, expect=204)
        hook.silent()
        happened = [came.event["id"] for came in everything.came]
        types = {came.event["id"]: came.type for came in everything.came}
        chaser.require(len(happened) == len(types), "create-webhook: an event is sent once", f"{everything.types()}")
        for index, (events, one_hook) in enumerate(zip(wanted, hooks, strict=True)):
            with chaser.case():
                due = [event for event in happened if _selected(types[event], events)]
                one_hook.settled(len(due))
                got = [came.event["id"] for came in selected.came if came.path == f"/{index}"]
                chaser.require(
                    sorted(got) == sorted(due),
                    f"create-webhook: a webhook for {list(events)} gets each such event once and no other",
                    f"{[types.get(event, event) for event in got]} of {[types[event] for event in happened]}",
                )


def _selected(kind: str, events: tuple[str, ...]) -> bool:
    return not events or any(
        one in ("*", kind) or (one.endswith(".*") and kind.startswith(one.removesuffix("*"))) for one in events
    )


def _says_what_it_is(chaser: Subject, came: Came, deliveries: dict[str, dict[str, Any]]) -> None:
    headers, event = came.headers, came.event
    delivery = deliveries.get(headers["x-chaser-delivery"], {})
    schema = {"$ref": "#/components/schemas/WebhookEvent"}
    wrong = next(iter(chaser.document.compiled(schema).iter_errors(event)), None)
    for promised, found, due in (
        ("a delivery is a POST", came.method, "POST"),
        ("a delivery is JSON", headers.get("content-type"), "application/json"),
        ("`webhook-id` is the id of the event", headers["webhook-id"], event["id"]),
        ("`X-Chaser-Event` is the type of the event", headers["x-chaser-event"], event["type"]),
        ("`X-Chaser-Delivery` is the id of the delivery", headers["x-chaser-delivery"], delivery.get("id")),
        ("the payload of the delivery is the event", delivery.get("payload"), event),
        ("an event has the form of its schema", None if wrong is None else wrong.message, None),
    ):
        chaser.require(found == due, f"create-webhook: {promised}", f"{found} and not {due}"[:300])
    for name, of in (("event_id", "id"), ("event_type", "type"), *((one, one) for one in _NAMED)):
        promised = f"get-webhook-delivery: `{name}` of a delivery is the event's"
        chaser.require(delivery.get(name) == event[of], promised, f"{delivery.get(name)} and not {event[of]}")


_NAMED = ("resource_type", "resource_id")
