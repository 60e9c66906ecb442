"""Particulars that are easily left out: as whom a command runs, and that what comes into being by itself is told."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.broken import NotTried
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, holds


@promise()
def a_background_command_says_as_whom_and_where_it_runs(chaser: Subject) -> None:
    """`user` and `cwd` of a background command are those that were asked for, alone and in the list."""
    one = making.running(chaser)
    asked = {"command": "true", "user": "root", "cwd": "/tmp", "background": True}  # noqa: S108 - in the sandbox
    begun = chaser.ask("exec-session", id=one["id"], json=asked)
    if begun.status == 400:
        raise NotTried("it takes a sandbox with a user root")
    begun.must_be(200)
    command = begun.json["command_id"]
    told = chaser.ask("get-session-command", id=one["id"], cid=command, expect=200)
    holds(told, told.json, user="root", cwd="/tmp", command="true", session_id=one["id"])  # noqa: S108 - as above
    listed = chaser.ask("list-session-commands", id=one["id"], expect=200)
    shown: dict[str, Any] = next((each for each in listed.json["commands"] if each["command_id"] == command), {})
    holds(listed, shown, user="root", cwd="/tmp", command="true", session_id=one["id"])  # noqa: S108 - as above


@promise()
def a_default_workspace_is_told_as_others_are(chaser: Subject) -> None:
    """The workspace that a session makes by itself sends `workspace.created`, once; later sessions make none."""
    making.webhook(chaser, events=["workspace.created"])
    if any(one["name"] == "default" for one in chaser.ask("list-workspaces", expect=200).json):
        raise NotTried("the account has its default workspace already")
    first = chaser.ask("create-session", json={}, expect=200).json
    chaser.ask("terminate-session", id=first["id"], query={"force": True}, expect=204)
    again = chaser.ask("create-session", json={}, expect=200)
    equals(again, again.json["workspace_id"], first["workspace_id"], "the default workspace is the same each time")
    listed = chaser.ask("list-webhook-deliveries", expect=200)
    told = [(one["event_type"], one["resource_id"]) for one in listed.json["deliveries"]]
    wanted = [("workspace.created", first["workspace_id"])]
    equals(listed, told, wanted, "a workspace that comes into being is told of, once")
