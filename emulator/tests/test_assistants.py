"""Assistants: what they are made of, what becomes of them, and the workspace that is their home."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from assistants import ASSISTANTS, Json, bind, create, patch, path_of, read
from chaser_emulator.server import Running
from databases import ask
from emulators import emulator_on, http_of
from people import Organization, ok, refused
from strangers import audited, events_of, stranger

CONFIG: Json = {
    "model": {"provider": "anthropic", "model_id": "some-model", "temperature": 0.2},
    "system_prompt": "Answer in one sentence. 🦉",
    "tools": {"sandbox": True, "browser": False},
    "memory": {"policy": "window", "keep": [1, None, {"a": None}]},
    "alerts": [{"metric": "tokens", "threshold": 100000, "window_seconds": 3600, "note": "mine"}],
}


def workspaces(client: httpx.Client) -> dict[str, Json]:
    return {one["id"]: one for one in ok(client.get("/v1/workspaces"))}


def test_a_new_assistant_is_active_and_has_all_that_was_sent(organization: Organization) -> None:
    made = create(organization.owner, "Ada's helper ✨", **CONFIG)
    assert made == {
        "id": str(uuid.UUID(made["id"])),
        "name": "Ada's helper ✨",
        "status": "active",
        "config": CONFIG,
        "config_version": 1,
        "workspace_id": str(uuid.UUID(made["workspace_id"])),
        "channels": [],
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert read(organization.member, made) == made
    assert ok(organization.member.get(path_of(made).upper().replace("/V1/ASSISTANTS", ASSISTANTS)))["assistant"] == made


def test_a_configuration_may_be_left_out(organization: Organization) -> None:
    assert ok(organization.owner.post(ASSISTANTS, json={"name": "bare"}))["assistant"]["config"] == {}


def test_two_assistants_may_share_a_name_and_the_newest_is_listed_first(organization: Organization) -> None:
    made = [create(organization.owner, "twin") for _ in range(3)]
    bind(organization.owner, made[1], "1")
    listed = ok(organization.owner.get(ASSISTANTS))["assistants"]
    assert listed == [read(organization.owner, one) for one in reversed(made)]
    assert [len(one["channels"]) for one in listed] == [0, 1, 0]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": None}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"name": "a\u0000"}, "/name"),
        ({"name": "x" * 129}, "/name"),
        ({"name": "a", "config": None}, "/config"),
        ({"name": "a", "config": []}, "/config"),
        ({"name": "a", "config": {"model": "gpt"}}, "/config/model"),
        ({"name": "a", "config": {"model": {"provider": None}}}, "/config/model/provider"),
        ({"name": "a", "config": {"system_prompt": None}}, "/config/system_prompt"),
        ({"name": "a", "config": {"tools": {"browser": "yes"}}}, "/config/tools/browser"),
        (
            {"name": "a", "config": {"alerts": [{"metric": "tokens", "threshold": 1}]}},
            "/config/alerts/0/window_seconds",
        ),
        (
            {"name": "a", "config": {"alerts": [{"metric": "cost", "threshold": 1, "window_seconds": 1}]}},
            "/config/alerts/0/metric",
        ),
        (
            {"name": "a", "config": {"alerts": [{"metric": "tokens", "threshold": -1, "window_seconds": 1}]}},
            "/config/alerts/0/threshold",
        ),
        (
            {"name": "a", "config": {"alerts": [{"metric": "tokens", "threshold": 1, "window_seconds": 0}]}},
            "/config/alerts/0/window_seconds",
        ),
    ],
)
def test_a_create_that_makes_no_sense_names_the_field_and_leaves_nothing(
    organization: Organization, body: Json, pointer: str
) -> None:
    error = refused(organization.owner.post(ASSISTANTS, json=body), 400, "invalid_request")
    assert [problem["pointer"] for problem in error["details"]] == [pointer]
    assert workspaces(organization.owner) == {}


# The home.


def test_an_assistant_has_a_home_of_its_own(organization: Organization, emulator: Running) -> None:
    first, second = create(organization.owner), create(organization.owner)
    homes = workspaces(organization.owner)
    assert set(homes) == {first["workspace_id"], second["workspace_id"]}
    home = homes[first["workspace_id"]]
    assert (home["assistant_home"], home["session_type"], home["status"]) == (True, "sandbox", "idle")
    assert events_of(emulator, home["id"]) == [("workspace.created", home)]
    assert audited(emulator, home["id"]) == [("workspace.create", "success", {})]


def test_a_home_is_worked_in_like_any_workspace(organization: Organization) -> None:
    home = create(organization.owner)["workspace_id"]
    session = ok(organization.owner.post("/v1/sessions", json={"workspace": home}))
    assert session["workspace_id"] == home
    ok(organization.owner.delete(f"/v1/sessions/{session['id']}"))
    copied = ok(organization.owner.post("/v1/workspaces", json={"clone_from": home}))
    assert copied["assistant_home"] is False


def test_an_assistant_outlives_its_home(organization: Organization) -> None:
    made = create(organization.owner)
    assert organization.owner.delete(f"/v1/workspaces/{made['workspace_id']}").status_code == 204
    assert read(organization.owner, made) == made
    assert ok(organization.owner.get(ASSISTANTS))["assistants"] == [made]
    assert patch(organization.owner, made, name="homeless")["workspace_id"] == made["workspace_id"]
    ok(organization.owner.post(path_of(made, "usage-events"), json={"kind": "tokens", "quantity": 1}))


def test_a_plan_without_workspaces_has_no_assistants(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="free")) as client:
        error = refused(client.post(ASSISTANTS, json={"name": "a"}), 403, "plan_limit_exceeded")
        assert error["details"] == {"limit": 0}
        assert ok(client.get(ASSISTANTS)) == {"assistants": []}


def test_homes_count_among_the_workspaces_of_the_plan(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, plan="pro")) as client:
        for _ in range(49):
            ok(client.post("/v1/workspaces", json={"session_type": "sandbox"}))
        # Ten at once for the last place: one gets it, and the others leave nothing behind.
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda n: client.post(ASSISTANTS, json={"name": f"a{n}"}), range(10)))
        assert sorted(answer.status_code for answer in answers) == [200] + [403] * 9
        assert len(ok(client.get(ASSISTANTS))["assistants"]) == 1
        assert len(workspaces(client)) == 50
        refused(client.post("/v1/workspaces", json={"session_type": "sandbox"}), 403, "plan_limit_exceeded")


# Changes.


def test_a_patch_merges_into_the_configuration(organization: Organization) -> None:
    made = create(organization.owner, **CONFIG)
    change: Json = {
        "model": {"model_id": "another", "provider": None},
        "system_prompt": None,
        "tools": {"browser": True},
        "memory": {"keep": [None], "policy": None, "new": {"deep": {"gone": None, "kept": 0}}},
        "alerts": [],
        "never_there": None,
    }
    after = patch(organization.owner, made, config=change)
    assert after["config"] == {
        "model": {"model_id": "another", "temperature": 0.2},
        "tools": {"sandbox": True, "browser": True},
        "memory": {"keep": [None], "new": {"deep": {"kept": 0}}},
        "alerts": [],
    }
    assert (after["config_version"], after["name"]) == (2, made["name"])
    assert after["updated_at"] > made["updated_at"]
    assert read(organization.owner, made) == after


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        # The examples of RFC 7396 whose values are objects.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": 1}, {"a": True}, {"a": True}),
    ],
)
def test_a_patch_is_a_merge_patch(organization: Organization, before: Json, change: Json, after: Json) -> None:
    made = create(organization.owner, **before)
    changed = patch(organization.owner, made, config=change)
    assert (repr(changed["config"]), changed["config_version"]) == (repr(after), 2)


@pytest.mark.parametrize(
    "fields",
    [{}, {"config": {}}, {"config": {"nothing": None}}, {"config": {"tools": {"browser": False}}}, {"name": "helper"}],
)
def test_what_changes_nothing_makes_no_new_version(organization: Organization, fields: Json) -> None:
    made = create(organization.owner, **CONFIG)
    assert patch(organization.owner, made, **fields) == made


def test_a_new_name_makes_no_new_version(organization: Organization) -> None:
    made = create(organization.owner, **CONFIG)
    renamed = patch(organization.owner, made, name="concierge")
    assert renamed == made | {"name": "concierge", "updated_at": renamed["updated_at"]}
    assert renamed["updated_at"] > made["updated_at"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": None}, "/name"),
        ({"name": ""}, "/name"),
        ({"config": None}, "/config"),
        ({"config": {"model": {"model_id": 5}}}, "/config/model/model_id"),
        ({"config": {"alerts": {}}}, "/config/alerts"),
        ({"config": {"alerts": [None]}}, "/config/alerts/0"),
        ({"name": "new", "config": {"tools": {"sandbox": 1}}}, "/config/tools/sandbox"),
    ],
)
def test_a_patch_that_would_break_the_form_is_refused_as_a_whole(
    organization: Organization, body: Json, pointer: str
) -> None:
    made = create(organization.owner, **CONFIG)
    error = refused(organization.owner.patch(path_of(made), json=body), 400, "invalid_request")
    assert [problem["pointer"] for problem in error["details"]] == [pointer]
    assert read(organization.owner, made) == made


def test_changes_at_once_are_all_kept(organization: Organization) -> None:
    made = create(organization.owner)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: patch(organization.owner, made, config={f"key{n}": n}), range(16)))
    after = read(organization.owner, made)
    assert (after["config"], after["config_version"]) == ({f"key{n}": n for n in range(16)}, 17)


def test_pausing_and_resuming_answer_the_same_however_often(organization: Organization) -> None:
    made = create(organization.owner)
    paused = ok(organization.member.post(path_of(made, "pause")))["assistant"]
    assert paused == made | {"status": "paused", "updated_at": paused["updated_at"]}
    assert paused["updated_at"] > made["updated_at"]
    assert ok(organization.owner.post(path_of(made, "pause")))["assistant"] == paused
    assert read(organization.owner, made) == paused
    resumed = ok(organization.owner.post(path_of(made, "resume")))["assistant"]
    assert (resumed["status"], resumed["config_version"]) == ("active", 1)
    assert ok(organization.owner.post(path_of(made, "resume")))["assistant"] == resumed


def test_an_assistant_is_the_same_after_a_restart(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        made = create(client, **CONFIG)
        bind(client, made, "-100")
        ok(client.post(path_of(made, "pause")))
        before = read(client, made)
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        assert read(client, made) == before
        assert made["workspace_id"] in workspaces(client)
        refused(client.post(path_of(made, "channels"), json=BOUND), 409, "already_exists")


BOUND = {"channel_type": "telegram", "channel_id": "-100"}


def test_nothing_of_an_assistant_is_audited_but_its_home_and_its_secrets(
    organization: Organization, emulator: Running
) -> None:
    made = create(organization.owner)
    patch(organization.owner, made, name="other")
    refused(organization.owner.patch(path_of(made), json={"name": 5}), 400, "invalid_request")
    rows = ask(emulator, "SELECT action FROM audit_events WHERE account_id = ?", organization.id)
    told: list[Any] = [row["action"] for row in rows if not row["action"].startswith("account.")]
    assert told == ["workspace.create"]
