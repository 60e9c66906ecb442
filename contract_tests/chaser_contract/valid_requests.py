"""Valid requests: by operation what `Arranged.request_of` sends, and what it has made for it first."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chaser_contract.asking import UNKNOWN

if TYPE_CHECKING:
    from chaser_contract.arranging import Arranged

REPOSITORY = "contract/repository"
"""The one that an emulator of this process can import."""

_NOWHERE = "http://127.0.0.1:9/"
_PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody

Request = dict[str, Any]
"""Fields of an Asking."""

Make = Callable[["Arranged"], Request]

REQUESTS: dict[str, Make] = {}


def _arranges(*operation_ids: str, **request: Any) -> Callable[[Callable[[Arranged], Request]], None]:
    """Register how the request of some operations is made; `request` is what needs nothing made."""

    def register(make: Callable[[Arranged], Request]) -> None:
        for one in operation_ids:
            REQUESTS[one] = lambda arranged: {**request, **make(arranged)}

    return register


def _plainly(*operation_ids: str, **request: Any) -> None:
    _arranges(*operation_ids, **request)(lambda _: {})


_plainly(
    "list-accounts", "get-current-account", "list-assistants", "list-audit-events", "start-google-login",
    "start-github-login", "get-codex-login-url", "get-me", "get-billing-summary", "get-openapi-document", "swagger-ui",
    "list-github-repositories", "list-jobs", "list-job-kinds", "list-keys", "list-sessions", "list-ssh-keys",
    "list-webhooks", "list-webhook-deliveries", "list-workspaces",
)  # fmt: skip

_TOPUP = {"mode": "topup", "amount_usd": 10}
_arranges("create-organization")(lambda a: {"json": {"name": a.chaser.name("org")}})
_arranges("list-current-members", "list-current-service-accounts")(lambda a: {"account": a.organization})
_arranges("add-current-member")(
    lambda a: {"account": a.organization, "json": {"email": f"{a.chaser.name('m')}@example.com", "role": "member"}}
)
_arranges("remove-current-member")(lambda a: {"account": a.organization, "path": {"uid": a.new_member()}})
_arranges("update-current-member", json={"role": "admin"})(
    lambda a: {"account": a.organization, "path": {"uid": a.new_member()}}
)
_arranges("create-current-service-account")(
    lambda a: {"account": a.organization, "json": {"name": a.chaser.name("robot")}}
)
_arranges("delete-current-service-account")(
    lambda a: {"account": a.organization, "path": {"said": a.new_service_account()["id"]}}
)
_arranges("list-current-service-account-keys")(
    lambda a: {"account": a.organization, "path": {"said": a.service_account["id"]}}
)
_arranges("create-current-service-account-key", json={"name": "a key"})(
    lambda a: {"account": a.organization, "path": {"said": a.service_account["id"]}}
)
_arranges("revoke-current-service-account-key")(
    lambda a: {
        "account": a.organization,
        "path": {"said": a.service_account["id"], "kid": a.new_service_account_key()["id"]},
    }
)

_arranges("create-assistant")(lambda a: {"json": {"name": a.chaser.name("assistant"), "config": {"a": 1}}})
_arranges(
    "get-assistant", "pause-assistant", "resume-assistant", "get-assistant-runtime-state", "list-assistant-usage-events"
)(lambda a: {"path": {"id": a.assistant["id"]}})
_arranges("update-assistant", json={"config": {"c": 3}})(lambda a: {"path": {"id": a.assistant["id"]}})
_arranges("put-assistant-runtime-state", json={"state": {"d": 4}})(lambda a: {"path": {"id": a.assistant["id"]}})
_arranges("create-assistant-usage-event", json={"kind": "tokens", "quantity": 1})(
    lambda a: {"path": {"id": a.assistant["id"]}}
)
_arranges("create-assistant-config-change-request", json={"patch": {"b": 2}, "reason": "because"})(
    lambda a: {"path": {"id": a.assistant["id"]}}
)
_arranges("approve-assistant-config-change-request", "deny-assistant-config-change-request")(
    lambda a: {"path": {"id": a.assistant["id"], "rid": a.new_change()}}
)
_arranges("add-assistant-channel")(lambda a: {"path": {"id": a.assistant["id"]}, "json": a.channel()})
_arranges("remove-assistant-channel")(lambda a: {"path": {"id": a.assistant["id"], "bid": a.new_channel()["id"]}})
_arranges("store-assistant-credential")(
    lambda a: {"json": {"name": a.chaser.name("c"), "value": "hidden", "assistant_id": a.assistant["id"]}}
)
_arranges("resolve-assistant-credential")(
    lambda a: {"json": {name: value for name, value in a.new_credential().items() if name != "value"}}
)
_arranges("resolve-assistant-channel")(
    lambda a: {"json": {name: value for name, value in a.new_channel().items() if name.startswith("channel_")}}
)

_arranges("register")(lambda a: {"json": {"email": f"{a.chaser.name('user')}@example.com", "password": _PASSWORD}})
_arranges("login")(lambda a: {"json": {"email": a.new_user()["email"], "password": _PASSWORD}})
_arranges("finish-google-login")(lambda a: {"query": a.returned("google", a.started("google"))})
_arranges("finish-github-login")(lambda a: {"query": a.returned("github", a.started("github"))})
_arranges("finish-codex-login")(
    lambda a: {"query": a.returned("codex", a.make("get-codex-login-url")["authorization_url"])}
)


@_arranges("post-codex-callback")
def _codex(a: Arranged) -> Request:
    begun = a.make("get-codex-login-url")
    return {"json": {**a.returned("codex", begun["authorization_url"]), "code_verifier": begun["code_verifier"]}}


_plainly("update-billing-account", json={"pricing_model": "subscription"})
_plainly("create-billing-checkout", json=_TOPUP)

_NO_BROWSER: Request = {"status": 400, "code": "not_a_browser"}
_arranges(
    "get-browser-version", "list-browser-targets", "list-browser-targets-shortly", "open-browser-target-by-get",
    "open-browser-target", "get-browser-protocol", **_NO_BROWSER,
)(lambda a: {"path": {"id": a.session["id"]}})  # fmt: skip
_arranges("activate-browser-target", "close-browser-target", "connect-browser-target", **_NO_BROWSER)(
    lambda a: {"path": {"id": a.session["id"], "target": UNKNOWN}}
)
_arranges("connect-browser", **_NO_BROWSER)(lambda a: {"path": {"id": a.session["id"], "guid": UNKNOWN}})
_arranges("upload-browser-extension", **_NO_BROWSER)(
    lambda a: {"path": {"id": a.session["id"]}, "files": {"file": ("extension.zip", extension())}}
)

_plainly("exec-sandbox", json={"ephemeral": True, "command": "echo hello"})
_arranges("exec-session", json={"command": "echo hello"})(lambda a: {"path": {"id": a.session["id"]}})
_arranges("self-test-session", "list-session-commands")(lambda a: {"path": {"id": a.session["id"]}})
_arranges("get-session-command", "stream-session-command")(lambda a: {"path": a.finished})
_arranges("write-session-command-stdin", json={"input": "a line\n"})(lambda a: {"path": a.new_command()})
_arranges("kill-session-command", json={"signal": "KILL"})(lambda a: {"path": a.new_command()})
_arranges("upload-session-file")(
    lambda a: {
        "path": {"id": a.session["id"]},
        "files": {"path": (None, b"/workspace/file.txt"), "file": ("file.txt", b"what is in it")},
    }
)


@_arranges("download-session-file", query={"path": "/workspace/there.txt"})
def _download(a: Arranged) -> Request:
    files = {"path": (None, b"/workspace/there.txt"), "file": ("there.txt", b"what is in it")}
    a.make("upload-session-file", id=a.session["id"], files=files)
    return {"path": {"id": a.session["id"]}}


_arranges("create-job")(lambda a: {"json": a.job()})
_arranges("get-job", "cancel-job")(lambda a: {"path": {"id": a.new_job()}})


@_arranges("retry-job")
def _retry(a: Arranged) -> Request:
    job = a.new_job()
    a.make("cancel-job", id=job)
    return {"path": {"id": job}}


_arranges("create-key")(lambda a: {"json": {"name": a.chaser.name("key")}})
_arranges("revoke-key")(lambda a: {"path": {"id": a.new_key()["id"]}})
_plainly("mcp-handler", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})

_plainly("create-session", json={"ephemeral": True})
_arranges("bulk-terminate-sessions")(lambda a: {"json": {"ids": [a.new_session()["id"]]}})
_arranges("get-session")(lambda a: {"path": {"id": a.session["id"]}})
_arranges("terminate-session")(lambda a: {"path": {"id": a.new_session()["id"]}})
_arranges("open-session-pty", status=400, code="invalid_request")(lambda a: {"path": {"id": a.session["id"]}})
_arranges("resize-session-pty", json={"rows": 30, "cols": 100})(lambda a: {"path": {"id": a.session["id"]}})

_arranges("list-workspace-snapshots")(lambda a: {"path": {"ws": a.workspace["id"]}})
_arranges("create-workspace-snapshot")(
    lambda a: {"path": {"ws": a.workspace["id"]}, "json": {"name": a.chaser.name("snapshot")}}
)
_arranges("restore-workspace-snapshot", json={})(
    lambda a: {"path": {"ws": a.workspace["id"], "name": a.new_snapshot()}}
)
_arranges("delete-workspace-snapshot")(lambda a: {"path": {"ws": a.workspace["id"], "name": a.new_snapshot()}})

_arranges("create-ssh-key")(lambda a: {"json": {"public_key": a.new_ssh_key(), "name": a.chaser.name("key")}})
_arranges("delete-ssh-key")(
    lambda a: {"path": {"id": a.make("create-ssh-key", json={"public_key": a.new_ssh_key()})["key"]["id"]}}
)
_plainly("create-webhook", json={"url": _NOWHERE, "events": ["job.canceled"]})
_arranges("delete-webhook")(lambda a: {"path": {"id": a.new_webhook("job.canceled")["id"]}})
_arranges("get-webhook-delivery", "discard-webhook-delivery")(lambda a: {"path": {"did": a.new_delivery()}})


@_arranges("replay-webhook-delivery")
def _replay(a: Arranged) -> Request:
    delivery = a.new_delivery()
    a.make("discard-webhook-delivery", did=delivery)
    return {"path": {"did": delivery}}


_arranges("create-workspace")(lambda a: {"json": {"name": a.chaser.name("workspace"), "session_type": "sandbox"}})


@_arranges("import-workspace")
def _import(a: Arranged) -> Request:
    if a.can_import:
        return {"json": {"github_repo": REPOSITORY, "name": a.chaser.name("workspace")}}
    # Where there is nothing to import, what comes last on the way is that its two fields differ.
    differ = {"github_repo": REPOSITORY, "repo": f"{REPOSITORY}-2"}
    return {"json": differ, "status": 400, "code": "invalid_request"}


_arranges("bulk-delete-workspaces")(lambda a: {"json": {"ids": [a.new_workspace()["id"]]}})
_arranges("delete-workspace")(lambda a: {"path": {"ws": a.new_workspace()["id"]}})
_arranges("set-workspace-name")(
    lambda a: {"path": {"ws": a.workspace["id"]}, "json": {"name": a.chaser.name("workspace")}}
)
_arranges("set-workspace-template", json={"template": True})(lambda a: {"path": {"ws": a.workspace["id"]}})


def extension() -> bytes:
    """The smallest extension of a browser."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("manifest.json", '{"manifest_version": 3, "name": "nothing", "version": "1.0"}')
    return packed.getvalue()
