"""The control plane of an emulator keeps its own document, by every check of Schemathesis."""

from __future__ import annotations

import os

import pytest
from chaser_contract import expectations
from chaser_contract.run import LARGE, WAITING, run_control
from chaser_emulator.control.plane import load
from chaser_emulator.meter import Limits
from chaser_emulator.server import running
from chaser_emulator.settings import Settings


def test_a_generated_run_over_the_control_plane_finds_nothing() -> None:
    settings = Settings(port=0, sandbox="scripted", rate_limit=Limits(enabled=False))
    with running(settings) as emulator:
        examples = int(os.environ.get("CHASER_CONTRACT_EXAMPLES", "2"))
        result = run_control(emulator.url, max_examples=examples, whole="CHASER_CONTRACT_EXAMPLES" in os.environ)
    assert result.clean, result.report


@pytest.mark.parametrize(
    "one", expectations.load(expectations.CONTROL), ids=lambda one: f"{one.operation}-{one.status}"
)
def test_every_expectation_is_about_an_operation_and_a_status_of_the_document(one: expectations.Expectation) -> None:
    operation = load().operations[one.operation]
    assert one.status is None or one.status in operation.responses


def test_what_is_left_out_is_there() -> None:
    assert {*LARGE, *WAITING} <= set(load().operations)
