"""A folder of YAML files, one a tag -> one complete document, with what its operations share written out.

There are two: Chaser's own API, and the control plane of the emulator, which borrows what both have.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaser_emulator import keywords
from chaser_emulator.keywords import DocumentError

Node = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "patch")

_COMMON = "components.yaml"
_BESIDE_THE_DOCUMENT = {"rulings.yaml"}
_JSON = "application/json"


@dataclass(frozen=True)
class Source:
    """A folder of files, and the extensions that its operations may have: any other is a slip of the pen."""

    folder: Path
    extensions: frozenset[str]


API = Source(
    Path(__file__).parent / "openapi",
    frozenset(
        [
            "x-scope",
            "x-roles",
            "x-service-account",
            "x-account",
            "x-rate",
            "x-audit",
            "x-provenance",
            "x-ruling",
        ]
    ),
)
"""What Chaser offers."""

CONTROL = Source(
    Path(__file__).parent / "control" / "openapi",
    frozenset(["x-command", "x-output", "x-confirm", "x-pages", "x-open-query", "x-reach", "x-world"]),
)
"""What the emulator offers beside it, under /_emulator."""


def rulings() -> dict[str, str]:
    """What the emulator does where no source says, by the number of the question."""
    return {str(number): str(text) for number, text in _read(API.folder / "rulings.yaml").items()}


def assemble(source: Source = API) -> Node:
    """The complete document: files merged (a name given twice is an error), shared answers and parameters added.

    Its text is kept beside the byte code, as Python keeps that of modules: reading YAML would be half of a start.
    """
    kept = source.folder / "__pycache__" / f"document-{_fingerprint(source)}.json"
    try:
        document: Node = json.loads(kept.read_bytes())
    except (OSError, ValueError):
        document = _assembled(source)
        with contextlib.suppress(OSError):
            _keep(kept, json.dumps(document))
    return document


def _fingerprint(source: Source) -> str:
    """Changes with the files of the document, those that it borrows from, and those that make it."""
    folders = {API.folder, source.folder}
    files = [file for folder in sorted(folders) for file in sorted(folder.glob("*.yaml"))]
    files += [Path(__file__), Path(keywords.__file__)]
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16]


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    for old in path.parent.glob("document-*.json"):
        old.unlink(missing_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)


def _assembled(source: Source) -> Node:
    document = _read(source.folder / _COMMON)
    document["paths"] = {}
    borrowed = document.pop("x-borrowed", {})
    everywhere = document.pop("x-everywhere", {})
    for file in sorted(source.folder.glob("*.yaml")):
        if file.name != _COMMON and file.name not in _BESIDE_THE_DOCUMENT:
            _merge(document, _read(file), borrowed, tag=file.stem)
    if source is not API:
        _borrow(document, assemble(API), borrowed)
    for item in document["paths"].values():
        shared = item.pop("parameters", [])
        for method in METHODS:
            if method in item:
                item[method]["parameters"] = [*shared, *item[method].get("parameters", [])]
    for path, _method, operation in operations(document):
        _write_out(document, path, operation, everywhere)
    if source is not API:
        _leave_out_unused_codes(document)
    keywords.check(document)
    return document


def operations(document: Node) -> Iterator[tuple[str, str, Node]]:
    """Every operation as (path, method in lower case, node)."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def resolve(document: Node, node: Node) -> Node:
    """The node itself, or what its `$ref` names."""
    while "$ref" in node:
        target: Any = document
        for part in str(node["$ref"]).removeprefix("#/").split("/"):
            try:
                target = target[part]
            except KeyError as error:
                raise DocumentError(f"{node['$ref']} names nothing") from error
        node = target
    return node


def components_of(document: Node, node: Any) -> Node:
    """The components of a document that a part of it refers to, with all that those refer to."""
    found: Node = {}
    left = list(_references(node))
    while left:
        _, _, section, name, *_ = left.pop()
        known = found.setdefault(section, {})
        if name not in known:
            known[name] = document["components"][section][name]
            left += _references(known[name])
    return found


def served_from(document: Node, url: str) -> Node:
    """The document as a server at `url` gives it: its own address first."""
    others = [server for server in document["servers"] if server["url"] != url]
    return document | {"servers": [{"url": url, "description": "This emulator."}, *others]}


def _read(file: Path) -> Node:
    import yaml  # only where the document is not kept yet

    # The C loader reads the document ten times as fast as the one in Python; the start of a server waits for it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    node = yaml.load(file.read_text("utf-8"), Loader=loader)  # noqa: S506 - both are safe loaders
    if not isinstance(node, dict):
        raise DocumentError(f"{file.name}: a mapping is expected")
    return node


_SECTIONS = ("description", "paths", "components", "x-borrowed", "x-error-codes")


def _merge(document: Node, part: Node, borrowed: dict[str, list[str]], *, tag: str) -> None:
    if unknown := set(part) - set(_SECTIONS):
        raise DocumentError(f"{tag}.yaml: unknown keys {sorted(unknown)}; {', '.join(_SECTIONS)} are accepted")
    if "description" in part:
        document["tags"].append({"name": tag, "description": part["description"]})
    for section, names in part.get("x-borrowed", {}).items():
        borrowed[section] = [*borrowed.get(section, []), *names]
    for code, node in part.get("x-error-codes", {}).items():
        if document["x-error-codes"].setdefault(code, node) is not node:
            raise DocumentError(f"{tag}.yaml: x-error-codes.{code} is there already")
    for path, item in part.get("paths", {}).items():
        target = document["paths"].setdefault(path, {})
        for key, node in item.items():
            if key in target:
                raise DocumentError(f"{tag}.yaml: {key} {path} is there already")
            if key in METHODS:
                node["tags"] = [tag]
            target[key] = node
    for section, entries in part.get("components", {}).items():
        known = document["components"].setdefault(section, {})
        for name, node in entries.items():
            if name in known:
                raise DocumentError(f"{tag}.yaml: components.{section}.{name} is there already")
            known[name] = node


def _borrow(document: Node, lender: Node, wanted: dict[str, list[str]]) -> None:
    """Take components of another document with all that they refer to, and its codes of refusals."""
    left = [(section, name) for section, names in wanted.items() for name in names]
    while left:
        section, name = left.pop()
        known = document["components"].setdefault(section, {})
        if name in known:
            continue
        try:
            known[name] = lender["components"][section][name]
        except KeyError:
            raise DocumentError(f"x-borrowed: there is no {section}/{name} to borrow") from None
        left += [(parts[2], parts[3]) for parts in _references(known[name])]
    document["x-error-codes"] = lender["x-error-codes"] | document["x-error-codes"]


def _references(node: Any) -> Iterator[list[str]]:
    """The components that a part of a document refers to, as the parts of each path."""
    if isinstance(node, list):
        for part in node:
            yield from _references(part)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str) and node["$ref"].startswith("#/components/"):
            yield node["$ref"].split("/")
        for part in node.values():
            yield from _references(part)


def _leave_out_unused_codes(document: Node) -> None:
    """Keep only codes that some operation lists, and the one that meets no operation."""
    used = {"method_not_allowed"}
    for _path, _method, operation in operations(document):
        for response in operation["responses"].values():
            for media in response.get("content", {}).values():
                used.update(media.get("schema", {}).get("properties", {}).get("code", {}).get("enum", []))
    document["x-error-codes"] = {code: node for code, node in document["x-error-codes"].items() if code in used}


def secured(document: Node, operation: Node) -> bool:
    """Whether a credential is needed; an empty requirement says that it can do without."""
    wanted = operation["security"] if "security" in operation else document.get("security", [])
    return bool(wanted) and {} not in wanted


def _write_out(document: Node, path: str, operation: Node, everywhere: Node) -> None:
    """Add what follows from an operation's marks: the account's header, the refusals, the headers of answers."""
    parameters = operation["parameters"]
    refusals = [*operation.pop("x-errors", []), *everywhere.get("refusals", [])]
    if operation.get("x-world") != "none":
        parameters += everywhere.get("parameters", [])
    if secured(document, operation):
        refusals.append("unauthorized")
        if operation.get("x-account") != "none":
            parameters.append({"$ref": "#/components/parameters/AccountSelector"})
            refusals += ["account_mismatch", "not_found"]
        if operation.get("x-scope", "none") != "none":
            refusals.append("insufficient_scope")
        if operation.get("x-roles") or operation.get("x-service-account") is False:
            refusals.append("forbidden")
    own = [resolve(document, parameter) for parameter in parameters]
    if any(parameter["name"] != "X-Chaser-Account" for parameter in own) or "requestBody" in operation:
        refusals.append("invalid_request")
    if "requestBody" in operation:
        refusals += ["payload_too_large", "unsupported_media_type"]
        if _JSON in operation["requestBody"]["content"]:
            refusals.append("invalid_json")
    if "x-rate" in operation:
        refusals.append("rate_limited")
    refusals.append("internal_error")
    if "400" in operation["responses"]:
        # MCP refuses what is no request in the words of JSON-RPC (M3), and its file says so itself.
        refusals = [code for code in refusals if code not in ("invalid_request", "invalid_json")]
    if operation.get("x-world") == "none" and not parameters and "requestBody" not in operation:
        refusals = [code for code in refusals if code != "not_found"]
    if not parameters:
        del operation["parameters"]
    # Answers that are written once for several statuses are one object until here.
    operation["responses"] = {status: dict(response) for status, response in operation["responses"].items()}
    for status, response in operation["responses"].items():
        if "$ref" not in response:
            _add_headers(response, operation, int(status))
    _add_refusals(document, path, operation, refusals)
    operation["responses"] = dict(sorted(operation["responses"].items(), key=lambda item: int(item[0])))


def _add_refusals(document: Node, path: str, operation: Node, codes: list[str]) -> None:
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        if code not in document["x-error-codes"]:
            raise DocumentError(f"{path}: {code} is no code of x-error-codes")
        by_status.setdefault(int(document["x-error-codes"][code]["status"]), []).append(code)
    for status, listed in by_status.items():
        listed.sort()
        response: Node = {
            "description": " ".join(document["x-error-codes"][code]["description"].strip() for code in listed),
            "content": {
                _JSON: {
                    "schema": {
                        "allOf": [{"$ref": "#/components/schemas/Error"}],
                        "properties": {"code": {"enum": listed}, "error": {"enum": listed}},
                    },
                    "examples": {code: {"value": _example(document, code)} for code in listed},
                }
            },
        }
        if operation.get("x-pages"):
            response["content"]["text/html"] = {"schema": {"type": "string"}}
        _add_headers(response, operation, status)
        if str(status) in operation["responses"]:
            raise DocumentError(f"{path}: {status} is written by hand and follows from the codes {listed}")
        operation["responses"][str(status)] = response


def _example(document: Node, code: str) -> Node:
    text = document["x-error-codes"][code]["description"].strip()
    return {"error": code, "code": code, "message": text, "request_id": "req_3h5k7m2p4q6r7s2t4u6v7w2x4y"}


def _add_headers(response: Node, operation: Node, status: int) -> None:
    headers = response["headers"] = dict(response.get("headers", {}))
    names = {"x-request-id": "RequestId", "X-Chaser-Emulator": "EmulatorVersion"}
    # Whoever is not known has no bucket, so a 401 carries no limits.
    if "x-rate" in operation and status not in (401, 500):
        names |= {f"X-RateLimit-{word}": f"RateLimit{word}" for word in ("Limit", "Remaining", "Reset", "Scope")}
    if status == 429:
        names["Retry-After"] = "RetryAfter"
    if status == 401:
        names["WWW-Authenticate"] = "WwwAuthenticate"
    for name, component in names.items():
        headers.setdefault(name, {"$ref": f"#/components/headers/{component}"})
