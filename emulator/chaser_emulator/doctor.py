"""What this machine has, and which engine would run the sandboxes here: `chaser-emulator doctor`."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaser_emulator import __version__, engines
from chaser_emulator.clock import new_id
from chaser_emulator.sandbox import SandboxUnavailable
from chaser_emulator.server import PortTakenError, bind
from chaser_emulator.settings import Settings


async def examine(settings: Settings) -> bool:
    """Print the findings; answers whether an emulator with these settings can start."""
    table = Table(show_header=False, box=None, pad_edge=False)
    fine = True

    def row(good: bool | None, name: str, text: str) -> None:
        mark = {True: "[green]ok[/]", False: "[red]no[/]", None: "[yellow]--[/]"}[good]
        table.add_row(mark, name, text)

    row(True, "emulator", f"{__version__} on Python {platform.python_version()}, {sys.platform}")
    for name, purpose in (("bwrap", "isolation of local sandboxes"), ("git", "repositories"), ("chromium", "browsers")):
        found = shutil.which(name)
        row(True if found else None, name, found or f"not installed; needed for {purpose}")
    try:
        bind(settings.host, settings.port).close()
        row(True, "port", f"{settings.host}:{settings.port} is free")
    except PortTakenError as error:
        fine = False
        row(False, "port", str(error))
    reason = _unwritable(settings.data_dir)
    fine = fine and reason is None
    row(reason is None, "data", reason or str(settings.data_dir or "ephemeral"))
    with tempfile.TemporaryDirectory(prefix="chaser-doctor-") as folder:
        try:
            engine, why = await engines.choose(settings, Path(folder), new_id())
            info = await engine.open()
            await engine.close()
            row(True, "sandboxes", f"{info.name} ({info.version}). {info.isolation}")
            if why:
                row(None, "", why)
            for warning in info.warnings:
                row(None, "", warning)
        except SandboxUnavailable as error:
            fine = False
            row(False, "sandboxes", f"{settings.sandbox}: {error}")
    Console(highlight=False).print(table)
    return fine


def _unwritable(folder: Path | None) -> str | None:
    """Why a data directory cannot be used, None when it can; nothing is made there."""
    if folder is None:
        return None
    place = folder
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        return f"{place} is no folder"
    with contextlib.suppress(OSError):
        if os.access(place, os.W_OK | os.X_OK):
            return None
    return f"{place} cannot be written to"
