"""Known differences between two Chasers: places of answers that are not compared, each with its reason."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

STATUS, TIMES = "status", "times"

KINDS = ("scripted", "local", "docker", "service", "recording")
"""What a target can be: an emulator on an engine, a service that is none, or what was recorded of something."""


@dataclass(frozen=True)
class Known:
    """`place` of answers of `operation` may differ: a JSON pointer, `header NAME`, `status`, `times`; `*` is any text.

    Where it is `status`, answers of different statuses are not compared at all. With `only_one_is` it is about two
    targets of which one is of this kind (`scripted`, `local`, `docker`, `service`, `recording`), and the other is not.
    """

    operation: str
    place: str
    reason: str
    only_one_is: str | None = None

    def about(self, operation: str, place: str) -> bool:
        """Whether it is about a place, or about something that the place is in."""
        if not fnmatch.fnmatchcase(operation, self.operation):
            return False
        return fnmatch.fnmatchcase(place, self.place) or (
            self.place.startswith("/") and fnmatch.fnmatchcase(place, f"{self.place}/*")
        )


class BadFile(Exception):
    """A file of known differences is not as it should be; the text says where."""


def bundled() -> list[Known]:
    """What differs between engines of the emulator because they are what they are."""
    return _read((resources.files(__package__) / "known.yaml").read_text("utf-8"), "known.yaml")


def load(file: Path) -> list[Known]:
    """The known differences that a file lists. Raises BadFile."""
    try:
        return _read(file.read_text("utf-8"), str(file))
    except OSError as error:
        raise BadFile(f"{file}: {error.strerror}") from None


def between(known: Iterable[Known], kinds: Collection[str]) -> list[Known]:
    """Those that are about two targets, of which all that is known is their kinds."""
    return [one for one in known if one.only_one_is is None or [*kinds].count(one.only_one_is) == 1]


def _read(text: str, name: str) -> list[Known]:
    try:
        entries = yaml.safe_load(text) or []
    except yaml.YAMLError as error:
        raise BadFile(f"{name}: this is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(entries, list):
        raise BadFile(f"{name}: this is a list of `operation`, `place` and `reason`")
    return [_known(entry, f"{name}: entry {place}") for place, entry in enumerate(entries, 1)]


def _known(entry: Any, where: str) -> Known:
    if not isinstance(entry, Mapping):
        raise BadFile(f"{where} is not `operation`, `place` and `reason`")
    if surplus := set(entry) - {"operation", "place", "reason", "only_one_is"}:
        raise BadFile(
            f"{where}: {', '.join(sorted(map(str, surplus)))} is not among operation, place, reason, only_one_is"
        )
    for name in ("operation", "place", "reason"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            raise BadFile(f"{where} needs a text as `{name}`")
    kind = entry.get("only_one_is")
    if kind is not None and kind not in KINDS:
        raise BadFile(f"{where}: `only_one_is` is one of {', '.join(KINDS)}")
    return Known(entry["operation"], entry["place"], entry["reason"], kind)
