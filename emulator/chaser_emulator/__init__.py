"""A drop-in Chaser on localhost. PYTEST_DONT_REWRITE, which says so to pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chaser_emulator.embedded import Emulator

__version__ = "0.1.0"

__all__ = ["Emulator", "__version__"]


def __getattr__(name: str) -> Any:
    # Imported on use: the command line has nothing of it, and starts sooner.
    if name == "Emulator":
        from chaser_emulator.embedded import Emulator

        return Emulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
