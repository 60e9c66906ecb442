"""The scripted engine: no processes at all, answers from rules; for tests, and for speed."""

from __future__ import annotations

import asyncio
import os
import posixpath
import re
import secrets
import shlex
import socket
import stat
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaser_emulator.sandbox import (
    WORKSPACE_ROOT,
    BadPath,
    CommandSpec,
    EngineInfo,
    EngineName,
    FileDownload,
    FileEntry,
    FileListing,
    NotAFile,
    NotAFolder,
    NotWritable,
    PathNotFound,
    PortClosed,
    SandboxGone,
    SandboxSpec,
    SandboxUnavailable,
    TerminalSpec,
    UnknownDirectory,
    UnknownUser,
)
from chaser_emulator.sandbox.scripted_terminal import ScriptedTerminal

CHUNK = 65_536

_FOLDERS = (WORKSPACE_ROOT, "/", "/tmp", "/root")  # noqa: S108 - names
"""What is there from the beginning."""


@dataclass(frozen=True)
class Rule:
    """What a command answers.

    `pattern` is the whole command, a regular expression found somewhere in it, or a question about its CommandSpec.
    After `delay` seconds come `output`, then `files` (by path, as in an upload), then the exit code.
    """

    pattern: str | re.Pattern[str] | Callable[[CommandSpec], bool]
    output: bytes | str | Callable[[CommandSpec], bytes | str] = b""
    exit_code: int = 0
    delay: float = 0
    files: Mapping[str, bytes] = field(default_factory=dict)

    def fits(self, command: CommandSpec) -> bool:
        if isinstance(self.pattern, str):
            return command.command == self.pattern
        if isinstance(self.pattern, re.Pattern):
            return self.pattern.search(command.command) is not None
        return self.pattern(command)


Files = dict[str, bytes]


@dataclass
class _Sandbox:
    spec: SandboxSpec
    workspace: Files
    rest: Files = field(default_factory=dict)
    running: set[ScriptedProcess] = field(default_factory=set)
    terminals: set[ScriptedTerminal] = field(default_factory=set)
    pids: int = 1

    def disk(self, path: str) -> Files:
        return self.workspace if path.startswith(f"{WORKSPACE_ROOT}/") else self.rest


class ScriptedEngine:
    """Sandboxes that are a few dictionaries: a workspace's files, and everything else.

    The first rule that fits a command answers it. Without one, `echo` of plain words, `true`, `false`, `sleep` and
    `exit` do what a shell would; any other command is not found (127).
    """

    name: EngineName = "scripted"
    outlives = False

    def __init__(self, *, rules: Sequence[Rule] = ()) -> None:
        self.rules = list(rules)
        self.processes: list[ScriptedProcess] = []
        """Commands under way that were started with an open standard input, and the last of those that have ended."""
        self._disks: dict[str, Files] = {}
        self._sandboxes: dict[str, _Sandbox] = {}

    async def open(self) -> EngineInfo:
        return EngineInfo(
            name="scripted",
            version="1",
            isolation="Complete: no command really runs.",
            warnings=("Commands do not run: their answers come from rules, and files live in memory.",),
        )

    async def close(self) -> None:
        for ref in list(self._sandboxes):
            await self.stop(ref)

    async def fork(self, *, sandboxes: bool = False) -> ScriptedEngine:
        """An engine of its own with the same disks and rules; it shares the bytes of files, which never change.

        With `sandboxes` it also has those that run, under the same refs, each without its commands and terminals.
        """
        other = ScriptedEngine(rules=self.rules)
        other._disks = {disk_id: dict(files) for disk_id, files in self._disks.items()}
        if sandboxes:
            for ref, sandbox in self._sandboxes.items():
                disk_id = sandbox.spec.disk_id
                workspace = dict(sandbox.workspace) if disk_id is None else other._disks.setdefault(disk_id, {})
                other._sandboxes[ref] = _Sandbox(sandbox.spec, workspace, dict(sandbox.rest), pids=sandbox.pids)
        return other

    async def start(self, spec: SandboxSpec) -> str:
        if spec.browser:
            raise SandboxUnavailable("The scripted engine runs no browsers; --sandbox local and docker do.")
        ref = f"scripted-{secrets.token_hex(8)}"
        files = {} if spec.disk_id is None else self._disks.setdefault(spec.disk_id, {})
        self._sandboxes[ref] = _Sandbox(spec, files)
        return ref

    async def stop(self, ref: str) -> None:
        sandbox = self._sandboxes.pop(ref, None)
        if sandbox is not None:
            for terminal in list(sandbox.terminals):
                await terminal.signal(9)
            for process in list(sandbox.running):
                await process.signal(9)

    async def alive(self, ref: str) -> bool:
        return ref in self._sandboxes

    async def refs(self) -> dict[str, str]:
        return {ref: sandbox.spec.session_id for ref, sandbox in self._sandboxes.items()}

    async def exec(self, ref: str, command: CommandSpec) -> ScriptedProcess:
        sandbox = self._get(ref)
        self._check_user(command.user)
        self._check_directory(sandbox, command.cwd)
        rule = next((rule for rule in self.rules if rule.fits(command)), None) or _of_a_shell(command)
        sandbox.pids += 1
        process = ScriptedProcess(sandbox.pids, command, rule, lambda: self._store(sandbox, rule.files))
        sandbox.running.add(process)
        process.ended.add_done_callback(lambda _: sandbox.running.discard(process))
        if command.stdin:
            self.processes = [*self.processes[-99:], process]
        return process

    def _store(self, sandbox: _Sandbox, files: Mapping[str, bytes]) -> None:
        for path, content in files.items():
            place = _resolve(path)
            sandbox.disk(place)[place] = content

    def _check_user(self, user: str | None) -> None:
        if user not in (None, "root", "0"):
            raise UnknownUser("The scripted engine has the user root only.")

    def _check_directory(self, sandbox: _Sandbox, cwd: str) -> None:
        if not cwd or "\0" in cwd:
            raise UnknownDirectory("A working directory is a path.")
        path = posixpath.normpath(posixpath.join(WORKSPACE_ROOT, cwd))
        if path not in _FOLDERS and not _is_folder(sandbox, path):
            raise UnknownDirectory(f"{cwd} is no directory of the sandbox.")

    async def read_file(self, ref: str, path: str) -> FileDownload:
        sandbox = self._get(ref)
        place = _resolve(path)
        content = sandbox.disk(place).get(place)
        if content is None:
            if _is_folder(sandbox, place):
                raise NotAFile(f"{path} is a folder.")
            raise PathNotFound(f"There is no file {path}.")
        return FileDownload(size=len(content), chunks=_pieces(content))

    async def list_files(self, ref: str, path: str, *, recursive: bool, limit: int) -> FileListing:
        sandbox = self._get(ref)
        stack = _names(path)
        place = "/" + "/".join(stack)
        if place in sandbox.disk(place):
            raise NotAFolder(f"{path} is no folder.")
        if not (place in _FOLDERS or _is_folder(sandbox, place)):
            raise PathNotFound(f"There is no folder {path}.")
        found: dict[tuple[str, ...], int | None] = {}
        for name, content in [*sandbox.workspace.items(), *sandbox.rest.items()]:
            *above, last = name[1:].split("/")
            if above[: len(stack)] == stack:
                below = tuple(above[len(stack) :])
                found |= {below[:depth]: None for depth in range(1, len(below) + 1)}
                found[*below, last] = len(content)
        kept = sorted((names for names in found if recursive or len(names) == 1), key=lambda names: (len(names), names))
        entries = [
            FileEntry("/".join(names), "directory" if found[names] is None else "file", found[names])
            for names in sorted(kept[:limit])
        ]
        return FileListing(entries, truncated=len(kept) > limit)

    async def write_file(self, ref: str, path: str, content: AsyncIterator[bytes], *, keep_mode: bool = False) -> int:
        sandbox = self._get(ref)
        place = _resolve(path)
        files = sandbox.disk(place)
        if _is_folder(sandbox, place):
            raise NotAFile(f"{path} is a folder.")
        parents = place.split("/")
        if any("/".join(parents[:length]) in files for length in range(2, len(parents))):
            raise NotWritable(f"{path} goes through a file.")
        collected = bytearray()
        async for chunk in content:
            collected += chunk
        files[place] = bytes(collected)
        return len(collected)

    async def open_terminal(self, ref: str, spec: TerminalSpec) -> ScriptedTerminal:
        sandbox = self._get(ref)
        self._check_user(spec.user)
        self._check_directory(sandbox, spec.cwd)
        sandbox.pids += 1

        async def run(line: str) -> ScriptedProcess:
            return await self.exec(ref, CommandSpec(line, cwd=spec.cwd, env=spec.env, user=spec.user))

        terminal = ScriptedTerminal(sandbox.pids, spec, run)
        sandbox.terminals.add(terminal)
        terminal.ended.add_done_callback(lambda _: sandbox.terminals.discard(terminal))
        return terminal

    async def ports(self, ref: str) -> list[int]:
        self._get(ref)
        return []

    async def connect(self, ref: str, port: int) -> socket.socket:
        self._get(ref)
        raise PortClosed(f"Nothing in the sandbox listens on port {port}.")

    async def delete_disk(self, disk_id: str) -> None:
        self._disks.pop(disk_id, None)

    async def copy_disk(self, source_id: str, target_id: str) -> None:
        self._disks[target_id] = dict(self._disks.get(source_id, {}))

    async def fill_disk(self, disk_id: str, folder: Path) -> None:
        self._disks[disk_id] = await asyncio.to_thread(_files_of, folder)

    async def disks(self) -> set[str]:
        return set(self._disks)

    async def disk_bytes(self, disk_id: str) -> int | None:
        return sum(len(content) for content in self._disks.get(disk_id, {}).values())

    def _get(self, ref: str) -> _Sandbox:
        try:
            return self._sandboxes[ref]
        except KeyError:
            raise SandboxGone("The sandbox has ended.") from None


class ScriptedProcess:
    """The answer of one rule, as a process: it can be waited for, fed and killed."""

    def __init__(self, pid: int, command: CommandSpec, rule: Rule, finish: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.command = command
        self.stdin = bytearray()
        """What it has been fed so far."""
        self.ended: asyncio.Future[int] = loop.create_future()
        self._pid = pid
        self._rule = rule
        self._finish = finish
        self._output = b""
        self._stdin_open = command.stdin
        self._timer = None
        if rule.delay > 0:
            self._timer = loop.call_later(rule.delay, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        said = self._rule.output(self.command) if callable(self._rule.output) else self._rule.output
        self._output = said.encode() if isinstance(said, str) else said
        self._finish()
        self.ended.set_result(self._rule.exit_code)

    @property
    def pid(self) -> int:
        return self._pid

    async def output(self) -> AsyncIterator[bytes]:
        await self.wait()
        async for piece in _pieces(self._output):
            yield piece

    async def write(self, data: bytes) -> None:
        # One that answers at once has still read what comes right after its start.
        if not self._stdin_open or (self.ended.done() and self._timer is not None):
            raise BrokenPipeError("the command reads no more")
        self.stdin += data

    async def close_stdin(self) -> None:
        self._stdin_open = False

    async def signal(self, number: int) -> None:
        if self.ended.done() or number == 0:
            return
        if self._timer is not None:
            self._timer.cancel()
        self.ended.set_result(128 + number)

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)


def _of_a_shell(command: CommandSpec) -> Rule:
    """What the few commands do that need no rule."""
    try:
        words = shlex.split(command.command, comments=False)
    except ValueError:
        words = []
    plain = words and not re.search(r"[;&|<>$`*?(){}\[\]\n#!~]", command.command)
    match words if plain else ():
        case ["true"]:
            return Rule("")
        case ["false"]:
            return Rule("", exit_code=1)
        case ["exit", code] if code.isdigit():
            return Rule("", exit_code=int(code) % 256)
        case ["sleep", seconds] if re.fullmatch(r"\d+(\.\d+)?", seconds):
            return Rule("", delay=float(seconds))
        case ["echo", *rest] if not rest or not rest[0].startswith("-"):
            return Rule("", output=" ".join(rest) + "\n")
    name = (words or command.command.split() or [""])[0]
    return Rule("", output=f"sh: {name}: command not found\n", exit_code=127)


def _resolve(path: str) -> str:
    """The path of a file as an absolute one without dots."""
    stack = _names(path)
    if path.split("/")[-1] in ("", ".", "..") or stack == [WORKSPACE_ROOT.strip("/")]:
        raise NotAFile(f"{path} names a folder.")
    return "/" + "/".join(stack)


def _names(path: str) -> list[str]:
    """The names on the way to a path of the API, without dots; it may not climb out of /workspace."""
    if not path or "\0" in path:
        raise BadPath("A path is not empty and holds no NUL character.")
    names = path.split("/")
    if len(path.encode(errors="surrogateescape")) > 4095 or any(len(name.encode()) > 255 for name in names):
        raise BadPath("The path is too long.")
    home = WORKSPACE_ROOT.strip("/")
    stack = [] if path.startswith("/") else [home]
    for name in names:
        if name == "..":
            if stack == [home]:
                raise BadPath(f"{path} climbs out of {WORKSPACE_ROOT}.")
            del stack[-1:]
        elif name not in ("", "."):
            stack.append(name)
    return stack


def _is_folder(sandbox: _Sandbox, path: str) -> bool:
    return any(name.startswith(f"{path}/") for files in (sandbox.workspace, sandbox.rest) for name in files)


def _files_of(folder: Path) -> Files:
    """The regular files below a folder, by their paths in a workspace; there are no links here."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as file:
                    found[posixpath.join(WORKSPACE_ROOT, os.path.relpath(path, folder))] = file.read()
    return found


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), CHUNK):
        yield content[start : start + CHUNK]
