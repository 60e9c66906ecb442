"""Terminals: what is typed and shown, in which frames, of which size, and who gets none."""

from __future__ import annotations

from hypothesis import strategies as st

from chaser_contract.promises import promise
from chaser_contract.sandboxes import echoing, none_sleeps, run, session
from chaser_contract.subject import Subject
from chaser_contract.waiting import PATIENCE, eventually
from chaser_contract.web_sockets import PTY, Terminal, opened, pty, refusal, terminal


@promise("sockets")
def a_command_is_told_from_ready_to_exit(chaser: Subject) -> None:
    """A command on a terminal's address begins with `ready`, has its output in bytes, and ends with `exit` and 1000."""
    with session(chaser) as one:
        for command, output, code in (("echo hello", b"hello\n", 0), ("exit 7", b"", 7), ("exit 255", b"", 255)):
            with chaser.case(), terminal(chaser, one["id"], mode="exec", command=command) as shell:
                ended = shell.end()
                _is(
                    chaser, ended, ({"type": "exit", "exit_code": code}, 1000), f"{command} ends with its code and 1000"
                )
                _is(chaser, bytes(shell.shown), output, f"{command} has its output in binary frames")
                order = [kind for kind in shell.order if kind != "bytes"]
                _is(chaser, order, ["ready", "exit"], "there is one `ready` and one `exit`")
                _is(chaser, (shell.order[0], shell.order[-1]), ("ready", "exit"), "`ready` is first, `exit` is last")
        commands = chaser.ask("list-session-commands", id=one["id"], expect=200)
        commands.require(commands.json["commands"] == [], "what runs on a terminal's address is no background command")


@promise("sockets")
def any_bytes_pass_a_command(chaser: Subject) -> None:
    """Bytes go into a command and come out of it unchanged, in binary and in text frames, until `eof`."""
    with session(chaser) as one:
        command = echoing(chaser)

        def check(frames: list[bytes | str]) -> None:
            with terminal(chaser, one["id"], mode="exec", command=command) as shell:
                whole = b""
                for frame in frames:
                    shell.type(frame)
                    whole += frame.encode() if isinstance(frame, str) else frame
                shell.tell(type="eof")
                _is(chaser, shell.end(), ({"type": "exit", "exit_code": 0}, 1000), "a command ends when its input does")
                _is(chaser, bytes(shell.shown), whole, "what goes in comes out")

        text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(_is_no_object)
        chaser.for_all(st.lists(st.one_of(st.binary(min_size=1, max_size=40), text), max_size=5), check, examples=6)
        check([chaser.random.randbytes(300_000)])


@promise("sockets")
def a_terminal_has_the_size_that_is_asked_for(chaser: Subject) -> None:
    """A terminal has 24 rows and 80 columns, then the size of a message or a request; the latter lasts for the next."""
    with session(chaser) as one:
        with terminal(chaser, one["id"]) as shell:
            _sized(shell, 24, 80)
            # Some programs take a single row or column for a terminal that does not know its size.
            for rows, cols in ((30, 100), (2, 1000), (1000, 2)):
                shell.tell(type="resize", rows=rows, cols=cols)
                _sized(shell, rows, cols)
            for wrong in ((0, 80), (24, 1001), (-1, 5), ("24", "80"), (2.5, 80), (None, None), (True, True)):
                shell.tell(type="resize", rows=wrong[0], cols=wrong[1])
                shell.tell(type="of-no-meaning", rows=33, cols=33)
            _sized(shell, 1000, 2)
            chaser.ask("resize-session-pty", id=one["id"], json={"rows": 41, "cols": 133}, expect=204)
            _sized(shell, 41, 133)
        with terminal(chaser, one["id"], mode="agent") as shell:
            _sized(shell, 41, 133)
        chaser.ask("resize-session-pty", id=one["id"], json={"rows": 55, "cols": 66}, expect=204)
        with terminal(chaser, one["id"]) as shell:
            _sized(shell, 55, 66)


@promise()
def a_size_has_bounds(chaser: Subject) -> None:
    """A size is refused with 400 unless rows and columns are whole numbers from 1 to 1000."""
    with session(chaser) as one:
        for rows, cols in ((1, 1), (1000, 1000), (24, 80)):
            chaser.ask("resize-session-pty", id=one["id"], json={"rows": rows, "cols": cols}, expect=204)
        for body in (
            {"rows": 0, "cols": 80}, {"rows": 24, "cols": 0}, {"rows": 1001, "cols": 80}, {"rows": 24, "cols": 1001},
            {"rows": -1, "cols": 80}, {"rows": 24.5, "cols": 80}, {"rows": "24", "cols": 80},
            {"rows": 24}, {"cols": 80},
            {}, {"rows": None, "cols": None}, {"rows": True, "cols": True},
        ):  # fmt: skip
            with chaser.case():
                answer = chaser.ask("resize-session-pty", id=one["id"], json=body)
                answer.must_be(400, "invalid_request", because=f"for {body}")
        chaser.ask("terminate-session", id=one["id"], expect=204)
        ended = chaser.ask("resize-session-pty", id=one["id"], json={"rows": 1, "cols": 1})
        ended.must_be(409, "not_running", because="in a session that has ended")
        chaser.ask("resize-session-pty", id="no-such", json={"rows": 1, "cols": 1}).must_be(404, "not_found")
        if chaser.peer_key is not None:
            foreign = chaser.peer.ask("resize-session-pty", id=one["id"], json={"rows": 1, "cols": 1})
            foreign.must_be(404, "not_found", because="in another account")


@promise("sockets")
def an_agent_sees_output_and_nothing_else(chaser: Subject) -> None:
    """The shell of an agent shows no echo and no prompt, and a shell's exit code is the terminal's."""
    with session(chaser) as one:
        with terminal(chaser, one["id"], mode="agent") as shell:
            shell.type(b"echo one\necho two\n")
            shell.until(b"two")
            shell.type(b"exit 3\n")
            _is(chaser, shell.end(), ({"type": "exit", "exit_code": 3}, 1000), "a shell ends with its code and 1000")
            shown = bytes(shell.shown).replace(b"\r", b"").removesuffix(b"exit\n")
            _is(chaser, shown, b"one\ntwo\n", "an agent is shown the output alone")
        with terminal(chaser, one["id"], mode="human") as shell:
            shell.type(b"echo mar''ked\n" if _real(chaser, one["id"]) else b"echo marked\n")
            shell.until(b"marked")
            shell.type(b"exit 4\n")
            _is(chaser, shell.end(), ({"type": "exit", "exit_code": 4}, 1000), "a shell ends with its code and 1000")


@promise("sockets")
def an_open_terminal_holds_its_session(chaser: Subject) -> None:
    """A session with an open terminal has a lease, and ends only by force, of which the terminal is told."""
    with session(chaser) as one:
        with terminal(chaser, one["id"]), terminal(chaser, one["id"], mode="agent"):
            held = chaser.ask("get-session", id=one["id"], expect=200)
            leases = held.json.get("active_connection_leases")
            held.require(leases == 2, "open terminals are counted as leases, 2", f"{leases}")
            leased = chaser.ask("terminate-session", id=one["id"])
            leased.must_be(409, "session_leased", because="while a terminal is open")
            bulk = chaser.ask("bulk-terminate-sessions", json={"ids": [one["id"]]}, expect=200)
            codes = [(failed["id"], failed["code"]) for failed in bulk.json["failed"]]
            bulk.require(codes == [(one["id"], "session_leased")], "a leased session is listed as failed", f"{codes}")
        eventually(
            lambda: chaser.ask("get-session", id=one["id"], expect=200),
            lambda answer: answer.json.get("active_connection_leases") == 0,
            "get-session: a terminal that was left holds its session no longer",
        )
        with terminal(chaser, one["id"]) as shell:
            chaser.ask("terminate-session", id=one["id"], query={"force": True}, expect=204)
            last, code = shell.end()
            told = isinstance(last, dict) and last.get("type") == "exit" and last.get("exit_code", 0) > 128
            _is(chaser, (told, code), (True, 1000), f"a forced end is told with the code of a signal, and 1000: {last}")
        gone = chaser.ask("get-session", id=one["id"], expect=200)
        gone.require(gone.json["status"] == "terminated", "a session ends by force while a terminal is open")


@promise("sockets")
def who_may_not_gets_none(chaser: Subject) -> None:
    """A terminal is refused before the upgrade: 401, 403, 404, 409 and 400, as everywhere."""
    key = {"Authorization": f"Bearer {chaser.api_key}"}
    with session(chaser) as one:
        target = pty(one["id"])
        for headers in ({}, {"Authorization": "Bearer sk_nobody"}, {"Authorization": "Basic eDp5"}):
            with chaser.case():
                answer = refusal(chaser, target, headers=headers)
                answer.must_be(401, "unauthorized", because=f"with {headers or 'no credential'}")
        unknown = {"access_token": "sk_nobody"}
        refusal(chaser, pty(one["id"], **unknown)).must_be(401, "unauthorized", because="with an unknown access_token")
        refusal(chaser, pty("no-such"), headers=key).must_be(404, "not_found")
        if chaser.peer_key is not None:
            peer = {"Authorization": f"Bearer {chaser.peer_key}"}
            refusal(chaser, target, headers=peer).must_be(404, "not_found", because="in another account")
        for origin in ("https://evil.example", "http://localhost.evil.example", "null"):
            with chaser.case():
                answer = refusal(chaser, target, headers=key, origin=origin)
                answer.must_be(403, "forbidden", because=f"for a page of {origin}")
        for query in ({"mode": "robot"}, {"mode": ""}, {"mode": "exec"}, {"mode": "exec", "command": ""}):
            with chaser.case():
                answer = refusal(chaser, pty(one["id"], **query), headers=key)
                answer.must_be(400, "invalid_request", because=f"with {query}")
        plain = chaser.ask(PTY, id=one["id"])
        plain.require(plain.status >= 400, "a request that asks for no upgrade is answered with a refusal")
        with opened(chaser, pty(one["id"], access_token=chaser.api_key), operation=PTY) as socket:
            Terminal(socket).take()
        own = chaser.url.removesuffix("/")
        with opened(chaser, target, headers=key, origin=own, operation=PTY) as socket:
            Terminal(socket).take()
        if chaser.emulator is not None:
            without = chaser.ask("create-key", json={"scopes": ["sessions.write"]}, expect=200).json["key"]
            answer = refusal(chaser, target, headers={"Authorization": f"Bearer {without}"})
            answer.must_be(403, "insufficient_scope", because="without exec.write")
        chaser.ask("terminate-session", id=one["id"], query={"force": True}, expect=204)
        refusal(chaser, target, headers=key).must_be(409, "not_running", because="in a session that has ended")


@promise("sockets", "commands")
def what_runs_on_it_leaves_with_the_client(chaser: Subject) -> None:
    """When the client of a terminal leaves, what runs on it is hung up; a signal's end is 128 and its number."""
    with session(chaser) as one:
        with terminal(chaser, one["id"]) as shell:
            shell.type(b"sleep 76543 & echo star''ted; sleep 76543\n")
            shell.until(b"started")
        with terminal(chaser, one["id"], mode="exec", command="sleep 76543; true"):
            pass
        hung_up = f"{PTY}: what runs on a terminal is hung up when its client has left"
        none_sleeps(chaser, one["id"], 76543, hung_up, within=PATIENCE)
        with terminal(chaser, one["id"], mode="exec", command="printf x; printf y >&2; kill -TERM $$") as shell:
            _is(chaser, shell.end(), ({"type": "exit", "exit_code": 143}, 1000), "a signal is 128 and its number")
            _is(chaser, bytes(shell.shown), b"xy", "stdout and stderr are one")
        with terminal(chaser, one["id"]) as shell:
            shell.type(b"PS1='<pro''mpt>'; stty -echo; echo $TERM; pwd; tty; cat\n")
            for text in (b"xterm-256color", b"/workspace", b"/dev/"):
                shell.until(text)
            shell.type(b"typed\n")
            shell.until(b"typed\r\n")
            shell.type(b"\x03")
            # What is typed before the shell is back is thrown away with the rest of the line.
            shell.until(b"<prompt>")
            shell.type("echo gr''ü[ße\n")
            shell.until("grü[ße".encode())
        with terminal(chaser, one["id"], mode="agent") as shell:
            shell.type(b"echo $TERM; pwd\n")
            shell.until(b"dumb")
            shell.until(b"/workspace")


@promise("sockets")
def what_is_no_message_is_input(chaser: Subject) -> None:
    """A text frame that is no JSON object is input, whatever it begins with; an object that says nothing is ignored."""
    with session(chaser) as one:
        command = echoing(chaser)
        frames = ['{"type": "resize"', "{}}", "{ echo; }", '["type", "eof"]', '"eof"', "7", "null", " {not}", "[]"]
        ignored = ["{}", '{"rows": 3}', '{"type": null}', '{"type": "EOF"}', '{"type": ["eof"]}', ' {"a": {}} ']
        with terminal(chaser, one["id"], mode="exec", command=command) as shell:
            for frame in (*frames, *ignored):
                shell.type(frame)
            shell.tell(type="eof")
            _is(chaser, shell.end(), ({"type": "exit", "exit_code": 0}, 1000), "a command ends when its input does")
            due = "".join(frames).encode()
            _is(chaser, bytes(shell.shown), due, "text that is no JSON object is input, and any other object is not")


def _sized(shell: Terminal, rows: int, cols: int) -> None:
    """That a program on the terminal finds this size."""
    shell.type(b"stty size\n")
    shell.until(f"{rows} {cols}\r\n".encode())


def _real(chaser: Subject, session_id: str) -> bool:
    """Whether commands really run there."""
    return bool(run(chaser, session_id, "echo $((40 + 2))").json["output"] == "42\n")


def _is(chaser: Subject, found: object, due: object, promised: str) -> None:
    chaser.require(found == due, f"{PTY}: {promised}", f"{found!r} and not {due!r}"[:400])


def _is_no_object(text: str) -> bool:
    return not text.lstrip().startswith("{")
