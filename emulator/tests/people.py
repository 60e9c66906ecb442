"""People with accounts and keys of their own, for tests about who may do what."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from chaser_emulator.clock import Clock, new_secret_key
from chaser_emulator.server import Running
from chaser_emulator.store import Store, identity
from databases import inside
from emulators import http_of


@dataclass(frozen=True)
class Person:
    """A user whose key is bound to no account, as a sign-in is."""

    user_id: str
    email: str
    key: str


@dataclass(frozen=True)
class Organization:
    """An organization, and a client a member with this role, each acting in it."""

    id: str
    name: str
    owner: httpx.Client
    admin: httpx.Client
    member: httpx.Client
    outsider: httpx.Client
    people: dict[str, Person]


def person(emulator: Running, email: str | None = None, plan: str = "pro") -> Person:
    """A new user, put where signing in would put them; or the user with this address, given a key."""
    address = email or f"{uuid.uuid4().hex[:12]}@example.com"

    async def make(store: Store) -> Person:
        async with store.transaction() as tx:
            at, secret = Clock().timestamp(), new_secret_key()
            known = await tx.one("SELECT id FROM users WHERE email = ?", address)
            user_id = known["id"] if known else (await identity.add_user(tx, address, "Ada", plan=plan, at=at))[0]
            await identity.add_key(tx, secret, at=at, account_id=None, user_id=user_id)
            return Person(user_id, address, secret)

    return inside(emulator, make)


@contextmanager
def organization_of(emulator: Running) -> Iterator[Organization]:
    """A fresh organization with an owner, an admin and a plain member, and somebody who does not belong."""
    people = {role: person(emulator) for role in ("owner", "admin", "member", "outsider")}
    with ExitStack() as stack:
        first = stack.enter_context(http_of(emulator, people["owner"].key))
        made = ok(first.post("/v1/accounts/organizations", json={"name": f"org-{uuid.uuid4().hex[:8]}"}))["account"]
        clients = {
            role: stack.enter_context(http_of(emulator, one.key, made["id"] if role != "outsider" else None))
            for role, one in people.items()
        }
        for role in ("admin", "member"):
            body = {"email": people[role].email, "role": role}
            ok(clients["owner"].post("/v1/accounts/current/members", json=body))
        yield Organization(made["id"], made["name"], people=people, **clients)


def ok(response: httpx.Response) -> Any:
    """The JSON of an answer that must be a success."""
    assert response.status_code in (200, 204), f"{response.status_code}: {response.text}"
    return response.json() if response.content else None


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The JSON of a refusal that must have this status and code, in the one form of all of them (G1)."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"], body["error"]) == (status, code, code), body
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["message"]
    assert response.headers["content-type"] == "application/json"
    return body


def failed_audits(client: httpx.Client, action: str) -> list[dict[str, Any]]:
    """The refusals of an action in the client's account, newest first."""
    found = ok(client.get("/v1/audit/events", params={"action": action, "status": "failure"}))
    events: list[dict[str, Any]] = found["events"]
    return events
