"""The command `chaser-contract record`: a proxy in front of a Chaser, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("file", metavar="FILE.har", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--to", required=True, metavar="URL", help="The Chaser whose answers are recorded.")
@click.option("--port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--force", is_flag=True, help="Write over a recording that is there.")
def record(file: Path, to: str, port: int, host: str, force: bool) -> int:
    """Record what is asked of a Chaser, and answered, without secrets; stop with Ctrl-C.

    Set CHASER_API_URL to the address that is printed, and run what is to be recorded. The file can be replayed at any
    moment, by `chaser-contract parity --cassette FILE.har`.
    """
    # Imported on use, as the command line is there for other things too.
    from chaser_contract.recording.serving import Recorder

    if not to.startswith(("http://", "https://")):
        raise click.UsageError("--to is a URL, such as https://api.chaser.sh")
    if file.exists() and not force:
        raise click.ClickException(f"{file} is there already; --force writes over it")
    try:
        recorder = Recorder(to, file, host, port)
    except OSError as error:
        raise click.ClickException(f"{error.filename or f'{host}:{port}'}: {error.strerror}") from None
    click.echo(f"recording {to} into {file}; stop with Ctrl-C\nexport CHASER_API_URL={recorder.url}")
    recorder.run()
    exchanges = "1 exchange" if recorder.entries == 1 else f"{recorder.entries} exchanges"
    click.echo(f"{exchanges} in {file}")
    return 0
