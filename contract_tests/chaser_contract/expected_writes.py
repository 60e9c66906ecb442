"""Expected writes: each write of an account, one after the other, with what is otherwise after it and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Answer
from chaser_contract.subject import Subject
from chaser_contract.waiting import until


@dataclass(frozen=True)
class Write:
    """A write, and what is otherwise after it: kinds created and deleted, fields changed, events told in order."""

    operation: str
    request: dict[str, Any] = field(default_factory=dict)
    created: Sequence[str] = ()
    deleted: Sequence[str] = ()
    changed: Sequence[str] = ()
    events: Sequence[str] = ()
    after: Callable[[Answer], object] | None = None
    """Waits for what goes on by itself."""


_USED = ("workspace.status", "workspace.active_session_id")


def personal(chaser: Subject) -> Iterator[Write]:
    """Every write of a personal account, each after the one before."""
    disk, other = making.workspace(chaser), making.workspace(chaser)
    making.waiting_job(chaser)
    yield Write(
        "create-session", {"json": {"ephemeral": True}}, ["session"],
        events=["session.created", "session.running"], after=lambda told: making.ready(chaser, told.json["id"]),
    )  # fmt: skip
    live: list[str] = []
    yield Write(
        "create-session", {"json": {"workspace": disk["name"]}}, ["session"],
        changed=[*_USED, "workspace.last_session_id"], events=["session.created", "session.running"],
        after=lambda told: live.append(making.ready(chaser, told.json["id"])["id"]),
    )  # fmt: skip
    yield Write("create-session", {"json": {"workspace": disk["name"]}})
    yield Write("exec-session", {"id": live[0], "json": {"command": "true"}})
    yield Write("exec-sandbox", {"json": {"workspace": disk["name"], "command": "true"}})
    yield Write(
        "exec-sandbox", {"json": {"ephemeral": True, "command": "true"}},
        events=["session.created", "session.running", "session.terminated"],
    )  # fmt: skip
    command: list[str] = []
    yield Write(
        "exec-session", {"id": live[0], "json": {"command": "sleep 900", "background": True}}, ["command"],
        after=lambda told: command.append(told.json["command_id"]),
    )  # fmt: skip
    yield Write(
        "kill-session-command", {"id": live[0], "cid": command[0], "json": {}},
        changed=["command.exit_code", "command.finished_at_epoch", "command.status"], events=["command.finished"],
        after=lambda _: until(
            lambda: chaser.ask("get-session-command", id=live[0], cid=command[0], expect=200),
            lambda told: told["status"] == "killed",
            "a command that is killed ends",
        ),
    )  # fmt: skip
    files = {"path": (None, b"a.txt"), "file": ("a.txt", b"hello")}
    yield Write("upload-session-file", {"id": live[0], "files": files})
    yield Write("resize-session-pty", {"id": live[0], "json": {"rows": 30, "cols": 90}})
    yield Write("self-test-session", {"id": live[0]})
    yield Write(
        "terminate-session", {"id": live[0]}, deleted=["command", "session"], changed=_USED,
        events=["session.terminated"],
    )  # fmt: skip
    yield Write("terminate-session", {"id": live[0]})
    yield Write("bulk-terminate-sessions", {"json": {"all": True}}, deleted=["session"], events=["session.terminated"])
    yield Write("create-workspace", {"json": {"session_type": "browser"}}, ["workspace"], events=["workspace.created"])
    yield Write("create-workspace", {"json": {"clone_from": disk["id"]}}, ["workspace"], events=["workspace.created"])
    yield Write(
        "set-workspace-name", {"ws": disk["id"], "json": {"name": chaser.name()}},
        changed=["workspace.name"], events=["workspace.renamed"],
    )  # fmt: skip
    yield Write(
        "set-workspace-template", {"ws": disk["id"], "json": {"template": True}}, changed=["workspace.template"]
    )
    for name in ("one", "two"):
        yield Write(
            "create-workspace-snapshot", {"ws": disk["id"], "json": {"name": name}}, ["snapshot"],
            events=["workspace.snapshot.created"],
        )  # fmt: skip
    yield Write(
        "restore-workspace-snapshot", {"ws": disk["id"], "name": "one"}, changed=["snapshot.restored_at"],
        events=["workspace.snapshot.restored"],
    )  # fmt: skip
    yield Write(
        "delete-workspace-snapshot", {"ws": disk["id"], "name": "one"}, deleted=["snapshot"],
        events=["workspace.snapshot.deleted"],
    )  # fmt: skip
    yield Write("delete-workspace", {"ws": disk["id"]}, deleted=["snapshot", "workspace"], events=["workspace.deleted"])
    yield Write(
        "bulk-delete-workspaces", {"json": {"ids": [other["name"], "nothing"]}}, deleted=["workspace"],
        events=["workspace.deleted"],
    )  # fmt: skip
    yield from _jobs(chaser)
    yield from _keys(chaser)
    yield from _assistants(chaser)
    yield Write("create-organization", {"json": {"name": chaser.name("org")}}, ["account"])
    yield Write(
        "update-billing-account", {"json": {"pricing_model": "subscription", "plan_code": "team"}},
        changed=["billing.limits", "billing.plan_code"], events=["billing.updated"],
    )  # fmt: skip


def _jobs(chaser: Subject) -> Iterator[Write]:
    made: list[str] = []
    said = {"kind": "session.terminate", "input": {"session_id": UNKNOWN}, "idempotency_key": chaser.name("key")}
    later = {**said, "run_at": making.LATER}
    yield Write(
        "create-job", {"json": later}, ["job"], events=["job.queued"], after=lambda told: made.append(told.json["id"])
    )
    yield Write("create-job", {"json": said})
    yield Write("cancel-job", {"id": made[0]}, changed=["job.status", "job.updated_at"], events=["job.canceled"])
    yield Write(
        "retry-job", {"id": made[0]}, changed=["job.error", "job.run_at", "job.status", "job.updated_at"],
        events=["job.queued", "job.started", "job.failed"], after=lambda _: making.finished_job(chaser, made[0]),
    )  # fmt: skip


def _keys(chaser: Subject) -> Iterator[Write]:
    made: list[str] = []
    yield Write("create-key", {"json": {}}, ["key"], after=lambda told: made.append(told.json["id"]))
    yield Write("revoke-key", {"id": made[0]}, changed=["key.revoked"])
    yield Write("revoke-key", {"id": made[0]})
    yield Write(
        "create-ssh-key", {"json": {"public_key": making.ssh_line(chaser)}}, ["SSH key"],
        after=lambda told: made.append(told.json["key"]["id"]),
    )  # fmt: skip
    yield Write("delete-ssh-key", {"id": made[1]}, deleted=["SSH key"])
    yield Write(
        "create-webhook", {"json": {"url": "http://127.0.0.1:9/", "events": ["assistant.*"]}}, ["webhook"],
        after=lambda told: made.append(told.json["webhook"]["id"]),
    )  # fmt: skip
    yield Write("delete-webhook", {"id": made[2]}, deleted=["webhook"])


def _assistants(chaser: Subject) -> Iterator[Write]:
    parts = ["assistant", "get-assistant-runtime-state", "list-assistant-usage-events", "workspace"]
    made: list[str] = []
    for _ in range(2):
        yield Write(
            "create-assistant", {"json": {"name": "helper", "config": {"a": 1}}}, parts, events=["workspace.created"],
            after=lambda told: made.append(told.json["assistant"]["id"]),
        )  # fmt: skip
    one, configured = made[0], ["assistant.config", "assistant.config_version", "assistant.updated_at"]
    path = {"id": one}
    yield Write("update-assistant", {**path, "json": {"name": "b"}}, changed=["assistant.name", "assistant.updated_at"])
    yield Write("update-assistant", {**path, "json": {"config": {"b": 2}}}, changed=configured)
    yield Write("update-assistant", {**path, "json": {"config": {"b": 2}}})
    yield Write("pause-assistant", path, changed=["assistant.status", "assistant.updated_at"])
    yield Write("pause-assistant", path)
    yield Write("resume-assistant", path, changed=["assistant.status", "assistant.updated_at"])
    bound = ["assistant.channels", "assistant.updated_at"]
    said = {"channel_type": "telegram", "channel_id": "1"}
    yield Write(
        "add-assistant-channel", {**path, "json": said}, changed=bound,
        after=lambda told: made.append(told.json["id"]),
    )  # fmt: skip
    yield Write("resolve-assistant-channel", {"json": said})
    yield Write("remove-assistant-channel", {**path, "bid": made[2]}, changed=bound)
    yield Write("store-assistant-credential", {"json": {"name": "bot", "value": "secret"}})
    yield Write("resolve-assistant-credential", {"json": {"assistant_id": one, "name": "bot"}})
    yield Write(
        "put-assistant-runtime-state", {**path, "json": {"state": [1]}},
        changed=[f"get-assistant-runtime-state.{name}" for name in ("state", "updated_at", "version")],
    )  # fmt: skip
    yield Write(
        "create-assistant-usage-event", {**path, "json": {"kind": "tokens", "quantity": 3}},
        changed=["list-assistant-usage-events.events", "list-assistant-usage-events.totals"],
    )  # fmt: skip
    for word, changed in (("deny", []), ("approve", configured)):
        yield Write(
            "create-assistant-config-change-request", {**path, "json": {"patch": {"a": word}}},
            after=lambda told: made.append(told.json["id"]),
        )  # fmt: skip
        yield Write(f"{word}-assistant-config-change-request", {**path, "rid": made[-1]}, changed=changed)


def of_organization(chaser: Subject) -> Iterator[Write]:
    """Every write that only an organization has."""
    made: list[str] = []
    said = {"email": f"{chaser.name('member')}@example.com"}
    yield Write(
        "add-current-member", {"json": said}, ["member"], after=lambda told: made.append(told.json["member"]["user_id"])
    )
    yield Write("update-current-member", {"uid": made[0], "json": {"role": "admin"}}, changed=["member.role"])
    yield Write("update-current-member", {"uid": made[0], "json": {"role": "admin"}})
    yield Write(
        "update-current-member", {"uid": made[0], "json": {"role": "owner"}}, changed=["member.owner", "member.role"]
    )
    yield Write("remove-current-member", {"uid": made[0]}, deleted=["member"])
    for _ in range(2):
        yield Write(
            "create-current-service-account", {"json": {"name": "robot"}}, ["service account"],
            after=lambda told: made.append(told.json["service_account"]["id"]),
        )  # fmt: skip
    robot = {"said": made[1]}
    for _ in range(2):
        yield Write(
            "create-current-service-account-key", {**robot, "json": {}}, ["service account's key"],
            after=lambda told: made.append(told.json["id"]),
        )  # fmt: skip
    yield Write(
        "revoke-current-service-account-key", {**robot, "kid": made[3]}, changed=["service account's key.revoked"]
    )
    yield Write("revoke-current-service-account-key", {**robot, "kid": made[3]})
    yield Write(
        "delete-current-service-account", robot,
        deleted=["service account", "service account's key", "service account's key"],
    )  # fmt: skip
    yield Write("create-key", {"json": {"scopes": ["audit.read"]}}, ["key"])
    yield Write("create-workspace", {"json": {"session_type": "sandbox"}}, ["workspace"], events=["workspace.created"])
