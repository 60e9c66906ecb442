"""Build the distribution (PEP 517): setuptools does, once the parts of the console that only npm has are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import assets
from setuptools import build_meta
from setuptools.build_meta import (
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)
from setuptools.command.sdist import sdist

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_OWN = ["emulator/assets.py", "emulator/building.py"]
"""What builds belongs to the sources, though not to the package."""


class Sdist(sdist):
    """The sources, with what builds them."""

    def make_release_tree(self, base_dir: str, files: Sequence[str]) -> None:
        super().make_release_tree(base_dir, [*files, *_OWN])


def build_wheel(directory: str, settings: Any = None, metadata: str | None = None) -> str:
    _bring_in()
    return str(build_meta.build_wheel(directory, settings, metadata))


def build_editable(directory: str, settings: Any = None, metadata: str | None = None) -> str:
    _bring_in()
    return str(build_meta.build_editable(directory, settings, metadata))


def build_sdist(directory: str, settings: Any = None) -> str:
    _bring_in()
    return str(build_meta.build_sdist(directory, settings))


def _bring_in() -> None:
    if assets.main() != 0:
        raise SystemExit(1)
