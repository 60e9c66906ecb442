"""The command line: `chaser-contract`. Exit codes: 0 clean, 1 findings, 2 could not run."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from chaser_emulator import __version__
from platformdirs import user_cache_dir

from chaser_contract.drift.commands import drift
from chaser_contract.live.options import live_of, live_options
from chaser_contract.parity.commands import parity
from chaser_contract.recording.commands import record
from chaser_contract.written_files import WrittenFile

if TYPE_CHECKING:
    from chaser_contract.evidence import Row

_FILE = click.Path(dir_okay=False, path_type=Path)

_EXTRA = frozenset(("harfile", "hypothesis", "pytest", "schemathesis"))
"""What an emulator does without, and a run does not."""


def main() -> NoReturn:
    """Run the command line."""
    # Hypothesis keeps tables of characters, by itself in the folder in which it is run.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", user_cache_dir("chaser-contract", appauthor=False))
    try:
        code = commands.main(prog_name="chaser-contract", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = 2
    except click.UsageError as error:
        asked = error.ctx.command_path if error.ctx else "chaser-contract"
        click.echo(f"chaser-contract: {error.format_message()} (see {asked} --help)", err=True)
        code = 2
    except click.ClickException as error:
        click.echo(f"chaser-contract: {error.format_message()}", err=True)
        code = 2
    except click.Abort:
        click.echo("chaser-contract: given up", err=True)
        code = 2
    except OSError as error:
        if error.filename is None:
            traceback.print_exc()
        else:
            click.echo(f"chaser-contract: {error.filename}: {error.strerror}", err=True)
        code = 2
    except ModuleNotFoundError as error:
        if error.name in _EXTRA:
            line = "pip install 'chaser-emulator[contract]'"
            click.echo(f"chaser-contract: {error.name} is not installed; it comes with {line}", err=True)
        else:
            traceback.print_exc()
        code = 2
    except Exception:
        # Python's own code for this is that of findings, of which there are none.
        traceback.print_exc()
        code = 2
    sys.exit(code if isinstance(code, int) else 0)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chaser-contract")
def commands() -> None:
    """Hold a Chaser against its document: the emulator, or the real service."""


@commands.command()
@click.option("--url", help="What to test; without it an emulator of this process.")
@click.option("--api-key", envvar="CHASER_API_KEY", help="A key of the first user.")
@click.option("--peer-key", envvar="CHASER_PEER_KEY", help="A key of another user.")
@click.option("--profile", type=click.Choice(["emulator", "live"]), default="emulator", show_default=True)
@click.option("--sandbox", type=click.Choice(["scripted", "local", "docker"]), default="scripted", show_default=True)
@click.option("--image", help="The image of docker sandboxes.")
@click.option("--only", multiple=True, metavar="NAME", help="A part, or all of a subject; may be repeated.")
@click.option("--skip", multiple=True, metavar="NAME", help="What not to run; may be repeated.")
@click.option("--seed", type=int, help="Repeat a run exactly.")
@click.option("--examples", type=click.IntRange(1), default=10, show_default=True, help="Examples of each property.")
@click.option("--workers", type=click.IntRange(1), help="Processes; as many as there are processors.")
@click.option("--junit", type=WrittenFile(), help="Write JUnit XML, for CI servers.")
@click.option("--json", type=WrittenFile(), help="Write everything, for programs.")
@click.option("--html", type=WrittenFile(), help="Write a page, for people.")
@click.option("--har", type=WrittenFile(), help="Write the requests of what failed.")
@click.option("--evidence", type=WrittenFile(), help="Write what was seen of each operation; of a whole run.")
@click.option("--complete", is_flag=True, help="Fail as well where something of the document was not seen.")
@click.option("--baseline", type=_FILE, help="Deviations that are accepted, with owner, date and reason.")
@live_options
def run(
    only: tuple[str, ...],
    skip: tuple[str, ...],
    seed: int | None,
    workers: int | None,
    evidence: Path | None,
    junit: Path | None,
    json: Path | None,
    html: Path | None,
    har: Path | None,
    baseline: Path | None,
    complete: bool,
    **where: Any,
) -> int:
    """Run everything against a Chaser, and tell what it does not keep."""
    # Imported on use: Schemathesis takes a second.
    from chaser_contract import reach, reports, running
    from chaser_contract.document import bundled
    from chaser_contract.evidence import keep
    from chaser_contract.handing import hand_over
    from chaser_contract.live.baseline import Unreadable, load
    from chaser_contract.targets import Unreachable, Where
    from chaser_contract.terminal import Terminal

    live = live_of(where["profile"], where["url"], where)
    wished = Where(seed=secrets.randbits(32) if seed is None else seed, live=live, **where)
    try:
        accepted = [] if baseline is None else load(baseline)
    except Unreadable as error:
        raise click.ClickException(str(error)) from None
    try:
        parts = running.parts_of(wished, only, skip)
    except KeyError as error:
        raise click.UsageError(f"there is no part {error.args[0]!r}") from None
    if not parts:
        raise click.UsageError("--skip leaves nothing of what is to run")
    if evidence is not None and evidence.exists():
        _evidence(evidence)
    terminal = Terminal()
    # Who cancels a job of CI sends this, and what was made is to be removed then too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        report = running.run(wished, parts, terminal, workers=workers or os.cpu_count() or 1, baseline=accepted)
    except Unreachable as error:
        raise click.ClickException(str(error)) from None
    written = reports.write(report, {"junit": junit, "json": json, "html": html, "har": har})
    if evidence is not None:
        keep(report, evidence)
        written.append(evidence)
    missing = [*reach.missing(bundled(), report.seen)] if complete else []
    report.notes += missing
    if (handed := hand_over(report)) is not None:
        report.notes.append(handed)
    terminal.tell(report, written)
    return report.exit_code or (running.FINDINGS if missing else running.CLEAN)


@commands.command()
@click.option("--url", required=True, help="The service that the runs were on.")
@click.option("--api-key", envvar="CHASER_API_KEY", help="A key of the first user.")
@click.option("--peer-key", envvar="CHASER_PEER_KEY", help="A key of another user.")
@click.option("--ledger", multiple=True, type=_FILE, help="What to remove; all that are kept, where none is said.")
@click.option("--alone", is_flag=True, help="Nobody else uses the account: remove what appeared during a lost answer.")
def sweep(url: str, api_key: str | None, peer_key: str | None, ledger: tuple[Path, ...], alone: bool) -> int:
    """Remove from a real service what runs that were cut short have left there, and nothing else.

    Exit codes: 0 when nothing is left, 1 when something is, 2 when it could not run.
    """
    from chaser_contract.live import command
    from chaser_contract.live.guard import FIRST, PEER
    from chaser_contract.live.ledger import Unusable
    from chaser_contract.targets import is_url

    if api_key is None:
        raise click.UsageError("an API key is needed: --api-key, or CHASER_API_KEY")
    if not is_url(url):
        raise click.UsageError("--url is a URL, such as https://api.chaser.sh")
    keys = {FIRST: api_key} | ({} if peer_key is None else {PEER: peer_key})
    try:
        swept = command.sweep(url.rstrip("/"), keys, ledger or None, click.echo, alone=alone)
    except Unusable as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{len(swept.removed)} removed, {len(swept.left)} left")
    return 1 if swept.left else 0


@commands.command()
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", "-o", type=WrittenFile(), help="Where to; the standard output.")
def baseline(report: Path, output: Path | None) -> int:
    """Begin a baseline of all that REPORT (of `run --json`) has found; owners and reasons are to be filled in."""
    from datetime import UTC, datetime

    from chaser_contract.live.baseline import Unreadable, skeleton

    try:
        text = skeleton(report, datetime.now(UTC).date())
    except Unreadable as error:
        raise click.ClickException(str(error)) from None
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, "utf-8")
        click.echo(f"wrote {output}")
    return 0


@commands.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def coverage(file: Path | None) -> int:
    """Show by operation and status what whole runs have seen; FILE is what `run --evidence` wrote."""
    from chaser_contract.evidence import FILE
    from chaser_contract.terminal import show

    rows = _evidence(file or FILE)
    show(rows)
    return 1 if any(set(row.unseen) - set(row.reasons) for row in rows) else 0


def _evidence(file: Path) -> list[Row]:
    """What is kept in a file. Raises ClickException for one that is no evidence."""
    from chaser_contract import evidence

    try:
        return evidence.load(file)
    except FileNotFoundError:
        raise click.ClickException("no evidence is kept: run --evidence FILE writes it") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise click.ClickException(f"{file}: this is not what `run --evidence` writes") from None


@commands.command()
@click.option("--only", multiple=True, metavar="NAME", help="A defect, or all of a class; may be repeated.")
@click.option("--skip", multiple=True, metavar="PART", help="A part of a run that is not to look; may be repeated.")
@click.option("--list", "listed", is_flag=True, help="Show the defects, and try none.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@click.option("--seed", type=int, default=0, show_default=True, help="What decides all that is drawn.")
@click.option("--json", type=WrittenFile(), help="Write everything, for programs.")
def mutants(
    only: tuple[str, ...], skip: tuple[str, ...], listed: bool, workers: int, seed: int, json: Path | None
) -> int:
    """Run the emulator with one defect at a time, and tell which of them a run finds.

    Exit codes: 0 when nearly all were found and the others are explained, 1 when not, 2 when a check finds something
    in the emulator as it is.
    """
    from chaser_contract.mutants import running as of_mutants
    from chaser_contract.mutants import telling

    try:
        defects = of_mutants.chosen(only)
    except KeyError as error:
        raise click.UsageError(f"there is no defect {error.args[0]!r}") from None
    if listed:
        telling.show(defects)
        return 0
    teller = telling.Teller(defects)
    try:
        report = of_mutants.run(defects, teller.fate, seed=seed, workers=workers, skip=skip)
    except KeyError as error:
        raise click.UsageError(f"there is no part {error.args[0]!r}") from None
    teller.sum(report)
    if json is not None:
        telling.write(report, json)
    return report.exit_code


for command in (parity, record, drift):
    commands.add_command(command)
