"""Accounts: the personal one, organizations and their names, and the account that a request acts in."""

from __future__ import annotations

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, frozen, holds, is_at, is_uuid, refused


@promise("emulator")
def an_organization_is_what_was_asked_for(chaser: Subject) -> None:
    """A new organization has the name that was given, trimmed, its maker is its owner, and it is listed first."""
    then = frozen(chaser)
    before = chaser.ask("list-accounts", expect=200).json["accounts"]
    made = []
    for given, name in (("Acme & Co", "Acme & Co"), ("   two  words ", "two  words"), ("x" * 64, "x" * 64), ("ä", "ä")):
        with chaser.case():
            answer = chaser.ask("create-organization", json={"name": given}, expect=200)
            account = answer.json["account"]
            is_uuid(answer, account, "id")
            holds(answer, account, "account", name=name, kind="organization", role="owner", personal=False)
            is_at(answer, account, "created_at", then)
            made.append(account)
    listed = chaser.ask("list-accounts", expect=200)
    equals(listed, listed.json, {"accounts": [*made[::-1], *before]}, "accounts are listed as they were made")
    for account in made:
        inside = chaser.as_(chaser.api_key, account=account["id"])
        current = inside.ask("get-current-account", expect=200)
        equals(current, current.json, {"account": account}, "the active account is the one that was chosen")
        members = inside.ask("list-current-members", expect=200)
        owners = [(one["role"], one["owner"]) for one in members.json["members"]]
        equals(members, owners, [("owner", True)], "a new organization has one member, its owner")


@promise()
def everybody_has_a_personal_one(chaser: Subject) -> None:
    """The personal account is the caller's own, of kind `personal`, and active where nothing else is said."""
    listed = chaser.ask("list-accounts", expect=200)
    personal = [one for one in listed.json["accounts"] if one["personal"]]
    listed.require(len(personal) == 1, "a user has one personal account", f"there are {len(personal)}")
    holds(listed, personal[0], "account", kind="personal", role="owner", personal=True)
    is_uuid(listed, personal[0], "id")
    for word in (None, "personal", "PERSONAL", personal[0]["id"], ""):
        current = chaser.as_(chaser.api_key, account=word).ask("get-current-account", expect=200)
        equals(current, current.json, {"account": personal[0]}, "the personal account is active unless one is chosen")
    inside = chaser.ask("list-current-members", expect=200)
    members = [(one["role"], one["owner"]) for one in inside.json["members"]]
    equals(inside, members, [("owner", True)], "a personal account has one member, its owner")


@promise("emulator")
def names_are_of_a_form(chaser: Subject) -> None:
    """A name has 1 to 64 characters once it is trimmed, no controls, and is not `personal`; anything else is 400."""
    before = chaser.ask("list-accounts", expect=200).json
    for bad in (
        "",
        " ",
        "x" * 65,
        f" {'x' * 65} ",
        "a\nb",
        "a\tb",
        "a\0b",
        "a\u00a0b",
        "a\u2028b",
        "\ufeffa",
        "personal",
        "Personal",
        " PERSONAL  ",
        7,
        None,
        ["a"],
    ):
        with chaser.case():
            refused(chaser.ask("create-organization", json={"name": bad}), 400, "invalid_request", "/name")
    refused(chaser.ask("create-organization", json={}), 400, "invalid_request", "/name")
    listed = chaser.ask("list-accounts", expect=200)
    equals(listed, listed.json, before, "what is refused makes no organization")


@promise("emulator", "peer")
def names_are_taken_in_any_case(chaser: Subject) -> None:
    """A name that one of one's accounts has, in any case and however it is trimmed, is 409; others may have it too."""
    made = chaser.ask("create-organization", json={"name": "Straße One"}, expect=200)
    [personal] = [one for one in chaser.ask("list-accounts", expect=200).json["accounts"] if one["personal"]]
    for name in ("Straße One", "straße one", "STRAßE ONE", "  Straße One ", personal["name"].upper()):
        with chaser.case():
            refused(chaser.ask("create-organization", json={"name": name}), 409, "name_taken")
    theirs = chaser.peer.ask("create-organization", json={"name": "straße one"}, expect=200)
    theirs.require(theirs.json["account"]["id"] != made.json["account"]["id"], "others' accounts are other ones")


@promise("emulator")
def an_account_is_chosen_by_id_or_exact_name(chaser: Subject) -> None:
    """`X-Chaser-Account` takes an id or the exact name of one of one's accounts; anything else is 404."""
    made = chaser.ask("create-organization", json={"name": "Acme"}, expect=200).json["account"]
    for word in (made["id"], "Acme"):
        with chaser.case():
            inside = chaser.as_(chaser.api_key, account=word)
            current = inside.ask("get-current-account", expect=200)
            equals(current, current.json, {"account": made}, "the active account is the one that was chosen")
    for word in ("Acme Inc", "Acm", made["id"][:-1], UNKNOWN):
        with chaser.case():
            refused(chaser.as_(chaser.api_key, account=word).ask("get-current-account"), 404, "not_found")


@promise("emulator")
def things_are_of_the_account_they_were_made_in(chaser: Subject) -> None:
    """What is made in an organization is listed in it, and not in the personal account; the other way round as well."""
    org, _ = making.organization(chaser)
    here, there = making.workspace(chaser), making.workspace(chaser, org)
    for client, room in ((chaser.client, here), (org, there)):
        listed = client.ask("list-workspaces", expect=200)
        equals(listed, [one["id"] for one in listed.json], [room["id"]], "an account has what was made in it")
    refused(org.ask("delete-workspace", ws=here["name"]), 404, "not_found")
    refused(chaser.ask("delete-workspace", ws=there["id"]), 404, "not_found")
    session = making.running(org)
    refused(chaser.ask("get-session", id=session["id"]), 404, "not_found")
    wish = {"kind": "sandbox.exec", "input": {"workspace": there["name"], "command": "true"}}
    job = making.finished_job(org, org.ask("create-job", json=wish, expect=200).json["id"])
    refused(chaser.ask("get-job", id=job["id"]), 404, "not_found")
    ran = org.ask("get-session", id=job["result"]["session_id"], expect=200)
    holds(ran, ran.json, workspace_id=there["id"])
    read = org.ask("get-session", id=session["id"], expect=200)
    equals(read, read.json, session, "a session is readable in the account it was made in")
