"""World: one isolated Chaser, made of its store, engine, clock, meter, journal and running sandboxes."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from chaser_emulator import engines, erase, leftovers
from chaser_emulator.acting import Perform
from chaser_emulator.admission import Admission
from chaser_emulator.agenda import Agenda
from chaser_emulator.bootstrap import Bootstrap
from chaser_emulator.browsers import Browsers
from chaser_emulator.clock import Clock, Mode, moment, new_id, timestamp
from chaser_emulator.commands import Commands
from chaser_emulator.disks import Disks
from chaser_emulator.faults import Faults
from chaser_emulator.gateway.connections import Connections
from chaser_emulator.gateway.terminals import Terminals
from chaser_emulator.happenings import Happenings
from chaser_emulator.insides import Insides
from chaser_emulator.jobs import Jobs
from chaser_emulator.journal import Journal
from chaser_emulator.keeper import Keeper
from chaser_emulator.lifecycle import Lifecycle
from chaser_emulator.meter import Meter
from chaser_emulator.passwords import Passwords
from chaser_emulator.plans import PLANS
from chaser_emulator.provoking.planned import PlannedFailures
from chaser_emulator.repositories import Repositories
from chaser_emulator.sandbox import Engine, EngineInfo
from chaser_emulator.sandbox.failing import FailingEngine
from chaser_emulator.settings import Settings
from chaser_emulator.storage import Storage
from chaser_emulator.store import Store, audit, identity
from chaser_emulator.tokens import Tokens
from chaser_emulator.vault import Vault
from chaser_emulator.wallets import Wallets
from chaser_emulator.webhooks.connecting import Dialer
from chaser_emulator.webhooks.delivering import Delivering
from chaser_emulator.webhooks.forgetting import Forgetting
from chaser_emulator.webhooks.sink import Sink

if TYPE_CHECKING:
    from chaser_emulator.sandbox.scripted import ScriptedEngine

CLOCK_FACT = "clock"
"""The fact that says where a clock that was set or moved stands."""

FIRST_USER = ("developer@localhost", "Developer")

DEFAULT = "default"
"""The id of the world that a server begins with, and that answers whoever names none."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """What a world begins with, instead of nothing: all that another one was at a moment.

    `vault_key` opens the secrets in its database (None: there are none), `engine` is a scripted engine with its files,
    which is forked once more for each world that begins so. `fill` puts disks into an engine that has none of them yet.
    `instance` is what the world is called among those of its engine, where it has been one before.
    """

    image: bytes = field(repr=False)
    """The whole database, as `Store.image` gives it. Forks of a world that does not change share it."""
    vault_key: bytes | None = field(default=None, repr=False)
    engine: ScriptedEngine | None = None
    fill: Callable[[Engine], Awaitable[None]] | None = None
    instance: str | None = None


@dataclass(frozen=True)
class KnownKey:
    """An API key whose text is known, as a seed named it; it is in memory alone."""

    id: str
    text: str = field(repr=False)


@dataclass(eq=False)
class World:
    """Everything one Chaser is made of; handlers reach it through their Call.

    `account_id` is the personal account of the first user, whose key the settings name (A27). `perform` is how jobs and
    tools perform operations; the pipeline, which knows the document, puts itself there. `keys` are further keys whose
    texts are known, by the names that a seed gave them. `beginning` is what it was once it was made, seeded or forked.
    """

    id: str
    settings: Settings
    data_dir: Path
    store: Store
    engine: Engine
    engine_info: EngineInfo
    engine_reason: str
    clock: Clock
    meter: Meter
    lifecycle: Lifecycle
    commands: Commands
    disks: Disks
    repositories: Repositories
    storage: Storage
    account_id: str
    terminals: Terminals
    browsers: Browsers
    vault: Vault
    agenda: Agenda
    tokens: Tokens
    admission: Admission
    journal: Journal
    connections: Connections
    happenings: Happenings
    insides: Insides
    planned: PlannedFailures
    """What fails because a refusal was asked for that comes of it."""
    faults: Faults
    keys: dict[str, KnownKey] = field(default_factory=dict)
    beginning: Beginning | None = None
    _copied: tuple[int, bytes] = (-1, b"")
    passwords: Passwords = field(default_factory=Passwords)
    perform: Perform = field(init=False)
    jobs: Jobs = field(init=False)
    sink: Sink = field(init=False)
    seeding: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by who applies a seed: what goes wrong with one takes everything back that has happened since."""

    @property
    def api_key(self) -> str:
        """The key of its first user."""
        return self.settings.api_key

    @property
    def selector(self) -> dict[str, str]:
        """What an address says for a browser, which has no key that would select the world."""
        return {} if self.id == DEFAULT else {"world": self.id}

    async def copy(self) -> Beginning:
        """All that it is now, for others to begin with. Disks of real engines are not in it."""
        from chaser_emulator.sandbox.layers import find
        from chaser_emulator.sandbox.scripted import ScriptedEngine

        engine = find(self.engine, ScriptedEngine)
        forked = await engine.fork(sandboxes=True) if engine is not None else None
        return Beginning(await self._image(), self.vault.exported(), forked)

    async def _image(self) -> bytes:
        """An image of the database, the same one while nothing is written."""
        version, image = self._copied
        if version != self.store.version:
            version, image = self.store.version, await self.store.image()
            if version == self.store.version:
                self._copied = version, image
        return image

    async def set_clock(self, mode: Mode, at: datetime | None = None) -> None:
        """Let the clock stand still or go, from a moment or from where it is, and see to what is due by it."""
        self.clock.set(mode, at)
        await self.keep_clock()
        await self.agenda.settle()

    async def keep_clock(self, at: datetime | None = None) -> None:
        """Write down where the clock stands, for the next start; with `at` as if it had moved on to there."""
        async with self.store.transaction() as tx:
            await identity.set_fact(tx, CLOCK_FACT, json.dumps(self.clock.state(at)))

    def plan_sessions(self, plan: str) -> int:
        """How many sessions may live at once in an account on this plan."""
        return self.settings.max_sessions or PLANS[plan].max_concurrency


@asynccontextmanager
async def open_world(
    settings: Settings,
    engine: Engine | None = None,
    base_url: str | None = None,
    own_ports: Collection[int] = (),
    *,
    world_id: str = DEFAULT,
    beginning: Beginning | None = None,
    folder: Path | None = None,
) -> AsyncIterator[World]:
    """Open a world on its data directory, put right what a crash left, and close it again.

    `engine` takes the place of the one that the settings name; `base_url` and `own_ports` are where the world is to be
    found once it is served. With `beginning` it begins anew with that, whatever was there. `folder` is where an
    ephemeral world puts what it cannot keep in memory, in place of a temporary one. Raises StoreError and
    SandboxUnavailable.
    """
    async with AsyncExitStack() as stack:
        data_dir = _data_dir(settings, folder, stack)
        if beginning is not None and beginning.engine is not None and engine is None:
            engine = await beginning.engine.fork(sandboxes=True)
        # What a killed emulator has left of a real engine is known by the database in its folder.
        scripted = settings.sandbox == "scripted" if engine is None else engine.name == "scripted"
        in_memory = settings.data_dir is None and scripted
        store = await Store.open(
            None if in_memory else data_dir / "chaser.db",
            durable=settings.data_dir is not None,
            image=None if beginning is None else beginning.image,
        )
        stack.push_async_callback(store.close)
        vault = Vault(None if in_memory else data_dir)
        if beginning is not None:
            vault.replace(beginning.vault_key)
        clock = Clock()
        if kept := await identity.fact(store, CLOCK_FACT):
            clock.restore(json.loads(kept))
            if clock.mode == "frozen":
                await _go_past(store, clock)
        anew = None if beginning is None else beginning.instance or new_id()
        account_id, instance = await _first_account(store, clock, settings, anew)
        chosen, reason = (engine, "") if engine is not None else await engines.choose(settings, data_dir, instance)
        planned, faults = PlannedFailures(), Faults(store)
        if chosen.name != "scripted":
            from chaser_emulator.sandbox.recording import RecordingEngine

            chosen = RecordingEngine(chosen)
        chosen = failing = FailingEngine(chosen)
        failing.plan = lambda attempt: planned.engine_failure(attempt) or faults.engine_failure(attempt)
        info = await chosen.open()
        stack.push_async_callback(chosen.close)
        if beginning is not None and beginning.engine is None:
            # What has run in it until now is none of this.
            for ref in await chosen.refs():
                await chosen.stop(ref)
        if beginning is not None and beginning.fill is not None:
            await beginning.fill(chosen)
        if info.name == "docker":
            async with store.transaction() as tx:
                await identity.set_fact(tx, erase.DOCKER_USED, "true")
        commands = Commands(store, chosen, clock, data_dir / "output")
        disks = Disks(store, chosen)
        repositories = Repositories(settings.github_url, settings.github_token, data_dir / "checkouts")
        await repositories.clear()
        bootstrap = Bootstrap(store, chosen, disks, repositories)
        browsers = Browsers(chosen, settings.browser)
        lifecycle = Lifecycle(
            store, chosen, clock, commands, disks, bootstrap, browsers, expiry_grace=settings.expiry_grace
        )
        if base_url is not None:
            # Before anything happens of which an event tells, with addresses in it.
            lifecycle.base_url = base_url
        await lifecycle.recover(all_of_them=beginning is not None)
        stack.push_async_callback(lifecycle.close, keep=settings.data_dir is not None)
        keeper = Keeper(store, chosen, clock, commands, disks, lifecycle, idle_timeout=settings.idle_timeout)
        await stack.enter_async_context(keeper.at_work())
        agenda = Agenda(clock, store)
        agenda.add(keeper)
        terminals = Terminals()
        stack.push_async_callback(terminals.close)
        meter = Meter(settings.rate_limit, dict(settings.rate_limits))
        storage = Storage(store, chosen)
        wallets = Wallets(store, clock, lifecycle, storage, agenda, max_sessions=settings.max_sessions)
        stack.push_async_callback(wallets.close)
        agenda.add(wallets)
        tokens = Tokens(vault, clock, world_id)
        connections = Connections(chosen)
        stack.callback(connections.close)
        journal = Journal(world_id, clock)
        happenings = Happenings(clock, store, journal, agenda)
        stack.callback(happenings.close)
        insides = Insides(store, chosen, lifecycle, browsers)
        stack.push_async_callback(insides.close)
        world = World(
            world_id,
            settings,
            data_dir,
            store,
            chosen,
            info,
            reason,
            clock,
            meter,
            lifecycle,
            commands,
            disks,
            repositories,
            storage,
            account_id,
            terminals,
            browsers,
            vault,
            agenda,
            tokens,
            Admission(tokens),
            journal,
            connections,
            happenings,
            insides,
            planned,
            faults,
        )
        world.sink = Sink(clock, lambda: lifecycle.base_url, happenings.received)
        dialer = Dialer(own_ports, settings.webhook_localhost)
        delivering = Delivering(
            store,
            clock,
            vault,
            agenda,
            dialer,
            settings.webhook_timeout,
            world.sink,
            happenings.delivery_changed,
            faults.plan_delivery,
        )
        await stack.enter_async_context(delivering.at_work())
        agenda.add(delivering, Forgetting(store, clock))
        world.jobs = Jobs(world)
        await world.jobs.recover()
        stack.push_async_callback(world.jobs.close)
        agenda.add(world.jobs)
        # First of all at the end, so that nothing waits for its sake.
        stack.callback(faults.close)
        stack.callback(world.sink.close)
        stack.push_async_callback(planned.close)
        yield world


def _data_dir(settings: Settings, folder: Path | None, stack: AsyncExitStack) -> Path:
    if settings.data_dir is not None:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return settings.data_dir.resolve()
    if folder is not None:
        # Made by who puts something there, which in most worlds nobody does.
        stack.callback(_remove, folder)
        return folder
    folder = stack.enter_context(leftovers.temporary())
    clearing = asyncio.create_task(leftovers.clear())
    stack.push_async_callback(_cancelled, clearing)
    return folder


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _go_past(store: Store, clock: Clock) -> None:
    """Move a frozen clock past what was written since it was set: each look moved it, which nobody kept."""
    since = clock.now()
    latest = await audit.latest(store, timestamp(since), timestamp(since + timedelta(minutes=1)))
    if latest is not None:
        clock.move(moment(latest))


async def _first_account(store: Store, clock: Clock, settings: Settings, anew: str | None) -> tuple[str, str]:
    """Make the first user once; let the settings' key alone act for them. Answers (account id, instance id).

    `anew` is another instance than the one that its data come from: what that left in Docker is not its own.
    """
    async with store.transaction() as tx:
        account_id = await identity.fact(tx, "first_account")
        instance = anew or await identity.fact(tx, "instance") or new_id()
        if anew is not None:
            await identity.set_fact(tx, "instance", instance)
        if account_id is None:
            email, name = FIRST_USER
            user_id, account_id = await identity.add_user(tx, email, name, plan=settings.plan, at=clock.timestamp())
            await identity.set_fact(tx, "first_account", account_id)
            await identity.set_fact(tx, "first_user", user_id)
            await identity.set_fact(tx, "instance", instance)
        user = await identity.fact(tx, "first_user")
        hashed = identity.hash_of(settings.api_key)
        await tx.run("DELETE FROM keys WHERE account_id IS NULL AND secret_hash <> ?", hashed)
        if await tx.one("SELECT 1 FROM keys WHERE secret_hash = ?", hashed) is None:
            await identity.add_key(
                tx, settings.api_key, at=clock.timestamp(), account_id=None, user_id=user, name="emulator"
            )
    return account_id, instance
