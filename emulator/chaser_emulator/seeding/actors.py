"""Who makes the things of a seed: a user in an account, as the seed names both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaser_emulator.acting import Acting
from chaser_emulator.admission import Principal, select_account
from chaser_emulator.seeding.references import PERSONAL
from chaser_emulator.store import accounts, identity
from chaser_emulator.world import FIRST_USER, World


class Actors:
    """Those of one world, each looked up once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[tuple[str, str], Acting] = {}

    def forget(self) -> None:
        """Look everybody up anew: the plan of an account has changed."""
        self._known.clear()

    async def of(self, item: Mapping[str, Any], by: str = "as") -> Acting:
        """Who makes something, in its account; the check of references has found both."""
        account, email = str(item.get("account") or PERSONAL).strip(), str(item.get(by) or "")
        if account.lower() == PERSONAL:
            account = ""
        key = (account.lower(), email.lower())
        if key not in self._known:
            self._known[key] = await self._found(account, email)
        return self._known[key]

    async def _found(self, account: str, email: str) -> Acting:
        store = self._world.store
        owner = await accounts.user_by_email(store, account) if "@" in account else None
        if owner is not None:
            return await self._acting(owner["id"], None)
        if not account:
            user = await accounts.user_by_email(store, email or FIRST_USER[0])
            if user is None or not email:
                return await self._acting(str(await identity.fact(store, "first_user")), None)
            return await self._acting(user["id"], None)
        found = await accounts.organization(store, account)
        assert found is not None  # noqa: S101 - see above
        user = await accounts.user_by_email(store, email) if email else None
        return await self._acting(user["id"] if user is not None else found["first_owner"], found["id"])

    async def _acting(self, user_id: str, account_id: str | None) -> Acting:
        principal = Principal("user", user_id, None, None, None)
        return Acting(self._world, principal, await select_account(self._world.store, principal, account_id))
