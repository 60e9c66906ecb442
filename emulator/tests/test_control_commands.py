"""The commands that a running emulator carries out: each operation of the control plane, on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from chaser_emulator import assembly
from chaser_emulator.cli import commands
from chaser_emulator.operating import tree
from chaser_emulator.operating.inputs import inputs_of
from chaser_emulator.server import Running
from click.testing import CliRunner
from emulators import emulator_on, http_of
from people import ok
from seeded import fresh_world, problems
from test_cli import CLI, cli
from test_crash import server
from test_exec import until


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    output: str
    problem: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.problem
        return json.loads(self.output)


Run = Callable[..., Done]


@pytest.fixture
def run(emulator: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command here, against the emulator of this module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHASER_API_URL", emulator.url)
    monkeypatch.setenv("CHASER_API_KEY", emulator.api_key)

    def invoke(*arguments: str, given: str | bytes | None = None) -> Done:
        result = CliRunner().invoke(commands, list(arguments), input=given, standalone_mode=False)
        error = result.exception
        if isinstance(error, click.ClickException):
            return Done(error.exit_code, result.stdout, error.format_message())
        if isinstance(error, click.Abort):
            return Done(1, result.stdout, "given up")
        assert error is None, error
        return Done(0, result.stdout, result.stderr)

    return invoke


def test_every_operation_is_a_command_but_for_what_people_and_deliveries_use() -> None:
    document = assembly.assemble(assembly.CONTROL)
    without = {
        operation["operationId"]
        for _path, _method, operation in assembly.operations(document)
        if "x-command" not in operation
    }
    # Pages for people, what belongs to them, and where deliveries come.
    assert without == {
        *("get-sign-in", "submit-sign-in", "submit-checkout", "get-style", "open-console"),
        *("get-control-document", "receive-at-sink"),
    }


@pytest.mark.parametrize("words", sorted(" ".join(one.words) for one in tree.named()))
def test_each_command_explains_itself(words: str) -> None:
    result = CliRunner().invoke(commands, [*words.split(), "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output
    assert "--url" in result.output


def test_no_field_hides_an_option_that_commands_have_of_themselves() -> None:
    for one in tree.named():
        found = [each.flag for each in inputs_of(tree.document(), one.operation) if not each.argument]
        assert set(found).isdisjoint(tree.TAKEN), one.words
        assert len(set(found)) == len(found), one.words


def test_the_clock_is_shown_set_and_moved(run: Run, client: httpx.Client) -> None:
    assert run("clock", "set", "frozen", "--at", "2026-03-01T12:00:00Z").json["mode"] == "frozen"
    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))
    assert run("clock", "advance", "60").json["fired"] == []
    moved = run("clock", "advance", "--to", "2026-03-02T12:00:01Z").json
    assert [(one["what"], one["id"]) for one in moved["fired"]] == [("session.expired", session["id"])]
    assert run("clock", "show").json["now"].startswith("2026-03-02T12:00:01")
    assert run("clock", "advance", "1h30m").json["now"].startswith("2026-03-02T13:30:01")
    assert run("clock", "run-until-idle", "1 minute").json["idle"] is True
    assert run("clock", "set", "real").json["mode"] == "real"


def test_a_world_is_made_forked_meant_and_deleted(run: Run) -> None:
    made = run("worlds", "create", "--id", "cli", "--plan", "team", "--new-key", "sk_of_the_command_line").json
    assert (made["id"], made["plan"], made["api_key"]) == ("cli", "team", "sk_of_the_command_line")
    setting = '{"mode": "frozen", "at": "2026-01-01T00:00:00Z"}'
    assert run("worlds", "fork", "cli", "--id", "cli-2", "--clock", setting).json["clock"]["mode"] == "frozen"
    # The key of the environment is that of another world; what is named counts.
    assert run("clock", "show", "--world", "cli-2").json["mode"] == "frozen"
    assert run("clock", "show", "--api-key", "sk_of_the_command_line").json["mode"] == "real"
    assert run("world", "--world", "cli").json["plan"] == "team"
    listed = run("worlds", "list").json["worlds"]
    assert {"default", "cli", "cli-2"} <= {one["id"] for one in listed}
    assert "api_key" not in listed[0]
    assert run("worlds", "delete", "cli", given="n\n").code == 1
    for name in ("cli", "cli-2"):
        assert run("worlds", "delete", name, "--yes") == Done(0, "", "")
    assert "no world 'cli'" in run("worlds", "show", "cli").problem


def test_the_journal_is_looked_through_and_cleared(run: Run, client: httpx.Client) -> None:
    run("requests", "clear")
    missing = client.get("/v1/sessions/nope")
    client.get("/v1/sessions")
    assert run("requests", "count").json == {"count": 2}
    found = run("requests", "list", "--refused", "--operation", "get-*").json
    assert [one["path"] for one in found["requests"]] == ["/v1/sessions/nope"]
    shown = run("requests", "show", missing.headers["x-request-id"]).json
    assert (shown["status"], shown["code"]) == (404, "not_found")
    later = run("clock", "advance", "60").json["now"]
    client.get("/v1/workspaces")
    assert run("requests", "count", "--since", later).json == {"count": 1}
    assert run("requests", "count", "--after", str(shown["number"])).json == {"count": 2}
    assert run("requests", "clear").json == {"cleared": 3}


def test_bodies_come_as_fields_as_json_and_from_a_file(run: Run, tmp_path: Path) -> None:
    whole = {"repository": "octocat/hello-world", "workflow": "ci.yml", "job": "build"}
    fields = [text for name, value in whole.items() for text in (f"--{name}", value)]
    by_field = run("workflow-jobs", "register", *fields, "--matrix", "{os: linux}").json
    assert by_field["matrix"] == {"os": "linux"}
    (tmp_path / "job.yaml").write_text(json.dumps(whole))
    by_file = run("workflow-jobs", "register", "--body", "@job.yaml", "--job", "test").json
    assert (by_file["workflow"], by_file["job"]) == ("ci.yml", "test")
    listed = run("workflow-jobs", "list").json["workflow_jobs"]
    assert [one["job"] for one in listed] == ["build", "test"]
    for one in (by_field, by_file):
        assert run("workflow-jobs", "delete", str(one["workflow_job_id"])).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["clock", "advance", "--to", "2001-01-01T00:00:00Z"], 1, "/to"),
        (["clock", "advance"], 1, "/seconds is required"),
        (["clock", "advance", "soon"], 2, "soon"),
        (["state", "keep", "a/b"], 1, "1 to 64 letters"),
        (["clock", "set", "slow"], 2, "slow"),
        (["clock", "set", "frozen", "--at", "noon"], 1, "/at"),
        (["worlds", "create", "--id", "A B", "--new-key", "sk"], 1, "/id"),
        (["worlds", "create", "--clock", "@nothing.yaml"], 2, "nothing.yaml"),
        (["worlds", "create", "--clock", "{mode: [}"], 2, "--clock"),
        (["clock", "show", "--world", "nowhere"], 1, "nowhere"),
        (["clock", "show", "--url", "http://127.0.0.1:9"], 1, "http://127.0.0.1:9"),
        (["clock", "show", "--url", "ftp://x"], 2, "--url"),
        (["clock", "show", "--data-dir", "nowhere"], 1, "no emulator runs"),
        (["clock", "dance"], 2, "dance"),
        (["worlds", "show"], 2, "ID"),
        (["sessions", "files", "\udcff"], 2, "no UTF-8"),
        (["requests", "list", "--search", "a\udcff"], 2, "search is no UTF-8"),
    ],
)
def test_what_is_refused_is_told_in_one_line(run: Run, arguments: list[str], code: int, said: str) -> None:
    done = run(*arguments)
    assert done.code == code
    assert said in done.problem
    assert "\n" not in done.problem.removesuffix("\n")


def test_several_problems_are_all_told(run: Run) -> None:
    problem = run("worlds", "create", "--id", "A B", "--new-key", "sk").problem
    assert "/id" in problem
    assert "/api_key" in problem


def test_a_reset_asks_and_puts_the_world_of_a_running_emulator_back(run: Run, client: httpx.Client) -> None:
    ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "gone"}))
    assert run("reset", given="n\n").problem == "given up"
    assert len(ok(client.get("/v1/workspaces"))) == 1
    assert "world default" in run("reset", "--yes").output
    assert ok(client.get("/v1/workspaces")) == []


def test_health_readiness_and_logs(run: Run, client: httpx.Client) -> None:
    assert run("health").json["status"] == "ok"
    assert run("ready").json == {"ready": True, "pending": []}
    run("logs")
    session = ok(client.post("/v1/sessions", json={"ephemeral": True}))
    assert client.delete(f"/v1/sessions/{session['id']}").status_code == 204
    client.get("/v1/sessions/nope")
    lines = run("logs").output.splitlines()
    assert any("GET /v1/sessions/nope -> 404 not_found" in line for line in lines)
    assert any(f"session.terminated: session {session['id']}" in line for line in lines)
    told = [json.loads(line) for line in run("logs", "--json").output.splitlines()]
    assert len(told) == len(lines)
    last = run("logs", "--json", "--after", str(told[-2]["id"])).output.splitlines()
    assert [json.loads(line) for line in last] == told[-1:]


def test_a_stream_is_taken_up_where_it_was(emulator: Running, client: httpx.Client) -> None:
    client.get("/_emulator/events?follow=false")
    client.get("/v1/sessions")
    url = f"{emulator.url}/_emulator/events"
    with httpx.stream("GET", url, timeout=30) as stream:
        first = next(line for line in stream.iter_lines() if line.startswith("id: "))
    ok(client.post("/_emulator/clock/advance", json={"seconds": 1}))
    number = int(first.removeprefix("id: "))
    with httpx.stream("GET", url, headers={"Last-Event-ID": str(number)}, timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("id: ")) == f"id: {number + 1}"
        assert next(line for line in lines if line == "event: clock")
    # A number of an earlier life: all that is remembered comes.
    text = client.get("/_emulator/events?follow=false&after=999999").text
    assert "id: 1\n" in text


def test_a_stream_goes_on_after_a_seed_that_was_taken_back(emulator: Running) -> None:
    with fresh_world(emulator) as client, client.stream("GET", "/_emulator/events", timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": watching"
        bad = "workspaces: [{session_type: sandbox}, {session_type: sandbox}]\nfaults: [{operations: [none], error: x}]"
        assert len(problems(client, bad, 409)) == 1
        made = ok(client.post("/v1/workspaces", json={"session_type": "sandbox"}))["id"]
        told = next(line for line in lines if line == ": nothing" or ("workspace.created" in line and made in line))
        assert told != ": nothing"


def test_a_stream_ends_with_its_world(emulator: Running, client: httpx.Client) -> None:
    ok(client.post("/_emulator/worlds", json={"id": "short"}))
    with httpx.stream("GET", f"{emulator.url}/_emulator/events?world=short", timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": watching"
        assert client.delete("/_emulator/worlds/short").status_code == 204
        assert [line for line in lines if line] == []


def test_what_is_not_at_rest_is_named_with_its_reason(emulator: Running) -> None:
    with fresh_world(emulator) as client:
        body = {"kind": "sandbox.exec", "input": {"command": "watch", "ephemeral": True}}
        # What is due later is not pending yet.
        ok(client.post("/v1/jobs", json=body | {"run_at": "2100-01-01T00:00:00Z"}))
        assert ok(client.get("/_emulator/ready")) == {"ready": True, "pending": []}
        assert client.post("/_emulator/stubs", json={"command": "watch", "runs": "forever"}).status_code == 201
        job = ok(client.post("/v1/jobs", json=body))["id"]
        running = {"ready": False, "pending": [{"what": f"job {job}", "why": "is running"}]}
        until(lambda: bool(ok(client.get("/_emulator/ready")) == running))
        ok(client.post(f"/v1/jobs/{job}/cancel"))
        until(lambda: bool(ok(client.get("/_emulator/ready"))["ready"]))


def test_the_emulator_that_runs_is_found_by_its_folder_and_logs_follow_it(tmp_path: Path) -> None:
    with server("scripted", tmp_path) as one:
        assert json.loads(cli("clock", "show", "--data-dir", "data", cwd=tmp_path).stdout)["mode"] == "real"
        refused = cli("clock", "advance", "--data-dir", "data", "--to", "2001-01-01T00:00:00Z", cwd=tmp_path)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("chaser-emulator: body /to: ")
        assert refused.stderr.count("\n") == 1
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CHASER_")}
        command = [*CLI, "logs", "--follow", "--data-dir", "data"]
        with subprocess.Popen(command, cwd=tmp_path, env=clean, stdout=subprocess.PIPE, text=True) as following:
            assert following.stdout is not None
            deadline = time.monotonic() + 30
            with one.client() as client:
                line = ""
                while "/v1/sessions" not in line and time.monotonic() < deadline:
                    client.get("/v1/sessions")
                    line = following.stdout.readline()
            assert "GET /v1/sessions -> 200" in line
            following.terminate()
    gone = cli("clock", "show", "--data-dir", "data", cwd=tmp_path)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "no emulator runs" in gone.stderr


def test_webhooks_and_their_retries_are_run_to_their_end() -> None:
    with emulator_on("scripted") as one, http_of(one) as client:
        ok(client.post("/_emulator/clock", json={"mode": "frozen", "at": "2026-03-01T12:00:00Z"}))
        # Nobody listens there, so that every attempt fails.
        ok(client.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/", "events": ["workspace.created"]}))
        ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "told"}))
        done = ok(client.post("/_emulator/clock/run-until-idle", json={"within": 12 * 3600}))
        attempts = [each for each in done["fired"] if each["what"] == "webhook.attempted"]
        # The first one needs no clock that moves.
        assert len(attempts) in (7, 8)
        assert (done["idle"], done["mode"]) == (True, "frozen")
        [delivery] = ok(client.get("/v1/webhooks/deliveries"))["deliveries"]
        assert (delivery["status"], delivery["attempts"]) == ("failed", 8)


def test_a_world_is_made_with_a_seed_or_not_at_all(run: Run) -> None:
    seed = '{"workspaces": [{"name": "sown", "session_type": "sandbox"}]}'
    made = run("worlds", "create", "--id", "sown", "--seed", seed).json
    assert list(made["seeded"]["workspaces"]) == ["sown"]
    refused = run("worlds", "create", "--id", "barren", "--seed", '{"workspaces": [{"name": 7}]}')
    assert (refused.code, "workspaces[0]" in refused.problem) == (1, True)
    assert "/seed" in run("worlds", "create", "--id", "barren", "--seed", "no-such-seed").problem
    assert "barren" not in {one["id"] for one in run("worlds", "list").json["worlds"]}
    assert run("worlds", "delete", "sown", "--yes").code == 0
