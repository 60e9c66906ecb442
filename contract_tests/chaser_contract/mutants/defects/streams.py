"""Streams: output that is cut, doubled or out of order, resumed at the wrong place, and terminals."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

defect(
    "resume-one-late",
    "A stream that goes on after an event loses a byte.",
    edit("handlers.commands:_events", "offset = start\n", "offset = start = start + (start > 0)\n"),
    "streams.two-who-follow-see-the-same",
)
defect(
    "resume-one-early",
    "A stream that goes on after an event repeats a byte.",
    edit("handlers.commands:_events", "offset = start\n", "offset = start = max(0, start - 1)\n"),
    "streams.two-who-follow-see-the-same",
)
defect(
    "last-event-id-ignored",
    "A stream that breaks off begins from the beginning.",
    edit("handlers.commands:stream_session_command", 'call.headers.get("Last-Event-ID", start)', "start"),
    "streams.it-is-resumed-from-any-offset",
)
defect(
    "from-ignored",
    "`from` does nothing.",
    edit("handlers.commands:stream_session_command", 'call.query.get("from", 0)', "0"),
    "streams.two-who-follow-see-the-same",
)
defect(
    "from-wins",
    "`from` counts though the client has seen more.",
    edit(
        "handlers.commands:stream_session_command",
        'call.headers.get("Last-Event-ID", start)',
        'start or call.headers.get("Last-Event-ID", start)',
    ),
    "streams.it-is-resumed-from-any-offset",
)
defect(
    "event-id-is-start",
    "The id of an event is where it begins.",
    edit("handlers.commands:_events", '"data": text}, offset)', '"data": text}, offset - len(piece))'),
    "streams.wrong-questions-are-refused",
)
defect(
    "offset-in-characters",
    "The offset of an event is in characters.",
    edit("handlers.commands:_events", "offset += len(piece)", "offset += len(text)"),
    "streams.it-follows-a-command-that-runs",
)
defect(
    "no-exit-event",
    "A stream ends without saying how the command ended.",
    edit("handlers.commands:_events", 'yield sse("exit", {', 'assert sse("exit", {'),
    "streams.wrong-questions-are-refused",
)
defect(
    "exit-event-twice",
    "A stream says twice how the command ended.",
    edit(
        "handlers.commands:_events",
        '    yield sse("exit",',
        '    yield sse("exit", {"status": end["status"], "exit_code": end["exit_code"], "output_bytes": size})\n    yield sse("exit",',
    ),
    "streams.wrong-questions-are-refused",
)
defect(
    "exit-event-of-start",
    "The last event says that the command runs.",
    edit("handlers.commands:_events", 'await commands.get(call.store, row["session_id"], row["id"]) or row', "row"),
    "streams.it-follows-a-command-that-runs",
)
defect(
    "output-event-twice",
    "A piece of output comes twice.",
    edit(
        "handlers.commands:_events",
        "            pending, cut = pending[len(piece) :]",
        "            if offset == len(piece):\n                yield sse('output', {'offset': 0, 'encoding': encoding, 'data': text}, offset)\n            pending, cut = pending[len(piece) :]",
    ),
    "streams.wrong-questions-are-refused",
)
defect(
    "max-bytes-ignored",
    "Events are as large as they like.",
    edit("handlers.commands:stream_session_command", 'call.query["max_bytes"]', "2**20"),
    "streams.the-chunks-joined-are-the-output",
)
defect(
    "characters-cut",
    "A character that is cut in two is garbled.",
    edit("handlers.commands:_boundary", "return len(data) - back if wanted > back else len(data)", "return len(data)"),
    "streams.it-follows-a-command-that-runs",
)
defect(
    "binary-as-text",
    "Output that is no text is garbled.",
    edit(
        "handlers.commands:_encoded",
        'return piece, "utf-8", piece.decode()',
        'return piece, "utf-8", piece.decode("utf-8", "replace")',
    ),
    "streams.the-chunks-joined-are-the-output",
)
defect(
    "encoding-name",
    "Output in base64 says that it is UTF-8.",
    edit("handlers.commands:_encoded", 'return piece, "base64"', 'return piece, "utf-8"'),
    "streams.the-chunks-joined-are-the-output",
)
defect(
    "stream-type",
    "A stream has the content type of plain text.",
    edit("handlers.commands:stream_session_command", 'media_type="text/event-stream"', 'media_type="text/plain"'),
    "streams.wrong-questions-are-refused",
)
defect(
    "events-without-blank-line",
    "Events are not told apart.",
    edit("commands:sse", '\\n\\n"', '\\n"'),
    "streams.wrong-questions-are-refused",
)
defect(
    "stream-of-running-ends",
    "A stream ends while the command still runs.",
    edit("commands:Commands.stream", "if ended and position >= size:", "if position >= size:"),
    "streams.it-follows-a-command-that-runs",
)
defect(
    "stream-loses-last",
    "The last output before the end is not in the stream.",
    edit("commands:Commands.stream", "if ended and position >= size:", "if ended:"),
    "streams",
)
defect(
    "pty-no-exit",
    "A terminal closes without saying how its program ended.",
    edit(
        "gateway.pty:_bye",
        '    await _send(websocket, {"text": json.dumps({"type": "exit", "exit_code": code})})\n',
        "",
    ),
    "terminals.an-open-terminal-holds-its-session",
)
defect(
    "pty-exit-code-lost",
    "A terminal says that its program ended with 0.",
    edit("gateway.pty:_bye", '"exit_code": code', '"exit_code": 0'),
    "terminals.what-runs-on-it-leaves-with-the-client",
    engine="local",
)
defect(
    "pty-exit-before-output",
    "A terminal says that its program has ended before the last of its output.",
    edit(
        "gateway.pty:_show",
        'while data := await screen.frame():\n        await _send(websocket, {"bytes": data})',
        "frames = []\n    while data := await screen.frame():\n        frames.append(data)\n"
        "    await _send(websocket, {'text': json.dumps({'type': 'exit', 'exit_code': 0})})\n"
        "    for data in frames:\n        await _send(websocket, {'bytes': data})",
    ),
    "terminals.an-agent-sees-output-and-nothing-else",
)
defect(
    "pty-no-ready",
    "A terminal does not say that it is ready.",
    edit("gateway.pty:talk", 'await _send(websocket, {"text": _ready(about)})', "pass"),
    "terminals.an-open-terminal-holds-its-session",
)
defect(
    "pty-ready-mode",
    "A terminal says another mode than I asked for.",
    edit("gateway.pty:_ready", '"mode": about.mode', '"mode": "terminal"'),
    "terminals.an-open-terminal-holds-its-session",
)
defect(
    "pty-text-frames",
    "Output of a terminal comes as text.",
    edit(
        "gateway.pty:_show",
        'await _send(websocket, {"bytes": data})',
        'await _send(websocket, {"text": data.decode("utf-8", "replace")})',
    ),
    "terminals.an-open-terminal-holds-its-session",
)
defect(
    "pty-close-code",
    "A terminal closes with 1001.",
    edit("gateway.pty:_bye", '"code": 1000', '"code": 1001'),
    "terminals.an-open-terminal-holds-its-session",
)
defect(
    "pty-input-lost",
    "A key that I press is lost.",
    edit(
        "gateway.screen:Keyboard.type", "self._typed.append(bytearray(data))", "self._typed.append(bytearray(data[1:]))"
    ),
    "terminals.an-agent-sees-output-and-nothing-else",
)
defect(
    "pty-input-doubled",
    "A key that I press arrives twice.",
    edit("gateway.screen:Keyboard.feed", "await process.write(bytes(data))", "await process.write(bytes(data) * 2)"),
    "terminals.an-agent-sees-output-and-nothing-else",
    engine="local",
)
defect(
    "pty-resize-ignored",
    "A terminal does not take another size from its client.",
    edit("gateway.pty:_obey", "await about.resize(rows, cols)", "pass"),
    "terminals.a-terminal-has-the-size-that-is-asked-for",
    engine="local",
)
defect(
    "pty-eof-ignored",
    "The input of a program cannot be ended.",
    edit("gateway.pty:_obey", 'control.get("type") == "eof"', 'control.get("type") == "end"'),
    "terminals.any-bytes-pass-a-command",
)
defect(
    "pty-control-typed",
    "A control message is typed into the program.",
    edit(
        "gateway.pty:_listen",
        "await _obey(control, about, keyboard)\n                continue",
        "await _obey(control, about, keyboard)",
    ),
    "terminals.a-terminal-has-the-size-that-is-asked-for",
)
defect(
    "pty-without-lease",
    "A session with an open terminal ends though I did not force it.",
    edit("handlers.terminals:_Opening.held", 'with self._call.world.lifecycle.lease(self._row["id"]):', "if True:"),
    "terminals.an-open-terminal-holds-its-session",
)
defect(
    "pty-lease-stays",
    "A session stays leased when its terminal is closed.",
    edit("lifecycle:Lifecycle.lease", "live.leases -= 1", "live.leases -= 0"),
    "terminals.an-open-terminal-holds-its-session",
)
defect(
    "pty-any-page",
    "A page of another site opens a terminal.",
    edit("pipeline:Pipeline.upgrade", "origins.require_own(request, call.world.settings)", "pass"),
    "terminals.who-may-not-gets-none",
)
defect(
    "pty-token-in-address-refused",
    "A browser cannot open a terminal: it cannot send a key in a header.",
    edit("pipeline:Pipeline._admit", '"access_token" in call.request.query_params', "False"),
    "terminals.who-may-not-gets-none",
)
