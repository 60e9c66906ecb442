"""Ownership: whether all that a request would change was made by the run, or bears its name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chaser_emulator.spec import Operation

from chaser_contract.live.effects import LASTING, MAKES, WRITES
from chaser_contract.live.ledger import Ledger
from chaser_contract.live.stopping import NotAllowed

NOTHING = "00000000-0000-4000-8000-000000000000"
"""The id of nothing, by which promises ask for what is not there."""

_REFERENCES = frozenset({
    "id", "ids", "session", "session_id", "sessions", "session_ids", "workspace", "workspace_id", "workspaces",
    "workspace_ids", "ws", "assistant_id", "user_id",
})  # fmt: skip
"""Fields that name what is acted on, in bodies, inputs of jobs and arguments of tools."""

_MANY = frozenset(
    {"bulk-terminate-sessions", "bulk-delete-workspaces", "session.bulk_terminate", "workspace.bulk_delete"}
)
_ALONE = frozenset({"create-session", "exec-sandbox"})
_READING_TOOLS = frozenset({
    "chaser_list_sessions", "chaser_get_session", "chaser_list_workspaces", "chaser_list_snapshots",
    "chaser_list_assistants", "chaser_get_assistant",
})  # fmt: skip
_OF_ACCOUNTS = frozenset({"add-current-member"})


class Ownership:
    """What belongs to a run: what its ledger names, and what bears its prefix."""

    def __init__(self, ledger: Ledger, prefix: str) -> None:
        self._ledger = ledger
        self._prefix = prefix
        self._learnt: set[str] = {NOTHING}

    def learn(self, identifier: str) -> None:
        """That something belongs to what belongs to the run, such as a delivery of its webhook."""
        self._learnt.add(identifier)

    def has(self, reference: str) -> bool:
        """Whether an id, or a name, is of something that the run made."""
        return (
            reference in self._learnt
            or reference.lower().startswith(self._prefix)
            or self._ledger.has(reference)
            or self._ledger.named(reference, "workspace", "snapshot")
        )

    def check(self, operation: Operation, path: Mapping[str, str], body: Any, account: str | None) -> None:
        """Raise NotAllowed where a request would change anything else."""
        for name, value in list(path.items())[:1]:
            if not self.has(value):
                raise _foreign(operation.id, f"{name} {value!r}")
        if operation.id in _OF_ACCOUNTS and not (account and self.has(account)):
            raise NotAllowed(f"{operation.id} would let somebody into an account that this run did not make")
        if not isinstance(body, dict):
            if operation.id in _MANY or (operation.id == "mcp-handler" and body is not None):
                raise NotAllowed(f"{operation.id} is not sent with anything but an object, which can be looked into")
            return
        if operation.id == "create-job":
            self._job(body.get("kind"), body.get("input"))
        elif operation.id == "mcp-handler":
            self._tool(body)
        elif operation.id not in LASTING or operation.id == "store-assistant-credential":
            self._references(operation.id, body)
            if operation.id in _MANY:
                self._many(operation.id, body)
            if operation.id in _ALONE:
                self._somewhere(operation.id, body)

    def reads(self, operation: Operation, body: Any) -> bool:
        """Whether a request for the MCP endpoint changes nothing."""
        if operation.id != "mcp-handler" or not isinstance(body, dict):
            return False
        params = body.get("params")
        tool = params.get("name") if isinstance(params, dict) else None
        return body.get("method") != "tools/call" or tool in _READING_TOOLS

    def _job(self, kind: Any, given: Any) -> None:
        said = given if isinstance(given, dict) else {}
        name = f"create-job of {kind}"
        self._references(name, said)
        if kind in _MANY:
            self._many(name, said)
        elif kind == "github.runner":
            raise NotAllowed(f"{name} would act for a repository, which this run did not make")
        elif kind in ("sandbox.exec", "pipeline.run"):
            self._somewhere(name, said)
        elif isinstance(kind, str) and kind.startswith("browser.") and "session_id" not in said:
            raise NotAllowed(f"{name} without a session would use one that this run did not make")

    def _tool(self, body: Mapping[str, Any]) -> None:
        params = body.get("params")
        said = params.get("arguments") if isinstance(params, dict) else None
        name = f"mcp-handler of {params.get('name') if isinstance(params, dict) else 'nothing'}"
        arguments = said if isinstance(said, dict) else {}
        self._references(name, arguments)
        if "session_id" not in arguments and not str(name).endswith(("_workspace", "_credential")):
            self._somewhere(name, arguments)

    def _references(self, name: str, body: Any) -> None:
        for field, value in _references(body):
            if not self.has(value):
                raise _foreign(name, f"{field} {value!r}")

    def _many(self, name: str, body: Mapping[str, Any]) -> None:
        if body.get("all") or not any(body.get(field) for field in ("ids", "workspaces")):
            raise NotAllowed(f"{name} would end all there are, and not only what this run made")

    def _somewhere(self, name: str, body: Mapping[str, Any]) -> None:
        """What names no workspace and is not ephemeral goes into one of the account's own."""
        if body.get("ephemeral") is not True and not body.get("workspace") and not body.get("session_id"):
            raise NotAllowed(
                f"{name} would use the account's own default workspace; `ephemeral` or one of the run's would not"
            )


def names_of(kind_names: tuple[str, ...], body: Any) -> tuple[str, ...]:
    """The texts in a body by which what it makes can be told."""
    if not isinstance(body, dict):
        return ()
    return tuple(body[name] for name in kind_names if isinstance(body.get(name), str) and body[name])


def body_of(raw: bytes) -> Any:
    """The JSON of a request, or None."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def not_allowed(operation: Operation, called: str | None = None) -> NotAllowed:
    """That an operation was not named, with what would name it."""
    reason = LASTING.get(operation.id)
    flag = f"--allow {operation.id}"
    if reason is None and operation.id in MAKES:
        flag += f" (or --allow {operation.tag}, --allow {WRITES})"
    why = f", and {reason}" if reason else ""
    return NotAllowed(f"it takes {called or operation.id}, which is not allowed{why}: {flag}")


def _foreign(name: str, what: str) -> NotAllowed:
    return NotAllowed(f"{name} would change what this run did not make: {what}")


def _references(body: Any) -> Iterator[tuple[str, str]]:
    """The names and ids in a body, wherever they stand."""
    if isinstance(body, dict):
        for field, value in body.items():
            if field in ("env", "metadata", "config", "patch", "state"):
                continue
            if field in _REFERENCES:
                for one in value if isinstance(value, list) else [value]:
                    if isinstance(one, str):
                        yield field, one
            if isinstance(value, (dict, list)):
                yield from _references(value)
    elif isinstance(body, list):
        for one in body:
            yield from _references(one)
