"""What of a request nobody reads: parameters and fields that the document does not know, and what was meant by them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chaser_emulator.explaining import samples
from chaser_emulator.explaining.asking import Asked
from chaser_emulator.explaining.places import Path
from chaser_emulator.explaining.texts import nearest
from chaser_emulator.journal import Exchange
from chaser_emulator.rules import join
from chaser_emulator.spec import Operation, Spec

_DEEPEST, _MOST = 8, 20


def what_nobody_reads(
    spec: Spec, operation: Operation | None, was: Asked, exchange: Exchange
) -> list[tuple[str, str | None]]:
    """Parameters and fields that were sent and that the document does not know, with the ones that were meant."""
    if operation is None:
        return []
    query = {p.name for p in operation.parameters if p.location == "query"}
    left = [name for name in query if name not in dict(was.ask.query)]
    strangers = dict.fromkeys(name for name, _value in was.ask.query if name not in query)
    found = [(f"query {name}", _meant(name, left, "query ")) for name in strangers]
    known = {name for name, _near in found}
    found += [(one, None) for one in exchange.ignored if one not in known]
    media_type = was.ask.media_type or ""
    if operation.body is not None and media_type in operation.body.content and was.broken is None:
        schema = operation.body.content[media_type]
        found += list(_fields(spec, schema, was.ask.body, ()))
    return found[:_MOST]


def _fields(spec: Spec, schema: Any, value: Any, path: Path) -> Iterator[tuple[str, str | None]]:
    if len(path) > _DEEPEST:
        return
    if isinstance(value, list):
        for index, part in enumerate(value[:_MOST]):
            yield from _fields(spec, schema, part, (*path, index))
    if not isinstance(value, Mapping):
        return
    open_to_all = samples.takes_any_field(spec, schema, path)
    known = samples.fields(spec, schema, path)
    for name, part in value.items():
        if name in known or open_to_all:
            yield from _fields(spec, schema, part, (*path, name))
        else:
            pointer = join("", [*path, name])
            left = [one for one in known if one not in value]
            yield f"body {pointer}", _meant(str(name), left, f"body {join('', path)}/")


def _meant(name: str, known: Sequence[str], prefix: str) -> str | None:
    near = nearest(name, known)
    return f"{prefix}{near}" if near is not None else None
