"""What is in a folder of a sandbox: looked up from outside it, or read from what `stat` said inside."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator

from chaser_emulator.sandbox import FileEntry, FileListing, NotAFolder, PathNotFound
from chaser_emulator.sandbox.beneath import Spot, View, locate_folder, walk
from chaser_emulator.sandbox.looking import Names, kind_of, opened

_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def read(view: View, path: str, *, recursive: bool, limit: int) -> FileListing:
    """A folder as the sandbox sees it, level by level. It blocks; the engine's own refusals as of `list_files`."""
    spot = locate_folder(view, path)
    top = _open(spot)
    try:
        found: list[tuple[Names, int, int]] = []
        level: list[Names] = [()]
        while level:
            inner: list[Names] = []
            for names in level:
                if len(found) > limit:
                    break
                seen = _within(top, names)
                found += seen
                inner += [below for below, mode, _ in seen if recursive and stat.S_ISDIR(mode)]
            level = inner if len(found) <= limit else []
    finally:
        os.close(top)
    return _listing(found, limit, whole=True)


def of_stat(text: bytes, limit: int, *, whole: bool) -> FileListing:
    """What `stat -c '%f %s /%n'` said of `./…` paths; not `whole` when it was cut off."""
    return _listing(_parsed(text if whole else text[: text.rfind(b"\n") + 1]), limit, whole=whole)


def _parsed(text: bytes) -> Iterator[tuple[Names, int, int]]:
    fields, *rest = text.split(b"/./")
    for piece in rest:
        name, _, following = piece.rpartition(b"\n")
        words = fields.split()
        if name and len(words) == 2:
            yield tuple(os.fsdecode(name).split("/")), int(words[0], 16), int(words[1])
        fields = following


def _listing(found: Iterable[tuple[Names, int, int]], limit: int, *, whole: bool) -> FileListing:
    """Of all that was found what is nearest to the folder, in the order of a tree."""
    nearest = sorted(found, key=lambda one: (len(one[0]), one[0]))
    entries = [_entry(*one) for one in sorted(nearest[:limit])]
    return FileListing(entries, truncated=len(nearest) > limit or not whole)


def _entry(names: Names, mode: int, size: int) -> FileEntry:
    # A name need not be UTF-8, but what is listed has to be.
    path = os.fsencode("/".join(names)).decode("utf-8", "replace")
    kind = kind_of(mode)
    return FileEntry(path, kind, size if kind == "file" else None)


def _open(spot: Spot) -> int:
    try:
        folder, _dot = walk(spot)
        try:
            return os.open(".", _FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
    except FileNotFoundError:
        raise PathNotFound(f"There is no folder {spot.path}.") from None
    except NotADirectoryError:
        raise NotAFolder(f"{spot.path} is no folder.") from None
    except OSError as error:
        raise NotAFolder(f"{spot.path} cannot be listed: {error.strerror}.") from None


def _within(top: int, names: Names) -> list[tuple[Names, int, int]]:
    """The entries of a folder below an open one; none of one that has gone, or that may not be read."""
    found = []
    # Step by step: nobody can swap a folder for a link in between.
    with contextlib.suppress(OSError), opened(top, names) as here, os.scandir(here) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                seen = entry.stat(follow_symlinks=False)
                found.append(((*names, entry.name), seen.st_mode, seen.st_size))
    return found
