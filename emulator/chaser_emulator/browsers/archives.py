"""Archives of extensions: read by what they hold, not by their name, and nothing in them is taken on trust."""

from __future__ import annotations

import gzip
import io
import json
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

LIMIT = 16 * 2**20
"""Bytes of an archive."""

UNPACKED_LIMIT = 64 * 2**20
ENTRIES = 10_000
_NAME = 1024
_DEPTH = 32
_PART = 255
_MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 2**20


class BadArchive(Exception):
    """It is no archive of an extension. The text says why, and what is accepted."""


@dataclass(frozen=True)
class Extension:
    """An extension out of its archive: what its manifest says, and its files by their path below it."""

    name: str
    version: str
    key: str | None
    files: dict[str, bytes]


def read(source: IO[bytes]) -> Extension:
    """Take an archive apart. Raises BadArchive."""
    files = _checked(_entries(source))
    manifests = [path for path in files if path == _MANIFEST or path.endswith(f"/{_MANIFEST}")]
    if _MANIFEST not in files:
        tops = {path.partition("/")[0] for path in files}
        [top] = tops if len(tops) == 1 else [""]
        if f"{top}/{_MANIFEST}" not in manifests:
            raise BadArchive(f"has no {_MANIFEST}; it must be at the top, or inside a folder that holds everything")
        files = {path.removeprefix(f"{top}/"): data for path, data in files.items()}
    manifest = _manifest(files[_MANIFEST])
    return Extension(manifest["name"].strip(), manifest["version"], manifest.get("key"), files)


def tar_of(extension: Extension) -> bytes:
    """The same files as a plain tar archive, with nothing in it but files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, data in extension.files.items():
            entry = tarfile.TarInfo(f"./{path}")
            entry.size = len(data)
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _entries(source: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Every file of the archive, in its order; folders are left out, anything else is refused."""
    head = source.read(4)
    source.seek(0)
    if head.startswith(b"PK"):
        yield from _of_zip(source)
    elif head.startswith(b"Cr24"):
        raise BadArchive("is a .crx file; a .zip, .tar or .tar.gz is accepted")
    elif head.startswith(b"\x1f\x8b"):
        yield from _of_tar(_gunzipped(source))
    else:
        yield from _of_tar(source)


def _of_zip(source: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, EOFError) as error:
        raise BadArchive(f"is a broken zip file: {error}") from None
    with archive:
        entries = archive.infolist()
        if len(entries) > ENTRIES:
            raise _too_many()
        left = UNPACKED_LIMIT
        for entry in entries:
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise BadArchive(
                    f"holds {entry.filename!r}, which is a link or a device; files and folders are accepted"
                )
            if entry.is_dir() or kind == stat.S_IFDIR:
                _path(entry.filename)
                continue
            if entry.flag_bits & 1:
                raise BadArchive(f"holds {entry.filename!r}, which wants a password")
            try:
                with archive.open(entry) as file:
                    # What an entry says of its size is a claim; only what comes out counts.
                    data = file.read(left + 1)
            except (
                zipfile.BadZipFile,
                NotImplementedError,
                OSError,
                ValueError,
                EOFError,
                zlib.error,
                RuntimeError,
            ) as error:
                raise BadArchive(f"is a broken zip file: {error}") from None
            left -= len(data)
            if left < 0:
                raise _too_large()
            yield entry.filename, data


def _of_tar(source: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    left = UNPACKED_LIMIT
    count = 0
    try:
        with tarfile.open(fileobj=source, mode="r:") as archive:
            for entry in archive:
                count += 1
                if count > ENTRIES:
                    raise _too_many()
                if entry.isdir():
                    _path(entry.name)
                    continue
                if not entry.isreg() or entry.issparse():
                    raise BadArchive(
                        f"holds {entry.name!r}, which is a link or a device; files and folders are accepted"
                    )
                left -= entry.size
                if left < 0:
                    raise _too_large()
                file = archive.extractfile(entry)
                data = file.read() if file is not None else b""
                if len(data) != entry.size:
                    raise BadArchive(f"ends in the middle of {entry.name!r}")
                yield entry.name, data
    except tarfile.ReadError as error:
        raise BadArchive(f"is no .zip, .tar or .tar.gz file: {error}") from None
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise BadArchive(f"is a broken tar file: {error}") from None


def _gunzipped(source: IO[bytes]) -> IO[bytes]:
    # Room for the headers of a tar archive, which are no content.
    limit = UNPACKED_LIMIT + ENTRIES * 2048
    try:
        with gzip.open(source) as file:
            data = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadArchive(f"is a broken gzip file: {error}") from None
    if len(data) > limit:
        raise _too_large()
    return io.BytesIO(data)


def _checked(entries: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    for name, data in entries:
        path = _path(name)
        if path in files:
            raise BadArchive(f"holds {path!r} twice")
        files[path] = data
        parts = path.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    if clash := folders & files.keys():
        raise BadArchive(f"holds {min(clash)!r} as a file and as a folder")
    return files


def _path(name: str) -> str:
    """A name as a plain relative path. Raises BadArchive for one that leads elsewhere, or that no disk would take."""
    shown = name[:100]
    if "\0" in name or "\\" in name or any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise BadArchive(f"holds the name {shown!r}; control characters and backslashes are not accepted")
    if name.startswith("/") or (len(name) > 1 and name[1] == ":" and name[0].isalpha()):
        raise BadArchive(f"holds the absolute name {shown!r}; names below the extension's folder are accepted")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadArchive(f"holds the name {shown!r}, which leads out of it by '..'")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        raise BadArchive(f"holds the name {shown!r}, which is no UTF-8") from None
    if sum(sizes) > _NAME or len(parts) > _DEPTH or any(size > _PART for size in sizes):
        raise BadArchive(f"holds the name {shown!r}, which is too long or too deep")
    return "/".join(parts)


def _manifest(raw: bytes) -> dict[str, Any]:
    if len(raw) > _MANIFEST_LIMIT:
        raise BadArchive(f"has a {_MANIFEST} of more than 1 MiB")
    try:
        manifest = json.loads(_without_comments(raw.decode("utf-8-sig")))
    except (ValueError, RecursionError):
        raise BadArchive(f"has a {_MANIFEST} that is no JSON") from None
    if not isinstance(manifest, dict):
        raise BadArchive(f"has a {_MANIFEST} that is no JSON object")
    for field in ("name", "version"):
        if not isinstance(manifest.get(field), str) or not manifest[field].strip():
            raise BadArchive(f"has a {_MANIFEST} whose {field!r} is no text that says something")
    if isinstance(kind := manifest.get("manifest_version"), bool) or kind not in (2, 3):
        raise BadArchive(f"has a {_MANIFEST} whose 'manifest_version' is neither 3 nor 2")
    if not isinstance(manifest.get("key", ""), str):
        raise BadArchive(f"has a {_MANIFEST} whose 'key' is no text")
    return manifest


def _without_comments(text: str) -> str:
    """Chromium allows `//` comments in a manifest, outside of its texts."""
    lines = []
    for line in text.splitlines():
        inside = False
        end = len(line)
        position = 0
        while position < len(line):
            character = line[position]
            if inside and character == "\\":
                position += 1
            elif character == '"':
                inside = not inside
            elif not inside and line.startswith("//", position):
                end = position
                break
            position += 1
        lines.append(line[:end])
    return "\n".join(lines)


def _too_many() -> BadArchive:
    return BadArchive(f"holds more than {ENTRIES} files and folders")


def _too_large() -> BadArchive:
    return BadArchive(f"holds more than {UNPACKED_LIMIT // 2**20} MiB")
