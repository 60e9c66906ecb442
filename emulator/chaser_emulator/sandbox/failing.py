"""Planned failures of an engine: images that are missing, sandboxes that die, disks that are full."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from chaser_emulator.sandbox import (
    CommandSpec,
    DiskFull,
    Engine,
    FileDownload,
    FileListing,
    Process,
    SandboxError,
    SandboxGone,
    SandboxSpec,
    SandboxUnavailable,
    Terminal,
    TerminalSpec,
)
from chaser_emulator.sandbox.layers import Layer

Operation = Literal[
    "start",
    "stop",
    "exec",
    "open_terminal",
    "read_file",
    "list_files",
    "write_file",
    "ports",
    "connect",
    "copy_disk",
    "fill_disk",
]

Kind = Literal["image_missing", "cannot_start", "unavailable", "sandbox_dies", "disk_full", "slow"]

_ALWAYS: frozenset[Kind] = frozenset({"unavailable", "slow"})

POSSIBLE: Mapping[Operation, frozenset[Kind]] = {
    "start": _ALWAYS | {"image_missing", "cannot_start", "disk_full"},
    "stop": _ALWAYS,
    "exec": _ALWAYS | {"sandbox_dies"},
    "open_terminal": _ALWAYS | {"sandbox_dies"},
    "read_file": _ALWAYS | {"sandbox_dies"},
    "list_files": _ALWAYS | {"sandbox_dies"},
    "write_file": _ALWAYS | {"sandbox_dies", "disk_full"},
    "ports": _ALWAYS | {"sandbox_dies"},
    "connect": _ALWAYS | {"sandbox_dies"},
    "copy_disk": _ALWAYS | {"disk_full"},
    "fill_disk": _ALWAYS | {"disk_full"},
}
"""What can happen to which operation."""

_GONE = "The sandbox has ended."


@dataclass(frozen=True)
class Attempt:
    """What is about to be done; what does not apply to the operation is None.

    `session_id` and `workspace_id` are of the sandbox, `image` is what a start asks for (None too: the engine's
    default), `disk_id` the disk that is to be made.
    """

    operation: Operation
    session_id: str | None = None
    workspace_id: str | None = None
    image: str | None = None
    command: str | None = None
    path: str | None = None
    port: int | None = None
    disk_id: str | None = None


@dataclass(frozen=True)
class Failure:
    """What happens to an attempt, after `delay` seconds of real time; `slow` is the delay alone.

    `sandbox_dies` ends the sandbox for good. A command, or a terminal's, starts first and runs for `after` seconds, or
    to its end where that comes sooner. `message` takes the place of the sentence that says what went wrong.
    """

    kind: Kind
    delay: float = 0
    after: float = 0
    message: str | None = None


Plan = Callable[[Attempt], Failure | None]


class FailingEngine(Layer):
    """An engine that does what its inner one does, except where the plan wants a failure.

    The plan is asked once for each attempt, right before it. Without one nothing is asked and nothing is lost.
    """

    def __init__(self, inner: Engine) -> None:
        super().__init__(inner)
        self.plan: Plan | None = None
        self._specs: dict[str, SandboxSpec] = {}

    async def start(self, spec: SandboxSpec) -> str:
        await self._try(Attempt("start", spec.session_id, spec.workspace_id, spec.image, disk_id=spec.disk_id))
        ref = await super().start(spec)
        self._specs[ref] = spec
        return ref

    async def stop(self, ref: str) -> None:
        await self._ask("stop", ref)
        await self._kill(ref)

    async def _kill(self, ref: str) -> None:
        await super().stop(ref)
        self._specs.pop(ref, None)

    async def exec(self, ref: str, command: CommandSpec) -> Process:
        if self.plan is not None:
            attempt = await self._in_sandbox("exec", ref, command=command.command)
            failure = await self._planned(attempt)
            if failure is not None and failure.kind == "sandbox_dies":
                return _Doomed(await super().exec(ref, command), lambda: self._kill(ref), failure)
            await self._fail(attempt, failure, ref)
        return await super().exec(ref, command)

    async def open_terminal(self, ref: str, spec: TerminalSpec) -> Terminal:
        if self.plan is not None:
            attempt = await self._in_sandbox("open_terminal", ref, command=spec.command)
            failure = await self._planned(attempt)
            if failure is not None and failure.kind == "sandbox_dies":
                return _DoomedTerminal(await super().open_terminal(ref, spec), lambda: self._kill(ref), failure)
            await self._fail(attempt, failure, ref)
        return await super().open_terminal(ref, spec)

    async def read_file(self, ref: str, path: str) -> FileDownload:
        await self._ask("read_file", ref, path=path)
        return await super().read_file(ref, path)

    async def list_files(self, ref: str, path: str, *, recursive: bool, limit: int) -> FileListing:
        await self._ask("list_files", ref, path=path)
        return await super().list_files(ref, path, recursive=recursive, limit=limit)

    async def write_file(self, ref: str, path: str, content: AsyncIterator[bytes], *, keep_mode: bool = False) -> int:
        await self._ask("write_file", ref, path=path)
        return await super().write_file(ref, path, content, keep_mode=keep_mode)

    async def ports(self, ref: str) -> list[int]:
        await self._ask("ports", ref)
        return await super().ports(ref)

    async def connect(self, ref: str, port: int) -> socket.socket:
        await self._ask("connect", ref, port=port)
        return await super().connect(ref, port)

    async def copy_disk(self, source_id: str, target_id: str) -> None:
        await self._try(Attempt("copy_disk", disk_id=target_id))
        await super().copy_disk(source_id, target_id)

    async def fill_disk(self, disk_id: str, folder: Path) -> None:
        await self._try(Attempt("fill_disk", disk_id=disk_id))
        await super().fill_disk(disk_id, folder)

    async def _ask(self, operation: Operation, ref: str, *, path: str | None = None, port: int | None = None) -> None:
        if self.plan is not None:
            await self._try(await self._in_sandbox(operation, ref, path=path, port=port), ref)

    async def _in_sandbox(
        self,
        operation: Operation,
        ref: str,
        *,
        command: str | None = None,
        path: str | None = None,
        port: int | None = None,
    ) -> Attempt:
        spec = self._specs.get(ref)
        if spec is None:
            # One that was adopted from an earlier run; whose it is the engine knows.
            spec = SandboxSpec((await self.inner.refs()).get(ref, ""))
            if spec.session_id:
                self._specs[ref] = spec
        return Attempt(operation, spec.session_id or None, spec.workspace_id, command=command, path=path, port=port)

    async def _try(self, attempt: Attempt, ref: str | None = None) -> None:
        await self._fail(attempt, await self._planned(attempt), ref)

    async def _planned(self, attempt: Attempt) -> Failure | None:
        """What is planned for the attempt, its delay over. ValueError for what cannot happen to it."""
        failure = self.plan(attempt) if self.plan is not None else None
        if failure is None:
            return None
        if failure.kind not in POSSIBLE[attempt.operation]:
            raise ValueError(f"{failure.kind} cannot happen to {attempt.operation}")
        if failure.delay > 0:
            await asyncio.sleep(failure.delay)
        return failure

    async def _fail(self, attempt: Attempt, failure: Failure | None, ref: str | None = None) -> None:
        if failure is None or failure.kind == "slow":
            return
        if failure.kind == "sandbox_dies" and ref is not None:
            await self._kill(ref)
        raise _error(attempt, failure)


def _error(attempt: Attempt, failure: Failure) -> SandboxError:
    said = failure.message
    match failure.kind:
        case "image_missing":
            image = f" {attempt.image!r}" if attempt.image else ""
            return SandboxUnavailable(said or f"The image{image} cannot be had.")
        case "cannot_start":
            return SandboxUnavailable(said or "The sandbox could not be started.")
        case "sandbox_dies":
            return SandboxGone(said or _GONE)
        case "disk_full":
            return DiskFull(said or "No space is left on the disk.")
        case _:
            return SandboxUnavailable(said or "The engine does not answer.")


Doomed = TypeVar("Doomed", bound=Process)


class _Doomed(Generic[Doomed]):
    """A command whose sandbox is to die: what it says until then can be read, and how it ended cannot be known."""

    def __init__(self, inner: Doomed, die: Callable[[], Awaitable[None]], failure: Failure) -> None:
        self._inner = inner
        self._die = die
        self._said = failure.message or _GONE
        self._end = asyncio.create_task(self._doom(failure.after))

    async def _doom(self, seconds: float) -> None:
        ended = asyncio.ensure_future(self._inner.wait())
        try:
            await asyncio.wait([ended], timeout=seconds)
            await self._die()
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)

    @property
    def pid(self) -> int:
        return self._inner.pid

    async def output(self) -> AsyncIterator[bytes]:
        with contextlib.suppress(SandboxGone):
            async for chunk in self._inner.output():
                yield chunk
        await asyncio.shield(self._end)

    async def write(self, data: bytes) -> None:
        await self._inner.write(data)

    async def close_stdin(self) -> None:
        await self._inner.close_stdin()

    async def signal(self, number: int) -> None:
        await self._inner.signal(number)

    async def wait(self) -> int:
        await asyncio.shield(self._end)
        raise SandboxGone(self._said)


class _DoomedTerminal(_Doomed[Terminal]):
    """The same on a terminal."""

    async def resize(self, rows: int, cols: int) -> None:
        await self._inner.resize(rows, cols)

    async def close(self) -> None:
        await self._inner.close()
