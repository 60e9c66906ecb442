"""The life of sessions without anybody's doing: expiry and its grace, idleness, and what the engine really runs."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from boxes import refused
from chaser_emulator.clock import Clock, timestamp
from chaser_emulator.sandbox.stubs import stub
from chaser_emulator.server import Running
from databases import tell
from emulators import emulator_on, http_of
from requirements import require
from test_crash import containers_of, instance_of, server
from test_exec import until


def create(client: httpx.Client, **wanted: Any) -> str:
    answer = client.post("/v1/sessions", json={"session_type": "sandbox", **wanted})
    assert answer.json().get("status") == "running", answer.text
    return str(answer.json()["id"])


def status_of(client: httpx.Client, session: str) -> str:
    return str(client.get(f"/v1/sessions/{session}").json()["status"])


def expire(emulator: Running, session: str) -> None:
    """Let the longest time of a session be over since a moment ago."""
    past = timestamp(Clock().now() - timedelta(milliseconds=1))
    tell(emulator, ("UPDATE sessions SET expires_at = ? WHERE id = ?", past, session))


def expire_in(database: Path, session: str) -> None:
    """The same for an emulator that does not run."""
    past = timestamp(Clock().now() - timedelta(milliseconds=1))
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as store, store:
        store.execute("UPDATE sessions SET expires_at = ? WHERE id = ?", (past, session))


def events_of(database: Path, session: str) -> list[str]:
    """What was told of a session, as it is written; to ask the API for its state would have it look."""
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as store:
        return [row[0] for row in store.execute("SELECT type FROM outbox WHERE resource_id = ?", (session,))]


@contextmanager
def waiting_for(client: httpx.Client, session: str, command: str) -> Iterator[list[httpx.Response]]:
    """A foreground command under way; its answer is there when the block has ended."""
    answers: list[httpx.Response] = []

    def work() -> None:
        answers.append(client.post(f"/v1/sessions/{session}/exec", json={"command": command}))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        until(lambda: client.get(f"/v1/sessions/{session}").json()["active_connection_leases"] == 1)
        yield answers
    finally:
        thread.join()


def test_a_session_in_which_nothing_runs_ends_with_its_time(client: httpx.Client, emulator: Running) -> None:
    session = create(client, ephemeral=True)
    expire(emulator, session)
    until(lambda: status_of(client, session) == "terminated")
    audited = client.get("/v1/audit/events", params={"resource_id": session, "action": "session.terminate"}).json()
    assert [one["actor_type"] for one in audited["events"]] == ["system"]


def test_what_runs_may_end_after_the_time_and_nothing_new_begins() -> None:
    with emulator_on("scripted", stubs=(stub("work", output="done\n", delay=3),)) as one, http_of(one) as client:
        workspace = client.post("/v1/workspaces", json={"session_type": "sandbox"}).json()["id"]
        session = create(client, workspace=workspace)
        with waiting_for(client, session, "work") as answers:
            expire(one, session)
            for body in ({"command": "true"}, {"command": "true", "background": True}):
                said = refused(client.post(f"/v1/sessions/{session}/exec", json=body), 409, "not_running")
                assert "longest time" in said["message"]
            assert status_of(client, session) == "running"
            # Whoever asks for the workspace's session gets the next one, not the one that ends.
            following = create(client, workspace=workspace)
        assert (answers[0].status_code, answers[0].json()["output"]) == (200, "done\n")
        assert following != session
        assert status_of(client, session) == "terminated"


def test_a_background_command_has_the_grace_too() -> None:
    with emulator_on("scripted", stubs=(stub("work", output="done\n", delay=2),)) as one, http_of(one) as client:
        session = create(client, ephemeral=True)
        body = {"command": "work", "background": True}
        command = client.post(f"/v1/sessions/{session}/exec", json=body).json()["command_id"]
        expire(one, session)
        until(lambda: status_of(client, session) == "terminated")
        state = client.get(f"/v1/sessions/{session}/commands/{command}").json()
        assert (state["status"], state["output"]) == ("exited", "done\n")


def test_the_grace_ends() -> None:
    with emulator_on("scripted", expiry_grace=0.0) as one, http_of(one) as client:
        session = create(client, ephemeral=True)
        with waiting_for(client, session, "sleep 1000"):
            expire(one, session)
            until(lambda: status_of(client, session) == "terminated")


def test_a_time_that_ran_out_while_the_emulator_was_off_is_over_at_its_start(tmp_path: Path) -> None:
    with server("docker", tmp_path) as first, first.client() as client:
        workspace = client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "kept"}).json()["id"]
        session = create(client, workspace="kept")
        first.kill()
    expire_in(tmp_path / "data" / "chaser.db", session)
    with server("docker", tmp_path) as second, second.client() as client:
        until(lambda: status_of(client, session) == "terminated")
        client.delete(f"/v1/workspaces/{workspace}").raise_for_status()
        second.stop()


def test_a_session_that_nobody_uses_ends_where_that_is_asked_for() -> None:
    stubs = (stub("work", delay=3),)
    with emulator_on("scripted", idle_timeout=1.0, stubs=stubs) as one, http_of(one) as client:
        idle, used, held = (create(client, ephemeral=True) for _ in range(3))
        command = client.post(f"/v1/sessions/{used}/exec", json={"command": "work", "background": True}).json()
        with waiting_for(client, held, "work"):
            until(lambda: status_of(client, idle) == "terminated")
            assert (status_of(client, used), status_of(client, held)) == ("running", "running")
        until(lambda: status_of(client, used) == "terminated")
        until(lambda: status_of(client, held) == "terminated")
        path = f"/v1/sessions/{used}/commands/{command['command_id']}"
        assert client.get(path).json()["status"] == "exited"
        [audited] = client.get("/v1/audit/events", params={"resource_id": idle, "action": "session.terminate"}).json()[
            "events"
        ]
        assert (audited["actor_type"], "not used for 1 seconds" in audited["summary"]) == ("system", True)


def test_a_lease_lasts_as_long_as_its_command_however_that_ends(client: httpx.Client) -> None:
    session = create(client, ephemeral=True)
    with waiting_for(client, session, "sleep 1") as answers:
        said = refused(client.delete(f"/v1/sessions/{session}"), 409, "session_leased")
        assert said["details"]["active_connection_leases"] == 1
        other = create(client, ephemeral=True)
        ended = client.post("/v1/sessions/bulk-terminate", json={"ids": [session, other]}).json()
        assert ended["terminated"] == [other]
        assert [(one["id"], one["code"]) for one in ended["failed"]] == [(session, "session_leased")]
    assert answers[0].status_code == 200
    # A client that leaves before the answer takes its command and its lease along.
    with pytest.raises(httpx.TimeoutException):
        client.post(f"/v1/sessions/{session}/exec", json={"command": "sleep 1000"}, timeout=0.5)
    until(lambda: client.get(f"/v1/sessions/{session}").json()["active_connection_leases"] == 0)
    refused(
        client.post(f"/v1/sessions/{session}/exec", json={"command": "true", "cwd": "/no/where"}),
        400,
        "invalid_request",
    )
    body = {"command": "sleep 1000", "background": True}
    assert client.post(f"/v1/sessions/{session}/exec", json=body).status_code == 200
    assert client.get(f"/v1/sessions/{session}").json()["active_connection_leases"] == 0
    assert client.delete(f"/v1/sessions/{session}").status_code == 204


def test_a_sandbox_that_ends_on_its_own_is_noticed_without_a_question(tmp_path: Path) -> None:
    with server("docker", tmp_path) as one, one.client() as client, docker_client() as engine:
        lost, kept = create(client, ephemeral=True), create(client, ephemeral=True)
        [container] = [c for c in containers_of(engine, instance_of(tmp_path)) if lost in c.labels.values()]
        container.remove(force=True)
        until(lambda: "session.failed" in events_of(tmp_path / "data" / "chaser.db", lost), 30)
        assert "on its own" in refused(exec_in(client, lost), 409, "not_running")["message"]
        assert status_of(client, kept) == "running"
        one.stop()


def test_what_no_session_names_is_cleared_away_and_what_others_run_is_not(tmp_path: Path) -> None:
    with server("docker", tmp_path) as mine, mine.client() as client, docker_client() as engine:
        instance = instance_of(tmp_path)
        session = create(client, ephemeral=True)
        [container] = containers_of(engine, instance)
        prefix = container.name.rpartition("-")[0]
        labels = {"chaser.emulator.instance": instance}
        with emulator_on("docker") as other, http_of(other) as stranger:
            workspace = stranger.post("/v1/workspaces", json={"session_type": "sandbox"}).json()["id"]
            theirs = create(stranger, workspace=workspace)
            engine.volumes.create(f"{prefix}-nobodys", labels=labels | {"chaser.emulator.disk": "nobodys"})
            engine.containers.run(
                container.image,
                ["sleep", "600"],
                name=f"{prefix}-stray",
                labels=labels | {"chaser.emulator.session": "nobodys"},
                detach=True,
            )
            until(lambda: [one.id for one in containers_of(engine, instance)] == [container.id], 40)
            until(lambda: engine.volumes.list(filters={"label": f"chaser.emulator.instance={instance}"}) == [], 20)
            assert exec_in(client, session).json()["exit_code"] == 0
            assert exec_in(stranger, theirs).json()["exit_code"] == 0
        mine.stop()


def exec_in(client: httpx.Client, session: str) -> httpx.Response:
    return client.post(f"/v1/sessions/{session}/exec", json={"command": "true"})


@contextmanager
def docker_client() -> Iterator[docker.DockerClient]:
    require("docker")
    engine = docker.from_env()
    try:
        yield engine
    finally:
        engine.close()


def test_warm_containers_wait_for_sessions_and_go_with_the_emulator(tmp_path: Path) -> None:
    with server("docker", tmp_path, "--warm", "2") as one, one.client() as client, docker_client() as engine:
        instance = instance_of(tmp_path)
        until(lambda: len(containers_of(engine, instance)) == 2, 30)
        waiting = {container.id for container in containers_of(engine, instance)}
        session = create(client, ephemeral=True, env={"GREETING": "hello"})
        command = {"command": "echo $GREETING $CHASER_SESSION_ID"}
        said = client.post(f"/v1/sessions/{session}/exec", json=command).json()
        assert said["output"] == f"hello {session}\n"
        until(lambda: len(containers_of(engine, instance)) == 3, 30)
        assert waiting < {container.id for container in containers_of(engine, instance)}
        one.kill()
    with server("docker", tmp_path) as after, docker_client() as engine:
        until(lambda: containers_of(engine, instance) == [], 30)
        after.stop()


def test_starts_that_are_cut_short_by_ends_leave_no_sandbox(emulator: Running) -> None:
    done = threading.Event()

    def end_all() -> None:
        with http_of(emulator) as ender:
            while not done.is_set():
                ender.post("/v1/sessions/bulk-terminate", json={"all": True, "force": True})

    def start_some() -> None:
        with http_of(emulator) as starter:
            for _ in range(20):
                starter.post("/v1/sessions", json={"ephemeral": True})

    enders, starters = ([threading.Thread(target=work) for _ in range(4)] for work in (end_all, start_some))
    for thread in (*enders, *starters):
        thread.start()
    for thread in starters:
        thread.join()
    done.set()
    for thread in enders:
        thread.join()
    with http_of(emulator) as client:
        assert client.post("/v1/sessions/bulk-terminate", json={"all": True, "force": True}).status_code == 200
    assert asyncio.run(emulator.world.engine.refs()) == {}
