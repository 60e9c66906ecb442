"""Documents: a version of the OpenAPI document, from a file or an address, with its references followed."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml

Node = Mapping[str, Any]

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
_SERVED_AT = "/api-docs/openapi.json"


class Unreadable(Exception):
    """There is no document to compare with; the text says why."""


@dataclass(frozen=True, eq=False)
class Version:
    """One version of a document."""

    document: Node

    def operations(self) -> Iterator[tuple[str, str, Node]]:
        """Every operation as (path, method in lower case, node), with the parameters of its path in it."""
        for path, item in self.document.get("paths", {}).items():
            item, _ = self.followed(item, "")
            for method in METHODS:
                if method in item:
                    shared = item.get("parameters", [])
                    node = item[method]
                    yield (
                        path,
                        method,
                        {**node, "parameters": [*shared, *node.get("parameters", [])]} if shared else node,
                    )

    @functools.cached_property
    def said(self) -> frozenset[str]:
        """The words that any operation has; of an extension that none has, its absence says nothing."""
        return frozenset(word for _, _, node in self.operations() for word in node)

    def followed(self, node: Any, pointer: str) -> tuple[Node, str]:
        """What a node is, and where it really stands; `true` and `false` are schemas as well."""
        for _ in range(64):
            if not isinstance(node, Mapping):
                return ({} if node is not False else {"not": {}}), pointer
            if not isinstance(node.get("$ref"), str):
                return node, pointer
            pointer = node["$ref"]
            beside = {name: part for name, part in node.items() if name not in ("$ref", "description", "summary")}
            target = self.at(pointer)
            if beside and isinstance(target, Mapping) and not all(name.startswith("x-") for name in beside):
                return {**target, "allOf": [*target.get("allOf", []), beside]}, pointer
            node = target
        raise Unreadable(f"{pointer} refers to itself")

    def at(self, pointer: str) -> Any:
        """What a reference names. Raises Unreadable."""
        if not pointer.startswith("#"):
            raise Unreadable(f"{pointer}: references to other documents are not followed")
        found: Any = self.document
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
            try:
                found = found[int(name)] if isinstance(found, list) else found[name]
            except (KeyError, IndexError, ValueError, TypeError):
                raise Unreadable(f"{pointer} names nothing in the document") from None
        return found

    def merged(self, schema: Node) -> Node:
        """A schema with its `allOf` in it, and a choice of something and null as something that may be null."""
        found: dict[str, Any] = dict(schema)
        for part in found.pop("allOf", []):
            found = _both(found, self.merged(self.followed(part, "")[0]))
        for word in ("oneOf", "anyOf"):
            choices = found.get(word)
            if not isinstance(choices, list):
                continue
            real = [one for one in choices if not (isinstance(one, Mapping) and one.get("type") == "null")]
            if len(real) == len(choices) - 1 and len(real) == 1:
                del found[word]
                inner = dict(self.merged(self.followed(real[0], "")[0]))
                said = inner.get("type", [])
                if said:
                    inner["type"] = sorted({*([said] if isinstance(said, str) else said), "null"})
                found = _both(found, inner)
        return found


def _both(one: Node, other: Node) -> dict[str, Any]:
    """What two schemas say together, as far as their plain words go."""
    found = {**other, **one}
    if "properties" in one and "properties" in other:
        names = [*other["properties"], *(name for name in one["properties"] if name not in other["properties"])]
        found["properties"] = {
            name: {"allOf": [one["properties"][name], other["properties"][name]]}
            if name in one["properties"] and name in other["properties"]
            else one["properties"].get(name, other["properties"].get(name))
            for name in names
        }
    if "required" in one or "required" in other:
        found["required"] = sorted({*one.get("required", []), *other.get("required", [])})
    if "enum" in one and "enum" in other:
        found["enum"] = [value for value in one["enum"] if value in other["enum"]]
    for word, strictest in (("minLength", max), ("minimum", max), ("maxLength", min), ("maximum", min)):
        if word in one and word in other:
            found[word] = strictest(one[word], other[word])
    return found


def read(against: str) -> Version:
    """A document from a file or an address, where a Chaser may serve it. Raises Unreadable."""
    text = _fetched(against) if against.startswith(("http://", "https://")) else _file(Path(against))
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        except yaml.YAMLError as error:
            raise Unreadable(f"{against}: this is neither JSON nor YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, Mapping) or not isinstance(found.get("paths"), Mapping):
        raise Unreadable(f"{against}: this is no OpenAPI document: it has no paths")
    if not str(found.get("openapi", "")).startswith("3."):
        raise Unreadable(f"{against}: this is no document of OpenAPI 3: `openapi` is {found.get('openapi')!r}")
    return Version(json.loads(json.dumps(found, default=str)))


def _file(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unreadable(f"{path}: this is no text in UTF-8") from None


def _fetched(url: str) -> str:
    # The base URL of a Chaser will do.
    try:
        address = url.rstrip("/") + _SERVED_AT if urlsplit(url).path in ("", "/") else url
    except ValueError as error:
        raise Unreadable(f"{url}: this is no URL: {error}") from None
    try:
        answer = httpx.get(address, timeout=30, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreadable(f"{address}: {type(error).__name__} {error}") from None
    if answer.status_code != 200:
        raise Unreadable(f"{address}: it answers {answer.status_code}")
    return answer.text


def escaped(part: str) -> str:
    """A part of a JSON pointer."""
    return part.replace("~", "~0").replace("/", "~1")
