"""Faults, refusals and stubs in the console: each planned, seen and taken away again by clicking and typing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of, go
from emulators import emulator_on, http_of
from people import ok, refused
from playwright.sync_api import Browser, Route, expect

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def _afresh(emulator: Running) -> None:
    with http_of(emulator) as client:
        ok(client.post("/_emulator/reset"))


def _faults(client: httpx.Client) -> list[dict[str, Any]]:
    return list(ok(client.get("/_emulator/faults"))["faults"])


def test_a_fault_is_added_by_the_form_and_acts(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/faults") as page:
        expect(page.get_by_text("No faults")).to_be_visible()
        page.get_by_role("button", name="New fault").click()
        page.get_by_label("Search for operations").fill("create-sess")
        page.keyboard.press("Enter")
        page.get_by_label("code (required)").select_option("rate_limited")
        page.get_by_label("retry after").fill("7")
        page.get_by_label("times").fill("1")
        page.get_by_role("button", name="Add it").click()
        row = page.get_by_role("row").filter(has_text="rate_limited")
        expect(row).to_contain_text("create-session")
        expect(row).to_contain_text("1 more")
        answer = client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True})
        refused(answer, 429, "rate_limited")
        assert answer.headers["retry-after"] == "7"
        expect(row).to_contain_text("spent")
        [fault] = _faults(client)
        expect(row.get_by_role("link", name="1 of 1")).to_have_attribute("href", f"#/requests?fault={fault['id']}")
        row.get_by_role("button", name="Remove").click()
        expect(page.get_by_text("No faults")).to_be_visible()
        assert _faults(client) == []
        # What others do with faults is seen as well.
        assert client.post("/_emulator/faults", json={"operations": ["get-me"], "latency": 0.01}).status_code == 201
        expect(page.get_by_role("row").filter(has_text="get-me")).to_be_visible()
        ok(client.get("/auth/me"))
        expect(page.get_by_role("row").filter(has_text="get-me")).to_contain_text("1 of 1")


def test_what_the_document_does_not_accept_is_said_at_its_field(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/faults", expected=("400",)) as page:
        page.get_by_role("button", name="New fault").click()
        page.get_by_label("Search for operations").fill("*-nothing")
        page.keyboard.press("Enter")
        page.get_by_label("what happens").select_option("answer")
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_label("status (required)")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("status (required)").fill("502")
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_label("Search for operations")).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_role("dialog")).to_contain_text("*-nothing")


def test_a_kind_is_asked_for_in_its_own_words(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/faults") as page:
        page.get_by_role("button", name="New fault").click()
        page.get_by_label("what happens").select_option("latency")
        page.get_by_label("seconds (required)").fill("0.01")
        page.get_by_label("at most", exact=True).fill("0.02")
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
    [fault] = _faults(client)
    assert fault["latency"] == [0.01, 0.02]


def test_common_ones_take_one_click_and_all_are_removed_at_once(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/faults") as page:
        page.get_by_label("For which operation").fill("create-session")
        for name in ("500 once", "429 once", "Connection cut", "502 of a proxy", "Slow"):
            page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_role("table", name="Faults").get_by_role("row")).to_have_count(6)
        assert [fault["operations"] for fault in _faults(client)] == [["create-session"]] * 5
        body = {"session_type": "sandbox", "ephemeral": True}
        refused(client.post("/v1/sessions", json=body), 500, "internal_error")
        page.get_by_role("button", name="Remove all").click()
        page.get_by_role("button", name="Remove them").click()
        expect(page.get_by_text("No faults")).to_be_visible()
    ok(client.post("/v1/sessions", json=body))


def test_an_address_opens_the_form_with_a_rule(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    rule = {"operations": ["get-job"], "error": {"code": "not_found", "message": MARKUP}, "calls": [1, "3-"]}
    with console_of(emulator, browser, "/sessions") as page:
        go(page, f"/faults?new={quote(json.dumps(rule), safe='')}", "Faults")
        expect(page.get_by_label("code (required)")).to_have_value('"not_found"')
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_role("row").filter(has_text="not_found")).to_contain_text("calls 1, 3-")
        page.get_by_role("button", name="refuses with not_found").click()
        expect(page.get_by_role("dialog")).to_contain_text(MARKUP)
        assert page.locator("dialog img").count() == 0
    [fault] = _faults(client)
    assert {name: fault[name] for name in rule} == rule


RULES: tuple[dict[str, Any], ...] = (
    {"operations": "create-session", "error": "rate_limited", "calls": "2,3"},
    {"operations": ["get-job"], "error": {"code": "not_found", "details": {"x": [1]}, "headers": {"X-A": "b"}}},
    {"operations": ["*-session"], "latency": [0.1, 0.5], "seed": 7, "probability": 0.5},
    {"operations": ["sessions", "create-job"], "latency": 0.25, "when": "after"},
    {"operations": ["create-job"], "lost": "hang", "times": 1},
    {"operations": ["create-job"], "reset": {"how": "closed"}, "calls": [1, "4-6"]},
    {"operations": ["get-me"], "truncate": 10},
    {"operations": ["get-me"], "truncate": True, "times": 2},
    {"operations": ["get-me"], "slow": {"seconds": 0.1, "bytes": 5}},
    {"operations": ["get-me"], "answer": 502, "times": 3},
    {"operations": ["get-me"], "answer": {"status": 502, "headers": {"A": "b=c"}, "body": MARKUP}, "when": "after"},
    {"operations": ["get-me"], "answer": {"status": 200, "body": {"a": [1, None]}}},
    {"operations": ["get-me"], "answer": {"status": 200, "body": "5"}},
    {"operations": ["get-me"], "raise": MARKUP},
    {"operations": ["open-session-pty"], "drop": {"messages": 3, "code": 4000}},
    {"operations": ["exec-session"], "engine": {"kind": "sandbox_dies", "after": 0.5, "on": ["exec"]}},
    {"operations": ["create-session"], "engine": "cannot_start", "calls": "5-"},
    {"events": ["session.*"], "webhook": "late", "times": 2},
    {"events": "session.created", "webhook": {"duplicate": 2, "wrong_signature": True, "timestamp_skew": -5}},
    {"raise": True, "id": "by-its-name"},
)


def test_every_rule_goes_through_the_form_as_it_is(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    def added(rule: dict[str, Any]) -> dict[str, Any]:
        answer = client.post("/_emulator/faults", json=rule)
        assert answer.status_code == 201, answer.text
        ok(client.delete("/_emulator/faults"))
        return _told(answer.json())

    expected = [added(rule) for rule in RULES]
    with console_of(emulator, browser, "/faults") as page:
        for rule, told in zip(RULES, expected, strict=True):
            page.evaluate("(path) => { location.hash = path }", f"/faults?new={quote(json.dumps(rule), safe='')}")
            page.get_by_role("button", name="Add it").click()
            expect(page.get_by_role("dialog")).to_have_count(0)
            [fault] = _faults(client)
            assert _told(fault) == told
            ok(client.delete("/_emulator/faults"))


def _told(fault: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fault.items() if name not in ("matched", "acted", "spent", "id")}


def test_a_list_is_loaded_and_a_broken_one_told(
    emulator: Running, browser: Browser, client: httpx.Client, tmp_path: Path
) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"faults": [{"operations": ["get-me"], "latency": 0.01}, {"reset": True, "times": 1}]}))
    with console_of(emulator, browser, "/faults") as page:
        page.get_by_role("button", name="Load a list…").click()
        page.get_by_label("Or the list itself, in JSON").fill("{")
        page.get_by_role("button", name="Add them").click()
        expect(page.get_by_role("alert").filter(has_text="no JSON")).to_be_visible()
        page.get_by_label("A file").set_input_files(file)
        expect(page.get_by_label("Or the list itself, in JSON")).to_have_value(file.read_text())
        page.get_by_role("button", name="Add them").click()
        expect(page.get_by_text("Added 2 faults.")).to_be_visible()
    assert len(_faults(client)) == 2


def test_a_refusal_is_sent_arranged_and_undone(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/faults?tab=refusals") as page:
        page.get_by_label("Find").fill("create-session plan_limit")
        page.get_by_role("button", name="Send create-session, plan_limit_exceeded").click()
        dialog = page.get_by_role("dialog", name="It was refused")
        expect(dialog).to_contain_text("sessions are live")
        expect(dialog).to_contain_text('"code": "plan_limit_exceeded"')
        dialog.get_by_role("button", name="Close").click()
        page.get_by_label("Find").fill("create-session payment_required")
        page.get_by_role("button", name="Arrange create-session, payment_required").click()
        page.get_by_role("dialog", name="It is arranged").get_by_role("button", name="Close").click()
        body = {"session_type": "sandbox", "ephemeral": True}
        refused(client.post("/v1/sessions", json=body), 402, "payment_required")
        expect(page.get_by_role("heading", name="Arranged now")).to_be_visible()
        page.get_by_role("button", name="Undo create-session, payment_required").click()
        expect(page.get_by_role("heading", name="Arranged now")).to_have_count(0)
        ok(client.post("/v1/sessions", json=body))


def test_a_command_without_an_answer_gets_one(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    session = ok(client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))["id"]
    command = f"npm {MARKUP}"
    with console_of(emulator, browser, "/stubs") as page:
        assert ok(client.post(f"/v1/sessions/{session}/exec", json={"command": command}))["exit_code"] == 127
        page.get_by_role("button", name=f"Answer {command}").click()
        page.get_by_label("output").fill("3 passed")
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_role("table", name="Stubs").get_by_role("row").filter(has_text="3 passed")).to_be_visible()
        assert page.locator("main img").count() == 0
        done = ok(client.post(f"/v1/sessions/{session}/exec", json={"command": command}))
        assert (done["exit_code"], done["output"]) == (0, "3 passed")
        row = page.get_by_role("row").filter(has_text="3 passed")
        expect(row.get_by_role("cell").nth(3)).to_have_text("1")
        row.get_by_role("button", name="Remove").click()
        expect(page.get_by_text("No stubs.")).to_be_visible()
    assert ok(client.get("/_emulator/stubs"))["stubs"] == []


def test_where_commands_really_run_they_are_recorded(browser: Browser) -> None:
    with emulator_on("local") as real, http_of(real) as client, console_of(real, browser, "/stubs") as page:
        expect(page.get_by_text("Commands really run here")).to_be_visible()
        page.get_by_role("button", name="Record from now on").click()
        expect(page.get_by_text("It records")).to_be_visible()
        ok(client.post("/v1/exec", json={"command": "echo recorded", "ephemeral": True}))
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("one command has ended")).to_be_visible()
        page.get_by_role("button", name="Show it as stubs").click()
        expect(page.get_by_role("dialog")).to_contain_text("echo recorded")


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_they_fit_and_are_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    client.post(
        "/_emulator/faults", json={"operations": ["create-session"], "error": "rate_limited"}
    ).raise_for_status()
    client.post("/_emulator/stubs", json={"command": "npm test", "output": "3 passed\n"}).raise_for_status()
    with console_of(emulator, browser, "/faults", width=width, scheme=scheme) as page:
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="New fault").click()
        page.get_by_role("dialog").wait_for()
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="Cancel").click()
        for path, heading in (("/stubs", "Stubs"), ("/faults?tab=refusals", "Faults")):
            go(page, path, heading)
            assert_fits(page)
            assert_accessible(page)


def test_faults_that_cannot_be_read_are_not_taken_for_none(emulator: Running, browser: Browser) -> None:
    def fail(route: Route) -> None:
        route.fulfill(status=500, json={"code": "internal_error", "message": "the list is lost"})

    with console_of(emulator, browser, "/clock", expected=("500",)) as page:
        page.route("**/_emulator/faults", fail)
        go(page, "/faults", "Faults")
        expect(page.get_by_role("alert")).to_contain_text("the list is lost")
        page.unroute("**/_emulator/faults")
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("button", name="New fault")).to_be_visible()
