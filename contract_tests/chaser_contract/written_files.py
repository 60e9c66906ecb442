"""Files to be written: whether they can be is known before the work of which they are to tell."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import click


class WrittenFile(click.Path):
    """The type of an option that names such a file; folders on the way to it are made."""

    def __init__(self, *, allow_dash: bool = False) -> None:
        super().__init__(dir_okay=False, path_type=Path, allow_dash=allow_dash)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Fails for one at which nothing can be written."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if self.allow_dash and str(path) == "-":
            return path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Forms are written beside it first.
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            self.fail(f"{path} cannot be written: {error.strerror}", param, ctx)
        if path.exists() and not os.access(path, os.W_OK):
            self.fail(f"{path} cannot be written: it is read-only", param, ctx)
        return path
