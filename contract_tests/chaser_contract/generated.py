"""What Schemathesis makes up from the document: examples, bounds, random requests, and sequences along its links."""

from __future__ import annotations

from chaser_contract.findings import Outcome
from chaser_contract.targets import Target, Where


def parts(where: Where) -> list[str]:
    """The names of the parts that a run is divided into, the longest first."""
    return []


def try_part(target: Target, name: str) -> Outcome:
    """Run one of them."""
    raise KeyError(name)
