"""An explanation for people: what was asked, who refused it and why, where that is written, and what would pass."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from chaser_emulator.explaining.explanation import BrokenRule, Explanation, Line
from chaser_emulator.explaining.places import brief

_WIDTH = 100
_INDENT = "  "


def told(explanation: Explanation) -> str:
    """The text, in lines that fit a terminal."""
    return "\n".join(_lines(explanation)) + "\n"


def _lines(one: Explanation) -> Iterator[str]:
    status = "no answer" if one.status is None else str(one.status)
    yield f"{one.asked}  ->  {status}{f' {one.code}' if one.code else ''}"
    parts = [one.operation, f"request {one.request_id}", f"number {one.number}", one.at]
    yield _INDENT + " · ".join(part for part in parts if part)
    yield ""
    yield from _wrapped(one.summary, "")
    for rule in one.rules:
        yield ""
        yield from _rule(rule, one.summary)
    if one.state:
        yield ""
        yield "How things stand"
        for name, value in one.state.items():
            yield from _wrapped(f"{name.replace('_', ' ')}: {_shown(value)}", _INDENT)
    if one.fault:
        yield ""
        yield "A planned fault had a hand in it"
        yield from _wrapped(json.dumps(one.fault, ensure_ascii=False), _INDENT)
    if one.ignored:
        yield ""
        yield "Ignored, as nobody reads it"
        yield from (f"{_INDENT}{name}" for name in one.ignored)
    for hint in one.hints:
        yield from _wrapped(f"Perhaps: {hint}", "")
    yield from _way_on(one)


def _rule(rule: BrokenRule, said: str) -> Iterator[str]:
    where = f"{rule.location} {rule.pointer}".strip() if rule.location else ""
    # What the summary says is not said again.
    parts = [part for part in (where, "" if rule.message in said else rule.message) if part]
    yield from _wrapped(": ".join(parts) or "The rule", "")
    if rule.value is not None:
        yield f"{_INDENT}it was    {brief(rule.value)}"
    if rule.accepted is not None:
        yield from _wrapped(f"accepted  {_shown(rule.accepted)}", _INDENT)
    place = f"  ({rule.place.file})" if rule.place.file else ""
    yield f"{_INDENT}document  {rule.place.pointer}{place}"
    if rule.place.description:
        yield from _wrapped(f"says      {rule.place.description}", _INDENT)
    for number, text in rule.place.rulings.items():
        yield from _wrapped(f"{number:<9} {text}", _INDENT)


def _way_on(one: Explanation) -> Iterator[str]:
    if one.passes is None:
        if one.why_not:
            yield ""
            yield from _wrapped(f"No request near it passes: {one.why_not}.", "")
        return
    yield ""
    yield "The nearest request that passes" + (f", after {_first(one)}" if one.first or one.wait_seconds else "")
    for change in one.changes:
        yield from _wrapped(str(change), _INDENT)
    if one.acts_as:
        yield f"{_INDENT}with a key of {one.acts_as['email']}, who is {one.acts_as['role']}"
    if one.note:
        yield from _wrapped(f"({one.note})", _INDENT)
    yield ""
    for line in [*one.first, one.passes]:
        yield f"{_INDENT}{line.curl}"
    if calls := [line for line in [*one.first, one.passes] if line.sdk is not None]:
        yield ""
        yield from (f"{_INDENT}{_call(line)}" for line in calls)


def _call(line: Line) -> str:
    """A call of the SDK, and what is kept of its answer."""
    kept = [
        (name.removeprefix("CHASER_").lower(), "".join(f"[{part!r}]" for part in pointer.strip("/").split("/")))
        for name, pointer in line.ask.takes.items()
    ]
    return f"{kept[0][0]} = {line.sdk}{kept[0][1]}" if kept else str(line.sdk)


def _first(one: Explanation) -> str:
    if one.first:
        return "another" if len(one.first) == 1 else f"{len(one.first)} others"
    return f"{one.wait_seconds} s"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(str(part) for part in value) or "none"
    return json.dumps(value, ensure_ascii=False)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + " " * (10 if indent else 0),
        break_long_words=False,
        break_on_hyphens=False,
    )
