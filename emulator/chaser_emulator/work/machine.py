"""The sandbox of a workflow job: with the repository checked out, a place for scripts, and gone at the end."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chaser_emulator.acting import Acting
from chaser_emulator.commands import run
from chaser_emulator.sandbox import WORKSPACE_ROOT, CommandSpec, PathNotFound, SandboxError
from chaser_emulator.store import Row, sessions
from chaser_emulator.targets import Target, open_session
from chaser_emulator.work.workflow_yaml import WorkflowError

FILE_LIMIT = 2**20
"""Bytes that a workflow file, or what a step says by a file, may have."""

_SECONDS = 60.0
"""How long the small commands of ours may take."""

# Below a folder for temporary files of the sandbox's own, wherever that is: it goes away with the sandbox.
_LOOK = """set -e
place=$(mktemp -d)
mkdir "$place/temp" "$place/tools" "$place/scripts"
printf '%s\\n' "$place" "$PATH" "$(command -v bash || :)" "$(uname -s)" "$(uname -m)" "$(pwd)"
"""

# As GitHub calls them.
_SYSTEMS = {"Darwin": "macOS"}
_ARCHITECTURES = {"x86_64": "X64", "amd64": "X64", "aarch64": "ARM64", "arm64": "ARM64", "armv7l": "ARM", "i686": "X86"}


@dataclass(frozen=True)
class Machine:
    """A sandbox that is ready: its session's row, and where things are in it, as its commands see them."""

    who: Acting
    session: Row
    place: str
    path: str
    bash: str | None
    os: str
    arch: str
    workspace: str

    async def read(self, path: str) -> bytes:
        """A file that must not be large. Raises WorkflowError, and PathNotFound where there is none."""
        with self.who.world.lifecycle.use(self.session["id"]):
            download = await self.who.engine.read_file(self.session["ref"], path)
            try:
                if download.size > FILE_LIMIT:
                    raise WorkflowError(f"{path} has {download.size} bytes; at most {FILE_LIMIT} are accepted")
                return b"".join([chunk async for chunk in download.chunks])
            finally:
                if (close := getattr(download.chunks, "aclose", None)) is not None:
                    await close()

    async def put(self, path: str, text: str, *empty: str) -> None:
        """Write a script, and empty files beside it. Raises WorkflowError."""
        # By a command: where there is no isolation, files from outside go to the workspace and the host's /tmp alone.
        words = " ".join(f"&& : >{shlex.quote(one)}" for one in empty)
        await _ran(self.who, self.session, f"cat >{shlex.quote(path)} {words}", text, cwd="/")

    async def commit(self, ref: str | None) -> tuple[str, str]:
        """What is checked out, as (commit, full name of the branch or tag); empty is what is not known."""
        head = (await self._line(".git/HEAD")).strip()
        if head.startswith("ref: "):
            name = head.removeprefix("ref: ")
            return (await self._line(f".git/{name}")) or await self._packed(name) or "", name
        return head, f"refs/tags/{ref}" if ref and await self._is_tag(ref) else ""

    async def _is_tag(self, ref: str) -> bool:
        return bool(await self._line(f".git/refs/tags/{ref}") or await self._packed(f"refs/tags/{ref}"))

    async def _packed(self, name: str) -> str | None:
        found = re.search(rf"^([0-9a-f]+) {re.escape(name)}$", await self._line(".git/packed-refs"), re.MULTILINE)
        return found[1] if found else None

    async def _line(self, path: str) -> str:
        try:
            return (await self.read(f"{WORKSPACE_ROOT}/{path}")).decode(errors="replace").strip()
        except (SandboxError, WorkflowError):
            return ""


@asynccontextmanager
async def opened(who: Acting, repository: str) -> AsyncIterator[Target]:
    """A session of its own with the repository, which may still be starting; it has ended when the block has.

    As POST /v1/exec does, by the rights of who may run commands. Raises ApiError.
    """
    opening = asyncio.create_task(open_session(who, {"ephemeral": True, "github_repo": repository}))
    try:
        # Whoever is cancelled meanwhile must not lose the session that they have to end.
        yield await asyncio.shield(opening)
    finally:
        await asyncio.shield(_end(who, opening))


async def _end(who: Acting, opening: asyncio.Task[Target]) -> None:
    await asyncio.wait({opening})
    if opening.exception() is None:
        row = await sessions.get(who.store, opening.result().session["id"])
        if row is not None:
            await who.world.lifecycle.terminate(row, force=True, actor=who.actor)


async def prepared(who: Acting, session: Row) -> Machine:
    """Get a running sandbox ready for scripts. Raises WorkflowError and SandboxError."""
    if who.engine.name == "scripted":
        raise WorkflowError("workflow jobs need sandboxes where commands really run: --sandbox local or docker")
    place, path, bash, system, arch, workspace = (await _ran(who, session, _LOOK)).splitlines()[-6:]
    known = _ARCHITECTURES.get(arch, arch.upper())
    return Machine(who, session, place, path, bash or None, _SYSTEMS.get(system, system), known, workspace)


async def _ran(who: Acting, session: Row, command: str, stdin: str | None = None, *, cwd: str = WORKSPACE_ROOT) -> str:
    """Run a small command of ours, which is no command of the account's."""
    spec = CommandSpec(command, cwd=cwd, stdin=stdin is not None, ours=True)
    with who.world.lifecycle.use(session["id"]):
        outcome = await run(who.engine, session["ref"], spec, stdin=stdin, timeout=_SECONDS)
    if outcome.exit_code != 0:
        raise WorkflowError(
            f"the sandbox could not be made ready: {outcome.output.strip()[-500:] or 'no reason given'}"
        )
    return outcome.output


async def workflow_file(machine: Machine, path: str, repository: str) -> bytes:
    """A file of the checkout. Raises WorkflowError and SandboxError."""
    try:
        return await machine.read(f"{WORKSPACE_ROOT}/{path}")
    except PathNotFound:
        raise WorkflowError(f"repository {repository!r} has no file {path}") from None
