"""The tools that are one operation of the API each: sessions, workspaces, snapshots, assistants, credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.assembly import Node, resolve
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call
from chaser_emulator.spec import Operation, Spec
from chaser_emulator.store import workspaces
from chaser_emulator.tools import BadArguments, Result, Run, Tool, hold, require_known, schemas
from chaser_emulator.validation import Validator

_READS = {"readOnlyHint": True, "openWorldHint": False}
_MAKES = {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": False, "openWorldHint": False}
_CHANGES = {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
_ENDS = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True, "openWorldHint": False}

Answer = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Twin:
    """A tool that does what an operation does.

    `path` says which argument is which parameter of the path. `fixed` are fields of the body that the tool itself
    says, `without` are fields that it does not take. A list is answered under the name `listed`; an operation that
    answers nothing has `ended` as the schema of the tool's answer, and `answer` makes it.
    """

    name: str
    operation: str
    title: str
    description: str
    annotations: Mapping[str, bool]
    path: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    listed: str | None = None
    ended: str | None = None
    answer: Answer | None = None


_SESSION = {"session_id": "id"}
_WORKSPACE = {"workspace": "ws"}
_ASSISTANT = {"assistant_id": "id"}

_TWINS = (
    Twin(
        "chaser_list_sessions",
        "list-sessions",
        "List sessions",
        "List the live sessions (sandboxes and browsers) of the account, newest first, one page at a time.",
        _READS,
    ),
    Twin(
        "chaser_get_session",
        "get-session",
        "Read a session",
        "Read one session: its status, workspace and endpoints. An ended one stays readable for a day.",
        _READS,
        path=_SESSION,
    ),
    Twin(
        "chaser_create_sandbox_session",
        "create-session",
        "Start a sandbox",
        "Start a sandbox to run commands in, or answer the one that already runs on the workspace. Name a workspace to "
        "keep its files, or say ephemeral = true for one that leaves nothing behind (only that may name an image); "
        "with neither, the plan decides. `terminal` starts sandboxes by itself: this is for more control.",
        _MAKES,
        fixed={"session_type": "sandbox"},
        without=("network",),
    ),
    Twin(
        "chaser_create_browser_session",
        "create-session",
        "Start a browser",
        "Start a browser, or answer the one that already runs on the workspace. Name a workspace of type browser to "
        "keep its profile, or say ephemeral = true. `browser` starts browsers by itself: this is for more control.",
        _MAKES,
        fixed={"session_type": "browser"},
        without=("network", "image"),
    ),
    Twin(
        "chaser_terminate_session",
        "terminate-session",
        "End a session",
        "End a session and every process in it; files of its workspace stay. One that something is connected to ends "
        "only with force = true.",
        _ENDS,
        path=_SESSION,
        ended="SessionTerminateResult",
        answer=lambda arguments, _: {"session_id": arguments["session_id"], "terminated": True},
    ),
    Twin(
        "chaser_list_workspaces",
        "list-workspaces",
        "List workspaces",
        "List every workspace of the account, newest first.",
        _READS,
        listed="workspaces",
    ),
    Twin(
        "chaser_create_workspace",
        "create-workspace",
        "Create a workspace",
        "Create an empty workspace of a session type (sandbox or browser), or with clone_from a copy of another one.",
        _MAKES,
    ),
    Twin(
        "chaser_delete_workspace",
        "delete-workspace",
        "Delete a workspace",
        "Delete a workspace with its files and snapshots, for good. While a session uses it that takes force = true.",
        _ENDS,
        path=_WORKSPACE,
        ended="WorkspaceDeleteResult",
    ),
    Twin(
        "chaser_rename_workspace",
        "set-workspace-name",
        "Rename a workspace",
        "Give a workspace another name, or with name = null none.",
        _CHANGES,
        path=_WORKSPACE,
    ),
    Twin(
        "chaser_list_snapshots",
        "list-workspace-snapshots",
        "List snapshots",
        "List the snapshots of a workspace, newest first.",
        _READS,
        path=_WORKSPACE,
        listed="snapshots",
    ),
    Twin(
        "chaser_create_snapshot",
        "create-workspace-snapshot",
        "Keep a snapshot",
        "Keep all files of a workspace under a name, to go back to. While a session uses it that takes force = true.",
        _MAKES,
        path=_WORKSPACE,
    ),
    Twin(
        "chaser_restore_snapshot",
        "restore-workspace-snapshot",
        "Go back to a snapshot",
        "Make the files of a workspace what they were at a snapshot; what has changed since is lost. While a session "
        "uses the workspace that takes force = true, which ends the session first.",
        _ENDS,
        path={"workspace": "ws", "name": "name"},
    ),
    Twin(
        "chaser_list_assistants",
        "list-assistants",
        "List assistants",
        "List every assistant of the account with its configuration and channels.",
        _READS,
    ),
    Twin(
        "chaser_get_assistant",
        "get-assistant",
        "Read an assistant",
        "Read one assistant with its configuration and channels, without any secret.",
        _READS,
        path=_ASSISTANT,
    ),
    Twin(
        "chaser_propose_assistant_config",
        "create-assistant-config-change-request",
        "Propose a configuration",
        "Propose a change of an assistant's configuration as a JSON merge patch. Nothing changes until an owner or "
        "admin approves it.",
        _MAKES,
        path=_ASSISTANT,
    ),
    Twin(
        "chaser_store_credential",
        "store-assistant-credential",
        "Store a credential",
        "Put a secret into the vault under a name, for one assistant or without assistant_id for all of the account. "
        "It replaces what had the name, and is never shown again.",
        {**_CHANGES, "destructiveHint": True},
    ),
)


def tools(spec: Spec, validator: Validator) -> list[Tool]:
    """Every tool that is one operation."""
    return [_tool(spec, validator, twin) for twin in _TWINS]


def _tool(spec: Spec, validator: Validator, twin: Twin) -> Tool:
    operation = spec.operations[twin.operation]
    outside, body = _parameters(spec.document, operation, twin), _body(spec.document, operation, twin)
    fields = body.get("properties", {})
    needed = [name for name, parameter in outside.items() if parameter["required"]]
    known = {name: parameter["schema"] for name, parameter in outside.items()}
    # The fields of the body are left to the operation, which refuses and writes down what is wrong with them.
    checked = {"type": "object", "properties": known, "required": needed}

    def check(arguments: Mapping[str, Any]) -> None:
        require_known(arguments, {**known, **fields})
        hold(validator, checked, arguments)

    return Tool(
        name=twin.name,
        title=twin.title,
        description=twin.description,
        input_schema=schemas.arguments({**known, **fields}, [*needed, *body.get("required", [])]),
        output_schema=_output(spec.document, operation, twin),
        annotations=twin.annotations,
        check=check,
        run=_run(twin, operation, validator, frozenset(fields)),
        twin=twin.operation,
    )


def _run(twin: Twin, operation: Operation, validator: Validator, fields: frozenset[str]) -> Run:
    queries = {parameter.name for parameter in operation.parameters if parameter.location == "query"}
    schema = None if operation.body is None else operation.body.content["application/json"]

    async def run(call: Call, arguments: Mapping[str, Any]) -> Result:
        path = {parameter: arguments[name] for name, parameter in twin.path.items()}
        query = {name: _whole(arguments[name]) for name in queries if name in arguments}
        body: dict[str, Any] = {name: arguments[name] for name in fields if name in arguments} | dict(twin.fixed)
        named = await _workspace_id(call, arguments) if twin.operation == "delete-workspace" else None
        try:
            answer = await call.perform(operation.id, None if schema is None else body, path=path, query=query)
        except ApiError as error:
            if schema is not None and _breaks(validator, schema, body):
                raise _bad(twin, error) from error
            raise
        if twin.listed is not None:
            return Result({twin.listed: answer})
        if named is not None:
            return Result({"workspace_id": named, "deleted": True})
        return Result(twin.answer(arguments, answer) if twin.answer is not None else answer)

    return run


def _whole(value: Any) -> Any:
    """A number as a query has it: 5.0 is an integer in JSON, and none in an address."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


async def _workspace_id(call: Call, arguments: Mapping[str, Any]) -> str:
    """What a selector means now: once the workspace is gone, nobody knows."""
    row = await workspaces.find(call.store, call.account.id, arguments["workspace"])
    return str(row["id"] if row is not None else arguments["workspace"])


def _breaks(validator: Validator, schema: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    try:
        validator.body(schema, body)
    except ApiError:
        return True
    return False


def _bad(twin: Twin, error: ApiError) -> BadArguments:
    """What an operation finds wrong with a request, said of the arguments that it was made of."""
    names = {parameter: name for name, parameter in twin.path.items()}
    problems = error.details if isinstance(error.details, list) else []
    found = [(str(problem["pointer"]).strip("/"), str(problem["message"])) for problem in problems]
    return BadArguments([(names.get(name, name), text) for name, text in found] or [("", error.message)])


def _parameters(document: Node, operation: Operation, twin: Twin) -> dict[str, Node]:
    """The parameters of the path and the query, by the names of the arguments."""
    names = {parameter: name for name, parameter in twin.path.items()}
    found: dict[str, Node] = {}
    for reference in document["paths"][operation.path][operation.method.lower()].get("parameters", []):
        parameter = resolve(document, reference)
        if parameter["in"] in ("path", "query"):
            schema = schemas.standalone(document, parameter["schema"])
            schema["description"] = " ".join(parameter["description"].split())
            name = names[parameter["name"]] if parameter["in"] == "path" else parameter["name"]
            found[name] = {"schema": schema, "required": parameter.get("required", False)}
    return found


def _body(document: Node, operation: Operation, twin: Twin) -> Node:
    """The body's fields that the tool takes, and which of them it needs."""
    if operation.body is None:
        return {}
    schema = resolve(document, dict(operation.body.content["application/json"]))
    plain = schemas.standalone(document, schema)
    left_out = {*twin.fixed, *twin.without}
    fields = {name: node for name, node in plain.get("properties", {}).items() if name not in left_out}
    return {"properties": fields, "required": [name for name in plain.get("required", []) if name in fields]}


def _output(document: Node, operation: Operation, twin: Twin) -> Node:
    if twin.ended is not None:
        return schemas.component(document, twin.ended)
    answer = operation.responses[operation.success].content["application/json"]
    assert answer is not None  # noqa: S101 - JSON has a schema
    found: Node = schemas.standalone(document, dict(answer))
    return found if twin.listed is None else schemas.wrapped(twin.listed, found["items"])
