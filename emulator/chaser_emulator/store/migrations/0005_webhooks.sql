-- Webhooks: addresses that an account has told what happens. `secret` is sealed, and empty once the webhook is deleted;
-- the row stays, as its deliveries do (H13).
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    description TEXT,
    events TEXT NOT NULL,
    secret TEXT NOT NULL,
    secret_preview TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
) STRICT;
CREATE INDEX live_webhooks ON webhooks(account_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;

-- Deliveries: one event on its way to one webhook. `sequence` is the order in which things happened, whatever the
-- clock says. `next_attempt_at` is when a pending one is tried next: '' stands for at once, and NULL for not before
-- all earlier ones of the same resource are over.
CREATE TABLE deliveries (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL REFERENCES webhooks(id) ON DELETE CASCADE,
    event_id TEXT NOT NULL REFERENCES outbox(id),
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT,
    last_http_status INTEGER,
    last_error TEXT,
    delivered_at TEXT,
    replayed_at TEXT,
    discarded_at TEXT,
    replayed_from_delivery_id TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_by_account ON deliveries(account_id, created_at DESC, id DESC);
CREATE INDEX deliveries_by_webhook ON deliveries(webhook_id, created_at DESC, id DESC);
CREATE INDEX deliveries_by_event ON deliveries(event_id);
CREATE INDEX due_deliveries ON deliveries(webhook_id, next_attempt_at, sequence)
    WHERE status = 'pending' AND next_attempt_at IS NOT NULL;
-- The queues, one for each resource and webhook. A replay stands in none.
CREATE INDEX queued_deliveries ON deliveries(webhook_id, resource_type, resource_id, sequence)
    WHERE status = 'pending' AND replayed_from_delivery_id IS NULL;

-- Whether a delivery carries the event; one that none does is forgotten after a while.
ALTER TABLE outbox ADD COLUMN carried INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_not_carried ON outbox(created_at) WHERE NOT carried;

-- An event becomes a delivery for each webhook that wants it, in the transaction of the change that it tells of.
-- `new_id` is a function of the emulator's own, which its connections know.
CREATE TRIGGER fan_out AFTER INSERT ON outbox
WHEN EXISTS (SELECT 1 FROM webhooks WHERE account_id = NEW.account_id AND deleted_at IS NULL)
BEGIN
    INSERT INTO deliveries (
        id, account_id, webhook_id, event_id, resource_type, resource_id, next_attempt_at, created_at, updated_at
    )
    SELECT
        new_id(), NEW.account_id, webhooks.id, NEW.id, NEW.resource_type, NEW.resource_id,
        CASE WHEN EXISTS (
            SELECT 1 FROM deliveries AS earlier
            WHERE earlier.webhook_id = webhooks.id
              AND earlier.resource_type = NEW.resource_type AND earlier.resource_id = NEW.resource_id
              AND earlier.status = 'pending' AND earlier.replayed_from_delivery_id IS NULL
        ) THEN NULL ELSE '' END,
        NEW.created_at, NEW.created_at
    FROM webhooks
    WHERE webhooks.account_id = NEW.account_id AND webhooks.deleted_at IS NULL
      AND (
          webhooks.events = '[]'
          OR EXISTS (SELECT 1 FROM json_each(webhooks.events) AS wanted WHERE NEW.type GLOB wanted.value)
      );
    UPDATE outbox SET carried = 1
    WHERE id = NEW.id AND EXISTS (SELECT 1 FROM deliveries WHERE event_id = NEW.id);
END;

-- When a delivery is over, the next one of its queue is tried at once.
CREATE TRIGGER next_in_turn AFTER UPDATE OF status ON deliveries
WHEN OLD.status = 'pending' AND NEW.status <> 'pending' AND NEW.replayed_from_delivery_id IS NULL
BEGIN
    UPDATE deliveries SET next_attempt_at = ''
    WHERE next_attempt_at IS NULL AND sequence = (
        SELECT min(follower.sequence) FROM deliveries AS follower
        WHERE follower.webhook_id = NEW.webhook_id
          AND follower.resource_type = NEW.resource_type AND follower.resource_id = NEW.resource_id
          AND follower.status = 'pending' AND follower.replayed_from_delivery_id IS NULL
    );
END;
