"""Live: how a service that is real is asked without harm: what is allowed, how much, and what is taken away again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from chaser_contract.live.budget import Limits

PREFIX = "contract-"
"""What the names of everything that any run makes begin with."""


@dataclass(frozen=True)
class Live:
    """How a run asks a real service, as the command line says it. It can be handed to another process.

    `allow` names operations, tags, or `writes`; without any the run only reads. `ledger` None is a file of the run's
    own in the user's data directory. `alone`: nobody else uses the account meanwhile.
    """

    allow: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    ledger: Path | None = None
    alone: bool = False
    run: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def prefix(self) -> str:
        """What the names of everything that this run makes begin with."""
        return f"{PREFIX}{self.run}-"
