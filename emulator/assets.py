"""Bring in what of the console only npm has: pinned, checked, put beside our own files, never committed.

`npm` itself is asked, so that registries and proxies are those of whoever builds. Without npm, or without a network,
there is nothing, and the console has a plain terminal. CHASER_BUILD_ASSETS=require fails instead, and
CHASER_BUILD_ASSETS=skip does not ask: it leaves what is there.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "chaser_emulator" / "console" / "vendor"
"""Where they are put."""

STAMP = "brought.json"
"""Written last, so that all is there where this is: what was brought in, and the digest of each file."""

WISH = "CHASER_BUILD_ASSETS"

_PATIENCE = 60.0
"""Seconds that npm may take."""


@dataclass(frozen=True)
class Package:
    """A package as it is pinned. `integrity` is what npm itself calls so; `files` are paths in it, and names here."""

    name: str
    version: str
    integrity: str
    files: Mapping[str, str]


PACKAGES = (
    Package(
        "@xterm/xterm",
        "6.0.0",
        "sha512-TQwDdQGtwwDt+2cgKDLn0IRaSxYu1tSUjgKarSDkUM0ZNiSRXFpjxEsvc/Zgc5kq5omJ+V0a8/kIM2WD3sMOYg==",
        {"lib/xterm.mjs": "xterm.js", "css/xterm.css": "xterm.css", "LICENSE": "xterm.LICENSE.md"},
    ),
    Package(
        "@xterm/addon-fit",
        "0.11.0",
        "sha512-jYcgT6xtVYhnhgxh3QgYDnnNMYTcf8ElbxxFzX0IZo+vabQqSPAjC3c1wJrKB5E19VwQei89QCiZZP86DCPF7g==",
        {"lib/addon-fit.mjs": "addon-fit.js", "LICENSE": "addon-fit.LICENSE.md"},
    ),
)


class CannotBring(Exception):
    """Why they cannot be had here, in a line."""


class NotAsPinned(Exception):
    """What came is something else, in a line. Nothing is built of it, whatever is wished."""


def bring_in(
    folder: Path = FOLDER,
    packages: tuple[Package, ...] = PACKAGES,
    *,
    environ: Mapping[str, str] = os.environ,
    patience: float = _PATIENCE,
) -> str | None:
    """Have them in the folder. Answers None when they are, else the line that says why not.

    Raises CannotBring where they are required, and NotAsPinned.
    """
    wish = environ.get(WISH, "")
    if wish not in ("", "require", "skip"):
        raise CannotBring(f"{WISH} is require, skip or nothing, not {wish!r}")
    if wish == "skip" or _there(folder, packages):
        return None
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix="chaser-assets-") as scratch:
            _pack(packages, Path(scratch), environ, patience)
            _unpack(packages, Path(scratch), folder)
    except CannotBring as error:
        if wish == "require":
            raise
        return f"the console gets a plain terminal, as its parts from npm are not to be had: {error}"
    return None


def _pins(packages: tuple[Package, ...]) -> dict[str, str]:
    return {f"{each.name}@{each.version}": each.integrity for each in packages}


def _there(folder: Path, packages: tuple[Package, ...]) -> bool:
    try:
        stamp: dict[str, Any] = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        names = {name for each in packages for name in each.files.values()}
        return stamp == {
            "packages": _pins(packages),
            "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(names)},
        }
    except (OSError, ValueError):
        return False


def _pack(packages: tuple[Package, ...], into: Path, environ: Mapping[str, str], patience: float) -> None:
    """Let npm put the packages, as they were published, into a folder."""
    npm = shutil.which("npm", path=environ.get("PATH"))
    if npm is None:
        raise CannotBring("npm is not installed")
    command = [npm, "pack", *(f"{each.name}@{each.version}" for each in packages)]
    command += ["--pack-destination", str(into), "--ignore-scripts", "--prefer-offline", "--loglevel=error"]
    command += ["--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-timeout=20000", "--update-notifier=false"]
    with tempfile.TemporaryFile() as said:
        try:
            # A group of its own, so that whatever npm has started ends with it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=dict(environ),
                start_new_session=True,
            )
        except OSError as error:
            raise CannotBring(f"npm does not start ({error.strerror})") from error
        try:
            code = process.wait(patience)
        except subprocess.TimeoutExpired as error:
            raise CannotBring(f"npm has not answered for {patience:g} seconds") from error
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code != 0:
            said.seek(0)
            raise CannotBring(f"npm has failed ({_gist(said.read().decode(errors='replace')) or f'code {code}'})")


def _gist(said: str) -> str:
    """What of npm's lines says why."""
    lines = (line.removeprefix("npm error").removeprefix("npm ERR!").strip() for line in said.splitlines())
    dull = ("code ", "syscall ", "errno ", "A complete log")
    telling = [line for line in lines if line and not line.startswith(dull)]
    return telling[0][:160] if telling else ""


def _unpack(packages: tuple[Package, ...], packed: Path, folder: Path) -> None:
    """Put the named files of the packages in their place. Each package is known by its digest, not by its name."""
    came = {_integrity(path): path for path in packed.glob("*.tgz")}
    contents: dict[str, bytes] = {}
    for package in packages:
        if package.integrity not in came:
            raise NotAsPinned(f"what npm gave as {package.name}@{package.version} is not what is pinned")
        with tarfile.open(came[package.integrity]) as archive:
            for path, name in package.files.items():
                member = archive.extractfile(f"package/{path}")
                if member is None:
                    raise NotAsPinned(f"{package.name}@{package.version} has no file {path}")
                contents[name] = member.read()
    stamp = {
        "packages": _pins(packages),
        "files": {name: hashlib.sha256(contents[name]).hexdigest() for name in sorted(contents)},
    }
    contents[STAMP] = (json.dumps(stamp, indent=2) + "\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        # Whole or not there, also where two build at once.
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(content)
        os.chmod(file.name, 0o644)
        os.replace(file.name, folder / name)


def _integrity(path: Path) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def main() -> int:
    """Answers the exit code."""
    try:
        line = bring_in()
    except (CannotBring, NotAsPinned) as error:
        print(f"assets: {error}", file=sys.stderr)  # noqa: T201
        return 1
    if line is not None:
        print(f"assets: {line}", file=sys.stderr)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
