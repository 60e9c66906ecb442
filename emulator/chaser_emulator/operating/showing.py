"""What a command prints: tables and YAML for people, JSON for programs, and texts and files as they are."""

from __future__ import annotations

import json
import sys
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import click

_CHUNK = 256 * 2**10
_WIDEST = 60


def show(answer: HTTPResponse, *, as_json: bool, as_text: bool, target: str | None) -> None:
    """Print an answer, or write it to the file `target` (`-`: standard output)."""
    kind = (answer.headers.get("Content-Type") or "").partition(";")[0].strip()
    if target is not None:
        _write(answer, target)
    elif answer.status == 204:
        if sys.stdout.isatty() and not as_json:
            click.echo("done")
    elif kind == "application/json":
        _show_json(json.loads(answer.read()), as_json=as_json, as_text=as_text)
    elif kind == "text/event-stream":
        for line in answer:
            # As they come: such a stream may go on for as long as somebody watches.
            click.echo(line.decode("utf-8", "replace"), nl=False)
    else:
        text = answer.read().decode("utf-8", "replace")
        click.echo(text, nl=not text.endswith("\n"))


def _show_json(value: Any, *, as_json: bool, as_text: bool) -> None:
    if as_text and not as_json and isinstance(value, dict) and isinstance(value.get("text"), str):
        click.echo(value["text"].rstrip("\n"))
    elif as_json or not sys.stdout.isatty():
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        _show_to_people(value)


def _show_to_people(value: Any) -> None:
    """A list of like things as a table, all else as YAML."""
    if isinstance(value, dict):
        lists = [name for name, part in value.items() if _is_table(part)]
        if len(lists) == 1:
            rest = {name: part for name, part in value.items() if name != lists[0]}
            if rest:
                _yaml(rest)
            _table(value[lists[0]])
            return
    if _is_table(value):
        _table(value)
    else:
        _yaml(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _table(rows: list[dict[str, Any]]) -> None:
    """One row a thing; what would not fit into a cell is left to --json."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = [name for name in names if all(_cell(row.get(name)) is not None for row in rows)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in shown:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) or "" for name in shown))
    Console(highlight=False, markup=False).print(table)


def _cell(value: Any) -> str | None:
    """The text of a cell, None for what has no place in one."""
    if value is None:
        return ""
    if isinstance(value, dict) and value and not any(isinstance(part, (dict, list)) for part in value.values()):
        return "\n".join(f"{name}: {part}" for name, part in value.items())
    if isinstance(value, (dict, list)):
        text = json.dumps(value, ensure_ascii=False)
        return text if len(text) <= _WIDEST else None
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _yaml(value: Any) -> None:
    import yaml

    click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120).rstrip("\n").removesuffix("\n..."))


def _write(answer: HTTPResponse, target: str) -> None:
    """Write all of the answer, or leave the file as it was."""
    try:
        if target == "-":
            while chunk := answer.read(_CHUNK):
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            return
        path = Path(target)
        partial = path.with_name(f".{path.name}.part")
        try:
            with partial.open("wb") as file:
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, HTTPException) as error:
        raise click.ClickException(f"{target} cannot be written: {error}") from None
    click.echo(f"wrote {target}", err=True)
