"""Differences of two texts: what they tell makes the one of the other, and they end soon whatever the texts are."""

from __future__ import annotations

from chaser_emulator.line_differences import MOST_COMPARED, Hunk, Line, hunks_of, lines_of
from hypothesis import given
from hypothesis import strategies as st

_TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "\r\n", "a\u2028b\n", "end"])).map("".join)


def applied(before: str, hunks: list[Hunk]) -> str:
    """A text with differences carried out, each at the place that it names."""
    old = lines_of(before)
    made: list[str] = []
    at = 0
    for hunk in hunks:
        made += old[at : hunk.before - 1]
        at = hunk.before - 1
        assert len(made) == hunk.after - 1
        for line in hunk.lines:
            if line.kind != "added":
                assert old[at] == line.text
                at += 1
            if line.kind != "removed":
                made.append(line.text)
    return "".join(made + old[at:])


@given(_TEXTS, _TEXTS, st.integers(0, 5))
def test_differences_make_one_text_of_the_other(before: str, after: str, context: int) -> None:
    hunks = hunks_of(before, after, context)
    assert applied(before, hunks) == after
    assert bool(hunks) == (before != after)


def test_what_is_equal_is_told_only_around_a_difference() -> None:
    before = [f"{number}\n" for number in range(100)]
    after = [*before[:10], "new\n", *before[10:60], "changed\n", *before[61:]]
    assert hunks_of("".join(before), "".join(after), 1) == [
        Hunk(10, 10, [Line("same", "9\n"), Line("added", "new\n"), Line("same", "10\n")]),
        Hunk(
            60,
            61,
            [Line("same", "59\n"), Line("removed", "60\n"), Line("added", "changed\n"), Line("same", "61\n")],
        ),
    ]
    assert len(hunks_of("".join(before), "".join(after), 100)) == 1


def test_a_newline_at_the_end_is_a_difference() -> None:
    assert hunks_of("text", "text\n", 3) == [Hunk(1, 1, [Line("removed", "text"), Line("added", "text\n")])]


def test_of_very_much_that_differs_all_is_replaced() -> None:
    many = MOST_COMPARED + 1
    before = "".join(f"{number}\n" for number in range(many))
    hunks = hunks_of(f"top\n{before}", f"top\n{before.replace('1', 'one')}", 3)
    assert applied(f"top\n{before}", hunks) == f"top\n{before.replace('1', 'one')}"
