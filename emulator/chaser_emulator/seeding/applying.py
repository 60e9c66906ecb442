"""A checked seed -> a world: by the API's own operations where it has any, so that all rules hold; or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from chaser_emulator import billing, events, stubs, usage
from chaser_emulator.acting import Acting
from chaser_emulator.clock import moment, timestamp
from chaser_emulator.errors import ApiError
from chaser_emulator.plans import PLANS
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.sandbox.stubs import Added
from chaser_emulator.seeding import filling, past
from chaser_emulator.seeding.actors import Actors
from chaser_emulator.seeding.problems import Path, SeedError, SeedProblem
from chaser_emulator.seeding.references import PERSONAL, owner_of
from chaser_emulator.seeding.text import SeedText
from chaser_emulator.spec import Spec
from chaser_emulator.store import accounts, deliveries, identity, jobs, logins, sessions, webhooks
from chaser_emulator.store import billing as wallets
from chaser_emulator.webhooks.signing import preview
from chaser_emulator.world import KnownKey, World

Json = dict[str, Any]

_OWN = ("name", "account", "as", "owner")
_DEFAULT_PLAN = "pro"

_PATIENCE = 10.0
"""Real seconds that a seed waits for jobs and deliveries of its own that are due."""

_LOOK = 0.005
"""Real seconds between two looks at them."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Applying:
    """One seed on its way into one world."""

    def __init__(self, world: World, text: SeedText, spec: Spec, sources: filling.Sources, *, draw_keys: bool) -> None:
        self._world = world
        self._text = text
        self._spec = spec
        self._sources = sources
        self._draw_keys = draw_keys
        self._sessions: list[str] = []
        self._jobs: list[str] = []
        self._stubs: list[Added] = []
        self._faults: dict[str, str] = {}
        self._ids: dict[str, Json] = {}
        self._keys: dict[str, KnownKey] = {}
        self._actors = Actors(world)

    async def apply(self, value: Mapping[str, Any]) -> Json:
        """Make everything; answers ids by section and name. Raises SeedError, after which nothing has changed."""
        world = self._world
        before, clock = await world.store.image(), world.clock.state()
        try:
            await self._all(value)
        except BaseException:
            await asyncio.shield(self._take_back(before, clock))
            raise
        world.keys.update(self._keys)
        return self._ids

    async def _all(self, value: Mapping[str, Any]) -> None:
        if (clock := value.get("clock")) is not None:
            await self._set_clock({"at": clock} if isinstance(clock, str) else clock)
        if "billing" in value:
            async with self._at("billing"):
                await self._bill(self._world.account_id, value["billing"])
        users = value.get("users", [])
        # Slow on purpose, so each password is hashed once, however many have it; a seed is no place for real ones.
        passwords = list(dict.fromkeys(user["password"] for user in users if "password" in user))
        hashed = await asyncio.gather(*(self._world.passwords.hash(password) for password in passwords))
        hashes = dict(zip(passwords, hashed, strict=True))
        for index, user in enumerate(users):
            await self._user(index, user, hashes.get(user.get("password")))
        early = [one.get("from_start", False) for one in value.get("webhooks", [])]
        for section, make in (
            ("organizations", self._organization),
            ("service_accounts", self._service_account),
            ("keys", self._key),
            ("ssh_keys", self._ssh_key),
        ):
            await self._each(value, section, make)
        await self._each(value, "webhooks", self._webhook, early)
        await self._each(value, "workspaces", self._workspace)
        await self._each(value, "assistants", self._assistant)
        if value.get("stubs"):
            await self._add_stubs(value["stubs"])
        await self._each(value, "sessions", self._session)
        await self._each(value, "jobs", self._job)
        await self._at_rest(deliveries_too=any(early))
        await self._each(value, "webhooks", self._webhook, [not one for one in early])
        if value.get("faults"):
            await self._add_faults(value["faults"])

    async def _each(self, value: Mapping[str, Any], section: str, make: Any, chosen: list[bool] | None = None) -> None:
        for index, item in enumerate(value.get(section, [])):
            if chosen is None or chosen[index]:
                async with self._at(section, index):
                    await make((section, index), item)

    # Where it fails, and what then

    @asynccontextmanager
    async def _at(self, *path: str | int) -> AsyncIterator[None]:
        """Give whatever is refused within the block its place in the seed."""
        try:
            yield
        except ApiError as error:
            raise self._refused(error, path) from error
        except SandboxError as error:
            raise self._refused(ApiError("sandbox_unavailable", str(error)), path) from error

    def _refused(self, error: ApiError, path: Path) -> SeedError:
        problems = []
        for problem in error.problems if error.problems and error.problems[0].location == "body" else ():
            where = (*path, *_steps(problem.pointer))
            problems.append(SeedProblem(self._text.place(*where), where, problem.message, error.code))
        if not problems:
            problems = [SeedProblem(self._text.place(*path), path, error.message, error.code)]
        return SeedError(self._text.name, problems, applying=True)

    async def _take_back(self, before: bytes, clock: Json) -> None:
        """Make the world what it was: end what was started, then put the whole database back."""
        world = self._world
        for job_id in self._jobs:
            row = await world.store.one("SELECT * FROM jobs WHERE id = ?", job_id)
            if row is not None:
                with contextlib.suppress(ApiError):
                    await world.jobs.cancel(row)
        for session_id in self._sessions:
            row = await sessions.get(world.store, session_id)
            if row is not None and row["ended_at"] is None:
                await world.lifecycle.terminate(row, force=True, actor=events.SYSTEM, audited=False)
        for fault_id in self._faults.values():
            world.faults.remove(fault_id)
        for added in self._stubs:
            stubs.of_world(world).remove(added.id)
        if clock["frozen"] is None:
            world.clock.set("real")
        world.clock.restore(clock)
        await world.store.restore(before)
        await world.disks.clear()
        await world.agenda.settle()

    async def _do(self, who: Acting, operation: str, body: Any = None, path: Mapping[str, str] | None = None) -> Any:
        return await self._world.perform(who, operation, body, path=path)

    def _note(self, path: Path, item: Mapping[str, Any], told: Any, name: str | None = None) -> None:
        """Tell of something by its name, or else its number; of two in different accounts the second by both."""
        section = str(path[0])
        named = self._ids.setdefault(section, {})
        name = name or item.get("name") or str(path[1])
        named[name if name not in named else f"{item.get('account', PERSONAL)}/{name}"] = told

    # What is made

    async def _set_clock(self, clock: Mapping[str, Any]) -> None:
        async with self._world.agenda.moving:
            at = moment(clock["at"].upper()) if "at" in clock else None
            await self._world.set_clock(clock.get("mode", "frozen"), at)

    async def _bill(self, account_id: str, item: Mapping[str, Any]) -> None:
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

    async def _user(self, index: int, user: Mapping[str, Any], hashed: str | None) -> None:
        async with self._world.store.transaction() as tx:
            at, plan = self._world.clock.timestamp(), user.get("plan", _DEFAULT_PLAN)
            name = (user.get("name") or "").strip()
            user_id, account_id = await identity.add_user(tx, user["email"], name, plan=plan, at=at)
            if hashed is not None:
                await logins.set_password(tx, user_id, hashed, at)
        await self._bill(account_id, {name: user[name] for name in ("wallet_balance_usd",) if name in user})
        self._note(("users", index), user, {"id": user_id, "account_id": account_id}, user["email"])

    async def _organization(self, path: Path, item: Mapping[str, Any]) -> None:
        owner = owner_of(item)
        made = await self._do(await self._actors.of({"as": owner}), "create-organization", {"name": item["name"]})
        account_id = made["account"]["id"]
        await self._bill(account_id, item)
        who = await self._actors.of({"account": item["name"], "as": owner})
        for number, member in enumerate(item.get("members", [])):
            if member["email"].lower() != owner.lower():
                async with self._at(*path, "members", number):
                    await self._do(who, "add-current-member", dict(member))
        self._note(path, item, account_id, item["name"].strip())

    async def _service_account(self, path: Path, item: Mapping[str, Any]) -> None:
        who = await self._actors.of(item)
        made = await self._do(who, "create-current-service-account", {"name": item["name"]})
        said = made["service_account"]["id"]
        for number, key in enumerate(item.get("keys", [])):
            async with self._at(*path, "keys", number):
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

    async def _key(self, path: Path, item: Mapping[str, Any]) -> None:
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
        self._ids.setdefault("keys", {})[name] = {"id": made["id"], "api_key": text}
        self._keys[name] = KnownKey(made["id"], text)

    async def _ssh_key(self, path: Path, item: Mapping[str, Any]) -> None:
        body = {name: item[name] for name in ("public_key", "name") if name in item}
        made = await self._do(await self._actors.of(item, "owner"), "create-ssh-key", body)
        self._note(path, item, made["key"]["id"], made["key"].get("name"))

    async def _workspace(self, path: Path, item: Mapping[str, Any]) -> None:
        who = await self._actors.of(item)
        body = {name: part for name, part in item.items() if name not in ("account", "as", "files", "snapshots")}
        made = await self._do(who, "create-workspace", body)
        held: Mapping[str, Any] | None = None
        for number, snapshot in enumerate(item.get("snapshots", [])):
            async with self._at(*path, "snapshots", number):
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

    async def _assistant(self, path: Path, item: Mapping[str, Any]) -> None:
        who = await self._actors.of(item)
        body = {name: part for name, part in item.items() if name not in ("account", "as", "paused")}
        made = (await self._do(who, "create-assistant", body))["assistant"]
        if item.get("paused"):
            await self._do(who, "pause-assistant", None, {"id": made["id"]})
        self._note(path, item, made["id"])

    async def _session(self, path: Path, item: Mapping[str, Any]) -> None:
        if "ended_at" in item:
            self._note(path, item, await past.session(self._world, await self._actors.of(item), self._text, path, item))
            return
        who = await self._actors.of(item)
        own = (*_OWN, "status", "created_at", "ended_at", "commands")
        made = await self._do(who, "create-session", {name: part for name, part in item.items() if name not in own})
        self._sessions.append(made["id"])
        if made["status"] != sessions.RUNNING:
            row = await sessions.get(self._world.store, made["id"])
            reason = row["failure"] if row is not None and row["failure"] else f"it is {made['status']}"
            raise ApiError("sandbox_unavailable", f"does not run: {reason}")
        for number, command in enumerate(item.get("commands", [])):
            async with self._at(*path, "commands", number):
                body = {"command": command} if isinstance(command, str) else command
                await self._do(who, "exec-session", body, {"id": made["id"]})
        if item.get("status") == sessions.TERMINATED:
            await self._do(who, "terminate-session", None, {"id": made["id"]})
        self._note(path, item, made["id"])

    async def _job(self, path: Path, item: Mapping[str, Any]) -> None:
        body = {name: part for name, part in item.items() if name not in _OWN}
        if "run_at" in item:
            body["run_at"] = timestamp(past.moment_of(item["run_at"], self._world.clock.now()))
        made = await self._do(await self._actors.of(item), "create-job", body)
        self._jobs.append(made["id"])
        self._note(path, item, made["id"])

    async def _at_rest(self, *, deliveries_too: bool) -> None:
        """Wait for what is due of it, so that a seed leads to the same world each time; but not for ever."""

        async def busy() -> bool:
            store, now = self._world.store, self._world.clock.timestamp()
            if self._jobs and await jobs.any_due(store, self._jobs, now):
                return True
            return deliveries_too and await deliveries.any_due(store, now)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while await busy():  # noqa: ASYNC110 - the store forgets no listener
                    await asyncio.sleep(_LOOK)

    async def _add_stubs(self, values: list[Json]) -> None:
        async with self._at("stubs"):
            self._stubs = stubs.of_world(self._world).add(*stubs.read_all(values, ""))

    async def _add_faults(self, values: list[Json]) -> None:
        for index, value in enumerate(values):
            async with self._at("faults", index):
                [added] = await self._world.faults.add([value], self._spec)
                self._faults[str(index)] = added.fault.id
        self._ids["faults"] = self._faults

    async def _webhook(self, path: Path, item: Mapping[str, Any]) -> None:
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


def _steps(pointer: str) -> list[str | int]:
    """The parts of a JSON pointer; numbers are those of a list."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    return [int(part) if part.isdecimal() else part for part in parts]
