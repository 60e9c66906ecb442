"""What is taken that should be refused, refused that should be taken, or read as something else."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

defect(
    "any-media-type",
    "JSON is taken with any content type.",
    edit("pipeline:Pipeline._json", "if media_type != _JSON:", "if False:"),
    "precedence.a-media-type-is-told-after-a-scope-and-before-what-is-missing",
)
defect(
    "no-media-type",
    "JSON is taken without a content type.",
    edit("pipeline:Pipeline._json", "if media_type != _JSON:", "if media_type and media_type != _JSON:"),
    "media-types.a-json-body-of-another-type-is-refused",
)
defect(
    "text-json",
    "`text/json` is taken for JSON.",
    edit("pipeline:Pipeline._json", "if media_type != _JSON:", 'if not media_type.endswith("json"):'),
    "media-types.a-json-body-of-another-type-is-refused",
)
defect(
    "media-type-with-charset",
    "`application/json; charset=utf-8` is refused.",
    edit(
        "pipeline:Pipeline._read",
        'request.headers.get("content-type", "").partition(";")[0]',
        'request.headers.get("content-type", "")',
    ),
    "media-types",
)
defect(
    "media-type-case",
    "`Application/JSON` is refused.",
    edit("pipeline:Pipeline._read", ".strip().lower()\n", ".strip()\n"),
    "media-types",
)
defect(
    "any-form-type",
    "An upload is taken with any content type.",
    edit("pipeline:Pipeline._form", "if media_type != _FORM:", 'if media_type == "application/json":'),
    "files.wrong-uploads-are-refused",
)
defect(
    "media-type-code",
    "A wrong content type is an invalid request.",
    edit("pipeline:Pipeline._json", '"unsupported_media_type", f', '"invalid_request", f'),
    "precedence.a-media-type-is-told-after-a-scope-and-before-what-is-missing",
)
defect(
    "invalid-json-code",
    "A body that is no JSON is an invalid request.",
    edit(
        "validation:parse_json",
        'raise ApiError("invalid_json", f"the body is no JSON: {error}")',
        'raise ApiError("invalid_request", f"the body is no JSON: {error}")',
    ),
    "mcp.what-is-no-request-is-refused",
)
defect(
    "nan-is-a-number",
    "NaN is taken for JSON.",
    edit("validation:parse_json", "parse_constant=_no_constant, ", "parse_constant=lambda _: 0, "),
    "media-types.what-is-no-json-is-refused",
)
defect(
    "lone-surrogates",
    "Half a character in a text makes the emulator fail.",
    edit("validation:parse_json", "json.dumps(value, ensure_ascii=False).encode()", "pass"),
    "particulars.half-a-character-is-refused",
)
defect(
    "bodies-not-checked",
    "Bodies are not held against their schema.",
    edit("validation:Validator.body", "if problems:", "if False:"),
    "job-inputs.commands-are-checked",
)
defect(
    "empty-body-is-object",
    "A body that is missing is taken for an empty object.",
    edit("pipeline:Pipeline._json", "if body.required:", "if False:"),
    "media-types.an-absent-body-is-refused-where-one-is-needed",
)
defect(
    "limit-zero-taken",
    "A page of nothing can be asked for.",
    edit(
        "pipeline:Pipeline._parameters",
        "problems += found\n",
        "problems += [one for one in found if one.pointer != 'limit']\n",
    ),
    "pagination.pages-have-bounds",
)
defect(
    "limit-capped-silently",
    "A limit beyond the largest is taken, and cut.",
    edit(
        "validation:_value",
        "return int(text)",
        "return min(int(text), 200)",
    ),
    "pagination.pages-have-bounds",
)
defect(
    "offset-negative-taken",
    "A negative offset is taken for 0.",
    edit("validation:_value", "return int(text)", "return max(int(text), 0)"),
    "pagination.pages-have-bounds",
)
defect(
    "last-of-two-values",
    "Of a parameter that was sent twice the last one counts.",
    edit("validation:Validator.parameters", "elif len(texts) > 1 and not parameter.many:", "elif False:"),
    "inputs.a-parameter-that-is-wrong-is-refused-by-name",
)
defect(
    "yes-is-true",
    "`force=yes` is taken for true.",
    edit(
        "validation:_value", "_BOOLEANS.get(text, text)", '_BOOLEANS.get(text, True if text in ("yes", "1") else text)'
    ),
    "inputs.a-parameter-that-is-wrong-is-refused-by-name",
)
defect(
    "true-is-false",
    "`force=true` is not heard.",
    edit("validation:_value", "_BOOLEANS.get(text, text)", '_BOOLEANS.get(text, text) and text != "true"'),
    "deletions.force-ends-its-session",
)
defect(
    "defaults-missing",
    "Without a limit the emulator fails.",
    edit("validation:Validator.parameters", 'elif "default" in parameter.schema:', "elif False:"),
    "pagination.pages-of-sessions-join",
)
defect(
    "body-too-large-taken",
    "JSON may be as large as it likes.",
    edit("uploads:read_json", "JSON_LIMIT", "JSON_LIMIT * 100"),
    "media-types.a-json-body-that-is-too-large-is-refused",
)
defect(
    "body-limit-one-less",
    "JSON of exactly the largest size is refused.",
    edit("uploads:read_json", "JSON_LIMIT", "JSON_LIMIT - 1"),
    "media-types.a-json-body-that-is-too-large-is-refused",
)
defect(
    "file-too-large-taken",
    "A file of more than 16 MiB can be uploaded.",
    edit("handlers.files:upload_session_file", "uploads.size(part) > uploads.FILE_LIMIT", "False"),
    "media-types.a-file-that-is-too-large-is-refused",
)
defect(
    "file-of-limit-refused",
    "A file of exactly 16 MiB is refused.",
    edit(
        "handlers.files:upload_session_file",
        "uploads.size(part) > uploads.FILE_LIMIT",
        "uploads.size(part) >= uploads.FILE_LIMIT",
    ),
    "files.a-file-has-at-most-16-mib",
)
defect(
    "environment-unbounded",
    "A command takes variables without bound.",
    edit("targets:variables_of", "size > ENVIRONMENT_LIMIT", "False"),
    "session-requests.what-cannot-be-is-refused",
)
defect(
    "webhook-limit-one-more",
    "An account can have 21 webhooks.",
    edit("handlers.webhooks:create_webhook", ">= LIMIT", "> LIMIT"),
    "webhooks.an-account-has-twenty-and-no-more",
)
defect(
    "snapshot-limit-one-more",
    "A workspace can have 101 snapshots.",
    edit("handlers.snapshots:_require_place", ">= LIMIT", "> LIMIT"),
    "snapshots.a-workspace-has-a-hundred-at-most",
)
defect(
    "state-limit-one-less",
    "A state of exactly 256 KiB is refused.",
    edit("handlers.assistant_state:put_assistant_runtime_state", "size > LIMIT", "size >= LIMIT"),
    "assistant-memory.a-state-has-256-kib-at-most",
)
defect(
    "state-limit-in-characters",
    "The size of a state is counted in characters.",
    edit("handlers.assistant_state:put_assistant_runtime_state", "len(text.encode())", "len(text)"),
    "assistant-memory.a-state-has-256-kib-at-most",
)
defect(
    "browser-without-place",
    "A browser session is made without a workspace, though I did not say that it is ephemeral.",
    edit("targets:open_session", "if selector is None and not ephemeral and session_type", "if False and session_type"),
    "sessions workspaces errors inputs secrets",
    engine="local",
    survives="The schemas of all that make such a session refuse it before.",
)
defect(
    "type-of-workspace-ignored",
    "A browser is started on a workspace for sandboxes.",
    edit("targets:_workspace", 'if found["session_type"] != session_type:', "if False:"),
    "one-shot.a-workspace-for-browsers-runs-no-commands",
)
defect(
    "redirect-anywhere",
    "A sign-in leads to any address, with the token.",
    edit("redirects:require_allowed", "if not _is_loopback(address) and", "if False and"),
    "sign-ins.a-browser-is-led-to-this-machine-alone",
)
defect(
    "ssh-key-twice",
    "The same SSH key can be registered twice.",
    edit("handlers.ssh_keys:create_ssh_key", "if known is not None:", "if False:"),
    "ssh-keys.one-is-registered-once",
)
defect(
    "bad-base64-taken",
    "Input for a command that is no base64 is taken.",
    edit("handlers.commands:write_session_command_stdin", "validate=True", "validate=False"),
    "commands one-shot background",
    survives="The schema of the body refuses what is no base64 before the handler reads it.",
)
