"""Assistants: what they remember, may and use, and who decides."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

defect(
    "patch-replaces",
    "Changing a part of a configuration loses the rest.",
    edit("merging:merged", "dict(target) if isinstance(target, dict) else {}", "{}"),
    "assistants.a-change-is-proposed-and-decided",
)
defect(
    "patch-null-kept",
    "A null in a change of a configuration stays there.",
    edit("merging:merged", "result.pop(name, None)", "result[name] = None"),
    "assistants.a-change-is-proposed-and-decided",
)
defect(
    "patch-not-deep",
    "A change of a configuration replaces whole objects.",
    edit("merging:merged", "merged(result.get(name), value)", "value"),
    "assistants.a-change-is-merged",
)
defect(
    "patch-lists-joined",
    "A list in a change of a configuration is added to the one there.",
    edit(
        "merging:merged",
        "merged(result.get(name), value)",
        "result.get(name, []) + value if isinstance(value, list) else merged(result.get(name), value)",
    ),
    "assistants.a-change-is-merged",
)
defect(
    "same-makes-version",
    "A change that changes nothing makes a new version.",
    edit("handlers.assistants:patch_config", "if not same(before, after):", "if True:"),
    "configurations.configurations-follow-merge-patches",
)
defect(
    "one-is-true",
    "Changing 1 to true changes nothing.",
    edit("merging:same", "json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)", "one == other"),
    "distinctions.a-number-is-no-truth-value",
)
defect(
    "name-lost",
    "An assistant keeps its name though renaming it succeeded.",
    edit("handlers.assistants:update_assistant", "if name is not None and", "if False and"),
    "assistants.it-tells-when-it-changed",
)
defect(
    "updated-at-stands",
    "An assistant's `updated_at` stays when it changes.",
    edit("store.assistants:set_config", "updated_at = ? WHERE", "updated_at = coalesce(updated_at, ?) WHERE"),
    "assistants.it-tells-when-it-changed",
)
defect(
    "pause-does-nothing",
    "A paused assistant is active.",
    edit("handlers.assistants:pause_assistant", "assistants.PAUSED", "assistants.ACTIVE"),
    "idempotency.what-is-said-again-changes-nothing",
)
defect(
    "resume-does-nothing",
    "An assistant stays paused for ever.",
    edit("handlers.assistants:resume_assistant", "assistants.ACTIVE", "assistants.PAUSED"),
    "idempotency.what-is-said-again-changes-nothing",
)
defect(
    "pause-again-changes",
    "Pausing twice changes `updated_at` again.",
    edit("handlers.assistants:_become", 'if row["status"] != status:', "if True:"),
    "idempotency.what-is-said-again-changes-nothing",
)
defect(
    "home-shared",
    "Two assistants have the same home.",
    edit(
        "handlers.assistants:create_assistant",
        "workspace_id = await _home(call, tx)",
        "known = await assistants.of_account(tx, call.account.id)\n        workspace_id = known[0]['workspace_id'] if known else await _home(call, tx)",
    ),
    "distinctions.assistants-share-no-home",
)
defect(
    "config-at-creation-lost",
    "An assistant's first configuration is lost.",
    edit("handlers.assistants:create_assistant", 'call.body.get("config", {})', "{}"),
    "assistants.one-is-what-was-asked-for",
)
defect(
    "channel-twice",
    "A channel leads to two assistants.",
    edit(
        "handlers.assistant_channels:add_assistant_channel",
        "if known is not None:",
        "if known is not None and known['assistant_id'] == assistant['id']:",
        (
            "row = await assistants.bind(",
            "if known:\n            await assistants.unbind(tx, known['assistant_id'], known['id'], call.clock.timestamp())\n        row = await assistants.bind(",
        ),
    ),
    "assistant-memory.a-channel-leads-to-one-assistant",
)
defect(
    "channel-type-ignored",
    "The same channel of another service is bound already.",
    edit("store.assistants:channel", "AND channel_type = ? AND", "AND (channel_type = ? OR true) AND"),
    "assistant-memory.a-channel-leads-to-one-assistant",
)
defect(
    "channel-credential-lost",
    "A channel does not say which credential it uses.",
    edit("handlers.assistant_channels:add_assistant_channel", 'call.body.get("credential_name")', "None"),
    "assistant-memory.a-channel-leads-to-one-assistant",
)
defect(
    "channel-removed-resolves",
    "A channel that was taken away still leads to its assistant.",
    edit(
        "store.assistants:unbind",
        '"DELETE FROM assistant_channels WHERE',
        '"UPDATE assistant_channels SET channel_id = channel_id WHERE',
    ),
    "listings.channels-are-all-listed",
)
defect(
    "credential-not-replaced",
    "Storing a credential again keeps the old one.",
    edit(
        "handlers.assistant_credentials:store_assistant_credential",
        "row = await assistants.store_credential(",
        "known = await tx.one('SELECT * FROM assistant_credentials WHERE account_id = ? AND name = ?', call.account.id, call.body['name'])\n        row = known or await assistants.store_credential(",
    ),
    "assistant-memory.a-credential-is-read-where-it-belongs",
)
defect(
    "credential-of-account-wins",
    "An assistant gets the account's credential instead of its own.",
    edit(
        "store.assistants:credential",
        "ORDER BY assistant_id IS NULL LIMIT 1",
        "ORDER BY assistant_id IS NOT NULL LIMIT 1",
    ),
    "assistant-memory.a-credential-is-read-where-it-belongs",
)
defect(
    "credential-of-account-unseen",
    "An assistant does not get the account's credential.",
    edit("store.assistants:credential", "(assistant_id = ? OR assistant_id IS NULL)", "assistant_id = ?"),
    "assistant-memory.a-credential-is-read-where-it-belongs",
)
defect(
    "credential-garbled",
    "A credential comes back with its spaces trimmed.",
    edit("handlers.assistant_credentials:resolve_assistant_credential", '"value": value}', '"value": value.strip()}'),
    "verbatim.texts-come-back-as-they-were-sent",
)
defect(
    "state-version-ignored",
    "Of two who write a state at once the last one wins.",
    edit(
        "handlers.assistant_state:put_assistant_runtime_state", 'call.body.get("version", current) != current', "False"
    ),
    "racing-changes.a-state-is-written-by-one",
)
defect(
    "state-version-stands",
    "The version of a state does not grow.",
    edit("store.assistants:write_state", "version = version + 1", "version = version"),
    "assistant-memory.a-state-has-256-kib-at-most",
)
defect(
    "state-merged",
    "Writing a state keeps what was there before.",
    edit(
        "handlers.assistant_state:put_assistant_runtime_state",
        'row = await assistants.write_state(tx, assistant["id"], text',
        "old = state_info(await assistants.state(tx, assistant['id']))['state']\n        text = json.dumps(old | json.loads(text)) if isinstance(old, dict) and isinstance(call.body['state'], dict) else text\n        row = await assistants.write_state(tx, assistant['id'], text",
    ),
    "isolation.what-is-anothers-is-not-found",
)
defect(
    "state-null-is-empty",
    "A state of null comes back as an empty object.",
    edit("assistant_resources:state_info", 'json.loads(row["state"])', 'json.loads(row["state"]) or {}'),
    "assistant-memory.a-state-is-any-json",
)
defect(
    "usage-quantity-whole",
    "Fractions of usage are lost.",
    edit("store.assistant_usage:add", "quantity=quantity", "quantity=int(quantity)"),
    "assistant-memory.usage-is-summed",
)
defect(
    "usage-metadata-lost",
    "The metadata of usage is lost.",
    edit(
        "handlers.assistant_usage:create_assistant_usage_event",
        "None if metadata is None else json.dumps(metadata)",
        "None",
    ),
    "assistant-memory.usage-is-summed",
)
defect(
    "alert-at-bound",
    "An alert is sent when usage reaches the bound, not when it is beyond it.",
    edit("handlers.assistant_usage:_alert", "sums[kind] > threshold", "sums[kind] >= threshold"),
    "assistants assistant-memory assistant-alerts configurations",
)
defect(
    "alert-each-time",
    "An alert is sent for each use beyond the bound.",
    edit("handlers.assistant_usage:_alert", "if told is not None and start <= told <= end:", "if False:"),
    "happenings.everything-that-happens-is-told-once",
)
defect(
    "alert-once",
    "An alert is sent once, and not in the next window.",
    edit("handlers.assistant_usage:_alert", "if told is not None and start <= told <= end:", "if told is not None:"),
    "assistants assistant-memory assistant-alerts configurations",
)
defect(
    "alert-window-ignored",
    "An alert counts what was used long ago.",
    edit(
        "handlers.assistant_usage:_start",
        "timestamp(end - timedelta(seconds=seconds) + _TICK)",
        "'2000-01-01T00:00:00.000000Z'",
    ),
    "assistants assistant-memory assistant-alerts configurations",
)
defect(
    "change-applied-at-once",
    "A change that was asked for is made before anybody approves.",
    edit(
        "handlers.assistant_changes:create_assistant_config_change_request",
        "        row = await assistant_changes.propose(",
        "        await patch_config(call, tx, assistant, call.body['patch'])\n        row = await assistant_changes.propose(",
    ),
    "assistants assistant-memory assistant-alerts configurations session-lifecycle workspace-lifecycle",
)
defect(
    "change-approved-not-made",
    "A change that was approved is not made.",
    edit(
        "handlers.assistant_changes:approve_assistant_config_change_request",
        'await patch_config(call, tx, assistant, json.loads(pending["patch"]))',
        "pass",
    ),
    "assistants.a-change-is-proposed-and-decided",
)
defect(
    "change-denied-made",
    "A change that was turned down is made.",
    edit(
        "handlers.assistant_changes:deny_assistant_config_change_request",
        "_, pending = await _pending(call, tx)",
        "assistant, pending = await _pending(call, tx)\n        await patch_config(call, tx, assistant, json.loads(pending['patch']))",
    ),
    "racing-changes.one-decides",
)
defect(
    "change-decided-twice",
    "A change that was turned down can be approved.",
    edit("handlers.assistant_changes:_pending", 'row["status"] != assistant_changes.PENDING', "False"),
    "assistants.a-change-is-proposed-and-decided",
)
defect(
    "change-decider-lost",
    "A change does not say who decided.",
    edit("store.assistant_changes:decide", "decided_by = ?,", "decided_by = nullif(?, '') AND NULL,"),
    "assistants.a-change-is-proposed-and-decided",
)
defect(
    "change-of-other-assistant",
    "A change is approved by way of another assistant.",
    edit("store.assistant_changes:get", "AND assistant_id = ?", "AND (assistant_id = ? OR true)"),
    "assistants.a-change-is-proposed-and-decided",
)
defect(
    "change-reason-lost",
    "A change does not say why it is asked for.",
    edit("handlers.assistant_changes:create_assistant_config_change_request", 'call.body.get("reason")', "None"),
    "assistants.a-change-is-proposed-and-decided",
)
