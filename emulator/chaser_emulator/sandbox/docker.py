"""The docker engine: a container a session, a volume a workspace, where `DOCKER_HOST` or the context says.

Nothing is shared with this machine's file system, as the engine may run elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from docker.errors import APIError, DockerException, NotFound
from docker.types import LogConfig, Mount
from requests.exceptions import RequestException

from . import (
    WORKSPACE_ROOT,
    CommandSpec,
    DiskEntry,
    EngineInfo,
    EngineName,
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
from .docker_container import Container
from .docker_disks import Volumes
from .docker_image import Image, have_image
from .docker_labelled import DISK, ENV, INSTANCE, SESSION, remove_container
from .docker_line import SLOW, Line, info
from .docker_pool import Pool
from .docker_reach import direct, own_address, places, reachable

T = TypeVar("T")

_ISOLATION: Final = "Each session is a container: its own files, processes and network, on the engine's kernel."
_NOBODY: Final = ""
"""The session of a container that waits for one."""
_OF: Final = "-of-"
"""What stands between the name and the session of a container that was made before its session."""
_BROWSER_MEMORY: Final = 512 * 1024**2
"""Shared memory for Chromium, which crashes with the engine's usual 64 MiB."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""A session id that can be part of a container's name."""

# Stays until it is told to stop, and outlives a `pkill sleep` or `pkill -f sleep` of the session's.
_IDLE: Final = "trap 'kill $!; exit 0' TERM INT; while :; do sl''eep 2147483647 & wait $!; done"


class DockerEngine:
    """`Engine` by containers. `memory` is in bytes; `cpus` is cut to what the engine has.

    An engine that says nothing for `patience` seconds is unavailable; a pull may take `pull_patience` in all.
    `warm` containers wait for ephemeral sessions of the default image, which then start at once.
    `relayed` ports are reached from inside of a container only, never by its address.
    """

    name: EngineName = "docker"
    outlives = True

    def __init__(
        self,
        *,
        instance: str,
        default_image: str,
        memory: int = 2 * 1024**3,
        cpus: float = 2,
        pids: int = 1024,
        patience: float = 10,
        pull_patience: float = 600,
        warm: int = 0,
        relayed: bool = False,
    ) -> None:
        self._instance = instance
        self._default_image = default_image
        self._memory = memory
        self._cpus = cpus
        self._pids = pids
        self._patience = patience
        self._pull_patience = pull_patience
        self._relayed = relayed
        self._prefix = f"chaser-{re.sub(r'[^A-Za-z0-9_.-]', '-', instance)}-"
        self._line: Line | None = None
        self._containers: dict[str, Container] = {}
        # The engine does these one after another anyway; waiting here keeps its answers within their time.
        self._opening = asyncio.Semaphore(4)
        self._starting = asyncio.Semaphore(4)
        self._stopping = asyncio.Semaphore(4)
        self._addresses: dict[str, str | None] = {}
        self._reachable = False
        self._proven: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pool = Pool(warm, self._waiting, self._end_waiting)

    async def open(self) -> EngineInfo:
        line = self._line = await Line.open(self._patience)
        try:
            told = await line.ask(partial(info, line))
            self._reachable = not self._relayed and reachable(told, line.endpoint.url)
            self._cpus = min(self._cpus, float(told.get("NCPU") or self._cpus))
            for found in await self._list(every=True):
                # What is of no session has waited for one, or was to copy a disk.
                if found["State"] != "running" or not _session(found):
                    await line.ask(partial(self._remove, _name(found)))
        except BaseException:
            await self.close()
            raise
        self._pool.fill()
        warnings = [f"The engine warns: {text}" for text in told.get("Warnings") or () if "limit" in text]
        if line.tls:
            warnings.append(
                "Over TLS, commands get no standard input and files cannot be uploaded; SSH can forward a socket."
            )
        return EngineInfo("docker", str(told["ServerVersion"]), _ISOLATION, self._default_image, tuple(warnings))

    async def close(self) -> None:
        await self._pool.close()
        for task in list(self._tasks):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((task,), timeout=self._patience)
        for container in self._containers.values():
            await container.close()
        self._containers.clear()
        if self._line is not None:
            self._line.close()
            self._line = None

    async def start(self, spec: SandboxSpec) -> str:
        image = spec.image or self._default_image
        plain = spec.disk_id is None and not spec.browser and _NAME.fullmatch(spec.session_id)
        if plain and image == self._default_image and (waiting := await self._pool.take()) is not None:
            with contextlib.suppress(SandboxUnavailable):
                return await self._give(waiting, spec)
        return (await self._boot(self._prefix + secrets.token_hex(8), spec, image)).ref

    async def _give(self, waiting: Container, spec: SandboxSpec) -> str:
        """Make a container that has waited a session's."""
        old, ref = waiting.ref, f"{self._prefix}{secrets.token_hex(8)}{_OF}{spec.session_id}"
        renaming = asyncio.ensure_future(self._engine.ask(lambda: self._engine.api.rename(old, ref)))
        try:
            await asyncio.shield(renaming)
        except BaseException:
            self._spawn(self._take_back(waiting, ref, renaming))
            raise
        waiting.give(ref, _environment(spec))
        self._containers[ref] = waiting
        return ref

    async def _take_back(self, waiting: Container, ref: str, renaming: asyncio.Future[None]) -> None:
        await asyncio.gather(renaming, return_exceptions=True)
        await self._end_waiting(waiting)
        with contextlib.suppress(SandboxUnavailable):
            await self._engine.ask(lambda: self._remove(ref))

    async def _waiting(self) -> Container:
        """A container for the next session that comes."""
        ref = f"{self._prefix}idle-{secrets.token_hex(8)}"
        container = await self._boot(ref, SandboxSpec(_NOBODY), self._default_image)
        try:
            await container.ready()
        except BaseException:
            self._spawn(self._end_waiting(container))
            raise
        finally:
            self._containers.pop(ref, None)
        return container

    async def _end_waiting(self, container: Container) -> None:
        await container.close()
        with contextlib.suppress(SandboxUnavailable):
            await self._engine.ask(lambda: self._remove(container.ref))

    async def _boot(self, ref: str, spec: SandboxSpec, image: str) -> Container:
        found = await have_image(self._engine, image, self._pull_patience)
        async with self._starting:
            making = asyncio.ensure_future(self._engine.ask(lambda: self._make(ref, spec, image), SLOW))
            try:
                await asyncio.shield(making)
            except BaseException:
                # Its thread goes on by itself; what it still makes is removed once it has ended.
                self._spawn(self._undo(ref, making))
                raise
        container = Container(
            self._engine.endpoint,
            ref,
            _environment(spec),
            self._opening,
            self._patience,
            found.owner,
            browser=spec.browser,
        )
        self._containers[ref] = container
        if found.id in self._proven:
            container.warm()
            return container
        # An init starts well, and ends at once, with whatever it is told to run. So an image is tried the first time.
        try:
            await container.ready()
        except BaseException as error:
            fresh = making.result()
            await asyncio.shield(self._spawn(self._discard(ref, spec.disk_id if fresh else None)))
            if isinstance(error, SandboxError):
                raise SandboxUnavailable(f"The image {image!r} cannot run commands, as by `sh`: {error}") from error
            raise
        self._proven.add(found.id)
        return container

    async def prepare(self) -> None:
        """Get the default image, pulled if need be. SandboxUnavailable says why it cannot be had."""
        await self._default()

    async def _default(self) -> Image:
        return await have_image(self._engine, self._default_image, self._pull_patience)

    def _make(self, ref: str, spec: SandboxSpec, image: str) -> bool:
        """Create and start a container, in a thread, and answer whether its volume is a new one.

        When that fails, neither it nor a new volume remains.
        """
        env = _environment(spec)
        labels = {INSTANCE: self._instance}
        if spec.disk_id is not None:
            labels[DISK] = spec.disk_id
        if spec.session_id != _NOBODY:
            labels |= {SESSION: spec.session_id, ENV: json.dumps(env)}
        mounts: list[Mount] = []
        api = self._engine.slow_api
        fresh = False
        if spec.disk_id is not None:
            volumes = self._volumes
            fresh = volumes.is_new(spec.disk_id)
            named = volumes.labels(spec.disk_id)
            mounts.append(Mount(WORKSPACE_ROOT, volumes.name(spec.disk_id), type="volume", labels=named))
        limits = api.create_host_config(
            init=True,
            mounts=mounts,
            mem_limit=self._memory,
            memswap_limit=self._memory,
            nano_cpus=int(self._cpus * 1e9),
            pids_limit=self._pids,
            log_config=LogConfig(type=LogConfig.types.NONE),
            shm_size=_BROWSER_MEMORY if spec.browser else None,
        )
        try:
            api.create_container(
                image,
                name=ref,
                entrypoint=["sh", "-c", _IDLE],
                command=[],
                environment=env,
                labels=labels,
                working_dir=WORKSPACE_ROOT,
                # An image's own check of its health would run its commands in the session for ever.
                healthcheck={"test": ["NONE"]},
                host_config=limits,
            )
            api.start(ref)
        except (DockerException, RequestException):
            self._remove(ref)
            if fresh and spec.disk_id is not None:
                with contextlib.suppress(APIError):
                    api.remove_volume(self._volumes.name(spec.disk_id))
            raise
        return fresh

    async def _undo(self, ref: str, making: asyncio.Future[bool]) -> None:
        with contextlib.suppress(SandboxUnavailable):
            await making
        with contextlib.suppress(SandboxUnavailable):
            await self._engine.ask(lambda: self._remove(ref))

    async def _discard(self, ref: str, disk_id: str | None) -> None:
        with contextlib.suppress(SandboxUnavailable):
            await self.stop(ref)
            if disk_id is not None:
                await self.delete_disk(disk_id)

    async def stop(self, ref: str) -> None:
        if not ref.startswith(self._prefix):
            return
        container = self._containers.pop(ref, None)
        self._addresses.pop(ref, None)
        if container is not None:
            await container.close()
        async with self._stopping:
            await self._engine.ask(lambda: self._remove(ref))

    def _remove(self, ref: str) -> None:
        remove_container(self._engine.api, ref, self._patience)

    async def alive(self, ref: str) -> bool:
        return await self._inspect(ref) is not None

    async def refs(self) -> dict[str, str]:
        found = await self._list()
        return {_name(one): session for one in found if one["State"] == "running" and (session := _session(one))}

    async def exec(self, ref: str, command: CommandSpec) -> Process:
        return await self._within(ref, lambda container: container.exec(command))

    async def read_file(self, ref: str, path: str) -> FileDownload:
        return await self._within(ref, lambda container: container.read_file(path))

    async def list_files(self, ref: str, path: str, *, recursive: bool, limit: int) -> FileListing:
        return await self._within(ref, lambda container: container.list_files(path, recursive, limit))

    async def write_file(self, ref: str, path: str, content: AsyncIterator[bytes], *, keep_mode: bool = False) -> int:
        return await self._within(ref, lambda container: container.write_file(path, content, keep_mode))

    async def open_terminal(self, ref: str, spec: TerminalSpec) -> Terminal:
        return await self._within(ref, lambda container: container.open_terminal(spec))

    async def ports(self, ref: str) -> list[int]:
        found = await self._within(ref, lambda container: container.listeners())
        return sorted({one.port for one in found})

    async def connect(self, ref: str, port: int) -> socket.socket:
        return await self._within(ref, lambda container: self._connect(container, port))

    async def _connect(self, container: Container, port: int) -> socket.socket:
        # Just to try is many times quicker than to have the kernel list who listens.
        if self._reachable and (address := await self._address(container.ref)) is not None:
            await container.check()
            stream, self._reachable = await direct(address, port)
            if stream is not None:
                return stream
        return await container.relay(port, places(await container.listeners(), port))

    async def _address(self, ref: str) -> str | None:
        """Where a container is reached from here, if it is."""
        if ref not in self._addresses:
            told = await self._inspect(ref)
            self._addresses[ref] = own_address(told) if told is not None else None
        return self._addresses[ref]

    async def _within(self, ref: str, work: Callable[[Container], Awaitable[T]]) -> T:
        """Do something in a container. What fails because the container is just ending is a SandboxGone."""
        container = await self._container(ref)
        try:
            return await work(container)
        except SandboxUnavailable as error:
            # The engine notices an end a moment late, and until then refuses commands in words of many kinds.
            for _ in range(20):
                if not await self.alive(ref):
                    raise SandboxGone("The sandbox has ended.") from error
                await asyncio.sleep(0.05)
            raise

    async def delete_disk(self, disk_id: str) -> None:
        await self._volumes.delete(disk_id)

    async def copy_disk(self, source_id: str, target_id: str) -> None:
        await self._volumes.copy(source_id, target_id)

    async def fill_disk(self, disk_id: str, folder: Path) -> None:
        await self._volumes.fill(disk_id, folder)

    async def disks(self) -> set[str]:
        return await self._volumes.all()

    async def export_disk(self, disk_id: str, to: BinaryIO) -> None:
        using = await self._list(f"{DISK}={disk_id}")
        await self._volumes.export(disk_id, to, in_use=any(found["State"] == "running" for found in using))

    async def import_disk(self, disk_id: str, archive: BinaryIO, *, owners: bool) -> None:
        await self._volumes.import_(disk_id, archive, owners=owners)

    async def disk_entries(
        self, disk_id: str, folder: str = "", *, recursive: bool = True, digests: bool = False
    ) -> Sequence[DiskEntry]:
        return await self._volumes.entries(disk_id, folder, recursive=recursive, digests=digests)

    async def read_disk_file(self, disk_id: str, path: str) -> FileDownload:
        return await self._volumes.read(disk_id, path)

    async def disk_bytes(self, disk_id: str) -> int | None:
        for found in await self._list(f"{DISK}={disk_id}"):
            if found["State"] == "running":
                with contextlib.suppress(SandboxGone):
                    return await (await self._container(_name(found))).used_bytes()
        return await self._volumes.bytes(disk_id)

    async def _container(self, ref: str) -> Container:
        """The container of a ref, one that an earlier run has started included."""
        if (known := self._containers.get(ref)) is not None:
            return known
        found = await self._inspect(ref) if ref.startswith(self._prefix) else None
        if found is None:
            raise SandboxGone("The sandbox has ended.")
        env = json.loads(found["Config"]["Labels"].get(ENV, "{}"))
        return self._containers.setdefault(
            ref, Container(self._engine.endpoint, ref, env, self._opening, self._patience)
        )

    async def _inspect(self, ref: str) -> dict[str, Any] | None:
        def inspect() -> dict[str, Any] | None:
            try:
                found: dict[str, Any] = self._engine.api.inspect_container(ref)
            except NotFound:
                return None
            return found if found["State"]["Running"] else None

        return await self._engine.ask(inspect)

    async def _list(self, *labels: str, every: bool = False) -> list[dict[str, Any]]:
        """Containers of this instance."""
        wanted = [f"{INSTANCE}={self._instance}", *labels]
        return await self._engine.ask(lambda: self._engine.api.containers(all=every, filters={"label": wanted}))

    @property
    def _volumes(self) -> Volumes:
        return Volumes(
            self._engine,
            instance=self._instance,
            prefix=self._prefix,
            image_name=self._default_image,
            image=self._default,
            remove=self._remove,
            spawn=self._spawn,
        )

    @property
    def _engine(self) -> Line:
        if self._line is None:
            raise SandboxUnavailable("The container engine is not connected.")
        return self._line

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _environment(spec: SandboxSpec) -> dict[str, str]:
    """What every command of a session sees."""
    known = {"CHASER_SESSION_ID": spec.session_id} if spec.session_id != _NOBODY else {}
    if spec.workspace_id is not None:
        known["CHASER_WORKSPACE_ID"] = spec.workspace_id
    return {**known, **spec.env}


def _session(found: dict[str, Any]) -> str:
    """Whose container it is; empty when nobody's."""
    given: str = found["Labels"].get(SESSION) or _name(found).partition(_OF)[2]
    return given


def _name(found: dict[str, Any]) -> str:
    name: str = found["Names"][0]
    return name.removeprefix("/")
