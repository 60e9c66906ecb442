"""Targets: a Chaser to be tested, which is an emulator of this process, one at an address, or the real service."""

from __future__ import annotations

import functools
import logging
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import docker
import httpx
from chaser_emulator.clock import new_secret_key
from chaser_emulator.embedded import Emulator, Refused
from chaser_emulator.embedded.chaser import Chaser
from chaser_emulator.meter import Limits
from chaser_emulator.settings import SandboxChoice, Settings
from docker.errors import DockerException, ImageNotFound

from chaser_contract import planted, waiting
from chaser_contract.document import Document, bundled
from chaser_contract.live import PREFIX, Live
from chaser_contract.live.guard import FIRST, Guard, guarding
from chaser_contract.live.guard import PEER as OTHER
from chaser_contract.live.ledger import Unusable
from chaser_contract.live.stopping import BudgetSpent, NotSteady
from chaser_contract.subject import Subject
from chaser_contract.valid_requests import REPOSITORY

Profile = Literal["emulator", "live"]

PEER = "peer@example.com"
"""The other user in each world of an emulator, who has nothing to do with the first one."""

PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody else

_PEOPLE = {
    "users": [{"email": PEER, "name": "Peer", "plan": "pro", "password": PASSWORD}],
    "keys": [{"name": "peer", "owner": PEER}],
}


class Unreachable(Exception):
    """Nothing that can be tested answers there; the text says why, and what to do."""


@dataclass(frozen=True)
class Where:
    """What to test, as the command line says it. `url` None: an emulator of this process on the engine `sandbox`.

    `seed` decides everything that is drawn, and `examples` how much is. It can be handed to another process. `live` is
    how a real service is asked.
    """

    url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    peer_key: str | None = field(default=None, repr=False)
    profile: Profile = "emulator"
    sandbox: SandboxChoice = "scripted"
    image: str | None = None
    seed: int = 0
    examples: int = 10
    live: Live = field(default_factory=Live)

    def seed_of(self, part: str) -> int:
        """The seed of one part of the run, whatever runs before it."""
        return zlib.crc32(f"{self.seed}:{part}".encode())


@dataclass
class Target:
    """A Chaser that answers. `emulator` is what steers it, where it is an emulator and may be steered."""

    where: Where
    document: Document
    url: str
    api_key: str
    transport: httpx.BaseTransport
    emulator: Chaser | None = None
    limited: Callable[[], Target] | None = None
    """Opens another one, where plans allow as many sessions as they say; None where they do so here."""
    guard: Guard | None = None
    """What stands before a real service, and sweeps after each part."""

    @contextmanager
    def subject(self, part: str, *, stateful: bool = False, limits: bool = False) -> Iterator[Subject]:
        """A Chaser of one's own for one part: a fork of the emulator's world, or the account of the key.

        An emulator limits no rates there; where they are the point, `emulator.fork(rate_limit=...)` makes a world.
        With `limits` plans allow as many sessions as they say.
        """
        if limits and self.limited is not None:
            with self.limited().subject(part, stateful=stateful) as subject:
                yield subject
            return
        seed, examples = self.where.seed_of(part), self.where.examples
        with ExitStack() as stack:
            world: str | None = None
            if self.emulator is None:
                chaser, transport, key, peer = None, self.transport, self.api_key, self.where.peer_key
                if self.guard is not None:
                    stack.callback(self.guard.sweep)
            else:
                chaser = self.emulator.fork()
                stack.callback(chaser.delete)
                key, peer = chaser.api_key, chaser.keys["peer"]
                if self.where.url is None:
                    transport = chaser.transport
                else:
                    transport, world = self.transport, chaser.world.id
            # One client for all callers: connections are kept between requests.
            http = stack.enter_context(httpx.Client(base_url=self.url, transport=_Shared(transport, world)))
            yield Subject(
                part=part, document=self.document, http=http, api_key=key, peer_key=peer, emulator=chaser,
                seed=seed, examples=examples, stateful=stateful, url=self.url,
                prefix=PREFIX if self.guard is None else self.where.live.prefix,
            )  # fmt: skip


@contextmanager
def opened(where: Where) -> Iterator[Target]:
    """What a run is about, until the block ends. Raises Unreachable."""
    # What was waited for in vain of another target may well come of this one.
    waiting.forget()
    with ExitStack() as stack:
        _check(where)
        if where.url is None:
            yield _own(where, stack)
        else:
            yield _at(where, stack)


def _check(where: Where) -> None:
    """Raise Unreachable for what no request can be made of, and no sandbox."""
    if where.url is not None and not is_url(where.url):
        raise Unreachable(f"{where.url!r} is no URL such as http://localhost:8000")
    for what, key in (("the key", where.api_key), ("the other user's key", where.peer_key)):
        if key is not None and not (key.isascii() and key.isprintable()):
            raise Unreachable(f"{what} is none: it has characters that no key has")
    if where.url is None and where.sandbox == "docker":
        _have_image(where.image or Settings().image)


def is_url(text: str) -> bool:
    """Whether requests can be sent to an address."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


def _have_image(name: str) -> None:
    """Raise Unreachable where each sandbox would fail for want of its image."""
    # Whatever else is wrong with Docker, the emulator says as it starts.
    with suppress(DockerException), closing(docker.from_env()) as engine:
        try:
            engine.images.get(name)
        except ImageNotFound:
            try:
                engine.images.pull(name)
            except DockerException as error:
                raise Unreachable(f"Docker has no image {name!r} and cannot get it: {error}; see --image") from None


def _own(where: Where, stack: ExitStack) -> Target:
    # Sessions fail because a promise wants to see that they do: whatever else is wrong is a finding.
    logging.getLogger("chaser_emulator").addHandler(logging.NullHandler())
    # Imports look here, and not on the network.
    repositories = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaser-contract-")))
    _make_repository(repositories / f"{REPOSITORY}.git")
    planted.plant(repositories)
    settings = Settings(
        api_key=new_secret_key(),
        rate_limit=Limits(enabled=False),
        github_url=str(repositories),
    )
    if where.image is not None:
        settings = replace(settings, image=where.image)
    # Generated calls leave more sessions than a plan would let them.
    target = _started(where, replace(settings, max_sessions=10_000), stack)
    target.limited = functools.cache(lambda: _started(where, settings, stack))
    return target


def _started(where: Where, settings: Settings, stack: ExitStack) -> Target:
    emulator = Emulator(engine=where.sandbox, settings=settings)
    chaser = emulator.start()
    stack.callback(emulator.stop)
    return Target(where, bundled(), chaser.url, chaser.api_key, chaser.transport, _with_people(emulator, stack))


def _make_repository(path: Path) -> None:
    """One with nothing in it, where this machine has git at all."""
    with suppress(FileNotFoundError):
        subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=False)


def _at(where: Where, stack: ExitStack) -> Target:
    url = str(where.url).rstrip("/")
    transport = stack.enter_context(httpx.HTTPTransport())
    if where.profile == "live":
        return _live(where, url, transport, stack)
    try:
        found = Emulator.at(url, where.api_key)
    except (ConnectionError, Refused) as error:
        raise Unreachable(
            f"no emulator at {url} lets itself be steered: {error}; "
            "for a service that is no emulator, say --profile live"
        ) from None
    stack.callback(found.stop)
    chaser = _with_people(found, stack)
    key = where.api_key or chaser.api_key
    return Target(where, bundled(), url, key, transport, chaser)


def _live(where: Where, url: str, transport: httpx.BaseTransport, stack: ExitStack) -> Target:
    """A real service, which is asked once for whether it answers this key at all."""
    if where.api_key is None:
        raise Unreachable("an API key is needed: --api-key, or CHASER_API_KEY")
    keys = {FIRST: where.api_key} | ({} if where.peer_key is None else {OTHER: where.peer_key})
    document = bundled()
    try:
        guard = stack.enter_context(guarding(where.live, document, url, transport, keys))
        account = f"{url}{document.operation('get-current-account').path}"
        with httpx.Client(transport=_Shared(guard, None)) as http:
            answer = http.get(account, headers={"Authorization": f"Bearer {where.api_key}"})
    except (Unusable, BudgetSpent) as error:
        raise Unreachable(str(error)) from None
    except (httpx.TransportError, httpx.InvalidURL, NotSteady) as error:
        raise Unreachable(f"nothing answers at {url}: {error}") from None
    if answer.status_code in (401, 403):
        raise Unreachable(f"{url} does not take the key: {answer.status_code} {answer.text[:200]}")
    return Target(where, document, url, where.api_key, guard, guard=guard)


def _with_people(emulator: Emulator, stack: ExitStack) -> Chaser:
    """A world with nothing in it but its first user and a peer, and without rate limits; each part gets a fork."""
    world = emulator.world(rate_limit=Limits(enabled=False))
    stack.callback(world.delete)
    world.seed(_PEOPLE)
    return world


class _Shared(httpx.BaseTransport):
    """A transport that its clients do not close; what carries no key of a world is for `world`."""

    def __init__(self, inner: httpx.BaseTransport, world: str | None) -> None:
        self._inner = inner
        self._world = world

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._world is not None:
            request.headers.setdefault("x-chaser-world", self._world)
        return self._inner.handle_request(request)
