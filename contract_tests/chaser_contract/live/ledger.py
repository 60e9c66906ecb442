"""Ledger: what a run makes, written down before it is asked for, so that it can be removed whatever happens."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Literal

State = Literal["asked", "made", "refused", "gone", "lost", "lasting"]
"""`asked` is about to be answered, or was when its run was killed; `lost` is what will not be answered any more,
and `lasting` what was made for good, and told."""


class Unusable(Exception):
    """A file is no ledger, or not to be had; the text says why."""


@dataclass
class Entry:
    """One thing that was asked for. `root` is whose it is (`first`, `peer`, or somebody else), in `account` if named.

    `names` are the texts by which it can be told in a list, `path` the parameters that stood in the path. `at` and
    `until` are when it was asked for and when its answer was given up, by the clock of the service.
    """

    number: int
    operation: str
    kind: str
    at: str
    root: str
    account: str | None = None
    names: tuple[str, ...] = ()
    path: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None
    state: State = "asked"
    until: str | None = None

    @property
    def answered(self) -> bool:
        return self.state not in ("asked", "lost")

    @property
    def said(self) -> str:
        """The thing in a few words."""
        if self.id is not None:
            return f"{self.kind} {self.id}"
        named = f" {self.names[0]!r}" if self.names else ""
        return f"{self.kind}{named}, {self.operation} at {self.at}"


@dataclass
class Ledger:
    """What a file says. `before` are the ids that were there before, by kind and account."""

    path: Path
    run: str = ""
    url: str = ""
    entries: dict[int, Entry] = field(default_factory=dict)
    before: dict[tuple[str, str | None, str], frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.skew = 0.0
        """Seconds that the clock of the service is ahead of ours."""
        self._file: IO[str] | None = None
        self._lock = threading.RLock()

    # Reading

    @property
    def open(self) -> list[Entry]:
        """What may still be there, the last one first."""
        with self._lock:
            return [one for one in reversed(self.entries.values()) if one.state in ("asked", "made", "lost")]

    def has(self, identifier: str, *kinds: str) -> bool:
        """Whether this run made something with that id; of these kinds, where some are named."""
        with self._lock:
            return any(one.id == identifier and (not kinds or one.kind in kinds) for one in self.entries.values())

    def named(self, name: str, *kinds: str) -> bool:
        """Whether this run made something by that name that is still there, whatever the case of its letters."""
        with self._lock:
            return any(
                name.lower() in (one.lower() for one in entry.names)
                for entry in self.entries.values()
                if entry.kind in kinds and entry.state == "made"
            )

    # Writing

    def ask(self, operation: str, kind: str, root: str, **said: Any) -> Entry:
        """Note what is about to be asked for; it is on the disk when this returns."""
        with self._lock:
            entry = Entry(len(self.entries) + 1, operation, kind, self._now(), root, **said)
            self.entries[entry.number] = entry
            self._write({
                "event": "ask", "number": entry.number, "operation": operation, "kind": kind, "at": entry.at,
                "root": root, "account": entry.account, "names": list(entry.names), "path": dict(entry.path),
            })  # fmt: skip
            return entry

    def became(self, entry: Entry, state: State, identifier: str | None = None) -> None:
        """Note what came of it."""
        with self._lock:
            if entry.state == state and identifier in (None, entry.id):
                return
            entry.state, entry.id = state, identifier or entry.id
            entry.until = self._now() if state == "lost" else entry.until
            self._write({"event": state, "number": entry.number, "id": entry.id, "until": entry.until})

    def gone(self, identifier: str) -> None:
        """Note that what has this id is not there any more."""
        with self._lock:
            for entry in self.entries.values():
                if entry.id == identifier and entry.state == "made":
                    self.became(entry, "gone")

    def was_there(self, kind: str, account: str | None, root: str, identifiers: frozenset[str]) -> None:
        """Note what there was of a kind before the first one was asked for."""
        with self._lock:
            self.before[kind, account, root] = identifiers
            self._write({
                "event": "before", "kind": kind, "account": account, "root": root, "ids": sorted(identifiers)
            })  # fmt: skip

    def close(self) -> None:
        """Let go of the file, so that others may sweep it."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _now(self) -> str:
        return (datetime.now(UTC) + timedelta(seconds=self.skew)).isoformat(timespec="milliseconds")

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            self._file = self._begun()
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _begun(self) -> IO[str]:
        """The file, held against those who would sweep it meanwhile. Raises Unusable."""
        file = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = open(os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+", encoding="utf-8")  # noqa: SIM115
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _synchronize(self.path.parent)
        except OSError as error:
            if file is not None:
                file.close()
            why = "another run is writing it" if isinstance(error, BlockingIOError) else error.strerror
            raise Unusable(f"{self.path}: {why}") from None
        file.seek(0)
        text = file.read()
        if not text:
            file.write(json.dumps({"event": "run", "run": self.run, "url": self.url}) + "\n")
        elif not text.endswith("\n"):
            # The line that was being written when its run was killed.
            file.write("\n")
        return file


def _synchronize(folder: Path) -> None:
    """Have on the disk that a file is in a folder."""
    opened = os.open(folder, os.O_RDONLY)
    os.fsync(opened)
    os.close(opened)


def begin(path: Path, run: str, url: str) -> Ledger:
    """The ledger of a new run; a file that is there already has to be free of what may be left. Raises Unusable."""
    if path.exists() and path.stat().st_size and load(path).open:
        raise Unusable(f"{path}: an earlier run may have left something; first `chaser-contract sweep --ledger {path}`")
    path.unlink(missing_ok=True)
    return Ledger(path, run, url)


def resumed(path: Path) -> Ledger:
    """A ledger to go on with, held. Raises Unusable while its run goes on."""
    ledger = load(path)
    ledger._file = ledger._begun()
    return ledger


def load(path: Path) -> Ledger:
    """What a file says; a last line that was not written to its end says nothing. Raises Unusable."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: {error}") from None
    ledger = Ledger(path)
    known = False
    for line in lines:
        try:
            said = json.loads(line)
            _take(ledger, said)
            known = known or said["event"] == "run"
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    if not known:
        raise Unusable(f"{path}: this is no ledger of a run")
    return ledger


def folder() -> Path:
    """Where ledgers are kept that nobody said a place for."""
    from platformdirs import user_data_path

    return user_data_path("chaser-contract", appauthor=False) / "ledgers"


def all_in(place: Path) -> Iterator[Path]:
    """The ledgers of a folder, the oldest first."""
    yield from sorted(place.glob("*.jsonl"), key=lambda one: one.stat().st_mtime)


def _take(ledger: Ledger, said: Mapping[str, Any]) -> None:
    match said["event"]:
        case "run":
            ledger.run, ledger.url = said["run"], said["url"]
        case "before":
            ledger.before[said["kind"], said["account"], said["root"]] = frozenset(said["ids"])
        case "ask":
            ledger.entries[said["number"]] = Entry(
                said["number"], said["operation"], said["kind"], said["at"], said["root"], said["account"],
                tuple(said["names"]), dict(said["path"]),
            )  # fmt: skip
        case "made" | "refused" | "gone" | "lost" | "asked" | "lasting" as state:
            entry = ledger.entries[said["number"]]
            entry.state, entry.id, entry.until = state, said.get("id") or entry.id, said.get("until")
