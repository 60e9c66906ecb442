"""Rows of the store as the API shows them, for answers and for the data of events alike."""

from __future__ import annotations

import json
from typing import Any, TypeVar, cast

from chaser_emulator.clock import moment
from chaser_emulator.shapes import (
    AccountInfo,
    AccountMemberInfo,
    ApiKeyInfo,
    AuditEventInfo,
    CreateApiKeyResponse,
    CustomerWebhookDeliveryInfo,
    CustomerWebhookInfo,
    Endpoints,
    JobInfo,
    ServiceAccountInfo,
    SessionCommandInfo,
    SessionInfo,
    SshKeyInfo,
    UserInfo,
    WebhookEvent,
    WorkspaceInfo,
    WorkspaceSnapshotInfo,
)
from chaser_emulator.store import Row

Shape = TypeVar("Shape")


def present(shape: type[Shape], **fields: Any) -> Shape:
    """An object of this shape without the fields that are None: absent, not null."""
    return cast("Shape", {name: value for name, value in fields.items() if value is not None})


def session_info(row: Row, base_url: str, leases: int | None) -> SessionInfo:
    """SessionInfo of a row of `sessions`."""
    return {
        "id": row["id"],
        "session_type": row["session_type"],
        "status": row["status"],
        "created_at": row["created_at"],
        "endpoints": _endpoints(row, f"{base_url}/s/{row['id']}/"),
        "workspace_id": row["workspace_id"],
        "persistence": not row["ephemeral"],
        "active_connection_leases": leases,
    }


def _endpoints(row: Row, control: str) -> Endpoints:
    # The id is the secret of the gateway (S20), so people can open the video without a key.
    return (
        {"control": control, "video": f"{control}video"} if row["session_type"] == "browser" else {"control": control}
    )


def workspace_info(row: Row) -> WorkspaceInfo:
    """WorkspaceInfo of a row of `workspaces` with its `active_session_id` (W8, W11)."""
    return present(
        WorkspaceInfo,
        id=row["id"],
        name=row["name"] or row["id"],
        created_at=row["created_at"],
        persistence=True,
        session_type=row["session_type"],
        status="active" if row["active_session_id"] else "idle",
        image=row["image"],
        template=bool(row["template"]),
        source_workspace_id=row["source_workspace_id"],
        github_repo=row["github_repo"],
        active_session_id=row["active_session_id"],
        last_session_id=row["last_session_id"],
        assistant_home=bool(row["assistant_home"]),
    )


def snapshot_info(row: Row) -> WorkspaceSnapshotInfo:
    """WorkspaceSnapshotInfo of a row of `snapshots` (W24, W28)."""
    return present(
        WorkspaceSnapshotInfo,
        id=row["name"],
        workspace_id=row["workspace_id"],
        used_bytes=row["used_bytes"],
        created_at=row["created_at"],
        restored_at=row["restored_at"],
    )


def command_info(row: Row, output_bytes: int, truncated: bool, output: str | None = None) -> SessionCommandInfo:
    """SessionCommandInfo of a row of `commands`; `output` only where one command is asked for (X26)."""
    return present(
        SessionCommandInfo,
        command_id=row["id"],
        session_id=row["session_id"],
        status=row["status"],
        command=row["command"],
        cwd=row["cwd"],
        user=row["user"],
        pid=row["pid"],
        exit_code=row["exit_code"],
        started_at_epoch=int(moment(row["started_at"]).timestamp()),
        finished_at_epoch=int(moment(row["finished_at"]).timestamp()) if row["finished_at"] else None,
        output=output,
        output_bytes=output_bytes,
        output_truncated=truncated,
    )


def account_info(row: Row) -> AccountInfo:
    """AccountInfo of a row of `accounts` with the caller's `role` in it; a service account is shown as a member."""
    return {
        "id": row["id"],
        "kind": row["kind"],
        "name": row["name"],
        "role": row["role"] or "member",
        "personal": row["kind"] == "personal",
        "created_at": row["created_at"],
    }


def user_info(row: Row) -> UserInfo:
    """UserInfo of a row of `users`."""
    return present(UserInfo, id=row["id"], email=row["email"], name=row["name"] or None, created_at=row["created_at"])


def member_info(row: Row) -> AccountMemberInfo:
    """AccountMemberInfo of a membership joined with its user (A9)."""
    return present(
        AccountMemberInfo,
        user_id=row["user_id"],
        email=row["email"],
        name=row["name"] or None,
        role=row["role"],
        joined_at=row["joined_at"],
        owner=row["role"] == "owner",
    )


def service_account_info(row: Row) -> ServiceAccountInfo:
    """ServiceAccountInfo of a row of `service_accounts`."""
    return present(
        ServiceAccountInfo,
        id=row["id"],
        name=row["name"],
        created_by_user_id=row["created_by_user_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        disabled=bool(row["disabled"]),
    )


def key_info(row: Row) -> ApiKeyInfo:
    """ApiKeyInfo, or ServiceAccountKeyInfo, of a row of `keys` (A16, A24)."""
    scopes = json.loads(row["scopes"])
    return present(
        ApiKeyInfo,
        id=row["id"],
        key_prefix=row["key_prefix"],
        name=row["name"],
        scopes=scopes,
        full_access=not scopes,
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        revoked=row["revoked_at"],
    )


def created_key(row: Row, secret: str) -> CreateApiKeyResponse:
    """What the answer to a creation shows of a key: the only place where its secret is (A15)."""
    scopes = json.loads(row["scopes"])
    return present(
        CreateApiKeyResponse,
        id=row["id"],
        key=secret,
        key_prefix=row["key_prefix"],
        scopes=scopes,
        full_access=not scopes,
        name=row["name"],
    )


def ssh_key_info(row: Row) -> SshKeyInfo:
    """SshKeyInfo of a row of `ssh_keys`."""
    return present(
        SshKeyInfo,
        id=row["id"],
        name=row["name"],
        public_key=row["public_key"],
        fingerprint=row["fingerprint"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
    )


def webhook_info(row: Row) -> CustomerWebhookInfo:
    """CustomerWebhookInfo of a row of `webhooks`."""
    return present(
        CustomerWebhookInfo,
        id=row["id"],
        url=row["url"],
        description=row["description"],
        events=json.loads(row["events"]),
        signing_secret_preview=row["secret_preview"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def event_payload(row: Row) -> WebhookEvent:
    """What a delivery carries, of its row joined with its event (H2)."""
    return {
        "id": row["event_id"],
        "type": row["event_type"],
        "created_at": row["event_created_at"],
        "account_id": row["account_id"],
        "resource_type": row["resource_type"],
        "resource_id": row["resource_id"],
        "data": json.loads(row["data"]),
    }


def delivery_info(row: Row) -> CustomerWebhookDeliveryInfo:
    """CustomerWebhookDeliveryInfo of a row of `deliveries` joined with its event and webhook (H14)."""
    return present(
        CustomerWebhookDeliveryInfo,
        id=row["id"],
        webhook_id=row["webhook_id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        resource_type=row["resource_type"],
        resource_id=row["resource_id"],
        target_url=row["target_url"],
        status=row["status"],
        attempts=row["attempts"],
        last_http_status=row["last_http_status"],
        last_error=row["last_error"],
        payload=event_payload(row),
        delivered_at=row["delivered_at"],
        replayed_at=row["replayed_at"],
        discarded_at=row["discarded_at"],
        replayed_from_delivery_id=row["replayed_from_delivery_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def audit_event_info(row: Row) -> AuditEventInfo:
    """AuditEventInfo of a row of `audit_events`."""
    return present(
        AuditEventInfo,
        id=row["id"],
        actor_type=row["actor_type"],
        actor_id=row["actor_id"],
        action=row["action"],
        resource_type=row["resource_type"],
        resource_id=row["resource_id"],
        status=row["status"],
        summary=row["summary"],
        metadata=json.loads(row["metadata"]),
        created_at=row["created_at"],
    )


def job_info(row: Row) -> JobInfo:
    """JobInfo of a row of `jobs`."""
    return present(
        JobInfo,
        id=row["id"],
        kind=row["kind"],
        status=row["status"],
        input=json.loads(row["input"]),
        result=json.loads(row["result"]) if row["result"] is not None else None,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        run_at=row["run_at"],
        idempotency_key=row["idempotency_key"],
        error=row["error"],
    )
