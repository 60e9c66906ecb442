"""The command `chaser-contract parity`: two Chasers, or one and a recording, that are asked the same."""

from __future__ import annotations

import os
import secrets
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaser_contract.written_files import WrittenFile

if TYPE_CHECKING:
    from chaser_contract.parity.ignoring import Known
    from chaser_contract.parity.sides import Place
    from chaser_contract.parity.trying import Tried

_THERE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("targets", nargs=-1, metavar="TARGET TARGET …")
@click.option("--api-key", "keys", multiple=True, metavar="KEY", help="A key for each URL, in their order.")
@click.option("--peer-key", "peer_keys", multiple=True, metavar="KEY", help="A key of another user for each URL.")
@click.option("--steps", type=click.IntRange(1), default=12, show_default=True, help="Calls of a sequence, at most.")
@click.option("--examples", type=click.IntRange(1), default=100, show_default=True, help="Sequences to try.")
@click.option("--seed", type=int, help="Repeat a run exactly.")
@click.option("--ignore", type=_THERE, help="Known differences, each with its reason.")
@click.option(
    "--write", type=WrittenFile(), default=Path("test_parity.py"), show_default=True, help="The test to be written."
)
@click.option("--cassette", type=_THERE, metavar="FILE.har", help="Replay a recording, and compare with it.")
@click.option("--url", help="Where to replay it; without it an emulator of this process.")
@click.option("--allow", multiple=True, metavar="NAME", help="What a real service may be asked besides reading.")
@click.option("--quiet", is_flag=True, help="Say only what differs.")
def parity(
    targets: tuple[str, ...],
    keys: tuple[str, ...],
    peer_keys: tuple[str, ...],
    steps: int,
    examples: int,
    seed: int | None,
    ignore: Path | None,
    write: Path,
    cassette: Path | None,
    url: str | None,
    allow: tuple[str, ...],
    quiet: bool,
) -> int:
    """Ask two Chasers the same, and tell the first difference.

    A TARGET is `here` (an emulator of this process), `here:local`, `here:docker`, or a URL. Each is compared with the
    first. Keys are taken from CHASER_A_API_KEY, CHASER_B_API_KEY, CHASER_A_PEER_KEY and so on as well; an emulator on
    this machine needs none.
    """
    # Imported on use: Hypothesis and the emulator take a second.
    from chaser_contract.broken import NotTried
    from chaser_contract.parity import ignoring
    from chaser_contract.targets import Unreachable

    try:
        known = [*ignoring.bundled(), *(ignoring.load(ignore) if ignore else [])]
        if cassette is not None:
            if targets:
                raise click.UsageError("a recording is compared with one target: --cassette FILE.har --url URL")
            return _replayed(cassette, _places([url or "here"], keys, peer_keys, allow)[0], known, quiet=quiet)
        if url is not None:
            raise click.UsageError("--url is for --cassette; targets are said by themselves")
        if len(targets) < 2:
            raise click.UsageError("two targets are needed, such as: here http://localhost:8000")
        places = _places(targets, keys, peer_keys, allow)
        drawn = secrets.randbits(32) if seed is None else seed
        found = 0
        for other in places[1:]:
            found += _compared(places[0], other, known, drawn, steps, examples, write, quiet=quiet)
            write = write.with_stem(f"{write.stem}_{found + 1}") if found and len(places) > 2 else write
    except (Unreachable, ignoring.BadFile) as error:
        raise click.ClickException(str(error)) from None
    except NotTried as error:
        raise click.ClickException(f"a service was asked no further: {error}") from None
    return 1 if found else 0


def _places(targets: Sequence[str], keys: Sequence[str], peer_keys: Sequence[str], allow: Sequence[str]) -> list[Place]:
    from chaser_contract.parity.sides import Place

    left, left_peer = list(keys), list(peer_keys)
    found = []
    for letter, target in zip(string.ascii_uppercase, targets, strict=False):
        key, peer = (os.environ.get(f"CHASER_{letter}_{name}_KEY") for name in ("API", "PEER"))
        if "://" in target:
            key = left.pop(0) if left else key or (os.environ.get("CHASER_API_KEY") if len(targets) == 1 else None)
            peer = left_peer.pop(0) if left_peer else peer
        found.append(Place(target, key, peer, frozenset(allow)))
    if left or left_peer:
        raise click.UsageError("there are more keys than URLs")
    return found


def _compared(
    left: Place,
    right: Place,
    known: Sequence[Known],
    seed: int,
    steps: int,
    examples: int,
    write: Path,
    *,
    quiet: bool,
) -> int:
    """Compare two; the number of differences that were found."""
    from chaser_contract.document import bundled
    from chaser_contract.parity import ignoring, sides, trying, writing

    with sides.reached(left, seed) as one, sides.reached(right, seed) as other:
        of_these = ignoring.between(known, [sides.kind_of(one), sides.kind_of(other)])
        if not quiet:
            click.echo(f"{left.text} and {right.text}: --seed {seed} --steps {steps} --examples {examples}")
        tried = trying.search(
            bundled(), one, other, seed=seed, steps=steps, examples=examples, known=of_these, told=_watched(quiet)
        )
    if tried.found is None:
        if not quiet:
            click.echo(
                f"nothing differs: {tried.sequences} sequences, {tried.steps} steps, {len(tried.seen)} kinds of answers"
            )
        return 0
    found = tried.found
    asked = {step.operation for step in found.steps} | {found.difference.asked}
    ignored = [one for one in of_these if any(one.about(name, one.place) for name in asked)]
    how = f"--seed {seed} --steps {steps} --examples {examples}"
    write.write_text(writing.written(found, (left.text, right.text), how=how, known=ignored), "utf-8")
    click.echo(found.difference.said((left.text, right.text)))
    if not found.repeats:
        click.echo("It did not come again with the same calls: one of the two is not steady.")
    steps_said = "1 step" if len(found.steps) == 1 else f"{len(found.steps)} steps"
    click.echo(f"{steps_said}, written to {write}; run it with: pytest {write}")
    return 1


def _watched(quiet: bool) -> Callable[[Tried], None]:
    """What shows on a terminal how far it is."""
    import sys

    if quiet or not sys.stderr.isatty() or os.environ.get("CI"):
        return lambda tried: None
    return lambda tried: click.echo(f"\r{tried.sequences} sequences, {tried.steps} steps", nl=False, err=True)


def _replayed(file: Path, place: Place, known: Sequence[Known], *, quiet: bool) -> int:
    from chaser_contract.document import bundled
    from chaser_contract.parity import cassettes, ignoring, replaying, sides

    try:
        cassette = cassettes.load(file, bundled())
    except cassettes.BadCassette as error:
        raise click.ClickException(f"{file}: {error}") from None
    with sides.reached(place, 0) as target:
        kinds = [sides.kind_of(target), cassettes.KIND]
        replay = replaying.replay(cassette, bundled(), target, ignoring.between(known, kinds))
    for reason, number in sorted(replay.left_out.items()):
        if not quiet:
            click.echo(f"left out: {number} of {reason}")
    for difference in replay.differences:
        click.echo(f"entry {difference.step + 1}, {difference.said(('the recording', place.text))}")
    if not replay.differences and not quiet:
        click.echo(f"nothing differs: {replay.compared} of {len(cassette.entries)} exchanges compared")
    return 1 if replay.differences else 0
