"""Refusals with another status, code or form, without their headers, or with a secret in them."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import answers, as_status, dropped, edit, turned

defect = partial(declare, __name__)

defect(
    "ok-is-created",
    "Creating a workspace answers 201.",
    answers("create-workspace", as_status(201)),
    "sessions workspaces writes",
)
defect(
    "no-content-is-ok",
    "Deleting a workspace answers 200 with an empty object.",
    answers("delete-workspace", as_status(200, b"{}")),
    "deletions endings sessions workspaces",
)
defect(
    "not-found-is-bad-request",
    "What is not there is a 400.",
    answers(None, as_status(400), status=404),
    "browsers.a-sandbox-is-no-browser",
)
defect(
    "conflict-is-bad-request",
    "A conflict is a 400.",
    answers(None, as_status(400), status=409),
    "idempotency.a-key-with-another-body-is-a-conflict",
)
defect(
    "forbidden-is-unauthorized",
    "A key that may not do something is told that it is unknown.",
    answers(None, as_status(401), status=403),
    "scopes.no-key-gives-more-than-it-has",
)
defect(
    "code-differs-from-error",
    "`error` of a refusal is a sentence.",
    answers(None, turned(lambda value: value.replace("_", " "), "error"), status=404),
    "files.wrong-uploads-are-refused",
)
defect(
    "message-empty",
    "Refusals have no message.",
    answers(None, turned(lambda _: "", "message"), status=404),
    "files.wrong-uploads-are-refused",
)
defect(
    "request-id-of-another",
    "The request id in a refusal is not that of its header.",
    answers(None, turned(lambda _: "req_aaaaaaaaaaaaaaaaaaaaaaaaaa", "request_id"), status=404),
    "isolation.bodies-name-nothing-of-others",
)
defect(
    "details-lost",
    "A refused body does not say which field is wrong.",
    answers(None, dropped("details"), status=400),
    "inputs.a-field-that-is-missing-is-refused",
)
defect(
    "details-pointer-lost",
    "The details of a refused body name no field.",
    edit("errors:invalid", '"pointer": p.pointer', '"pointer": ""'),
    "jobs.what-is-no-job-is-refused",
)
defect(
    "details-first-only",
    "Of two wrong fields only one is told.",
    edit("errors:invalid", "for p in problems]", "for p in problems[:1]]"),
    "particulars.each-wrong-field-is-told",
)
defect(
    "plan-limit-without-limit",
    "The refusal for a plan's limit does not say the limit.",
    edit("targets:_insert", 'details={"limit": limit}', "details=None"),
    "errors inputs secrets billing usage plans sessions workspaces",
)
defect(
    "taken-is-invalid",
    "A name that is taken is an invalid request.",
    edit("creation:require_free", '"name_taken"', '"invalid_request"'),
    "workspaces.names-are-taken-in-any-case",
)
defect(
    "name-taken-is-conflict-code",
    "The code for a name that is taken is `conflict`.",
    answers("create-workspace", lambda wire: wire.json.update(code="conflict", error="conflict"), status=409),
    "writes errors inputs secrets sessions workspaces",
)
defect(
    "snapshot-taken-code",
    "The code for a snapshot's name that is taken is another.",
    edit("handlers.snapshots:_require_place", '"already_exists"', '"invalid_state"'),
    "snapshots errors inputs secrets sessions workspaces",
)
defect(
    "allow-missing",
    "A 405 does not say what is allowed.",
    edit("pipeline:Endpoint._answer", 'headers={"Allow": allow}', "headers={}"),
    "errors inputs secrets precedence",
)
defect(
    "allow-incomplete",
    "A 405 leaves out a method that is allowed.",
    edit("pipeline:Endpoint._answer", "sorted(self._operations)", "sorted(self._operations)[:1]"),
    "errors.a-wrong-method-is-told-the-right-ones",
)
defect(
    "method-not-allowed-is-not-found",
    "A wrong method is a 404.",
    edit("pipeline:Endpoint._answer", '"method_not_allowed", f', '"not_found", f'),
    "errors.a-wrong-method-is-told-the-right-ones",
)
defect(
    "request-id-not-echoed",
    "The request id that I send does not come back.",
    edit("edge:Edge.__call__", "given if _GOOD_ID.match(given) else new_request_id()", "new_request_id()"),
    "errors.a-request-has-the-name-that-its-caller-gave",
)
defect(
    "request-id-echoed-whatever",
    "A request id with spaces comes back as it is.",
    edit("edge:Edge.__call__", "given if _GOOD_ID.match(given)", "given if given"),
    "errors.a-request-has-the-name-that-its-caller-gave",
)
defect(
    "request-id-missing",
    "Answers have no x-request-id.",
    edit("edge:Edge.__call__", 'answered["x-request-id"] = request_id', "pass"),
    "mcp.wrong-arguments-are-named",
)
defect(
    "version-missing",
    "Answers do not say that they are an emulator's.",
    edit("edge:Edge.__call__", 'answered["X-Chaser-Emulator"] = __version__', "pass"),
    "mcp.wrong-arguments-are-named",
)
defect(
    "secret-in-refusal",
    "A wrong password is repeated in the refusal.",
    edit(
        "handlers.auth:login",
        '"the address and the password do not belong to a user"',
        "f\"the password {call.body['password']} does not belong to a user\"",
    ),
    "tokens.a-wrong-password-and-an-unknown-address-look-alike",
)
defect(
    "key-in-refusal",
    "A refusal repeats the key that was sent.",
    edit(
        "admission:authenticate",
        "if key is None:\n        raise unauthorized()",
        "if key is None:\n        refused = unauthorized()\n        refused.message += text\n        raise refused",
    ),
    "secrets.refusals-repeat-no-secret",
)
defect(
    "credential-in-audit",
    "The audit log has the secret of a credential.",
    edit(
        "handlers.assistant_credentials:resolve_assistant_credential", '"name": name}', '"name": name, "value": value}'
    ),
    "audit-log.no-event-holds-a-secret",
)
defect(
    "env-in-audit",
    "The audit log has the variables of a command.",
    edit("handlers.exec:_audit", "**metadata}", '**metadata, "env": call.body.get("env")}'),
    "audit-log.no-event-holds-a-secret",
)
defect(
    "webhook-url-in-audit",
    "The audit log has the whole address of a webhook, with its secret path.",
    edit("handlers.webhooks:_shown", 'place_of(row["url"]).authority', 'row["url"]'),
    "audit-log.no-event-holds-a-secret",
)
defect(
    "webhook-secret-listed",
    "The list of webhooks shows the whole signing secret.",
    edit("handlers.webhooks:create_webhook", "secret_preview=preview(secret)", "secret_preview=secret"),
    "webhooks.one-is-told-as-it-was-made",
)
defect(
    "key-secret-listed",
    "The list of keys shows whole keys.",
    edit("store.identity:add_key", "key_prefix=secret[:10]", "key_prefix=secret"),
    "keys.a-secret-is-shown-once",
)
defect(
    "credential-in-answer",
    "Storing a credential answers with it.",
    answers("store-assistant-credential", lambda wire: wire.json["credential"].update(value="secret")),
    "secrets.a-credential-in-the-vault-is-told-to-who-resolves-it",
)
defect(
    "unauthorized-comes-late",
    "Who is unknown is told first what is wrong with the request.",
    edit(
        "pipeline:Pipeline.perform",
        "await self._enter(call, limits)\n        form = await self._read(call)",
        "form = await self._read(call)\n        await self._enter(call, limits)",
    ),
    "jobs.what-is-no-job-is-refused",
)
defect(
    "scope-before-account",
    "A scope that is missing is told before an account that does not exist.",
    edit(
        "pipeline:Pipeline._admit",
        "    account: admission.Account | None = None",
        "    account: admission.Account | None = None\n    admission.authorise(operation, principal, None)",
    ),
    "precedence.a-media-type-is-told-after-a-scope-and-before-what-is-missing",
)
defect(
    "lookup-before-validation",
    "A session that does not exist is told before what is wrong with the request.",
    edit(
        "pipeline:Pipeline._read",
        "    operation, request = call.operation, call.request",
        "    operation, request = call.operation, call.request\n"
        "    if operation.id == 'exec-session':\n"
        "        if not await call.store.one('SELECT 1 FROM sessions WHERE id = ?', request.path_params['id']):\n"
        "            raise ApiError('not_found', 'there is no such session')",
    ),
    "precedence.a-media-type-is-told-after-a-scope-and-before-what-is-missing",
)
defect(
    "media-type-before-scope",
    "A wrong media type is told before a scope that is missing.",
    edit(
        "pipeline:Pipeline._enter",
        "    refused: ApiError | None = None",
        "    refused: ApiError | None = None\n"
        "    sent = call.request.headers.get('content-type', '')\n"
        "    if call.operation.body and sent.startswith('text/plain'):\n"
        "        raise ApiError('unsupported_media_type', 'the body must be JSON')",
    ),
    "precedence.a-media-type-is-told-after-a-scope-and-before-what-is-missing",
)
defect(
    "crash-on-long-name",
    "A name of 64 characters makes the emulator fail.",
    edit(
        "creation:require_free",
        "    other = await",
        "    if len(name) == 64:\n        raise RuntimeError\n    other = await",
    ),
    "workspaces.names-are-of-a-form",
)
defect(
    "crash-on-limit-200",
    "The largest page of sessions makes the emulator fail.",
    edit(
        "handlers.sessions:list_sessions",
        "    rows, total",
        '    if call.query["limit"] == 200:\n        raise RuntimeError\n    rows, total',
    ),
    "pagination.pages-of-sessions-join",
)
