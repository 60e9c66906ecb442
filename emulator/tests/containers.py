"""The docker engine for tests of its own: a name for each, and nothing left under it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import docker
import pytest
from chaser_emulator.sandbox.docker import DockerEngine
from images import busybox


@pytest.fixture(name="client")
def client_fixture() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(name="instance")
def instance_fixture(client: docker.DockerClient) -> Iterator[str]:
    """A name of its own for each test, and nothing under that name left after it, whatever happened."""
    name = f"test-{uuid4().hex[:12]}"
    yield name
    label: dict[str, str | list[str] | bool] = {"label": f"chaser.emulator.instance={name}"}
    for container in client.containers.list(all=True, filters=label, ignore_removed=True):
        container.remove(force=True, v=True)
    for volume in client.volumes.list(filters={"label": label["label"]}):
        volume.remove(force=True)


@asynccontextmanager
async def opened(instance: str, image: str | None = None, **how: Any) -> AsyncIterator[DockerEngine]:
    """An open engine of this name; `how` are more of its settings. What it has started is stopped at the end."""
    limits = {"memory": 256 * 1024**2, "pids": 200}
    engine = DockerEngine(instance=instance, default_image=image or busybox(), **{**limits, **how})
    await engine.open()
    try:
        yield engine
    finally:
        for ref in await engine.refs():
            await engine.stop(ref)
        await engine.close()
