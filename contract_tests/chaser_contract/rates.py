"""Rates: worlds that limit them, what an answer says of how often one may still ask, and requests that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chaser_emulator.embedded.chaser import Chaser
from chaser_emulator.meter import Limits

from chaser_contract.asking import UNKNOWN
from chaser_contract.client import Answer, Client
from chaser_contract.refusing import RATE
from chaser_contract.subject import Subject

Ask = Callable[[Client], Answer]

SURFACES: dict[str, Ask] = {
    "exec": lambda one: one.ask("get-session-command", id=UNKNOWN, cid=UNKNOWN),
    "files": lambda one: one.ask("download-session-file", id=UNKNOWN, query={"path": "/x"}),
    "jobs": lambda one: one.ask("list-jobs"),
    "mcp": lambda one: one.ask("mcp-handler", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}),
    "sessions": lambda one: one.ask("terminate-session", id=UNKNOWN),
    "workspaces": lambda one: one.ask("delete-workspace", ws=UNKNOWN),
    "webhooks": lambda one: one.ask("delete-webhook", id=UNKNOWN),
}
"""A request on each surface that costs nothing."""


@contextmanager
def limited(chaser: Subject, per_principal: int = 3, per_account: int = 100, window: float = 60) -> Iterator[Chaser]:
    """A fork with these limits, whose clock stands still."""
    fork = chaser.steered.fork(
        rate_limit=Limits(per_principal=per_principal, per_account=per_account, window=window), clock="frozen"
    )
    try:
        yield fork
    finally:
        fork.delete()


def reading(answer: Answer) -> tuple[int, int, int, str]:
    """Limit, remaining, reset and scope, as the headers have them."""
    limit, remaining, reset, scope = (answer.headers.get(name, "") for name in RATE)
    answer.require(
        limit.isdecimal() and remaining.isdecimal() and reset.isdecimal() and scope in ("principal", "account"),
        "an answer on a limited surface has X-RateLimit-Limit, -Remaining, -Reset and -Scope", str(answer.headers),
    )  # fmt: skip
    return int(limit), int(remaining), int(reset), scope


def told_left(answer: Answer, limit: int, remaining: int, scope: str = "principal") -> None:
    """Raise Broken unless the headers say this of the bucket that is closer to empty."""
    found = reading(answer)
    answer.require(found[0] == limit, f"X-RateLimit-Limit is {limit}", f"it is {found[0]}")
    answer.require(found[1] == remaining, f"X-RateLimit-Remaining is {remaining}", f"it is {found[1]}")
    answer.require(found[3] == scope, f"X-RateLimit-Scope is {scope}", f"it is {found[3]}")


def refused_for(answer: Answer, seconds: int) -> None:
    """Raise Broken unless it came too often, and may come again in so many seconds."""
    answer.must_be(429, "rate_limited", because="when all requests of a window are used up")
    told = answer.headers.get("retry-after", "")
    answer.require(told == str(seconds), f"Retry-After is {seconds}, when the oldest request leaves", f"it is {told!r}")


def now_of(fork: Chaser) -> float:
    """Seconds since 1970 on the clock of a world."""
    return fork.clock.now.timestamp()


def resets(answer: Answer, at: float) -> None:
    """It is whole again when the newest request leaves, in whole seconds."""
    reset = reading(answer)[2]
    answer.require(0 <= reset - at < 1, "X-RateLimit-Reset is when the bucket is full again", f"{reset - at} s off")
