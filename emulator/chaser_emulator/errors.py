"""ApiError: every refusal of the API, raised anywhere, rendered in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request: where, and a sentence that says what is accepted.

    `pointer` is a JSON pointer into the body, or the name of a parameter or part.
    """

    location: Literal["body", "query", "path", "header"]
    pointer: str
    message: str


class ApiError(Exception):
    """A refusal. `code` is one of the document's `x-error-codes`, which gives the status; `message` is one sentence.

    The document must declare the code for the operation, else the caller gets a 500 and the log the reason.
    """

    def __init__(
        self, code: str, message: str, *, details: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON of the answer (G1, G2)."""
        body = {"error": self.code, "code": self.code, "message": self.message, "request_id": request_id}
        return body if self.details is None else body | {"details": self.details}


def invalid(problems: Sequence[Problem], code: str = "invalid_request") -> ApiError:
    """A refused input: the first problem in the message, all of them in `details`."""
    first = problems[0]
    where = f"{first.location} {first.pointer}" if first.pointer else first.location
    details = [
        {"in": p.location, **{key: value for key, value in asdict(p).items() if key != "location"}} for p in problems
    ]
    return ApiError(code, f"{where}: {first.message}", details=details)


def invalid_field(pointer: str, message: str, code: str = "invalid_request") -> ApiError:
    """One refused field of the body, by its JSON pointer."""
    return invalid([Problem("body", pointer, message)], code)


def not_found(what: str, name: str) -> ApiError:
    """The thing named is not in the account. `what` starts the sentence: `session`, `workspace`, …"""
    return ApiError("not_found", f"there is no {what} {name!r} in this account")
