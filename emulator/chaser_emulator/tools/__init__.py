"""The tools that agents call by MCP: each is an operation of the API, or made of several."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call
from chaser_emulator.validation import Validator

_TOLD = 20
_SHOWN = 100


@dataclass(frozen=True)
class Result:
    """What a tool answers: an object that keeps its output schema, and content for the model.

    Where `content` is empty it is the object as JSON text (M7). `failed` becomes `isError` (M16).
    """

    structured: Mapping[str, Any]
    content: list[Mapping[str, Any]] = field(default_factory=list)
    failed: bool = False


Run = Callable[[Call, Mapping[str, Any]], Awaitable[Result]]
"""Performs a tool for the caller of `mcp-handler`, with arguments that its input schema has accepted.

Raises ApiError for a refusal, which is shown to the model as a result with `isError`; BadArguments for arguments that
could never be right, which is a JSON-RPC error.
"""


@dataclass(frozen=True)
class Tool:
    """One tool as `tools/list` shows it, and what happens when it is called.

    `twin` is the operation that refuses a caller without the right to call it, and writes that down; None: the scope of
    the document alone decides. `check` raises BadArguments.
    """

    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    annotations: Mapping[str, bool]
    check: Callable[[Mapping[str, Any]], None]
    run: Run
    twin: str | None = None

    def listed(self) -> dict[str, Any]:
        """McpTool of the document."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": self.input_schema,
            "outputSchema": self.output_schema,
            "annotations": self.annotations,
        }


class BadArguments(ApiError):
    """Arguments that a tool cannot take. `problems` are pairs of an argument, or a pointer below it, and a clause."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        details = [
            {"in": "body", "pointer": f"/params/arguments/{name}".rstrip("/"), "message": text}
            for name, text in problems
        ]
        name, text = problems[0]
        super().__init__("invalid_request", f"{name or 'arguments'}: {text}", details=details)


def hold(validator: Validator, schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Raise BadArguments unless arguments keep a schema of the document, which lets any further ones pass."""
    try:
        validator.body(schema, arguments)
    except ApiError as error:
        raise BadArguments([(one["pointer"].lstrip("/"), one["message"]) for one in error.details]) from None


def require_known(arguments: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise BadArguments for arguments that a tool does not have: they are slips, and would do nothing."""
    if unknown := [name for name in arguments if name not in known]:
        accepted = ", ".join(known) if known else "none"
        told = [(shown(name), f"is no argument of this tool; accepted are {accepted}") for name in unknown[:_TOLD]]
        raise BadArguments(told)


def shown(text: str) -> str:
    """What somebody sent, short enough to be said back."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
