"""What the scripted engine answers: stubs, and which of them fits a command."""

from __future__ import annotations

import itertools
import posixpath
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from chaser_emulator.sandbox import WORKSPACE_ROOT, CommandSpec, SandboxSpec

UNKNOWN_KEPT = 1000
"""How many unknown commands are kept; the oldest go first."""


@dataclass(frozen=True)
class Said:
    """A piece of output, `after` seconds behind the piece before it. An empty one is a pause."""

    data: bytes | str = b""
    after: float = 0


@dataclass(frozen=True)
class HttpAnswer:
    """What a port answers to requests of a method and a path; None is any.

    A `path` is compared without the query, unless it has one itself; one that ends with `*` stands for all that begin
    so. HEAD is answered as GET is, without the body.
    """

    path: str | None = None
    method: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str = b""
    delay: float = 0


Port = Literal["http", "tcp"] | Sequence[HttpAnswer]
"""What listens on a port: answers, of which the first that fits is given, or an echo.

`http` answers each request with a JSON description of it, and sends the messages of a WebSocket back; `tcp` sends each
byte back.
"""


@dataclass(frozen=True)
class Answer:
    """What a command does, in this order.

    With `reads` `all` it first waits for the end of its input. `delay` seconds later it listens on its `ports`; then
    come the pieces of `output`. Right before the last of them `files` are written, by path as in an upload. With
    `reads` `echo` it then sends back what it is fed, as it comes, until the end of that. It goes on as `runs` says,
    and exits with `exit_code`, or by `signal`. All seconds are real ones: no world's clock moves them.

    `{{1}}` and `{{name}}` in text stand for what those groups of the stub's pattern have found, and `{{stdin}}` for
    what a command has read that `reads` `all`. What is no such name stays as it is.
    """

    output: bytes | str | Sequence[Said] = b""
    exit_code: int = 0
    signal: int | None = None
    delay: float = 0
    files: Mapping[str, bytes | str] = field(default_factory=dict)
    ports: Mapping[int, Port] = field(default_factory=dict)
    runs: Literal["until_eof", "forever"] | None = None
    reads: Literal["all", "echo"] | None = None

    @property
    def pieces(self) -> Sequence[Said]:
        if isinstance(self.output, (bytes, str)):
            return (Said(self.output),) if self.output else ()
        return self.output

    @property
    def code(self) -> int:
        return self.exit_code if self.signal is None else 128 + self.signal


Match = str | re.Pattern[str] | Callable[[CommandSpec], "Answer | bytes | str | bool | None"]
"""The whole command, a regular expression found somewhere in it, or a function.

A function answers None or False where its stub does not fit; True where it does; or the output, or the whole answer.
"""


@dataclass(frozen=True)
class Stub:
    """An answer, and the commands that get it.

    `session_id`, `workspace_id` and `cwd` narrow down where the command runs. It answers the first `times` that it
    fits; None is any number. `stdin` is all that the command has to be fed, or a pattern found in that: a command for
    which it matters waits until its input decides.
    """

    command: Match
    answer: Answer = Answer()
    session_id: str | None = None
    workspace_id: str | None = None
    cwd: str | None = None
    stdin: str | re.Pattern[str] | None = None
    times: int | None = None
    note: str | None = None

    def fits_place(self, command: CommandSpec, sandbox: SandboxSpec) -> bool:
        """Whether its limits allow a command in a sandbox, its text and input aside."""
        return (
            self.session_id in (None, sandbox.session_id)
            and self.workspace_id in (None, sandbox.workspace_id)
            and (self.cwd is None or directory(self.cwd) == directory(command.cwd))
        )

    def fits_stdin(self, given: bytes, *, whole: bool) -> bool | None:
        """Whether it fits what the command has been fed so far; None when more of that may decide."""
        if self.stdin is None:
            return True
        if isinstance(self.stdin, str):
            wanted = self.stdin.encode()
            if given == wanted:
                return True
            return None if not whole and wanted.startswith(given) else False
        if self.stdin.search(given.decode(errors="replace")) is not None:
            return True
        return False if whole else None

    def answer_to(self, command: CommandSpec) -> Answer | None:
        """Its answer, what the pattern has found filled in; None where the command is another."""
        if isinstance(self.command, str):
            return self.answer if command.command == self.command else None
        if isinstance(self.command, re.Pattern):
            found = self.command.search(command.command)
            return None if found is None else filled(self.answer, groups(found))
        answer = self.command(command)
        if isinstance(answer, Answer):
            return answer
        if isinstance(answer, (bytes, str)):
            return replace(self.answer, output=answer)
        return self.answer if answer else None


def stub(
    command: Match,
    output: bytes | str | Sequence[Said] = b"",
    *,
    exit_code: int = 0,
    signal: int | None = None,
    delay: float = 0,
    files: Mapping[str, bytes | str] | None = None,
    ports: Mapping[int, Port] | None = None,
    runs: Literal["until_eof", "forever"] | None = None,
    reads: Literal["all", "echo"] | None = None,
    session_id: str | None = None,
    workspace_id: str | None = None,
    cwd: str | None = None,
    stdin: str | re.Pattern[str] | None = None,
    times: int | None = None,
    note: str | None = None,
) -> Stub:
    """A stub with its answer, in one go; the arguments are the fields of `Answer` and of `Stub`."""
    answer = Answer(output, exit_code, signal, delay, files or {}, ports or {}, runs, reads)
    return Stub(command, answer, session_id, workspace_id, cwd, stdin, times, note)


@dataclass(eq=False)
class Added:
    """A stub of an engine: its id there, and how many commands it has answered."""

    id: str
    stub: Stub
    answered: int = 0

    @property
    def used_up(self) -> bool:
        return self.stub.times is not None and self.answered >= self.stub.times


@dataclass(frozen=True)
class Unknown:
    """A command that nothing was there to answer; `near` is why the stub did not that comes nearest."""

    command: str
    session_id: str
    cwd: str = WORKSPACE_ROOT
    near: str | None = None


Decide = Callable[[bytes, bool], Answer | None]
"""The answer to a command that has been fed so much, and whether that is all; None while more of it decides."""


class Stubs:
    """The stubs of one engine, in the order in which they are tried.

    Those added together are tried in their own order, and before all that were added earlier: a list reads from top to
    bottom, and what a test adds goes before what was there.
    """

    def __init__(self, *stubs: Stub) -> None:
        self._numbers = itertools.count(1)
        self._added: list[Added] = []
        self.unknown: deque[Unknown] = deque(maxlen=UNKNOWN_KEPT)
        self.add(*stubs)

    def __iter__(self) -> Iterator[Added]:
        return iter(self._added)

    def __len__(self) -> int:
        return len(self._added)

    def add(self, *stubs: Stub) -> list[Added]:
        """Add stubs before all others; the answer has their ids."""
        added = [Added(f"stub_{next(self._numbers)}", one) for one in stubs]
        self._added[:0] = added
        return added

    def get(self, stub_id: str) -> Added | None:
        return next((one for one in self._added if one.id == stub_id), None)

    def remove(self, stub_id: str) -> Added | None:
        """Take one away; None when there is none with this id."""
        found = self.get(stub_id)
        if found is not None:
            self._added.remove(found)
        return found

    def clear(self) -> int:
        """Take all away, and forget the unknown commands. Answers how many stubs there were."""
        count = len(self._added)
        self._added.clear()
        self.unknown.clear()
        return count

    def copy(self) -> Stubs:
        """The same stubs under the same ids, used up as far as these are; no unknown commands."""
        other = Stubs()
        other._added = [replace(one) for one in self._added]
        last = max((int(one.id.rpartition("_")[2]) for one in self._added), default=0)
        other._numbers = itertools.count(last + 1)
        return other

    def decider(self, command: CommandSpec, sandbox: SandboxSpec, otherwise: Callable[[], Answer | None]) -> Decide:
        """Whoever answers a command; `otherwise` is asked where no stub does, and what it does not know is noted."""
        candidates = [one for one in self._added if one.stub.fits_place(command, sandbox) and _may_be(one, command)]

        def decide(given: bytes, whole: bool) -> Answer | None:
            waits = False
            for one in candidates:
                if one.used_up:
                    continue
                fits = one.stub.fits_stdin(given, whole=whole)
                if fits is None or (waits and one.stub.stdin is None):
                    # What fits the input so far goes before what may fit more of it; what takes any input waits.
                    waits = True
                    continue
                answer = one.stub.answer_to(command) if fits else None
                if answer is not None:
                    one.answered += 1
                    return answer
            if waits:
                return None
            answer = otherwise()
            if answer is None:
                if not command.ours:
                    near = self._near(command, sandbox)
                    self.unknown.append(Unknown(command.command, sandbox.session_id, command.cwd, near))
                answer = not_found(command)
            return answer

        return decide

    def _near(self, command: CommandSpec, sandbox: SandboxSpec) -> str | None:
        """Why the first stub for this very command has not answered it."""
        for one in self._added:
            if callable(one.stub.command) or not _may_be(one, command):
                continue
            if not one.stub.fits_place(command, sandbox):
                return f"{one.id} is for another session, workspace or directory"
            if one.used_up:
                return f"{one.id} has answered as often as it may ({one.stub.times})"
            return f"{one.id} expects another standard input"
        return None


def _may_be(one: Added, command: CommandSpec) -> bool:
    """Whether a stub is for a command's text; a function is asked later, when its answer counts."""
    match one.stub.command:
        case str() as text:
            return command.command == text
        case re.Pattern() as pattern:
            return pattern.search(command.command) is not None
        case _:
            return True


def not_found(command: CommandSpec) -> Answer:
    """What a shell says of a command that it does not know."""
    name = (command.command.split() or [""])[0]
    return Answer(f"sh: {name}: command not found\n", 127)


def directory(path: str) -> str:
    """A working directory as an absolute path without dots."""
    return posixpath.normpath(posixpath.join(WORKSPACE_ROOT, path))


def groups(found: re.Match[str]) -> dict[str, str]:
    """What the groups of a pattern have found, by number and by name; nothing where one took no part."""
    numbered = {str(number): text or "" for number, text in enumerate(found.groups(), start=1)}
    return numbered | {"0": found.group()} | {name: text or "" for name, text in found.groupdict().items()}


_NAME = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def filled(answer: Answer, values: Mapping[str, str]) -> Answer:
    """An answer with the values put in where its text names them."""

    def put(data: bytes | str) -> bytes | str:
        return put_text(data) if isinstance(data, str) else data

    def put_text(text: str) -> str:
        return _NAME.sub(lambda name: values.get(name[1], name[0]), text) if "{{" in text else text

    def put_port(port: Port) -> Port:
        return port if isinstance(port, str) else [replace(one, body=put(one.body)) for one in port]

    return replace(
        answer,
        output=[replace(piece, data=put(piece.data)) for piece in answer.pieces],
        files={put_text(path): put(content) for path, content in answer.files.items()},
        ports={number: put_port(port) for number, port in answer.ports.items()},
    )
