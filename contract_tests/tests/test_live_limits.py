"""A budget counts all that is used together, and patience waits for what passes, and for nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from chaser_contract.document import bundled
from chaser_contract.live.budget import Budget, Limits
from chaser_contract.live.patience import Patience
from chaser_contract.live.stopping import BudgetSpent, NotSteady

# The budget


class Hours:
    """A clock that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_minutes_and_dollars_are_those_of_all_sessions_together() -> None:
    clock = Hours()
    budget = Budget(Limits(minutes=120, dollars=0.11, requests_per_second=1e9), clock, clock.sleep)
    budget.session_begins("#1")
    budget.session_known("#1", "a")
    budget.session_begins("#2")
    budget.session_known("#2", "a")
    assert budget.sessions == 1
    clock.sleep(3600)
    budget.session_ended("a")
    clock.sleep(3600)
    assert (budget.seconds, round(budget.dollars, 6)) == (3600, 0.05)
    budget.session_begins("#3")
    budget.session_begins("#4")
    clock.sleep(1800)
    assert budget.spent == "budget spent: 120.0 of 120 sandbox minutes (--max-minutes)"
    with pytest.raises(BudgetSpent):
        budget.request()


def test_no_more_than_so_many_requests_a_second() -> None:
    clock = Hours()
    budget = Budget(Limits(requests_per_second=4), clock, clock.sleep)
    for _ in range(9):
        budget.request()
    assert clock.now == 1002.0


def test_a_wait_that_sessions_would_pay_for_ends_the_run() -> None:
    clock = Hours()
    budget = Budget(Limits(minutes=1), clock, clock.sleep)
    budget.wait(90)
    budget.session_begins("#1")
    with pytest.raises(BudgetSpent):
        budget.wait(90)


# Patience


class Answers(httpx.BaseTransport):
    """Answers what it was given, one after the other; the last one for ever."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


def patient(*answers: httpx.Response | Exception, method: str = "GET") -> tuple[Answers, list[float], Any]:
    """What was asked and waited for, and the answer or what was raised instead."""
    transport, waits = Answers(*answers), list[float]()
    patience = Patience(transport, lambda: None, waits.append)
    operation = bundled().operation("list-sessions" if method == "GET" else "create-session")
    try:
        answer = patience.send(httpx.Request(method, "http://x/v1/sessions"), operation, again=method == "GET")
    except NotSteady as error:
        return transport, waits, error
    return transport, waits, answer.status_code


def _in_a_minute() -> dict[str, str]:
    now = datetime(2026, 1, 15, tzinfo=UTC)
    return {
        "Date": format_datetime(now, usegmt=True),
        "Retry-After": format_datetime(now + timedelta(seconds=60), usegmt=True),
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "7"}, 7), (_in_a_minute(), 60)])
def test_who_comes_too_early_waits_as_asked(method: str, headers: dict[str, str], seconds: float) -> None:
    transport, waits, came = patient(httpx.Response(429, headers=headers), httpx.Response(200), method=method)
    assert (transport.asked, came) == (2, 200)
    assert waits == [pytest.approx(seconds, abs=0.5)]


@pytest.mark.parametrize(
    "trouble", [httpx.Response(502), httpx.Response(503), httpx.Response(504), httpx.ReadError("cut")]
)
def test_what_passes_is_read_again_and_never_done_again(trouble: httpx.Response | Exception) -> None:
    transport, waits, came = patient(trouble, trouble, httpx.Response(200))
    assert (transport.asked, came, len(waits)) == (3, 200, 2)
    transport, _, came = patient(trouble, httpx.Response(200), method="POST")
    assert isinstance(came, NotSteady)
    assert came.done
    assert transport.asked == 1


def test_what_was_not_sent_is_sent_again() -> None:
    transport, _, came = patient(httpx.ConnectError("nobody"), httpx.Response(200), method="POST")
    assert (transport.asked, came) == (2, 200)


def test_what_does_not_pass_is_given_up() -> None:
    transport, _, came = patient(httpx.Response(503))
    assert transport.asked == 5
    assert str(came) == "not steady: list-sessions was asked 5 times, and not answered (503)"
    transport, waits, came = patient(httpx.Response(429, headers={"Retry-After": "3600"}), method="POST")
    assert (transport.asked, waits, came.done) == (1, [], False)


def test_a_refusal_that_the_document_knows_is_an_answer() -> None:
    said = {"error": "sandbox_unavailable", "code": "sandbox_unavailable"}
    assert patient(httpx.Response(503, json=said), method="POST")[2] == 503
    assert isinstance(patient(httpx.Response(503, json={"code": "other"}), method="POST")[2], NotSteady)
