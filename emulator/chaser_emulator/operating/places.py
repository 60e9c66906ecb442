"""Which emulator a command is for, and which of its worlds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from chaser_emulator import whereabouts
from chaser_emulator.options import KEY, is_loopback, option

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Place:
    """Where an emulator is, the key to show there (None: nothing is asked for), and the world that is meant."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    world: str | None = None

    def headers(self) -> dict[str, str]:
        found = {} if self.api_key is None else {"Authorization": f"Bearer {self.api_key}"}
        return found if self.world is None else found | {"X-Chaser-World": self.world}


PLACE = {
    "data_dir": option(
        "--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Data directory of the emulator meant."
    ),
    "url": click.option("--url", envvar="CHASER_API_URL", help="Address of the emulator meant; else CHASER_API_URL."),
    "api_key": click.option(
        "--api-key", envvar="CHASER_API_KEY", help="Its key, or that of a world; else CHASER_API_KEY."
    ),
    "world": option("--world", help="World meant, by its id."),
}
"""The options that say which emulator is meant, by the names of their values."""


def place_options(*names: str) -> Callable[[F], F]:
    """Some of them for a command."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            command = PLACE[name](command)
        return command

    return decorate


def place_of(ctx: click.Context, values: Mapping[str, Any]) -> Place:
    """What these options mean: the closest one said counts, and nothing at all means the emulator that runs.

    Raises UsageError, and ClickException where none runs.
    """
    url, key, world = url_of(ctx, values), values.get("api_key"), values.get("world")
    if url is not None:
        if key is not None and not KEY.match(key):
            raise click.UsageError("--api-key: a key is one word of printable ASCII characters", ctx)
        return Place(url, key, world)
    if _is_said(ctx, "data_dir") and not _is_said(ctx, "api_key"):
        # That of the environment goes with the address of the environment.
        key = None
    folder = values.get("data_dir") or (ctx.find_root().obj or {}).get("data_dir") or whereabouts.default_data_dir()
    try:
        note = whereabouts.find(Path(folder))
    except whereabouts.NotRunningError as error:
        raise click.ClickException(str(error)) from None
    return Place(note["url"], key or note["api_key"], world)


def url_of(ctx: click.Context, values: Mapping[str, Any]) -> str | None:
    """The address that is meant; None: the one that runs on a folder. Raises UsageError."""
    url: str | None = values.get("url")
    if _is_said(ctx, "data_dir"):
        if _is_said(ctx, "url"):
            raise click.UsageError("--url and --data-dir exclude each other", ctx)
        return None
    if url is None:
        return None
    url = url.rstrip("/")
    if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname:
        raise click.UsageError(f"--url {url}: an http:// or https:// address is needed", ctx)
    return url


def runs_at(folder: Path, url: str) -> bool:
    """Whether the emulator that runs on a folder answers at an address, by whatever name of this machine."""
    try:
        there, meant = urlsplit(whereabouts.find(folder)["url"]), urlsplit(url)
        same_port = (there.scheme, there.port) == (meant.scheme, meant.port)
    except (whereabouts.NotRunningError, ValueError):
        return False
    hosts = {there.hostname or "", meant.hostname or ""}
    return same_port and (len(hosts) == 1 or all(map(is_loopback, hosts)))


def _is_said(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
