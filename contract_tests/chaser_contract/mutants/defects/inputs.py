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
    "media-types",
)
defect(
    "no-media-type",
    "JSON is taken without a content type.",
    edit("pipeline:Pipeline._json", "if media_type != _JSON:", "if media_type and media_type != _JSON:"),
    "media-types",
)
defect(
    "text-json",
    "`text/json` is taken for JSON.",
    edit("pipeline:Pipeline._json", "if media_type != _JSON:", 'if not media_type.endswith("json"):'),
    "media-types",
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
    "media-types files",
)
defect(
    "media-type-code",
    "A wrong content type is an invalid request.",
    edit("pipeline:Pipeline._json", '"unsupported_media_type", f', '"invalid_request", f'),
    "media-types errors",
)
defect(
    "invalid-json-code",
    "A body that is no JSON is an invalid request.",
    edit(
        "validation:parse_json",
        'raise ApiError("invalid_json", f"the body is no JSON: {error}")',
        'raise ApiError("invalid_request", f"the body is no JSON: {error}")',
    ),
    "errors media-types",
)
defect(
    "nan-is-a-number",
    "NaN is taken for JSON.",
    edit("validation:parse_json", "parse_constant=_no_constant, ", "parse_constant=lambda _: 0, "),
    "errors media-types",
)
defect(
    "lone-surrogates",
    "Half a character in a text makes the emulator fail.",
    edit("validation:parse_json", "json.dumps(value, ensure_ascii=False).encode()", "pass"),
    "errors media-types",
)
defect(
    "bodies-not-checked",
    "Bodies are not held against their schema.",
    edit("validation:Validator.body", "if problems:", "if False:"),
    "errors writes resources",
)
defect(
    "empty-body-is-object",
    "A body that is missing is taken for an empty object.",
    edit("pipeline:Pipeline._json", "if body.required:", "if False:"),
    "errors media-types",
)
defect(
    "limit-zero-taken",
    "A page of nothing can be asked for.",
    edit(
        "pipeline:Pipeline._parameters",
        "problems += found\n",
        "problems += [one for one in found if one.pointer != 'limit']\n",
    ),
    "pagination",
)
defect(
    "limit-capped-silently",
    "A limit beyond the largest is taken, and cut.",
    edit(
        "validation:_value",
        "return int(text)",
        "return min(int(text), 200)",
    ),
    "pagination",
)
defect(
    "offset-negative-taken",
    "A negative offset is taken for 0.",
    edit("validation:_value", "return int(text)", "return max(int(text), 0)"),
    "pagination",
)
defect(
    "last-of-two-values",
    "Of a parameter that was sent twice the last one counts.",
    edit("validation:Validator.parameters", "elif len(texts) > 1 and not parameter.many:", "elif False:"),
    "errors pagination",
)
defect(
    "yes-is-true",
    "`force=yes` is taken for true.",
    edit(
        "validation:_value", "_BOOLEANS.get(text, text)", '_BOOLEANS.get(text, True if text in ("yes", "1") else text)'
    ),
    "errors deletes",
)
defect(
    "true-is-false",
    "`force=true` is not heard.",
    edit("validation:_value", "_BOOLEANS.get(text, text)", '_BOOLEANS.get(text, text) and text != "true"'),
    "deletes lifecycles resources",
)
defect(
    "defaults-missing",
    "Without a limit the emulator fails.",
    edit("validation:Validator.parameters", 'elif "default" in parameter.schema:', "elif False:"),
    "pagination",
)
defect(
    "plus-in-time",
    "A moment with an offset that I did not encode is refused.",
    edit("validation:_coerce", '.replace(" ", "+")', ""),
    "pagination errors audit",
)
defect(
    "body-too-large-taken",
    "JSON may be as large as it likes.",
    edit("uploads:read_json", "JSON_LIMIT", "JSON_LIMIT * 100"),
    "errors media-types",
)
defect(
    "body-limit-one-less",
    "JSON of exactly the largest size is refused.",
    edit("uploads:read_json", "JSON_LIMIT", "JSON_LIMIT - 1"),
    "errors media-types",
)
defect(
    "file-too-large-taken",
    "A file of more than 16 MiB can be uploaded.",
    edit("handlers.files:upload_session_file", "uploads.size(part) > uploads.FILE_LIMIT", "False"),
    "files",
)
defect(
    "file-of-limit-refused",
    "A file of exactly 16 MiB is refused.",
    edit(
        "handlers.files:upload_session_file",
        "uploads.size(part) > uploads.FILE_LIMIT",
        "uploads.size(part) >= uploads.FILE_LIMIT",
    ),
    "files",
)
defect(
    "part-twice",
    "Of a part of a form that was sent twice the last one counts.",
    edit("uploads:read_form", "if name in parts:", "if False:"),
    "files errors",
)
defect(
    "environment-unbounded",
    "A command takes variables without bound.",
    edit("targets:variables_of", "size > ENVIRONMENT_LIMIT", "False"),
    "commands",
)
defect(
    "environment-of-limit-refused",
    "Variables of exactly the largest size are refused.",
    edit("targets:variables_of", "size > ENVIRONMENT_LIMIT", "size >= ENVIRONMENT_LIMIT"),
    "commands",
)
defect(
    "webhook-limit-one-more",
    "An account can have 21 webhooks.",
    edit("handlers.webhooks:create_webhook", ">= LIMIT", "> LIMIT"),
    "webhooks resources",
)
defect(
    "snapshot-limit-one-more",
    "A workspace can have 101 snapshots.",
    edit("handlers.snapshots:_require_place", ">= LIMIT", "> LIMIT"),
    "snapshots resources",
)
defect(
    "state-limit-one-less",
    "A state of exactly 256 KiB is refused.",
    edit("handlers.assistant_state:put_assistant_runtime_state", "size > LIMIT", "size >= LIMIT"),
    "assistants",
)
defect(
    "state-limit-in-characters",
    "The size of a state is counted in characters.",
    edit("handlers.assistant_state:put_assistant_runtime_state", "len(text.encode())", "len(text)"),
    "assistants",
)
defect(
    "browser-without-place",
    "A browser session is made without a workspace, though I did not say that it is ephemeral.",
    edit("targets:open_session", "if selector is None and not ephemeral and session_type", "if False and session_type"),
    "resources errors",
    engine="local",
)
defect(
    "type-of-workspace-ignored",
    "A browser is started on a workspace for sandboxes.",
    edit("targets:_workspace", 'if found["session_type"] != session_type:', "if False:"),
    "resources writes errors",
)
defect(
    "redirect-anywhere",
    "A sign-in leads to any address, with the token.",
    edit("redirects:require_allowed", "if not _is_loopback(address) and", "if False and"),
    "tokens",
)
defect(
    "weak-ssh-key-taken",
    "An RSA key of 1,024 bits is taken.",
    edit("handlers.ssh_keys:read", "key.key_size < _RSA_BITS", "False"),
    "keys",
)
defect(
    "ssh-key-twice",
    "The same SSH key can be registered twice.",
    edit("handlers.ssh_keys:create_ssh_key", "if known is not None:", "if False:"),
    "keys",
)
defect(
    "bad-base64-taken",
    "Input for a command that is no base64 is taken.",
    edit("handlers.commands:write_session_command_stdin", "validate=True", "validate=False"),
    "commands",
)
defect(
    "run-at-nonsense",
    "A moment without an offset is taken for UTC.",
    edit("clock:moment", "if parsed.tzinfo is None:", "if parsed.tzinfo is None and False:"),
    "jobs pagination",
)
