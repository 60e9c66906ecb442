"""Parts that do as they are called, for workers to try; in a module of its own, which other processes can import."""

from __future__ import annotations

import os
import time

from chaser_contract.findings import Outcome
from chaser_contract.targets import Target


def acting(target: Target, name: str) -> Outcome:
    """What comes of a part, where anything does."""
    if name == "dies":
        os._exit(3)
    while name == "hangs":
        time.sleep(1)
    return Outcome(name)
