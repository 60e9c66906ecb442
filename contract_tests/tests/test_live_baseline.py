"""A baseline accepts what it is about, for as long as it says, and takes no entry that does not say who and why."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from chaser_contract.findings import Finding
from chaser_contract.live import baseline

ENTRY = {"operation": "list-sessions", "owner": "ada", "date": "2026-01-15", "reason": "known"}
FOUND = Finding("a.b", "list-sessions: it has 3 of them", "4")


def accepted(file: Path, **entry: Any) -> list[baseline.Accepted]:
    """A baseline with one entry; None leaves a field out."""
    said = {name: value for name, value in {**ENTRY, **entry}.items() if value is not None}
    file.write_text("- " + "\n  ".join(f"{name}: {value}" for name, value in said.items()) + "\n", "utf-8")
    return baseline.load(file)


@pytest.mark.parametrize(
    ("entry", "counts"),
    [
        ({"operation": None, "promise": '"list-sessions: it has 7 of them"'}, True),
        ({"operation": None, "promise": "another"}, False),
        ({"operation": None, "promise": '"list-sessions: it has 7 of them"', "kind": "behaviour"}, True),
        ({"operation": None, "promise": '"list-sessions: it has 7 of them"', "kind": "schema"}, False),
        ({"operation": None, "promise": '"list-sessions: it has 7 of them"', "until": "2026-02-01"}, True),
        ({"operation": None, "promise": '"list-sessions: it has 7 of them"', "until": "2026-01-31"}, False),
    ],
)
def test_an_entry_accepts_what_it_is_about_until_it_ends(tmp_path: Path, entry: dict[str, Any], counts: bool) -> None:
    result = baseline.sort([FOUND], accepted(tmp_path / "b", **entry), date(2026, 2, 1))
    assert bool(result.accepted) == counts
    assert bool(result.findings) == (not counts)
    assert bool(result.notes) == (not counts)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"owner": None}, "needs an owner"),
        ({"reason": '""'}, "needs a reason"),
        ({"date": None}, "needs a date"),
        ({"date": "soon"}, "date has to be a day"),
        ({"operation": None}, "has to say what it is about"),
        ({"because": "x"}, "because, of which nothing is known"),
    ],
)
def test_an_entry_without_its_owner_its_date_or_its_reason_is_refused(
    tmp_path: Path, entry: dict[str, Any], said: str
) -> None:
    with pytest.raises(baseline.Unreadable, match=said):
        accepted(tmp_path / "b", **entry)
