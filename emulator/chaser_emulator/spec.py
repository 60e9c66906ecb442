"""The document as the pipeline reads it: Spec, Operation, Parameter; a word it does not know stops the start."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from chaser_emulator.assembly import API, Node, Source, assemble, operations, resolve, secured
from chaser_emulator.keywords import DocumentError

Location = Literal["path", "query", "header"]


@dataclass(frozen=True)
class Parameter:
    """An input outside the body. `schema` is a resolved node of the document; `many` means that the key may repeat.

    `pointer` says where the parameter stands in the document, and `schema_pointer` where its schema does.
    """

    name: str
    location: Location
    required: bool
    schema: Mapping[str, Any]
    pointer: str = ""
    schema_pointer: str = ""

    @property
    def many(self) -> bool:
        return self.schema.get("type") == "array"


@dataclass(frozen=True)
class Body:
    """What a request may carry: a schema by media type, and where that stands; `pointer` is where the body does."""

    required: bool
    content: Mapping[str, Mapping[str, Any]]
    pointer: str = ""

    def schema_pointer(self, media_type: str) -> str:
        """Where in the document the schema of a media type stands."""
        return f"{self.pointer}/content/{escaped(media_type)}/schema"


@dataclass(frozen=True)
class Response:
    """One status that an operation may answer with: a schema (None: any bytes) by media type, and its headers."""

    status: int
    content: Mapping[str, Mapping[str, Any] | None]


@dataclass(frozen=True)
class Audit:
    """What the audit log calls this operation, and the kind of resource it changes."""

    action: str
    resource_type: str


@dataclass(frozen=True)
class Operation:
    """One method of one path, with everything that admission, validation and the handlers need of it.

    `scope` is a scope's name, `full` (an unscoped credential), `dynamic` (the input decides) or None (any credential).
    `roles` are the roles of an organization that may call it; None means any member.
    """

    id: str
    method: str
    path: str
    tag: str
    secured: bool
    selects_account: bool
    scope: str | None
    roles: frozenset[str] | None
    service_accounts: bool
    rate: str | None
    audit: Audit | None
    parameters: tuple[Parameter, ...]
    body: Body | None
    responses: Mapping[int, Response]
    marks: Mapping[str, Any]
    """What its extensions say, as they stand in the document."""

    @property
    def pointer(self) -> str:
        """Where it stands in the document."""
        return f"#/paths/{escaped(self.path)}/{self.method.lower()}"

    @property
    def upgrades(self) -> bool:
        """Whether it opens a WebSocket."""
        return 101 in self.responses

    @functools.cached_property
    def codes(self) -> Mapping[str, int]:
        """The codes that it refuses with, and the status of each."""
        found: dict[str, int] = {}
        for status, response in self.responses.items():
            schema = response.content.get("application/json") or {}
            found |= dict.fromkeys(schema.get("properties", {}).get("code", {}).get("enum", []), status)
        return found

    @functools.cached_property
    def success(self) -> int:
        """The lowest status below 400 (101 for an upgrade)."""
        return next(status for status in self.responses if status < 400)


@dataclass(frozen=True, eq=False)
class Spec:
    """The whole document, its operations by id, and the status of each error code. It is equal to itself alone."""

    document: Node
    operations: Mapping[str, Operation]
    error_status: Mapping[str, int]

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes that a key can be limited to."""
        return frozenset(self.document["components"]["schemas"]["Scope"]["enum"])

    def scopes_of(self, schema: str) -> Mapping[str, str]:
        """What each word of a schema needs (a kind of job, a tool): a scope, or `full`."""
        return cast("Mapping[str, str]", self.document["components"]["schemas"][schema]["x-scopes"])


def load(handled: Iterable[str] | None = None, source: Source = API) -> Spec:
    """Assemble and compile a document. Raises DocumentError for anything that nobody would act on.

    `handled` are the operations that have a handler (None: all). One without a handler stops the start, as does a
    handler without an operation.
    """
    document = assemble(source)
    names = {node["operationId"] for _path, _method, node in operations(document)}
    known = names if handled is None else frozenset(handled)
    if unknown := known - names:
        raise DocumentError(f"handlers without an operation: {sorted(unknown)}")
    if missing := names - known:
        raise DocumentError(f"operations without a handler: {sorted(missing)}")
    compiled = [_operation(source, document, path, method, node) for path, method, node in operations(document)]
    by_id = {operation.id: operation for operation in compiled}
    if len(by_id) != len(compiled):
        raise DocumentError("an operationId is given twice")
    status = {code: int(entry["status"]) for code, entry in document["x-error-codes"].items()}
    return Spec(document, by_id, status)


def _operation(source: Source, document: Node, path: str, method: str, node: Node) -> Operation:
    where = f"{method.upper()} {path}"
    pointer = f"#/paths/{escaped(path)}/{method}"
    marks = {key: value for key, value in node.items() if key.startswith("x-")}
    if unknown := set(marks) - source.extensions:
        raise DocumentError(f"{where}: unknown extensions {sorted(unknown)}; {sorted(source.extensions)} are known")
    scope = node.get("x-scope", "none")
    if scope not in {"none", "full", "dynamic"} and scope not in document["components"]["schemas"]["Scope"]["enum"]:
        raise DocumentError(f"{where}: x-scope {scope} is no scope")
    is_secured = secured(document, node)
    roles = node.get("x-roles")
    audit = node.get("x-audit")
    return Operation(
        id=node["operationId"],
        method=method.upper(),
        path=path,
        tag=node["tags"][0],
        secured=is_secured,
        selects_account=is_secured and node.get("x-account") != "none",
        scope=None if scope == "none" else scope,
        roles=None if roles is None else frozenset(roles),
        service_accounts=node.get("x-service-account", True),
        rate=node.get("x-rate"),
        audit=None if audit is None else Audit(audit["action"], audit["resource_type"]),
        parameters=tuple(
            _parameter(document, where, f"{pointer}/parameters/{index}", parameter)
            for index, parameter in enumerate(node.get("parameters", []))
        ),
        body=_body(document, f"{pointer}/requestBody", node["requestBody"]) if "requestBody" in node else None,
        responses={
            int(status): _response(document, int(status), response) for status, response in node["responses"].items()
        },
        marks=marks,
    )


def _parameter(document: Node, where: str, pointer: str, node: Node) -> Parameter:
    node, pointer = _followed(document, node, pointer)
    if node["in"] not in ("path", "query", "header"):
        raise DocumentError(f"{where}: parameters in {node['in']} are not read")
    schema, schema_pointer = _followed(document, node["schema"], f"{pointer}/schema")
    return Parameter(node["name"], node["in"], node.get("required", False), schema, pointer, schema_pointer)


def _body(document: Node, pointer: str, node: Node) -> Body:
    node, pointer = _followed(document, node, pointer)
    content = {media_type: media["schema"] for media_type, media in node["content"].items()}
    return Body(node.get("required", False), content, pointer)


def _followed(document: Node, node: Node, pointer: str) -> tuple[Node, str]:
    """What a node is, and where it really stands."""
    while "$ref" in node:
        pointer = str(node["$ref"])
        node = resolve(document, {"$ref": pointer})
    return node, pointer


def escaped(part: str) -> str:
    """A part of a JSON pointer."""
    return part.replace("~", "~0").replace("/", "~1")


def _response(document: Node, status: int, node: Node) -> Response:
    node = resolve(document, node)
    content: dict[str, Node | None] = {}
    for media_type, media in node.get("content", {}).items():
        content[media_type] = media["schema"] if media_type == "application/json" else None
    return Response(status, content)
