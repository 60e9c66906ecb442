-- Attempts at deliveries, one by one. `at` is when it began on the world's clock, `duration_ms` real time. `signed_at`
-- and `signature` are what its headers said, NULL where nothing could be signed; all else that was sent follows from the
-- delivery. What was tried before this table was there is counted in `deliveries.attempts` alone.
CREATE TABLE delivery_attempts (
    delivery INTEGER NOT NULL REFERENCES deliveries(sequence) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    duration_ms REAL NOT NULL,
    http_status INTEGER,
    error TEXT,
    signed_at INTEGER,
    signature TEXT,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- How the deliveries of an account fare, counted without a look at them; and those of one webhook in one state.
CREATE INDEX deliveries_by_status ON deliveries(account_id, webhook_id, status, created_at DESC, id DESC);
