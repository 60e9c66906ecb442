"""What a body names: the document's examples in it give way to things that are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaser_emulator.explaining.asking import JSON, Ask
from chaser_emulator.explaining.places import Path, at, put
from chaser_emulator.explaining.remedies import things
from chaser_emulator.explaining.remedies.case import Case, leaves

_WORDS: Mapping[str, str] = {
    "workspace": "workspace",
    "clone_from": "workspace",
    "session_id": "session",
    "assistant_id": "assistant",
    "github_repo": "repository",
    "repo": "repository",
}
"""The fields that name something, and what."""


async def settled(case: Case, before: Any, ask: Ask) -> tuple[Ask, tuple[Ask, ...]]:
    """The request with things that are there in the fields that were filled in for it, and what is to be made first."""
    first: tuple[Ask, ...] = ()
    if ask.media_type != JSON:
        return ask, first
    for path, value in list(leaves(ask.body)):
        word = _WORDS.get(str(path[-1])) if path else None
        if word is None or not isinstance(value, str) or at(before, path) == value:
            continue
        if word != "repository" and await things.exists(case, word, value):
            continue
        found = await _found(case, word, value, ask, path)
        if found is not None:
            ask, first = ask.with_body(put(ask.body, path, found.name)), (*first, *found.first)
    return ask, first


async def _found(case: Case, word: str, value: str, ask: Ask, path: Path) -> things.Found | None:
    match word:
        case "workspace":
            kind = at(ask.body, [*path[:-1], "session_type"])
            return await things.workspace(case, value, kind if kind in ("sandbox", "browser") else None)
        case "repository":
            known = await things.repositories(case)
            return things.Found(known[0]) if known and value not in known else None
        case "session":
            return await things.session(case)
        case _:
            return await things.assistant(case, {}, value)
