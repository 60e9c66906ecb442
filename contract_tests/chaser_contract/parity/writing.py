"""Writing: a difference as a test file of its own, which fails for as long as the two Chasers differ."""

from __future__ import annotations

import pprint
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from chaser_contract.parity.ignoring import Known
from chaser_contract.parity.steps import FIRST, NOBODY, NOTHING, PEER, Ref, Step
from chaser_contract.parity.trying import Found

_HEAD = '''\
"""{sentence}

Written by `chaser-contract parity`{how}. Run it with pytest: it fails for as long as they differ.
CHASER_A_URL and CHASER_B_URL name others to compare, CHASER_A_API_KEY, CHASER_A_PEER_KEY and so on their keys.
"""

from chaser_contract.parity.both import both


def test_both_answer_{name}_alike():
    with both({left!r}, {right!r}{ignoring}) as chaser:
'''


def written(found: Found, targets: tuple[str, str], *, how: str = "", known: Sequence[Known] = ()) -> str:
    """The text of the file. It holds no keys."""
    names = _names(found.steps)
    lines = [_call(step, names, place) for place, step in enumerate(found.steps)]
    ignoring = "".join(f"        ({one.operation!r}, {one.place!r}): {one.reason!r},\n" for one in known)
    head = _HEAD.format(
        sentence=_sentence(found, targets),
        how=f" {how}" if how else "",
        name=found.difference.asked.replace("-", "_"),
        left=targets[0],
        right=targets[1],
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
    words = [repr(step.operation)]
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
    if len(line) <= 110:
        return line
    inner = "".join(f"    {word},\n" for word in words)
    return f"{assigned}chaser.ask(\n{inner})"


def _caller(caller: str | Ref, names: Mapping[int, str]) -> str:
    if isinstance(caller, Ref):
        return _text(caller, names)
    return repr(caller) if caller in (PEER, NOBODY) else "'wrong'"


class _Name:
    """A piece of code among values, so that it is shown as it is."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __repr__(self) -> str:
        return self._code


def _text(value: Any, names: Mapping[int, str]) -> str:
    return pprint.pformat(_shown(value, names), width=96, sort_dicts=False, compact=True).replace("\n", "\n    ")


def _shown(value: Any, names: Mapping[int, str]) -> Any:
    if isinstance(value, Ref):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in value.pointer.split("/")[1:]]
        return _Name(names[value.step] + "".join(f"[{int(part) if part.isdecimal() else part!r}]" for part in parts))
    if isinstance(value, Mapping):
        return {name: _shown(part, names) for name, part in value.items()}
    if isinstance(value, list):
        return [_shown(part, names) for part in value]
    return value
