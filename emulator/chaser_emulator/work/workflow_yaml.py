"""Workflow files as GitHub reads YAML: version 1.2, where `on` and `yes` are words, and no key stands twice."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("bool", "null", "int", "float", "str", "seq", "map"))

_MOST_NODES = 50_000
"""Values in a file, those of an alias counted each time: a few lines of aliases could stand for any number."""


class WorkflowError(Exception):
    """A workflow file, or what was registered of it, cannot be run; the text is a sentence that names what stops it."""


def _too_many() -> WorkflowError:
    return WorkflowError(f"has more than {_MOST_NODES} values")


class _Loader(yaml.SafeLoader):
    """PyYAML with the words and numbers of YAML 1.2, and an eye on keys that stand twice and on how much there is."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self._left = _MOST_NODES

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        # Counted on the way: reading a whole file of a megabyte can take half a minute.
        self._left -= 1
        if self._left < 0:
            raise _too_many()
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in seen:
                text = f"the key {key.value!r} stands there twice"
                raise yaml.constructor.ConstructorError(None, None, text, key.start_mark)
            seen.add(key.value)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}


def _integer(_loader: _Loader, node: yaml.ScalarNode) -> float:
    text = node.value.lower()
    value = int(text, 0) if text.lstrip("+-").startswith(("0x", "0o")) else float(text)
    return int(value) if math.isfinite(value) and abs(value) < 2**53 else float(value)


def _float(_loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", "[-+]?[0-9]+|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def load(text: bytes) -> dict[str, Any]:
    """The mapping that a workflow file is; its keys are text. Raises WorkflowError, which says the line."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if not isinstance(node, yaml.MappingNode):
                raise WorkflowError("is no workflow: it holds no keys")
            _require_small(node, {}, set())
            found: dict[str, Any] = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise WorkflowError(f"is no YAML{where}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise WorkflowError(f"is no YAML: {str(error).splitlines()[0]}") from None
    except (ValueError, KeyError):
        raise WorkflowError("has a value that is not what its tag says") from None
    except RecursionError:
        raise WorkflowError("is nested too deep") from None
    return found


def _require_small(node: yaml.Node, sizes: dict[int, int], above: set[int]) -> int:
    """The number of values in a node, whose tags must be those of plain data."""
    if node.tag not in _TAGS:
        raise WorkflowError(f"has the tag {node.tag} in line {node.start_mark.line + 1}; quote what begins with !")
    if id(node) in above:
        raise WorkflowError(f"refers to itself in line {node.start_mark.line + 1}")
    if id(node) not in sizes:
        above.add(id(node))
        if isinstance(node, yaml.ScalarNode) and re.search("[\ud800-\udfff]", node.value):
            raise WorkflowError(f"has half of a character in line {node.start_mark.line + 1}")
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        size = 1
        for part in parts:
            for one in part if isinstance(part, tuple) else (part,):
                size += _require_small(one, sizes, above)
        if size > _MOST_NODES:
            raise _too_many()
        above.discard(id(node))
        sizes[id(node)] = size
    return sizes[id(node)]
