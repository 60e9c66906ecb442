"""What the webhooks of a world send, received and verified by the emulator itself."""

from __future__ import annotations

from chaser_emulator.embedded.asking import Door
from chaser_emulator.embedded.clocks import Clock


class Webhooks:
    def __init__(self, door: Door, world: str, clock: Clock) -> None:
        self._door = door
        self._world = world
        self._clock = clock

    def expect(self) -> None: ...
    def expect_none(self) -> None: ...
    def all(self) -> None: ...
    def clear(self) -> None: ...
