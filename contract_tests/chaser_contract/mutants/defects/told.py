"""What is told of what happened: events for webhooks, their signature and order, and the audit log."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit, schema

defect = partial(declare, __name__)

defect(
    "signature-over-other-bytes",
    "The signature of a delivery fits only after I have formatted the body.",
    edit(
        "webhooks.delivering:Delivering._signed",
        "int(at.timestamp() + fault.timestamp_skew), body)",
        "int(at.timestamp() + fault.timestamp_skew), body + b'\\n')",
    ),
    "webhooks.each-delivery-is-signed-and-says-what-it-is",
)
defect(
    "signature-without-time",
    "The signature of a delivery does not cover its time.",
    edit("webhooks.signing:headers", 'f"{event_id}.{timestamp}.".encode()', 'f"{event_id}.".encode()'),
    "webhooks.each-delivery-is-signed-and-says-what-it-is",
)
defect(
    "signature-with-text-key",
    "The signature of a delivery is made with the text of the secret.",
    edit("webhooks.signing:headers", "base64.b64decode(secret.removeprefix(PREFIX))", "secret.encode()"),
    "webhooks.each-delivery-is-signed-and-says-what-it-is",
)
defect(
    "signature-without-version",
    "The signature of a delivery has no version.",
    edit("webhooks.signing:headers", 'f"v1,{signature}"', "signature"),
    "webhooks.each-delivery-is-signed-and-says-what-it-is",
)
defect(
    "signature-time-in-milliseconds",
    "The time of a delivery is in milliseconds.",
    edit(
        "webhooks.delivering:Delivering._signed",
        "int(at.timestamp() + fault.timestamp_skew)",
        "int(1000 * at.timestamp() + fault.timestamp_skew)",
    ),
    "deliveries.it-is-tried-eight-times-each-at-its-moment",
)
defect(
    "secret-of-another-form",
    "A signing secret has no `whsec_`.",
    edit("clock:new_signing_secret", '"whsec_" + ', ""),
    "secrets.a-signing-secret-is-told-once",
)
defect(
    "header-event-missing",
    "A delivery does not say in a header what it is about.",
    edit("webhooks.composing:headers_of", 'signing.EVENT_HEADER: row["event_type"],', ""),
    "webhooks deliveries happenings",
)
defect(
    "header-delivery-is-event",
    "A delivery's header has the id of the event.",
    edit(
        "webhooks.composing:headers_of",
        'signing.DELIVERY_HEADER: row["id"]',
        'signing.DELIVERY_HEADER: row["event_id"]',
    ),
    "webhooks.each-delivery-is-signed-and-says-what-it-is",
)
defect(
    "webhook-id-is-delivery",
    "A delivery that is tried again has the same id, a replay another.",
    edit(
        "webhooks.delivering:Delivering._signed",
        'signing.headers(secret, row["event_id"]',
        'signing.headers(secret, row["id"]',
    ),
    "replays.one-is-sent-again-as-another",
)
defect(
    "body-without-data",
    "A delivery does not carry the resource.",
    edit("resources:event_payload", 'json.loads(row["data"])', "{}"),
    "happenings.everything-that-happens-is-told-once",
)
defect(
    "body-type-of-resource",
    "A delivery is of the type of its resource, not of what happened.",
    edit("resources:event_payload", '"type": row["event_type"]', '"type": row["resource_type"]'),
    "deliveries.the-events-of-a-resource-come-in-their-order",
)
defect(
    "body-time-of-delivery",
    "A delivery says when it was sent, not when it happened.",
    edit("resources:event_payload", 'row["event_created_at"]', 'row["updated_at"]'),
    "webhooks deliveries happenings",
)
defect(
    "content-type-missing",
    "A delivery has no content type.",
    edit("webhooks.composing:headers_of", '"Content-Type": "application/json",', ""),
    "webhooks.each-delivery-is-signed-and-says-what-it-is",
)
defect(
    "event-filter-ignored",
    "A webhook gets events that it did not ask for.",
    schema("NEW.type GLOB wanted.value", "true"),
    "webhooks.one-gets-what-it-asked-for",
)
defect(
    "event-pattern-literal",
    "A webhook for `session.*` gets nothing.",
    schema("NEW.type GLOB wanted.value", "NEW.type = wanted.value"),
    "webhooks deliveries happenings",
)
defect(
    "event-without-filter-lost",
    "A webhook that names no events gets none.",
    schema("webhooks.events = '[]'", "false"),
    "webhooks deliveries happenings",
)
defect(
    "event-twice",
    "An event is sent twice.",
    edit(
        "handlers.workspaces:set_workspace_name",
        'await call.emit(tx, "workspace.renamed"',
        'for _ in (1, 2): await call.emit(tx, "workspace.renamed"',
    ),
    "happenings.everything-that-happens-is-told-once",
)
defect(
    "event-missing-renamed",
    "No event tells of a workspace that is renamed.",
    edit("handlers.workspaces:set_workspace_name", "await call.emit(", "assert call.emit, ("),
    "deliveries.the-events-of-a-resource-come-in-their-order",
)
defect(
    "event-missing-deleted",
    "No event tells of a workspace that is deleted.",
    edit("handlers.workspaces:_delete", "await call.emit(", "assert call.emit, ("),
    "webhooks deliveries happenings",
)
defect(
    "event-missing-running",
    "No event tells that a session runs.",
    edit("lifecycle:Lifecycle._boot", 'await self._emit(tx, "session.running", running)', "pass"),
    "happenings.everything-that-happens-is-told-once",
)
defect(
    "event-missing-terminated",
    "No event tells that a session has ended.",
    edit("lifecycle:Lifecycle._end", 'await self._emit(tx, f"session.{status}", fresh)', "pass"),
    "happenings.everything-that-happens-is-told-once",
)
defect(
    "event-missing-finished",
    "No event tells that a background command has ended.",
    edit("commands:Commands._finish", "await events.emit(", "assert events.emit, ("),
    "webhooks deliveries happenings",
    engine="local",
)
defect(
    "event-missing-default-workspace",
    "No event tells of the workspace that a session made by itself.",
    edit("targets:_default_workspace", "await call.emit(", "assert call.emit, ("),
    "particulars.a-default-workspace-is-told-as-others-are",
)
defect(
    "event-missing-billing",
    "No event tells that the plan has changed.",
    edit("handlers.billing:update_billing_account", "await call.emit(", "assert call.emit, ("),
    "happenings.everything-that-happens-is-told-once",
)
defect(
    "event-missing-alert",
    "No alert is sent when an assistant uses too much.",
    edit("handlers.assistant_usage:_alert", "await call.emit(", "assert call.emit, ("),
    "happenings.everything-that-happens-is-told-once",
)
defect(
    "event-missing-job-canceled",
    "No event tells that a job was canceled.",
    edit("jobs:Jobs.cancel", "await self._emit(tx, CANCELED, withdrawn)", "pass"),
    "webhooks deliveries happenings jobs job-results job-times",
)
defect(
    "event-missing-job-started",
    "No event tells that a job runs.",
    edit("jobs:Jobs.perform", 'await self._emit(tx, "started", row)', "pass"),
    "job-times.jobs-run-in-the-order-of-their-times",
)
defect(
    "event-order",
    "A session's end is told before its start.",
    schema(
        "THEN NULL ELSE '' END,",
        "THEN '' ELSE '' END,",
    ),
    "deliveries.the-events-of-a-resource-come-in-their-order",
)
defect(
    "event-of-everybody",
    "A webhook gets the events of somebody else.",
    edit(
        "events:emit",
        "account_id=account_id",
        "account_id=(await tx.one('SELECT id FROM accounts ORDER BY created_at LIMIT 1'))[0]",
    ),
    "isolation.what-others-do-changes-nothing-here",
)
defect(
    "retry-never",
    "A delivery that failed is not tried again.",
    edit("webhooks.schedule:next_attempt", "made < ATTEMPTS", "made < 1"),
    "deliveries.it-is-tried-eight-times-each-at-its-moment",
)
defect(
    "retry-once-less",
    "A delivery is given up one attempt early.",
    edit("webhooks.schedule:next_attempt", "made < ATTEMPTS", "made < ATTEMPTS - 1"),
    "deliveries.it-is-tried-eight-times-each-at-its-moment",
)
defect(
    "retry-pauses",
    "A delivery that failed is tried again at once, for ever the same.",
    edit("webhooks.schedule:next_attempt", "_PAUSES[made - 1]", "_PAUSES[0]"),
    "deliveries.it-is-tried-eight-times-each-at-its-moment",
)
defect(
    "redirect-is-success",
    "A redirect is taken for a delivery.",
    edit("webhooks.sending:failure_of", "200 <= status < 300", "200 <= status < 400"),
    "deliveries.any-2xx-is-a-success-and-nothing-else",
)
defect(
    "only-200-is-success",
    "204 is not taken for a delivery.",
    edit("webhooks.sending:failure_of", "200 <= status < 300", "status == 200"),
    "deliveries.any-2xx-is-a-success-and-nothing-else",
)
defect(
    "delivered-is-pending",
    "A delivery that succeeded is sent for ever.",
    edit(
        "webhooks.delivering:Delivering._attempt",
        "status=DELIVERED if delivered else",
        "status=PENDING if delivered else",
        (
            "next_attempt_at=timestamp(again) if again is not None else None",
            "next_attempt_at=timestamp(again if again is not None else next_attempt(1, ended))",
        ),
    ),
    "webhooks deliveries happenings",
)
defect(
    "replay-in-place",
    "A replay sends the old delivery again instead of a new one.",
    edit(
        "handlers.webhooks:replay_webhook_delivery",
        "fresh = await _delivery(call, tx, again)",
        'fresh = await _delivery(call, tx, row["id"])',
    ),
    "webhooks deliveries happenings",
)
defect(
    "replay-of-pending",
    "A delivery that is pending can be replayed.",
    edit("handlers.webhooks:replay_webhook_delivery", 'if row["status"] == deliveries.PENDING:', "if False:"),
    "webhooks deliveries happenings",
)
defect(
    "replay-of-deleted",
    "A delivery to a deleted webhook can be replayed.",
    edit("handlers.webhooks:replay_webhook_delivery", 'row["webhook_deleted_at"] is not None', "False"),
    "webhooks deliveries happenings",
)
defect(
    "replay-unmarked",
    "A delivery does not say that it was replayed.",
    edit(
        "store.deliveries:replay",
        "SET replayed_at = ?, updated_at",
        "SET replayed_at = nullif(?, '') AND NULL, updated_at",
    ),
    "webhooks deliveries happenings",
)
defect(
    "discard-of-delivered",
    "A delivery that succeeded can be given up.",
    edit(
        "handlers.webhooks:discard_webhook_delivery",
        'row["status"] not in (deliveries.PENDING, deliveries.FAILED)',
        "False",
    ),
    "webhooks deliveries happenings",
)
defect(
    "discard-is-sent",
    "A delivery that I gave up is sent.",
    edit("store.deliveries:discard", "status = 'discarded'", "status = status", (", next_attempt_at = NULL", "")),
    "webhooks deliveries happenings",
)
defect(
    "audit-missing-create",
    "The audit log does not tell of a new workspace.",
    edit("creation:created", "await call.audit(", "assert call.audit, ("),
    "audit-log audit",
)
defect(
    "audit-missing-rename",
    "The audit log does not tell of a new name.",
    edit("handlers.workspaces:set_workspace_name", "await call.audit(", "assert call.audit, ("),
    "audited.what-workspaces-are-asked-for-is-noted",
)
defect(
    "audit-missing-exec",
    "The audit log does not tell of commands.",
    edit("handlers.exec:_audit", "await call.audit(", "assert call.audit, ("),
    "audit.each-change-leaves-one-event",
)
defect(
    "audit-missing-session",
    "The audit log does not tell of new sessions.",
    edit("targets:_insert", "await events.audit(", "assert events.audit, ("),
    "audit.whoever-acts-is-named",
)
defect(
    "audit-missing-terminate",
    "The audit log does not tell of the end of sessions.",
    edit("lifecycle:Lifecycle.terminate", "if audited:", "if False:"),
    "audit.what-ends-by-itself-is-the-systems",
)
defect(
    "audit-missing-key",
    "The audit log does not tell of new keys.",
    edit("handlers.keys:create_key", "await call.audit(", "assert call.audit, ("),
    "audit-log audit keys ssh-keys",
)
defect(
    "audit-missing-revocation",
    "The audit log does not tell of revoked keys.",
    edit("handlers.keys:revoke_key", "await call.audit(", "assert call.audit, ("),
    "audit-log.the-newest-event-comes-first",
)
defect(
    "audit-missing-credential",
    "The audit log does not tell who read a credential.",
    edit("handlers.assistant_credentials:resolve_assistant_credential", "await call.audit(", "assert call.audit, ("),
    "assistant-memory.a-credential-is-read-where-it-belongs",
)
defect(
    "audit-missing-snapshot",
    "The audit log does not tell of snapshots.",
    edit("handlers.snapshots:_tell", "await call.audit(", "assert call.audit, ("),
    "audit.tools-and-bulk-calls-are-audited-as-their-operations",
)
defect(
    "audit-missing-member",
    "The audit log does not tell of new members.",
    edit("handlers.accounts:add_current_member", "await call.audit(", "assert call.audit, ("),
    "audit-log audit accounts members service-accounts",
)
defect(
    "audit-missing-plan",
    "The audit log does not tell of another plan.",
    edit("handlers.billing:update_billing_account", "await call.audit(", "assert call.audit, ("),
    "audit.each-change-leaves-one-event",
)
defect(
    "audit-missing-webhook",
    "The audit log does not tell of new webhooks.",
    edit("handlers.webhooks:create_webhook", "await call.audit(", "assert call.audit, ("),
    "audit.each-change-leaves-one-event",
)
defect(
    "audit-missing-refused",
    "The audit log does not tell of what was refused.",
    edit("pipeline:Pipeline._tell", "if operation.audit is not None and", "if False and"),
    "audit.a-refused-change-leaves-one-event",
)
defect(
    "audit-refused-is-success",
    "The audit log tells of what was refused as if it had succeeded.",
    edit("events:audit", '"failure" if failed else "success"', '"success"'),
    "audit-log audit",
)
defect(
    "audit-refused-without-code",
    "The audit log does not tell why something was refused.",
    edit("pipeline:Pipeline._tell", '{"code": error.code}', "{}"),
    "audit-log audit",
)
defect(
    "audit-twice",
    "The audit log tells twice of a new workspace.",
    edit(
        "creation:created",
        "    await call.audit(tx, workspace_id, summary, named)",
        "    await call.audit(tx, workspace_id, summary, named)\n    await call.audit(tx, workspace_id, summary, named)",
    ),
    "audit-log audit",
)
defect(
    "audit-reads",
    "The audit log tells of reads.",
    edit(
        "handlers.sessions:get_session",
        '    row = await lookup.session(call, call.path["id"])',
        "    row = await lookup.session(call, call.path['id'])\n"
        "    from chaser_emulator import events\n"
        "    async with call.store.transaction() as tx:\n"
        "        await events.audit(tx, call.clock, call.account.id, call.actor, 'session.read', 'session', row['id'], '-')",
    ),
    "audit.what-ends-by-itself-is-the-systems",
)
defect(
    "audit-action-of-another",
    "The audit log calls every action of workspaces the same.",
    edit(
        "operations:Call.audit", "mark.action, mark.resource_type", 'f"{mark.resource_type}.update", mark.resource_type'
    ),
    "audit-log.the-newest-event-comes-first",
)
