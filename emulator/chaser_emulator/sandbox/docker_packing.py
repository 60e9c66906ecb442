"""A folder of this machine as the archive that a container engine unpacks, made piece by piece while it is sent."""

from __future__ import annotations

import os
import stat
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CHUNK: Final = 256 * 1024
_BLOCK: Final = 512


def until(given_up: threading.Event, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces for as long as somebody wants them. Raises OSError."""
    for piece in pieces:
        if given_up.is_set():
            raise OSError("given up")
        yield piece


def packed(folder: Path, place: str, uid: int, gid: int) -> Iterator[bytes]:
    """A folder as a tar archive, piece by piece: all but devices and sockets, links as links, no link followed.

    It is unpacked to `place`, a relative path.
    """
    first: dict[tuple[int, int], str] = {}

    def head(info: tarfile.TarInfo) -> bytes:
        info.uid, info.gid, info.uname, info.gname = uid, gid, "", ""
        return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")

    for top, folders, names in os.walk(folder, followlinks=False):
        inside = os.path.relpath(top, folder)
        here = [place] if inside == "." else [place, inside]
        if inside == ".":
            yield head(_entry_of(os.lstat(top), place))
        for name in sorted(folders) + sorted(names):
            path, entry = os.path.join(top, name), os.path.join(*here, name)
            state = os.lstat(path)
            info = _entry_of(state, entry)
            if stat.S_ISLNK(state.st_mode):
                info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
            elif stat.S_ISFIFO(state.st_mode):
                info.type = tarfile.FIFOTYPE
            elif stat.S_ISREG(state.st_mode):
                known = first.setdefault((state.st_dev, state.st_ino), entry)
                if known != entry:
                    info.type, info.linkname = tarfile.LNKTYPE, known
                else:
                    info.size = state.st_size
                    yield head(info)
                    yield from _content(path, state.st_size)
                    continue
            elif not stat.S_ISDIR(state.st_mode):
                continue
            yield head(info)
    yield bytes(2 * _BLOCK)


def _entry_of(state: os.stat_result, name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = stat.S_IMODE(state.st_mode), int(state.st_mtime)
    if stat.S_ISDIR(state.st_mode):
        info.type = tarfile.DIRTYPE
    return info


def _content(path: str, size: int) -> Iterator[bytes]:
    left = size
    with open(path, "rb") as file:
        while left and (data := file.read(min(_CHUNK, left))):
            left -= len(data)
            yield data
    yield bytes(left + -size % _BLOCK)
