"""What Schemathesis makes up from the document: examples, bounds, random requests, and sequences along its links."""

from __future__ import annotations

from chaser_contract.findings import Outcome
from chaser_contract.generated.parts import CONTROL, PARTS, READING
from chaser_contract.targets import Target, Where


def parts(where: Where) -> list[str]:
    """The names of the parts that a run is divided into, the longest first."""
    if where.profile == "live":
        return [READING.name]
    # It deletes worlds, which elsewhere may be somebody's.
    return [name for name in PARTS if name != READING.name and (name != CONTROL or where.url is None)]


def try_part(target: Target, name: str) -> Outcome:
    """Run one of them. Raises KeyError for what is none."""
    # Imported on use: Schemathesis takes a second.
    from chaser_contract.generated import control, trying

    if name == CONTROL:
        return control.try_part(target, PARTS[name])
    return trying.try_part(target, PARTS[name])
