"""What a repository's devcontainer.json asks for: JSON with comments, read with care, as a stranger wrote it."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaser_emulator.shapes import DevcontainerBootstrap

_LARGEST = 64 * 1024
_FOLDER, _FILE = ".devcontainer", "devcontainer.json"


def read(repository: Path) -> DevcontainerBootstrap | None:
    """What the first such file says; None without one, and where it is no regular file, too large or broken."""
    for path in _places(repository):
        try:
            data = _content(repository, path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return None
        return _understood("/".join(path), data)
    return None


def _places(repository: Path) -> Iterator[tuple[str, ...]]:
    """Where the file may be, in the order of its specification; a folder that is a link leads nowhere."""
    yield _FOLDER, _FILE
    yield (f".{_FILE}",)
    folder = repository / _FOLDER
    if folder.is_dir() and not folder.is_symlink():
        for name in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)):
            yield _FOLDER, name, _FILE


def _content(repository: Path, path: tuple[str, ...]) -> bytes:
    """The bytes of a regular file below a folder, with no link followed on the way. Raises OSError."""
    place = os.open(repository, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in path[:-1]:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
            os.close(place)
            place = inner
        file = os.open(path[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    finally:
        os.close(place)
    with open(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError("no regular file")
        return opened.read(_LARGEST + 1)


def _understood(path: str, data: bytes) -> DevcontainerBootstrap | None:
    import json5  # for imports alone

    if len(data) > _LARGEST:
        return None
    try:
        said = json5.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    build = said.get("build")
    dockerfile = build.get("dockerfile") if isinstance(build, dict) else None
    return {
        "path": path,
        "image": _text(said.get("image")),
        "dockerfile": _text(dockerfile) or _text(said.get("dockerFile")),
        "workspace_folder": _text(said.get("workspaceFolder")),
        "post_create_command": _command(said.get("postCreateCommand")),
        "forward_ports": _ports(said.get("forwardPorts")),
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _command(value: Any) -> str | None:
    """One line for a shell: as it stands, from its words, or all of several commands with names."""
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return shlex.join(value)
    if isinstance(value, dict):
        lines = [line for one in value.values() if not isinstance(one, dict) and (line := _command(one)) is not None]
        return " && ".join(lines) or None
    return _text(value)


def _ports(value: Any) -> list[int]:
    """The numbers; `host:port` names a port of another machine."""
    listed = value if isinstance(value, list) else []
    return [port for port in listed if isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536]
