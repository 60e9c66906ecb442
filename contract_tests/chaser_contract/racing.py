"""Racing: several callers who do something at the same moment, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from chaser_contract.client import Answer

T = TypeVar("T")


def race(*runners: Callable[[], T]) -> list[T]:
    """What each has answered, in the order given; none begins before all are ready. Raises what one of them raised."""
    line = threading.Barrier(len(runners))

    def run(runner: Callable[[], T]) -> T:
        line.wait()
        return runner()

    with ThreadPoolExecutor(len(runners)) as pool:
        return list(pool.map(run, runners))


def outcomes(statuses: Sequence[int]) -> dict[int, int]:
    """How often each status came."""
    return {status: list(statuses).count(status) for status in sorted(set(statuses))}


def won(
    answers: Collection[Answer],
    count: int,
    otherwise: int,
    codes: Collection[str],
    promise_: str,
    *,
    at_least: bool = False,
) -> list[Answer]:
    """Those who succeeded: as many as could, while all others were answered as they should."""
    winners = [one for one in answers if one.status < 300]
    losers = [one for one in answers if one.status >= 300]
    fair = len(winners) >= count if at_least else len(winners) == count
    odd = next((one for one in losers if one.status != otherwise or one.code not in codes), None)
    if odd is not None:
        odd.must_be(otherwise, next(iter(codes), None), because="another one was faster")
    shown = next(iter(losers or winners))
    shown.require(fair, promise_, f"{outcomes([one.status for one in answers])}")
    return winners
