"""Roles: what owners, admins, members and outsiders of an organization may do, and how members come and go."""

from __future__ import annotations

from typing import Any

from chaser_contract import rights
from chaser_contract.arranging import Arranged
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

ROLES = ("owner", "admin", "member")


def _people(arranged: Arranged) -> dict[str, Client]:
    return {role: arranged.new_person(role) for role in ROLES}


@promise()
def each_role_does_what_is_ruled(chaser: Subject) -> None:
    """Every operation is open to the roles that are ruled, and 403 forbidden to the others in the organization."""
    arranged = Arranged(chaser)
    people = _people(arranged)
    leader = Arranged(chaser, arranged.in_organization)
    for role, client in people.items():
        own = Arranged(chaser, client)
        for operation in chaser.document.operations.values():
            if not operation.secured:
                continue
            allowed = rights.roles_of(operation)
            with chaser.case():
                if allowed is not None and role not in allowed:
                    asking = leader.request_of(operation.id)
                    answer = asking.by(client)
                    answer.must_be(403, "forbidden", because=f"to the role {role}")
                elif operation.id == "remove-current-member" and role == "member":
                    asking = leader.request_of(operation.id)
                    asking.by(client).must_be(403, "forbidden", because="to a member, about another")
                else:
                    # What is made for it is the leader's where it takes a leader to make it.
                    makes = own if role != "member" or "current" not in operation.id else leader
                    asking = makes.request_of(operation.id)
                    asking.by(client).must_be(asking.status, asking.code, because=f"to the role {role}")


@promise("peer")
def an_outsider_finds_no_organization(chaser: Subject) -> None:
    """Who does not belong to an organization gets 404 for it on every operation, whatever they would ask for there."""
    arranged = Arranged(chaser, Arranged(chaser).in_organization)
    outsider = chaser.as_(arranged.new_user()["access_token"], account=arranged.organization)
    for asking in arranged.every(lambda one: one.secured):
        with chaser.case():
            asking.by(outsider).must_be(404, "not_found", because="to who does not belong to the account")


@promise()
def owners_are_made_and_unmade_by_owners(chaser: Subject) -> None:
    """Adding an owner, and touching an owner's membership, is for owners alone; for admins it is 403."""
    arranged = Arranged(chaser)
    people = _people(arranged)
    owner, admin = people["owner"], people["admin"]
    other = arranged.new_person("owner").ask("get-me").json["user"]["id"]
    member = arranged.new_member()
    refused: list[tuple[str, dict[str, Any]]] = [
        ("add-current-member", {"json": {"email": f"{chaser.name('o')}@example.com", "role": "owner"}}),
        ("update-current-member", {"uid": member, "json": {"role": "owner"}}),
        ("update-current-member", {"uid": other, "json": {"role": "member"}}),
        ("remove-current-member", {"uid": other}),
    ]
    for operation, request in refused:
        with chaser.case():
            admin.ask(operation, **request).must_be(403, "forbidden", because="to an admin, about an owner")
    roles = _roles(owner)
    chaser.require(
        (roles.get(other), roles.get(member)) == ("owner", "member"),
        "update-current-member: what was refused has changed nothing", f"{roles}",
    )  # fmt: skip
    for role in ("owner", "admin", "member"):
        with chaser.case():
            answer = owner.ask("update-current-member", uid=member, json={"role": role}, expect=200)
            answer.require(answer.json["member"]["role"] == role, f"the role is {role} now")
            answer.require(answer.json["member"]["owner"] == (role == "owner"), "`owner` is true of owners alone")
            answer.require(_roles(owner)[member] == role, f"the list of members has the role {role}")
    with chaser.case():
        owner.ask("remove-current-member", uid=other, expect=204)
        owner.ask("remove-current-member", uid=other).must_be(404, "not_found", because="for who has left already")


def _roles(client: Client) -> dict[str, str]:
    members = client.ask("list-current-members", expect=200).json["members"]
    return {one["user_id"]: one["role"] for one in members}


@promise()
def an_organization_keeps_an_owner(chaser: Subject) -> None:
    """The last owner is neither removed nor made something else: 409 last_owner; of two one may go."""
    founder = chaser.as_(Arranged(chaser).new_user()["access_token"])
    made = founder.ask("create-organization", json={"name": chaser.name("org")}, expect=200)
    made.require(made.json["account"]["role"] == "owner", "who makes an organization is its owner")
    owner = chaser.as_(founder.credential, account=made.json["account"]["id"])
    user = owner.ask("get-me").json["user"]["id"]
    with chaser.case():
        owner.ask("remove-current-member", uid=user).must_be(409, "last_owner")
    for role in ("admin", "member"):
        with chaser.case():
            owner.ask("update-current-member", uid=user, json={"role": role}).must_be(409, "last_owner")
    with chaser.case():
        owner.ask("update-current-member", uid=user, json={"role": "owner"}).must_be(200)
    second = owner.ask(
        "add-current-member", json={"email": f"{chaser.name('o')}@example.com", "role": "owner"}, expect=200
    ).json["member"]["user_id"]
    owner.ask("remove-current-member", uid=user).must_be(204, because="to one of two owners, who leaves")
    founder.ask("list-accounts").require(
        made.json["account"]["id"] not in [one["id"] for one in founder.ask("list-accounts").json["accounts"]],
        "who has left an organization lists it no longer",
    )
    chaser.require(second != user, "add-current-member: it adds another user", second)


@promise()
def members_may_leave_and_are_added_once(chaser: Subject) -> None:
    """A member may remove themselves; adding a member again is 409 already_exists, in any case of the address."""
    arranged = Arranged(chaser)
    owner, member = arranged.in_organization, arranged.new_person("member")
    me = member.ask("get-me").json["user"]
    for email in (me["email"], me["email"].upper()):
        with chaser.case():
            answer = owner.ask("add-current-member", json={"email": email, "role": "admin"})
            answer.must_be(409, "already_exists", because="to an address that belongs to a member")
    for role in ("boss", "OWNER", "", None, 5):
        with chaser.case():
            body = {"email": f"{chaser.name('m')}@example.com", "role": role}
            if role is not None:
                owner.ask("add-current-member", json=body).must_be(
                    400, "invalid_request", because=f"to the role {role!r}"
                )
    with chaser.case():
        plain = owner.ask("add-current-member", json={"email": f"{chaser.name('m')}@example.com"}, expect=200)
        plain.require(plain.json["member"]["role"] == "member", "who is added without a role is a member")
        plain.require(plain.json["member"]["owner"] is False, "a member is no owner")
    with chaser.case():
        member.ask("remove-current-member", uid=me["id"]).must_be(204, because="to a member who leaves")
        member.ask("list-current-members").must_be(404, "not_found", because="to who has left")
        chaser.require(
            me["id"] not in _roles(owner), "list-current-members: who has left is listed no longer", me["id"]
        )


@promise()
def a_personal_account_has_one_member(chaser: Subject) -> None:
    """A personal account takes neither members nor service accounts: 403."""
    user = chaser.as_(Arranged(chaser).new_user()["access_token"])
    asked: list[Answer] = []
    with chaser.case():
        asked.append(user.ask("add-current-member", json={"email": f"{chaser.name('m')}@example.com"}))
    with chaser.case():
        asked.append(user.ask("create-current-service-account", json={"name": "robot"}))
    for answer in asked:
        with chaser.case():
            answer.must_be(403, "forbidden", because="in a personal account")
