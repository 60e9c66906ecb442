"""What Schemathesis makes up from the document: examples, bounds, random requests, and sequences along its links."""

from __future__ import annotations

from chaser_contract.findings import Outcome
from chaser_contract.generated.parts import PARTS, READING
from chaser_contract.targets import Target, Where


def parts(where: Where) -> list[str]:
    """The names of the parts that a run is divided into, the longest first."""
    return [READING.name] if where.profile == "live" else [name for name in PARTS if name != READING.name]


def try_part(target: Target, name: str) -> Outcome:
    """Run one of them. Raises KeyError for what is none."""
    # Imported on use: Schemathesis takes a second.
    from chaser_contract.generated import trying

    return trying.try_part(target, PARTS[name])
