"""Snapshots: what they keep, who may do what meanwhile, and that a restore is there whole or not at all."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from boxes import Box, open_box, real_client_fixture, real_emulator_fixture, refused
from chaser_emulator.server import Running
from databases import ask
from emulators import EngineChoice, emulator_on, http_of
from strangers import audited, events_of, stranger
from test_workspaces import BAD_NAMES, clone, create, download, session_on, unique, upload

__all__ = ["real_client_fixture", "real_emulator_fixture"]

Json = dict[str, Any]


def snap(client: httpx.Client, workspace: str, **fields: Any) -> Json:
    answer = client.post(f"/v1/workspaces/{workspace}/snapshots", json=fields)
    assert answer.status_code == 200, answer.text
    made: Json = answer.json()
    return made


def restore(client: httpx.Client, workspace: str, name: str, **fields: Any) -> httpx.Response:
    return client.post(f"/v1/workspaces/{workspace}/snapshots/{name}/restore", json=fields)


def names(client: httpx.Client, workspace: str) -> list[str]:
    return [one["id"] for one in client.get(f"/v1/workspaces/{workspace}/snapshots").json()]


def put(client: httpx.Client, workspace: str, path: str, data: bytes) -> None:
    """Write a file in a session of its own."""
    session = session_on(client, workspace)
    upload(client, session, path, data)
    client.delete(f"/v1/sessions/{session}")


def content(client: httpx.Client, workspace: str, path: str) -> bytes:
    session = session_on(client, workspace)
    try:
        return download(client, session, path)
    finally:
        client.delete(f"/v1/sessions/{session}")


def nothing_is_left(emulator: Running) -> bool:
    """Whether every disk of the engine is named by a row."""
    disks = asyncio.run(emulator.world.engine.disks())
    named = ask(emulator, "SELECT disk_id FROM workspaces UNION SELECT disk_id FROM snapshots")
    return disks <= {row["disk_id"] for row in named}


# Names, and what is shown.


def test_a_snapshot_goes_by_the_name_it_was_given(client: httpx.Client) -> None:
    workspace = create(client)["name"]
    put(client, workspace, "f", b"x" * 1000)
    made = snap(client, workspace.upper(), name="Before")
    assert made["id"] == "Before"
    assert made["used_bytes"] == 1000
    assert set(made) == {"id", "workspace_id", "used_bytes", "created_at"}
    assert client.get(f"/v1/workspaces/{workspace}/snapshots").json() == [made]
    back = restore(client, workspace, "before")
    assert back.status_code == 200, back.text
    shown = back.json()
    assert shown == made | {"restored_at": shown["restored_at"]}
    assert client.get(f"/v1/workspaces/{made['workspace_id']}/snapshots").json() == [shown]
    gone = client.delete(f"/v1/workspaces/{workspace}/snapshots/BEFORE")
    assert (gone.status_code, gone.content) == (204, b"")
    assert names(client, workspace) == []


def test_a_name_is_made_up_for_a_snapshot_without_one(client: httpx.Client) -> None:
    workspace = create(client)["name"]
    without_body = client.post(f"/v1/workspaces/{workspace}/snapshots").json()
    made = [snap(client, workspace)["id"], without_body["id"]]
    assert all(re.fullmatch(r"snap-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}", name) for name in made)
    assert names(client, workspace) == [made[1], made[0]] or names(client, workspace) == made


def test_snapshots_are_listed_newest_first(client: httpx.Client) -> None:
    workspace = create(client)["name"]
    for name in ("b", "c", "a"):
        snap(client, workspace, name=name)
    restore(client, workspace, "b")
    assert names(client, workspace) == ["a", "c", "b"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_snapshot_is_named_as_a_workspace_is(client: httpx.Client, name: Any) -> None:
    workspace = create(client)["name"]
    refused(client.post(f"/v1/workspaces/{workspace}/snapshots", json={"name": name}), 400, "invalid_request")
    assert names(client, workspace) == []


def test_a_name_serves_one_snapshot_of_a_workspace_at_a_time(client: httpx.Client) -> None:
    first, second = create(client)["name"], create(client)["name"]
    snap(client, first, name="Same")
    refused(client.post(f"/v1/workspaces/{first}/snapshots", json={"name": "sAME"}), 409, "already_exists")
    snap(client, second, name="same")
    client.delete(f"/v1/workspaces/{first}/snapshots/same")
    assert snap(client, first, name="sAME")["id"] == "sAME"


def test_what_is_not_there_is_not_found(client: httpx.Client, emulator: Running) -> None:
    workspace = create(client)["name"]
    snap(client, workspace, name="there")
    refused(client.get("/v1/workspaces/nowhere/snapshots"), 404, "not_found")
    refused(client.post("/v1/workspaces/nowhere/snapshots", json={}), 404, "not_found")
    for name in ("gone", "..%2f..", "there%00", "%2e%2e"):
        assert restore(client, workspace, name).status_code in (400, 404), name
        assert client.delete(f"/v1/workspaces/{workspace}/snapshots/{name}").status_code in (400, 404), name
    with http_of(emulator, stranger(emulator)) as theirs:
        refused(theirs.get(f"/v1/workspaces/{workspace}/snapshots"), 404, "not_found")
        refused(restore(theirs, workspace, "there"), 404, "not_found")
    assert names(client, workspace) == ["there"]


def test_a_workspace_has_at_most_a_hundred(client: httpx.Client) -> None:
    workspace = create(client)["name"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post(f"/v1/workspaces/{workspace}/snapshots", json={}), range(104)))
    assert sorted(answer.status_code for answer in answers) == [200] * 100 + [403] * 4
    over = client.post(f"/v1/workspaces/{workspace}/snapshots", json={"name": "more"})
    assert refused(over, 403, "plan_limit_exceeded")["details"] == {"limit": 100}
    client.delete(f"/v1/workspaces/{workspace}/snapshots/{answers[0].json().get('id') or names(client, workspace)[0]}")
    snap(client, workspace, name="more")


def test_of_many_snapshots_with_one_name_one_is_made(client: httpx.Client, emulator: Running) -> None:
    workspace = create(client)["name"]
    put(client, workspace, "f", b"x")
    with ThreadPoolExecutor(8) as threads:
        posts = [
            threads.submit(client.post, f"/v1/workspaces/{workspace}/snapshots", json={"name": "one"})
            for _ in range(16)
        ]
    assert sorted(post.result().status_code for post in posts) == [200] + [409] * 15
    assert nothing_is_left(emulator)


# Room.


def test_snapshots_take_room_and_give_it_back() -> None:
    with emulator_on("scripted") as emulator, http_of(emulator) as client:
        emulator.world.storage.cap = 2500
        create(client, name="w")
        put(client, "w", "f", b"x" * 1000)
        snap(client, "w", name="a")
        error = refused(client.post("/v1/workspaces/w/snapshots", json={}), 403, "storage_limit_exceeded")
        assert error["details"] == {"limit": 2500, "used": 2000}
        refused(client.post("/v1/workspaces", json={"clone_from": "w"}), 403, "storage_limit_exceeded")
        # Going back takes the place of what is there.
        assert restore(client, "w", "a").status_code == 200
        client.delete("/v1/workspaces/w/snapshots/a")
        clone(client, "w", name="copy")
        client.delete("/v1/workspaces/copy")
        put(client, "w", "f", b"x")
        snap(client, "w", name="small")
        put(client, "w", "f", b"x" * 2400)
        assert restore(client, "w", "small").status_code == 200
        emulator.world.storage.cap = 1
        refused(client.post("/v1/workspaces/w/snapshots", json={}), 403, "storage_limit_exceeded")
        client.delete("/v1/workspaces/w")
        assert nothing_is_left(emulator)


# Sessions.


def test_with_a_session_attached_it_takes_force(client: httpx.Client) -> None:
    workspace = create(client)["name"]
    put(client, workspace, "f", b"first")
    snap(client, workspace, name="a")
    session = session_on(client, workspace)
    upload(client, session, "f", b"second")
    path = f"/v1/workspaces/{workspace}/snapshots"
    for answer in (
        client.post(path, json={"name": "b"}),
        restore(client, workspace, "a"),
        restore(client, workspace, "a", force=False),
        client.delete(f"{path}/a"),
    ):
        assert refused(answer, 409, "workspace_active")["details"] == {"session_id": session}
    assert client.get(f"/v1/sessions/{session}").json()["status"] == "running"
    snap(client, workspace, name="b", force=True)
    assert client.delete(f"{path}/a", params={"force": "true"}).status_code == 204
    assert client.get(f"/v1/sessions/{session}").json()["status"] == "running"
    upload(client, session, "f", b"third")
    assert restore(client, workspace, "b", force=True).status_code == 200
    assert client.get(f"/v1/sessions/{session}").json()["status"] == "terminated"
    assert content(client, workspace, "f") == b"second"


def test_a_refused_restore_ends_no_session(client: httpx.Client) -> None:
    workspace = create(client)["name"]
    session = session_on(client, workspace)
    refused(restore(client, workspace, "unknown", force=True), 404, "not_found")
    refused(restore(client, workspace, "unknown", force="yes"), 400, "invalid_request")
    assert client.get(f"/v1/sessions/{session}").json()["status"] == "running"


# What is told.


def test_snapshots_are_told_of_and_audited(client: httpx.Client, emulator: Running) -> None:
    workspace, name = create(client)["id"], unique("s")
    made = snap(client, workspace, name=name)
    back = restore(client, workspace, name).json()
    refused(restore(client, workspace, "unknown"), 404, "not_found")
    client.delete(f"/v1/workspaces/{workspace}/snapshots/{name}")
    assert events_of(emulator, name) == [
        ("workspace.snapshot.created", made),
        ("workspace.snapshot.restored", back),
        ("workspace.snapshot.deleted", back),
    ]
    assert audited(emulator, workspace)[1:] == [
        ("workspace.snapshot.create", "success", {"snapshot": name, "force": False}),
        ("workspace.snapshot.restore", "success", {"snapshot": name, "force": False}),
        ("workspace.snapshot.restore", "failure", {"code": "not_found"}),
        ("workspace.snapshot.delete", "success", {"snapshot": name, "force": False}),
    ]


def test_scopes_are_those_of_workspaces(emulator: Running, client: httpx.Client) -> None:
    with http_of(emulator, stranger(emulator, scopes=["workspaces.read"])) as reader:
        refused(reader.post("/v1/workspaces/w/snapshots", json={}), 403, "insufficient_scope")
        refused(restore(reader, "w", "s"), 403, "insufficient_scope")
        refused(reader.delete("/v1/workspaces/w/snapshots/s"), 403, "insufficient_scope")
        refused(reader.get("/v1/workspaces/w/snapshots"), 404, "not_found")


# What goes on meanwhile: the first copy waits until the test lets it go on.


class Gate:
    """Holds one copy of a disk: `reached` when its files are there, going on once it is `open`."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()


@contextmanager
def slow_copy(emulator: Running) -> Iterator[Gate]:
    engine, gate = emulator.world.engine, Gate()
    copy = engine.copy_disk

    async def slow(source_id: str, target_id: str) -> None:
        await copy(source_id, target_id)
        if gate.reached.is_set():
            return
        gate.reached.set()
        await asyncio.to_thread(gate.open.wait, 30)

    engine.copy_disk = slow  # type: ignore[method-assign]
    try:
        yield gate
    finally:
        gate.open.set()
        del engine.copy_disk


@pytest.fixture
def workspace(client: httpx.Client) -> str:
    """A workspace with a file, and a snapshot `old` of another state of it."""
    name: str = create(client)["name"]
    put(client, name, "f", b"old")
    snap(client, name, name="old")
    put(client, name, "f", b"new")
    return name


MEANWHILE = {
    "snapshot": ("/v1/workspaces/{}/snapshots", {"name": "late"}),
    "restore": ("/v1/workspaces/{}/snapshots/old/restore", {}),
    "clone": ("/v1/workspaces", {"clone_from": "{}"}),
}


@pytest.mark.parametrize("work", MEANWHILE)
@pytest.mark.parametrize("change", ["delete", "session", "rename", "restore", "forget"])
def test_what_changes_during_a_copy_is_seen(
    client: httpx.Client, emulator: Running, workspace: str, work: str, change: str
) -> None:
    path, body = MEANWHILE[work]
    body = {key: value.format(workspace) for key, value in body.items()}
    before = ask(emulator, "SELECT id FROM workspaces")
    path = path.format(workspace)
    if change == "restore":
        snap(client, workspace, name="other")
    with slow_copy(emulator) as gate, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(client.post, path, json=body)
        assert gate.reached.wait(10)
        session = None
        match change:
            case "delete":
                assert client.delete(f"/v1/workspaces/{workspace}").status_code == 204
            case "session":
                session = session_on(client, workspace)
            case "rename":
                assert client.put(f"/v1/workspaces/{workspace}/name", json={"name": unique("n")}).status_code == 200
            case "restore":
                assert restore(client, workspace, "other").status_code == 200
            case "forget":
                assert client.delete(f"/v1/workspaces/{workspace}/snapshots/old").status_code == 204
        gate.open.set()
        got = answer.result()
    expected = {"delete": 404, "session": 409, "rename": 200, "restore": 200, "forget": 200}[change]
    if (work, change) == ("restore", "forget"):
        expected = 404
    assert got.status_code == expected, got.text
    if work == "clone" and expected != 200:
        assert len(ask(emulator, "SELECT id FROM workspaces")) == len(before) - (change == "delete")
    if session is not None:
        assert download(client, session, "f") == b"new"
        client.delete(f"/v1/sessions/{session}")
    if work == "clone" and expected == 200:
        assert content(client, got.json()["id"], "f") == b"new"
    assert nothing_is_left(emulator)


def test_what_is_being_made_is_not_cleared_away(client: httpx.Client, emulator: Running, workspace: str) -> None:
    with slow_copy(emulator) as gate, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(client.post, "/v1/workspaces", json={"clone_from": workspace})
        assert gate.reached.wait(10)
        assert not nothing_is_left(emulator)
        asyncio.run_coroutine_threadsafe(emulator.world.disks.clear(), emulator.loop).result(30)
        gate.open.set()
        assert content(client, answer.result().json()["id"], "f") == b"new"
    asyncio.run_coroutine_threadsafe(emulator.world.disks.clear(), emulator.loop).result(30)
    assert content(client, workspace, "f") == b"new"
    assert restore(client, workspace, "old").status_code == 200
    assert nothing_is_left(emulator)


def test_a_session_that_starts_during_a_forced_restore_is_ended(
    client: httpx.Client, emulator: Running, workspace: str
) -> None:
    with slow_copy(emulator) as gate, ThreadPoolExecutor(1) as thread:
        answer = thread.submit(restore, client, workspace, "old", force=True)
        assert gate.reached.wait(10)
        session = session_on(client, workspace)
        gate.open.set()
        assert answer.result().status_code == 200
    assert client.get(f"/v1/sessions/{session}").json()["status"] == "terminated"
    assert content(client, workspace, "f") == b"old"
    assert nothing_is_left(emulator)


def test_restores_at_once_leave_one_of_their_states(client: httpx.Client, emulator: Running, workspace: str) -> None:
    snap(client, workspace, name="new")
    for _ in range(5):
        with ThreadPoolExecutor(8) as threads:
            wanted = ["old", "new"] * 4
            answers = list(threads.map(lambda name: restore(client, workspace, name).status_code, wanted))
        assert answers == [200] * 8
        assert content(client, workspace, "f") in (b"old", b"new")
        assert nothing_is_left(emulator)


def at_once(client: httpx.Client, workspace: str) -> set[int]:
    """The statuses of many calls at the same time, which end sessions that others have just started."""

    def work(number: int) -> int:
        match number % 6:
            case 0:
                return client.post(f"/v1/workspaces/{workspace}/snapshots", json={"force": True}).status_code
            case 1:
                return restore(client, workspace, "old", force=True).status_code
            case 2:
                return client.post("/v1/workspaces", json={"clone_from": workspace}).status_code
            case 3:
                return client.post("/v1/exec", json={"workspace": workspace, "command": "true"}).status_code
            case 4:
                return client.delete(f"/v1/workspaces/{workspace}/snapshots/old").status_code
            case _:
                return client.post(f"/v1/workspaces/{workspace}/snapshots", json={"name": "old"}).status_code

    with ThreadPoolExecutor(6) as threads:
        return set(threads.map(work, range(60)))


@pytest.mark.parametrize("engine", ["scripted", "local"])
def test_everything_at_once_comes_to_rest(engine: EngineChoice) -> None:
    with emulator_on(engine) as emulator, http_of(emulator) as client:
        workspace = create(client)["name"]
        put(client, workspace, "f", b"old")
        snap(client, workspace, name="old")
        assert at_once(client, workspace) <= {200, 204, 404, 409, 503}
        assert client.delete(f"/v1/workspaces/{workspace}", params={"force": "true"}).status_code == 204
        assert nothing_is_left(emulator)


# On real disks.


@pytest.fixture
def box(real_emulator: Running, real_client: httpx.Client) -> Iterator[Box]:
    """A session on a workspace of its own."""
    name = create(real_client)["name"]
    yield open_box(real_emulator, real_client, name)
    real_client.delete(f"/v1/workspaces/{name}", params={"force": "true"})
    assert nothing_is_left(real_emulator)


FILL = r"""set -e
mkdir -p deep/empty && printf x > deep/file && chmod 640 deep/file && chmod 1777 deep/empty
ln -s /etc/passwd absolute && ln -s ../../.. climbing && ln -s nothing dangling && ln -s . self
ln deep/file deep/same && mkfifo pipe && chmod 000 pipe
python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('sock')"
truncate -s 50M holes && printf end >> holes
printf q > "$(printf 'odd\n\t\"\\ ')" && printf q > '-rf' && printf q > '*' && mkdir -p .hidden/..x
touch -t 200102030405 deep/file
mkdir shut && printf s > shut/f && chmod 500 shut
"""

LOOK = r"""find . -printf '%p|%y|%m|%s|%l|%n|%U|%G\n' | sort; stat -c %Y deep/file; cat shut/f
[ deep/file -ef deep/same ] && echo same; du -k holes | cut -f1"""


def test_files_of_every_kind_come_back_as_they_were(box: Box) -> None:
    assert box.workspace is not None
    box.run(FILL)
    box.run("mknod device c 1 5 2>/dev/null || true")
    before = box.run(LOOK)
    box.end()
    made = snap(box.client, box.workspace, name="a")
    # Holes take no room.
    assert 0 < made["used_bytes"] < 10_000_000
    changed = open_box(box.emulator, box.client, box.workspace)
    changed.run("chmod 700 shut; rm -rf deep pipe holes absolute shut; echo new > f; mkdir deep; echo y > deep/file")
    snap(box.client, box.workspace, name="live", force=True)
    assert restore(box.client, box.workspace, "a", force=True).status_code == 200
    again = open_box(box.emulator, box.client, box.workspace)
    assert again.run(LOOK) == before
    again.end()
    copied = clone(box.client, box.workspace)["name"]
    other = open_box(box.emulator, box.client, copied)
    assert other.run(LOOK) == before
    other.end()
    box.client.delete(f"/v1/workspaces/{copied}")
    assert restore(box.client, box.workspace, "live").status_code == 200
    last = open_box(box.emulator, box.client, box.workspace)
    assert last.run("cat f deep/file; ls").split()[:2] == ["new", "y"]
    last.end()


def test_a_workspace_that_was_never_used_has_snapshots_too(real_client: httpx.Client, real_emulator: Running) -> None:
    name = create(real_client)["name"]
    snap(real_client, name, name="empty")
    used = open_box(real_emulator, real_client, name)
    used.put("f", b"x")
    used.end()
    assert restore(real_client, name, "empty").status_code == 200
    again = open_box(real_emulator, real_client, name)
    assert again.run("ls -A") == ""
    again.end()
    real_client.delete(f"/v1/workspaces/{name}")
    assert nothing_is_left(real_emulator)
