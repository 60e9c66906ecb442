"""The local engine: sandboxes as children of the emulator, in namespaces of their own where bubblewrap is to be had."""

from __future__ import annotations

import asyncio
import hashlib
import os
import posixpath
import re
import secrets
import shutil
import socket
import stat
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal
from weakref import WeakSet

from chaser_emulator.sandbox import (
    WORKSPACE_ROOT,
    BadPath,
    CommandSpec,
    DiskEntry,
    EngineInfo,
    EngineName,
    FileDownload,
    FileListing,
    PathNotFound,
    SandboxError,
    SandboxGone,
    SandboxSpec,
    SandboxUnavailable,
    TerminalSpec,
    UnknownDirectory,
    UnknownUser,
    archives,
    beneath,
    bubblewrap,
    copies,
    environment,
    files,
    listing,
    looking,
    plain,
)
from chaser_emulator.sandbox.children import dialogue_argv, inheritable_fds, shell_argv
from chaser_emulator.sandbox.ports import Ports, of_folder, of_namespace
from chaser_emulator.sandbox.process import LocalProcess
from chaser_emulator.sandbox.terminal import LocalTerminal, groups_of

Isolation = Literal["auto", "bubblewrap", "none"]

_DISK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

_ALWAYS = ("An image that a session asks for is not used: commands see the programs of this machine.",)
_NO_PORTS = ("Ports are not told apart: a preview of one reaches whatever listens on it on this machine's loopback.",)
_AS_ROOT = ("The emulator runs as root: a command can read what root can in the host's system folders.",)


@dataclass
class _Sandbox:
    spec: SandboxSpec
    folder: Path
    workspace: Path
    view: beneath.View
    resident: bubblewrap.Resident | None
    ports: Ports
    commands: list[LocalProcess] = field(default_factory=list)
    """Commands that run, for plain processes; where those cannot be found by their environment, all so far."""
    terminals: WeakSet[LocalTerminal] = field(default_factory=WeakSet)
    """Those that somebody holds; one that is dropped hangs up by itself."""
    stopping: asyncio.Lock = field(default_factory=asyncio.Lock)

    def running(self) -> list[LocalProcess]:
        """The commands whose groups may have to be killed; on macOS a group is all that is known of its children."""
        return [one for one in self.commands if one.runs or sys.platform != "linux"]

    @property
    def runs(self) -> bool:
        return self.resident is None or not self.resident.ended.done()


class LocalEngine:
    """Sandboxes on this machine.

    Below `data_dir`: `workspaces/<id>` stays; `run/<instance>/<ref>` holds what a sandbox loses at its end. Sandboxes
    die with the emulator, so a new one of the same instance first clears that away.
    """

    name: EngineName = "local"
    outlives = False

    def __init__(self, *, data_dir: Path, instance: str, isolation: Isolation = "auto") -> None:
        self._disks = data_dir.resolve() / "workspaces"
        self._run = data_dir.resolve() / "run" / _folder_name(instance)
        self._hidden = (data_dir.resolve(), Path.home())
        self._isolation = isolation
        self._isolated = False
        self._sandboxes: dict[str, _Sandbox] = {}
        self._shell = shutil.which("bash") or "/bin/sh"
        self._shut: tuple[int, ...] = ()
        self._login: Mapping[str, str] | None = None
        self._login_lock = asyncio.Lock()

    async def open(self) -> EngineInfo:
        self._shut = inheritable_fds()
        await files.in_thread(self._clear)
        version, reason = None, "it was not asked for"
        if self._isolation != "none":
            version, reason = await files.in_thread(bubblewrap.version), "bubblewrap is not installed"
            if sys.platform != "linux":
                version, reason = None, "only Linux has it"
        if version is not None:
            try:
                await self._probe()
                self._isolated = True
            except SandboxError as error:
                reason = f"bubblewrap does not work here ({error})"
        if self._isolated:
            return EngineInfo(
                name="local",
                version=f"bubblewrap {version}",
                isolation="Namespaces of its own for mounts, processes and users; the host's system is read-only, its "
                "homes and other workspaces are not visible; the network is the host's.",
                warnings=(*_ALWAYS, *_AS_ROOT) if os.geteuid() == 0 else _ALWAYS,
            )
        if self._isolation == "bubblewrap":
            raise SandboxUnavailable(f"The local engine has no isolation: {reason}.")
        return EngineInfo(
            name="local",
            version="plain processes",
            isolation=f"None: {reason}. Commands are processes of your own user, in the workspace's folder.",
            isolated=False,
            warnings=(
                *_ALWAYS,
                "Commands can read and change everything that your user can: files, processes, the network.",
                f"{WORKSPACE_ROOT} is a folder of the host: it stands for itself in `cwd` and in file paths, but not "
                "inside a command, which starts in it and should use relative paths.",
                "/tmp is the host's.",  # noqa: S108 - a sentence
                *(_NO_PORTS if sys.platform != "linux" else ()),
            ),
        )

    async def close(self) -> None:
        for ref in list(self._sandboxes):
            await self.stop(ref)
        await files.in_thread(files.remove_tree, self._run)

    async def start(self, spec: SandboxSpec) -> str:
        ref = f"local-{secrets.token_hex(8)}"
        sandbox = await self._boot(ref, spec, isolated=self._isolated)
        self._sandboxes[ref] = sandbox
        try:
            await self._login_environment(sandbox)
        except BaseException:
            await asyncio.shield(self.stop(ref))
            raise
        return ref

    async def stop(self, ref: str) -> None:
        sandbox = self._sandboxes.get(ref)
        if sandbox is None:
            return
        async with sandbox.stopping:
            if sandbox.resident is None:
                groups = [one.pid for one in sandbox.running()] + groups_of(sandbox.terminals)
                await files.in_thread(plain.kill_all, sandbox.folder, groups)
            else:
                await bubblewrap.halt(sandbox.resident)
            for terminal in list(sandbox.terminals):
                terminal.let_go()
            self._sandboxes.pop(ref, None)
            await files.in_thread(files.remove_tree, sandbox.folder)

    async def alive(self, ref: str) -> bool:
        sandbox = self._sandboxes.get(ref)
        return sandbox is not None and sandbox.runs

    async def refs(self) -> dict[str, str]:
        return {ref: sandbox.spec.session_id for ref, sandbox in self._sandboxes.items() if sandbox.runs}

    async def exec(self, ref: str, command: CommandSpec) -> LocalProcess:
        sandbox = self._get(ref)
        self._check_user(sandbox, command.user)
        login = await self._login_environment(sandbox)
        env = {**login, **self._markers(sandbox), **sandbox.spec.env, **command.env}
        argv = shell_argv(self._shell, command.command)
        return await self._spawn(sandbox, argv, env, cwd=command.cwd, stdin=command.stdin)

    async def open_terminal(self, ref: str, spec: TerminalSpec) -> LocalTerminal:
        sandbox = self._get(ref)
        self._check_user(sandbox, spec.user)
        login = await self._login_environment(sandbox)
        own = {**self._markers(sandbox), **environment.of_terminal(spec.mode)}
        env = {**login, **own, **sandbox.spec.env, **spec.env}
        argv = dialogue_argv(self._shell, spec.mode) if spec.command is None else shell_argv(self._shell, spec.command)
        inside = _directory(spec.cwd)
        if sandbox.resident is not None:
            opened = bubblewrap.enter_terminal(sandbox.resident, argv, env, spec, cwd=inside, shut=self._shut)
        else:
            opened = plain.run_terminal(argv, env, spec, cwd=_on_host(sandbox, inside), shut=self._shut)
        terminal = await opened
        sandbox.terminals.add(terminal)
        return terminal

    async def read_file(self, ref: str, path: str) -> FileDownload:
        view = self._get(ref).view
        try:
            return await files.read(view, path)
        except PathNotFound:
            # While a sandbox ends, all that it saw is gone before its end is known.
            if not await files.in_thread(os.path.exists, view.rest):
                raise SandboxGone("The sandbox has ended.") from None
            raise

    async def list_files(self, ref: str, path: str, *, recursive: bool, limit: int) -> FileListing:
        view = self._get(ref).view
        return await files.in_thread(listing.read, view, path, recursive=recursive, limit=limit)

    async def write_file(self, ref: str, path: str, content: AsyncIterator[bytes], *, keep_mode: bool = False) -> int:
        return await files.write(self._get(ref).view, path, content, keep_mode=keep_mode)

    async def ports(self, ref: str) -> list[int]:
        return await self._get(ref).ports.all()

    async def connect(self, ref: str, port: int) -> socket.socket:
        return await self._get(ref).ports.connect(port)

    async def delete_disk(self, disk_id: str) -> None:
        folder = self._disk(disk_id)
        doomed = self._run / f"deleted-{secrets.token_hex(8)}"
        try:
            # Gone for everyone in one step; what a crash leaves of it goes at the next start.
            try:
                os.replace(folder, doomed)
            except PermissionError:  # a folder that its owner may not write to cannot be moved by them either
                folder.chmod(0o700)
                os.replace(folder, doomed)
        except FileNotFoundError:
            return
        await files.in_thread(files.remove_tree, doomed)

    async def copy_disk(self, source_id: str, target_id: str) -> None:
        await self._copy(source_id, self._disk(target_id))

    async def _copy(self, source_id: str, target: Path) -> None:
        in_use = any(sandbox.spec.disk_id == source_id for sandbox in self._sandboxes.values())
        await copies.copy_tree(self._where(), self._disk(source_id), target, isolated=self._isolated, in_use=in_use)

    async def fill_disk(self, disk_id: str, folder: Path) -> None:
        await copies.fill_tree(self._where(), folder, self._disk(disk_id))

    async def export_disk(self, disk_id: str, to: BinaryIO) -> None:
        # Of a copy, which nobody changes while it is read.
        copy = self._run / f"exported-{secrets.token_hex(8)}"
        try:
            await self._copy(disk_id, copy)
            await files.in_thread(archives.write, copy, to)
        finally:
            await files.in_thread(files.remove_tree, copy)

    async def import_disk(self, disk_id: str, archive: BinaryIO, *, owners: bool) -> None:
        # In a namespace of its own a user is the only one that there is.
        kept = owners and not self._isolated and os.geteuid() == 0
        await copies.unpack_tree(self._where(), archive, self._disk(disk_id), owners=kept)

    async def disks(self) -> set[str]:
        names = await files.in_thread(os.listdir, self._disks)
        return {name for name in names if _DISK_ID.fullmatch(name)}

    async def disk_entries(
        self, disk_id: str, folder: str = "", *, recursive: bool = True, digests: bool = False
    ) -> Sequence[DiskEntry]:
        disk = self._disk(disk_id)
        return await files.in_thread(looking.of_folder, disk, folder, recursive=recursive, digests=digests)

    async def read_disk_file(self, disk_id: str, path: str) -> FileDownload:
        return await files.in_thread(looking.open_file, self._disk(disk_id), path)

    async def disk_bytes(self, disk_id: str) -> int | None:
        folder = self._disk(disk_id)
        return await files.in_thread(files.used_bytes, folder)

    # What it is made of.

    def _get(self, ref: str) -> _Sandbox:
        sandbox = self._sandboxes.get(ref)
        if sandbox is None or not sandbox.runs:
            raise SandboxGone("The sandbox has ended.")
        return sandbox

    def _disk(self, disk_id: str) -> Path:
        if not _DISK_ID.fullmatch(disk_id):
            raise BadPath("This is no id of a disk.")
        return self._disks / disk_id

    def _where(self) -> copies.Where:
        return copies.Where(disks=self._disks, run=self._run, hidden=self._hidden, shut=self._shut)

    def _clear(self) -> None:
        bubblewrap_left = sys.platform == "linux" and bubblewrap.kill_strays(self._run)
        plain.kill_all(self._run)
        if bubblewrap_left or self._run.exists():
            files.remove_tree(self._run)
        self._where().clear()
        for folder in (self._disks, self._run, self._run / "staging"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def _probe(self) -> None:
        """Go the whole way once: a kernel may allow the sandbox and not the entering."""
        sandbox = await self._boot("probe", SandboxSpec(session_id="probe"), isolated=True)
        try:
            process = await self._spawn(sandbox, ["/bin/sh", "-c", "exit 7"], {}, cwd=WORKSPACE_ROOT)
            if await process.wait() != 7:
                raise SandboxUnavailable("commands cannot be run in it")
        finally:
            if sandbox.resident is not None:
                await bubblewrap.halt(sandbox.resident)
            await files.in_thread(files.remove_tree, sandbox.folder)

    async def _boot(self, ref: str, spec: SandboxSpec, *, isolated: bool) -> _Sandbox:
        folder = self._run / ref
        workspace = folder / "workspace" if spec.disk_id is None else self._disk(spec.disk_id)
        tmp, home = folder / "tmp", folder / "home"
        try:
            for path in (folder, workspace, tmp, home):
                path.mkdir(parents=True, exist_ok=True)
            tmp.chmod(0o1777)
            mode = stat.S_IMODE(workspace.stat().st_mode)
            if mode & stat.S_IRWXU != stat.S_IRWXU:  # shut by a command; no other could ever begin there again
                workspace.chmod(mode | stat.S_IRWXU)
            resident = None
            if isolated:
                args = bubblewrap.arguments(
                    workspace=workspace,
                    tmp=tmp,
                    home=home,
                    hidden=self._hidden,
                    hostname=ref[:64],
                    browser=spec.browser,
                )
                resident = await bubblewrap.boot(args, str(folder), self._shut)
        except BaseException as error:
            await files.in_thread(files.remove_tree, folder)
            if isinstance(error, OSError):
                raise SandboxUnavailable(f"The sandbox's folder cannot be made: {error.strerror}.") from None
            raise
        staging = self._run / "staging"
        places = [beneath.Place(WORKSPACE_ROOT, workspace, staging)]
        if spec.browser:
            places.append(beneath.Place(bubblewrap.BROWSER_ROOT, workspace, staging))
        if resident is None:
            places.append(beneath.Place("/tmp", Path("/tmp"), Path("/tmp")))  # noqa: S108 - what commands see there
            ports = Ports(lambda: of_folder(folder))
            return _Sandbox(spec, folder, workspace, beneath.View(places, Path("/")), None, ports)
        places += [beneath.Place("/tmp", tmp, staging), beneath.Place("/root", home, staging)]  # noqa: S108
        inside = resident.inside
        view = beneath.View(places, Path(f"/proc/{inside}/root"))
        return _Sandbox(spec, folder, workspace, view, resident, Ports(lambda: of_namespace(inside)))

    async def _spawn(
        self, sandbox: _Sandbox, argv: Sequence[str], env: Mapping[str, str], *, cwd: str, stdin: bool = False
    ) -> LocalProcess:
        inside = _directory(cwd)
        if sandbox.resident is not None:
            return await bubblewrap.enter(sandbox.resident, argv, env, cwd=inside, stdin=stdin, shut=self._shut)
        process = await plain.run(argv, env, cwd=_on_host(sandbox, inside), stdin=stdin, shut=self._shut)
        sandbox.commands = [*sandbox.running(), process]
        return process

    def _check_user(self, sandbox: _Sandbox, user: str | None) -> None:
        own = ("root", "0") if sandbox.resident is not None else (environment.user_name(), str(os.getuid()))
        if user is not None and user not in own:
            raise UnknownUser("The local engine runs commands as the sandbox's own user only.")

    def _markers(self, sandbox: _Sandbox) -> dict[str, str]:
        isolated = sandbox.resident is not None
        return environment.of_sandbox(sandbox.spec, sandbox.folder, shell=self._shell, isolated=isolated)

    async def _login_environment(self, sandbox: _Sandbox) -> Mapping[str, str]:
        """The environment of a login shell, taken once: those of a host can be slow, or wait for something (X9)."""
        async with self._login_lock:
            if self._login is None:

                async def run(argv: Sequence[str], env: Mapping[str, str]) -> LocalProcess:
                    return await self._spawn(sandbox, argv, env, cwd=WORKSPACE_ROOT)

                self._login = await environment.of_login(run, self._shell, self._markers(sandbox))
            return self._login


def _directory(cwd: str) -> str:
    """A working directory as an absolute path of the sandbox."""
    if "\0" in cwd or not cwd:
        raise UnknownDirectory("A working directory is a path.")
    return posixpath.join(WORKSPACE_ROOT, cwd)


def _on_host(sandbox: _Sandbox, inside: str) -> str:
    """Where a directory of a sandbox without isolation is: only the workspace has another name."""
    below = re.fullmatch(rf"{WORKSPACE_ROOT}(?:/+(.*))?", inside, re.DOTALL)
    return str(sandbox.workspace / (below[1] or "")) if below else inside


def _folder_name(instance: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", instance):
        return instance
    return hashlib.sha256(instance.encode()).hexdigest()[:16]
