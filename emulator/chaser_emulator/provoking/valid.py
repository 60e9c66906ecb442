"""A request that succeeds, for every operation of the document: its examples, and what they are about really made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.plans import PLANS
from chaser_emulator.provoking import repositories, resources, stand_in_browser
from chaser_emulator.provoking.requests import ApiRequest
from chaser_emulator.provoking.stage import Stage, unknown_id

FILE = "/workspace/provoked.txt"
"""What is uploaded, and there to be downloaded."""

_MANIFEST = b'{"manifest_version": 3, "name": "provoked", "version": "1.0"}'


@dataclass(frozen=True)
class Needs:
    """What a request of one operation has beside its caller."""

    path: dict[str, str] = field(default_factory=dict)
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str | bytes] | None = None


Making = Callable[[Stage], Awaitable[Needs]]

_MAKINGS: dict[str, Making] = {}


def request_of(*operation_ids: str) -> Callable[[Making], Making]:
    """Make a function say what the requests of these operations need."""

    def register(making: Making) -> Making:
        _MAKINGS.update(dict.fromkeys(operation_ids, making))
        return making

    return register


async def request_for(stage: Stage) -> ApiRequest:
    """A request of the stage's operation that succeeds, if nothing else happens before it.

    Raises ApiError `invalid_state` where the world does not let it be made.
    """
    operation = stage.operation
    making = _MAKINGS.get(operation.id)
    needs = await making(stage) if making is not None else Needs()
    headers = stage.caller.headers if operation.secured else {}
    return ApiRequest(
        operation,
        path={**needs.path, **{name: value for name, value in stage.given.items() if name in needs.path}},
        query=needs.query,
        headers=headers,
        body=needs.body,
        form=needs.form,
        upgrade=operation.upgrades,
    )


async def _session(stage: Stage) -> str:
    """The session that the user means, or a new one."""
    return stage.given.get("id") or await resources.session(stage)


async def _workspace(stage: Stage) -> str:
    return stage.given.get("ws") or await resources.workspace(stage)


async def _assistant(stage: Stage) -> str:
    return stage.given.get("id") or await resources.assistant(stage)


# Accounts


@request_of("create-organization", "create-assistant")
async def _named(stage: Stage) -> Needs:
    return Needs(body={"name": stage.name()})


@request_of("list-current-members", "list-current-service-accounts")
async def _in_organization(stage: Stage) -> Needs:
    await stage.enter_organization()
    return Needs()


@request_of("create-current-service-account")
async def _new_service_account(stage: Stage) -> Needs:
    await stage.enter_organization()
    return Needs(body={"name": stage.name()})


@request_of("add-current-member")
async def _new_member(stage: Stage) -> Needs:
    await stage.enter_organization()
    return Needs(body={"email": f"{stage.name()}@example.com", "role": "member"})


@request_of("remove-current-member", "update-current-member")
async def _member(stage: Stage) -> Needs:
    await stage.enter_organization()
    user_id, email = await stage.member()
    stage.say(f"a member, {email}")
    body = {"role": "admin"} if stage.operation.body is not None else None
    return Needs({"uid": user_id}, body)


@request_of("delete-current-service-account", "list-current-service-account-keys", "create-current-service-account-key")
async def _service_account(stage: Stage) -> Needs:
    found = await resources.service_account(stage)
    return Needs({"said": found}, {"name": stage.name()} if stage.operation.body is not None else None)


@request_of("revoke-current-service-account-key")
async def _service_account_key(stage: Stage) -> Needs:
    found = await resources.service_account(stage)
    return Needs({"said": found, "kid": await resources.service_account_key(stage, found)})


@request_of("create-key")
async def _new_key(stage: Stage) -> Needs:
    return Needs(body={"name": stage.name()})


@request_of("revoke-key")
async def _key(stage: Stage) -> Needs:
    return Needs({"id": stage.given.get("id") or await resources.key(stage)})


@request_of("create-ssh-key")
async def _new_ssh_key(stage: Stage) -> Needs:
    return Needs(body={"public_key": resources.public_key(), "name": stage.name()})


@request_of("delete-ssh-key")
async def _ssh_key(stage: Stage) -> Needs:
    return Needs({"id": stage.given.get("id") or await resources.ssh_key(stage)})


@request_of("update-billing-account")
async def _plan(stage: Stage) -> Needs:
    return Needs(body={"pricing_model": PLANS[stage.caller.account.plan].pricing_model})


@request_of("create-billing-checkout")
async def _checkout(_stage: Stage) -> Needs:
    return Needs(body={"mode": "topup", "amount_usd": 25})


# Signing in


@request_of("register")
async def _new_user(stage: Stage) -> Needs:
    return Needs(body={"email": f"{stage.name()}@example.com", "password": "correct horse"})


@request_of("login")
async def _user(stage: Stage) -> Needs:
    email, password = f"{stage.name()}@example.com", "correct horse"
    await stage.register(email, password)
    stage.say(f"a user with a password, {email}")
    return Needs(body={"email": email, "password": password})


@request_of("finish-google-login", "finish-github-login", "finish-codex-login")
async def _returned(stage: Stage) -> Needs:
    state, code, _verifier = await stage.signed_in(stage.operation.id.split("-")[1])
    return Needs(query={"state": state, "code": code})


@request_of("post-codex-callback")
async def _caught(stage: Stage) -> Needs:
    state, code, verifier = await stage.signed_in("codex")
    return Needs(body={"state": state, "code": code, "code_verifier": verifier})


# Sessions


@request_of("create-session")
async def _new_session(_stage: Stage) -> Needs:
    return Needs(body={"ephemeral": True})


@request_of("exec-sandbox")
async def _one_shot(_stage: Stage) -> Needs:
    return Needs(body={"ephemeral": True, "command": "true"})


@request_of("bulk-terminate-sessions")
async def _sessions(stage: Stage) -> Needs:
    return Needs(body={"ids": [await _session(stage)]})


@request_of(
    "get-session", "terminate-session", "open-session-pty", "self-test-session", "list-session-commands",
)  # fmt: skip
async def _a_session(stage: Stage) -> Needs:
    return Needs({"id": await _session(stage)})


@request_of("exec-session")
async def _exec(stage: Stage) -> Needs:
    return Needs({"id": await _session(stage)}, {"command": "true"})


@request_of("resize-session-pty")
async def _resize(stage: Stage) -> Needs:
    return Needs({"id": await _session(stage)}, {"rows": 50, "cols": 160})


@request_of(
    "get-session-command", "stream-session-command", "write-session-command-stdin", "kill-session-command"
)  # fmt: skip
async def _command(stage: Stage) -> Needs:
    session_id = await _session(stage)
    command_id = stage.given.get("cid") or await resources.command(stage, session_id)
    body = {"write-session-command-stdin": {"input": "yes\n"}, "kill-session-command": {"signal": "TERM"}}
    return Needs({"id": session_id, "cid": command_id}, body.get(stage.operation.id))


@request_of("upload-session-file")
async def _upload(stage: Stage) -> Needs:
    return Needs({"id": await _session(stage)}, form={"path": FILE, "file": b"first line\n"})


@request_of("download-session-file")
async def _download(stage: Stage) -> Needs:
    session_id = await _session(stage)
    await stage.write_file(session_id, FILE, b"first line\n")
    return Needs({"id": session_id}, query={"path": FILE})


# Browsers


@request_of(
    "get-browser-version", "list-browser-targets", "list-browser-targets-shortly", "get-browser-protocol",
    "open-browser-target-by-get", "open-browser-target", "activate-browser-target", "close-browser-target",
    "connect-browser", "connect-browser-target", "upload-browser-extension",
)  # fmt: skip
async def _browser(stage: Stage) -> Needs:
    session_id, stand_in = await stand_in_browser.browser(stage)
    stage.browser = stand_in
    path = {"id": session_id}
    if "{target}" in stage.operation.path:
        path["target"] = stand_in.page
    if "{guid}" in stage.operation.path:
        path["guid"] = stand_in.guid
    query = {"url": "about:blank"} if stage.operation.path.endswith("/new") else {}
    form: dict[str, str | bytes] | None = None
    if stage.operation.id == "upload-browser-extension":
        form = {"file": _extension()}
    return Needs(path, query=query, form=form)


def _extension() -> bytes:
    """The smallest extension there is."""
    import io
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("manifest.json", _MANIFEST)
    return archive.getvalue()


# Workspaces


@request_of("create-workspace")
async def _new_workspace(stage: Stage) -> Needs:
    return Needs(body={"session_type": "sandbox", "name": stage.name()})


@request_of("delete-workspace", "list-workspace-snapshots")
async def _a_workspace(stage: Stage) -> Needs:
    return Needs({"ws": await _workspace(stage)})


@request_of("bulk-delete-workspaces")
async def _workspaces(stage: Stage) -> Needs:
    return Needs(body={"ids": [await _workspace(stage)]})


@request_of("set-workspace-name")
async def _rename(stage: Stage) -> Needs:
    return Needs({"ws": await _workspace(stage)}, {"name": stage.name()})


@request_of("set-workspace-template")
async def _template(stage: Stage) -> Needs:
    return Needs({"ws": await _workspace(stage)}, {"template": True})


@request_of("import-workspace")
async def _import(stage: Stage) -> Needs:
    repository = await repositories.repository(stage)
    return Needs(body={"github_repo": repository, "name": stage.name()})


@request_of("create-workspace-snapshot")
async def _new_snapshot(stage: Stage) -> Needs:
    return Needs({"ws": await _workspace(stage)}, {"name": stage.name()})


@request_of("restore-workspace-snapshot", "delete-workspace-snapshot")
async def _snapshot(stage: Stage) -> Needs:
    workspace_id = await _workspace(stage)
    name = stage.given.get("name") or await resources.snapshot(stage, workspace_id)
    return Needs({"ws": workspace_id, "name": name}, {} if stage.operation.body is not None else None)


# Jobs and webhooks


@request_of("create-job")
async def _new_job(stage: Stage) -> Needs:
    given = {"ephemeral": True, "command": "true"}
    key = stage.name()
    return Needs(body={"kind": "sandbox.exec", "input": given, "run_at": resources.FAR, "idempotency_key": key})


@request_of("get-job", "cancel-job")
async def _job(stage: Stage) -> Needs:
    return Needs({"id": stage.given.get("id") or await resources.job(stage)})


@request_of("retry-job")
async def _final_job(stage: Stage) -> Needs:
    return Needs({"id": stage.given.get("id") or await resources.canceled_job(stage)})


@request_of("create-webhook")
async def _new_webhook(_stage: Stage) -> Needs:
    return Needs(body={"url": resources.NOWHERE, "description": "provoked", "events": ["assistant.alert"]})


@request_of("delete-webhook")
async def _webhook(stage: Stage) -> Needs:
    return Needs({"id": stage.given.get("id") or await resources.webhook(stage)})


@request_of("get-webhook-delivery", "discard-webhook-delivery")
async def _delivery(stage: Stage) -> Needs:
    return Needs({"did": stage.given.get("did") or await resources.delivery(stage)})


@request_of("replay-webhook-delivery")
async def _given_up(stage: Stage) -> Needs:
    return Needs({"did": stage.given.get("did") or await resources.given_up(stage)})


# Assistants


@request_of(
    "get-assistant", "pause-assistant", "resume-assistant", "get-assistant-runtime-state", "list-assistant-usage-events"
)  # fmt: skip
async def _an_assistant(stage: Stage) -> Needs:
    return Needs({"id": await _assistant(stage)})


@request_of(
    "update-assistant", "add-assistant-channel", "put-assistant-runtime-state", "create-assistant-usage-event",
    "create-assistant-config-change-request",
)  # fmt: skip
async def _assistant_with_body(stage: Stage) -> Needs:
    bodies: dict[str, Any] = {
        "update-assistant": {"name": stage.name()},
        "add-assistant-channel": {"channel_type": "telegram", "channel_id": stage.name()},
        "put-assistant-runtime-state": {"state": {"greeted": ["ada"]}},
        "create-assistant-usage-event": {"kind": "tokens", "quantity": 1},
        "create-assistant-config-change-request": {"patch": {"system_prompt": "provoked"}, "reason": "provoked"},
    }
    return Needs({"id": await _assistant(stage)}, bodies[stage.operation.id])


@request_of("remove-assistant-channel")
async def _channel(stage: Stage) -> Needs:
    assistant_id = await _assistant(stage)
    return Needs({"id": assistant_id, "bid": stage.given.get("bid") or await resources.channel(stage, assistant_id)})


@request_of("approve-assistant-config-change-request", "deny-assistant-config-change-request")
async def _change(stage: Stage) -> Needs:
    assistant_id = await _assistant(stage)
    return Needs(
        {"id": assistant_id, "rid": stage.given.get("rid") or await resources.change_request(stage, assistant_id)}
    )


@request_of("store-assistant-credential")
async def _new_credential(stage: Stage) -> Needs:
    return Needs(body={"name": stage.name(), "value": "no secret at all"})


@request_of("resolve-assistant-credential")
async def _credential(stage: Stage) -> Needs:
    assistant_id, name = await resources.assistant(stage), stage.name()
    await stage.perform("store-assistant-credential", {"name": name, "value": "no secret at all"})
    stage.say(f"a credential, {name}")
    return Needs(body={"assistant_id": assistant_id, "name": name})


@request_of("resolve-assistant-channel")
async def _bound(stage: Stage) -> Needs:
    name = stage.name()
    await resources.channel(stage, await resources.assistant(stage), name)
    return Needs(body={"channel_type": "telegram", "channel_id": name})


@request_of("mcp-handler")
async def _mcp(_stage: Stage) -> Needs:
    return Needs(body={"jsonrpc": "2.0", "id": 1, "method": "ping"})


def nobody() -> str:
    """A state of a sign-in that nobody has begun."""
    return unknown_id()
