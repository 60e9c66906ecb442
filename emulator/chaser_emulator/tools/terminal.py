"""The tool `terminal`: a shell command, as the routes for exec run it, or one operation on files."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from chaser_emulator import lookup
from chaser_emulator.assembly import Node
from chaser_emulator.commands import DEFAULT_TIMEOUT_MS
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call
from chaser_emulator.spec import Spec
from chaser_emulator.store import Row, workspaces
from chaser_emulator.targets import open_session, started
from chaser_emulator.tools import BadArguments, Result, Tool, file_operations, hold, require_known, schemas, xml
from chaser_emulator.validation import Validator

_DESCRIPTION = f"""\
Run a shell command in a sandbox, or do one operation on its files. Send exactly one of `command`, `cmd` and `xml`. \
Without `session_id` the live sandbox of `workspace` is used or started; `ephemeral` = true takes a fresh one that is \
gone afterwards, of an `image` if one is named; with nothing at all it is the sandbox of the account's default \
workspace (on the free plan a fresh one). The answer holds the `session_id` and `workspace_id`: send the `session_id` \
again to stay in the same place. Commands start in /workspace, and a command that ends with another code than 0 is an \
error whose output says why. `xml` is one of {xml.ACCEPTED}; an edit replaces what occurs exactly once."""

_WHAT = ("command", "cmd", "xml")
_WHERE = ("workspace", "ephemeral", "image")


def tool(spec: Spec, validator: Validator) -> Tool:
    """`terminal`, with the schemas of the document."""
    node = spec.document["components"]["schemas"]["McpTerminalArguments"]
    takes = schemas.without_conditions(schemas.standalone(spec.document, node))

    def check(arguments: Mapping[str, Any]) -> None:
        require_known(arguments, node["properties"])
        sent = [name for name in _WHAT if name in arguments]
        if len(sent) != 1:
            what = f"there are {' and '.join(sent)}" if sent else "there is none"
            raise BadArguments([(sent[-1] if sent else "", f"exactly one of command, cmd and xml is needed; {what}")])
        hold(validator, node, arguments)

    return Tool(
        name="terminal",
        title="Terminal",
        description=_DESCRIPTION,
        input_schema=schemas.arguments(takes["properties"], ()),
        output_schema=_output(spec.document),
        annotations={
            "readOnlyHint": False,
            "destructiveHint": True,
            "idempotentHint": False,
            "openWorldHint": True,
        },
        check=check,
        run=terminal,
        twin="exec-sandbox",
    )


def _output(document: Node) -> Node:
    names = ("SandboxExecResponse", "McpFileRead", "McpFileWritten", "McpFileEdited", "McpFolderListing")
    return {
        "type": "object",
        "required": ["kind", "session_id"],
        "anyOf": [schemas.component(document, name) for name in names],
    }


async def terminal(call: Call, arguments: Mapping[str, Any]) -> Result:
    """Run a command, or do what `xml` says. A command that failed, or whose time was up, is a failed result (M16)."""
    if "xml" in arguments:
        return await _files(call, arguments)
    body: dict[str, Any] = {"command": arguments.get("command") or arguments["cmd"]}
    if "timeout_ms" in arguments:
        body["timeout_ms"] = math.ceil(arguments["timeout_ms"])
    if "session_id" in arguments:
        answer = await call.perform("exec-session", body, path={"id": arguments["session_id"]})
    else:
        answer = await call.perform("exec-sandbox", body | _where(arguments))
    return Result(answer, failed=answer["exit_code"] != 0)


def _where(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: arguments[name] for name in _WHERE if name in arguments}


async def _files(call: Call, arguments: Mapping[str, Any]) -> Result:
    try:
        wanted = xml.parse(arguments["xml"])
    except xml.XmlError as error:
        raise BadArguments([("xml", str(error))]) from None
    limit = arguments.get("timeout_ms", DEFAULT_TIMEOUT_MS)
    async with _sandbox(call, arguments) as (session, workspace):
        try:
            async with asyncio.timeout(limit / 1000):
                found = await file_operations.perform(call, session, wanted)
        except TimeoutError:
            raise ApiError("gateway_timeout", f"it did not end within {limit} ms") from None
    place = {"session_id": session["id"], "ephemeral": bool(session["ephemeral"])}
    if workspace is not None:
        place |= {"workspace": workspace["name"] or workspace["id"], "workspace_id": workspace["id"]}
    return Result({**found, **place})


@asynccontextmanager
async def _sandbox(call: Call, arguments: Mapping[str, Any]) -> AsyncIterator[tuple[Row, Row | None]]:
    """The sandbox that is meant, running, and its workspace. One made for this alone ends with the block (X12)."""
    if "session_id" in arguments:
        session = await lookup.sandbox_with_time(call, arguments["session_id"])
        yield session, await workspaces.get(call.store, session["workspace_id"]) if session["workspace_id"] else None
        return
    target = await open_session(call, _where(arguments))
    try:
        yield await started(call, target), target.workspace
    finally:
        if target.workspace is None:
            await asyncio.shield(_end(call, target.session["id"]))


async def _end(call: Call, session_id: str) -> None:
    row = await lookup.session(call, session_id)
    await call.world.lifecycle.terminate(row, force=True, actor=call.actor)
