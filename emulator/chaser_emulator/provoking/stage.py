"""Where a refusal is arranged: an account, who calls in it, what was made there, and how that is undone."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chaser_emulator.acting import Acting
from chaser_emulator.admission import Account, Principal, select_account
from chaser_emulator.clock import new_hex, new_id, new_secret_key, new_token, timestamp
from chaser_emulator.errors import ApiError
from chaser_emulator.logins import challenge_of
from chaser_emulator.plans import FREE
from chaser_emulator.provoking.planned import Concerned
from chaser_emulator.sandbox.failing import Failure
from chaser_emulator.sandbox.failing import Operation as EngineOperation
from chaser_emulator.spec import Operation, Spec
from chaser_emulator.store import identity, keys, logins, sessions

if TYPE_CHECKING:
    from chaser_emulator.provoking.stand_in_browser import StandIn
    from chaser_emulator.world import World

_log = logging.getLogger(__name__)

ROOMY = "team"
"""The plan of an account that is made for a refusal which has nothing to do with plans."""

_CHUNK = 2**18

Undo = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Caller:
    """Somebody with a credential, acting in an account; `selector` names it where the credential does not."""

    key: str
    principal: Principal
    account: Account
    selector: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        own = {"Authorization": f"Bearer {self.key}"}
        return own if self.selector is None else own | {"X-Chaser-Account": self.selector}


@dataclass
class Stage:
    """One refusal in the making.

    `own` says that it is for the world's own client, in the account of that; else all happens in an account made for
    it. `request_id` is that of the one request it is for, None where the user's client is to send it. `given` are
    parameters of the path that the user has chosen.
    """

    world: World
    spec: Spec
    operation: Operation
    caller: Caller
    own: bool
    request_id: str | None
    given: Mapping[str, str] = field(default_factory=dict)
    arranged: list[str] = field(default_factory=list)
    """What was arranged, in words."""
    browser: StandIn | None = None
    """The browser that the request is about, once it is there."""
    _undoing: list[Undo] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.arranged.append(text)

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Keep to itself what is said in the block: one of many that are alike."""
        before = len(self.arranged)
        yield
        del self.arranged[before:]

    def name(self) -> str:
        """A name for something that is made, which nothing else has."""
        return f"provoked-{new_hex(8)}"

    # What a set-up does

    async def perform(
        self, operation_id: str, body: Any = None, *, query: Mapping[str, Any] | None = None, **path: str
    ) -> Any:
        """As `perform_at`, with the parameters of the path by name."""
        return await self.perform_at(operation_id, path, body, query=query)

    async def perform_at(
        self, operation_id: str, path: Mapping[str, str], body: Any = None, *, query: Mapping[str, Any] | None = None
    ) -> Any:
        """Perform an operation as the caller, not by a request of its own; answers its JSON.

        It is audited and told of as any other. Raises ApiError `invalid_state` where the world does not allow it.
        """
        who = Acting(self.world, self.caller.principal, self.caller.account, request_id=f"provoked-{new_hex(16)}")
        try:
            return await self.world.perform(who, operation_id, body, path=path, query=query)
        except ApiError as error:
            text = f"{self.operation.id} cannot be made to refuse that way now: {operation_id} was refused itself"
            raise ApiError("invalid_state", f"{text} ({error.code}: {error.message})") from None

    async def move_to_plan(self, plan: str) -> None:
        """Go on as somebody new, on another plan."""
        self.caller = await newcomer(self.world, plan)
        self.say(f"an account on the plan {plan}")

    async def enter_organization(self, *, fresh: bool = False) -> None:
        """Go on in a new organization of the caller's, or, unless it is to be fresh, in the one that they are in."""
        if fresh or self.caller.account.personal:
            made = await self.perform("create-organization", {"name": self.name()})
            self.say(f"an organization, {made['account']['name']}")
            self.caller = await self._caller(self.caller.key, self.caller.principal, made["account"]["id"])

    async def key(
        self,
        *,
        account_id: str | None = None,
        user_id: str | None = None,
        service_account_id: str | None = None,
        scopes: list[str] | None = None,
    ) -> str:
        """The secret of a new key, by default of the caller's own."""
        secret = new_secret_key()
        if user_id is None and service_account_id is None:
            user_id = self.caller.principal.id
        async with self.world.store.transaction() as tx:
            row = await identity.add_key(
                tx,
                secret,
                at=self.world.clock.timestamp(),
                account_id=account_id,
                user_id=user_id,
                service_account_id=service_account_id,
                name=self.name(),
                scopes=scopes,
            )

        async def revoke() -> None:
            async with self.world.store.transaction() as tx:
                await keys.revoke(tx, row["id"], self.world.clock.timestamp())

        self.undo_own(revoke)
        return secret

    async def member(self, role: str = "member") -> tuple[str, str]:
        """Somebody new in the caller's organization: (user id, address)."""
        email = f"{self.name()}@example.com"
        made = await self.perform("add-current-member", {"email": email, "role": role})
        user_id = str(made["member"]["user_id"])

        async def remove() -> None:
            await self.perform("remove-current-member", uid=user_id)

        self.undo_own(remove)
        return user_id, email

    async def register(self, email: str, password: str) -> None:
        """Make a user who signs in by password."""
        hashed = await self.world.passwords.hash(password)
        async with self.world.store.transaction() as tx:
            at = self.world.clock.timestamp()
            user_id, _ = await identity.add_user(tx, email, "", plan=FREE, at=at)
            await logins.set_password(tx, user_id, hashed, at)

    async def signed_in(self, provider: str) -> tuple[str, str, str]:
        """(state, code, verifier) of a sign-in at whose page somebody has said who they are."""
        state, code, verifier = new_token(), new_token(), new_token()
        now, account = self.world.clock.now(), self.caller.account
        owner = logins.Owner(account.id, self.caller.principal.id, None) if provider == "codex" else None
        async with self.world.store.transaction() as tx:
            await logins.start(
                tx,
                state,
                provider=provider,
                verifier=self.world.vault.seal(verifier),
                callback=f"{self.world.lifecycle.base_url}/auth/{provider}/callback",
                redirect_uri=None,
                owner=owner,
                at=timestamp(now),
                expires_at=timestamp(now + timedelta(minutes=10)),
            )
            email, challenge = f"{self.name()}@example.com", challenge_of(verifier)
            await logins.chosen(tx, state, email=email, code=code, code_challenge=challenge)
        self.say(f"a sign-in of {email} that is to come back")
        return state, code, verifier

    async def write_file(self, session_id: str, path: str, content: bytes) -> None:
        """Put a file of any size into a sandbox."""
        row = await sessions.get(self.world.store, session_id)

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(content), _CHUNK):
                yield content[start : start + _CHUNK]

        if row is not None and row["ref"] is not None:
            await self.world.engine.write_file(row["ref"], path, chunks())
            self.say(f"a file of {len(content)} bytes in it, {path}")

    async def _caller(self, key: str, principal: Principal, selector: str | None) -> Caller:
        account = await select_account(self.world.store, principal, selector)
        return Caller(key, principal, account, selector)

    # What is broken for a while

    @property
    def concerned(self) -> Concerned:
        """The calls that a failure is for: the one that is sent, or those of the user's client."""
        principal = self.caller.principal.id if self.operation.secured else None
        return Concerned(self.operation.id, principal, self.request_id)

    def engine_fails(self, operation: EngineOperation, failure: Failure, *, session_id: str | None = None) -> None:
        """Let the engine fail at this: within the call that is concerned, or whenever it is asked in this session."""
        concerned = self.concerned if session_id is None else None
        self.hold(self.world.planned.of_engine(operation, failure, concerned=concerned, session_id=session_id))

    def hold(self, context: AbstractContextManager[object]) -> None:
        """Enter a context now, and leave it when this is undone."""
        context.__enter__()

        async def leave() -> None:
            context.__exit__(None, None, None)

        self.undo(leave)

    def undo(self, work: Undo) -> None:
        """Have something done in the end; what was arranged last is undone first."""
        self._undoing.append(work)

    def undo_own(self, work: Undo) -> None:
        """As `undo`, for what is in nobody's way in an account that was made for this, and is in the user's."""
        if self.own:
            self.undo(work)

    async def strike(self) -> None:
        """Undo what was arranged: limits and engines are as before, and nothing goes on that was started."""
        while self._undoing:
            try:
                await self._undoing.pop()()
            except ApiError as error:
                # It has ended by itself, or the user's client has ended it.
                _log.debug("not to be undone: %s", error.message)


async def open_stage(
    world: World,
    spec: Spec,
    operation: Operation,
    *,
    own: bool,
    request_id: str | None,
    given: Mapping[str, str],
    account: str | None = None,
) -> Stage:
    """A stage in the account of the world's own client, or in one that is made for it.

    `account` is another one of that client's, by id or name. Raises ApiError `not_found` where it has no such account.
    """
    if own:
        key = world.api_key
        principal = await world.admission.principal(world.store, world.clock, f"Bearer {key}")
        found = await select_account(world.store, principal, account)
        caller = Caller(key, principal, found, None if account is None else found.id)
    else:
        caller = await newcomer(world)
    return Stage(world, spec, operation, caller, own, request_id, given)


async def newcomer(world: World, plan: str = ROOMY) -> Caller:
    """A new user with a key, on a plan on which nothing is short."""
    at, key, name = world.clock.timestamp(), new_secret_key(), f"provoked-{new_hex(8)}"
    async with world.store.transaction() as tx:
        user_id, account_id = await identity.add_user(tx, f"{name}@example.com", name, plan=plan, at=at)
        row = await identity.add_key(tx, key, at=at, account_id=None, user_id=user_id, name=name)
    principal = Principal("user", user_id, row["id"], None, None)
    return Caller(key, principal, await select_account(world.store, principal, account_id))


def unknown_id() -> str:
    """The id of nothing."""
    return new_id()
