"""A run of mutants: each defect is planted, and the parts of a contract run are tried until one finds it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import TypeVar

from chaser_emulator import server
from chaser_emulator.settings import SandboxChoice

from chaser_contract import promises, running
from chaser_contract.findings import Finding, Outcome
from chaser_contract.mutants import declaring
from chaser_contract.mutants.declaring import Defect
from chaser_contract.mutants.likeness import ordered
from chaser_contract.mutants.planting import NotUndone, Reach, Stale
from chaser_contract.targets import Target, Where, opened
from chaser_contract.workers import is_swallowed

A = TypeVar("A")
T = TypeVar("T")

ENOUGH = 0.97
"""The share of defects that has to be found."""

_COMES_AND_GOES = "the emulator starts and stops"

PATIENCE = 120
"""Seconds after which a part that has not come to its end counts as having found something: the target hangs."""


@dataclass
class Fate:
    """What became of a defect. `status`: killed, survived, not reached, or stale (it could not be planted, or undone).

    `by` is the part that found it, and `promise` what that says; `tried` are the parts that were tried, with seconds.
    """

    name: str
    status: str = "survived"
    by: str = ""
    promise: str = ""
    came: str = ""
    tried: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class Report:
    """All that came of a run. `unclean` are the parts that find something without any defect, and what."""

    seed: int
    fates: list[Fate] = field(default_factory=list)
    unclean: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def killed(self) -> int:
        return sum(fate.status == "killed" for fate in self.fates)

    @property
    def rate(self) -> float:
        return self.killed / len(self.fates) if self.fates else 1.0

    @property
    def unexplained(self) -> list[Fate]:
        """Those that were not killed, and of which nobody has said why."""
        known = declaring.load()
        return [fate for fate in self.fates if fate.status != "killed" and not known[fate.name].survives]

    @property
    def exit_code(self) -> int:
        if self.unclean:
            return 2
        return 0 if self.rate >= ENOUGH and not self.unexplained else 1


Listener = Callable[[Fate], None]


def chosen(only: Sequence[str] = ()) -> list[Defect]:
    """The defects that are named, whole or by how their names begin; all without names. Raises KeyError."""
    known = declaring.load()
    for name in only:
        if not any(running.meant(one, name) for one in known):
            raise KeyError(name)
    return [one for name, one in known.items() if not only or any(running.meant(name, each) for each in only)]


def run(
    defects: Sequence[Defect], listener: Listener, *, seed: int = 0, workers: int = 2, skip: Sequence[str] = ()
) -> Report:
    """Try each defect. The parts that are to find them are tried without any first: they must find nothing.

    `skip` are parts that are not to be tried. Raises KeyError for one that there is not.
    """
    begun = time.perf_counter()
    report = Report(seed)
    running.parts_of(Where(), skip=skip)
    skipped = tuple(skip)
    with _pool(workers) as pool:
        for _, unclean in _each(pool, _without_defect, list(_lots(defects, seed, skipped))):
            report.unclean |= unclean
        if not report.unclean:
            for _, (fate, unclean) in _each(pool, _fate, [(seed, one.name, skipped) for one in defects]):
                report.fates.append(fate)
                report.unclean |= unclean
                listener(fate)
    order = {one.name: place for place, one in enumerate(defects)}
    report.fates.sort(key=lambda fate: order[fate.name])
    report.seconds = time.perf_counter() - begun
    return report


def hinted(defect: Defect, skip: Sequence[str] = ()) -> list[str]:
    """The parts that a defect's hint names, in the order in which it names them."""
    where, found = Where(sandbox=defect.engine), dict[str, None]()
    for name in defect.kills:
        with suppress(KeyError):
            found |= dict.fromkeys(running.parts_of(where, [name], skip))
    return list(found)


def _others(defect: Defect, where: Where, skip: Sequence[str]) -> list[str]:
    """All parts, those promises first that speak of what the complaint speaks of, and what is generated at last."""
    parts, known = running.parts_of(where, skip=skip), promises.load()
    says = {part: known[part].says for part in parts if part in known}
    return [*ordered(f"{defect.name} {defect.complaint}", says), *(part for part in parts if part not in says)]


def try_defect(defect: Defect, seed: int = 0, skip: Sequence[str] = ()) -> tuple[Fate, dict[str, str]]:
    """What becomes of one defect, and which parts turned out to find something without it as well."""
    where = Where(sandbox=defect.engine, seed=seed)
    begun, reach = time.perf_counter(), Reach()
    fate, unclean = Fate(defect.name), dict[str, str]()
    first = hinted(defect, skip)
    parts = [*first, *(one for one in _others(defect, where, skip) if one not in first)]
    try:
        while (finding := _first_finding(defect, where, parts, reach, fate)) is not None:
            if finding.part not in first and (found := _without_defect((seed, defect.engine, (finding.part,)))):
                # It says nothing about the defect; those after it may.
                unclean |= found
                parts = parts[parts.index(finding.part) + 1 :]
                continue
            fate.status, fate.by, fate.promise, fate.came = "killed", finding.part, finding.promise, finding.came
            break
    except (Stale, NotUndone) as error:
        fate.status, fate.came = "stale", str(error)
    if fate.status == "survived" and not reach.times:
        fate.status = "not reached"
    fate.seconds = time.perf_counter() - begun
    return fate, unclean


def _first_finding(defect: Defect, where: Where, parts: Sequence[str], reach: Reach, fate: Fate) -> Finding | None:
    """What the first part that finds something finds on an emulator with the defect."""
    with defect.planted(reach):
        return _found(where, parts, fate.tried)


def _found(where: Where, parts: Sequence[str], tried: dict[str, float]) -> Finding | None:
    """What the first part that finds something finds on an emulator as it is now."""
    found: Finding | None = None
    with ExitStack() as stack:
        try:
            target = stack.enter_context(opened(where))
            found = _first_of(target, parts, tried)
            with _at_most(PATIENCE):
                stack.close()
        except _TooLong:
            found = found or Finding(parts[0], _COMES_AND_GOES, f"it did not end within {PATIENCE} s", kind="hangs")
        except Exception as error:
            # With a defect the emulator may not even start, or not come to its end.
            came = f"{type(error).__name__}: {error}"
            found = found or Finding(parts[0], _COMES_AND_GOES, came, kind="start")
    return found


def _first_of(target: Target, parts: Sequence[str], tried: dict[str, float]) -> Finding | None:
    for part in parts:
        begun = time.perf_counter()
        outcome = _outcome(target, part)
        tried[part] = time.perf_counter() - begun
        if outcome.findings:
            return outcome.findings[0]
        if outcome.status == "error":
            last = outcome.reason.strip().rpartition("\n")[2]
            return Finding(part, "the part comes to its end", last, kind="error")
    return None


_Lot = tuple[int, SandboxChoice, tuple[str, ...]]
"""A seed, an engine, and parts."""

LOT = 20
"""How many parts share an emulator when they are tried without any defect; each makes a world of its own there."""


def _lots(defects: Sequence[Defect], seed: int, skip: Sequence[str]) -> Iterator[_Lot]:
    """All parts that the hints of defects name, each once for each engine."""
    of_engine = dict[SandboxChoice, dict[str, None]]()
    for one in defects:
        of_engine.setdefault(one.engine, {}).update(dict.fromkeys(hinted(one, skip)))
    for engine, named in of_engine.items():
        parts = tuple(named)
        for begin in range(0, len(parts), LOT):
            yield seed, engine, parts[begin : begin + LOT]


@cache
def _without_defect(asked: _Lot) -> dict[str, str]:
    """What parts find on an emulator without any defect: those that find something, and what."""
    seed, engine, parts = asked
    unclean = dict[str, str]()
    while parts and (finding := _found(Where(sandbox=engine, seed=seed), parts, {})) is not None:
        unclean[f"{finding.part} ({engine})"] = f"{finding.promise}; {finding.came}"
        parts = parts[parts.index(finding.part) + 1 :]
    return unclean


def _fate(asked: tuple[int, str, tuple[str, ...]]) -> tuple[Fate, dict[str, str]]:
    seed, name, skip = asked
    return try_defect(declaring.load()[name], seed, skip)


def _outcome(target: Target, part: str) -> Outcome:
    try:
        with _at_most(PATIENCE):
            return running.try_part(target, part)
    except _TooLong:
        hangs = Finding(part, "the target does not hang", f"nothing came of it within {PATIENCE} s", kind="hangs")
        return Outcome(part, "failed", findings=[hangs])


def _pool(workers: int) -> AbstractContextManager[ProcessPoolExecutor | None]:
    if workers == 1:
        return nullcontext()
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_leave_with_the_run)


def _leave_with_the_run() -> None:
    """Let a process that works for a run end when the run is killed, whatever it is at."""

    def wait(run: BaseProcess) -> None:
        run.join()
        os._exit(1)

    run = multiprocessing.parent_process()
    if run is not None:
        threading.Thread(target=wait, args=(run,), daemon=True).start()


def _each(pool: ProcessPoolExecutor | None, work: Callable[[A], T], asked: Sequence[A]) -> Iterator[tuple[A, T]]:
    """What comes of each, as it comes."""
    if pool is None:
        for one in asked:
            yield one, work(one)
        return
    coming = {pool.submit(work, one): one for one in asked}
    for done in as_completed(coming):
        yield coming[done], done.result()


class _TooLong(BaseException):
    """The time of a part is over. No promise takes it for an answer that it did not expect."""


class _Endless(Exception):
    """What an emulator is told in the middle of a loop that does not end by itself."""


def _break_loops() -> None:
    """End what emulators of this process are at right now: a loop without a pause would hold up all that follows."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        if thread.name == server.THREAD and thread.ident is not None and _is_at_work(frames.get(thread.ident)):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_Endless))


def _is_at_work(frame: FrameType | None) -> bool:
    """Whether a thread is in the middle of something, and does not wait for what comes next."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("chaser_emulator.") and module != server.__name__:
            return True
        frame = frame.f_back
    return False


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def over(_number: int, frame: FrameType | None) -> None:
        if is_swallowed(frame):
            signal.alarm(1)
            return
        _break_loops()
        raise _TooLong

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
