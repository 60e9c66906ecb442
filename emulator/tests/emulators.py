"""Emulators for tests: one on each engine, in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import images
import requirements
from chaser_emulator.sandbox import Engine
from chaser_emulator.sandbox.scripted import ScriptedEngine
from chaser_emulator.sandbox.stubs import Stub
from chaser_emulator.server import Running, running
from chaser_emulator.settings import Settings
from chaser_sdk import ChaserClient

EngineChoice = Literal["local", "docker", "scripted"]
ENGINES: tuple[EngineChoice, ...] = ("local", "docker", "scripted")
REAL: tuple[EngineChoice, ...] = ("local", "docker")
"""Those where commands really run."""


@contextmanager
def emulator_on(
    name: EngineChoice, *, data_dir: Path | None = None, stubs: tuple[Stub, ...] = (), **settings: Any
) -> Iterator[Running]:
    """An emulator on this engine; the test skips (or fails, see requirements) where the machine cannot have it."""
    engine: Engine | None = None
    if name == "docker":
        requirements.require("docker")
        settings.setdefault("image", images.debian())
    elif name == "scripted":
        engine = ScriptedEngine(stubs)
    with running(Settings(port=0, sandbox=name, data_dir=data_dir, **settings), engine) as emulator:
        yield emulator


def sdk_of(emulator: Running, key: str | None = None) -> ChaserClient:
    """The official client, unmodified."""
    return ChaserClient(base_url=emulator.url, api_key=key or emulator.api_key, timeout=60)


def http_of(emulator: Running, key: str | None = None, account: str | None = None) -> httpx.Client:
    """Plain HTTP with a key, in an account; to be closed by the caller."""
    headers = {"Authorization": f"Bearer {key or emulator.api_key}"}
    return httpx.Client(
        base_url=emulator.url, headers=headers | ({"X-Chaser-Account": account} if account else {}), timeout=60
    )
