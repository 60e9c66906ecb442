"""Jobs for tests: queued, waited for, and what the outbox tells of them."""

from __future__ import annotations

from typing import Any

import httpx
from chaser_emulator.server import Running
from people import ok
from strangers import events_of
from test_exec import until

Json = dict[str, Any]


def queue(client: httpx.Client, kind: str, given: Json, **fields: Any) -> Json:
    """A job as it is right after its creation."""
    job: Json = ok(client.post("/v1/jobs", json={"kind": kind, "input": given, **fields}))
    return job


def get(client: httpx.Client, job: Json) -> Json:
    """A job as it is now."""
    now: Json = ok(client.get(f"/v1/jobs/{job['id']}"))
    return now


def final(client: httpx.Client, job: Json, seconds: float = 60) -> Json:
    """A job once it is final."""
    until(lambda: get(client, job)["status"] not in ("queued", "running"), seconds)
    return get(client, job)


def done(client: httpx.Client, kind: str, given: Json, **fields: Any) -> Json:
    """A job, queued and waited for."""
    return final(client, queue(client, kind, given, **fields))


def runs(client: httpx.Client, job: Json) -> Json:
    """A job once it runs."""
    until(lambda: get(client, job)["status"] == "running")
    return get(client, job)


def count(client: httpx.Client, **filters: str) -> int:
    """How many jobs of the account fit."""
    return int(ok(client.get("/v1/jobs", params=filters | {"limit": "1"}))["total"])


def told(emulator: Running, job: Json) -> list[str]:
    """What the events of a job said, in order, each with the job as it was then."""
    found = events_of(emulator, job["id"])
    words = {"started": "running"}
    for kind, data in found:
        assert data["id"] == job["id"]
        assert data["status"] == words.get(kind.removeprefix("job."), kind.removeprefix("job."))
    return [kind for kind, _ in found]


def workspace(client: httpx.Client, name: str) -> str:
    """The id of a new sandbox workspace."""
    return str(ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": name}))["id"])
