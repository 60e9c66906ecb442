"""A real service is only read unless more is allowed, is used within a budget, and is left as it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from chaser_contract import running
from chaser_contract.cli import commands
from chaser_contract.document import bundled
from chaser_contract.live import Live, baseline, effects, ledger
from chaser_contract.live.budget import Limits
from chaser_contract.live.command import sweep
from chaser_contract.live.guard import FIRST, Guard
from chaser_contract.live.stopping import NotAllowed, NotSteady
from chaser_contract.running import Report
from chaser_contract.targets import Where
from chaser_contract.terminal import Terminal
from click.testing import CliRunner
from real_service import RealService, real_service

FAST = Limits(sessions=500, minutes=600, dollars=50, requests_per_second=1000)
READING = ("pagination.pages-have-bounds", "document", "sessions", "keys.a-secret-is-shown-once")
MAKING = ("listings.workspaces-are-all-listed", "sessions.its-control-endpoint-is-its-gateway", "ssh-keys", "keys")


@pytest.fixture(scope="module")
def opened() -> Iterator[RealService]:
    with real_service() as one:
        yield one


@pytest.fixture
def service(opened: RealService) -> RealService:
    opened.begin()
    return opened


def tried(service: RealService, file: Path, *only: str, **live: Any) -> Report:
    where = Where(
        url=service.url,
        api_key=service.key,
        profile="live",
        seed=5,
        live=Live(**{"limits": FAST, "ledger": file, **live}),
    )
    return running.run(where, running.parts_of(where, only), Terminal(watched=False))


def reasons(report: Report) -> set[str]:
    return {one.reason for one in report.outcomes if one.status == "skipped"}


# What is asked at all


def test_without_being_allowed_nothing_is_asked_but_to_read(service: RealService, tmp_path: Path) -> None:
    before = service.there()
    report = tried(service, tmp_path / "l", *READING)
    assert report.exit_code == running.CLEAN, [one.came for one in report.findings]
    assert {one["method"] for one in service.asked()} <= {"GET", "HEAD", "OPTIONS"}
    assert service.there() == before
    assert any(one.status == "passed" and one.requests > 10 for one in report.outcomes)
    needed = (
        "it takes create-session, which is not allowed: --allow create-session (or --allow sessions, --allow writes)"
    )
    assert needed in reasons(report)
    assert not (tmp_path / "l").exists()


def test_what_is_allowed_is_made_and_removed_and_nothing_else_is_touched(service: RealService, tmp_path: Path) -> None:
    before = service.there()
    report = tried(service, tmp_path / "l", *MAKING, allow=frozenset({"writes"}))
    assert report.exit_code == running.CLEAN, [one.came for one in report.findings]
    made = {one["operation"] for one in service.asked() if one["status"] == 200}
    assert {"create-session", "create-workspace", "create-key", "create-ssh-key"} <= made
    assert service.there() == before
    assert not ledger.load(tmp_path / "l").open


def test_who_may_make_something_may_remove_it_and_no_more(service: RealService, tmp_path: Path) -> None:
    report = tried(service, tmp_path / "l", "sessions", "keys", allow=frozenset({"create-session"}))
    assert any("create-key, which is not allowed" in one for one in reasons(report))
    changing = {one["operation"] for one in service.asked() if one["method"] != "GET"}
    assert changing == {"create-session", "terminate-session"}


@pytest.mark.parametrize("operation", bundled().operations.values(), ids=lambda one: one.id)
def test_each_operation_that_changes_something_has_to_be_allowed(operation: Any) -> None:
    assert effects.allowed(operation, frozenset()) == effects.reads(operation)
    assert effects.allowed(operation, {operation.id})
    assert operation.method == "GET" or not effects.reads(operation)
    if operation.id in effects.LASTING:
        assert not effects.allowed(operation, {"writes", operation.tag})
    if operation.id.startswith("create-") and operation.id.removeprefix("create-") in effects.KINDS:
        assert operation.id in effects.MAKES


@pytest.mark.parametrize("name", [*effects.MAKES, *effects.LASTING])
def test_what_is_known_of_effects_is_about_operations(name: str) -> None:
    assert name in bundled().operations


# What a change may be about


@pytest.fixture
def guarded(service: RealService, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client behind a guard that may do anything to what is its own."""
    allow = frozenset({"writes", *effects.LASTING})
    with httpx.HTTPTransport() as transport:
        guard = Guard(
            Live(allow=allow, limits=FAST, ledger=tmp_path / "l"),
            bundled(),
            service.url,
            transport,
            {FIRST: service.key},
        )
        with httpx.Client(
            base_url=service.url, transport=guard, headers={"Authorization": f"Bearer {service.key}"}
        ) as client:
            yield client
        guard.sweep(last=True)
        guard.close()


FOREIGN: list[tuple[str, str, Any]] = [
    ("DELETE", "/v1/sessions/{session}", None),
    ("POST", "/v1/sessions/{session}/exec", {"command": "true"}),
    ("POST", "/v1/sessions/bulk-terminate", {"ids": ["{session}"]}),
    ("POST", "/v1/sessions/bulk-terminate", {"workspaces": ["somebodys"]}),
    ("POST", "/v1/sessions/bulk-terminate", {"all": True}),
    ("POST", "/v1/sessions/bulk-terminate", {"session_type": "sandbox"}),
    ("POST", "/v1/sessions/bulk-terminate", ["all"]),
    ("POST", "/v1/workspaces/bulk-delete", {"all": True}),
    ("POST", "/v1/workspaces/bulk-delete", {"ids": ["somebodys"]}),
    ("DELETE", "/v1/workspaces/somebodys", None),
    ("DELETE", "/v1/workspaces/SOMEBODYS", None),
    ("DELETE", "/v1/workspaces/s%6Fmebodys", None),
    ("DELETE", "/v1/workspaces/{workspace}?force=true", None),
    ("PUT", "/v1/workspaces/somebodys/name", {"name": "mine"}),
    ("POST", "/v1/workspaces/somebodys/snapshots", {}),
    ("DELETE", "/v1/keys/{key}", None),
    ("POST", "/v1/sessions", {"workspace": "somebodys"}),
    ("POST", "/v1/sessions", {}),
    ("POST", "/v1/exec", {"command": "true"}),
    ("POST", "/v1/jobs", {"kind": "session.terminate", "input": {"session_id": "{session}"}}),
    ("POST", "/v1/jobs", {"kind": "workspace.bulk_delete", "input": {"all": True}}),
    ("POST", "/v1/jobs", {"kind": "sandbox.exec", "input": {"workspace": "somebodys", "command": "true"}}),
    ("POST", "/v1/jobs", {"kind": "github.runner", "input": {"repo": "a/b"}}),
    ("POST", "/v1/accounts/current/members", {"email": "peer@example.com"}),
    ("GET", "/v1/sessions/{session}/json/new", None),
    ("POST", "/v1/sessions/{session}/nothing", None),
    ("DELETE", "/s/{session}/", None),
    ("POST", "/_emulator/reset", None),
    (
        "POST", "/v1/mcp",
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
         "params": {"name": "chaser_terminate_session", "arguments": {"session_id": "{session}"}}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body"), FOREIGN, ids=[f"{one[0]} {one[1]} {number}" for number, one in enumerate(FOREIGN)]
)
def test_what_the_run_did_not_make_is_not_changed(
    service: RealService, guarded: httpx.Client, method: str, path: str, body: Any
) -> None:
    there = service.there()
    ids = {"session": there["sessions"][0], "workspace": there["workspaces"][0], "key": there["keys"][0]}
    text = json.dumps(body)
    for name, value in ids.items():
        path, text = path.replace(f"{{{name}}}", value), text.replace(f"{{{name}}}", value)
    asked = service.asked()
    with pytest.raises(NotAllowed):
        guarded.request(method, path, json=json.loads(text) if body is not None else None)
    assert service.asked() == asked
    assert service.there() == there


def test_the_runs_own_is_changed_by_its_id_and_by_its_name(service: RealService, guarded: httpx.Client) -> None:
    own = guarded.post("/v1/workspaces", json={"name": "own", "session_type": "sandbox"}).json()["id"]
    assert guarded.put("/v1/workspaces/OWN/template", json={"template": True}).status_code == 200
    session = guarded.post("/v1/sessions", json={"workspace": own}).json()["id"]
    ended = guarded.post("/v1/sessions/bulk-terminate", json={"ids": [session]}).json()
    assert ended["terminated"] == [session]
    nothing = "00000000-0000-4000-8000-000000000000"
    assert guarded.delete(f"/v1/sessions/{nothing}").status_code == 404


def test_what_lasts_is_told_once(service: RealService, guarded: httpx.Client, tmp_path: Path) -> None:
    made = guarded.post("/v1/accounts/organizations", json={"name": "for good"}).json()["account"]["id"]
    guard = guarded._transport
    assert isinstance(guard, Guard)
    swept = guard.sweep(last=True)
    assert (swept.left, swept.lasting) == ([], [f"organization {made}: no operation removes one"])
    assert not ledger.load(tmp_path / "l").open


# The budget


def test_a_run_ends_when_its_sessions_are_used_up(service: RealService, tmp_path: Path) -> None:
    limits = Limits(sessions=2, minutes=10, dollars=1, requests_per_second=1000)
    before = service.there()
    report = tried(service, tmp_path / "l", "sessions", "keys", allow=frozenset({"writes"}), limits=limits)
    assert report.exit_code == running.CLEAN
    assert "budget spent: 2 of 2 sessions (--max-sessions)" in reasons(report)
    assert report.outcomes[-1].reason.startswith("budget spent")
    assert sum(one["operation"] == "create-session" and one["status"] == 200 for one in service.asked()) == 2
    assert service.there() == before


def test_a_run_ends_when_its_requests_are_used_up(service: RealService, tmp_path: Path) -> None:
    limits = Limits(requests=30, requests_per_second=1000)
    report = tried(service, tmp_path / "l", "pagination", "errors", limits=limits)
    assert len(service.asked()) == 30
    assert "budget spent: 30 of 30 requests (--max-requests)" in reasons(report)


# Things go wrong


def test_a_service_that_is_not_steady_is_no_finding_and_nothing_is_left_behind(
    service: RealService, tmp_path: Path
) -> None:
    before = service.there()
    service.goes_wrong("create-*", lost=True, probability=0.3, seed=1)
    service.goes_wrong(answer={"status": 429, "headers": {"Retry-After": "0"}}, probability=0.05, seed=2)
    service.goes_wrong(reset=True, probability=0.04, seed=3)
    service.goes_wrong(truncate=True, probability=0.04, seed=4)
    service.goes_wrong(answer=503, probability=0.03, seed=5)
    service.goes_wrong(latency=0.01, probability=0.2, seed=6)
    report = tried(service, tmp_path / "l", *MAKING, allow=frozenset({"writes"}))
    service.mend()
    assert not report.findings
    assert any(one.startswith("not steady: create-") for one in reasons(report))
    assert any(one.startswith("waited for what passes by itself") for one in report.notes)
    assert report.left == []
    assert service.there() == before


def test_a_service_that_is_never_steady_has_not_been_tried(service: RealService, tmp_path: Path) -> None:
    service.goes_wrong("list-sessions", answer={"status": 503, "headers": {"Retry-After": "0"}})
    report = tried(service, tmp_path / "l", "pagination.pages-of-sessions-join", allow=frozenset({"writes"}))
    service.mend()
    assert report.exit_code == running.COULD_NOT


def lost(guarded: httpx.Client, service: RealService, path: str, body: Any, effect: str = "lost") -> None:
    """Ask for something of which the answer does not come."""
    operation = {"/v1/sessions": "create-session", "/v1/workspaces": "create-workspace"}[path]
    service.goes_wrong(operation, **{effect: True}, times=1)
    with pytest.raises(NotSteady):
        guarded.post(path, json=body)


def swept(guarded: httpx.Client) -> list[str]:
    guard = guarded._transport
    assert isinstance(guard, Guard)
    return guard.sweep(last=True).left


def test_what_a_lost_answer_was_about_is_found_and_removed(service: RealService, guarded: httpx.Client) -> None:
    before = service.there()
    lost(guarded, service, "/v1/workspaces", {"name": "once", "session_type": "sandbox"})
    lost(guarded, service, "/v1/sessions", {"ephemeral": True})
    assert len(service.there()["sessions"]) == len(before["sessions"]) + 1
    assert swept(guarded) == []
    assert service.there() == before


def test_what_may_be_anothers_is_told_and_left(service: RealService, guarded: httpx.Client) -> None:
    lost(guarded, service, "/v1/sessions", {"ephemeral": True})
    service.ask("POST", "/v1/sessions", json={"ephemeral": True})
    before = service.there()
    [left] = swept(guarded)
    assert service.there() == before
    assert "create-session" in left
    assert "--alone" in left
    assert sum(one in left for one in before["sessions"]) == 2


def test_what_was_never_made_is_not_looked_for_among_others(service: RealService, guarded: httpx.Client) -> None:
    before = service.there()
    lost(guarded, service, "/v1/sessions", {"ephemeral": True}, effect="reset")
    assert swept(guarded) == []
    assert service.there() == before


# Runs that are cut short


def command(service: RealService, *arguments: str, home: Path) -> tuple[int, str]:
    """The exit code, and what was told."""
    environment = {"CHASER_API_KEY": service.key, "XDG_DATA_HOME": str(home)}
    result = CliRunner().invoke(commands, [*arguments, "--url", service.url], env=environment, standalone_mode=False)
    if result.exception is None:
        return int(result.return_value), result.output
    assert isinstance(result.exception, click.ClickException), result.exception
    return running.COULD_NOT, result.exception.format_message()


# A shell tells what it starts in the background to ignore Ctrl-C, these tests perhaps as well.
_AS_IN_A_TERMINAL = """
import signal
from chaser_contract.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


def begun(service: RealService, home: Path) -> subprocess.Popen[str]:
    """A run that has made a session, and holds it."""
    before = service.there()["sessions"]
    # Whoever looks whether it runs waits for long.
    service.goes_wrong("get-session", latency=50)
    environment = {**os.environ, "CHASER_API_KEY": service.key, "XDG_DATA_HOME": str(home)}
    run = subprocess.Popen(
        [
            *(sys.executable, "-c", _AS_IN_A_TERMINAL, "run", "--url", service.url),
            *("--profile", "live", "--allow", "create-session", "--only", "sessions.terminals-have-sizes-of-1-to-1000"),
        ],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(service.there()["sessions"]) == len(before):
        assert time.monotonic() < deadline
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.02)
    return run


def test_a_run_that_is_killed_is_swept_by_its_ledger(service: RealService, tmp_path: Path) -> None:
    before = service.there()
    run = begun(service, tmp_path)
    held = command(service, "sweep", home=tmp_path)
    assert "another run is writing it" in held[1]
    run.kill()
    run.communicate(timeout=60)
    service.mend()
    assert service.there() != before
    sweeping = command(service, "sweep", home=tmp_path)
    assert sweeping[0] == 0, sweeping
    assert "removed session " in sweeping[1]
    assert service.there() == before
    again = command(service, "sweep", home=tmp_path)
    assert again[1].splitlines()[-1] == "0 removed, 0 left"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_asked_to_end_sweeps_first(service: RealService, tmp_path: Path, number: signal.Signals) -> None:
    before = service.there()
    run = begun(service, tmp_path)
    run.send_signal(number)
    said = run.communicate(timeout=60)[0]
    service.mend()
    assert run.returncode == running.COULD_NOT, said
    assert service.there() == before


def test_a_sweep_tells_what_it_could_not_remove_and_what_is_another_services(
    service: RealService, guarded: httpx.Client, tmp_path: Path
) -> None:
    session = guarded.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
    guard = guarded._transport
    assert isinstance(guard, Guard)
    guard.close()
    told: list[str] = []
    with pytest.raises(ledger.Unusable):
        sweep("http://127.0.0.1:9", {FIRST: service.key}, [tmp_path / "l"], told.append)
    service.goes_wrong("terminate-session", error="internal_error")
    left = sweep(service.url, {FIRST: service.key}, [tmp_path / "l"], told.append).left
    assert left == [one for one in left if one.startswith(f"session {session}: terminate-session answered 500")]
    assert len(left) == 1
    service.mend()
    assert sweep(service.url, {FIRST: service.key}, [tmp_path / "l"], told.append).removed == [f"session {session}"]


def test_a_ledger_is_read_up_to_the_line_that_was_being_written(tmp_path: Path) -> None:
    written = ledger.begin(tmp_path / "l", "run", "http://x")
    first = written.ask("create-session", "session", FIRST)
    written.became(first, "made", "a")
    written.ask("create-workspace", "workspace", FIRST, names=("contract-run-ws",))
    written.close()
    with (tmp_path / "l").open("a") as file:
        file.write('{"event": "made", "numb')
    again = ledger.resumed(tmp_path / "l")
    assert [(one.kind, one.id, one.state) for one in again.open] == [
        ("workspace", None, "asked"),
        ("session", "a", "made"),
    ]
    again.gone("a")
    again.close()
    assert [one.kind for one in ledger.load(tmp_path / "l").open] == ["workspace"]
    with pytest.raises(ledger.Unusable):
        ledger.begin(tmp_path / "l", "next", "http://x")


# The baseline


def test_what_is_accepted_is_listed_and_ends_with_0(
    service: RealService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.goes_wrong("list-jobs", answer={"status": 200, "body": {}})
    where = Where(url=service.url, api_key=service.key, profile="live", live=Live(limits=FAST))
    parts = ["pagination.pages-have-bounds"]
    found = running.run(where, parts, Terminal(watched=False))
    assert found.exit_code == running.FINDINGS
    (tmp_path / "r.json").write_text(json.dumps({"findings": [
        {"promise": one.promise, "operation": one.operation, "pointer": one.pointer, "kind": one.kind}
        for one in found.findings
    ]}))  # fmt: skip
    text = baseline.skeleton(tmp_path / "r.json", date(2026, 1, 15))
    (tmp_path / "b").write_text(text, "utf-8")
    with pytest.raises(baseline.Unreadable, match="needs an owner"):
        baseline.load(tmp_path / "b")
    (tmp_path / "b").write_text(text.replace("owner: ''", "owner: ada").replace("reason: ''", "reason: known"), "utf-8")
    report = running.run(where, parts, Terminal(watched=False), baseline=baseline.load(tmp_path / "b"))
    service.mend()
    capsys.readouterr()
    Terminal(watched=False).tell(report)
    assert report.exit_code == running.CLEAN
    assert "accepted: list-jobs: " in capsys.readouterr().out


# The command line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--allow", "writes"], "--allow is for a real service: --profile live"),
        (["run", "--profile", "live", "--allow", "create-sesion"], "no tag 'create-sesion'; create-session"),
        (["run", "--profile", "live", "--baseline", "nowhere"], "nowhere"),
        (["sweep", "--ledger", "nowhere"], "nowhere"),
    ],
)
def test_wrong_words_end_with_2(service: RealService, tmp_path: Path, arguments: list[str], said: str) -> None:
    code, told = command(service, *arguments, home=tmp_path)
    assert said in told
    assert code == running.COULD_NOT


def test_a_key_that_is_not_taken_ends_a_run_before_it_begins(service: RealService, tmp_path: Path) -> None:
    from chaser_contract.targets import Unreachable

    where = Where(url=service.url, api_key="sk_wrong", profile="live", live=Live(ledger=tmp_path / "l"))
    with pytest.raises(Unreachable, match="does not take the key"):
        running.run(where, ["pagination.pages-have-bounds"], Terminal(watched=False))
