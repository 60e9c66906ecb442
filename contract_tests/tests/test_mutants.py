"""Mutants: defects fit the emulator, are found, are told apart when nothing reaches them, and leave nothing behind."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from chaser_contract import running as contract
from chaser_contract.cli import commands
from chaser_contract.mutants import declaring, running
from chaser_contract.mutants.declaring import Defect
from chaser_contract.mutants.planting import Reach, Stale, answers, dropped, edit, found
from chaser_emulator import handlers
from chaser_emulator.pipeline import Pipeline
from chaser_emulator.server import THREAD
from click.testing import CliRunner

KNOWN = declaring.load()

SAMPLE = (
    "access.scope-not-checked",
    "fields.session-without-workspace-id",
    "lists.sessions-offset-one-too-far",
    "queue.key-conflict-untold",
    "streams.resume-one-late",
    "told.signature-over-other-bytes",
    "money.meter-not-counting",
    "writes.delete-does-nothing",
)
"""One of each kind; all of them are a matter of minutes."""


@pytest.mark.parametrize("name", SAMPLE)
def test_a_defect_is_found(name: str) -> None:
    fate, unclean = running.try_defect(KNOWN[name])
    assert fate.status == "killed", fate
    assert not unclean
    assert fate.promise


@pytest.mark.parametrize("subject", sorted({name.partition(".")[0] for name in KNOWN}))
def test_defects_fit_the_emulator_and_are_undone(subject: str) -> None:
    handlers.load()
    for name, one in KNOWN.items():
        if name.startswith(f"{subject}."):
            # Twice: what was not put back would not fit any more.
            for _ in range(2):
                with one.planted(Reach()):
                    pass


def test_there_are_enough_defects_with_a_complaint_each() -> None:
    assert len(KNOWN) >= 140
    complaints = [one.complaint for one in KNOWN.values()]
    assert all(text.endswith(".") and len(text) > 15 for text in complaints)


def test_every_hint_names_parts() -> None:
    assert [name for name, one in KNOWN.items() if one.kills and not running.hinted(one)] == []


def test_a_defect_that_nothing_executes_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = ["pagination.pages-have-bounds"]
    monkeypatch.setattr(contract, "parts_of", lambda *_, **__: parts)
    unseen = Defect("x.unseen", "Nobody sees it.", edit("billing:micros_of", "_MICROS", "2 * _MICROS"), ())
    seen = Defect(
        "x.seen", "Nobody minds it.", edit("store.sessions:live", "rows or offset", "offset == 0 or rows or offset"), ()
    )
    assert running.try_defect(unseen)[0].status == "not reached"
    assert running.try_defect(seen)[0].status == "survived"


def test_a_loop_without_a_pause_is_found_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PATIENCE", 3)
    monkeypatch.setattr(contract, "parts_of", lambda *_, **__: ["sessions.one-is-listed-as-it-is-read"])
    endless = edit("store.sessions:live", "if rows or offset == 0:", "while rows:\n        pass\n    if offset == 0:")
    fate, unclean = running.try_defect(Defect("x.endless", "It never answers.", endless, ()))
    assert (fate.status, unclean) == ("killed", {}), fate
    assert [one for one in threading.enumerate() if one.name == THREAD] == []


def test_a_place_that_is_not_there_any_more_is_told() -> None:
    with pytest.raises(Stale, match="0 times"), edit("store.sessions:live", "ORDER BY nothing", "")(Reach()):
        pass
    with pytest.raises(Stale, match="there is no nowhere"), edit("store.sessions:nowhere", "", "")(Reach()):
        pass


def test_an_edited_function_is_the_old_one_again() -> None:
    live = found("store.sessions:live")
    code = live.__code__
    with edit("store.sessions:live", "created_at DESC", "created_at ASC")(Reach()):
        assert live.__code__ is not code
    assert live.__code__ is code


def test_a_changed_answer_is_the_old_one_again() -> None:
    perform = Pipeline.perform
    with answers("get-me", dropped("accounts"))(Reach()):
        assert Pipeline.perform is not perform
    assert Pipeline.perform is perform


def test_the_command_tells_what_was_found_and_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "mutants.json"
    only = ["--only", "lists.sessions-oldest-first", "--workers", "1", "--json", str(file)]
    result = CliRunner().invoke(commands, ["mutants", *only], standalone_mode=False)
    assert result.return_value == 0, result.output
    assert "1 of 1 killed (100.0%)" in result.output
    [told] = json.loads(file.read_text())["defects"]
    assert told["status"] == "killed"
    assert told["by"].startswith("pagination.")


def test_the_command_lists_and_refuses_what_there_is_not() -> None:
    listed = CliRunner().invoke(commands, ["mutants", "--list", "--only", "races"], standalone_mode=False)
    assert "races.names-checked-outside" in listed.output
    unknown = CliRunner().invoke(commands, ["mutants", "--only", "nothing.such"])
    assert unknown.exit_code == 2
    assert "there is no defect 'nothing.such'" in unknown.output
