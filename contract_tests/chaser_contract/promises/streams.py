"""The stream of a command's output: all of it, once, in order, from wherever one wants it."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from chaser_contract.broken import Broken
from chaser_contract.promises import promise
from chaser_contract.sandboxes import begin, echoing, ended, saying, session
from chaser_contract.server_events import Event, Followed, events, require
from chaser_contract.subject import Subject

_INTERVAL_MS = 10

_OUTPUT = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(str.encode),
        st.binary(max_size=12),
        st.sampled_from(
            [b"\r\n", b"\n\n", b"data: x\n", b"event: exit\n", "😀".encode(), b"\xff", b"\xe2\x82", b": c\n"]
        ),
    ),
    max_size=8,
).map(b"".join)


@promise()
def the_chunks_joined_are_the_output(chaser: Subject) -> None:
    """The chunks of a stream, joined, are the output of the command to the byte, whatever it has written."""
    with session(chaser) as one:

        def check(drawn: tuple[bytes, int, int]) -> None:
            data, code, most = drawn
            command = begin(chaser, one["id"], saying(chaser, data, exit_code=code))
            told = _followed(chaser, one["id"], command, {"max_bytes": most, "interval_ms": 10}, most=most)
            require(told.output == data, "the chunks joined are the output", f"{told.output!r} and not {data!r}")
            expected = {"status": "exited", "exit_code": code, "output_bytes": len(data)}
            require(told.exit == expected, f"`exit` is {expected}", f"it is {told.exit}")
            if most >= 4 and _is_text(data):
                require("base64" not in told.encodings, "text is cut between its characters", f"{told.chunks!r}")

        sizes = st.sampled_from([1, 2, 3, 4, 5, 7, 64, 65_536, 1_048_576])
        chaser.for_all(st.tuples(_OUTPUT, st.sampled_from([0, 0, 3, 255]), sizes), check)


@promise()
def it_is_resumed_from_any_offset(chaser: Subject) -> None:
    """From any offset, by `from` or by Last-Event-ID, which wins, comes the rest of the output and nothing else."""
    with session(chaser) as one:
        data = "α\r\nb€😀 \x00 event: exit\n\n".encode() + b"\xff\xfe\xc3" + b"z" * 20
        command = begin(chaser, one["id"], saying(chaser, data))
        ended(chaser, one["id"], command)

        def check(drawn: tuple[int, int | None, int]) -> None:
            start, last, most = drawn
            headers = {} if last is None else {"Last-Event-ID": str(last)}
            at = start if last is None else last
            told = _followed(
                chaser, one["id"], command, {"from": start, "max_bytes": most}, headers, start=at, most=most
            )
            said = f"from {start}" + ("" if last is None else f", with Last-Event-ID {last},")
            require(told.output == data[at:], f"{said} comes the rest of the output", f"{told.output!r}")
            require(told.exit["output_bytes"] == len(data), "`output_bytes` is of the whole output", f"{told.exit}")

        offsets = st.integers(0, len(data))
        chaser.for_all(
            st.tuples(offsets, st.none() | offsets, st.sampled_from([1, 3, 8, 65_536])),
            check,
            examples=2 * chaser.examples,
        )
        for start in (0, 1, len(data) - 1, len(data)):
            for header in (False, True):
                with chaser.case():
                    check((0, start, 65_536) if header else (start, None, 65_536))
        whole = _followed(chaser, one["id"], command, {})
        require(whole.output == data, "without `from` it begins at the beginning", f"{whole.output!r}")
        broken_off = _followed(chaser, one["id"], command, {"max_bytes": 5}, most=5)
        for last in broken_off.ids:
            rest = _followed(chaser, one["id"], command, {}, {"Last-Event-ID": str(last)}, start=last)
            require(rest.output == data[last:], "the id of an event leads on behind its chunk", f"{rest.output!r}")


@promise()
def it_follows_a_command_that_runs(chaser: Subject) -> None:
    """What a command writes comes while it runs, a character whole even if it was written in two parts."""
    with session(chaser) as one:
        command = begin(chaser, one["id"], echoing(chaser))
        told = Followed()
        place = {"id": one["id"], "cid": command}
        with chaser.client.stream("stream-session-command", query={"interval_ms": _INTERVAL_MS}, **place) as response:
            coming = events(response.iter_raw())
            for said in ("one\n", "zwei ü\n"):
                chaser.ask("write-session-command-stdin", json={"input": said}, expect=200, **place)
                while not told.output.endswith(said.encode()):
                    told.take(_next(coming))
            before = len(told.chunks)
            for half in (b"\xe2\x82", b"\xac!"):
                body = {"input": base64.b64encode(half).decode(), "encoding": "base64"}
                chaser.ask("write-session-command-stdin", json=body, expect=200, **place)
                # The stream looks in between: an eager one has the first half to tell of.
                time.sleep(5 * _INTERVAL_MS / 1000)
            while not told.output.endswith(b"!"):
                told.take(_next(coming))
            require("base64" not in told.encodings, "a character is not cut in two", f"{told.chunks[before:]!r}")
            chaser.ask("write-session-command-stdin", json={"input": "end", "eof": True}, expect=200, **place)
            for event in coming:
                told.take(event)
        require(told.output.decode() == "one\nzwei ü\n€!end", "it tells all that was written", f"{told.output!r}")
        expected = {"status": "exited", "exit_code": 0, "output_bytes": len(told.output)}
        require(told.exit == expected, f"`exit` is {expected}", f"{told.exit}")
        again = _followed(chaser, one["id"], command, {})
        require(again.output == told.output, "a stream that is opened later tells the same", f"{again.output!r}")


@promise()
def two_who_follow_see_the_same(chaser: Subject) -> None:
    """Whoever follows a command sees all of its output, and one who leaves takes nothing with him."""
    with session(chaser) as one:
        command = begin(chaser, one["id"], echoing(chaser))
        place = {"id": one["id"], "cid": command}
        query = {"interval_ms": 10}
        with chaser.client.stream("stream-session-command", query=query, **place) as first:
            chaser.ask("write-session-command-stdin", json={"input": "a\n"}, expect=200, **place)
            left = Followed()
            left.take(_next(events(first.iter_raw())))
        still = chaser.ask("get-session-command", expect=200, **place)
        still.require(still.json["status"] == "running", "a command goes on when one who follows it has left")
        chaser.ask("write-session-command-stdin", json={"input": "b\n", "eof": True}, expect=200, **place)
        for start in (0, left.ids[-1]):
            told = _followed(chaser, one["id"], command, {"from": start}, start=start)
            require(told.output == b"a\nb\n"[start:], f"from {start} on it tells all", f"{told.output!r}")


@promise()
def how_a_command_ended_is_told_at_the_end(chaser: Subject) -> None:
    """The `exit` event tells how the command ended as reading the command does: by itself, by a signal, by time."""
    with session(chaser) as one:
        for body, signal, status, code in (
            ({"command": "exit 7"}, None, "exited", 7),
            ({"command": "sleep 600"}, "KILL", "killed", 137),
            ({"command": "sleep 600"}, "SIGTERM", "killed", 143),
            ({"command": "sleep 600", "timeout_ms": 20}, None, "timed_out", 124),
        ):
            with chaser.case():
                command = begin(chaser, one["id"], **body)
                if signal is not None:
                    sent = {"signal": signal}
                    chaser.ask("kill-session-command", id=one["id"], cid=command, json=sent, expect=200)
                told = _followed(chaser, one["id"], command, {})
                expected = {"status": status, "exit_code": code, "output_bytes": 0}
                require(told.exit == expected, f"`exit` is {expected}", f"{told.exit}")
                found = ended(chaser, one["id"], command)
                same = {name: found.json.get(name) for name in expected}
                found.require(same == expected, f"a command that ended like that is read as {expected}", f"{same}")


@promise()
def wrong_questions_are_refused(chaser: Subject) -> None:
    """A stream is refused with 400 beyond the bounds of its parameters, and opened at their edges."""
    with session(chaser) as one:
        command = begin(chaser, one["id"], "echo x")
        place = {"id": one["id"], "cid": command}
        ended(chaser, one["id"], command)
        for query in (
            {"from": -1}, {"from": "x"}, {"from": 1.5}, {"interval_ms": 9}, {"interval_ms": 10_001},
            {"max_bytes": 0}, {"max_bytes": 1_048_577}, {"max_bytes": -1},
        ):  # fmt: skip
            with chaser.case():
                answer = chaser.ask("stream-session-command", query=query, **place)
                answer.must_be(400, "invalid_request", because=f"for {query}")
        wrong = chaser.ask("stream-session-command", headers={"Last-Event-ID": "x"}, **place)
        wrong.must_be(400, "invalid_request", because="for a Last-Event-ID that is no offset")
        edges: tuple[dict[str, Any], ...] = (
            {"interval_ms": 10}, {"interval_ms": 10_000}, {"max_bytes": 1}, {"max_bytes": 1_048_576}, {"from": 0},
        )  # fmt: skip
        for edge in edges:
            with chaser.case():
                told = _followed(chaser, one["id"], command, edge)
                require(told.output == b"x\n", f"with {edge} all is told", f"{told.output!r}")
        other = chaser.ask("create-session", json={"ephemeral": True}, expect=200).json["id"]
        for session_id, cid in ((one["id"], other), (other, command)):
            with chaser.case():
                answer = chaser.ask("stream-session-command", id=session_id, cid=cid)
                answer.must_be(404, "not_found", because="for a command that the session has not")
        if chaser.emulator is None:
            chaser.ask("terminate-session", id=other)


def _followed(
    chaser: Subject,
    session_id: str,
    command_id: str,
    query: dict[str, Any],
    headers: dict[str, str] | None = None,
    *,
    start: int = 0,
    most: int = 65_536,
) -> Followed:
    """A stream read to its end."""
    answer = chaser.ask(
        "stream-session-command", id=session_id, cid=command_id, query=query, headers=headers, expect=200
    )
    return Followed(start, most).read([answer.body])


def _next(coming: Iterator[Event]) -> Event:
    for event in coming:
        return event
    raise Broken("stream-session-command: it goes on while the command runs", "it ended")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
