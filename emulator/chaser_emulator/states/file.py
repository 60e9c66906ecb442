"""The file of a saved state: a ZIP archive whose members a manifest lists, and which is whole or refused.

ZIP, because any tool can look into it, and each member can be read where it stands. Nothing in it is compressed:
so no file can unpack to more than it is, a disk is read without being unpacked first, and whoever wants it smaller
compresses the whole. The comment at its end has a checksum of all that comes before it, so that a file that was cut
short or changed anywhere is known before anything in it is believed.
"""

from __future__ import annotations

import hashlib
import json
import re
import weakref
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from chaser_emulator import __version__

FORMAT = 1
"""Grows when older emulators can no longer read the file."""

DATABASE = "database.sqlite"

_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 16 * 2**20
_DISK = re.compile(r"disks/([A-Za-z0-9][A-Za-z0-9._-]{0,127})\.tar")
_SEAL = b"chaser state sha256:"
_SEALED = len(_SEAL) + 64
_CHUNK = 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("emulator", "document", "engine", "world", "created_at")


class StateError(Exception):
    """The file cannot be used: it is damaged, newer, or none of ours. The text says which."""


class SealedError(StateError):
    """It was saved under another API key, without which its secrets cannot be read."""


@dataclass(frozen=True)
class Manifest:
    """What a file says of itself.

    `format` is that of the file, `form` that of its database, `document` a hash of the API's document at the time.
    `created_at` is real time, `clock` where the world's clock stood. `disks` says whether the files of workspaces and
    snapshots are in it. `members` has the size and the checksum of each, `secrets` what `secrets` put there.
    """

    format: int
    emulator: str
    form: int
    document: str
    engine: str
    world: str
    created_at: str
    clock: Mapping[str, Any]
    disks: bool
    members: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    secrets: Mapping[str, Any] | None = None

    def info(self) -> dict[str, Any]:
        """What is shown of it."""
        shown = {name: value for name, value in vars(self).items() if name not in ("members", "secrets")}
        return shown | {"bytes": sum(member["bytes"] for member in self.members.values())}


# Out


class Writer:
    """A file on its way out; `finish` makes it one."""

    def __init__(self, to: BinaryIO) -> None:
        self._to = _Hashing(to)
        self._zip = zipfile.ZipFile(cast("IO[bytes]", self._to), "w", zipfile.ZIP_STORED)
        self.members: dict[str, dict[str, Any]] = {}

    @contextmanager
    def member(self, name: str) -> Iterator[BinaryIO]:
        """Something to write a member's content to."""
        with self._zip.open(zipfile.ZipInfo(name), "w", force_zip64=True) as inner:
            content = _Hashing(cast("BinaryIO", inner))
            yield cast("BinaryIO", content)
        self.members[name] = {"bytes": content.size, "sha256": content.sha256.hexdigest()}

    def add(self, name: str, content: bytes) -> None:
        with self.member(name) as file:
            file.write(content)

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest and the seal."""
        self._zip.writestr(zipfile.ZipInfo(_MANIFEST), json.dumps(vars(manifest), indent=2))
        self._zip.comment = _SEAL + b"0" * 64
        self._to.keep_back = _SEALED
        self._zip.close()
        self._to.seal()


class _Hashing:
    """A file that is written to in order, which knows how much it was and the hash of it.

    The last bytes are kept back on request, until `seal` puts the hash of those before them into their place.
    """

    def __init__(self, to: BinaryIO) -> None:
        self._to = to
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.keep_back = 0
        self._kept = b""

    def write(self, data: bytes) -> int:
        self.size += len(data)
        ready = self._kept + data if self._kept else data
        if self.keep_back:
            ready, self._kept = ready[: -self.keep_back], ready[-self.keep_back :]
        self.sha256.update(ready)
        self._to.write(ready)
        return len(data)

    def seal(self) -> None:
        self._to.write(_SEAL + self.sha256.hexdigest().encode())
        self._to.flush()

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._to.flush()


# In


class StateFile:
    """A file that was checked from its first byte to its last; it stays open, whatever becomes of its name."""

    def __init__(self, file: BinaryIO, manifest: Manifest) -> None:
        self.manifest = manifest
        self._file = file
        weakref.finalize(self, file.close)

    def database(self) -> bytes:
        """The image of the database."""
        with self._member(DATABASE) as file:
            return file.read()

    def disks(self) -> list[str]:
        """The ids of the disks that are in it."""
        return [match[1] for name in self.manifest.members if (match := _DISK.fullmatch(name))]

    @contextmanager
    def disk(self, disk_id: str) -> Iterator[BinaryIO]:
        """The archive of a disk, in which can be gone back."""
        with self._member(name_of_disk(disk_id)) as file:
            yield file

    @contextmanager
    def _member(self, name: str) -> Iterator[BinaryIO]:
        with zipfile.ZipFile(self._file) as archive, archive.open(name) as file:
            yield cast("BinaryIO", file)


def name_of_disk(disk_id: str) -> str:
    """The member that a disk is."""
    return f"disks/{disk_id}.tar"


def manifest_of(path: Path) -> Manifest:
    """What a file says of itself, which is not checked. Raises StateError and OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _manifest(archive, {info.filename: info for info in archive.infolist()})
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise StateError(f"it is damaged: {error}") from error


def read(path: Path, *, form: int) -> StateFile:
    """Check a whole file, of which nothing is used before. `form` is the newest database that is known here.

    Raises StateError and OSError.
    """
    file = path.open("rb")
    try:
        _check_seal(file)
        with zipfile.ZipFile(file) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if len(members) != len(archive.infolist()):
                raise StateError("it is damaged: a member is in it twice")
            manifest = _manifest(archive, members)
            _refuse_newer(manifest, form)
            _check_members(archive, members, manifest)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        file.close()
        raise StateError(f"it is damaged: {error}") from error
    except BaseException:
        file.close()
        raise
    return StateFile(file, manifest)


def _check_seal(file: BinaryIO) -> None:
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(4) != b"PK\3\4":
        raise StateError("it is no saved state of chaser-emulator")
    file.seek(max(0, size - _SEALED))
    seal = file.read()
    if not seal.startswith(_SEAL):
        raise StateError("it is damaged, or no saved state: it was cut short, or goes on after its end")
    file.seek(0)
    sha256, left = hashlib.sha256(), size - _SEALED
    while left and (chunk := file.read(min(_CHUNK, left))):
        sha256.update(chunk)
        left -= len(chunk)
    if _SEAL + sha256.hexdigest().encode() != seal:
        raise StateError("it is damaged: its content has changed since it was saved, which its checksum shows")


def _manifest(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> Manifest:
    info = members.get(_MANIFEST)
    if info is None:
        raise StateError(f"it is damaged, or no saved state: {_MANIFEST} is missing")
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > _LARGEST_MANIFEST:
        raise StateError(f"it is damaged: {_MANIFEST} is compressed or too large")
    try:
        said = json.loads(archive.read(info))
        # What a newer one says besides is for newer emulators; its numbers say that it is newer.
        known = {name: said[name] for name in Manifest.__dataclass_fields__ if name in said}
        manifest = Manifest(**known)
        whole = (
            all(type(number) is int for number in (manifest.format, manifest.form))
            and isinstance(manifest.disks, bool)
            and isinstance(manifest.clock, dict)
            and all(type(one["bytes"]) is int and _SHA256.fullmatch(one["sha256"]) for one in manifest.members.values())
            and (manifest.secrets is None or isinstance(manifest.secrets, dict))
            and all(isinstance(getattr(manifest, name), str) for name in _TEXTS)
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StateError(f"it is damaged: {_MANIFEST} cannot be read: {error}") from error
    if not whole:
        raise StateError(f"it is damaged: {_MANIFEST} says what it cannot say")
    return manifest


def _refuse_newer(manifest: Manifest, form: int) -> None:
    if manifest.format > FORMAT or manifest.form > form:
        what = (
            f"format {manifest.format}, form {manifest.form}" if manifest.format > FORMAT else f"form {manifest.form}"
        )
        known = f"format {FORMAT}, form {form}" if manifest.format > FORMAT else str(form)
        raise StateError(
            f"it was saved by chaser-emulator {manifest.emulator}, {what}; this one, {__version__}, knows {known}"
        )


def _check_members(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], manifest: Manifest) -> None:
    listed, there = set(manifest.members), set(members) - {_MANIFEST}
    if missing := sorted(listed - there) or ([] if DATABASE in listed else [DATABASE]):
        raise StateError(f"it is damaged: {missing[0][:100]} is missing")
    if extra := sorted(there - listed):
        raise StateError(f"it is damaged: {extra[0][:100]!r} is in it, which its manifest does not know")
    for name, info in members.items():
        if name not in (DATABASE, _MANIFEST) and _DISK.fullmatch(name) is None:
            raise StateError(f"{name[:100]!r} is no member that a saved state has")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise StateError(f"it is damaged: {name} is compressed, as no saved state is")
    size = archive.fp.seek(0, 2) if archive.fp is not None else 0
    if sum(info.file_size for info in members.values()) > size:
        raise StateError("it is damaged: its members would take more room than the file has")
    for name, said in manifest.members.items():
        sha256, read = hashlib.sha256(), 0
        with archive.open(members[name]) as file:
            while chunk := file.read(_CHUNK):
                sha256.update(chunk)
                read += len(chunk)
        if (read, sha256.hexdigest()) != (said["bytes"], said["sha256"]):
            raise StateError(f"it is damaged: {name} is not what was saved")
