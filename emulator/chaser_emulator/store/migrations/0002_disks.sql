-- A disk holds the files of one workspace, of one snapshot, or of one ephemeral session with a repository, whose row
-- names it. One that no row names is what a crash or a failed deletion left; it is cleared away.
ALTER TABLE workspaces ADD COLUMN disk_id TEXT NOT NULL DEFAULT '';
UPDATE workspaces SET disk_id = id;
ALTER TABLE sessions ADD COLUMN disk_id TEXT;
ALTER TABLE sessions ADD COLUMN failure_code TEXT;

CREATE TABLE snapshots (
    workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
    name TEXT NOT NULL COLLATE NOCASE,
    disk_id TEXT NOT NULL UNIQUE,
    used_bytes INTEGER,
    created_at TEXT NOT NULL,
    restored_at TEXT,
    PRIMARY KEY (workspace_id, name)
) STRICT;

-- Nothing is half there any more: a row comes when its disk is whole, and goes before its disk does.
DELETE FROM workspaces WHERE doomed;
ALTER TABLE workspaces DROP COLUMN doomed;
