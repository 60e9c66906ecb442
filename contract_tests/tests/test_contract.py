"""A run: its promises find nothing in the emulator, and nothing holds it up."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from acting import acting
from chaser_contract import evidence, expectations, reach, running
from chaser_contract.document import bundled
from chaser_contract.findings import Outcome
from chaser_contract.generated import control
from chaser_contract.targets import Target, Where, opened
from chaser_contract.terminal import Terminal
from chaser_contract.workers import outcomes
from kept import assert_kept

WHERE = Where(seed=1, examples=3)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with opened(WHERE) as found:
        yield found


# The emulator keeps its own document


@pytest.mark.parametrize("part", running.parts_of(WHERE, skip=["generated"]))
def test_the_emulator_keeps_what_is_promised(target: Target, part: str) -> None:
    assert_kept(running.try_part(target, part))


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
