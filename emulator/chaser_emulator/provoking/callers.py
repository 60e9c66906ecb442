"""Refusals of who calls: no credential, too little of one, another account, the wrong person, too often."""

from __future__ import annotations

from dataclasses import replace

from chaser_emulator.errors import ApiError
from chaser_emulator.provoking import resources
from chaser_emulator.provoking.arrangements import arranges
from chaser_emulator.provoking.requests import ApiRequest
from chaser_emulator.provoking.stage import Stage, unknown_id
from chaser_emulator.provoking.valid import request_at_all, request_for

_HARMLESS = "audit.read", "billing.read"
"""Scopes of keys that are to lack another one."""

_ELSEWHERE = "203.0.113.7"
"""An address that is kept for documentation, and that no machine has."""

_FOREIGN = "https://foreign.example"


@arranges("unauthorized", by="request")
async def without_credential(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    stage.say("the request carries no credential")
    return request.with_headers(Authorization=None)


@arranges(
    "unauthorized", "finish-google-login", "finish-github-login", "finish-codex-login", by="request"
)  # fmt: skip
async def with_unknown_state(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    stage.say("nobody has begun a sign-in with this state")
    return replace(request, query={**request.query, "state": unknown_id()})


@arranges("unauthorized", "post-codex-callback", by="request")
async def with_unknown_state_in_body(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    stage.say("nobody has begun a sign-in with this state")
    return request.with_body(state=unknown_id())


@arranges("invalid_credentials", "login", by="request")
async def with_wrong_password(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    stage.say("the password is another one")
    return request.with_body(password="another horse")  # noqa: S106 - no secret


@arranges("insufficient_scope", by="request")
async def with_another_scope(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    needed = stage.operation.scope
    scope = next(scope for scope in _HARMLESS if scope != needed)
    secret = await stage.key(account_id=stage.caller.account.id, scopes=[scope])
    wanted = {"full": "an unscoped key", "dynamic": "exec.write"}.get(str(needed), str(needed))
    stage.say(f"a key with the scope {scope} alone, where {wanted} is needed")
    return request.with_headers(Authorization=f"Bearer {secret}")


@arranges("account_mismatch", by="request")
async def with_key_of_another_account(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    account = stage.caller.account
    other = await stage.perform("create-organization", {"name": stage.name()})
    secret = await stage.key(account_id=other["account"]["id"])
    stage.say(f"a key that is bound to {other['account']['name']}, and X-Chaser-Account names {account.name}")
    return request.with_headers(Authorization=f"Bearer {secret}", X_Chaser_Account=account.id)


@arranges("forbidden", by="request")
async def by_somebody_who_may_not(stage: Stage) -> ApiRequest:
    """A plain member where roles matter, else a service account."""
    await stage.enter_organization()
    request = await request_for(stage)
    if stage.operation.roles is not None:
        user_id, email = await stage.member()
        secret = await stage.key(user_id=user_id)
        stage.say(f"{email} is a plain member of it, and calls")
    else:
        robot = await resources.service_account(stage)
        secret = await stage.key(account_id=stage.caller.account.id, service_account_id=robot)
        stage.say("the service account calls")
    return request.with_headers(Authorization=f"Bearer {secret}")


@arranges("forbidden", "register", by="request")
async def from_another_machine(stage: Stage) -> ApiRequest:
    if stage.own:
        raise ApiError(
            "cannot_be_provoked", "register lets in everybody on this machine: send the request from another one"
        )
    stage.say(f"the request comes from another machine, {_ELSEWHERE}, without the emulator's key")
    return replace(await request_for(stage), client=_ELSEWHERE)


@arranges("forbidden", "open-session-pty", "connect-browser", "connect-browser-target", by="request")
async def from_a_foreign_page(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    stage.say(f"the request comes from a page of {_FOREIGN}")
    return request.with_headers(Origin=_FOREIGN)


@arranges("rate_limited", by="state")
async def too_often(stage: Stage) -> ApiRequest:
    request = await request_at_all(stage)
    surface, world = stage.operation.rate, stage.world
    assert surface is not None  # noqa: S101 - the document declares the code for no other operation
    now = world.clock.now().timestamp()
    limit, put_back = world.meter.use_up(surface, stage.caller.principal.id, now)

    async def undo() -> None:
        put_back()

    stage.undo(undo)
    stage.say(f"the caller has made {limit} requests on {surface}, and may make no more for now")
    return request
