"""What a line needs before it works: variables for what is secret, and files for what a line does not hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_PREFIX = "CHASER_SECRET_"


@dataclass(frozen=True)
class Need:
    """A variable of the environment, or a file in the folder where a line is run; `what` says what belongs there."""

    kind: Literal["variable", "file"]
    name: str
    what: str

    def info(self) -> dict[str, str]:
        """Its JSON."""
        return {"kind": self.kind, "name": self.name, "what": self.what}


class Needs:
    """The needs of one request, each noted when it is met."""

    def __init__(self, taken: str) -> None:
        self._taken = taken
        """What was sent, in which no name may stand already."""
        self._found: dict[str, Need] = {}
        self._bare: set[str] = set()

    def variable(self, name: str, what: str) -> str:
        """A variable with this very name, as it stands in a request: `$CHASER_API_KEY`."""
        self._found.setdefault(name, Need("variable", name, what))
        return f"${name}"

    def secret(self, word: str, what: str, *, bare: bool = False) -> str:
        """A variable for a secret, named for `word`; a `bare` one is JSON, and stands without quotes."""
        stem = _PREFIX + (re.sub(r"[^A-Z0-9]+", "_", word.upper()).strip("_") or "VALUE")
        name, number = stem, 1
        while name in self._found or f"${name}" in self._taken:
            number += 1
            name = f"{stem}_{number}"
        if bare:
            self._bare.add(f"${name}")
        return self.variable(name, what)

    def file(self, name: str, what: str) -> str:
        """A file by this name."""
        self._found.setdefault(name, Need("file", name, what))
        return name

    def without_quotes(self, text: str) -> str:
        """JSON as a text, in which variables that are JSON stand as such."""
        for name in self._bare:
            text = text.replace(f'"{name}"', name)
        return text

    @property
    def all(self) -> list[Need]:
        return list(self._found.values())

    @property
    def expressions(self) -> Mapping[str, str]:
        """What stands for the variables in Python."""
        read = {f"${one.name}": f'os.environ["{one.name}"]' for one in self._found.values() if one.kind == "variable"}
        return {name: f"json.loads({one})" if name in self._bare else one for name, one in read.items()}
