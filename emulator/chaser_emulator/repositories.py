"""Repositories of GitHub, or of what stands in for it: how they are named, where they are, and a checkout of one."""

from __future__ import annotations

import base64
import os
import re
import secrets
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from chaser_emulator import git
from chaser_emulator.errors import ApiError
from chaser_emulator.sandbox import files

GITHUB = "https://github.com"

_SELECTOR = re.compile(
    r"(?:(?P<base>https?://[^/@]+)/)?(?P<owner>[A-Za-z0-9][A-Za-z0-9-]{0,38})/(?P<name>[A-Za-z0-9._-]{1,100}?)"
    r"(?:\.git)?/?(?:@(?P<ref>[A-Za-z0-9_][A-Za-z0-9._/-]{0,254}))?"
)
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}")
_NAME = re.compile(r"\.?[A-Za-z0-9_-][A-Za-z0-9._-]{0,98}")
_COMMIT = re.compile(r"[0-9a-fA-F]{4,64}")
# What git itself allows in no name of a branch or tag (git check-ref-format).
_NO_REF = re.compile(r"\.\.|//|/\.|/$|\.$|\.lock(/|$)")


@dataclass(frozen=True)
class Selector:
    """A repository, and the branch, tag or commit of it that is meant; None is its default branch."""

    owner: str
    name: str
    ref: str | None = None

    @property
    def repository(self) -> str:
        return f"{self.owner}/{self.name}"

    def __str__(self) -> str:
        return self.repository if self.ref is None else f"{self.repository}@{self.ref}"


@dataclass(frozen=True)
class Checkout:
    """A clone on this machine, for as long as somebody holds it."""

    folder: Path
    selector: Selector
    private: bool
    default_branch: str | None


@dataclass(frozen=True)
class Listed:
    """A repository as the list shows it; `installation_id` is the same for all of an owner, at any time."""

    repository: str
    owner: str
    installation_id: int


@dataclass(frozen=True)
class Elsewhere:
    """Where one repository is, if not where all others are; `answer_seconds` None is the usual patience."""

    base: str | Path
    answer_seconds: float | None = None


def base_of(text: str) -> str | Path:
    """What the setting names: an http(s) address without a slash at its end, or a folder. Raises ValueError."""
    if re.match(r"https?://", text):
        parts = urlsplit(text)
        if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
            raise ValueError("an address without user, query and fragment is needed, such as https://github.com")
        return text.rstrip("/")
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    if not text or re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise ValueError("an http:// or https:// address, or a folder, is needed")
    return Path(text).expanduser().absolute()


class Repositories:
    """All repositories below one base, and clones of them in `folder`, none of which stays.

    `token` opens private ones. `answer_seconds` is how long the base may take to say what it has, `clone_seconds` how
    long a clone may take.
    """

    def __init__(self, base: str, token: str | None, folder: Path) -> None:
        self.answer_seconds = 30.0
        self.clone_seconds = 600.0
        self.base = base_of(base)
        self.elsewhere: dict[str, Elsewhere] = {}
        """Repositories that are not below the base, by `owner/name`."""
        self.unreadable = 0
        """How many want the folder to be one that cannot be read when it is listed."""
        self._token = token
        self._folder = folder

    async def clear(self) -> None:
        """Remove clones that a crash left half made, and end what was making them."""
        if self._folder.exists():
            # Imported on use: it is for systems with processes as POSIX has them.
            from chaser_emulator.sandbox import plain

            await files.in_thread(plain.kill_all, self._folder)
            await files.in_thread(files.remove_tree, self._folder)

    def parse(self, text: str) -> Selector:
        """What a selector names (W18). Raises ValueError with a sentence that says what is accepted."""
        match = _SELECTOR.fullmatch(text)
        if match is None or not _NAME.fullmatch(match["name"]) or match["name"].endswith(".git"):
            raise ValueError("is no owner/repo, perhaps with @ and a ref, nor the URL of a repository on GitHub")
        if match["base"] is not None and (host := urlsplit(match["base"]).netloc.lower()) not in self._hosts():
            raise ValueError(f"names a repository on {host}; accepted are those on {' and '.join(self._hosts())}")
        if match["ref"] is not None and _NO_REF.search(match["ref"]):
            raise ValueError(f"@{match['ref']} is no possible name of a branch, tag or commit")
        return Selector(match["owner"], match["name"], match["ref"])

    def _hosts(self) -> list[str]:
        own = [urlsplit(self.base).netloc.lower()] if isinstance(self.base, str) else []
        return list(dict.fromkeys([*own, "github.com", "www.github.com"]))

    async def listed(self) -> list[Listed]:
        """Every repository in the folder, by name; none where the base is a server, which cannot be asked."""
        if self.unreadable:
            raise _unreadable("Permission denied")
        if isinstance(self.base, str):
            return []
        found = await files.in_thread(_all_in, self.base)
        return [Listed(f"{owner}/{name}", owner, _installation(owner)) for owner, name in found]

    @property
    def install_url(self) -> str | None:
        """Where the app would be installed (W22); a folder needs none."""
        return f"{self.base}/apps/chaser/installations/new" if isinstance(self.base, str) else None

    @asynccontextmanager
    async def checkout(self, selector: Selector) -> AsyncIterator[Checkout]:
        """A whole clone, at the ref that is meant, until the block ends.

        Its `origin` is the address on GitHub, without a credential; submodules are not fetched, LFS files stay
        pointers, and no hook or filter runs. Raises ApiError `not_found`, `sandbox_unavailable` (no git, or the base
        cannot be reached), `bad_gateway`, `gateway_timeout`; DiskFull.
        """
        # Named before it is made: whoever is cancelled meanwhile must know what to remove.
        work = self._folder / f"clone-{secrets.token_hex(8)}"
        try:
            await files.in_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
            await files.in_thread(work.mkdir, mode=0o700)
            yield await self._clone(selector, work)
        finally:
            await files.in_thread(files.remove_tree, work)

    async def _clone(self, selector: Selector, work: Path) -> Checkout:
        caller = await git.caller(work, about=selector.repository)
        private = False
        there = self.elsewhere.get(selector.repository) or Elsewhere(self.base)
        base, answer_seconds = there.base, there.answer_seconds or self.answer_seconds
        if isinstance(base, Path):
            place = await files.in_thread(_find, base, selector)
            if place is None:
                raise git.unknown(selector.repository)
            selector, where = place
            url = f"{GITHUB}/{selector.repository}.git"
            # Git then never sees the folder's path as the address, which would stay in the clone.
            caller = caller.with_config({f"url.{where}.insteadOf": url, "protocol.file.allow": "always"})
            private = await caller.is_marked(_config_of(where), "chaser.private")
        else:
            url = f"{base}/{selector.repository}.git"
            caller = caller.with_config({"protocol.http.allow": "always", "protocol.https.allow": "always"})
        try:
            remote = await caller.look(url, selector.ref, answer_seconds)
        except ApiError as error:
            if error.code != "not_found" or self._token is None or base != self.base or isinstance(base, Path):
                raise
            private = True
            caller = caller.with_config(self._credential())
            remote = await caller.look(url, selector.ref, self.answer_seconds)
        ref = selector.ref
        commit = ref if ref is not None and not remote.has_ref else None
        if commit is not None and not _COMMIT.fullmatch(commit):
            raise git.unknown_ref(selector.repository, commit)
        folder = work / "repository"
        async with git.within(self.clone_seconds, selector.repository):
            await caller.clone(url, folder, branch=ref if remote.has_ref else None, bare=commit is not None)
            if commit is not None:
                await caller.check_out(folder, commit)
        return Checkout(folder, selector, private, remote.default_branch)

    def _credential(self) -> dict[str, str]:
        """What makes git send the token, to the base and nowhere else: a redirect could lead to another server."""
        basic = base64.b64encode(f"x-access-token:{self._token}".encode()).decode()
        return {f"http.{self.base}/.extraHeader": f"Authorization: Basic {basic}", "http.followRedirects": "false"}


def _installation(owner: str) -> int:
    return zlib.crc32(owner.lower().encode()) & 0x7FFFFFFF


def _all_in(base: Path) -> list[tuple[str, str]]:
    try:
        owners = sorted(entry.name for entry in os.scandir(base) if _OWNER.fullmatch(entry.name) and entry.is_dir())
    except OSError as error:
        raise _unreadable(error.strerror or "") from None
    found = set()
    for owner in owners:
        for entry in _entries(base / owner):
            name = entry.name.removesuffix(".git")
            if _NAME.fullmatch(name) and _is_repository(Path(entry.path)):
                found.add((owner, name))
    return sorted(found)


def _unreadable(reason: str) -> ApiError:
    return ApiError("bad_gateway", f"the folder of repositories cannot be read: {reason}")


def _find(base: Path, selector: Selector) -> tuple[Selector, Path] | None:
    """The repository in the folder, as it is called there: GitHub's names ignore case."""
    for owner in _like(base, selector.owner):
        for name in (f"{selector.name}.git", selector.name):
            for found in _like(base / owner, name):
                if _is_repository(base / owner / found):
                    return Selector(owner, found.removesuffix(".git"), selector.ref), base / owner / found
    return None


def _like(folder: Path, name: str) -> list[str]:
    found = [entry.name for entry in _entries(folder) if entry.name.lower() == name.lower()]
    return sorted(found, key=lambda one: one != name)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return [entry for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return []


def _is_repository(folder: Path) -> bool:
    return any((place / "HEAD").is_file() and (place / "objects").is_dir() for place in (folder, folder / ".git"))


def _config_of(repository: Path) -> Path:
    inside = repository / ".git"
    return (inside if inside.is_dir() else repository) / "config"
