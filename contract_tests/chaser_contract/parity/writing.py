"""Writing: a difference as a test file of its own, which fails for as long as the two Chasers differ."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from chaser_contract.parity.ignoring import Known
from chaser_contract.parity.steps import FIRST, NOTHING, Ref, Step
from chaser_contract.parity.trying import Found

_WIDTH = 110

_HEAD = '''\
"""{sentence}

Written by `chaser-contract parity`{how}. Run it with pytest: it fails for as long as they differ.
CHASER_A_URL and CHASER_B_URL name others to compare, CHASER_A_API_KEY, CHASER_A_PEER_KEY and so on their keys.
"""

from chaser_contract.parity.both import both


def test_both_answer_{name}_alike():
    with both({left}, {right}{ignoring}) as chaser:
'''


def written(found: Found, targets: tuple[str, str], *, how: str = "", known: Sequence[Known] = ()) -> str:
    """The text of the file. It holds no keys."""
    names = _names(found.steps)
    lines = [_call(step, names, place) for place, step in enumerate(found.steps)]
    ignoring = "".join(
        f"        ({_quoted(one.operation)}, {_quoted(one.place)}): {_quoted(one.reason)},\n" for one in known
    )
    head = _HEAD.format(
        sentence=_sentence(found, targets),
        how=f" {how}" if how else "",
        name=found.difference.asked.replace("-", "_"),
        left=_quoted(targets[0]),
        right=_quoted(targets[1]),
        ignoring=f", ignoring={{\n{ignoring}    }}" if known else "",
    )
    return head + textwrap.indent("\n".join(lines), " " * 8) + "\n"


def _sentence(found: Found, targets: tuple[str, str]) -> str:
    text = found.difference.said(targets)
    return text.replace("\\", "\\\\").replace('"""', "'''")


def _names(steps: Sequence[Step]) -> dict[int, str]:
    """Names for the answers that others refer to: by what was made, counted where there are several."""
    needed = sorted({ref.step for step in steps for ref in step.refs()})
    found: dict[int, str] = {}
    for place in needed:
        words = re.sub(r"^(create|list|get|add|exec|upload|open)-(current-)?", "", steps[place].operation)
        name = words.replace("-", "_")
        while name in found.values():
            name = f"{name.rstrip('0123456789_')}_{sum(other.startswith(name) for other in found.values()) + 1}"
        found[place] = name
    return found


def _call(step: Step, names: Mapping[int, str], place: int) -> str:
    words = [_quoted(step.operation)]
    words += [f"{name}={_text(value, names)}" for name, value in step.path.items()]
    for name, value in (("query", step.query), ("headers", step.headers)):
        if value:
            words.append(f"{name}={_text(value, names)}")
    if step.json is not NOTHING:
        words.append(f"json={_text(step.json, names)}")
    for name, raw in (("content", step.content), ("media_type", step.media_type), ("file", step.file)):
        if raw is not None:
            words.append(f"{name}={raw!r}")
    if step.caller != FIRST:
        words.append(f"caller={_caller(step.caller, names)}")
    if step.account is not None:
        words.append(f"account={_text(step.account, names)}")
    assigned = f"{names[place]} = " if place in names else ""
    line = f"{assigned}chaser.ask({', '.join(words)})"
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    inner = "".join(f"    {word},\n" for word in words)
    return f"{assigned}chaser.ask(\n{inner})"


def _caller(caller: str | Ref, names: Mapping[int, str]) -> str:
    if isinstance(caller, Ref):
        return _text(caller, names)
    return _quoted(caller)


def _text(value: Any, names: Mapping[int, str], indent: int = 4) -> str:
    """A value as code: in one line where that is short, else an entry a line."""
    if isinstance(value, Ref):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in value.pointer.split("/")[1:]]
        return names[value.step] + "".join(f"[{part if part.isdecimal() else _quoted(part)}]" for part in parts)
    if isinstance(value, Mapping):
        entries = [f"{_quoted(str(name))}: {_text(part, names, indent + 4)}" for name, part in value.items()]
        opens, closes = "{", "}"
    elif isinstance(value, list):
        entries, opens, closes = [_text(part, names, indent + 4) for part in value], "[", "]"
    else:
        return _quoted(value) if isinstance(value, str) else repr(value)
    line = f"{opens}{', '.join(entries)}{closes}"
    if len(line) + indent <= _WIDTH - 12 and "\n" not in line:
        return line
    inner = "".join(f"{' ' * (indent + 4)}{entry},\n" for entry in entries)
    return f"{opens}\n{inner}{' ' * indent}{closes}"


def _quoted(text: str) -> str:
    """A string, in double quotes where that needs no escapes."""
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in plain else plain
