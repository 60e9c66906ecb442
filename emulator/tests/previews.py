"""What tests of previews share: a server in a sandbox, and the addresses at which the gateway answers for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx
from boxes import Box

T = TypeVar("T")
APP = Path(__file__).with_name("preview_app.py")


def until(question: Callable[[], T], seconds: float = 20) -> T:
    """The first answer that is true; fails when there is none in time."""
    end = time.monotonic() + seconds
    while not (found := question()):
        assert time.monotonic() < end, question
        time.sleep(0.02)
    return found


def ports_of(box: Box) -> list[int]:
    answer = box.client.get(f"/s/{box.session}/")
    assert answer.status_code == 200, answer.text
    return [entry["port"] for entry in answer.json()["ports"]]


def start(box: Box, command: str, port: int) -> str:
    """Run a server in the sandbox until it listens; answers the path of its preview."""
    wanted = {"command": f"exec {command}", "background": True}
    answer = box.client.post(f"/v1/sessions/{box.session}/exec", json=wanted)
    assert answer.status_code == 200, answer.text
    until(lambda: port in ports_of(box))
    return f"/s/{box.session}/forward/{port}"


def start_app(box: Box, port: int = 3000) -> str:
    """Run `preview_app.py` in the sandbox; answers the path of its preview."""
    box.put("preview_app.py", APP.read_bytes())
    return start(box, f"python3 preview_app.py {port}", port)


def by_host(box: Box, port: int | None = None) -> httpx.Client:
    """A client of the session's own host, or of that of one of its ports; names of localhost are not looked up."""
    return httpx.Client(base_url=box.emulator.url, headers={"Host": host_of(box, port)}, timeout=60, trust_env=False)


def host_of(box: Box, port: int | None = None) -> str:
    label = box.session if port is None else f"{port}-{box.session}"
    return f"{label}.localhost:{box.emulator.url.rpartition(':')[2]}"
