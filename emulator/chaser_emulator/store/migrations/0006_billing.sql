-- What accounts owe. A segment of usage opens when a session starts to run, and closes when it ends or when the plan of
-- its account changes; `wallet` says whether the wallet pays for it. Its moments are microseconds since 1970, because
-- sums are made of them.
CREATE TABLE usage (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    price_micros_per_hour INTEGER NOT NULL,
    wallet INTEGER NOT NULL,
    charged_seconds INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX open_usage ON usage(session_id) WHERE ended_at IS NULL;
CREATE INDEX open_usage_of_wallets ON usage(account_id) WHERE ended_at IS NULL AND wallet;
CREATE INDEX usage_by_account ON usage(account_id, ended_at);
CREATE INDEX usage_by_end ON usage(ended_at) WHERE ended_at IS NOT NULL;

-- What is charged and is less than a millionth of a dollar, in 3,600ths of one: a price is one of 3,600 seconds.
ALTER TABLE accounts ADD COLUMN owed_parts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN stripe_customer_id TEXT;
ALTER TABLE accounts ADD COLUMN stripe_subscription_id TEXT;

-- `amount_micros` is what a top-up adds to the wallet, `plan_code` what a subscription is for.
CREATE TABLE checkouts (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    mode TEXT NOT NULL,
    plan_code TEXT,
    amount_micros INTEGER,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    completed_at TEXT
) STRICT;
