"""Questions to the container engine, asked in threads and with a limit: the library blocks, and an engine can hang."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from . import SandboxUnavailable
from .docker_exec import Endpoint
from .docker_where import Where, find

T = TypeVar("T")

SLOW: Final = 30
"""Seconds for what makes the engine work hard: to create and start, and to measure disks."""

_GREETING: Final = 3
"""Seconds to get through to the engine."""


class Line:
    """An open line to the engine. `patience`: for how many seconds it may say nothing."""

    def __init__(self, where: Where, patience: float) -> None:
        self._where = where
        self._patience = patience
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="docker")
        self._clients: list[docker.APIClient] = []
        self._endpoint: Endpoint | None = None

    @classmethod
    async def open(cls, patience: float) -> Line:
        line = cls(find(), patience)
        try:
            # The library would leave a socket behind when nobody listens, and could not be told to wait less.
            async with asyncio.timeout(_GREETING):
                _, greeting = await line._where.endpoint("").connect()
            greeting.close()
            await line.ask(line._connect)
        except TimeoutError as error:
            line.close()
            raise SandboxUnavailable("The container engine does not answer.") from error
        except BaseException:
            line.close()
            raise
        return line

    def _connect(self) -> None:
        client = self._where.client(self._patience)
        self._clients.append(client)
        version: str = client.api_version
        self._clients.append(self._where.client(SLOW, version))
        self._endpoint = self._where.endpoint(version)

    @property
    def api(self) -> docker.APIClient:
        """For quick answers; to be used in `ask`."""
        return self._clients[0]

    @property
    def slow_api(self) -> docker.APIClient:
        """For what may take up to SLOW seconds, given to `ask` as well."""
        return self._clients[1]

    @property
    def endpoint(self) -> Endpoint:
        assert self._endpoint is not None  # noqa: S101  # `open` has seen to it
        return self._endpoint

    @property
    def tls(self) -> bool:
        return self._where.tls is not None

    async def ask(self, question: Callable[[], T], patience: float | None = None, *, because: str = "") -> T:
        """Ask in a thread; SandboxUnavailable when it fails or the engine says nothing for so many seconds.

        `because` begins the text of the failure.
        """
        start = because or "The container engine failed"
        try:
            async with asyncio.timeout(patience or self._patience):
                return await asyncio.get_running_loop().run_in_executor(self._threads, question)
        except APIError as error:
            raise SandboxUnavailable(f"{start}: {error.explanation or error}") from error
        except DockerException as error:
            raise SandboxUnavailable(f"{start}: {error}") from error
        except (TimeoutError, RequestException, OSError) as error:
            text = f"{because}: the" if because else "The"
            raise SandboxUnavailable(f"{text} container engine does not answer.") from error

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self._threads.shutdown(wait=False)


def info(line: Line) -> dict[str, Any]:
    """What the engine says of itself."""
    told: dict[str, Any] = line.api.info()
    return told
