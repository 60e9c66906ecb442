"""Sides: the two Chasers of a comparison, each a fresh world where it is an emulator, with what they have answered."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from chaser_emulator.settings import SandboxChoice
from chaser_emulator.spec import Operation

from chaser_contract.client import Client
from chaser_contract.exchanges import Exchange
from chaser_contract.live import Live
from chaser_contract.parity.normalising import Names
from chaser_contract.parity.steps import FIRST, MISSING, NOBODY, NOTHING, PEER, Ref, Step, at
from chaser_contract.subject import Subject
from chaser_contract.targets import Target, Unreachable, Where, opened

HERE = "here"
"""A target that is an emulator of this process; `here:local` is one on another engine."""

EVENTS = "text/event-stream"
_STREAM_SECONDS = 3.0
_NO_KEY = "sk_0000000000000000000000000000000000000000"
_BEGINNING = "2026-03-01T12:00:00Z"


@dataclass(frozen=True)
class Place:
    """A target as the command line says it: `here`, `here:local`, or a URL with its keys."""

    text: str
    api_key: str | None = field(default=None, repr=False)
    peer_key: str | None = field(default=None, repr=False)
    allow: frozenset[str] = frozenset()

    @property
    def engine(self) -> SandboxChoice:
        """The engine of an emulator of this process."""
        found = self.text.partition(":")[2] or "scripted"
        for engine in ("scripted", "local", "docker"):
            if found == engine:
                return engine
        raise Unreachable(f"{self.text}: after `here:` comes scripted, local or docker")

    @property
    def is_here(self) -> bool:
        return self.text.partition(":")[0] == HERE

    def where(self, seed: int) -> Where:
        """What to open. Raises Unreachable for what is no target."""
        if self.is_here:
            return Where(sandbox=self.engine, seed=seed)
        if not self.text.startswith(("http://", "https://")):
            raise Unreachable(f"{self.text}: a target is `here`, `here:local`, `here:docker` or a URL")
        return Where(self.text, self.api_key, self.peer_key, seed=seed)


@contextmanager
def reached(place: Place, seed: int) -> Iterator[Target]:
    """A target that answers: an emulator that can be steered, or else a service with a key. Raises Unreachable."""
    where = place.where(seed)
    with ExitStack() as stack:
        try:
            target = stack.enter_context(opened(where))
        except Unreachable as no_emulator:
            if place.is_here:
                raise
            if place.api_key is None:
                why = str(no_emulator).partition("; for a service")[0]
                raise Unreachable(f"{why}; of a service that is no emulator a key is needed: --api-key") from None
            service = Where(where.url, where.api_key, where.peer_key, profile="live", seed=seed, live=Live(place.allow))
            target = stack.enter_context(opened(service))
        yield target


def kind_of(target: Target) -> str:
    """What a target is: the engine of an emulator, or `service`."""
    return "service" if target.emulator is None else str(target.emulator.world.info()["engine"])


@dataclass
class Side:
    """One Chaser, and what each step was answered there."""

    subject: Subject
    answers: list[Any] = field(default_factory=list)

    @property
    def steered(self) -> bool:
        return self.subject.emulator is not None

    def names(self) -> Names:
        """The placeholders for what it says, of which none is given yet but those of its keys."""
        known = {self.subject.api_key: "the first user's key"}
        if self.subject.peer_key is not None:
            known[self.subject.peer_key] = "the peer's key"
        return Names(addresses_of(self.subject.url), known)

    def ask(self, step: Step) -> Exchange:
        """Carry out a step. What it refers to is what this Chaser has answered."""
        filled = step.put(self.said)
        operation = self.subject.document.operation(step.operation)
        request = self._request(self._client(filled), operation, filled)
        if any(EVENTS in response.content for response in operation.responses.values()):
            return self._streamed(request, operation)
        return self.subject.client.send(request, operation)

    def keep(self, exchange: Exchange) -> None:
        """Keep what a step was answered, for those that refer to it."""
        try:
            self.answers.append(exchange.json)
        except ValueError:
            self.answers.append(None)

    def said(self, ref: Ref) -> Any:
        """What an earlier answer holds, or MISSING."""
        return at(self.answers[ref.step], ref.pointer)

    def tick(self) -> None:
        """A second later, where time can be steered."""
        if self.subject.emulator is not None:
            self.subject.emulator.clock.advance(1)

    def _client(self, step: Step) -> Client:
        credential: str | None
        match step.caller:
            case caller if caller == FIRST:
                credential = self.subject.api_key
            case caller if caller == PEER and self.subject.peer_key is not None:
                credential = self.subject.peer_key
            case caller if caller == NOBODY:
                credential = None
            case str() as caller if caller.startswith(("sk_", "eyJ")):
                credential = caller
            case _:
                credential = _NO_KEY
        return self.subject.as_(credential, account=step.account)

    @staticmethod
    def _request(client: Client, operation: Operation, step: Step) -> httpx.Request:
        content, media_type = step.content, step.media_type
        if step.file is not None:
            fields = step.json if isinstance(step.json, Mapping) else {}
            form = httpx.Request("POST", "http://form", data=dict(fields), files={"file": ("file", step.file)})
            content, media_type = form.read(), form.headers["content-type"]
        more: dict[str, Any] = {}
        if step.json is not NOTHING and step.file is None and content is None:
            more["json"] = step.json
        path = {name: value if isinstance(value, str) else str(value) for name, value in step.path.items()}
        return client.request(
            operation, {name: value or MISSING for name, value in path.items()}, query=step.query or None,
            content=content, media_type=media_type, headers=step.headers or None, **more,
        )  # fmt: skip

    def _streamed(self, request: httpx.Request, operation: Operation) -> Exchange:
        """An answer that may never end, as far as it comes in time."""
        begun = time.perf_counter()
        pieces: list[bytes] = []
        try:
            response = self.subject.http.send(request, stream=True)
            try:
                for piece in response.iter_bytes():
                    pieces.append(piece)
                    if time.perf_counter() - begun > _STREAM_SECONDS:
                        break
            finally:
                response.close()
        except httpx.TransportError as error:
            return Exchange(
                operation.id, request.method, request.url.raw_path.decode(), {}, b"", None, trouble=type(error).__name__
            )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Exchange(
            operation.id, request.method, request.url.raw_path.decode(), {}, b"", response.status_code, headers,
            b"".join(pieces),
        )  # fmt: skip


@contextmanager
def fresh(left: Target, right: Target) -> Iterator[tuple[Side, Side]]:
    """Both Chasers as they begin. Where both can be steered, their clocks stand still at one moment."""
    with ExitStack() as stack:
        sides = tuple(Side(stack.enter_context(target.subject("parity", limits=True))) for target in (left, right))
        if all(side.steered for side in sides):
            for side in sides:
                side.subject.steered.clock.freeze(_BEGINNING)
        yield sides[0], sides[1]


def addresses_of(url: str) -> list[str]:
    """How a Chaser names itself: with the scheme, and without."""
    return [url, url.partition("://")[2]]
