"""Ends of every kind: in the middle of a start, by a killed parent's signals, with a reader gone, by kill -9."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from emulators import REAL, EngineChoice
from test_cli import CLI, cli
from test_crash import Server, containers_of, instance_of, left_over, server
from test_exec import until

SCRIPTED = ["--port", "0", "--sandbox", "scripted"]


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CHASER_")} | more


@contextmanager
def started(*arguments: str, cwd: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process of the command line, gone at the end whatever happens."""
    options.setdefault("env", environment())
    process = subprocess.Popen([*CLI, *arguments], cwd=cwd, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def silent() -> Iterator[tuple[str, threading.Event]]:
    """The address of a container engine that takes every connection and never answers, and whether it was asked."""
    asked = threading.Event()
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    kept.append(listener.accept()[0])
                except OSError:
                    return
                asked.set()

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    for one in kept:
        one.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_a_start_leaves_nothing(
    tmp_path: Path, silent: tuple[str, threading.Event], number: signal.Signals
) -> None:
    address, asked = silent
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    told = environment(DOCKER_HOST=address, TMPDIR=str(temporary))
    arguments = ["--port", "0", "--sandbox", "docker", "--ephemeral", "--ready-file", "ready"]
    with started(*arguments, cwd=tmp_path, env=told, stdout=subprocess.PIPE) as process:
        assert asked.wait(30)
        process.send_signal(number)
        output, _ = process.communicate(timeout=5)
    assert (process.returncode, output) == (0, "")
    assert [*temporary.iterdir(), *tmp_path.glob("ready*")] == []


def test_exec_hands_a_signal_on_and_ends_as_its_command_does(tmp_path: Path) -> None:
    program = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); print('up', flush=True)"
    waiting = f"{program}; signal.pause()"
    with started("exec", *SCRIPTED, "--", sys.executable, "-c", waiting, cwd=tmp_path, stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "up\n"
        one.send_signal(signal.SIGTERM)
        assert one.wait(timeout=10) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_exec_answers_for_a_command_that_a_signal_ended(tmp_path: Path, number: signal.Signals) -> None:
    arguments = ["exec", *SCRIPTED, "--", "sh", "-c", "echo up; exec sleep 300"]
    # Whoever runs the tests may ignore signals (`nohup`), which every program that they start would do as well.
    minding = functools.partial(signal.signal, number, signal.SIG_DFL)
    options: dict[str, Any] = {"start_new_session": True, "preexec_fn": minding}
    with started(*arguments, cwd=tmp_path, stdout=subprocess.PIPE, **options) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "up\n"
        one.send_signal(number)
        assert one.wait(timeout=10) == 128 + number


def test_a_reader_that_leaves_does_not_end_it(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    arguments = [*SCRIPTED, "--ephemeral", "--ready-file", str(ready)]
    read, write = os.pipe()
    os.close(read)
    with started(*arguments, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        until(ready.exists, 30)
        url = json.loads(ready.read_text())["url"]
        assert httpx.get(f"{url}/v1/sessions").status_code == 401
        process.terminate()
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_closed_standard_streams_do_not_stop_it(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    line = f'exec "$@" <&- >&- 2>&- --ready-file {ready}'
    command = ["sh", "-c", line, "sh", *CLI, *SCRIPTED, "--ephemeral"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment())
    try:
        until(lambda: ready.exists() or process.poll() is not None, 30)
        url = json.loads(ready.read_text())["url"]
        assert httpx.get(f"{url}/v1/sessions").status_code == 401
        process.terminate()
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()


def test_commands_do_not_inherit_an_ignored_interrupt(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ignoring = [
        sys.executable,
        "-c",
        "import os, signal, sys; signal.signal(2, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])",
    ]
    command = [*ignoring, *CLI, "--port", "0", "--sandbox", "local", "--ephemeral", "--ready-file", str(ready)]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL)
    try:
        until(ready.exists, 30)
        state = json.loads(ready.read_text())
        answer = httpx.post(
            f"{state['url']}/v1/exec",
            headers={"Authorization": f"Bearer {state['api_key']}"},
            json={"command": "sed -n 's/^SigIgn:\t*//p' /proc/self/status", "ephemeral": True},
            timeout=30,
        ).json()
        assert int(answer["output"], 16) & (1 << (signal.SIGINT - 1)) == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()


def test_what_was_killed_is_not_taken_for_running(tmp_path: Path) -> None:
    data = ["--data-dir", str(tmp_path / "data")]
    with server("scripted", tmp_path) as one:
        assert cli("env", *data, cwd=tmp_path).returncode == 0
        one.kill()
    note = tmp_path / "data" / "emulator.json"
    # Its process id may be anybody's by now: here, ours.
    note.write_text(json.dumps(json.loads(note.read_text()) | {"pid": os.getpid()}))
    for command in (["env"], ["stop"], ["wait", "--timeout", "0"]):
        done = cli(*command, *data, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, ""), command
        assert "no emulator runs on" in done.stderr


def test_wait_waits_for_one_that_starts_later(tmp_path: Path) -> None:
    waits = started("wait", "--data-dir", "data", cwd=tmp_path, stdout=subprocess.PIPE)
    with waits as waiting, server("scripted", tmp_path) as one:
        output, _ = waiting.communicate(timeout=20)
        assert (waiting.returncode, output) == (0, f"ready at {one.state['url']}\n")
        one.stop()


def test_a_reset_leaves_nothing_in_docker(tmp_path: Path) -> None:
    with server("docker", tmp_path) as one:
        with one.client() as client:
            client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "kept"}).raise_for_status()
            session = client.post("/v1/sessions", json={"session_type": "sandbox", "workspace": "kept"})
            assert session.json()["status"] == "running", session.text
        one.kill()
    instance = instance_of(tmp_path)
    engine = docker.from_env()
    try:
        assert len(containers_of(engine, instance)) == 1
        assert [volume for volume in engine.volumes.list() if instance in volume.name]
        done = cli("reset", "--yes", "--data-dir", "data", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert containers_of(engine, instance) == []
        assert [volume for volume in engine.volumes.list() if instance in volume.name] == []
    finally:
        engine.close()


def test_a_reset_removes_only_what_is_its_own_and_asks_first(tmp_path: Path) -> None:
    with server("scripted", tmp_path) as one:
        one.stop()
    (tmp_path / "data" / "letter.txt").write_text("mine")
    refused = subprocess.run(
        [*CLI, "reset", "--data-dir", "data"],
        cwd=tmp_path,
        env=environment(),
        input="n\n",
        text=True,
        capture_output=True,
    )
    assert (refused.returncode, (tmp_path / "data" / "chaser.db").exists()) == (1, True)
    assert cli("reset", "--yes", "--data-dir", "data", cwd=tmp_path).returncode == 0
    assert sorted(entry.name for entry in (tmp_path / "data").iterdir()) == ["letter.txt", "lock"]


@pytest.mark.parametrize("engine", REAL)
@pytest.mark.parametrize("how", ["running", "killed"])
def test_a_clean_stop_removes_every_trace_and_nothing_of_another(
    tmp_path: Path, engine: EngineChoice, how: str
) -> None:
    (tmp_path / "other").mkdir()
    with server(engine, tmp_path / "other") as other, server(engine, tmp_path) as one:
        kept = session_on(other, "kept")
        session_on(one, "gone")
        if how == "killed":
            one.kill()
        instance = instance_of(tmp_path)
        (tmp_path / "data" / "ssh_host_ed25519_key").write_text("a key")
        done = cli("stop", "--clean", "--data-dir", "data", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("stopped\n") is (how == "running")
        assert "1 database" in done.stdout
        assert ("1 container, 1 volume" if engine == "docker" else "1 workspace or snapshot") in done.stdout
        if how == "running":
            assert one.process.wait(timeout=5) == 0
        assert not (tmp_path / "data").exists()
        assert left_over("local", tmp_path) == []
        if engine == "docker":
            with closing(docker.from_env()) as containers:
                assert containers_of(containers, instance) == []
                assert [volume for volume in containers.volumes.list() if instance in volume.name] == []
        again = cli("stop", "--clean", "--data-dir", "data", cwd=tmp_path)
        assert (again.returncode, "there is nothing" in again.stdout) == (0, True)
        with other.client() as client:
            answer = client.post(f"/v1/sessions/{kept}/exec", json={"command": "true"})
            assert (answer.status_code, answer.json()["exit_code"]) == (200, 0)
        assert cli("stop", "--clean", "--data-dir", "other/data", cwd=tmp_path).returncode == 0


def session_on(one: Server, workspace: str) -> str:
    with one.client() as client:
        client.post("/v1/workspaces", json={"session_type": "sandbox", "name": workspace}).raise_for_status()
        session = client.post("/v1/sessions", json={"session_type": "sandbox", "workspace": workspace}).json()
        assert session["status"] == "running", session
        return str(session["id"])


def test_a_clean_stop_keeps_what_is_not_its_own(tmp_path: Path) -> None:
    with server("scripted", tmp_path) as one:
        one.stop()
    (tmp_path / "data" / "letter.txt").write_text("mine")
    assert cli("stop", "--clean", "--yes", "--data-dir", "data", cwd=tmp_path).returncode == 0
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["letter.txt"]
    (tmp_path / "output").mkdir()
    assert cli("stop", "--clean", "--yes", "--data-dir", ".", cwd=tmp_path).returncode == 0
    assert (tmp_path / "output").is_dir()


@pytest.mark.parametrize("engine", REAL)
def test_the_doctor_finds_what_a_killed_ephemeral_emulator_left_and_says_what_removes_it(
    tmp_path: Path, engine: EngineChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    doctor = ["doctor", "--sandbox", "scripted", "--port", "0", "--data-dir", "nowhere"]
    with server(engine, tmp_path, ephemeral=True) as one:
        session_on(one, "w")
        [folder] = tmp_path.glob("chaser-emulator-*")
        assert str(folder) not in cli(*doctor, cwd=tmp_path, env={"TMPDIR": str(tmp_path)}).stdout
        one.kill()
    instance = instance_of(tmp_path, folder.name)
    remedy = f"chaser-emulator stop --clean --data-dir {folder}"
    told = cli(*doctor, cwd=tmp_path, env={"TMPDIR": str(tmp_path)})
    assert told.returncode == 0
    assert remedy in told.stdout
    assert ("1 container, 1 volume of the killed ephemeral emulator" in told.stdout) is (engine == "docker")
    done = cli(*remedy.split()[1:], cwd=tmp_path)
    assert (done.returncode, folder.exists()) == (0, False), done.stderr
    assert str(folder) not in cli(*doctor, cwd=tmp_path, env={"TMPDIR": str(tmp_path)}).stdout
    if engine == "docker":
        with closing(docker.from_env()) as containers:
            assert containers_of(containers, instance) == []


def test_an_ephemeral_emulator_that_runs_can_be_stopped_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with server("scripted", tmp_path, ephemeral=True) as one:
        [folder] = tmp_path.glob("chaser-emulator-*")
        until((folder / "emulator.json").exists)
        done = cli("stop", "--clean", "--data-dir", str(folder), cwd=tmp_path)
        assert (done.returncode, done.stdout.startswith("stopped\n")) == (0, True), done.stderr
        assert one.process.wait(timeout=5) == 0
    assert not folder.exists()


def test_an_ephemeral_emulator_is_waited_for_and_stopped_by_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with server("scripted", tmp_path, ephemeral=True) as one, server("scripted", tmp_path, ephemeral=True) as other:
        named = {"CHASER_API_URL": one.state["url"].replace("127.0.0.1", "localhost")}
        assert cli("wait", cwd=tmp_path, env=named).stdout == f"ready at {named['CHASER_API_URL']}\n"
        until(lambda: len(list(tmp_path.glob("chaser-emulator-*/emulator.json"))) == 2)
        done = cli("stop", cwd=tmp_path, env=named)
        assert (done.returncode, done.stdout) == (0, "stopped\n"), done.stderr
        assert one.process.wait(timeout=5) == 0
        assert cli("wait", "--url", other.state["url"], cwd=tmp_path, env=named).returncode == 0
        late = cli("wait", "--timeout", "0", cwd=tmp_path, env=named)
        assert (late.returncode, "no emulator answers at http://localhost" in late.stderr) == (1, True)
        again = cli("stop", cwd=tmp_path, env=named)
        assert (again.returncode, "no emulator of this machine" in again.stderr) == (1, True)
        # A folder that is named counts more than the environment.
        assert cli("stop", "--data-dir", "nowhere", cwd=tmp_path, env=named).stderr.startswith(
            "chaser-emulator: no emu"
        )
        assert other.process.poll() is None
