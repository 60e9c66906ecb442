"""400, 413 and 415: another form of the request, by the document, or by what a handler says of a field."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from chaser_emulator.errors import Problem
from chaser_emulator.explaining.asking import FORM, Ask
from chaser_emulator.explaining.documents import examples_of
from chaser_emulator.explaining.places import at, drop, put
from chaser_emulator.explaining.remedies import things
from chaser_emulator.explaining.remedies.case import Case, Remedy
from chaser_emulator.explaining.remedies.missing import uploaded
from chaser_emulator.explaining.repairing import NoWay
from chaser_emulator.explaining.texts import nearest
from chaser_emulator.rules import parts_of
from chaser_emulator.targets import ENVIRONMENT_LIMIT

_SIGNALS = ("TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT")


async def by_the_document(case: Case) -> Remedy:
    """What the document accepts and is nearest."""
    return _mended(case, case.ask)


def _mended(case: Case, ask: Ask) -> Remedy:
    if case.operation is None:
        return Remedy(why_not="the document has no operation here")
    note = None
    if not case.asked.whole:
        note = "the body was too long to be kept; this is one of the document's examples"
    try:
        return Remedy(case.menders.request(case.operation, ask, case.asked.parameters), note=note)
    except NoWay:
        return Remedy(why_not="nothing near was found that the document accepts")


async def invalid_request(case: Case) -> Remedy:
    """By the document where it was the document that refused, else by what the handler says of each field."""
    if case.operation is not None and case.operation.id == "mcp-handler" and not case.error.problems:
        return Remedy(why_not="the arguments of a tool are described by tools/list; no general one is nearest")
    if case.exchange.response_headers.get("upgrade") == "websocket":
        opened = case.ask.with_header("connection", "Upgrade").with_header("upgrade", "websocket")
        return Remedy(opened, note="it is a WebSocket: websocat and every client of WebSockets ask so by themselves")
    ask = case.ask
    first: tuple[Ask, ...] = ()
    for problem in case.error.problems:
        if problem.rule is None:
            found = await _field(case, ask, problem)
            if found.passes is None:
                return found
            ask, first = found.passes, (*first, *found.first)
    if not case.error.problems:
        return await _without_a_field(case)
    mended = _mended(case, ask)
    return replace(mended, first=first) if mended.passes is not None else mended


async def _field(case: Case, ask: Ask, problem: Problem) -> Remedy:
    """A field that only its handler could find wrong."""
    if problem.location != "body":
        return _parameter(case, ask, problem)
    if ask.media_type == FORM:
        return _part(case, ask, problem)
    path = parts_of("#" + problem.pointer)
    if (special := _SPECIAL.get(problem.pointer)) is not None and isinstance(ask.body, Mapping):
        return Remedy(ask.with_body(special(ask.body)))
    if problem.pointer in ("/session_type", "/workspace") and isinstance(ask.body, Mapping):
        return await _of_type(case, ask)
    if problem.pointer == "/public_key":
        example = case.spec.document["components"]["schemas"]["CreateSshKeyRequest"]["examples"][0]["public_key"]
        return Remedy(ask.with_body({**ask.body, "public_key": example}))
    if path and at(ask.body, path) is not None and case.operation is not None and case.operation.body is not None:
        without = drop(ask.body, path)
        schema = next(iter(case.operation.body.content.values()))
        if case.menders.validator.accepts(schema, without):
            return Remedy(ask.with_body(without))
    return await _document_example(case, ask, path)


async def _document_example(case: Case, ask: Ask, path: list[str]) -> Remedy:
    operation = case.operation
    if operation is not None and operation.body is not None:
        for example in examples_of(case.spec, operation.path, operation.method, next(iter(operation.body.content))):
            if (part := at(example, path)) is not None and part != at(ask.body, path):
                return Remedy(ask.with_body(put(ask.body, path, part)))
    return Remedy(why_not="only who sends it knows what this field is to say")


def _parameter(case: Case, ask: Ask, problem: Problem) -> Remedy:
    name = problem.pointer
    if name == "command":
        return Remedy(ask.with_query("command", "ls -l"))
    parameter = next((p for p in case.operation.parameters if p.name == name), None) if case.operation else None
    if parameter is None or problem.location != "query":
        return Remedy(why_not=f"only who sends it knows what {problem.location} {name} is to say")
    if name == "redirect_uri":
        return Remedy(ask.with_query(name, "http://localhost:3000/callback"))
    sample = {"before": "2026-01-15T09:30:00Z", "since": "2026-01-15T09:30:00Z"}.get(name)
    return Remedy(ask.with_query(name, sample if parameter.required else None))


def _part(case: Case, ask: Ask, problem: Problem) -> Remedy:
    """A part of a form: sent twice, sent as text, or not what it must be."""
    name = problem.pointer.removeprefix("/")
    if "more than once" in problem.message or not name:
        return Remedy(ask)
    if "must be text" in problem.message:
        return Remedy(replace(ask, body={**ask.body, name: "/workspace/notes.txt"}))
    if "is text" in problem.message:
        return Remedy(replace(ask, body={**ask.body, name: f"@{name}.zip"}))
    return Remedy(why_not=f"another file is needed: {problem.message}")


async def _of_type(case: Case, ask: Ask) -> Remedy:
    """A workspace of the type that was asked for, or the type that the workspace has."""
    row = await case.one(
        "SELECT session_type FROM workspaces WHERE account_id = ? AND (id = ? OR name = ?)",
        case.account_id,
        str(ask.body.get("workspace", "")).lower(),
        str(ask.body.get("workspace", "default")),
    )
    if row is not None and "session_type" in ask.body:
        case.state["session_type_of_workspace"] = row["session_type"]
        return Remedy(ask.with_body({**ask.body, "session_type": row["session_type"]}))
    found = await things.workspace(case, str(ask.body.get("workspace", "sandbox")), "sandbox")
    return Remedy(ask.with_body({**ask.body, "workspace": found.name}), found.first)


def _smaller(body: Mapping[str, Any]) -> dict[str, Any]:
    """Fewer variables: the largest go until the rest may stay."""
    kept = dict(body["env"])

    def size() -> int:
        return sum(len(name.encode()) + len(value.encode()) + 2 for name, value in kept.items())

    while kept and size() > ENVIRONMENT_LIMIT:
        del kept[max(kept, key=lambda name: len(kept[name]))]
    return {**body, "env": kept}


def _encoded(body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "input": base64.b64encode(str(body.get("input", "")).encode()).decode()}


def _signal(body: Mapping[str, Any]) -> dict[str, Any]:
    wanted = re.sub("^SIG", "", str(body.get("signal", "")).upper())
    return {**body, "signal": nearest(wanted, _SIGNALS, 0.4) or "TERM"}


_SPECIAL: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "/env": _smaller,
    "/input": _encoded,
    "/signal": _signal,
    "/repo": lambda body: {name: part for name, part in body.items() if name != "repo"},
}


async def _without_a_field(case: Case) -> Remedy:
    """What an engine refused: a path that leads out, a folder for a file."""
    query = dict(case.ask.query)
    if "path" in query and case.operation is not None:
        ask = case.ask.with_query("path", "/workspace/notes.txt")
        return Remedy(ask, (uploaded(case, ask, case.asked.parameters),))
    if isinstance(case.ask.body, Mapping) and "path" in case.ask.body:
        return Remedy(replace(case.ask, body={**case.ask.body, "path": "/workspace/notes.txt"}))
    return Remedy(why_not="only who sends it knows what was meant")


async def payload_too_large(case: Case) -> Remedy:
    """Less of it; of what, only who sends it can say."""
    limit = (case.error.details or {}).get("limit")
    case.note({"limit": limit, "bytes": case.exchange.request_headers.get("content-length")})
    if limit is None:
        return Remedy(why_not="less has to be sent")
    shown = f"{limit // 2**20} MiB" if limit % 2**20 == 0 else f"{limit} bytes"
    return Remedy(why_not=f"at most {shown} are accepted; only who sends it knows what can be left out")
