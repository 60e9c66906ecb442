"""Killed with -9 and started again: what was promised is there, what is gone is said to be, nothing is left over."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import docker
import httpx
import images
import pytest
from bases import bare
from emulators import REAL, EngineChoice
from requirements import require
from test_exec import until


@dataclass(frozen=True)
class Server:
    """An emulator in a process of its own."""

    process: subprocess.Popen[bytes]
    state: dict[str, Any]

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.state['api_key']}"}
        return httpx.Client(base_url=self.state["url"], headers=headers, timeout=60)

    def kill(self) -> None:
        """Without warning."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=10) == 0


@contextmanager
def server(engine: EngineChoice, folder: Path, *more: str, ephemeral: bool = False) -> Iterator[Server]:
    ready = folder / f"ready-{uuid.uuid4().hex}"
    command = [sys.executable, "-m", "chaser_emulator.cli", "--port", "0", "--sandbox", engine]
    command += ["--ready-file", str(ready), "--max-sessions", "1000", *more]
    command += ["--ephemeral"] if ephemeral else ["--data-dir", str(folder / "data")]
    if engine == "docker":
        require("docker")
        command += ["--image", images.busybox()]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder)
    try:
        until(lambda: ready.exists() or process.poll() is not None, 30)
        assert process.poll() is None
        yield Server(process, json.loads(ready.read_text()))
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=REAL)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EngineChoice]:
    choice: EngineChoice = request.param
    yield choice
    # Whatever a test left behind goes with the next emulator on its data, which is then thrown away.
    if (tmp_path / "data").exists():
        with server(choice, tmp_path) as last, last.client() as client:
            client.post("/v1/sessions/bulk-terminate", json={"all": True, "force": True})
            client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})
            last.stop()
        assert left_over(choice, tmp_path) == []


def left_over(engine: EngineChoice, folder: Path) -> list[str]:
    """Processes, containers and volumes that belong to the emulator on this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if str(folder / "data") in line:
                found.append(line)
    if engine == "docker":
        client = docker.from_env()
        instance = instance_of(folder)
        found += [str(one.name) for one in containers_of(client, instance)]
        found += [one.name for one in client.volumes.list() if instance in one.name]
        client.close()
    return found


def containers_of(client: docker.DockerClient, instance: str) -> list[Any]:
    label = f"chaser.emulator.instance={instance}"
    return list(client.containers.list(all=True, filters={"label": label}, ignore_removed=True))


def instance_of(folder: Path, data: str = "data") -> str:
    connection = sqlite3.connect(folder / data / "chaser.db")
    try:
        return str(connection.execute("SELECT value FROM facts WHERE name = 'instance'").fetchone()[0])
    finally:
        connection.close()


def run(client: httpx.Client, session: str, command: str) -> dict[str, Any]:
    answer = client.post(f"/v1/sessions/{session}/exec", json={"command": command})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_crash_loses_no_file_and_leaves_no_ghost(engine: EngineChoice, tmp_path: Path) -> None:
    with server(engine, tmp_path) as first, first.client() as client:
        workspace = client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "kept"}).json()["id"]
        persistent = client.post("/v1/sessions", json={"workspace": "kept"}).json()["id"]
        ephemeral = client.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
        run(client, persistent, "echo precious > /workspace/file; sync")
        background = {"command": "echo out; sleep 300", "background": True}
        command = client.post(f"/v1/sessions/{persistent}/exec", json=background).json()["command_id"]
        until(lambda: client.get(f"/v1/sessions/{persistent}/commands/{command}").json()["output"] == "out\n")
        first.kill()
    with server(engine, tmp_path) as second, second.client() as client:
        assert [one["id"] for one in client.get("/v1/workspaces").json()] == [workspace]
        assert client.get(f"/v1/sessions/{ephemeral}").json()["status"] == "terminated"
        adopted = client.get(f"/v1/sessions/{persistent}").json()["status"]
        assert adopted == ("running" if engine == "docker" else "terminated")
        state = client.get(f"/v1/sessions/{persistent}/commands/{command}").json()
        assert (state["status"], state["output"]) == ("failed", "out\n")
        again = client.post("/v1/sessions", json={"workspace": "kept"}).json()["id"]
        assert (again == persistent) is (engine == "docker")
        assert run(client, again, "cat /workspace/file")["output"] == "precious\n"
        assert "sleep 300" not in run(client, again, "ps -ef 2>/dev/null || ps")["output"]
        second.stop()


def test_the_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "chaser.db").touch(mode=0o644)
    with server("scripted", tmp_path) as one:
        modes = {entry.name: entry.stat().st_mode & 0o777 for entry in (tmp_path / "data").glob("chaser.db*")}
        one.stop()
    assert set(modes) >= {"chaser.db", "chaser.db-wal"}
    assert set(modes.values()) == {0o600}


def test_an_orderly_stop_keeps_what_persists(engine: EngineChoice, tmp_path: Path) -> None:
    with server(engine, tmp_path) as first, first.client() as client:
        client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "kept"})
        persistent = client.post("/v1/sessions", json={"workspace": "kept"}).json()["id"]
        ephemeral = client.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
        first.stop()
    with server(engine, tmp_path) as second, second.client() as client:
        assert client.get(f"/v1/sessions/{ephemeral}").json()["status"] == "terminated"
        expected = "running" if engine == "docker" else "terminated"
        assert client.get(f"/v1/sessions/{persistent}").json()["status"] == expected
        second.stop()


def test_a_crash_at_any_moment_leaves_only_what_is_true(engine: EngineChoice, tmp_path: Path) -> None:
    promised: set[str] = set()
    for round_number in range(2 if engine == "docker" else 3):
        with server(engine, tmp_path) as one:
            alive = threading.Event()

            def work(number: int, one: Server = one, alive: threading.Event = alive) -> None:
                with one.client() as client:
                    try:
                        while True:
                            name = f"w-{uuid.uuid4().hex[:10]}"
                            made = client.post("/v1/workspaces", json={"session_type": "sandbox", "name": name})
                            if made.status_code == 200:
                                promised.add(made.json()["id"])
                            body = (
                                {"workspace": name} if number % 2 and made.status_code == 200 else {"ephemeral": True}
                            )
                            session = client.post("/v1/sessions", json=body).json()
                            alive.set()
                            if "id" in session and number == 0:
                                client.delete(f"/v1/sessions/{session['id']}")
                    except httpx.HTTPError:
                        return

            threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
            for thread in threads:
                thread.start()
            assert alive.wait(30)
            threading.Event().wait(0.13 * (round_number + 1))
            one.kill()
            for thread in threads:
                thread.join()
        with server(engine, tmp_path) as after, after.client() as client:
            assert promised <= {workspace["id"] for workspace in client.get("/v1/workspaces").json()}
            live = client.get("/v1/sessions", params={"limit": 200}).json()["sessions"]
            assert {session["status"] for session in live} <= {"running"}
            for session in live:
                assert session["persistence"] is True
                assert run(client, session["id"], "echo here")["output"] == "here\n"
            if engine == "docker":
                containers = docker.from_env()
                assert len(containers_of(containers, instance_of(tmp_path))) == len(live)
                containers.close()
            client.post("/v1/sessions/bulk-terminate", json={"all": True, "force": True})
            after.stop()


FILES = 400


def disks_of(engine: EngineChoice, folder: Path) -> set[str]:
    """What is on disk of workspaces and snapshots, and of what was to become one."""
    if engine == "local":
        return {entry.name for place in ("workspaces", "checkouts") for entry in (folder / "data" / place).glob("*")}
    client = docker.from_env()
    try:
        instance = instance_of(folder)
        return {
            str(one.attrs["Labels"]["chaser.emulator.disk"]) for one in client.volumes.list() if instance in one.name
        }
    finally:
        client.close()


def named(folder: Path) -> set[str]:
    connection = sqlite3.connect(folder / "data" / "chaser.db")
    try:
        rows = connection.execute("SELECT disk_id FROM workspaces UNION SELECT disk_id FROM snapshots")
        return {str(row[0]) for row in rows}
    finally:
        connection.close()


def state_of(client: httpx.Client, workspace: str) -> tuple[int, set[str]]:
    """How many files a workspace has, and what is in them."""
    body = {"workspace": workspace, "command": "ls | wc -l; cat * 2>/dev/null | sort -u"}
    answer = client.post("/v1/exec", json=body)
    assert answer.status_code == 200, answer.text
    count, *content = answer.json()["output"].split()
    client.post("/v1/sessions/bulk-terminate", json={"all": True, "force": True})
    return int(count), set(content)


@pytest.mark.parametrize("work", ["snapshot", "restore", "clone", "import", "session"])
def test_a_crash_while_disks_are_made_leaves_the_old_state_or_the_new(
    engine: EngineChoice, tmp_path: Path, work: str
) -> None:
    require("git")
    base = tmp_path / "base"
    bare(base, "o/r", {f"f{number}": "theirs\n" for number in range(FILES)})
    more = ("--github-url", str(base))
    write = f"for i in $(seq {FILES}); do echo $WORD > f$i; done"
    path, body, made = {
        "snapshot": ("/v1/workspaces/w/snapshots", {"name": "new"}, "snapshot"),
        "restore": ("/v1/workspaces/w/snapshots/old/restore", {}, "w"),
        "clone": ("/v1/workspaces", {"clone_from": "w", "name": "copy"}, "copy"),
        "import": ("/v1/workspaces/import", {"repo": "o/r", "name": "theirs"}, "theirs"),
        "session": ("/v1/sessions", {"workspace": "empty", "github_repo": "o/r"}, "empty"),
    }[work]
    with server(engine, tmp_path, *more) as first, first.client() as client:
        for name in ("w", "empty"):
            client.post("/v1/workspaces", json={"session_type": "sandbox", "name": name})
        client.post("/v1/exec", json={"workspace": "w", "command": write, "env": {"WORD": "old"}})
        client.post("/v1/workspaces/w/snapshots", json={"name": "old", "force": True})
        client.post("/v1/exec", json={"workspace": "w", "command": write, "env": {"WORD": "new"}})
        client.post("/v1/sessions/bulk-terminate", json={"all": True, "force": True})
        first.stop()
    for moment in (0.03, 0.15):
        with server(engine, tmp_path, *more) as one, one.client() as client:

            def ask(client: httpx.Client = client) -> None:
                with contextlib.suppress(httpx.HTTPError):
                    client.post(path, json=body)

            thread = threading.Thread(target=ask)
            thread.start()
            threading.Event().wait(moment)
            one.kill()
            thread.join()
        with server(engine, tmp_path, *more) as after, after.client() as client:
            # An empty workspace has no disk before its first session.
            assert disks_of(engine, tmp_path) <= named(tmp_path)
            whole = {"restore": ({"old"}, {"new"}), "import": ({"theirs"},), "session": ({"theirs"}, set())}
            names = {one["name"] for one in client.get("/v1/workspaces").json()}
            if made in names:
                count, content = state_of(client, made)
                assert content in whole.get(work, ({"new"},))
                assert count == (FILES if content else 0)
                if work in ("clone", "import"):
                    client.delete(f"/v1/workspaces/{made}")
            listed = {one["id"] for one in client.get("/v1/workspaces/w/snapshots").json()}
            assert {"old"} <= listed <= {"old", "new"}
            if "new" in listed:
                client.post("/v1/workspaces/w/snapshots/new/restore", json={})
                assert state_of(client, "w") == (FILES, {"new"})
                client.delete("/v1/workspaces/w/snapshots/new")
            after.stop()
    assert disks_of(engine, tmp_path) <= named(tmp_path)


def test_what_a_killed_ephemeral_emulator_left_goes_with_the_next_start(
    engine: EngineChoice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with server(engine, tmp_path, ephemeral=True) as first, first.client() as client:
        client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "w"})
        client.post("/v1/sessions", json={"workspace": "w"})
        first.kill()
    [folder] = tmp_path.glob("chaser-emulator-*")
    instance = instance_of(folder.parent, folder.name)
    an_hour_ago = folder.stat().st_mtime - 3600
    os.utime(folder, (an_hour_ago, an_hour_ago))
    with server(engine, tmp_path, ephemeral=True) as second:
        until(lambda: not folder.exists(), 30)
        second.stop()
    assert list(tmp_path.glob("chaser-emulator-*")) == []
    if engine == "docker":
        containers = docker.from_env()
        assert containers_of(containers, instance) == []
        assert [one.name for one in containers.volumes.list() if instance in one.name] == []
        containers.close()


def test_a_crash_while_sessions_start_leaves_none_of_them(engine: EngineChoice, tmp_path: Path) -> None:
    database = tmp_path / "data" / "chaser.db"
    with server(engine, tmp_path) as one, one.client() as client:
        workspace = client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "kept"}).json()["id"]
        wanted = [{"ephemeral": True}, {"ephemeral": True}, {"workspace": "kept"}]
        threads = [threading.Thread(target=_tried, args=(one, "/v1/sessions", body)) for body in wanted]
        for thread in threads:
            thread.start()
        until(lambda: _count(database, "SELECT count(*) FROM sessions") == len(wanted))
        one.kill()
        for thread in threads:
            thread.join()
    started = _count(database, "SELECT count(*) FROM sessions WHERE status = 'running' AND NOT ephemeral")
    with server(engine, tmp_path) as after, after.client() as client:
        live = client.get("/v1/sessions").json()["sessions"]
        assert len(live) == (started if engine == "docker" else 0)
        assert _count(database, "SELECT count(*) FROM sessions WHERE ended_at IS NULL") == len(live)
        if engine == "docker":
            with contextlib.closing(docker.from_env()) as containers:
                until(lambda: len(containers_of(containers, instance_of(tmp_path))) == len(live))
        else:
            assert list((tmp_path / "data" / "run").glob("*/local-*")) == []
            assert [line for line in left_over(engine, tmp_path) if line.startswith("bwrap")] == []
        again = client.post("/v1/sessions", json={"workspace": workspace}).json()
        assert run(client, again["id"], "echo here")["output"] == "here\n"
        after.stop()


def _tried(one: Server, path: str, body: dict[str, Any]) -> None:
    with one.client() as client, contextlib.suppress(httpx.HTTPError):
        client.post(path, json=body)


def _count(database: Path, query: str) -> int:
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as store:
        return int(store.execute(query).fetchone()[0])


def test_a_crash_during_an_upload_leaves_the_old_file_or_the_new(engine: EngineChoice, tmp_path: Path) -> None:
    contents = {mark: mark * 2**24 for mark in (b"a", b"b")}
    for round_number in range(3):
        with server(engine, tmp_path) as one, one.client() as client:
            if round_number == 0:
                client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "kept"})
            session = client.post("/v1/sessions", json={"workspace": "kept"}).json()["id"]
            assert _upload(client, session, contents[b"a"]) == 200
            sent = threading.Event()

            def work(one: Server = one, session: str = session, sent: threading.Event = sent) -> None:
                with one.client() as client, contextlib.suppress(httpx.HTTPError):
                    while True:
                        for content in contents.values():
                            sent.set()
                            _upload(client, session, content)

            thread = threading.Thread(target=work)
            thread.start()
            assert sent.wait(30)
            threading.Event().wait(0.11 * (round_number + 1))
            one.kill()
            thread.join()
        with server(engine, tmp_path) as after, after.client() as client:
            session = client.post("/v1/sessions", json={"workspace": "kept"}).json()["id"]
            assert client.get(f"/v1/sessions/{session}/download", params={"path": "f"}).content in contents.values()
            # In a container, the half of a file is cleared away by a process that outlives the emulator for a moment.
            until(partial(_holds, client, session, "f\n"))
            after.stop()


def _holds(client: httpx.Client, session: str, names: str) -> bool:
    return bool(run(client, session, "ls -A /workspace")["output"] == names)


def _upload(client: httpx.Client, session: str, content: bytes) -> int:
    parts: dict[str, tuple[str | None, bytes]] = {"path": (None, b"f"), "file": ("f", content)}
    return client.post(f"/v1/sessions/{session}/upload", files=parts).status_code
