"""Accounts: whose they are, who may let whom in, and what remains when somebody leaves."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import chaser_sdk.types as sdk_types
import httpx
import pytest
from chaser_emulator.server import Running
from chaser_sdk import ChaserApiError, ChaserClient
from emulators import http_of, sdk_of
from people import Organization, failed_audits, ok, organization_of, person, refused
from shapes import complete

MEMBERS = "/v1/accounts/current/members"


def member_path(organization: Organization, role: str) -> str:
    return f"{MEMBERS}/{organization.people[role].user_id}"


def test_everybody_has_a_personal_account(emulator: Running) -> None:
    ada = person(emulator)
    with http_of(emulator, ada.key) as client:
        [account] = ok(client.get("/v1/accounts"))["accounts"]
        assert ok(client.get("/v1/accounts/current"))["account"] == account
        assert (account["kind"], account["personal"], account["role"]) == ("personal", True, "owner")
        [member] = ok(client.get(MEMBERS))["members"]
    assert (member["user_id"], member["email"], member["owner"]) == (ada.user_id, ada.email, True)


def test_whoever_creates_an_organization_owns_it(emulator: Running) -> None:
    ada = person(emulator)
    with http_of(emulator, ada.key) as client:
        made = ok(client.post("/v1/accounts/organizations", json={"name": "  Acme & Söhne "}))["account"]
        assert (made["name"], made["kind"], made["personal"], made["role"]) == (
            "Acme & Söhne",
            "organization",
            False,
            "owner",
        )
        inside = {"X-Chaser-Account": made["id"]}
        [member] = ok(client.get(MEMBERS, headers=inside))["members"]
        assert (member["user_id"], member["role"], member["owner"]) == (ada.user_id, "owner", True)
        assert ok(client.get("/v1/accounts/current", headers=inside))["account"] == made
        # Newest first, so the personal account comes last.
        assert [one["personal"] for one in ok(client.get("/v1/accounts"))["accounts"]] == [False, True]


def test_an_organization_starts_on_the_plan_of_the_account_it_was_made_from(emulator: Running) -> None:
    for plan, status in (("free", 403), ("pro", 200)):
        with http_of(emulator, person(emulator, plan=plan).key) as client:
            made = ok(client.post("/v1/accounts/organizations", json={"name": "acme"}))["account"]
            answer = client.post(
                "/v1/workspaces", json={"session_type": "sandbox"}, headers={"X-Chaser-Account": made["id"]}
            )
            assert answer.status_code == status, plan


def test_an_account_name_is_unique_among_ones_own_without_regard_to_case(emulator: Running) -> None:
    with http_of(emulator, person(emulator).key) as ada, http_of(emulator, person(emulator).key) as grace:
        ok(ada.post("/v1/accounts/organizations", json={"name": "Straße"}))
        for name in ("Straße", "STRASSE", " straße "):
            refused(ada.post("/v1/accounts/organizations", json={"name": name}), 409, "name_taken")
        ok(grace.post("/v1/accounts/organizations", json={"name": "Straße"}))


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 65, "personal", " Personal ", "PERSONAL", "two\nlines", "a\tb", 7, None, ["acme"]]
)
def test_a_name_that_is_none_is_refused(client: httpx.Client, name: object) -> None:
    body = refused(client.post("/v1/accounts/organizations", json={"name": name}), 400, "invalid_request")
    assert body["details"][0]["in"] == "body"
    assert body["details"][0]["pointer"] == "/name"


def test_a_name_may_have_64_characters(client: httpx.Client) -> None:
    name = uuid.uuid4().hex * 2
    assert ok(client.post("/v1/accounts/organizations", json={"name": name}))["account"]["name"] == name
    refused(client.post("/v1/accounts/organizations", json={}), 400, "invalid_request")


def test_every_member_sees_every_member(organization: Organization) -> None:
    for client in (organization.owner, organization.admin, organization.member):
        members = ok(client.get(MEMBERS))["members"]
        assert [(one["role"], one["owner"]) for one in members] == [
            ("member", False),
            ("admin", False),
            ("owner", True),
        ]


def test_the_role_shown_is_the_callers_own(organization: Organization) -> None:
    for role, client in (("owner", organization.owner), ("admin", organization.admin), ("member", organization.member)):
        assert ok(client.get("/v1/accounts/current"))["account"]["role"] == role
        assert ok(client.get("/v1/accounts"))["accounts"][0]["role"] == role


def test_a_member_is_added_as_a_plain_one_unless_a_role_is_given(organization: Organization, emulator: Running) -> None:
    for body, role in (({}, "member"), ({"role": "member"}, "member"), ({"role": "admin"}, "admin")):
        ada = person(emulator)
        added = ok(organization.admin.post(MEMBERS, json={"email": ada.email, **body}))["member"]
        assert (added["user_id"], added["email"], added["role"], added["owner"]) == (
            ada.user_id,
            ada.email,
            role,
            False,
        )
        with http_of(emulator, ada.key) as client:
            assert organization.id in [one["id"] for one in ok(client.get("/v1/accounts"))["accounts"]]


def test_an_unknown_address_gets_a_user_with_a_personal_account_on_the_free_plan(
    organization: Organization, emulator: Running
) -> None:
    email = f"{uuid.uuid4().hex}@example.com"
    added = ok(organization.owner.post(MEMBERS, json={"email": email}))["member"]
    assert added["email"] == email
    known = person(emulator, email)
    assert known.user_id == added["user_id"]
    with http_of(emulator, known.key) as client:
        accounts = ok(client.get("/v1/accounts"))["accounts"]
        assert [(one["kind"], one["role"]) for one in accounts] == [("personal", "owner"), ("organization", "member")]
        limit = refused(client.post("/v1/workspaces", json={"session_type": "sandbox"}), 403, "plan_limit_exceeded")
        assert limit["details"] == {"limit": 0}


def test_an_address_is_one_user_whatever_its_case(organization: Organization) -> None:
    email = organization.people["member"].email
    refused(organization.owner.post(MEMBERS, json={"email": email.upper()}), 409, "already_exists")
    ok(organization.owner.delete(member_path(organization, "member")))
    again = ok(organization.owner.post(MEMBERS, json={"email": email.upper()}))["member"]
    assert again["user_id"] == organization.people["member"].user_id


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/email"),
        ({"email": "nobody"}, "/email"),
        ({"email": "a@b@c"}, "/email"),
        ({"email": None}, "/email"),
        ({"email": "ada@example.com", "role": "boss"}, "/role"),
        ({"email": "ada@example.com", "role": None}, "/role"),
    ],
)
def test_a_member_needs_an_address_and_a_role_that_exists(
    organization: Organization, body: dict[str, object], pointer: str
) -> None:
    refusal = refused(organization.owner.post(MEMBERS, json=body), 400, "invalid_request")
    assert refusal["details"][0]["pointer"] == pointer


def test_plain_members_manage_nobody(organization: Organization) -> None:
    refused(organization.member.post(MEMBERS, json={"email": "new@example.com"}), 403, "forbidden")
    refused(organization.member.patch(member_path(organization, "admin"), json={"role": "member"}), 403, "forbidden")
    refused(organization.member.delete(member_path(organization, "admin")), 403, "forbidden")
    # Not even whether somebody belongs.
    refused(organization.member.delete(f"{MEMBERS}/{uuid.uuid4()}"), 403, "forbidden")


def test_only_owners_make_owners_and_touch_them(organization: Organization) -> None:
    admin, owner = organization.admin, organization.owner
    refused(admin.post(MEMBERS, json={"email": "new@example.com", "role": "owner"}), 403, "forbidden")
    refused(admin.patch(member_path(organization, "member"), json={"role": "owner"}), 403, "forbidden")
    refused(admin.patch(member_path(organization, "admin"), json={"role": "owner"}), 403, "forbidden")
    refused(admin.patch(member_path(organization, "owner"), json={"role": "member"}), 403, "forbidden")
    refused(admin.delete(member_path(organization, "owner")), 403, "forbidden")
    promoted = ok(owner.patch(member_path(organization, "admin"), json={"role": "owner"}))["member"]
    assert (promoted["role"], promoted["owner"]) == ("owner", True)
    added = ok(owner.post(MEMBERS, json={"email": f"{uuid.uuid4().hex}@example.com", "role": "owner"}))["member"]
    assert added["owner"] is True


def test_admins_manage_everybody_else(organization: Organization) -> None:
    path = member_path(organization, "member")
    assert ok(organization.admin.patch(path, json={"role": "admin"}))["member"]["role"] == "admin"
    ok(organization.admin.delete(path))
    assert [one["role"] for one in ok(organization.owner.get(MEMBERS))["members"]] == ["admin", "owner"]


def test_the_last_owner_stays_one(organization: Organization) -> None:
    owner, path = organization.owner, member_path(organization, "owner")
    refused(owner.delete(path), 409, "last_owner")
    for role in ("admin", "member"):
        refused(owner.patch(path, json={"role": role}), 409, "last_owner")
    assert ok(owner.patch(path, json={"role": "owner"}))["member"]["role"] == "owner"
    ok(owner.patch(member_path(organization, "admin"), json={"role": "owner"}))
    ok(owner.patch(path, json={"role": "member"}))
    refused(organization.admin.delete(member_path(organization, "admin")), 409, "last_owner")


def test_two_owners_who_demote_each_other_at_once_leave_one(organization: Organization) -> None:
    for _ in range(5):
        ok(organization.owner.patch(member_path(organization, "admin"), json={"role": "owner"}))
        moves = [(organization.owner, "admin"), (organization.admin, "owner")]
        with ThreadPoolExecutor(2) as pool:
            answers = list(
                pool.map(lambda move: move[0].patch(member_path(organization, move[1]), json={"role": "admin"}), moves)
            )
        # The slower one had lost its role when its turn came.
        assert sorted(answer.status_code for answer in answers) == [200, 403]
        owners = [one["user_id"] for one in ok(organization.owner.get(MEMBERS))["members"] if one["owner"]]
        assert len(owners) == 1
        if owners != [organization.people["owner"].user_id]:
            ok(organization.admin.patch(member_path(organization, "owner"), json={"role": "owner"}))
            ok(organization.owner.patch(member_path(organization, "admin"), json={"role": "admin"}))


def test_an_organization_of_a_name_is_made_once_however_often_it_is_asked_for(emulator: Running) -> None:
    with http_of(emulator, person(emulator).key) as client, ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda name: client.post("/v1/accounts/organizations", json={"name": name}), ["acme", "ACME"] * 4)
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7


def test_members_may_leave(organization: Organization) -> None:
    for role, client in (("member", organization.member), ("admin", organization.admin)):
        answer = client.delete(member_path(organization, role))
        assert (answer.status_code, answer.content) == (204, b"")
        refused(client.get("/v1/accounts/current"), 404, "not_found")
    assert len(ok(organization.owner.get(MEMBERS))["members"]) == 1


def test_whoever_leaves_takes_no_key_along(organization: Organization, emulator: Running) -> None:
    for role, client in (("member", organization.member), ("admin", organization.admin)):
        secret = ok(client.post("/v1/keys", json={}))["key"]
        elsewhere = ok(client.post("/v1/keys", json={}, headers={"X-Chaser-Account": "personal"}))["key"]
        with http_of(emulator, secret) as bound, http_of(emulator, elsewhere) as own:
            ok(bound.get("/v1/accounts/current"))
            ok(organization.owner.delete(member_path(organization, role)))
            answer = bound.get("/v1/accounts/current")
            refused(answer, 401, "unauthorized")
            ok(own.get("/v1/accounts/current"))
            # The key stays dead when its holder comes back.
            ok(organization.owner.post(MEMBERS, json={"email": organization.people[role].email, "role": role}))
            refused(bound.get("/v1/accounts/current"), 401, "unauthorized")


def test_a_stranger_is_no_member(organization: Organization, emulator: Running) -> None:
    for uid in (str(uuid.uuid4()), organization.people["outsider"].user_id, "no uuid", "a%2Fb"):
        refused(organization.owner.delete(f"{MEMBERS}/{uid}"), 404, "not_found")
        refused(organization.owner.patch(f"{MEMBERS}/{uid}", json={"role": "member"}), 404, "not_found")
    with organization_of(emulator) as other:
        refused(organization.owner.delete(f"{MEMBERS}/{other.people['member'].user_id}"), 404, "not_found")


def test_outsiders_do_not_learn_that_an_organization_exists(organization: Organization) -> None:
    for selector in (organization.id, organization.name):
        refused(organization.outsider.get(MEMBERS, headers={"X-Chaser-Account": selector}), 404, "not_found")


def test_a_personal_account_takes_no_members(client: httpx.Client) -> None:
    [own] = ok(client.get(MEMBERS))["members"]
    refused(client.post(MEMBERS, json={"email": "ada@example.com"}), 403, "forbidden")
    refused(client.patch(f"{MEMBERS}/{own['user_id']}", json={"role": "admin"}), 403, "forbidden")
    refused(client.delete(f"{MEMBERS}/{own['user_id']}"), 403, "forbidden")


def test_changes_of_members_are_audited(organization: Organization) -> None:
    email = f"{uuid.uuid4().hex}@example.com"
    user_id = ok(organization.admin.post(MEMBERS, json={"email": email}))["member"]["user_id"]
    ok(organization.admin.patch(f"{MEMBERS}/{user_id}", json={"role": "admin"}))
    ok(organization.admin.delete(f"{MEMBERS}/{user_id}"))
    events = ok(organization.owner.get("/v1/audit/events", params={"resource_id": user_id}))["events"]
    assert [(one["action"], one["status"]) for one in events] == [
        ("account.member.remove", "success"),
        ("account.member.update", "success"),
        ("account.member.add", "success"),
    ]
    assert {one["actor_id"] for one in events} == {organization.people["admin"].user_id}
    assert {one["resource_type"] for one in events} == {"account_member"}
    assert events[2]["metadata"] == {"email": email, "role": "member"}


def test_refused_changes_of_members_are_audited(organization: Organization) -> None:
    path = member_path(organization, "owner")
    refused(organization.admin.delete(path), 403, "forbidden")
    refused(organization.member.post(MEMBERS, json={"email": "new@example.com"}), 403, "forbidden")
    [removal] = failed_audits(organization.owner, "account.member.remove")
    assert removal["resource_id"] == organization.people["owner"].user_id
    assert removal["metadata"] == {"code": "forbidden"}
    [addition] = failed_audits(organization.owner, "account.member.add")
    assert addition["actor_id"] == organization.people["member"].user_id
    assert "resource_id" not in addition


def test_a_scoped_key_only_reads_which_accounts_there_are(organization: Organization, emulator: Running) -> None:
    secret = ok(organization.owner.post("/v1/keys", json={"scopes": ["sessions.read"]}))["key"]
    with http_of(emulator, secret) as scoped:
        assert ok(scoped.get("/v1/accounts/current"))["account"]["id"] == organization.id
        assert len(ok(scoped.get("/v1/accounts"))["accounts"]) == 2
        for answer in (
            scoped.get(MEMBERS),
            scoped.post(MEMBERS, json={"email": "new@example.com"}),
            scoped.patch(member_path(organization, "member"), json={"role": "admin"}),
            scoped.delete(member_path(organization, "member")),
            scoped.post("/v1/accounts/organizations", json={"name": "acme"}),
        ):
            assert refused(answer, 403, "insufficient_scope")["details"] == {"required": "full"}


def test_the_official_client_manages_an_organization(emulator: Running, sdk: ChaserClient) -> None:
    made = sdk.accounts.create_organization(f" org-{uuid.uuid4().hex[:8]} ")
    complete(made, sdk_types.AccountInfo)
    for account in (*sdk.accounts.list(), sdk.accounts.current()):
        complete(account, sdk_types.AccountInfo)
    assert sdk.accounts.current()["personal"] is True
    for selector in (made["id"], made["name"]):
        assert sdk.with_account(selector).accounts.current() == made
    ours, ada = sdk.with_account(made["id"]), person(emulator)
    added = ours.accounts.members.add(f" {ada.email} ", role="admin")
    complete(added, sdk_types.AccountMemberInfo)
    complete(ours.accounts.members.add(f"{uuid.uuid4().hex}@example.com"), sdk_types.AccountMemberInfo)
    for member in ours.accounts.members.list():
        complete(member, sdk_types.AccountMemberInfo)
    changed = ours.accounts.members.update(ada.user_id, "member")
    complete(changed, sdk_types.AccountMemberInfo)
    assert (changed["role"], changed["joined_at"]) == ("member", added["joined_at"])
    with pytest.raises(ChaserApiError) as error:
        sdk_of(emulator, ada.key).with_account(made["id"]).accounts.members.add("x@example.com")
    assert (error.value.status, error.value.code) == (403, "forbidden")
    assert error.value.request_id
    ours.accounts.members.remove(ada.user_id)
    assert ada.user_id not in [one["user_id"] for one in ours.accounts.members.list()]
    assert ours.with_account(None).accounts.current()["personal"] is True
