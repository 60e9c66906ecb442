"""Seeds as a test gives them: by a name, as a file, or in place."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaser_emulator.embedded.asking import Door, segment

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
    if b"from:" in text:
        import yaml

        # What lies beside the seed goes along: the emulator may be elsewhere.
        value = _with_files(yaml.safe_load(text), file.parent)
        return door.ask("POST", "/seed", value, world=world, file=str(file))
    return door.ask(
        "POST", "/seed", world=world, content=text, headers={"Content-Type": "application/yaml"}, file=str(file)
    )


def _with_files(value: Any, folder: Path) -> Any:
    """The same with the bytes of files in place of `from: path`."""
    if isinstance(value, list):
        return [_with_files(one, folder) for one in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("from"), str) and set(value) <= {"from", "executable"}:
        content = base64.b64encode((folder / value["from"]).read_bytes()).decode("ascii")
        return {name: one for name, one in value.items() if name != "from"} | {"base64": content}
    return {name: _with_files(one, folder) for name, one in value.items()}
