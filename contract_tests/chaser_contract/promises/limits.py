"""Limits: how often anybody may ask, counted by surface, by principal and by account, in a window that slides."""

from __future__ import annotations

from collections import Counter

from chaser_emulator.meter import Limits

from chaser_contract import rights
from chaser_contract.arranging import Arranged
from chaser_contract.asking import UNKNOWN, Asking
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.rates import SURFACES, limited, now_of, reading, refused_for, resets, told_left
from chaser_contract.subject import Subject


@promise("emulator")
def a_minute_takes_six_hundred_of_a_caller(chaser: Subject) -> None:
    """By default 600 requests a minute are a caller's and 1,200 an account's, on each surface."""
    with limited(chaser, Limits().per_principal, Limits().per_account, Limits().window) as fork:
        client = chaser.as_(fork.api_key)
        for surface, ask in SURFACES.items():
            with chaser.case():
                answer = ask(client)
                told_left(answer, 600, 599)
                waits = reading(answer)[2] - now_of(fork)
                answer.require(0 <= waits - 60 <= 1, f"a window of {surface} is a minute", f"it is {waits} s")


@promise("emulator")
def each_request_is_counted_once_on_its_surface(chaser: Subject) -> None:
    """Every request on a surface takes one of its, whatever the answer, and none of another; no other is counted."""
    arranged = Arranged(chaser)
    askings = list(arranged.every(lambda one: one.secured and not one.upgrades))
    counted: Counter[str] = Counter()
    with limited(chaser, 10_000, 20_000) as fork:
        client = chaser.as_(fork.api_key)
        for asking in askings:
            surface = rights.surface_of(asking.operation)
            path = dict.fromkeys(asking.path, UNKNOWN)
            for request in (asking.but(path=path), Asking(asking.operation, path=path)):
                with chaser.case():
                    answer = request.by(client)
                    if surface is None:
                        there = [name for name in answer.headers if name.startswith("x-ratelimit")]
                        answer.require(
                            not there, "an answer that is not counted has no X-RateLimit headers", f"{there}"
                        )
                        continue
                    counted[surface] += 1
                    told_left(answer, 10_000, 10_000 - counted[surface])


@promise("emulator")
def what_is_left_is_counted_down_and_then_refused(chaser: Subject) -> None:
    """Remaining goes down by one to 0, then it is 429 with Retry-After; other surfaces are not touched."""
    with limited(chaser) as fork:
        client = chaser.as_(fork.api_key)
        for surface, ask in SURFACES.items():
            with chaser.case():
                for remaining in (2, 1, 0):
                    answer = ask(client)
                    answer.require(answer.status != 429, f"three requests on {surface} are let in")
                    answer.require("retry-after" not in answer.headers, "only 429 has Retry-After")
                    told_left(answer, 3, remaining)
                for _ in range(2):
                    answer = ask(client)
                    refused_for(answer, 60)
                    told_left(answer, 3, 0)
                    answer.require(0 <= reading(answer)[2] - now_of(fork) - 60 <= 1, "X-RateLimit-Reset is in 60 s")
        # What is not limited goes on.
        for operation in ("list-sessions", "list-workspaces", "list-webhooks", "list-keys", "get-current-account"):
            with chaser.case():
                client.ask(operation).must_be(200, because="where nothing is limited")


@promise("emulator")
def the_window_slides(chaser: Subject) -> None:
    """Each request leaves the window by itself, a window after it came; a refused one was never in it."""
    for surface in ("jobs", "workspaces"):
        ask = SURFACES[surface]
        with chaser.case(), limited(chaser) as fork:
            client = chaser.as_(fork.api_key)
            start = now_of(fork)
            for number in range(3):
                answer = ask(client)
                told_left(answer, 3, 2 - number)
                resets(answer, start + 10 * number + 60)
                fork.clock.advance(10)
            # Thirty seconds after the first.
            refused_for(ask(client), 30)
            fork.clock.advance(29)
            answer = ask(client)
            refused_for(answer, 1)
            resets(answer, start + 80)
            fork.clock.advance(1)
            answer = ask(client)
            answer.require(answer.status != 429, "a request is let in once the oldest has left the window")
            told_left(answer, 3, 0)
            resets(answer, start + 120)
            refused_for(ask(client), 10)
            fork.clock.advance(10)
            told_left(ask(client), 3, 0)
            fork.clock.advance(61)
            told_left(ask(client), 3, 2)


@promise("emulator")
def a_principal_has_one_bucket_whatever_the_key_and_the_account(chaser: Subject) -> None:
    """A user's keys, sign-ins and accounts share one bucket; another user and a service account have their own."""
    arranged = Arranged(chaser)
    other = arranged.new_person("member")
    key, robot = arranged.new_key()["key"], arranged.new_service_account_key()["key"]
    with limited(chaser, 4) as fork:
        there = {"X-Chaser-World": fork.world.id}

        def ask(client: Client) -> Answer:
            return client.ask("list-jobs", headers=there)

        own = chaser.as_(fork.api_key)
        organization = chaser.as_(fork.api_key, account=arranged.organization)
        for client, remaining in ((own, 3), (chaser.as_(key), 2), (organization, 1)):
            with chaser.case():
                told_left(ask(client), 4, remaining)
        for client in (other, chaser.as_(robot), chaser.as_(fork.keys["peer"])):
            with chaser.case():
                told_left(ask(client), 4, 3)
        with chaser.case():
            told_left(ask(own), 4, 0)
        for client in (own, chaser.as_(key), organization):
            with chaser.case():
                refused_for(ask(client), 60)


@promise("emulator")
def an_account_has_a_bucket_for_all_its_callers(chaser: Subject) -> None:
    """All callers of an account share its bucket, which is told where it is closer to empty, and refuses them all."""
    arranged = Arranged(chaser)
    robot = chaser.as_(arranged.new_service_account_key()["key"])
    members = [arranged.new_person("member") for _ in range(2)]
    with limited(chaser, 3, 5) as fork:
        there = {"X-Chaser-World": fork.world.id}

        def ask(client: Client, **headers: str) -> Answer:
            return client.ask("list-jobs", headers={**there, **headers})

        organization = chaser.as_(fork.api_key, account=arranged.organization)
        callers = [organization, members[0], robot, members[0], members[1]]
        expected = [(3, 2, "principal"), (3, 2, "principal"), None, (3, 1, "principal"), (5, 0, "account")]
        for number, (client, one) in enumerate(zip(callers, expected, strict=True)):
            with chaser.case():
                answer = ask(client)
                answer.require(answer.status == 200, "five requests of an account are let in")
                if one is not None:
                    told_left(answer, one[0], one[1], one[2])
                else:
                    answer.require(
                        reading(answer)[1] == 2, "the remaining of both buckets is told right", f"request {number + 1}"
                    )
        for client in (organization, members[1], robot):
            with chaser.case():
                answer = ask(client)
                refused_for(answer, 60)
                told_left(answer, 5, 0, "account")
        with chaser.case():
            # In an account of their own they are counted by themselves.
            told_left(ask(members[1], **{"X-Chaser-Account": "personal"}), 3, 1)


@promise("emulator")
def of_two_empty_buckets_the_one_that_lasts_is_told(chaser: Subject) -> None:
    """Where a caller's bucket and their account's are both empty, Retry-After is when both have room again."""
    arranged = Arranged(chaser)
    first, *others = [arranged.new_person("member") for _ in range(3)]
    with limited(chaser, 1, 2) as fork:
        there = {"X-Chaser-World": fork.world.id}
        first.ask("list-jobs", headers={**there, "X-Chaser-Account": "personal"}, expect=200)
        for client in others:
            fork.clock.advance(10)
            client.ask("list-jobs", headers=there, expect=200)
        fork.clock.advance(10)
        # Theirs has room again after 30 s, the account's after 40 s.
        answer = first.ask("list-jobs", headers=there)
        refused_for(answer, 40)
        told_left(answer, 2, 0, "account")


@promise("emulator")
def a_refused_request_has_no_effect(chaser: Subject) -> None:
    """What is refused for coming too often makes and changes nothing, and is in no audit log as done."""
    workspace = Arranged(chaser).workspace
    with limited(chaser, 1) as fork:
        client = chaser.as_(fork.api_key)
        for ask in SURFACES.values():
            ask(client)
        names = [one["name"] for one in client.ask("list-workspaces").json]
        sessions = client.ask("list-sessions").json["total"]
        events = client.ask("list-audit-events", query={"status": "success", "limit": 500}).json["events"]
        refused: list[tuple[str, dict[str, object]]] = [
            ("create-workspace", {"json": {"name": "contract-too-often", "session_type": "sandbox"}}),
            ("set-workspace-name", {"ws": workspace["id"], "json": {"name": "contract-too-often"}}),
            ("delete-workspace", {"ws": workspace["id"]}),
            ("create-session", {"json": {"ephemeral": True}}),
            ("create-webhook", {"json": {"url": "http://127.0.0.1:9/"}}),
            ("exec-sandbox", {"json": {"ephemeral": True, "command": "echo x"}}),
            ("create-job", {"json": {"kind": "sandbox.exec", "input": {"ephemeral": True, "command": "echo x"}}}),
        ]
        for operation, request in refused:
            with chaser.case():
                client.ask(operation, **request).must_be(429, "rate_limited")  # type: ignore[arg-type]
        with chaser.case():
            told = client.ask("list-workspaces", expect=200)
            told.require([one["name"] for one in told.json] == names, "a refused request changes nothing")
            told = client.ask("list-sessions", expect=200)
            told.require(told.json["total"] == sessions, "a refused request makes no session")
            told = client.ask("list-webhooks", expect=200)
            told.require(told.json["webhooks"] == [], "a refused request makes no webhook")
            told = client.ask("list-audit-events", query={"status": "success", "limit": 500}, expect=200)
            told.require(told.json["events"] == events, "a refused request is in no audit log as done")


@promise("emulator")
def who_is_not_let_in_is_not_counted(chaser: Subject) -> None:
    """A request without a good credential takes nothing of anybody's, and has no X-RateLimit headers."""
    with limited(chaser) as fork:
        client = chaser.as_(fork.api_key)
        nobody = Client(chaser.document, chaser.http, client.record, "sk_nobody")
        for surface, ask in SURFACES.items():
            with chaser.case():
                for _ in range(5):
                    answer = ask(nobody).must_be(401, "unauthorized")
                    there = [name for name in answer.headers if name.startswith("x-ratelimit")]
                    answer.require(not there, "401 has no X-RateLimit headers", f"{there}")
                answer = ask(client)
                answer.require(answer.status != 429, f"others take nothing of a caller's on {surface}")
                told_left(answer, 3, 2)


@promise("emulator")
def without_limits_nothing_is_refused(chaser: Subject) -> None:
    """Where the limits are off every request is let in, and the headers say that all are left."""
    fork = chaser.steered.fork(rate_limit=Limits(per_principal=2, per_account=2, enabled=False))
    try:
        client = chaser.as_(fork.api_key)
        for surface, ask in SURFACES.items():
            with chaser.case():
                for _ in range(4):
                    answer = ask(client)
                    answer.require(answer.status != 429, f"without limits every request on {surface} is let in")
                    told_left(answer, 2, 2)
    finally:
        fork.delete()
