"""The command `chaser-contract drift`: the bundled document against another version."""

from __future__ import annotations

import json as json_
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaser_contract.written_files import WrittenFile

if TYPE_CHECKING:
    from chaser_contract.drift.comparing import Drift

_FILE = WrittenFile(allow_dash=True)


@click.command()
@click.option("--against", required=True, metavar="URL|FILE", help="The other version: JSON or YAML.")
@click.option(
    "--json", "as_json", type=_FILE, metavar="FILE", help="Write the changes and proposals as JSON; - shows them."
)
@click.option("--patch", type=_FILE, metavar="FILE", help="Write what would become of marks as a diff; - shows it.")
@click.option("--proposals", type=_FILE, metavar="FILE", help="Write the same as a list in YAML; - shows it.")
@click.option(
    "--fail-on",
    type=click.Choice(["any", "unclear", "breaking", "never"]),
    default="any",
    show_default=True,
    help="What ends with 1.",
)
def drift(against: str, as_json: Path | None, patch: Path | None, proposals: Path | None, fail_on: str) -> int:
    """Tell what differs between the bundled document and another version, and whether clients break.

    The other version may be the base URL of a Chaser. Changes are seen from clients of the bundled document: what they
    send must still be taken, and what they are answered must still be what they expect.
    """
    # Imported on use: the document is read.
    from chaser_emulator import spec

    from chaser_contract.drift import comparing, documents, provenance

    try:
        found = comparing.drift(documents.Version(spec.load().document), documents.read(against))
    except documents.Unreadable as error:
        raise click.ClickException(str(error)) from None
    proposed = provenance.proposals(found)
    shown = Path("-") not in (as_json, patch, proposals)
    if as_json is not None:
        _write(as_json, json_.dumps(_as_json(found, [one.as_yaml() for one in proposed]), indent=2) + "\n")
    if patch is not None:
        _write(patch, provenance.patch(found))
    if proposals is not None:
        import yaml

        _write(proposals, yaml.safe_dump([one.as_yaml() for one in proposed], sort_keys=False, width=120))
    if shown:
        _tell(found, len(proposed))
    return 1 if _fails(found, fail_on) else 0


def _fails(found: Drift, fail_on: str) -> bool:
    from chaser_contract.drift.changes import VERDICTS

    if fail_on in ("any", "never"):
        return fail_on == "any" and bool(found.changes)
    worst = VERDICTS[: 1 if fail_on == "breaking" else 2]
    return any(change.verdict in worst for change in found.changes)


def _tell(found: Drift, proposed: int) -> None:
    from chaser_contract.drift.changes import VERDICTS

    styles = {"breaking": "red", "unclear": "yellow", "not breaking": "green"}
    by_operation = sorted(found.changes, key=lambda change: change.operation)
    for operation, changes in groupby(by_operation, key=lambda change: change.operation):
        click.secho(f"\n{operation}", bold=True)
        for change in sorted(changes, key=lambda change: VERDICTS.index(change.verdict)):
            click.echo(f"  {click.style(f'{change.verdict:12}', fg=styles[change.verdict])}  {change.said()}")
    if not found.changes:
        click.echo("nothing differs")
    else:
        click.echo("\n" + ", ".join(f"{len(found.of(verdict))} {verdict}" for verdict in VERDICTS))
    if proposed:
        click.echo(f"{proposed} marks would become `spec`: --patch FILE or --proposals FILE shows them")


def _as_json(found: Drift, proposed: list[dict[str, object]]) -> dict[str, object]:
    from chaser_contract.drift.changes import VERDICTS

    return {
        "sum": {verdict: len(found.of(verdict)) for verdict in VERDICTS},
        "changes": [vars(change) for change in found.changes],
        "proposals": proposed,
    }


def _write(file: Path, text: str) -> None:
    if str(file) == "-":
        sys.stdout.write(text)
    else:
        file.write_text(text, "utf-8")
