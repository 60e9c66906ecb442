-- Work that waits in the queue of an account, or that was done. `principal` is who it is done for, as JSON: their kind and
-- id, the key they used, its scopes and the account that it is bound to. `run_at` is what was asked for; `due_at` is when
-- the job may be run, NULL for at once; `queued_at` is when it was put in the queue last, and where its turn comes from.
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    principal TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    input TEXT NOT NULL,
    result TEXT,
    error TEXT,
    run_at TEXT,
    due_at TEXT,
    queued_at TEXT NOT NULL,
    idempotency_key TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (account_id, idempotency_key)
) STRICT;
CREATE INDEX jobs_by_account ON jobs(account_id, created_at DESC, id DESC);
CREATE INDEX jobs_by_status ON jobs(account_id, status, created_at DESC, id DESC);
CREATE INDEX jobs_by_kind ON jobs(account_id, kind, created_at DESC, id DESC);
CREATE INDEX jobs_waiting ON jobs(account_id, due_at, queued_at) WHERE status = 'queued';
CREATE INDEX jobs_under_way ON jobs(id) WHERE status = 'running';
