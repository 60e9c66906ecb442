"""ApiError: every refusal of the API, raised anywhere, rendered in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Rule:
    """What refused a request: the place in the document, what was there, and what would have been accepted.

    `document` is a JSON pointer, through every `$ref`, to where the rule really stands. `rulings` are the numbers of
    the emulator's own assumptions that stand behind it, if any. A value that is absent, or a secret, is None.
    """

    document: str
    rulings: tuple[str, ...] = ()
    value: Any = None
    accepted: Any = None


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: where, and a sentence that says what is accepted.

    `pointer` is a JSON pointer into the body, or the name of a parameter or part. `rule` is not told to clients.
    """

    location: Literal["body", "query", "path", "header"]
    pointer: str
    message: str
    rule: Rule | None = None


class ApiError(Exception):
    """A refusal. `code` is one of the document's `x-error-codes`, which gives the status; `message` is one sentence.

    The document must declare the code for the operation, else the caller gets a 500 and the log the reason. `problems`
    and `state` (what things were like then) are for explanations and never sent.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Any = None,
        headers: Mapping[str, str] | None = None,
        problems: Sequence[Problem] = (),
        state: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})
        self.problems = tuple(problems)
        self.state = dict(state or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON of the answer (G1, G2)."""
        body = {"error": self.code, "code": self.code, "message": self.message, "request_id": request_id}
        return body if self.details is None else body | {"details": self.details}


def invalid(problems: Sequence[Problem], code: str = "invalid_request") -> ApiError:
    """A refused input: the first problem in the message, all of them in `details`."""
    first = problems[0]
    where = f"{first.location} {first.pointer}" if first.pointer else first.location
    details = [{"in": p.location, "pointer": p.pointer, "message": p.message} for p in problems]
    return ApiError(code, f"{where}: {first.message}", details=details, problems=problems)


def invalid_field(pointer: str, message: str, code: str = "invalid_request") -> ApiError:
    """One refused field of the body, by its JSON pointer."""
    return invalid([Problem("body", pointer, message)], code)


def not_found(what: str, name: str) -> ApiError:
    """The thing named is not in the account. `what` starts the sentence: `session`, `workspace`, …"""
    return ApiError("not_found", f"there is no {what} {name!r} in this account")
