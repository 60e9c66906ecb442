"""Endings of sessions: by their id, many at once, by force, and what is told of those that have ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, holds, refused, unchanged


@promise()
def one_that_is_ended_has_ended(chaser: Subject) -> None:
    """Whoever ends a session is answered when it has ended; it stays readable, and is listed no more."""
    made = making.running(chaser)
    ended = chaser.ask("terminate-session", id=made["id"], expect=204)
    ended.require(ended.body == b"", "the answer has no body")
    read = chaser.ask("get-session", id=made["id"], expect=200)
    holds(read, read.json, status="terminated")
    unchanged(read, read.json, made, but=["status", "active_connection_leases"])
    listed = chaser.ask("list-sessions", query={"limit": 200}, expect=200)
    listed.require(made["id"] not in _ids(listed), "a session that has ended is not listed")
    refused(chaser.ask("exec-session", id=made["id"], json={"command": "true"}), 409, "not_running")


@promise()
def ending_again_is_fine(chaser: Subject) -> None:
    """A session that has ended can be ended again, by force or not; one that never was is 404."""
    first, second = making.running(chaser), making.running(chaser)
    for query in ({}, {}, {"force": True}, {"force": False}):
        chaser.ask("terminate-session", id=first["id"], query=query, expect=204)
    for missing in (UNKNOWN, "x", second["id"][:-1]):
        refused(chaser.ask("terminate-session", id=missing), 404, "not_found")
        refused(chaser.ask("get-session", id=missing), 404, "not_found")
    refused(chaser.ask("terminate-session", id=second["id"], query={"force": "yes"}), 400, "invalid_request", "force")
    read = chaser.ask("get-session", id=second["id"], expect=200)
    holds(read, read.json, status="running")
    chaser.ask("terminate-session", id=second["id"], query={"force": True}, expect=204)
    read = chaser.ask("get-session", id=second["id"], expect=200)
    holds(read, read.json, status="terminated")


@promise("emulator")
def one_that_is_held_takes_force(chaser: Subject) -> None:
    """A session that something is connected to is 409 session_leased, alone and among others, unless it is forced."""
    made, other = making.running(chaser), making.running(chaser)
    with _held(chaser, made["id"]):
        read = chaser.ask("get-session", id=made["id"], expect=200)
        leases = read.json["active_connection_leases"]
        read.require(isinstance(leases, int) and leases >= 1, "`active_connection_leases` counts who is connected")
        refused(chaser.ask("terminate-session", id=made["id"]), 409, "session_leased")
        refused(chaser.ask("terminate-session", id=made["id"], query={"force": "false"}), 409, "session_leased")
        many = chaser.ask("bulk-terminate-sessions", json={"ids": [made["id"], other["id"]]}, expect=200)
        _became(many, ended=[other["id"]], failed={made["id"]: "session_leased"})
        read = chaser.ask("get-session", id=made["id"], expect=200)
        holds(read, read.json, status="running")
        many = chaser.ask("bulk-terminate-sessions", json={"all": True, "force": False}, expect=200)
        _became(many, ended=[], failed={made["id"]: "session_leased"})
        many = chaser.ask("bulk-terminate-sessions", json={"ids": [made["id"]], "force": True}, expect=200)
        _became(many, ended=[made["id"]], failed={})
    third = making.running(chaser)
    with _held(chaser, third["id"]):
        chaser.ask("terminate-session", id=third["id"], query={"force": True}, expect=204)
        read = chaser.ask("get-session", id=third["id"], expect=200)
        holds(read, read.json, status="terminated")


@promise()
def many_are_ended_by_their_ids(chaser: Subject) -> None:
    """Those that are named are ended, each told once; what names none fails with `not_found`; no other is ended."""
    made = [making.running(chaser)["id"] for _ in range(3)]
    many = chaser.ask("bulk-terminate-sessions", json={"ids": [made[0], UNKNOWN, made[1], made[0], "x"]}, expect=200)
    _became(many, ended=made[:2], failed={UNKNOWN: "not_found", "x": "not_found"})
    for one, status in zip(made, ("terminated", "terminated", "running"), strict=True):
        read = chaser.ask("get-session", id=one, expect=200)
        holds(read, read.json, status=status)
    chaser.ask("terminate-session", id=made[2], expect=204)


@promise()
def many_are_ended_by_their_workspaces(chaser: Subject) -> None:
    """`workspaces` ends what runs on those that are named by id, or by name in any case; an unknown one fails."""
    rooms = [making.workspace(chaser) for _ in range(4)]
    made = [making.running(chaser, workspace=room["id"])["id"] for room in rooms[:3]]
    unknown = chaser.name("nothing")
    named = [rooms[0]["name"].upper(), rooms[1]["id"], rooms[3]["name"], unknown]
    many = chaser.ask("bulk-terminate-sessions", json={"workspaces": named}, expect=200)
    ended = many.json["terminated"]
    many.require(sorted(ended) == sorted(made[:2]), "those that run on the workspaces are ended", str(ended))
    failed = {one["id"]: one["code"] for one in many.json["failed"]}
    many.require(failed.get(unknown) == "not_found", "a workspace that is none fails with `not_found`", str(failed))
    read = chaser.ask("get-session", id=made[2], expect=200)
    holds(read, read.json, status="running")
    for room in rooms:
        chaser.ask("delete-workspace", ws=room["id"], query={"force": True}, expect=204)


@promise("emulator")
def all_are_all_of_a_type(chaser: Subject) -> None:
    """`all` ends every session, whatever else is named, or with `session_type` those of one type."""
    room = making.workspace(chaser)
    made = [making.running(chaser)["id"], making.running(chaser, workspace=room["id"])["id"]]
    none = chaser.ask("bulk-terminate-sessions", json={"all": True, "session_type": "browser"}, expect=200)
    _became(none, ended=[], failed={})
    every = {"all": True, "session_type": "sandbox", "ids": [UNKNOWN], "workspaces": ["nothing"]}
    many = chaser.ask("bulk-terminate-sessions", json=every, expect=200)
    _became(many, ended=made, failed={})
    again = chaser.ask("bulk-terminate-sessions", json={"all": True}, expect=200)
    _became(again, ended=[], failed={})
    last = making.running(chaser)["id"]
    narrowed = {"ids": [last], "session_type": "browser", "workspaces": None, "all": None, "force": None}
    many = chaser.ask("bulk-terminate-sessions", json=narrowed, expect=200)
    _became(many, ended=[last], failed={})


@promise()
def both_kinds_of_selectors_add_up(chaser: Subject) -> None:
    """What is named by id and what runs on a workspace that is named are ended together, each told once."""
    room = making.workspace(chaser)
    one, two = making.running(chaser)["id"], making.running(chaser, workspace=room["id"])["id"]
    third = making.running(chaser)["id"]
    body = {"ids": [one, two], "workspaces": [room["id"], room["name"]]}
    many = chaser.ask("bulk-terminate-sessions", json=body, expect=200)
    _became(many, ended=[one, two], failed={})
    read = chaser.ask("get-session", id=third, expect=200)
    holds(read, read.json, status="running")
    chaser.ask("terminate-session", id=third, expect=204)
    chaser.ask("delete-workspace", ws=room["id"], expect=204)


@promise()
def a_selection_names_something(chaser: Subject) -> None:
    """A selection without ids, workspaces and `all` is 400, as is one of another form; nothing is ended by it."""
    made = making.running(chaser)
    bodies: tuple[dict[str, Any], ...] = (
        {},
        {"ids": []},
        {"workspaces": []},
        {"all": False},
        {"ids": None, "workspaces": None, "all": None},
        {"force": True},
        {"session_type": "sandbox"},
        {"all": "true"},
        {"ids": made["id"]},
        {"ids": [""]},
        {"ids": [1]},
        {"all": True, "session_type": "vm"},
        {"all": True, "force": "yes"},
    )
    for body in bodies:
        with chaser.case():
            refused(chaser.ask("bulk-terminate-sessions", json=body), 400, "invalid_request")
    read = chaser.ask("get-session", id=made["id"], expect=200)
    holds(read, read.json, status="running")
    chaser.ask("terminate-session", id=made["id"], expect=204)


def _became(answer: Answer, *, ended: Collection[str], failed: dict[str, str]) -> None:
    """Hold an answer against which sessions have ended, and which selectors failed with what code."""
    found = answer.json["terminated"]
    equals(answer, sorted(found), sorted(ended), "`terminated` is exactly what has ended, each once")
    told = answer.json["failed"]
    equals(
        answer,
        {one["id"]: one["code"] for one in told},
        failed,
        "`failed` is exactly what was selected and did not end, with its code",
    )
    answer.require(len(told) == len(failed), "`failed` tells of each once")
    answer.require(all(one["message"] for one in told), "each failure has a message")


def _ids(answer: Answer) -> set[str]:
    return {one["id"] for one in answer.json["sessions"]}


@contextmanager
def _held(chaser: Subject, session_id: str) -> Iterator[None]:
    """Something is connected to a session in the block."""
    with chaser.steered.provoke("terminate-session", "session_leased", path={"id": session_id}):
        yield
