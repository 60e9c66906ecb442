"""A run: its parts find nothing in the emulator, it can be repeated exactly, and nothing holds it up."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from acting import acting
from chaser_contract import evidence, expectations, reach, running
from chaser_contract.document import bundled
from chaser_contract.findings import Outcome
from chaser_contract.generated import control, trying
from chaser_contract.generated.parts import ALONE, PARTS, Part
from chaser_contract.targets import Target, Where, opened
from chaser_contract.terminal import Terminal
from chaser_contract.workers import outcomes
from chaser_emulator import validation

HERE = Path(__file__).parent
WHERE = Where(seed=1, examples=3)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with opened(WHERE) as found:
        yield found


# The emulator keeps its own document


@pytest.mark.parametrize("part", running.parts_of(WHERE))
def test_the_emulator_keeps_what_is_promised(target: Target, part: str) -> None:
    outcome = running.try_part(target, part)
    assert outcome.status in ("passed", "skipped"), told(outcome)


def told(outcome: Outcome) -> str:
    return "\n".join([outcome.reason, *(f"{one.promise}; {one.came} ({one.pointer})" for one in outcome.findings)])


# What Schemathesis makes up


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


# Nothing holds a run up


def test_a_worker_that_dies_is_an_error_of_its_part_alone() -> None:
    found = {one.part: one for one in outcomes(WHERE, ["fine", "dies", "fine as well"], acting, workers=1)}
    assert found["dies"].status == "error"
    assert "exit code 3" in found["dies"].reason
    assert found["fine"].status == found["fine as well"].status == "passed"


def test_a_part_that_hangs_is_ended_and_the_next_ones_go_on() -> None:
    found = {one.part: one for one in outcomes(WHERE, ["hangs", "fine"], acting, workers=1, limit=10)}
    assert found["hangs"].status == "error"
    assert "10 seconds" in found["hangs"].reason
    assert found["fine"].status == "passed"


def test_a_worker_that_is_ended_at_work_takes_away_what_it_has_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    coming = outcomes(WHERE, ["fine", "hangs"], acting, workers=1)
    assert next(coming).part == "fine"
    assert list(tmp_path.iterdir())
    # This is what an interrupt does to it.
    coming.close()  # type: ignore[attr-defined]  # it is a generator
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_which_a_part_broke_could_not_be_done() -> None:
    report = running.Report(WHERE, "", outcomes=[Outcome("one"), Outcome("other", "error", "it broke")])
    assert report.exit_code == running.COULD_NOT


def test_an_interrupt_ends_a_run_with_what_was_done_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(target: Target, name: str) -> Outcome:
        if name == "files.b":
            raise KeyboardInterrupt
        return Outcome(name)

    monkeypatch.setattr(running, "try_part", interrupted)
    report = running.run(WHERE, ["files.a", "files.b", "files.c"], Terminal(watched=False))
    assert [one.part for one in report.outcomes] == ["files.a"]
    assert report.exit_code == running.COULD_NOT
    assert report.notes == ["interrupted after 1 of 3 parts"]


# What is left out has a reason


@pytest.mark.parametrize("one", expectations.load(), ids=lambda one: f"{one.operation}-{one.status}")
def test_every_expectation_is_about_an_operation_and_a_status_of_the_document(one: expectations.Expectation) -> None:
    operation = bundled().operations[one.operation]
    assert one.status is None or one.status in operation.responses


@pytest.mark.parametrize(
    "one", expectations.load(expectations.CONTROL), ids=lambda one: f"{one.operation}-{one.status}"
)
def test_every_expectation_of_the_control_plane_is_about_its_document(one: expectations.Expectation) -> None:
    operation = control.document().operations[one.operation]
    assert one.status is None or one.status in operation.responses


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


def test_every_reason_for_what_is_not_seen_is_about_a_status_of_the_document() -> None:
    for one in bundled().operations.values():
        assert set(evidence.reasons(one.id)) <= set(one.responses), one.id


def test_what_no_run_comes_to_is_told() -> None:
    document = bundled()
    everything = {
        (one.id, status, axis): 1
        for one in document.operations.values()
        for status in one.responses
        for axis in ("refused" if status >= 400 else "driven", "stateful")
    }
    assert [*reach.missing(document, everything)] == []
    del everything["get-session", 200, "driven"]
    for status in document.operations["list-keys"].responses:
        del everything["list-keys", status, "stateful"]
    assert [*reach.missing(document, everything)] == [
        "list-keys: no sequence of requests came to it",
        "get-session: 200 was not seen, and unseen.yaml does not say why",
    ]
