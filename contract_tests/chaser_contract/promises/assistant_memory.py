"""What assistants hold: channels, credentials of the vault, runtime state, and what they have used."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, frozen, holds, is_at, is_uuid, lacks, refused

STATE = 256 * 1024
"""Bytes of JSON that a runtime state may have."""


@promise("emulator")
def a_channel_leads_to_one_assistant(chaser: Subject) -> None:
    """A channel is bound to one assistant, which has it in its list and is found by it; bound again it is 409."""
    made, other = making.assistant(chaser), making.assistant(chaser)
    then = frozen(chaser)
    bound = []
    for body in (
        {"channel_type": "telegram", "channel_id": "-1001234567890", "credential_name": "bot"},
        {"channel_type": "discord", "channel_id": "-1001234567890"},
        {"channel_type": "telegram", "channel_id": "x" * 256},
        {"channel_type": "telegram", "channel_id": "X" * 256},
    ):
        with chaser.case():
            told = chaser.ask("add-assistant-channel", id=made["id"], json=body, expect=200)
            is_uuid(told, told.json, "id")
            holds(told, told.json, **body)
            if "credential_name" not in body:
                lacks(told, told.json, "credential_name")
            is_at(told, told.json, "created_at", then)
            bound.append(told.json)
            channel = {name: body[name] for name in ("channel_type", "channel_id")}
            found = chaser.ask("resolve-assistant-channel", json=channel, expect=200)
            wanted = {"assistant_id": made["id"], "binding_id": told.json["id"]}
            equals(found, found.json, wanted, "a channel leads to its assistant and the binding")
            for one in (made, other):
                refused(chaser.ask("add-assistant-channel", id=one["id"], json=channel), 409, "already_exists")
            for near in (f" {channel['channel_id'][:200]}", f"{channel['channel_id'][:200]} "):
                spaced = {**channel, "channel_id": near}
                refused(chaser.ask("resolve-assistant-channel", json=spaced), 404, "not_found")
    read = chaser.ask("get-assistant", id=made["id"], expect=200)
    equals(read, read.json["assistant"]["channels"], bound[::-1], "`channels` are what it is bound to, newest first")
    listed = chaser.ask("list-assistants", expect=200)
    [shown] = [one for one in listed.json["assistants"] if one["id"] == made["id"]]
    equals(listed, shown, read.json["assistant"], "an assistant is listed with its channels")
    read = chaser.ask("get-assistant", id=other["id"], expect=200)
    equals(read, read.json["assistant"]["channels"], [], "another assistant is bound to none")
    refused(chaser.ask("remove-assistant-channel", id=other["id"], bid=bound[0]["id"]), 404, "not_found")
    refused(chaser.ask("remove-assistant-channel", id=made["id"], bid=UNKNOWN), 404, "not_found")
    chaser.ask("remove-assistant-channel", id=made["id"], bid=bound[0]["id"], expect=204)
    refused(chaser.ask("remove-assistant-channel", id=made["id"], bid=bound[0]["id"]), 404, "not_found")
    free = {"channel_type": "telegram", "channel_id": "-1001234567890"}
    refused(chaser.ask("resolve-assistant-channel", json=free), 404, "not_found")
    chaser.ask("add-assistant-channel", id=other["id"], json=free, expect=200)
    found = chaser.ask("resolve-assistant-channel", json=free, expect=200)
    holds(found, found.json, assistant_id=other["id"])
    for body, pointer in (
        ({"channel_type": "irc", "channel_id": "1"}, "/channel_type"),
        ({"channel_type": "telegram", "channel_id": ""}, "/channel_id"),
        ({"channel_type": "telegram", "channel_id": "x" * 257}, "/channel_id"),
        ({"channel_type": "telegram", "channel_id": "a\nb"}, "/channel_id"),
        ({"channel_type": "telegram"}, "/channel_id"),
        ({"channel_id": "1"}, "/channel_type"),
    ):
        with chaser.case():
            refused(chaser.ask("add-assistant-channel", id=made["id"], json=body), 400, "invalid_request", pointer)
            refused(chaser.ask("resolve-assistant-channel", json=body), 400, "invalid_request", pointer)
    numbered = {"channel_type": "telegram", "channel_id": 5}
    refused(chaser.ask("add-assistant-channel", id=made["id"], json=numbered), 400, "invalid_request", "/channel_id")
    named = {"channel_type": "telegram", "channel_id": "9", "credential_name": "a b"}
    refused(chaser.ask("add-assistant-channel", id=made["id"], json=named), 400, "invalid_request", "/credential_name")
    refused(chaser.ask("add-assistant-channel", id=UNKNOWN, json=free), 404, "not_found")


@promise("emulator", "peer")
def a_channel_is_of_an_account(chaser: Subject) -> None:
    """The same channel can be bound in two accounts, and leads in each to its own assistant."""
    channel = {"channel_type": "discord", "channel_id": "7"}
    for client in (chaser.client, chaser.peer):
        made = client.ask("create-assistant", json={"name": "helper"}, expect=200).json["assistant"]
        client.ask("add-assistant-channel", id=made["id"], json=channel, expect=200)
        found = client.ask("resolve-assistant-channel", json=channel, expect=200)
        holds(found, found.json, assistant_id=made["id"])


@promise("emulator", "peer")
def a_credential_is_read_where_it_belongs(chaser: Subject) -> None:
    """An assistant's own credential wins over that of the account; the last value counts; no other answer holds it."""
    made, other = making.assistant(chaser), making.assistant(chaser)
    then = frozen(chaser)
    own, shared, later = (" own ☕ value \n", "shared\nvalue", "\tlater value\r\n")
    for body, wanted in (
        ({"name": "bot", "value": shared}, (shared, shared)),
        ({"name": "bot", "value": own, "assistant_id": made["id"]}, (own, shared)),
        ({"name": "bot", "value": later}, (own, later)),
        ({"name": "bot", "value": "x" * 65536, "assistant_id": made["id"]}, ("x" * 65536, later)),
    ):
        with chaser.case():
            told = chaser.ask("store-assistant-credential", json=body, expect=200)
            credential = told.json["credential"]
            holds(told, credential, "credential", name="bot")
            equals(told, credential.get("assistant_id"), body.get("assistant_id"), "`assistant_id` is whose it is")
            is_at(told, credential, "updated_at", then)
            told.require(
                json.dumps(body["value"])[1:-1].encode() not in told.body, "the answer does not hold the value"
            )
            for assistant, value in zip((made, other), wanted, strict=True):
                asked = {"assistant_id": assistant["id"], "name": "bot"}
                found = chaser.ask("resolve-assistant-credential", json=asked, expect=200)
                equals(found, found.json, {"name": "bot", "value": value}, "the value is the one that was stored last")
    events = chaser.ask("list-audit-events", query={"action": "assistant.credential.resolve"}, expect=200)
    events.require(len(events.json["events"]) == 8, "each look at a credential is in the audit log, once")
    for value in (own, shared, later):
        events.require(value not in json.dumps(events.json, ensure_ascii=False), "the audit log holds no value")
    for asked in ({"assistant_id": made["id"], "name": "Bot"}, {"assistant_id": UNKNOWN, "name": "bot"}):
        refused(chaser.ask("resolve-assistant-credential", json=asked), 404, "not_found")
    theirs = chaser.peer.ask("create-assistant", json={"name": "helper"}, expect=200).json["assistant"]
    asked = {"assistant_id": theirs["id"], "name": "bot"}
    refused(chaser.peer.ask("resolve-assistant-credential", json=asked), 404, "not_found")
    stored = {"name": "bot", "value": "x", "assistant_id": theirs["id"]}
    refused(chaser.ask("store-assistant-credential", json=stored), 404, "not_found")


@promise("emulator")
def what_is_no_credential_is_refused(chaser: Subject) -> None:
    """A wrong name or value is 400 with the field, and no answer repeats what was sent as a value."""
    made = making.assistant(chaser)
    for change, pointer in (
        ({"name": ""}, "/name"),
        ({"name": "-a"}, "/name"),
        ({"name": "a b"}, "/name"),
        ({"name": "x" * 129}, "/name"),
        ({"value": ""}, "/value"),
        ({"value": "sec\0ret-4711"}, "/value"),
        ({"value": "x" * 65537}, "/value"),
        ({"value": 4711}, "/value"),
        ({"assistant_id": ""}, "/assistant_id"),
    ):
        with chaser.case():
            answer = chaser.ask("store-assistant-credential", json={"name": "bot", "value": "secret-4711", **change})
            refused(answer, 400, "invalid_request", pointer)
            answer.require(b"4711" not in answer.body, "a refusal does not repeat a secret")
    for left_out in ("name", "value"):
        body = {name: value for name, value in {"name": "bot", "value": "x"}.items() if name != left_out}
        refused(chaser.ask("store-assistant-credential", json=body), 400, "invalid_request", f"/{left_out}")
    for left_out in ("assistant_id", "name"):
        body = {name: value for name, value in {"assistant_id": made["id"], "name": "b"}.items() if name != left_out}
        refused(chaser.ask("resolve-assistant-credential", json=body), 400, "invalid_request", f"/{left_out}")


@promise("emulator")
def a_state_is_any_json(chaser: Subject) -> None:
    """A runtime state is read as it was written, whatever JSON it is; each write counts one version."""
    made, other = making.assistant(chaser), making.assistant(chaser)
    then = frozen(chaser)
    where = {"id": made["id"]}
    read = chaser.ask("get-assistant-runtime-state", **where, expect=200)
    equals(read, read.json, {"state": None, "version": 0}, "before the first write the state is null, of version 0")
    states: list[Any] = [{"a": [1, 2.5, None, True, "ä😀"]}, [], "text", 0, False, None, {"": {"deep": [[[]]]}}]
    for version, state in enumerate(states, 1):
        with chaser.case():
            more = {"version": version - 1} if version % 2 else {}
            told = chaser.ask("put-assistant-runtime-state", json={"state": state, **more}, **where, expect=200)
            holds(told, told.json, state=state, version=version)
            is_at(told, told.json, "updated_at", then)
            read = chaser.ask("get-assistant-runtime-state", **where, expect=200)
            equals(read, read.json, told.json, "a state is read as it was written")
    last = chaser.ask("get-assistant-runtime-state", **where, expect=200).json
    for version in (0, len(states) - 1, len(states) + 1, 2**53 - 1):
        answer = chaser.ask("put-assistant-runtime-state", json={"state": "lost", "version": version}, **where)
        refused(answer, 409, "conflict")
    for body, pointer in (
        ({}, "/state"),
        ({"state": 1, "version": -1}, "/version"),
        ({"state": 1, "version": "1"}, "/version"),
    ):
        answer = chaser.ask("put-assistant-runtime-state", json=body, **where)
        refused(answer, 400, "invalid_request", pointer)
    read = chaser.ask("get-assistant-runtime-state", **where, expect=200)
    equals(read, read.json, last, "what is refused leaves the state as it is")
    read = chaser.ask("get-assistant-runtime-state", id=other["id"], expect=200)
    holds(read, read.json, version=0, state=None)
    refused(chaser.ask("get-assistant-runtime-state", id=UNKNOWN), 404, "not_found")
    refused(chaser.ask("put-assistant-runtime-state", id=UNKNOWN, json={"state": 1}), 404, "not_found")


@promise("emulator")
def a_state_has_256_kib_at_most(chaser: Subject) -> None:
    """A state of 256 KiB of JSON is kept, one byte more is 413 and changes nothing."""
    made = making.assistant(chaser)
    for fits in ("x" * (STATE - 2), "é" * (STATE // 2 - 1)):
        told = chaser.ask("put-assistant-runtime-state", id=made["id"], json={"state": fits}, expect=200)
        equals(told, told.json["state"], fits, "a state of 256 KiB is kept whole")
    for more in ("x" * (STATE - 1), "é" * (STATE // 2)):
        answer = chaser.ask("put-assistant-runtime-state", id=made["id"], json={"state": more})
        refused(answer, 413, "payload_too_large")
    # Of 256 KiB in the shortest writing, which has no space between its parts.
    parts = {"a": ["x", 1, {"b": None}], "c": ""}
    parts["c"] = "x" * (STATE - len(json.dumps(parts, separators=(",", ":"))))
    chaser.ask("put-assistant-runtime-state", id=made["id"], json={"state": parts}, expect=200)
    more_parts = {**parts, "c": f"{parts['c']}x"}
    answer = chaser.ask("put-assistant-runtime-state", id=made["id"], json={"state": more_parts})
    refused(answer, 413, "payload_too_large")
    read = chaser.ask("get-assistant-runtime-state", id=made["id"], expect=200)
    holds(read, read.json, version=3, state=parts)


@promise("emulator")
def usage_is_summed(chaser: Subject) -> None:
    """Events are listed as they were added, newest first; the sums are those of all that fit the filters."""
    made, other = making.assistant(chaser), making.assistant(chaser)
    where = {"id": made["id"]}
    then = frozen(chaser)
    events = []
    for number, body in enumerate(
        (
            {"kind": "tokens", "quantity": 1280, "metadata": {"model_id": "m", "n": [1, None]}},
            {"kind": "tool_call", "quantity": 1},
            {"kind": "session", "quantity": 0},
            {"kind": "tokens", "quantity": 0.5, "metadata": {}},
            {"kind": "tokens", "quantity": 10**12},
        )
    ):
        chaser.steered.clock.freeze(then + timedelta(hours=number))
        told = chaser.ask("create-assistant-usage-event", json=body, **where, expect=200)
        event = told.json["event"]
        is_uuid(told, event, "id")
        holds(told, event, "event", **body)
        if "metadata" not in body:
            lacks(told, event, "metadata")
        is_at(told, event, "created_at", then + timedelta(hours=number))
        events.append(event)
    newest = events[::-1]
    since = events[3]["created_at"]
    for query, wanted, fitting in (
        ({}, newest, newest),
        ({"kind": "tokens"}, [newest[0], newest[1], newest[4]], [newest[0], newest[1], newest[4]]),
        ({"kind": "session"}, [newest[2]], [newest[2]]),
        ({"limit": 2}, newest[:2], newest),
        ({"limit": 1, "kind": "tokens"}, newest[:1], [newest[0], newest[1], newest[4]]),
        ({"limit": 200}, newest, newest),
        ({"since": since}, newest[:2], newest[:2]),
        ({"since": "2040-01-01T00:00:00Z"}, [], []),
        ({"since": "2001-01-01T00:00:00+01:00", "kind": "tool_call"}, [newest[3]], [newest[3]]),
    ):
        with chaser.case():
            told = chaser.ask("list-assistant-usage-events", query=query, **where, expect=200)
            equals(told, told.json["events"], wanted, "`events` are those that fit, newest first, and at most `limit`")
            sums = {kind: sum(one["quantity"] for one in fitting if one["kind"] == kind) for kind in _KINDS}
            equals(told, told.json["totals"], sums, "`totals` are the sums of all that fit, by kind")
    told = chaser.ask("list-assistant-usage-events", id=other["id"], expect=200)
    equals(told, told.json["events"], [], "another assistant has used nothing")
    for wrong, name in (
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"kind": "x"}, "kind"),
        ({"since": "x"}, "since"),
    ):
        refused(chaser.ask("list-assistant-usage-events", query=wrong, **where), 400, "invalid_request", name)
    for change, pointer in (
        ({"kind": "dollars"}, "/kind"),
        ({"quantity": -1}, "/quantity"),
        ({"quantity": 10**12 + 1}, "/quantity"),
        ({"quantity": "1"}, "/quantity"),
        ({"metadata": []}, "/metadata"),
    ):
        with chaser.case():
            wish = {"kind": "tokens", "quantity": 1, **change}
            refused(chaser.ask("create-assistant-usage-event", json=wish, **where), 400, "invalid_request", pointer)
    told = chaser.ask("list-assistant-usage-events", **where, expect=200)
    told.require(len(told.json["events"]) == len(events), "what is refused adds no event")
    refused(chaser.ask("list-assistant-usage-events", id=UNKNOWN), 404, "not_found")


_KINDS = ("tokens", "tool_call", "session")
