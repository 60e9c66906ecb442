"""Defects: each a line that a user of the emulator would complain with, and where it is planted."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from chaser_emulator.settings import SandboxChoice

from chaser_contract.mutants import defects
from chaser_contract.mutants.planting import Plant, Reach


@dataclass(frozen=True)
class Defect:
    """One defect. `kills` names parts of a run that are likely to find it, the likeliest first.

    `engine` is what commands need that are to show it. `survives` says why no promise finds it, where none can.
    """

    name: str
    complaint: str
    plant: Plant = field(repr=False)
    kills: tuple[str, ...]
    engine: SandboxChoice = "scripted"
    survives: str = ""

    def planted(self, reach: Reach) -> AbstractContextManager[None]:
        """The emulator has it until the block ends."""
        return self.plant(reach)


_found: dict[str, Defect] = {}


def declare(
    module: str,
    name: str,
    complaint: str,
    plant: Plant,
    kills: str,
    *,
    engine: SandboxChoice = "scripted",
    survives: str = "",
) -> None:
    """Add a defect of a module here; it is called by both, such as `lists.oldest-first`.

    `kills` are names as in Defect, with spaces between them.
    """
    whole = f"{module.rpartition('.')[2].replace('_', '-')}.{name}"
    if whole in _found:
        raise TypeError(f"there are two defects called {whole}")
    _found[whole] = Defect(whole, complaint, plant, tuple(kills.split()), engine, survives)


def load() -> Mapping[str, Defect]:
    """All defects by name."""
    for module in sorted(one.name for one in pkgutil.iter_modules(defects.__path__)):
        importlib.import_module(f"{defects.__name__}.{module}")
    return dict(_found)
