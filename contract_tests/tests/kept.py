"""What a part must find in the emulator: nothing."""

from __future__ import annotations

from chaser_contract.findings import Outcome


def assert_kept(outcome: Outcome) -> None:
    """That a part went through, or had a reason not to, and found nothing."""
    assert outcome.status in ("passed", "skipped"), told(outcome)


def told(outcome: Outcome) -> str:
    """Why a part did not go through, and a line for each finding."""
    return "\n".join([outcome.reason, *(f"{one.promise}; {one.came} ({one.pointer})" for one in outcome.findings)])
