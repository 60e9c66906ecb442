-- Who: users, their accounts, and the credentials that act for them.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    plan TEXT NOT NULL,
    wallet_micros_usd INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE members (
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    joined_at TEXT NOT NULL,
    PRIMARY KEY (account_id, user_id)
) STRICT;
CREATE INDEX members_by_user ON members(user_id);

CREATE TABLE service_accounts (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    created_by_user_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX service_accounts_by_account ON service_accounts(account_id);

-- A key acts for a user or for a service account. `account_id` NULL: bound to no account (the key of the start).
-- `scopes` is a JSON list; an empty one means full access.
CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    account_id TEXT REFERENCES accounts(id) ON DELETE CASCADE,
    user_id TEXT REFERENCES users(id) ON DELETE CASCADE,
    service_account_id TEXT REFERENCES service_accounts(id) ON DELETE CASCADE,
    secret_hash TEXT NOT NULL UNIQUE,
    key_prefix TEXT NOT NULL,
    name TEXT,
    scopes TEXT NOT NULL DEFAULT '[]',
    created_at TEXT NOT NULL,
    last_used_at TEXT,
    revoked_at TEXT,
    CHECK ((user_id IS NULL) <> (service_account_id IS NULL))
) STRICT;
CREATE INDEX keys_by_account ON keys(account_id, user_id);
CREATE INDEX keys_by_service_account ON keys(service_account_id);

CREATE TABLE ssh_keys (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    name TEXT,
    public_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_used_at TEXT,
    UNIQUE (account_id, fingerprint)
) STRICT;

-- What: workspaces, the sessions on them, and commands in the background.
CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    name TEXT COLLATE NOCASE,
    session_type TEXT NOT NULL,
    image TEXT,
    template INTEGER NOT NULL DEFAULT 0,
    source_workspace_id TEXT,
    github_repo TEXT,
    assistant_home INTEGER NOT NULL DEFAULT 0,
    last_session_id TEXT,
    doomed INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    UNIQUE (account_id, name)
) STRICT;

-- `ref` names the sandbox in its engine, once there is one. Variables and proxies are not kept: they may be secrets.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    session_type TEXT NOT NULL,
    status TEXT NOT NULL,
    ephemeral INTEGER NOT NULL,
    workspace_id TEXT REFERENCES workspaces(id) ON DELETE SET NULL,
    image TEXT,
    github_repo TEXT,
    ref TEXT,
    failure TEXT,
    rows INTEGER,
    cols INTEGER,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    ended_at TEXT
) STRICT;
CREATE INDEX sessions_by_account ON sessions(account_id, created_at DESC, id DESC) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_expiry ON sessions(expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_end ON sessions(ended_at) WHERE ended_at IS NOT NULL;
-- A workspace serves one live session; two creates at once cannot both win.
CREATE UNIQUE INDEX live_session_of_workspace ON sessions(workspace_id) WHERE ended_at IS NULL;

CREATE TABLE commands (
    id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES sessions(id) ON DELETE CASCADE,
    command TEXT NOT NULL,
    cwd TEXT NOT NULL,
    user TEXT,
    pid INTEGER,
    status TEXT NOT NULL,
    exit_code INTEGER,
    output_bytes INTEGER NOT NULL DEFAULT 0,
    output_truncated INTEGER NOT NULL DEFAULT 0,
    started_at TEXT NOT NULL,
    finished_at TEXT
) STRICT;
CREATE INDEX commands_by_session ON commands(session_id, started_at DESC, id DESC);

-- What happened: the audit log, and events that webhooks will carry.
CREATE TABLE audit_events (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT,
    status TEXT NOT NULL,
    summary TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX audit_events_by_account ON audit_events(account_id, created_at DESC);
CREATE INDEX audit_events_by_action ON audit_events(account_id, action, created_at DESC);
CREATE INDEX audit_events_by_resource ON audit_events(account_id, resource_id, created_at DESC);

CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    type TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_by_moment ON outbox(created_at);

-- One row a fact about this data directory: its instance id, its schema's own key.
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
