"""How Chromium is called: its names, its flags, where its profile is, and what it says of itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from chaser_emulator.sandbox import CommandSpec

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "headless-shell",
    "headless_shell",
    "chrome-headless-shell",
    "/headless-shell/headless-shell",
    "/ms-playwright/chromium-*/chrome-linux*/chrome",
    "/ms-playwright/chromium_headless_shell-*/chrome-*/*headless*shell",
)
"""What it is called where it is installed, the fullest ones first; a path is a pattern."""

MISSING = (
    "No Chromium is found; install one (Debian: apt install chromium) or name its program with --browser, "
    "and start the session again."
)

ROOT = "/data/chaser"
"""Where a browser's sandbox has its disk, besides the usual place."""

_NOT_FOUND = 127
_KILLED = 137
_LISTENS = re.compile(r"^DevTools listening on ws://[^/]*:(\d{1,5})/devtools/browser/([0-9A-Za-z-]+)$")
_NOISE = re.compile(r":(?:WARNING|INFO|VERBOSE\d*):|/dbus/|dbus/|GLib[\w-]*-(?:CRITICAL|WARNING) ")
_STAMP = re.compile(r"^\[[^\]]*\]\s*")

_FLAGS = (
    "--headless=new",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-field-trial-config",
    "--disable-hang-monitor",
    "--disable-popup-blocking",
    "--disable-prompt-on-repost",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-gpu",
    "--metrics-recording-only",
    "--mute-audio",
    "--no-service-autorun",
    "--hide-crash-restore-bubble",
    "--password-store=basic",
    "--use-mock-keychain",
    # Google's own builds take --load-extension only where this feature is off.
    "--disable-features=Translate,OptimizationHints,MediaRouter,DisableLoadExtensionCommandLineSwitch",
    "--enable-unsafe-extension-debugging",
    "--window-size=1280,800",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)

# A sandbox of ours keeps the browser in, and has no room for another one inside; nor has a container, nor root. What a
# killed browser or a copied profile says of a process that holds it is about another machine, as it were.
_SCRIPT = """
if [ {root} -ef . ]; then cd {root}; set -- --no-sandbox "$@"
elif [ "$(id -u)" = 0 ] || [ -e /.dockerenv ] || [ -e /run/.containerenv ]; then set -- --no-sandbox "$@"; fi
program=
for name in {words}; do program=$(command -v "$name") && break; done
[ -n "$program" ] || exit {not_found}
mkdir -p profile extensions || exit 1
rm -rf profile/Singleton* profile/DevToolsActivePort extensions/.new-*
loaded=
for manifest in extensions/*/manifest.json; do
  [ -f "$manifest" ] && loaded="$loaded,$PWD/${{manifest%/manifest.json}}"
done
[ -z "$loaded" ] || set -- "$@" "--load-extension=${{loaded#,}}"
[ "$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {{ print $2 }}')" -ge 262144 ] 2>/dev/null \\
  || set -- --disable-dev-shm-usage "$@"
exec "$program" --user-data-dir="$PWD/profile" "$@" about:blank
"""


def command(binary: str | None, proxy_server: str | None) -> CommandSpec:
    """Chromium with its profile on the sandbox's disk; `binary` names the program, None is the first one found."""
    flags = [*_FLAGS]
    if proxy_server is not None:
        # Chromium would go straight to addresses of its own machine, behind the back of the proxy.
        flags += [f"--proxy-server={proxy_server}", "--proxy-bypass-list=<-loopback>"]
    script = f"set -- {shlex.join(flags)}" + _SCRIPT.format(root=ROOT, words=_words(binary), not_found=_NOT_FOUND)
    return CommandSpec(script, ours=True)


def is_there(binary: str | None) -> CommandSpec:
    """A command that succeeds where there is a Chromium."""
    return CommandSpec(f'for name in {_words(binary)}; do command -v "$name" && exit; done; exit 1', cwd="/", ours=True)


def _words(binary: str | None) -> str:
    """What a shell is to look for."""
    return shlex.quote(binary) if binary else " ".join(NAMES)


def listens(line: str) -> tuple[int, str] | None:
    """The port and the secret that a line of its output tells, if it is the one that does."""
    found = _LISTENS.match(line)
    return (int(found[1]), found[2]) if found else None


def why_it_ended(code: int, tail: Iterable[str]) -> str:
    """One sentence about a browser that ended: its last line that is no mere noise."""
    if code == _NOT_FOUND:
        return MISSING
    if code == _KILLED:
        return "Chromium was killed (SIGKILL), by somebody or because the memory of its sandbox ran out."
    lines = [line for line in tail if not _NOISE.search(line)]
    said = _STAMP.sub("", lines[-1])[:300] if lines else "it said nothing"
    return f"Chromium ended with code {code}: {said}"
