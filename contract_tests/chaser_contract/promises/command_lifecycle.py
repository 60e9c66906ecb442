"""Background commands from their start to their end, against a model: input, signals, time, what is told of them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chaser_contract import making, sandboxes
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import unlike
from chaser_contract.waiting import until

_ENDS: dict[str, int] = {"echo done": 0, "true": 0, "false": 1, "exit 3": 3, "exit 255": 255}
"""Commands that end by themselves, by their exit codes."""

_WAITS = ("sleep 600", "cat")
"""Commands that do not."""

_SIGNALS = {None: 15, "TERM": 15, "SIGKILL": 9, "9": 9, "INT": 2, "SIGHUP": 1}


@promise("emulator", stateful=True)
def commands_live_as_a_model_says(chaser: Subject) -> None:
    """Whatever is started, fed, signalled and timed out in the background: every reader sees just that."""
    sandboxes.echoing(chaser)
    chaser.machine(lambda: _Commands(chaser), steps=15)


@dataclass
class _Command:
    id: str
    command: str
    pid: int
    status: str = "running"
    exit_code: int | None = None
    output: bytes = b""
    closed: bool = False


class _Commands(RuleBasedStateMachine):
    """The background commands of one session, and of a second one that is to be let alone."""

    def __init__(self, chaser: Subject) -> None:
        super().__init__()
        self.chaser = chaser
        self.session = making.running(chaser)["id"]
        self.other = making.running(chaser)["id"]
        self.commands: list[_Command] = []
        self.over = False

    # What is done

    @precondition(lambda self: len(self.commands) < 8 and not self.over)
    @rule(command=st.sampled_from([*_ENDS, *_WAITS, *_WAITS]), times_out=st.booleans())
    def start(self, command: str, times_out: bool) -> None:
        said: dict[str, Any] = {"command": command, "background": True}
        if times_out and command in _WAITS:
            said["timeout_ms"] = 30
        answer = self.chaser.ask("exec-session", id=self.session, json=said, expect=200)
        told = answer.json
        wanted = {
            "kind": "exec", "status": "running", "session_id": self.session, "command": command,
            "background": True, "ephemeral": True,
        }  # fmt: skip
        answer.require(
            all(told.get(name) == value for name, value in wanted.items()) and told.get("exit_code") is None,
            "the answer to a command in the background says that it runs",
        )
        one = _Command(told["command_id"], command, told["pid"])
        self.commands.append(one)
        if command in _ENDS:
            self._ends(one, "exited", _ENDS[command], b"done\n" if command == "echo done" else b"")
        elif times_out:
            self._ends(one, "timed_out", 124)

    @precondition(lambda self: bool(self.commands))
    @rule(which=st.integers(0, 7), data=st.binary(max_size=5), coded=st.booleans(), eof=st.booleans())
    def feed(self, which: int, data: bytes, coded: bool, eof: bool) -> None:
        one = self._at(which)
        text = base64.b64encode(data).decode() if coded else data.hex()
        sent = data if coded else text.encode()
        said = {"input": text, "eof": eof} | ({"encoding": "base64"} if coded else {})
        answer = self.chaser.ask("write-session-command-stdin", id=self.session, cid=one.id, json=said)
        if one.status != "running":
            answer.must_be(409, "not_running", because=f"the command has {one.status}")
            return
        if one.closed and sent:
            answer.must_be(409, "not_running", because="the input of the command is closed")
            return
        answer.must_be(200, because="the command runs")
        wanted = {"command_id": one.id, "bytes_written": len(sent)}
        answer.require(answer.json == wanted, "the answer counts the bytes", f"{answer.json}, not {wanted}")
        one.closed = eof
        if one.command == "cat":
            one.output += sent
            if eof:
                self._ends(one, "exited", 0, one.output)

    @precondition(lambda self: bool(self.commands))
    @rule(which=st.integers(0, 7), signal=st.sampled_from([*_SIGNALS]))
    def kill(self, which: int, signal: str | None) -> None:
        one = self._at(which)
        said = {} if signal is None else {"signal": signal}
        answer = self.chaser.ask("kill-session-command", id=self.session, cid=one.id, json=said)
        if one.status != "running":
            answer.must_be(409, "not_running", because=f"the command has {one.status}")
            return
        answer.must_be(200, because="the command runs")
        answer.require(answer.json["command_id"] == one.id, "the answer says which command was signalled")
        self._ends(one, "killed", 128 + _SIGNALS[signal], one.output)

    @precondition(lambda self: len(self.commands) > 4 and not self.over)
    @rule()
    def end_session(self) -> None:
        self.chaser.ask("terminate-session", id=self.session, expect=204)
        self.over = True
        self.chaser.ask("exec-session", id=self.session, json={"command": "true", "background": True}).must_be(
            409, "not_running", because="the session has ended"
        )
        for one in self.commands:
            if one.status == "running":
                told = self._read(one)
                self.chaser.require(
                    told["status"] not in ("starting", "running"),
                    "terminate-session: the commands of a session have ended when it has",
                    f"{told}",
                )
                one.status, one.exit_code = told["status"], told.get("exit_code")

    @precondition(lambda self: bool(self.commands))
    @rule(which=st.integers(0, 7))
    def look_elsewhere(self, which: int) -> None:
        one = self._at(which)
        path = {"id": self.other, "cid": one.id}
        for operation, said in (
            ("get-session-command", {}),
            ("write-session-command-stdin", {"json": {"input": "x"}}),
            ("kill-session-command", {"json": {}}),
        ):
            self.chaser.ask(operation, **said, **path).must_be(
                404, "not_found", because="the command is one of another session"
            )

    # What is seen

    @invariant()
    def every_reader_sees_it(self) -> None:
        listed = self.chaser.ask("list-session-commands", id=self.session, expect=200).json["commands"]
        ids = [one["command_id"] for one in listed]
        wanted = [one.id for one in reversed(self.commands)]
        self.chaser.require(
            ids == wanted, "list-session-commands: all commands are listed, newest first", f"{ids}, not {wanted}"
        )
        for shown, one in zip(listed, reversed(self.commands), strict=True):
            self._is(one, shown)
        if self.commands:
            one = self.commands[-1]
            told = self._read(one)
            self._is(one, told)
            if one.status != "running":
                self.chaser.require(
                    told["output"].encode() == one.output or not one.output.isascii(),
                    "get-session-command: the output is what the command has written", f"{told}, not {one.output!r}",
                )  # fmt: skip
        nothing = self.chaser.ask("list-session-commands", id=self.other, expect=200)
        nothing.require(nothing.json == {"commands": []}, "a session lists its own commands only")

    # The model

    def _at(self, which: int) -> _Command:
        return self.commands[which % len(self.commands)]

    def _read(self, one: _Command) -> dict[str, Any]:
        told: dict[str, Any] = self.chaser.ask("get-session-command", id=self.session, cid=one.id, expect=200).json
        return told

    def _ends(self, one: _Command, status: str, exit_code: int, output: bytes = b"") -> None:
        """Wait until a command has ended."""
        until(
            lambda: self.chaser.ask("get-session-command", id=self.session, cid=one.id, expect=200),
            lambda told: told["status"] not in ("starting", "running"),
            "a command that ends is told of as ended",
        )
        one.status, one.exit_code, one.output = status, exit_code, output

    def _is(self, one: _Command, told: dict[str, Any]) -> None:
        wanted = {
            "command_id": one.id, "session_id": self.session, "command": one.command, "status": one.status,
            "exit_code": one.exit_code, "pid": one.pid, "cwd": "/workspace", "output_truncated": False,
        }  # fmt: skip
        if one.status != "running":
            wanted["output_bytes"] = len(one.output)
        seen = {name: told.get(name) for name in wanted}
        self.chaser.require(seen == wanted, "get-session-command: a command is told of as it is", unlike(seen, wanted))
        self.chaser.require(
            ("finished_at_epoch" in told) == (one.status != "running")
            and told.get("finished_at_epoch", told["started_at_epoch"]) >= told["started_at_epoch"],
            "get-session-command: it is told when a command has ended, and not before", f"{told}",
        )  # fmt: skip
