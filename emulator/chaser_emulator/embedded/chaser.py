"""Chaser: one fake Chaser in the hands of a test, with all that can be done to it and asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from chaser_emulator.embedded.asking import Door, segment
from chaser_emulator.embedded.clocks import Clock
from chaser_emulator.embedded.exchanges import Exchange, Requests
from chaser_emulator.embedded.explanations import Explanation, explain
from chaser_emulator.embedded.faults import Faults
from chaser_emulator.embedded.leaks import NoLeaks
from chaser_emulator.embedded.placed import unless_gone
from chaser_emulator.embedded.provoking import Provoked, provoke
from chaser_emulator.embedded.seeds import Seed, Seeded, sow
from chaser_emulator.embedded.states import Difference, difference_of
from chaser_emulator.embedded.stubs import Stubs
from chaser_emulator.embedded.webhooks import Webhooks
from chaser_emulator.embedded.world import World, world_of

if TYPE_CHECKING:
    import httpx
    from chaser_sdk import ChaserClient

    from chaser_emulator.embedded.forwarding import ForwardingTransport
    from chaser_emulator.embedded.transport import ChaserTransport
    from chaser_emulator.embedded.twins import AsyncChaser
    from chaser_emulator.meter import Limits


class Chaser:
    """A Chaser of one's own: a world of an emulator, which no other test sees.

    What the code under test needs is `url` and `api_key`, or `env`, or the ready `client` (the official SDK) and `http`
    (httpx). A Chaser that was made for a block or a test ends with it.
    """

    def __init__(self, door: Door, world: World) -> None:
        self._door = door
        self.world = world
        self.clock = Clock(door, world.id)
        self.faults = Faults(door, world.id)
        self.stubs = Stubs(door, world.id, strict=world.strict)
        self.requests = Requests(door, world.id)
        self.webhooks = Webhooks(door, world.id, self.clock)
        self._http: httpx.Client | None = None
        self._checks: list[Callable[[], None]] = []
        self._ended = False

    # What the code under test is given

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return self._door.url

    @property
    def api_key(self) -> str:
        """The key of the world's first user; it selects the world, so that no client needs to know of worlds."""
        return self.world.api_key

    @property
    def account_id(self) -> str:
        """The personal account of that user."""
        return self.world.account_id

    @property
    def keys(self) -> Mapping[str, str]:
        """The API keys that the seed has made, by their names."""
        return self.world.keys

    @property
    def env(self) -> dict[str, str]:
        """CHASER_API_URL and CHASER_API_KEY, for what reads the environment."""
        return {"CHASER_API_URL": self.url, "CHASER_API_KEY": self.api_key}

    @cached_property
    def client(self) -> ChaserClient:
        """The official SDK's client. Raises ImportError with advice where `chaser-sdk` is not installed."""
        return self.client_as(self.api_key)

    def client_as(self, api_key: str, *, account: str | None = None) -> ChaserClient:
        """The official client with another key, such as one of `keys`, or in another account."""
        try:
            from chaser_sdk import ChaserClient
        except ImportError:
            raise ImportError(
                "chaser.client is the official SDK, which is not installed: pip install chaser-sdk; "
                "chaser.http is an httpx client with the same key"
            ) from None
        return ChaserClient(base_url=self.url, api_key=api_key, account=account, timeout=60)

    @property
    def sockets(self) -> httpx.BaseTransport:
        """A transport over sockets, which stay open for the next who asks."""
        return self._door.sockets.transport

    @property
    def http(self) -> httpx.Client:
        """An httpx client with the key; what it opens ends with this Chaser."""
        if self._http is None:
            self._http = self.http_as(self.api_key)
        return self._http

    def http_as(self, api_key: str | None, *, account: str | None = None) -> httpx.Client:
        """An httpx client with another key, or none."""
        # Imported on use: it takes longer than the rest of a first test.
        import httpx

        headers = self.headers_as(api_key, account=account)
        return httpx.Client(base_url=self.url, headers=headers, transport=self.sockets, timeout=60)

    def headers_as(self, api_key: str | None, *, account: str | None = None) -> dict[str, str]:
        """What a client of this world sends along: a key, or with none the world's id."""
        headers = {"Authorization": f"Bearer {api_key}"} if api_key is not None else {"X-Chaser-World": self.world.id}
        if account is not None:
            headers["X-Chaser-Account"] = account
        return headers

    @cached_property
    def transport(self) -> ChaserTransport | ForwardingTransport:
        """A transport for the official SDK and httpx, `.adapter()` one for `requests`; whatever host is asked for.

        It needs no socket where the emulator is in this process.
        """
        from chaser_emulator.embedded.forwarding import ForwardingTransport
        from chaser_emulator.embedded.transport import ChaserTransport

        host = self._door.own_host
        if host is None:
            return ForwardingTransport(self.url, self.sockets, self.world.id)
        return ChaserTransport(host, self.world.id)

    # What can be arranged and asked

    def seed(self, seed: Seed) -> Seeded:
        """Add what a ready seed (`team`), a YAML file or a mapping of the same form holds; a reset leads back to it.

        Answers the ids of what was made: `seeded["workspaces"]["demo"]`. Raises Refused with every mistake.
        """
        __tracebackhide__ = True
        seeded = sow(self._door, self.world.id, seed)
        self.world.keys.update({name: key["api_key"] for name, key in seeded.get("keys", {}).items()})
        return seeded

    def provoke(
        self, operation: str, code: str, *, path: Mapping[str, str] | None = None, account: str | None = None
    ) -> Provoked:
        """Arrange that an operation is really refused with a code, until that is undone or a `with` block ends.

        The next such request of `client` is refused; where only a request with something wrong in it can be, `send` of
        the answer sends one. `path` says what it is to happen to: `{"id": session["id"]}`, and `account` in which other
        account of the client, by id or name. Raises Refused, with the reason, for what cannot be provoked.
        """
        __tracebackhide__ = True
        return provoke(self._door, self.world.id, operation, code, path, account)

    def explain(self, exchange: Exchange | str = "last") -> Explanation:
        """Which rule refused a request, and where it stands; of an exchange, a request id, or the last refusal."""
        return explain(self._door, self.world.id, exchange)

    def diff(self) -> Difference:
        """What was created, changed and deleted since this Chaser began: made, seeded, forked, reset or loaded."""
        return difference_of(self._door.ask("GET", "/state/diff", world=self.world.id))

    def save(self, path: str | Path, *, disks: bool = False) -> Path:
        """Write the state into a file that later versions load as well; with `disks` the workspaces' files too."""
        found = self._door.ask("POST", "/state/save", {"disks": disks}, world=self.world.id)
        target = Path(path).expanduser()
        target.write_bytes(found)
        return target

    def load(self, path: str | Path, *, api_key: str | None = None, without_secrets: bool = False) -> None:
        """Go on from a saved state, under the key of this Chaser.

        `api_key` is the one that the world had when it was saved, without which its secrets cannot be read; or go on
        `without_secrets`. Raises Refused for a damaged or newer state, which changes nothing.
        """
        self._door.ask(
            "POST",
            "/state/load",
            world=self.world.id,
            content=Path(path).expanduser().read_bytes(),
            headers={} if api_key is None else {"X-Chaser-State-Key": api_key},
            without_secrets=without_secrets or None,
        )

    def reset(self) -> None:
        """Go back to what this Chaser began with."""
        self.world.reset()

    def fork(
        self,
        name: str | None = None,
        *,
        strict: bool | None = None,
        clock: str | datetime | None = None,
        rate_limit: Limits | None = None,
    ) -> Chaser:
        """Another Chaser that begins with all that this one holds now; neither knows of the other afterwards.

        `rate_limit` is that of every surface, where it is to be another.
        """
        body = {"id": name, "strict": strict, "clock": clock_of(clock), "rate_limit": limit_of(rate_limit)}
        return Chaser(self._door, made(self._door, f"/worlds/{segment(self.world.id)}/fork", body))

    def expect_no_leaks(self) -> NoLeaks:
        """That nothing is left at the end: of a `with` block, or else of the test.

        Left are live sessions, running commands, open terminals, jobs that wait or run, deliveries that did not arrive.
        """
        return NoLeaks(self._door, self.world.id, self._checks)

    def check(self) -> None:
        """What the end of the test demands: `expect_no_leaks`, and in strict mode no unknown command."""
        if self._ended:
            return
        checks, self._checks[:] = list(self._checks), []
        for check in checks:
            check()
        self.stubs.require_known()

    # Its end

    def close(self) -> None:
        """Let go of what `http` has opened; the world stays."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def delete(self) -> None:
        """End the world; one that has ended already is fine."""
        self.close()
        self._ended = True
        with unless_gone():
            self.world.delete()

    def __enter__(self) -> Chaser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.check()
        finally:
            self.delete()

    @cached_property
    def awaited(self) -> AsyncChaser:
        """The same for who awaits."""
        from chaser_emulator.embedded.twins import AsyncChaser

        return AsyncChaser(self)

    def __repr__(self) -> str:
        return f"<Chaser {self.world.id} at {self.url}>"


def made(door: Door, path: str, body: Mapping[str, Any]) -> World:
    """A new world, as a path of the control plane makes it."""
    return world_of(door, door.ask("POST", path, {name: value for name, value in body.items() if value is not None}))


def clock_of(clock: str | datetime | None) -> dict[str, str] | None:
    """A clock as the control plane takes it: `real`, `frozen`, or the moment at which it stands still."""
    if clock is None or clock in ("real", "frozen"):
        return None if clock is None else {"mode": str(clock)}
    return {"mode": "frozen", "at": clock.isoformat() if isinstance(clock, datetime) else clock}


def limit_of(limit: Limits | None) -> dict[str, Any] | None:
    """A rate limit as the control plane takes it."""
    if limit is None:
        return None
    return {
        "enabled": limit.enabled,
        "per_principal": limit.per_principal,
        "per_account": limit.per_account,
        "window_seconds": limit.window,
    }
