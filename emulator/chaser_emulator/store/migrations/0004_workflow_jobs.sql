-- Jobs of GitHub Actions that the runner knows, as the control plane was told of them. They belong to the world, as
-- GitHub's do, and to no account.
CREATE TABLE workflow_jobs (
    id INTEGER PRIMARY KEY,
    repository TEXT NOT NULL,
    ref TEXT,
    workflow TEXT NOT NULL,
    job TEXT NOT NULL,
    matrix TEXT,
    created_at TEXT NOT NULL
) STRICT;
