"""The command line: `chaser-emulator`, which serves, and the commands around a server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from chaser_emulator import __version__
from chaser_emulator.meter import Limits
from chaser_emulator.settings import DEFAULT_API_KEY, DEFAULT_IMAGE, Settings

CONFIG = "chaser-emulator.toml"
STATE = "emulator.json"
"""What a running emulator leaves in its data directory, and takes away when it stops."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PREFIX = "CHASER_EMULATOR"

F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """One line for people, exit code 1."""

    def show(self, file: Any = None) -> None:
        click.echo(f"chaser-emulator: {self.message}", err=True, file=file)


def default_data_dir() -> Path:
    """Where data lives unless told otherwise."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("chaser-emulator", appauthor=False))


class _Commands(click.Group):
    """`serve` is what is meant when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


def _configured(ctx: click.Context) -> dict[str, Any]:
    """The keys of ./chaser-emulator.toml, as defaults of `serve`. A key that no flag has is an error."""
    path = Path(CONFIG)
    if not path.exists():
        return {}
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"{CONFIG}: {error}") from None
    known = {option.name for option in serve.params}
    values = {name.replace("-", "_"): value for name, value in found.items()}
    if unknown := sorted(set(values) - known):
        accepted = ", ".join(sorted(str(name).replace("_", "-") for name in known))
        raise click.UsageError(f"{CONFIG}: unknown key {unknown[0].replace('_', '-')}; accepted are {accepted}")
    return values


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chaser-emulator")
@click.pass_context
def main(ctx: click.Context) -> None:
    """A drop-in Chaser on localhost. Without a command: serve."""
    ctx.default_map = {"serve": _configured(ctx), "exec": _configured(ctx)}


def _option(flag: str, **attributes: Any) -> Callable[[F], F]:
    """A flag that is an environment variable as well: --data-dir is CHASER_EMULATOR_DATA_DIR."""
    name = flag.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(flag, envvar=f"{_PREFIX}_{name}", **attributes)


def _serving(command: F) -> F:
    """The options of everything that starts an emulator. Each is CHASER_EMULATOR_<NAME> and a key of the file, too."""
    options = [
        _option("--host", default="127.0.0.1", show_default=True, help="Address to bind."),
        _option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: a free one."),
        _option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Where data is kept."),
        _option("--ephemeral", is_flag=True, help="Keep nothing: data in a temporary folder, removed at the end."),
        _option(
            "--sandbox",
            type=click.Choice(["auto", "docker", "local", "scripted"]),
            default="auto",
            show_default=True,
            help="What runs the sandboxes.",
        ),
        _option("--image", default=DEFAULT_IMAGE, show_default=True, help="Image of sandboxes that name none."),
        _option("--api-key", default=DEFAULT_API_KEY, help="Key of the first user."),
        _option("--plan", type=click.Choice(["free", "usage_based", "pro", "team"]), default="pro", show_default=True),
        _option("--max-sessions", type=click.IntRange(min=1), help="Live sessions an account may have."),
        _option("--rate-limit/--no-rate-limit", default=True, show_default=True, help="Refuse too many requests."),
        _option("--public-url", help="Address under which clients see this server."),
        _option("--allowed-host", multiple=True, help="Another name to answer to (repeat)."),
        _option("--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="Written once it is ready."),
        _option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
        _option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            default="warning",
            show_default=True,
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _settings(options: dict[str, Any]) -> Settings:
    if options["host"] not in _LOOPBACK and options["api_key"] == DEFAULT_API_KEY:
        raise click.UsageError(
            f"--host {options['host']} is not this machine alone: choose a key of your own with --api-key, "
            "as everybody knows the usual one"
        )
    if options["ephemeral"] and options["data_dir"] is not None:
        raise click.UsageError("--ephemeral and --data-dir exclude each other")
    names = {field.name for field in dataclasses.fields(Settings)} & set(options)
    chosen = {name: options[name] for name in names}
    chosen["allowed_hosts"] = tuple(options["allowed_host"])
    chosen["data_dir"] = None if options["ephemeral"] else options["data_dir"] or default_data_dir()
    chosen["rate_limit"] = Limits(enabled=options["rate_limit"])
    return Settings(**chosen)


@main.command()
@_serving
def serve(**options: Any) -> None:
    """Start the emulator, and stop it on SIGTERM or Ctrl-C."""
    settings = _settings(options)
    _log_to_stderr(options["log_format"], options["log_level"])
    _run(_serve(settings, options["ready_file"]), settings)


async def _serve(settings: Settings, ready_file: Path | None) -> None:
    from chaser_emulator.banner import print_banner
    from chaser_emulator.server import serve as serving

    with _hold(settings.data_dir):
        async with serving(settings) as running:
            _stop_on_signals(running.stop)
            state = _state(running)
            files = [ready_file] if ready_file else []
            files += [settings.data_dir / STATE] if settings.data_dir else []
            try:
                for file in files:
                    _write(file, state)
                print_banner(running, settings)
                await running.stopped.wait()
            finally:
                for file in files:
                    file.unlink(missing_ok=True)


def _state(running: Any) -> dict[str, Any]:
    return {
        "url": running.url,
        "api_key": running.api_key,
        "account_id": running.world.account_id,
        "pid": os.getpid(),
        "version": __version__,
        "engine": running.world.engine.name,
    }


def _write(path: Path, state: dict[str, Any]) -> None:
    """Write at once or not at all, for the owner's eyes: it holds the key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w") as file:
        json.dump(state, file)
    Path(temporary).replace(path)


@contextlib.contextmanager
def _hold(data_dir: Path | None) -> Iterator[None]:
    """Keep a second emulator away from this data."""
    if data_dir is None:
        yield
        return
    import fcntl

    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("w")
    except OSError as error:
        raise Failure(f"the data directory {data_dir} cannot be used: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure(f"another emulator uses {data_dir}; stop it, or choose another --data-dir") from None
        yield


def _stop_on_signals(stop: Any) -> None:
    """The first signal stops in order, the second at once."""
    loop = asyncio.get_running_loop()

    def first() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, first)


def _run(work: Any, settings: Settings) -> None:
    from chaser_emulator.sandbox import SandboxUnavailable
    from chaser_emulator.server import PortTakenError, new_event_loop
    from chaser_emulator.store import StoreError

    # A shell that started us with `&` had SIGINT ignored, and every command of a sandbox would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(work)
    except (PortTakenError, StoreError) as error:
        raise Failure(str(error)) from None
    except SandboxUnavailable as error:
        raise Failure(f"sandboxes cannot run ({settings.sandbox}): {error}") from None


def _log_to_stderr(form: str, level: str) -> None:
    handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(_JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"at": record.created, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


@main.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_serving
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(command: tuple[str, ...], **options: Any) -> None:
    """Start an emulator on a free port, run COMMAND with CHASER_API_URL and CHASER_API_KEY set, stop.

    The exit code is the command's. Data is ephemeral unless --data-dir says where.
    """
    from chaser_emulator.sandbox import SandboxUnavailable
    from chaser_emulator.server import PortTakenError, running
    from chaser_emulator.store import StoreError

    source = click.get_current_context().get_parameter_source("port")
    if source is click.core.ParameterSource.DEFAULT:
        options["port"] = 0
    options["ephemeral"] = options["ephemeral"] or options["data_dir"] is None
    settings = _settings(options)
    _log_to_stderr(options["log_format"], options["log_level"])
    try:
        with _hold(settings.data_dir), running(settings) as emulator:
            environment = os.environ | {"CHASER_API_URL": emulator.url, "CHASER_API_KEY": emulator.api_key}
            code = _child(command, environment)
    except (PortTakenError, StoreError, SandboxUnavailable) as error:
        raise Failure(str(error)) from None
    sys.exit(code)


def _child(command: tuple[str, ...], environment: dict[str, str]) -> int:
    """Run a command, hand signals on to it, and answer its exit code as a shell would."""
    try:
        child = subprocess.Popen(command, env=environment)
    except OSError as error:
        click.echo(f"chaser-emulator: {command[0]} cannot be run: {error.strerror}", err=True)
        return 127 if isinstance(error, FileNotFoundError) else 126
    # Ctrl-C reaches the child from the terminal itself; a SIGTERM to us alone is handed on.
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


_data_dir = _option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Data directory of the emulator meant."
)


def _found(data_dir: Path | None) -> dict[str, Any]:
    """The state of a running emulator. Raises Failure when none runs there."""
    folder = data_dir or default_data_dir()
    try:
        state: dict[str, Any] = json.loads((folder / STATE).read_text("utf-8"))
        os.kill(state["pid"], 0)
    except (OSError, ValueError, KeyError):
        raise Failure(f"no emulator runs on {folder}; start one with: chaser-emulator") from None
    return state


@main.command()
@_data_dir
def env(data_dir: Path | None) -> None:
    """Print the `export` lines of the running emulator: eval "$(chaser-emulator env)"."""
    state = _found(data_dir)
    click.echo(f"export CHASER_API_URL={state['url']}\nexport CHASER_API_KEY={state['api_key']}")


@main.command()
@_data_dir
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(min=0), help="Seconds.")
def wait(data_dir: Path | None, timeout: float) -> None:
    """Wait until the emulator is ready."""
    end = time.monotonic() + timeout
    while True:
        try:
            state = _found(data_dir)
            break
        except Failure:
            if time.monotonic() >= end:
                raise
            time.sleep(0.05)
    click.echo(f"ready at {state['url']}")


@main.command()
@_data_dir
def stop(data_dir: Path | None) -> None:
    """Stop the running emulator, and wait until it has."""
    state = _found(data_dir)
    os.kill(state["pid"], signal.SIGTERM)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        # The lock is the last thing that it lets go of.
        with contextlib.suppress(Failure), _hold(data_dir or default_data_dir()):
            click.echo("stopped")
            return
        time.sleep(0.05)
    raise Failure(f"process {state['pid']} has not stopped within 10 s")


@main.command()
@_data_dir
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(data_dir: Path | None, yes: bool) -> None:
    """Remove the data of an emulator that is not running."""
    import shutil

    folder = data_dir or default_data_dir()
    if not (folder / "chaser.db").exists():
        click.echo(f"there is no data in {folder}")
        return
    with _hold(folder):
        if not yes:
            click.confirm(f"Remove everything in {folder}?", abort=True)
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()
    click.echo(f"removed the data in {folder}")


@main.command()
@_serving
def doctor(**options: Any) -> None:
    """Say what this machine has, and which engine would run the sandboxes."""
    from chaser_emulator.doctor import examine

    sys.exit(0 if asyncio.run(examine(_settings(options))) else 1)


if __name__ == "__main__":
    main()
