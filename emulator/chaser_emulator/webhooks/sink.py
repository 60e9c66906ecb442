"""The built-in receiver: what a world's webhooks send to its own address is kept here, handed over without a socket."""

from __future__ import annotations

import asyncio
import fnmatch
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from chaser_emulator.clock import Clock, timestamp
from chaser_emulator.webhooks import signing
from chaser_emulator.webhooks.connecting import Place, is_localhost, place_of
from chaser_emulator.webhooks.sending import Outcome, failure_of, whole

T = TypeVar("T")

PATH = "/_emulator/webhooks/sink/"
"""What the path of every address of the sink begins with; a name of the webhook's choosing follows."""

RESERVED = frozenset(["behaviour", "expect", "listen"])
"""What is no name at the sink: the control plane has something of its own there."""

KEPT = 1000
"""How much is kept; the oldest goes first."""

_KEPT_BYTES = 32 * 2**20

EVERY = "*"
"""The name whose behaviour holds where a name has none of its own."""


@dataclass(frozen=True)
class Received:
    """One request that has come.

    `attempt` counts how often its delivery has come by now. `wrong` says what is not right about its signature; None
    stands for a delivery of this world's own that is signed as it should be. `status` is what was answered, None that
    the answer came too late. The names of `headers` are in small letters.
    """

    number: int
    at: str
    name: str
    event_type: str | None
    event_id: str | None
    delivery_id: str | None
    attempt: int
    wrong: str | None
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    json: Any

    @property
    def verified(self) -> bool:
        return self.wrong is None

    def brief(self) -> dict[str, Any]:
        """What it takes to recognize it; what there is not is absent."""
        found: dict[str, Any] = {
            "number": self.number,
            "at": self.at,
            "name": self.name,
            "event_type": self.event_type,
            "event_id": self.event_id,
            "delivery_id": self.delivery_id,
            "attempt": self.attempt,
            "verified": self.verified,
            "wrong": self.wrong,
            "status": self.status,
        }
        return {name: value for name, value in found.items() if value is not None}

    def info(self) -> dict[str, Any]:
        """Its JSON, with what came."""
        shown = {**self.brief(), "headers": dict(self.headers), "body": self.body.decode("utf-8", "replace")}
        return shown if self.json is None else shown | {"json": self.json}


@dataclass(frozen=True)
class Behaviour:
    """How an address of the sink answers: with `status`, after `delay` seconds, the next `times`; None: from now on.

    On a frozen clock nobody waits: a delay that is longer than a sender's patience is a late answer at once.
    """

    status: int = 200
    delay: float = 0
    times: int | None = None


GOOD = Behaviour()


class Sink:
    """What one world has received. `base_url` is the address of the emulator, which is the sink's as well.

    `tell` hears of each that has come.
    """

    def __init__(self, clock: Clock, base_url: Callable[[], str], tell: Callable[[Received], None]) -> None:
        self._clock = clock
        self._base_url = base_url
        self._tell = tell
        self._kept: deque[Received] = deque()
        self._size = 0
        self._number = 0
        self._behaviours: dict[str, Behaviour] = {}
        self._listeners: set[asyncio.Event] = set()
        self.taken: set[int] = set()
        """The numbers of what an expectation was answered with."""
        self.closed = False

    def close(self) -> None:
        """Nothing comes any more: its world ends, and nobody is to wait for it."""
        self.closed = True
        for event in self._listeners:
            event.set()

    def address(self, name: str, base_url: str | None = None) -> str:
        """Where a webhook leads that is to reach the sink under this name."""
        return f"{(base_url or self._base_url()).rstrip('/')}{PATH}{name}"

    def name_in(self, url: str) -> str | None:
        """The name under which an address leads to this sink; None: it leads elsewhere."""
        place = place_of(url)
        path = place.target.partition("?")[0]
        name = unquote(path.removeprefix(PATH))
        if not path.startswith(PATH) or not name or "/" in name or name in RESERVED or not self._is_own(place):
            return None
        return name

    def _is_own(self, place: Place) -> bool:
        # Whatever the port is on this machine: a saved world is loaded at another one, and a container has its own.
        return is_localhost(place.host) or place.host == urlsplit(self._base_url()).hostname

    def receiver(self, url: str, secret: str | None, patience: float) -> SinkReceiver | None:
        """Who takes the deliveries to an address of this sink; None for any other address."""
        name = self.name_in(url)
        return None if name is None else SinkReceiver(self, name, place_of(url), secret, patience)

    async def take(
        self,
        name: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        *,
        secret: str | None,
        patience: float = math.inf,
    ) -> Received:
        """Keep a request, and answer as the name is to behave, with the status of what is kept.

        `secret` is that of the webhook that sends it; a stranger has none.
        """
        sent = {key.lower(): value for key, value in headers}
        behaviour = self._behave(name)
        late = behaviour.delay >= patience
        now = self._clock.now()
        wrong = "no webhook of this world has sent it"
        verdict = signing.verify(secret, sent, body, now.timestamp()) if secret is not None else wrong
        value = _json(body)
        delivery_id = sent.get(signing.DELIVERY_HEADER.lower())
        self._number += 1
        received = Received(
            number=self._number,
            at=timestamp(now),
            name=name,
            event_type=sent.get(signing.EVENT_HEADER.lower()) or _field(value, "type"),
            event_id=sent.get("webhook-id") or _field(value, "id"),
            delivery_id=delivery_id,
            attempt=1 + sum(one.delivery_id == delivery_id for one in self._kept if delivery_id is not None),
            wrong=verdict,
            status=None if late else behaviour.status,
            headers=sent,
            body=body,
            json=value,
        )
        self._keep(received)
        if behaviour.delay and self._clock.mode == "real":
            await asyncio.sleep(min(behaviour.delay, patience))
        return received

    def _keep(self, received: Received) -> None:
        self._kept.append(received)
        self._size += len(received.body)
        while len(self._kept) > KEPT or (self._size > _KEPT_BYTES and len(self._kept) > 1):
            oldest = self._kept.popleft()
            self._size -= len(oldest.body)
            self.taken.discard(oldest.number)
        for event in self._listeners:
            event.set()
        self._tell(received)

    def _behave(self, name: str) -> Behaviour:
        key = name if name in self._behaviours else EVERY
        behaviour = self._behaviours.get(key, GOOD)
        if behaviour.times is not None:
            left = behaviour.times - 1
            if left <= 0:
                del self._behaviours[key]
            else:
                self._behaviours[key] = Behaviour(behaviour.status, behaviour.delay, left)
        return behaviour

    def behave(self, name: str, behaviour: Behaviour) -> None:
        """Answer at this name, or at every one that has no behaviour of its own, in this way from now on."""
        self._behaviours.pop(name, None)
        if behaviour != GOOD and behaviour.times != 0:
            self._behaviours[name] = behaviour

    def behaviours(self) -> dict[str, Behaviour]:
        """How names behave that do not answer 200 at once."""
        return dict(self._behaviours)

    def found(
        self,
        *,
        name: str | None = None,
        event: str | None = None,
        verified: bool | None = None,
        since: int = 0,
        where: Mapping[str, Any] | None = None,
    ) -> list[Received]:
        """What has come and is kept, oldest first. `event` may hold `*`; `since` is a number, `where` as in `fits`."""
        return [
            one
            for one in self._kept
            if one.number > since
            and (name is None or one.name == name)
            and (event is None or fnmatch.fnmatchcase(one.event_type or "", event))
            and (verified is None or one.verified is verified)
            and (not where or fits(one.json, where))
        ]

    def clear(self, name: str | None = None) -> int:
        """Forget what has come, also that something was expected; answers how much that was."""
        gone = [one for one in self._kept if name is None or one.name == name]
        self._kept = deque(one for one in self._kept if name is not None and one.name != name)
        self._size = sum(len(one.body) for one in self._kept)
        self.taken -= {one.number for one in gone}
        return len(gone)

    async def wait_for(self, look: Callable[[], T], seconds: float) -> T:
        """What `look` finds, as soon as that is something; else what it finds when the time or the world is over."""
        came = asyncio.Event()
        self._listeners.add(came)
        try:
            async with asyncio.timeout(seconds):
                while not look() and not self.closed:
                    came.clear()
                    await came.wait()
        except TimeoutError:
            pass
        finally:
            self._listeners.discard(came)
        return look()


@dataclass(frozen=True)
class SinkReceiver:
    """One webhook's way to the sink of its own world: what would be sent, byte by byte, without a connection."""

    sink: Sink
    name: str
    place: Place
    secret: str | None
    patience: float

    async def send(self, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Hand a request over, and take the answer as any receiver's."""
        sent = whole(self.place, headers, body)
        received = await self.sink.take(self.name, sent, body, secret=self.secret, patience=self.patience)
        if received.status is None:
            return Outcome(None, f"no answer within {self.patience:g} s")
        return Outcome(received.status, failure_of(received.status))

    def close(self) -> None:
        """There is nothing to close."""


def fits(value: Any, where: Any) -> bool:
    """Whether a JSON value holds what `where` says: its fields, and theirs, with these values; others may stand beside.

    A name with dots in it leads inwards: `{"data.status": "running"}`.
    """
    if not isinstance(where, Mapping):
        return bool(value == where) and isinstance(value, bool) is isinstance(where, bool)
    if not isinstance(value, Mapping):
        return False
    for name, wanted in where.items():
        if name in value:
            if not fits(value[name], wanted):
                return False
            continue
        first, dot, rest = name.partition(".")
        if not dot or first not in value or not fits(value[first], {rest: wanted}):
            return False
    return True


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _field(value: Any, name: str) -> str | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
