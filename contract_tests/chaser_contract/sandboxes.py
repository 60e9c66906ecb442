"""Sandboxes that promises try things in, commands that say what they are told to, and waiting for what is to come."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from chaser_emulator.embedded import Refused

from chaser_contract.broken import Broken
from chaser_contract.client import Answer
from chaser_contract.subject import Subject

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds in which what is said to happen by itself has to have happened."""

_PAUSE = 0.01

_LESS = 1.0
"""Seconds for what has been waited for in vain before: the smallest example is looked for among many."""

_in_vain: set[str] = set()


def eventually(look: Callable[[], T], fits: Callable[[T], bool], promise: str, *, seconds: float = PATIENCE) -> T:
    """Look until what is seen fits. Raises Broken with the promise and what was seen last."""
    deadline = time.monotonic() + (min(seconds, _LESS) if promise in _in_vain else seconds)
    while not fits(found := look()):
        if time.monotonic() > deadline:
            _in_vain.add(promise)
            exchange = found.exchange if isinstance(found, Answer) else None
            raise Broken(promise, f"after {seconds:g} s: {exchange.said() if exchange else found!r}", exchange=exchange)
        time.sleep(_PAUSE)
    return found


@contextmanager
def session(chaser: Subject, **body: Any) -> Iterator[Mapping[str, Any]]:
    """A session that runs: an ephemeral sandbox, where nothing else is said. It is ended unless that was done."""
    made = chaser.ask("create-session", json=body or {"ephemeral": True}, expect=200).json
    try:
        yield running(chaser, made["id"])
    finally:
        # The world of an emulator ends with everything in it.
        if chaser.emulator is None:
            chaser.ask("terminate-session", id=made["id"], query={"force": True})


def running(chaser: Subject, session_id: str) -> Mapping[str, Any]:
    """A session, once it runs."""
    found = eventually(
        lambda: chaser.ask("get-session", id=session_id, expect=200),
        lambda answer: answer.json["status"] != "starting",
        "get-session: a session that starts comes to run",
    )
    found.require(found.json["status"] == "running", "a session that starts comes to run")
    told: Mapping[str, Any] = found.json
    return told


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


def ended(chaser: Subject, session_id: str, command_id: str) -> Answer:
    """A command in the background, once it has ended."""
    return eventually(
        lambda: chaser.ask("get-session-command", id=session_id, cid=command_id, expect=200),
        lambda answer: answer.json["status"] not in ("queued", "starting", "running"),
        "get-session-command: a command that has ended is told of as ended",
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
