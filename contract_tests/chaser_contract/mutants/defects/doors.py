"""Files, the gateway and MCP: bytes that change on their way, headers that are lost, tools that do something else."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

defect(
    "upload-cut",
    "The last byte of an uploaded file is missing.",
    edit(
        "sandbox.scripted:ScriptedEngine.write_file",
        "files[place] = bytes(collected)",
        "files[place] = bytes(collected[:-1])",
    ),
    "files.a-file-is-replaced-by-the-next",
)
defect(
    "upload-line-ends",
    "CR LF in an uploaded file becomes LF.",
    edit("uploads:chunks", "yield chunk", "yield chunk.replace(b'\\r\\n', b'\\n')"),
    "files.any-bytes-come-out-as-they-went-in",
)
defect(
    "upload-appends",
    "Uploading a file again adds to what is there.",
    edit(
        "sandbox.scripted:ScriptedEngine.write_file",
        "files[place] = bytes(collected)",
        "files[place] = files.get(place, b'') + bytes(collected)",
    ),
    "files.a-file-is-replaced-by-the-next",
)
defect(
    "upload-size",
    "The size of an upload is that of the first piece.",
    edit("handlers.files:upload_session_file", '"size": size', '"size": min(size, 1000)'),
    "files.any-bytes-come-out-as-they-went-in",
)
defect(
    "upload-path-as-sent",
    "The answer to an upload shows the path as I sent it.",
    edit("handlers.files:upload_session_file", "in_sandbox(path)", "path"),
    "files.a-file-is-replaced-by-the-next",
)
defect(
    "upload-climbs",
    "A path climbs out of the workspace.",
    edit("sandbox.scripted:_names", "if stack == [home]:", "if False:"),
    "files.nothing-leads-out-of-the-workspace",
)
defect(
    "upload-relative-elsewhere",
    "A relative path is not below /workspace.",
    edit("sandbox.scripted:_names", 'stack = [] if path.startswith("/") else [home]', "stack = []"),
    "files.a-file-is-replaced-by-the-next",
)
defect(
    "download-cut",
    "The last byte of a downloaded file is missing.",
    edit(
        "sandbox.scripted:_pieces",
        "yield content[start : start + CHUNK]",
        "yield content[start : min(start + CHUNK, len(content) - 1)]",
    ),
    "files.a-file-is-replaced-by-the-next",
)
defect(
    "download-pieces-swapped",
    "The pieces of a large file come in another order.",
    edit(
        "sandbox.scripted:_pieces",
        "for start in range(0, len(content), CHUNK):",
        "for start in reversed(range(0, len(content), CHUNK)):",
    ),
    "files.any-bytes-come-out-as-they-went-in",
)
defect(
    "download-type",
    "A downloaded file is said to be text.",
    edit("handlers.files:download_session_file", 'media_type="application/octet-stream"', 'media_type="text/plain"'),
    "files.a-file-is-replaced-by-the-next",
)
defect(
    "download-name",
    "A downloaded file has no name.",
    edit("handlers.files:_attachment", 'attachment; filename="{plain}"{exact}', "attachment"),
    "files.any-path-leads-to-its-file",
)
defect(
    "download-name-garbled",
    "A name that is no ASCII is garbled when its file is downloaded.",
    edit("handlers.files:_attachment", "quote(name, safe='')", "name.encode('ascii', 'replace').decode()"),
    "files.any-path-leads-to-its-file",
)
defect(
    "download-missing-is-empty",
    "A file that is not there is empty.",
    edit(
        "sandbox.scripted:ScriptedEngine.read_file",
        "content = sandbox.disk(place).get(place)",
        "content = sandbox.disk(place).get(place, b'')",
    ),
    "files.nothing-leads-out-of-the-workspace",
)
defect(
    "download-folder-is-missing",
    "A folder that is downloaded is said to be missing.",
    edit("sandbox.scripted:ScriptedEngine.read_file", "if _is_folder(sandbox, place):", "if False:"),
    "files.nothing-leads-out-of-the-workspace",
)
defect(
    "local-upload-mode",
    "An uploaded file cannot be read by others.",
    edit("sandbox.files:_commit", "0o644 if old is None or not keep_mode", "0o600 if old is None or not keep_mode"),
    "files.commands-and-transfers-see-the-same-files",
    engine="local",
)
defect(
    "local-download-grows",
    "A file that is written to while it is downloaded has more bytes than it said.",
    edit("sandbox.files:Chunks.__anext__", "self._left -= len(chunk)", "self._left -= len(chunk) // 2 or 1"),
    "files.commands-and-transfers-see-the-same-files",
    engine="local",
)
defect(
    "gateway-header-lost",
    "A header that I send does not reach my server.",
    edit(
        "gateway.headers:Rewriting.request",
        "passed.append((name, value))\n",
        "if not name.startswith(b'x-'):\n            passed.append((name, value))\n",
    ),
    "gateway.a-request-reaches-the-app-as-it-was-sent",
)
defect(
    "gateway-authorization-lost",
    "The Authorization that I send does not reach my server.",
    edit("gateway.headers:Rewriting.request", "if name in ours:", "if name in ours or name == b'authorization':"),
    "gateway.a-request-reaches-the-app-as-it-was-sent",
)
defect(
    "gateway-cookies-lost",
    "Cookies do not reach my server.",
    edit("gateway.headers:Rewriting.request", "value = _without_our_cookie(value)", "value = b''"),
    "gateway.a-request-reaches-the-app-as-it-was-sent",
)
defect(
    "gateway-cookies-shared",
    "My server gets a cookie that it never set.",
    edit("gateway.headers:_without_our_cookie", "if COOKIE.encode() not in value:", "if True:"),
    "previews.cookies-of-the-gateway-reach-no-app",
)
defect(
    "gateway-forwarded-believed",
    "My server is told a prefix and a host that the client made up.",
    edit("gateway.headers:Rewriting.request", "if name in ours:", "if name in (b'host', b'x-forwarded-for'):"),
    "previews.what-a-client-says-of-proxies-is-not-believed",
)
defect(
    "gateway-forwarded-missing",
    "My server does not learn from where it was asked.",
    edit("gateway.headers:Rewriting.request", '(b"x-forwarded-host", self.outside.host.encode("latin-1")),', ""),
    "gateway.a-request-reaches-the-app-as-it-was-sent",
)
defect(
    "gateway-prefix-missing",
    "My server does not learn below which path it is.",
    edit("gateway.headers:Rewriting.request", "if self.place.prefix:", "if False:"),
    "gateway.a-request-reaches-the-app-as-it-was-sent",
)
defect(
    "gateway-answer-header-lost",
    "A header of my server does not reach the client.",
    edit("gateway.headers:Rewriting.response", 'if name == b"date":', 'if name == b"date" or name.startswith(b"x-"):'),
    "gateway.an-answer-comes-as-the-app-gave-it",
)
defect(
    "gateway-body-lost",
    "The body of a request does not reach my server.",
    edit("gateway.http:_Exchange._upload", 'h11.Data(message["body"]) if message.get("body") else None', "None"),
    "gateway.an-answer-comes-as-the-app-gave-it",
)
defect(
    "gateway-query-lost",
    "The query of a request does not reach my server.",
    edit("gateway.http:_request", "target=visit.target", "target=visit.target.partition('?')[0]"),
    "gateway.an-answer-comes-as-the-app-gave-it",
)
defect(
    "gateway-status-lost",
    "My server's 404 arrives as 200.",
    edit("gateway.http:_Exchange._respond", '"status": response.status_code', '"status": 200'),
    "gateway.an-answer-comes-as-the-app-gave-it",
)
defect(
    "gateway-answer-cut",
    "Answers of my server are cut.",
    edit("gateway.http:_Exchange._body", "pending += event.data", "pending += event.data[:-1]"),
    "gateway.an-answer-comes-as-the-app-gave-it",
)
defect(
    "gateway-closed-port-is-404",
    "A port on which nothing listens is a 404.",
    edit("gateway.door:_closed", 'return ApiError("bad_gateway"', 'return ApiError("not_found"'),
    "gateway.what-is-not-there-is-refused",
)
defect(
    "gateway-any-port",
    "Port 0 and port 70000 are tried.",
    edit("gateway.places:_port", "int(text) > 65535", "False", ('"[1-9][0-9]{0,4}"', '"[0-9]{1,5}"')),
    "gateway.what-is-not-there-is-refused",
)
defect(
    "gateway-index-without-ports",
    "A session does not say which of its ports are open.",
    edit("gateway.door:Gateway._found", '"ports": ports', '"ports": []'),
    "gateway.the-root-is-an-index-of-the-session",
)
defect(
    "gateway-ended-session",
    "The port of a session that has ended is a bad gateway.",
    edit(
        "gateway.door:_running",
        'raise ApiError("not_found", f"session {session_id} is',
        'raise ApiError("bad_gateway", f"session {session_id} is',
    ),
    "gateway.what-is-not-there-is-refused",
)
defect(
    "gateway-socket-text",
    "Text on a WebSocket arrives as bytes.",
    edit(
        "gateway.sockets:_Upstream.to_client", '{"text": data.decode()} if text else {"bytes": data}', '{"bytes": data}'
    ),
    "gateway.messages-pass-a-web-socket",
)
defect(
    "gateway-socket-without-lease",
    "A session with an open WebSocket ends though I did not force it.",
    edit(
        "gateway.sockets:forward",
        'contextlib.closing(sock), visit.world.lifecycle.lease(visit.row["id"]):',
        "contextlib.closing(sock):",
    ),
    "gateway.messages-pass-a-web-socket",
)
defect(
    "mcp-tool-missing",
    "A tool is missing from the list.",
    edit(
        "handlers.mcp:mcp_handler",
        "[tool.listed() for tool in _tools(call).values()]",
        "[tool.listed() for tool in _tools(call).values()][:-1]",
    ),
    "mcp.every-tool-is-listed-with-its-schemas",
)
defect(
    "mcp-version",
    "MCP answers another version than I asked for.",
    edit("handlers.mcp:_initialize", "(known or VERSIONS)[0]", "VERSIONS[0]"),
    "mcp.a-client-and-the-server-agree-on-a-version",
)
defect(
    "mcp-notification-answered",
    "A notification is answered.",
    edit(
        "handlers.mcp:mcp_handler", "return Reply(status=202)", "return {'jsonrpc': '2.0', 'id': 'none', 'result': {}}"
    ),
    "mcp.a-notification-is-taken-and-does-nothing",
)
defect(
    "mcp-id-as-text",
    "The id of an MCP answer is a text.",
    edit("handlers.mcp:_result", '"id": call.body["id"]', '"id": str(call.body["id"])'),
    "mcp.a-request-is-answered-under-its-id",
)
defect(
    "mcp-method-code",
    "An unknown MCP method has the code of a wrong request.",
    edit("handlers.mcp:mcp_handler", "NO_METHOD, f", "NO_REQUEST, f"),
    "mcp.wrong-methods-and-parameters-are-errors",
)
defect(
    "mcp-params-code",
    "A wrong argument of a tool is an internal error.",
    edit(
        "handlers.mcp:_call_tool",
        'return _error(call, BAD_PARAMS, f"{name}: {error.message}", error)',
        "return _error(call, FAILED, f'{name}: {error.message}', error)",
    ),
    "mcp.wrong-arguments-are-named",
)
defect(
    "mcp-refusal-is-error",
    "What a tool refuses is an error of the protocol.",
    edit(
        "handlers.mcp:_call_tool",
        "return _result(call, _failure(call, error))\n    except SandboxError",
        "return _error(call, FAILED, error.message, error)\n    except SandboxError",
    ),
    "mcp-terminal.an-edit-replaces-just-one-place",
)
defect(
    "mcp-failure-unmarked",
    "A tool that failed does not say so.",
    edit("handlers.mcp:_failure", '"isError": True', '"isError": False'),
    "mcp-terminal.an-edit-replaces-just-one-place",
)
defect(
    "mcp-without-structure",
    "A tool's answer has no structured content.",
    edit("handlers.mcp:_call_tool", '"structuredContent": result.structured, ', ""),
    "mcp-terminal.an-edit-replaces-just-one-place",
)
defect(
    "mcp-text-differs",
    "The text of a tool's answer says something else than its structure.",
    edit(
        "handlers.mcp:_call_tool",
        "text = json.dumps(result.structured, ensure_ascii=False)",
        "text = json.dumps(sorted(result.structured))",
    ),
    "mcp-terminal.an-edit-replaces-just-one-place",
)
defect(
    "mcp-scope-not-checked",
    "A key for reading calls tools that write.",
    edit(
        "handlers.mcp:_perform",
        "admission.authorise(call.spec.operations[tool.twin], call.principal, call.account)",
        "pass",
    ),
    "scopes.tools-of-people-are-closed-to-service-accounts",
    survives="The operation behind the tool checks the same once more, so that nothing can be told from outside.",
)
defect(
    "mcp-terminal-scope-not-checked",
    "A key without the scope for commands runs the tool `browser`.",
    edit(
        "handlers.mcp:_perform",
        'admission.require_scope(call.principal, call.spec.scopes_of("McpToolName")[tool.name])',
        "pass",
    ),
    "scopes.a-tool-needs-the-scope-of-what-it-does",
)
defect(
    "mcp-arguments-lost",
    "A tool leaves out an argument.",
    edit(
        "tools.platform:_run",
        "body: dict[str, Any] = {name: arguments[name] for name in fields if name in arguments}",
        "body: dict[str, Any] = {name: arguments[name] for name in fields if name in arguments and name != 'name'}",
    ),
    "mcp-twins.tools-for-workspaces-do-what-the-routes-do",
)
defect(
    "mcp-force-lost",
    "A tool does not hear `force`.",
    edit(
        "tools.platform:_run",
        "query = {name: _whole(arguments[name]) for name in queries if name in arguments}",
        "query = {name: _whole(arguments[name]) for name in queries if name in arguments and name != 'force'}",
    ),
    "mcp-twins.tools-for-sessions-do-what-the-routes-do",
)
defect(
    "mcp-failed-command-unmarked",
    "A command that failed is a success to a model.",
    edit("tools.terminal:terminal", 'failed=answer["exit_code"] != 0', "failed=False"),
    "mcp-terminal.a-command-is-answered-as-by-the-route",
)
defect(
    "mcp-session-ignored",
    "The tool `terminal` runs elsewhere than I said.",
    edit("tools.terminal:terminal", 'if "session_id" in arguments:', "if False:"),
    "isolation.bodies-name-nothing-of-others",
)
defect(
    "mcp-edit-all",
    "An edit of what occurs twice edits the first.",
    edit("tools.file_operations:_edit", "if found != 1:", "if found == 0:"),
    "mcp-terminal.an-edit-replaces-just-one-place",
)
defect(
    "mcp-edit-line",
    "An edit says a line too few.",
    edit("tools.file_operations:_edit", 'text.count("\\n", 0, at) + 1', 'text.count("\\n", 0, at)'),
    "mcp-terminal.an-edit-replaces-just-one-place",
)
defect(
    "mcp-read-lines",
    "Reading some lines of a file gives one too many.",
    edit("tools.file_operations:_read", "lines[start - 1 : end]", "lines[start - 1 : end + 1]"),
    "mcp-terminal.any-text-is-written-and-read",
)
defect(
    "mcp-twin-differs",
    "A tool's answer lacks a field that the API has.",
    edit(
        "tools.platform:_run",
        "return Result(twin.answer(arguments, answer) if twin.answer is not None else answer)",
        "return Result(twin.answer(arguments, answer) if twin.answer is not None else {k: v for k, v in answer.items() if k != 'active_connection_leases'})",
    ),
    "mcp-twins.tools-for-sessions-do-what-the-routes-do",
)
