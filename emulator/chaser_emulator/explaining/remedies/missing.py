"""404 and 405: what was named is not there, or not offered so."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

from chaser_emulator.explaining.asking import SELECTOR, Ask, path_of
from chaser_emulator.explaining.documents import examples_of, methods_of
from chaser_emulator.explaining.places import drop, put
from chaser_emulator.explaining.remedies import things
from chaser_emulator.explaining.remedies.case import Case, Remedy, quoted
from chaser_emulator.explaining.texts import likeness, nearest
from chaser_emulator.spec import Operation, Spec

_LIKE = 0.5
"""How like a path has to be to one of the document's, from 0 to 1, to be taken for it."""


async def not_found(case: Case) -> Remedy:
    """Something that is there, or the request that makes it."""
    if case.operation is None:
        return _route(case)
    if case.error.message.startswith("X-Chaser-Account"):
        return await _account(case)
    path, first = await things.settled(case, case.asked.parameters)
    if path != dict(case.asked.parameters) or first:
        return Remedy(case.ask.at_path(case.operation, path), first)
    if case.operation.id.startswith("resolve-assistant-") and "there is no assistant" not in case.error.message:
        return await _elsewhere(case)
    return await _in_body(case)


async def _account(case: Case) -> Remedy:
    """The account that was meant, or the caller's own."""
    known = [str(name) for name in case.error.state.get("accounts", [])]
    near = nearest(case.ask.headers.get(SELECTOR, ""), [*known, "personal"])
    return Remedy(case.ask.with_header(SELECTOR, near))


async def _in_body(case: Case) -> Remedy:
    """What the body names, by the words that the refusal quotes."""
    message = case.error.message
    for name in quoted(case.error.message):
        for path in case.body_places(name):
            if "workspace" in message:
                kind = case.body.get("session_type")
                found = await things.workspace(case, name, str(kind) if kind else None)
            elif "session" in message:
                found = await things.session(case)
            elif "assistant" in message and "credential" not in message:
                found = await things.assistant(case, {}, name) or things.Found(name)
            else:
                continue
            return Remedy(case.ask.with_body(put(case.ask.body, path, found.name)), found.first)
    return await _elsewhere(case)


async def _elsewhere(case: Case) -> Remedy:
    """What is named outside the account: credentials, channels, repositories, images, files."""
    assert case.operation is not None  # noqa: S101 - routes that are not there were seen to
    body = case.body
    match case.operation.id:
        case "resolve-assistant-credential":
            stored = {"name": body.get("name"), "value": "the secret", "assistant_id": body.get("assistant_id")}
            return Remedy(case.ask, (case.beside("PUT", "/v1/assistants/credentials", stored),))
        case "resolve-assistant-channel":
            found = await things.assistant(case, {}, "") or things.Found("")
            wanted = {"channel_type": body.get("channel_type"), "channel_id": body.get("channel_id")}
            bound = case.beside("POST", f"/v1/assistants/{found.name}/channels", wanted)
            return Remedy(case.ask, (*found.first, bound))
        case "download-session-file":
            return Remedy(case.ask, (uploaded(case, case.ask, case.asked.parameters),), note="upload the file first")
    if case.operation.id == "import-workspace":
        return await _repository(case)
    for field in ("github_repo", "image"):
        if field in body:
            return Remedy(case.ask.with_body(drop(body, [field])))
    return Remedy(why_not="what is named lies outside the account, and nothing in it can take its place")


async def _repository(case: Case) -> Remedy:
    """The repository that was meant, of those that this emulator can read."""
    body = case.body
    field = next((name for name in ("github_repo", "repo") if name in body), "github_repo")
    known = await things.repositories(case)
    wanted, _, ref = str(body.get(field, "")).partition("@")
    near = nearest(wanted, known) if wanted not in known else wanted
    if near is None:
        near = known[0] if known else None
    if near is None:
        return Remedy(why_not="no repository can be read here: --github-url takes a folder of them")
    case.state["repositories"] = known[:10]
    # A branch that is not there is what is left to be wrong.
    kept = near if near == wanted or not ref else f"{near}@{ref}"
    return Remedy(case.ask.with_body({**body, field: kept}))


def uploaded(case: Case, download: Ask, path: Mapping[str, str]) -> Ask:
    """The request that puts a file where a download looks for it."""
    fields = {"path": dict(download.query).get("path", "notes.txt"), "file": "@notes.txt"}
    return case.beside("POST", "").with_form(fields).at_path(case.spec.operations["upload-session-file"], path)


def _route(case: Case) -> Remedy:
    """The path of the document that is nearest to one that leads nowhere."""
    sent = case.ask.path.rstrip("/") or "/"
    words = [unquote(part) for part in sent.strip("/").split("/")]

    def alike(template: str) -> float:
        wanted = template.strip("/").split("/")
        score = sum(
            0.95 if part.startswith("{") else likeness(part, word) for part, word in zip(wanted, words, strict=False)
        )
        return score / max(len(wanted), len(words)) + 0.01 * (case.ask.method in methods_of(case.spec, template))

    paths = [path for path in case.spec.document["paths"] if path.startswith(("/v1", "/auth", "/api-docs", "/swagger"))]
    best = max(paths, key=alike)
    if alike(best) < _LIKE:
        return Remedy(why_not="no path of the document is like it; /api-docs/openapi.json lists them all")
    methods = methods_of(case.spec, best)
    method = case.ask.method if case.ask.method in methods else methods[0]
    operation = next(o for o in case.spec.operations.values() if (o.path, o.method) == (best, method))
    parts = best.strip("/").split("/")
    names = {
        part[1:-1]: words[index] for index, part in enumerate(parts) if part.startswith("{") and index < len(words)
    }
    near = difflib.get_close_matches(sent, paths, 3, 0.5)
    case.state["paths"] = [best, *(path for path in near if path != best)]
    values = {p.name: names.get(p.name, "example") for p in operation.parameters if p.location == "path"}
    ask = replace(case.ask, method=method, path=path_of(operation, values))
    if operation.secured and "authorization" not in ask.headers:
        ask = ask.as_key()
    return Remedy(_with_body(case, ask))


async def method_not_allowed(case: Case) -> Remedy:
    """The method of the path that is nearest in meaning."""
    allowed = [one for one in case.error.headers.get("Allow", "").split(", ") if one]
    near = {"PUT": ("PATCH", "POST"), "PATCH": ("PUT", "POST"), "POST": ("PUT", "PATCH"), "HEAD": ("GET",)}
    for method in (*near.get(case.ask.method, ()), *allowed):
        if method in allowed:
            ask = replace(case.ask, method=method)
            return Remedy(_with_body(case, ask if "authorization" in ask.headers else ask.as_key()))
    return Remedy(why_not="the path takes no method at all")


def _with_body(case: Case, ask: Ask) -> Ask:
    """The request with a body if its operation takes one, and without one if not."""
    known = parameters_of(case.spec, ask)
    operation = known[0] if known is not None else None
    if operation is None or operation.body is None:
        return replace(ask, body=None, media_type=None).with_header("content-type", None)
    media_type = next(iter(operation.body.content))
    if ask.media_type is None and operation.body.required:
        examples = examples_of(case.spec, operation.path, operation.method, media_type)
        return replace(ask, body=examples[0], media_type=media_type).with_header("content-type", media_type)
    return ask


def parameters_of(spec: Spec, ask: Ask) -> tuple[Operation, dict[str, str]] | None:
    """The operation that a request is for, and what its path says; fixed parts win over parameters."""
    words = ask.path.split("/")
    best: tuple[int, Operation, dict[str, str]] | None = None
    for operation in spec.operations.values():
        parts = operation.path.split("/")
        if operation.method != ask.method or len(parts) != len(words):
            continue
        pairs = list(zip(parts, words, strict=True))
        if all(part == word or (part.startswith("{") and word) for part, word in pairs):
            values = {part[1:-1]: unquote(word) for part, word in pairs if part.startswith("{")}
            if best is None or len(values) < best[0]:
                best = len(values), operation, values
    return (best[1], best[2]) if best else None
