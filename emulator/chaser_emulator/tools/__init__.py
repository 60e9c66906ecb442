"""The tools that agents call by MCP: each is an operation of the API, or made of several."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.operations import Call


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

Raises ApiError for a refusal, which is shown to the model as a result with `isError`.
"""
