"""Commands: what goes into them, how they end, and what of their output arrives."""

from __future__ import annotations

from functools import partial

from chaser_contract.mutants.declaring import declare
from chaser_contract.mutants.planting import edit

defect = partial(declare, __name__)

on_local = partial(defect, engine="local")

on_local(
    "exit-code-lost",
    "Every command ends with 0.",
    edit("handlers.exec:_answer", "exit_code=outcome.exit_code if", "exit_code=0 if"),
    "job-results.a-command-that-takes-too-long-fails-its-job",
)
on_local(
    "exit-code-one-bit",
    "A command that ends with 2 ends with 1.",
    edit("handlers.exec:_answer", "exit_code=outcome.exit_code if", "exit_code=min(outcome.exit_code, 1) if"),
    "job-results.a-command-that-takes-too-long-fails-its-job",
)
on_local(
    "exit-code-of-signal",
    "A command that was killed ends with the signal's number, not 128 more.",
    edit(
        "commands:run",
        "code = await follow()",
        "code = await follow()\n        code = code - 128 if code > 128 and code < 160 else code",
    ),
    "commands one-shot background",
)
on_local(
    "output-cut",
    "The last byte of output is missing.",
    edit("commands:run", "text_of(bytes(kept), whole=not truncated)", "text_of(bytes(kept[:-1]), whole=not truncated)"),
    "commands.any-output-arrives",
)
on_local(
    "output-stripped",
    "Output has no line end at its end.",
    edit(
        "commands:run",
        "text_of(bytes(kept), whole=not truncated)",
        "text_of(bytes(kept).rstrip(), whole=not truncated)",
    ),
    "commands one-shot background",
)
on_local(
    "output-latin",
    "Output that is no ASCII is garbled.",
    edit(
        "commands:text_of",
        '"utf-8")("replace").decode(data, final=whole)',
        '"latin-1")("replace").decode(data, final=whole)',
    ),
    "commands.any-output-arrives",
)
on_local(
    "output-drops-bad-bytes",
    "Bytes that are no UTF-8 are left out of output.",
    edit("commands:text_of", '("replace")', '("ignore")'),
    "commands.any-output-arrives",
)
on_local(
    "output-line-ends",
    "CR LF in output becomes LF.",
    edit("commands:text_of", ".decode(data, final=whole)", ".decode(data.replace(b'\\r\\n', b'\\n'), final=whole)"),
    "commands one-shot background",
)
on_local(
    "output-limit-one-less",
    "Output of exactly the largest size is truncated.",
    edit("commands:run", "room = OUTPUT_LIMIT - len(kept)", "room = OUTPUT_LIMIT - 1 - len(kept)"),
    "commands.output-beyond-1-mib-is-cut-between-characters",
)
on_local(
    "output-truncation-untold",
    "Output that was cut does not say so.",
    edit("commands:run", "truncated = truncated or len(chunk) > room", "truncated = False"),
    "commands.output-beyond-1-mib-is-cut-between-characters",
)
on_local(
    "output-tail-kept",
    "Of too much output the end is kept, not the beginning.",
    edit("commands:run", "kept.extend(chunk[:room])", "kept.extend(chunk)\n            del kept[:-OUTPUT_LIMIT]"),
    "commands one-shot background",
)
on_local(
    "timeout-ignored",
    "A command runs on beyond its time.",
    edit("commands:run", "async with asyncio.timeout(timeout):", "async with asyncio.timeout(timeout + 3600):"),
    "commands.a-limit-of-time-ends-only-what-takes-longer",
)
on_local(
    "timeout-in-seconds",
    "A command's time is taken for seconds.",
    edit(
        "handlers.exec:_foreground",
        "(DEFAULT_TIMEOUT_MS if timeout_ms is None else timeout_ms) / 1000",
        "DEFAULT_TIMEOUT_MS / 1000 if timeout_ms is None else timeout_ms",
    ),
    "commands one-shot background",
)
on_local(
    "timeout-code",
    "A command whose time was up ends with 137.",
    edit("commands:run", 'status, code = "completed", TIMED_OUT', 'status, code = "completed", 137'),
    "commands.a-limit-of-time-ends-only-what-takes-longer",
)
on_local(
    "timeout-status",
    "A command whose time was up has completed.",
    edit("commands:run", "status = TIME_OUT", "status = 'completed'"),
    "commands one-shot background",
)
on_local(
    "timeout-loses-output",
    "What a command wrote before its time was up is lost.",
    edit("commands:run", "status = TIME_OUT\n", "status = TIME_OUT\n        kept.clear()\n"),
    "commands one-shot background",
)
on_local(
    "timeout-leaves-children",
    "A command whose time was up runs on behind my back.",
    edit("commands:run", "status = TIME_OUT\n        await kill(process)", "status = TIME_OUT"),
    "commands one-shot background",
)
on_local(
    "cwd-ignored",
    "Every command runs in /workspace.",
    edit("handlers.exec:_spec", 'call.body.get("cwd") or WORKSPACE_ROOT', "WORKSPACE_ROOT"),
    "commands.a-folder-is-where-the-command-runs",
)
on_local(
    "env-ignored",
    "Variables of a command are not set.",
    edit("handlers.exec:_spec", "env=variables_of(call.body)", "env={}"),
    "commands one-shot background",
)
on_local(
    "env-of-session-ignored",
    "Variables of a session are not set in its commands.",
    edit(
        "handlers.sessions:create_session",
        "proxy_variables(call.body) | variables_of(call.body)",
        "proxy_variables(call.body)",
    ),
    "commands one-shot background sessions",
)
on_local(
    "env-stays",
    "Variables of one command are set in the next.",
    edit(
        "handlers.exec:_spec",
        "return CommandSpec(",
        "kept = call.world.__dict__.setdefault('kept_env', {})\n    kept |= variables_of(call.body)\n    return CommandSpec(",
        ("env=variables_of(call.body),", "env=dict(kept),"),
    ),
    "commands.any-environment-arrives",
)
on_local(
    "stdin-ignored",
    "A command gets no input.",
    edit("handlers.exec:_foreground", 'stdin = call.body.get("stdin")', "stdin = None"),
    "commands.any-input-arrives",
)
on_local(
    "stdin-never-ends",
    "The input of a command does not end.",
    edit("commands:_feed", "await process.close_stdin()", "pass"),
    "commands.any-input-arrives",
)
on_local(
    "stdin-with-line-end",
    "A line end is added to the input of a command.",
    edit("commands:_feed", "await process.write(data)", "await process.write(data + b'\\n')"),
    "commands.any-input-arrives",
)
on_local(
    "command-trimmed",
    "White space around a command is taken away.",
    edit("handlers.exec:_spec", 'command=call.body["command"]', 'command=call.body["command"].strip()'),
    "commands.tells-how-it-ended",
)
on_local(
    "ephemeral-lives-on",
    "A throw-away sandbox is still there after its command.",
    edit("handlers.exec:exec_sandbox", "if ephemeral and not", "if False and not"),
    "commands one-shot background",
)
on_local(
    "background-ends-sandbox",
    "A throw-away sandbox ends while its background command runs.",
    edit("handlers.exec:_lives_on", "bool(await", "not bool(await"),
    "one-shot.an-ephemeral-command-in-the-background-keeps-its-sandbox",
)
on_local(
    "background-never-ends-sandbox",
    "A throw-away sandbox lives on after its background command.",
    edit("handlers.exec:exec_sandbox", "at_end=end if ephemeral else None", "at_end=None"),
    "one-shot.an-ephemeral-command-in-the-background-keeps-its-sandbox",
)
on_local(
    "background-waits",
    "A background command is waited for.",
    edit("handlers.exec:exec_session", 'if call.body.get("background"):', "if False:"),
    "background commands one-shot",
)
on_local(
    "background-exit-code-lost",
    "A background command that failed has ended with 0.",
    edit("store.commands:finish", "        exit_code,\n", "        exit_code and 0,\n"),
    "background.it-ends-with-its-session",
)
on_local(
    "background-killed-is-exited",
    "A background command that I killed has exited.",
    edit("commands:Commands._follow", "KILLED if running.kill_requested and ended_by_signal else EXITED", "EXITED"),
    "background.an-unknown-signal-is-refused",
)
on_local(
    "background-crashed-is-killed",
    "A background command that crashed was killed by me.",
    edit("commands:Commands._follow", "running.kill_requested and ended_by_signal", "ended_by_signal"),
    "background.it-is-told-when-it-has-ended",
)
on_local(
    "background-timeout-ignored",
    "A background command runs on beyond its time.",
    edit("handlers.exec:_background", "None if timeout_ms is None else timeout_ms / 1000", "None"),
    "background.its-time-is-up-as-it-was-said",
)
on_local(
    "background-timeout-status",
    "A background command whose time was up has exited.",
    edit("commands:Commands._follow", "TIME_OUT if running.timed_out else ", ""),
    "background.its-time-is-up-as-it-was-said",
)
on_local(
    "background-without-pid",
    "A background command has no process id.",
    edit("handlers.exec:_answer", 'pid=command["pid"] if command is not None else None', "pid=None"),
    "background.it-is-told-while-it-runs",
)
on_local(
    "background-stays-running",
    "A background command that has ended runs for ever.",
    edit("store.commands:finish", "SET status = ?,", "SET status = nullif('running', ?),"),
    "background.it-is-timed-by-the-clock",
)
on_local(
    "background-output-size",
    "The size of a background command's output is in characters.",
    edit(
        "commands:Commands._drain", "running.size += len(kept)", "running.size += len(kept.decode('utf-8', 'replace'))"
    ),
    "background.it-is-told-while-it-runs",
)
on_local(
    "background-output-lost",
    "The output of a background command is gone when it has ended.",
    edit(
        "commands:Commands.output",
        "data = self._read(row, 0, OUTPUT_LIMIT)",
        "data = self._read(row, 0, OUTPUT_LIMIT) if row['finished_at'] is None else b''",
    ),
    "background.it-is-told-when-it-has-ended",
)
on_local(
    "background-truncated-untold",
    "A background command's output that does not fit does not say so.",
    edit("commands:Commands.output", "partial = truncated or size > len(data)", "partial = truncated"),
    "background.much-output-is-kept-and-its-beginning-shown",
)
on_local(
    "signal-is-kill",
    "Every signal kills.",
    edit("handlers.commands:kill_session_command", "number = _signal(name)", "number = _signal(name) and 9"),
    "background.an-unknown-signal-is-refused",
)
on_local(
    "signal-name-as-sent",
    "The signal in the answer is called as I called it.",
    edit("handlers.commands:kill_session_command", "name = signal.Signals(number).name", "pass"),
    "background commands one-shot",
    survives="The document takes any spelling of a signal, in answers as well.",
)
on_local(
    "signal-default",
    "Without a signal a command gets KILL.",
    edit(
        "handlers.commands:kill_session_command",
        'call.body.get("signal") or "TERM"',
        'call.body.get("signal") or "KILL"',
    ),
    "background commands one-shot",
)
on_local(
    "signal-by-number-refused",
    "A signal cannot be named by its number.",
    edit("handlers.commands:_signal", "if name.isascii() and name.isdigit()", "if False and name.isdigit()"),
    "background.a-signal-ends-it-by-any-of-its-names",
)
on_local(
    "signal-to-first-only",
    "A signal reaches the shell alone, not what it started.",
    edit("sandbox.process:LocalProcess.signal", "os.killpg(self._group, number)", "os.kill(self._group, number)"),
    "commands.a-command-whose-time-is-up-is-killed-with-all-it-started",
)
on_local(
    "signal-to-ended",
    "Signalling a command that has ended succeeds.",
    edit(
        "handlers.commands:kill_session_command",
        "if status is None:",
        "if status is None and False:",
        ("status=status)", "status=status or 'exited')"),
    ),
    "background commands one-shot",
)
on_local(
    "input-twice",
    "What I feed to a background command arrives twice.",
    edit("commands:Commands.write", "await running.process.write(data)", "await running.process.write(data + data)"),
    "background.it-is-told-while-it-runs",
)
on_local(
    "input-eof-ignored",
    "The input of a background command cannot be ended.",
    edit("handlers.commands:write_session_command_stdin", 'eof=bool(call.body.get("eof"))', "eof=False"),
    "background commands one-shot",
)
on_local(
    "input-base64-as-text",
    "Input in base64 arrives as it is.",
    edit("handlers.commands:write_session_command_stdin", 'if call.body.get("encoding") == "base64":', "if False:"),
    "background.any-bytes-can-be-fed",
)
on_local(
    "input-count-in-characters",
    "The bytes that a command was fed are counted in characters.",
    edit("handlers.commands:write_session_command_stdin", '"bytes_written": len(data)', '"bytes_written": len(text)'),
    "background.any-bytes-can-be-fed",
)
on_local(
    "input-to-ended",
    "Feeding a command that has ended succeeds.",
    edit("handlers.commands:write_session_command_stdin", "if not taken:", "if False:"),
    "deletes.a-session-that-has-ended-is-used-by-nothing",
)
on_local(
    "first-input-lost",
    "The input that a background command starts with is lost.",
    edit("commands:Commands._follow", "if stdin else None", "if stdin and False else None"),
    "background commands one-shot",
)
defect(
    "self-test-other-session",
    "The self-test does not say of which session.",
    edit(
        "selftest:measure",
        '        session_id=row["id"],\n        workspace_id=row["workspace_id"],\n        runtime',
        '        session_id="self",\n        workspace_id=row["workspace_id"],\n        runtime',
    ),
    "sessions.a-self-test-tells-of-its-session",
)
on_local(
    "proxy-not-set",
    "A session does not use the proxy that it was given.",
    edit("targets:proxy_variables", "return {name: proxy for", "return {name: '' for"),
    "proxies.a-session-has-its-proxy-in-its-variables",
)
