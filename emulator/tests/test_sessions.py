"""Sessions: what starts, what is reused, what may be at once, how it ends, and what is said when an engine fails."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import docker
import httpx
import images
import pytest
from boxes import Box, box_fixture, open_box, real_client_fixture, real_emulator_fixture, refused
from chaser_emulator.clock import Clock, timestamp
from chaser_emulator.server import Running
from databases import tell
from emulators import emulator_on, http_of
from requirements import require
from strangers import stranger
from test_exec import until

__all__ = ["box_fixture", "real_client_fixture", "real_emulator_fixture"]


def create(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = client.post("/v1/sessions", json=body)
    assert answer.status_code == 200, answer.text
    session: dict[str, Any] = answer.json()
    return session


@pytest.fixture
def workspace(client: httpx.Client) -> str:
    name = f"w-{uuid.uuid4().hex[:8]}"
    assert client.post("/v1/workspaces", json={"session_type": "sandbox", "name": name}).status_code == 200
    return name


def test_a_session_says_what_it_is_and_where(client: httpx.Client, emulator: Running) -> None:
    session = create(client, ephemeral=True)
    assert (session["session_type"], session["status"], session["persistence"]) == ("sandbox", "running", False)
    assert session["endpoints"]["control"] == f"{emulator.url}/s/{session['id']}/"
    assert session["workspace_id"] is None
    assert client.get(f"/v1/sessions/{session['id']}").json() == session
    seen = client.get(
        f"/v1/sessions/{session['id']}", headers={"Host": "chaser.localhost:9", "X-Forwarded-Proto": "https"}
    )
    assert seen.json()["endpoints"]["control"] == f"https://chaser.localhost:9/s/{session['id']}/"


def test_a_workspace_has_one_session_however_many_ask(client: httpx.Client, workspace: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: create(client, workspace=workspace)["id"], range(8)))
    assert len(set(found)) == 1
    client.delete(f"/v1/sessions/{found[0]}")
    assert create(client, workspace=workspace)["id"] != found[0]


def test_lists_are_pages_of_live_sessions_newest_first(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator)) as client:
        ids = [create(client, ephemeral=True)["id"] for _ in range(5)]
        client.delete(f"/v1/sessions/{ids[2]}")
        live = [ids[4], ids[3], ids[1], ids[0]]
        page = client.get("/v1/sessions", params={"limit": 2, "offset": 1}).json()
        assert ([one["id"] for one in page["sessions"]], page["total"]) == (live[1:3], 4)
        assert [one["id"] for one in client.get("/v1/sessions").json()["sessions"]] == live
        for query in ({"limit": 0}, {"limit": 201}, {"offset": -1}, {"limit": "many"}):
            refused(client.get("/v1/sessions", params=query), 400, "invalid_request")


def test_an_end_is_final_and_may_be_repeated(client: httpx.Client) -> None:
    session = create(client, ephemeral=True)["id"]
    for _ in range(2):
        answer = client.delete(f"/v1/sessions/{session}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(f"/v1/sessions/{session}").json()["status"] == "terminated"
    refused(client.delete(f"/v1/sessions/{uuid.uuid4()}"), 404, "not_found")


def test_a_session_in_use_is_ended_by_force_only(box: Box) -> None:
    url = f"/v1/sessions/{box.session}"
    found: list[httpx.Response] = []

    def use() -> None:
        with http_of(box.emulator) as own:
            found.append(own.post(f"{url}/exec", json={"command": "echo in use; sleep 60"}))

    thread = threading.Thread(target=use)
    thread.start()
    until(lambda: box.client.get(url).json()["active_connection_leases"] == 1)
    body = refused(box.client.delete(url), 409, "session_leased")
    assert body["details"] == {"active_connection_leases": 1}
    bulk = box.client.post("/v1/sessions/bulk-terminate", json={"ids": [box.session]}).json()
    assert [(one["id"], one["code"]) for one in bulk["failed"]] == [(box.session, "session_leased")]
    assert box.client.delete(url, params={"force": "true"}).status_code == 204
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert found[0].status_code in (200, 409)
    assert box.client.get(url).json()["status"] == "terminated"


def test_bulk_ends_what_is_selected(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator)) as client:
        client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "one"})
        on_workspace = create(client, workspace="one")["id"]
        others = [create(client, ephemeral=True)["id"] for _ in range(3)]
        for nothing in ({}, {"all": False}, {"ids": None}, {"session_type": "sandbox"}):
            refused(client.post("/v1/sessions/bulk-terminate", json=nothing), 400, "invalid_request")
        named = client.post(
            "/v1/sessions/bulk-terminate", json={"workspaces": ["ONE", "nobody"], "ids": [others[0]]}
        ).json()
        assert sorted(named["terminated"]) == sorted([on_workspace, others[0]])
        assert [(one["id"], one["code"]) for one in named["failed"]] == [("nobody", "not_found")]
        browsers = client.post("/v1/sessions/bulk-terminate", json={"all": True, "session_type": "browser"}).json()
        assert browsers == {"terminated": [], "failed": []}
        rest = client.post("/v1/sessions/bulk-terminate", json={"all": True, "ids": ["ignored"]}).json()
        assert (sorted(rest["terminated"]), rest["failed"]) == (sorted(others[1:]), [])


def test_the_plan_limits_how_many_live_at_once(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="free")) as client:
        session = create(client)
        assert session["persistence"] is False
        body = refused(client.post("/v1/sessions", json={}), 403, "plan_limit_exceeded")
        assert body["details"] == {"limit": 1}
        client.delete(f"/v1/sessions/{session['id']}")
        create(client)


def test_an_empty_wallet_starts_nothing(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="usage_based")) as client:
        refused(client.post("/v1/sessions", json={"ephemeral": True}), 402, "payment_required")


def test_what_excludes_each_other_is_refused(client: httpx.Client, workspace: str) -> None:
    bodies: tuple[dict[str, Any], ...] = (
        {"workspace": workspace, "ephemeral": True},
        {"workspace": workspace, "image": "debian"},
        {"image": "debian"},
        {"session_type": "browser", "ephemeral": True, "image": "debian"},
        {"session_type": "tablet", "ephemeral": True},
        {"ephemeral": True, "proxy": "direct", "network": {"mode": "proxy", "proxy": {"url": "http://p:1"}}},
        {"ephemeral": True, "proxy": "ftp://p:1"},
        {"ephemeral": True, "env": {"A-B": "c"}},
    )
    for body in bodies:
        refused(client.post("/v1/sessions", json=body), 400, "invalid_request")
    refused(client.post("/v1/sessions", json={"workspace": "nobody"}), 404, "not_found")
    body = refused(
        client.post("/v1/sessions", json={"workspace": workspace, "session_type": "browser"}), 400, "invalid_request"
    )
    assert body["details"][0]["pointer"] == "/session_type"


def test_commands_see_the_variables_and_the_proxy_of_their_session(real_client: httpx.Client) -> None:
    proxy = {"mode": "proxy", "proxy": {"url": "http://p.test:1080", "username": "u", "password": "s"}}
    session = create(real_client, ephemeral=True, env={"GREETING": "hello you"}, network=proxy)["id"]
    answer = real_client.post(f"/v1/sessions/{session}/exec", json={"command": 'echo "$GREETING $https_proxy"'}).json()
    assert answer["output"] == "hello you http://u:s@p.test:1080\n"
    real_client.delete(f"/v1/sessions/{session}")


def test_a_session_ends_when_its_plan_says_so(emulator: Running, client: httpx.Client) -> None:
    session = create(client, ephemeral=True)["id"]

    past = timestamp(Clock().now() - timedelta(seconds=1))
    tell(emulator, ("UPDATE sessions SET expires_at = ? WHERE id = ?", past, session))
    until(lambda: client.get(f"/v1/sessions/{session}").json()["status"] == "terminated")
    [event] = client.get("/v1/audit/events", params={"resource_id": session, "action": "session.terminate"}).json()[
        "events"
    ]
    assert event["actor_type"] == "system"


def test_a_session_is_forgotten_after_a_day(emulator: Running, client: httpx.Client) -> None:
    session = create(client, ephemeral=True)["id"]
    client.delete(f"/v1/sessions/{session}")

    past = timestamp(Clock().now() - timedelta(hours=24, seconds=1))
    tell(emulator, ("UPDATE sessions SET ended_at = ? WHERE id = ?", past, session))
    until(lambda: client.get(f"/v1/sessions/{session}").status_code == 404)


def test_creation_and_end_are_audited(client: httpx.Client) -> None:
    session = create(client, ephemeral=True, env={"SECRET": "do-not-tell"}, proxy="http://u:hush@p.test:1")["id"]
    client.delete(f"/v1/sessions/{session}")
    events = client.get("/v1/audit/events", params={"resource_id": session}).json()["events"]
    assert [(one["action"], one["status"], one["actor_type"]) for one in events] == [
        ("session.terminate", "success", "user"),
        ("session.create", "success", "user"),
    ]
    assert "do-not-tell" not in str(events)
    assert "hush" not in str(events)


def test_the_size_of_a_terminal_has_bounds(client: httpx.Client) -> None:
    session = create(client, ephemeral=True)["id"]
    answer = client.post(f"/v1/sessions/{session}/resize", json={"rows": 24, "cols": 80})
    assert (answer.status_code, answer.content) == (204, b"")
    for size in ({"rows": 0, "cols": 80}, {"rows": 24, "cols": 1001}, {"rows": 24}, {"rows": "24", "cols": 80}):
        refused(client.post(f"/v1/sessions/{session}/resize", json=size), 400, "invalid_request")


def test_an_image_that_cannot_be_had_fails_the_session(tmp_path: Path) -> None:
    require("docker")
    with emulator_on("docker", image=images.busybox()) as emulator, http_of(emulator) as client:
        session = create(client, ephemeral=True, image="chaser.invalid/no/such:image")
        until(lambda: client.get(f"/v1/sessions/{session['id']}").json()["status"] == "failed", 60)
        refused(client.post(f"/v1/sessions/{session['id']}/exec", json={"command": "true"}), 409, "not_running")
        body = {"command": "true", "ephemeral": True, "image": "chaser.invalid/no/such:image"}
        answer = refused(client.post("/v1/exec", json=body, timeout=90), 503, "sandbox_unavailable")
        assert "chaser.invalid/no/such:image" in answer["message"]
        assert client.get("/v1/sessions").json()["total"] == 0


def test_a_container_that_is_taken_away_is_noticed(tmp_path: Path) -> None:
    require("docker")
    engine = docker.from_env()
    with emulator_on("docker", image=images.busybox()) as emulator, http_of(emulator) as client:
        first, second = (open_box(emulator, client).session for _ in range(2))
        for session in (first, second):
            [container] = engine.containers.list(filters={"label": f"chaser.emulator.session={session}"})
            container.remove(force=True)
        refused(client.post(f"/v1/sessions/{first}/exec", json={"command": "true"}), 409, "not_running")
        assert client.get(f"/v1/sessions/{first}").json()["status"] == "failed"
        assert client.get("/v1/sessions").json() == {"sessions": [], "total": 0}
        assert client.get(f"/v1/sessions/{second}").json()["status"] == "failed"
        client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "w"})
        lost = create(client, workspace="w")["id"]
        [container] = engine.containers.list(filters={"label": f"chaser.emulator.session={lost}"})
        container.remove(force=True)
        again = create(client, workspace="w")
        assert (again["status"], again["id"] == lost) == ("running", False)
    engine.close()


def test_variables_have_a_limit_in_all(client: httpx.Client) -> None:
    env = {f"V{number}": "x" * 1000 for number in range(140)}
    session = create(client, ephemeral=True)["id"]
    for path, body in (
        ("/v1/sessions", {"ephemeral": True, "env": env}),
        ("/v1/exec", {"command": "true", "ephemeral": True, "env": env}),
        (f"/v1/sessions/{session}/exec", {"command": "true", "env": env}),
    ):
        answer = refused(client.post(path, json=body), 400, "invalid_request")
        assert answer["details"][0]["pointer"] == "/env"
    create(client, ephemeral=True, env={name: env[name] for name in list(env)[:120]})


def test_the_variables_of_a_command_are_its_own(real_client: httpx.Client) -> None:
    body = {"command": 'echo "[$ONCE]"', "env": {"ONCE": "here"}}
    first = real_client.post("/v1/exec", json=body).json()
    assert first["output"] == "[here]\n"
    second = real_client.post("/v1/exec", json={"command": 'echo "[$ONCE]"'}).json()
    assert (second["session_id"], second["output"]) == (first["session_id"], "[]\n")
    real_client.delete(f"/v1/sessions/{first['session_id']}")
