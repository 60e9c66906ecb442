"""Which engine runs the sandboxes: the one that was asked for, or the best that answers."""

from __future__ import annotations

import logging
from pathlib import Path

from chaser_emulator.sandbox import Engine, SandboxUnavailable
from chaser_emulator.settings import Settings

_log = logging.getLogger(__name__)


async def choose(settings: Settings, data_dir: Path, instance: str) -> Engine:
    """The engine of the settings, not opened yet. `auto` is docker when an engine answers and can have the default
    image, else local; the log says which, and why."""
    match settings.sandbox:
        case "docker":
            return docker(settings, instance)
        case "scripted":
            # Imported on use, as every engine: each start needs one of them.
            from chaser_emulator.sandbox.scripted import ScriptedEngine

            return ScriptedEngine()
        case "local":
            return local(data_dir, instance)
        case "auto":
            candidate = docker(settings, instance)
            try:
                await candidate.open()
            except SandboxUnavailable as reason:
                await candidate.close()
                _log.info("sandboxes run locally: %s", reason)
                return local(data_dir, instance)
            _log.info("sandboxes run in docker, from %s", settings.image)
            return candidate


def docker(settings: Settings, instance: str) -> Engine:
    """Containers of the Docker engine that the environment names."""
    from chaser_emulator.sandbox.docker import DockerEngine

    return DockerEngine(instance=instance, default_image=settings.image)


def local(data_dir: Path, instance: str) -> Engine:
    """Children of this process."""
    from chaser_emulator.sandbox.local import LocalEngine

    return LocalEngine(data_dir=data_dir, instance=instance)
