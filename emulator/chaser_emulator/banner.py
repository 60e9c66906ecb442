"""What the emulator says once it is ready: where it is, how to reach it, what runs the sandboxes, what to try."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    # `env` prints two of these lines, and must not wait for a server to be imported.
    from chaser_emulator.server import Running
    from chaser_emulator.settings import Settings


def print_banner(running: Running, settings: Settings) -> None:
    """Print the start-up lines to standard output, in colour where that is a terminal."""
    world = running.world
    try:
        click.echo(
            f"{click.style('Chaser is ready', fg='green', bold=True)} at {click.style(running.url, bold=True)}\n"
        )
        click.echo(exports(running.url, running.api_key) + "\n")
        click.echo(f"Sandboxes: {world.engine_info.name} ({world.engine_info.version}). {world.engine_info.isolation}")
        if world.engine_reason:
            click.echo(f"           {world.engine_reason}")
        for warning in world.engine_info.warnings:
            click.echo(f"{click.style('Note:', fg='yellow')} {warning}")
        click.echo(f"Data:      {settings.data_dir or 'a temporary folder, removed at the end'}\n")
        click.echo("Try:")
        click.echo(
            f"  curl -s {running.url}/v1/exec -H {shlex.quote(f'Authorization: Bearer {running.api_key}')} "
            """-H 'Content-Type: application/json' -d '{"command": "echo hello from $(hostname)"}'"""
        )
        if running.ssh_port is not None:
            click.echo(f"  ssh -p {running.ssh_port} WORKSPACE@localhost   with a key registered at /v1/ssh-keys")
        click.echo(f"  open {running.url}/_emulator/   the console, which shows and steers it in a browser")
        click.echo(f"  open {running.url}/swagger-ui\nCtrl-C stops it.")
    except OSError:
        # Whoever read this has seen enough (`| head -1`); that is no reason to stop serving, nor to fail at the end.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.close(nothing)


def exports(url: str, api_key: str) -> str:
    """The two lines that point a client of Chaser here."""
    return f"export CHASER_API_URL={shlex.quote(url)}\nexport CHASER_API_KEY={shlex.quote(api_key)}"
