"""Values for the inputs of operations: what the document gives as examples, small changes of it, and slips."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaser_emulator.assembly import resolve
from hypothesis import strategies as st

Node = Mapping[str, Any]

_DEEPEST = 4

NAMES = ["alpha", "Alpha", "beta", "my-app"]
"""Few, so that two things want one name, also in another case."""

COMMANDS = [
    "true",
    "exit 3",
    "echo hello",
    "printf one; printf two >&2",
    "cat",
    "pwd",
    'echo "$STAGE"',
    "no-such-command",
]
"""What ends by itself, or with its input, and says the same on every machine."""

_WORDS: Mapping[str, list[str]] = {
    "name": NAMES,
    "command": COMMANDS,
    "path": ["/workspace/a.txt", "/workspace/deep/b.bin", "relative.txt", "/workspace/../etc/passwd"],
    "cwd": ["/workspace", "/workspace/none"],
    "url": ["http://127.0.0.1:9/hook", "http://127.0.0.1:9/other", "ftp://127.0.0.1/"],
    "email": ["ada@example.com", "peer@example.com", "Ada@Example.com"],
    "image": ["debian:stable-slim", "Not An Image"],
    "run_at": ["2099-01-01T00:00:00Z", "2020-01-01T00:00:00Z"],
    "github_repo": ["octocat/hello-world"],
    "repo": ["octocat/hello-world"],
}
"""By the name of a field, where any text would do, and most would be refused."""

_SLIPS: list[Any] = [None, "", " ", 0, -1, True, [], {}, "x" * 300, 10**12, 1.5, "\u0000", "ä€🙂"]


class Values:
    """Makes values of the schemas of one document."""

    def __init__(self, document: Node) -> None:
        self._document = dict(document)

    def body(self, schema: Node, examples: list[Any]) -> st.SearchStrategy[Any]:
        """A body: mostly one that is accepted, sometimes one with a slip."""
        made = self.of(schema)
        start = st.one_of(*map(st.just, examples), made) if examples else made
        return st.builds(_changed, start, st.one_of(st.just([]), st.lists(self._change(schema), max_size=2)))

    def _change(self, schema: Node) -> st.SearchStrategy[tuple[str, Any]]:
        """A field with another value; `_LEFT_OUT` as value leaves it out. Most are valid."""
        properties = self._properties(schema)
        if not properties:
            return st.just(("surplus", 1))
        valid = st.one_of(*(st.tuples(st.just(name), self.of(part, name)) for name, part in properties.items()))
        slip = st.tuples(st.sampled_from(sorted(properties)), st.sampled_from(_SLIPS))
        gone = st.tuples(st.sampled_from(sorted(properties)), st.just(_LEFT_OUT))
        return st.one_of(valid, valid, valid, valid, gone, slip, st.just(("surplus", 1)))

    def input(self, schema: Node, name: str) -> st.SearchStrategy[Any]:
        """A parameter of a query or a header: mostly a valid one."""
        valid = self.of(schema, name)
        return st.one_of(valid, valid, valid, st.sampled_from(["", "0", "-1", "nonsense", "201", "1.5"]))

    def of(self, schema: Any, name: str = "", depth: int = 0) -> st.SearchStrategy[Any]:
        """A value of a schema, as far as its plain words say; `name` is the field's."""
        if not isinstance(schema, Mapping):
            return st.just(None)
        node = resolve(self._document, dict(schema))
        if name in _WORDS and "enum" not in node:
            return st.sampled_from(_WORDS[name])
        for choice in ("oneOf", "anyOf"):
            if choice in node and "properties" not in node:
                return st.one_of(*(self.of(part, name, depth + 1) for part in node[choice]))
        if "const" in node:
            return st.just(node["const"])
        if "enum" in node:
            return st.sampled_from(node["enum"])
        if "allOf" in node and "properties" not in node and "type" not in node:
            return self.of(node["allOf"][0], name, depth + 1)
        kinds = node.get("type", "object" if "properties" in node else "string")
        if isinstance(kinds, list):
            return st.one_of(*(self._of_kind(node, kind, depth) for kind in sorted(kinds, key="null".__eq__)))
        return self._of_kind(node, kinds, depth)

    def _of_kind(self, node: Node, kind: str, depth: int) -> st.SearchStrategy[Any]:
        match kind:
            case "null":
                return st.none()
            case "boolean":
                return st.booleans()
            case "integer" | "number":
                low, high = int(node.get("minimum", 0)), int(node.get("maximum", 100_000))
                return st.sampled_from(sorted({low, min(low + 1, high), high}))
            case "array":
                items = self.of(node.get("items", {}), "", depth + 1)
                return st.lists(items, min_size=node.get("minItems", 0), max_size=max(2, node.get("minItems", 0)))
            case "object":
                return self._object(node, depth)
        if "examples" in node:
            return st.sampled_from(node["examples"])
        if "pattern" in node or "format" in node:
            return st.sampled_from(NAMES)
        least = node.get("minLength", 0)
        return st.sampled_from(["a" * max(1, least), "Some words", "ä€🙂"] if least <= 3 else ["a" * least])

    def _object(self, node: Node, depth: int) -> st.SearchStrategy[Any]:
        properties = self._properties(node) if depth < _DEEPEST else {}
        required = set(node.get("required", []))
        needed = {name: self.of(part, name, depth + 1) for name, part in properties.items() if name in required}
        if depth:
            return st.fixed_dictionaries(needed)
        free = {name: self.of(part, name, depth + 1) for name, part in properties.items() if name not in required}
        some = st.lists(st.sampled_from(sorted(free)), max_size=2, unique=True) if free else st.just([])
        return st.tuples(st.fixed_dictionaries(needed), some.flatmap(lambda names: st.fixed_dictionaries({
            name: free[name] for name in names
        }))).map(lambda both: {**both[0], **both[1]})  # fmt: skip

    def _properties(self, schema: Node) -> dict[str, Any]:
        node = resolve(self._document, dict(schema))
        found = dict(node.get("properties", {}))
        for part in node.get("allOf", []):
            found = {**self._properties(part), **found}
        return {name: part for name, part in found.items() if part is not False}


_LEFT_OUT: Any = object()


def _changed(body: Any, changes: list[tuple[str, Any]]) -> Any:
    if not isinstance(body, Mapping):
        return body
    found = dict(body)
    for name, value in changes:
        if value is _LEFT_OUT:
            found.pop(name, None)
        else:
            found[name] = value
    return found
