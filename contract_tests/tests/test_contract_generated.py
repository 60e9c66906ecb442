"""What Schemathesis makes up: its parts find nothing in the emulator, and a seed repeats them exactly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaser_contract import running
from chaser_contract.document import bundled
from chaser_contract.generated import control, trying
from chaser_contract.generated.parts import ALONE, PARTS, Part
from chaser_contract.targets import Target, Where, opened
from chaser_emulator import validation
from kept import assert_kept, told

HERE = Path(__file__).parent
WHERE = Where(seed=1, examples=3)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with opened(WHERE) as found:
        yield found


@pytest.mark.parametrize("part", running.parts_of(WHERE, only=["generated"]))
def test_the_emulator_keeps_its_document(target: Target, part: str) -> None:
    assert_kept(running.try_part(target, part))


def test_a_seed_repeats_every_request_and_another_makes_others() -> None:
    first = repeated(5)
    assert len(first) > 50
    assert first == repeated(5)
    assert first != repeated(6)


def repeated(seed: int) -> list[str]:
    """The requests of a small run in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE / "repeating.py"), str(seed)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "random"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


KEYS = Part("generated.keys", ALONE, tags=("keys",))


def test_a_request_that_is_accepted_against_its_schema_is_found(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation.Validator, "body", lambda *_: None)
    outcome = trying.try_part(target, KEYS)
    assert outcome.status == "failed"
    found = {one.promise for one in outcome.findings}
    assert "create-key: a request that its schema does not allow is refused" in found, told(outcome)
    shown = next(one for one in outcome.findings if one.promise.endswith("is refused"))
    assert shown.pointer.startswith("#/paths/~1v1~1keys/post/")
    assert shown.exchange is not None
    assert target.api_key not in str(shown)


def test_what_is_left_out_of_the_control_plane_is_there() -> None:
    assert {*control.LARGE, *control.WAITING} <= set(control.document().operations)


def test_every_operation_is_in_a_generated_part_in_which_it_stands_alone() -> None:
    covered = [
        name
        for part in PARTS.values()
        if part.phases == ALONE
        for name in part.operations(bundled())
    ]  # fmt: skip
    assert sorted(covered) == sorted(bundled().operations)
