-- How users prove who they are. A row means that the user has signed in at least once, so that the address is theirs.
-- `password_hash` NULL: they come by a provider alone.
CREATE TABLE sign_ins (
    user_id TEXT PRIMARY KEY REFERENCES users(id) ON DELETE CASCADE,
    password_hash TEXT,
    created_at TEXT NOT NULL
) STRICT;

-- Sign-ins at a provider that are under way; one that comes back is removed. The state and the code are kept by their
-- hashes, the verifier is sealed. `callback` is where the provider's page returns to, `redirect_uri` where the caller
-- wants to go after that. Those of Codex belong to a caller in an account, who loses them with the membership.
CREATE TABLE logins (
    state_hash TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    verifier TEXT NOT NULL,
    callback TEXT NOT NULL,
    redirect_uri TEXT,
    account_id TEXT REFERENCES accounts(id) ON DELETE CASCADE,
    user_id TEXT REFERENCES users(id) ON DELETE CASCADE,
    service_account_id TEXT REFERENCES service_accounts(id) ON DELETE CASCADE,
    email TEXT,
    code_hash TEXT,
    code_challenge TEXT,
    expires_at TEXT NOT NULL,
    FOREIGN KEY (account_id, user_id) REFERENCES members(account_id, user_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX logins_by_expiry ON logins(expires_at);
CREATE INDEX logins_by_member ON logins(account_id, user_id);
CREATE INDEX logins_by_service_account ON logins(service_account_id);

-- Codex logins that assistants can use, one for a caller in an account; `token` is sealed.
CREATE TABLE codex_connections (
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    user_id TEXT REFERENCES users(id) ON DELETE CASCADE,
    service_account_id TEXT REFERENCES service_accounts(id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    token TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    CHECK ((user_id IS NULL) <> (service_account_id IS NULL)),
    FOREIGN KEY (account_id, user_id) REFERENCES members(account_id, user_id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX codex_connection_of_caller ON codex_connections(account_id, coalesce(user_id, service_account_id));
CREATE INDEX codex_connections_by_service_account ON codex_connections(service_account_id);
