"""The variables that a local command finds set: those of a login shell, and what the sandbox says of itself."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from chaser_emulator.sandbox import SandboxSpec, plain
from chaser_emulator.sandbox.bubblewrap import HOST_ENV
from chaser_emulator.sandbox.process import LocalProcess

LOGIN_SECONDS = 5
_NOT_TAKEN = frozenset(
    ["_", "SHLVL", "PWD", "OLDPWD", "CHASER_SESSION_ID", "CHASER_MODE", "CHASER_WORKSPACE_ID", plain.MARK]
)
"""What belongs to one shell or one sandbox, and is no business of the next."""


def of_sandbox(spec: SandboxSpec, folder: Path, *, shell: str, isolated: bool) -> dict[str, str]:
    """What a command knows of itself, whatever login files say. `folder` holds the sandbox's temporary files."""
    user = "root" if isolated else user_name()
    env = {
        "HOME": "/root" if isolated else str(folder / "home"),
        "USER": user,
        "LOGNAME": user,
        "SHELL": shell,
        "TERM": "xterm-256color",
        "CHASER_SESSION_ID": spec.session_id,
        "CHASER_MODE": "exec",
    }
    if isolated:
        # tar run by root gives files to users that this namespace does not have, and fails.
        env["TAR_OPTIONS"] = "--no-same-owner"
    else:
        env[plain.MARK] = str(folder / "tmp")
    if spec.workspace_id is not None:
        env["CHASER_WORKSPACE_ID"] = spec.workspace_id
    return env


def of_terminal(mode: str) -> dict[str, str]:
    """What a command on a terminal is told beyond that; bash keeps the prompts of its environment, empty ones too."""
    if mode == "agent":
        return {"CHASER_MODE": "pty", "TERM": "dumb", "PS1": "", "PS2": "", "PROMPT_COMMAND": ""}
    return {"CHASER_MODE": "pty", "TERM": "xterm-256color"}


async def of_login(
    run: Callable[[Sequence[str], Mapping[str, str]], Awaitable[LocalProcess]], shell: str, own: Mapping[str, str]
) -> Mapping[str, str]:
    """What a login shell sets; a plain PATH and LANG when it does not answer in time.

    Login files may print: what counts comes after a word that they cannot know.
    """
    basis = {**HOST_ENV, "LANG": "C.UTF-8"}
    word = secrets.token_hex(16)
    process = await run([shell, "-l", "-c", f"printf %s {word}; exec env -0"], {**basis, **own})
    text = b""
    try:
        async with asyncio.timeout(LOGIN_SECONDS):
            async for chunk in process.output():
                text += chunk
    except TimeoutError:
        await process.signal(signal.SIGKILL)
    _, found, body = text.partition(word.encode())
    if not found:
        return basis
    pairs = (entry.partition("=") for entry in os.fsdecode(body).split("\0"))
    return {**basis, **{name: value for name, equals, value in pairs if equals and name not in _NOT_TAKEN}}


def user_name() -> str:
    """The emulator's own user, by number where it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
