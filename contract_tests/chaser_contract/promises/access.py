"""Access: who is let in at all, and for which account: credentials, X-Chaser-Account, bound keys."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from chaser_emulator.spec import Operation

from chaser_contract.arranging import Arranged, signed_in_peer
from chaser_contract.asking import UNKNOWN, Asking
from chaser_contract.client import Answer, Client
from chaser_contract.promises import promise
from chaser_contract.subject import Subject


def _about_nothing(chaser: Subject, operation: Operation) -> Asking:
    """A request that would be refused for what it names, were its caller let in."""
    path = {one.name: UNKNOWN for one in operation.parameters if one.location == "path"}
    return Asking(operation, path=path)


def _secured(chaser: Subject) -> list[Asking]:
    return [_about_nothing(chaser, one) for one in chaser.document.operations.values() if one.secured]


def bad_credentials(chaser: Subject) -> dict[str, str]:
    """Authorization headers that let nobody in, by what is wrong with them."""
    arranged = Arranged(chaser)
    key, revoked = arranged.new_key()["key"], arranged.new_key()
    arranged.client.ask("revoke-key", id=revoked["id"], expect=200)
    return {
        "of another scheme": f"Basic {key}",
        "without a scheme": key,
        "of an unknown scheme": f"Token {key}",
        "that is a word": "Bearer",
        "that is no key": "Bearer nothing",
        "that is unknown": f"Bearer sk_{'0' * 40}",
        "cut off": f"Bearer {key[:-1]}",
        "with something behind it": f"Bearer {key}x",
        "in other letters": f"Bearer {key.swapcase()}",
        "that is its prefix": f"Bearer {key[:10]}",
        "that was revoked": f"Bearer {revoked['key']}",
        "that is no token": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.AAAA",
    }


@promise()
def every_bad_credential_is_refused_alike(chaser: Subject) -> None:
    """A missing, malformed, unknown or revoked credential is 401 unauthorized on every operation, in the same words."""
    headers: dict[str, dict[str, str]] = {"that is missing": {}}
    headers |= {what: {"Authorization": text} for what, text in bad_credentials(chaser).items()}
    words: dict[str, str] = {}
    every = list(headers.items())
    for number, asking in enumerate(_secured(chaser)):
        # All of them where commands, terminals and tools have ways of their own; elsewhere some, by turns.
        some = (
            every
            if asking.operation.tag in ("exec", "mcp", "auth") or asking.operation.upgrades
            else [every[0], *(every[1 + (number * 4 + one) % (len(every) - 1)] for one in range(4))]
        )
        for what, sent in some:
            with chaser.case():
                answer = asking.by(chaser.nobody, headers=sent)
                answer.must_be(401, "unauthorized", because=f"to a credential {what}")
                told = _words(answer)
                answer.require(
                    told == words.setdefault("", told), "every bad credential is refused in the same words",
                    f"{what}: {told}",
                )  # fmt: skip


@promise()
def no_credential_is_taken_from_elsewhere(chaser: Subject) -> None:
    """A key in the query, a cookie or another header lets nobody in; the query has one for a terminal alone."""
    key = Arranged(chaser).new_key()["key"]
    chaser.as_(key)
    for asking in _secured(chaser):
        for query, headers in (
            ({"access_token": key}, {}),
            ({"api_key": key}, {}),
            ({}, {"Cookie": f"access_token={key}"}),
            ({}, {"X-API-Key": key}),
        ):
            with chaser.case():
                answer = asking.but(query=query).by(chaser.nobody, headers=headers)
                if asking.operation.id == "open-session-pty" and "access_token" in query:
                    answer.must_be(404, "not_found", because="to a terminal's own access_token, for no session")
                else:
                    answer.must_be(401, "unauthorized", because="to a key that is not in the header Authorization")


@promise()
def the_scheme_is_read_in_any_case(chaser: Subject) -> None:
    """`Bearer` is that in any case, as HTTP has it."""
    for scheme in ("Bearer", "bearer", "BEARER"):
        with chaser.case():
            answer = chaser.nobody.ask("list-sessions", headers={"Authorization": f"{scheme} {chaser.api_key}"})
            answer.must_be(200, because=f"to the scheme {scheme}")


@promise()
def open_operations_take_no_credential(chaser: Subject) -> None:
    """What wants no credential answers without one, and with a bad one as well."""
    for operation in chaser.document.operations.values():
        if operation.secured or operation.upgrades or operation.tag not in ("auth", "description"):
            continue
        for headers in ({}, {"Authorization": "Bearer nothing"}):
            with chaser.case():
                answer = _about_nothing(chaser, operation).by(chaser.nobody, headers=headers)
                if operation.id not in ("login", "finish-google-login", "finish-github-login", "finish-codex-login"):
                    answer.require(answer.status != 401, "it wants no credential")


@promise()
def a_revoked_key_is_refused_at_once(chaser: Subject) -> None:
    """From the answer of its revocation on a key lets nobody in, however it was revoked; other keys go on."""
    arranged = Arranged(chaser)
    key, other = arranged.new_key(), arranged.new_key()
    client = chaser.as_(key["key"])
    client.ask("list-keys", expect=200)
    # The key in use may be revoked (A18).
    client.ask("revoke-key", id=key["id"], expect=200)
    for operation in ("list-keys", "list-sessions", "get-current-account"):
        with chaser.case():
            client.ask(operation).must_be(401, "unauthorized", because="to a key that has just been revoked")
    chaser.as_(other["key"]).ask("list-keys", expect=200)


@promise()
def a_key_of_a_service_account_ends_with_it(chaser: Subject) -> None:
    """A service account's key that is revoked, or whose service account is deleted, lets nobody in."""
    arranged = Arranged(chaser)
    first, second = arranged.new_service_account_key(), arranged.new_service_account_key()
    clients = [chaser.as_(key["key"]) for key in (first, second)]
    for client in clients:
        client.ask("list-sessions", expect=200)
    said = arranged.service_account["id"]
    owner = arranged.in_organization
    owner.ask("revoke-current-service-account-key", said=said, kid=first["id"], expect=204)
    clients[0].ask("list-sessions").must_be(401, "unauthorized", because="to a revoked key of a service account")
    clients[1].ask("list-sessions").must_be(200, because="to its other key")
    owner.ask("delete-current-service-account", said=said, expect=204)
    clients[1].ask("list-sessions").must_be(401, "unauthorized", because="once its service account is deleted")


# The account


def _account(client: Client, selector: str | None) -> Answer:
    headers = {} if selector is None else {"X-Chaser-Account": selector}
    return client.ask("get-current-account", headers=headers)


@promise()
def an_account_is_chosen_by_id_name_or_personal(chaser: Subject) -> None:
    """X-Chaser-Account is an id, an exact name, or `personal`; without it a sign-in acts in its personal account."""
    user = chaser.as_(Arranged(chaser).new_user()["access_token"])
    personal = _account(user, None).must_be(200).json["account"]
    chaser.require(
        personal["personal"] and personal["kind"] == "personal", "one's own account is personal", f"{personal}"
    )
    organization = user.ask("create-organization", json={"name": chaser.name("org")}, expect=200).json["account"]
    for selector, expected in (
        (None, personal), ("", personal), ("personal", personal), ("Personal", personal), ("PERSONAL", personal),
        (personal["id"], personal), (organization["id"], organization), (organization["name"], organization),
    ):  # fmt: skip
        with chaser.case():
            answer = _account(user, selector).must_be(200, because=f"where X-Chaser-Account is {selector!r}")
            answer.require(
                answer.json["account"]["id"] == expected["id"],
                f"X-Chaser-Account {_kind(selector, personal, organization)} chooses that account",
            )
    for selector in (organization["name"].upper(), organization["name"][:-1], f"{organization['name']}x", UNKNOWN):
        with chaser.case():
            _account(user, selector).must_be(404, "not_found", because=f"where X-Chaser-Account is {selector!r}")


def _kind(selector: str | None, *accounts: Mapping[str, str]) -> str:
    for one in accounts:
        if selector is not None and selector.strip() in (one["id"], one["name"]):
            return "of an id" if selector.strip() == one["id"] else "of a name"
    return repr(selector)


@promise("emulator")
def a_foreign_account_is_as_unknown(chaser: Subject) -> None:
    """On every operation an account of somebody else is 404 not_found, in the words for one that nobody has."""
    theirs = signed_in_peer(chaser)
    organization = theirs.ask("create-organization", json={"name": chaser.name("org")}, expect=200).json["account"]
    personal = _account(theirs, "personal").json["account"]
    key = chaser.as_(Arranged(chaser).new_key()["key"])
    for asking in _secured(chaser):
        for client in (chaser.client, key):
            with chaser.case():
                unknown = asking.by(client, headers={"X-Chaser-Account": UNKNOWN})
                unknown.must_be(404, "not_found", because="to an account that nobody has")
                for selector in (organization["id"], organization["name"], personal["id"]):
                    answer = asking.by(client, headers={"X-Chaser-Account": selector})
                    answer.must_be(404, "not_found", because="to an account of somebody else")
                    answer.require(
                        _words(answer).replace(selector, "…") == _words(unknown).replace(UNKNOWN, "…"),
                        "an account of somebody else is refused in the words for one that nobody has",
                    )


@promise()
def a_key_acts_in_its_own_account_alone(chaser: Subject) -> None:
    """A key acts in the account that it was made in, by any of its names; with another of its user it is 403."""
    arranged = Arranged(chaser)
    organization = arranged.in_organization
    org = _account(organization, None).json["account"]
    personal = _account(replaced(organization), "personal").json["account"]
    in_org = chaser.as_(Arranged(chaser, organization).new_key()["key"])
    in_personal = chaser.as_(arranged.new_key()["key"])
    for client, own, other in ((in_org, org, personal), (in_personal, personal, org)):
        for selector in (None, "", own["id"], own["name"]):
            with chaser.case():
                answer = _account(client, selector).must_be(200, because="to a key, in its own account")
                answer.require(answer.json["account"]["id"] == own["id"], "a key acts in its own account")
        selectors = [other["id"], other["name"]] + (["personal"] if other["personal"] else [])
        for asking in _secured(chaser):
            with chaser.case():
                for selector in selectors:
                    answer = asking.by(client, headers={"X-Chaser-Account": selector})
                    answer.must_be(403, "account_mismatch", because="to a key, with another account of its user")
    robot = chaser.as_(arranged.new_service_account_key()["key"])
    for chosen, status in ((None, 200), (org["id"], 200), (org["name"], 200), (personal["id"], 404), ("personal", 404)):
        with chaser.case():
            answer = _account(robot, chosen).must_be(status, because=f"to a service account, with {chosen}")
            if status == 200:
                answer.require(answer.json["account"]["id"] == org["id"], "a service account acts in its organization")


def replaced(client: Client) -> Client:
    """The same caller in no account."""
    return Client(client.document, client.http, client.record, client.credential)


@promise()
def who_has_left_is_let_in_no_longer(chaser: Subject) -> None:
    """A member who was removed chooses the organization in vain, by sign-in and by a key that was made there."""
    arranged = Arranged(chaser)
    member = arranged.new_person("member")
    key = chaser.as_(member.ask("create-key", json={}, expect=200).json["key"])
    user = member.ask("get-me").json["user"]["id"]
    for client in (member, key):
        client.ask("list-workspaces", expect=200)
    arranged.in_organization.ask("remove-current-member", uid=user, expect=204)
    with chaser.case():
        member.ask("list-workspaces").must_be(404, "not_found", because="to who was removed")
    with chaser.case():
        answer = key.ask("list-workspaces")
        answer.require(answer.status in (401, 403, 404), "a key of who was removed lets nobody in")


def _words(answer: Answer) -> str:
    return re.sub(r"req_\w+", "", json.dumps({**answer.json, "request_id": ""}, ensure_ascii=False))
