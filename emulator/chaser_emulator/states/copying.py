"""Copies of a world whose disks a real engine has: with archives of those, for another world to begin with."""

from __future__ import annotations

import dataclasses
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from chaser_emulator.sandbox import Engine, files
from chaser_emulator.states import contents
from chaser_emulator.store import images
from chaser_emulator.world import Beginning, World


class _Archives:
    """Disks as archives in files without names, which go with the last who may want them."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._files: dict[str, BinaryIO] = {}
        weakref.finalize(self, _close, self._files)

    async def add(self, engine: Engine, disk_id: str, new_id: str, folder: Path) -> None:
        self._files[new_id] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        await engine.export_disk(disk_id, self._files[new_id])

    async def fill(self, engine: Engine) -> None:
        """Make them disks of an engine."""
        for disk_id, archive in self._files.items():
            archive.seek(0)
            await engine.import_disk(disk_id, archive, owners=engine.name == self._kind)


def _close(files: Mapping[str, BinaryIO]) -> None:
    for file in files.values():
        file.close()


async def copy(world: World) -> Beginning:
    """All that a world is now, disks included; they have other ids in it, as one engine may come to have both."""
    beginning = await world.copy()
    if beginning.engine is not None:
        return beginning
    image, ids = await files.in_thread(_with_new_disks, beginning.image)
    there = await world.engine.disks()
    archives = _Archives(world.engine.name)
    for old, new in ids.items():
        if old in there:
            await archives.add(world.engine, old, new, world.data_dir)
    return dataclasses.replace(Beginning(image, beginning.vault_key), fill=archives.fill)


def _with_new_disks(image: bytes) -> tuple[bytes, Mapping[str, str]]:
    with contents.opened(image, contents.newest_form()) as database:
        ids = contents.give_new_disks(database)
        database.commit()
        return images.of(database), ids
