"""Sandboxes that promises try things in, and commands that say what they are told to."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chaser_emulator.embedded import Refused

from chaser_contract import making
from chaser_contract.client import Answer, Client
from chaser_contract.subject import Subject
from chaser_contract.waiting import eventually, until


@contextmanager
def session(chaser: Subject, **body: Any) -> Iterator[Mapping[str, Any]]:
    """A session that runs: an ephemeral sandbox, where nothing else is said. It is ended unless that was done."""
    made = chaser.ask("create-session", json=body or {"ephemeral": True}, expect=200).json
    try:
        yield making.ready(chaser, made["id"])
    finally:
        # The world of an emulator ends with everything in it.
        if chaser.emulator is None:
            chaser.ask("terminate-session", id=made["id"], query={"force": True})


@contextmanager
def workspace(chaser: Subject, **body: Any) -> Iterator[Mapping[str, Any]]:
    """A workspace for sandboxes, deleted afterwards on what is no emulator."""
    wanted = {"name": chaser.name("workspace"), "session_type": "sandbox", **body}
    made = chaser.ask("create-workspace", json=wanted, expect=200).json
    try:
        yield made
    finally:
        if chaser.emulator is None:
            chaser.ask("delete-workspace", ws=made["id"], query={"force": True})


def run(chaser: Subject, session_id: str, command: str, **body: Any) -> Answer:
    """The answer to a command that is waited for."""
    return chaser.ask("exec-session", id=session_id, json={"command": command, **body}, expect=200)


def begin(chaser: Subject, session_id: str, command: str, **body: Any) -> str:
    """A command in the background: its id."""
    answer = run(chaser, session_id, command, background=True, **body)
    answer.require(answer.json.get("command_id"), "a command in the background has an id")
    return str(answer.json["command_id"])


def ended(client: Client | Subject, session_id: str, command_id: str) -> Answer:
    """A command in the background, once it has ended."""
    return until(
        lambda: client.ask("get-session-command", id=session_id, cid=command_id, expect=200),
        lambda told: told["status"] not in ("queued", "starting", "running"),
        "a command that has ended is told of as ended",
    )


def none_sleeps(chaser: Subject, session_id: str, seconds: int, promise: str, *, within: float = 5) -> None:
    """Wait until no `sleep` of so many seconds runs in a sandbox. Raises Broken with the promise."""
    # In brackets the last digit is not found in the command that looks for it.
    last = f"{str(seconds)[:-1]}[{str(seconds)[-1]}]"
    eventually(
        lambda: run(chaser, session_id, f"cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -cx {last}"),
        lambda answer: answer.json["output"] == "0\n",
        promise,
        seconds=within,
    )


def saying(chaser: Subject, data: bytes, *, exit_code: int = 0) -> str:
    """A command that writes these bytes to stdout and ends with that code, on engines of all kinds."""
    octal = "".join(f"\\{byte:03o}" for byte in data)
    command = f"printf '{octal}'; exit {exit_code}"
    stubbed(chaser, {"command": command, "output": pieces_of(data), "exit_code": exit_code})
    return command


def echoing(chaser: Subject) -> str:
    """A command that writes what it reads, until its input ends."""
    stubbed(chaser, {"command": "cat", "reads": "echo", "runs": "until_eof"})
    return "cat"


def stubbed(chaser: Subject, stub: Mapping[str, Any]) -> bool:
    """Let a command be answered by a stub; False where commands really run, and need none."""
    if chaser.emulator is None:
        return False
    try:
        chaser.emulator.stubs.load([stub])
    except Refused as refused:
        if refused.code != "conflict":
            raise
        return False
    return True


def pieces_of(data: bytes) -> list[Mapping[str, str]]:
    """Output as a stub has it."""
    return [{"base64": base64.b64encode(data).decode("ascii")}] if data else []
