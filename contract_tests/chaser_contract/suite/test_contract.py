"""Every part of a run as a test by its own name."""

from __future__ import annotations

import pytest

from chaser_contract.reports.lines import told
from chaser_contract.running import try_part
from chaser_contract.targets import Target


def test_contract(contract_target: Target, contract_part: str) -> None:
    outcome = try_part(contract_target, contract_part)
    if outcome.status == "skipped":
        pytest.skip(outcome.reason)
    if outcome.status == "error":
        pytest.fail(outcome.reason, pytrace=False)
    if outcome.findings:
        pytest.fail("\n\n".join(told(one, contract_target.url) for one in outcome.findings), pytrace=False)
