"""A world on its way into a file, and back."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, BinaryIO

from chaser_emulator import __version__, assembly
from chaser_emulator.clock import Clock
from chaser_emulator.sandbox import Engine, archives, files
from chaser_emulator.sandbox.layers import find
from chaser_emulator.sandbox.scripted import ScriptedEngine
from chaser_emulator.states import contents, secrets
from chaser_emulator.states.file import DATABASE, FORMAT, Manifest, StateError, StateFile, Writer, name_of_disk, read
from chaser_emulator.states.secrets import Secrets
from chaser_emulator.store import images
from chaser_emulator.world import CLOCK_FACT, Beginning, KnownKey, World

if TYPE_CHECKING:
    from chaser_emulator.worlds import Worlds


async def save(world: World, path: Path, *, disks: bool = False) -> Manifest:
    """Write all that a world is into a file, which is there whole or not at all; with `disks` files of workspaces too.

    What runs is not in it: live sessions are, as rows, and end when it is loaded. Raises SandboxError and OSError.
    """
    clock = world.clock.state()
    image = await files.in_thread(contents.to_save, await world.store.image(), clock, CLOCK_FACT)
    partial = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        with partial.open("wb") as file:
            writer = Writer(file)
            await files.in_thread(writer.add, DATABASE, image)
            if disks:
                named = contents.disks_of(image)
                async with world.disks.held(*named):
                    for disk_id in named:
                        with writer.member(name_of_disk(disk_id)) as member:
                            await world.engine.export_disk(disk_id, member)
            known = {name: (key.id, key.text) for name, key in world.keys.items()}
            wrapped = await files.in_thread(secrets.wrap, Secrets(world.vault.exported(), known), world.api_key)
            manifest = Manifest(
                format=FORMAT,
                emulator=__version__,
                form=contents.newest_form(),
                document=_document_hash(),
                engine=world.engine_info.name,
                world=world.id,
                created_at=Clock().timestamp(),
                clock={"mode": world.clock.mode, **clock},
                disks=disks,
                members=writer.members,
                secrets=wrapped,
            )
            await files.in_thread(writer.finish, manifest)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


async def load(
    worlds: Worlds, world: World, path: Path, *, api_key: str | None = None, without_secrets: bool = False
) -> tuple[World, Manifest]:
    """Let a world be what a file holds, in place of all that it was; it keeps its id, its key and its engine.

    The file is checked before anything is changed. Its secrets are read with the world's API key, or with `api_key`,
    that of the world that was saved; where neither fits it is refused, unless it is to be loaded `without_secrets`.
    Raises StateError, SandboxError and OSError.
    """
    state = await files.in_thread(read, path, form=contents.newest_form())
    tried = [key for key in (api_key, world.api_key) if key is not None]
    loading = await files.in_thread(_loading, state, tried, without_secrets=without_secrets)
    scripted = find(world.engine, ScriptedEngine)
    if scripted is None:
        fill = functools.partial(_fill, state=state, loading=loading)
        beginning = Beginning(loading.image, loading.secrets.vault_key, fill=fill)
    else:
        engine = ScriptedEngine(scripted.stubs)
        await _fill(engine, state, loading)
        beginning = Beginning(loading.image, loading.secrets.vault_key, engine)
    loaded = await worlds.replace(world, beginning)
    for name, (key_id, text) in loading.secrets.keys.items():
        if await loaded.store.one("SELECT 1 FROM keys WHERE id = ?", key_id) is not None:
            loaded.keys[name] = KnownKey(key_id, text)
    return loaded, state.manifest


@dataclass(frozen=True)
class _Loading:
    """What a world is to begin with: its database, in which disks have new ids, known here by their old ones."""

    image: bytes
    secrets: Secrets
    disks: Mapping[str, str]


def _loading(state: StateFile, api_keys: Sequence[str], *, without_secrets: bool) -> _Loading:
    found = next((one for key in api_keys if (one := secrets.unwrap(state.manifest.secrets, key)) is not None), None)
    with contents.opened(state.database(), state.manifest.form) as database:
        if found is None:
            sealed = secrets.sealed_in(database)
            if sealed and not without_secrets:
                raise secrets.refusal(sealed)
            found = Secrets(secrets.replace(database))
        disks = contents.give_new_disks(database)
        database.commit()
        for disk_id in state.disks():
            if disk_id in disks:
                with state.disk(disk_id) as archive:
                    _check(disk_id, archive)
        return _Loading(images.of(database), found, disks)


def _check(disk_id: str, archive: BinaryIO) -> None:
    with _sound(disk_id):
        archives.check(archive)


@contextmanager
def _sound(disk_id: str) -> Iterator[None]:
    """The block reads the archive of a disk, which may be none. Raises StateError."""
    try:
        yield
    except archives.ArchiveError as error:
        raise StateError(f"the disk {disk_id} in it is damaged: {error}") from error


async def _fill(engine: Engine, state: StateFile, loading: _Loading) -> None:
    """Make the disks that are in a file; owners mean something to the kind of engine that knew them alone."""
    owners = engine.name == state.manifest.engine
    made = []
    try:
        for disk_id in state.disks():
            if disk_id in loading.disks:
                made.append(loading.disks[disk_id])
                with state.disk(disk_id) as archive, _sound(disk_id):
                    await engine.import_disk(made[-1], archive, owners=owners)
    except BaseException:
        for disk_id in made:
            await asyncio.shield(engine.delete_disk(disk_id))
        raise


@functools.cache
def _document_hash() -> str:
    """Of the API's document, so that a state tells to which one its rows belong."""
    return hashlib.sha256(json.dumps(assembly.assemble(), sort_keys=True).encode()).hexdigest()
