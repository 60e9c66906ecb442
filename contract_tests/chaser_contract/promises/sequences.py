"""Sequences: what is right is right in whatever order, whatever was asked before."""

from __future__ import annotations

from hypothesis import strategies as st

from chaser_contract.arranging import Arranged
from chaser_contract.broken import NotTried
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

_LAST = ("update-billing-account",)
"""What decides what an account may do at all."""


@promise("emulator", stateful=True)
def every_operation_in_any_order(chaser: Subject) -> None:
    """Every operation, asked rightly, does what it is for, after any others in any order."""
    operations = [name for name in chaser.document.operations if name not in _LAST]
    chaser.random.shuffle(operations)
    arranged = Arranged(chaser)
    for name in [*operations, *_LAST]:
        with chaser.case():
            _ask(arranged, name)


@promise("emulator", stateful=True)
def any_operations_one_after_another(chaser: Subject) -> None:
    """Any operations, asked rightly one after the other, do what they are for."""
    names = [name for name in chaser.document.operations if name not in _LAST]

    def check(sequence: list[str]) -> None:
        # Each sequence begins with nothing there.
        chaser.steered.reset()
        arranged = Arranged(chaser)
        for name in sequence:
            _ask(arranged, name)

    chaser.for_all(st.lists(st.sampled_from(names), min_size=2, max_size=8), check)


def _ask(arranged: Arranged, name: str) -> None:
    try:
        asking = arranged.request_of(name)
    except NotTried:
        return
    asking.by(arranged.client).must_be(asking.status, asking.code, because="when it is asked rightly")
