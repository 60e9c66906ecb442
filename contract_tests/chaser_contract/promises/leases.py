"""Leases: foreground commands hold their session, which then ends by force alone; background ones do not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from chaser_contract import making
from chaser_contract.client import Answer
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.waiting import until


@promise(stateful=True)
def running_commands_hold_their_session(chaser: Subject) -> None:
    """Each foreground command that runs is a lease; a session with leases ends only by force, its commands with it."""
    for how in ("terminate-session", "bulk-terminate-sessions"):
        with chaser.case():
            live = making.running(chaser)["id"]
            chaser.require(_leases(chaser, live) == 0, "get-session: a session that nobody uses has no leases", "some")
            with _held(chaser, live, 2) as answers:
                _is_leased(chaser, live)
                if how == "terminate-session":
                    chaser.ask(how, id=live, query={"force": True}).must_be(204, because="force was used")
                else:
                    told = chaser.ask(how, json={"ids": [live], "force": True}, expect=200)
                    told.require(told.json == {"terminated": [live], "failed": []}, "by force a held session is ended")
            ended = chaser.ask("get-session", id=live, expect=200)
            ended.require(ended.json["status"] == "terminated", "a session that was ended by force has ended")
            for one in answers:
                one.require(one.status in (200, 409, 503), "a command whose session was ended is answered")
                one.require(
                    one.status != 200 or one.json["exit_code"] != 0, "a command that was cut off has not gone well"
                )


@promise(stateful=True)
def what_runs_behind_holds_nothing(chaser: Subject) -> None:
    """A background command is no lease: its session ends without force, and so does one whose commands have ended."""
    live = making.running(chaser)["id"]
    said = {"command": "sleep 900", "background": True}
    chaser.ask("exec-session", id=live, json=said, expect=200)
    chaser.ask("exec-session", id=live, json={"command": "true"}, expect=200)
    chaser.require(_leases(chaser, live) == 0, "get-session: a background command is no lease", "there is one")
    chaser.ask("terminate-session", id=live).must_be(204, because="nothing holds the session")


def _is_leased(chaser: Subject, live: str) -> None:
    """Without force a session with leases is ended by nothing, and is as before."""
    for query in (None, {"force": False}):
        chaser.ask("terminate-session", id=live, query=query).must_be(
            409, "session_leased", because="commands run in the session"
        )
    free = making.session(chaser)["id"]
    told = chaser.ask("bulk-terminate-sessions", json={"ids": [live, free]}, expect=200)
    failed = [(one["id"], one["code"]) for one in told.json["failed"]]
    told.require(
        told.json["terminated"] == [free] and failed == [(live, "session_leased")],
        "of several those that are held stay, and are told", f"{told.json}",
    )  # fmt: skip
    said = {"kind": "session.terminate", "input": {"session_id": live}}
    job = chaser.ask("create-job", json=said, expect=200).json["id"]
    ended = making.finished_job(chaser, job)
    chaser.require(ended["status"] == "failed", "create-job: a job ends no session that is held", f"{ended}")
    chaser.require(_leases(chaser, live) == 2, "get-session: each command that runs is a lease", "there are not 2")
    now = chaser.ask("get-session", id=live, expect=200)
    now.require(now.json["status"] == "running", "a session that is held goes on")


def _leases(chaser: Subject, live: str) -> Any:
    return chaser.ask("get-session", id=live, expect=200).json.get("active_connection_leases")


@contextmanager
def _held(chaser: Subject, live: str, count: int) -> Iterator[list[Answer]]:
    """Foreground commands run in a session until it ends; their answers are there after the block."""
    answers: list[Answer] = []
    said = {"command": "sleep 900", "timeout_ms": 900_000}
    run = partial(chaser.ask, "exec-session", id=live, json=said, timeout=60)
    threads = [threading.Thread(target=lambda: answers.append(run())) for _ in range(count)]
    for one in threads:
        one.start()
    try:
        until(
            lambda: chaser.ask("get-session", id=live, expect=200),
            lambda told: told.get("active_connection_leases") == count,
            "each foreground command that runs is a lease of its session",
        )
        yield answers
    finally:
        chaser.ask("terminate-session", id=live, query={"force": True})
        for one in threads:
            one.join(60)
