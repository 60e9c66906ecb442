"""The command `seed`: a seed, with the files beside it, to an emulator that runs."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import click

from chaser_emulator.operating.asking import Asked, ask
from chaser_emulator.operating.places import place_of, place_options


@click.command("seed", short_help="Apply a seed.")
@click.argument("seed", metavar="FILE|NAME")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
@place_options("data_dir", "url", "api_key", "world")
def command(seed: str, *, as_json: bool, **place: Any) -> None:
    """Make everything that a seed names, or nothing of it; print the ids by the names that it gives.

    FILE is YAML or JSON; - is standard input. NAME is a ready seed: `seeds list` shows them. Files that the seed names
    by `from` are read from beside it.
    """
    from chaser_emulator.seeding.inlining import inlined, sendable
    from chaser_emulator.seeding.problems import SeedError
    from chaser_emulator.seeding.text import read

    where = place_of(click.get_current_context(), place)
    try:
        if seed == "-":
            name = "standard input"
            beside = read(sys.stdin.buffer.read(), name)
            text = inlined(beside, lambda path: Path(path).read_bytes()).encode()
        else:
            name, text = sendable(seed)
    except SeedError as error:
        raise click.ClickException(str(error)) from None
    asked = Asked("POST", "/seed", [("file", name)], file=io.BytesIO(text), media_type="application/yaml")
    with ask(where, asked) as answer:
        ids = json.loads(answer.read())
    if as_json:
        click.echo(json.dumps(ids))
        return
    for section, named in ids.items():
        for one, told in named.items():
            click.echo(f"{section}  {one}  " + (told if isinstance(told, str) else "  ".join(told.values())))
