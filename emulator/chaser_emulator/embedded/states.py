"""What has become of a world since it began."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Resource = Mapping[str, Any]


class Collections(Mapping[str, Sequence[Resource]]):
    """Resources by collection: `["sessions"]` is a list, also where there are none; an unknown name is a KeyError."""

    def __init__(self, found: Mapping[str, Sequence[Resource]]) -> None:
        self._found = dict(found)

    def __getitem__(self, name: str) -> Sequence[Resource]:
        if name in self._found:
            return self._found[name]
        from chaser_emulator.differences import COLLECTIONS

        if name not in COLLECTIONS:
            raise KeyError(f"{name}; there are {', '.join(COLLECTIONS)}")
        return []

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return repr(self._found)


@dataclass(frozen=True)
class Difference:
    """What was created, changed and deleted, by collection: `diff.created["sessions"]`.

    Iterating and `len` go over the collections in which something happened. `changed` resources have `before` and
    `after`, with the fields that changed. It is false where nothing happened.
    """

    created: Collections
    changed: Collections
    deleted: Collections

    def __bool__(self) -> bool:
        return bool(self.created or self.changed or self.deleted)

    def __str__(self) -> str:
        lines = []
        for word, found in (("created", self.created), ("changed", self.changed), ("deleted", self.deleted)):
            for collection in found:
                lines += [f"{word} {collection}: {json.dumps(one, default=str)}" for one in found[collection]]
        return "\n".join(lines) or "nothing has changed"


def difference_of(told: Mapping[str, Any]) -> Difference:
    """The difference that the control plane tells of."""
    return Difference(*(Collections(told.get(name, {})) for name in ("created", "changed", "deleted")))
