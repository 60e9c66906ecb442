"""The JSON form of stubs, for the control plane and for seeds; its schema is `Stub` in the control plane's document."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chaser_emulator.errors import ApiError, Problem, invalid
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.sandbox.layers import find
from chaser_emulator.sandbox.stubs import Added, Answer, HttpAnswer, Port, Said, Stub, Stubs, Unknown

if TYPE_CHECKING:
    from chaser_emulator.world import World

SIGNALS = {
    "SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6, "SIGBUS": 7, "SIGFPE": 8,
    "SIGKILL": 9, "SIGUSR1": 10, "SIGSEGV": 11, "SIGUSR2": 12, "SIGPIPE": 13, "SIGALRM": 14, "SIGTERM": 15,
    "SIGXCPU": 24, "SIGXFSZ": 25, "SIGSYS": 31,
}  # fmt: skip
"""By their names in Linux, which is what runs in a sandbox wherever the emulator runs."""

_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x", re.ASCII: "a"}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS = frozenset(["content-length", "transfer-encoding", "connection"])
"""Headers that the stubbed server sets by itself."""


def of_world(world: World) -> Stubs:
    """The stubs of a world. Raises ApiError where commands really run."""
    from chaser_emulator.sandbox.scripted import ScriptedEngine

    engine = find(world.engine, ScriptedEngine)
    if engine is None:
        name = world.engine.name
        raise ApiError(
            "conflict",
            f"the commands of this world really run ({name}); stubs need --sandbox scripted, or a world of it",
        )
    return engine.stubs


class BadStub(ValueError):
    """What is no stub, with all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.pointer}: {problem.message}" for problem in problems))
        self.problems = problems


def read_all(values: Sequence[Mapping[str, Any]], pointer: str = "") -> list[Stub]:
    """The stubs of a list that keeps the schema; ApiError `invalid_request` for what no schema can say."""
    stubs: list[Stub] = []
    problems: list[Problem] = []
    for index, value in enumerate(values):
        try:
            stubs.append(read(value, f"{pointer}/{index}"))
        except BadStub as error:
            problems += error.problems
    if problems:
        raise invalid(problems)
    return stubs


def read(value: Mapping[str, Any], pointer: str = "") -> Stub:
    """The stub of a JSON value that keeps the schema; `pointer` is where that stands. Raises BadStub."""
    problems: list[Problem] = []

    def wrong(where: str, message: str) -> None:
        problems.append(Problem("body", f"{pointer}/{where}", message))

    def one_of(a: str, b: str) -> None:
        if a in value and b in value:
            wrong(b, f"stands beside {a}; one of the two is accepted")

    def pattern(name: str) -> re.Pattern[str] | None:
        try:
            return re.compile(value[name]) if name in value else None
        except re.error as error:
            wrong(name, f"is no regular expression: {error}")
            return None

    if "command" not in value and "pattern" not in value:
        wrong("command", "is required, or pattern in its place")
    for pair in (("command", "pattern"), ("stdin", "stdin_pattern"), ("exit_code", "signal")):
        one_of(*pair)
    answer = Answer(
        output=_output(value.get("output", ""), wrong),
        # 3.0 is a whole number to JSON Schema.
        exit_code=int(value.get("exit_code", 0)),
        signal=SIGNALS[value["signal"]] if "signal" in value else None,
        delay=value.get("delay", 0),
        files=_files(value.get("files", {}), wrong),
        ports=_ports(value.get("ports", []), wrong),
        runs=value.get("runs"),
        reads=value.get("reads"),
    )
    if answer.ports and not (answer.runs or answer.reads or any(piece.after for piece in answer.pieces)):
        wrong("ports", "would be open for no time, as the command ends at once; runs: forever keeps it going")
    stub = Stub(
        command=value.get("command") or pattern("pattern") or "",
        answer=answer,
        session_id=value.get("session_id"),
        workspace_id=value.get("workspace_id"),
        cwd=value.get("cwd"),
        stdin=value["stdin"] if "stdin" in value else pattern("stdin_pattern"),
        times=int(value["times"]) if "times" in value else None,
        note=value.get("note"),
    )
    if problems:
        raise BadStub(problems)
    return stub


Wrong = Callable[[str, str], None]
"""Told of something wrong, by its pointer below the stub."""


def _output(value: str | Sequence[Mapping[str, Any]], wrong: Wrong) -> str | list[Said]:
    if isinstance(value, str):
        return value
    return [Said(_content(piece, f"output/{index}", wrong), piece.get("after", 0)) for index, piece in enumerate(value)]


def _content(value: Mapping[str, Any], where: str, wrong: Wrong, text: str = "text") -> bytes | str:
    """Text, or bytes in Base64."""
    if text in value and "base64" in value:
        wrong(f"{where}/base64", f"stands beside {text}; one of the two is accepted")
    if "base64" not in value:
        return str(value.get(text, ""))
    try:
        return base64.b64decode(value["base64"], validate=True)
    except (binascii.Error, ValueError) as error:
        wrong(f"{where}/base64", f"is no Base64: {error}")
        return b""


def _files(value: Mapping[str, Any], wrong: Wrong) -> dict[str, bytes | str]:
    from chaser_emulator.sandbox.scripted import place_of

    files: dict[str, bytes | str] = {}
    for path, content in value.items():
        where = f"files/{path.replace('~', '~0').replace('/', '~1')}"
        try:
            place_of(path)
        except SandboxError as error:
            wrong(where, f"is no path of a file: {error}")
        files[path] = content if isinstance(content, str) else _content(content, where, wrong)
    return files


def _ports(value: Sequence[Mapping[str, Any]], wrong: Wrong) -> dict[int, Port]:
    ports: dict[int, Port] = {}
    for index, port in enumerate(value):
        where = f"ports/{index}"
        if port["port"] in ports:
            wrong(f"{where}/port", f"is there twice; all answers of port {port['port']} stand in one list")
        if ("echo" in port) == ("answers" in port):
            wrong(f"{where}/answers", "is required, or echo in its place; one of the two is accepted")
        answers = [_http(one, f"{where}/answers/{at}", wrong) for at, one in enumerate(port.get("answers", []))]
        ports[int(port["port"])] = port.get("echo", answers)
    return ports


def _http(value: Mapping[str, Any], where: str, wrong: Wrong) -> HttpAnswer:
    headers = dict(value.get("headers", {}))
    for name, content in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            wrong(f"{where}/headers/{name}", "is no header that can be set")
        elif not _HEADER_VALUE.fullmatch(content):
            wrong(f"{where}/headers/{name}", "must be one line of Latin-1 characters")
    if "json" in value:
        for other in ("body", "base64"):
            if other in value:
                wrong(f"{where}/{other}", "stands beside json; one of the two is accepted")
        body: bytes | str = json.dumps(value["json"])
        if "content-type" not in {name.lower() for name in headers}:
            headers["content-type"] = "application/json"
    else:
        body = _content(value, where, wrong, "body")
    return HttpAnswer(
        value.get("path"), value.get("method"), int(value.get("status", 200)), headers, body, value.get("delay", 0)
    )


def write(stub: Stub) -> dict[str, Any]:
    """The JSON value of a stub, which `read` reads again; one that is for a function has only that one's name."""
    answer, value = stub.answer, dict[str, Any]()
    match stub.command:
        case str() as text:
            value["command"] = text
        case re.Pattern() as pattern:
            value["pattern"] = source(pattern)
        case function:
            value["function"] = getattr(function, "__qualname__", type(function).__qualname__)
    match stub.stdin:
        case str() as text:
            value["stdin"] = text
        case re.Pattern() as pattern:
            value["stdin_pattern"] = source(pattern)
    for name in ("session_id", "workspace_id", "cwd", "times", "note"):
        value[name] = getattr(stub, name)
    if answer.output:
        whole = isinstance(answer.output, str)
        value["output"] = answer.output if whole else [_piece(piece) for piece in answer.pieces]
    if answer.signal is not None:
        value["signal"] = next((name for name, number in SIGNALS.items() if number == answer.signal), None)
    if answer.exit_code or "signal" not in value:
        value["exit_code"] = answer.exit_code
    value["delay"] = answer.delay or None
    value["runs"], value["reads"] = answer.runs, answer.reads
    value["files"] = {path: _file(content) for path, content in answer.files.items()} or None
    value["ports"] = [_port(number, port) for number, port in answer.ports.items()] or None
    return {name: one for name, one in value.items() if one is not None}


def info(added: Added) -> dict[str, Any]:
    """StubInfo: a stub of an engine, with its id and how often it answered."""
    return {"id": added.id, "answered": added.answered, **write(added.stub)}


def unknown_info(unknown: Unknown) -> dict[str, Any]:
    """UnknownCommand, with a stub that would have answered it."""
    told = {"command": unknown.command, "session_id": unknown.session_id, "cwd": unknown.cwd, "near": unknown.near}
    fitting = {"command": unknown.command, "output": "", "exit_code": 0}
    return {name: one for name, one in told.items() if one is not None} | {"stub": fitting}


def source(pattern: re.Pattern[str]) -> str:
    """The text of a pattern, with its flags."""
    # Those that the text sets by itself are known from it.
    added = pattern.flags & ~re.compile(pattern.pattern).flags
    flags = "".join(letter for flag, letter in _FLAGS.items() if added & flag)
    return f"(?{flags}){pattern.pattern}" if flags else pattern.pattern


def _piece(piece: Said) -> dict[str, Any]:
    return ({"after": piece.after} if piece.after else {}) | _bytes(piece.data)


def _bytes(content: bytes | str, text: str = "text") -> dict[str, Any]:
    if isinstance(content, str):
        return {text: content} if content else {}
    try:
        return _bytes(content.decode(), text)
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _file(content: bytes | str) -> str | dict[str, Any]:
    told = _bytes(content)
    return told if "base64" in told else str(told.get("text", ""))


def _port(number: int, port: Port) -> dict[str, Any]:
    if isinstance(port, str):
        return {"port": number, "echo": port}
    return {"port": number, "answers": [_told(one) for one in port]}


def _told(answer: HttpAnswer) -> dict[str, Any]:
    told = {
        "path": answer.path,
        "method": answer.method,
        "status": answer.status,
        "headers": dict(answer.headers) or None,
        "delay": answer.delay or None,
    }
    return {name: one for name, one in told.items() if one is not None} | _bytes(answer.body, "body")
