"""The labels of containers and volumes of emulators, and what is found and removed by them, running or not."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import docker
from docker.errors import APIError, NotFound

from .docker_line import SLOW, Line

INSTANCE = "chaser.emulator.instance"
DISK = "chaser.emulator.disk"
SESSION = "chaser.emulator.session"
ENV = "chaser.emulator.env"

_PATIENCE = 10.0


def remove_container(api: docker.APIClient, name: str, seconds: float) -> None:
    """End and remove a container, in a thread; of one that is not there: nothing."""
    try:
        api.remove_container(name, force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        # Someone else is at it already; it is gone when that one is done.
        if error.status_code != 409:
            raise
        with contextlib.suppress(NotFound):
            api.wait(name, timeout=math.ceil(seconds), condition="removed")


@dataclass
class Labelled:
    """What one emulator has in Docker: names, the disk that a volume is by its name, and when the first was made."""

    containers: list[str] = field(default_factory=list)
    volumes: dict[str, str | None] = field(default_factory=dict)
    since: datetime | None = None

    def _seen(self, made: datetime | None) -> None:
        if made is not None and (self.since is None or made < self.since):
            self.since = made

    def add_container(self, told: dict[str, Any]) -> None:
        self.containers.append(told["Names"][0].removeprefix("/"))
        self._seen(datetime.fromtimestamp(told["Created"], UTC))

    def add_volume(self, told: dict[str, Any]) -> None:
        self.volumes[told["Name"]] = told["Labels"].get(DISK)
        with contextlib.suppress(KeyError, ValueError):
            self._seen(datetime.fromisoformat(told["CreatedAt"]))


@asynccontextmanager
async def connected() -> AsyncIterator[Line]:
    """A line to the container engine. Raises SandboxUnavailable when there is none."""
    line = await Line.open(_PATIENCE)
    try:
        yield line
    finally:
        line.close()


async def find(line: Line, instance: str | None = None) -> dict[str, Labelled]:
    """What emulators have, or the one that is named, by instance. Raises SandboxUnavailable."""
    label = INSTANCE if instance is None else f"{INSTANCE}={instance}"
    found: dict[str, Labelled] = {}
    for told in await line.ask(lambda: line.api.containers(all=True, filters={"label": label})):
        found.setdefault(told["Labels"][INSTANCE], Labelled()).add_container(told)
    volumes = await line.ask(lambda: line.api.volumes(filters={"label": label}))
    for told in volumes["Volumes"] or ():
        found.setdefault(told["Labels"][INSTANCE], Labelled()).add_volume(told)
    return found


async def remove(line: Line, instance: str) -> tuple[int, int]:
    """Remove all that an emulator has; answers how many containers and volumes. Raises SandboxUnavailable."""
    mine = (await find(line, instance)).get(instance, Labelled())

    def work() -> None:
        for name in mine.containers:
            remove_container(line.slow_api, name, SLOW)
        for name in mine.volumes:
            with contextlib.suppress(NotFound):
                line.slow_api.remove_volume(name, force=True)

    await line.ask(work, SLOW)
    return len(mine.containers), len(mine.volumes)
