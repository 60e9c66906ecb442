"""Pages of lists: no gap, no repeat, newest first, as many as were asked for, and their numbers exact."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from chaser_contract import making
from chaser_contract.broken import NotTried
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import unlike

LARGEST = 9_007_199_254_740_991
"""The largest offset: the last whole number that every client can say."""

_SLOW = 0.025
"""Seconds: what takes longer to make is not made by the hundred."""


@dataclass(frozen=True)
class Paged:
    """A list that comes in pages. `numbers` says that a page tells its own limit, offset and whether more follows."""

    operation: str
    items: str
    make: Callable[[Subject], dict[str, Any]]
    numbers: bool
    default: int = 50
    most: int = 200

    def page(self, chaser: Subject, **query: Any) -> Answer:
        return chaser.ask(self.operation, query=query, expect=200)

    def ids(self, answer: Answer) -> list[str]:
        return [one["id"] for one in answer.json[self.items]]


def _session(chaser: Subject) -> dict[str, Any]:
    return making.session(chaser)


def _job(chaser: Subject) -> dict[str, Any]:
    return making.waiting_job(chaser)


SESSIONS = Paged("list-sessions", "sessions", _session, numbers=False)
JOBS = Paged("list-jobs", "jobs", _job, numbers=True)


@promise()
def pages_of_sessions_join(chaser: Subject) -> None:
    """The pages of the sessions, put together, are the list: nothing is missing, nothing comes twice."""
    _pages_join(chaser, SESSIONS)


@promise()
def pages_of_jobs_join(chaser: Subject) -> None:
    """The pages of the jobs, put together, are the list: nothing is missing, nothing comes twice."""
    _pages_join(chaser, JOBS)


@promise("emulator")
def sessions_come_by_50_and_at_most_by_200(chaser: Subject) -> None:
    """A page of sessions has 50 unless another number from 1 to 200 is asked for."""
    _many(chaser, SESSIONS)


@promise("emulator")
def jobs_come_by_50_and_at_most_by_200(chaser: Subject) -> None:
    """A page of jobs has 50 unless another number from 1 to 200 is asked for."""
    _many(chaser, JOBS)


@promise("emulator")
def pages_of_jobs_follow_a_model(chaser: Subject) -> None:
    """Whatever is queued between two looks, a page of jobs is that slice of the list, newest first."""
    newest: list[str] = []

    def check(steps: list[tuple[bool, int, int]]) -> None:
        for adds, limit, offset in steps:
            if adds:
                newest.insert(0, making.waiting_job(chaser)["id"])
            _is_slice(chaser, JOBS, newest, limit, offset)

    chaser.for_all(_STEPS, check)


@promise("emulator")
def pages_of_sessions_follow_a_model(chaser: Subject) -> None:
    """Whatever is started and ended between two looks, a page of sessions is that slice of the live ones."""
    newest: list[str] = []

    def check(steps: list[tuple[bool, int, int]]) -> None:
        for adds, limit, offset in steps:
            if (adds and len(newest) < 15) or not newest:
                newest.insert(0, making.session(chaser)["id"])
            else:
                ended = newest.pop(offset % len(newest))
                chaser.ask("terminate-session", id=ended, query={"force": True}, expect=204)
            _is_slice(chaser, SESSIONS, newest, limit, offset)

    chaser.for_all(_STEPS, check)


@promise(writes=False)
def pages_have_bounds(chaser: Subject) -> None:
    """A limit below 1 or beyond the most, an offset below 0, and what is no number are refused."""
    lists = {"list-sessions": 200, "list-jobs": 200, "list-webhook-deliveries": 200, "list-audit-events": 500}
    for operation, most in lists.items():
        limits_are_kept(chaser, operation, most)
    for operation in ("list-sessions", "list-jobs"):
        for bad in (-1, -LARGEST, LARGEST + 1, 2**63, "x", "0.5", ""):
            with chaser.case():
                refused(chaser.ask(operation, query={"offset": bad}), "offset")
        for fine in (0, 1, LARGEST):
            with chaser.case():
                chaser.ask(operation, query={"offset": fine}).must_be(200, because=f"offset={fine} is in order")


def limits_are_kept(chaser: Subject, operation: str, most: int, **path: str) -> None:
    """A list takes limits from 1 to `most`, and no other."""
    for bad in (0, -1, most + 1, most * 100, 2**63, -(2**63), "x", "1.5", "1e1", "ten", "", " 5", "+5", "0x10", "1_0"):
        with chaser.case():
            refused(chaser.ask(operation, query={"limit": bad}, **path), "limit")
    with chaser.case():
        refused(chaser.ask(operation, query={"limit": [1, 2]}, **path), "limit")
    for fine in (1, 2, most - 1, most):
        with chaser.case():
            chaser.ask(operation, query={"limit": fine}, **path).must_be(200, because=f"limit={fine} is in order")


def refused(answer: Answer, parameter: str) -> None:
    """A value of a parameter in the query is refused, and the refusal names the parameter."""
    answer.must_be(400, "invalid_request", because=f"{parameter} has no such value")
    named = [(one["in"], one["pointer"]) for one in answer.json.get("details", ())]
    answer.require(("query", parameter) in named, f"the refusal of a {parameter} names it in `details`", f"{named}")


def _pages_join(chaser: Subject, paged: Paged) -> None:
    made = [paged.make(chaser)["id"] for _ in range(7)]
    whole = paged.ids(paged.page(chaser, limit=paged.most))
    mine = [one for one in whole if one in set(made)]
    chaser.require(
        mine == made[::-1], f"{paged.operation}: what was made is listed, newest first", f"{mine}, made were {made}"
    )
    for limit in (1, 2, 3, len(whole) - 1, len(whole), len(whole) + 1):
        joined: list[str] = []
        for offset in range(0, len(whole), limit):
            page = paged.page(chaser, limit=limit, offset=offset)
            page.require(len(paged.ids(page)) <= limit, "a page holds at most `limit`")
            _numbers(paged, page, limit, offset, len(whole))
            joined += paged.ids(page)
        chaser.require(
            joined == whole, f"{paged.operation}: pages join without gap or repeat", _apart(joined, whole, limit)
        )
    beyond = paged.page(chaser, limit=2, offset=len(whole))
    beyond.require(paged.ids(beyond) == [], "a page behind the last is empty")
    _numbers(paged, beyond, 2, len(whole), len(whole))


def _many(chaser: Subject, paged: Paged) -> None:
    made: list[str] = []
    begun = time.perf_counter()
    while len(made) <= paged.most:
        if len(made) == paged.default + 1 and time.perf_counter() - begun > _SLOW * len(made):
            break
        if paged is SESSIONS and len(made) >= 19 and _full(chaser):
            break
        made.append(paged.make(chaser)["id"])
    if len(made) <= paged.default:
        raise NotTried("the plan of this emulator has no room for so many")
    newest = made[::-1]
    first = paged.page(chaser)
    first.require(len(paged.ids(first)) == paged.default, f"without a limit there are {paged.default}")
    for limit, offset in (
        (None, 0),
        (None, 1),
        (paged.most, 0),
        (paged.most, 1),
        (paged.most - 1, 0),
        (1, len(made) - 1),
    ):
        query = {"offset": offset} if limit is None else {"offset": offset, "limit": limit}
        page = paged.page(chaser, **query)
        count = paged.default if limit is None else limit
        page.require(
            paged.ids(page) == newest[offset : offset + count],
            f"a page is the {count} newest after {offset}",
            f"{len(paged.ids(page))} of {len(made)}",
        )
        _numbers(paged, page, count, offset, len(made))


def _full(chaser: Subject) -> bool:
    limits = chaser.ask("get-billing-summary", expect=200).json["limits"]
    total = chaser.ask("list-sessions", query={"limit": 1}, expect=200).json["total"]
    return bool(total >= limits["max_concurrency"])


def _is_slice(chaser: Subject, paged: Paged, newest: list[str], limit: int, offset: int) -> None:
    page = paged.page(chaser, limit=limit, offset=offset)
    wanted = newest[offset : offset + limit]
    page.require(
        paged.ids(page) == wanted, "a page is that slice of the list, newest first", f"{paged.ids(page)}, not {wanted}"
    )
    _numbers(paged, page, limit, offset, len(newest))


def _numbers(paged: Paged, page: Answer, limit: int, offset: int, total: int) -> None:
    told = {name: page.json.get(name) for name in ("total", "limit", "offset", "has_more") if name in page.json}
    wanted: dict[str, Any] = {"total": total}
    if paged.numbers:
        wanted |= {"limit": limit, "offset": offset, "has_more": offset + len(page.json[paged.items]) < total}
    page.require(
        told == wanted, "the numbers of a page are those of the whole list and of the question", unlike(told, wanted)
    )


_STEPS = st.lists(st.tuples(st.booleans(), st.integers(1, 5), st.integers(0, 8)), min_size=1, max_size=6)


def _apart(joined: list[str], whole: list[str], limit: int) -> str:
    """How pages differ from the list, in a line."""
    missing = [one for one in whole if one not in joined]
    twice = sorted({one for one in joined if joined.count(one) > 1})
    if missing or twice:
        return f"of {len(whole)}, by pages of {limit}: missing {missing or 'none'}, more than once {twice or 'none'}"
    return f"by pages of {limit} they come in another order: {joined} is not {whole}"
