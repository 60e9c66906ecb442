"""Deletions of workspaces: alone, many at once, by force, and what goes with them."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, holds, refused


@promise()
def one_that_is_deleted_is_gone(chaser: Subject) -> None:
    """A deleted workspace is in no list, its name is free, nothing can be done with it, and again is 404."""
    room, other = making.workspace(chaser), making.workspace(chaser)
    chaser.ask("create-workspace-snapshot", ws=room["id"], json={"name": "kept"}, expect=200)
    answer = chaser.ask("delete-workspace", ws=room["name"].upper(), expect=204)
    answer.require(answer.body == b"", "the answer has no body")
    listed = chaser.ask("list-workspaces", expect=200)
    ids = [one["id"] for one in listed.json]
    listed.require(room["id"] not in ids and other["id"] in ids, "the one that is deleted is gone, and no other")
    for selector in (room["id"], room["name"]):
        for gone in (
            chaser.ask("delete-workspace", ws=selector),
            chaser.ask("delete-workspace", ws=selector, query={"force": True}),
            chaser.ask("set-workspace-name", ws=selector, json={"name": chaser.name()}),
            chaser.ask("set-workspace-template", ws=selector, json={"template": True}),
            chaser.ask("list-workspace-snapshots", ws=selector),
            chaser.ask("create-workspace-snapshot", ws=selector, json={}),
            chaser.ask("restore-workspace-snapshot", ws=selector, name="kept", json={}),
            chaser.ask("delete-workspace-snapshot", ws=selector, name="kept"),
            chaser.ask("create-session", json={"workspace": selector}),
            chaser.ask("create-workspace", json={"clone_from": selector}),
            chaser.ask("exec-sandbox", json={"workspace": selector, "command": "true"}),
        ):
            with chaser.case():
                refused(gone, 404, "not_found")
    again = chaser.ask("create-workspace", json={"session_type": "sandbox", "name": room["name"]}, expect=200)
    again.require(again.json["id"] != room["id"], "a new workspace of the same name is another one")
    kept = chaser.ask("list-workspace-snapshots", ws=room["name"], expect=200)
    equals(kept, kept.json, [], "a new workspace of the same name has no snapshots")
    for one in (again.json, other):
        chaser.ask("delete-workspace", ws=one["id"], expect=204)


@promise()
def force_ends_its_session(chaser: Subject) -> None:
    """By force a workspace is deleted although a session lives on it, which ends."""
    room = making.workspace(chaser)
    made = making.running(chaser, workspace=room["id"])
    refused(chaser.ask("delete-workspace", ws=room["id"], query={"force": "1x"}), 400, "invalid_request", "force")
    chaser.ask("delete-workspace", ws=room["id"], query={"force": True}, expect=204)
    read = chaser.ask("get-session", id=made["id"], expect=200)
    holds(read, read.json, status="terminated")
    read.require(making.workspace_of(chaser, room["id"]) is None, "a workspace that is deleted by force is gone")


@promise()
def many_are_deleted(chaser: Subject) -> None:
    """Each that is named, by id or name, is deleted once and told; the numbers are those of the results."""
    rooms = [making.workspace(chaser) for _ in range(4)]
    made = making.running(chaser, workspace=rooms[2]["id"])
    unknown = chaser.name("nothing")
    ids = [rooms[0]["id"], rooms[1]["name"].upper(), rooms[2]["name"], unknown, rooms[0]["name"], UNKNOWN]
    many = chaser.ask("bulk-delete-workspaces", json={"ids": ids}, expect=200)
    told = {one["id"]: one["deleted"] for one in many.json["results"]}
    _counted(many, requested=5, deleted=2)
    wanted = {rooms[0]["id"]: True, rooms[1]["id"]: True, rooms[2]["id"]: False, unknown: False, UNKNOWN: False}
    equals(many, told, wanted, "`results` tell of each that was selected, once, whether it is deleted")
    left = {one["id"] for one in chaser.ask("list-workspaces", expect=200).json}
    many.require(not left & {rooms[0]["id"], rooms[1]["id"]}, "those that are told to be deleted are gone", str(left))
    many.require({rooms[2]["id"], rooms[3]["id"]} <= left, "those that are in use or not named stay", str(left))
    read = chaser.ask("get-session", id=made["id"], expect=200)
    holds(read, read.json, status="running")
    forced = chaser.ask("bulk-delete-workspaces", json={"ids": [rooms[2]["id"]], "force": True}, expect=200)
    _counted(forced, requested=1, deleted=1)
    read = chaser.ask("get-session", id=made["id"], expect=200)
    holds(read, read.json, status="terminated")
    chaser.ask("delete-workspace", ws=rooms[3]["id"], expect=204)


@promise("emulator", "peer")
def all_are_those_of_the_account(chaser: Subject) -> None:
    """`all` deletes every workspace of the account whatever is named besides, keeps those in use, and nobody else's."""
    rooms = [making.workspace(chaser) for _ in range(3)]
    making.running(chaser, workspace=rooms[1]["id"])
    theirs = making.workspace(chaser, chaser.peer)
    many = chaser.ask("bulk-delete-workspaces", json={"all": True, "ids": ["nothing"]}, expect=200)
    _counted(many, requested=3, deleted=2)
    [kept] = [one for one in many.json["results"] if not one["deleted"]]
    holds(many, kept, "results", id=rooms[1]["id"])
    listed = chaser.ask("list-workspaces", expect=200)
    equals(listed, [one["id"] for one in listed.json], [rooms[1]["id"]], "only what is in use is left")
    forced = chaser.ask("bulk-delete-workspaces", json={"all": True, "force": True}, expect=200)
    equals(
        forced,
        forced.json,
        {"requested": 1, "deleted": 1, "failed": 0, "results": [{"id": rooms[1]["id"], "deleted": True}]},
        "by force what is in use is deleted as well",
    )
    none = chaser.ask("bulk-delete-workspaces", json={"all": True}, expect=200)
    equals(none, none.json, {"requested": 0, "deleted": 0, "failed": 0, "results": []}, "of nothing nothing is deleted")
    none.require(making.workspace_of(chaser.peer, theirs["id"]) is not None, "those of another account stay")


@promise()
def a_selection_names_something(chaser: Subject) -> None:
    """A selection without ids and without all is 400, as is one of another form, and nothing is deleted by it."""
    room = making.workspace(chaser)
    bodies: tuple[dict[str, Any], ...] = (
        {},
        {"ids": []},
        {"all": False},
        {"force": True},
        {"ids": room["id"]},
        {"ids": [""]},
        {"ids": [1]},
        {"ids": None},
        {"all": "true"},
        {"all": True, "force": "yes"},
    )
    for body in bodies:
        with chaser.case():
            refused(chaser.ask("bulk-delete-workspaces", json=body), 400, "invalid_request")
    chaser.require(
        making.workspace_of(chaser, room["id"]) is not None,
        "bulk-delete-workspaces: a selection that is refused deletes nothing",
        "it is gone",
    )
    chaser.ask("delete-workspace", ws=room["id"], expect=204)


def _counted(answer: Answer, *, requested: int, deleted: int) -> None:
    holds(answer, answer.json, requested=requested, deleted=deleted, failed=requested - deleted)
    told = answer.json["results"]
    answer.require(len(told) == requested, "there is one result for each that was selected", str(len(told)))
    answer.require(all(one["deleted"] or one["error"] for one in told), "what is not deleted has a reason")
