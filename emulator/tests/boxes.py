"""A real sandbox over HTTP, for tests of files: an emulator on each real engine, a session, and a few short hands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from emulators import REAL, emulator_on, http_of


@dataclass(frozen=True)
class Box:
    """A session that runs, and the client that reaches it."""

    emulator: Running
    client: httpx.Client
    session: str
    workspace: str | None = None

    def upload(self, path: str, data: bytes) -> httpx.Response:
        parts: dict[str, tuple[str | None, bytes]] = {"path": (None, path.encode()), "file": ("upload.bin", data)}
        return self.client.post(f"/v1/sessions/{self.session}/upload", files=parts)

    def put(self, path: str, data: bytes) -> None:
        """Upload what must be accepted."""
        answer = self.upload(path, data)
        assert answer.status_code == 200, answer.text

    def download(self, path: str) -> httpx.Response:
        return self.client.get(f"/v1/sessions/{self.session}/download", params={"path": path})

    def get(self, path: str) -> bytes:
        """The bytes of what must be there."""
        answer = self.download(path)
        assert answer.status_code == 200, answer.text
        return answer.content

    def run(self, command: str) -> str:
        """The output of a command that must go well."""
        code, output = ran(self, command)
        assert code == 0, output
        return output

    def end(self) -> None:
        self.client.delete(f"/v1/sessions/{self.session}", params={"force": "true"})


def ran(box: Box, command: str, **fields: Any) -> tuple[int, str]:
    """Exit code and output of a command."""
    answer = box.client.post(f"/v1/sessions/{box.session}/exec", json={"command": command, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["exit_code"], answer.json()["output"]


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, which must be this one."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    body: dict[str, Any] = answer.json()
    return body


def open_box(emulator: Running, client: httpx.Client, workspace: str | None = None) -> Box:
    """A new session, ephemeral unless it is to use a workspace."""
    wanted = {"ephemeral": True} if workspace is None else {"session_type": "sandbox", "workspace": workspace}
    answer = client.post("/v1/sessions", json=wanted)
    assert answer.status_code == 200, answer.text
    return Box(emulator, client, answer.json()["id"], workspace)


@pytest.fixture(name="real_emulator", scope="module", params=REAL)
def real_emulator_fixture(request: pytest.FixtureRequest) -> Iterator[Running]:
    """An emulator on each engine where commands really run."""
    # A machine that does much else is slow, and nothing is found out by giving up early.
    with emulator_on(request.param, forward_timeout=300) as one:
        yield one
        # Volumes and containers of workspaces outlive the emulator.
        with http_of(one) as client:
            client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})


@pytest.fixture(name="real_client", scope="module")
def real_client_fixture(real_emulator: Running) -> Iterator[httpx.Client]:
    with http_of(real_emulator) as client:
        yield client


@pytest.fixture(name="box")
def box_fixture(real_emulator: Running, real_client: httpx.Client) -> Iterator[Box]:
    """An ephemeral sandbox of its own for each test."""
    one = open_box(real_emulator, real_client)
    yield one
    one.end()
