"""The document as Schemathesis is given it: without the rules that cost it minutes and that others try."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

_LONG = 512
"""Characters from which on a string of a pattern is looked for by trial, and the pattern counted out."""


def eased(document: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which no long string is bounded that also has a pattern, and streams of events have no schema."""
    whole: dict[str, Any] = copy.deepcopy(dict(document))
    for node in _mappings(whole):
        if is_eased(node):
            del node["maxLength"]
        # Ours is about the whole of a stream, and would be held against the parts of each event.
        node.get("text/event-stream", {}).pop("schema", None)
    return whole


def is_eased(schema: Mapping[str, Any]) -> bool:
    """Whether a schema loses its greatest length: Schemathesis would look for strings of that very length."""
    longest = schema.get("maxLength")
    if not isinstance(longest, int) or longest < _LONG:
        return False
    return "pattern" in schema or any("pattern" in one for one in schema.get("anyOf", ()))


def _mappings(node: Any) -> list[dict[str, Any]]:
    """Every mapping in a document, the outermost first."""
    if isinstance(node, list):
        return [found for one in node for found in _mappings(one)]
    if not isinstance(node, dict):
        return []
    return [node, *(found for one in node.values() for found in _mappings(one))]
