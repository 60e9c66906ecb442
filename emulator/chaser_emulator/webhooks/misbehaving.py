"""How deliveries of webhooks misbehave on purpose: what a plan says of one attempt, and who is asked for a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chaser_emulator.store import Row


@dataclass(frozen=True)
class DeliveryFault:
    """How one attempt of a delivery is to misbehave; not at all by default.

    `duplicate` copies follow it at once, with the same ids. It waits `delay` seconds first, and what stands behind it
    in its queue with it. With `reorder` the next of its queue goes before it, if one comes within `hold` seconds.
    `wrong_signature` signs with another secret, `timestamp_skew` seconds are added to the signed time. All seconds are
    of the world's clock.
    """

    duplicate: int = 0
    delay: float = 0
    reorder: bool = False
    hold: float = 60
    wrong_signature: bool = False
    timestamp_skew: float = 0

    @property
    def waits(self) -> float:
        """Seconds until it goes by itself."""
        return max(self.delay, self.hold if self.reorder else 0)

    def once_waited(self) -> DeliveryFault:
        """What is left of it for the attempt itself."""
        return replace(self, delay=0, reorder=False)


Plan = Callable[[Row], DeliveryFault | None]
"""Says of a delivery, before an attempt of it, how that is to misbehave. It is asked once for each attempt."""


def no_fault(_row: Row) -> DeliveryFault | None:
    """The plan of a world in which all goes well."""
    return None
