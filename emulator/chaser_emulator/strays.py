"""What emulators that no longer run have left on this machine and in its container engine, as far as can be known."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaser_emulator import erase, leftovers, whereabouts
from chaser_emulator.sandbox import SandboxError, files

_RUN = re.compile(rb"(?:TMPDIR=)?(/.+)/run/[^/]+/local-[0-9a-f]+(?:/.*)?")
"""The folder of a local sandbox: an argument of bwrap and nsenter, and the TMPDIR of commands without isolation."""

_DOCTORS = "chaser-doctor-"


@dataclass(frozen=True)
class Stray:
    """Something that was left: what, and the command that removes it."""

    what: str
    remove: str


async def find(data_dir: Path | None) -> list[Stray]:
    """Every stray; `data_dir` is the folder of the emulator that is asked for."""
    folders = [data_dir or whereabouts.default_data_dir()]
    found = [*_processes(), *_temporary(), *_run_folders(folders)]
    with suppress(SandboxError):  # without an engine there are no containers to name
        found += await _in_docker(folders)
    return found


def _processes() -> Iterator[Stray]:
    by_folder: dict[Path, list[tuple[int, float]]] = {}
    for pid in _pids():
        if (folder := _sandbox_of(pid)) is not None and not whereabouts.is_held(folder):
            by_folder.setdefault(folder, []).append((pid, _started(pid)))
    for folder, listed in by_folder.items():
        count = f"{len(listed)} process{'es' if len(listed) > 1 else ''}"
        age = _age(min(at for _, at in listed))
        pids = " ".join(str(pid) for pid, _ in sorted(listed))
        yield Stray(f"{count} of sandboxes of a killed emulator on {folder}, for {age}", f"kill -9 {pids}")


def _pids() -> list[int]:
    if sys.platform != "linux":
        return []
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _sandbox_of(pid: int) -> Path | None:
    """The data directory to whose sandboxes a process belongs."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if os.path.basename(words[0]) not in (b"bwrap", b"nsenter"):
            environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            words = [entry for entry in environ if entry.startswith(b"TMPDIR=")]
    except OSError:
        return None  # it has just ended, or is another user's
    match = next((match for word in words if (match := _RUN.fullmatch(word))), None)
    folder = Path(os.fsdecode(match[1])) if match else None
    return None if folder is None or folder.name.startswith(_DOCTORS) else folder


def _started(pid: int) -> float:
    try:
        return Path(f"/proc/{pid}").stat().st_mtime
    except OSError:
        return time.time()


def _temporary() -> Iterator[Stray]:
    """Folders of ephemeral emulators that were killed, and of doctors."""
    for folder in leftovers.folders():
        yield Stray(
            f"the data of an ephemeral emulator that was killed: {folder}, {_size_and_age(folder)}", _clean(folder)
        )
    for folder in Path(tempfile.gettempdir()).glob(f"{_DOCTORS}*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > leftovers.NEW:
            yield Stray(f"a temporary folder: {folder}, {_size_and_age(folder)}", f"rm -rf {shlex.quote(str(folder))}")


def _run_folders(folders: Iterable[Path]) -> Iterator[Stray]:
    for folder in folders:
        run = folder / "run"
        if run.is_dir() and any(run.iterdir()) and not whereabouts.is_held(folder):
            what = f"sandboxes' folders of a killed emulator (the next one on {folder} removes them): {run}"
            yield Stray(f"{what}, {_size_and_age(run)}", f"rm -rf {shlex.quote(str(run))}")


async def _in_docker(folders: Iterable[Path]) -> list[Stray]:
    from chaser_emulator.sandbox import docker_labelled

    # Folders first: an emulator that starts meanwhile is not taken for one that nobody knows.
    async with docker_labelled.connected() as line:
        found = await docker_labelled.find(line)
    known = {instance: folder for folder in _data_dirs(folders) if (instance := _instance(folder))}
    strays = []
    for instance, left in sorted(found.items()):
        folder = known.get(instance)
        if folder is not None and whereabouts.is_held(folder):
            continue  # what it does not need it removes by itself
        containers, volumes = set(left.containers), set(left.volumes)
        if folder is None:
            whose, remedy = f"instance {instance}, whose emulator is not known here", None
        elif folder.name.startswith(leftovers.PREFIX):
            whose, remedy = f"the killed ephemeral emulator on {folder}", _clean(folder)
        else:
            # Sessions on workspaces go on, and workspaces stay, until the next start.
            containers -= _named(folder, "SELECT ref FROM sessions WHERE ended_at IS NULL AND NOT ephemeral")
            disks = _named(folder, "SELECT disk_id FROM workspaces UNION SELECT disk_id FROM snapshots")
            volumes = {name for name in volumes if left.volumes[name] not in disks}
            whose, remedy = f"the stopped emulator on {folder}, which its next start removes", None
        if containers or volumes:
            counts = ", ".join(
                f"{len(names)} {word}{'s' if len(names) > 1 else ''}"
                for names, word in ((containers, "container"), (volumes, "volume"))
                if names
            )
            age = _age((left.since or datetime.now(UTC)).timestamp())
            strays.append(Stray(f"{counts} of {whose}, for {age}", remedy or _docker_rm(containers, volumes)))
    return strays


def _docker_rm(containers: set[str], volumes: set[str]) -> str:
    parts = [f"docker rm -fv {' '.join(sorted(containers))}"] if containers else []
    parts += [f"docker volume rm -f {' '.join(sorted(volumes))}"] if volumes else []
    return " && ".join(parts)


def _clean(folder: Path) -> str:
    return f"chaser-emulator stop --clean --data-dir {shlex.quote(str(folder))}"


def _data_dirs(folders: Iterable[Path]) -> set[Path]:
    """Folders of emulators: those that were named, the usual one, temporary ones, and of those that run."""
    found = {*folders, whereabouts.default_data_dir(), *leftovers.folders(held=True)}
    for pid in _pids():
        try:
            for entry in os.scandir(f"/proc/{pid}/fd"):
                target = Path(os.readlink(entry.path))
                if target.name == erase.DATABASE:
                    found.add(target.parent)
        except OSError:
            continue  # it has just ended, or is another user's
    return {folder for folder in found if (folder / erase.DATABASE).exists()}


def _named(folder: Path, query: str) -> set[str]:
    """The texts that a query finds in the database of a folder; none where it is no database."""
    try:
        with closing(sqlite3.connect(f"{(folder.resolve() / erase.DATABASE).as_uri()}?mode=ro", uri=True)) as store:
            return {str(row[0]) for row in store.execute(query)}
    except (sqlite3.Error, ValueError):
        return set()


def _instance(folder: Path) -> str | None:
    return next(iter(_named(folder, "SELECT value FROM facts WHERE name = 'instance'")), None)


def _size_and_age(folder: Path) -> str:
    size = files.used_bytes(folder)
    return f"{size / 2**20:.1f} MiB, for {_age(folder.stat().st_mtime)}"


def _age(since: float) -> str:
    seconds = max(0, time.time() - since)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
