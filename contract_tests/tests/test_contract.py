"""The emulator keeps its own document, by every check of Schemathesis."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chaser_contract import expectations
from chaser_contract.run import run
from chaser_emulator import spec
from chaser_emulator.meter import Limits
from chaser_emulator.server import running
from chaser_emulator.settings import Settings


def test_a_generated_run_finds_nothing(tmp_path: Path) -> None:
    settings = Settings(
        port=0,
        sandbox="scripted",
        rate_limit=Limits(enabled=False),
        max_sessions=10_000,
        # Imports look here, and not on the network.
        github_url=str(tmp_path),
    )
    with running(settings) as emulator:
        result = run(emulator.url, emulator.api_key, max_examples=int(os.environ.get("CHASER_CONTRACT_EXAMPLES", "10")))
    assert result.clean, result.report


@pytest.mark.parametrize("one", expectations.load(), ids=lambda one: f"{one.operation}-{one.status}")
def test_every_expectation_is_about_an_operation_and_a_status_of_the_document(one: expectations.Expectation) -> None:
    operation = spec.load().operations[one.operation]
    assert one.status is None or one.status in operation.responses
