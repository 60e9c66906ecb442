"""What is on a volume, found out by a container of a moment: its commands, and what they have written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from . import DiskEntry, NotAFolder
from .looking import Look, kind_of, no_folder

OUT: Final = "/chaser-look"
"""The folder of the container where they write."""

# Tells what is at a path, unless a link is on the way to it.
KIND: Final = """
kind_of() {
    [ -L "$1" ] && { echo symlink; return; }
    [ -e "$1" ] || { echo missing; return; }
    [ "$(readlink -f "$1"; echo .)" = "$1
." ] || { echo through; return; }
    [ -f "$1" ] && { echo file; return; }
    [ -d "$1" ] && echo directory || echo other
}
"""

# $1: the folder; $2: `-prune` for what is in it alone; $3: not empty for digests. No name has a slash, so `/./` before
# each path tells where it starts; and none a NUL, which ends what `stat` and `sha1sum` cannot say of odd names.
_LOOK: Final = (
    KIND
    + r"""
kind=$(kind_of "$1")
[ "$kind" = directory ] && cd "$1" || { echo "$kind"; exit; }
export LC_ALL=C
line='
'
mkdir /chaser-look || exit 1
find . ! -name . $2 -exec stat -c '%f %s %Y /%n' {} + >/chaser-look/found 2>/dev/null
find . ! -name . $2 -type l -exec sh -c '
    for one; do printf "%s\0" "$one"; readlink "$one"; printf "\0"; done' sh {} + >/chaser-look/links 2>/dev/null
if [ -n "$3" ]; then
    find . -type f ! -path '*\\*' ! -path "*$line*" -exec sha1sum {} + >/chaser-look/sums 2>/dev/null
    find . -type f \( -path '*\\*' -o -path "*$line*" \) -exec sh -c '
        for one; do printf "%s\0" "$one"; sha1sum <"$one"; printf "\0"; done' sh {} + >/chaser-look/odd 2>/dev/null
fi
echo directory
"""
)


def command(place: str, *, recursive: bool, digests: bool) -> list[str]:
    """What looks into a folder; it prints `directory` when it could."""
    return ["sh", "-c", _LOOK, "sh", place, "" if recursive else "-prune", "yes" if digests else ""]


def require_folder(kind: str, folder: str) -> None:
    """Raise PathNotFound or NotAFolder for what was printed, unless it was a folder."""
    if kind == "missing":
        raise no_folder(folder)
    if kind != "directory":
        raise NotAFolder(f"{folder} is no folder; links are not followed here.")


def entries_of(written: Mapping[str, bytes], folder: str) -> list[DiskEntry]:
    """What was found in a folder of a disk. Raises TooMuch."""
    targets = {name: target.removesuffix(b"\n") for name, target in _pairs(written.get("links", b""))}
    digests = {name: line.split(b" ")[0] for name, line in _pairs(written.get("odd", b""))}
    for line in written.get("sums", b"").split(b"\n"):
        plain, _, path_inside = line.partition(b"  ")
        digests[path_inside] = plain
    look = Look()
    start = f"{folder}/" if folder else ""
    for name, mode, size, modified in _stats(written.get("found", b"")):
        path = start + os.fsdecode(name)
        entry = DiskEntry(path, kind_of(mode), None, stat.S_IMODE(mode), modified)
        inside = b"./" + name
        if entry.kind == "file":
            digest = digests.get(inside)
            entry = replace(entry, size=size, digest=digest.decode() if digest else None)
        elif entry.kind == "symlink":
            entry = replace(entry, target=os.fsdecode(targets.get(inside, b"")))
        look.add(entry)
    return look.all()


def _pairs(written: bytes) -> Iterator[Sequence[bytes]]:
    words = written.split(b"\0")
    return zip(words[::2], words[1::2], strict=False)


def _stats(written: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """Name, mode, size and time of each line of `stat`, whose names may hold ends of lines."""
    fields, *rest = written.split(b"/./")
    for piece in rest:
        name, _, following = piece.rpartition(b"\n")
        words = fields.split()
        if name and len(words) == 3:
            yield name, int(words[0], 16), int(words[1]), int(words[2])
        fields = following
