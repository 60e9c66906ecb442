"""Workspaces: what is accepted, what is refused and why, and what others are told of it."""

from __future__ import annotations

import re
import sqlite3
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient
from databases import ask
from emulators import REAL, EngineChoice, emulator_on, http_of, sdk_of
from strangers import audited, events_of, stranger

Json = dict[str, Any]


def unique(word: str = "w") -> str:
    return f"{word}-{uuid.uuid4().hex[:8]}"


def create(client: httpx.Client, **fields: Any) -> Json:
    answer = client.post("/v1/workspaces", json={"session_type": "sandbox"} | fields)
    assert answer.status_code == 200, answer.text
    created: Json = answer.json()
    return created


def clone(client: httpx.Client, source: str, **fields: Any) -> Json:
    answer = client.post("/v1/workspaces", json={"clone_from": source} | fields)
    assert answer.status_code == 200, answer.text
    copied: Json = answer.json()
    return copied


def session_on(client: httpx.Client, workspace: str, **fields: Any) -> str:
    answer = client.post("/v1/sessions", json={"session_type": "sandbox", "workspace": workspace} | fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def listed(client: httpx.Client) -> dict[str, Json]:
    return {one["id"]: one for one in client.get("/v1/workspaces").json()}


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    body: Json = answer.json()
    return body


# Creation.


def test_a_new_workspace_is_idle_and_listed_first(client: httpx.Client) -> None:
    name = unique()
    older = create(client)
    made = create(client, name=name, image="python:3.12-slim")
    assert made == {
        "id": str(uuid.UUID(made["id"])),
        "name": name,
        "created_at": made["created_at"],
        "persistence": True,
        "session_type": "sandbox",
        "status": "idle",
        "image": "python:3.12-slim",
        "template": False,
        "assistant_home": False,
    }
    assert list(listed(client))[:2] == [made["id"], older["id"]]
    assert listed(client)[made["id"]] == made


def test_a_name_is_made_up_where_none_is_given(client: httpx.Client) -> None:
    made = [create(client)["name"], create(client, name=None)["name"]]
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-[0-9]{4}", name) for name in made)
    assert made[0] != made[1]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/session_type"),
        ({"session_type": None}, "/session_type"),
        ({"session_type": "desktop"}, "/session_type"),
        ({"session_type": "browser", "image": "python:3.12"}, "/session_type"),
        ({"session_type": "sandbox", "template": "yes"}, "/template"),
        ({"clone_from": "other", "session_type": "sandbox"}, "/session_type"),
        ({"clone_from": "other", "image": "python:3.12"}, "/image"),
        ({"clone_from": 5}, "/clone_from"),
    ],
)
def test_a_create_that_makes_no_sense_is_refused(client: httpx.Client, body: Json, pointer: str) -> None:
    error = refused(client.post("/v1/workspaces", json=body), 400, "invalid_request")
    assert any(problem["pointer"].startswith(pointer) or problem["pointer"] == "" for problem in error["details"])
    assert pointer.removeprefix("/") in str(error["details"])


BAD_NAMES = [
    "",
    "-first",
    ".first",
    "a/b",
    "a b",
    "grüße",
    "x" * 65,
    "..",
    "a\nb",
    "a\n",
    "a\u0000",
    5,
    "2f1c0b9a-8d7e-4f6a-9b5c-4d3e2f1a0b9c",
]


@pytest.mark.parametrize("name", [*BAD_NAMES, "8E9FA0B1-C2D3-4E4F-9061-728394A5B6C7"])
def test_a_name_has_one_form_and_is_no_uuid(client: httpx.Client, name: Any) -> None:
    refused(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": name}), 400, "invalid_request")
    made = create(client)
    refused(client.put(f"/v1/workspaces/{made['id']}/name", json={"name": name}), 400, "invalid_request")
    assert listed(client)[made["id"]]["name"] == made["name"]


@pytest.mark.parametrize("name", ["x" * 56, "0", "A.b_c-d", "9.9"])
def test_every_name_of_that_form_is_accepted(client: httpx.Client, name: str) -> None:
    long = f"{name}{uuid.uuid4().hex[:8]}"
    assert create(client, name=long)["name"] == long


def test_a_name_is_taken_whatever_its_case(client: httpx.Client) -> None:
    name = unique("Taken")
    first, second = create(client, name=name), create(client)
    again = {"session_type": "sandbox", "name": name.swapcase()}
    refused(client.post("/v1/workspaces", json=again), 409, "name_taken")
    refused(client.post("/v1/workspaces", json={"clone_from": second["id"], "name": name}), 409, "name_taken")
    refused(client.put(f"/v1/workspaces/{second['id']}/name", json={"name": name.lower()}), 409, "name_taken")
    # Its own name in another case is no clash.
    assert client.put(f"/v1/workspaces/{name}/name", json={"name": name.upper()}).json()["name"] == name.upper()
    # And a name is free again once its workspace has another, or is gone.
    client.put(f"/v1/workspaces/{first['id']}/name", json={"name": None})
    third = create(client, name=name)
    client.delete(f"/v1/workspaces/{third['id']}")
    create(client, name=name)


def test_of_many_creates_with_one_name_one_wins(client: httpx.Client) -> None:
    body = {"session_type": "sandbox", "name": unique("race")}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post("/v1/workspaces", json=body).status_code, range(16)))
    assert sorted(answers) == [200] + [409] * 15


def test_names_of_other_accounts_are_free(client: httpx.Client, emulator: Running) -> None:
    name = unique("mine")
    ours = create(client, name=name)
    with http_of(emulator, stranger(emulator)) as theirs:
        other = create(theirs, name=name)
        assert list(listed(theirs)) == [other["id"]]
        for selector in (ours["id"], unique("nobody")):
            refused(theirs.delete(f"/v1/workspaces/{selector}"), 404, "not_found")
            refused(theirs.put(f"/v1/workspaces/{selector}/name", json={"name": "x"}), 404, "not_found")
            refused(theirs.put(f"/v1/workspaces/{selector}/template", json={"template": True}), 404, "not_found")
            refused(theirs.post("/v1/workspaces", json={"clone_from": selector}), 404, "not_found")
            answer = theirs.post("/v1/workspaces/bulk-delete", json={"ids": [selector]}).json()
            assert (answer["deleted"], answer["results"][0]["id"]) == (0, selector)
        assert theirs.delete(f"/v1/workspaces/{name}").status_code == 204
    assert ours["id"] in listed(client)


# Limits.


def test_a_free_account_has_no_workspaces(emulator: Running, client: httpx.Client) -> None:
    with http_of(emulator, stranger(emulator, "free")) as free:
        error = refused(free.post("/v1/workspaces", json={"session_type": "sandbox"}), 403, "plan_limit_exceeded")
        assert error["details"] == {"limit": 0}
        assert free.get("/v1/workspaces").json() == []


def test_a_plan_allows_so_many_workspaces(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, "pro")) as pro:
        made = [create(pro)["id"] for _ in range(50)]
        error = refused(pro.post("/v1/workspaces", json={"session_type": "sandbox"}), 403, "plan_limit_exceeded")
        assert error["details"] == {"limit": 50}
        refused(pro.post("/v1/workspaces", json={"clone_from": made[0]}), 403, "plan_limit_exceeded")
        assert pro.delete(f"/v1/workspaces/{made[0]}").status_code == 204
        create(pro)
        assert len(listed(pro)) == 50


def test_a_full_account_gets_no_more_room() -> None:
    with emulator_on("scripted") as emulator, http_of(emulator) as client:
        emulator.world.storage.cap = 1000
        full, spare = create(client, name="full"), create(client, name="spare")
        session = session_on(client, "full")
        upload(client, session, "big", b"x" * 1001)
        client.delete(f"/v1/sessions/{session}")
        for body in ({"session_type": "sandbox"}, {"clone_from": "spare"}):
            error = refused(client.post("/v1/workspaces", json=body), 403, "storage_limit_exceeded")
            assert error["details"] == {"limit": 1000, "used": 1001}
        attach = {"session_type": "sandbox", "workspace": spare["id"]}
        refused(client.post("/v1/sessions", json=attach), 403, "storage_limit_exceeded")
        # What is ephemeral takes no room, and what is deleted gives it back.
        assert client.post("/v1/sessions", json={"ephemeral": True}).status_code == 200
        client.delete(f"/v1/workspaces/{full['id']}")
        create(client)
        session_on(client, "spare")


def test_a_key_does_what_its_scopes_say(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, scopes=["workspaces.read"])) as reader:
        assert reader.get("/v1/workspaces").json() == []
        error = refused(reader.post("/v1/workspaces", json={"session_type": "sandbox"}), 403, "insufficient_scope")
        assert error["details"]["required"] == "workspaces.write"
    with http_of(emulator, stranger(emulator, scopes=["workspaces.write"])) as writer:
        made = create(writer)
        refused(writer.get("/v1/workspaces"), 403, "insufficient_scope")
        assert writer.delete(f"/v1/workspaces/{made['id']}").status_code == 204


# Names and templates.


def test_a_selector_is_an_id_or_a_name_in_any_case(client: httpx.Client) -> None:
    made = create(client, name=unique("Mixed"))
    for selector in (made["id"], made["id"].upper(), made["name"], made["name"].upper()):
        answer = client.put(f"/v1/workspaces/{selector}/template", json={"template": True})
        assert (answer.status_code, answer.json()) == (200, {"id": made["id"], "template": True})


def test_a_workspace_without_a_name_goes_by_its_id(client: httpx.Client) -> None:
    made = create(client)
    answer = client.put(f"/v1/workspaces/{made['name']}/name", json={"name": None})
    assert (answer.status_code, answer.json()) == (200, {"id": made["id"], "name": None})
    assert listed(client)[made["id"]]["name"] == made["id"]
    refused(client.put(f"/v1/workspaces/{made['name']}/name", json={"name": "x"}), 404, "not_found")
    refused(client.put(f"/v1/workspaces/{made['id']}/name", json={}), 400, "invalid_request")
    assert client.put(f"/v1/workspaces/{made['id']}/name", json={"name": None}).status_code == 200


def test_a_template_is_one_until_it_is_none(client: httpx.Client) -> None:
    made = create(client, template=True)
    assert made["template"] is True
    path = f"/v1/workspaces/{made['name']}/template"
    assert client.put(path, json={"template": False}).json() == {"id": made["id"], "template": False}
    assert listed(client)[made["id"]]["template"] is False
    refused(client.put(path, json={"template": None}), 400, "invalid_request")
    refused(client.put(path, json={}), 400, "invalid_request")


# Deletion.


def test_a_workspace_in_use_is_deleted_by_force_alone(client: httpx.Client) -> None:
    made = create(client)
    session = session_on(client, made["id"])
    shown = listed(client)[made["id"]]
    assert (shown["status"], shown["active_session_id"], shown["last_session_id"]) == ("active", session, session)
    error = refused(client.delete(f"/v1/workspaces/{made['id']}"), 409, "workspace_active")
    assert error["details"] == {"session_id": session}
    refused(client.delete(f"/v1/workspaces/{made['id']}", params={"force": "false"}), 409, "workspace_active")
    refused(client.delete(f"/v1/workspaces/{made['id']}", params={"force": "perhaps"}), 400, "invalid_request")
    gone = client.delete(f"/v1/workspaces/{made['id']}", params={"force": "true"})
    assert (gone.status_code, gone.content) == (204, b"")
    assert client.get(f"/v1/sessions/{session}").json()["status"] == "terminated"
    assert made["id"] not in listed(client)
    refused(client.delete(f"/v1/workspaces/{made['id']}", params={"force": "true"}), 404, "not_found")


def test_a_workspace_is_idle_again_after_its_session(client: httpx.Client) -> None:
    made = create(client)
    session = session_on(client, made["id"])
    client.delete(f"/v1/sessions/{session}")
    shown = listed(client)[made["id"]]
    assert (shown["status"], shown.get("active_session_id"), shown["last_session_id"]) == ("idle", None, session)
    assert client.delete(f"/v1/workspaces/{made['id']}").status_code == 204


def test_no_session_survives_on_a_workspace_that_is_deleted_meanwhile(client: httpx.Client) -> None:
    for _ in range(10):
        made = create(client)
        body = {"session_type": "sandbox", "workspace": made["id"]}
        with ThreadPoolExecutor(2) as threads:
            starts = threads.submit(client.post, "/v1/sessions", json=body)
            deletes = threads.submit(client.delete, f"/v1/workspaces/{made['id']}", params={"force": "true"})
        assert deletes.result().status_code == 204
        assert starts.result().status_code in (200, 404)
        if starts.result().status_code == 200:
            assert client.get(f"/v1/sessions/{starts.result().json()['id']}").json()["status"] == "terminated"
        assert made["id"] not in listed(client)


def test_deletion_in_bulk_tells_what_became_of_each(client: httpx.Client) -> None:
    first, second, busy = create(client), create(client), create(client)
    session = session_on(client, busy["id"])
    # One is named twice, and counts once.
    ids = [first["name"].upper(), first["id"], second["id"], busy["name"], "nobody", "nobody"]
    answer = client.post("/v1/workspaces/bulk-delete", json={"ids": ids})
    assert answer.status_code == 200
    report = answer.json()
    assert (report["requested"], report["deleted"], report["failed"]) == (4, 2, 2)
    results = {one["id"]: one for one in report["results"]}
    assert results[first["id"]] == {"id": first["id"], "deleted": True}
    assert results[second["id"]] == {"id": second["id"], "deleted": True}
    assert results["nobody"]["deleted"] is results[busy["id"]]["deleted"] is False
    assert "nobody" in results["nobody"]["error"]
    assert session in results[busy["id"]]["error"]
    assert not {first["id"], second["id"]} & set(listed(client))
    forced = client.post("/v1/workspaces/bulk-delete", json={"ids": [busy["id"]], "force": True}).json()
    assert forced["deleted"] == 1
    assert client.get(f"/v1/sessions/{session}").json()["status"] == "terminated"


def test_all_means_all_of_the_account(emulator: Running, client: httpx.Client) -> None:
    kept = create(client)
    with http_of(emulator, stranger(emulator)) as theirs:
        assert theirs.post("/v1/workspaces/bulk-delete", json={"all": True}).json()["requested"] == 0
        made = {create(theirs)["id"] for _ in range(12)}
        session_on(theirs, min(made))
        report = theirs.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True, "ids": ["nobody"]}).json()
        assert (report["requested"], report["deleted"], report["failed"]) == (12, 12, 0)
        assert {one["id"] for one in report["results"]} == made
        assert listed(theirs) == {}
    assert kept["id"] in listed(client)


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"all": False}, {"ids": [5]}, {"ids": "all"}, {"force": True}])
def test_a_selection_of_nothing_is_refused(client: httpx.Client, body: Json) -> None:
    refused(client.post("/v1/workspaces/bulk-delete", json=body), 400, "invalid_request")


# Clones.


@pytest.fixture
def source(client: httpx.Client) -> Json:
    """An idle workspace with one file."""
    made = create(client, image="python:3.12-slim", template=True)
    session = session_on(client, made["id"])
    upload(client, session, "a.txt", b"first")
    client.delete(f"/v1/sessions/{session}")
    return listed(client)[made["id"]]


def upload(client: httpx.Client, session: str, path: str, data: bytes) -> None:
    answer = client.post(f"/v1/sessions/{session}/upload", files={"path": (None, path), "file": ("f", data)})
    assert answer.status_code == 200, answer.text


def download(client: httpx.Client, session: str, path: str) -> bytes:
    answer = client.get(f"/v1/sessions/{session}/download", params={"path": path})
    assert answer.status_code == 200, answer.text
    return answer.content


def test_a_clone_is_like_its_source_and_then_its_own(client: httpx.Client, source: Json) -> None:
    copied = clone(client, source["name"].upper())
    assert copied["source_workspace_id"] == source["id"]
    assert (copied["session_type"], copied["image"]) == ("sandbox", "python:3.12-slim")
    # W10: that it was a template is not handed on.
    assert (copied["template"], copied["status"], copied.get("last_session_id")) == (False, "idle", None)
    assert copied["name"] != source["name"]
    ours, theirs = session_on(client, source["id"]), session_on(client, copied["id"])
    assert download(client, theirs, "a.txt") == b"first"
    upload(client, theirs, "a.txt", b"second")
    upload(client, ours, "b.txt", b"third")
    assert download(client, ours, "a.txt") == b"first"
    assert client.get(f"/v1/sessions/{theirs}/download", params={"path": "b.txt"}).status_code == 404


def test_a_clone_may_be_a_template_with_a_name(client: httpx.Client, source: Json) -> None:
    name = unique("copy")
    body = {"clone_from": source["id"], "name": name, "template": True, "session_type": None, "image": None}
    answer = client.post("/v1/workspaces", json=body)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["name"], answer.json()["template"]) == (name, True)
    assert listed(client)[answer.json()["id"]] == answer.json()


def test_a_browser_workspace_that_was_never_used_can_be_cloned(client: httpx.Client) -> None:
    copied = clone(client, create(client, session_type="browser")["id"])
    assert (copied["session_type"], copied.get("image")) == ("browser", None)


def test_a_workspace_in_use_is_not_cloned(client: httpx.Client, source: Json, emulator: Running) -> None:
    session = session_on(client, source["id"])
    before = len(ask(emulator, "SELECT id FROM workspaces"))
    error = refused(client.post("/v1/workspaces", json={"clone_from": source["id"]}), 409, "workspace_active")
    assert error["details"] == {"session_id": session}
    assert len(ask(emulator, "SELECT id FROM workspaces")) == before
    client.delete(f"/v1/sessions/{session}")
    clone(client, source["id"])


def test_a_clone_that_fails_leaves_nothing(client: httpx.Client, source: Json, emulator: Running) -> None:
    rows, before = "SELECT id FROM workspaces", len(ask(emulator, "SELECT id FROM outbox"))
    count = len(ask(emulator, rows))
    refused(client.post("/v1/workspaces", json={"clone_from": source["id"], "name": source["name"]}), 409, "name_taken")
    assert len(ask(emulator, rows)) == count
    assert len(ask(emulator, "SELECT id FROM outbox")) == before


@pytest.mark.parametrize("engine", REAL)
def test_a_copy_or_a_deletion_that_a_crash_cut_short_is_cleared_away(engine: EngineChoice, tmp_path: Path) -> None:
    with emulator_on(engine, data_dir=tmp_path) as emulator, http_of(emulator) as client:
        half, kept = create(client, name="half"), create(client, name="kept")
        for name in ("half", "kept"):
            session = session_on(client, name)
            upload(client, session, "file", b"x" * 100_000)
            client.delete(f"/v1/sessions/{session}")
    # As it is before the row of a copy comes, and after the row of a deleted workspace went.
    with sqlite3.connect(tmp_path / "chaser.db") as database:
        database.execute("DELETE FROM workspaces WHERE id = ?", (half["id"],))
    database.close()
    with emulator_on(engine, data_dir=tmp_path) as emulator, http_of(emulator) as client:
        assert list(listed(client)) == [kept["id"]]
        assert len(ask(emulator, "SELECT id FROM workspaces")) == 1
        if engine == "local":
            assert [one.name for one in (tmp_path / "workspaces").iterdir()] == [kept["id"]]
        client.delete("/v1/workspaces/kept")
        if engine == "local":
            assert list((tmp_path / "workspaces").iterdir()) == []


# What others are told.


def test_the_life_of_a_workspace_is_told_in_events(client: httpx.Client, emulator: Running) -> None:
    made = create(client, name=unique())
    name = unique("renamed")
    client.put(f"/v1/workspaces/{made['id']}/name", json={"name": name})
    client.put(f"/v1/workspaces/{made['id']}/template", json={"template": True})
    shown = listed(client)[made["id"]]
    client.delete(f"/v1/workspaces/{made['id']}")
    assert events_of(emulator, made["id"]) == [
        ("workspace.created", made),
        ("workspace.renamed", made | {"name": name}),
        ("workspace.deleted", shown),
    ]


def test_changes_and_refusals_are_audited(client: httpx.Client, emulator: Running) -> None:
    name = unique()
    made = create(client, name=name, template=True)
    client.put(f"/v1/workspaces/{made['id']}/name", json={"name": None})
    client.put(f"/v1/workspaces/{made['id']}/template", json={"template": False})
    session = session_on(client, made["id"])
    client.delete(f"/v1/workspaces/{made['id']}")
    client.post("/v1/workspaces/bulk-delete", json={"ids": [made["id"]], "force": True})
    assert audited(emulator, made["id"]) == [
        ("workspace.create", "success", {"name": name, "session_type": "sandbox", "template": True}),
        ("workspace.name.update", "success", {"name": None, "previous_name": name}),
        ("workspace.template.update", "success", {"template": False}),
        ("workspace.delete", "failure", {"code": "workspace_active"}),
        ("workspace.delete", "success", {"name": None, "force": True}),
    ]
    assert [action for action, *_ in audited(emulator, session)] == ["session.create", "session.terminate"]


def test_the_official_client_manages_workspaces(sdk: ChaserClient, emulator: Running) -> None:
    ours = sdk_of(emulator, stranger(emulator))
    made = ours.workspaces.create(session_type="sandbox", name="base")
    copied = ours.workspaces.create({"clone_from": "base", "name": "copy"})
    assert [one["name"] for one in ours.workspaces.list()] == ["copy", "base"]
    assert ours.workspaces.rename("copy", "renamed") == {"id": copied["id"], "name": "renamed"}
    assert ours.workspaces.set_template("base", True) == {"id": made["id"], "template": True}
    ours.workspaces.delete("renamed")
    assert ours.workspaces.bulk_delete({"all": True})["deleted"] == 1
    assert ours.workspaces.list() == []
