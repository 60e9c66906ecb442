"""Git on this machine: run without prompts, hooks, filters or the user's own ways, and what its complaints mean."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaser_emulator.errors import ApiError
from chaser_emulator.sandbox import DiskFull, files

_MOST = 2**20
"""Bytes kept of what a git says, on each stream; a server can make it say much."""

# How this machine reaches others is taken over from its user: variables, and settings of git.
_PASSED = re.compile(
    r"(PATH|LD_LIBRARY_PATH|GIT_EXEC_PATH|(http|https|all|no)_proxy|SSL_CERT_(FILE|DIR)"
    r"|GIT_(PROXY_)?SSL_(CAINFO|CAPATH|NO_VERIFY))",
    re.IGNORECASE,
)
_TAKEN_OVER = r"^http\.(.*\.)?(proxy|proxyauthmethod|proxysslcainfo|sslcainfo|sslcapath|sslverify|sslbackend)$"

_OURS = {
    "core.hooksPath": os.devnull,
    "core.autocrlf": "false",
    "core.symlinks": "true",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    # A server that stops sending is given up by git itself, also when nobody is left to do that.
    "http.lowSpeedLimit": "100",
    "http.lowSpeedTime": "60",
    "advice.detachedHead": "false",
}

_UNREACHABLE = re.compile(
    r"(could not|couldn't) (resolve|connect)|failed to connect|connection (refused|reset)|connect tunnel|unreachable"
    r"|proxy|certificate|ssl|empty reply|recv failure|unexpected disconnect|early eof",
    re.IGNORECASE,
)
_SLOW = re.compile(r"timed out|operation too slow", re.IGNORECASE)
_UNKNOWN = re.compile(
    r"not found|does not exist|not appear to be a git|no such|could not read (username|password)|authentication failed"
    r"|access denied|permission denied|terminal prompts disabled|returned error: (401|403|404|410)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Remote:
    """What a repository says of itself: its default branch, and whether the ref asked for is a branch or a tag."""

    default_branch: str | None
    has_ref: bool


@dataclass(frozen=True)
class _Said:
    code: int
    output: str
    complaint: str


@dataclass(frozen=True)
class Git:
    """Git for one purpose: in a folder of its own, about one repository, with settings that no argument shows."""

    work: Path
    about: str
    config: Mapping[str, str] = field(default_factory=dict, repr=False)

    def with_config(self, more: Mapping[str, str]) -> Git:
        return replace(self, config={**self.config, **more})

    async def is_marked(self, file: Path, name: str) -> bool:
        """Whether a setting is true in a file of configuration."""
        said = await self._run("config", "--file", str(file), "--type=bool", "--get", name)
        return said.output.strip() == "true"

    async def look(self, url: str, ref: str | None, seconds: float) -> Remote:
        """Ask a repository without cloning it. Raises ApiError as `Repositories.checkout` does."""
        wanted = [f"refs/heads/{ref}", f"refs/tags/{ref}"] if ref is not None else []
        async with within(seconds, self.about):
            said = await self._run("ls-remote", "--symref", "--", url, "HEAD", *wanted)
        if said.code != 0:
            raise self._failure(said)
        default, names = None, set()
        for line in said.output.splitlines():
            value, _, name = line.partition("\t")
            if name == "HEAD" and value.startswith("ref: refs/heads/"):
                default = value.removeprefix("ref: refs/heads/")
            names.add(name)
        return Remote(default, any(name in names for name in wanted))

    async def clone(self, url: str, folder: Path, *, branch: str | None, bare: bool) -> None:
        """Clone all history; `bare` leaves the files to `check_out`."""
        how = ["--branch", branch] if branch is not None else []
        how += ["--no-checkout"] if bare else []
        said = await self._run(
            "clone", "--quiet", "--template=", "--no-recurse-submodules", *how, "--", url, str(folder)
        )
        if said.code != 0:
            raise self._failure(said)

    async def check_out(self, folder: Path, commit: str) -> None:
        """Check a commit out that need not be on any branch. Raises ApiError `not_found`."""
        here = ("-C", str(folder))
        known = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
        said = await self._run(*here, *known)
        if said.code != 0 and len(commit) in (40, 64):
            await self._run(*here, "fetch", "--quiet", "--no-write-fetch-head", "origin", commit)
            said = await self._run(*here, *known)
        if said.code != 0:
            raise unknown_ref(self.about, commit)
        said = await self._run(*here, "checkout", "--quiet", "--detach", said.output.strip())
        if said.code != 0:
            raise self._failure(said)

    async def _run(self, *arguments: str) -> _Said:
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *arguments,
                cwd=self.work,
                env=self._environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError:
            raise _missing() from None
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        assert process.stderr is not None  # noqa: S101 - so is this
        try:
            output, complaint = await asyncio.gather(_beginning(process.stdout), _beginning(process.stderr))
            code = await process.wait()
        except BaseException:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
            raise
        return _Said(code, output, complaint)

    def _environment(self) -> dict[str, str]:
        home = self.work / "home"
        passed = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
        settings = {**_OURS, **self.config}
        numbered = {f"GIT_CONFIG_KEY_{number}": name for number, name in enumerate(settings)}
        numbered |= {f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(settings.values())}
        return {
            **passed,
            **numbered,
            "GIT_CONFIG_COUNT": str(len(settings)),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_COMMITTER_NAME": "Chaser",
            "GIT_COMMITTER_EMAIL": "chaser@localhost",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            # By this they are found when a crash leaves them.
            "TMPDIR": str(home),
            "LC_ALL": "C",
        }

    def _failure(self, said: _Said) -> Exception:
        # Names and paths say nothing of the kind of failure, and places on this machine are nobody's business.
        text = re.sub(r"'[^']*'|\w+://\S+|(?<![\w/])/\S+", "…", said.complaint)
        if "No space left" in text or "quota exceeded" in text:
            return DiskFull("No space is left on the disk for the repository.")
        if _SLOW.search(text):
            return too_slow(self.about)
        if _UNREACHABLE.search(text):
            return ApiError("sandbox_unavailable", f"the server of repository {self.about!r} cannot be reached")
        if _UNKNOWN.search(text):
            return unknown(self.about)
        lines = [line.removeprefix("fatal: ") for line in text.splitlines() if line.strip()]
        reason = lines[-1][:200] if lines else f"nothing, and ends with {said.code}"
        return ApiError("bad_gateway", f"repository {self.about!r} could not be cloned; git says: {reason}")


async def caller(work: Path, *, about: str) -> Git:
    """Git at work in a folder, which reaches others as its user's own git does. Raises ApiError without a git."""
    home = work / "home"
    await files.in_thread(home.mkdir)
    # Where a command is told nothing by its caller, as that which serves a repository from a folder.
    await files.in_thread((home / ".gitconfig").write_text, "[safe]\n\tdirectory = *\n")
    try:
        process = await asyncio.create_subprocess_exec(
            *("git", "config", "--global", "-z", "--get-regexp", _TAKEN_OVER),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        raise _missing() from None
    output, _ = await process.communicate()
    pairs = [entry.partition("\n") for entry in output.decode(errors="replace").split("\0") if entry]
    return Git(work, about, {name: value for name, _, value in pairs})


@asynccontextmanager
async def within(seconds: float, about: str) -> AsyncIterator[None]:
    """Give up after so many seconds, with ApiError `gateway_timeout`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise too_slow(about) from None


def unknown(repository: str) -> ApiError:
    """There is none, or it may not be read; which of the two is not told (W20)."""
    return ApiError("not_found", f"there is no repository {repository!r}, or it cannot be read")


def unknown_ref(repository: str, ref: str) -> ApiError:
    return ApiError("not_found", f"repository {repository!r} has no branch, tag or commit {ref!r}")


def too_slow(repository: str) -> ApiError:
    return ApiError("gateway_timeout", f"the server of repository {repository!r} takes too long")


def _missing() -> ApiError:
    return ApiError("sandbox_unavailable", "repositories need git, which is not installed on the emulator's machine")


async def _beginning(stream: asyncio.StreamReader) -> str:
    kept = bytearray()
    while chunk := await stream.read(65536):
        kept += chunk[: _MOST - len(kept)]
    return kept.decode(errors="replace")
