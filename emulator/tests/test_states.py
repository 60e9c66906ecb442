"""Saved states: a world in one file, which comes back whole, or is refused and changes nothing."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import tarfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from assistants import CREDENTIALS, RESOLVE_CREDENTIAL, create
from chaser_emulator.sandbox import archives
from chaser_emulator.server import Running
from chaser_emulator.states.file import DATABASE, Manifest, Writer
from chaser_emulator.store import images, migrations, steps
from chaser_emulator.world import World
from emulators import REAL, EngineChoice, emulator_on, http_of
from people import ok, refused
from test_control_commands import Run, run  # noqa: F401 - a fixture is found by import

Json = dict[str, Any]
LOAD, SAVE, DIFF = "/_emulator/state/load", "/_emulator/state/save", "/_emulator/state/diff"
BINARY = {"Content-Type": "application/octet-stream"}
NO_DIFFERENCE: Json = {"created": {}, "changed": {}, "deleted": {}}


@pytest.fixture
def plain(emulator: Running, client: httpx.Client) -> Iterator[httpx.Client]:
    """A client of a world of its own, with a key of its own."""
    world = ok(client.post("/_emulator/worlds", json={}))
    with http_of(emulator, world["api_key"]) as one:
        yield one
    ok(client.delete(f"/_emulator/worlds/{world['id']}"))


def key_of(client: httpx.Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def world_of(emulator: Running, client: httpx.Client) -> World:
    return next(world for world in emulator.worlds.all() if world.api_key == key_of(client))


def saved(client: httpx.Client, *, disks: bool = True) -> bytes:
    answer = client.post(SAVE, json={"disks": disks})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    return answer.content


def load(client: httpx.Client, content: bytes, *, key: str | None = None, **query: str) -> httpx.Response:
    headers = BINARY | ({"X-Chaser-State-Key": key} if key else {})
    return client.post(LOAD, content=content, headers=headers, params=query)


def session_on(client: httpx.Client, workspace: str) -> str:
    found: str = ok(client.post("/v1/sessions", json={"workspace": workspace}))["id"]
    return found


def upload(client: httpx.Client, session: str, path: str, content: bytes) -> None:
    ok(client.post(f"/v1/sessions/{session}/upload", data={"path": path}, files={"file": ("f", content)}))


def content(client: httpx.Client, workspace: str, path: str) -> bytes | None:
    """What a file of a workspace holds, looked at in a new session; None: there is no such file."""
    session = session_on(client, workspace)
    answer = client.get(f"/v1/sessions/{session}/download", params={"path": path})
    ok(client.delete(f"/v1/sessions/{session}?force=true"))
    return answer.content if answer.status_code == 200 else None


def furnish(client: httpx.Client) -> str:
    """A workspace with a file, a snapshot of it, and a session that lives on it; answers the session's id."""
    workspace = ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "shop"}))["id"]
    session = session_on(client, workspace)
    upload(client, session, "folder/file", b"old")
    ok(client.delete(f"/v1/sessions/{session}?force=true"))
    ok(client.post("/v1/workspaces/shop/snapshots", json={"name": "first"}))
    session = session_on(client, workspace)
    upload(client, session, "folder/file", b"new")
    return session


# What comes back


@pytest.mark.parametrize("engine", ["scripted", *REAL])
def test_a_world_comes_back_with_its_files(engine: EngineChoice, tmp_path: Path) -> None:
    with emulator_on(engine, data_dir=tmp_path / "data") as emulator, http_of(emulator) as client:
        session = furnish(client)
        file = saved(client)
        ok(client.delete(f"/v1/sessions/{session}?force=true"))
        ok(client.delete("/v1/workspaces/shop"))
        other = ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "other"}))["id"]
        upload(client, session_on(client, other), "file", b"to go")
        loaded = ok(load(client, file))
        assert (loaded["world"], loaded["state"]["disks"], loaded["state"]["engine"]) == ("default", True, engine)
        assert [one["name"] for one in ok(client.get("/v1/workspaces"))] == ["shop"]
        # What ran when it was saved does not run here.
        assert ok(client.get("/v1/sessions"))["sessions"] == []
        assert ok(client.get(f"/v1/sessions/{session}"))["status"] == "terminated"
        assert content(client, "shop", "folder/file") == b"new"
        ok(client.post("/v1/workspaces/shop/snapshots/first/restore"))
        assert content(client, "shop", "folder/file") == b"old"
        # It can be gone back to, again and again, and nothing of what was there before is left.
        for _ in range(2):
            ok(client.post("/_emulator/reset"))
            assert content(client, "shop", "folder/file") == b"new"
        if engine != "docker":
            folder = tmp_path / "data" / "workspaces"
            assert engine == "scripted" or len(list(folder.iterdir())) == 2
        # A restart does not bring back what was there before either.
    with emulator_on(engine, data_dir=tmp_path / "data") as emulator, http_of(emulator) as client:
        assert [one["name"] for one in ok(client.get("/v1/workspaces"))] == ["shop"]
        if engine != "scripted":
            assert content(client, "shop", "folder/file") == b"new"
        ok(client.delete("/v1/workspaces/shop"))


def test_without_disks_workspaces_are_empty(plain: httpx.Client) -> None:
    furnish(plain)
    file = saved(plain, disks=False)
    assert len(file) < len(saved(plain))
    ok(load(plain, file))
    assert content(plain, "shop", "folder/file") is None


def test_a_state_of_one_engine_is_loaded_on_another(plain: httpx.Client, tmp_path: Path) -> None:
    furnish(plain)
    file = saved(plain)
    with emulator_on("local", data_dir=tmp_path) as emulator, http_of(emulator) as client:
        ok(load(client, file))
        workspace = "shop"
        assert content(client, workspace, "folder/file") == b"new"
        run = {"command": "echo more >> folder/file && ln -s file folder/link && cat folder/link"}
        session = session_on(client, workspace)
        assert ok(client.post(f"/v1/sessions/{session}/exec", json=run))["output"] == "newmore\n"
        back = saved(client)
    ok(load(plain, back))
    assert content(plain, workspace, "folder/file") == b"newmore\n"


def test_the_clock_comes_back(plain: httpx.Client) -> None:
    ok(plain.post("/_emulator/clock", json={"mode": "frozen", "at": "2031-05-06T07:08:09Z"}))
    file = saved(plain)
    ok(plain.post("/_emulator/clock", json={"mode": "real"}))
    ok(load(plain, file))
    now = ok(plain.get("/_emulator/clock"))
    assert (now["mode"], now["now"][:19]) == ("frozen", "2031-05-06T07:08:09")


def test_a_world_of_its_own_can_be_what_was_saved(emulator: Running, plain: httpx.Client) -> None:
    furnish(plain)
    file = saved(plain)
    before = saved(plain, disks=False)
    world = ok(plain.post("/_emulator/worlds", json={}))
    with http_of(emulator, world["api_key"]) as client:
        ok(load(client, file))
        assert content(client, "shop", "folder/file") == b"new"
        ok(client.delete("/v1/workspaces/shop?force=true"))
    assert content_of_database(saved(plain, disks=False)) == content_of_database(before)
    ok(plain.delete(f"/_emulator/worlds/{world['id']}"))


def content_of_database(file: bytes) -> list[Any]:
    with zipfile.ZipFile(io.BytesIO(file)) as archive, closing(images.opened(archive.read(DATABASE))) as database:
        return sorted(database.execute("SELECT id, name FROM workspaces"))


def test_a_difference_is_counted_from_what_was_loaded(plain: httpx.Client) -> None:
    furnish(plain)
    ok(load(plain, saved(plain)))
    assert ok(plain.get(DIFF)) == NO_DIFFERENCE
    ok(plain.post("/v1/workspaces", json={"session_type": "sandbox", "name": "more"}))
    diff = ok(plain.get(DIFF))
    assert [one["name"] for one in diff["created"]["workspaces"]] == ["more"]
    assert diff["deleted"] == diff["changed"] == {}


def test_loads_at_once_leave_one_of_their_states(plain: httpx.Client) -> None:
    before = saved(plain)
    furnish(plain)
    after = saved(plain)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda file: load(plain, file).status_code, [before, after] * 6))
    assert set(answers) <= {200, 409}
    assert 200 in answers
    assert [one["name"] for one in ok(plain.get("/v1/workspaces"))] in ([], ["shop"])
    ok(load(plain, after))
    assert content(plain, "shop", "folder/file") == b"new"


# Secrets


def keep_secrets(client: httpx.Client) -> dict[str, str]:
    """Make one of each kind; answers their texts."""
    hook = ok(client.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/hook"}))
    create(client, "helper")
    ok(client.put(CREDENTIALS, json={"name": "TOKEN", "value": "a-credential-nobody-reads"}))
    ok(client.post("/auth/register", json={"email": "grace@example.com", "password": "a-password-nobody-reads"}))
    return {
        "signing secret": hook["signing_secret"],
        "credential": "a-credential-nobody-reads",
        "password": "a-password-nobody-reads",
        "key": ok(client.post("/v1/keys", json={"name": "ci"}))["key"],
        "state": ok(client.get("/auth/codex/login-url"))["state"],
    }


def credential(client: httpx.Client) -> httpx.Response:
    [assistant] = ok(client.get("/v1/assistants"))["assistants"]
    return client.post(RESOLVE_CREDENTIAL, json={"assistant_id": assistant["id"], "name": "TOKEN"})


def test_no_secret_is_in_the_file_and_the_same_key_reads_them_all(emulator: Running, plain: httpx.Client) -> None:
    texts = keep_secrets(plain) | {"own key": key_of(plain)}
    vault = world_of(emulator, plain).vault.exported()
    assert vault is not None
    file = saved(plain)
    for name, text in (texts | {"vault's key": vault.decode()}).items():
        assert text.encode() not in file, name
    with emulator_on("scripted", api_key=key_of(plain)) as other, http_of(other) as client:
        ok(load(client, file))
        assert ok(credential(client))["value"] == texts["credential"]
        with http_of(other, texts["key"]) as mine:
            ok(mine.get("/v1/sessions"))
        login = {"email": "grace@example.com", "password": texts["password"]}
        ok(client.post("/auth/login", json=login))


def test_secrets_of_another_key_are_named_and_left_out_on_request_only(plain: httpx.Client) -> None:
    keep_secrets(plain)
    file = saved(plain)
    with emulator_on("scripted", api_key="sk_of_somebody_else") as other, http_of(other) as client:
        for key in (None, "sk_of_nobody"):
            message = refused(load(client, file, key=key), 409, "sealed_state")["message"]
            assert "http://127.0.0.1:9/hook" in message
            assert "TOKEN" in message
            assert ok(client.get(DIFF)) == NO_DIFFERENCE
        ok(load(client, file, without_secrets="true"))
        assert [one["url"] for one in ok(client.get("/v1/webhooks"))["webhooks"]] == ["http://127.0.0.1:9/hook"]
        assert credential(client).status_code == 404
        ok(load(client, file, key=key_of(plain)))
        assert ok(credential(client))["value"] == "a-credential-nobody-reads"
        # The world has its own key all the while.
        with http_of(other, key_of(plain)) as stranger:
            assert stranger.get("/v1/sessions").status_code == 401


def test_a_state_without_sealed_secrets_is_loaded_with_any_key(plain: httpx.Client) -> None:
    furnish(plain)
    file = saved(plain)
    with emulator_on("scripted", api_key="sk_of_somebody_else") as other, http_of(other) as client:
        ok(load(client, file))
        assert content(client, "shop", "folder/file") == b"new"


# What is refused


@pytest.fixture(scope="module")
def whole() -> bytes:
    """A state with a disk."""
    with emulator_on("scripted") as emulator, http_of(emulator) as client:
        furnish(client)
        return saved(client)


def assert_refused(client: httpx.Client, file: bytes, said: str = "") -> None:
    """It is not loaded, for this reason, and the world is what it was."""
    marker = ok(client.post("/v1/workspaces", json={"session_type": "sandbox"}))["id"]
    message = refused(load(client, file), 400, "damaged_state")["message"]
    assert said in message, message
    assert marker in [one["id"] for one in ok(client.get("/v1/workspaces"))]
    ok(client.delete(f"/v1/workspaces/{marker}"))


def test_a_file_that_was_cut_short_or_goes_on_is_refused(client: httpx.Client, whole: bytes) -> None:
    lengths = [0, 1, 3, 4, 100, 5000, len(whole) // 2, len(whole) - 100, len(whole) - 83, len(whole) - 1]
    for length in lengths:
        assert_refused(client, whole[:length], "damaged" if length >= 4 else "no saved state")
    for more in (b"x", bytes(1000), whole):
        assert_refused(client, whole + more, "damaged")


def test_a_file_with_a_flipped_bit_is_refused(client: httpx.Client, whole: bytes) -> None:
    chance = random.Random(7)
    places = [0, 10, 28, 60, len(whole) - 1, len(whole) - 70, len(whole) - 90]
    places += [whole.rindex(b"manifest.json") - 20, whole.index(b"SQLite format 3") + 5]
    places += [chance.randrange(len(whole)) for _ in range(20)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        assert_refused(client, bytes(damaged))


def test_what_is_no_state_is_refused(client: httpx.Client) -> None:
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a", "b")
    for file in (b"", b"text", bytes(5000), b"PK\3\4" + bytes(5000), other.getvalue()):
        assert_refused(client, file, "no saved state")


def forged(
    whole: bytes,
    change: Callable[[dict[str, bytes]], None] = lambda members: None,
    *,
    extra: Callable[[zipfile.ZipFile], None] = lambda archive: None,
    unlisted: str | None = None,
    **manifest: Any,
) -> bytes:
    """A file that is whole by its seal, with other members or another manifest."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        said = json.loads(archive.read("manifest.json"))
        members = {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}
    change(members)
    file = io.BytesIO()
    writer = Writer(file)
    for name, member in members.items():
        writer.add(name, member)
    extra(writer._zip)
    listed = {name: one for name, one in writer.members.items() if name != unlisted}
    writer.finish(dataclasses.replace(Manifest(**said), **({"members": listed} | manifest)))
    return file.getvalue()


def test_forging_by_itself_changes_nothing(plain: httpx.Client, whole: bytes) -> None:
    ok(load(plain, forged(whole)))
    assert content(plain, "shop", "folder/file") == b"new"


def test_a_newer_state_is_refused_by_name(client: httpx.Client, whole: bytes) -> None:
    newest = migrations()[-1][0]
    assert_refused(
        client,
        forged(whole, form=newest + 4, emulator="9.9"),
        f"was saved by chaser-emulator 9.9, form {newest + 4}; this one, 0.1.0, knows {newest}",
    )
    assert_refused(client, forged(whole, format=2, emulator="9.9"), "was saved by chaser-emulator 9.9, format 2")


def without_database(members: dict[str, bytes]) -> None:
    del members[DATABASE]


def test_members_must_be_those_of_the_manifest(client: httpx.Client, whole: bytes) -> None:
    disk = next(name for name in zipfile.ZipFile(io.BytesIO(whole)).namelist() if name.startswith("disks/"))
    checks = {name: {"bytes": 1, "sha256": "0" * 64} for name in (DATABASE, disk)}
    for file, said in (
        (forged(whole, without_database), "database.sqlite is missing"),
        (
            forged(whole, members={DATABASE: checks[DATABASE], "disks/gone.tar": checks[disk]}),
            "disks/gone.tar is missing",
        ),
        (
            forged(whole, lambda members: members.update({"disks/more.tar": b"x"}), unlisted="disks/more.tar"),
            "more.tar",
        ),
        (forged(whole, lambda members: members.update({"../evil": b"x"})), "no member that a saved state has"),
        (forged(whole, lambda members: members.update({"/etc/evil": b"x"})), "no member that a saved state has"),
        (forged(whole, lambda members: members.update({"disks/../../evil.tar": b"x"})), "no member that a saved"),
        (forged(whole, lambda members: members.update({"disks/..tar": b"x"})), "no member that a saved state has"),
        (forged(whole, members={}), "is missing"),
        (forged(whole, members={DATABASE: "x"}), "cannot be read"),
        (forged(whole, members=7), "cannot be read"),
        (forged(whole, clock="later"), "says what it cannot say"),
        (forged(whole, secrets=[1]), "says what it cannot say"),
        (forged(whole, document=None), "says what it cannot say"),
        (forged(whole, disks="yes"), "says what it cannot say"),
        (forged(whole, format=True), "says what it cannot say"),
        (forged(whole, secrets={"salt": "!", "sealed": "x"}), "no secrets"),
    ):
        assert_refused(client, file, said)


def test_a_member_that_is_not_what_was_saved_is_refused(client: httpx.Client, whole: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        listed = json.loads(archive.read("manifest.json"))["members"]
    listed[DATABASE]["sha256"] = "0" * 64
    assert_refused(client, forged(whole, members=listed), "database.sqlite is not what was saved")


def test_nothing_unpacks_to_more_than_it_is(client: httpx.Client, whole: bytes) -> None:
    def bomb(archive: zipfile.ZipFile) -> None:
        archive.writestr(zipfile.ZipInfo("disks/bomb.tar"), bytes(50_000_000), zipfile.ZIP_DEFLATED)

    listed = {DATABASE: {"bytes": 1, "sha256": "0" * 64}, "disks/bomb.tar": {"bytes": 1, "sha256": "0" * 64}}
    for disk in (name for name in zipfile.ZipFile(io.BytesIO(whole)).namelist() if name.startswith("disks/")):
        listed[disk] = listed[DATABASE]
    file = forged(whole, extra=bomb, members=listed)
    assert len(file) < 1_000_000
    assert_refused(client, file, "compressed")


def databases(whole: bytes, *statements: str) -> Callable[[dict[str, bytes]], None]:
    """Change the database of a state."""

    def change(members: dict[str, bytes]) -> None:
        with closing(images.opened(members[DATABASE])) as database:
            for statement in statements:
                database.execute(statement)
            members[DATABASE] = images.of(database)

    return change


def test_a_database_that_is_none_of_ours_is_refused(client: httpx.Client, whole: bytes) -> None:
    evil = "CREATE TRIGGER evil AFTER INSERT ON audit_events BEGIN DELETE FROM users; END"

    def cut(members: dict[str, bytes]) -> None:
        members[DATABASE] = members[DATABASE][:4096]

    def scribbled(members: dict[str, bytes]) -> None:
        image = bytearray(members[DATABASE])
        image[2048:6000] = b"\xff" * 3952
        members[DATABASE] = bytes(image)

    for change, said in (
        (databases(whole, evil), "none of ours"),
        (databases(whole, "CREATE TABLE more (a)"), "none of ours"),
        (databases(whole, "DROP TABLE usage"), "none of ours"),
        (databases(whole, "PRAGMA user_version = 3"), "its manifest says"),
        (databases(whole, "DELETE FROM facts"), "does not say what its first_"),
        (databases(whole, "PRAGMA foreign_keys = OFF", "UPDATE workspaces SET account_id = 'gone'"), "is not there"),
        (lambda members: members.update({DATABASE: b"no database"}), "cannot be read"),
        (lambda members: members.update({DATABASE: b""}), "cannot be read"),
        (cut, "damaged"),
        (scribbled, "damaged"),
    ):
        assert_refused(client, forged(whole, change), said)


def test_a_disk_that_would_leave_its_folder_is_refused(client: httpx.Client, whole: bytes) -> None:
    def change(members: dict[str, bytes]) -> None:
        disk = next(name for name in members if name.startswith("disks/"))
        file = io.BytesIO(archives.head(archives.ROOT, tarfile.DIRTYPE, 0o755))
        file.seek(0, 2)
        file.write(archives.head(f"{archives.ROOT}/../../evil", tarfile.REGTYPE, 0o644) + archives.END)
        members[disk] = file.getvalue()

    assert_refused(client, forged(whole, change), "in no folder of the disk")


def test_a_disk_with_a_name_that_no_file_can_have_is_refused(client: httpx.Client, whole: bytes) -> None:
    def change(members: dict[str, bytes]) -> None:
        disk = next(name for name in members if name.startswith("disks/"))
        too_long = archives.head(f"{archives.ROOT}/{'x' * 300}", tarfile.REGTYPE, 0o644)
        members[disk] = archives.head(archives.ROOT, tarfile.DIRTYPE, 0o755) + too_long + archives.END

    assert_refused(client, forged(whole, change), "is a longer name than a file can have")


def test_a_disk_that_cannot_be_made_leaves_the_world_as_it_was(whole: bytes, tmp_path: Path) -> None:
    def change(members: dict[str, bytes]) -> None:
        disk = next(name for name in members if name.startswith("disks/"))
        # As deep as it can be by itself, so that with the way to where disks are it is too deep.
        deep = ["/".join([archives.ROOT, *["x" * 250] * depth]) for depth in range(17)]
        members[disk] = b"".join(archives.head(name, tarfile.DIRTYPE, 0o755) for name in deep) + archives.END

    with emulator_on("local", data_dir=tmp_path) as emulator, http_of(emulator) as client:
        workspace = ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "mine"}))["id"]
        upload(client, session_on(client, workspace), "file", b"here")
        refused(load(client, forged(whole, change)), 503, "sandbox_unavailable")
        assert [one["name"] for one in ok(client.get("/v1/workspaces"))] == ["mine"]
        assert content(client, workspace, "file") == b"here"
        assert len(list((tmp_path / "workspaces").iterdir())) == 1
        # What was broken is not in the way of what is whole.
        ok(load(client, whole))
        assert content(client, "shop", "folder/file") == b"new"


OLD = "6adf87a0-01f2-4a2c-9d0e-0f0cba510f33"


def of_form(form: int, whole: bytes) -> bytes:
    """A state that an emulator of an earlier form would have saved, with a user and a workspace."""
    account, user, at = str(uuid.uuid4()), str(uuid.uuid4()), "2026-01-01T00:00:00.000000Z"
    with closing(images.opened(None)) as database:
        for step in steps(0, form):
            database.executescript(step)
        database.execute("INSERT INTO users VALUES (?, 'old@example.com', 'Old', ?)", (user, at))
        database.execute(
            "INSERT INTO accounts (id, kind, name, plan, created_at) VALUES (?, 'personal', 'Old', 'pro', ?)",
            (account, at),
        )
        database.execute("INSERT INTO members VALUES (?, ?, 'owner', ?)", (account, user, at))
        database.execute(
            """INSERT INTO workspaces (id, account_id, name, session_type, created_at)
               VALUES (?, ?, 'old', 'sandbox', ?)""",
            (OLD, account, at),
        )
        for fact in ("first_account", account), ("first_user", user), ("instance", "old"):
            database.execute("INSERT INTO facts VALUES (?, ?)", fact)
        image = images.of(database)

    def change(members: dict[str, bytes]) -> None:
        members.clear()
        members[DATABASE] = image

    return forged(whole, change, form=form, emulator="0.0.1")


def test_states_of_earlier_forms_are_loaded(plain: httpx.Client, whole: bytes) -> None:
    for form in range(1, migrations()[-1][0] + 1):
        ok(load(plain, of_form(form, whole)))
        assert [one["name"] for one in ok(plain.get("/v1/workspaces"))] == ["old"]
        assert content(plain, OLD, "file") is None
        assert ok(plain.get("/v1/billing/summary"))


# Kept by name


def test_states_are_kept_by_name_and_outlive_restart_and_reset(tmp_path: Path) -> None:
    with emulator_on("local", data_dir=tmp_path) as emulator, http_of(emulator) as client:
        furnish(client)
        kept = ok(client.put("/_emulator/states/before", json={"disks": True}))
        assert (kept["name"], kept["disks"]) == ("before", True)
        ok(client.put("/_emulator/states/empty"))
        ok(client.post("/_emulator/reset"))
        assert ok(client.get("/v1/workspaces")) == []
    with emulator_on("local", data_dir=tmp_path) as emulator, http_of(emulator) as client:
        (tmp_path / "states" / "odd.chaser-state").write_bytes(b"no state")
        listed = ok(client.get("/_emulator/states"))["states"]
        assert [one["name"] for one in listed] == ["empty", "before", "odd"]
        assert "damaged" in listed[2]["problem"]
        refused(client.post("/_emulator/states/odd/load"), 400, "damaged_state")
        assert ok(client.post("/_emulator/states/before/load"))["state"]["disks"] is True
        assert content(client, "shop", "folder/file") == b"new"
        ok(client.delete("/v1/workspaces/shop"))
        diff = ok(client.get(DIFF, params={"since": "before"}))
        assert [one["name"] for one in diff["deleted"]["workspaces"]] == ["shop"]
        ok(client.delete("/_emulator/states/before"))
        for answer in (
            client.post("/_emulator/states/before/load"),
            client.delete("/_emulator/states/before"),
            client.get(DIFF, params={"since": "before"}),
            client.post("/_emulator/states/..%2f..%2fetc/load"),
        ):
            refused(answer, 404, "not_found")
        refused(client.get(DIFF, params={"since": "../etc"}), 400, "invalid_request")
    # Whatever was on its way has left nothing.
    assert sorted(file.name for file in (tmp_path / "states").iterdir()) == ["empty.chaser-state", "odd.chaser-state"]


# By command


def test_a_state_is_saved_loaded_and_compared_by_command(run: Run, client: httpx.Client) -> None:  # noqa: F811
    ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "kept"}))
    assert run("state", "save", "--disks", "here.state").code == 0
    ok(client.delete("/v1/workspaces/kept"))
    assert [one["name"] for one in run("state", "diff").json["created"].get("workspaces", [])] == []
    assert run("state", "load", "here.state").json["state"]["disks"] is True
    assert run("state", "diff").json == NO_DIFFERENCE
    assert run("state", "keep", "mine").json["name"] == "mine"
    ok(client.delete("/v1/workspaces/kept"))
    assert [one["name"] for one in run("state", "list").json["states"]] == ["mine"]
    ok(client.post("/_emulator/reset"))
    assert run("state", "restore", "mine").code == 0
    assert [one["name"] for one in ok(client.get("/v1/workspaces"))] == ["kept"]
    Path("here.state").write_bytes(b"no state")
    done = run("state", "load", "here.state")
    assert (done.code, "no saved state" in done.problem) == (1, True)
    assert run("state", "delete", "mine", "--yes").code == 0
    assert run("state", "list").json == {"states": []}
