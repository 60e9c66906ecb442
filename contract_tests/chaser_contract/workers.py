"""Workers: processes that try one part at a time, each on a target of its own; none can hold up a run, or end it."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType

from chaser_contract.findings import Outcome
from chaser_contract.targets import Target, Unreachable, Where, opened

LIMIT = 600.0
"""Seconds that a part may take, by far more than any does."""

_LEAVE = 60.0
"""Seconds in which a worker without work has to have stopped its emulator."""

_GIVE_UP = 10.0
"""Seconds in which one that is told to has to have left its work, and taken away what it has made."""

Try = Callable[[Target, str], Outcome]


@dataclass
class _Worker:
    """A process, and the part that it is at since a moment."""

    process: BaseProcess
    line: Connection
    part: str | None = None
    since: float = 0.0

    def begin(self, part: str) -> None:
        self.part, self.since = part, time.monotonic()
        self.line.send(part)


def outcomes(
    where: Where, parts: Sequence[str], try_part: Try, *, workers: int, limit: float = LIMIT
) -> Iterator[Outcome]:
    """What comes of each part, as it comes. One whose worker dies, or that takes longer than `limit`, is an error."""
    waiting = deque(parts)
    working: list[_Worker] = []
    try:
        while waiting or any(one.part is not None for one in working):
            while waiting and len(working) < workers:
                working.append(_started(where, try_part))
            for worker in working:
                if worker.part is None and waiting:
                    worker.begin(waiting.popleft())
            for worker in _heard(working, limit):
                outcome = _outcome_of(worker, limit)
                if outcome is None:
                    continue
                if not worker.process.is_alive() or outcome.status == "error":
                    # What broke in it may have broken more than this part.
                    working.remove(worker)
                    _end([worker])
                worker.part = None
                yield outcome
        _dismiss(working)
    finally:
        _end(working)


def _started(where: Where, try_part: Try) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(where, theirs, try_part), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _heard(working: Sequence[_Worker], limit: float) -> list[_Worker]:
    """Those that have something to say, or nothing any more, or too long nothing."""
    busy = [one for one in working if one.part is not None]
    if not busy:
        return []
    left = min(one.since for one in busy) + limit - time.monotonic()
    ready = wait([one.line for one in busy], max(0.0, left))
    now = time.monotonic()
    return [one for one in busy if one.line in ready or now - one.since >= limit]


def _outcome_of(worker: _Worker, limit: float) -> Outcome | None:
    part, took = str(worker.part), time.monotonic() - worker.since
    if worker.line.poll():
        try:
            outcome: Outcome = worker.line.recv()
        except EOFError:
            worker.process.join()
            text = f"its process ended (exit code {worker.process.exitcode}) before it was done"
            return Outcome(part, "error", text, seconds=took)
        return outcome
    if took < limit:
        return None
    _end([worker])
    return Outcome(part, "error", f"it was not done after {limit:.0f} seconds, and was ended", seconds=took)


def _dismiss(working: list[_Worker]) -> None:
    """Let those that have nothing to do any more stop their emulators."""
    for worker in working:
        worker.line.close()
    until = time.monotonic() + _LEAVE
    for worker in working:
        worker.process.join(max(0.0, until - time.monotonic()))


def _end(working: Sequence[_Worker]) -> None:
    """Stop them, whatever they do."""
    for worker in working:
        worker.process.terminate()
    until = time.monotonic() + _GIVE_UP
    for worker in working:
        worker.process.join(max(0.0, until - time.monotonic()))
        worker.process.kill()
        worker.process.join()
        worker.line.close()


def _work(where: Where, line: Connection, try_part: Try) -> None:
    """What a worker does until nobody has work for it."""
    # The interrupt of a terminal reaches all; who started this one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGALRM, _leave)
    try:
        with opened(where) as target:
            while True:
                line.send(try_part(target, line.recv()))
    except (EOFError, BrokenPipeError):
        return
    except Unreachable as error:
        line.send(Outcome(line.recv(), "error", str(error)))


def _leave(signum: int, frame: FrameType | None) -> None:
    """Unwind, so that sandboxes and folders go away as the blocks end that have made them."""
    if is_swallowed(frame):
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    raise SystemExit(0)


def is_swallowed(frame: FrameType | None) -> bool:
    """Whether Python drops what is raised here: Hypothesis watches collections, and objects are finalized in them."""
    while frame is not None:
        if frame.f_code.co_name in ("gc_callback", "__del__"):
            return True
        frame = frame.f_back
    return False
