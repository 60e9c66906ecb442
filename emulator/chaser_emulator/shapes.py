"""Shapes of the document's schemas; written by `make generate`."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

InputProblem = TypedDict(
    "InputProblem",
    {
        "in": Literal["body", "query", "path", "header"],
        "pointer": str,
        "message": str,
    },
)


Scope: TypeAlias = Literal[
    "sessions.read",
    "sessions.write",
    "workspaces.read",
    "workspaces.write",
    "files.read",
    "files.write",
    "keys.read",
    "keys.write",
    "billing.read",
    "billing.write",
    "webhooks.read",
    "webhooks.write",
    "exec.write",
    "audit.read",
]


Timestamp: TypeAlias = str


AccountName: TypeAlias = str


EmailAddress: TypeAlias = str


AccountRole: TypeAlias = Literal["owner", "admin", "member"]


class AccountInfo(TypedDict):
    id: str
    kind: Literal["personal", "organization"]
    name: str
    role: AccountRole
    personal: bool
    created_at: Timestamp


class AccountList(TypedDict):
    accounts: list[AccountInfo]


class AccountEnvelope(TypedDict):
    account: AccountInfo


class CreateOrganizationRequest(TypedDict):
    name: AccountName


class AccountMemberInfo(TypedDict):
    user_id: str
    email: str
    name: NotRequired[str]
    role: AccountRole
    joined_at: Timestamp
    owner: bool


class AccountMemberList(TypedDict):
    members: list[AccountMemberInfo]


class AccountMemberEnvelope(TypedDict):
    member: AccountMemberInfo


class AddAccountMemberRequest(TypedDict):
    email: EmailAddress
    role: NotRequired[AccountRole]


class UpdateAccountMemberRequest(TypedDict):
    role: AccountRole


AuditStatus: TypeAlias = Literal["success", "failure"]


class AuditEventInfo(TypedDict):
    id: str
    actor_type: Literal["user", "service_account", "system"]
    actor_id: str
    action: str
    resource_type: str
    resource_id: NotRequired[str]
    status: AuditStatus
    summary: str
    created_at: Timestamp
    metadata: NotRequired[Any]


class AuditEventList(TypedDict):
    events: list[AuditEventInfo]


BrowserCdpVersionInfo = TypedDict(
    "BrowserCdpVersionInfo",
    {
        "Browser": str,
        "Protocol-Version": str,
        "User-Agent": str,
        "V8-Version": str,
        "WebKit-Version": str,
        "webSocketDebuggerUrl": str,
    },
)


class BrowserCdpTargetInfo(TypedDict):
    id: str
    type: str
    title: str
    url: str
    webSocketDebuggerUrl: str


BrowserCdpTargetList: TypeAlias = list[BrowserCdpTargetInfo]


class OpenApiDocument(TypedDict):
    openapi: Literal["3.1.0"]
    info: dict[str, Any]
    servers: list[dict[str, Any]]
    security: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    paths: dict[str, Any]
    components: dict[str, Any]


ShellCommand: TypeAlias = str


class SandboxExecResponse(TypedDict):
    kind: Literal["exec"]
    status: Literal["completed", "timed_out", "running", "failed"]
    session_id: str
    command: str
    ephemeral: bool
    background: bool
    workspace: NotRequired[str | None]
    workspace_id: NotRequired[str | None]
    command_id: NotRequired[str | None]
    pid: NotRequired[int | None]
    exit_code: NotRequired[int | None]
    output: NotRequired[str | None]
    output_truncated: NotRequired[bool | None]


CommandStatus: TypeAlias = Literal["starting", "running", "exited", "killed", "timed_out", "failed"]


class SessionCommandInfo(TypedDict):
    command_id: str
    session_id: str
    status: CommandStatus
    command: str
    cwd: str
    user: NotRequired[str]
    pid: NotRequired[int]
    exit_code: NotRequired[int]
    started_at_epoch: int
    finished_at_epoch: NotRequired[int]
    output: NotRequired[str]
    output_bytes: int
    output_truncated: bool


class SessionCommandList(TypedDict):
    commands: list[SessionCommandInfo]


class CommandOutputEvent(TypedDict):
    offset: int
    encoding: Literal["utf-8", "base64"]
    data: str


class CommandExitEvent(TypedDict):
    status: CommandStatus
    exit_code: int | None
    output_bytes: int


class CommandStdinRequest(TypedDict):
    input: str
    encoding: NotRequired[Literal["utf-8", "base64"]]
    eof: NotRequired[bool]


class CommandStdinResponse(TypedDict):
    command_id: str
    bytes_written: int


Signal: TypeAlias = str


class KillCommandRequest(TypedDict):
    signal: NotRequired[Signal]


class KillCommandResponse(TypedDict):
    command_id: str
    signal: Signal
    status: CommandStatus


class SessionRuntimeProxyInfo(TypedDict):
    all_proxy: NotRequired[str | None]
    http_proxy: NotRequired[str | None]
    https_proxy: NotRequired[str]
    no_proxy: NotRequired[str]


class SessionRuntimeChaserInfo(TypedDict):
    toolchain_attached: bool
    session_id: NotRequired[str | None]
    workspace_id: NotRequired[str | None]
    workspace_root: NotRequired[str | None]
    runtime_env: NotRequired[str | None]
    agent_brief_path: NotRequired[str | None]
    toolchain_root: NotRequired[str | None]
    agent_impl: NotRequired[str | None]
    image: NotRequired[str | None]


class SessionRuntimeToolsInfo(TypedDict):
    node: NotRequired[str]
    python3: NotRequired[str]
    git: NotRequired[str]
    bun: NotRequired[str]
    cargo: NotRequired[str]
    rustc: NotRequired[str]
    go: NotRequired[str]


class SessionRuntimeToolVersionsInfo(TypedDict):
    node: NotRequired[str]
    python3: NotRequired[str]
    git: NotRequired[str]
    bun: NotRequired[str]
    cargo: NotRequired[str]
    rustc: NotRequired[str]
    go: NotRequired[str]


SandboxPath: TypeAlias = str


class UploadSessionFileRequest(TypedDict):
    path: SandboxPath
    file: bytes


class SessionFileUploadResponse(TypedDict):
    path: str
    size: int


class GithubRepoInfo(TypedDict):
    name: str
    installation_id: int
    account_login: str


class GithubRepositoriesResponse(TypedDict):
    repositories: list[GithubRepoInfo]
    install_url: NotRequired[str | None]


ApiKeySecret: TypeAlias = str


ApiKeyPrefix: TypeAlias = str


class ApiKeyInfo(TypedDict):
    id: str
    key_prefix: ApiKeyPrefix
    name: NotRequired[str]
    scopes: list[Scope]
    full_access: bool
    created_at: Timestamp
    last_used_at: NotRequired[Timestamp]
    revoked: NotRequired[Timestamp]


class ApiKeyList(TypedDict):
    keys: list[ApiKeyInfo]


class CreateKeyRequest(TypedDict):
    name: NotRequired[str | None]
    scopes: NotRequired[list[Scope] | None]


class CreateApiKeyResponse(TypedDict):
    id: str
    key: ApiKeySecret
    key_prefix: ApiKeyPrefix
    scopes: list[Scope]
    full_access: bool
    name: NotRequired[str | None]


class RevokedApiKey(TypedDict):
    id: str
    revoked: Timestamp


ServiceAccountName: TypeAlias = str


class ServiceAccountInfo(TypedDict):
    id: str
    name: str
    created_by_user_id: str
    created_at: Timestamp
    updated_at: Timestamp
    disabled: Literal[False]


class ServiceAccountList(TypedDict):
    service_accounts: list[ServiceAccountInfo]


class ServiceAccountEnvelope(TypedDict):
    service_account: ServiceAccountInfo


class CreateServiceAccountRequest(TypedDict):
    name: ServiceAccountName


ServiceAccountKeyInfo: TypeAlias = ApiKeyInfo


class ServiceAccountKeyList(TypedDict):
    keys: list[ServiceAccountKeyInfo]


class CreateServiceAccountKeyRequest(TypedDict):
    name: NotRequired[str | None]
    scopes: NotRequired[list[Scope] | None]


class CreateServiceAccountKeyResponse(TypedDict):
    service_account: ServiceAccountInfo
    id: str
    key: ApiKeySecret
    key_prefix: ApiKeyPrefix
    scopes: list[Scope]
    full_access: bool
    name: NotRequired[str | None]


SessionType: TypeAlias = Literal["browser", "sandbox"]


SessionStatus: TypeAlias = Literal["starting", "running", "terminating", "terminated", "failed"]


OciImage: TypeAlias = str


Environment: TypeAlias = dict[str, str]


ProxyUrl: TypeAlias = str


ProxySelector: TypeAlias = Literal["direct", "free", "us"] | ProxyUrl | None


class Proxy(TypedDict):
    url: ProxyUrl
    username: NotRequired[str]
    password: NotRequired[str]


class NetworkSettings(TypedDict):
    mode: Literal["proxy"]
    proxy: Proxy


RepositorySelector: TypeAlias = str


WorkspaceSelector: TypeAlias = str


class CreateSessionRequestDoc(TypedDict):
    session_type: NotRequired[SessionType]
    workspace: NotRequired[WorkspaceSelector]
    ephemeral: NotRequired[bool]
    image: NotRequired[OciImage | None]
    proxy: NotRequired[ProxySelector]
    network: NotRequired[NetworkSettings]
    github_repo: NotRequired[RepositorySelector | None]
    env: NotRequired[Environment]


class Endpoints(TypedDict):
    control: str
    video: NotRequired[str | None]


class SessionInfo(TypedDict):
    id: str
    session_type: SessionType
    status: SessionStatus
    created_at: Timestamp
    endpoints: Endpoints
    workspace_id: NotRequired[str | None]
    persistence: NotRequired[bool | None]
    active_connection_leases: NotRequired[int | None]


class ListSessionsResponse(TypedDict):
    sessions: list[SessionInfo]
    total: int


class BulkTerminateRequest(TypedDict):
    ids: NotRequired[list[str] | None]
    workspaces: NotRequired[list[WorkspaceSelector] | None]
    all: NotRequired[bool | None]
    session_type: NotRequired[Literal["browser", "sandbox"] | None]
    force: NotRequired[bool | None]


class BulkTerminateFailure(TypedDict):
    id: str
    code: Literal["not_found", "session_leased"]
    message: str


class BulkTerminateResponse(TypedDict):
    terminated: list[str]
    failed: list[BulkTerminateFailure]


class ResizeSessionRequest(TypedDict):
    rows: int
    cols: int


class WorkspaceSnapshotInfo(TypedDict):
    id: str
    workspace_id: str
    used_bytes: NotRequired[int]
    created_at: Timestamp
    restored_at: NotRequired[Timestamp]


WorkspaceSnapshotList: TypeAlias = list[WorkspaceSnapshotInfo]


class RestoreWorkspaceSnapshotRequest(TypedDict):
    force: NotRequired[bool]


SshPublicKey1: TypeAlias = str


SshPublicKey: TypeAlias = SshPublicKey1


class SshKeyInfo(TypedDict):
    id: str
    name: NotRequired[str]
    public_key: str
    fingerprint: str
    created_at: Timestamp
    last_used_at: NotRequired[Timestamp]


class SshKeyList(TypedDict):
    keys: list[SshKeyInfo]


class SshKeyEnvelope(TypedDict):
    key: SshKeyInfo


class CreateSshKeyRequest(TypedDict):
    public_key: SshPublicKey
    name: NotRequired[str | None]


WorkspaceName: TypeAlias = str


OptionalWorkspaceName: TypeAlias = str | None


class CreateWorkspaceRequest(TypedDict):
    session_type: NotRequired[Literal["browser", "sandbox"] | None]
    name: NotRequired[OptionalWorkspaceName]
    image: NotRequired[OciImage | None]
    clone_from: NotRequired[WorkspaceSelector | None]
    template: NotRequired[bool | None]


class WorkspaceInfo(TypedDict):
    id: str
    name: str
    created_at: Timestamp
    persistence: bool
    session_type: NotRequired[Literal["browser", "sandbox"] | None]
    status: NotRequired[Literal["active", "idle"] | None]
    image: NotRequired[str | None]
    template: NotRequired[bool]
    source_workspace_id: NotRequired[str | None]
    github_repo: NotRequired[str | None]
    active_session_id: NotRequired[str | None]
    last_session_id: NotRequired[str | None]
    assistant_home: NotRequired[bool]
    node_endpoint: NotRequired[str | None]


WorkspaceList: TypeAlias = list[WorkspaceInfo]


class ImportWorkspaceRequest(TypedDict):
    github_repo: NotRequired[RepositorySelector]
    repo: NotRequired[RepositorySelector]
    name: NotRequired[OptionalWorkspaceName]


class DevcontainerBootstrap(TypedDict):
    path: str
    image: NotRequired[str | None]
    dockerfile: NotRequired[str | None]
    workspace_folder: NotRequired[str | None]
    post_create_command: NotRequired[str | None]
    forward_ports: NotRequired[list[int]]


class ImportWorkspaceResponse(TypedDict):
    workspace: WorkspaceInfo
    github_repo: str
    private: bool
    default_branch: NotRequired[str | None]
    devcontainer: NotRequired[DevcontainerBootstrap | None]


class SetWorkspaceNameRequest(TypedDict):
    name: OptionalWorkspaceName


class WorkspaceNameResponse(TypedDict):
    id: str
    name: str | None


class SetWorkspaceTemplateRequest(TypedDict):
    template: bool


class WorkspaceTemplateResponse(TypedDict):
    id: str
    template: bool


class BulkDeleteWorkspacesRequest(TypedDict):
    ids: NotRequired[list[WorkspaceSelector]]
    all: NotRequired[bool]
    force: NotRequired[bool]


class BulkDeleteWorkspaceItem(TypedDict):
    id: str
    deleted: bool
    error: NotRequired[str]


class BulkDeleteWorkspacesResponse(TypedDict):
    requested: int
    deleted: int
    failed: int
    results: list[BulkDeleteWorkspaceItem]


class Error(TypedDict):
    error: str
    code: str
    message: str
    request_id: str
    details: NotRequired[list[InputProblem] | dict[str, Any]]


class SessionExecRequest(TypedDict):
    command: ShellCommand
    background: NotRequired[bool]
    cwd: NotRequired[str | None]
    env: NotRequired[Environment]
    stdin: NotRequired[str | None]
    timeout_ms: NotRequired[int | None]
    user: NotRequired[str | None]


class SandboxExecRequest(TypedDict):
    command: ShellCommand
    background: NotRequired[bool]
    cwd: NotRequired[str | None]
    env: NotRequired[Environment]
    stdin: NotRequired[str | None]
    timeout_ms: NotRequired[int]
    user: NotRequired[str | None]
    workspace: NotRequired[WorkspaceSelector]
    ephemeral: NotRequired[bool]
    image: NotRequired[OciImage]
    github_repo: NotRequired[RepositorySelector | None]


class SessionRuntimeInfo(TypedDict):
    cwd: NotRequired[str]
    home: NotRequired[str]
    user: NotRequired[str]
    shell: NotRequired[str]
    path: NotRequired[str]
    path_entries: NotRequired[list[str]]
    term: NotRequired[str]
    lang: NotRequired[str]
    chaser_mode: NotRequired[str]
    chaser_exec: NotRequired[bool]
    chaser_agent: NotRequired[bool]
    workspace_root_present: NotRequired[bool]
    proxy: NotRequired[SessionRuntimeProxyInfo]
    chaser: NotRequired[SessionRuntimeChaserInfo]
    tools: NotRequired[SessionRuntimeToolsInfo]
    tool_versions: NotRequired[SessionRuntimeToolVersionsInfo]


class CreateWorkspaceSnapshotRequest(TypedDict):
    name: NotRequired[WorkspaceName]
    force: NotRequired[bool]


class SessionSelfTestResponse(TypedDict):
    kind: Literal["self_test"]
    status: Literal["ok", "degraded"]
    session_id: str
    workspace_id: NotRequired[str | None]
    runtime: SessionRuntimeInfo
