"""Service accounts: what one is, its keys, which accounts have them, and what is left of one that is deleted."""

from __future__ import annotations

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, frozen, holds, is_at, is_uuid, lacks, passed, refused

_KEYS = "current-service-account-key"


@promise("emulator")
def one_is_what_was_asked_for(chaser: Subject) -> None:
    """A new service account has the name, trimmed, its maker, is not disabled, and is listed as it was made."""
    org, _ = making.organization(chaser)
    me = chaser.ask("get-me", expect=200).json["user"]["id"]
    then = frozen(chaser)
    made = []
    for given, name in (("ci", "ci"), ("  ci ", "ci"), ("personal", "personal"), ("x" * 64, "x" * 64)):
        with chaser.case():
            answer = org.ask("create-current-service-account", json={"name": given}, expect=200)
            account = answer.json["service_account"]
            is_uuid(answer, account, "id")
            holds(answer, account, "service_account", name=name, created_by_user_id=me, disabled=False)
            is_at(answer, account, "created_at", then)
            is_at(answer, account, "updated_at", then)
            made.append(account)
    listed = org.ask("list-current-service-accounts", expect=200)
    equals(listed, listed.json, {"service_accounts": made[::-1]}, "service accounts are listed as they were made")
    for bad in ("", " ", "x" * 65, "a\nb", 7, None):
        with chaser.case():
            answer = org.ask("create-current-service-account", json={"name": bad})
            refused(answer, 400, "invalid_request", "/name")
    listed = org.ask("list-current-service-accounts", expect=200)
    listed.require(len(listed.json["service_accounts"]) == len(made), "what is refused makes none")


@promise("emulator")
def a_personal_account_takes_none(chaser: Subject) -> None:
    """A personal account takes no service account: 403."""
    refused(chaser.ask("create-current-service-account", json={"name": "ci"}), 403, "forbidden")


@promise("emulator")
def a_key_is_what_was_asked_for(chaser: Subject) -> None:
    """A key has the name and the scopes that were asked for, or full access; its secret is shown once, whole."""
    org, _ = making.organization(chaser)
    account = org.ask("create-current-service-account", json={"name": "ci"}, expect=200).json["service_account"]
    then = frozen(chaser)
    for body, name, scopes in (
        ({}, None, []),
        ({"name": None, "scopes": None}, None, []),
        ({"name": "run ner", "scopes": []}, "run ner", []),
        ({"name": "x" * 256, "scopes": ["exec.write"]}, "x" * 256, ["exec.write"]),
        ({"scopes": ["audit.read", "files.read"]}, None, ["audit.read", "files.read"]),
        ({"scopes": ["files.read", "audit.read", "files.read"]}, None, ["audit.read", "files.read"]),
    ):
        with chaser.case():
            made = org.ask(f"create-{_KEYS}", said=account["id"], json=body, expect=200)
            is_uuid(made, made.json, "id")
            equals(made, made.json["service_account"], account, "the answer names whose key it is")
            equals(made, sorted(made.json["scopes"]), scopes, "`scopes` are those that were asked for")
            holds(made, made.json, full_access=not scopes, key_prefix=made.json["key"][:10])
            equals(made, made.json.get("name"), name, "`name` is the one that was given")
            listed = org.ask(f"list-{_KEYS}s", said=account["id"], expect=200)
            shown = listed.json["keys"][0]
            listed.require("key" not in shown and made.json["key"] not in listed.exchange.said(), "no secret is listed")
            holds(listed, shown, "key", id=made.json["id"], key_prefix=made.json["key_prefix"], full_access=not scopes)
            equals(listed, sorted(shown["scopes"]), scopes, "`scopes` are those that were asked for")
            equals(listed, shown.get("name"), name, "`name` is the one that was given")
            is_at(listed, shown, "created_at", then)
            lacks(listed, shown, "last_used_at", "revoked")
    for wrong, code, pointer in (
        ({"scopes": ["nope"]}, "unknown_scope", "/scopes"),
        ({"scopes": ["SESSIONS.READ"]}, "unknown_scope", "/scopes"),
        ({"scopes": "exec.write"}, "invalid_request", "/scopes"),
        ({"name": "x" * 257}, "invalid_request", "/name"),
        ({"name": 1}, "invalid_request", "/name"),
    ):
        with chaser.case():
            refused(org.ask(f"create-{_KEYS}", said=account["id"], json=wrong), 400, code, pointer)
    refused(org.ask(f"create-{_KEYS}", said=UNKNOWN, json={}), 404, "not_found")
    refused(org.ask(f"list-{_KEYS}s", said=UNKNOWN), 404, "not_found")


@promise("emulator")
def a_key_works_until_it_is_revoked(chaser: Subject) -> None:
    """A key acts in its organization alone, notes when it was last used, and stops at once when it is revoked."""
    org, account = making.organization(chaser)
    said = org.ask("create-current-service-account", json={"name": "ci"}, expect=200).json["service_account"]["id"]
    made = org.ask(f"create-{_KEYS}", said=said, json={}, expect=200).json
    other = org.ask(f"create-{_KEYS}", said=said, json={}, expect=200).json
    machine = chaser.as_(made["key"])
    then = frozen(chaser)
    current = machine.ask("get-current-account", expect=200)
    holds(current, current.json["account"], "account", id=account["id"], name=account["name"], personal=False)
    accounts = machine.ask("list-accounts", expect=200)
    ids = [one["id"] for one in accounts.json["accounts"]]
    equals(accounts, ids, [account["id"]], "a service account sees the one account it lives in")
    refused(machine.ask("get-me"), 403, "forbidden")
    room = making.workspace(chaser, machine)
    seen = making.workspace_of(org, room["id"])
    equals(current, seen, room, "what a service account makes is its organization's")
    [shown] = [one for one in org.ask(f"list-{_KEYS}s", said=said, expect=200).json["keys"] if one["id"] == made["id"]]
    is_at(current, shown, "last_used_at", then)
    later = passed(chaser, days=2)
    revoked = org.ask(f"revoke-{_KEYS}", said=said, kid=made["id"], expect=204)
    revoked.require(revoked.body == b"", "the answer has no body")
    refused(machine.ask("get-current-account"), 401, "unauthorized")
    passed(chaser, days=2)
    org.ask(f"revoke-{_KEYS}", said=said, kid=made["id"], expect=204)
    listed = org.ask(f"list-{_KEYS}s", said=said, expect=200)
    keys = {one["id"]: one for one in listed.json["keys"]}
    listed.require(set(keys) == {made["id"], other["id"]}, "a key that is revoked stays in the list")
    is_at(listed, keys[made["id"]], "revoked", later)
    lacks(listed, keys[other["id"]], "revoked")
    chaser.as_(other["key"]).ask("get-current-account", expect=200)
    for missing in (UNKNOWN, "x"):
        refused(org.ask(f"revoke-{_KEYS}", said=said, kid=missing), 404, "not_found")
    another = _another(org)
    refused(org.ask(f"revoke-{_KEYS}", said=another, kid=other["id"]), 404, "not_found")
    refused(org.ask(f"revoke-{_KEYS}", said=UNKNOWN, kid=other["id"]), 404, "not_found")
    chaser.as_(other["key"]).ask("get-current-account", expect=200)


@promise("emulator")
def one_that_is_deleted_takes_its_keys_along(chaser: Subject) -> None:
    """A service account that is deleted is listed no more and none of its keys works; others are not concerned."""
    org, _ = making.organization(chaser)
    gone, kept = _another(org), _another(org)
    keys = [org.ask(f"create-{_KEYS}", said=said, json={}, expect=200).json["key"] for said in (gone, gone, kept)]
    deleted = org.ask("delete-current-service-account", said=gone, expect=204)
    deleted.require(deleted.body == b"", "the answer has no body")
    for key, status in zip(keys, (401, 401, 200), strict=True):
        chaser.as_(key).ask("get-current-account", expect=status)
    listed = org.ask("list-current-service-accounts", expect=200)
    ids = [one["id"] for one in listed.json["service_accounts"]]
    equals(listed, ids, [kept], "only the service account that was named is gone")
    refused(org.ask("delete-current-service-account", said=gone), 404, "not_found")
    refused(org.ask(f"list-{_KEYS}s", said=gone), 404, "not_found")
    refused(org.ask(f"create-{_KEYS}", said=gone, json={}), 404, "not_found")
    other, _ = making.organization(chaser)
    refused(other.ask("delete-current-service-account", said=kept), 404, "not_found")
    chaser.as_(keys[2]).ask("get-current-account", expect=200)


def _another(org: Client) -> str:
    made = org.ask("create-current-service-account", json={"name": "another"}, expect=200)
    said: str = made.json["service_account"]["id"]
    return said
