"""JSON merge patches (RFC 7396), for configurations that are changed in part."""

from __future__ import annotations

import json
from typing import Any


def merged(target: Any, patch: Any) -> Any:
    """What a patch makes of a value: null takes away, an object goes into the one there, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are alike, whatever the order of their fields."""
    # Not by ==, to which true and 1 are the same.
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
