"""Assistants: what one is, how it changes, who answers in a channel, and changes that somebody else decides."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, frozen, holds, is_at, is_uuid, lacks, passed, refused, unchanged

Json = dict[str, Any]

_CONFIG: Json = {
    "model": {"provider": "anthropic", "model_id": "some-model", "more": [1]},
    "system_prompt": "Answer ☕.",
    "tools": {"sandbox": True, "browser": False},
    "alerts": [{"metric": "tokens", "threshold": 0.5, "window_seconds": 2678400, "note": "kept"}],
    "memory": {"policy": None, "days": 7},
}


@promise("emulator")
def one_is_what_was_asked_for(chaser: Subject) -> None:
    """A new assistant has the name and the configuration that were given, is active, and has a home of its own."""
    then = frozen(chaser)
    made = []
    for body in ({"name": "helper"}, {"name": "x" * 128, "config": {}}, {"name": "helper", "config": _CONFIG}):
        with chaser.case():
            answer = chaser.ask("create-assistant", json=body, expect=200)
            assistant = answer.json["assistant"]
            is_uuid(answer, assistant, "id", "workspace_id")
            holds(answer, assistant, "assistant", name=body["name"], config=body.get("config", {}), config_version=1)
            holds(answer, assistant, "assistant", status="active", channels=[])
            is_at(answer, assistant, "created_at", then)
            holds(answer, assistant, "assistant", updated_at=assistant["created_at"])
            read = chaser.ask("get-assistant", id=assistant["id"], expect=200)
            equals(read, read.json, answer.json, "an assistant is read as it was made")
            made.append(assistant)
    listed = chaser.ask("list-assistants", expect=200)
    equals(listed, listed.json, {"assistants": made[::-1]}, "assistants are listed as they were made, newest first")
    rooms = chaser.ask("list-workspaces", expect=200)
    homes = {one["id"]: (one["assistant_home"], one["session_type"]) for one in rooms.json}
    wanted = {one["workspace_id"]: (True, "sandbox") for one in made}
    rooms.require(homes == wanted, "each assistant has a workspace of its own, marked as a home", str(homes))


@promise("emulator")
def a_home_is_a_workspace_like_others(chaser: Subject) -> None:
    """A home can be used, copied into an ordinary workspace, and deleted; its id stays with the assistant."""
    made = making.assistant(chaser)
    session = making.running(chaser, workspace=made["workspace_id"])
    chaser.require(
        session["workspace_id"] == made["workspace_id"], "create-session: a home is a workspace", str(session)
    )
    chaser.ask("terminate-session", id=session["id"], expect=204)
    copy = chaser.ask("create-workspace", json={"clone_from": made["workspace_id"]}, expect=200)
    holds(copy, copy.json, assistant_home=False, source_workspace_id=made["workspace_id"])
    chaser.ask("delete-workspace", ws=made["workspace_id"], expect=204)
    read = chaser.ask("get-assistant", id=made["id"], expect=200)
    equals(read, read.json["assistant"], made, "the id of a home stays when that is deleted")


@promise("emulator")
def a_change_is_merged(chaser: Subject) -> None:
    """Objects go into those that are there, null takes away, all else replaces; each change counts one version."""
    made = making.assistant(chaser, config=_CONFIG)
    config, version = _CONFIG, 1
    for patch, change in (
        ({"system_prompt": "Other."}, {"system_prompt": "Other."}),
        ({"model": {"provider": None}}, {"model": {"model_id": "some-model", "more": [1]}}),
        ({"model": {"more": [2, 3]}}, {"model": {"model_id": "some-model", "more": [2, 3]}}),
        ({"tools": {"browser": True}}, {"tools": {"sandbox": True, "browser": True}}),
        ({"alerts": []}, {"alerts": []}),
        ({"new": {"a": {"b": 1}}}, {"new": {"a": {"b": 1}}}),
        ({"new": {"a": {"c": 2}}}, {"new": {"a": {"b": 1, "c": 2}}}),
        ({"new": "text"}, {"new": "text"}),
        ({"new": {"a": 1}}, {"new": {"a": 1}}),
        ({"memory": None, "new": None}, {"memory": None, "new": None}),
    ):
        with chaser.case():
            config = {name: value for name, value in {**config, **change}.items() if value is not None}
            version += 1
            changed = chaser.ask("update-assistant", id=made["id"], json={"config": patch}, expect=200)
            assistant = changed.json["assistant"]
            holds(changed, assistant, "assistant", config=config, config_version=version)
            unchanged(changed, assistant, made, but=["config", "config_version", "updated_at"])
            read = chaser.ask("get-assistant", id=made["id"], expect=200)
            equals(read, read.json, changed.json, "an assistant is read as it was changed")


@promise("emulator")
def it_tells_when_it_changed(chaser: Subject) -> None:
    """`updated_at` is when name, status, configuration or channels changed last; nothing else changes it."""
    frozen(chaser)
    made = making.assistant(chaser)
    where = {"id": made["id"]}
    binding: Json = {"channel_type": "telegram", "channel_id": chaser.name("chat")}
    for operation, more in (
        ("update-assistant", {"json": {"name": "other"}}),
        ("update-assistant", {"json": {"config": {"a": 1}}}),
        ("pause-assistant", {}),
        ("resume-assistant", {}),
        ("add-assistant-channel", {"json": binding}),
    ):
        with chaser.case():
            later = passed(chaser, hours=1)
            told = chaser.ask(operation, **more, **where, expect=200)
            read = chaser.ask("get-assistant", **where, expect=200)
            is_at(read, read.json["assistant"], "updated_at", later)
            holds(read, read.json["assistant"], "assistant", created_at=made["created_at"])
    passed(chaser, hours=1)
    before = chaser.ask("get-assistant", **where, expect=200).json
    chaser.ask("put-assistant-runtime-state", json={"state": 1}, **where, expect=200)
    chaser.ask("create-assistant-usage-event", json={"kind": "tokens", "quantity": 1}, **where, expect=200)
    chaser.ask("create-assistant-config-change-request", json={"patch": {"a": 2}}, **where, expect=200)
    chaser.ask("update-assistant", json={}, **where, expect=200)
    read = chaser.ask("get-assistant", **where, expect=200)
    equals(read, read.json, before, "what is no change of an assistant leaves it as it is")
    later = passed(chaser, hours=1)
    chaser.ask("remove-assistant-channel", bid=told.json["id"], **where, expect=204)
    read = chaser.ask("get-assistant", **where, expect=200)
    is_at(read, read.json["assistant"], "updated_at", later)


@promise("emulator")
def it_is_paused_and_resumed(chaser: Subject) -> None:
    """An assistant is paused and active again, told and listed so; the same again is fine and changes nothing."""
    made, other = making.assistant(chaser), making.assistant(chaser)
    for operation, status in (("resume", "active"), ("pause", "paused"), ("pause", "paused"), ("resume", "active")):
        before = chaser.ask("get-assistant", id=made["id"], expect=200).json["assistant"]
        told = chaser.ask(f"{operation}-assistant", id=made["id"], expect=200)
        holds(told, told.json["assistant"], "assistant", status=status)
        unchanged(told, told.json["assistant"], made, but=["status", "updated_at"])
        if before["status"] == status:
            equals(told, told.json["assistant"], before, "the same again changes nothing")
        read = chaser.ask("get-assistant", id=made["id"], expect=200)
        equals(read, read.json, told.json, "an assistant is read as it was paused or resumed")
    read = chaser.ask("get-assistant", id=other["id"], expect=200)
    equals(read, read.json["assistant"], other, "another assistant is as it was")


@promise("emulator")
def what_is_no_assistant_is_refused(chaser: Subject) -> None:
    """A wrong name or configuration is 400 with the field, an unknown assistant 404, and nothing changes."""
    made = making.assistant(chaser, config=_CONFIG)
    before = chaser.ask("list-assistants", expect=200).json
    alert = {"metric": "tokens", "threshold": 1, "window_seconds": 1}
    bad_configs: tuple[tuple[Any, str], ...] = (
        ([], "/config"),
        ({"model": "x"}, "/config/model"),
        ({"model": {"provider": "x" * 257}}, "/config/model/provider"),
        ({"system_prompt": 7}, "/config/system_prompt"),
        ({"tools": {"sandbox": "yes"}}, "/config/tools/sandbox"),
        ({"alerts": {}}, "/config/alerts"),
        ({"alerts": [alert] * 33}, "/config/alerts"),
        ({"alerts": [{**alert, "metric": "dollars"}]}, "/config/alerts/0/metric"),
        ({"alerts": [{**alert, "threshold": -1}]}, "/config/alerts/0/threshold"),
        ({"alerts": [{**alert, "window_seconds": 0}]}, "/config/alerts/0/window_seconds"),
        ({"alerts": [{**alert, "window_seconds": 2678401}]}, "/config/alerts/0/window_seconds"),
        ({"alerts": [{"metric": "tokens", "threshold": 1}]}, "/config/alerts/0/window_seconds"),
    )
    for config, pointer in bad_configs:
        with chaser.case():
            wish = {"name": "x", "config": config}
            refused(chaser.ask("create-assistant", json=wish), 400, "invalid_request", pointer)
            changed = chaser.ask("update-assistant", id=made["id"], json={"config": config})
            refused(changed, 400, "invalid_request", pointer)
            body = {"patch": config}
            proposed = chaser.ask("create-assistant-config-change-request", id=made["id"], json=body)
            refused(proposed, 400, "invalid_request", pointer.replace("/config", "/patch"))
    for name in ("", "x" * 129, "a\nb", 7, None):
        with chaser.case():
            refused(chaser.ask("create-assistant", json={"name": name}), 400, "invalid_request", "/name")
            refused(chaser.ask("update-assistant", id=made["id"], json={"name": name}), 400, "invalid_request", "/name")
    refused(chaser.ask("create-assistant", json={}), 400, "invalid_request", "/name")
    for missing in (UNKNOWN, "x"):
        refused(chaser.ask("get-assistant", id=missing), 404, "not_found")
        refused(chaser.ask("update-assistant", id=missing, json={"name": "x"}), 404, "not_found")
        refused(chaser.ask("pause-assistant", id=missing), 404, "not_found")
        refused(chaser.ask("resume-assistant", id=missing), 404, "not_found")
    listed = chaser.ask("list-assistants", expect=200)
    equals(listed, listed.json, before, "what is refused changes no assistant")


@promise("emulator")
def a_change_is_proposed_and_decided(chaser: Subject) -> None:
    """A proposal changes nothing until it is approved, then what is there at that moment; denied it never does."""
    me = chaser.ask("get-me", expect=200).json["user"]["id"]
    then = frozen(chaser)
    made = making.assistant(chaser, config={"a": 1, "b": 2})
    where = {"id": made["id"]}
    kept = {}
    for word, body in (
        ("approve", {"patch": {"a": None, "c": {"d": 1}}, "reason": "because"}),
        ("deny", {"patch": {}}),
    ):
        told = chaser.ask("create-assistant-config-change-request", json=body, **where, expect=200)
        is_uuid(told, told.json, "id")
        holds(told, told.json, status="pending", patch=body["patch"], proposed_by=me)
        equals(told, told.json.get("reason"), body.get("reason"), "`reason` is the one that was given")
        lacks(told, told.json, "decided_by", "decided_at")
        is_at(told, told.json, "created_at", then)
        kept[word] = told.json
    read = chaser.ask("get-assistant", **where, expect=200)
    equals(read, read.json["assistant"], made, "a proposal changes nothing")
    chaser.ask("update-assistant", json={"config": {"b": 3}}, **where, expect=200)
    later = passed(chaser, hours=1)
    for word, status in (("approve", "approved"), ("deny", "denied")):
        rid = kept[word]["id"]
        told = chaser.ask(f"{word}-assistant-config-change-request", rid=rid, **where, expect=200)
        holds(told, told.json, status=status, decided_by=me)
        unchanged(told, told.json, kept[word], but=["status", "decided_by", "decided_at"])
        is_at(told, told.json, "decided_at", later)
        read = chaser.ask("get-assistant", **where, expect=200)
        wanted = {"b": 3, "c": {"d": 1}}
        holds(read, read.json["assistant"], "assistant", config=wanted, config_version=3)
        for again in ("approve", "deny"):
            answer = chaser.ask(f"{again}-assistant-config-change-request", rid=rid, **where)
            refused(answer, 409, "invalid_state")
    other = making.assistant(chaser)
    waits = chaser.ask("create-assistant-config-change-request", json={"patch": {}}, **where, expect=200).json["id"]
    for path in ({"id": other["id"], "rid": waits}, {"id": made["id"], "rid": UNKNOWN}):
        refused(chaser.ask("approve-assistant-config-change-request", **path), 404, "not_found")
        refused(chaser.ask("deny-assistant-config-change-request", **path), 404, "not_found")
    for wrong, pointer in (
        ({}, "/patch"),
        ({"patch": None}, "/patch"),
        ({"patch": {}, "reason": "x" * 4097}, "/reason"),
    ):
        answer = chaser.ask("create-assistant-config-change-request", json=wrong, **where)
        refused(answer, 400, "invalid_request", pointer)
