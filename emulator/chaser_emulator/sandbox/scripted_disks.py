"""The disks of the scripted engine as archives: regular files alone, as it knows no others."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Mapping
from typing import BinaryIO

from chaser_emulator.sandbox import WORKSPACE_ROOT, DiskFull, archives

MOST = 1 << 30
"""Bytes of one disk that are taken into memory."""


def write(files: Mapping[str, bytes], to: BinaryIO) -> None:
    """Write files, by their paths in a workspace, with the folders that they are in."""
    to.write(archives.head(archives.ROOT, tarfile.DIRTYPE, 0o755))
    made = {archives.ROOT}
    for path, content in sorted(files.items()):
        name = posixpath.join(archives.ROOT, posixpath.relpath(path, WORKSPACE_ROOT))
        steps = name.split("/")
        for depth in range(2, len(steps)):
            folder = "/".join(steps[:depth])
            if folder not in made:
                made.add(folder)
                to.write(archives.head(folder, tarfile.DIRTYPE, 0o755))
        to.write(archives.head(name, tarfile.REGTYPE, 0o644, len(content)))
        to.write(content + bytes(-len(content) % tarfile.BLOCKSIZE))
    to.write(archives.END)


def read(archive: BinaryIO) -> dict[str, bytes]:
    """The regular files of an archive that was checked; of links only other names of them. Raises DiskFull."""
    found: dict[str, bytes] = {}
    size = 0
    with archives.reading(archive) as tar:
        for info in tar:
            path = posixpath.join(WORKSPACE_ROOT, posixpath.relpath(info.name, archives.ROOT))
            if info.islnk():
                found[path] = found[posixpath.join(WORKSPACE_ROOT, posixpath.relpath(info.linkname, archives.ROOT))]
            elif info.isreg():
                size += info.size
                if size > MOST:
                    raise DiskFull(
                        f"The scripted engine keeps files in memory, and no more than {MOST} bytes of a disk."
                    )
                content = tar.extractfile(info)
                found[path] = content.read() if content is not None else b""
    return found
