"""Many at once lose and mix up nothing; many one after another leave nothing behind."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import httpx
import images
import psutil
import pytest
from chaser_emulator.meter import Limits
from emulators import ENGINES, REAL, EngineChoice, emulator_on, http_of
from requirements import require
from test_exec import until

NO_LIMITS = Limits(enabled=False)


@pytest.mark.parametrize("engine", REAL)
def test_200_commands_at_once_in_20_sessions_mix_up_nothing(engine: EngineChoice) -> None:
    if engine == "docker":
        require("docker")
    image: dict[str, Any] = {"image": images.busybox()} if engine == "docker" else {}
    with emulator_on(engine, rate_limit=NO_LIMITS, **image) as emulator, http_of(emulator) as client:
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: client.post("/v1/sessions", json={"ephemeral": True}).json(), range(20)))
        sessions = [session["id"] for session in made]

        def run(number: int) -> tuple[int, httpx.Response]:
            command = f"echo out-{number}; echo err-{number} >&2; cat; exit {number % 200}"
            url = f"/v1/sessions/{sessions[number % 20]}/exec"
            return number, client.post(url, json={"command": command, "stdin": f"in-{number}\n"}, timeout=120)

        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(run, range(200)))
        for number, answer in answers:
            assert answer.status_code == 200, answer.text
            body = answer.json()
            assert body["output"] == f"out-{number}\nerr-{number}\nin-{number}\n"
            assert body["exit_code"] == number % 200
            assert body["session_id"] == sessions[number % 20]


@pytest.mark.parametrize("engine", ENGINES)
def test_sessions_that_come_and_go_leave_nothing(engine: EngineChoice, tmp_path: Path) -> None:
    # The number of rounds is enough to show a leak of one each; a container costs half a second on a slow machine.
    rounds = int(os.environ.get("CHASER_TEST_SESSIONS", {"scripted": "1000", "local": "100", "docker": "12"}[engine]))
    if engine == "docker":
        require("docker")
    image: dict[str, Any] = {"image": images.busybox()} if engine == "docker" else {}
    own = psutil.Process()
    with (
        emulator_on(engine, data_dir=tmp_path / "data", rate_limit=NO_LIMITS, **image) as emulator,
        http_of(emulator) as client,
    ):
        instance = instance_of(emulator.world.data_dir)

        def come_and_go(number: int) -> None:
            session = client.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
            if number % 10 == 0:
                client.post(f"/v1/sessions/{session}/exec", json={"command": "echo hi > file; sleep 60 & echo there"})
            answer = client.delete(f"/v1/sessions/{session}", params={"force": "true"})
            assert answer.status_code == 204

        for number in range(5):
            come_and_go(number)
        before = left(own, engine, instance, tmp_path)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(come_and_go, range(rounds)))
        assert client.get("/v1/sessions").json()["total"] == 0
        until(lambda: differences(before, left(own, engine, instance, tmp_path)) == {}, 20)


def left(own: psutil.Process, engine: EngineChoice, instance: str, folder: Path) -> dict[str, int]:
    """How many processes, descriptors, files, containers and volumes there are."""
    found = {
        "processes": len(own.children(recursive=True)),
        "descriptors": own.num_fds(),
        "files": sum(1 for _ in (folder / "data").rglob("*")),
    }
    if engine == "docker":
        client = docker.from_env()
        label = f"chaser.emulator.instance={instance}"
        found["containers"] = len(client.containers.list(all=True, filters={"label": label}, ignore_removed=True))
        found["volumes"] = len([one for one in client.volumes.list() if instance in one.name])
        client.close()
    return found


def differences(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    """What has grown; a few descriptors come and go with connections of the clients."""
    slack = {"descriptors": 12}
    return {name: (before[name], after[name]) for name in before if after[name] > before[name] + slack.get(name, 0)}


def instance_of(data_dir: Path) -> str:
    from test_crash import instance_of as found

    return found(data_dir.parent)
