"""Planned faults: rules that make calls, the engine and deliveries go wrong, on purpose and the same in every run."""

from chaser_emulator.faults.acting import Answered, Plan
from chaser_emulator.faults.registry import Faults, Planned
from chaser_emulator.faults.rule import Fault

__all__ = ["Answered", "Fault", "Faults", "Plan", "Planned"]
