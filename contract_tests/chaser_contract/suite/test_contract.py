"""Every part of a run as a test by its own name."""

from __future__ import annotations

import pytest

from chaser_contract.running import try_part
from chaser_contract.targets import Target


def test_contract(contract_target: Target, contract_part: str) -> None:
    outcome = try_part(contract_target, contract_part)
    if outcome.status == "skipped":
        pytest.skip(outcome.reason)
    if outcome.status == "error":
        pytest.fail(outcome.reason, pytrace=False)
    told = [
        f"{one.promise}\n  came: {one.came}\n  document: {one.pointer}"
        + (f"\n  {one.exchange.curl(contract_target.url)}" if one.exchange else "")
        for one in outcome.findings
    ]
    if told:
        pytest.fail("\n\n".join(told), pytrace=False)
