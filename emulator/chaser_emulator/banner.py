"""What the emulator says once it is ready: where it is, how to reach it, what runs the sandboxes, what to try."""

from __future__ import annotations

import sys

from rich.console import Console

from chaser_emulator.server import Running
from chaser_emulator.settings import Settings


def print_banner(running: Running, settings: Settings) -> None:
    """Print the start-up lines to standard output, in colour where that is a terminal."""
    out = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    info = running.world.engine_info
    data = settings.data_dir or "a temporary folder, removed at the end"
    out.print(f"[bold green]Chaser is ready[/] at [bold]{running.url}[/]\n")
    out.print(f"export CHASER_API_URL={running.url}", markup=False)
    out.print(f"export CHASER_API_KEY={running.api_key}\n", markup=False)
    out.print(f"Sandboxes: {info.name} ({info.version}). {info.isolation}", markup=False)
    if running.world.engine_reason:
        out.print(f"           {running.world.engine_reason}", markup=False)
    for warning in info.warnings:
        out.print(f"[yellow]Note:[/] {warning}")
    out.print(f"Data:      {data}\n", markup=False)
    out.print("Try:")
    out.print(
        f"  curl -s {running.url}/v1/exec -H 'Authorization: Bearer {running.api_key}' "
        """-H 'Content-Type: application/json' -d '{"command": "echo hello from $(hostname)"}'""",
        markup=False,
    )
    out.print(f"  open {running.url}/swagger-ui", markup=False)
    out.print("Ctrl-C stops it.")
    sys.stdout.flush()
