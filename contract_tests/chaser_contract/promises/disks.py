"""Disks: files of a workspace outlive its sessions, go into copies and snapshots, come back, and are counted."""

from __future__ import annotations

from chaser_contract import making
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.transfers import put
from chaser_contract.values import holds

Files = dict[str, bytes | None]
"""What is to be in files of `/workspace`, by their names; None for what is not to be there."""


@promise()
def files_outlive_sessions(chaser: Subject) -> None:
    """A file that one session of a workspace leaves is there for the next, and for no other workspace or session."""
    room, other = making.workspace(chaser), making.workspace(chaser)
    _write(chaser, room["id"], {"kept": b"one\0\xff", "deep/er/file": b"two"})
    _hold(chaser, room["id"], {"kept": b"one\0\xff", "deep/er/file": b"two"}, "files of a workspace outlive a session")
    _hold(chaser, other["id"], {"kept": None}, "files of a workspace are in no other")
    loose = making.running(chaser)["id"]
    answer = chaser.ask("download-session-file", id=loose, query={"path": "/workspace/kept"})
    answer.must_be(404, "not_found", because="to whom asks an ephemeral session for a file of a workspace")
    put(chaser.client, loose, "/workspace/lost", b"lost").must_be(200)
    chaser.ask("terminate-session", id=loose, expect=204)
    again = making.running(chaser)["id"]
    answer = chaser.ask("download-session-file", id=again, query={"path": "/workspace/lost"})
    answer.must_be(404, "not_found", because="to whom asks an ephemeral session for a file of another one")
    chaser.ask("terminate-session", id=again, expect=204)
    chaser.ask("delete-workspace", ws=room["id"], expect=204)
    chaser.ask("create-workspace", json={"session_type": "sandbox", "name": room["name"]}, expect=200)
    _hold(chaser, room["name"], {"kept": None}, "a new workspace of the name of a deleted one is empty")
    for name in (room["name"], other["name"]):
        chaser.ask("delete-workspace", ws=name, expect=204)


@promise()
def going_back_brings_files_back(chaser: Subject) -> None:
    """A workspace that goes back to a snapshot has the files of then: changed ones as they were, new ones gone."""
    room = making.workspace(chaser)["id"]
    same: Files = {"empty": b"", "deep/er/file": b"\0\xff\r\n", ".hidden": b"h", "ü ß": b"name"}
    first: Files = {"a": b"one", "b": b"one", "c": None, **same}
    second: Files = {"a": b"two", "b": b"one", "c": b"two", **same}
    _write(chaser, room, first)
    chaser.ask("create-workspace-snapshot", ws=room, json={"name": "first"}, expect=200)
    _write(chaser, room, second)
    session = making.running(chaser, workspace=room)["id"]
    body = {"name": "second", "force": True}
    chaser.ask("create-workspace-snapshot", ws=room, json=body, expect=200)
    chaser.ask("terminate-session", id=session, expect=204)
    _hold(chaser, room, second, "a snapshot leaves the files as they are")
    for name, files in (("first", first), ("second", second), ("first", first)):
        with chaser.case():
            chaser.ask("restore-workspace-snapshot", ws=room, name=name, json={}, expect=200)
            _hold(chaser, room, files, "the files are what they were when the snapshot was made")
            _write(chaser, room, {"a": b"three", "b": b"three", "c": b"three", "empty": b"three"})
    chaser.ask("delete-workspace-snapshot", ws=room, name="first", expect=204)
    chaser.ask("restore-workspace-snapshot", ws=room, name="second", json={}, expect=200)
    _hold(chaser, room, second, "a snapshot is what it was when another one is deleted")
    chaser.ask("delete-workspace", ws=room, expect=204)


@promise()
def a_copy_has_files_of_its_own(chaser: Subject) -> None:
    """A copy has the files that its source had, and from then on neither sees what is written in the other."""
    source = making.workspace(chaser)["id"]
    same: Files = {"empty": b"", "deep/er/file": b"\0\xff\r\n", ".hidden": b"h", "ü ß": b"name"}
    _write(chaser, source, {"a": b"both", **same})
    chaser.ask("create-workspace-snapshot", ws=source, json={"name": "kept"}, expect=200)
    copy = chaser.ask("create-workspace", json={"clone_from": source}, expect=200).json["id"]
    _hold(chaser, copy, {"a": b"both", **same}, "a copy begins with the files of its source")
    kept = chaser.ask("list-workspace-snapshots", ws=copy, expect=200)
    kept.require(kept.json == [], "a copy has no snapshots")
    _write(chaser, copy, {"a": b"copy", "c": b"copy"})
    _write(chaser, source, {"b": b"source"})
    _hold(chaser, source, {"a": b"both", "b": b"source", "c": None}, "what is written in a copy is not in its source")
    chaser.ask("delete-workspace", ws=source, expect=204)
    _hold(chaser, copy, {"a": b"copy", "b": None, "c": b"copy"}, "what is written in the source is not in a copy")
    chaser.ask("delete-workspace", ws=copy, expect=204)


@promise()
def storage_is_what_they_hold(chaser: Subject) -> None:
    """The summary counts the bytes of all workspaces and snapshots, and how many workspaces there are."""
    before = _storage(chaser)
    room = making.workspace(chaser)["id"]
    making.workspace(chaser)
    empty = _storage(chaser)
    measured = {"measured": before["measured"] + 2, "unresolved": before["unresolved"]}
    chaser.require(
        {**empty, **measured} == empty, "get-billing-summary: workspaces whose size is known are counted", str(empty)
    )
    _write(chaser, room, {"data": b"\xab" * 3_000_000})
    full = _storage(chaser)
    _about(chaser, full["used"] - empty["used"], 3_000_000, "what is written into a workspace")
    kept = chaser.ask("create-workspace-snapshot", ws=room, json={"name": "kept"}, expect=200)
    size = kept.json.get("used_bytes", 0)
    _about(chaser, size, 3_000_000, "what a snapshot holds")
    twice = _storage(chaser)
    _about(chaser, twice["used"] - full["used"], size, "what a snapshot holds")
    copy = chaser.ask("create-workspace", json={"clone_from": room}, expect=200).json["id"]
    thrice = _storage(chaser)
    _about(chaser, thrice["used"] - twice["used"], 3_000_000, "what a copy holds")
    chaser.ask("delete-workspace-snapshot", ws=room, name="kept", expect=204)
    chaser.ask("delete-workspace", ws=room, expect=204)
    one = _storage(chaser)
    _about(chaser, one["used"], empty["used"] + 3_000_000, "what is left when a workspace and a snapshot are deleted")
    chaser.require(
        one["measured"] == empty["measured"], "get-billing-summary: each workspace is counted once", str(one)
    )
    chaser.ask("delete-workspace", ws=copy, expect=204)


def _write(chaser: Subject, room: str, files: Files) -> None:
    """Write files in a session of a workspace, which is over then."""
    session = making.running(chaser, workspace=room)["id"]
    for name, data in files.items():
        if data is not None:
            told = put(chaser.client, session, f"/workspace/{name}", data).must_be(200)
            holds(told, told.json, path=f"/workspace/{name}", size=len(data))
    chaser.ask("terminate-session", id=session, expect=204)


def _hold(chaser: Subject, room: str, files: Files, promise_: str) -> None:
    """Hold the files of a workspace against what is to be in them, in a session of its own."""
    session = making.running(chaser, workspace=room)["id"]
    for name, data in files.items():
        answer = chaser.ask("download-session-file", id=session, query={"path": f"/workspace/{name}"})
        came = answer.body if answer.status == 200 else None
        answer.require(came == data, promise_, f"{name} is {came!r}, and not {data!r}")
    chaser.ask("terminate-session", id=session, expect=204)


def _storage(chaser: Subject) -> dict[str, int]:
    told = chaser.ask("get-billing-summary", expect=200)
    holds(told, told.json, workspace_storage_cap_bytes=25 * 10**9)
    return {
        "used": told.json["workspace_storage_used_bytes"],
        "measured": told.json["workspace_storage_measured_workspaces"],
        "unresolved": told.json["workspace_storage_unresolved_workspaces"],
    }


def _about(chaser: Subject, found: int, wanted: int, what: str) -> None:
    """Disks count in blocks, and have files of their own."""
    fits = wanted - 100_000 <= found <= wanted + 1_000_000
    chaser.require(fits, f"get-billing-summary: {what} is counted as bytes on disk", f"{found} and not about {wanted}")
