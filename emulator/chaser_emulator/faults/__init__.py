"""Planned faults: rules that make calls, the engine and deliveries go wrong, on purpose and the same in every run.

What rules do is imported once there is one: most worlds have none, and every start would wait for it.
"""

from chaser_emulator.faults.answered import Answered
from chaser_emulator.faults.registry import Faults

__all__ = ["Answered", "Faults"]
