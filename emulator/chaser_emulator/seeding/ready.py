"""Where a seed is: a file, or one of those that come with the emulator, by its name."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

from chaser_emulator.seeding.filling import Sources
from chaser_emulator.seeding.problems import Place, SeedError, SeedProblem

_PACKAGE = "chaser_pytest"
"""Whose data the ready seeds are. None of its code is imported for them."""


class UnknownSeedError(Exception):
    """No ready seed has this name. The text says which there are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no ready seed {name[:80]!r}; there are: {', '.join(names()) or 'none'}")


class SeedFile(NamedTuple):
    """The text of a seed, what it is called, and what reads the files beside it."""

    name: str
    text: bytes
    sources: Sources


def folder() -> Path | None:
    """Where the ready seeds are; None where they have not been installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "seeds"


def names() -> list[str]:
    """The names of the ready seeds."""
    found = folder()
    return sorted(file.stem for file in found.glob("*.yaml")) if found is not None else []


def about(name: str) -> str:
    """What a ready seed holds: the first sentence of the comment at its top."""
    text = find_ready(name).text.decode()
    lines = [line.lstrip("#").strip() for line in re.split(r"\n(?!#)", text, maxsplit=1)[0].splitlines()]
    return " ".join(lines).partition(". ")[0].rstrip(".") + "."


def find_ready(name: str) -> SeedFile:
    """A ready seed. Raises UnknownSeedError."""
    where = folder()
    if where is None or name not in names():
        raise UnknownSeedError(name)
    return _file(where / f"{name}.yaml")


def find(named: str) -> SeedFile:
    """The seed that a flag or a command names: a file if there is one, else a ready one. Raises SeedError."""
    path = Path(named)
    if not path.is_file() and named in names():
        return find_ready(named)
    try:
        return _file(path)
    except OSError as error:
        known = ", ".join(names()) or "none"
        message = f"cannot be read: {error.strerror}; ready seeds are {known}"
        raise SeedError(named, [SeedProblem(Place(1, 1), (), message)]) from None


def _file(path: Path) -> SeedFile:
    def beside(name: str) -> bytes:
        return (path.parent / name).read_bytes()

    return SeedFile(str(path), path.read_bytes(), beside)
