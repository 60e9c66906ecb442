"""Schemas: two of them, compared word by word in the direction in which their values travel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaser_contract.drift.changes import Direction, Reach, Verdict, verdict_of
from chaser_contract.drift.documents import Node, Version, escaped

Told = Callable[[str, str, Verdict, str], None]
"""Is told of a change: place, sentence, verdict and pointer."""

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_FORMS = ("pattern", "format", "multipleOf", "const", "contentEncoding", "contentMediaType", "uniqueItems")
_RULES = ("not", "if", "then", "else", "dependentRequired", "dependentSchemas", "propertyNames", "prefixItems")
_ANYTHING = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_NOT_KEPT = ("description", "title", "example", "examples", "deprecated", "default", "$comment")


@dataclass
class Schemas:
    """Compares schemas of two versions of a document; `met` are the places of the old one that both have."""

    old: Version
    new: Version
    direction: Direction
    told: Told
    refusal: bool = False
    met: set[str] = field(default_factory=set)
    alike: set[tuple[str, str, str, str]] = field(default_factory=set)
    """Named schemas of both in which nothing differs, so that nobody looks again."""
    _under_way: set[tuple[str, str]] = field(default_factory=set)
    _in_a_circle: bool = False
    _changes: int = 0

    def compare(self, old: Any, new: Any, place: str, pointer: str, new_pointer: str = "") -> None:
        """Tell of all that differs in what two schemas allow."""
        before, pointer = self.old.followed(old, pointer)
        after, new_pointer = self.new.followed(new, new_pointer)
        self.met.add(pointer)
        key = (self.direction, str(self.refusal), pointer, new_pointer)
        if (pointer, new_pointer) in self._under_way:
            self._in_a_circle = True
            return
        if key in self.alike:
            return
        self._under_way.add((pointer, new_pointer))
        told = self._changes
        try:
            self._compare(self.old.merged(before), self.new.merged(after), place, pointer, new_pointer)
        finally:
            self._under_way.discard((pointer, new_pointer))
        named = pointer.startswith("#/components/") and new_pointer.startswith("#/components/")
        if named and told == self._changes and not self._in_a_circle:
            self.alike.add(key)

    def _compare(self, old: Node, new: Node, place: str, pointer: str, new_pointer: str) -> None:
        before, after = types_of(old), types_of(new)
        if before != after:
            self._types(before, after, place, pointer)
        if not before & after - {"null"} and before - {"null"}:
            return
        self._enums(old, new, place, pointer)
        self._words(old, new, place, pointer)
        self._choices(old, new, place, pointer)
        if "array" in before & after:
            self._items(old, new, place, pointer, new_pointer)
        if "object" in before & after:
            self._properties(old, new, place, pointer, new_pointer)

    def _tell(self, place: str, what: str, reach: Reach, pointer: str) -> None:
        self._say(place, what, verdict_of(reach, self.direction), pointer)

    def _say(self, place: str, what: str, verdict: Verdict, pointer: str) -> None:
        self._changes += 1
        self.told(place, what, verdict, pointer)

    def _types(self, before: frozenset[str], after: frozenset[str], place: str, pointer: str) -> None:
        old, new = before - {"null"}, after - {"null"}
        if ("null" in before) != ("null" in after):
            may = "may be null now" if "null" in after else "may be null no more"
            self._tell(place, may, "wider" if "null" in after else "narrower", pointer)
        if old == new:
            return
        # An integer is a number.
        wide_old = old | ({"integer"} if "number" in old else set())
        wide_new = new | ({"integer"} if "number" in new else set())
        reach: Reach = "wider" if wide_old < wide_new else "narrower" if wide_new < wide_old else "other"
        self._tell(place, f"its type is {_either(new)} and not {_either(old)}", reach, pointer)

    def _enums(self, old: Node, new: Node, place: str, pointer: str) -> None:
        before, after = _values(old), _values(new)
        if before is None or after is None:
            if before != after:
                what = "any value is allowed now" if after is None else f"only {_listed(after)} is allowed now"
                self._tell(place, what, "wider" if after is None else "narrower", pointer)
            return
        for value in after:
            if value not in before:
                what = f"there is a value {value} more"
                if self.refusal:
                    # Whoever reads a code expects that there may be others.
                    self._say(place, what, "unclear", pointer)
                else:
                    self._tell(place, what, "wider", pointer)
        for value in before:
            if value not in after:
                self._tell(place, f"there is no value {value} any more", "narrower", pointer)

    def _words(self, old: Node, new: Node, place: str, pointer: str) -> None:
        for word in (*_LOWER, *_UPPER):
            before, after = old.get(word), new.get(word)
            if word.startswith("min") and {before, after} <= {None, 0} and word != "minimum":
                continue
            if before == after:
                continue
            self._tell(place, f"{word} is {_said(after)} and not {_said(before)}", _bound(word, before, after), pointer)
        for word in _FORMS:
            before, after = old.get(word), new.get(word)
            if before == after or (word == "uniqueItems" and not before and not after):
                continue
            if word == "const" and ("enum" in old or "enum" in new):
                continue
            reach: Reach = "narrower" if before is None else "wider" if after is None else "unclear"
            self._tell(place, f"{word} is {_said(after)} and not {_said(before)}", reach, pointer)
        if "default" in old and "default" in new and old["default"] != new["default"]:
            what = f"its default is {_said(new['default'])} and not {_said(old['default'])}"
            self._say(place, what, "unclear", pointer)
        for word in _RULES:
            if word not in old and word not in new:
                continue
            if self._canonical(self.old, old.get(word)) != self._canonical(self.new, new.get(word)):
                self._say(place, f"its rule `{word}` is another", "unclear", pointer)

    def _choices(self, old: Node, new: Node, place: str, pointer: str) -> None:
        for word in ("oneOf", "anyOf"):
            before, after = list(old.get(word, [])), list(new.get(word, []))
            if not before and not after:
                continue
            if not before or not after:
                what = f"it has a choice (`{word}`) now" if after else f"it has no choice (`{word}`) any more"
                self._tell(place, what, "narrower" if after else "wider", pointer)
                continue
            left = [self._canonical(self.new, one) for one in after]
            gone = []
            for number, one in enumerate(before):
                canonical = self._canonical(self.old, one)
                if canonical in left:
                    left.remove(canonical)
                else:
                    gone.append((number, one))
            more = [one for one in after if self._canonical(self.new, one) in left]
            for (number, one), other in zip(gone, more, strict=False):
                self.compare(one, other, f"{place} ({word} {number + 1})", f"{pointer}/{word}/{number}", "")
            if len(more) > len(gone):
                self._tell(place, f"`{word}` has {len(more) - len(gone)} more", "wider", pointer)
            elif len(gone) > len(more):
                self._tell(place, f"`{word}` has {len(gone) - len(more)} less", "narrower", pointer)

    def _items(self, old: Node, new: Node, place: str, pointer: str, new_pointer: str) -> None:
        if "items" in old and "items" in new:
            self.compare(old["items"], new["items"], f"{place}/*", f"{pointer}/items", f"{new_pointer}/items")
        elif "items" in old or "items" in new:
            reach: Reach = "narrower" if "items" in new else "wider"
            self._tell(
                place,
                "what its items are is said now" if "items" in new else "its items may be anything",
                reach,
                pointer,
            )

    def _properties(self, old: Node, new: Node, place: str, pointer: str, new_pointer: str) -> None:
        before: Node = old.get("properties", {})
        after: Node = new.get("properties", {})
        required, required_now = set(old.get("required", [])), set(new.get("required", []))
        for name in before:
            inside, there = f"{place}/{name}", f"{pointer}/properties/{escaped(name)}"
            if name not in after:
                self._gone(new, inside, there)
                continue
            self.compare(before[name], after[name], inside, there, f"{new_pointer}/properties/{escaped(name)}")
            if (name in required) != (name in required_now):
                now = name in required_now
                self._tell(
                    inside, "is required now" if now else "is optional now", "narrower" if now else "wider", there
                )
        for name in after:
            if name in before:
                continue
            inside = f"{place}/{name}"
            if self.direction == "request" and name in required_now:
                self._say(inside, "is new and required", "breaking", pointer)
            else:
                self._say(inside, "is new", "not breaking", pointer)
        for name in sorted((required_now - required) - set(before) - set(after)):
            self._tell(f"{place}/{name}", "is required now", "narrower", pointer)
        self._others(old, new, place, pointer, new_pointer)

    def _gone(self, new: Node, place: str, pointer: str) -> None:
        if self.direction == "answer" or _closed(new):
            self._say(place, "is there no more", "breaking", pointer)
        else:
            self._say(place, "is not named any more, and may be ignored", "unclear", pointer)

    def _others(self, old: Node, new: Node, place: str, pointer: str, new_pointer: str) -> None:
        """Properties that have no name in the schema."""
        before, after = _rest(old), _rest(new)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            word = "additionalProperties"
            self.compare(before, after, f"{place}/(any)", f"{pointer}/{word}", f"{new_pointer}/{word}")
        elif _closed(old) != _closed(new):
            if self.direction == "answer":
                # Clients pass over what they do not know, and do without what was never named.
                self._say(
                    place, "is closed now" if _closed(new) else "may hold more than is named", "not breaking", pointer
                )
            else:
                reach: Reach = "narrower" if _closed(new) else "wider"
                self._tell(
                    place, "takes only what is named" if _closed(new) else "takes more than is named", reach, pointer
                )
        elif isinstance(before, Mapping) != isinstance(after, Mapping):
            reach = "narrower" if isinstance(after, Mapping) else "wider"
            self._tell(place, "what its other properties are is another thing", reach, pointer)

    def _canonical(self, version: Version, node: Any) -> str:
        return json.dumps(_plain(version, node, ()), sort_keys=True)


def types_of(schema: Node) -> frozenset[str]:
    """The types of values that a schema may take."""
    said = schema.get("type")
    if said is None:
        if "enum" in schema or "const" in schema:
            found = {_type(value) for value in schema.get("enum", [schema.get("const")])}
        elif "properties" in schema:
            found = {"object"}
        else:
            return _ANYTHING
    else:
        found = {said} if isinstance(said, str) else set(said)
    return frozenset(found | ({"null"} if schema.get("nullable") else set()))


def _type(value: Any) -> str:
    for kind, name in ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "number"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "object"


def _values(schema: Node) -> list[str] | None:
    """The values of an enum, as they are written; null is a matter of the type."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return None if values is None else [json.dumps(value) for value in values if value is not None]


def _rest(schema: Node) -> Any:
    return schema.get("additionalProperties", schema.get("unevaluatedProperties", True))


def _closed(schema: Node) -> bool:
    return _rest(schema) is False


def _bound(word: str, before: Any, after: Any) -> Reach:
    if before is None or after is None:
        return "narrower" if before is None else "wider"
    if not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (before, after)):
        return "unclear"
    return "narrower" if (after > before) == (word in _LOWER) else "wider"


def _plain(version: Version, node: Any, seen: tuple[str, ...]) -> Any:
    """A schema without what says nothing of values, and with what it refers to in it."""
    if isinstance(node, list):
        return [_plain(version, part, seen) for part in node]
    if not isinstance(node, Mapping):
        return node
    if "$ref" in node:
        if node["$ref"] in seen:
            return {"$ref": node["$ref"]}
        return _plain(version, version.followed(node, "")[0], (*seen, str(node["$ref"])))
    return {
        name: _plain(version, part, seen)
        for name, part in node.items()
        if not str(name).startswith("x-") and name not in _NOT_KEPT
    }


def _either(names: frozenset[str]) -> str:
    return " or ".join(sorted(names)) or "null"


def _listed(values: list[str]) -> str:
    return ", ".join(values[:8]) + (" …" if len(values) > 8 else "")


def _said(value: Any) -> str:
    return "absent" if value is None else json.dumps(value)
