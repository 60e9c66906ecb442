"""Bodies of calls: examples of the document, fields that name what there is, and nothing that a target cannot have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaser_emulator.assembly import resolve
from chaser_emulator.spec import Operation
from hypothesis import strategies as st

from chaser_contract.document import Document
from chaser_contract.parity.steps import MISSING
from chaser_contract.parity.values import COMMANDS

_SESSION, _WORKSPACE = [("create-session", "/id")], [("create-workspace", "/id"), ("create-workspace", "/name")]
FIELDS: Mapping[str, list[tuple[str, str]]] = {
    "session_id": _SESSION,
    "workspace": _WORKSPACE,
    "workspace_id": _WORKSPACE,
    "clone_from": _WORKSPACE,
    "assistant_id": [("create-assistant", "/assistant/id")],
    "webhook_id": [("create-webhook", "/webhook/id")],
    "resource_id": [*_SESSION, *_WORKSPACE],
}
"""Fields of bodies and queries that name something, and which answers hold it."""


@dataclass(frozen=True)
class Wanted:
    """Something that one of several steps has made, the `back`-th newest of them."""

    sources: tuple[tuple[str, str], ...]
    back: int


def examples_of(document: Document, operation: Operation, media_type: str) -> list[Any]:
    root = document.spec.document
    body = resolve(root, root["paths"][operation.path][operation.method.lower()]["requestBody"])
    return [resolve(root, one)["value"] for one in body["content"][media_type].get("examples", {}).values()]


def wanted(sources: list[tuple[str, str]]) -> st.SearchStrategy[Any]:
    made = st.builds(Wanted, st.just(tuple(sources)), st.integers(0, 2))
    return st.one_of(made, made, st.sampled_from([MISSING, "nonsense"]))


def pointed(body: Any, back: int, real: bool) -> Any:
    """A body whose fields name what there is; without `real` they stay as they are."""
    if not real:
        return body
    if isinstance(body, list):
        return [pointed(part, back, real) for part in body]
    if not isinstance(body, Mapping):
        return body
    return {
        name: Wanted(tuple(FIELDS[name]), back)
        if name in FIELDS and isinstance(part, str)
        else pointed(part, back, real)
        for name, part in body.items()
    }


def harmless(body: Any) -> Any:
    """A body whose commands end by themselves and say the same everywhere, which those of the examples do not."""
    if isinstance(body, list):
        return [harmless(part) for part in body]
    if not isinstance(body, Mapping):
        return body
    return {
        name: COMMANDS[len(part) % len(COMMANDS)]
        if name == "command" and isinstance(part, str) and part not in COMMANDS and 1 < len(part) < 300
        else harmless(part)
        for name, part in body.items()
    }


def without_browsers(body: Any) -> Any:
    if isinstance(body, list):
        return [without_browsers(part) for part in body]
    if isinstance(body, Mapping):
        return {name: without_browsers(part) for name, part in body.items()}
    return "sandbox" if body == "browser" else body


def without_repositories(body: Any) -> Any:
    if isinstance(body, list):
        return [without_repositories(part) for part in body]
    if isinstance(body, Mapping):
        return {
            name: "sandbox.exec" if part == "github.runner" else without_repositories(part)
            for name, part in body.items()
            if name not in ("repo", "github_repo", "repository")
        }
    return body
