"""Seeds as a test gives them: by a name, as a file, or in place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaser_emulator.embedded.asking import Door, Refused, segment

Seed = str | Path | Mapping[str, Any]
"""The name of a ready seed (`team`), a YAML file, or what such a file holds."""

Seeded = Mapping[str, Any]
"""The ids of what a seed has made, by section and name; keys with their texts, webhooks with their secrets."""

_SUFFIXES = (".yaml", ".yml", ".json")


def sow(door: Door, world: str, seed: Seed) -> Seeded:
    """Let a world have what a seed holds. Raises Refused, and OSError for a file that cannot be read."""
    __tracebackhide__ = True
    if isinstance(seed, Mapping):
        told = door.ask("POST", "/seed", dict(seed), world=world)
    elif isinstance(seed, Path) or seed.endswith(_SUFFIXES):
        told = _sow_file(door, world, Path(seed).expanduser())
    else:
        told = door.ask("POST", f"/seed/ready/{segment(seed)}", world=world)
    return dict(told)


def _sow_file(door: Door, world: str, file: Path) -> Any:
    text = file.read_bytes()
    if b"from" in text:
        # What lies beside the seed goes along: the emulator may be elsewhere.
        text = _with_files(text, file)
    return door.ask(
        "POST", "/seed", world=world, content=text, headers={"Content-Type": "application/yaml"}, file=str(file)
    )


def _with_files(text: bytes, file: Path) -> bytes:
    # Imported on use: few seeds name files.
    from chaser_emulator.seeding.inlining import inlined
    from chaser_emulator.seeding.problems import SeedError
    from chaser_emulator.seeding.text import read

    try:
        return inlined(read(text, str(file)), lambda name: (file.parent / name).read_bytes()).encode()
    except SeedError as error:
        refusal = error.refusal()
        raise Refused(400, refusal.code, refusal.message, refusal.details) from None
