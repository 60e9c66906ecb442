"""Which engine runs the sandboxes: the one that was asked for, or the best that answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chaser_emulator.browsers import chromium
from chaser_emulator.sandbox import Engine, SandboxUnavailable
from chaser_emulator.sandbox.apart import BrowsersApart
from chaser_emulator.settings import Settings

if TYPE_CHECKING:
    from chaser_emulator.sandbox.docker import DockerEngine


async def choose(settings: Settings, data_dir: Path, instance: str) -> tuple[Engine, str]:
    """The engine of the settings, not opened yet, and why it was taken (empty when it was asked for).

    `auto` is docker when an engine answers and can have the default image, else local.
    """
    match settings.sandbox:
        case "docker":
            return _with_browsers(docker(settings, instance, warm=settings.warm), settings, data_dir, instance), ""
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
            engine = _with_browsers(docker(settings, instance, warm=settings.warm), settings, data_dir, instance)
            return engine, f"Docker {info.version} answers and has {settings.image}."


def docker(settings: Settings, instance: str, *, warm: int = 0) -> DockerEngine:
    """Containers of the Docker engine that the environment names, `warm` of them kept ready for sessions to come."""
    from chaser_emulator.sandbox.docker import DockerEngine

    return DockerEngine(instance=instance, default_image=settings.image, warm=warm)


def _with_browsers(main: Engine, settings: Settings, data_dir: Path, instance: str) -> Engine:
    """The engine with browsers on this machine where its image has none."""
    look = chromium.is_there(settings.browser)
    return BrowsersApart(main, lambda: local(data_dir, instance), data_dir, look)


def local(data_dir: Path, instance: str) -> Engine:
    """Children of this process."""
    from chaser_emulator.sandbox.local import LocalEngine

    return LocalEngine(data_dir=data_dir, instance=instance)
