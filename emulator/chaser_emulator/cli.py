"""The command line: `chaser-emulator`, which serves, and the commands around a server."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import os
import re
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from click.core import ParameterSource

from chaser_emulator import __version__, whereabouts
from chaser_emulator.plans import PLANS
from chaser_emulator.settings import DEFAULT_API_KEY, DEFAULT_IMAGE, Settings

# What serves is imported by the commands that serve: `env` and `stop` answer at once.

if TYPE_CHECKING:
    from chaser_emulator.meter import Limits

CONFIG = "chaser-emulator.toml"

_PREFIX = "CHASER_EMULATOR"
_KEY = re.compile(r"^[!-~]+$")
_HOST = re.compile(r"^[A-Za-z0-9_.-]+$")
_STRENGTH = [ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, ParameterSource.ENVIRONMENT]

F = TypeVar("F", bound=Callable[..., Any])


class _Commands(click.Group):
    """`serve` is what is meant when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


def main() -> None:
    """Run the command line. Exit codes: 0, 1 for a failure, 2 for wrong usage; both with one line that says why."""
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
    ctx.default_map |= dict.fromkeys(("env", "mcp", "wait", "stop", "reset"), place)


def _option(flag: str, **attributes: Any) -> Callable[[F], F]:
    """A flag that is an environment variable as well: --data-dir is CHASER_EMULATOR_DATA_DIR."""
    name = flag.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(flag, envvar=f"{_PREFIX}_{name}", **attributes)


def _serving(command: F) -> F:
    """The options of everything that starts an emulator. Each is CHASER_EMULATOR_<NAME> and a key of the file, too."""
    options = [
        _option("--host", default="127.0.0.1", show_default=True, help="Address to bind."),
        _option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: a free one."),
        _option(
            "--ssh-port",
            type=click.IntRange(0, 65535),
            help="Answer SSH on this port as well, such as 2222; 0: a free one.",
        ),
        _option(
            "--data-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="Where data is kept; else in the platform's place for the data of a user.",
        ),
        _option("--ephemeral", is_flag=True, help="Keep nothing: data in a temporary folder, removed at the end."),
        _option(
            "--sandbox",
            type=click.Choice(["auto", "docker", "local", "scripted"]),
            default="auto",
            show_default=True,
            help="What runs the sandboxes.",
        ),
        _option("--image", default=DEFAULT_IMAGE, show_default=True, help="Image of sandboxes that name none."),
        _option(
            "--browser", metavar="PROGRAM", help="Chromium of browser sessions, if not under one of its usual names."
        ),
        _option("--api-key", default=DEFAULT_API_KEY, show_default=True, help="Key of the first user."),
        _option(
            "--plan",
            type=click.Choice(PLANS),
            default="pro",
            show_default=True,
            help="What the first user's account starts on.",
        ),
        _option("--max-sessions", type=click.IntRange(min=1), help="Live sessions an account may have."),
        _option(
            "--warm",
            default=0,
            show_default=True,
            type=click.IntRange(0, 100),
            help="Containers of the default image to keep ready, so that sessions start at once (docker).",
        ),
        _option(
            "--expiry-grace",
            default=10.0,
            show_default=True,
            type=click.FloatRange(min=0),
            help="Seconds for commands that run when the longest time of their session is over.",
        ),
        _option(
            "--idle-timeout",
            type=click.FloatRange(min=0, min_open=True),
            help="End sessions that nobody has used for so many seconds; else they may idle.",
        ),
        _option("--rate-limit/--no-rate-limit", default=True, show_default=True, help="Refuse too many requests."),
        _option(
            "--limit",
            multiple=True,
            metavar="SURFACE=N[/M]",
            help="Requests a minute on a surface, N for a caller and M for an account (repeat).",
        ),
        _option("--public-url", help="Address under which clients see this server."),
        _option("--allowed-host", multiple=True, help="Another name to answer to (repeat)."),
        _option("--allowed-origin", multiple=True, help="A page that may open WebSockets, http://name (repeat)."),
        _option(
            "--allowed-redirect",
            multiple=True,
            metavar="URL",
            help="Where a sign-in may lead beside this machine: an address, or an origin for all below it (repeat).",
        ),
        _option(
            "--open-registration",
            is_flag=True,
            help="Let people on other machines register without the emulator's key.",
        ),
        _option("--checkout-success-url", metavar="URL", help="Where a checkout leads once it is paid."),
        _option("--checkout-cancel-url", metavar="URL", help="Where a checkout leads when it is cancelled."),
        _option(
            "--github-url",
            default="https://github.com",
            show_default=True,
            metavar="URL|DIR",
            help="Where repositories are: a server, or a folder with <owner>/<repo>.git in it.",
        ),
        _option(
            "--forward-timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=60,
            show_default=True,
            help="Seconds that a forwarded port may take for its first byte.",
        ),
        _option(
            "--webhook-localhost",
            metavar="HOST",
            help="Where webhooks to localhost go from inside a container, such as host.docker.internal.",
        ),
        _option(
            "--webhook-timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=15,
            show_default=True,
            help="Seconds that the receiver of a webhook may take.",
        ),
        _option("--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="Written once it is ready."),
        _option(
            "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Lines of log."
        ),
        _option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            default="warning",
            show_default=True,
            help="What is worth a line.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _settings(options: dict[str, Any]) -> Settings:
    host, key, url = options["host"], options["api_key"], options["public_url"]
    if not _KEY.match(key):
        raise click.UsageError("--api-key: a key is one word of printable ASCII characters")
    if not _is_loopback(host) and key == DEFAULT_API_KEY:
        raise click.UsageError(
            f"--host {host} is not this machine alone: choose a key of your own with --api-key, "
            "as everybody knows the usual one"
        )
    if url is not None and not re.match(r"^https?://[^/]", url):
        raise click.UsageError(f"--public-url {url}: an http:// or https:// address is needed")
    for flag in ("checkout_success_url", "checkout_cancel_url"):
        if options[flag] is not None and not re.match(r"^https?://[^/\s]+\S*$", options[flag]):
            name = flag.replace("_", "-")
            raise click.UsageError(f"--{name} {options[flag]}: an http:// or https:// address is needed")
    receiver = options["webhook_localhost"]
    if receiver is not None and not _HOST.match(receiver) and not _is_ipv6(receiver):
        raise click.UsageError(f"--webhook-localhost {receiver}: a name or an address is needed, without a port")
    names = {field.name for field in dataclasses.fields(Settings)} & set(options)
    chosen = {name: options[name] for name in names}
    chosen["github_token"] = _github_token(options["github_url"])
    chosen["allowed_hosts"] = tuple(options["allowed_host"])
    chosen["allowed_origins"] = tuple(options["allowed_origin"])
    chosen["allowed_redirects"] = _redirects(options["allowed_redirect"])
    chosen["data_dir"] = None if _is_ephemeral(options) else options["data_dir"] or whereabouts.default_data_dir()
    if not options["rate_limit"]:
        from chaser_emulator.meter import Limits

        chosen["rate_limit"] = Limits(enabled=False)
    else:
        del chosen["rate_limit"]
        if options["limit"]:
            chosen["rate_limits"] = _limits(options["limit"])
    return Settings(**chosen)


def _redirects(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Where sign-ins may lead, as given; what is no such address is an error."""
    if texts:
        from chaser_emulator.redirects import place_of

        for text in texts:
            try:
                place_of(text)
            except ValueError as error:
                raise click.UsageError(f"--allowed-redirect {text}: {error}") from None
    return texts


def _github_token(url: str) -> str | None:
    """The token for private repositories. It comes from the environment alone: arguments can be seen by others."""
    from chaser_emulator.repositories import GITHUB, base_of

    try:
        base = base_of(url)
    except ValueError as error:
        raise click.UsageError(f"--github-url {url}: {error}") from None
    if isinstance(base, Path) and not base.is_dir():
        raise click.UsageError(f"--github-url {url}: there is no such folder")
    token = os.environ.get(f"{_PREFIX}_GITHUB_TOKEN")
    if not token and base == GITHUB:
        # What GitHub's own tools take is for GitHub alone.
        token = os.environ.get("GITHUB_TOKEN")
    if token and not _KEY.match(token):
        raise click.UsageError(f"{_PREFIX}_GITHUB_TOKEN: a token is one word of printable ASCII characters")
    return token or None


def _limits(texts: tuple[str, ...]) -> dict[str, Limits]:
    """The limits of single surfaces, such as `exec=100/200`; without M an account may do twice what a caller may."""
    from chaser_emulator import spec
    from chaser_emulator.meter import Limits

    surfaces = {operation.rate for operation in spec.load().operations.values() if operation.rate is not None}
    found = {}
    for text in texts:
        match = re.fullmatch(r"(\w+)=([0-9]{1,9})(?:/([0-9]{1,9}))?", text)
        if match is None or match[1] not in surfaces:
            raise click.UsageError(
                f"--limit {text}: SURFACE=N or SURFACE=N/M is accepted, where SURFACE is {', '.join(sorted(surfaces))}"
            )
        found[match[1]] = Limits(per_principal=int(match[2]), per_account=int(match[3] or 2 * int(match[2])))
    return found


def _is_ephemeral(options: dict[str, Any]) -> bool:
    """--ephemeral against --data-dir: whichever was said closer to the command wins."""
    if not options["ephemeral"] or options["data_dir"] is None:
        return bool(options["ephemeral"])
    ephemeral, place = _strength("ephemeral"), _strength("data_dir")
    if ephemeral == place:
        raise click.UsageError("--ephemeral and --data-dir exclude each other")
    return ephemeral > place


def _strength(name: str) -> int:
    """How close to the command an option was said: by default, in the file, in the environment, as a flag."""
    source = click.get_current_context().get_parameter_source(name)
    return _STRENGTH.index(source) if source in _STRENGTH else len(_STRENGTH)


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _failing_in_one_line(sandbox: str) -> Iterator[None]:
    """What can go wrong with a machine, and not with this program, is one line and exit code 1."""
    from chaser_emulator.sandbox import SandboxUnavailable
    from chaser_emulator.server import PortTakenError
    from chaser_emulator.serving import NoteError
    from chaser_emulator.store import StoreError

    try:
        yield
    except SandboxUnavailable as error:
        raise click.ClickException(f"sandboxes cannot run ({sandbox}): {error}") from None
    except (whereabouts.InUseError, NoteError, PortTakenError, StoreError, sqlite3.OperationalError) as error:
        raise click.ClickException(str(error)) from None


@commands.command()
@_serving
def serve(**options: Any) -> int:
    """Start the emulator, and stop it on SIGTERM or Ctrl-C."""
    from chaser_emulator import serving

    settings = _settings(options)
    serving.log_to_stderr(options["log_format"], options["log_level"])
    with _failing_in_one_line(settings.sandbox):
        return serving.run(serving.serve(settings, options["ready_file"]))


@commands.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_serving
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(command: tuple[str, ...], **options: Any) -> int:
    """Start an emulator on a free port, run COMMAND with CHASER_API_URL and CHASER_API_KEY set, stop.

    The exit code is the command's. Data is ephemeral unless --data-dir says where.
    """
    from chaser_emulator import serving

    if _strength("port") == 0:
        options["port"] = 0
    options["ephemeral"] = options["ephemeral"] or options["data_dir"] is None
    settings = _settings(options)
    serving.log_to_stderr(options["log_format"], options["log_level"])
    with _failing_in_one_line(settings.sandbox):
        try:
            return serving.run(serving.execute(settings, options["ready_file"], command))
        except serving.CommandError as error:
            click.echo(f"chaser-emulator: {error}", err=True)
            return error.exit_code


_data_dir = _option(
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
    if key is not None and not _KEY.match(key):
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
    mcp_bridge.run(find, proxied=url is not None and not _is_loopback(urlsplit(url).hostname or ""))


@commands.command()
@_data_dir
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(min=0), help="Seconds.")
def wait(data_dir: Path, timeout: float) -> None:
    """Wait until the emulator is ready."""
    end = time.monotonic() + timeout
    while True:
        try:
            note = _find(data_dir)
            break
        except click.ClickException:
            if time.monotonic() >= end:
                raise
            time.sleep(0.05)
    click.echo(f"ready at {note['url']}")


@commands.command()
@_data_dir
@click.option("--clean", is_flag=True, help="Then remove every trace of it; also of one that was killed.")
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
def stop(data_dir: Path, clean: bool, yes: bool) -> None:
    """Stop the running emulator, and wait until it has."""
    if clean:
        _clean(data_dir, ask=not yes and sys.stdin.isatty())
    else:
        _end(_find(data_dir)["pid"], data_dir)


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
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(data_dir: Path, yes: bool) -> None:
    """Remove the data of an emulator that is not running, and what it left in Docker."""
    from chaser_emulator import erase

    if not (data_dir / erase.DATABASE).exists():
        click.echo(f"there is no data in {data_dir}")
        return
    _erase(data_dir, yes=yes)


@commands.command()
@_serving
def doctor(**options: Any) -> int:
    """Say what this machine has, and which engine would run the sandboxes."""
    import asyncio

    from chaser_emulator.doctor import examine

    return 0 if asyncio.run(examine(_settings(options))) else 1


if __name__ == "__main__":
    main()
