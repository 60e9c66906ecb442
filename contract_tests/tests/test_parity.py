"""Two Chasers that are asked the same: what is alike, what is found where one has a defect, and the test of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaser_contract.cli import commands
from chaser_contract.parity.ignoring import BadFile, load
from chaser_contract.parity.normalising import Names
from chaser_contract.parity.steps import Ref, Step, without
from chaser_emulator.server import Running
from click.testing import CliRunner
from defective import Wrong, defective
from emulators import emulator_on


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted") as found:
        yield found


def parity(*arguments: str) -> Any:
    # What is written without a name stands where the command runs.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return CliRunner().invoke(commands, ["parity", *arguments], standalone_mode=False)


def test_an_emulator_is_like_itself() -> None:
    told = parity("here", "here", "--seed", "1", "--examples", "20")
    assert told.return_value == 0, told.output
    assert "nothing differs: 20 sequences" in told.output


def test_engines_differ_in_what_commands_say_alone() -> None:
    told = parity("here", "here:local", "--seed", "2", "--examples", "10", "--steps", "6")
    assert told.return_value == 0, told.output


def hides_what_there_is(method: str, path: str, status: int, told: Any) -> tuple[int, Any]:
    return (403 if status == 404 and method in ("GET", "DELETE") else status), told


def mixes_ids_up(method: str, path: str, status: int, told: Any) -> tuple[int, Any]:
    if path == "/v1/webhooks" and method == "GET" and status == 200:
        for one in told if isinstance(told, list) else told["webhooks"]:
            one["id"] = "11111111-2222-4333-8444-555555555555"
    return status, told


@pytest.mark.parametrize(
    ("wrong", "seed", "told_of"),
    [(hides_what_there_is, "3", "status is 404 not_found"), (mixes_ids_up, "6", "list-webhooks: ")],
    ids=["a-status", "a-reference"],
)
def test_a_defect_is_found_and_written_as_a_test_that_fails(
    emulator: Running, wrong: Wrong, seed: str, told_of: str, tmp_path: Path
) -> None:
    file = tmp_path / "test_found.py"
    with defective(emulator.url, wrong) as url:
        told = parity(emulator.url, url, "--api-key", emulator.api_key, "--api-key", emulator.api_key, "--seed", seed,
                      "--examples", "60", "--write", str(file))  # fmt: skip
        assert told.return_value == 1, told.output
        assert told_of in told.output
        text = file.read_text("utf-8")
        # One thing is made, and looked at.
        assert text.count("chaser.ask(") <= 2
        assert "sk_" not in text
        assert pytest_of(file) == 1
        assert pytest_of(file, CHASER_B_URL=emulator.url) == 0


def pytest_of(file: Path, **environment: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(file)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False).returncode


def test_a_known_difference_is_not_told(emulator: Running, tmp_path: Path) -> None:
    def other_words(method: str, path: str, status: int, told: Any) -> tuple[int, Any]:
        return (
            (status, {**told, "plan_code": "other"})
            if path == "/v1/billing/summary" and status == 200
            else (status, told)
        )

    known = tmp_path / "known.yaml"
    known.write_text("- {operation: get-billing-summary, place: /plan_code, reason: It is sold elsewhere.}\n", "utf-8")
    with defective(emulator.url, other_words) as url:
        told = parity(emulator.url, url, "--api-key", emulator.api_key, "--api-key", emulator.api_key, "--seed", "3",
                      "--examples", "6", "--steps", "3", "--ignore", str(known))  # fmt: skip
    assert told.return_value == 0, told.output


@pytest.mark.parametrize(
    "text", ["a", "- {operation: a, place: b}", "- {operation: a, place: b, reason: ' '}", "- 1", "["]
)
def test_a_known_difference_needs_a_reason(text: str, tmp_path: Path) -> None:
    file = tmp_path / "known.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(BadFile):
        load(file)


@pytest.mark.parametrize(
    "targets", [(), ("here",), ("here", "nonsense"), ("here", "here:nonsense"), ("here", "http://127.0.0.1:9")]
)
def test_what_cannot_be_compared_is_said(targets: tuple[str, ...]) -> None:
    assert type(parity(*targets).exception).__name__ in ("ClickException", "UsageError")


ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def test_references_are_kept_where_ids_are_not() -> None:
    first, second = Names(["http://a.example"]), Names(["http://b.example"])
    one = first.answer({"id": ONE, "parent": TWO, "url": f"http://a.example/s/{ONE}/"})
    assert one == second.answer({"id": TWO, "parent": ONE, "url": f"http://b.example/s/{TWO}/"})
    assert first.answer({"id": TWO}) != second.answer({"id": TWO})


def test_equal_times_stay_equal_and_keep_their_order() -> None:
    early, late = "2026-03-01T12:00:00Z", "2026-03-01T12:00:01.5Z"
    same, other = Names().answer({"a": early, "b": early}), Names().answer({"a": late, "b": late})
    assert same == other
    rising, falling = Names().answer({"a": early, "b": late}), Names().answer({"a": late, "b": early})
    assert rising[0] == falling[0] != same[0]
    assert rising[1] != falling[1]


def test_what_is_shown_of_a_secret_belongs_to_it() -> None:
    def shown(key: str, prefix: str) -> Any:
        names = Names()
        names.answer({"key": key}, ["key"])
        return names.value({"prefix": prefix})

    one = shown("sk_aaaaaaaaaaaaaaaaaaaaaaaa", "sk_aaaaaaa")
    assert one == shown("sk_bbbbbbbbbbbbbbbbbbbbbbbb", "sk_bbbbbbb")
    assert one != shown("sk_bbbbbbbbbbbbbbbbbbbbbbbb", "sk_aaaaaaa")


def test_a_step_is_left_out_only_where_nobody_needs_it() -> None:
    steps = [Step("create-session"), Step("list-sessions"), Step("get-session", path={"id": Ref(0, "/id")})]
    assert without(steps, 0) is None
    assert without(steps, 1) == [steps[0], steps[2]]
    assert without([Step("list-sessions"), steps[0], Step("get-session", path={"id": Ref(1, "/id")})], 0) == [
        steps[0],
        steps[2],
    ]
