"""The docker engine: a container a session, a volume a workspace, where `DOCKER_HOST` or the context says.

Nothing is shared with this machine's file system, as the engine may run elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

import docker
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, NotFound
from docker.tls import TLSConfig
from docker.types import LogConfig, Mount
from docker.utils import kwargs_from_env, parse_repository_tag
from requests.exceptions import RequestException

from . import (
    WORKSPACE_ROOT,
    CommandSpec,
    EngineInfo,
    EngineName,
    FileDownload,
    Process,
    SandboxGone,
    SandboxSpec,
    SandboxUnavailable,
)
from .docker_container import Container
from .docker_exec import Endpoint
from .warm_shell import PATIENCE

T = TypeVar("T")

_LABEL: Final = "chaser.emulator"
_ISOLATION: Final = "Each session is a container: its own files, processes and network, on the engine's kernel."
_SLOW: Final = 60
"""Seconds for what makes the engine work hard: to create, start and remove."""

# Stays until it is told to stop, and outlives a `pkill sleep` or `pkill -f sleep` of the session's.
_IDLE: Final = "trap 'kill $!; exit 0' TERM INT; while :; do sl''eep 2147483647 & wait $!; done"


class DockerEngine:
    """`Engine` by containers. `memory` is in bytes; `cpus` is cut to what the engine has."""

    name: EngineName = "docker"

    def __init__(
        self,
        *,
        instance: str,
        default_image: str,
        memory: int = 2 * 1024**3,
        cpus: float = 2,
        pids: int = 1024,
        pull_patience: float = 600,
    ) -> None:
        self._instance = instance
        self._default_image = default_image
        self._memory = memory
        self._cpus = cpus
        self._pids = pids
        self._pull_patience = pull_patience
        self._prefix = f"chaser-{re.sub(r'[^A-Za-z0-9_.-]', '-', instance)}-"
        self._client: docker.APIClient | None = None
        self._slow_client: docker.APIClient | None = None
        self._endpoint: Endpoint | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._containers: dict[str, Container] = {}
        # The engine does these one after another anyway; waiting here keeps its answers within their time.
        self._opening = asyncio.Semaphore(4)
        self._starting = asyncio.Semaphore(4)
        self._owners: dict[str, str | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> EngineInfo:
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="docker")
        try:
            info = await self._call(self._connect)
            self._cpus = min(self._cpus, float(info.get("NCPU") or self._cpus))
            for found in await self._list(every=True):
                if found["State"] not in ("running", "paused"):
                    await self._call(partial(self._remove, _name(found)), _SLOW)
        except BaseException:
            await self.close()
            raise
        warnings = [f"The engine warns: {text}" for text in info.get("Warnings") or () if "limit" in text]
        return EngineInfo("docker", str(info["ServerVersion"]), _ISOLATION, self._default_image, tuple(warnings))

    def _connect(self) -> dict[str, Any]:
        """Find the engine as the `docker` command does: DOCKER_HOST, else the context that is in use."""
        where: dict[str, Any] = {**kwargs_from_env()}
        if "base_url" not in where and not os.environ.get("DOCKER_HOST"):
            context = ContextAPI.get_current_context()
            if context is not None and context.Host:
                where = {"base_url": context.Host, "tls": context.TLSConfig or False}
        ssh = str(where.get("base_url", "")).startswith("ssh://")
        self._client = docker.APIClient(
            **where, timeout=int(PATIENCE), version="auto", max_pool_size=16, use_ssh_client=ssh
        )
        version: str = self._client.api_version
        self._slow_client = docker.APIClient(
            **where, timeout=_SLOW, version=version, max_pool_size=16, use_ssh_client=ssh
        )
        tls = where.get("tls")
        url = where.get("base_url") or "unix:///var/run/docker.sock"
        self._endpoint = Endpoint(url, version, _context(tls) if isinstance(tls, TLSConfig) else None)
        info: dict[str, Any] = self._client.info()
        return info

    async def close(self) -> None:
        for task in list(self._tasks):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((task,), timeout=PATIENCE)
        for container in self._containers.values():
            await container.close()
        self._containers.clear()
        for client in (self._client, self._slow_client):
            if client is not None:
                client.close()
        self._client = self._slow_client = None
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

    async def start(self, spec: SandboxSpec) -> str:
        image = spec.image or self._default_image
        owner = await self._owner(image)
        ref = self._prefix + secrets.token_hex(8)
        async with self._starting:
            making = asyncio.ensure_future(self._call(lambda: self._make(ref, spec, image), _SLOW))
            try:
                await asyncio.shield(making)
            except BaseException:
                # The thread goes on by itself; what it may still make is removed once it has ended.
                undoing = self._spawn(self._undo(ref, making))
                if making.done():
                    await asyncio.shield(undoing)
                raise
        container = Container(self._endpoint_now, ref, spec.env, self._opening, owner)
        self._containers[ref] = container
        container.warm()
        return ref

    async def _owner(self, image: str) -> str | None:
        """The user of an image when it is not root, the image having been pulled if need be."""

        def look() -> str | None:
            try:
                found: dict[str, Any] = self._api.inspect_image(image)  # type: ignore[no-untyped-call]  # by its stubs
            except NotFound:
                return None
            user: str = found["Config"].get("User") or "root"
            return user

        user = await self._call(look, because=f"The image {image!r} cannot be had")
        if user is None:
            await self._pull(image)
            user = await self._call(look) or "root"
        return None if user.partition(":")[0] in ("root", "0") else user

    async def _pull(self, image: str) -> None:
        given_up = threading.Event()

        def pull() -> None:
            repository, tag = parse_repository_tag(image)
            for event in self._slow_api.pull(repository, tag=tag or "latest", stream=True, decode=True):
                if "error" in event:
                    raise DockerException(str(event["error"]))
                if given_up.is_set():
                    return

        try:
            await self._call(pull, self._pull_patience, because=f"The image {image!r} cannot be had")
        finally:
            given_up.set()

    def _make(self, ref: str, spec: SandboxSpec, image: str) -> None:
        """Create and start a container, in a thread. What it leaves when it fails is its caller's to remove."""
        labels = {
            f"{_LABEL}.instance": self._instance,
            f"{_LABEL}.session": spec.session_id,
            f"{_LABEL}.env": json.dumps(dict(spec.env)),
        }
        mounts: list[Mount] = []
        api = self._slow_api
        if spec.workspace_id is not None:
            labels[f"{_LABEL}.workspace"] = spec.workspace_id
            mounts.append(Mount(WORKSPACE_ROOT, self._volume(spec.workspace_id), type="volume", labels=labels))
        api.create_container(
            image,
            name=ref,
            entrypoint=["sh", "-c", _IDLE],
            command=[],
            environment=dict(spec.env),
            labels=labels,
            working_dir=WORKSPACE_ROOT,
            # An image's own check of its health would run its commands in the session for ever.
            healthcheck={"test": ["NONE"]},
            host_config=api.create_host_config(
                init=True,
                mounts=mounts,
                mem_limit=self._memory,
                memswap_limit=self._memory,
                nano_cpus=int(self._cpus * 1e9),
                pids_limit=self._pids,
                log_config=LogConfig(type=LogConfig.types.NONE),
            ),
        )
        api.start(ref)

    async def _undo(self, ref: str, making: asyncio.Future[None]) -> None:
        with contextlib.suppress(SandboxUnavailable):
            await making
        with contextlib.suppress(SandboxUnavailable):
            await self._call(lambda: self._remove(ref), _SLOW)

    async def stop(self, ref: str) -> None:
        if not ref.startswith(self._prefix):
            return
        container = self._containers.pop(ref, None)
        if container is not None:
            await container.close()
        await self._call(lambda: self._remove(ref), _SLOW)

    def _remove(self, ref: str) -> None:
        try:
            self._slow_api.remove_container(ref, force=True, v=True)
        except NotFound:
            return
        except APIError as error:
            # Someone else is at it already; it is gone when that one is done.
            if error.status_code != 409:
                raise
            with contextlib.suppress(NotFound):
                self._slow_api.wait(ref, timeout=_SLOW, condition="removed")

    async def alive(self, ref: str) -> bool:
        return await self._inspect(ref) is not None

    async def refs(self) -> dict[str, str]:
        found = await self._list()
        return {_name(one): one["Labels"][f"{_LABEL}.session"] for one in found if one["State"] == "running"}

    async def exec(self, ref: str, command: CommandSpec) -> Process:
        container = await self._container(ref)
        return await container.exec(command)

    async def read_file(self, ref: str, path: str) -> FileDownload:
        container = await self._container(ref)
        return await container.read_file(path)

    async def write_file(self, ref: str, path: str, content: AsyncIterator[bytes]) -> int:
        container = await self._container(ref)
        return await container.write_file(path, content)

    async def delete_workspace(self, workspace_id: str) -> None:
        volume = self._volume(workspace_id)

        def delete() -> None:
            with contextlib.suppress(NotFound):
                self._slow_api.remove_volume(volume, force=True)

        await self._call(delete, _SLOW)

    async def workspace_bytes(self, workspace_id: str) -> int | None:
        for found in await self._list(f"{_LABEL}.workspace={workspace_id}"):
            if found["State"] == "running":
                with contextlib.suppress(SandboxGone):
                    return await (await self._container(_name(found))).used_bytes()

        def look() -> int | None:
            for volume in self._slow_api.df().get("Volumes") or ():
                if volume["Name"] == self._volume(workspace_id):
                    size = int((volume.get("UsageData") or {}).get("Size", -1))
                    return size if size >= 0 else None
            return None

        return await self._call(look, _SLOW)

    async def _container(self, ref: str) -> Container:
        """The container of a ref, one that an earlier run has started included."""
        if (known := self._containers.get(ref)) is not None:
            return known
        found = await self._inspect(ref) if ref.startswith(self._prefix) else None
        if found is None:
            raise SandboxGone("The sandbox has ended.")
        env = json.loads(found["Config"]["Labels"].get(f"{_LABEL}.env", "{}"))
        return self._containers.setdefault(ref, Container(self._endpoint_now, ref, env, self._opening))

    async def _inspect(self, ref: str) -> dict[str, Any] | None:
        def inspect() -> dict[str, Any] | None:
            try:
                found: dict[str, Any] = self._api.inspect_container(ref)
            except NotFound:
                return None
            return found if found["State"]["Running"] else None

        return await self._call(inspect)

    async def _list(self, *labels: str, every: bool = False) -> list[dict[str, Any]]:
        """Containers of this instance."""
        wanted = [f"{_LABEL}.instance={self._instance}", *labels]
        return await self._call(lambda: self._api.containers(all=every, filters={"label": wanted}))

    def _volume(self, workspace_id: str) -> str:
        return self._prefix + workspace_id

    @property
    def _api(self) -> docker.APIClient:
        if self._client is None:
            raise SandboxUnavailable("The container engine is not connected.")
        return self._client

    @property
    def _slow_api(self) -> docker.APIClient:
        if self._slow_client is None:
            raise SandboxUnavailable("The container engine is not connected.")
        return self._slow_client

    @property
    def _endpoint_now(self) -> Endpoint:
        if self._endpoint is None:
            raise SandboxUnavailable("The container engine is not connected.")
        return self._endpoint

    async def _call(self, ask: Callable[[], T], patience: float = PATIENCE, *, because: str = "") -> T:
        """Ask the engine in a thread; SandboxUnavailable when it fails or says nothing for so many seconds."""
        if self._threads is None:
            raise SandboxUnavailable("The container engine is not connected.")
        start = because or "The container engine failed"
        try:
            async with asyncio.timeout(patience):
                return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except APIError as error:
            raise SandboxUnavailable(f"{start}: {error.explanation or error}") from error
        except DockerException as error:
            raise SandboxUnavailable(f"{start}: {error}") from error
        except (TimeoutError, RequestException, OSError) as error:
            raise SandboxUnavailable(
                f"{because + ': the' if because else 'The'} container engine does not answer."
            ) from error

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _name(found: dict[str, Any]) -> str:
    name: str = found["Names"][0]
    return name.removeprefix("/")


def _context(tls: TLSConfig) -> Any:
    context = ssl.create_default_context(cafile=tls.ca_cert or None)
    if tls.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert:
        context.load_cert_chain(*tls.cert)
    return context
