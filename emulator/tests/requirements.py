"""What a test needs of the machine: skipped with a reason where it is missing, failed where it must be there."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from typing import Literal, NoReturn

import pytest

Requirement = Literal["docker", "bubblewrap", "chromium", "git", "ssh", "xterm"]


def require(name: Requirement) -> None:
    """Skip the test when `name` cannot be used here; fail it when CHASER_TEST_REQUIRE (a comma list) names it."""
    missing = reason_missing(name)
    if missing is not None:
        refuse(name, missing)


def refuse(name: Requirement, reason: str) -> NoReturn:
    """Skip or fail because of `name`, as `require` does, for a reason found elsewhere."""
    demanded = {part.strip() for part in os.environ.get("CHASER_TEST_REQUIRE", "").split(",")}
    if name in demanded:
        pytest.fail(f"{name} is required here, but {reason}")
    pytest.skip(f"{name}: {reason}")


@functools.cache
def reason_missing(name: Requirement) -> str | None:
    """Why `name` cannot be used, None when it can. Asked once a run."""
    match name:
        case "docker":
            return _docker()
        case "bubblewrap":
            if shutil.which("bwrap") is None:
                return "bwrap is not installed"
            return _runs(["bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"])
        case "chromium":
            if chromium() is None:
                return "no Chromium is installed"
            return None
        case "git":
            return _runs(["git", "--version"])
        case "ssh":
            return _runs(["ssh", "-V"])
        case "xterm":
            from chaser_emulator.control import console

            if not console.BROUGHT.is_file():
                return "the component of the terminal was not brought in (make assets)"
            return None


def chromium() -> str | None:
    """The path of a Chromium, None without one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)


def _docker() -> str | None:
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=10)
    except DockerException as error:
        return f"no engine answers ({error})"
    try:
        client.ping()
    except DockerException as error:
        return f"the engine does not answer ({error})"
    finally:
        client.close()
    return None


def _runs(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]} does not run ({error})"
    return None if done.returncode == 0 else f"{command[0]} fails: {done.stderr.strip()[:200]}"
