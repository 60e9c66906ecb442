"""The options of `chaser-contract run` for a real service, and what they say together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from chaser_contract.live import Live
from chaser_contract.live.budget import Limits

F = TypeVar("F", bound=Callable[..., Any])

_LIMITS = Limits()
_FILE = click.Path(dir_okay=False, path_type=Path)

_OPTIONS = (
    click.option(
        "--allow", multiple=True, metavar="NAME",
        help="Live: an operation, a tag, or `writes`, which may be called; a run only reads else. May be repeated.",
    ),
    click.option("--max-sessions", type=click.IntRange(0), help=f"Live: sessions; {_LIMITS.sessions}."),
    click.option(
        "--max-minutes", type=click.FloatRange(0), help=f"Live: of sandbox time, all together; {_LIMITS.minutes:g}."
    ),
    click.option("--max-dollars", type=click.FloatRange(0), help=f"Live: by the price table; {_LIMITS.dollars:g}."),
    click.option(
        "--max-requests-per-second", type=click.FloatRange(0, min_open=True),
        help=f"Live: how fast; {_LIMITS.requests_per_second:g}.",
    ),
    click.option("--max-requests", type=click.IntRange(1), help=f"Live: how many; {_LIMITS.requests:,}."),
    click.option("--ledger", type=_FILE, help="Live: where to note what is made; a file of the run's own."),
    click.option("--alone", is_flag=True, help="Live: nobody else uses the account; what appears is the run's."),
)  # fmt: skip


def live_options(command: F) -> F:
    """Add them to a command, which gets them all as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def live_of(profile: str, url: str | None, said: dict[str, Any]) -> Live:
    """What they say; they are taken out of `said`. Raises UsageError where they are not for this target."""
    from chaser_contract.document import bundled
    from chaser_contract.live import effects

    names = [name for option in _OPTIONS for name in _names(option)]
    given = {name: said.pop(name) for name in names}
    if profile != "live":
        used = [f"--{name.replace('_', '-')}" for name, value in given.items() if value not in (None, (), False)]
        if used:
            raise click.UsageError(f"{used[0]} is for a real service: --profile live")
        return Live()
    if url is None:
        raise click.UsageError("--profile live takes a --url")
    for name, near in effects.unknown(bundled(), given["allow"]).items():
        meant = f"; {', '.join(near)}?" if near else ""
        raise click.UsageError(f"--allow: there is no operation and no tag {name!r}{meant}")
    limits = {name.removeprefix("max_"): value for name, value in given.items() if name.startswith("max_")}
    return Live(
        allow=frozenset(given["allow"]),
        limits=Limits(**{name: value for name, value in limits.items() if value is not None}),
        ledger=given["ledger"],
        alone=given["alone"],
    )


def _names(option: Callable[..., Any]) -> list[str]:
    """The names of the arguments that an option gives."""

    @option
    def probe() -> None: ...

    return [one.name for one in probe.__click_params__ if one.name]
