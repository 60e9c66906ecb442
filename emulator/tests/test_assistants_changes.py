"""Changes of a configuration that somebody proposes and an owner or admin decides on."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from assistants import Json, create, decide, patch, path_of, propose, read
from emulators import emulator_on, http_of
from people import Organization, ok, refused


def test_nothing_changes_until_somebody_approves(organization: Organization) -> None:
    made = create(organization.owner, tools={"sandbox": True}, system_prompt="x")
    change = {"tools": {"browser": True}, "system_prompt": None}
    asked = propose(organization.member, made, change, reason="People send links. 🦉")
    assert asked == {
        "id": str(uuid.UUID(asked["id"])),
        "status": "pending",
        "patch": change,
        "reason": "People send links. 🦉",
        "proposed_by": organization.people["member"].user_id,
        "created_at": asked["created_at"],
    }
    assert read(organization.owner, made) == made
    approved = ok(decide(organization.admin, made, asked, "approve"))
    assert approved == asked | {
        "status": "approved",
        "decided_by": organization.people["admin"].user_id,
        "decided_at": approved["decided_at"],
    }
    assert approved["decided_at"] > asked["created_at"]
    after = read(organization.owner, made)
    assert (after["config"], after["config_version"]) == ({"tools": {"sandbox": True, "browser": True}}, 2)
    assert after["updated_at"] > made["updated_at"]


def test_a_denied_change_changes_nothing(organization: Organization) -> None:
    made = create(organization.owner)
    asked = propose(organization.member, made, {"system_prompt": "x"})
    assert "reason" not in asked
    denied = ok(decide(organization.owner, made, asked, "deny"))
    assert (denied["status"], denied["decided_by"]) == ("denied", organization.people["owner"].user_id)
    assert read(organization.owner, made) == made


@pytest.mark.parametrize("first", ["approve", "deny"])
@pytest.mark.parametrize("second", ["approve", "deny"])
def test_what_is_decided_stays_so(organization: Organization, first: str, second: str) -> None:
    made = create(organization.owner)
    asked = propose(organization.owner, made, {"system_prompt": "x"})
    ok(decide(organization.owner, made, asked, first))
    after = read(organization.owner, made)
    refused(decide(organization.owner, made, asked, second), 409, "invalid_state")
    assert read(organization.owner, made) == after


def test_a_change_goes_into_the_configuration_as_it_is_when_approved(organization: Organization) -> None:
    made = create(organization.owner, memory={"policy": "window"})
    asked = [propose(organization.owner, made, {"memory": {f"key{n}": n}}) for n in range(3)]
    patch(organization.owner, made, config={"memory": {"policy": "all"}, "system_prompt": "new"})
    for one in reversed(asked):
        ok(decide(organization.owner, made, one, "approve"))
    after = read(organization.owner, made)
    assert after["config"] == {
        "memory": {"policy": "all", "key0": 0, "key1": 1, "key2": 2},
        "system_prompt": "new",
    }
    assert after["config_version"] == 5


def test_approving_what_is_so_already_makes_no_new_version(organization: Organization) -> None:
    made = create(organization.owner, system_prompt="x")
    asked = propose(organization.owner, made, {"system_prompt": "x", "tools": None})
    assert ok(decide(organization.owner, made, asked, "approve"))["status"] == "approved"
    assert read(organization.owner, made) == made


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/patch"),
        ({"patch": None}, "/patch"),
        ({"patch": "x"}, "/patch"),
        ({"patch": {"model": "gpt"}}, "/patch/model"),
        ({"patch": {"tools": {"sandbox": "yes"}}}, "/patch/tools/sandbox"),
        ({"patch": {"alerts": [{"metric": "tokens"}]}}, "/patch/alerts/0/threshold"),
        ({"patch": {}, "reason": None}, "/reason"),
        ({"patch": {}, "reason": "x" * 4097}, "/reason"),
    ],
)
def test_what_could_not_be_approved_cannot_be_proposed(organization: Organization, body: Json, pointer: str) -> None:
    made = create(organization.owner)
    error = refused(organization.owner.post(path_of(made, "config-change-requests"), json=body), 400, "invalid_request")
    assert pointer in [problem["pointer"] for problem in error["details"]]


def test_plain_members_do_not_decide(organization: Organization) -> None:
    made = create(organization.owner)
    asked = propose(organization.member, made, {"system_prompt": "x"})
    for decision in ("approve", "deny"):
        refused(decide(organization.member, made, asked, decision), 403, "forbidden")
        # Before anything is said about what is there.
        refused(decide(organization.member, made, {"id": str(uuid.uuid4())}, decision), 403, "forbidden")
    assert ok(decide(organization.admin, made, asked, "deny"))["status"] == "denied"


def test_a_personal_account_decides_for_itself(client: httpx.Client) -> None:
    made = create(client)
    asked = propose(client, made, {"system_prompt": "x"})
    assert ok(decide(client, made, asked, "approve"))["decided_by"] == asked["proposed_by"]


def test_a_request_is_found_under_its_own_assistant_alone(organization: Organization) -> None:
    first, second = create(organization.owner), create(organization.owner)
    asked = propose(organization.owner, first, {"system_prompt": "x"})
    for decision in ("approve", "deny"):
        refused(decide(organization.owner, second, asked, decision), 404, "not_found")
        refused(decide(organization.owner, first, {"id": str(uuid.uuid4())}, decision), 404, "not_found")
    ok(decide(organization.owner, first, asked, "approve"))


def test_of_decisions_at_once_one_counts(organization: Organization) -> None:
    made = create(organization.owner)
    for version in range(1, 6):
        asked = propose(organization.owner, made, {"n": version})
        before = read(organization.owner, made)
        decisions = ["approve", "deny"] * 4
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda word: decide(organization.owner, made, asked, word), decisions))  # noqa: B023
        [winner] = [answer.json() for answer in answers if answer.status_code == 200]
        assert [answer.status_code for answer in answers].count(409) == 7
        after = read(organization.owner, made)
        if winner["status"] == "denied":
            assert after == before
        else:
            assert (after["config"], after["config_version"]) == ({"n": version}, before["config_version"] + 1)


def test_approvals_and_patches_at_once_are_all_kept(organization: Organization) -> None:
    made = create(organization.owner)
    asked = [propose(organization.owner, made, {f"asked{n}": n}) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        approving = [pool.submit(decide, organization.owner, made, one, "approve") for one in asked]
        changing = [pool.submit(patch, organization.owner, made, config={f"sent{n}": n}) for n in range(8)]
        for one in approving:
            ok(one.result())
        for changed in changing:
            changed.result()
    after = read(organization.owner, made)
    assert (len(after["config"]), after["config_version"]) == (16, 17)


def test_a_request_waits_across_a_restart(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        made = create(client)
        asked = propose(client, made, {"system_prompt": "x"})
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        assert ok(decide(client, made, asked, "approve"))["status"] == "approved"
        assert read(client, made)["config"] == {"system_prompt": "x"}
