"""What a seed refers to: whether it is in the seed or in the world, and whether two things claim the same name."""

from __future__ import annotations

import base64
import binascii
import posixpath
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.paths import in_sandbox
from chaser_emulator.sandbox import WORKSPACE_ROOT
from chaser_emulator.seeding.checking import close_to
from chaser_emulator.seeding.problems import MOST, Path, SeedError, SeedProblem
from chaser_emulator.seeding.text import SeedText
from chaser_emulator.store import Reader, identity
from chaser_emulator.world import FIRST_USER

PERSONAL = "personal"
"""The word for somebody's own account, as in X-Chaser-Account."""

Knows = Callable[[str], Awaitable[str | None]]
"""Says of an API key which other world has it."""

_NAMED = ("keys", "sessions", "jobs", "webhooks")
_CREDENTIALS = ("keys", "ssh_keys")


@dataclass
class Known:
    """What there is once everything before has been made, by the names that the seed uses, in small letters."""

    users: set[str] = field(default_factory=set)
    organizations: set[str] = field(default_factory=set)
    owners: dict[str, set[str]] = field(default_factory=dict)
    """Who belongs to an account, by its name or the address of whose it is."""
    workspaces: dict[str, set[str]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    """The hashes of keys."""


async def in_world(reader: Reader) -> Known:
    """What is in a world before a seed."""
    known = Known()
    names: dict[str, str] = {}
    emails = {row["id"]: str(row["email"]).lower() for row in await reader.all("SELECT id, email FROM users")}
    known.users = set(emails.values())
    for row in await reader.all(
        "SELECT accounts.*, members.user_id FROM accounts JOIN members ON members.account_id = accounts.id"
    ):
        email = emails[row["user_id"]]
        name = names[row["id"]] = email if row["kind"] == identity.PERSONAL else str(row["name"]).lower()
        known.owners.setdefault(name, set()).add(email)
        if row["kind"] != identity.PERSONAL:
            known.organizations.add(name)
    for row in await reader.all("SELECT account_id, name FROM workspaces WHERE name IS NOT NULL"):
        if row["account_id"] in names:
            known.workspaces.setdefault(names[row["account_id"]], set()).add(str(row["name"]).lower())
    known.keys = {row["secret_hash"] for row in await reader.all("SELECT secret_hash FROM keys")}
    return known


async def check(text: SeedText, value: Mapping[str, Any], reader: Reader, knows: Knows | None = None) -> None:
    """Raise SeedError for names that mean nothing, or two things."""
    checking = _References(text, await in_world(reader))
    problems = [*checking.found(value)]
    for path, key in _chosen_keys(value):
        if knows is not None and (other := await knows(key)) is not None:
            message = f"selects the world {other!r} already; a key belongs to one world"
            problems.append(SeedProblem(text.place(*path), path, message))
    if problems:
        raise SeedError(text.name, sorted(problems, key=lambda problem: problem.place)[:MOST])


class _References:
    """Goes through a seed in the order in which it is applied, and notes what there is from then on."""

    def __init__(self, text: SeedText, known: Known) -> None:
        self._text = text
        self._known = known

    def found(self, value: Mapping[str, Any]) -> Iterator[SeedProblem]:
        yield from self._users(value)
        yield from self._organizations(value)
        for section in (
            "service_accounts",
            "keys",
            "ssh_keys",
            "workspaces",
            "assistants",
            "sessions",
            "jobs",
            "webhooks",
        ):
            for index, item in enumerate(value.get(section, [])):
                yield from self._owned(item, (section, index), "owner" if section in _CREDENTIALS else "as")
        yield from self._service_accounts(value)
        yield from self._names(value)
        yield from self._keys(value)
        yield from self._workspaces(value)
        yield from self._sessions(value)

    def _problem(self, path: Path, message: str) -> SeedProblem:
        return SeedProblem(self._text.place(*path), path, message)

    def _users(self, value: Mapping[str, Any]) -> Iterator[SeedProblem]:
        for index, user in enumerate(value.get("users", [])):
            email = user["email"].lower()
            if email in self._known.users:
                yield self._problem(("users", index, "email"), "is the address of another user already")
            self._known.users.add(email)
            self._known.owners[email] = {email}

    def _organizations(self, value: Mapping[str, Any]) -> Iterator[SeedProblem]:
        for index, organization in enumerate(value.get("organizations", [])):
            path, name = ("organizations", index), organization["name"].strip().lower()
            if name in self._known.organizations:
                yield self._problem((*path, "name"), "is the name of another organization already")
            self._known.organizations.add(name)
            owner = owner_of(organization).lower()
            if owner not in self._known.users:
                members = organization.get("members", [])
                where = (*path, "owner") if "owner" in organization else (*path, "members")
                if "owner" in organization or members:
                    yield self._problem(where, self._nobody(owner))
            belong = {owner}
            for number, member in enumerate(organization.get("members", [])):
                email = member["email"].lower()
                is_owner = email == owner and member.get("role", "owner") == "owner"
                if email in belong and not is_owner:
                    yield self._problem((*path, "members", number, "email"), "is a member of this organization already")
                belong.add(email)
            # Who is added by address gets a user.
            self._known.users |= belong
            for email in belong:
                self._known.owners.setdefault(email, {email})
            self._known.owners[name] = belong

    def _nobody(self, email: str) -> str:
        return f"there is no user {email} in the seed or the world; {_meant(email, self._known.users)}"

    def _owned(self, item: Mapping[str, Any], path: Path, by: str) -> Iterator[SeedProblem]:
        account, user = item.get("account"), item.get(by)
        name = account_of(item)
        if account is not None and name not in self._known.owners:
            meant = _meant(name, self._known.organizations | self._known.users)
            message = f"there is no organization or user {account!r} in the seed or the world; {meant}"
            yield self._problem((*path, "account"), message)
        elif user is not None and user.lower() not in self._known.users:
            yield self._problem((*path, by), self._nobody(user.lower()))
        elif user is not None and user.lower() not in self._known.owners.get(name, set()):
            yield self._problem((*path, by), f"does not belong to the account {account or name}")

    def _service_accounts(self, value: Mapping[str, Any]) -> Iterator[SeedProblem]:
        for index, one in enumerate(value.get("service_accounts", [])):
            if account_of(one) in self._known.users:
                yield self._problem(
                    ("service_accounts", index, "account"), "must be an organization, which alone has them"
                )

    def _names(self, value: Mapping[str, Any]) -> Iterator[SeedProblem]:
        """Two things of a kind that would be told under one name."""
        for kind, named in _handles(value).items():
            seen: dict[str, Path] = {}
            for path, name in named:
                if name in seen:
                    line = self._text.place(*seen[name]).line
                    yield self._problem(path, f"is the name of another one of {kind} already, in line {line}")
                seen.setdefault(name, path)

    def _keys(self, value: Mapping[str, Any]) -> Iterator[SeedProblem]:
        for path, key in _chosen_keys(value):
            hashed = identity.hash_of(key)
            if hashed in self._known.keys:
                yield self._problem(path, "is another key of this world already")
            self._known.keys.add(hashed)

    def _workspaces(self, value: Mapping[str, Any]) -> Iterator[SeedProblem]:
        for index, one in enumerate(value.get("workspaces", [])):
            path: Path = ("workspaces", index)
            there = self._known.workspaces.setdefault(account_of(one), set())
            source = one.get("clone_from")
            if source is not None and source.lower() not in there and not _is_id(source):
                yield self._problem((*path, "clone_from"), self._no_workspace(source, one, there))
            name = (one.get("name") or "").lower()
            if name and name in there:
                yield self._problem((*path, "name"), "is the name of another workspace of the account already")
            there.add(name)
            for where, files in _sets_of(one, path):
                yield from self._files(files, where)
                if files and source is not None:
                    yield self._problem(where, "is not accepted with clone_from: a copy has the files of its source")
                if files and one.get("session_type") == "browser":
                    yield self._problem(where, "is not accepted for a browser, whose workspace holds its profile")

    def _files(self, files: Mapping[str, Any], where: Path) -> Iterator[SeedProblem]:
        seen: dict[str, str] = {}
        for name, content in files.items():
            path = in_sandbox(name)
            if not path.startswith(f"{WORKSPACE_ROOT}/"):
                yield self._problem((*where, name), f"lies outside {WORKSPACE_ROOT}, beyond which nothing is kept")
            elif path in seen:
                yield self._problem((*where, name), f"is the same file as {seen[path]}")
            seen[path] = name
            if isinstance(content, dict) and "base64" in content and decoded(content["base64"]) is None:
                yield self._problem((*where, name, "base64"), "is no base64")
        for path, name in seen.items():
            parent = posixpath.dirname(path)
            while parent not in ("/", WORKSPACE_ROOT) and parent not in seen:
                parent = posixpath.dirname(parent)
            if parent in seen:
                yield self._problem((*where, name), f"lies in {seen[parent]}, which is a file")

    def _sessions(self, value: Mapping[str, Any]) -> Iterator[SeedProblem]:
        for index, one in enumerate(value.get("sessions", [])):
            path: Path = ("sessions", index)
            there, workspace = self._known.workspaces.get(account_of(one), set()), one.get("workspace")
            if workspace is not None and workspace.lower() not in there and not _is_id(workspace):
                yield self._problem((*path, "workspace"), self._no_workspace(workspace, one, there))
            status = one.get("status", "terminated" if "ended_at" in one else "running")
            if "ended_at" in one and status == "running":
                yield self._problem((*path, "status"), "a session that has ended does not run")
            if status == "failed" and "ended_at" not in one:
                yield self._problem((*path, "status"), "a session that has failed needs ended_at; it ran nowhere")
            if "ended_at" in one and one.get("commands"):
                yield self._problem((*path, "commands"), "is not accepted with ended_at: it ran nowhere")

    def _no_workspace(self, name: str, item: Mapping[str, Any], there: set[str]) -> str:
        account = item.get("account")
        whose = f"in the account {account}" if account else "in this account"
        meant = _meant(name.lower(), there - {""})
        return f"there is no workspace {name!r} {whose} in the seed or the world; {meant}"


def owner_of(organization: Mapping[str, Any]) -> str:
    """The address of the first owner of an organization of a seed."""
    owners = [one["email"] for one in organization.get("members", []) if one.get("role") == "owner"]
    return str(organization.get("owner") or next(iter(owners), FIRST_USER[0]))


def account_of(item: Mapping[str, Any]) -> str:
    """By what a seed knows the account of something: an organization's name, or an address, in small letters."""
    account = str(item.get("account") or PERSONAL).strip().lower()
    return account if account != PERSONAL else str(item.get("as") or item.get("owner") or FIRST_USER[0]).lower()


def decoded(text: str) -> bytes | None:
    """The bytes behind base64 that may have line breaks; None for what is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        return None


def _handles(value: Mapping[str, Any]) -> dict[str, list[tuple[Path, str]]]:
    """Under which name each thing of a kind will be told, where it has one."""
    found: dict[str, list[tuple[Path, str]]] = {kind: [] for kind in _NAMED}
    for kind in _NAMED:
        for index, one in enumerate(value.get(kind, [])):
            if "name" in one:
                found[kind].append(((kind, index, "name"), one["name"]))
    for index, one in enumerate(value.get("service_accounts", [])):
        for number, key in enumerate(one.get("keys", [])):
            path = ("service_accounts", index, "keys", number, "name")
            found["keys"].append((path, key.get("name", f"{one['name'].strip()}/{number}")))
    return found


def _chosen_keys(value: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for index, one in enumerate(value.get("keys", [])):
        if "api_key" in one:
            yield ("keys", index, "api_key"), one["api_key"]
    for index, one in enumerate(value.get("service_accounts", [])):
        for number, key in enumerate(one.get("keys", [])):
            if "api_key" in key:
                yield ("service_accounts", index, "keys", number, "api_key"), key["api_key"]


def file_sets(value: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The files of every workspace and snapshot of a seed, with their path in it."""
    for index, one in enumerate(value.get("workspaces", [])):
        yield from _sets_of(one, ("workspaces", index))


def _sets_of(workspace: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    yield (*path, "files"), workspace.get("files", {})
    for number, snapshot in enumerate(workspace.get("snapshots", [])):
        if isinstance(snapshot, dict) and "files" in snapshot:
            yield (*path, "snapshots", number, "files"), snapshot["files"]


def _meant(name: str, there: set[str]) -> str:
    """What may have been meant by a name that means nothing, or else what there is."""
    known = sorted(there)
    if (close := close_to(name, known)) is not None:
        return f"did you mean {close}?"
    shown = ", ".join(known[:20]) + (" and others" if len(known) > 20 else "")
    return f"there {'is' if len(known) == 1 else 'are'} {shown or 'none'}"


def _is_id(selector: str) -> bool:
    return len(selector) == 36 and selector.count("-") == 4
