"""Verbatim: texts come back as they were sent, to the space, and a path may escape any of its characters."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals

LINE = "  Zwei\u00a0“Ü” e\u0301 🙂 \\n \"'%s %20 + & <b> null  "
"""Text with all that is lost where somebody trims, escapes, normalises or formats it."""

LINES = f"\r\n\t{LINE}\n\n{LINE}\r\n "
"""The same where more than one line may be."""


@promise()
def texts_come_back_as_they_were_sent(chaser: Subject) -> None:
    """A description, name, reason, value, state, metadata or input is kept to the space, and so it is shown."""
    hook = making.webhook(chaser, description=LINES)
    listed = chaser.ask("list-webhooks", expect=200)
    shown: dict[str, Any] = next((one for one in listed.json["webhooks"] if one["id"] == hook["id"]), {})
    equals(listed, shown.get("description"), LINES, "a webhook's description is the one that was sent")
    helper = making.assistant(chaser, name=LINE, config={"system_prompt": LINES, "more": {LINE: [LINES]}})
    where = {"id": helper["id"]}
    read = chaser.ask("get-assistant", **where, expect=200)
    equals(read, read.json["assistant"]["name"], LINE, "an assistant's name is the one that was sent")
    wanted = {"system_prompt": LINES, "more": {LINE: [LINES]}}
    equals(read, read.json["assistant"]["config"], wanted, "a configuration is the one that was sent")
    chaser.ask("store-assistant-credential", json={"name": "bot", "value": LINES}, expect=200)
    found = chaser.ask("resolve-assistant-credential", json={"assistant_id": helper["id"], "name": "bot"}, expect=200)
    equals(found, found.json["value"], LINES, "a credential is the one that was stored")
    change: dict[str, Any] = {"patch": {"more": {LINE: None, "x": LINES}}, "reason": LINES}
    asked = chaser.ask("create-assistant-config-change-request", json=change, **where, expect=200)
    equals(asked, asked.json["reason"], LINES, "the reason of a change is the one that was given")
    equals(asked, asked.json["patch"], change["patch"], "the patch of a change is the one that was sent")
    used = {"kind": "tokens", "quantity": 1, "metadata": {LINE: LINES, "null": None}}
    chaser.ask("create-assistant-usage-event", json=used, **where, expect=200)
    events = chaser.ask("list-assistant-usage-events", **where, expect=200)
    equals(events, events.json["events"][0]["metadata"], used["metadata"], "metadata is what was sent")
    chaser.ask("put-assistant-runtime-state", json={"state": {LINE: LINES}}, **where, expect=200)
    state = chaser.ask("get-assistant-runtime-state", **where, expect=200)
    equals(state, state.json["state"], {LINE: LINES}, "a state is the one that was written")
    channel = {"channel_type": "discord", "channel_id": LINE}
    bound = chaser.ask("add-assistant-channel", json=channel, **where, expect=200)
    equals(bound, bound.json["channel_id"], LINE, "a channel's id is the one that was sent")
    chaser.ask("resolve-assistant-channel", json=channel, expect=200)
    trimmed = chaser.ask("resolve-assistant-channel", json={**channel, "channel_id": LINE.strip()})
    trimmed.must_be(404, "not_found", because="for the id of another channel")
    key = chaser.ask("create-key", json={"name": LINE}, expect=200)
    equals(key, key.json["name"], LINE, "a key's name is the one that was sent")
    job = making.waiting_job(
        chaser, kind="sandbox.exec", input={"ephemeral": True, "command": LINES, "stdin": LINES}, idempotency_key=LINE
    )
    kept = chaser.ask("get-job", id=job["id"], expect=200)
    equals(kept, kept.json["idempotency_key"], LINE, "an idempotency key is the one that was sent")
    equals(kept, kept.json["input"]["command"], LINES, "the input of a job is the one that was sent")
    chaser.ask("cancel-job", id=job["id"])


@promise()
def a_command_is_told_as_it_was_sent(chaser: Subject) -> None:
    """The answer to a command, and what is told of one in the background, has its text to the space."""
    one = making.running(chaser)
    command = f"  true # {LINE}"
    ran = chaser.ask("exec-session", id=one["id"], json={"command": command}, expect=200)
    equals(ran, ran.json["command"], command, "`command` is the one that was sent")
    begun = chaser.ask("exec-session", id=one["id"], json={"command": command, "background": True}, expect=200)
    told = chaser.ask("get-session-command", id=one["id"], cid=begun.json["command_id"], expect=200)
    equals(told, told.json["command"], command, "`command` is the one that was sent")


@promise()
def a_path_may_escape_its_characters(chaser: Subject) -> None:
    """A name in a path means the same with any of its characters escaped, as every URL does."""
    room = making.workspace(chaser)
    kept = making.snapshot(chaser, room["id"])
    client = chaser.client
    operation = chaser.document.operation("list-workspace-snapshots")
    for name in (room["name"], room["id"]):
        escaped = "".join(f"%{ord(letter):02X}" for letter in name)
        request = client.request(operation, {"ws": name})
        headers = {one: value for one, value in request.headers.items() if one in ("authorization", "x-chaser-account")}
        target = operation.path.replace("{ws}", escaped)
        exchange = client.send(client.http.build_request("GET", target, headers=headers), operation)
        found = exchange.status == 200 and [one["id"] for one in exchange.json] == [kept["id"]]
        chaser.require(found, "list-workspace-snapshots: an escaped name is the name", exchange.said())
