"""The flags that start an emulator, each an environment variable and a key of the file too, and what they mean."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from chaser_emulator import whereabouts
from chaser_emulator.plans import PLANS
from chaser_emulator.settings import DEFAULT_API_KEY, DEFAULT_IMAGE, Settings

if TYPE_CHECKING:
    from chaser_emulator.meter import Limits

_PREFIX = "CHASER_EMULATOR"
KEY = re.compile(r"^[!-~]+$")
_HOST = re.compile(r"^[A-Za-z0-9_.-]+$")
_STRENGTH = [ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, ParameterSource.ENVIRONMENT]

F = TypeVar("F", bound=Callable[..., Any])


def option(flag: str, **attributes: Any) -> Callable[[F], F]:
    """A flag that is an environment variable as well: --data-dir is CHASER_EMULATOR_DATA_DIR."""
    name = flag.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(flag, envvar=f"{_PREFIX}_{name}", **attributes)


def serving_options(command: F) -> F:
    """The options of everything that starts an emulator. Each is CHASER_EMULATOR_<NAME> and a key of the file, too."""
    options = [
        option("--host", default="127.0.0.1", show_default=True, help="Address to bind."),
        option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: a free one."),
        option(
            "--ssh-port",
            type=click.IntRange(0, 65535),
            help="Answer SSH on this port as well, such as 2222; 0: a free one.",
        ),
        option(
            "--data-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="Where data is kept; else in the platform's place for the data of a user.",
        ),
        option("--ephemeral", is_flag=True, help="Keep nothing: data in a temporary folder, removed at the end."),
        option(
            "--sandbox",
            type=click.Choice(["auto", "docker", "local", "scripted"]),
            default="auto",
            show_default=True,
            help="What runs the sandboxes.",
        ),
        option("--image", default=DEFAULT_IMAGE, show_default=True, help="Image of sandboxes that name none."),
        option(
            "--browser", metavar="PROGRAM", help="Chromium of browser sessions, if not under one of its usual names."
        ),
        option("--api-key", default=DEFAULT_API_KEY, show_default=True, help="Key of the first user."),
        option(
            "--plan",
            type=click.Choice(PLANS),
            default="pro",
            show_default=True,
            help="What the first user's account starts on.",
        ),
        option(
            "--seed",
            metavar="FILE|NAME",
            help="What is there at the first start: a seed file, or a ready one such as team.",
        ),
        option("--max-sessions", type=click.IntRange(min=1), help="Live sessions an account may have."),
        option(
            "--warm",
            default=0,
            show_default=True,
            type=click.IntRange(0, 100),
            help="Containers of the default image to keep ready, so that sessions start at once (docker).",
        ),
        option(
            "--expiry-grace",
            default=10.0,
            show_default=True,
            type=click.FloatRange(min=0),
            help="Seconds for commands that run when the longest time of their session is over.",
        ),
        option(
            "--idle-timeout",
            type=click.FloatRange(min=0, min_open=True),
            help="End sessions that nobody has used for so many seconds; else they may idle.",
        ),
        option("--rate-limit/--no-rate-limit", default=True, show_default=True, help="Refuse too many requests."),
        option(
            "--limit",
            multiple=True,
            metavar="SURFACE=N[/M]",
            help="Requests a minute on a surface, N for a caller and M for an account (repeat).",
        ),
        option("--public-url", help="Address under which clients see this server."),
        option("--allowed-host", multiple=True, help="Another name to answer to (repeat)."),
        option("--allowed-origin", multiple=True, help="A page that may open WebSockets, http://name (repeat)."),
        option(
            "--allowed-redirect",
            multiple=True,
            metavar="URL",
            help="Where a sign-in may lead beside this machine: an address, or an origin for all below it (repeat).",
        ),
        option(
            "--open-registration",
            is_flag=True,
            help="Let people on other machines register without the emulator's key.",
        ),
        option("--checkout-success-url", metavar="URL", help="Where a checkout leads once it is paid."),
        option("--checkout-cancel-url", metavar="URL", help="Where a checkout leads when it is cancelled."),
        option(
            "--github-url",
            default="https://github.com",
            show_default=True,
            metavar="URL|DIR",
            help="Where repositories are: a server, or a folder with <owner>/<repo>.git in it.",
        ),
        option(
            "--forward-timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=60,
            show_default=True,
            help="Seconds that a forwarded port may take for its first byte.",
        ),
        option(
            "--webhook-localhost",
            metavar="HOST",
            help="Where webhooks to localhost go from inside a container, such as host.docker.internal.",
        ),
        option(
            "--webhook-timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=15,
            show_default=True,
            help="Seconds that the receiver of a webhook may take.",
        ),
        option("--ready-file", type=click.Path(path_type=Path, dir_okay=False), help="Written once it is ready."),
        option(
            "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Lines of log."
        ),
        option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            default="warning",
            show_default=True,
            help="What is worth a line.",
        ),
    ]
    for one in reversed(options):
        command = one(command)
    return command


def settings_of(options: dict[str, Any]) -> Settings:
    host, key, url = options["host"], options["api_key"], options["public_url"]
    if not KEY.match(key):
        raise click.UsageError("--api-key: a key is one word of printable ASCII characters")
    if not is_loopback(host) and key == DEFAULT_API_KEY:
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
    if token and not KEY.match(token):
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
    ephemeral, place = strength("ephemeral"), strength("data_dir")
    if ephemeral == place:
        raise click.UsageError("--ephemeral and --data-dir exclude each other")
    return ephemeral > place


def strength(name: str) -> int:
    """How close to the command an option was said: by default, in the file, in the environment, as a flag."""
    source = click.get_current_context().get_parameter_source(name)
    return _STRENGTH.index(source) if source in _STRENGTH else len(_STRENGTH)


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
