"""A run hands its report to the emulator that it was about, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from chaser_contract import handing, running
from chaser_contract.exchanges import Exchange
from chaser_contract.findings import Finding, Outcome
from chaser_contract.running import Report
from chaser_contract.targets import Where
from chaser_contract.terminal import Terminal
from chaser_emulator.server import Running
from chaser_emulator.server import running as an_emulator
from chaser_emulator.settings import Settings

PART = "pagination.pages-of-sessions-join"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with an_emulator(Settings(port=0, sandbox="scripted")) as one:
        yield one


def _kept(emulator: Running) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = httpx.get(f"{emulator.url}/_emulator/contract/report").json()
    return found.get("report", {})


def test_a_run_on_an_emulator_is_handed_to_it(emulator: Running) -> None:
    where = Where(url=emulator.url, api_key=emulator.api_key, seed=7)
    report = running.run(where, [PART], Terminal(watched=False))
    assert handing.hand_over(report) == f"the report is at {emulator.url}/_emulator/#/contract"
    kept = _kept(emulator)
    assert (kept["url"], kept["seed"], kept["exit_code"], kept["findings"]) == (emulator.url, 7, 0, [])


def test_long_bodies_are_shortened(emulator: Running) -> None:
    step = Exchange("get-me", "GET", "/v1/me", {}, b"", 200, {}, b"x" * 100_000)
    finding = Finding(PART, "get-me: it is short", "it is long", steps=(step,))
    outcome = Outcome(PART, "failed", findings=[finding])
    report = Report(Where(url=emulator.url, api_key=emulator.api_key), emulator.url, outcomes=[outcome])
    assert handing.hand_over(report) is not None
    [told] = _kept(emulator)["findings"]
    assert told["steps"][0]["body"].endswith("… (100000 characters)")
    assert len(told["steps"][0]["body"]) < 5000


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://localhost:8000", True),
        ("http://chaser.localhost:8000", True),
        ("http://127.0.0.1:8000", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8000", True),
        ("https://api.chaser.sh", False),
        ("http://10.0.0.7:8000", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_only_an_address_of_this_machine_is_one(url: str, own: bool) -> None:
    assert handing.is_on_this_machine(url) is own


def test_a_real_service_is_handed_nothing(emulator: Running) -> None:
    before = _kept(emulator)
    where = Where(url=emulator.url, api_key=emulator.api_key, profile="live", seed=99)
    assert handing.hand_over(Report(where, emulator.url)) is None
    # Nor is anything sent where the run had an emulator of its own, or the address is elsewhere.
    assert handing.hand_over(Report(Where(), "http://chaser.test")) is None
    assert (
        handing.hand_over(Report(replace(where, profile="emulator", url="http://192.0.2.1"), "http://192.0.2.1"))
        is None
    )
    assert _kept(emulator) == before


def test_an_emulator_that_is_gone_is_told_in_one_line() -> None:
    report = Report(Where(url="http://127.0.0.1:9"), "http://127.0.0.1:9")
    told = handing.hand_over(report)
    assert told is not None
    assert told.startswith("the emulator did not take the report: ")
    assert "\n" not in told
