"""Images: the one that a session asks for, pulled when the engine has not got it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from docker.errors import DockerException, NotFound
from docker.utils import parse_repository_tag

from . import SandboxUnavailable
from .docker_line import Line


@dataclass(frozen=True)
class Image:
    """An image that is there, and its user when that is not root."""

    id: str
    owner: str | None


async def have_image(line: Line, name: str, patience: float) -> Image:
    """An image, pulled if need be in `patience` seconds. SandboxUnavailable names it and gives the engine's reason."""

    def look() -> Image | None:
        try:
            found: dict[str, Any] = line.api.inspect_image(name)  # type: ignore[no-untyped-call]  # by its stubs
        except NotFound:
            return None
        user: str = found["Config"].get("User") or "root"
        return Image(found["Id"], None if user.partition(":")[0] in ("root", "0") else user)

    because = f"The image {name!r} cannot be had"
    found = await line.ask(look, because=because)
    if found is None:
        await _pull(line, name, patience, because)
        found = await line.ask(look, because=because)
    if found is None:
        raise SandboxUnavailable(f"{because}.")
    return found


async def _pull(line: Line, name: str, patience: float, because: str) -> None:
    given_up = threading.Event()

    def pull() -> None:
        repository, tag = parse_repository_tag(name)
        for event in line.slow_api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if "error" in event:
                raise DockerException(str(event["error"]))
            if given_up.is_set():
                return

    try:
        await line.ask(pull, patience, because=because)
    finally:
        given_up.set()
