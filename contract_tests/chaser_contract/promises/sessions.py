"""Sessions: what a new one is and where, which one a workspace has, and what becomes of those that are ended."""

from __future__ import annotations

import dataclasses

import httpx

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.broken import NotTried
from chaser_contract.client import Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, frozen, holds, is_at, is_uuid, lacks, refused, unchanged


@promise()
def a_new_one_is_what_was_asked_for(chaser: Subject) -> None:
    """A session that was asked for with nothing said but that it is ephemeral is a sandbox without a workspace."""
    made = chaser.ask("create-session", json={"ephemeral": True}, expect=200)
    is_uuid(made, made.json, "id")
    holds(made, made.json, session_type="sandbox", workspace_id=None, persistence=False)
    made.require(made.json["status"] in ("starting", "running"), "a new session starts or runs")
    lacks(made, made.json["endpoints"], "video")
    ready = making.ready(chaser, made.json["id"])
    read = chaser.ask("get-session", id=made.json["id"], expect=200)
    unchanged(read, read.json, made.json, but=["status"])
    holds(read, ready, status="running", active_connection_leases=0)
    chaser.ask("terminate-session", id=made.json["id"], expect=204)


@promise("emulator")
def begins_now(chaser: Subject) -> None:
    """A session's `created_at` is the moment of the clock at which it was asked for, wherever it is shown."""
    then = frozen(chaser)
    made = chaser.ask("create-session", json={"ephemeral": True}, expect=200)
    is_at(made, made.json, "created_at", then)
    [listed] = chaser.ask("list-sessions", expect=200).json["sessions"]
    holds(made, listed, created_at=made.json["created_at"], id=made.json["id"])


@promise()
def one_is_listed_as_it_is_read(chaser: Subject) -> None:
    """The list shows each session as reading it does, and counts them."""
    room = making.workspace(chaser)
    before = chaser.ask("list-sessions", query={"limit": 1}, expect=200).json["total"]
    made = [making.running(chaser), making.running(chaser, workspace=room["id"])]
    listed = chaser.ask("list-sessions", query={"limit": 2}, expect=200)
    holds(listed, listed.json, total=before + 2)
    for one, shown in zip(reversed(made), listed.json["sessions"], strict=True):
        read = chaser.ask("get-session", id=one["id"], expect=200)
        equals(read, read.json, shown, "a session is read as it is listed")
        chaser.ask("terminate-session", id=one["id"], expect=204)
    listed = chaser.ask("list-sessions", query={"limit": 1}, expect=200)
    holds(listed, listed.json, total=before)
    chaser.ask("delete-workspace", ws=room["id"], expect=204)


@promise()
def one_of_a_workspace_names_it(chaser: Subject) -> None:
    """A session on a workspace has its id and is persistent, and the workspace names the session while it lives."""
    room = making.workspace(chaser)
    made = chaser.ask("create-session", json={"workspace": room["name"], "session_type": "sandbox"}, expect=200)
    holds(made, made.json, workspace_id=room["id"], persistence=True, session_type="sandbox")
    making.ready(chaser, made.json["id"])
    listed = chaser.ask("list-workspaces", expect=200)
    [shown] = [one for one in listed.json if one["id"] == room["id"]]
    holds(listed, shown, active_session_id=made.json["id"], last_session_id=made.json["id"], status="active")
    chaser.ask("terminate-session", id=made.json["id"], expect=204)
    listed = chaser.ask("list-workspaces", expect=200)
    [shown] = [one for one in listed.json if one["id"] == room["id"]]
    holds(listed, shown, last_session_id=made.json["id"], status="idle")
    lacks(listed, shown, "active_session_id")
    if chaser.emulator is None:
        chaser.ask("delete-workspace", ws=room["id"], expect=204)


@promise()
def a_workspace_has_one_at_a_time(chaser: Subject) -> None:
    """Whoever names a workspace, by id or by name in any case, gets the session that is live for it; else a new one."""
    room = making.workspace(chaser)
    first = making.running(chaser, workspace=room["name"])
    for selector in (room["name"], room["name"].upper(), room["id"], room["id"].upper()):
        again = chaser.ask("create-session", json={"workspace": selector}, expect=200)
        again.require(again.json["id"] == first["id"], "the session that is live for a workspace is answered again")
        unchanged(again, again.json, first)
    chaser.ask("terminate-session", id=first["id"], expect=204)
    second = chaser.ask("create-session", json={"workspace": room["id"]}, expect=200)
    second.require(second.json["id"] != first["id"], "a session that has ended is not answered again")
    chaser.ask("delete-workspace", ws=room["id"], query={"force": True}, expect=204)


@promise()
def ephemeral_ones_are_always_new(chaser: Subject) -> None:
    """Each request for an ephemeral session makes another one, also while others live; none makes a workspace."""
    before = chaser.ask("list-workspaces", expect=200).json
    made = [chaser.ask("create-session", json={"ephemeral": True}, expect=200).json["id"] for _ in range(3)]
    chaser.require(len(set(made)) == 3, "create-session: an ephemeral session is always a new one", str(made))
    listed = chaser.ask("list-workspaces", expect=200)
    listed.require(len(listed.json) == len(before), "an ephemeral session leaves no workspace")
    chaser.ask("bulk-terminate-sessions", json={"ids": made}, expect=200)


@promise("emulator")
def without_a_word_it_is_the_default_workspace(chaser: Subject) -> None:
    """With neither workspace nor ephemeral, a paid account gets that of its workspace `default`, made on need."""
    first = chaser.ask("create-session", json={}, expect=200)
    [room] = chaser.ask("list-workspaces", expect=200).json
    holds(first, room, "the workspace", name="default", session_type="sandbox")
    holds(first, first.json, session_type="sandbox", workspace_id=room["id"], persistence=True)
    again = chaser.ask("create-session", json={"session_type": "sandbox", "ephemeral": False}, expect=200)
    again.require(again.json["id"] == first.json["id"], "the default workspace has one session")
    named = chaser.ask("create-session", json={"workspace": "DEFAULT"}, expect=200)
    named.require(named.json["id"] == first.json["id"], "the default workspace is the one called `default`")
    one = chaser.ask("exec-sandbox", json={"command": "true"}, expect=200)
    holds(one, one.json, session_id=first.json["id"], workspace_id=room["id"], ephemeral=False)
    listed = chaser.ask("list-workspaces", expect=200)
    listed.require(len(listed.json) == 1, "the default workspace is made once")


@promise("emulator")
def free_accounts_get_ephemeral_ones(chaser: Subject) -> None:
    """On the free plan a session for which nothing is said is ephemeral, one on a workspace is 403."""
    person, _ = making.person(chaser)
    made = person.ask("create-session", json={}, expect=200)
    holds(made, made.json, workspace_id=None, persistence=False, session_type="sandbox")
    listed = person.ask("list-workspaces", expect=200)
    listed.require(listed.json == [], "a free account has no workspace")


@promise()
def its_control_endpoint_is_its_gateway(chaser: Subject) -> None:
    """`endpoints.control` is the base of the session's gateway: an address, `/s/`, the id and a slash."""
    made = making.running(chaser)
    for answer, found in (
        (chaser.ask("get-session", id=made["id"], expect=200), None),
        (chaser.ask("list-sessions", query={"limit": 200}, expect=200), made["id"]),
    ):
        shown = answer.json if found is None else next(one for one in answer.json["sessions"] if one["id"] == found)
        control = shown["endpoints"]["control"]
        fits = control.startswith(("http://", "https://")) and control.endswith(f"/s/{made['id']}/")
        answer.require(fits, "`endpoints.control` is `http(s)://<authority>/s/<id>/`", control)
    chaser.ask("terminate-session", id=made["id"], expect=204)


@promise("emulator")
def its_endpoints_are_where_the_caller_is(chaser: Subject) -> None:
    """Where no public URL is configured, endpoints have the authority of `Host` and the scheme that is forwarded."""
    plain = making.running(chaser)["endpoints"]["control"]
    if not plain.startswith(chaser.url):
        raise NotTried("it has a public URL, which stands in all endpoints")
    with httpx.Client(base_url=chaser.url, transport=chaser.steered.sockets) as http:
        client: Client = dataclasses.replace(chaser.client, http=http)
        for headers, base in (
            ({"Host": "chaser.localhost"}, "http://chaser.localhost"),
            ({"Host": "localhost:99", "X-Forwarded-Proto": "https"}, "https://localhost:99"),
            ({"Host": "10.1.2.3", "X-Forwarded-Proto": "HTTPS, http"}, "https://10.1.2.3"),
            ({"Host": "[::1]:8000", "X-Forwarded-Proto": "http"}, "http://[::1]:8000"),
            ({"Host": "localhost:99", "X-Forwarded-Proto": "gopher"}, "http://localhost:99"),
        ):
            with chaser.case():
                made = client.ask("create-session", json={"ephemeral": True}, headers=headers, expect=200)
                holds(made, made.json["endpoints"], "endpoints", control=f"{base}/s/{made.json['id']}/")
                read = client.ask("get-session", id=made.json["id"], headers=headers, expect=200)
                holds(read, read.json["endpoints"], "endpoints", control=f"{base}/s/{made.json['id']}/")


@promise("emulator")
def browsers_have_a_picture(chaser: Subject) -> None:
    """A browser session has the address of its picture among its endpoints, whatever becomes of it; a sandbox none."""
    made = chaser.ask("create-session", json={"session_type": "browser", "ephemeral": True}, expect=200)
    holds(made, made.json, session_type="browser", workspace_id=None, persistence=False)
    holds(made, made.json["endpoints"], "endpoints", video=f"{made.json['endpoints']['control']}video")
    refused(chaser.ask("self-test-session", id=made.json["id"]), 400, "not_a_sandbox")
    chaser.ask("terminate-session", id=made.json["id"], query={"force": True}, expect=204)


@promise()
def terminals_have_sizes_of_1_to_1000(chaser: Subject) -> None:
    """A terminal's size is 204 from 1 to 1000 rows and columns, 400 with the field beyond; an unknown session 404."""
    made = making.running(chaser)
    for rows, cols in ((1, 1), (1000, 1000), (50, 160)):
        chaser.ask("resize-session-pty", id=made["id"], json={"rows": rows, "cols": cols}, expect=204)
    for body, pointer in (
        ({"rows": 0, "cols": 1}, "/rows"),
        ({"rows": 1001, "cols": 1}, "/rows"),
        ({"rows": 1, "cols": 0}, "/cols"),
        ({"rows": 1, "cols": 1001}, "/cols"),
        ({"rows": 1.5, "cols": 1}, "/rows"),
        ({"rows": "1", "cols": 1}, "/rows"),
        ({"cols": 1}, "/rows"),
        ({"rows": 1}, "/cols"),
    ):
        with chaser.case():
            refused(chaser.ask("resize-session-pty", id=made["id"], json=body), 400, "invalid_request", pointer)
    size = {"rows": 1, "cols": 1}
    refused(chaser.ask("resize-session-pty", id=UNKNOWN, json=size), 404, "not_found")
    chaser.ask("terminate-session", id=made["id"], expect=204)
    refused(chaser.ask("resize-session-pty", id=made["id"], json=size), 409, "not_running")


@promise()
def a_self_test_tells_of_its_session(chaser: Subject) -> None:
    """A self-test says which session it was made in, and on which workspace, if any."""
    room = making.workspace(chaser)
    for made in (making.running(chaser), making.running(chaser, workspace=room["id"])):
        answer = chaser.ask("self-test-session", id=made["id"], expect=200)
        holds(answer, answer.json, kind="self_test", session_id=made["id"])
        answer.require(answer.json["status"] in ("ok", "degraded"), "`status` is `ok` or `degraded`")
        came = answer.json.get("workspace_id")
        answer.require(came == made["workspace_id"], "`workspace_id` is that of the session", str(came))
        chaser.ask("terminate-session", id=made["id"], expect=204)
        refused(chaser.ask("self-test-session", id=made["id"]), 409, "not_running")
    refused(chaser.ask("self-test-session", id=UNKNOWN), 404, "not_found")
    chaser.ask("delete-workspace", ws=room["id"], expect=204)
