"""A rule's JSON -> a Fault, or a sentence that names the field and what is accepted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from chaser_emulator.errors import invalid_field
from chaser_emulator.faults import effects, rule, values
from chaser_emulator.faults.effects import PATIENCE, Effect, How, When
from chaser_emulator.faults.rule import Fault
from chaser_emulator.sandbox import failing
from chaser_emulator.webhooks.misbehaving import DeliveryFault

T = TypeVar("T")


EFFECTS = (
    "error",
    "answer",
    "lost",
    "reset",
    "truncate",
    "latency",
    "slow",
    "drop",
    "raise",
    "engine",
    "webhook",
)
"""The fields that are effects; a rule has one of them."""

_WITH_WHEN = frozenset({"error", "answer", "latency", "raise"})

_DELIVERIES: Mapping[str, DeliveryFault] = {
    "duplicate": DeliveryFault(duplicate=1),
    "reorder": DeliveryFault(reorder=True),
    "late": DeliveryFault(delay=60),
    "wrong_signature": DeliveryFault(wrong_signature=True),
}
"""The short forms of what a delivery does wrong."""


class _Node:
    """A JSON object that is taken apart, field by field; `pointer` says where it stands."""

    def __init__(self, value: Any, pointer: str, accepted: str = "an object") -> None:
        if not isinstance(value, Mapping):
            raise invalid_field(pointer, f"must be {accepted}")
        self.pointer = pointer
        self._left = dict(value)

    def at(self, name: str) -> str:
        return f"{self.pointer}/{name}"

    def has(self, name: str) -> bool:
        """Whether a field is there, and neither null nor false, which are the same as none."""
        return self._left.get(name) is not None and self._left[name] is not False

    def take(self, name: str) -> Any:
        """A field's value; None where it is absent, or null, which is the same."""
        return self._left.pop(name, None)

    def read(self, name: str, reader: Callable[[Any, str], T], default: T) -> T:
        value = self.take(name)
        return default if value is None else reader(value, self.at(name))

    def end(self, known: str) -> None:
        """Refuse what nobody has taken."""
        left = [name for name, value in self._left.items() if value is not None]
        if left:
            raise invalid_field(self.at(str(left[0])), f"is not known; {known} are accepted")


def read(value: Any, pointer: str = "") -> Fault:
    """The rule that a JSON value is; its `id` is empty where none is given. Raises ApiError `invalid_request`."""
    node = _Node(value, pointer)
    named = [name for name in EFFECTS if node.has(name)]
    if len(named) != 1:
        found = f"has {' and '.join(named)}, which exclude each other" if named else "says not what is to happen"
        raise invalid_field(pointer, f"{found}; one of {', '.join(EFFECTS)} is accepted")
    for name in EFFECTS:
        if name != named[0]:
            node.take(name)
    effect = _effect(named[0], node)
    about_deliveries = isinstance(effect, effects.Webhook)
    for name in ("operations", "key", "path") if about_deliveries else ("events", "webhook_id"):
        if node.take(name) is not None:
            why = "deliveries belong to no operation" if about_deliveries else "only deliveries of webhooks have one"
            raise invalid_field(node.at(name), f"does not go with {named[0]}: {why}")
    calls = node.read("calls", values.spans, None)
    probability = node.read("probability", values.chance, 1.0)
    times = node.read("times", values.count, None)
    if calls is not None and times is not None and probability >= 1:
        count = rule.size(calls)
        if count is not None and count > times:
            raise invalid_field(
                node.at("times"), f"lets {times} of {count} calls have it, so the last ones of `calls` never do"
            )
    seed = node.take("seed")
    fault = Fault(
        id=node.read("id", values.name, ""),
        effect=effect,
        selectors=node.read("operations", values.words, ()),
        account=node.read("account", values.text, None),
        key=node.read("key", values.text, None),
        path=node.read("path", values.path, {}),
        events=node.read("events", values.words, ()),
        webhook_id=node.read("webhook_id", values.text, None),
        calls=calls,
        probability=probability,
        seed=rule.SEED if seed is None else values.integer(seed, node.at("seed"), 0, 2**63 - 1),
        times=times,
    )
    if seed is not None and not fault.draws:
        raise invalid_field(
            node.at("seed"), "has nothing to draw: neither a probability nor a range of seconds is given"
        )
    node.end(
        "id, operations, account, key, path, events, webhook_id, calls, probability, seed, times, when and the effects"
    )
    return fault


def _effect(name: str, node: _Node) -> Effect:
    value, pointer = node.take(name), node.at(name)
    when: When = node.read("when", values.when, "before") if name in _WITH_WHEN else "before"
    if name not in _WITH_WHEN and node.take("when") is not None:
        raise invalid_field(node.at("when"), f"does not go with {name}; it does with {', '.join(sorted(_WITH_WHEN))}")
    match name:
        case "error":
            return _error(value, pointer, when)
        case "answer":
            return _answer(value, pointer, when)
        case "lost" | "reset":
            return _cut(value, pointer, "after" if name == "lost" else "before")
        case "truncate":
            return _truncate(value, pointer)
        case "latency":
            return effects.Latency(*values.seconds_between(value, pointer), when)
        case "slow":
            return _slow(value, pointer)
        case "drop":
            return _drop(value, pointer)
        case "raise":
            return _raise(value, pointer, when)
        case "engine":
            return _engine(value, pointer)
        case _:
            return effects.Webhook(_delivery(value, pointer))


def _error(value: Any, pointer: str, when: When) -> effects.Error:
    if isinstance(value, str):
        value = {"code": value}
    node = _Node(value, pointer, "a code such as rate_limited, or an object with one")
    code = node.take("code")
    if not isinstance(code, str):
        raise invalid_field(node.at("code"), "is required: a code such as rate_limited")
    retry_after = node.read("retry_after", lambda given, at: values.integer(given, at, 0, values.LONGEST), None)
    if retry_after is not None and code != "rate_limited":
        raise invalid_field(node.at("retry_after"), "goes with rate_limited alone")
    effect = effects.Error(
        code,
        when,
        node.read("message", values.text, None),
        node.take("details"),
        retry_after,
        node.read("headers", values.headers, {}),
    )
    node.end("code, message, details, retry_after and headers")
    return effect


def _answer(value: Any, pointer: str, when: When) -> effects.Answer:
    if isinstance(value, int) and not isinstance(value, bool):
        value = {"status": value}
    node = _Node(value, pointer, "a status such as 502, or an object with one")
    status = node.take("status")
    if status is None:
        raise invalid_field(node.at("status"), "is required: a status from 200 to 599")
    number = values.integer(status, node.at("status"), 200, 599)
    effect = effects.Answer(number, when, node.read("headers", values.headers, {}), node.take("body"))
    if effect.body is not None and number in (204, 304):
        raise invalid_field(node.at("body"), f"cannot be sent with {number}, which has none")
    node.end("status, headers and body")
    return effect


def _cut(value: Any, pointer: str, when: When) -> effects.Cut:
    if value is True:
        value = {}
    elif isinstance(value, str):
        value = {"how": value}
    node = _Node(value, pointer, "true, one of reset, closed and hang, or an object")
    how = node.take("how")
    if how not in (None, "reset", "closed", "hang"):
        raise invalid_field(node.at("how"), "must be one of reset, closed, hang")
    seconds = node.take("seconds")
    if seconds is not None and how != "hang":
        raise invalid_field(node.at("seconds"), "goes with hang alone")
    effect = effects.Cut(
        when, cast("How", how or "reset"), PATIENCE if seconds is None else values.seconds(seconds, node.at("seconds"))
    )
    node.end("how and seconds")
    return effect


def _truncate(value: Any, pointer: str) -> effects.Truncate:
    if value is True:
        value = {}
    elif isinstance(value, int):
        value = {"bytes": value}
    node = _Node(value, pointer, "true, a number of bytes, or an object with bytes or events")
    size, events = node.read("bytes", values.from_zero, None), node.read("events", values.from_zero, None)
    if size is not None and events is not None:
        raise invalid_field(pointer, "has bytes and events, which exclude each other")
    node.end("bytes and events")
    return effects.Truncate(size, events)


def _slow(value: Any, pointer: str) -> effects.Slow:
    if isinstance(value, int | float):
        value = {"seconds": value}
    node = _Node(value, pointer, "a number of seconds, or an object with them")
    seconds = node.take("seconds")
    if seconds is None:
        raise invalid_field(node.at("seconds"), "is required: a number of seconds")
    effect = effects.Slow(values.seconds(seconds, node.at("seconds")), node.read("bytes", values.count, None))
    node.end("seconds and bytes")
    return effect


def _drop(value: Any, pointer: str) -> effects.Drop:
    if isinstance(value, int):
        value = {"messages": 0 if value is True else value}
    node = _Node(value, pointer, "true, a number of messages, or an object with messages or seconds")
    messages, seconds = node.read("messages", values.from_zero, None), node.read("seconds", values.seconds, None)
    if (messages is None) == (seconds is None):
        raise invalid_field(pointer, "needs one of messages and seconds, after which the connection is dropped")
    code = node.read("code", lambda given, at: values.integer(given, at, 1000, 4999), 1006)
    # RFC 6455: these are never sent.
    if code in (1004, 1005, 1015) or 1015 < code < 3000:
        raise invalid_field(
            node.at("code"),
            "is no code that can be sent; 1006 cuts the connection, 1000 to 1014 and 3000 to 4999 are sent",
        )
    node.end("messages, seconds and code")
    return effects.Drop(messages, seconds, code)


def _raise(value: Any, pointer: str, when: When) -> effects.Raise:
    if value is True:
        value = {}
    elif isinstance(value, str):
        value = {"message": value}
    node = _Node(value, pointer, "true, what the log is to say, or an object with that as message")
    effect = effects.Raise(when, node.read("message", values.text, effects.Raise.message))
    node.end("message")
    return effect


def _engine(value: Any, pointer: str) -> effects.Engine:
    if isinstance(value, str):
        value = {"kind": value}
    kinds = sorted(frozenset().union(*failing.POSSIBLE.values()))
    node = _Node(value, pointer, f"one of {', '.join(kinds)}, or an object with that as kind")
    kind = node.take("kind")
    if kind not in kinds:
        raise invalid_field(node.at("kind"), f"must be one of {', '.join(kinds)}")
    able = {operation for operation, possible in failing.POSSIBLE.items() if kind in possible}
    wanted: tuple[str, ...] = node.read("on", values.words, ())
    for name in wanted:
        if name not in failing.POSSIBLE:
            raise invalid_field(
                node.at("on"), f"{name!r} is no operation of an engine; {', '.join(failing.POSSIBLE)} are"
            )
        if name not in able:
            raise invalid_field(node.at("on"), f"{kind} cannot happen to {name}, only to {', '.join(sorted(able))}")
    delay, after = node.read("delay", values.seconds, 0.0), node.read("after", values.seconds, 0.0)
    if kind == "slow" and not delay:
        raise invalid_field(node.at("delay"), "is required: how many seconds slower it is to be")
    if after and kind != "sandbox_dies":
        raise invalid_field(node.at("after"), "goes with sandbox_dies alone")
    failure = failing.Failure(kind, delay, after, node.read("message", values.text, None))
    node.end("kind, on, delay, after and message")
    return effects.Engine(failure, frozenset(cast("failing.Operation", name) for name in wanted) or frozenset(able))


def _delivery(value: Any, pointer: str) -> DeliveryFault:
    if isinstance(value, str):
        if value not in _DELIVERIES:
            raise invalid_field(pointer, f"must be one of {', '.join(_DELIVERIES)}, or an object")
        return _DELIVERIES[value]
    node = _Node(value, pointer, f"one of {', '.join(_DELIVERIES)}, or an object")
    delivery = DeliveryFault(
        duplicate=node.read("duplicate", lambda given, at: values.integer(given, at, 0, 100), 0),
        delay=node.read("delay", values.seconds, 0.0),
        reorder=node.read("reorder", values.truth, False),
        hold=node.read("hold", values.seconds, DeliveryFault.hold),
        wrong_signature=node.read("wrong_signature", values.truth, False),
        timestamp_skew=node.read(
            "timestamp_skew", lambda given, at: values.number(given, at, -values.MOST, values.MOST), 0.0
        ),
    )
    node.end("duplicate, delay, reorder, hold, wrong_signature and timestamp_skew")
    if delivery == DeliveryFault(hold=delivery.hold):
        raise invalid_field(
            pointer, "does nothing; one of duplicate, delay, reorder, wrong_signature and timestamp_skew is needed"
        )
    return delivery
