"""One world of an emulator, as what it is: forked, compared, saved, put back, deleted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.embedded.asking import Door, segment


@dataclass(frozen=True)
class World:
    """A world by its id. `api_key` acts for its first user, whose personal account is `account_id`."""

    door: Door
    id: str
    api_key: str = field(repr=False)
    account_id: str
    strict: bool = False
    keys: dict[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.id

    def info(self) -> dict[str, Any]:
        """What the emulator tells of it."""
        return dict(self.door.ask("GET", f"/worlds/{segment(self.id)}"))

    def reset(self) -> None:
        """Put it back to what it began with."""
        self.door.ask("POST", "/reset", world=self.id)

    def delete(self) -> None:
        """End all that runs in it, and forget it."""
        self.door.ask("DELETE", f"/worlds/{segment(self.id)}")


def world_of(door: Door, told: dict[str, Any]) -> World:
    """The world that the emulator tells of, having made it."""
    return World(door, told["id"], told["api_key"], told["account_id"], told["strict"], {**told.get("keys", {})})
