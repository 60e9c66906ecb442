-- Assistants. None is ever deleted. `workspace_id` stays when the home is deleted, so it is no reference.
CREATE TABLE assistants (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    config TEXT NOT NULL,
    config_version INTEGER NOT NULL DEFAULT 1,
    workspace_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX assistants_by_account ON assistants(account_id, created_at DESC, id DESC);

-- A channel belongs to one assistant of the account; of two that bind it at once one is refused.
CREATE TABLE assistant_channels (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    assistant_id TEXT NOT NULL REFERENCES assistants(id) ON DELETE CASCADE,
    channel_type TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    credential_name TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (account_id, channel_type, channel_id)
) STRICT;
CREATE INDEX assistant_channels_by_assistant ON assistant_channels(assistant_id, created_at DESC, id DESC);

-- `sealed` is what the vault made of the value. `assistant_id` NULL: for every assistant of the account.
CREATE TABLE assistant_credentials (
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    assistant_id TEXT REFERENCES assistants(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    sealed TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX assistant_credential ON assistant_credentials(account_id, name, coalesce(assistant_id, ''));

-- No row before the first write.
CREATE TABLE assistant_states (
    assistant_id TEXT PRIMARY KEY REFERENCES assistants(id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- `quantity` keeps whole numbers whole, so that their sums are exact.
CREATE TABLE assistant_usage_events (
    id TEXT PRIMARY KEY,
    assistant_id TEXT NOT NULL REFERENCES assistants(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    quantity ANY NOT NULL,
    metadata TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX assistant_usage_events_by_moment ON assistant_usage_events(assistant_id, created_at DESC, id DESC);
CREATE INDEX assistant_usage_events_by_kind ON assistant_usage_events(assistant_id, kind, created_at, quantity);

-- When each bound of a configuration was last told of. A bound is what it says: one that is changed is another.
CREATE TABLE assistant_alerts (
    assistant_id TEXT NOT NULL REFERENCES assistants(id) ON DELETE CASCADE,
    metric TEXT NOT NULL,
    threshold REAL NOT NULL,
    window_seconds INTEGER NOT NULL,
    told_at TEXT NOT NULL,
    PRIMARY KEY (assistant_id, metric, threshold, window_seconds)
) STRICT;

CREATE TABLE assistant_config_changes (
    id TEXT PRIMARY KEY,
    assistant_id TEXT NOT NULL REFERENCES assistants(id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    patch TEXT NOT NULL,
    reason TEXT,
    proposed_by TEXT NOT NULL,
    decided_by TEXT,
    created_at TEXT NOT NULL,
    decided_at TEXT
) STRICT;
