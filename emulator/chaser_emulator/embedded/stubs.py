"""What commands answer in a world whose sandboxes run none."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chaser_emulator.embedded.asking import Door, Refused, segment
from chaser_emulator.embedded.placed import InPlace, unless_gone

if TYPE_CHECKING:
    from chaser_emulator.sandbox import CommandSpec
    from chaser_emulator.sandbox import stubs as engine_stubs

Text = str | bytes
Piece = Text | tuple[float, Text]
"""A piece of output, or one with the seconds behind the piece before it."""

Output = Text | Sequence[Piece]


@dataclass(frozen=True)
class UnknownCommand:
    """A command that nothing answered; `near` is why the stub that comes nearest has not."""

    command: str
    session_id: str
    cwd: str
    near: str | None
    suggestion: Mapping[str, Any]

    def __str__(self) -> str:
        near = f" ({self.near})" if self.near else ""
        return f"{self.command!r} in session {self.session_id}{near}"


class Stub(InPlace):
    """A stub that is in place until it is removed, or the block ends that it is entered in."""

    def __init__(self, stubs: Stubs, stub_id: str) -> None:
        self._stubs = stubs
        self.id = stub_id

    @property
    def answered(self) -> int:
        """How many commands it has answered. Raises LookupError once it is removed."""
        for one in self._stubs.listed():
            if one["id"] == self.id:
                return int(one["answered"])
        raise LookupError(f"{self.id} has been removed")

    def remove(self) -> None:
        """Take it away; one that is gone already is fine."""
        with unless_gone():
            self._stubs.remove(self.id)

    def __repr__(self) -> str:
        return f"<Stub {self.id}>"


class Stubs:
    """The stubs of a world. What is added later is tried first."""

    def __init__(self, door: Door, world: str, *, strict: bool) -> None:
        self._door = door
        self._world = world
        self._strict = strict

    def add(
        self,
        command: str | re.Pattern[str] | Callable[[CommandSpec], Any],
        output: Output | Callable[[CommandSpec], Any] = "",
        exit_code: int = 0,
        *,
        signal: str | None = None,
        delay: float = 0,
        files: Mapping[str, Text] | None = None,
        ports: Mapping[int, Any] | None = None,
        runs: Literal["until_eof", "forever"] | None = None,
        reads: Literal["all", "echo"] | None = None,
        session_id: str | None = None,
        workspace_id: str | None = None,
        cwd: str | None = None,
        stdin: str | re.Pattern[str] | None = None,
        times: int | None = None,
        note: str | None = None,
    ) -> Stub:
        """What a command answers: the whole text of it, a regular expression found in it, or a function.

        A function gets the command (`.command`, `.cwd`, `.env`, ...), and answers None where it is for another stub,
        the output, or True for the output given here; an `output` that is a function gets it as well. Functions are
        called in the thread of the emulator, and only where that is in this process. Output may be pieces, each with
        the seconds before it: `["building\\n", (0.5, "done\\n")]`. `ports` are what listens: `{8000: "hello"}`,
        `{8000: [{"path": "/health", "json": {"ok": True}}]}`, `{5432: "echo tcp"}`.
        """
        __tracebackhide__ = True
        told = {
            "exit_code": exit_code or None,
            "signal": signal,
            "delay": delay or None,
            "files": {path: _text(content) for path, content in files.items()} if files else None,
            "ports": [_port(number, answers) for number, answers in ports.items()] if ports else None,
            "runs": runs,
            "reads": reads,
            "session_id": session_id,
            "workspace_id": workspace_id,
            "cwd": cwd,
            "stdin": stdin if isinstance(stdin, str) else None,
            "stdin_pattern": _pattern(stdin) if isinstance(stdin, re.Pattern) else None,
            "times": times,
            "note": note,
        }
        if isinstance(command, str):
            told["command"] = command
        elif isinstance(command, re.Pattern):
            told["pattern"] = _pattern(command)
        if not callable(output):
            told["output"] = _output(output)
        stub = {name: value for name, value in told.items() if value is not None}
        if callable(command) or callable(output):
            return self._add_function(command, output, stub)
        return Stub(self, self._ask("POST", "/stubs", stub)["id"])

    def load(self, stubs: str | Path | Sequence[Mapping[str, Any]]) -> list[Stub]:
        """Add a list of stubs, or a YAML or JSON file that holds one: what `recorded` answered."""
        found = _listed_in(Path(stubs)) if isinstance(stubs, (str, Path)) else stubs
        told = self._ask("POST", "/stubs/load", {"stubs": list(found)})
        return [Stub(self, one["id"]) for one in told["stubs"]]

    def record(self) -> None:
        """Forget what was recorded, and record each command from now on, in a world where commands really run."""
        self._ask("POST", "/stubs/record", {"state": "on"})

    def recorded(self, path: str | Path | None = None) -> list[dict[str, Any]]:
        """What was recorded as stubs, for `load`; written to a file as well where one is named."""
        found: list[dict[str, Any]] = self._ask("GET", "/stubs/recorded")
        if path is not None:
            Path(path).write_text(json.dumps({"stubs": found}, indent=2, ensure_ascii=False) + "\n", "utf-8")
        return found

    def listed(self) -> list[dict[str, Any]]:
        """Every stub as the control plane tells of it, in the order in which they are tried."""
        found: list[dict[str, Any]] = self._ask("GET", "/stubs")["stubs"]
        return found

    @property
    def unknown(self) -> list[UnknownCommand]:
        """The commands that neither a stub answered nor the engine, which knows `echo`, `true` and a few more."""
        return [
            UnknownCommand(one["command"], one["session_id"], one.get("cwd", ""), one.get("near"), one["stub"])
            for one in self._ask("GET", "/stubs")["unknown"]
        ]

    def remove(self, stub_id: str) -> None:
        """Take one away."""
        self._ask("DELETE", f"/stubs/{segment(stub_id)}")

    def clear(self) -> None:
        """Take all away, and forget the unknown commands."""
        self._ask("DELETE", "/stubs")

    def require_known(self) -> None:
        """Raise AssertionError where a command was unknown, in a world that is strict."""
        __tracebackhide__ = True
        if not self._strict:
            return
        try:
            unknown = self.unknown
        except Refused as error:
            if error.code != "conflict":
                raise
            # Where commands really run, none is unknown.
            return
        if unknown:
            count = "a command has" if len(unknown) == 1 else f"{len(unknown)} commands have"
            told = [f'  {one}\n    chaser.stubs.add({one.command!r}, output="")' for one in unknown]
            raise AssertionError("\n".join([f"strict: {count} no answer in the scripted engine", *told]))

    def __iter__(self) -> Iterator[Stub]:
        return iter([Stub(self, one["id"]) for one in self.listed()])

    def __len__(self) -> int:
        return len(self.listed())

    def __bool__(self) -> bool:
        return True

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        __tracebackhide__ = True
        return self._door.ask(method, path, body, world=self._world)

    def _add_function(
        self,
        command: str | re.Pattern[str] | Callable[[CommandSpec], Any],
        output: Output | Callable[[CommandSpec], Any],
        told: dict[str, Any],
    ) -> Stub:
        host = self._door.own_host
        if host is None:
            raise RuntimeError(
                "a function answers commands only in an emulator of this process; give text or a pattern"
            )
        # Checked as every other, for a command that nobody runs, and then given to the function.
        beside = {name: value for name, value in told.items() if name not in _MATCHES}
        stub = Stub(self, self._ask("POST", "/stubs", {"command": f"function {secrets.token_hex(16)}", **beside})["id"])

        async def give() -> None:
            from chaser_emulator import stubs

            added = stubs.of_world(host.worlds.get(self._world)).get(stub.id)
            if added is not None:
                added.stub = replace(added.stub, command=_match(command, output))

        host.submit(give()).result()
        return stub


_MATCHES = frozenset({"command", "pattern"})


def _match(command: Any, output: Any) -> Callable[[CommandSpec], engine_stubs.Answer | Text | bool | None]:
    """One function of what are two: whether it fits, and what is then written."""

    def fits(spec: CommandSpec) -> Any:
        if isinstance(command, str):
            return spec.command == command
        if isinstance(command, re.Pattern):
            return command.search(spec.command) is not None
        return command(spec)

    def answer(spec: CommandSpec) -> Any:
        found = fits(spec)
        if asyncio.iscoroutine(found):
            found.close()
            raise TypeError("a stub's function answers at once; it cannot be async")
        said = output(spec) if callable(output) and found is True else found
        if isinstance(said, (int, float, list, tuple, dict)) and not isinstance(said, bool):
            # What else is true, such as a match, says that it fits.
            raise TypeError(f"a stub's function answers text, bytes, an Answer, True or False, and not {said!r}")
        return said

    answer.__qualname__ = getattr(output if callable(output) else command, "__qualname__", "function")
    return answer


def _listed_in(file: Path) -> Sequence[Mapping[str, Any]]:
    import yaml

    found = yaml.safe_load(file.read_text("utf-8"))
    listed: Sequence[Mapping[str, Any]] = found["stubs"] if isinstance(found, dict) and "stubs" in found else found
    return listed


def _pattern(pattern: re.Pattern[str]) -> str:
    # Imported on use: an emulator elsewhere is spoken to without its modules.
    from chaser_emulator.stubs import source

    return source(pattern)


def _text(content: Text) -> Any:
    return content if isinstance(content, str) else {"base64": base64.b64encode(content).decode("ascii")}


def _output(output: Output) -> Any:
    if isinstance(output, str):
        return output
    if not isinstance(output, Iterable):
        raise TypeError(f"output={output!r} must be text, bytes, or pieces of them with the seconds before each")
    pieces = [output] if isinstance(output, bytes) else output
    return [_piece(*piece) if isinstance(piece, tuple) else _piece(0, piece) for piece in pieces]


def _piece(after: float, data: Text) -> dict[str, Any]:
    said: dict[str, Any] = {"text": data} if isinstance(data, str) else dict(_text(data))
    return said | ({"after": after} if after else {})


def _port(number: int, answers: Any) -> dict[str, Any]:
    """What listens on a port: `echo http`, `echo tcp`, a text for every path, or answers as the JSON has them."""
    if answers in ("echo http", "echo tcp"):
        return {"port": number, "echo": answers.removeprefix("echo ")}
    if isinstance(answers, str):
        return {"port": number, "answers": [{"body": answers}]}
    return {"port": number, "answers": [answers] if isinstance(answers, Mapping) else list(answers)}
