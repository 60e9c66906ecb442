"""Engines around engines: find the one of a kind."""

from __future__ import annotations

from typing import TypeVar

from chaser_emulator.sandbox import Engine

Kind = TypeVar("Kind")


def find(engine: Engine, kind: type[Kind]) -> Kind | None:
    """The engine itself or the one that it is around, if it is of this kind."""
    layer: object = engine
    while layer is not None:
        if isinstance(layer, kind):
            return layer
        layer = getattr(layer, "inner", None)
    return None
