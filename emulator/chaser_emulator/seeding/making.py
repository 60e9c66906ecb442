"""The things of a seed, each made for whom the seed says, and told by the name that it gives."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from chaser_emulator import billing, usage
from chaser_emulator.acting import Acting
from chaser_emulator.clock import timestamp
from chaser_emulator.errors import ApiError
from chaser_emulator.plans import PLANS
from chaser_emulator.seeding import filling, past
from chaser_emulator.seeding.actors import Actors
from chaser_emulator.seeding.placing import at
from chaser_emulator.seeding.problems import Path
from chaser_emulator.seeding.references import PERSONAL, owner_of
from chaser_emulator.seeding.text import SeedText
from chaser_emulator.store import accounts, identity, logins, sessions, webhooks
from chaser_emulator.store import billing as wallets
from chaser_emulator.webhooks.signing import preview
from chaser_emulator.world import KnownKey, World

Json = dict[str, Any]

_OWN = ("name", "account", "as", "owner")
_DEFAULT_PLAN = "pro"


class Making:
    """Makes the things of one seed in one world. `ids` and `keys` tell of what was made, `queued` of the jobs."""

    def __init__(self, world: World, seed: SeedText, sources: filling.Sources, *, draw_keys: bool) -> None:
        self._world = world
        self._seed = seed
        self._sources = sources
        self._draw_keys = draw_keys
        self._actors = Actors(world)
        self.ids: dict[str, Json] = {}
        self.keys: dict[str, KnownKey] = {}
        self.queued: list[str] = []

    async def _do(self, who: Acting, operation: str, body: Any = None, path: Mapping[str, str] | None = None) -> Any:
        return await self._world.perform(who, operation, body, path=path)

    def _note(self, path: Path, item: Mapping[str, Any], told: Any, name: str | None = None) -> None:
        """Tell of something by its name, or else its number; of two in different accounts the second by both."""
        section = str(path[0])
        named = self.ids.setdefault(section, {})
        name = name or item.get("name") or str(path[1])
        named[name if name not in named else f"{item.get('account', PERSONAL)}/{name}"] = told

    # Accounts, and who acts for them

    async def bill(self, account_id: str, item: Mapping[str, Any]) -> None:
        """Put an account on a plan, and money into its wallet; the API offers either for a payment alone."""
        if "plan" not in item and "wallet_balance_usd" not in item:
            return
        async with self._world.store.transaction() as tx:
            now = self._world.clock.now()
            if "plan" in item:
                await billing.change_plan(tx, account_id, PLANS[item["plan"]], now)
            if "wallet_balance_usd" in item:
                await usage.standing(tx, account_id, now)
                await wallets.set_wallet(tx, account_id, billing.micros_of(item["wallet_balance_usd"]), 0)
        self._actors.forget()

    async def users(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Everybody, each with a personal account."""
        # Slow on purpose, so each password is hashed once, however many have it; a seed is no place for real ones.
        passwords = list(dict.fromkeys(user["password"] for user in items if "password" in user))
        hashed = await asyncio.gather(*(self._world.passwords.hash(password) for password in passwords))
        hashes = dict(zip(passwords, hashed, strict=True))
        for index, user in enumerate(items):
            await self._user(index, user, hashes.get(user.get("password")))

    async def _user(self, index: int, user: Mapping[str, Any], hashed: str | None) -> None:
        async with self._world.store.transaction() as tx:
            now, plan = self._world.clock.timestamp(), user.get("plan", _DEFAULT_PLAN)
            name = (user.get("name") or "").strip()
            user_id, account_id = await identity.add_user(tx, user["email"], name, plan=plan, at=now)
            if hashed is not None:
                await logins.set_password(tx, user_id, hashed, now)
        await self.bill(account_id, {name: user[name] for name in ("wallet_balance_usd",) if name in user})
        self._note(("users", index), user, {"id": user_id, "account_id": account_id}, user["email"])

    async def organization(self, path: Path, item: Mapping[str, Any]) -> None:
        owner = owner_of(item)
        made = await self._do(await self._actors.of({"as": owner}), "create-organization", {"name": item["name"]})
        account_id = made["account"]["id"]
        await self.bill(account_id, item)
        who = await self._actors.of({"account": item["name"], "as": owner})
        for number, member in enumerate(item.get("members", [])):
            if member["email"].lower() != owner.lower():
                async with at(self._seed, *path, "members", number):
                    await self._do(who, "add-current-member", dict(member))
        self._note(path, item, account_id, item["name"].strip())

    async def service_account(self, path: Path, item: Mapping[str, Any]) -> None:
        who = await self._actors.of(item)
        made = await self._do(who, "create-current-service-account", {"name": item["name"]})
        said = made["service_account"]["id"]
        for number, key in enumerate(item.get("keys", [])):
            async with at(self._seed, *path, "keys", number):
                body = {name: key[name] for name in ("name", "scopes") if name in key}
                fresh = await self._do(who, "create-current-service-account-key", body, {"said": said})
                name = key.get("name", f"{item['name'].strip()}/{number}")
                await self._keep_key(name, fresh, key)
                if key.get("revoked"):
                    where = {"said": said, "kid": fresh["id"]}
                    await self._do(who, "revoke-current-service-account-key", None, where)
        if item.get("disabled"):
            async with self._world.store.transaction() as tx:
                await accounts.disable_service_account(tx, said, self._world.clock.timestamp())
        self._note(path, item, said, item["name"].strip())

    async def key(self, path: Path, item: Mapping[str, Any]) -> None:
        who = await self._actors.of(item, "owner")
        body = {name: item[name] for name in ("name", "scopes") if name in item}
        made = await self._do(who, "create-key", body)
        await self._keep_key(item.get("name", str(path[1])), made, item)
        if item.get("revoked"):
            await self._do(who, "revoke-key", None, {"id": made["id"]})

    async def _keep_key(self, name: str, made: Mapping[str, Any], item: Mapping[str, Any]) -> None:
        """Note a key under its name, with the text that the seed has chosen for it, if it has."""
        text = made["key"] if self._draw_keys else item.get("api_key", made["key"])
        if text != made["key"]:
            async with self._world.store.transaction() as tx:
                await identity.renew_key(tx, made["id"], text)
        self.ids.setdefault("keys", {})[name] = {"id": made["id"], "api_key": text}
        self.keys[name] = KnownKey(made["id"], text)

    async def ssh_key(self, path: Path, item: Mapping[str, Any]) -> None:
        body = {name: item[name] for name in ("public_key", "name") if name in item}
        made = await self._do(await self._actors.of(item, "owner"), "create-ssh-key", body)
        self._note(path, item, made["key"]["id"], made["key"].get("name"))

    # What they have

    async def workspace(self, path: Path, item: Mapping[str, Any]) -> None:
        who = await self._actors.of(item)
        body = {name: part for name, part in item.items() if name not in ("account", "as", "files", "snapshots")}
        made = await self._do(who, "create-workspace", body)
        held: Mapping[str, Any] | None = None
        for number, snapshot in enumerate(item.get("snapshots", [])):
            async with at(self._seed, *path, "snapshots", number):
                named: Mapping[str, Any] = {"name": snapshot} if isinstance(snapshot, str) else snapshot
                files = named.get("files", item.get("files", {}))
                if files and files != held:
                    await filling.fill(self._world, made["id"], files, self._sources)
                    held = files
                await self._do(who, "create-workspace-snapshot", {"name": named["name"]}, {"ws": made["id"]})
        files = item.get("files", {})
        if files != (held or {}):
            await filling.fill(self._world, made["id"], files, self._sources)
        self._note(path, item, made["id"], made.get("name"))

    async def assistant(self, path: Path, item: Mapping[str, Any]) -> None:
        who = await self._actors.of(item)
        body = {name: part for name, part in item.items() if name not in ("account", "as", "paused")}
        made = (await self._do(who, "create-assistant", body))["assistant"]
        if item.get("paused"):
            await self._do(who, "pause-assistant", None, {"id": made["id"]})
        self._note(path, item, made["id"])

    async def session(self, path: Path, item: Mapping[str, Any]) -> None:
        if "ended_at" in item:
            self._note(path, item, await past.session(self._world, await self._actors.of(item), self._seed, path, item))
            return
        who = await self._actors.of(item)
        own = (*_OWN, "status", "created_at", "ended_at", "commands")
        made = await self._do(who, "create-session", {name: part for name, part in item.items() if name not in own})
        if made["status"] != sessions.RUNNING:
            row = await sessions.get(self._world.store, made["id"])
            reason = row["failure"] if row is not None and row["failure"] else f"it is {made['status']}"
            raise ApiError("sandbox_unavailable", f"does not run: {reason}")
        for number, command in enumerate(item.get("commands", [])):
            async with at(self._seed, *path, "commands", number):
                body = {"command": command} if isinstance(command, str) else command
                await self._do(who, "exec-session", body, {"id": made["id"]})
        if item.get("status") == sessions.TERMINATED:
            await self._do(who, "terminate-session", None, {"id": made["id"]})
        self._note(path, item, made["id"])

    async def job(self, path: Path, item: Mapping[str, Any]) -> None:
        body = {name: part for name, part in item.items() if name not in _OWN}
        if "run_at" in item:
            body["run_at"] = timestamp(past.moment_of(item["run_at"], self._world.clock.now()))
        made = await self._do(await self._actors.of(item), "create-job", body)
        self.queued.append(made["id"])
        self._note(path, item, made["id"])

    async def webhook(self, path: Path, item: Mapping[str, Any]) -> None:
        who, world = await self._actors.of(item), self._world
        url = world.sink.address(item["sink"]) if "sink" in item else item["url"]
        body = {"url": url} | {name: item[name] for name in ("events", "description") if name in item}
        made = await self._do(who, "create-webhook", body)
        webhook_id, secret = made["webhook"]["id"], item.get("signing_secret", made["signing_secret"])
        if secret != made["signing_secret"]:
            sealed = await asyncio.to_thread(world.vault.seal, secret)
            async with world.store.transaction() as tx:
                await webhooks.set_secret(tx, webhook_id, sealed, preview(secret))
        self._note(path, item, {"id": webhook_id, "url": url, "signing_secret": secret})
