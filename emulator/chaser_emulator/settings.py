"""What can be set, with its defaults; `cli.py` fills it from flags, CHASER_EMULATOR_* and chaser-emulator.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chaser_emulator.meter import Limits

DEFAULT_IMAGE = "debian:bookworm-slim"
DEFAULT_API_KEY = "sk_local_emulator_key_for_development_only"

SandboxChoice = Literal["auto", "docker", "local", "scripted"]


@dataclass(frozen=True)
class Settings:
    """The settings of one emulator.

    `data_dir` None means ephemeral: the data lives in a temporary folder that is removed at the end. `api_key` is the
    key of the first user (A27). `plan` is what that user's account starts on (H22). `rate_limits` overrides the limit
    of a surface by its name.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    ssh_port: int | None = None
    """Where SSH is answered, 0 for a free port; None: nowhere."""
    data_dir: Path | None = None
    sandbox: SandboxChoice = "auto"
    image: str = DEFAULT_IMAGE
    browser: str | None = None
    """The program of browser sessions; None is the first that has one of Chromium's usual names."""
    api_key: str = DEFAULT_API_KEY
    plan: str = "pro"
    seed: str | None = None
    """What the default world begins with at the first start on its data: a seed file, or the name of a ready one."""
    public_url: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    allowed_redirects: tuple[str, ...] = ()
    """Where a sign-in may lead beside this machine: addresses, or origins for all that is below them (T5)."""
    checkout_success_url: str | None = None
    """Where the page of a checkout leads once it is paid; None: the page itself says so."""
    checkout_cancel_url: str | None = None
    rate_limit: Limits = field(default_factory=Limits)
    rate_limits: Mapping[str, Limits] = field(default_factory=dict)
    github_url: str = "https://github.com"
    """Where repositories are: an address, or a folder that holds them as `<owner>/<repo>.git`."""
    github_token: str | None = field(default=None, repr=False)
    """What opens private repositories there; it is in no argument, no workspace and no log."""
    forward_timeout: float = 60.0
    """Seconds that a server in a sandbox may take for the first byte of its answer to a forwarded request."""
    webhook_localhost: str | None = None
    """Where webhooks to this machine's own names go instead, when the emulator runs in a container."""
    webhook_timeout: float = 15.0
    """Seconds that the receiver of a webhook may take (H9)."""
    max_sessions: int | None = None
    """Live sessions an account may have, instead of its plan's number."""
    expiry_grace: float = 10.0
    """Seconds that what runs in a session may go on after the session's longest time."""
    idle_timeout: float | None = None
    """Seconds after which a session that nobody uses ends; None: never (S25)."""
    warm: int = 0
    """Containers of the default image that are kept ready for sessions to come; docker alone has them."""
    open_registration: bool = False
    """Whether people on other machines may register without the emulator's key."""
    strict: bool = False
    """Whether a command that a scripted sandbox has no answer for is a failure of the test that ran it."""
