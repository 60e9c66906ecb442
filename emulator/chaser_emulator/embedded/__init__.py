"""An emulator inside the program that tests, and handles on its worlds, which ask the control plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaser_emulator.embedded.asking import Refused
from chaser_emulator.embedded.chaser import Chaser
from chaser_emulator.embedded.emulator import Emulator
from chaser_emulator.embedded.exchanges import Exchange

if TYPE_CHECKING:
    from chaser_emulator.embedded.transport import ChaserTransport
    from chaser_emulator.embedded.twins import AsyncChaser

__all__ = ["AsyncChaser", "Chaser", "ChaserTransport", "Emulator", "Exchange", "Refused"]


def __getattr__(name: str) -> Any:
    # Imported on use: httpx takes longer than all the rest.
    if name == "ChaserTransport":
        from chaser_emulator.embedded.transport import ChaserTransport

        return ChaserTransport
    if name == "AsyncChaser":
        from chaser_emulator.embedded.twins import AsyncChaser

        return AsyncChaser
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
