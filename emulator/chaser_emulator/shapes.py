"""Shapes of the document's schemas; written by `make generate`."""

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


AssistantName: TypeAlias = str


AssistantUsageKind: TypeAlias = Literal["tokens", "tool_call", "session"]


class AssistantAlert(TypedDict):
    metric: AssistantUsageKind
    threshold: float
    window_seconds: int


class AssistantModel(TypedDict):
    provider: NotRequired[str]
    model_id: NotRequired[str]


class AssistantModelPatch(TypedDict):
    provider: NotRequired[str | None]
    model_id: NotRequired[str | None]


class AssistantTools(TypedDict):
    sandbox: NotRequired[bool]
    browser: NotRequired[bool]


class AssistantToolsPatch(TypedDict):
    sandbox: NotRequired[bool | None]
    browser: NotRequired[bool | None]


class AssistantConfig(TypedDict):
    model: NotRequired[AssistantModel]
    system_prompt: NotRequired[str]
    tools: NotRequired[AssistantTools]
    alerts: NotRequired[list[AssistantAlert]]


class AssistantConfigPatch(TypedDict):
    model: NotRequired[AssistantModelPatch | None]
    system_prompt: NotRequired[str | None]
    tools: NotRequired[AssistantToolsPatch | None]
    alerts: NotRequired[list[AssistantAlert] | None]


AssistantChannelType: TypeAlias = Literal["telegram", "discord"]


AssistantChannelId: TypeAlias = str


AssistantCredentialName: TypeAlias = str


class AssistantChannel(TypedDict):
    id: str
    channel_type: AssistantChannelType
    channel_id: AssistantChannelId
    credential_name: NotRequired[AssistantCredentialName]
    created_at: Timestamp


class AssistantInfo(TypedDict):
    id: str
    name: AssistantName
    status: Literal["active", "paused"]
    config: AssistantConfig
    config_version: int
    workspace_id: str
    channels: list[AssistantChannel]
    created_at: Timestamp
    updated_at: Timestamp


class AssistantList(TypedDict):
    assistants: list[AssistantInfo]


class AssistantEnvelope(TypedDict):
    assistant: AssistantInfo


class CreateAssistantRequest(TypedDict):
    name: AssistantName
    config: NotRequired[AssistantConfig]


class UpdateAssistantRequest(TypedDict):
    name: NotRequired[AssistantName]
    config: NotRequired[AssistantConfigPatch]


class AddAssistantChannelRequest(TypedDict):
    channel_type: AssistantChannelType
    channel_id: AssistantChannelId
    credential_name: NotRequired[AssistantCredentialName]


class StoreAssistantCredentialRequest(TypedDict):
    name: AssistantCredentialName
    value: str
    assistant_id: NotRequired[str]


class AssistantCredentialInfo(TypedDict):
    name: AssistantCredentialName
    assistant_id: NotRequired[str]
    updated_at: Timestamp


class AssistantCredentialEnvelope(TypedDict):
    credential: AssistantCredentialInfo


class ResolveAssistantCredentialRequest(TypedDict):
    assistant_id: str
    name: AssistantCredentialName


class ResolvedAssistantCredential(TypedDict):
    name: AssistantCredentialName
    value: str


class ResolveAssistantChannelRequest(TypedDict):
    channel_type: AssistantChannelType
    channel_id: AssistantChannelId


class ResolvedAssistantChannel(TypedDict):
    assistant_id: str
    binding_id: str


class AssistantRuntimeState(TypedDict):
    state: Any
    version: int
    updated_at: NotRequired[Timestamp]


class PutAssistantRuntimeStateRequest(TypedDict):
    state: Any
    version: NotRequired[int]


class AssistantUsageEvent(TypedDict):
    id: str
    kind: AssistantUsageKind
    quantity: float
    metadata: NotRequired[dict[str, Any]]
    created_at: Timestamp


class AssistantUsageEventEnvelope(TypedDict):
    event: AssistantUsageEvent


class AssistantUsageTotals(TypedDict):
    tokens: float
    tool_call: float
    session: float


class AssistantUsageEventList(TypedDict):
    events: list[AssistantUsageEvent]
    totals: AssistantUsageTotals


class CreateAssistantUsageEventRequest(TypedDict):
    kind: AssistantUsageKind
    quantity: float
    metadata: NotRequired[dict[str, Any]]


class CreateAssistantConfigChangeRequest(TypedDict):
    patch: AssistantConfigPatch
    reason: NotRequired[str]


class AssistantConfigChange(TypedDict):
    id: str
    status: Literal["pending", "approved", "denied"]
    patch: AssistantConfigPatch
    reason: NotRequired[str]
    proposed_by: str
    decided_by: NotRequired[str]
    created_at: Timestamp
    decided_at: NotRequired[Timestamp]


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


LoginToken: TypeAlias = str


LoginReturnUrl1: TypeAlias = str


LoginReturnUrl: TypeAlias = LoginReturnUrl1


class RegisterRequest(TypedDict):
    email: EmailAddress
    password: str
    name: NotRequired[str | None]


class LoginRequest(TypedDict):
    email: EmailAddress
    password: str


class UserInfo(TypedDict):
    id: str
    email: str
    name: NotRequired[str]
    created_at: Timestamp


class AccessTokenResponse(TypedDict):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    user: UserInfo


CodexVerifier: TypeAlias = str


class CodexLoginUrl(TypedDict):
    authorization_url: str
    state: LoginToken
    code_verifier: CodexVerifier
    expires_in: int


class CodexCallbackRequest(TypedDict):
    code: LoginToken
    state: LoginToken
    code_verifier: CodexVerifier


class CodexConnection(TypedDict):
    status: Literal["connected"]
    provider: Literal["codex"]
    expires_at: Timestamp


class CurrentUser(TypedDict):
    user: UserInfo
    accounts: list[AccountInfo]


PricingModel: TypeAlias = Literal["free", "usage_based", "subscription"]


PlanCode: TypeAlias = Literal["pro", "team"]


class BillingLimits(TypedDict):
    max_workspaces: NotRequired[int]
    max_concurrency: NotRequired[int]
    max_session_seconds: NotRequired[int]
    allow_workspaces: bool


class BillingUsageWindow(TypedDict):
    seconds: int
    amount_micros_usd: int


class BillingSummaryResponse(TypedDict):
    pricing_model: PricingModel
    limits: BillingLimits
    usage_price_per_hour_usd: float
    topup_min_usd: float
    wallet_balance_usd: float
    wallet_balance_micros_usd: int
    workspace_storage_used_bytes: int
    workspace_storage_cap_bytes: int
    workspace_storage_measured_workspaces: int
    workspace_storage_unresolved_workspaces: int
    usage_last_24h: BillingUsageWindow
    usage_last_30d: BillingUsageWindow
    plan_code: Literal["pro", "team"] | None
    stripe_customer_id: str | None
    stripe_subscription_id: str | None


class UpdateBillingAccountRequest(TypedDict):
    pricing_model: NotRequired[PricingModel | None]
    plan_code: NotRequired[PlanCode | None]


class CreateBillingCheckoutRequest(TypedDict):
    mode: NotRequired[Literal["subscription", "topup"] | None]
    plan_code: NotRequired[PlanCode | None]
    amount_usd: NotRequired[float | None]


class CreateBillingCheckoutResponse(TypedDict):
    checkout_session_id: str
    checkout_url: str
    stripe_customer_id: str


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


class BrowserCdpProtocol(TypedDict):
    version: dict[str, str]
    domains: list[dict[str, Any]]


class UploadBrowserExtensionRequest(TypedDict):
    file: bytes


class BrowserExtensionInfo(TypedDict):
    id: str
    name: str
    version: str
    path: str


OpenApiDocument = TypedDict(
    "OpenApiDocument",
    {
        "openapi": Literal["3.1.0"],
        "info": dict[str, Any],
        "servers": list[dict[str, Any]],
        "security": list[dict[str, Any]],
        "tags": list[dict[str, Any]],
        "paths": dict[str, Any],
        "components": dict[str, Any],
        "x-error-codes": dict[str, Any],
    },
)


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


JobKind: TypeAlias = Literal[
    "sandbox.exec",
    "pipeline.run",
    "browser.action",
    "browser.scrape",
    "github.runner",
    "session.terminate",
    "session.bulk_terminate",
    "workspace.delete",
    "workspace.bulk_delete",
]


JobStatus: TypeAlias = Literal["queued", "running", "completed", "failed", "canceled"]


JobTimeout: TypeAlias = int


class JobInputOfKind(TypedDict):
    pass


class CreateJobRequest(TypedDict):
    kind: JobKind
    input: dict[str, Any]
    run_at: NotRequired[str]
    idempotency_key: NotRequired[str]


class SandboxExecJobInput(TypedDict):
    background: NotRequired[Literal[False]]


class PipelineStepInput(TypedDict):
    name: NotRequired[str]
    kind: NotRequired[
        Literal[
            "sandbox.exec",
            "browser.action",
            "browser.scrape",
            "github.runner",
            "session.terminate",
            "session.bulk_terminate",
            "workspace.delete",
            "workspace.bulk_delete",
        ]
    ]
    command: NotRequired[ShellCommand]
    cmd: NotRequired[ShellCommand]
    input: NotRequired[dict[str, Any]]
    timeout_ms: NotRequired[JobTimeout]


class BrowserActionStep(TypedDict):
    method: str
    params: NotRequired[dict[str, Any]]


class BrowserActionJobInput(TypedDict):
    session_id: str
    steps: list[BrowserActionStep]
    timeout_ms: NotRequired[JobTimeout]


class BrowserScrapeJobInput(TypedDict):
    session_id: str
    url: str
    selector: NotRequired[str]
    all: NotRequired[bool]
    timeout_ms: NotRequired[JobTimeout]


class SessionTerminateJobInput(TypedDict):
    session_id: str
    force: NotRequired[bool]


class PipelineStepResult(TypedDict):
    name: str | None
    kind: Literal[
        "sandbox.exec",
        "browser.action",
        "browser.scrape",
        "github.runner",
        "session.terminate",
        "session.bulk_terminate",
        "workspace.delete",
        "workspace.bulk_delete",
    ]
    status: Literal["completed", "failed", "skipped"]
    exit_code: NotRequired[int]
    output: NotRequired[str]
    output_truncated: NotRequired[bool]
    duration_ms: NotRequired[int]
    result: NotRequired[Any]
    error: NotRequired[str]


class PipelineRunResult(TypedDict):
    workspace_id: str
    session_id: str
    steps: list[PipelineStepResult]


class BrowserActionResult(TypedDict):
    results: list[dict[str, Any]]


class BrowserScrapeMatch(TypedDict):
    text: str
    html: str


class BrowserScrapeResult(TypedDict):
    url: str
    title: str
    html: NotRequired[str]
    matches: NotRequired[list[BrowserScrapeMatch]]


class GithubRunnerStepResult(TypedDict):
    name: str
    kind: Literal["run", "uses"]
    status: Literal["completed", "failed", "skipped"]
    exit_code: NotRequired[int]
    output: NotRequired[str]
    output_truncated: NotRequired[bool]
    duration_ms: NotRequired[int]
    error: NotRequired[str]


class GithubRunnerResult(TypedDict):
    repo: str
    workflow_job_id: int
    session_id: str
    steps: list[GithubRunnerStepResult]


class SessionTerminateResult(TypedDict):
    session_id: str
    terminated: Literal[True]


class WorkspaceDeleteResult(TypedDict):
    workspace_id: str
    deleted: Literal[True]


class JobInfo(TypedDict):
    id: str
    kind: Literal[
        "sandbox.exec",
        "pipeline.run",
        "browser.action",
        "browser.scrape",
        "github.runner",
        "session.terminate",
        "session.bulk_terminate",
        "workspace.delete",
        "workspace.bulk_delete",
    ]
    status: JobStatus
    input: Any
    result: NotRequired[Any]
    created_at: Timestamp
    updated_at: Timestamp
    run_at: NotRequired[Timestamp]
    idempotency_key: NotRequired[str]
    error: NotRequired[str]


class ListJobsPage(TypedDict):
    jobs: list[JobInfo]
    total: int
    limit: int
    offset: int
    has_more: bool


class JobKindSpecInfo(TypedDict):
    kind: Literal[
        "sandbox.exec",
        "pipeline.run",
        "browser.action",
        "browser.scrape",
        "github.runner",
        "session.terminate",
        "session.bulk_terminate",
        "workspace.delete",
        "workspace.bulk_delete",
    ]
    summary: str
    input_examples: list[Any]
    alias_fields: list[str]


class JobKindsInfo(TypedDict):
    worker_kinds: list[
        Literal[
            "sandbox.exec",
            "pipeline.run",
            "browser.action",
            "browser.scrape",
            "github.runner",
            "session.terminate",
            "session.bulk_terminate",
            "workspace.delete",
            "workspace.bulk_delete",
        ]
    ]
    worker_kind_specs: list[JobKindSpecInfo]


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


McpToolName: TypeAlias = Literal[
    "terminal",
    "browser",
    "chaser_list_sessions",
    "chaser_get_session",
    "chaser_create_sandbox_session",
    "chaser_create_browser_session",
    "chaser_terminate_session",
    "chaser_list_workspaces",
    "chaser_create_workspace",
    "chaser_delete_workspace",
    "chaser_rename_workspace",
    "chaser_list_snapshots",
    "chaser_create_snapshot",
    "chaser_restore_snapshot",
    "chaser_list_assistants",
    "chaser_get_assistant",
    "chaser_propose_assistant_config",
    "chaser_store_credential",
]


class Capabilities(TypedDict):
    tools: dict[str, Any]


class ServerInfo(TypedDict):
    name: Literal["chaser"]
    version: Literal["1.0.0"]


class McpInitializeResult(TypedDict):
    protocolVersion: Literal["2025-06-18", "2025-03-26", "2024-11-05"]
    capabilities: Capabilities
    serverInfo: ServerInfo
    instructions: NotRequired[str]


class McpPong(TypedDict):
    pass


class Annotations(TypedDict):
    title: NotRequired[str]
    readOnlyHint: NotRequired[bool]
    destructiveHint: NotRequired[bool]
    idempotentHint: NotRequired[bool]
    openWorldHint: NotRequired[bool]


class McpTool(TypedDict):
    name: McpToolName
    title: NotRequired[str]
    description: str
    inputSchema: dict[str, Any]
    outputSchema: dict[str, Any]
    annotations: NotRequired[Annotations]


class McpToolList(TypedDict):
    tools: list[McpTool]


class McpContent(TypedDict):
    type: Literal["text", "image"]
    text: NotRequired[str]
    data: NotRequired[str]
    mimeType: NotRequired[str]


class McpFileRead(TypedDict):
    kind: Literal["read_file"]
    session_id: str
    ephemeral: bool
    workspace: NotRequired[str]
    workspace_id: NotRequired[str]
    path: str
    content: str
    size: int
    start_line: int
    end_line: int
    total_lines: int


class McpFileWritten(TypedDict):
    kind: Literal["write_file"]
    session_id: str
    ephemeral: bool
    workspace: NotRequired[str]
    workspace_id: NotRequired[str]
    path: str
    size: int


class McpFileEdited(TypedDict):
    kind: Literal["apply_edit"]
    session_id: str
    ephemeral: bool
    workspace: NotRequired[str]
    workspace_id: NotRequired[str]
    path: str
    size: int
    line: int


class McpFolderEntry(TypedDict):
    path: str
    type: Literal["file", "directory", "symlink", "other"]
    size: NotRequired[int]


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


WebhookUrl1: TypeAlias = str


WebhookUrl: TypeAlias = WebhookUrl1


WebhookEventType: TypeAlias = Literal[
    "session.created",
    "session.running",
    "session.terminated",
    "session.failed",
    "command.finished",
    "workspace.created",
    "workspace.renamed",
    "workspace.deleted",
    "workspace.snapshot.created",
    "workspace.snapshot.restored",
    "workspace.snapshot.deleted",
    "job.queued",
    "job.started",
    "job.completed",
    "job.failed",
    "job.canceled",
    "billing.updated",
    "assistant.alert",
]


WebhookEventSelector: TypeAlias = Literal[
    "*",
    "session.*",
    "session.created",
    "session.running",
    "session.terminated",
    "session.failed",
    "command.*",
    "command.finished",
    "workspace.*",
    "workspace.created",
    "workspace.renamed",
    "workspace.deleted",
    "workspace.snapshot.*",
    "workspace.snapshot.created",
    "workspace.snapshot.restored",
    "workspace.snapshot.deleted",
    "job.*",
    "job.queued",
    "job.started",
    "job.completed",
    "job.failed",
    "job.canceled",
    "billing.*",
    "billing.updated",
    "assistant.*",
    "assistant.alert",
]


WebhookDeliveryStatus: TypeAlias = Literal["pending", "delivered", "failed", "discarded"]


WebhookSigningSecret: TypeAlias = str


class WebhookEvent(TypedDict):
    id: str
    type: WebhookEventType
    created_at: Timestamp
    account_id: str
    resource_type: str
    resource_id: str
    data: dict[str, Any]


class CustomerWebhookInfo(TypedDict):
    id: str
    url: str
    description: NotRequired[str]
    events: list[WebhookEventSelector]
    signing_secret_preview: str
    created_at: Timestamp
    updated_at: Timestamp


class CustomerWebhookList(TypedDict):
    webhooks: list[CustomerWebhookInfo]


class CreateCustomerWebhookRequest(TypedDict):
    url: WebhookUrl
    description: NotRequired[str | None]
    events: NotRequired[list[WebhookEventSelector] | None]


class CreateCustomerWebhookResponse(TypedDict):
    webhook: CustomerWebhookInfo
    signing_secret: WebhookSigningSecret


class CustomerWebhookDeliveryInfo(TypedDict):
    id: str
    webhook_id: str
    event_id: str
    event_type: WebhookEventType
    resource_type: str
    resource_id: str
    target_url: str
    status: WebhookDeliveryStatus
    attempts: int
    last_http_status: NotRequired[int]
    last_error: NotRequired[str]
    payload: WebhookEvent
    delivered_at: NotRequired[Timestamp]
    replayed_at: NotRequired[Timestamp]
    discarded_at: NotRequired[Timestamp]
    replayed_from_delivery_id: NotRequired[str]
    created_at: Timestamp
    updated_at: Timestamp


class CustomerWebhookDeliveryList(TypedDict):
    deliveries: list[CustomerWebhookDeliveryInfo]


class CustomerWebhookDeliveryEnvelope(TypedDict):
    delivery: CustomerWebhookDeliveryInfo


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


class PipelineRunJobInput(TypedDict):
    workspace: WorkspaceSelector
    steps: list[PipelineStepInput]


class GithubRunnerJobInput(TypedDict):
    repo: RepositorySelector
    workflow_job_id: int
    installation_id: NotRequired[int]
    run_id: NotRequired[int]
    labels: NotRequired[list[str]]
    timeout_ms: NotRequired[JobTimeout]


class WorkspaceDeleteJobInput(TypedDict):
    workspace: WorkspaceSelector
    force: NotRequired[bool]


class McpTerminalArguments(TypedDict):
    session_id: NotRequired[str]
    workspace: NotRequired[WorkspaceSelector]
    ephemeral: NotRequired[bool]
    image: NotRequired[OciImage]
    command: NotRequired[ShellCommand]
    cmd: NotRequired[ShellCommand]
    xml: NotRequired[str]
    timeout_ms: NotRequired[float]


class McpBrowserArguments(TypedDict):
    session_id: NotRequired[str]
    workspace: NotRequired[WorkspaceSelector]
    ephemeral: NotRequired[bool]
    tool: Literal[
        "navigate_page",
        "new_page",
        "list_pages",
        "select_page",
        "close_page",
        "take_snapshot",
        "take_screenshot",
        "click",
        "fill",
        "hover",
        "press_key",
        "evaluate_script",
        "wait_for",
        "list_console_messages",
        "list_network_requests",
    ]
    arguments: NotRequired[dict[str, Any]]


class JsonRpcError(TypedDict):
    code: Literal[-32700, -32600, -32601, -32602, -32603]
    message: str
    data: NotRequired[Error]


class McpFolderListing(TypedDict):
    kind: Literal["list_files"]
    session_id: str
    ephemeral: bool
    workspace: NotRequired[str]
    workspace_id: NotRequired[str]
    path: str
    entries: list[McpFolderEntry]
    truncated: bool


class McpToolResult(TypedDict):
    content: list[McpContent]
    structuredContent: NotRequired[
        SandboxExecResponse | McpFileRead | McpFileWritten | McpFileEdited | McpFolderListing | dict[str, Any]
    ]
    isError: bool


class CreateWorkspaceSnapshotRequest(TypedDict):
    name: NotRequired[WorkspaceName]
    force: NotRequired[bool]


class SessionSelfTestResponse(TypedDict):
    kind: Literal["self_test"]
    status: Literal["ok", "degraded"]
    session_id: str
    workspace_id: NotRequired[str | None]
    runtime: SessionRuntimeInfo


class McpToolCallParams(TypedDict):
    name: McpToolName
    arguments: NotRequired[McpTerminalArguments | McpBrowserArguments | dict[str, Any]]


class JsonRpcResponse(TypedDict):
    jsonrpc: Literal["2.0"]
    id: str | int
    result: NotRequired[McpInitializeResult | McpToolList | McpToolResult | McpPong]
    error: NotRequired[JsonRpcError]


class JsonRpcErrorResponse(TypedDict):
    jsonrpc: Literal["2.0"]
    id: str | int | None
    error: JsonRpcError


class JsonRpcRequest(TypedDict):
    jsonrpc: Literal["2.0"]
    id: NotRequired[str | int]
    method: str
    params: NotRequired[McpToolCallParams | dict[str, Any] | list[Any]]
