"""Capitals: an id is a UUID, and a UUID in capitals is the same one (RFC 9562)."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.arranging import signed_in_peer
from chaser_contract.client import Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.targets import PEER
from chaser_contract.values import equals, holds
from chaser_contract.waiting import until


def _same(client: Client, operation: str, expect: int = 200, **asked: Any) -> Any:
    """What an operation answers to ids in capitals."""
    answer = client.ask(operation, **asked)
    answer.must_be(expect, because="to an id in capitals, which is the same id")
    return answer.json if expect == 200 else None


@promise("emulator")
def what_runs_is_found_by_its_id(chaser: Subject) -> None:
    """Sessions, their commands and jobs are found by their ids in capitals, and what is done so is done to them."""
    client = chaser.client
    session = making.running(chaser)["id"]
    ran = chaser.ask("exec-session", id=session, json={"command": "sleep 60", "background": True}, expect=200).json
    with chaser.case():
        found = _same(client, "get-session-command", id=session.upper(), cid=ran["command_id"].upper())
        chaser.require(found["command_id"] == ran["command_id"], "get-session-command: it is that command", f"{found}")
    with chaser.case():
        told = _same(client, "bulk-terminate-sessions", json={"ids": [session.upper()], "force": True})
        ended = {"terminated": [session], "failed": []}
        chaser.require(told == ended, "bulk-terminate-sessions: it ends the session that is named", f"{told}")
    job = making.waiting_job(chaser)
    for operation, status in (("get-job", "queued"), ("cancel-job", "canceled"), ("retry-job", "queued")):
        with chaser.case():
            found = _same(client, operation, id=job["id"].upper())
            came = (found["id"], found["status"])
            chaser.require(came == (job["id"], status), f"{operation}: it answers that job", f"{came}")


@promise("emulator")
def an_assistant_is_found_by_its_id(chaser: Subject) -> None:
    """Assistants, their channels and what was asked to be changed are found by their ids in capitals."""
    client = chaser.client
    made = making.assistant(chaser)
    loud = made["id"].upper()
    with chaser.case():
        _same(client, "get-assistant", id=loud)
        credential = {"name": "bot", "value": "v", "assistant_id": loud}
        told = _same(client, "store-assistant-credential", json=credential)["credential"]
        chaser.require(
            told["assistant_id"] == made["id"], "store-assistant-credential: it is of that assistant", f"{told}"
        )
        _same(client, "resolve-assistant-credential", json={"assistant_id": loud, "name": "bot"})
    with chaser.case():
        bound = _same(client, "add-assistant-channel", id=loud, json={"channel_type": "discord", "channel_id": "1"})
        _same(client, "remove-assistant-channel", 204, id=loud, bid=bound["id"].upper())
    for operation in ("approve", "deny"):
        with chaser.case():
            ask = "create-assistant-config-change-request"
            change = chaser.ask(ask, id=made["id"], json={"patch": {"x": operation}}, expect=200).json
            decided = f"{operation}-assistant-config-change-request"
            told = _same(client, decided, id=loud, rid=change["id"].upper())
            chaser.require(told["id"] == change["id"], f"{decided}: it is that request which is decided", f"{told}")


@promise("emulator")
def a_webhook_is_found_by_its_id(chaser: Subject) -> None:
    """Webhooks and deliveries are found by their ids in capitals, also by the filter of the list."""
    client = chaser.client
    hook = making.webhook(chaser, events=["workspace.created"])
    making.workspace(chaser)
    listed = until(
        lambda: chaser.ask("list-webhook-deliveries", query={"webhook_id": hook["id"].upper()}, expect=200),
        lambda told: [one["status"] for one in told["deliveries"]] == ["delivered"],
        "the filter `webhook_id` takes an id in capitals",
    )
    [sent] = listed.json["deliveries"]
    for operation in ("get-webhook-delivery", "replay-webhook-delivery"):
        with chaser.case():
            told = _same(client, operation, did=sent["id"].upper())["delivery"]
            came = told["id"] if operation.startswith("get") else told["replayed_from_delivery_id"]
            chaser.require(came == sent["id"], f"{operation}: it is about that delivery", f"{came}")
    with chaser.case():
        _same(client, "delete-webhook", 204, id=hook["id"].upper())


@promise("emulator", "peer")
def people_and_keys_are_found_by_their_ids(chaser: Subject) -> None:
    """Accounts, members, service accounts and keys are found by their ids in capitals."""
    org, account = making.organization(chaser)
    loud = chaser.as_(chaser.api_key, account=account["id"].upper())
    with chaser.case():
        current = loud.ask("get-current-account").must_be(200, because="where X-Chaser-Account is an id in capitals")
        holds(current, current.json["account"], "account", id=account["id"])
    key = org.ask("create-key", json={}, expect=200).json
    with chaser.case():
        told = _same(org, "revoke-key", id=key["id"].upper())
        chaser.require(told["id"] == key["id"], "revoke-key: it is that key which is revoked", f"{told}")
    line = {"public_key": making.ssh_line(chaser)}
    shell = org.ask("create-ssh-key", json=line, expect=200).json["key"]["id"]
    with chaser.case():
        _same(org, "delete-ssh-key", 204, id=shell.upper())
    robot = org.ask("create-current-service-account", json={"name": "ci"}, expect=200).json["service_account"]["id"]
    made = org.ask("create-current-service-account-key", said=robot, json={}, expect=200).json["id"]
    with chaser.case():
        _same(org, "list-current-service-account-keys", said=robot.upper())
        _same(org, "revoke-current-service-account-key", 204, said=robot.upper(), kid=made.upper())
        _same(org, "delete-current-service-account", 204, said=robot.upper())
    added = org.ask("add-current-member", json={"email": PEER, "role": "member"}, expect=200).json["member"]
    with chaser.case():
        changed = org.ask("update-current-member", uid=added["user_id"].upper(), json={"role": "admin"}, expect=200)
        equals(changed, changed.json["member"], {**added, "role": "admin"}, "it is that member whose role changes")
    theirs = chaser.as_(signed_in_peer(chaser).credential, account=account["id"])
    org.ask("update-current-member", uid=added["user_id"], json={"role": "member"}, expect=200)
    with chaser.case():
        # A member may leave, and be named as they like; nobody else may be removed by one.
        _same(theirs, "remove-current-member", 204, uid=added["user_id"].upper())
