"""Alerts of assistants: told of when a bound on usage is passed, once in a window, on the clock of the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from assistants import Json, bind, create, patch, path_of, read, totals, use, used
from chaser_emulator.server import Running
from databases import ask, tell
from emulators import emulator_on, http_of
from people import ok, refused
from strangers import events_of


@pytest.fixture
def emulator() -> Iterator[Running]:
    """One of its own, since its clock is set."""
    with emulator_on("scripted") as one:
        yield one


def freeze(client: httpx.Client, at: str = "2026-03-01T12:00:00Z") -> None:
    ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": at}))


def advance(client: httpx.Client, seconds: float) -> None:
    ok(client.post("/_emulator/clock/advance", json={"seconds": seconds}))


def bound(threshold: float, seconds: int = 60, metric: str = "tokens") -> Json:
    return {"metric": metric, "threshold": threshold, "window_seconds": seconds}


def alerts(emulator: Running, assistant: Json) -> list[Json]:
    """The data of each alert of an assistant so far."""
    told = events_of(emulator, assistant["id"])
    assert {kind for kind, _ in told} <= {"assistant.alert"}
    return [data for _, data in told]


def test_an_alert_is_sent_when_the_sum_goes_past_the_threshold(client: httpx.Client, emulator: Running) -> None:
    made = create(client, "spender", alerts=[bound(100)])
    bind(client, made, "1")
    use(client, made, 60)
    use(client, made, 1000, "tool_call")
    use(client, made, 40)
    assert alerts(emulator, made) == []  # as much as is still in order
    use(client, made, 0.5)
    assert alerts(emulator, made) == [read(client, made)]
    [row] = ask(emulator, "SELECT * FROM outbox WHERE resource_id = ?", made["id"])
    assert (row["type"], row["resource_type"], row["account_id"]) == (
        "assistant.alert",
        "assistant",
        emulator.world.account_id,
    )


def test_an_alert_is_sent_once_in_each_window(client: httpx.Client, emulator: Running) -> None:
    freeze(client)
    made = create(client, alerts=[bound(100, 3600)])
    for count, expected in ((101, 1), (500, 1), (0, 1)):
        use(client, made, count)
        assert len(alerts(emulator, made)) == expected
    advance(client, 3000)
    use(client, made, 500)
    assert len(alerts(emulator, made)) == 1
    # The window of the alert is over, and what was used since lies in the last hour.
    advance(client, 601)
    use(client, made, 0)
    assert len(alerts(emulator, made)) == 2
    # Now the last hour holds too little.
    advance(client, 3600)
    use(client, made, 100)
    assert len(alerts(emulator, made)) == 2
    use(client, made, 1)
    assert len(alerts(emulator, made)) == 3


def test_what_lies_before_the_window_does_not_count(client: httpx.Client, emulator: Running) -> None:
    freeze(client)
    made = create(client, alerts=[bound(10, 60)])
    for _ in range(20):
        use(client, made, 10)
        advance(client, 60)
    assert alerts(emulator, made) == []
    use(client, made, 10)
    advance(client, 59)
    use(client, made, 1)
    assert len(alerts(emulator, made)) == 1


def test_each_bound_is_told_of_on_its_own(client: httpx.Client, emulator: Running) -> None:
    freeze(client)
    bounds = [bound(5), bound(10), bound(10, 3600), bound(10, 3600) | {"note": "twice"}, bound(0, 60, "tool_call")]
    made = create(client, alerts=bounds)
    use(client, made, 6)
    assert len(alerts(emulator, made)) == 1
    use(client, made, 6)
    assert len(alerts(emulator, made)) == 3
    use(client, made, 1, "session")
    assert len(alerts(emulator, made)) == 3
    use(client, made, 1, "tool_call")
    assert len(alerts(emulator, made)) == 4
    advance(client, 61)
    use(client, made, 6)
    assert len(alerts(emulator, made)) == 5


def test_an_alert_tells_of_the_configuration_of_its_moment(client: httpx.Client, emulator: Running) -> None:
    freeze(client)
    made = create(client, alerts=[bound(100, 3600)])
    use(client, made, 50)
    # A bound that is changed is another one, and only a use looks at it.
    patch(client, made, config={"alerts": [bound(10, 3600)]})
    assert alerts(emulator, made) == []
    use(client, made, 1)
    assert [one["config_version"] for one in alerts(emulator, made)] == [2]
    # Other changes do not make it tell again.
    patch(client, made, config={"system_prompt": "x", "alerts": [bound(10, 3600) | {"note": "mine"}, bound(99)]})
    use(client, made, 1)
    patch(client, made, config={"alerts": None})
    use(client, made, 1)
    patch(client, made, config={"alerts": [bound(10.0, 3600)]})
    use(client, made, 1)
    assert len(alerts(emulator, made)) == 1
    patch(client, made, config={"alerts": None})
    use(client, made, 10**12)
    assert len(alerts(emulator, made)) == 1


def test_a_paused_assistant_is_watched_as_well(client: httpx.Client, emulator: Running) -> None:
    made = create(client, alerts=[bound(0)])
    ok(client.post(path_of(made, "pause")))
    use(client, made, 1)
    assert [one["status"] for one in alerts(emulator, made)] == ["paused"]


def test_a_clock_that_is_set_back_keeps_no_alert_away(client: httpx.Client, emulator: Running) -> None:
    made = create(client, alerts=[bound(10, 3600)])
    freeze(client, "2026-03-01T12:00:00Z")
    use(client, made, 11)
    freeze(client, "2026-02-01T12:00:00Z")
    use(client, made, 10)
    assert len(alerts(emulator, made)) == 1  # what is yet to come does not count
    use(client, made, 1)
    assert len(alerts(emulator, made)) == 2
    freeze(client, "1970-01-01T00:00:30Z")
    use(client, made, 11)
    assert len(alerts(emulator, made)) == 3


def test_usage_and_alerts_go_on_after_a_restart(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        made = create(client, alerts=[bound(10, 3600)])
        use(client, made, 6)
        use(client, made, 6)
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        assert used(client, made)["totals"] == totals(12)
        use(client, made, 6)
        assert len(alerts(one, made)) == 1
        advance(client, 3600)
        use(client, made, 11)
        assert len(alerts(one, made)) == 2


def test_an_event_and_its_alert_are_both_there_or_neither(client: httpx.Client, emulator: Running) -> None:
    made = create(client, alerts=[bound(0)])
    stop = "CREATE TRIGGER stop BEFORE INSERT ON outbox BEGIN SELECT raise(ABORT, 'no'); END"
    tell(emulator, (stop,))
    refused(client.post(path_of(made, "usage-events"), json={"kind": "tokens", "quantity": 1}), 500, "internal_error")
    assert used(client, made)["events"] == []
    tell(emulator, ("DROP TRIGGER stop",))
    use(client, made, 1)
    assert len(alerts(emulator, made)) == 1


def test_of_many_uses_at_once_one_sets_off_the_alert(client: httpx.Client, emulator: Running) -> None:
    made = create(client, alerts=[bound(199, 3600)])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: use(client, made, 10), range(40)))
    assert len(alerts(emulator, made)) == 1


def test_an_alert_is_on_its_way_to_the_webhooks_that_want_it(client: httpx.Client) -> None:
    # Nobody listens there; that an attempt fails changes nothing about what is sent.
    url = "http://127.0.0.1:9/hooks"
    wanting = ok(client.post("/v1/webhooks", json={"url": url, "events": ["assistant.*"]}))["webhook"]
    ok(client.post("/v1/webhooks", json={"url": url, "events": ["job.*"]}))
    made = create(client, "spender", alerts=[bound(100)])
    use(client, made, 101)
    [sent] = ok(client.get("/v1/webhooks/deliveries"))["deliveries"]
    assert (sent["webhook_id"], sent["event_type"]) == (wanting["id"], "assistant.alert")
    assert (sent["resource_type"], sent["resource_id"]) == ("assistant", made["id"])
    assert sent["payload"]["data"] == made
