"""Commands of a real engine, recorded as stubs that a scripted one can answer from."""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from chaser_emulator.sandbox import (
    WORKSPACE_ROOT,
    CommandSpec,
    Engine,
    Process,
    SandboxError,
    SandboxSpec,
)
from chaser_emulator.sandbox.layers import Layer
from chaser_emulator.sandbox.stubs import Answer, Said, Stub, directory

COMMANDS_KEPT = 1000
OUTPUT_KEPT = 2**20
"""Bytes of one command's output."""
FILES_LISTED = 5000
FILES_KEPT, FILE_BYTES_KEPT = 100, 2**20
"""How many files of one command are kept, and how large each may be."""

HIDDEN = "[hidden]"
_SHORTEST_SECRET = 6
"""Values of variables that are shorter stand in every other output by chance: `true`, `1`, `prod`."""

_TICK = 0.1
"""Seconds: pieces of output nearer to each other are one, and times are rounded to it."""


@dataclass(eq=False)
class _Heard:
    """What is known of a command so far."""

    command: CommandSpec
    ref: str
    secrets: tuple[str, ...]
    began: float
    before: dict[str, int] | None
    """The sizes of the files that were there; None when that is not known."""
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    size: int = 0
    fed: bool = False
    at_eof: bool = False
    killed: bool = False
    lasted: float = 0
    code: int | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    """Paths that somebody else wrote meanwhile."""
    notes: list[str] = field(default_factory=list)

    def stub(self) -> Stub:
        """A stub that answers as it did."""
        notes = list(self.notes)
        if self.killed:
            notes.append("it ran until it was killed")
        answer = Answer(
            output=_output(self),
            exit_code=0 if self.killed else self.code or 0,
            files={path: _hide(content, self.secrets) for path, content in self.files.items()},
            runs="forever" if self.killed else None,
            reads="all" if self.fed and self.at_eof and not self.killed else None,
        )
        cwd = directory(self.command.cwd)
        return Stub(
            command=_match(self.command.command, self.secrets),
            answer=answer,
            cwd=None if cwd == WORKSPACE_ROOT else cwd,
            note="; ".join(notes) or None,
        )


class RecordingEngine(Layer):
    """An engine that does what its inner one does, and listens while it is told to record.

    Kept is what commands wrote and when, how they ended, and which files they made, or changed the size of; neither
    variables nor input. What runs on terminals is not recorded. While nothing is recorded nothing is lost.
    """

    def __init__(self, inner: Engine) -> None:
        super().__init__(inner)
        self.recording = False
        self._heard: list[_Heard] = []
        self._running: list[_Heard] = []
        self._env: dict[str, tuple[str, ...]] = {}

    def record(self) -> None:
        """Begin anew."""
        self._heard = []
        self.recording = True

    @property
    def ended(self) -> int:
        """How many commands were recorded from their beginning to their end."""
        return sum(heard.code is not None for heard in self._heard)

    def recorded(self) -> list[Stub]:
        """A stub for each command that has ended, in the order in which they began.

        Of several for one text all but the last answer as often as the command did so in a row.
        """
        stubs: list[Stub] = []
        last: dict[tuple[object, str | None], int] = {}
        for heard in self._heard:
            if heard.code is None:
                continue
            stub = heard.stub()
            key = (heard.command.command, stub.cwd)
            if key in last:
                before = stubs[last[key]]
                counted = replace(before, times=(before.times or 0) + 1)
                stubs[last[key]] = counted
                if before.answer == stub.answer:
                    continue
            last[key] = len(stubs)
            stubs.append(stub)
        return list(_with_last_free(stubs, last.values()))

    async def start(self, spec: SandboxSpec) -> str:
        ref = await super().start(spec)
        if spec.env:
            self._env[ref] = tuple(spec.env.values())
        return ref

    async def stop(self, ref: str) -> None:
        await super().stop(ref)
        self._env.pop(ref, None)

    async def exec(self, ref: str, command: CommandSpec) -> Process:
        if not self.recording or command.ours or len(self._heard) >= COMMANDS_KEPT:
            return await super().exec(ref, command)
        values = (*self._env.get(ref, ()), *command.env.values())
        secrets = tuple(sorted({one for one in values if len(one) >= _SHORTEST_SECRET}, key=len, reverse=True))
        before = await self._sizes(ref)
        process = await super().exec(ref, command)
        heard = _Heard(command, ref, secrets, asyncio.get_running_loop().time(), before)
        for other in self._running:
            if other.ref == ref:
                other.before = heard.before = None
        self._heard.append(heard)
        self._running.append(heard)
        return _Overheard(process, heard, asyncio.create_task(self._follow(process, heard)))

    async def write_file(self, ref: str, path: str, content: AsyncIterator[bytes], *, keep_mode: bool = False) -> int:
        for heard in self._running:
            if heard.ref == ref:
                heard.foreign.add(posixpath.normpath(posixpath.join(WORKSPACE_ROOT, path)))
        return await super().write_file(ref, path, content, keep_mode=keep_mode)

    async def _follow(self, process: Process, heard: _Heard) -> int:
        """Wait for a command's end, and look what it has left."""
        try:
            code = await process.wait()
            heard.lasted = asyncio.get_running_loop().time() - heard.began
            await self._look(heard)
        finally:
            self._running.remove(heard)
        heard.code = code
        return code

    async def _look(self, heard: _Heard) -> None:
        """Read the files that a command has made or changed."""
        after = await self._sizes(heard.ref) if heard.before is not None else None
        before = heard.before
        if before is None or after is None:
            heard.notes.append("which files it wrote is not known")
            return
        if before.keys() - after.keys():
            heard.notes.append("it removed files, which a stub does not")
        changed = [path for path, size in after.items() if before.get(path) != size and path not in heard.foreign]
        kept = [path for path in changed if after[path] <= FILE_BYTES_KEPT][:FILES_KEPT]
        for path in kept:
            try:
                download = await self.inner.read_file(heard.ref, path)
                heard.files[path] = b"".join([chunk async for chunk in download.chunks])
            except SandboxError:
                heard.notes.append(f"{path} could not be read")
        if len(kept) < len(changed):
            heard.notes.append(f"{len(changed) - len(kept)} files are left out, as they are too many or too large")

    async def _sizes(self, ref: str) -> dict[str, int] | None:
        """The files below /workspace; None when they are too many, or cannot be listed."""
        try:
            listing = await self.inner.list_files(ref, WORKSPACE_ROOT, recursive=True, limit=FILES_LISTED)
        except SandboxError:
            return None
        if listing.truncated:
            return None
        return {f"{WORKSPACE_ROOT}/{entry.path}": entry.size or 0 for entry in listing.entries if entry.kind == "file"}


class _Overheard:
    """A command whose output is noted as it is read. It has ended once what it left was looked at."""

    def __init__(self, inner: Process, heard: _Heard, following: asyncio.Task[int]) -> None:
        self._inner = inner
        self._heard = heard
        self._following = following
        # Whoever waits is told how it failed; not everybody waits.
        following.add_done_callback(lambda task: task.cancelled() or task.exception())

    @property
    def pid(self) -> int:
        return self._inner.pid

    async def output(self) -> AsyncIterator[bytes]:
        loop, heard = asyncio.get_running_loop(), self._heard
        async for chunk in self._inner.output():
            kept = chunk[: OUTPUT_KEPT - heard.size]
            if kept:
                heard.pieces.append((loop.time() - heard.began, kept))
                heard.size += len(kept)
            elif heard.size >= OUTPUT_KEPT and "its output goes on" not in heard.notes:
                heard.notes.append("its output goes on")
            yield chunk

    async def write(self, data: bytes) -> None:
        self._heard.fed = True
        await self._inner.write(data)

    async def close_stdin(self) -> None:
        self._heard.at_eof = self._heard.code is None
        await self._inner.close_stdin()

    async def signal(self, number: int) -> None:
        if number in (1, 2, 3, 9, 15) and self._heard.code is None:
            self._heard.killed = True
        await self._inner.signal(number)

    async def wait(self) -> int:
        return await asyncio.shield(self._following)


def _output(heard: _Heard) -> bytes | list[Said]:
    """The output of a command, in pieces where it took its time."""
    pieces: list[tuple[float, bytes]] = []
    last = 0.0
    for at, data in heard.pieces:
        after = _rounded(at - last)
        if pieces and not after:
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + data)
        else:
            pieces.append((after, data))
            last = at
    if not heard.killed and (rest := _rounded(heard.lasted - last)):
        pieces.append((rest, b""))
    whole = _hide(b"".join(data for _, data in pieces), heard.secrets)
    hidden = [(after, _hide(data, heard.secrets)) for after, data in pieces]
    if b"".join(data for _, data in hidden) != whole:
        # A secret stands across two pieces.
        hidden = [(hidden[0][0], whole)]
    if not any(after for after, _ in hidden):
        return whole
    return [Said(data, after) for after, data in hidden]


def _rounded(seconds: float) -> float:
    return round(round(seconds / _TICK) * _TICK, 1)


def _hide(data: bytes, secrets: Sequence[str]) -> bytes:
    for secret in secrets:
        data = data.replace(secret.encode(errors="surrogateescape"), HIDDEN.encode())
    return data


def _match(text: str, secrets: Sequence[str]) -> str | re.Pattern[str]:
    """The text of a command, or where the value of a variable stands in it, a pattern for what is around that."""
    found = [secret for secret in secrets if secret in text]
    if not found:
        return text
    parts = re.split("|".join(re.escape(secret) for secret in found), text)
    return re.compile(r"\A" + ".+?".join(re.escape(part) for part in parts) + r"\Z", re.DOTALL)


def _with_last_free(stubs: Sequence[Stub], last: Iterable[int]) -> Iterator[Stub]:
    free = set(last)
    for index, stub in enumerate(stubs):
        yield replace(stub, times=None) if index in free else stub
