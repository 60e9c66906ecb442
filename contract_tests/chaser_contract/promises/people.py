"""People: who registers is told as they are, whatever they are called, and who asks who they are is told the same."""

from __future__ import annotations

from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, frozen, holds, is_at, is_uuid, refused


@promise("emulator")
def whoever_registers_is_who_they_said(chaser: Subject) -> None:
    """Who registers has the address and the name that were given, or no name, from the moment of the clock on."""
    then = frozen(chaser)
    for more, name in (({"name": "x" * 128}, "x" * 128), ({}, None), ({"name": None}, None), ({"name": "  "}, None)):
        with chaser.case():
            mail = f"{chaser.name('ada')}+tag@Example.com"
            wish = {"email": mail, "password": "nul\0, ä and 😀", **more}
            told = chaser.nobody.ask("register", json=wish, expect=200)
            user = told.json["user"]
            is_uuid(told, user, "id")
            equals(told, user["email"].lower(), mail.lower(), "`email` is the address that was given")
            equals(told, user.get("name"), name, "`name` is the one that was given, and absent where none was")
            is_at(told, user, "created_at", then)
            me = chaser.as_(told.json["access_token"]).ask("get-me", expect=200)
            equals(me, me.json["user"], user, "the token is that of who registered")
            [account] = me.json["accounts"]
            holds(me, account, "account", kind="personal", role="owner", personal=True)
            is_at(me, account, "created_at", then)
    signed = chaser.nobody.ask("login", json={"email": mail.lower(), "password": wish["password"]}, expect=200)
    equals(signed, signed.json["user"], user, "who signs in is who registered, whatever the case of the address")
    long = {"email": "long@example.com", "password": "correct horse"}
    for wrong in ("x" * 129, "a\nb", 7):
        refused(chaser.nobody.ask("register", json={**long, "name": wrong}), 400, "invalid_request", "/name")
    refused(chaser.nobody.ask("login", json=long), 401, "invalid_credentials")


@promise("emulator")
def me_is_the_caller(chaser: Subject) -> None:
    """`/auth/me` is the user behind the credential, whatever account is chosen, with all accounts of theirs."""
    me = chaser.ask("get-me", expect=200)
    is_uuid(me, me.json["user"], "id")
    accounts = chaser.ask("list-accounts", expect=200)
    equals(me, me.json["accounts"], accounts.json["accounts"], "the accounts are those that the caller belongs to")
    made = chaser.ask("create-organization", json={"name": "Acme"}, expect=200).json["account"]
    inside = chaser.as_(chaser.api_key, account=made["id"]).ask("get-me", expect=200)
    holds(inside, inside.json, user=me.json["user"], accounts=[made, *me.json["accounts"]])
    key = chaser.ask("create-key", json={"scopes": ["audit.read"]}, expect=200).json["key"]
    scoped = chaser.as_(key).ask("get-me", expect=200)
    equals(scoped, scoped.json["user"], me.json["user"], "a key is that of who made it")
