"""The contract in the console: a report is handed over, kept and read; and the evidence that contract tests keep."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from click.testing import CliRunner
from consoles import Scheme, assert_accessible, assert_fits, console_of, go
from emulators import emulator_on, http_of
from people import ok, refused
from playwright.sync_api import Browser, expect

MARKUP = "<img src=x onerror=alert(1)>"
REPORT = "/_emulator/contract/report"


def _finding(number: int = 1) -> dict[str, Any]:
    step = {
        "operation": "list-sessions", "method": "GET", "target": "/v1/sessions?limit=1", "request_headers": {},
        "request_body": "", "status": 200, "headers": {}, "body": '{"sessions": []}', "seconds": 0.01, "trouble": None,
    }  # fmt: skip
    return {
        "promise": f"list-sessions: pages join without a gap ({number})", "came": f"a gap, {MARKUP}",
        "pointer": "#/paths/~1v1~1sessions/get", "operation": "list-sessions", "kind": "behaviour",
        "part": "pagination.pages-of-sessions-join", "repeats": True, "curl": "curl -i 'http://x.test/v1/sessions'",
        "sdk": "client.sessions.list(limit=1)", "again": "chaser-contract run --only pagination --seed 7",
        "steps": [step],
    }  # fmt: skip


def _report(findings: int = 1, parts: int = 3) -> dict[str, Any]:
    names = [("passed", ""), ("failed", ""), ("skipped", "it takes an engine on which commands really run")]
    return {
        "version": 1, "url": "http://localhost:8000", "profile": "emulator", "sandbox": None, "seed": 7, "examples": 10,
        "begun": "2026-03-01T12:00:00+00:00", "seconds": 61.2, "exit_code": 1 if findings else 0, "requests": 41210,
        "accepted": [], "notes": ["told beside it"], "left": [],
        "findings": [_finding(number) for number in range(1, findings + 1)],
        "parts": [
            {"name": f"subject.part-{n}", "status": names[n % 3][0], "reason": names[n % 3][1], "requests": n,
             "seconds": 0.1, "findings": 0}
            for n in range(parts)
        ],
        "operations": {"get-me": {"declared": [200, 401, 500], "driven": [200], "refused": [401],
                                  "reasons": {"500": "Nothing fails here."}}},
    }  # fmt: skip


def _put(client: httpx.Client, report: Any) -> httpx.Response:
    content = report if isinstance(report, bytes) else json.dumps(report).encode()
    return client.put(REPORT, content=content, headers={"Content-Type": "application/octet-stream"})


def test_without_a_report_there_is_none() -> None:
    with emulator_on("scripted") as one, http_of(one) as client:
        assert ok(client.get(REPORT)) == {}


def test_a_report_is_kept_without_what_nobody_knows(client: httpx.Client) -> None:
    told = _report() | {"later": {"than": "this emulator"}}
    told["findings"][0]["colour"] = "red"
    assert ok(_put(client, told)) == {"exit_code": 1, "findings": 1, "parts": 3}
    assert ok(client.get(REPORT)) == {"report": _report()}


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (b"not json", "invalid_json"),
        ([], "invalid_request"),
        ({}, "invalid_request"),
        (_report() | {"version": 2}, "invalid_request"),
        (_report() | {"findings": [{"promise": 1}]}, "invalid_request"),
    ],
    ids=["no-json", "a-list", "empty", "another-form", "a-finding-of-nothing"],
)
def test_what_is_no_report_is_refused_and_changes_nothing(client: httpx.Client, report: Any, code: str) -> None:
    ok(_put(client, _report(findings=2)))
    refused(_put(client, report), 400, code)
    assert len(ok(client.get(REPORT))["report"]["findings"]) == 2


def test_a_report_has_a_bound(client: httpx.Client) -> None:
    # Also where all of it is sent before the answer is looked at.
    for size in (16 * 2**20 + 1, 48 * 2**20):
        refused(_put(client, b" " * size), 413, "payload_too_large")
    refused(client.put(REPORT, json=_report()), 415, "unsupported_media_type")


def test_of_many_at_once_one_is_kept(client: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda count: _put(client, _report(findings=count)), range(40)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(ok(client.get(REPORT))["report"]["findings"]) in range(40)


def test_it_lasts_as_long_as_the_data(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        ok(_put(client, _report()))
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        assert ok(client.get(REPORT))["report"]["seconds"] == 61.2


def test_a_command_hands_a_file_over(emulator: Running, client: httpx.Client, tmp_path: Path) -> None:
    from chaser_emulator.cli import commands

    file = tmp_path / "report.json"
    file.write_text(json.dumps(_report(findings=3)))
    done = CliRunner().invoke(commands, ["contract", "report", str(file), "--url", emulator.url])
    assert json.loads(done.output)["findings"] == 3
    assert len(ok(client.get(REPORT))["report"]["findings"]) == 3


def test_the_evidence_is_that_of_the_contract_tests(client: httpx.Client) -> None:
    from chaser_contract import evidence

    found = ok(client.get("/_emulator/contract/evidence"))
    assert found["installed"] is True
    assert [one["operation"] for one in found["operations"]] == [row.operation for row in evidence.load()]


def test_without_the_contract_tests_there_is_no_evidence(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # As where they are not installed: Python finds no such package.
    monkeypatch.setitem(sys.modules, "chaser_contract", None)
    assert ok(client.get("/_emulator/contract/evidence")) == {"installed": False, "operations": []}


def test_a_run_is_seen_as_it_is_handed_over(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    ok(_put(client, _report(findings=0)))
    with console_of(emulator, browser, "/contract") as page:
        expect(page.get_by_text("nothing found", exact=True)).to_be_visible()
        ok(_put(client, _report(findings=300)))
        expect(page.get_by_text("300 findings", exact=True)).to_be_visible()
        page.get_by_role("button", name="list-sessions: pages join without a gap (1)", exact=True).click()
        dialog = page.get_by_role("dialog")
        for text in ("client.sessions.list(limit=1)", "curl -i", "chaser-contract run --only pagination", MARKUP):
            expect(dialog).to_contain_text(text)
        assert page.locator("dialog img, main img").count() == 0
        dialog.get_by_role("button", name="Close").click()
        page.get_by_label("Outcome").select_option("skipped")
        rows = page.get_by_role("table", name="Parts of the run").get_by_role("row")
        expect(rows).to_have_count(2)
        expect(rows.nth(1)).to_contain_text("it takes an engine")


def test_a_report_is_loaded_from_a_file(
    emulator: Running, browser: Browser, client: httpx.Client, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(_report(findings=2)))
    bad.write_text("{}")
    with console_of(emulator, browser, "/contract", expected=("400",)) as page:
        page.get_by_label("A report in JSON").set_input_files(bad)
        expect(page.locator(".notice.bad")).to_contain_text("is required")
        page.get_by_label("A report in JSON").set_input_files(good)
        expect(page.get_by_text("2 findings", exact=True)).to_be_visible()
    assert len(ok(client.get(REPORT))["report"]["findings"]) == 2


def test_the_evidence_is_searched_and_tells_why_something_was_not_seen(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    ok(_put(client, _report()))
    with console_of(emulator, browser, "/contract?tab=evidence") as page:
        rows = page.get_by_role("table", name="Evidence by operation and status").get_by_role("row")
        page.get_by_label("Find", exact=True).fill("create-assistant 503")
        expect(rows).to_have_count(2)
        expect(rows.nth(1)).to_contain_text("no engine is asked")
        page.get_by_label("From", exact=True).select_option("run")
        page.get_by_label("Find", exact=True).fill("")
        expect(rows).to_have_count(4)
        page.get_by_label("Marks").select_option("unseen")
        expect(rows).to_have_count(2)
        expect(rows.nth(1)).to_contain_text("Nothing fails here.")
        rows.nth(1).get_by_role("button", name="get-me").click()
        expect(page.get_by_role("dialog")).to_contain_text("500 was not seen: Nothing fails here.")


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_it_fits_and_is_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    ok(_put(client, _report(findings=2)))
    with console_of(emulator, browser, "/contract", width=width, scheme=scheme) as page:
        expect(page.get_by_text("2 findings", exact=True)).to_be_visible()
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="list-sessions: pages join without a gap (1)", exact=True).click()
        page.get_by_role("dialog").wait_for()
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="Close").click()
        go(page, "/contract?tab=evidence", "Contract")
        expect(page.get_by_role("link", name="Evidence")).to_have_attribute("aria-current", "page")
        assert_fits(page)
        assert_accessible(page)
