"""The parts that generated requests are divided into: which operations go together, and through which phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chaser_contract.document import Document
from chaser_contract.live import effects

PEOPLE = ("auth", "accounts", "keys", "service-accounts", "ssh-keys", "billing", "audit", "description", "github")
ASSISTANTS = ("assistants", "webhooks", "mcp")

ALONE = ("examples", "coverage", "fuzzing")
"""The phases in which each request stands alone."""

STATEFUL = ("stateful",)
"""The phase in which requests follow the links of the document."""


@dataclass(frozen=True)
class Part:
    """Some operations (those of no tag: of all) through some phases. `times` as many examples as a property has.

    `reading`: those alone that change nothing, and nothing is made for them.
    """

    name: str
    phases: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    besides: tuple[str, ...] = ()
    times: float = 1.0
    reading: bool = False

    def operations(self, document: Document) -> list[str]:
        """The ids of its operations, in the order of the document."""
        return [
            one.id
            for one in document.operations.values()
            if (self.tags is None or one.tag in self.tags)
            and one.tag not in self.besides
            and (not self.reading or effects.reads(one))
        ]


CONTROL = "generated.control"
"""The part about the control plane of an emulator, which has a document of its own."""

READING = Part("generated.reading", ALONE, reading=True)
"""What is generated for a real service."""

PARTS: Mapping[str, Part] = {
    part.name: part
    for part in (
        # All that is about sandboxes needs those that the others of it have made.
        Part("generated.sandboxes", ALONE, besides=(*PEOPLE, *ASSISTANTS)),
        Part("generated.stateful-sandboxes", STATEFUL, besides=(*PEOPLE, *ASSISTANTS), times=8),
        Part(CONTROL, (*ALONE, *STATEFUL), times=0.3),
        Part("generated.assistants", ALONE, tags=ASSISTANTS),
        Part("generated.people", ALONE, tags=PEOPLE),
        Part("generated.stateful-assistants", STATEFUL, tags=ASSISTANTS, times=4),
        Part("generated.stateful-people", STATEFUL, tags=PEOPLE, times=4),
    )
}
"""By their names, the longest first."""
