"""Reach: what a whole run did not come to, and nobody has said why."""

from __future__ import annotations

from collections.abc import Iterator

from chaser_contract import evidence
from chaser_contract.document import Document


def missing(document: Document, seen: evidence.Seen) -> Iterator[str]:
    """A line for each operation that no sequence of requests has reached, and each status that was not seen."""
    for row in evidence.of_run(document, seen):
        if not any(operation == row.operation and axis == "stateful" for operation, _, axis in seen):
            yield f"{row.operation}: no sequence of requests came to it"
        for status in row.unseen:
            if status not in row.reasons:
                yield f"{row.operation}: {status} was not seen, and unseen.yaml does not say why"
