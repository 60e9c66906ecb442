"""Sandboxes made of namespaces: one resident bubblewrap a session, entered by nsenter for each command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaser_emulator.sandbox import (
    WORKSPACE_ROOT,
    SandboxError,
    SandboxGone,
    SandboxUnavailable,
    TerminalSpec,
    UnknownDirectory,
)
from chaser_emulator.sandbox.children import (
    LIMITS,
    Report,
    Started,
    above_standard,
    env_for_shell,
    exit_of,
    on_end,
    pipe,
    spawn,
)
from chaser_emulator.sandbox.process import LocalProcess, Streams
from chaser_emulator.sandbox.terminal import LocalTerminal, open_pty

HOST_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
"""What bubblewrap and nsenter see. Nothing of the emulator's own: /proc/1/environ shows it inside."""

START_SECONDS = 10
ENTER_SECONDS = 15

# The host's system. What is not named here (homes, /var, /srv, mounts, the emulator's data) is not there.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu")
_MORE = ("/run/current-system", "/var/lib/dpkg", "/var/cache/fontconfig", "/sys/devices/system")

BROWSER_ROOT = "/data/chaser"

NAMESPACES = ("--unshare-user", "--uid", "0", "--gid", "0", "--unshare-pid", "--unshare-ipc", "--unshare-uts")

# Dropping every capability keeps a command from undoing the mounts: by entering the user namespace it would have them
# all. The arguments after `--` reach a shell that has none any more, and only that one sees the caller's environment.
_UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "setsid")


@dataclass
class Resident:
    """A running bubblewrap: our child, its init as we see it, and how it ends."""

    monitor: int
    init: int
    inside: int
    ended: asyncio.Future[int]
    lifeline: int
    """The resident's standard input: it ends when we do, even by a kill -9."""
    mark: str
    """A path below the run folder, in every command line of ours, by which strays are found."""

    def let_go(self) -> None:
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1


def system_arguments(hidden: Sequence[Path]) -> list[str]:
    """The part of bubblewrap's command line that shows the host's system folders, without `hidden` places in them."""
    args, bound = [], []
    for place in _SYSTEM:
        if os.path.islink(place):
            args += ["--symlink", os.readlink(place), place]
        elif os.path.isdir(place):
            args += ["--ro-bind", place, place]
            bound.append(place)
    for path in hidden:
        real = os.path.realpath(path)
        if any(real.startswith(f"{place}/") for place in bound) and os.path.isdir(real):
            args += ["--tmpfs", real]
    return args


def arguments(
    *, workspace: Path, tmp: Path, home: Path, hidden: Sequence[Path], hostname: str, browser: bool
) -> list[str]:
    """bubblewrap's command line for one sandbox, whose user is root in a namespace where root may nothing.

    A browser has shared memory of its own, and finds the workspace under the name that Chaser gives it there as well.
    """
    args = ["bwrap", *NAMESPACES, "--hostname", hostname, "--die-with-parent", "--new-session"]
    args += [*system_arguments(hidden), "--dir", "/run", "--dir", "/sys", "--dir", "/var"]
    for place in _MORE:
        args += ["--ro-bind-try", place, place]
    resolver = os.path.realpath("/etc/resolv.conf")
    if resolver.startswith("/run/"):
        args += ["--ro-bind-try", resolver, resolver]
    args += ["--dev", "/dev", "--proc", "/proc", "--dir", "/home", "--tmpfs", "/var/tmp"]  # noqa: S108 - theirs
    for source, target in ((workspace, WORKSPACE_ROOT), (tmp, "/tmp"), (home, "/root")):  # noqa: S108 - theirs
        args += ["--bind", str(source), target]
    if browser:
        args += ["--tmpfs", "/dev/shm", "--dir", "/data", "--symlink", WORKSPACE_ROOT, BROWSER_ROOT]  # noqa: S108
    return [*args, "--remount-ro", "/", "--chdir", WORKSPACE_ROOT]


async def boot(args: Sequence[str], mark: str, shut: Sequence[int]) -> Resident:
    """Start a sandbox that waits for commands; SandboxUnavailable when it does not come up, and all of it is gone."""
    report = Report()
    reader, lifeline = pipe()
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed below, whatever happens
    resident: Resident | None = None
    try:
        complaints = above_standard(os.dup(errors.fileno()))
        try:
            # `cat` ends with its input, so that a start cut short by kill -9 leaves no sandbox either.
            argv = [*args, "sh", "-c", "echo up; exec cat >/dev/null 2>&1"]
            monitor = spawn(argv, HOST_ENV, {0: reader, 1: report.theirs, 2: complaints}, shut)
        except OSError as error:
            raise SandboxUnavailable(f"bubblewrap cannot be started: {error.strerror}.") from None
        finally:
            os.close(complaints)
            report.handed_over()
        resident = Resident(monitor=monitor, init=0, inside=0, ended=exit_of(monitor), lifeline=lifeline, mark=mark)
        line, inside = await report.read(at=asyncio.get_running_loop().time() + START_SECONDS)
        if line != "up":
            errors.seek(0)
            reason = errors.read(500).decode(errors="replace").strip().splitlines()
            raise SandboxUnavailable(reason[-1] if reason else "bubblewrap did not start in time.")
        resident.inside = inside
        resident.init = _parent_of(inside)
        return resident
    except BaseException:
        if resident is None:
            os.close(lifeline)
        else:
            resident.let_go()
            if not resident.ended.done():
                # The whole group: what bubblewrap has forked dies with it by itself only from a later moment on.
                os.killpg(resident.monitor, signal.SIGKILL)
                await asyncio.wait({resident.ended}, timeout=5)
        raise
    finally:
        report.close()
        os.close(reader)
        errors.close()


async def halt(resident: Resident) -> None:
    """Kill the sandbox's init, with which the kernel ends all others, and wait until they are gone."""
    if not resident.ended.done():
        # Not by the lifeline: our child would then end before the init does, and nobody would wait for the rest.
        # It may have ended by itself just now; its monitor is about to tell.
        with contextlib.suppress(ProcessLookupError):
            os.kill(resident.init, signal.SIGKILL)
        done, _ = await asyncio.wait({resident.ended}, timeout=5)
        if not done:
            _kill(resident.monitor, resident.ended)
            await asyncio.wait({resident.ended}, timeout=5)
    resident.let_go()


async def enter(
    resident: Resident, argv: Sequence[str], env: Mapping[str, str], *, cwd: str, stdin: bool, shut: Sequence[int]
) -> LocalProcess:
    """Run `argv` inside. UnknownDirectory for a bad `cwd`, SandboxGone when the sandbox has ended."""
    output, output_end = pipe()
    stdin_end, feed = pipe() if stdin else (-1, -1)
    ours = [output, feed]
    try:
        fds = {1: output_end, 2: output_end, **({0: stdin_end} if stdin else {})}
        started = await _enter(resident, argv, env, cwd=cwd, fds=fds, shut=shut)
        streams = Streams(output=output, stdin=feed if stdin else None)
        ours = []
        return LocalProcess(pid=started.pid, group=started.group, ended=started.ended, streams=streams)
    finally:
        for fd in (output_end, stdin_end, *ours):
            if fd >= 0:
                os.close(fd)


async def enter_terminal(
    resident: Resident,
    argv: Sequence[str],
    env: Mapping[str, str],
    spec: TerminalSpec,
    *,
    cwd: str,
    shut: Sequence[int],
) -> LocalTerminal:
    """Run `argv` inside on a new terminal; fails as `enter` does."""
    try:
        pty = open_pty(spec, resident.inside)
    except FileNotFoundError:
        raise SandboxGone("The sandbox has ended.") from None
    try:
        fds = dict.fromkeys((0, 1, 2), pty.slave)
        return LocalTerminal(await _enter(resident, argv, env, cwd=cwd, fds=fds, shut=shut, terminal=True), pty)
    except BaseException:
        pty.close()
        raise


async def _enter(
    resident: Resident,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: str,
    fds: Mapping[int, int],
    shut: Sequence[int],
    terminal: bool = False,
) -> Started:
    script = _script(argv, env, cwd)
    report = Report()
    program = -1
    try:
        program = above_standard(os.memfd_create("command"))
        os.write(program, script)
        namespaces = ["-t", str(resident.inside), "-U", "--preserve-credentials", "-m", "-p", "-i", "-u"]
        shell = [*_UNPRIVILEGED, *(["--ctty"] if terminal else []), "sh", "/dev/fd/4", resident.mark]
        handed = {**fds, 3: report.theirs, 4: program}
        helper = spawn(["nsenter", *namespaces, "--", *shell], HOST_ENV, handed, shut)
        report.handed_over()
        ended = exit_of(helper)
        line, group = await report.read(at=asyncio.get_running_loop().time() + ENTER_SECONDS)
        if line == "cwd":
            raise UnknownDirectory(f"{cwd} is no directory of the sandbox.")
        if not line:
            _kill(helper, ended)
            await asyncio.wait({resident.ended}, timeout=0.5)
            if resident.ended.done():
                raise SandboxGone("The sandbox has ended.")
            raise SandboxUnavailable("The command could not be started in the sandbox.")
        _continue_with(helper, group, ended)
        return Started(pid=int(line), group=group, ended=ended)
    finally:
        report.close()
        if program >= 0:
            os.close(program)


def _script(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> bytes:
    """What the shell inside does before it becomes the command.

    It travels as a file, not as arguments: those can be read by every user of the host, and are bounded.
    """
    plain, odd = env_for_shell(env)
    lines = [
        f"cd -- {shlex.quote(cwd)} 2>/dev/null || {{ echo cwd >&3; exit 0; }}",
        f"{{ {LIMITS}; }} 2>/dev/null",
        "unset OLDPWD",
        *(f"export {name}={shlex.quote(value)}" for name, value in plain.items()),
        "echo $$ >&3",
        f"exec {shlex.join([*odd, *argv])} 3>&- 4<&-",
    ]
    text = "\n".join(lines)
    if "\0" in text:
        raise SandboxError("A command and its environment hold no NUL characters.")
    return os.fsencode(text)


def _continue_with(helper: int, leader: int, ended: asyncio.Future[int]) -> None:
    """nsenter stops itself when the command is stopped, and would sleep through its end; wake it then."""

    def wake() -> None:
        if not ended.done():
            os.kill(helper, signal.SIGCONT)

    on_end(leader, wake)


def _kill(pid: int, ended: asyncio.Future[int]) -> None:
    """Kill a child of ours that may not have been reaped yet."""
    if not ended.done():
        os.kill(pid, signal.SIGKILL)


def _parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def version() -> str | None:
    """bubblewrap's version, None when it is not there."""
    try:
        done = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip().rpartition(" ")[2] or None


def kill_strays(run_dir: Path) -> int:
    """Kill what an emulator that died left running under `run_dir`; answers how many.

    nsenter too: one that is stopped never reaps its command, without which the sandbox's init cannot end.
    """
    mark = os.fsencode(f"{run_dir}/")
    found = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0] in (b"bwrap", b"nsenter") and any(word.startswith(mark) for word in words):
                os.kill(int(entry.name), signal.SIGKILL)
                found += 1
        except (OSError, PermissionError):
            continue  # it has just ended, or is another user's
    return found
