"""Commands in the background: what is told of them while they run and afterwards, their input, and signals."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import strategies as st

from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.sandboxes import begin, echoing, ended, none_sleeps, pieces_of, run, saying, session, stubbed
from chaser_contract.server_events import Followed
from chaser_contract.subject import Subject
from chaser_contract.values import holds, lacks
from chaser_contract.waiting import eventually

KEPT = 64 * 2**20
"""Bytes of output that are kept of a command."""

_MUCH = "printf x; yes é | tr -d '\\n' | head -c 1200000"

_NUMBERS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12, "ALRM": 14, "TERM": 15,
}  # fmt: skip


@promise()
def it_is_told_while_it_runs(chaser: Subject) -> None:
    """A command in the background is answered at once with its handle, and read as running, in the list as well."""
    with session(chaser) as one:
        command = echoing(chaser)
        answer = run(chaser, one["id"], command, background=True)
        expected = {"kind": "exec", "status": "running", "session_id": one["id"], "command": command}
        _has(answer, {**expected, "background": True, "ephemeral": True})
        lacks(answer, answer.json, "exit_code", "output", "output_truncated", "workspace", "workspace_id")
        cid, pid = answer.json["command_id"], answer.json["pid"]
        found = chaser.ask("get-session-command", id=one["id"], cid=cid, expect=200)
        told = {"command_id": cid, "session_id": one["id"], "status": "running", "command": command, "pid": pid}
        more = {"cwd": "/workspace", "output": "", "output_bytes": 0, "output_truncated": False}
        _has(found, {**told, **more})
        lacks(found, found.json, "exit_code", "finished_at_epoch", "user")
        chaser.ask("write-session-command-stdin", id=one["id"], cid=cid, json={"input": "é\n"}, expect=200)
        partly = eventually(
            lambda: chaser.ask("get-session-command", id=one["id"], cid=cid, expect=200),
            lambda seen: seen.json["output_bytes"] == 3,
            "get-session-command: what a command has written so far is told while it runs",
        )
        _has(partly, {**told, "output": "é\n", "output_bytes": 3})
        listed = chaser.ask("list-session-commands", id=one["id"], expect=200)
        (entry,) = listed.json["commands"]
        same = {name: value for name, value in partly.json.items() if name != "output"}
        listed.require(entry == same, "the list tells of a command what reading it tells, but for its output")
        chaser.ask("kill-session-command", id=one["id"], cid=cid, json={}, expect=200)


@promise()
def it_is_told_when_it_has_ended(chaser: Subject) -> None:
    """A command that has ended is read with its exit code, its output and when it ended, in the list as well."""
    with session(chaser) as one:

        def check(drawn: tuple[bytes, int]) -> None:
            data, code = drawn
            command = saying(chaser, data, exit_code=code)
            cid = begin(chaser, one["id"], command, cwd="/tmp")  # noqa: S108 - a name
            found = ended(chaser, one["id"], cid)
            told = {"command_id": cid, "session_id": one["id"], "status": "exited", "command": command}
            more = {"cwd": "/tmp", "exit_code": code, "output_bytes": len(data), "output_truncated": False}  # noqa: S108
            _has(found, {**told, **more, "output": data.decode("utf-8", "replace")})
            began, end = found.json["started_at_epoch"], found.json.get("finished_at_epoch")
            found.require(end is not None and began <= end, "a command ends after it has started", f"{began}, {end}")
            listed = chaser.ask("list-session-commands", id=one["id"], expect=200).json["commands"]
            same = {name: value for name, value in found.json.items() if name != "output"}
            found.require(listed[0] == same, "the newest command is the first of the list", f"{listed[0]}")

        texts = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(str.encode), st.binary())
        chaser.for_all(st.tuples(texts, st.sampled_from([0, 1, 255])), check, examples=chaser.examples // 2)


@promise()
def the_list_is_newest_first_and_complete(chaser: Subject) -> None:
    """The list of commands has each in the background once, newest first, and those of no other session."""
    with session(chaser) as one, session(chaser) as other:
        made = [begin(chaser, one["id"], f"echo {number}") for number in range(4)]
        run(chaser, one["id"], "echo in-the-foreground")
        stranger = begin(chaser, other["id"], "echo other")
        for cid in made:
            ended(chaser, one["id"], cid)
        listed = chaser.ask("list-session-commands", id=one["id"], expect=200)
        found = [command["command_id"] for command in listed.json["commands"]]
        listed.require(found == made[::-1], "commands are listed once each, newest first", f"{found} of {made}")
        theirs = chaser.ask("list-session-commands", id=other["id"], expect=200).json["commands"]
        listed.require([one["command_id"] for one in theirs] == [stranger], "each session lists its own", f"{theirs}")
        chaser.ask("get-session-command", id=other["id"], cid=made[0]).must_be(404, "not_found")
        chaser.ask("get-session-command", id=one["id"], cid=stranger).must_be(404, "not_found")


@promise()
def much_output_is_kept_and_its_beginning_shown(chaser: Subject) -> None:
    """Of a command's output the first 1 MiB is shown, cut between characters, and all of it counted and streamed."""
    with session(chaser) as one:
        size = 1_200_001
        stubbed(chaser, {"command": _MUCH, "output": pieces_of(b"x" + "é".encode() * 600_000)})
        cid = begin(chaser, one["id"], _MUCH)
        found = ended(chaser, one["id"], cid)
        _has(found, {"status": "exited", "output_bytes": size, "output_truncated": True})
        shown = found.json["output"]
        due = "x" + "é" * (2**19 - 1)
        found.require(shown == due, f"the first {len(due.encode())} bytes are shown", f"{len(shown.encode())} are")
        told = Followed(start=size - 8).read(
            [chaser.ask("stream-session-command", id=one["id"], cid=cid, query={"from": size - 8}, expect=200).body]
        )
        found.require(told.output == "é".encode() * 4, "what is not shown is streamed all the same", f"{told.output!r}")


@promise("commands")
def no_more_than_64_mib_is_kept(chaser: Subject) -> None:
    """Of a command's output 64 MiB are kept; a command that writes more goes on, and is told of as cut."""
    with session(chaser) as one:
        cid = begin(chaser, one["id"], f"head -c {KEPT + 1} /dev/zero; exit 5")
        found = ended(chaser, one["id"], cid)
        _has(found, {"status": "exited", "exit_code": 5, "output_bytes": KEPT, "output_truncated": True})
        (listed,) = chaser.ask("list-session-commands", id=one["id"], expect=200).json["commands"]
        # What is shown is always less; the list tells of what is kept.
        found.require(listed["output_truncated"] is True, "one byte beyond 64 MiB is left out", f"{listed}")


@promise("emulator")
def it_is_timed_by_the_clock(chaser: Subject) -> None:
    """`started_at_epoch` and `finished_at_epoch` are seconds of the emulator's clock."""
    clock = chaser.steered.clock
    at = clock.freeze("2031-05-06T07:08:09Z")
    with session(chaser) as one:
        cid = begin(chaser, one["id"], echoing(chaser))
        clock.advance(100)
        chaser.ask("write-session-command-stdin", id=one["id"], cid=cid, json={"input": "", "eof": True}, expect=200)
        found = ended(chaser, one["id"], cid)
        began = int(at.timestamp())
        _has(found, {"started_at_epoch": began, "finished_at_epoch": began + 100})


@promise()
def any_bytes_can_be_fed(chaser: Subject) -> None:
    """What is written to the input of a command arrives, as text and in base64, in order, until `eof` closes it."""
    with session(chaser) as one:

        def check(pieces: list[bytes | str]) -> None:
            cid = begin(chaser, one["id"], echoing(chaser))
            place = {"id": one["id"], "cid": cid}
            whole = b""
            for piece in pieces:
                raw = piece.encode() if isinstance(piece, str) else piece
                body: dict[str, Any] = {"input": piece}
                if isinstance(piece, bytes):
                    body = {"input": base64.b64encode(piece).decode(), "encoding": "base64"}
                answer = chaser.ask("write-session-command-stdin", json=body, expect=200, **place)
                _has(answer, {"command_id": cid, "bytes_written": len(raw)})
                whole += raw
            last = {"input": "end", "encoding": "utf-8", "eof": True}
            chaser.ask("write-session-command-stdin", json=last, expect=200, **place)
            whole += b"end"
            found = ended(chaser, one["id"], cid)
            told = {"status": "exited", "exit_code": 0, "output_bytes": len(whole)}
            _has(found, {**told, "output": whole.decode("utf-8", "replace")})
            after = chaser.ask("write-session-command-stdin", json={"input": "x"}, **place)
            after.must_be(409, "not_running", because="to a command that has ended")

        text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
        chaser.for_all(st.lists(st.one_of(text, st.binary(max_size=12)), max_size=4), check, examples=5)


@promise()
def input_that_comes_with_it_is_read_first(chaser: Subject) -> None:
    """`stdin` of a command in the background is read before what is fed to it later."""
    with session(chaser) as one:
        cid = begin(chaser, one["id"], echoing(chaser), stdin="first ")
        body = {"input": "second", "eof": True}
        chaser.ask("write-session-command-stdin", id=one["id"], cid=cid, json=body, expect=200)
        _has(ended(chaser, one["id"], cid), {"output": "first second"})


@promise()
def wrong_input_is_refused(chaser: Subject) -> None:
    """Input is refused with 400 where it is no base64 or of another encoding, and nothing of it arrives."""
    with session(chaser) as one:
        cid = begin(chaser, one["id"], echoing(chaser))
        place = {"id": one["id"], "cid": cid}
        wrong: tuple[dict[str, Any], ...] = (
            {}, {"input": None}, {"input": 7}, {"input": "x", "encoding": "latin-1"}, {"input": "x", "eof": "yes"},
            *({"input": text, "encoding": "base64"} for text in ("=", "AAE", "AA==A", "A*==", "AAE=\n", "-_8=")),
        )  # fmt: skip
        for body in wrong:
            with chaser.case():
                answer = chaser.ask("write-session-command-stdin", json=body, **place)
                answer.must_be(400, "invalid_request", because=f"for {body}")
        chaser.ask("write-session-command-stdin", json={"input": "", "eof": True}, expect=200, **place)
        _has(ended(chaser, one["id"], cid), {"output": "", "output_bytes": 0})


@promise()
def a_signal_ends_it_by_any_of_its_names(chaser: Subject) -> None:
    """A signal is sent by its name, with or without SIG, or its number; TERM where none is named."""
    with session(chaser) as one:
        command = echoing(chaser)
        drawn = chaser.random.sample(sorted(_NUMBERS), 5)
        named = [(text, name) for name in drawn for text in (name, f"SIG{name}", str(_NUMBERS[name]))]
        for text, name in [(None, "TERM"), *chaser.random.sample(named, 8)]:
            with chaser.case():
                cid = begin(chaser, one["id"], command)
                place = {"id": one["id"], "cid": cid}
                # A shell that is still on the way to its command may lose a signal.
                chaser.ask("write-session-command-stdin", json={"input": "x"}, expect=200, **place)
                eventually(
                    lambda place=place: chaser.ask("get-session-command", expect=200, **place),  # type: ignore[misc]
                    lambda seen: seen.json["output_bytes"] == 1,
                    "get-session-command: what a command has written so far is told while it runs",
                )
                body = {} if text is None else {"signal": text}
                answer = chaser.ask("kill-session-command", json=body, expect=200, **place)
                _has(answer, {"command_id": cid})
                spelled = answer.json["signal"]
                answer.require(
                    spelled in (name, f"SIG{name}", str(_NUMBERS[name])), f"`signal` is the one sent, {name}", spelled
                )
                _has(ended(chaser, one["id"], cid), {"status": "killed", "exit_code": 128 + _NUMBERS[name]})
                for operation, late in (("kill-session-command", {}), ("write-session-command-stdin", {"input": "x"})):
                    again = chaser.ask(operation, json=late, **place)
                    again.must_be(409, "not_running", because="for a command that has ended")


@promise()
def an_unknown_signal_is_refused(chaser: Subject) -> None:
    """What is no signal is refused with 400, and the command goes on."""
    with session(chaser) as one:
        cid = begin(chaser, one["id"], "sleep 600")
        for signal in ("", "NO", "SIG", "0", "32", "99", "-9", "KILL ", 9, None):
            with chaser.case():
                answer = chaser.ask("kill-session-command", id=one["id"], cid=cid, json={"signal": signal})
                answer.must_be(400, "invalid_request", because=f"for the signal {signal!r}")
        found = chaser.ask("get-session-command", id=one["id"], cid=cid, expect=200)
        found.require(found.json["status"] == "running", "a command goes on when a signal is refused")
        without = chaser.ask("kill-session-command", id=one["id"], cid=cid, expect=200)
        _has(without, {"command_id": cid})
        _has(ended(chaser, one["id"], cid), {"status": "killed", "exit_code": 143})


@promise()
def its_time_is_up_as_it_was_said(chaser: Subject) -> None:
    """A command in the background has `timeout_ms`, and no limit where none is said."""
    with session(chaser) as one:
        free = begin(chaser, one["id"], "sleep 600")
        longer = begin(chaser, one["id"], "sleep 2", timeout_ms=250)
        shorter = begin(chaser, one["id"], "sleep 0.3", timeout_ms=2500)
        cid = begin(chaser, one["id"], "sleep 600", timeout_ms=30)
        found = ended(chaser, one["id"], cid)
        _has(found, {"status": "timed_out", "exit_code": 124, "output": "", "output_bytes": 0})
        _has(ended(chaser, one["id"], longer), {"status": "timed_out", "exit_code": 124})
        _has(ended(chaser, one["id"], shorter), {"status": "exited", "exit_code": 0})
        still = chaser.ask("get-session-command", id=one["id"], cid=free, expect=200)
        still.require(still.json["status"] == "running", "a command without a limit goes on")


@promise()
def it_ends_with_its_session(chaser: Subject) -> None:
    """A command in the background holds no session, and has ended when its session has."""
    with session(chaser) as one:
        cid = begin(chaser, one["id"], "sleep 600")
        chaser.ask("terminate-session", id=one["id"], expect=204)
        found = ended(chaser, one["id"], cid)
        found.require(found.json.get("exit_code") != 0, "a command that was ended is not told of as one that went well")


@promise("commands")
def a_signal_reaches_all_that_it_started(chaser: Subject) -> None:
    """A signal is sent to the whole process group of a command, and one that is trapped leaves it running."""
    with session(chaser) as one:
        waiting = "trap 'echo caught' USR1; echo ready; while :; do sleep 0.02; done"
        cid = begin(chaser, one["id"], f"sleep 87654 & sleep 87654 & {waiting}")
        place = {"id": one["id"], "cid": cid}
        for text in ("ready\n", "ready\ncaught\n"):
            if "caught" in text:
                chaser.ask("kill-session-command", json={"signal": "USR1"}, expect=200, **place)
            found = eventually(
                lambda: chaser.ask("get-session-command", expect=200, **place),
                lambda seen, text=text: seen.json.get("output", "").replace("User defined signal 1\n", "") == text,  # type: ignore[misc]
                "kill-session-command: a command gets the signal that is sent to it",
            )
            _has(found, {"status": "running"})
        chaser.ask("kill-session-command", json={"signal": "KILL"}, expect=200, **place)
        _has(ended(chaser, one["id"], cid), {"status": "killed", "exit_code": 137})
        reached = "kill-session-command: a signal reaches every process of the command's group"
        none_sleeps(chaser, one["id"], 87654, reached)


def _has(answer: Answer, expected: dict[str, Any]) -> None:
    holds(answer, answer.json, **expected)
