"""What a command meets: variables of its session and its own, folder, user and tools, and the self-test of it all."""

from __future__ import annotations

from chaser_contract.promises import promise
from chaser_contract.sandboxes import run, session, workspace
from chaser_contract.subject import Subject


@promise("commands")
def what_is_sent_along_reaches_a_one_shot_command(chaser: Subject) -> None:
    """A one-shot command has its variables, folder, input and user as one in a session has."""
    with workspace(chaser) as room:
        for place in ({"ephemeral": True}, {"workspace": room["name"]}):
            with chaser.case():
                body = {
                    "command": 'printf "<%s>" "$WORD"; pwd; cat',
                    "env": {"WORD": "ü 1"},
                    "cwd": "/tmp",  # noqa: S108 - a name
                    "stdin": "in",
                }
                answer = chaser.ask("exec-sandbox", json={**place, **body}, expect=200)
                answer.require(answer.json["output"] == "<ü 1>/tmp\nin", "variables, folder and input reach it")
                answer.require(answer.json["exit_code"] == 0, "it ends with its code")


@promise("commands")
def variables_of_a_session_are_in_each_of_its_commands(chaser: Subject) -> None:
    """Variables of a session are there in each of its commands, unless the command's own have the name."""
    with session(chaser, ephemeral=True, env={"WORD": "of the session", "OTHER": "x"}) as one, session(chaser) as two:
        command = 'printf "<%s>" "${WORD-none}" "${OTHER-none}"'
        for session_id, env, due in (
            (one["id"], {}, "<of the session><x>"),
            (one["id"], {"WORD": "own"}, "<own><x>"),
            (one["id"], {}, "<of the session><x>"),
            (two["id"], {}, "<none><none>"),
        ):
            with chaser.case():
                answer = run(chaser, session_id, command, env=env)
                answer.require(answer.json["output"] == due, f"its variables are {due}", answer.json["output"])


@promise("commands")
def a_self_test_finds_what_a_command_finds(chaser: Subject) -> None:
    """The self-test of a sandbox tells the folder, user, home and search path that a command has there."""
    with workspace(chaser) as room, session(chaser, workspace=room["id"]) as one:
        answer = chaser.ask("self-test-session", id=one["id"], expect=200)
        told, runtime = answer.json, answer.json["runtime"]
        answer.require(told["session_id"] == one["id"], "a self-test says of which session it is")
        answer.require(told.get("workspace_id") == room["id"], "a self-test says of which workspace it is")
        seen = run(chaser, one["id"], 'pwd; id -un; echo "$HOME"; echo "$PATH"; command -v git || true')
        cwd, user, home, path, *git = seen.json["output"].splitlines()
        expected = {
            "cwd": cwd, "user": user, "home": home, "path": path, "path_entries": path.split(":"),
            "workspace_root_present": True, "chaser_exec": True, "chaser_agent": False,
        }  # fmt: skip
        for name, value in expected.items():
            found = runtime.get(name)
            answer.require(found == value, f"`runtime.{name}` is what a command finds, {value!r}", f"it is {found!r}")
        tools = runtime.get("tools", {})
        answer.require(tools.get("git") == (git[0] if git else None), "`runtime.tools.git` is where git is")
        answer.require(set(tools) >= set(runtime.get("tool_versions", {})), "versions are of tools that are there")
        marks = runtime.get("chaser", {})
        answer.require(marks.get("session_id") == one["id"], "`runtime.chaser.session_id` is the session's")
        answer.require(marks.get("workspace_id") == room["id"], "`runtime.chaser.workspace_id` is the workspace's")
