"""Many worlds in one process: each chosen by its key, none sees another, and a dropped one leaves nothing."""

from __future__ import annotations

import asyncio
import gc
import html
import os
import re
import threading
import uuid
import weakref
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import httpx
import psutil
import pytest
from chaser_emulator.errors import ApiError
from chaser_emulator.server import Running
from chaser_emulator.world import World
from emulators import REAL, EngineChoice, emulator_on, http_of, sdk_of
from people import ok, refused

T = TypeVar("T")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted") as one:
        yield one


def there(emulator: Running, work: Callable[[], Awaitable[T]]) -> T:
    """Do something with the worlds of an emulator, on its loop."""

    async def run() -> T:
        return await work()

    return asyncio.run_coroutine_threadsafe(run(), emulator.loop).result(60)


def create(emulator: Running, world_id: str | None = None) -> World:
    return there(emulator, lambda: emulator.worlds.create(world_id))


def fork(emulator: Running, source: World, world_id: str | None = None) -> World:
    return there(emulator, lambda: emulator.worlds.fork(source, world_id))


def delete(emulator: Running, world: World) -> None:
    there(emulator, lambda: emulator.worlds.delete(world.id))


@pytest.fixture
def world(emulator: Running) -> Iterator[World]:
    one = create(emulator)
    yield one
    delete(emulator, one)


def client_of(emulator: Running, world: World) -> httpx.Client:
    return http_of(emulator, world.api_key)


def sessions(client: httpx.Client) -> list[str]:
    return [one["id"] for one in ok(client.get("/v1/sessions"))["sessions"]]


def test_a_key_chooses_its_world_and_no_other(emulator: Running, world: World) -> None:
    other = create(emulator)
    with client_of(emulator, world) as ours, client_of(emulator, other) as theirs, http_of(emulator) as usual:
        mine = ok(ours.post("/v1/sessions", json={"ephemeral": True}))["id"]
        assert (sessions(ours), sessions(theirs)) == ([mine], [])
        assert mine not in sessions(usual)
        refused(theirs.get(f"/v1/sessions/{mine}"), 404, "not_found")
        refused(theirs.delete(f"/v1/sessions/{mine}"), 404, "not_found")
        refused(theirs.post(f"/v1/sessions/{mine}/exec", json={"command": "true"}), 404, "not_found")
        # Names are a world's own, too.
        for client in (ours, theirs):
            ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "same"}))
    delete(emulator, other)


def test_a_key_that_is_made_in_a_world_chooses_it_until_the_world_is_gone(emulator: Running, world: World) -> None:
    other = create(emulator)
    with client_of(emulator, other) as client:
        made = ok(client.post("/v1/keys", json={"name": "ci"}))["key"]
        session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    with http_of(emulator, made) as client:
        assert sessions(client) == [session]
    delete(emulator, other)
    for key in (made, other.api_key):
        with http_of(emulator, key) as client:
            refused(client.get("/v1/sessions"), 401, "unauthorized")


def test_an_access_token_chooses_its_world(emulator: Running, world: World) -> None:
    email = f"{uuid.uuid4().hex}@example.com"
    with httpx.Client(base_url=emulator.url, headers={"X-Chaser-World": world.id}) as visitor:
        token = ok(visitor.post("/auth/register", json={"email": email, "password": "a password"}))["access_token"]
    with http_of(emulator, token) as client:
        assert ok(client.get("/auth/me"))["user"]["email"] == email
    with http_of(emulator, token) as client, client_of(emulator, world) as owner:
        session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
        # It is another account of the same world.
        assert session not in sessions(owner)
        assert world.lifecycle.knows(session)
    # Elsewhere nobody has registered.
    wrong = {"email": email, "password": "a password"}
    refused(httpx.post(f"{emulator.url}/auth/login", json=wrong), 401, "invalid_credentials")


def test_a_browser_signs_in_to_the_world_where_it_began(emulator: Running, world: World) -> None:
    with httpx.Client(base_url=emulator.url) as visitor:
        page = visitor.get("/auth/github/login", params={"world": world.id}).headers["location"]
        shown = visitor.get(page)
        assert shown.status_code == 200, shown.text
        [action] = set(re.findall(r'action="([^"]+)"', shown.text))
        fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', shown.text))
        form = {name: fields[name] for name in ("state", "code_challenge")} | {"email": "eve@example.com"}
        back = visitor.post(urljoin(page, html.unescape(action)), data=form).headers["location"]
        token = ok(visitor.get(back))["access_token"]
    with http_of(emulator, token) as client:
        session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    assert world.lifecycle.knows(session)


def test_the_header_chooses_where_no_key_does(emulator: Running, world: World) -> None:
    with http_of(emulator) as usual:
        session = ok(usual.post("/v1/sessions", json={"ephemeral": True}))["id"]
        # A key is of one world, whatever else is said.
        usual.headers["X-Chaser-World"] = world.id
        assert session in sessions(usual)
    answer = httpx.get(f"{emulator.url}/v1/sessions", headers={"X-Chaser-World": "nowhere"})
    assert "nowhere" in refused(answer, 404, "not_found")["message"]
    unknown = {"Authorization": "Bearer sk_unknown", "X-Chaser-World": world.id}
    refused(httpx.get(f"{emulator.url}/v1/sessions", headers=unknown), 401, "unauthorized")
    assert world.journal.last(refused=True) is not None


def test_a_preview_leads_to_the_world_of_its_session(emulator: Running, world: World) -> None:
    with client_of(emulator, world) as client:
        session = ok(client.post("/v1/sessions", json={"ephemeral": True}))["id"]
    shown = httpx.get(f"{emulator.url}/s/{session}/", headers={"Accept": "application/json"})
    assert ok(shown)["session_id"] == session
    refused(httpx.get(f"{emulator.url}/s/{session}/forward/1/"), 502, "bad_gateway")
    refused(httpx.get(f"{emulator.url}/s/{uuid.uuid4()}/"), 404, "not_found")


def test_a_fork_begins_with_everything_and_then_goes_its_own_way(emulator: Running, world: World) -> None:
    with client_of(emulator, world) as ours:
        workspace = ok(ours.post("/v1/workspaces", json={"session_type": "sandbox", "name": "app"}))
        session = ok(ours.post("/v1/sessions", json={"workspace": "app"}))["id"]
        ephemeral = ok(ours.post("/v1/sessions", json={"ephemeral": True}))["id"]
        upload(ours, session, b"before")
        one, two = fork(emulator, world), fork(emulator, world)
        with client_of(emulator, one) as first, client_of(emulator, two) as second:
            assert set(sessions(first)) == set(sessions(second)) == {session, ephemeral}
            upload(first, session, b"first")
            assert [download(each, session) for each in (ours, first, second)] == [b"before", b"first", b"before"]
            ok(second.delete(f"/v1/sessions/{ephemeral}"))
            ok(second.put(f"/v1/workspaces/{workspace['id']}/name", json={"name": "other"}))
            assert (set(sessions(first)), sessions(second)) == ({session, ephemeral}, [session])
            assert [each["name"] for each in ok(first.get("/v1/workspaces"))] == ["app"]
            ran = ok(first.post(f"/v1/sessions/{ephemeral}/exec", json={"command": "echo still"}))
            assert ran["output"] == "still\n"
        delete(emulator, one)
        delete(emulator, two)
        assert set(sessions(ours)) == {session, ephemeral}
        assert download(ours, session) == b"before"


def test_a_fork_can_read_the_secrets_of_its_source(emulator: Running, world: World) -> None:
    with client_of(emulator, world) as ours:
        ok(ours.put("/v1/assistants/credentials", json={"name": "bot", "value": "of the source"}))
        assistant = ok(ours.post("/v1/assistants", json={"name": "helper", "config": {}}))["assistant"]["id"]
    other = fork(emulator, world)
    with client_of(emulator, other) as theirs:
        asked = ok(theirs.post("/v1/assistants/resolve-credential", json={"assistant_id": assistant, "name": "bot"}))
        assert asked["value"] == "of the source"
    delete(emulator, other)


def test_a_reset_leads_back_to_what_a_world_began_with(emulator: Running, world: World) -> None:
    with client_of(emulator, world) as ours:
        session = ok(ours.post("/v1/sessions", json={"ephemeral": True}))["id"]
        upload(ours, session, b"before")
        other = fork(emulator, world)
        with client_of(emulator, other) as theirs:
            for _ in range(2):
                upload(theirs, session, b"after")
                ok(theirs.post("/v1/sessions", json={"ephemeral": True}))
                there(emulator, lambda: emulator.worlds.reset(emulator.worlds.get(other.id)))
                assert (sessions(theirs), download(theirs, session)) == ([session], b"before")
        delete(emulator, other)
        there(emulator, lambda: emulator.worlds.reset(world))
        assert sessions(ours) == []


@pytest.mark.parametrize("engine", REAL)
def test_forks_and_resets_have_the_files_of_real_engines(engine: EngineChoice) -> None:
    with emulator_on(engine) as emulator, http_of(emulator) as client:
        ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "app"}))
        session = ok(client.post("/v1/sessions", json={"workspace": "app"}))["id"]
        upload(client, session, b"before")
        ok(client.post(f"/v1/sessions/{session}/exec", json={"command": "ln -s file link; chmod 600 file"}))
        other = fork(emulator, emulator.world)
        with client_of(emulator, other) as theirs:
            assert ok(theirs.get(f"/v1/sessions/{session}"))["status"] == "terminated"
            for _ in range(2):
                again = ok(theirs.post("/v1/sessions", json={"workspace": "app"}))["id"]
                ran = ok(theirs.post(f"/v1/sessions/{again}/exec", json={"command": "stat -c %a file; cat link"}))
                assert ran["output"] == "600\nbefore"
                upload(theirs, again, b"after")
                there(emulator, lambda: emulator.worlds.reset(emulator.worlds.get(other.id)))
        delete(emulator, other)
        assert download(client, session) == b"before"


def test_a_reset_of_kept_data_leaves_nothing_of_it(tmp_path: Path) -> None:
    with emulator_on("local", data_dir=tmp_path) as emulator, http_of(emulator) as client:
        ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "app"}))
        upload(client, ok(client.post("/v1/sessions", json={"workspace": "app"}))["id"], b"kept")
    with emulator_on("local", data_dir=tmp_path) as emulator, http_of(emulator) as client:
        assert len(ok(client.get("/v1/workspaces"))) == 1
        there(emulator, lambda: emulator.worlds.reset(emulator.world))
        assert ok(client.get("/v1/workspaces")) == []
        assert list((tmp_path / "workspaces").iterdir()) == []
    with emulator_on("local", data_dir=tmp_path) as emulator, http_of(emulator) as client:
        assert ok(client.get("/v1/workspaces")) == []


def test_requests_during_a_reset_wait_for_it(emulator: Running) -> None:
    other = create(emulator)
    answers: list[int] = []
    end = threading.Event()

    def ask() -> None:
        with client_of(emulator, other) as client:
            while not end.is_set():
                answers.append(client.get("/v1/workspaces").status_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        there(emulator, lambda: emulator.worlds.reset(emulator.worlds.get(other.id)))
    end.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {200}
    assert len(answers) >= 20
    delete(emulator, other)


def test_a_reset_lets_nobody_wait_who_asks_another_world(emulator: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    other = create(emulator)
    reached, go_on = threading.Event(), threading.Event()
    opening = emulator.worlds._open

    async def slowly(world_id: str, *args: Any, **more: Any) -> World:
        reached.set()
        await asyncio.to_thread(go_on.wait, 30)
        return await opening(world_id, *args, **more)

    monkeypatch.setattr(emulator.worlds, "_open", slowly)
    reset = threading.Thread(target=there, args=(emulator, lambda: emulator.worlds.reset(other)))
    reset.start()
    try:
        assert reached.wait(30)
        with client_of(emulator, emulator.world) as client:
            assert client.get("/v1/workspaces").status_code == 200
            key = ok(client.post("/v1/keys", json={"name": "new"}))["key"]
            assert client.get("/v1/keys", headers={"Authorization": f"Bearer {key}"}).status_code == 200
            assert client.get("/_emulator/clock", headers={"X-Chaser-World": "default"}).status_code == 200
    finally:
        go_on.set()
        reset.join()
    delete(emulator, other)


def test_what_is_under_way_in_the_control_plane_ends_with_its_world(
    emulator: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = create(emulator)
    reached, go_on = threading.Event(), asyncio.Event()
    advance = other.agenda.advance

    async def late(*args: Any, **more: Any) -> Any:
        reached.set()
        await go_on.wait()
        return await advance(*args, **more)

    monkeypatch.setattr(other.agenda, "advance", late)
    answers: list[httpx.Response] = []

    def ask() -> None:
        with client_of(emulator, other) as client:
            answers.append(client.post("/_emulator/clock/advance", json={"seconds": 60}))

    asking = threading.Thread(target=ask)
    asking.start()
    assert reached.wait(30)
    delete(emulator, other)
    emulator.loop.call_soon_threadsafe(go_on.set)
    asking.join()
    refused(answers[0], 404, "not_found")
    assert not caplog.records


def test_a_request_that_comes_slowly_outlives_its_world_in_order(
    emulator: Running, caplog: pytest.LogCaptureFixture
) -> None:
    other = create(emulator)
    go_on = threading.Event()
    begun = threading.Event()

    def body() -> Iterator[bytes]:
        yield b'{"name": '
        begun.set()
        go_on.wait(30)
        yield b'"slow"}'

    answers: list[httpx.Response] = []

    def ask() -> None:
        with client_of(emulator, other) as client:
            answers.append(client.post("/v1/keys", content=body(), headers={"Content-Type": "application/json"}))

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(30)
    while not other.journal.find(operation="create-key"):
        there(emulator, lambda: asyncio.sleep(0))
    delete(emulator, other)
    go_on.set()
    asking.join()
    refused(answers[0], 500, "internal_error")
    assert "put back" in answers[0].json()["message"]
    assert not caplog.records


def test_a_world_that_is_deleted_while_it_is_put_back_does_not_come_back(emulator: Running) -> None:
    other = create(emulator)

    async def both() -> None:
        await asyncio.gather(emulator.worlds.reset(other), emulator.worlds.delete(other.id))

    there(emulator, both)
    assert other.id not in emulator.worlds


@pytest.mark.parametrize("ends", ["delete", "reset"])
def test_whoever_waits_for_an_event_waits_no_longer_than_the_world_is_there(emulator: Running, ends: str) -> None:
    other = create(emulator)
    answers: list[httpx.Response] = []

    def ask() -> None:
        with client_of(emulator, other) as client:
            answers.append(client.post("/_emulator/webhooks/sink/expect", json={"event": "job.*", "within": 50}))

    asking = threading.Thread(target=ask)
    asking.start()
    while not other.sink._listeners:
        there(emulator, lambda: asyncio.sleep(0))
    if ends == "reset":
        there(emulator, lambda: emulator.worlds.reset(other))
    else:
        delete(emulator, other)
    asking.join(20)
    refused(answers[0], 404, "not_received")
    if ends == "reset":
        delete(emulator, other)


@pytest.mark.parametrize("world_id", ["", "Upper", "-", "a-", "a b", "a" * 64, "../up", "ü"])
def test_an_odd_id_is_refused(emulator: Running, world_id: str) -> None:
    with pytest.raises(ApiError, match="/id"):
        create(emulator, world_id)


def test_an_id_and_a_key_are_of_one_world(emulator: Running, world: World) -> None:
    with pytest.raises(ApiError, match="already"):
        create(emulator, world.id)
    with pytest.raises(ApiError, match="another world's"):
        there(emulator, lambda: emulator.worlds.create(api_key=world.api_key))
    with pytest.raises(ApiError, match="default world"):
        there(emulator, lambda: emulator.worlds.delete("default"))
    with pytest.raises(ApiError, match="no world"):
        there(emulator, lambda: emulator.worlds.delete("nowhere"))


def test_thousands_come_and_go_and_leave_nothing(emulator: Running, world: World) -> None:
    process = psutil.Process()
    with client_of(emulator, world) as ours:
        ok(ours.post("/v1/sessions", json={"ephemeral": True}))

    def crowd(count: int) -> list[weakref.ref[World]]:
        made = [fork(emulator, world) for _ in range(count)]
        with client_of(emulator, made[-1]) as client:
            assert len(sessions(client)) == 1
        for one in made:
            delete(emulator, one)
        return [weakref.ref(one) for one in made]

    crowd(5)
    threads, descriptors, folders = process.num_threads(), process.num_fds(), sorted(world.data_dir.parent.glob("*"))
    left = crowd(int(os.environ.get("CHASER_TEST_WORLDS", "200")))
    assert process.num_threads() <= threads
    # Connections of earlier tests may have been closed meanwhile.
    assert process.num_fds() <= descriptors
    assert sorted(world.data_dir.parent.glob("*")) == folders

    async def tasks() -> int:
        gc.collect()
        return len(asyncio.all_tasks())

    alive = there(emulator, tasks)
    assert alive < 60
    assert sum(one() is not None for one in left) <= 1


def test_the_official_client_works_in_any_world(emulator: Running, world: World) -> None:
    client = sdk_of(emulator, world.api_key)
    session = client.sessions.create(ephemeral=True)
    assert client.exec.in_session(session["id"], command="echo hello")["output"] == "hello\n"
    assert len(world.journal.find(operation="exec-session")) == 1
    assert emulator.world.journal.find(resource_id=session["id"]) == []


def upload(client: httpx.Client, session: str, content: bytes) -> None:
    form = {"path": "/workspace/file"}
    ok(client.post(f"/v1/sessions/{session}/upload", data=form, files={"file": content}))


def download(client: httpx.Client, session: str) -> bytes:
    return client.get(f"/v1/sessions/{session}/download", params={"path": "/workspace/file"}).content
