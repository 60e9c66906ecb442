"""Seeds as a test gives them: by a name, a file, or in place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Seed = str | Path | Mapping[str, Any]
"""The name of a ready seed (`team`), a YAML file, or what such a file holds."""


def body_of(seed: Seed) -> Any:
    """As the control plane takes it."""
    return {"seed": str(seed) if isinstance(seed, (str, Path)) else dict(seed)}
