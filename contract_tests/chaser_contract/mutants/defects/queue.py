"""Jobs: run twice, too early or not at all, the same key for something else, and what becomes of them."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

defect(
    "key-ignored",
    "The same idempotency key queues two jobs.",
    edit(
        "handlers.jobs:create_job",
        "known = None if key is None else await jobs.of_key(tx, call.account.id, key)",
        "known = None",
        ("idempotency_key=key,", "idempotency_key=None,"),
    ),
    "idempotency.a-key-belongs-to-its-account",
)
defect(
    "key-conflict-untold",
    "The same idempotency key with another input answers the old job.",
    edit("handlers.jobs:create_job", "_require_same(known, kind, given)", "pass"),
    "idempotency.a-key-with-another-body-is-a-conflict",
)
defect(
    "key-order-of-fields",
    "The same input in another order is a conflict.",
    edit(
        "handlers.jobs:_require_same",
        "json.dumps(before, sort_keys=True) != json.dumps(given, sort_keys=True)",
        "json.dumps(before) != json.dumps(given)",
    ),
    "idempotency.a-key-with-another-body-is-a-conflict",
)
defect(
    "key-with-run-at",
    "The same job at another moment is a conflict.",
    edit(
        "handlers.jobs:create_job",
        "_require_same(known, kind, given)",
        "_require_same(known, kind, given if known['run_at'] == run_at else {})",
    ),
    "idempotency jobs job-results job-times",
)
defect(
    "key-conflict-code",
    "A conflict of idempotency keys has another code.",
    edit("handlers.jobs:_require_same", '"idempotency_conflict"', '"conflict"'),
    "idempotency.a-key-with-another-body-is-a-conflict",
)
defect(
    "key-case",
    "Idempotency keys ignore case.",
    edit("store.jobs:of_key", "idempotency_key = ?", "idempotency_key = ? COLLATE NOCASE"),
    "idempotency.a-key-with-another-body-is-a-conflict",
)
defect(
    "key-of-replay-runs",
    "Repeating a request runs the job again.",
    edit(
        "handlers.jobs:create_job",
        "return job_info(known)",
        "return job_info(await jobs.requeue(tx, known['id'], known['principal'], call.clock.timestamp()) or known)",
    ),
    "idempotency.a-key-outlives-its-job",
)
defect(
    "run-at-ignored",
    "A job for tomorrow runs now.",
    edit("handlers.jobs:create_job", "due_at=run_at if run_at is not None and run_at > now else None", "due_at=None"),
    "jobs.one-runs-when-its-time-has-come",
)
defect(
    "run-at-never",
    "A job for later never runs.",
    edit("store.jobs:start", "due_at <= ?2", "due_at <= ?2 AND false"),
    "job-times.jobs-run-in-the-order-of-their-times",
)
defect(
    "run-at-as-sent",
    "A job's moment is shown as I sent it, not in UTC.",
    edit(
        "handlers.jobs:_run_at",
        "None if text is None else timestamp(moment(text.upper()))",
        "moment(text.upper()) and text if text else None",
    ),
    "jobs.one-whose-time-is-over-runs-at-once",
)
defect(
    "never-run",
    "Jobs stay queued.",
    edit("jobs:Jobs.perform", "if self._closing:", "if True:"),
    "jobs.one-is-run-again-as-itself",
)
defect(
    "result-lost",
    "A job that has completed has no result.",
    edit("store.jobs:finish", "        result,\n", "        None,\n"),
    "job-results.a-pipeline-tells-of-each-step",
)
defect(
    "failure-is-success",
    "A job whose command failed has completed.",
    edit("work.commands:sandbox_exec", 'if answer["exit_code"] != 0:', "if False:"),
    "job-results.a-pipeline-stops-at-the-first-failure",
)
defect(
    "failure-without-result",
    "A job that failed does not say what its command wrote.",
    edit(
        "work.commands:sandbox_exec",
        "raise JobFailed(f\"command exited with {answer['exit_code']}\", answer)",
        "raise JobFailed(f\"command exited with {answer['exit_code']}\")",
    ),
    "job-results.a-pipeline-stops-at-the-first-failure",
)
defect(
    "timeout-is-failure-of-code",
    "A job whose time was up says that its command exited.",
    edit("work.commands:sandbox_exec", 'answer["status"] == "timed_out"', "False"),
    "job-results.a-command-that-takes-too-long-fails-its-job",
)
defect(
    "alias-unknown",
    "`cmd` of a job is not taken for its command.",
    edit("work.commands:_by_their_own_names", "aliases.get(name, name)", "name"),
    "job-results.a-pipeline-tells-of-each-step",
)
defect(
    "pipeline-goes-on",
    "A pipeline goes on after a step that failed.",
    edit(
        "work.commands:pipeline_run",
        "if failure is not None:\n            steps.append",
        "if False:\n            steps.append",
    ),
    "job-results.a-pipeline-stops-at-the-first-failure",
)
defect(
    "pipeline-skipped-untold",
    "A pipeline does not say which steps were skipped.",
    edit(
        "work.commands:pipeline_run",
        'steps.append({"name": step.get("name"), "kind": step_kind(step), "status": "skipped"})',
        "pass",
    ),
    "job-results.a-pipeline-stops-at-the-first-failure",
)
defect(
    "pipeline-elsewhere",
    "Steps of a pipeline run in different workspaces.",
    edit("work.commands:_input", 'body["workspace"] = workspace_id', 'body["ephemeral"] = True'),
    "job-results.steps-share-the-files",
    engine="local",
)
defect(
    "cancel-runs-on",
    "A canceled job runs on.",
    edit("store.jobs:withdraw", "SET status = 'canceled'", "SET status = status"),
    "jobs.one-that-is-canceled-never-runs",
)
defect(
    "cancel-of-ended",
    "A job that has ended can be canceled.",
    edit("store.jobs:withdraw", "AND status = 'queued'", ""),
    "jobs job-results job-times session-lifecycle workspace-lifecycle",
)
defect(
    "cancel-of-running-refused",
    "A job that runs cannot be canceled.",
    edit("jobs:Jobs.cancel", "if hand is not None:", "if False:"),
    "jobs job-results job-times session-lifecycle workspace-lifecycle",
)
defect(
    "retry-of-queued",
    "A job that waits can be retried.",
    edit("store.jobs:requeue", "NOT IN ('queued', 'running')", "NOT IN ('running')"),
    "jobs.one-is-run-again-as-itself",
)
defect(
    "retry-keeps-error",
    "A job that runs again shows the error of before.",
    edit("store.jobs:requeue", "result = NULL, error = NULL,", "result = NULL,"),
    "jobs.one-is-run-again-as-itself",
)
defect(
    "retry-waits-again",
    "A job that is retried waits for the moment that it was made for.",
    edit("store.jobs:requeue", "CASE WHEN run_at > ? THEN NULL ELSE run_at END", "coalesce(run_at, nullif(?, ''))"),
    "jobs.one-is-run-again-as-itself",
)
defect(
    "retry-is-new",
    "Retrying a job answers it as it was.",
    edit(
        "handlers.jobs:retry_job",
        "return job_info(await call.world.jobs.retry(row, call.principal))",
        "await call.world.jobs.retry(row, call.principal)\n    return job_info(row)",
    ),
    "jobs.one-is-run-again-as-itself",
)
