"""The text of a seed -> its values, each with the line and column where it stands; YAML 1.2, and so JSON as well."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from chaser_emulator.seeding.problems import Place, SeedError, SeedProblem

_MOST_VALUES = 100_000
"""Values in a seed, those of an alias counted each time: a few lines of aliases could stand for any number."""

_DEEPEST = 64

LARGEST = 32 * 2**20
"""Bytes of a seed."""

_PLAIN = "tag:yaml.org,2002:"
_TAGS = frozenset(_PLAIN + kind for kind in ("bool", "null", "int", "float", "str", "seq", "map"))

# The words of YAML 1.2: `on` and `yes` are text, and so is a moment.
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15}")
_NO_TEXT = re.compile("[\ud800-\udfff\x00]")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@dataclass
class Node:
    """A value where it stands. `fields` are those of a mapping by name, each with the place of its name."""

    place: Place
    span: tuple[int, int] = (0, 0)
    """Where in the text its characters begin and end; of a mapping or a list, those of what opens it."""
    scalar: Any = None
    word: str | None = None
    """The text of a scalar as it is written, which it has as a name; None for what is no scalar."""
    fields: dict[str, tuple[Node, Node]] | None = None
    items: list[Node] | None = None


class SeedText(NamedTuple):
    """A seed that could be read: what it is called, its text, its values, and where they stand."""

    name: str
    text: str
    value: dict[str, Any]
    root: Node

    def place(self, *path: str | int) -> Place:
        """Where a value stands, or the name of a field that ought not to be there; else what is nearest around it."""
        node = self.root
        for number, part in enumerate(path):
            found = _child(node, part)
            if found is None:
                break
            key, node = found
            if key is not None and number == len(path) - 1:
                return key.place
        return node.place

    def error(self, message: str, *path: str | int) -> SeedError:
        """One thing that is wrong, at the value with this path."""
        return SeedError(self.name, [SeedProblem(self.place(*path), path, message)])


def _child(node: Node, part: str | int) -> tuple[Node | None, Node] | None:
    if isinstance(part, str) and node.fields is not None and part in node.fields:
        return node.fields[part]
    if isinstance(part, int) and node.items is not None and part < len(node.items):
        return None, node.items[part]
    return None


def read(text: str | bytes, name: str = "seed") -> SeedText:
    """Read a seed. Raises SeedError, which says where it cannot be understood."""
    decoded = _decoded(text, name)
    try:
        root = _Builder(name).build(decoded)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
        raise SeedError(name, [SeedProblem(place, (), f"is no YAML: {error.problem or error.context}")]) from None
    except yaml.reader.ReaderError as error:
        line = decoded[: error.position].count("\n") + 1
        raise SeedError(name, [SeedProblem(Place(line, 1), (), f"is no YAML: {error.reason}")]) from None
    if root.fields is None:
        if root.items is None and root.scalar is None:
            # Nothing but comments: a seed of nothing.
            root.fields = {}
        else:
            raise SeedError(name, [SeedProblem(root.place, (), "a mapping is expected, such as `workspaces:`")])
    return SeedText(name, decoded, _Plain(name).value(root), root)


def _decoded(text: str | bytes, name: str) -> str:
    if len(text) > LARGEST:
        raise SeedError(name, [SeedProblem(Place(1, 1), (), f"is larger than {LARGEST // 2**20} MiB")])
    if isinstance(text, bytes):
        raw = text
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise SeedError(name, [SeedProblem(Place(line, 1), (), "is no UTF-8")]) from None
    # JSON may be indented by tabs, YAML may not; in JSON none stands within a text.
    if "\t" in text and text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return text
        return text.replace("\t", " ")
    return text


class _Builder:
    """Nodes from the events of the parser, without recursion: nobody's brackets are too deep for it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._anchors: dict[str, Node] = {}
        self._open: list[_Open] = []
        self._count = 0

    def build(self, text: str) -> Node:
        """The root of a text. Raises SeedError and yaml.YAMLError."""
        root: Node | None = None
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise self._error(event, "a seed is one document; a second one begins here")
            node = self._whole(event)
            if node is not None and self._open:
                self._add(self._open[-1], node, event)
            elif node is not None:
                root = node
        return root or Node(Place(1, 1))

    def _whole(self, event: Any) -> Node | None:
        """The value that is whole with this event, if one is."""
        anchor: str | None = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._error(event, f"*{event.anchor} refers to nothing that is whole before it")
            return self._anchors[event.anchor]
        if isinstance(event, yaml.CollectionEndEvent):
            node, anchor = self._open.pop()[:2]
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open.append(_Open(self._begun(event), anchor))
            if len(self._open) > _DEEPEST:
                raise self._error(event, f"is nested deeper than {_DEEPEST} levels")
            return None
        elif isinstance(event, yaml.ScalarEvent):
            node = self._begun(event)
        else:
            return None
        if anchor:
            self._anchors[anchor] = node
        return node

    def _begun(self, event: Any) -> Node:
        self._count += 1
        if self._count > _MOST_VALUES:
            raise self._error(event, f"has more than {_MOST_VALUES} values")
        if event.tag not in (None, "!") and event.tag not in _TAGS:
            raise self._error(event, f"has the tag {event.tag[:100]}; quote what begins with !")
        start, end = event.start_mark, event.end_mark
        node = Node(Place(start.line + 1, start.column + 1), (start.index, end.index))
        if isinstance(event, yaml.MappingStartEvent):
            node.fields = {}
        elif isinstance(event, yaml.SequenceStartEvent):
            node.items = []
        else:
            node.word = event.value
            node.scalar = self._scalar(event)
        return node

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if _NO_TEXT.search(text):
            raise self._error(event, "has a character that no text may hold")
        if event.tag == f"{_PLAIN}str" or not (event.implicit[0] or event.tag in _TAGS):
            return text
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INT.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
            return number
        return text

    def _add(self, parent: _Open, node: Node, event: Any) -> None:
        if parent.node.items is not None:
            parent.node.items.append(node)
            return
        assert parent.node.fields is not None  # noqa: S101 - it is one of the two
        if parent.key is None:
            if node.word is None:
                raise self._error(event, "a name must be a word")
            self._open[-1] = parent._replace(key=node)
            return
        self._open[-1] = parent._replace(key=None)
        name = parent.key.word or ""
        if name in parent.node.fields:
            before = parent.node.fields[name][0].place
            text = f"stands there twice; first in line {before.line}"
            raise SeedError(self._name, [SeedProblem(parent.key.place, (name,), text)])
        parent.node.fields[name] = (parent.key, node)

    def _error(self, event: Any, message: str) -> SeedError:
        mark = event.start_mark
        return SeedError(self._name, [SeedProblem(Place(mark.line + 1, mark.column + 1), (), message)])


class _Open(NamedTuple):
    """A mapping or a list that has begun and not ended, and the name in it whose value is next."""

    node: Node
    anchor: str | None
    key: Node | None = None


class _Plain:
    """Values without their places; `<<` is put in where it stands."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = _MOST_VALUES
        self._depth = 0

    def value(self, node: Node) -> Any:
        self._left -= 1
        if self._left < 0:
            text = f"has more than {_MOST_VALUES} values, those of an alias counted each time"
            raise SeedError(self._name, [SeedProblem(node.place, (), text)])
        self._depth += 1
        if self._depth > 2 * _DEEPEST:
            raise SeedError(self._name, [SeedProblem(node.place, (), f"is nested deeper than {_DEEPEST} levels")])
        if node.fields is not None:
            self._merge(node)
            found: Any = {name: self.value(one) for name, (_key, one) in node.fields.items()}
        elif node.items is not None:
            found = [self.value(one) for one in node.items]
        else:
            found = node.scalar
        self._depth -= 1
        return found

    def _merge(self, node: Node) -> None:
        assert node.fields is not None  # noqa: S101 - the caller looked
        merged = node.fields.pop("<<", None)
        if merged is None:
            return
        _key, source = merged
        for one in source.items if source.items is not None else [source]:
            if one.fields is None:
                raise SeedError(self._name, [SeedProblem(one.place, ("<<",), "a mapping is expected, as by an alias")])
            self._merge(one)
            for name, pair in one.fields.items():
                node.fields.setdefault(name, pair)
