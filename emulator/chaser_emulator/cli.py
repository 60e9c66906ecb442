"""The command line: `chaser-emulator`, which serves, and the commands around a server."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from chaser_emulator import __version__, whereabouts
from chaser_emulator.operating.places import place_of, place_options, runs_at, url_of
from chaser_emulator.options import KEY, is_loopback, option, serving_options, settings_of, strength

# What serves is imported by the commands that serve: `env` and `stop` answer at once.

CONFIG = "chaser-emulator.toml"


class _Commands(click.Group):
    """`serve` is what is meant when no command is named; beside those of this module there are the operations'."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    # Commands that a running emulator carries out come from its document, which is read for none but them.

    def list_commands(self, ctx: click.Context) -> list[str]:
        from chaser_emulator.operating import tree

        return sorted({*super().list_commands(ctx), *tree.names()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        from chaser_emulator.operating import tree

        return tree.find(cmd_name)


def main() -> None:
    """Run the command line. Exit codes: 0, 1 for a failure, 2 for wrong usage; both with one line that says why."""
    # What is loaded stays, and to look for garbage in it meanwhile takes a fifth of a start. What goes on for long
    # takes it up again.
    gc.disable()
    try:
        code = commands.main(prog_name="chaser-emulator", standalone_mode=False)
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else "chaser-emulator"
        click.echo(f"chaser-emulator: {error.format_message()} (see {asked} --help)", err=True)
        code = error.exit_code
    except click.ClickException as error:
        click.echo(f"chaser-emulator: {error.format_message()}", err=True)
        code = error.exit_code
    except click.Abort:
        click.echo("chaser-emulator: given up", err=True)
        code = 1
    _leave(code if isinstance(code, int) else 0)


def _leave(code: int) -> NoReturn:
    """End the process. Python would wait for threads, of which some may wait for an engine that says nothing."""
    if threading.active_count() > 1:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _configured(ctx: click.Context) -> dict[str, Any]:
    """The keys of ./chaser-emulator.toml by parameter. A key that no flag has is an error."""
    path = Path(CONFIG)
    if not path.exists():
        return {}
    import tomllib

    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{CONFIG}: {error}", ctx) from None
    known = {str(option.name) for option in serve.params}
    values = {name.replace("-", "_"): value for name, value in found.items()}
    if unknown := sorted(set(values) - known):
        accepted = ", ".join(sorted(name.replace("_", "-") for name in known))
        raise click.UsageError(f"{CONFIG}: unknown key {unknown[0].replace('_', '-')}; accepted are {accepted}", ctx)
    return values


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chaser-emulator")
@click.pass_context
def commands(ctx: click.Context) -> None:
    """A drop-in Chaser on localhost. Without a command: serve."""
    values = _configured(ctx)
    # What `exec` starts is for its command alone: the file's port and data are those of the one to develop with.
    shared = {name: value for name, value in values.items() if name not in ("port", "data_dir", "ready_file")}
    place = {name: value for name, value in values.items() if name == "data_dir"}
    ctx.default_map = {"serve": values, "doctor": values, "exec": shared}
    ctx.obj = place
    ctx.default_map |= dict.fromkeys(("env", "mcp", "wait", "stop", "reset"), place)


@contextmanager
def _failing_in_one_line(sandbox: str) -> Iterator[None]:
    """What can go wrong with a machine, and not with this program, is one line and exit code 1."""
    from chaser_emulator.sandbox import SandboxUnavailable
    from chaser_emulator.seeding.problems import SeedError
    from chaser_emulator.server import PortTakenError
    from chaser_emulator.serving import NoteError
    from chaser_emulator.store import StoreError

    try:
        yield
    except SandboxUnavailable as error:
        raise click.ClickException(f"sandboxes cannot run ({sandbox}): {error}") from None
    except SeedError as error:
        raise click.ClickException(f"the seed is refused\n{error}") from None
    except (whereabouts.InUseError, NoteError, PortTakenError, StoreError, sqlite3.OperationalError) as error:
        raise click.ClickException(str(error)) from None


@commands.command()
@serving_options
def serve(**options: Any) -> int:
    """Start the emulator, and stop it on SIGTERM or Ctrl-C."""
    from chaser_emulator import serving

    settings = settings_of(options)
    serving.log_to_stderr(options["log_format"], options["log_level"])
    with _failing_in_one_line(settings.sandbox):
        return serving.run(serving.serve(settings, options["ready_file"]))


@commands.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@serving_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(command: tuple[str, ...], **options: Any) -> int:
    """Start an emulator on a free port, run COMMAND with CHASER_API_URL and CHASER_API_KEY set, stop.

    The exit code is the command's. Data is ephemeral unless --data-dir says where.
    """
    from chaser_emulator import serving

    if strength("port") == 0:
        options["port"] = 0
    options["ephemeral"] = options["ephemeral"] or options["data_dir"] is None
    settings = settings_of(options)
    serving.log_to_stderr(options["log_format"], options["log_level"])
    with _failing_in_one_line(settings.sandbox):
        try:
            return serving.run(serving.execute(settings, options["ready_file"], command))
        except serving.CommandError as error:
            click.echo(f"chaser-emulator: {error}", err=True)
            return error.exit_code


_data_dir = option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=whereabouts.default_data_dir,
    help="Data directory of the emulator meant.",
)


def _find(data_dir: Path) -> dict[str, Any]:
    try:
        return whereabouts.find(data_dir)
    except whereabouts.NotRunningError as error:
        raise click.ClickException(str(error)) from None


@commands.command()
@_data_dir
def env(data_dir: Path) -> None:
    """Print the `export` lines of the running emulator: eval "$(chaser-emulator env)"."""
    from chaser_emulator.banner import exports

    note = _find(data_dir)
    click.echo(exports(note["url"], note["api_key"]))


@commands.command()
@_data_dir
def mcp(data_dir: Path) -> None:
    """Be a local MCP server: relay JSON-RPC from stdin to the emulator, and its answers to stdout.

    That is the one that CHASER_API_URL and CHASER_API_KEY name, else the one that runs.
    """
    from urllib.parse import urlsplit

    from chaser_emulator import mcp_bridge

    url, key = mcp_bridge.environment()
    if url is not None and not re.match(r"^https?://[^/]", url):
        raise click.UsageError(f"CHASER_API_URL {url}: an http:// or https:// address is needed")
    if key is not None and not KEY.match(key):
        raise click.UsageError("CHASER_API_KEY: a key is one word of printable ASCII characters")

    def find() -> mcp_bridge.Place:
        if url is not None and key is not None:
            return mcp_bridge.Place(url, key)
        note = whereabouts.find(data_dir)
        if url not in (None, note["url"]):
            raise whereabouts.NotRunningError(f"CHASER_API_KEY is not set, and {url} wants one")
        return mcp_bridge.Place(note["url"], key or note["api_key"])

    try:
        find()
    except whereabouts.NotRunningError as error:
        mcp_bridge.note(f"{error} (it may start later)")
    gc.enable()
    mcp_bridge.run(find, proxied=url is not None and not is_loopback(urlsplit(url).hostname or ""))


@commands.command()
@_data_dir
@place_options("url", "api_key")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(min=0), help="Seconds.")
def wait(timeout: float, **meant: Any) -> None:
    """Wait until the emulator is ready."""
    from chaser_emulator.operating.asking import Asked, ask

    ctx = click.get_current_context()
    end = time.monotonic() + timeout
    while True:
        try:
            place = place_of(ctx, meant)
            if url_of(ctx, meant) is not None:
                ask(place, Asked("GET", "/health"), patience=max(1, end - time.monotonic())).close()
            break
        except click.UsageError:
            raise
        except click.ClickException:
            if time.monotonic() >= end:
                raise
            time.sleep(0.05)
    click.echo(f"ready at {place.url}")


@commands.command()
@_data_dir
@place_options("url")
@click.option("--clean", is_flag=True, help="Then remove every trace of it; also of one that was killed.")
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
def stop(data_dir: Path, clean: bool, yes: bool, url: str | None) -> None:
    """Stop the running emulator, and wait until it has."""
    if (meant := url_of(click.get_current_context(), {"url": url})) is not None:
        data_dir = _folder_at(meant, data_dir)
    if clean:
        _clean(data_dir, ask=not yes and sys.stdin.isatty())
    else:
        _end(_find(data_dir)["pid"], data_dir)


def _folder_at(url: str, data_dir: Path) -> Path:
    """The folder of the emulator of this machine that runs at an address."""
    from chaser_emulator import leftovers

    for folder in (data_dir, *leftovers.folders(held=True)):
        if runs_at(folder, url):
            return folder
    raise click.ClickException(f"no emulator of this machine is known to run at {url}; --data-dir names its folder")


def _end(pid: int, data_dir: Path, *, by_force: bool = False) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if not _let_go(data_dir, 10):
        if not by_force:
            raise click.ClickException(f"process {pid} has not stopped within 10 s")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _let_go(data_dir, 5)
    click.echo("stopped")


def _let_go(data_dir: Path, seconds: float) -> bool:
    """Whether an emulator has ended in time: the lock is the last thing that it lets go of."""
    end = time.monotonic() + seconds
    while whereabouts.is_held(data_dir):
        if time.monotonic() >= end:
            return False
        time.sleep(0.05)
    return True


def _clean(data_dir: Path, *, ask: bool) -> None:
    from chaser_emulator import erase

    if ask:
        click.confirm(f"Remove every trace of the emulator on {data_dir}?", abort=True)
    with suppress(whereabouts.NotRunningError):
        _end(whereabouts.find(data_dir)["pid"], data_dir, by_force=True)
    if not (data_dir / erase.DATABASE).exists():
        # An ephemeral one that stops in order has seen to it itself.
        click.echo(f"there is nothing of an emulator in {data_dir}")
        return
    _erase(data_dir, traces=True)


def _erase(data_dir: Path, *, yes: bool = True, traces: bool = False) -> None:
    from chaser_emulator import erase

    with _failing_in_one_line("docker"), whereabouts.hold(data_dir):
        if not yes:
            click.confirm(f"Remove all sessions, workspaces and accounts in {data_dir}?", abort=True)
        try:
            removed = erase.erase(data_dir, traces=traces)
        except OSError as error:
            raise click.ClickException(f"{error.filename} cannot be removed: {error.strerror}") from None
    click.echo(f"removed the data in {data_dir}: {removed}")
    if removed.kept:
        raise click.ClickException("; ".join(removed.kept))


@commands.command()
@_data_dir
@place_options("url", "api_key", "world")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(data_dir: Path, yes: bool, **meant: Any) -> None:
    """Put the world of the running emulator back to where it began; without one, remove the data in --data-dir.

    A world begins with nothing but its first user, or with what it was seeded, loaded or forked with.
    """
    from chaser_emulator import erase
    from chaser_emulator.operating.asking import Asked, ask

    ctx = click.get_current_context()
    named = any(meant.values()) and ctx.get_parameter_source("data_dir") is not ParameterSource.COMMANDLINE
    if named or whereabouts.is_held(data_dir):
        place = place_of(ctx, {"data_dir": data_dir, **meant})
        which = f"world {place.world}" if place.world else "all sessions, workspaces and accounts"
        if not yes:
            click.confirm(f"Put {which} of the emulator at {place.url} back to the beginning?", abort=True)
        with ask(place, Asked("POST", "/reset")) as answer:
            found = json.loads(answer.read())
        click.echo(f"world {found['id']} is as it began")
        return
    if not (data_dir / erase.DATABASE).exists():
        click.echo(f"there is no data in {data_dir}")
        return
    _erase(data_dir, yes=yes)


@commands.command()
@place_options("data_dir", "url", "api_key", "world")
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only what comes after this number.")
@click.option("--json", "as_json", is_flag=True, help="Print an object of JSON a line.")
def logs(follow: bool, after: int, as_json: bool, **meant: Any) -> None:
    """Say what happened in a world of the running emulator: requests, events, what fell due, moves of the clock."""
    gc.enable()
    from chaser_emulator.operating.watching import watch

    try:
        watch(place_of(click.get_current_context(), meant), follow=follow, after=after, as_json=as_json)
    except KeyboardInterrupt:
        # Ctrl-C is how to stop following, and no failure.
        return


@commands.command()
@serving_options
def doctor(**options: Any) -> int:
    """Say what this machine has, and which engine would run the sandboxes."""
    import asyncio

    from chaser_emulator.doctor import examine

    return 0 if asyncio.run(examine(settings_of(options))) else 1


if __name__ == "__main__":
    main()
