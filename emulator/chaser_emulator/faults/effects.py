"""What a planned fault does: one effect a rule, to a request, to the engine or to the delivery of an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chaser_emulator.sandbox import failing
from chaser_emulator.webhooks.misbehaving import DeliveryFault

When = Literal["before", "after"]
"""Before anything happened, or after the change was committed."""

How = Literal["reset", "closed", "hang"]
"""How a connection ends: with a reset, without another byte, or when the client gives up or `seconds` are over."""

PATIENCE = 300.0
"""Seconds that a connection hangs whose client does not give up."""


@dataclass(frozen=True)
class Error:
    """A refusal that the document declares, in place of the answer. `retry_after` is in seconds, for `rate_limited`."""

    code: str
    when: When = "before"
    message: str | None = None
    details: Any = None
    retry_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """Any answer, such as that of a proxy on the way. A body that is no string is sent as JSON."""

    status: int
    when: When = "before"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True)
class Cut:
    """No answer: the connection ends. After the commit the answer is lost, before it nothing has happened."""

    when: When
    how: How = "reset"
    seconds: float = PATIENCE


@dataclass(frozen=True)
class Truncate:
    """The answer breaks off after so many bytes or events; after half of it where neither is said."""

    bytes: int | None = None
    events: int | None = None


@dataclass(frozen=True)
class Latency:
    """Everything takes longer, by real seconds between the two."""

    shortest: float
    longest: float
    when: When = "before"


@dataclass(frozen=True)
class Slow:
    """The answer drips: real seconds between pieces of so many bytes (None: ten pieces, and a stream as it comes)."""

    seconds: float
    bytes: int | None = None


@dataclass(frozen=True)
class Drop:
    """A WebSocket ends after so many messages to the client, or so many real seconds; 1006 cuts the connection."""

    messages: int | None = None
    seconds: float | None = None
    code: int = 1006


@dataclass(frozen=True)
class Raise:
    """The handler fails inside: a true `internal_error`, whose reason is in the log."""

    when: When = "before"
    message: str = "a planned fault"


@dataclass(frozen=True)
class Engine:
    """The engine fails at one of these of its operations."""

    failure: failing.Failure
    on: frozenset[failing.Operation]


@dataclass(frozen=True)
class Webhook:
    """The delivery of an event misbehaves."""

    delivery: DeliveryFault


Effect = Error | Answer | Cut | Truncate | Latency | Slow | Drop | Raise | Engine | Webhook

Layer = Literal["request", "engine", "webhook"]
"""Where a rule acts. Of each layer one rule acts at a time."""


def layer_of(effect: Effect) -> Layer:
    match effect:
        case Engine():
            return "engine"
        case Webhook():
            return "webhook"
        case _:
            return "request"


def needs_connection(effect: Effect) -> bool:
    """Whether it is done to a connection: what jobs and tools do among themselves has none."""
    return isinstance(effect, Answer | Cut | Truncate | Slow | Drop)


def info(effect: Effect) -> dict[str, Any]:
    """Its JSON, in the long form of what was asked for."""
    match effect:
        case Error(code, when, message, details, retry_after, headers):
            told = {
                "code": code,
                "message": message,
                "details": details,
                "retry_after": retry_after,
                "headers": dict(headers) or None,
            }
            return {"error": _present(told), "when": when}
        case Answer(status, when, headers, body):
            told = {"status": status, "headers": dict(headers) or None, "body": body}
            return {"answer": _present(told), "when": when}
        case Cut(when, how, seconds):
            ends = {"how": how} if how != "hang" else {"how": how, "seconds": seconds}
            return {"lost" if when == "after" else "reset": ends}
        case Truncate(size, events):
            return {"truncate": _present({"bytes": size, "events": events})}
        case Latency(shortest, longest, when):
            return {"latency": shortest if shortest == longest else [shortest, longest], "when": when}
        case Slow(seconds, size):
            return {"slow": _present({"seconds": seconds, "bytes": size})}
        case Drop(messages, seconds, code):
            return {"drop": _present({"messages": messages, "seconds": seconds, "code": code})}
        case Raise(when, message):
            return {"raise": {"message": message}, "when": when}
        case Engine(failure, on):
            told = {
                "kind": failure.kind,
                "on": sorted(on),
                "delay": failure.delay or None,
                "after": failure.after or None,
                "message": failure.message,
            }
            return {"engine": _present(told)}
        case Webhook(delivery):
            told = {
                "duplicate": delivery.duplicate or None,
                "delay": delivery.delay or None,
                "reorder": delivery.reorder or None,
                "hold": delivery.hold if delivery.reorder else None,
                "wrong_signature": delivery.wrong_signature or None,
                "timestamp_skew": delivery.timestamp_skew or None,
            }
            return {"webhook": _present(told)}


def _present(node: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if value is not None}
