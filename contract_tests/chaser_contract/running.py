"""A run: its parts one after the other, in as many processes as are wanted, and what came of each."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from chaser_contract import generated, promises
from chaser_contract.broken import Broken, NotTried
from chaser_contract.findings import Finding, Outcome, distinct
from chaser_contract.live.baseline import Accepted, sort
from chaser_contract.targets import Target, Where, opened
from chaser_contract.workers import LIMIT
from chaser_contract.workers import outcomes as of_workers

CLEAN, FINDINGS, COULD_NOT = 0, 1, 2
"""Exit codes."""


class Listener(Protocol):
    """Who is told how a run goes on; always from the thread that runs it."""

    def begins(self, where: Where, url: str, parts: Sequence[str]) -> None: ...
    def ended(self, outcome: Outcome) -> None: ...
    def stop(self) -> None: ...


@dataclass
class Report:
    """All that came of a run.

    `accepted` are deviations that the baseline knows, `notes` what else is to be told, and `left` what a run on a real
    service could not remove.
    """

    where: Where
    url: str
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list)
    accepted: list[tuple[Finding, Accepted]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def findings(self) -> list[Finding]:
        """Each once, in the order of the parts."""
        return distinct(one for outcome in self.outcomes for one in outcome.findings)

    @property
    def seen(self) -> dict[tuple[str, int, str], int]:
        """How often each status of an operation was seen, on each axis."""
        total: dict[tuple[str, int, str], int] = {}
        for outcome in self.outcomes:
            for key, count in outcome.seen.items():
                total[key] = total.get(key, 0) + count
        return total

    @property
    def exit_code(self) -> int:
        if self.findings:
            return FINDINGS
        if self.interrupted or self.left or any(outcome.status == "error" for outcome in self.outcomes):
            return COULD_NOT
        return COULD_NOT if self._nothing_answered else CLEAN

    @property
    def _nothing_answered(self) -> bool:
        """A service that was never steady has not been tried."""
        unsteady = [one for one in self.outcomes if one.reason.startswith("not steady")]
        return bool(unsteady) and not any(one.status == "passed" for one in self.outcomes)


def parts_of(where: Where, only: Collection[str] = (), skip: Collection[str] = ()) -> list[str]:
    """The names of the parts to run, the longest first; what is named is a part, a subject, or how names begin.

    Raises KeyError for what names nothing.
    """
    known = [*generated.parts(where), *promises.load()]
    for name in (*only, *skip):
        if not any(meant(part, name) for part in known):
            raise KeyError(name)
    return [
        part
        for part in known
        if (not only or any(meant(part, name) for name in only)) and not any(meant(part, name) for name in skip)
    ]


def run(
    where: Where,
    parts: Sequence[str],
    listener: Listener,
    *,
    workers: int = 1,
    baseline: Sequence[Accepted] = (),
    limit: float = LIMIT,
) -> Report:
    """Run parts. Raises Unreachable before anything is tried. A part that breaks by itself is an outcome `error`.

    With several workers so is one whose process dies, or that takes longer than `limit` seconds. An interrupt ends the
    run: the report is about what was done until then.
    """
    # A real service is asked by one caller, who counts.
    workers = 1 if where.profile == "live" else workers
    begun = time.perf_counter()
    with opened(where) as target:
        report = Report(where, target.url)
        listener.begins(where, target.url, parts)
        try:
            for outcome in _outcomes(target, parts, workers, limit):
                _accept(report, outcome, baseline)
                report.outcomes.append(outcome)
                listener.ended(outcome)
        except KeyboardInterrupt:
            report.interrupted = True
            report.notes.append(f"interrupted after {len(report.outcomes)} of {len(parts)} parts")
        finally:
            listener.stop()
    if target.guard is not None:
        guard = target.guard
        report.left = list(guard.swept.left)
        if guard.troubles:
            met = [f"{what} ×{count}" for what, count in sorted(guard.troubles.items())]
            report.notes.append(f"waited for what passes by itself: {_joined(met, 10)}")
        report.notes += [f"lasting: {what}" for what in guard.swept.lasting]
    report.notes += sort([one for one, _ in report.accepted], baseline, report.begun.date()).notes
    order = {name: place for place, name in enumerate(parts)}
    report.outcomes.sort(key=lambda one: order[one.part])
    report.seconds = time.perf_counter() - begun
    return report


def try_part(target: Target, name: str) -> Outcome:
    """What comes of one part on a target."""
    begun = time.perf_counter()
    if target.guard is not None and target.guard.spent is not None:
        return Outcome(name, "skipped", target.guard.spent)
    if name.startswith("generated."):
        outcome = _guarded(name, lambda: generated.try_part(target, name))
    else:
        outcome = _guarded(name, lambda: _promise(target, promises.load()[name]))
    outcome.seconds = time.perf_counter() - begun
    return outcome


def _accept(report: Report, outcome: Outcome, baseline: Sequence[Accepted]) -> None:
    """Take out of an outcome what the baseline accepts."""
    result = sort(outcome.findings, baseline, report.begun.date())
    report.accepted += result.accepted
    outcome.findings = result.findings
    if result.accepted and not outcome.findings and outcome.status == "failed":
        outcome.status, outcome.reason = "passed", "what it found is accepted by the baseline"


def _promise(target: Target, one: promises.Promise) -> Outcome:
    outcome = Outcome(one.name)
    if "commands" in one.needs and target.where.url is None and target.where.sandbox == "scripted":
        return Outcome(one.name, "skipped", "it takes an engine on which commands really run")
    if "emulator" in one.needs and target.emulator is None:
        return Outcome(one.name, "skipped", "it takes an emulator, whose clock and state can be steered")
    with target.subject(one.name, stateful=one.stateful, limits="limits" in one.needs) as subject:
        try:
            if "commands" in one.needs and subject.scripted:
                raise NotTried("it takes an engine on which commands really run")
            one.check(subject)
        except Broken as broken:
            subject.found(broken)
        except NotTried as error:
            outcome.status, outcome.reason = "skipped", str(error)
        except Exception as error:
            # Whoever wrote the promise did not think that such an answer could come.
            outcome.reason = traceback.format_exc()
            came = f"nothing that it could go on with: {type(error).__name__}: {error} ({_place(error)})"
            about = one.name
            if subject.last is not None and subject.last.operation is not None:
                about, came = subject.last.operation, f"{subject.last.said()[:200]}, {came}"
            subject.found(Broken(f"{about}: {one.says}", came, exchange=subject.last, kind="unexpected"))
        finally:
            outcome.findings = list(subject.findings)
            outcome.seen, outcome.requests = dict(subject.seen), subject.requests
    if outcome.findings:
        outcome.status = "failed"
    elif subject.left_out and outcome.status == "passed":
        outcome.status = "passed" if any(seen[1] < 400 for seen in outcome.seen) else "skipped"
        outcome.reason = _joined(list(dict.fromkeys(subject.left_out)))
    return outcome


def _joined(texts: Sequence[str], shown: int = 3) -> str:
    more = f"; and {len(texts) - shown} more" if len(texts) > shown else ""
    return "; ".join(texts[:shown]) + more


def _place(error: BaseException) -> str:
    """Where in the promises it was raised."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/promises/" in frame.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "outside of the promises"


def _guarded(name: str, work: Callable[[], Outcome]) -> Outcome:
    try:
        return work()
    except Exception:
        # Whatever a part did not expect is told, and the run goes on with the next.
        return Outcome(name, "error", traceback.format_exc())


def _outcomes(target: Target, parts: Sequence[str], workers: int, limit: float) -> Iterator[Outcome]:
    if workers <= 1 or len(parts) <= 1:
        for name in parts:
            yield try_part(target, name)
        return
    yield from of_workers(target.where, parts, try_part, workers=workers, limit=limit)


def meant(part: str, name: str) -> bool:
    """Whether a name is that of a part, of its subject, or how it begins."""
    return part == name or part.startswith((f"{name}.", f"{name}-"))
