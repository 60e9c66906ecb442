"""Where a path of a sandbox leads on the host, without ever following a link out of the place it belongs to."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaser_emulator.sandbox import WORKSPACE_ROOT, BadPath, NotAFile, NotAFolder

_LINKS = 40  # as many as the kernel follows
_KERNELS = ("proc", "sys", "dev")
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True)
class Place:
    """A folder of the sandbox (`at`) that is `folder` on the host, and where uploads to it wait until they are whole.

    Links that lead out of it are refused.
    """

    at: str
    folder: Path
    staging: Path


@dataclass(frozen=True)
class View:
    """What a sandbox sees: its own places, and below `rest` everything else, to be read only."""

    places: Sequence[Place]
    rest: Path


@dataclass(frozen=True)
class Spot:
    """A path, taken apart: its place, the names below it, and whether files can be stored there."""

    place: Place
    parts: tuple[str, ...]
    writable: bool
    path: str


def locate(view: View, path: str) -> Spot:
    """The place that the path of a file belongs to."""
    stack = _names(path)
    if path.split("/")[-1] in ("", ".", ".."):
        raise NotAFile(f"{path} names a folder.")
    for place in view.places:
        at = place.at.strip("/").split("/")
        if stack[: len(at)] == at:
            if len(stack) == len(at):
                raise NotAFile(f"{path} is a folder.")
            return Spot(place, tuple(stack[len(at) :]), True, path)
    if stack and stack[0] in _KERNELS:
        raise NotAFile(f"{path} is no regular file.")
    return Spot(Place("/", view.rest, view.rest), tuple(stack), False, path)


def locate_folder(view: View, path: str) -> Spot:
    """As `locate`, for a folder: it ends in a dot, so that `walk` goes into the folder itself."""
    stack = _names(path)
    for place in view.places:
        at = place.at.strip("/").split("/")
        if stack[: len(at)] == at:
            return Spot(place, (*stack[len(at) :], "."), True, path)
    if stack and stack[0] in _KERNELS:
        raise NotAFolder(f"{path} is the kernel's, and is not listed.")
    return Spot(Place("/", view.rest, view.rest), (*stack, "."), False, path)


def _names(path: str) -> list[str]:
    """The names on the way to a path. `..` is resolved by name, as in a URL, and may not leave /workspace."""
    if not path or "\0" in path:
        raise BadPath("A path is not empty and holds no NUL character.")
    names = path.split("/")
    if len(os.fsencode(path)) > 4095 or any(len(os.fsencode(name)) > 255 for name in names):
        raise BadPath("The path is too long.")
    home = WORKSPACE_ROOT.strip("/")
    stack = [] if path.startswith("/") else [home]
    for name in names:
        if name == "..":
            if stack == [home]:
                raise BadPath(f"{path} climbs out of {WORKSPACE_ROOT}.")
            del stack[-1:]
        elif name not in ("", "."):
            stack.append(name)
    return stack


def walk(spot: Spot, *, create: bool = False) -> tuple[int, str]:
    """A descriptor of the folder where the path ends, and the last name, which is no link. The caller closes it.

    Step by step with descriptors, never through a link, so that nobody can swap a folder for a link in between.
    """
    at = [name for name in spot.place.at.split("/") if name]
    fds = [os.open(spot.place.folder, _FOLDER)]
    todo = list(reversed(spot.parts))
    links = 0
    try:
        while True:
            name = todo.pop()
            if name == "..":
                if len(fds) > 1:
                    os.close(fds.pop())
                elif at:
                    raise BadPath(f"{spot.path} leaves {spot.place.at} by a link.")
            elif (target := _link(name, fds[-1])) is not None:
                links += 1
                if links > _LINKS:
                    raise BadPath(f"{spot.path} goes through too many links.")
                steps = [step for step in target.split("/") if step not in ("", ".")]
                if target.startswith("/"):
                    if steps[: len(at)] != at:
                        raise BadPath(f"{spot.path} leaves {spot.place.at} by a link.")
                    steps = steps[len(at) :]
                    while len(fds) > 1:
                        os.close(fds.pop())
                todo += reversed(steps)
            elif todo:
                fds.append(_step(name, fds[-1], create))
            else:
                return fds.pop(), name
            if not todo:
                raise NotAFile(f"{spot.path} is a folder.")
    finally:
        for fd in fds:
            os.close(fd)


def _link(name: str, folder: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


def _step(name: str, folder: int, create: bool) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):  # somebody else may just have made it
        os.mkdir(name, 0o755, dir_fd=folder)
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
