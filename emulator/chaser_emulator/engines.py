"""Which engine runs the sandboxes: the one that was asked for, or the best that answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chaser_emulator.sandbox import Engine, SandboxUnavailable
from chaser_emulator.settings import Settings

if TYPE_CHECKING:
    from chaser_emulator.sandbox.docker import DockerEngine


async def choose(settings: Settings, data_dir: Path, instance: str) -> tuple[Engine, str]:
    """The engine of the settings, not opened yet, and why it was taken (empty when it was asked for).

    `auto` is docker when an engine answers and can have the default image, else local.
    """
    match settings.sandbox:
        case "docker":
            return docker(settings, instance), ""
        case "scripted":
            # Imported on use, as every engine: each start needs one of them.
            from chaser_emulator.sandbox.scripted import ScriptedEngine

            return ScriptedEngine(), ""
        case "local":
            return local(data_dir, instance), ""
        case "auto":
            candidate = docker(settings, instance)
            try:
                info = await candidate.open()
                await candidate.prepare()
            except SandboxUnavailable as reason:
                return local(data_dir, instance), f"Local, because Docker cannot be used: {reason}"
            finally:
                await candidate.close()
            return docker(settings, instance), f"Docker {info.version} answers and has {settings.image}."


def docker(settings: Settings, instance: str) -> DockerEngine:
    """Containers of the Docker engine that the environment names."""
    from chaser_emulator.sandbox.docker import DockerEngine

    return DockerEngine(instance=instance, default_image=settings.image)


def local(data_dir: Path, instance: str) -> Engine:
    """Children of this process."""
    from chaser_emulator.sandbox.local import LocalEngine

    return LocalEngine(data_dir=data_dir, instance=instance)
