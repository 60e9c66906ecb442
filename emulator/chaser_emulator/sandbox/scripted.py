"""The scripted engine: no processes at all, answers from stubs; for tests, and for speed."""

from __future__ import annotations

import asyncio
import logging
import os
import posixpath
import re
import secrets
import shlex
import socket
import stat
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from chaser_emulator.sandbox import (
    WORKSPACE_ROOT,
    BadPath,
    CommandSpec,
    DiskEntry,
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
    looking,
    scripted_disks,
)
from chaser_emulator.sandbox.scripted_process import CHUNK, ScriptedProcess
from chaser_emulator.sandbox.scripted_terminal import ScriptedTerminal
from chaser_emulator.sandbox.stubs import Answer, Stub, Stubs

_log = logging.getLogger(__name__)

_FOLDERS = (WORKSPACE_ROOT, "/", "/tmp", "/root")  # noqa: S108 - names
"""What is there from the beginning."""


Files = dict[str, bytes]


@dataclass
class _Sandbox:
    spec: SandboxSpec
    workspace: Files
    rest: Files = field(default_factory=dict)
    running: list[ScriptedProcess] = field(default_factory=list)
    """In the order of their start."""
    terminals: set[ScriptedTerminal] = field(default_factory=set)
    pids: int = 1

    def disk(self, path: str) -> Files:
        return self.workspace if path.startswith(f"{WORKSPACE_ROOT}/") else self.rest


class ScriptedEngine:
    """Sandboxes that are a few dictionaries: a workspace's files, and everything else.

    The first stub that fits a command answers it. Without one, `echo` of plain words, `true`, `false`, `sleep` and
    `exit` do what a shell would; any other command is not found (127), and noted among the unknown ones of `stubs`.
    """

    name: EngineName = "scripted"
    outlives = False

    def __init__(self, stubs: Stubs | Sequence[Stub] = ()) -> None:
        self.stubs = stubs if isinstance(stubs, Stubs) else Stubs(*stubs)
        self._disks: dict[str, Files] = {}
        self._sandboxes: dict[str, _Sandbox] = {}

    async def open(self) -> EngineInfo:
        return EngineInfo(
            name="scripted",
            version="1",
            isolation="Complete: no command really runs.",
            warnings=("Commands do not run: their answers come from stubs, and files live in memory.",),
        )

    async def close(self) -> None:
        for ref in list(self._sandboxes):
            await self.stop(ref)

    async def fork(self, *, sandboxes: bool = False) -> ScriptedEngine:
        """An engine of its own with the same disks and stubs; it shares the bytes of files, which never change.

        With `sandboxes` it also has those that run, under the same refs, each without its commands and terminals.
        """
        other = ScriptedEngine(self.stubs.copy())
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
        decide = self.stubs.decider(command, sandbox.spec, lambda: _of_a_shell(command))
        sandbox.pids += 1
        process = ScriptedProcess(sandbox.pids, command, decide, lambda files: self._store(sandbox, files))
        if not process.ended.done():
            sandbox.running.append(process)
            process.ended.add_done_callback(lambda _: sandbox.running.remove(process))
        return process

    def _store(self, sandbox: _Sandbox, files: Mapping[str, bytes | str]) -> None:
        for path, content in files.items():
            try:
                place = place_of(path)
            except (BadPath, NotAFile) as error:
                # A pattern has put together what is no path.
                _log.warning("a stub's file is not written: %s", error)
                continue
            sandbox.disk(place)[place] = content.encode() if isinstance(content, str) else content

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
        place = place_of(path)
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
        place = place_of(path)
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
            return await self.exec(ref, CommandSpec(line, cwd=spec.cwd, env=spec.env, user=spec.user, stdin=True))

        terminal = ScriptedTerminal(sandbox.pids, spec, run)
        sandbox.terminals.add(terminal)
        terminal.ended.add_done_callback(lambda _: sandbox.terminals.discard(terminal))
        return terminal

    async def ports(self, ref: str) -> list[int]:
        running = self._get(ref).running
        return sorted({port for process in running for port in process.ports})

    async def connect(self, ref: str, port: int) -> socket.socket:
        for process in self._get(ref).running:
            # As on a real machine, whoever listens first has the port.
            if port in process.ports:
                return process.ports[port].connect()
        raise PortClosed(f"Nothing in the sandbox listens on port {port}.")

    async def delete_disk(self, disk_id: str) -> None:
        self._disks.pop(disk_id, None)

    async def copy_disk(self, source_id: str, target_id: str) -> None:
        self._disks[target_id] = dict(self._disks.get(source_id, {}))

    async def fill_disk(self, disk_id: str, folder: Path) -> None:
        self._disks[disk_id] = await asyncio.to_thread(_files_of, folder)

    async def export_disk(self, disk_id: str, to: BinaryIO) -> None:
        await asyncio.to_thread(scripted_disks.write, dict(self._disks.get(disk_id, {})), to)

    async def import_disk(self, disk_id: str, archive: BinaryIO, *, owners: bool) -> None:
        self._disks[disk_id] = await asyncio.to_thread(scripted_disks.read, archive)

    async def disks(self) -> set[str]:
        return set(self._disks)

    async def disk_entries(
        self, disk_id: str, folder: str = "", *, recursive: bool = True, digests: bool = False
    ) -> Sequence[DiskEntry]:
        held = {posixpath.relpath(path, WORKSPACE_ROOT): one for path, one in self._disks.get(disk_id, {}).items()}
        found = await asyncio.to_thread(looking.of_files, held.items(), digests=digests)
        return looking.below(found, folder, recursive=recursive)

    async def read_disk_file(self, disk_id: str, path: str) -> FileDownload:
        held = self._disks.get(disk_id, {})
        content = held.get(place := posixpath.join(WORKSPACE_ROOT, path))
        if content is None:
            if any(name.startswith(f"{place}/") for name in held):
                raise looking.no_file(path, "directory")
            raise PathNotFound(f"There is no file {path} on the disk.")
        return FileDownload(size=len(content), chunks=_pieces(content))

    async def disk_bytes(self, disk_id: str) -> int | None:
        return sum(len(content) for content in self._disks.get(disk_id, {}).values())

    def _get(self, ref: str) -> _Sandbox:
        try:
            return self._sandboxes[ref]
        except KeyError:
            raise SandboxGone("The sandbox has ended.") from None


def _of_a_shell(command: CommandSpec) -> Answer | None:
    """What the few commands do that need no stub; None for all others."""
    try:
        words = shlex.split(command.command, comments=False)
    except ValueError:
        words = []
    plain = words and not re.search(r"[;&|<>$`*?(){}\[\]\n#!~]", command.command)
    match words if plain else ():
        case ["true"]:
            return Answer()
        case ["false"]:
            return Answer(exit_code=1)
        case ["exit", code] if code.isdigit():
            return Answer(exit_code=int(code) % 256)
        case ["sleep", seconds] if re.fullmatch(r"\d+(\.\d+)?", seconds):
            return Answer(delay=float(seconds))
        case ["echo", *rest] if not rest or not rest[0].startswith("-"):
            return Answer(" ".join(rest) + "\n")
    return None


def place_of(path: str) -> str:
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
