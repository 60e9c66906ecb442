"""Secrets: keys and signing secrets have their form, are told once, and stand in no other answer."""

from __future__ import annotations

import re
from typing import Any

from chaser_contract.arranging import Arranged
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.targets import PASSWORD

KEY = re.compile(r"sk_[0-9A-Za-z]{40}")
SIGNING = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")


@promise()
def a_key_is_told_once(chaser: Subject) -> None:
    """A key is `sk_` and 40 characters of base62, shown by its creation alone; lists have its first ten characters."""
    arranged = Arranged(chaser)
    said = arranged.service_account["id"]
    seen: set[str] = set()
    for create, listing, path in (
        ("create-key", "list-keys", {}),
        ("create-current-service-account-key", "list-current-service-account-keys", {"said": said}),
    ):
        client = arranged.in_organization if path else chaser.client
        for body in ({}, {"name": "one"}, {"name": "one", "scopes": ["audit.read"]}):
            with chaser.case():
                answer = client.ask(create, json=body, expect=200, **path)
                told = answer.json
                answer.require(
                    KEY.fullmatch(told["key"]), "a key is sk_ and 40 characters of base62", f"{len(told['key'])}"
                )
                answer.require(told["key_prefix"] == told["key"][:10], "its prefix is its first ten characters")
                answer.require(told["key"] not in seen, "no two keys are the same")
                seen.add(told["key"])
                listed = client.ask(listing, expect=200, **path)
                entry = next((one for one in listed.json["keys"] if one["id"] == told["id"]), None)
                listed.require(entry is not None, "a key that was made is listed")
                listed.require("key" not in (entry or {}), "a list has no key itself")
                listed.require((entry or {}).get("key_prefix") == told["key_prefix"], "a list has a key's prefix")
                listed.require(told["key"] not in listed.body.decode(), "a list holds no key")


@promise()
def a_signing_secret_is_told_once(chaser: Subject) -> None:
    """A signing secret is `whsec_` and 32 bytes in base64, shown by its creation alone; the preview is its end."""
    seen: set[str] = set()
    for _ in range(3):
        with chaser.case():
            answer = chaser.ask(
                "create-webhook", json={"url": "http://127.0.0.1:9/", "events": ["job.queued"]}, expect=200
            )
            told = answer.json
            secret, preview = told["signing_secret"], told["webhook"]["signing_secret_preview"]
            answer.require(SIGNING.fullmatch(secret), "a signing secret is whsec_ and 32 bytes in base64")
            answer.require(preview == f"whsec_…{secret[-4:]}", "its preview is whsec_… and its last four", f"{preview}")
            answer.require(secret not in seen, "no two signing secrets are the same")
            seen.add(secret)
            listed = chaser.ask("list-webhooks", expect=200)
            listed.require(secret not in listed.body.decode(), "a list holds no signing secret")


@promise()
def a_credential_in_the_vault_is_told_to_who_resolves_it(chaser: Subject) -> None:
    """What is put into the vault comes back from resolve-credential alone, and from nothing that lists or stores."""
    arranged = Arranged(chaser)
    value = f"hidden-{chaser.random.getrandbits(64):016x}"
    body = {"name": chaser.name("credential"), "value": value, "assistant_id": arranged.assistant["id"]}
    stored = chaser.ask("store-assistant-credential", json=body, expect=200)
    stored.require(value not in stored.body.decode(), "storing a credential does not repeat it")
    for operation, request in (
        ("get-assistant", {"id": arranged.assistant["id"]}), ("list-assistants", {}), ("list-audit-events", {}),
    ):  # fmt: skip
        with chaser.case():
            answer = chaser.ask(operation, expect=200, **request)
            answer.require(value not in answer.body.decode(), "it holds nothing of the vault")
    told = chaser.ask("resolve-assistant-credential", json={**body, "value": ""}, expect=200)
    told.require(told.json == {"name": body["name"], "value": value}, "resolving a credential answers what was stored")


@promise()
def refusals_repeat_no_secret(chaser: Subject) -> None:
    """No refusal repeats a password, a credential's value, a key or a token of its request."""
    key = Arranged(chaser).new_key()["key"]
    hidden = f"Hidden-{chaser.random.getrandbits(64):016x}"
    asked: list[tuple[str, dict[str, Any]]] = [
        ("register", {"json": {"email": "nobody", "password": hidden}}),
        ("register", {"json": {"email": "a@example.com", "password": [hidden]}}),
        ("register", {"json": {"email": "a@example.com", "password": hidden * 9}}),
        ("register", {"json": {"email": "a@example.com", "password": {"a": hidden}}}),
        ("login", {"json": {"email": "a@example.com", "password": hidden}}),
        ("login", {"json": {"email": 5, "password": hidden}}),
        ("login", {"content": f'{{"email": "a", "password": "{hidden}"'.encode(), "media_type": "application/json"}),
        ("store-assistant-credential", {"json": {"name": "x", "value": [hidden]}}),
        ("store-assistant-credential", {"json": {"name": "x", "value": hidden, "assistant_id": "nobody"}}),
        ("create-webhook", {"json": {"url": f"http://user:{hidden}@127.0.0.1/"}}),
        ("get-session", {"id": "nothing", "headers": {"X-Chaser-Account": "nobody"}}),
        ("list-sessions", {"headers": {"Authorization": f"Bearer {key[:-1]}"}}),
        ("finish-google-login", {"query": {"state": hidden, "code": hidden}}),
        ("post-codex-callback", {"json": {"state": "x", "code": hidden, "code_verifier": hidden}}),
        ("create-session", {"json": {"ephemeral": True, "proxy": f"ftp://user:{hidden}@127.0.0.1:1"}}),
        ("exec-session", {"id": "nothing", "json": {"command": "x", "env": {"TOKEN": [hidden]}}}),
        ("create-session", {"json": {"ephemeral": True, "env": {"TOKEN": {"a": hidden}}}}),
    ]
    for operation, request in asked:
        with chaser.case():
            answer = chaser.ask(operation, **request)
            answer.require(answer.status >= 400, "a wrong request is refused")
            _silent(answer, hidden)
            _silent(answer, key[:-1])
    with chaser.case():
        answer = chaser.nobody.ask("register", json={"email": "a@example.com", "password": PASSWORD, "name": ["x"]})
        _silent(answer.must_be(400), PASSWORD)


def _silent(answer: Answer, secret: str) -> None:
    answer.require(secret not in answer.body.decode(), "no refusal repeats a secret of its request", "it holds one")
