"""Sessions from their start to their end, against a model: reuse, bulk ends, the plan's time, what stays readable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import unlike
from chaser_contract.waiting import until

_DAY = timedelta(hours=24)

_STRIDES = (311, 433, 797, 3001)
"""Minutes to move on by, no sum of which comes near a day: nobody has to know on which side of a moment one is."""


@promise("emulator", stateful=True)
def sessions_live_as_a_model_says(chaser: Subject) -> None:
    """Whatever is started, found again, ended one by one or in bulk, and expires: every reader sees just that."""
    chaser.machine(lambda: _Sessions(chaser), steps=20)


@dataclass
class _Session:
    id: str
    created_at: str
    disk: int | None
    ended: datetime | None = None
    status: str = "running"

    @property
    def live(self) -> bool:
        return self.ended is None

    @property
    def expires(self) -> datetime:
        return datetime.fromisoformat(self.created_at) + _DAY


class _Sessions(RuleBasedStateMachine):
    """Sessions of one account on a clock that stands still, with and without workspaces."""

    def __init__(self, chaser: Subject) -> None:
        super().__init__()
        self.chaser = chaser
        chaser.steered.reset()
        self.now = chaser.steered.clock.freeze()
        self.sessions: list[_Session] = []
        self.disks: list[dict[str, Any]] = []

    # What is done

    @precondition(lambda self: len(self.disks) < 3)
    @rule()
    def make_disk(self) -> None:
        self.disks.append(making.workspace(self.chaser))

    @precondition(lambda self: len(self.sessions) < 9)
    @rule()
    def start_ephemeral(self) -> None:
        self._started(making.session(self.chaser), None)

    @precondition(lambda self: len(self.sessions) < 9)
    @rule()
    def start_in_vain(self) -> None:
        with self.chaser.steered.faults.add(engine="cannot_start", times=1):
            told = making.session(self.chaser)
            until(
                lambda: self.chaser.ask("get-session", id=told["id"], expect=200),
                lambda one: one["status"] == "failed",
                "a session that cannot start becomes failed",
            )
        self._started(told, None, status="failed")

    @precondition(lambda self: bool(self.disks))
    @rule(index=st.integers(0, 2), by_id=st.booleans())
    def start_on_disk(self, index: int, by_id: bool) -> None:
        index %= len(self.disks)
        disk = self.disks[index]
        told = making.session(self.chaser, workspace=disk["id"] if by_id else disk["name"].upper())
        live = self._on(index)
        if live is None:
            self._started(told, index)
            return
        self.chaser.require(
            told["id"] == live.id, "create-session: the live session of a workspace is answered", f"{told}"
        )

    @precondition(lambda self: bool(self.sessions))
    @rule(index=st.integers(0, 8), force=st.sampled_from([{}, {"force": True}, {"force": False}]))
    def end(self, index: int, force: dict[str, bool]) -> None:
        one = self.sessions[index % len(self.sessions)]
        answer = self.chaser.ask("terminate-session", id=one.id, query=force)
        if self._gone(one):
            answer.must_be(404, "not_found", because="the session ended more than a day ago")
        else:
            answer.must_be(204, because="nothing is connected to the session")
            self._end(one)

    @precondition(lambda self: bool(self.sessions))
    @rule(
        indices=st.lists(st.integers(0, 8), max_size=3), disks=st.lists(st.integers(0, 2), max_size=2),
        unknown=st.booleans(),
    )  # fmt: skip
    def end_several(self, indices: list[int], disks: list[int], unknown: bool) -> None:
        named = [self.sessions[index % len(self.sessions)] for index in indices]
        drives = [index % len(self.disks) for index in disks] if self.disks else []
        ids = [one.id for one in named] + [UNKNOWN] * unknown
        said: dict[str, Any] = {"ids": ids, "workspaces": [self.disks[index]["name"] for index in drives]}
        answer = self.chaser.ask("bulk-terminate-sessions", json=said)
        if not ids and not drives:
            answer.must_be(400, "invalid_request", because="nothing is selected")
            return
        lost = {one.id for one in named if self._gone(one)} | {UNKNOWN for _ in range(unknown)}
        met = [one for one in named if not self._gone(one)]
        met += [live for index in drives if (live := self._on(index)) is not None]
        answer.must_be(200, because="something is selected")
        self._told_bulk(answer.json, {one.id for one in met}, lost)
        for one in met:
            self._end(one)

    @rule(only=st.sampled_from([None, "sandbox", "browser"]))
    def end_all(self, only: str | None) -> None:
        said: dict[str, Any] = {"all": True, "ids": [UNKNOWN], "workspaces": ["nothing"], "session_type": only}
        answer = self.chaser.ask("bulk-terminate-sessions", json=said, expect=200)
        met = [] if only == "browser" else [one for one in self.sessions if one.live]
        self._told_bulk(answer.json, {one.id for one in met}, set())
        for one in met:
            self._end(one)

    @precondition(lambda self: bool(self.disks))
    @rule(index=st.integers(0, 2), force=st.booleans())
    def delete_disk(self, index: int, force: bool) -> None:
        index %= len(self.disks)
        live = self._on(index)
        query = {"force": True} if force else None
        answer = self.chaser.ask("delete-workspace", ws=self.disks[index]["name"], query=query)
        if live is not None and not force:
            answer.must_be(409, "workspace_active", because="a live session uses the workspace")
            return
        answer.must_be(204, because="no session uses the workspace, or force was used")
        if live is not None:
            self._end(live)
        del self.disks[index]
        for one in self.sessions:
            if one.disk is not None and one.disk >= index:
                one.disk = None if one.disk == index else one.disk - 1

    @rule(minutes=st.sampled_from(_STRIDES))
    def move_on(self, minutes: int) -> None:
        self.chaser.steered.clock.advance(timedelta(minutes=minutes))
        self.now += timedelta(minutes=minutes)
        for one in self.sessions:
            if one.live and one.expires <= self.now:
                one.ended, one.status = one.expires, "terminated"

    # What is seen

    @invariant()
    def every_reader_sees_it(self) -> None:
        for one in self.sessions:
            answer = self.chaser.ask("get-session", id=one.id)
            if self._gone(one):
                answer.must_be(404, "not_found", because="the session ended more than a day ago")
                continue
            answer.must_be(200, because="the session lives, or ended less than a day ago")
            answer.require(answer.json["status"] == one.status, f"this session is {one.status}")
            answer.require(answer.json["created_at"] == one.created_at, "`created_at` stays")
        listed = self.chaser.ask("list-sessions", query={"limit": 200}, expect=200)
        live = [one.id for one in reversed(self.sessions) if one.live]
        told = [one["id"] for one in listed.json["sessions"]]
        listed.require(told == live, "the live sessions are listed, newest first", f"{told}, not {live}")
        listed.require(listed.json["total"] == len(live), "`total` counts the live sessions")
        for told_disk in self.chaser.ask("list-workspaces", expect=200).json:
            index = next(n for n, disk in enumerate(self.disks) if disk["id"] == told_disk["id"])
            on = self._on(index)
            last = [one.id for one in self.sessions if one.disk == index]
            wanted = {
                "status": "idle" if on is None else "active",
                "active_session_id": None if on is None else on.id,
                "last_session_id": last[-1] if last else None,
                "name": self.disks[index]["name"],
            }
            seen = {name: told_disk.get(name) for name in wanted}
            self.chaser.require(
                seen == wanted,
                "list-workspaces: a workspace tells of the sessions that use it",
                unlike(seen, wanted),
            )

    # The model

    def _started(self, told: dict[str, Any], disk: int | None, status: str = "running") -> None:
        self.chaser.require(
            all(one.id != told["id"] for one in self.sessions), "create-session: a new session has an id of its own",
            f"{told}",
        )  # fmt: skip
        if status == "running":
            making.ready(self.chaser, told["id"])
        self.sessions.append(_Session(told["id"], told["created_at"], disk))
        self.chaser.require(
            told["session_type"] == "sandbox"
            and told.get("workspace_id") == (None if disk is None else self.disks[disk]["id"])
            and bool(told.get("persistence")) == (disk is not None)
            and told["endpoints"]["control"].endswith(f"/s/{told['id']}/"),
            "create-session: the session is what was asked for", f"{told}",
        )  # fmt: skip
        if status == "failed":
            self._end(self.sessions[-1], status)

    def _on(self, disk: int) -> _Session | None:
        return next((one for one in self.sessions if one.disk == disk and one.live), None)

    def _end(self, one: _Session, status: str = "terminated") -> None:
        if one.live:
            one.ended, one.status = self.now, status

    def _gone(self, one: _Session) -> bool:
        return one.ended is not None and one.ended + _DAY < self.now

    def _told_bulk(self, told: dict[str, Any], met: set[str], lost: set[str]) -> None:
        self.chaser.require(
            set(told["terminated"]) == met and len(told["terminated"]) == len(met),
            "bulk-terminate-sessions: what is selected has ended, each told once", f"{told}, not {sorted(met)}",
        )  # fmt: skip
        failed = {(one["id"], one["code"]) for one in told["failed"]}
        self.chaser.require(
            failed == {(one, "not_found") for one in lost} and all(one["message"] for one in told["failed"]),
            "bulk-terminate-sessions: what names nothing is told as not found", f"{told}, not {sorted(lost)}",
        )  # fmt: skip
