"""What requests are about, really made in the account of a stage: sandboxes, workspaces, jobs, webhooks."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from chaser_emulator.errors import ApiError
from chaser_emulator.provoking.stage import Stage
from chaser_emulator.store import sessions

FAR = "2100-01-01T00:00:00Z"
"""When jobs are to run that are not meant to."""

NOWHERE = "http://127.0.0.1:9/provoked"
"""A receiver of webhooks that does not answer."""


async def session(stage: Stage, workspace: str | None = None) -> str:
    """A sandbox that runs, on a workspace or without one."""
    body = {"ephemeral": True} if workspace is None else {"workspace": workspace}
    made = await stage.perform("create-session", body)
    if made["status"] != "running":
        raise ApiError(
            "invalid_state", f"no sandbox can be started now: {made.get('failure_reason') or made['status']}"
        )
    where = "" if workspace is None else f" on workspace {workspace}"
    stage.say(f"a sandbox that runs{where}: session {made['id']}")

    async def end() -> None:
        row = await sessions.get(stage.world.store, made["id"])
        if row is not None and row["status"] == sessions.TERMINATING:
            stage.world.lifecycle.stop_again(row)
        await stage.perform("terminate-session", id=made["id"], query={"force": True})

    stage.undo(end)
    return str(made["id"])


async def workspace(stage: Stage, **fields: Any) -> str:
    """An empty workspace, by its id."""
    made = await stage.perform("create-workspace", {"session_type": "sandbox", "name": stage.name(), **fields})
    stage.say(f"a workspace, {made['name']}")
    delete_own_workspace(stage, made["id"])
    return str(made["id"])


def delete_own(stage: Stage, operation_id: str, path: dict[str, str], query: dict[str, Any] | None = None) -> None:
    """Have something that was made in the user's account deleted in the end."""

    async def delete() -> None:
        await stage.perform_at(operation_id, path, query=query)

    stage.undo_own(delete)


def delete_own_workspace(stage: Stage, workspace_id: str) -> None:
    """The same for a workspace, whatever works on it then."""
    delete_own(stage, "delete-workspace", {"ws": workspace_id}, query={"force": True})


async def snapshot(stage: Stage, workspace_id: str) -> str:
    made = await stage.perform("create-workspace-snapshot", {"name": stage.name()}, ws=workspace_id)
    stage.say(f"a snapshot of it, {made['id']}")
    if "ws" in stage.given:
        # Else it goes with the workspace.
        path = {"ws": workspace_id, "name": str(made["id"])}
        delete_own(stage, "delete-workspace-snapshot", path, query={"force": True})
    return str(made["id"])


async def command(stage: Stage, session_id: str, text: str = "sleep 3600") -> str:
    """A command in the background."""
    made = await stage.perform("exec-session", {"command": text, "background": True}, id=session_id)
    stage.say(f"a command in the background, `{text}`")
    return str(made["command_id"])


async def job(stage: Stage, **fields: Any) -> str:
    """A job that waits for a day that is far away."""
    body = {"kind": "sandbox.exec", "input": {"ephemeral": True, "command": "true"}, "run_at": FAR, **fields}
    made = await stage.perform("create-job", body)
    stage.say(f"a job that waits: {made['id']}")

    async def cancel() -> None:
        await stage.perform("cancel-job", id=made["id"])

    stage.undo(cancel)
    return str(made["id"])


async def canceled_job(stage: Stage) -> str:
    """A job that is final."""
    job_id = await job(stage)
    await stage.perform("cancel-job", id=job_id)
    stage.say("it was canceled")
    return job_id


async def webhook(stage: Stage, *events: str) -> str:
    """A webhook to a receiver that does not answer; by default it is told of nothing that happens by itself."""
    body = {"url": NOWHERE, "description": "provoked", "events": list(events or ["assistant.alert"])}
    made = await stage.perform("create-webhook", body)
    webhook_id = str(made["webhook"]["id"])
    stage.say(f"a webhook, {webhook_id}")

    async def delete() -> None:
        await stage.perform("delete-webhook", id=webhook_id)

    stage.undo(delete)
    return webhook_id


async def delivery(stage: Stage) -> str:
    """A delivery that is pending: its receiver does not answer."""
    webhook_id = await webhook(stage, "job.queued")
    await job(stage)
    found = await stage.perform("list-webhook-deliveries", query={"webhook_id": webhook_id})
    stage.say("a delivery to it, which is pending")
    return str(found["deliveries"][0]["id"])


async def given_up(stage: Stage) -> str:
    """A delivery that was given up."""
    delivery_id = await delivery(stage)
    await stage.perform("discard-webhook-delivery", did=delivery_id)
    stage.say("it was given up")
    return delivery_id


async def key(stage: Stage) -> str:
    """The id of an API key."""
    made = await stage.perform("create-key", {"name": stage.name()})
    stage.say(f"an API key, {made['name']}")
    delete_own(stage, "revoke-key", {"id": made["id"]})
    return str(made["id"])


def public_key() -> str:
    """A public key that nobody has registered: any 32 bytes are one."""
    data = b"\0\0\0\x0bssh-ed25519\0\0\0 " + secrets.token_bytes(32)
    return f"ssh-ed25519 {base64.b64encode(data).decode('ascii')} provoked"


async def ssh_key(stage: Stage) -> str:
    made = await stage.perform("create-ssh-key", {"public_key": public_key(), "name": stage.name()})
    stage.say(f"an SSH key, {made['key']['name']}")
    delete_own(stage, "delete-ssh-key", {"id": made["key"]["id"]})
    return str(made["key"]["id"])


async def assistant(stage: Stage) -> str:
    made = await stage.perform("create-assistant", {"name": stage.name()})
    stage.say(f"an assistant, {made['assistant']['name']}")
    # It cannot be deleted itself; its home is a workspace, of which the plan allows only so many.
    delete_own_workspace(stage, made["assistant"]["workspace_id"])
    return str(made["assistant"]["id"])


async def channel(stage: Stage, assistant_id: str, channel_id: str | None = None) -> str:
    body = {"channel_type": "telegram", "channel_id": channel_id or stage.name()}
    made = await stage.perform("add-assistant-channel", body, id=assistant_id)
    stage.say(f"a channel of it, {body['channel_id']}")
    return str(made["id"])


async def change_request(stage: Stage, assistant_id: str) -> str:
    """A change of an assistant that waits for a decision."""
    body = {"patch": {"system_prompt": "provoked"}, "reason": "provoked"}
    made = await stage.perform("create-assistant-config-change-request", body, id=assistant_id)
    stage.say("a change of its configuration that waits for a decision")
    return str(made["id"])


async def service_account(stage: Stage) -> str:
    """One in the organization of the stage."""
    await stage.enter_organization()
    made = await stage.perform("create-current-service-account", {"name": stage.name()})
    stage.say(f"a service account, {made['service_account']['name']}")
    delete_own(stage, "delete-current-service-account", {"said": made["service_account"]["id"]})
    return str(made["service_account"]["id"])


async def service_account_key(stage: Stage, service_account_id: str) -> str:
    made = await stage.perform("create-current-service-account-key", {"name": stage.name()}, said=service_account_id)
    stage.say(f"a key of it, {made['name']}")
    return str(made["id"])
