"""The log at its most talkative: it tells what happens, and no values that callers keep secret."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
from people import ok
from test_exec import until


def test_the_log_at_debug_has_no_values_of_statements(tmp_path: Path) -> None:
    """The environment of a job is kept to be answered, and a log is read by others than the caller."""
    ready, log = tmp_path / "ready", tmp_path / "log"
    variable, key = f"planted-{uuid.uuid4().hex}", f"sk_{uuid.uuid4().hex}"
    command = [sys.executable, "-m", "chaser_emulator.cli", "serve", "--port", "0", "--sandbox", "scripted"]
    command += ["--ephemeral", "--ready-file", str(ready), "--log-level", "debug"]
    with log.open("wb") as output:
        environment = {"CHASER_EMULATOR_API_KEY": key, "PATH": "/usr/bin:/bin"}
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=output, env=environment, cwd=tmp_path)
    try:
        until(lambda: ready.exists() or process.poll() is not None, 30)
        address = json.loads(ready.read_text())["url"]
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            body = {"kind": "sandbox.exec", "input": {"command": "true", "env": {"TOKEN": variable}}}
            job = ok(client.post("/v1/jobs", json=body))
            assert job["input"]["env"]["TOKEN"] == variable
            ok(client.post("/auth/register", json={"email": "ada@example.com", "password": "long enough"}))
    finally:
        process.terminate()
        process.wait(10)
    written = log.read_text()
    assert variable not in written
    assert "$argon2id$" not in written
