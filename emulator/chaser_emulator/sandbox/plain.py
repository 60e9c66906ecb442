"""Sandboxes without isolation: commands as plain processes in the workspace's folder, where bubblewrap cannot run."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from chaser_emulator.sandbox import SandboxError, SandboxUnavailable, TerminalSpec, UnknownDirectory
from chaser_emulator.sandbox.children import LIMITS, Report, Started, env_for_shell, exit_of, pipe, spawn
from chaser_emulator.sandbox.process import LocalProcess, Streams
from chaser_emulator.sandbox.terminal import LocalTerminal, open_pty

START_SECONDS = 15
MARK = "TMPDIR"
"""The variable by which the processes of a sandbox are found again: its folder is theirs alone."""

_BEGIN = (
    'cd -- "$1" 2>/dev/null || { echo cwd >&3; exit 0; }; '
    f"shift; {{ {LIMITS}; }} 2>/dev/null; unset OLDPWD; "
    'echo $$ >&3; exec "$@" 3>&-'
)


async def run(
    argv: Sequence[str], env: Mapping[str, str], *, cwd: str, stdin: bool, shut: Sequence[int]
) -> LocalProcess:
    """Run `argv` in the host's folder `cwd`; UnknownDirectory when that is none (the message names no host path)."""
    output, output_end = pipe()
    stdin_end, feed = pipe() if stdin else (-1, -1)
    ours = [output, feed]
    try:
        fds = {1: output_end, 2: output_end, **({0: stdin_end} if stdin else {})}
        started = await _run(argv, env, cwd=cwd, fds=fds, shut=shut)
        streams = Streams(output=output, stdin=feed if stdin else None)
        ours = []
        return LocalProcess(pid=started.pid, group=started.group, ended=started.ended, streams=streams)
    finally:
        for fd in (output_end, stdin_end, *ours):
            if fd >= 0:
                os.close(fd)


async def run_terminal(
    argv: Sequence[str], env: Mapping[str, str], spec: TerminalSpec, *, cwd: str, shut: Sequence[int]
) -> LocalTerminal:
    """Run `argv` on a new terminal; fails as `run` does."""
    pty = open_pty(spec)
    try:
        device = os.ttyname(pty.slave)
        return LocalTerminal(await _run(argv, env, cwd=cwd, fds={}, shut=shut, terminal=device), pty)
    except BaseException:
        pty.close()
        raise


async def _run(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: str,
    fds: Mapping[int, int],
    shut: Sequence[int],
    terminal: str | None = None,
) -> Started:
    if "\0" in "".join((*argv, *env.values(), *env)):
        raise SandboxError("A command and its environment hold no NUL characters.")
    report = Report()
    try:
        try:
            plain, odd = env_for_shell(env)
            start = ["/bin/sh", "-c", _BEGIN, "sh", cwd, *odd, *argv]
            leader = spawn(start, plain, {**fds, 3: report.theirs}, shut, terminal=terminal)
        except OSError as error:
            raise SandboxUnavailable(f"The command could not be started: {error.strerror}.") from None
        report.handed_over()
        ended = exit_of(leader)
        line, _ = await report.read(at=asyncio.get_running_loop().time() + START_SECONDS)
        if line == "cwd":
            raise UnknownDirectory("No such directory in the sandbox.")
        if not line:
            if not ended.done():
                os.killpg(leader, signal.SIGKILL)
            raise SandboxUnavailable("The command could not be started.")
        return Started(pid=leader, group=leader, ended=ended)
    finally:
        report.close()


def kill_all(folder: Path, groups: Iterable[int] = ()) -> None:
    """Kill the given process groups, and every process whose temporary folder lies in `folder`, where /proc tells.

    Repeats until none is found twice: a process may fork while we look, and one that is between two programs shows no
    environment for a moment.
    """
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    quiet = 0
    for _ in range(100 if sys.platform == "linux" else 0):
        found = marked(folder)
        quiet = 0 if found else quiet + 1
        if quiet == 2:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.002)


def marked(folder: Path) -> list[int]:
    """The processes whose temporary folder lies in `folder`, where /proc tells."""
    mark = os.fsencode(f"{MARK}={folder}/")
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/environ", "rb") as environ:
                    if any(entry.startswith(mark) for entry in environ.read().split(b"\0")):
                        found.append(int(name))
            except OSError:
                continue  # it has just ended, or is another user's
    return found
