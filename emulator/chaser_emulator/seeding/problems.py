"""What is wrong with a seed: file, line, column and field, and one clause that says what is accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from chaser_emulator.errors import ApiError

MOST = 20
"""How many problems are told at once."""


class Place(NamedTuple):
    """A line and a column, counted from 1."""

    line: int
    column: int


Path = tuple[str | int, ...]
"""The way to a value: names of fields, and numbers of items."""


def field_of(path: Path) -> str:
    """A path as people write it: `workspaces[0].files["a/b.txt"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part[:100], ensure_ascii=False)}]"
    return text


@dataclass(frozen=True)
class SeedProblem:
    """One thing that is wrong, and where; `code` is that of the API's refusal, if it is one."""

    place: Place
    path: Path
    message: str
    code: str | None = None

    def text(self, name: str) -> str:
        """One line, in the form that editors understand."""
        where = f"{name}:{self.place.line}:{self.place.column}: "
        return where + (f"{field_of(self.path)}: {self.message}" if self.path else self.message)

    def info(self, name: str) -> dict[str, Any]:
        """Its JSON."""
        parts = [str(part).replace("~", "~0").replace("/", "~1") for part in self.path]
        found: dict[str, Any] = {
            "file": name,
            "line": self.place.line,
            "column": self.place.column,
            "field": field_of(self.path),
            "pointer": "".join(f"/{part}" for part in parts),
            "message": self.message,
        }
        return found if self.code is None else found | {"code": self.code}


class SeedError(Exception):
    """A seed that cannot be applied, and has changed nothing. `applying` says that it was begun, and taken back."""

    def __init__(self, name: str, problems: Sequence[SeedProblem], *, applying: bool = False) -> None:
        super().__init__("\n".join(problem.text(name) for problem in problems))
        self.name = name
        self.problems = tuple(problems)
        self.applying = applying

    def refusal(self) -> ApiError:
        """It as an answer: a line of the message for each problem, and all that is known of them in `details`."""
        code = "conflict" if self.applying else "invalid_request"
        problems = [problem.info(self.name) for problem in self.problems]
        return ApiError(code, f"the seed is refused\n{self}", details={"problems": problems})
