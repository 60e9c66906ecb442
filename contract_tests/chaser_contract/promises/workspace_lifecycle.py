"""Workspaces and their snapshots, against a model: names, copies, files, going back, what a live session hinders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chaser_contract import making
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import unlike

_NAMES = ("alpha", "Alpha", "BETA", "beta", "g.1_x-y")
_SNAPSHOTS = ("one", "ONE", "two")
_FILES = ("a.txt", "b/c.bin")


@promise("emulator", stateful=True)
def workspaces_live_as_a_model_says(chaser: Subject) -> None:
    """Whatever is made, copied, renamed, written, kept, restored and deleted: every reader sees just that."""
    chaser.machine(lambda: _Workspaces(chaser), steps=25)


@dataclass
class _Snapshot:
    told: dict[str, Any]
    files: dict[str, bytes]


@dataclass
class _Disk:
    id: str
    name: str
    template: bool = False
    source: str | None = None
    live: str | None = None
    last: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    snapshots: list[_Snapshot] = field(default_factory=list)


_WHICH = st.integers(0, 3)


class _Workspaces(RuleBasedStateMachine):
    """The workspaces of one account, by names that clash."""

    def __init__(self, chaser: Subject) -> None:
        super().__init__()
        self.chaser = chaser
        chaser.steered.reset()
        self.disks: list[_Disk] = []

    # What is done

    @precondition(lambda self: len(self.disks) < 4)
    @rule(name=st.sampled_from([*_NAMES, None]), template=st.sampled_from([None, True, False]))
    def make(self, name: str | None, template: bool | None) -> None:
        said = {"session_type": "sandbox", "name": name, "template": template}
        answer = self.chaser.ask("create-workspace", json=said)
        if self._taken(name, answer):
            return
        answer.must_be(200, because="nothing has this name")
        self._made(answer, name, template=bool(template))

    @precondition(lambda self: 0 < len(self.disks) < 4)
    @rule(which=_WHICH, name=st.sampled_from([*_NAMES, None]), template=st.sampled_from([None, True]))
    def copy(self, which: int, name: str | None, template: bool | None) -> None:
        of = self._at(which)
        said = {"clone_from": of.name.swapcase(), "name": name, "template": template}
        answer = self.chaser.ask("create-workspace", json=said)
        if of.live is not None:
            answer.require(
                answer.status == 409 and answer.code in ("workspace_active", "name_taken"),
                "a workspace that a session uses is not copied",
            )
            return
        if self._taken(name, answer):
            return
        answer.must_be(200, because="nothing has this name, and no session uses the source")
        self._made(answer, name, template=bool(template), source=of.id, files=dict(of.files))

    @precondition(lambda self: bool(self.disks))
    @rule(which=_WHICH, name=st.sampled_from([*_NAMES, None]))
    def rename(self, which: int, name: str | None) -> None:
        one = self._at(which)
        answer = self.chaser.ask("set-workspace-name", ws=one.id, json={"name": name})
        if self._taken(name, answer, but=one):
            return
        answer.must_be(200, because="no other workspace has this name")
        answer.require(answer.json == {"id": one.id, "name": name}, "the answer has the new name", f"{answer.json}")
        one.name = name or one.id

    @precondition(lambda self: bool(self.disks))
    @rule(which=_WHICH, value=st.booleans())
    def offer(self, which: int, value: bool) -> None:
        one = self._at(which)
        answer = self.chaser.ask("set-workspace-template", ws=one.name.upper(), json={"template": value}, expect=200)
        answer.require(answer.json == {"id": one.id, "template": value}, "the answer has the flag", f"{answer.json}")
        one.template = value

    @precondition(lambda self: bool(self.disks))
    @rule(which=_WHICH, file=st.sampled_from(_FILES), content=st.binary(max_size=6), close=st.booleans())
    def write(self, which: int, file: str, content: bytes, close: bool) -> None:
        one = self._at(which)
        self._open(one)
        self.chaser.ask(
            "upload-session-file",
            id=one.live,
            files={"path": (None, file.encode()), "file": ("f", content)},
            expect=200,
        )
        one.files[file] = content
        if close:
            self._close(one)

    @precondition(lambda self: bool(self.disks))
    @rule(which=_WHICH)
    def read(self, which: int) -> None:
        one = self._at(which)
        self._open(one)
        for file in _FILES:
            answer = self.chaser.ask("download-session-file", id=one.live, query={"path": file})
            if file in one.files:
                answer.must_be(200, because="the file was written, and nothing has taken it away")
                answer.require(answer.body == one.files[file], "a file is what was written last", f"{answer.body!r}")
            else:
                answer.must_be(404, "not_found", because="there is no such file")
        self._close(one)

    @precondition(lambda self: bool(self.disks))
    @rule(which=_WHICH, name=st.sampled_from([*_SNAPSHOTS, None]), force=st.booleans())
    def keep(self, which: int, name: str | None, force: bool) -> None:
        one = self._at(which)
        said: dict[str, Any] = ({} if name is None else {"name": name}) | ({"force": True} if force else {})
        answer = self.chaser.ask("create-workspace-snapshot", ws=one.name, json=said)
        taken = name is not None and self._snapshot(one, name) is not None
        if one.live is not None and not force:
            wanted = ("workspace_active", "already_exists") if taken else ("workspace_active",)
            answer.require(answer.status == 409 and answer.code in wanted, "a workspace in use is kept only by force")
            return
        if taken:
            answer.must_be(409, "already_exists", because="there is a snapshot of this name")
            return
        answer.must_be(200, because="no session uses the workspace, or force was used")
        told = answer.json
        answer.require(
            told["workspace_id"] == one.id and (name is None or told["id"] == name) and "restored_at" not in told,
            "the snapshot is what was asked for", f"{told}",
        )  # fmt: skip
        one.snapshots.insert(0, _Snapshot(told, dict(one.files)))

    @precondition(lambda self: any(one.snapshots for one in self.disks))
    @rule(which=_WHICH, turn=st.integers(0, 5), force=st.booleans())
    def go_back(self, which: int, turn: int, force: bool) -> None:
        one, kept = self._kept(which, turn)
        said = {"force": True} if force else {}
        answer = self.chaser.ask("restore-workspace-snapshot", ws=one.name, name=kept.told["id"], json=said)
        if not self._allowed(answer, one, 200, force):
            return
        if one.live is not None:
            ended = self.chaser.ask("get-session", id=one.live, expect=200)
            ended.require(ended.json["status"] == "terminated", "a forced restore ends the session first")
            one.live = None
        answer.require(
            {**answer.json, "restored_at": None} == {**kept.told, "restored_at": None} and "restored_at" in answer.json,
            "the answer is the snapshot, with when it was gone back to", f"{answer.json}, was {kept.told}",
        )  # fmt: skip
        kept.told = answer.json
        one.files = dict(kept.files)

    @precondition(lambda self: any(one.snapshots for one in self.disks))
    @rule(which=_WHICH, turn=st.integers(0, 5), force=st.booleans())
    def drop(self, which: int, turn: int, force: bool) -> None:
        one, kept = self._kept(which, turn)
        query = {"force": True} if force else None
        answer = self.chaser.ask("delete-workspace-snapshot", ws=one.id, name=kept.told["id"], query=query)
        if not self._allowed(answer, one, 204, force):
            return
        one.snapshots.remove(kept)
        for operation in ("restore-workspace-snapshot", "delete-workspace-snapshot"):
            gone = self.chaser.ask(operation, ws=one.id, name=kept.told["id"])
            gone.require(
                (gone.status, gone.code) in ((404, "not_found"), (409, "workspace_active")),
                "a deleted snapshot is gone",
            )

    @precondition(lambda self: bool(self.disks))
    @rule(which=_WHICH, force=st.booleans())
    def delete(self, which: int, force: bool) -> None:
        one = self._at(which)
        answer = self.chaser.ask("delete-workspace", ws=one.name, query={"force": True} if force else None)
        if not self._allowed(answer, one, 204, force):
            return
        if one.live is not None:
            ended = self.chaser.ask("get-session", id=one.live, expect=200)
            ended.require(ended.json["status"] == "terminated", "a forced delete ends the session first")
        self.disks.remove(one)
        for selector in (one.id, one.name):
            self.chaser.ask("list-workspace-snapshots", ws=selector).must_be(
                404, "not_found", because="the workspace is deleted"
            )

    # What is seen

    @invariant()
    def every_reader_sees_it(self) -> None:
        listed = self.chaser.ask("list-workspaces", expect=200)
        ids = [one["id"] for one in listed.json]
        wanted_ids = [one.id for one in reversed(self.disks)]
        listed.require(ids == wanted_ids, "all workspaces are listed, newest first", f"{ids}, not {wanted_ids}")
        for told, one in zip(listed.json, reversed(self.disks), strict=True):
            wanted = {
                "name": one.name, "template": one.template, "source_workspace_id": one.source,
                "status": "idle" if one.live is None else "active", "active_session_id": one.live,
                "last_session_id": one.last, "session_type": "sandbox", "persistence": True, "assistant_home": False,
            }  # fmt: skip
            seen = {name: told.get(name) for name in wanted}
            listed.require(seen == wanted, "a workspace is listed as it is", unlike(seen, wanted))
            kept = self.chaser.ask("list-workspace-snapshots", ws=one.name, expect=200)
            told_kept = [_timeless(each) for each in kept.json]
            wanted_kept = [_timeless(each.told) for each in one.snapshots]
            kept.require(
                told_kept == wanted_kept, "the snapshots of a workspace are listed, newest first",
                f"{told_kept}, not {wanted_kept}",
            )  # fmt: skip

    # The model

    def _at(self, which: int) -> _Disk:
        return self.disks[which % len(self.disks)]

    def _kept(self, which: int, turn: int) -> tuple[_Disk, _Snapshot]:
        having = [one for one in self.disks if one.snapshots]
        one = having[which % len(having)]
        return one, one.snapshots[turn % len(one.snapshots)]

    def _snapshot(self, one: _Disk, name: str) -> _Snapshot | None:
        # By the rules of workspace names, which ignore case.
        return next((each for each in one.snapshots if each.told["id"].lower() == name.lower()), None)

    def _taken(self, name: str | None, answer: Answer, but: _Disk | None = None) -> bool:
        """Whether another one has a name; then the answer has said so."""
        if name is None or not any(one.name.lower() == name.lower() for one in self.disks if one is not but):
            return False
        answer.must_be(409, "name_taken", because="names are unique, whatever their case")
        return True

    def _allowed(self, answer: Answer, one: _Disk, success: int, force: bool) -> bool:
        """Whether something is done that needs a workspace which nobody uses, or force; the answer has said so."""
        if one.live is not None and not force:
            answer.must_be(409, "workspace_active", because="a live session uses the workspace")
            return False
        answer.must_be(success, because="no session uses the workspace, or force was used")
        return True

    def _made(self, answer: Answer, name: str | None, **known: Any) -> None:
        told = answer.json
        answer.require(name is None or told["name"] == name, "the workspace has the name that was asked for")
        answer.require(
            all(told["id"] != one.id and told["name"].lower() != one.name.lower() for one in self.disks),
            "a new workspace has an id and a name of its own",
        )
        self.disks.append(_Disk(told["id"], told["name"], **known))

    def _open(self, one: _Disk) -> None:
        if one.live is None:
            one.live = one.last = making.running(self.chaser, workspace=one.id)["id"]

    def _close(self, one: _Disk) -> None:
        if one.live is not None:
            self.chaser.ask("terminate-session", id=one.live, query={"force": True}, expect=204)
            one.live = None


def _timeless(told: dict[str, Any]) -> dict[str, Any]:
    """A snapshot without what may be measured again."""
    return {name: value for name, value in told.items() if name != "used_bytes"}
