"""What this machine has, and which engine would run the sandboxes here: `chaser-emulator doctor`."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaser_emulator import __version__, engines, strays, whereabouts
from chaser_emulator.browsers import chromium
from chaser_emulator.clock import new_id
from chaser_emulator.sandbox import Engine, SandboxUnavailable
from chaser_emulator.server import PortTakenError, bind
from chaser_emulator.settings import Settings

_MARKS = {True: "[green]ok[/]", False: "[red]no[/]", None: "[yellow]--[/]"}


@dataclass
class Findings:
    """What was found, in order; `fine` is whether an emulator with these settings can start."""

    table: Table = field(default_factory=lambda: Table(show_header=False, box=None, pad_edge=False))
    fine: bool = True

    def add(self, good: bool | None, name: str, text: str, *, needed: bool = False) -> None:
        """`good` None is neither: something that is missing, and that not everybody needs."""
        self.table.add_row(_MARKS[good], name, text)
        self.fine = self.fine and not (needed and good is False)


async def examine(settings: Settings) -> bool:
    """Print the findings; answers whether an emulator with these settings can start."""
    found = Findings()
    found.add(True, "emulator", f"{__version__} on Python {platform.python_version()}, {sys.platform}")
    _tool(found, "git", ("git",), "repositories")
    _tool(found, "chromium", (settings.browser,) if settings.browser else chromium.NAMES, "browser sessions")
    _place(found, settings)
    _ssh(found, settings)
    docker = await _docker(found, settings)
    local = await _local(found)
    _choice(found, settings, docker, local)
    left = await strays.find(settings.data_dir)
    if not left:
        found.add(True, "left over", "nothing of emulators that no longer run")
    console = Console(highlight=False, markup=True)
    console.print(found.table)
    if left:
        console.print("\nLeft by emulators that no longer run, and the commands that remove it:")
    for stray in left:
        # In one line each, so that a command can be copied.
        console.print(f"- {stray.what}\n    {stray.remove}", markup=False, soft_wrap=True)
    return found.fine


def _tool(found: Findings, name: str, commands: tuple[str, ...], purpose: str) -> None:
    path = next((path for command in commands if (path := shutil.which(command))), None)
    if path is None:
        found.add(None, name, f"not installed; needed for {purpose}")
        return
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
        found.add(True, name, f"{told.strip() or 'of an unknown version'} ({path})")
    except (OSError, subprocess.TimeoutExpired) as error:
        found.add(None, name, f"{path} does not run: {error}")


def _place(found: Findings, settings: Settings) -> None:
    """The data directory and the port; what an emulator that runs there has taken is no fault."""
    folder = settings.data_dir
    runs = folder is not None and whereabouts.is_held(folder)
    if folder is None:
        found.add(True, "data", "ephemeral: a temporary folder")
    elif runs:
        found.add(True, "data", f"{folder}, where an emulator runs now")
    else:
        reason = _unwritable(folder)
        found.add(reason is None, "data", reason or str(folder), needed=True)
    try:
        bind(settings.host, settings.port).close()
        found.add(True, "port", f"{settings.host}:{settings.port} is free")
    except PortTakenError as error:
        found.add(None if runs else False, "port", str(error), needed=not runs)


def _ssh(found: Findings, settings: Settings) -> None:
    """The port of the SSH gateway, and the key that its clients are to see; none is made here."""
    from chaser_emulator.gateway import ssh_host_key

    folder = settings.data_dir
    runs = folder is not None and whereabouts.is_held(folder)
    try:
        fingerprint = ssh_host_key.fingerprint(folder) if folder is not None else None
    except whereabouts.InUseError as error:
        found.add(False, "ssh", str(error), needed=settings.ssh_port is not None)
        return
    known = f"the host key is {fingerprint}" if fingerprint else "the host key is made when SSH is first answered"
    if settings.ssh_port is None:
        found.add(None, "ssh", f"not asked for (--ssh-port); {known}")
        return
    try:
        bind(settings.host, settings.ssh_port, "--ssh-port").close()
        found.add(True, "ssh", f"{settings.host}:{settings.ssh_port} is free; {known}")
    except PortTakenError as error:
        found.add(None if runs else False, "ssh", f"{error}; {known}", needed=not runs)


def _unwritable(folder: Path) -> str | None:
    """Why a data directory cannot be used, None when it can; nothing is made there."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return f"{place} is no folder"
    return None if os.access(place, os.W_OK | os.X_OK) else f"{place} cannot be written to"


async def _docker(found: Findings, settings: Settings) -> str | None:
    """Why Docker cannot be used, None when it can. An image is looked for, and not pulled."""
    engine = engines.docker(settings, new_id())
    try:
        info = await engine.open()
    except SandboxUnavailable as error:
        found.add(None, "docker", str(error))
        return str(error)
    finally:
        await engine.close()
    if await asyncio.to_thread(_has_image, settings.image):
        found.add(True, "docker", f"{info.version} answers and has {settings.image}")
    else:
        found.add(None, "docker", f"{info.version} answers; {settings.image} would be pulled")
    return None


def _has_image(name: str) -> bool:
    from docker.errors import DockerException

    from chaser_emulator.sandbox import docker_where

    client = docker_where.find().client(10)
    try:
        client.inspect_image(name)  # type: ignore[no-untyped-call]  # by its stubs
    except DockerException:
        return False
    finally:
        client.close()
    return True


async def _local(found: Findings) -> str | None:
    """Why nothing can run on this machine itself, None when it can. A sandbox is tried, and not only looked for."""
    with tempfile.TemporaryDirectory(prefix="chaser-doctor-") as folder:
        engine: Engine = engines.local(Path(folder), new_id())
        try:
            info = await engine.open()
        except SandboxUnavailable as error:
            found.add(False, "local", str(error))
            return str(error)
        finally:
            await engine.close()
    found.add(True if info.isolated else None, "local", f"{info.version}. {info.isolation}")
    for warning in info.warnings:
        found.add(None, "", warning)
    return None


def _choice(found: Findings, settings: Settings, docker: str | None, local: str | None) -> None:
    match settings.sandbox:
        case "docker":
            text = "docker, as asked for" if docker is None else f"docker was asked for: {docker}"
            found.add(docker is None, "sandboxes", text, needed=True)
        case "local":
            text = "local, as asked for" if local is None else f"local was asked for: {local}"
            found.add(local is None, "sandboxes", text, needed=True)
        case "scripted":
            found.add(True, "sandboxes", "scripted, as asked for: no command really runs")
        case "auto" if docker is None:
            found.add(True, "sandboxes", f"docker, as an engine answers, if {settings.image} is there or can be pulled")
        case "auto":
            found.add(local is None, "sandboxes", f"local, because Docker cannot be used: {docker}", needed=True)
