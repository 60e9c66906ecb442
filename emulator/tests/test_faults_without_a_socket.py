"""Faults of connections for clients that have none: each sees the error that it knows from its sockets."""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Iterator

import httpx
import pytest
from chaser_emulator.embedded import Chaser
from chaser_sdk import ChaserClient


@pytest.fixture
def client(chaser: Chaser) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {chaser.api_key}"}
    with httpx.Client(transport=chaser.transport, base_url=chaser.url, headers=headers, timeout=20) as one:
        yield one


@pytest.fixture
def sdk(chaser: Chaser) -> ChaserClient:
    return ChaserClient(base_url=chaser.url, api_key=chaser.api_key, transport=chaser.transport)


def test_httpx_sees_lost_answers_resets_and_half_bodies(chaser: Chaser, client: httpx.Client) -> None:
    chaser.faults.add("create-session", lost=True, calls=1)
    chaser.faults.add("create-session", lost="closed", calls=2)
    chaser.faults.add("create-session", reset="closed", calls=3)
    chaser.faults.add("list-sessions", truncate=True, calls=1)
    with pytest.raises(httpx.ReadError, match="reset by peer"):
        client.post("/v1/sessions", json={"ephemeral": True})
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            client.post("/v1/sessions", json={"ephemeral": True})
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        client.get("/v1/sessions")
    assert len(client.get("/v1/sessions").json()["sessions"]) == 2


def test_a_client_without_a_socket_gives_up_on_what_hangs(chaser: Chaser, client: httpx.Client) -> None:
    fault = chaser.faults.add("list-jobs", lost="hang")
    with pytest.raises(httpx.ReadTimeout):
        client.get("/v1/jobs", timeout=0.1)
    assert fault.acted == 1


def test_a_job_whose_answer_was_lost_is_one_and_a_session_is_two(chaser: Chaser, sdk: ChaserClient) -> None:
    chaser.faults.add("create-job", "create-session", lost=True, calls=[1, 2])
    job = {"kind": "session.terminate", "input": {"session_id": str(uuid.uuid4())}}
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            sdk.jobs.create(**job, idempotency_key="order-17")
    sdk.jobs.create(**job, idempotency_key="order-17")
    assert len(sdk.jobs.list()["jobs"]) == 1
    chaser.faults.clear()
    with chaser.faults.add("create-session", lost="closed", times=1), pytest.raises(http.client.RemoteDisconnected):
        sdk.sessions.create({"ephemeral": True})
    sdk.sessions.create({"ephemeral": True})
    made = chaser.diff().created
    assert len(made["jobs"]) == 1
    assert len(made["sessions"]) == 2
