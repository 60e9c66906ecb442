"""Distinctions: what looks alike and is not the same is told apart."""

from __future__ import annotations

from typing import Any

from chaser_contract import making
from chaser_contract.arranging import signed_in_peer
from chaser_contract.promises import promise
from chaser_contract.promises.tokens import part
from chaser_contract.subject import Subject
from chaser_contract.targets import PASSWORD, PEER
from chaser_contract.values import equals, holds


@promise()
def a_number_is_no_truth_value(chaser: Subject) -> None:
    """A change of 1 to true, of 0 to false, or of a text to a number is a change, and makes a new version."""
    before: dict[str, Any] = {"a": 1, "b": 0, "c": "1", "d": [1, 0], "e": {"f": True}}
    made = making.assistant(chaser, config={"more": before})
    changes: list[dict[str, Any]] = [{"a": True}, {"b": False}, {"c": 1}, {"d": [True, False]}, {"e": {"f": 1}}]
    for number, change in enumerate(changes, made["config_version"] + 1):
        with chaser.case():
            told = chaser.ask("update-assistant", id=made["id"], json={"config": {"more": change}}, expect=200)
            now = told.json["assistant"]
            holds(told, now, "assistant", config_version=number)
            before |= change
            equals(told, now["config"]["more"], before, "a value is of the type that was sent last")


@promise()
def assistants_share_no_home(chaser: Subject) -> None:
    """Each assistant has a home of its own, which the list of workspaces has."""
    made = [making.assistant(chaser) for _ in range(3)]
    homes = {one["workspace_id"] for one in made}
    listed = chaser.ask("list-workspaces", expect=200)
    there = {one["id"] for one in listed.json if one["assistant_home"]}
    listed.require(len(homes) == 3 and homes <= there, "each assistant has a home of its own", f"{homes} in {there}")


@promise("peer")
def a_role_is_of_one_organization(chaser: Subject) -> None:
    """A role that changes, or a membership that ends, in one organization is as it was in another."""
    peer = signed_in_peer(chaser)
    here, there = making.organization(chaser)[0], making.organization(chaser)[0]
    user = ""
    for client in (here, there):
        added = client.ask("add-current-member", json={"email": PEER, "role": "member"}, expect=200)
        user = added.json["member"]["user_id"]
    here.ask("update-current-member", uid=user, json={"role": "admin"}, expect=200)
    for client, role in ((here, "admin"), (there, "member")):
        listed = client.ask("list-current-members", expect=200)
        found = {one["user_id"]: one["role"] for one in listed.json["members"]}
        equals(listed, found.get(user), role, "a role is that of this organization")
    here.ask("remove-current-member", uid=user, expect=204)
    listed = there.ask("list-current-members", expect=200)
    left = {one["user_id"] for one in listed.json["members"]}
    listed.require(user in left, "who left one organization is in the other", f"{left}")
    own = peer.ask("list-accounts", expect=200)
    own.require(len(own.json["accounts"]) == 2, "who left one of two organizations has the other", own.exchange.said())


@promise("emulator", "peer")
def two_sign_ins_are_two_tokens(chaser: Subject) -> None:
    """Each sign-in of one person gives another token, with a `jti` of its own, also at the same moment."""
    chaser.steered.clock.freeze()
    tokens = [
        chaser.nobody.ask("login", json={"email": PEER, "password": PASSWORD}, expect=200).json["access_token"]
        for _ in range(3)
    ]
    ids = {part(token.split(".")[1])["jti"] for token in tokens}
    chaser.require(len(ids) == 3, "login: each token has a `jti` of its own", f"{ids}")
