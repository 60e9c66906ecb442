"""How often: the headers of limited surfaces, refusals that say when to come back, and whose bucket is empty."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from chaser_emulator.meter import Limits, Meter
from chaser_emulator.server import Running
from chaser_sdk import ChaserApiError
from emulators import emulator_on, http_of, sdk_of
from people import Organization, ok, organization_of, refused

NAMES = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Scope")
LIMITS = {
    "workspaces": Limits(per_principal=3, per_account=100, window=300),
    "sessions": Limits(per_principal=100, per_account=3, window=300),
    "exec": Limits(per_principal=2, per_account=2, window=0.4),
    "files": Limits(enabled=False),
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted", rate_limits=LIMITS) as one:
        yield one


def limits(answer: httpx.Response) -> tuple[int, int, str]:
    """Limit, remaining and scope, once the time of the reset has been found plausible."""
    limit, remaining, reset, scope = (answer.headers[name] for name in NAMES)
    # A bucket that nothing is in is free at once, and a moment passes until this is read.
    assert -5 <= int(reset) - time.time() <= 301
    return int(limit), int(remaining), scope


def create(client: httpx.Client, account: str | None = None) -> httpx.Response:
    """A request on the surface `workspaces`."""
    headers = {"X-Chaser-Account": account} if account else {}
    return client.post("/v1/workspaces", json={"session_type": "sandbox"}, headers=headers)


def end(client: httpx.Client) -> httpx.Response:
    """A request on the surface `sessions`."""
    return client.delete("/v1/sessions/unknown")


def test_every_answer_of_a_limited_surface_counts_down(organization: Organization) -> None:
    answers = [
        create(organization.owner),
        organization.owner.post("/v1/workspaces", json={}),
        organization.owner.delete("/v1/workspaces/unknown"),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 404]
    assert [limits(answer) for answer in answers] == [(3, remaining, "principal") for remaining in (2, 1, 0)]
    assert not any("retry-after" in answer.headers for answer in answers)


def test_too_many_requests_are_told_when_to_come_back(organization: Organization) -> None:
    for _ in range(3):
        ok(create(organization.owner))
    answer = create(organization.owner)
    refused(answer, 429, "rate_limited")
    assert limits(answer) == (3, 0, "principal")
    wait = int(answer.headers["retry-after"])
    assert 290 <= wait <= 300
    assert abs(int(answer.headers["x-ratelimit-reset"]) - time.time() - wait) < 5
    # What was refused made nothing.
    assert len(ok(organization.owner.get("/v1/workspaces"))) == 3


def test_others_are_not_held_up_by_one_who_is_too_fast(organization: Organization) -> None:
    for _ in range(4):
        create(organization.owner)
    assert create(organization.owner).status_code == 429
    assert limits(create(organization.admin)) == (3, 2, "principal")


def test_a_user_has_one_bucket_whatever_the_key_and_the_account(organization: Organization, emulator: Running) -> None:
    secret = ok(organization.owner.post("/v1/keys", json={}))["key"]
    with http_of(emulator, secret) as bound:
        remaining = [
            limits(create(organization.owner))[1],
            limits(create(bound))[1],
            limits(create(organization.owner, "personal"))[1],
        ]
        assert remaining == [2, 1, 0]
        refused(create(bound), 429, "rate_limited")


def test_an_account_has_a_bucket_for_all_its_members(organization: Organization, emulator: Running) -> None:
    answers = [end(client) for client in (organization.owner, organization.admin, organization.member)]
    assert [limits(answer) for answer in answers] == [(3, remaining, "account") for remaining in (2, 1, 0)]
    answer = end(organization.owner)
    refused(answer, 429, "rate_limited")
    assert limits(answer) == (3, 0, "account")
    assert 290 <= int(answer.headers["retry-after"]) <= 300
    # The same people in another account have room.
    assert organization.owner.delete("/v1/sessions/x", headers={"X-Chaser-Account": "personal"}).status_code == 404
    with organization_of(emulator) as other:
        assert end(other.owner).status_code == 404


def test_surfaces_do_not_share_buckets(organization: Organization) -> None:
    for _ in range(4):
        create(organization.owner)
    assert end(organization.owner).status_code == 404


def test_reading_is_free_where_only_changes_are_limited(organization: Organization) -> None:
    for _ in range(6):
        for path in ("/v1/workspaces", "/v1/sessions", "/v1/accounts", "/v1/keys", "/v1/audit/events"):
            answer = organization.owner.get(path)
            ok(answer)
            assert not [name for name in answer.headers if name.startswith("x-ratelimit")], path
    assert limits(create(organization.owner))[1] == 2


def test_the_scope_of_a_key_is_checked_after_its_rate(organization: Organization, emulator: Running) -> None:
    secret = ok(organization.owner.post("/v1/keys", json={"scopes": ["audit.read"]}))["key"]
    with http_of(emulator, secret) as scoped:
        for remaining in (2, 1, 0):
            answer = create(scoped)
            refused(answer, 403, "insufficient_scope")
            assert limits(answer)[1] == remaining
        refused(create(scoped), 429, "rate_limited")


def test_a_request_for_anothers_account_counts_for_the_caller(organization: Organization) -> None:
    for remaining in (2, 1, 0):
        answer = create(organization.outsider, organization.id)
        refused(answer, 404, "not_found")
        assert limits(answer) == (3, remaining, "principal")
    refused(create(organization.outsider), 429, "rate_limited")


def test_a_caller_who_is_not_known_has_no_bucket(emulator: Running) -> None:
    with http_of(emulator, "sk_unknown") as client:
        for _ in range(5):
            answer = create(client)
            refused(answer, 401, "unauthorized")
            assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


def test_the_window_slides(organization: Organization) -> None:
    def run() -> httpx.Response:
        return organization.owner.post("/v1/sessions/unknown/exec", json={"command": "true"})

    started = time.monotonic()
    answers = [run(), run(), run()]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert answers[2].headers["retry-after"] == "1"
    while run().status_code == 429:
        assert time.monotonic() - started < 10
    assert time.monotonic() - started >= 0.4


def test_the_wait_is_until_the_oldest_request_leaves_the_window() -> None:
    meter = Meter(Limits(per_principal=2, per_account=9, window=60))
    for now in (1000.0, 1020.0):
        assert meter.take("exec", "ada", "acme", now).retry_after is None
    refused_at = {now: meter.take("exec", "ada", "acme", now) for now in (1020.5, 1050.0, 1059.9)}
    assert {now: reading.retry_after for now, reading in refused_at.items()} == {1020.5: 40, 1050.0: 10, 1059.9: 1}
    assert {reading.reset for reading in refused_at.values()} == {1080}
    assert meter.take("exec", "ada", "acme", 1060.0).retry_after is None
    assert meter.take("exec", "ada", "acme", 1060.0).retry_after == 20


def test_where_both_buckets_are_empty_the_longer_wait_is_told() -> None:
    meter = Meter(Limits(per_principal=1, per_account=2, window=60))
    meter.take("exec", "ada", "other", 1000.0)
    for now, principal in ((1020.0, "grace"), (1030.0, "edsger")):
        meter.take("exec", principal, "acme", now)
    reading = meter.take("exec", "ada", "acme", 1040.0)
    assert (reading.scope, reading.retry_after) == ("account", 40)
    assert meter.take("exec", "ada", "acme", 1080.0).retry_after is None


def test_a_surface_can_be_left_unlimited(organization: Organization) -> None:
    for _ in range(5):
        answer = organization.owner.get("/v1/sessions/unknown/download", params={"path": "x"})
        refused(answer, 404, "not_found")
        assert (limits(answer)[1], "retry-after" in answer.headers) == (600, False)


def test_the_official_client_reads_the_limits(organization: Organization, emulator: Running) -> None:
    ours = sdk_of(emulator, organization.people["owner"].key).with_account(organization.id)
    for _ in range(3):
        ours.workspaces.create(session_type="sandbox")
    with pytest.raises(ChaserApiError) as error:
        ours.workspaces.create(session_type="sandbox")
    assert (error.value.status, error.value.code) == (429, "rate_limited")
    found = error.value.rate_limit
    assert (found.limit, found.remaining) == (3, 0)
    assert found.reset > time.time()


def test_one_setting_sets_every_surface_and_another_switches_it_off() -> None:
    for given, statuses in (
        (Limits(per_principal=2), [404, 404, 429]),
        (Limits(per_principal=2, enabled=False), [404, 404, 404]),
        (Limits(per_principal=0), [429, 429, 429]),
    ):
        with emulator_on("scripted", rate_limit=given) as emulator, http_of(emulator) as client:
            answers = [client.delete("/v1/workspaces/unknown") for _ in range(3)]
            assert [answer.status_code for answer in answers] == statuses
            assert [end(client).status_code for _ in range(3)] == statuses
            assert all(answer.headers.get("retry-after") for answer in answers if answer.status_code == 429)


def test_the_usual_limits_are_600_for_a_caller_and_1200_for_an_account() -> None:
    with emulator_on("scripted") as emulator, http_of(emulator) as client:
        assert limits(end(client)) == (600, 599, "principal")
    with emulator_on("scripted", rate_limit=Limits(per_principal=5000)) as emulator, http_of(emulator) as client:
        assert limits(end(client)) == (1200, 1199, "account")


def test_who_is_refused_for_the_account_is_not_told_to_wait(organization: Organization) -> None:
    for _ in range(3):
        ok(create(organization.owner))
    answer = create(organization.owner, "nobody's")
    refused(answer, 404, "not_found")
    assert (limits(answer), "retry-after" in answer.headers) == ((3, 0, "principal"), False)


def test_a_world_has_the_limits_that_it_was_made_with_and_so_have_its_forks(emulator: Running) -> None:
    with httpx.Client(base_url=f"{emulator.url}/_emulator", timeout=60) as control:
        made = ok(control.post("/worlds", json={"rate_limit": {"per_principal": 2, "window_seconds": 300}}))
        fork = ok(control.post(f"/worlds/{made['id']}/fork", json={}))
        free = ok(control.post(f"/worlds/{made['id']}/fork", json={"rate_limit": {"enabled": False}}))
        try:
            for world in (made, fork):
                with http_of(emulator, world["api_key"]) as client:
                    assert [create(client).status_code for _ in range(3)] == [200, 200, 429]
            with http_of(emulator, free["api_key"]) as client:
                assert {limits(create(client))[:2] for _ in range(3)} == {(600, 600)}
        finally:
            for world in (made, fork, free):
                ok(control.delete(f"/worlds/{world['id']}"))
        refused(control.post("/worlds", json={"rate_limit": {"per_principal": 0}}), 400, "invalid_request")
