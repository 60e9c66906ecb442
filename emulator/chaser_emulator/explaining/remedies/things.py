"""The things that requests name: which are there, which fits an operation, and the request that makes one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaser_emulator.errors import ApiError
from chaser_emulator.explaining.asking import Ask
from chaser_emulator.explaining.documents import examples_of
from chaser_emulator.explaining.remedies.case import Case
from chaser_emulator.explaining.texts import nearest
from chaser_emulator.spec import Operation

_SANDBOX, _BROWSER = "sandbox", "browser"


@dataclass(frozen=True)
class Found:
    """A name to be put in the place of another, and what is to be done first where it does not exist yet."""

    name: str
    first: tuple[Ask, ...] = ()


Finding = Callable[[Case, Mapping[str, str], str], Awaitable[Found | None]]


async def session(case: Case, kind: str | None = None, but: str = "", running: bool = True) -> Found:
    """A session of the account that an operation can use, or the request that makes one."""
    rows = await case.rows(
        """SELECT id FROM sessions WHERE account_id = ? AND id <> ? AND (? IS NULL OR session_type = ?)
           AND (NOT ? OR status = 'running') ORDER BY ended_at IS NOT NULL, created_at DESC LIMIT 1""",
        case.account_id, but, kind, kind, int(running),
    )  # fmt: skip
    if rows:
        return Found(str(rows[0]["id"]))
    body = {"session_type": kind or _SANDBOX, "ephemeral": True}
    return Found("$CHASER_SESSION_ID", (case.beside("POST", "/v1/sessions", body, CHASER_SESSION_ID="/id"),))


def wanted_kind(case: Case) -> str | None:
    """The type of session that an operation works on."""
    if "not_a_sandbox" in case.declared:
        return _SANDBOX
    return _BROWSER if "not_a_browser" in case.declared else None


async def _session(case: Case, _path: Mapping[str, str], wanted: str) -> Found:
    return await session(
        case, wanted_kind(case), running=not {"not_running", "session_leased"}.isdisjoint(case.declared)
    )


async def workspace(case: Case, wanted: str, kind: str | None = None) -> Found:
    """The workspace that was meant, or one to be made with that name."""
    rows = await case.rows(
        """SELECT id, name FROM workspaces WHERE account_id = ? AND (? IS NULL OR session_type = ?)
           ORDER BY created_at DESC""",
        case.account_id, kind, kind,
    )  # fmt: skip
    known = [str(row["name"] or row["id"]) for row in rows]
    near = nearest(wanted, known)
    if near is not None:
        return Found(near)
    case.state["workspaces"] = known[:10]
    body: dict[str, Any] = {"session_type": kind or _SANDBOX, "name": wanted}
    create = case.spec.operations["create-workspace"]
    schema = create.body.content["application/json"] if create.body is not None else {}
    if case.menders.validator.accepts(schema, body):
        return Found(wanted, (case.beside("POST", create.path, body),))
    if known:
        return Found(known[0])
    made = case.beside("POST", create.path, {"session_type": kind or _SANDBOX}, CHASER_WORKSPACE_ID="/id")
    return Found("$CHASER_WORKSPACE_ID", (made,))


async def _workspace(case: Case, _path: Mapping[str, str], wanted: str) -> Found:
    return await workspace(case, wanted)


async def _snapshot(case: Case, path: Mapping[str, str], wanted: str) -> Found:
    rows = await case.rows(
        """SELECT snapshots.name FROM snapshots JOIN workspaces ON workspaces.id = snapshots.workspace_id
           WHERE workspaces.account_id = ? AND (workspaces.id = ? OR workspaces.name = ?)
           ORDER BY snapshots.created_at DESC""",
        case.account_id, path["ws"].lower(), path["ws"],
    )  # fmt: skip
    known = [str(row["name"]) for row in rows]
    near = nearest(wanted, known)
    if near is not None:
        return Found(near)
    case.state["snapshots"] = known[:10]
    create = case.spec.operations["create-workspace-snapshot"]
    schema = create.body.content["application/json"] if create.body is not None else {}
    place = case.beside("POST", "").at_path(create, {"ws": path["ws"]})
    if case.menders.validator.accepts(schema, {"name": wanted}):
        return Found(wanted, (place.with_body({"name": wanted}),))
    return Found(known[0]) if known else Found("before", (place.with_body({"name": "before"}),))


async def _command(case: Case, path: Mapping[str, str], _wanted: str) -> Found:
    rows = await case.rows(
        """SELECT id FROM commands WHERE session_id = ? AND (NOT ? OR status = 'running')
           ORDER BY started_at DESC LIMIT 1""",
        path["id"], int("not_running" in case.declared),
    )  # fmt: skip
    return Found(str(rows[0]["id"])) if rows else command(case, path["id"])


def command(case: Case, session_id: str) -> Found:
    """A background command that lasts, to be started in a session."""
    run = case.spec.operations["exec-session"]
    made = case.beside("POST", "", None, CHASER_COMMAND_ID="/command_id").at_path(run, {"id": session_id})
    return Found("$CHASER_COMMAND_ID", (made.with_body({"command": "sleep 600", "background": True}),))


def _of_table(table: str, name: str, create: str, takes: str, body: Any = None, where: str = "") -> Finding:
    """The newest row of a table, or the request that makes one."""

    async def find(case: Case, path: Mapping[str, str], _wanted: str) -> Found:
        sql = f"SELECT id FROM {table} WHERE account_id = ? {where} ORDER BY created_at DESC LIMIT 1"  # noqa: S608
        row = await case.one(sql, case.account_id)
        return Found(str(row["id"])) if row is not None else made(case, path, name, create, takes, body)

    return find


def made(case: Case, path: Mapping[str, str], name: str, create: str, takes: str, body: Any = None) -> Found:
    """A thing to be made by an operation, with a body of the document's where none is given."""
    operation = case.spec.operations[create]
    if body is None and operation.body is not None:
        body = examples_of(case.spec, operation.path, operation.method, "application/json")[0]
    ask = case.beside(operation.method, "", body, **{name: takes}).at_path(operation, _only(operation, path))
    return Found(f"${name}", (ask,))


def _only(operation: Operation, path: Mapping[str, str]) -> dict[str, str]:
    return {p.name: path[p.name] for p in operation.parameters if p.location == "path" and p.name in path}


async def _member(case: Case, path: Mapping[str, str], _wanted: str) -> Found:
    row = await case.one(
        """SELECT user_id AS id FROM members WHERE account_id = ? AND user_id <> ?
           ORDER BY role = 'owner', joined_at LIMIT 1""",
        case.account_id, case.exchange.principal_id or "",
    )  # fmt: skip
    if row is not None:
        return Found(str(row["id"]))
    return made(case, path, "CHASER_USER_ID", "add-current-member", "/member/user_id")


async def _key(case: Case, path: Mapping[str, str], _wanted: str) -> Found:
    if "said" in path:
        row = await case.one(
            "SELECT id FROM keys WHERE service_account_id = ? AND revoked_at IS NULL ORDER BY created_at DESC LIMIT 1",
            path["said"],
        )
        create = "create-current-service-account-key"
    else:
        row = await case.one(
            """SELECT id FROM keys WHERE user_id = ? AND account_id = ? AND revoked_at IS NULL
               ORDER BY id = ?, created_at DESC LIMIT 1""",
            case.exchange.principal_id or "", case.account_id, case.exchange.key_id or "",
        )  # fmt: skip
        create = "create-key"
    return Found(str(row["id"])) if row is not None else made(case, path, "CHASER_KEY_ID", create, "/id", {})


async def _ssh_key(case: Case, path: Mapping[str, str], _wanted: str) -> Found:
    row = await case.one(
        "SELECT id FROM ssh_keys WHERE account_id = ? AND user_id = ? ORDER BY created_at DESC LIMIT 1",
        case.account_id, case.exchange.principal_id or "",
    )  # fmt: skip
    return (
        Found(str(row["id"])) if row is not None else made(case, path, "CHASER_SSH_KEY_ID", "create-ssh-key", "/key/id")
    )


async def _delivery(case: Case, path: Mapping[str, str], _wanted: str) -> Found:
    row = await case.one(
        "SELECT id FROM deliveries WHERE account_id = ? ORDER BY created_at DESC LIMIT 1", case.account_id
    )
    return Found(str(row["id"])) if row is not None else delivery(case)


def delivery(case: Case) -> Found:
    """A delivery to be had: a webhook, something for it to be told of, and a look at what was told."""
    hook = case.beside("POST", "/v1/webhooks", {"url": "http://localhost:9000/hooks"})
    event = case.beside("POST", "/v1/sessions", {"session_type": _SANDBOX, "ephemeral": True})
    listed = case.beside("GET", "/v1/webhooks/deliveries", None, CHASER_DELIVERY_ID="/deliveries/0/id")
    return Found("$CHASER_DELIVERY_ID", (hook, event, listed))


def _of_assistant(table: str, name: str, create: str, where: str = "") -> Finding:
    """The newest row of an assistant, or the request that makes one."""

    async def find(case: Case, path: Mapping[str, str], _wanted: str) -> Found:
        sql = f"SELECT id FROM {table} WHERE assistant_id = ? {where} ORDER BY created_at DESC LIMIT 1"  # noqa: S608
        row = await case.one(sql, path["id"])
        return Found(str(row["id"])) if row is not None else made(case, path, name, create, "/id")

    return find


async def _target(case: Case, path: Mapping[str, str], _wanted: str) -> Found:
    listing = case.spec.operations["list-browser-targets"]
    look = case.beside("GET", "", None, CHASER_TARGET_ID="/0/id").at_path(listing, {"id": path["id"]})
    return Found("$CHASER_TARGET_ID", (look,))


_JOB = {"kind": "sandbox.exec", "input": {"command": "true", "ephemeral": True}}

_webhook = _of_table("webhooks", "CHASER_WEBHOOK_ID", "create-webhook", "/webhook/id", where="AND deleted_at IS NULL")
_service_account = _of_table(
    "service_accounts", "CHASER_SERVICE_ACCOUNT_ID", "create-current-service-account", "/service_account/id"
)
_change = _of_assistant(
    "assistant_config_changes",
    "CHASER_CHANGE_ID",
    "create-assistant-config-change-request",
    "AND status = 'pending'",
)

assistant: Finding = _of_table("assistants", "CHASER_ASSISTANT_ID", "create-assistant", "/assistant/id")
"""Any assistant of the account, or one to be made."""

THINGS: Mapping[tuple[str, str], tuple[str, Finding]] = {
    ("sessions", "id"): ("session", _session),
    ("workspaces", "ws"): ("workspace", _workspace),
    ("snapshots", "name"): ("snapshot", _snapshot),
    ("commands", "cid"): ("command", _command),
    ("jobs", "id"): ("job", _of_table("jobs", "CHASER_JOB_ID", "create-job", "/id", _JOB)),
    ("webhooks", "id"): ("webhook", _webhook),
    ("deliveries", "did"): ("delivery", _delivery),
    ("keys", "id"): ("API key", _key),
    ("keys", "kid"): ("key", _key),
    ("ssh-keys", "id"): ("SSH key", _ssh_key),
    ("members", "uid"): ("member", _member),
    ("service-accounts", "said"): ("service account", _service_account),
    ("assistants", "id"): ("assistant", assistant),
    ("channels", "bid"): (
        "channel binding",
        _of_assistant("assistant_channels", "CHASER_BINDING_ID", "add-assistant-channel"),
    ),
    ("config-change-requests", "rid"): ("config change request", _change),
    ("activate", "target"): ("page", _target),
    ("close", "target"): ("page", _target),
    ("page", "target"): ("page", _target),
}
"""What a parameter of a path names, by what stands before it: the word for it, and where one is found."""


def thing(operation: Operation, parameter: str) -> tuple[str, Finding] | None:
    """What a parameter of an operation's path names."""
    parts: Sequence[str] = operation.path.strip("/").split("/")
    index = parts.index(f"{{{parameter}}}")
    return THINGS.get((parts[index - 1], parameter))


_EXISTS: Mapping[str, str] = {
    "session": "SELECT 1 FROM sessions WHERE account_id = ?1 AND id = ?2",
    "workspace": "SELECT 1 FROM workspaces WHERE account_id = ?1 AND (id = ?2 OR name = ?2)",
    "snapshot": """SELECT 1 FROM snapshots JOIN workspaces ON workspaces.id = snapshots.workspace_id
                   WHERE workspaces.account_id = ?1 AND snapshots.name = ?2""",
    "command": """SELECT 1 FROM commands JOIN sessions ON sessions.id = commands.session_id
                  WHERE sessions.account_id = ?1 AND commands.id = ?2""",
    "job": "SELECT 1 FROM jobs WHERE account_id = ?1 AND id = ?2",
    "webhook": "SELECT 1 FROM webhooks WHERE account_id = ?1 AND id = ?2 AND deleted_at IS NULL",
    "delivery": "SELECT 1 FROM deliveries WHERE account_id = ?1 AND id = ?2",
    "API key": "SELECT 1 FROM keys WHERE account_id = ?1 AND id = ?2 AND user_id = ?3",
    "key": "SELECT 1 FROM keys WHERE account_id = ?1 AND id = ?2 AND service_account_id IS NOT NULL",
    "SSH key": "SELECT 1 FROM ssh_keys WHERE account_id = ?1 AND id = ?2 AND user_id = ?3",
    "member": "SELECT 1 FROM members WHERE account_id = ?1 AND user_id = ?2",
    "service account": "SELECT 1 FROM service_accounts WHERE account_id = ?1 AND id = ?2",
    "assistant": "SELECT 1 FROM assistants WHERE account_id = ?1 AND id = ?2",
    "channel binding": "SELECT 1 FROM assistant_channels WHERE account_id = ?1 AND id = ?2",
    "config change request": """SELECT 1 FROM assistant_config_changes JOIN assistants
                                ON assistants.id = assistant_config_changes.assistant_id
                                WHERE assistants.account_id = ?1 AND assistant_config_changes.id = ?2""",
}
"""Whether there is such a thing: the account, the name, and who asks."""

_BY_NAME = ("workspace", "snapshot")


async def exists(case: Case, word: str, name: str) -> bool:
    """Whether there is such a thing in the account. Pages of browsers are in no table, and believed until refused."""
    if word not in _EXISTS:
        return case.error.code != "not_found"
    sql = _EXISTS[word]
    values = [case.account_id, name if word in _BY_NAME else name.lower(), case.exchange.principal_id or ""]
    return await case.one(sql, *values[: 3 if "?3" in sql else 2]) is not None


async def repositories(case: Case) -> list[str]:
    """The repositories that this emulator can read."""
    try:
        return [one.repository for one in await case.world.repositories.listed()]
    except ApiError:
        return []


async def settled(case: Case, path: Mapping[str, str]) -> tuple[dict[str, str], tuple[Ask, ...]]:
    """The path's parameters with things that are there in them, and what is to be made first."""
    assert case.operation is not None  # noqa: S101 - the caller looked
    found = dict(path)
    first: tuple[Ask, ...] = ()
    for name, value in path.items():
        known = thing(case.operation, name)
        # What belongs to another thing than the one that was named cannot be the one that was named.
        if known is None or (found == path and not first and await exists(case, known[0], value)):
            continue
        one = await known[1](case, found, value)
        if one is not None:
            found[name] = one.name
            first += one.first
    return found, first
