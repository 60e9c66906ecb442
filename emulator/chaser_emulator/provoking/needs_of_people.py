"""What requests need that are about people: accounts and members, keys, payments, signing in."""

from __future__ import annotations

from chaser_emulator.plans import PLANS
from chaser_emulator.provoking import resources
from chaser_emulator.provoking.needs import Needs, request_of
from chaser_emulator.provoking.stage import Stage

# Accounts


@request_of("create-organization", "create-assistant")
async def _named(stage: Stage) -> Needs:
    return Needs(body={"name": stage.name()})


@request_of("list-current-members", "list-current-service-accounts")
async def _in_organization(stage: Stage) -> Needs:
    await stage.enter_organization()
    return Needs()


@request_of("create-current-service-account")
async def _new_service_account(stage: Stage) -> Needs:
    await stage.enter_organization()
    return Needs(body={"name": stage.name()})


@request_of("add-current-member")
async def _new_member(stage: Stage) -> Needs:
    await stage.enter_organization()
    return Needs(body={"email": f"{stage.name()}@example.com", "role": "member"})


@request_of("remove-current-member", "update-current-member")
async def _member(stage: Stage) -> Needs:
    await stage.enter_organization()
    user_id, email = await stage.member()
    stage.say(f"a member, {email}")
    body = {"role": "admin"} if stage.operation.body is not None else None
    return Needs({"uid": user_id}, body)


@request_of("delete-current-service-account", "list-current-service-account-keys", "create-current-service-account-key")
async def _service_account(stage: Stage) -> Needs:
    found = await resources.service_account(stage)
    return Needs({"said": found}, {"name": stage.name()} if stage.operation.body is not None else None)


@request_of("revoke-current-service-account-key")
async def _service_account_key(stage: Stage) -> Needs:
    found = await resources.service_account(stage)
    return Needs({"said": found, "kid": await resources.service_account_key(stage, found)})


@request_of("create-key")
async def _new_key(stage: Stage) -> Needs:
    return Needs(body={"name": stage.name()})


@request_of("revoke-key")
async def _key(stage: Stage) -> Needs:
    return Needs({"id": stage.given.get("id") or await resources.key(stage)})


@request_of("create-ssh-key")
async def _new_ssh_key(stage: Stage) -> Needs:
    return Needs(body={"public_key": resources.public_key(), "name": stage.name()})


@request_of("delete-ssh-key")
async def _ssh_key(stage: Stage) -> Needs:
    return Needs({"id": stage.given.get("id") or await resources.ssh_key(stage)})


@request_of("update-billing-account")
async def _plan(stage: Stage) -> Needs:
    return Needs(body={"pricing_model": PLANS[stage.caller.account.plan].pricing_model})


@request_of("create-billing-checkout")
async def _checkout(_stage: Stage) -> Needs:
    return Needs(body={"mode": "topup", "amount_usd": 25})


# Signing in


@request_of("register")
async def _new_user(stage: Stage) -> Needs:
    return Needs(body={"email": f"{stage.name()}@example.com", "password": "correct horse"})


@request_of("login")
async def _user(stage: Stage) -> Needs:
    email, password = f"{stage.name()}@example.com", "correct horse"
    await stage.register(email, password)
    stage.say(f"a user with a password, {email}")
    return Needs(body={"email": email, "password": password})


@request_of("finish-google-login", "finish-github-login", "finish-codex-login")
async def _returned(stage: Stage) -> Needs:
    state, code, _verifier = await stage.signed_in(stage.operation.id.split("-")[1])
    return Needs(query={"state": state, "code": code})


@request_of("post-codex-callback")
async def _caught(stage: Stage) -> Needs:
    state, code, verifier = await stage.signed_in("codex")
    return Needs(body={"state": state, "code": code, "code_verifier": verifier})
