"""What is wrong with a seed: file, line, column and field, and one clause that says what is accepted."""

from __future__ import annotations

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


@dataclass(frozen=True)
class SeedProblem:
    """One thing that is wrong: `field` is a path as people write it, `code` that of the API's refusal if it is one."""

    place: Place
    field: str
    message: str
    code: str | None = None

    def text(self, name: str) -> str:
        """One line, in the form that editors understand."""
        where = f"{name}:{self.place.line}:{self.place.column}: "
        return where + (f"{self.field}: {self.message}" if self.field else self.message)

    def info(self, name: str) -> dict[str, Any]:
        """Its JSON."""
        found: dict[str, Any] = {
            "file": name,
            "line": self.place.line,
            "column": self.place.column,
            "field": self.field,
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
        """It as an answer: the first problem in the message, all of them in `details`."""
        first, *others = (problem.text(self.name) for problem in self.problems)
        more = f" (and {len(others)} more)" if others else ""
        code = "conflict" if self.applying else "invalid_request"
        return ApiError(code, first + more, details=[problem.info(self.name) for problem in self.problems])
