"""Planned faults: which calls a rule acts on, what it answers, how it is counted, and rules that are refused."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator import spec
from chaser_emulator.control.plane import load
from chaser_emulator.faults import reaching, reading
from chaser_emulator.sandbox import failing
from chaser_emulator.server import Running
from emulators import http_of
from people import failed_audits, ok, refused
from planned import Rule, client_of, noted, plan, sandbox, sessions, world_of

CREATE = "create-session"


@pytest.fixture
def client(emulator: Running) -> Iterator[httpx.Client]:
    with client_of(emulator) as one:
        yield one


def create(client: httpx.Client) -> int:
    """The status of an attempt to create a session."""
    return client.post("/v1/sessions", json={"ephemeral": True}).status_code


def statuses(client: httpx.Client, count: int) -> list[int]:
    return [create(client) for _ in range(count)]


# Refusals


def test_the_second_and_the_third_call_are_refused_as_the_meter_would(client: httpx.Client) -> None:
    rule = plan(client, CREATE, error="rate_limited", calls="2,3")
    assert create(client) == 200
    answer = client.post("/v1/sessions", json={"ephemeral": True})
    refused(answer, 429, "rate_limited")
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert answer.headers["X-RateLimit-Limit"] == "600"
    assert answer.headers["X-RateLimit-Scope"] == "principal"
    assert int(answer.headers["X-RateLimit-Reset"]) > 0
    assert statuses(client, 3) == [429, 200, 200]
    assert len(sessions(client)) == 3
    assert rule.info()["spent"]
    assert rule.counts() == (5, 2)


def test_a_refusal_before_the_call_leaves_nothing_and_is_audited_as_any_other(client: httpx.Client) -> None:
    plan(client, CREATE, error={"code": "plan_limit_exceeded", "details": {"limit": "sessions"}}, times=1)
    body = refused(client.post("/v1/sessions", json={"ephemeral": "yes"}), 403, "plan_limit_exceeded")
    assert body["details"] == {"limit": "sessions"}
    assert sessions(client) == []
    assert [one["metadata"]["code"] for one in failed_audits(client, "session.create")] == ["plan_limit_exceeded"]
    assert create(client) == 200


def test_an_unauthorized_answer_is_that_of_a_caller_whom_nobody_knows(client: httpx.Client) -> None:
    plan(client, CREATE, error="unauthorized", times=1)
    answer = client.post("/v1/sessions", json={"ephemeral": True})
    refused(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    assert failed_audits(client, "session.create") == []


def test_a_refusal_after_the_commit_hides_a_change_that_was_made(client: httpx.Client) -> None:
    plan(client, CREATE, error="sandbox_unavailable", when="after", times=1)
    answer = client.post("/v1/sessions", json={"ephemeral": True})
    refused(answer, 503, "sandbox_unavailable")
    assert len(sessions(client)) == 1
    assert failed_audits(client, "session.create") == []
    assert noted(client, CREATE)["fault"] == "fault-1"


def test_what_was_refused_anyway_has_no_answer_to_lose(client: httpx.Client) -> None:
    rule = plan(client, CREATE, error="internal_error", when="after", times=1)
    refused(client.post("/v1/sessions", json={"ephemeral": "yes"}), 400, "invalid_request")
    assert rule.counts() == (1, 0)
    assert "fault" not in noted(client, CREATE)
    assert create(client) == 500
    assert rule.counts() == (2, 1)


def test_an_answer_of_a_proxy_has_its_own_status_headers_and_body(client: httpx.Client) -> None:
    page = {"status": 502, "headers": {"Content-Type": "text/html", "Server": "nginx"}, "body": "<h1>Bad</h1>"}
    plan(client, CREATE, answer=page, calls=[1])
    plan(client, CREATE, answer={"status": 200, "body": {"odd": True}}, when="after", calls=[2])
    answer = client.post("/v1/sessions", json={"ephemeral": True})
    assert (answer.status_code, answer.text, answer.headers["server"]) == (502, "<h1>Bad</h1>", "nginx")
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    assert sessions(client) == []
    assert ok(client.post("/v1/sessions", json={"ephemeral": True})) == {"odd": True}
    assert len(sessions(client)) == 1


def test_headers_of_a_rule_take_the_place_of_the_usual_ones(client: httpx.Client) -> None:
    plan(client, CREATE, error={"code": "rate_limited", "retry_after": 30, "headers": {"x-ratelimit-limit": "5"}})
    answer = client.post("/v1/sessions", json={})
    assert (answer.headers["Retry-After"], answer.headers["X-RateLimit-Limit"]) == ("30", "5")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_that_fails_inside_is_an_internal_error_with_its_reason_in_the_log(
    client: httpx.Client, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    plan(client, CREATE, raise_="the disk of the database is on fire", when=when)
    with caplog.at_level(logging.ERROR):
        body = refused(client.post("/v1/sessions", json={"ephemeral": True}), 500, "internal_error")
    assert len(sessions(client)) == (when == "after")
    [record] = [one for one in caplog.records if body["request_id"] in one.getMessage()]
    assert "on fire" in str(record.exc_info)
    assert "on fire" not in body["message"]


def test_whoever_is_not_let_in_meets_a_fault_as_well(client: httpx.Client) -> None:
    # A proxy fails before it looks at keys; what is about an account is not about strangers.
    plan(client, "list-sessions", answer=503, times=2)
    assert client.get("/v1/sessions").status_code == 503
    assert client.get("/v1/sessions", headers={"X-Chaser-Account": str(uuid.uuid4())}).status_code == 503
    refused(client.get("/v1/sessions", headers={"X-Chaser-Account": str(uuid.uuid4())}), 404, "not_found")


def test_operations_without_a_key_have_faults_too(emulator: Running) -> None:
    login = {"email": "nobody@example.com", "password": "x" * 12}
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
        plan(client, "login", error="invalid_credentials", calls=[2])
        plan(client, "auth", answer=502, calls=[1])
        stranger = {"Authorization": "", "X-Chaser-World": world.id}
        assert [client.post("/auth/login", json=login, headers=stranger).status_code for _ in "12"] == [502, 401]


# Which calls


def test_wildcards_and_tags_select_the_operations_that_can_have_the_fault(client: httpx.Client) -> None:
    session = sandbox(client)
    by_glob = plan(client, "*-session", error="rate_limited")
    # get-session and list-sessions have no limit, so they are not about it.
    assert client.get(f"/v1/sessions/{session}").status_code == 200
    assert client.delete(f"/v1/sessions/{session}").status_code == 429
    assert client.post(f"/v1/sessions/{session}/exec", json={"command": "true"}).status_code == 429
    assert by_glob.counts() == (2, 2)
    ok(client.delete(f"/_emulator/faults/{by_glob.id}"))
    by_tag = plan(client, "webhooks", answer=500)
    assert client.get("/v1/webhooks").status_code == 500
    assert client.get("/v1/jobs").status_code == 200
    assert by_tag.counts() == (1, 1)


def test_a_rule_without_operations_is_about_every_call(client: httpx.Client) -> None:
    plan(client, answer=503, times=3)
    assert [client.get(path).status_code for path in ("/v1/jobs", "/v1/keys", "/auth/me", "/v1/jobs")] == [
        503,
        503,
        503,
        200,
    ]


def test_a_rule_can_be_about_one_account_one_key_and_one_session(emulator: Running, client: httpx.Client) -> None:
    organization = ok(client.post("/v1/accounts/organizations", json={"name": "acme"}))["account"]["id"]
    key = ok(client.post("/v1/keys", json={"name": "ci"}))
    mine, other = sandbox(client), sandbox(client)
    in_account = plan(client, "list-sessions", answer=500, account="acme")
    with_key = plan(client, "get-me", answer=500, key=key["key"])
    about = plan(client, "get-session", answer=500, path={"id": mine.upper()})
    assert client.get("/v1/sessions").status_code == 200
    assert client.get("/v1/sessions", headers={"X-Chaser-Account": organization}).status_code == 500
    assert client.get("/auth/me").status_code == 200
    with http_of(emulator, key["key"]) as scripted:
        assert scripted.get("/auth/me").status_code == 500
    assert [client.get(f"/v1/sessions/{one}").status_code for one in (mine, other)] == [500, 200]
    assert [rule.counts() for rule in (in_account, with_key, about)] == [(1, 1)] * 3
    assert in_account.info()["account"] == organization
    assert with_key.info()["key"] == key["id"]
    assert key["key"] not in client.get("/_emulator/faults").text


def test_ranges_of_calls_may_have_no_end(client: httpx.Client) -> None:
    rule = plan(client, CREATE, answer=500, calls=[1, "3-4", "6-"])
    assert statuses(client, 8) == [500, 200, 500, 500, 200, 500, 500, 500]
    assert not rule.info()["spent"]
    assert rule.info()["calls"] == [1, "3-4", "6-"]


def test_the_first_rule_that_would_act_acts_alone_and_all_count(client: httpx.Client) -> None:
    second = plan(client, CREATE, answer=502, calls=[2])
    once = plan(client, CREATE, answer=503, times=1)
    last = plan(client, CREATE, answer=504, times=2)
    assert statuses(client, 5) == [503, 502, 504, 504, 200]
    assert [rule.counts() for rule in (second, once, last)] == [(5, 1), (5, 1), (5, 2)]
    assert [rule.info()["spent"] for rule in (second, once, last)] == [True, True, True]
    assert [one["id"] for one in ok(client.get("/_emulator/faults"))["faults"]] == [second.id, once.id, last.id]


def test_chance_is_the_same_in_every_run_and_every_rule_has_its_own(emulator: Running) -> None:
    def run(seed: int) -> list[int]:
        with client_of(emulator) as client:
            # What another rule draws on the same calls makes no difference.
            plan(client, "list-jobs", answer=500, probability=0.5, seed=99, times=1)
            plan(client, "list-jobs", answer=503, probability=0.3, seed=seed)
            found = [client.get("/v1/jobs").status_code for _ in range(40)]
            return [1 if status == 503 else 0 for status in found]

    first, again, other = run(7), run(7), run(8)
    assert first == again != other
    assert 3 < sum(first) < 25


def test_a_rule_that_is_removed_acts_no_more_and_its_name_is_free_again(client: httpx.Client) -> None:
    plan(client, CREATE, answer=500, id="mine")
    assert create(client) == 500
    refused(client.post("/_emulator/faults", json={"id": "mine", "answer": 501}), 400, "invalid_request")
    ok(client.delete("/_emulator/faults/mine"))
    assert create(client) == 200
    refused(client.get("/_emulator/faults/mine"), 404, "not_found")
    refused(client.delete("/_emulator/faults/mine"), 404, "not_found")
    plan(client, CREATE, answer=500, id="mine")
    plan(client, "list-jobs", answer=500)
    assert ok(client.delete("/_emulator/faults")) == {"removed": 2}
    assert ok(client.get("/_emulator/faults")) == {"faults": []}
    assert create(client) == 200


def test_a_list_of_rules_is_added_as_a_whole_or_not_at_all(client: httpx.Client) -> None:
    good = {"operations": [CREATE], "answer": 500, "calls": [1]}
    answer = client.post(
        "/_emulator/faults/load", json={"faults": [good, {"operations": ["create-sesion"], "answer": 500}]}
    )
    assert refused(answer, 400, "invalid_request")["details"][0]["pointer"] == "/faults/1/operations"
    assert ok(client.get("/_emulator/faults"))["faults"] == []
    answer = client.post("/_emulator/faults/load", json={"faults": [good, {**good, "calls": [2]}]})
    assert [one["id"] for one in answer.json()["faults"]] == ["fault-1", "fault-2"]
    assert statuses(client, 3) == [500, 500, 200]


def test_a_rule_as_it_is_told_can_be_given_again(client: httpx.Client) -> None:
    rules: list[dict[str, Any]] = [
        {"error": {"code": "rate_limited", "retry_after": 3}, "calls": "2-4,9-", "operations": ["create-*"]},
        {"answer": 502, "when": "after", "probability": 0.5, "seed": 3},
        {"lost": "hang"},
        {"reset": True, "operations": "create-job", "times": 2},
        {"truncate": 10, "operations": ["download-session-file"]},
        {"latency": [0.1, 0.2], "operations": ["list-keys"]},
        {"slow": 0.5, "operations": ["stream-session-command"]},
        {"drop": 3, "operations": ["open-session-pty"]},
        {"raise": True, "operations": ["list-jobs"]},
        {"engine": {"kind": "sandbox_dies", "on": ["exec"], "after": 2}, "operations": ["exec-session"]},
        {"webhook": {"delay": 5, "wrong_signature": True}, "events": ["job.*"]},
    ]
    for rule in rules:
        told = client.post("/_emulator/faults", json=rule).json()
        client.delete("/_emulator/faults")
        again = {name: value for name, value in told.items() if name not in ("matched", "acted", "spent")}
        answer = client.post("/_emulator/faults", json=again)
        assert answer.status_code == 201, answer.text
        assert answer.json() == told
        client.delete("/_emulator/faults")


# Rules that are refused

NOWHERE = str(uuid.uuid4())

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no effect": ({"operations": [CREATE]}, "one effect"),
    "two effects": ({"error": "rate_limited", "lost": True}, "error and lost, which exclude each other"),
    "unknown field": ({"operation": CREATE, "answer": 500}, "unknown fields: operation; did you mean operations?"),
    "unknown operation": ({"operations": ["create-sesion"], "answer": 500}, "did you mean create-session?"),
    "another form of the name": ({"operations": ["createSession"], "answer": 500}, "did you mean create-session?"),
    "wildcard": ({"operations": ["session-*-x"], "answer": 500}, "no operation fits 'session-*-x'"),
    "unknown code": ({"operations": [CREATE], "error": "rate_limit"}, "did you mean rate_limited?"),
    "undeclared code": ({"operations": ["list-sessions"], "error": "rate_limited"}, "declares no rate_limited"),
    "undeclared in a tag": ({"operations": ["accounts"], "error": "rate_limited"}, "none of its operations can"),
    "unknown account": ({"account": NOWHERE, "answer": 500}, "no account"),
    "no account there": ({"operations": ["login"], "account": "Developer", "answer": 500}, "login acts in no account"),
    "unknown key": ({"key": NOWHERE, "answer": 500}, "there is no API key"),
    "unknown secret": ({"key": "sk_" + "x" * 40, "answer": 500}, "no API key with this secret"),
    "no key there": ({"operations": ["swagger-ui"], "key": "emulator", "answer": 500}, "swagger-ui takes no key"),
    "unknown session": ({"operations": ["get-session"], "path": {"id": NOWHERE}, "answer": 500}, "there is no session"),
    "unknown job": ({"operations": ["get-job"], "path": {"id": NOWHERE}, "answer": 500}, "there is no job"),
    "no such parameter": ({"operations": [CREATE], "path": {"id": NOWHERE}, "answer": 500}, "has no parameter id"),
    "no calls": ({"calls": [], "answer": 500}, "/calls: must have at least 1"),
    "call 0": ({"calls": [0], "answer": 500}, "/calls"),
    "calls backwards": ({"calls": "4-2", "answer": 500}, "4-2 names no call"),
    "calls in words": ({"calls": "all", "answer": 500}, "'all' is no call; calls are numbers from 1 and ranges"),
    "calls beyond times": ({"calls": [1, 2, 3], "times": 2, "answer": 500}, "lets 2 of 3 calls"),
    "probability 0": ({"probability": 0, "answer": 500}, "must be more than 0"),
    "seed for nothing": ({"seed": 3, "answer": 500}, "has nothing to draw"),
    "times 0": ({"times": 0, "answer": 500}, "must be at least 1"),
    "latency 0": ({"latency": 0}, "is 0, so it would do nothing"),
    "latency backwards": ({"latency": [2, 1]}, "the shortest comes first"),
    "when of a cut": ({"lost": True, "when": "before"}, "does not go with lost"),
    "no status": ({"answer": 99}, "at least 200"),
    "body of none": ({"answer": {"status": 204, "body": "x"}}, "which has none"),
    "framing": ({"answer": {"status": 500, "headers": {"Content-Length": "3"}}}, "set by the server itself"),
    "drop of no WebSocket": ({"operations": [CREATE], "drop": True}, "create-session is no WebSocket"),
    "truncated WebSocket": ({"operations": ["open-session-pty"], "truncate": True}, "a WebSocket, which drop ends"),
    "no body to cut": ({"operations": ["terminate-session"], "truncate": True}, "answers without a body"),
    "no body to drip": ({"operations": ["delete-webhook"], "slow": 1}, "answers without a body"),
    "no events": ({"operations": [CREATE], "truncate": {"events": 1}}, "sends no events"),
    "close code": ({"drop": {"messages": 1, "code": 1005}}, "no code that can be sent"),
    "no engine": ({"operations": ["list-jobs"], "engine": "unavailable"}, "list-jobs never reaches the engine"),
    "not by it": ({"operations": ["exec-session"], "engine": "image_missing"}, "has the engine do exec, not start"),
    "not to it": ({"engine": {"kind": "disk_full", "on": ["exec"]}}, "disk_full cannot happen to exec"),
    "unknown event": ({"events": ["session.creatd"], "webhook": "duplicate"}, "did you mean session.created?"),
    "unknown webhook": ({"webhook_id": NOWHERE, "webhook": "duplicate"}, "there is no webhook"),
    "delivery of an operation": ({"operations": [CREATE], "webhook": "late"}, "deliveries belong to no operation"),
    "event of an operation": ({"events": ["*"], "answer": 500}, "does not go with answer"),
    "delivery as it should be": ({"webhook": {"hold": 3}}, "does nothing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_rule_that_could_never_act_is_refused_with_the_reason(client: httpx.Client, name: str) -> None:
    rule, words = REFUSED[name]
    body = refused(client.post("/_emulator/faults", json=rule), 400, "invalid_request")
    assert words in body["message"]
    assert ok(client.get("/_emulator/faults"))["faults"] == []


def test_a_rule_behind_one_that_always_acts_on_its_calls_is_refused(client: httpx.Client) -> None:
    hidden = {"operations": [CREATE], "lost": True}
    plan(client, "sessions", answer=500, id="all")
    assert (
        "the rule all comes first"
        in refused(client.post("/_emulator/faults", json=hidden), 400, "invalid_request")["message"]
    )
    # Beside it there is room, as there is behind one that will be spent.
    plan(client, CREATE, "create-job", answer=501)
    plan(client, CREATE, engine="image_missing")
    ok(client.delete("/_emulator/faults/all"))
    plan(client, "list-sessions", answer=500, times=1)
    plan(client, "list-sessions", answer=501)
    assert [client.get("/v1/sessions").status_code for _ in "12"] == [500, 501]


def test_a_revoked_key_and_a_webhook_without_such_events_are_told_apart(client: httpx.Client) -> None:
    key = ok(client.post("/v1/keys", json={"name": "old"}))["id"]
    client.delete(f"/v1/keys/{key}")
    body = refused(client.post("/_emulator/faults", json={"key": "old", "answer": 500}), 400, "invalid_request")
    assert "revoked" in body["message"]
    hook = ok(client.post("/v1/webhooks", json={"url": "http://localhost:9/", "events": ["job.*"]}))["webhook"]["id"]
    rule = {"events": ["session.*"], "webhook_id": hook, "webhook": "duplicate"}
    assert "only job.*" in refused(client.post("/_emulator/faults", json=rule), 400, "invalid_request")["message"]


def test_the_document_names_what_can_fail_and_how() -> None:
    fields = load().document["components"]["schemas"]["Fault"]["properties"]
    engine = fields["engine"]["properties"]
    assert engine["on"]["items"]["enum"] == list(failing.POSSIBLE)
    assert engine["kind"]["enum"] == sorted(frozenset().union(*failing.POSSIBLE.values()))
    assert set(reading.EFFECTS) <= set(fields)
    assert set(reaching.REACHED) <= set(spec.load().operations)


# Worlds


def test_faults_of_one_world_are_not_met_in_another(emulator: Running) -> None:
    with client_of(emulator) as one, client_of(emulator) as other:
        rule = plan(one, CREATE, answer=500, calls=[1])
        assert create(other) == 200
        assert create(one) == 500
        assert ok(other.get("/_emulator/faults"))["faults"] == []
        refused(other.get(f"/_emulator/faults/{rule.id}"), 404, "not_found")


def test_a_fork_has_the_same_rules_as_if_nothing_had_failed_yet(emulator: Running) -> None:
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
        rule = plan(client, CREATE, answer=500, calls=[1], key="emulator")
        assert create(client) == 500
        made = client.post(f"/_emulator/worlds/{world.id}/fork", json={}).json()
        with http_of(emulator, made["api_key"]) as forked:
            assert Rule(forked, rule.id).counts() == (0, 0)
            assert statuses(forked, 2) == [500, 200]
        assert rule.counts() == (1, 1)
        ok(client.delete(f"/_emulator/worlds/{made['id']}"))


def test_a_reset_world_has_no_rules(emulator: Running) -> None:
    with world_of(emulator) as world, http_of(emulator, world.api_key) as client:
        plan(client, CREATE, answer=500)
        assert client.post("/_emulator/reset").status_code < 300
        assert ok(client.get("/_emulator/faults"))["faults"] == []
        assert create(client) == 200
