"""What assistants use: events, and their sums over all that fits the filters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from assistants import Json, create, path_of, read, totals, use, used
from chaser_emulator.clock import moment, timestamp
from people import refused


def test_an_event_is_what_was_sent(client: httpx.Client) -> None:
    made = create(client)
    metadata = {"model_id": "some-model", "deep": [None, {"a": "🦉\u0000"}], "n": 10**30}
    event = use(client, made, 1280, metadata=metadata)
    assert event == {
        "id": event["id"],
        "kind": "tokens",
        "quantity": 1280,
        "metadata": metadata,
        "created_at": event["created_at"],
    }
    assert "metadata" not in use(client, made, 0, "tool_call")
    assert use(client, made, 0.5, "session", metadata={})["metadata"] == {}
    listed = used(client, made)
    assert [one["kind"] for one in listed["events"]] == ["session", "tool_call", "tokens"]
    assert listed["events"][2] == event
    assert listed["totals"] == totals(1280, 0, 0.5)
    assert read(client, made) == made


def test_an_assistant_that_was_never_used_has_no_events(client: httpx.Client) -> None:
    assert used(client, create(client)) == {"events": [], "totals": totals()}


def test_the_sums_cover_all_that_fits_the_filters(client: httpx.Client) -> None:
    made, other = create(client), create(client)
    use(client, other, 1_000_000)
    for n in range(60):
        use(client, made, n)
        use(client, made, 1, "tool_call")
    listed = used(client, made)
    assert (len(listed["events"]), listed["totals"]) == (50, totals(1770, 60))
    listed = used(client, made, kind="tokens", limit=2)
    assert ([one["quantity"] for one in listed["events"]], listed["totals"]) == ([59, 58], totals(1770))
    assert used(client, made, kind="session") == {"events": [], "totals": totals()}
    assert len(used(client, made, limit=200)["events"]) == 120
    third = used(client, made, kind="tokens", limit=3)["events"][-1]["created_at"]
    listed = used(client, made, kind="tokens", since=third, limit=1)
    assert ([one["quantity"] for one in listed["events"]], listed["totals"]) == ([59], totals(57 + 58 + 59))
    later = timestamp(moment(third) + timedelta(microseconds=1))
    assert used(client, made, kind="tokens", since=later)["totals"] == totals(58 + 59)
    # The same moment in other words.
    assert used(client, made, since=moment(third).isoformat(), kind="tokens")["totals"] == totals(57 + 58 + 59)
    assert used(client, made, since="9999-12-31T23:59:59z") == {"events": [], "totals": totals()}
    assert used(client, made, since="0001-01-01T00:00:00Z")["totals"] == totals(1770, 60)


@pytest.mark.parametrize(
    ("quantities", "total"),
    [
        ([0.1] * 10, "1"),
        ([0.1, 0.2], "0.3"),
        ([0.1, 5], "5.1"),
        ([10**12, 10**12, 1], "2000000000001"),
        ([10**12, 1e-9], "1000000000000.0"),
        ([1e12, 0.25], "1000000000000.25"),
        ([5e-324, 5e-324], "1e-323"),
        ([2.0, 1], "3"),
        ([-0.0], "0"),
    ],
)
def test_sums_are_exact(client: httpx.Client, quantities: list[float], total: str) -> None:
    made = create(client)
    for quantity in quantities:
        assert repr(use(client, made, quantity)["quantity"]) == repr(quantity)
    assert repr(used(client, made)["totals"]["tokens"]) == total


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"quantity": 1}, "/kind"),
        ({"kind": "cost", "quantity": 1}, "/kind"),
        ({"kind": "tokens"}, "/quantity"),
        ({"kind": "tokens", "quantity": "1"}, "/quantity"),
        ({"kind": "tokens", "quantity": True}, "/quantity"),
        ({"kind": "tokens", "quantity": None}, "/quantity"),
        ({"kind": "tokens", "quantity": -1}, "/quantity"),
        ({"kind": "tokens", "quantity": -5e-324}, "/quantity"),
        ({"kind": "tokens", "quantity": 10**12 + 1}, "/quantity"),
        ({"kind": "tokens", "quantity": 10**400}, "/quantity"),
        ({"kind": "tokens", "quantity": 1, "metadata": None}, "/metadata"),
        ({"kind": "tokens", "quantity": 1, "metadata": []}, "/metadata"),
    ],
)
def test_what_is_no_event_is_refused_by_name(client: httpx.Client, body: Json, pointer: str) -> None:
    made = create(client)
    error = refused(client.post(path_of(made, "usage-events"), json=body), 400, "invalid_request")
    assert [problem["pointer"] for problem in error["details"]] == [pointer]
    assert used(client, made)["events"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "cost"),
        ("kind", ""),
        ("since", "yesterday"),
        ("since", "2026-01-15T09:30:00"),
        ("since", "0001-01-01T00:00:00+01:00"),
        ("since", ""),
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "many"),
    ],
)
def test_a_filter_that_is_none_is_refused_by_name(client: httpx.Client, name: str, value: str) -> None:
    made = create(client)
    answer = client.get(path_of(made, "usage-events"), params={name: value})
    assert refused(answer, 400, "invalid_request")["details"][0]["pointer"] == name


def test_no_event_is_lost_among_many_at_once(client: httpx.Client) -> None:
    made = create(client)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: use(client, made, 10), range(40)))
        lists = list(pool.map(lambda _: used(client, made, limit=200), range(8)))
    for listed in lists:
        assert (len(listed["events"]), listed["totals"]) == (40, totals(400))


def test_events_and_sums_of_an_answer_are_of_one_moment(client: httpx.Client) -> None:
    made = create(client)
    with ThreadPoolExecutor(8) as pool:
        adding = [pool.submit(use, client, made, 1) for _ in range(60)]
        listed = [pool.submit(used, client, made, limit=200).result() for _ in range(20)]
        for one in adding:
            one.result()
    assert [one["totals"]["tokens"] for one in listed] == [len(one["events"]) for one in listed]
