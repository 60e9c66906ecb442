"""Members: who is added as what, which roles may change whom, and that an owner remains."""

from __future__ import annotations

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.targets import PEER
from chaser_contract.values import equals, frozen, holds, is_at, is_uuid, refused, unchanged


@promise("emulator", "peer")
def one_is_added_as_what_was_said(chaser: Subject) -> None:
    """A new member has the role that was given, `member` where none was, and the name and address of the user."""
    then = frozen(chaser)
    for role, wish in (
        ("member", {}),
        ("member", {"role": "member"}),
        ("admin", {"role": "admin"}),
        ("owner", {"role": "owner"}),
    ):
        with chaser.case():
            org, account = making.organization(chaser)
            added = org.ask("add-current-member", json={"email": PEER, **wish}, expect=200)
            member = added.json["member"]
            is_uuid(added, member, "user_id")
            holds(added, member, "member", email=PEER, name="Peer", role=role, owner=role == "owner")
            is_at(added, member, "joined_at", then)
            listed = org.ask("list-current-members", expect=200)
            equals(listed, listed.json["members"][0], member, "a new member is listed first, as it was added")
            listed.require(len(listed.json["members"]) == 2, "there is one member more")
            seen = _person(chaser, account["id"]).ask("get-current-account", expect=200)
            holds(seen, seen.json["account"], "account", id=account["id"], role=role, personal=False)


@promise("emulator")
def an_unknown_address_is_invited(chaser: Subject) -> None:
    """An address that nobody has gets a user, who is found by whoever registers with it later."""
    org, account = making.organization(chaser)
    mail = f"{chaser.name('invited')}@example.com"
    added = org.ask("add-current-member", json={"email": mail, "role": "admin"}, expect=200)
    holds(added, added.json["member"], "member", email=mail, role="admin", owner=False)
    wish = {"email": mail, "password": "correct horse", "name": "Late"}
    headers = {"X-Chaser-World": chaser.steered.world.id}
    registered = chaser.nobody.ask("register", json=wish, headers=headers, expect=200)
    holds(registered, registered.json["user"], "user", id=added.json["member"]["user_id"], name="Late")
    late = chaser.as_(registered.json["access_token"])
    accounts = late.ask("list-accounts", expect=200)
    roles = {one["id"]: one["role"] for one in accounts.json["accounts"]}
    accounts.require(roles.get(account["id"]) == "admin", "whoever was invited is a member", str(roles))
    accounts.require(len(roles) == 2, "whoever was invited has a personal account as well", str(roles))
    listed = org.ask("list-current-members", expect=200)
    [member] = [one for one in listed.json["members"] if one["email"] == mail]
    holds(listed, member, "member", name="Late", role="admin")
    own = late.ask("get-billing-summary", headers={"X-Chaser-Account": "personal"}, expect=200)
    holds(own, own.json, pricing_model="free", wallet_balance_micros_usd=0)


@promise("emulator", "peer")
def one_is_a_member_once(chaser: Subject) -> None:
    """Who is a member already, whatever the case of the address, is 409 already_exists and keeps the role."""
    org, _ = making.organization(chaser)
    added = org.ask("add-current-member", json={"email": PEER}, expect=200)
    for mail in (PEER, PEER.upper()):
        refused(org.ask("add-current-member", json={"email": mail, "role": "admin"}), 409, "already_exists")
    listed = org.ask("list-current-members", expect=200)
    equals(listed, listed.json["members"][0], added.json["member"], "who is a member stays what they are")
    listed.require(len(listed.json["members"]) == 2, "who is a member is so once")


@promise("emulator", "peer")
def what_is_no_member_is_refused(chaser: Subject) -> None:
    """A wrong address or role is 400, who is no member is 404, and nothing changes."""
    org, _ = making.organization(chaser)
    member = org.ask("add-current-member", json={"email": PEER}, expect=200).json["member"]
    before = org.ask("list-current-members", expect=200).json
    for mail in (
        "",
        "peer",
        "@example.com",
        "a@",
        "a b@example.com",
        "ä@example.com",
        "a@b..c",
        f"{'x' * 65}@a.b",
        7,
        None,
    ):
        with chaser.case():
            refused(org.ask("add-current-member", json={"email": mail}), 400, "invalid_request", "/email")
    refused(org.ask("add-current-member", json={"role": "member"}), 400, "invalid_request", "/email")
    for role in ("", "Owner", "guest", 1, None):
        with chaser.case():
            wish = {"email": "new@example.com", "role": role}
            refused(org.ask("add-current-member", json=wish), 400, "invalid_request", "/role")
            changed = org.ask("update-current-member", uid=member["user_id"], json={"role": role})
            refused(changed, 400, "invalid_request", "/role")
    refused(org.ask("update-current-member", uid=member["user_id"], json={}), 400, "invalid_request", "/role")
    for uid in (UNKNOWN, "x", PEER):
        refused(org.ask("update-current-member", uid=uid, json={"role": "admin"}), 404, "not_found")
        refused(org.ask("remove-current-member", uid=uid), 404, "not_found")
    listed = org.ask("list-current-members", expect=200)
    equals(listed, listed.json, before, "what is refused changes no member")


@promise("emulator", "peer")
def a_role_is_changed(chaser: Subject) -> None:
    """A member has the new role at once, in lists and in what it may do, and nothing else of it changes."""
    org, account = making.organization(chaser)
    member = org.ask("add-current-member", json={"email": PEER}, expect=200).json["member"]
    person = _person(chaser, account["id"])
    for role in ("admin", "admin", "member", "owner", "member"):
        changed = org.ask("update-current-member", uid=member["user_id"], json={"role": role}, expect=200)
        holds(changed, changed.json["member"], "member", role=role, owner=role == "owner")
        unchanged(changed, changed.json["member"], member, but=["role", "owner"])
        listed = org.ask("list-current-members", expect=200)
        equals(listed, listed.json["members"][0], changed.json["member"], "a member is listed in the new role")
        seen = person.ask("get-current-account", expect=200)
        holds(seen, seen.json["account"], "account", role=role)
        tried = person.ask("create-current-service-account", json={"name": "ci"})
        tried.must_be(403 if role == "member" else 200, because=f"to a member in the role {role}")


@promise("emulator", "peer")
def roles_may_do_what_they_may(chaser: Subject) -> None:
    """Members change no one; admins change all but owners, and make none; owners change everybody."""
    org, account = making.organization(chaser)
    org.ask("add-current-member", json={"email": PEER, "role": "member"}, expect=200)
    person = _person(chaser, account["id"])
    listed = person.ask("list-current-members", expect=200).json["members"]
    owner = next(one for one in listed if one["owner"])["user_id"]
    uid = next(one for one in listed if not one["owner"])["user_id"]
    third = org.ask("add-current-member", json={"email": "third@example.com"}, expect=200).json["member"]["user_id"]
    for role, refusals in (
        (
            "member",
            [_add("a@example.com"), ("update", third, "admin"), ("update", uid, "admin"), ("remove", third, "")],
        ),
        (
            "admin",
            [
                _add("a@example.com", "owner"),
                ("update", third, "owner"),
                ("update", uid, "owner"),
                ("update", owner, "member"),
                ("remove", owner, ""),
            ],
        ),
    ):
        org.ask("update-current-member", uid=uid, json={"role": role}, expect=200)
        before = org.ask("list-current-members", expect=200).json
        for what, whom, to in refusals:
            with chaser.case():
                refused(_try(person, what, whom, to), 403, "forbidden")
        after = org.ask("list-current-members", expect=200)
        equals(after, after.json, before, "what a role may not do changes nobody")
    _try(person, "add", "b@example.com", "admin").must_be(200, because="to an admin who adds an admin")
    _try(person, "update", third, "admin").must_be(200, because="to an admin who changes a member")
    _try(person, "remove", third, "").must_be(204, because="to an admin who removes an admin")
    org.ask("update-current-member", uid=uid, json={"role": "owner"}, expect=200)
    _try(person, "add", "c@example.com", "owner").must_be(200, because="to an owner who adds an owner")
    _try(person, "update", owner, "member").must_be(200, because="to an owner who demotes another")
    _try(person, "remove", owner, "").must_be(204, because="to an owner who removes a member")
    refused(org.ask("get-current-account"), 404, "not_found")


@promise("emulator", "peer")
def an_owner_remains(chaser: Subject) -> None:
    """The last owner can neither be demoted nor removed, also by themselves: 409 last_owner; with another one, both."""
    org, _ = making.organization(chaser)
    [owner] = org.ask("list-current-members", expect=200).json["members"]
    uid = owner["user_id"]
    other = org.ask("add-current-member", json={"email": PEER, "role": "admin"}, expect=200).json["member"]["user_id"]
    before = org.ask("list-current-members", expect=200).json
    for role in ("member", "admin"):
        refused(org.ask("update-current-member", uid=uid, json={"role": role}), 409, "last_owner")
    refused(org.ask("remove-current-member", uid=uid), 409, "last_owner")
    same = org.ask("update-current-member", uid=uid, json={"role": "owner"}, expect=200)
    holds(same, same.json["member"], "member", role="owner")
    after = org.ask("list-current-members", expect=200)
    equals(after, after.json, before, "the last owner stays")
    org.ask("update-current-member", uid=other, json={"role": "owner"}, expect=200)
    org.ask("update-current-member", uid=uid, json={"role": "member"}, expect=200)
    org.ask("remove-current-member", uid=uid, expect=204)


@promise("emulator", "peer")
def everybody_may_leave(chaser: Subject) -> None:
    """A member may leave, is a member no more, and finds the account no more; leaving again is 404."""
    org, account = making.organization(chaser)
    member = org.ask("add-current-member", json={"email": PEER}, expect=200).json["member"]
    person = _person(chaser, account["id"])
    left = person.ask("remove-current-member", uid=member["user_id"], expect=204)
    left.require(left.body == b"", "the answer has no body")
    refused(person.ask("get-current-account"), 404, "not_found")
    listed = org.ask("list-current-members", expect=200)
    listed.require(len(listed.json["members"]) == 1, "who has left is a member no more")
    refused(org.ask("remove-current-member", uid=member["user_id"]), 404, "not_found")
    again = org.ask("add-current-member", json={"email": PEER, "role": "admin"}, expect=200)
    holds(again, again.json["member"], "member", user_id=member["user_id"], role="admin")


@promise("emulator", "peer")
def a_personal_account_takes_none(chaser: Subject) -> None:
    """A personal account takes no members and changes none: 403; its owner stays."""
    [owner] = chaser.ask("list-current-members", expect=200).json["members"]
    refused(chaser.ask("add-current-member", json={"email": PEER}), 403, "forbidden")
    changed = chaser.ask("update-current-member", uid=owner["user_id"], json={"role": "member"})
    changed.require(changed.code in ("forbidden", "last_owner"), "the owner of a personal account stays its owner")
    removed = chaser.ask("remove-current-member", uid=owner["user_id"])
    removed.require(removed.code in ("forbidden", "last_owner"), "the owner of a personal account stays its owner")
    listed = chaser.ask("list-current-members", expect=200)
    equals(listed, listed.json, {"members": [owner]}, "a personal account keeps its owner, and nobody else")


def _person(chaser: Subject, account_id: str) -> Client:
    """The peer, signed in, in an account: keys are bound to the account they were made in."""
    wish = {"email": PEER, "password": "correct horse battery staple"}
    headers = {"X-Chaser-World": chaser.steered.world.id}
    told = chaser.nobody.ask("login", json=wish, headers=headers, expect=200).json
    return chaser.as_(told["access_token"], account=account_id)


def _add(mail: str, role: str = "member") -> tuple[str, str, str]:
    return "add", mail, role


def _try(client: Client, what: str, whom: str, role: str) -> Answer:
    if what == "add":
        return client.ask("add-current-member", json={"email": whom, "role": role})
    if what == "update":
        return client.ask("update-current-member", uid=whom, json={"role": role})
    return client.ask("remove-current-member", uid=whom)
