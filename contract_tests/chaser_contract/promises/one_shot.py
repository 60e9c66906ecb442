"""One-shot commands and what is refused of all commands: which sandbox is theirs, and what becomes of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.sandboxes import ended, run, session, workspace
from chaser_contract.subject import Subject
from chaser_contract.waiting import eventually


@promise()
def an_ephemeral_sandbox_ends_with_its_command(chaser: Subject) -> None:
    """The sandbox of an ephemeral one-shot command has no workspace, and has ended once the command is answered."""
    for body, code in (({"command": "exit 3"}, 3), ({"command": "sleep 60", "timeout_ms": 30}, 124)):
        with chaser.case():
            answer = chaser.ask("exec-sandbox", json={"ephemeral": True, **body}, expect=200)
            answer.require(answer.json["exit_code"] == code, f"its exit code is told, {code}")
            answer.require(answer.json["ephemeral"] is True, "an ephemeral command says so")
            for name in ("workspace", "workspace_id", "command_id", "pid"):
                answer.require(answer.json.get(name) is None, f"an ephemeral command has no {name}")
            _is_gone(chaser, answer.json["session_id"])


@promise()
def an_ephemeral_command_in_the_background_keeps_its_sandbox(chaser: Subject) -> None:
    """The sandbox of an ephemeral command in the background lives until the command ends, and no longer."""
    body = {"ephemeral": True, "background": True, "command": "sleep 600"}
    answer = chaser.ask("exec-sandbox", json=body, expect=200)
    one, command = answer.json["session_id"], answer.json["command_id"]
    answer.require(answer.json["status"] == "running", "a command in the background is answered as running")
    alive = chaser.ask("get-session", id=one, expect=200)
    alive.require(alive.json["status"] == "running", "its sandbox lives while the command runs")
    chaser.ask("kill-session-command", id=one, cid=command, json={}, expect=200)
    eventually(
        lambda: chaser.ask("get-session", id=one, expect=200),
        lambda found: found.json["status"] == "terminated",
        "exec-sandbox: an ephemeral sandbox ends when its command in the background has ended",
    )
    _is_gone(chaser, one)


@promise()
def a_workspace_keeps_the_sandbox_of_its_commands(chaser: Subject) -> None:
    """Commands on a workspace, by its name in any case or its id, share one sandbox, which goes on afterwards."""
    with workspace(chaser) as room:
        selectors = (room["name"], room["id"], room["name"].upper())
        answers = [
            chaser.ask("exec-sandbox", json={"command": "echo x", "workspace": one}, expect=200) for one in selectors
        ]
        for answer in answers:
            _of_workspace(answer, room["name"], room["id"])
            answer.require(
                answer.json["session_id"] == answers[0].json["session_id"],
                "one sandbox runs all commands of a workspace",
            )
        found = chaser.ask("get-session", id=answers[0].json["session_id"], expect=200)
        found.require(found.json["status"] == "running", "the sandbox of a workspace goes on after the command")
        found.require(found.json["workspace_id"] == room["id"], "its session is that of the workspace")
        same = chaser.ask("create-session", json={"workspace": room["name"]}, expect=200)
        same.require(same.json["id"] == found.json["id"], "a session on the workspace is the one that runs")


@promise("emulator")
def the_plan_decides_where_a_command_runs_that_names_no_place(chaser: Subject) -> None:
    """Without a place a command runs in the workspace `default` of a paid account, and ephemerally on a free one."""
    for caller in (chaser.client, chaser.peer):
        first, second = (caller.ask("exec-sandbox", json={"command": "echo x"}, expect=200) for _ in range(2))
        rooms = [one for one in caller.ask("list-workspaces", expect=200).json if one["name"] == "default"]
        first.require(len(rooms) == 1, "the default workspace is made once", f"there are {len(rooms)}")
        first.require(rooms[0]["session_type"] == "sandbox", "the default workspace is for sandboxes")
        for answer in (first, second):
            _of_workspace(answer, "default", rooms[0]["id"])
        second.require(second.json["session_id"] == first.json["session_id"], "its sandbox is used again")
    people = {
        "users": [{"email": "free@example.com", "name": "Free", "plan": "free"}],
        "keys": [{"name": "free", "owner": "free@example.com"}],
    }
    free = chaser.as_(chaser.steered.seed(people)["keys"]["free"]["api_key"])
    answer = free.ask("exec-sandbox", json={"command": "echo x"}, expect=200)
    answer.require(answer.json["ephemeral"] is True, "without a place a free account's command is ephemeral")
    answer.require(answer.json.get("workspace_id") is None, "an ephemeral command has no workspace")
    ended_one = free.ask("get-session", id=answer.json["session_id"], expect=200)
    ended_one.require(ended_one.json["status"] == "terminated", "its sandbox ends with it")
    kept = free.ask("list-workspaces", expect=200)
    kept.require(kept.json == [], "a free account gets no workspace by running a command")


@promise()
def what_contradicts_itself_is_refused_and_starts_nothing(chaser: Subject) -> None:
    """A command whose request is wrong is refused with 400, an unknown workspace with 404, and no sandbox starts."""
    before = chaser.ask("list-sessions", expect=200).json["total"]
    with workspace(chaser) as room:
        place = {"workspace": room["name"]}
        for body in (
            {**place, "ephemeral": True},
            {**place, "image": "debian:stable-slim"},
            {"image": "debian:stable-slim"},
            *({**place, **wrong} for wrong in _WRONG),
        ):
            with chaser.case():
                answer = chaser.ask("exec-sandbox", json={"command": "echo x", **body})
                answer.must_be(400, "invalid_request", because=f"for {_named(body)}")
        chaser.ask("exec-sandbox", json={"command": "echo x", "workspace": "no-such"}).must_be(404, "not_found")
        for ephemeral in (False, None):
            body = {**place, "command": "echo x"} | ({} if ephemeral is None else {"ephemeral": ephemeral})
            if ephemeral is None:
                after = chaser.ask("list-sessions", expect=200)
                found = after.json["total"]
                after.require(found == before + 1, "one sandbox is started, by the one that is right", f"{found}")
            else:
                chaser.ask("exec-sandbox", json=body, expect=200)


@promise("emulator")
def a_workspace_for_browsers_runs_no_commands(chaser: Subject) -> None:
    """A command on a workspace for browsers is refused with 400."""
    with workspace(chaser, session_type="browser") as room:
        answer = chaser.ask("exec-sandbox", json={"command": "echo x", "workspace": room["name"]})
        answer.must_be(400, because="on a workspace for browsers")


@promise()
def wrong_fields_of_a_command_are_refused(chaser: Subject) -> None:
    """A command is refused with 400 where a field of it is wrong, and accepted at the edge of each bound."""
    with session(chaser) as one:
        for body in _WRONG:
            with chaser.case():
                answer = chaser.ask("exec-session", id=one["id"], json={"command": "echo x", **body})
                answer.must_be(400, "invalid_request", because=f"for {_named(body)}")
        chaser.ask("exec-session", id=one["id"], json={}).must_be(400, "invalid_request", because="without a command")
        for body in _RIGHT:
            with chaser.case():
                answer = run(chaser, one["id"], **{"command": "echo x", **body})
                answer.require(answer.json["output"] == "x\n", f"a command runs with {_named(body)}")
        commands = chaser.ask("list-session-commands", id=one["id"], expect=200)
        commands.require(commands.json == {"commands": []}, "what is waited for is not listed")


@promise()
def a_sandbox_that_is_no_more_runs_nothing(chaser: Subject) -> None:
    """Commands are refused with not_running in a session that has ended, and with not_found in one that never was."""
    with session(chaser) as one:
        command = run(chaser, one["id"], "echo x", background=True).json["command_id"]
        ended(chaser, one["id"], command)
        chaser.ask("terminate-session", id=one["id"], expect=204)
        for session_id, status, code in (
            (one["id"], 409, "not_running"),
            ("5b1f6c1e-2d4a-4b5f-9c3d-8e7f6a5b4c3d", 404, "not_found"),
            ("no-such-session", 404, "not_found"),
        ):
            with chaser.case():
                for background in (False, True):
                    body = {"command": "echo x", "background": background}
                    chaser.ask("exec-session", id=session_id, json=body).must_be(status, code)
                chaser.ask("self-test-session", id=session_id).must_be(status, code)


@promise()
def a_command_that_is_waited_for_holds_its_session(chaser: Subject) -> None:
    """While a command is waited for its session has a lease, and ends only by force; one in the background has none."""
    with session(chaser) as one, ThreadPoolExecutor(1) as pool:
        run(chaser, one["id"], "sleep 600", background=True)
        free = chaser.ask("get-session", id=one["id"], expect=200)
        free.require(free.json.get("active_connection_leases") == 0, "a command in the background holds no session")
        waiting = pool.submit(chaser.ask, "exec-session", id=one["id"], json={"command": "sleep 600"})
        eventually(
            lambda: chaser.ask("get-session", id=one["id"], expect=200),
            lambda answer: answer.json.get("active_connection_leases") == 1,
            "get-session: a command that is waited for is counted as a lease",
        )
        leased = chaser.ask("terminate-session", id=one["id"])
        leased.must_be(409, "session_leased", because="while a command is waited for")
        chaser.ask("terminate-session", id=one["id"], query={"force": True}, expect=204)
        answer = waiting.result(30)
        lost = answer.status >= 400 or answer.json.get("exit_code") != 0
        answer.require(lost, "a command whose session was ended is not told of as one that went well")


@promise("peer")
def commands_of_another_account_are_not_found(chaser: Subject) -> None:
    """A session and its commands are not there for another account: not to run, read, follow, feed or signal one."""
    with session(chaser) as one:
        command = run(chaser, one["id"], "sleep 600", background=True).json["command_id"]
        place = {"id": one["id"], "cid": command}
        for operation, path, body in (
            ("exec-session", {"id": one["id"]}, {"command": "echo x"}),
            ("self-test-session", {"id": one["id"]}, None),
            ("list-session-commands", {"id": one["id"]}, None),
            ("get-session-command", place, None),
            ("stream-session-command", place, None),
            ("write-session-command-stdin", place, {"input": "x"}),
            ("kill-session-command", place, {}),
        ):
            with chaser.case():
                sent: dict[str, Any] = {} if body is None else {"json": body}
                chaser.peer.ask(operation, **sent, **path).must_be(404, "not_found", because="in another account")
        still = chaser.ask("get-session-command", **place, expect=200)
        still.require(still.json["status"] == "running", "another account's signal does not reach a command")


_LARGE = "x" * 60_000
_WRONG: tuple[dict[str, Any], ...] = (
    {"command": ""},
    {"command": "echo \0"},
    {"command": "x" * 131_073},
    {"command": ["echo", "x"]},
    {"command": None},
    {"background": "yes"},
    {"cwd": ""},
    {"cwd": "/workspace\0"},
    {"cwd": "/" + "a" * 4096},
    {"env": {"1A": "x"}},
    {"env": {"": "x"}},
    {"env": {"A-B": "x"}},
    {"env": {"A": 1}},
    {"env": {"A": None}},
    {"env": {"A": "x\0"}},
    {"env": {"A" * 257: "x"}},
    {"env": {f"V{number}": "" for number in range(257)}},
    {"env": {"A": _LARGE, "B": _LARGE, "C": _LARGE}},
    {"env": ["A=1"]},
    {"stdin": 7},
    {"timeout_ms": -1},
    {"timeout_ms": 3_600_001},
    {"timeout_ms": "1000"},
    {"user": ""},
    {"user": "a b"},
    {"user": "x" * 33},
)
_RIGHT: tuple[dict[str, Any], ...] = (
    {"command": "echo x " + " " * 100_000},
    {"env": {f"V{number}": "" for number in range(256)}},
    {"env": {"A": _LARGE, "B": _LARGE}},
    {"env": {"A" * 256: "x"}},
    {"env": {}},
    {"cwd": None, "stdin": None, "timeout_ms": None, "user": None, "background": False},
    {"timeout_ms": 3_600_000},
    {"of_no_meaning": 1},
)


def _of_workspace(answer: Answer, name: str, workspace_id: str) -> None:
    for field, value in (("ephemeral", False), ("workspace", name), ("workspace_id", workspace_id)):
        found = answer.json.get(field)
        answer.require(found == value, f"`{field}` is {value!r} on a workspace", f"it is {found!r}")


def _is_gone(chaser: Subject, session_id: str) -> None:
    found = chaser.ask("get-session", id=session_id, expect=200)
    found.require(found.json["status"] == "terminated", "an ephemeral sandbox ends with its command")
    listed = chaser.ask("list-sessions", query={"limit": 200}, expect=200)
    ids = [one["id"] for one in listed.json["sessions"]]
    listed.require(session_id not in ids, "a session that has ended is not listed")


def _named(body: dict[str, Any]) -> str:
    text = repr({name: value for name, value in body.items() if name != "command" or len(body) == 1})
    return text if len(text) < 80 else f"{text[:60]}… ({len(text)} characters)"
