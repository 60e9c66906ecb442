"""API keys: their form, what they may do, when they were used, and how they end."""

from __future__ import annotations

import re

from chaser_contract import making
from chaser_contract.arranging import signed_in_peer
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.targets import PEER
from chaser_contract.values import equals, frozen, holds, is_at, is_uuid, lacks, passed, refused, unchanged

SCOPES = (
    *(
        f"{group}.{what}"
        for group in ("sessions", "workspaces", "files", "keys", "billing", "webhooks")
        for what in ("read", "write")
    ),
    "exec.write",
    "audit.read",
)
"""All fourteen."""


@promise()
def one_is_what_was_asked_for(chaser: Subject) -> None:
    """A new key has the name and the scopes that were asked for; without scopes it has full access."""
    for body, name, scopes in (
        ({}, None, []),
        ({"name": None, "scopes": None}, None, []),
        ({"scopes": []}, None, []),
        ({"name": " a b ", "scopes": ["sessions.read"]}, " a b ", ["sessions.read"]),
        ({"name": "x" * 256, "scopes": list(SCOPES)}, "x" * 256, sorted(SCOPES)),
        ({"scopes": ["files.read", "audit.read", "files.read"]}, None, ["audit.read", "files.read"]),
    ):
        with chaser.case():
            made = chaser.ask("create-key", json=body, expect=200)
            is_uuid(made, made.json, "id")
            holds(made, made.json, full_access=not scopes)
            equals(made, made.json.get("name"), name, "`name` is the one that was given")
            equals(made, sorted(made.json["scopes"]), scopes, "`scopes` are those that were asked for")
            listed = chaser.ask("list-keys", expect=200)
            shown = listed.json["keys"][0]
            holds(listed, shown, "key", id=made.json["id"], full_access=not scopes, key_prefix=made.json["key_prefix"])
            equals(listed, sorted(shown["scopes"]), scopes, "`scopes` are those that were asked for")
            equals(listed, shown.get("name"), name, "`name` is the one that was given")
            lacks(listed, shown, "last_used_at", "revoked")
            chaser.ask("revoke-key", id=made.json["id"], expect=200)


@promise()
def a_secret_is_shown_once(chaser: Subject) -> None:
    """A secret is `sk_` and 40 letters and digits, another one each time; lists show its first 10 characters alone."""
    made = [chaser.ask("create-key", json={}, expect=200) for _ in range(3)]
    for answer in made:
        key = answer.json["key"]
        answer.require(re.fullmatch(r"sk_[0-9A-Za-z]{40}", key), "`key` is `sk_` and 40 letters and digits", key[:10])
        holds(answer, answer.json, key_prefix=key[:10])
    chaser.require(
        len({one.json["key"] for one in made}) == 3, "create-key: each key is another one", "two are the same"
    )
    listed = chaser.ask("list-keys", expect=200)
    prefixes = {one["id"]: one["key_prefix"] for one in listed.json["keys"]}
    for answer in made:
        key = answer.json["key"]
        listed.require(key.encode() not in listed.body, "no secret is listed")
        listed.require(prefixes.get(answer.json["id"]) == key[:10], "`key_prefix` is the beginning of the secret")
        chaser.as_(key).ask("get-current-account", expect=200)
        refused(chaser.as_(key[:-1]).ask("get-current-account"), 401, "unauthorized")
        chaser.ask("revoke-key", id=answer.json["id"], expect=200)


@promise("emulator")
def uses_are_noted(chaser: Subject) -> None:
    """`created_at` is when a key was made, `last_used_at` when it was used last, both by the emulator's clock."""
    then = frozen(chaser)
    made = chaser.ask("create-key", json={"name": "noted"}, expect=200).json
    key = chaser.as_(made["key"])
    for days in (1, 2):
        later = passed(chaser, days=days)
        key.ask("get-current-account", expect=200)
        listed = chaser.ask("list-keys", expect=200)
        shown = next(one for one in listed.json["keys"] if one["id"] == made["id"])
        is_at(listed, shown, "created_at", then)
        is_at(listed, shown, "last_used_at", later)


@promise("emulator")
def a_key_is_bound_to_its_account(chaser: Subject) -> None:
    """A key that was made in an organization acts there without a word, and is listed there alone."""
    org, account = making.organization(chaser)
    made = org.ask("create-key", json={"name": "bound"}, expect=200).json
    bound = chaser.as_(made["key"])
    current = bound.ask("get-current-account", expect=200)
    holds(current, current.json["account"], "account", id=account["id"])
    for word in (account["id"], account["name"]):
        chaser.as_(made["key"], account=word).ask("get-current-account", expect=200)
    refused(chaser.as_(made["key"], account="personal").ask("get-current-account"), 403, "account_mismatch")
    listed = chaser.ask("list-keys", expect=200)
    listed.require(
        made["id"] not in {one["id"] for one in listed.json["keys"]}, "keys are of the account of their making"
    )
    there = org.ask("list-keys", expect=200)
    equals(there, [one["id"] for one in there.json["keys"]], [made["id"]], "a key is listed in its account")
    refused(chaser.ask("revoke-key", id=made["id"]), 404, "not_found")
    mine = bound.ask("create-key", json={}, expect=200)
    inside = chaser.as_(mine.json["key"]).ask("get-current-account", expect=200)
    holds(inside, inside.json["account"], "account", id=account["id"])


@promise("emulator", "peer")
def keys_are_of_a_person(chaser: Subject) -> None:
    """In an organization everybody lists and revokes their own API and SSH keys, and nobody else's."""
    org, account = making.organization(chaser)
    org.ask("add-current-member", json={"email": PEER, "role": "owner"}, expect=200)
    theirs = chaser.as_(signed_in_peer(chaser).credential, account=account["id"])
    keys, lines = [], []
    for client in (org, theirs):
        keys.append(client.ask("create-key", json={}, expect=200).json["id"])
        line = {"public_key": making.ssh_line(chaser)}
        lines.append(client.ask("create-ssh-key", json=line, expect=200).json["key"]["id"])
    for number, client in enumerate((org, theirs)):
        for operation, own in (("list-keys", keys[number]), ("list-ssh-keys", lines[number])):
            listed = client.ask(operation, expect=200)
            ids = [one["id"] for one in listed.json["keys"]]
            equals(listed, ids, [own], "a person lists their own keys of the account")
        refused(client.ask("revoke-key", id=keys[1 - number]), 404, "not_found")
        refused(client.ask("delete-ssh-key", id=lines[1 - number]), 404, "not_found")


@promise("emulator")
def one_that_is_revoked_stops_at_once(chaser: Subject) -> None:
    """A revoked key is told with its moment, works no more, and stays in the list; again tells the first moment."""
    made = chaser.ask("create-key", json={"name": "revoked"}, expect=200).json
    other = chaser.ask("create-key", json={}, expect=200).json
    before = {one["id"]: one for one in chaser.ask("list-keys", expect=200).json["keys"]}
    then = frozen(chaser)
    revoked = chaser.ask("revoke-key", id=made["id"], expect=200)
    holds(revoked, revoked.json, id=made["id"])
    is_at(revoked, revoked.json, "revoked", then)
    refused(chaser.as_(made["key"]).ask("get-current-account"), 401, "unauthorized")
    passed(chaser, days=3)
    again = chaser.ask("revoke-key", id=made["id"], expect=200)
    equals(again, again.json, revoked.json, "revoking again answers with the first time")
    listed = chaser.ask("list-keys", expect=200)
    after = {one["id"]: one for one in listed.json["keys"]}
    unchanged(listed, after[made["id"]], {**before[made["id"]], "revoked": revoked.json["revoked"]})
    lacks(listed, after[other["id"]], "revoked")
    chaser.as_(other["key"]).ask("get-current-account", expect=200)
    itself = chaser.as_(other["key"]).ask("revoke-key", id=other["id"], expect=200)
    holds(itself, itself.json, id=other["id"])
    refused(chaser.as_(other["key"]).ask("get-current-account"), 401, "unauthorized")
    for missing in (UNKNOWN, "x", made["key_prefix"]):
        refused(chaser.ask("revoke-key", id=missing), 404, "not_found")


@promise()
def what_is_no_key_is_refused(chaser: Subject) -> None:
    """An unknown scope is 400 unknown_scope, anything else that is wrong 400 invalid_request; no key is made."""
    before = chaser.ask("list-keys", expect=200).json
    for scope in ("nope", "", "sessions", "sessions.*", "Sessions.Read", "exec.read", "audit.write", "sessions.read "):
        with chaser.case():
            wish = {"scopes": ["sessions.read", scope]}
            refused(chaser.ask("create-key", json=wish), 400, "unknown_scope", "/scopes/1")
    for body, pointer in (
        ({"scopes": "sessions.read"}, "/scopes"),
        ({"scopes": {"sessions.read": True}}, "/scopes"),
        ({"name": "x" * 257}, "/name"),
        ({"name": 7}, "/name"),
    ):
        with chaser.case():
            refused(chaser.ask("create-key", json=body), 400, "invalid_request", pointer)
    listed = chaser.ask("list-keys", expect=200)
    equals(listed, listed.json, before, "what is refused makes no key")
