"""What a run says of a Chaser that does not keep its document: on the terminal, and in every file."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from chaser_contract import evidence, reports, running
from chaser_contract.document import bundled
from chaser_contract.exchanges import KEY, PEER_KEY, Exchange
from chaser_contract.reports.lines import sdk_line
from chaser_contract.running import Report
from chaser_contract.targets import Where
from chaser_contract.terminal import Terminal
from chaser_emulator.store import sessions
from defusedxml import ElementTree


def _asked(operation: str, method: str, target: str, key: str | None = KEY, body: bytes = b"") -> Exchange:
    sent = {} if key is None else {"authorization": f"Bearer {key}"}
    return Exchange(operation, method, target, sent | ({"content-type": "application/json"} if body else {}), body, 200)


PART = "pagination.pages-of-sessions-join"


@pytest.fixture(scope="module")
def broken() -> Report:
    """A run against an emulator whose second page begins one too late."""
    with pytest.MonkeyPatch.context() as patch:
        live = sessions.live

        async def late(*arguments: Any, limit: int, offset: int) -> Any:
            return await live(*arguments, limit=limit, offset=offset + (1 if offset else 0))

        patch.setattr(sessions, "live", late)
        return running.run(Where(seed=7), [PART], Terminal(watched=False))


def test_a_run_that_found_something_ends_with_1(broken: Report) -> None:
    assert broken.exit_code == running.FINDINGS
    [finding] = broken.findings
    assert finding.operation == "list-sessions"
    assert finding.promise.startswith("list-sessions: ")
    assert "\n" not in finding.promise + finding.came


def test_the_terminal_names_the_promise_the_document_and_how_to_see_it_again(
    broken: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    Terminal(watched=False).tell(broken)
    told = capsys.readouterr().out
    assert broken.findings[0].promise in told
    assert f"curl -i '{broken.url}/v1/sessions?" in told
    assert "Authorization: Bearer $CHASER_API_KEY" in told
    assert "client._request_json('GET', '/v1/sessions?limit=1&offset=" in told
    assert f"chaser-contract run --only {PART} --seed 7 --examples 10" in told
    assert "1 finding," in told


@pytest.mark.parametrize("form", reports.FORMS)
def test_every_file_names_the_promise_and_no_key(broken: Report, form: str, tmp_path: Path) -> None:
    file = tmp_path / "deep" / f"report.{form}"
    assert reports.write(broken, {form: file}) == [file]
    text = file.read_text("utf-8")
    assert "list-sessions: " in text
    assert "sk_" not in text
    assert "$CHASER_API_KEY" in text


@pytest.mark.parametrize(
    ("exchange", "line"),
    [
        (_asked("get-session", "GET", "/v1/sessions/7"), "client.sessions.get('7')"),
        (
            _asked("get-session", "GET", "/v1/sessions/7", PEER_KEY),
            "client.with_token(os.environ[\"CHASER_PEER_KEY\"]).sessions.get('7')",
        ),
        (_asked("get-session", "GET", "/v1/sessions/7", None), "client.with_token(None).sessions.get('7')"),
        (
            _asked("create-key", "POST", "/v1/keys", body=b'{"name": "ci"}'),
            "client.keys.create(name='ci')",
        ),
        (
            _asked("create-key", "POST", "/v1/keys", body=b"{"),
            "client._request_json('POST', '/v1/keys', body=b'{', headers={'content-type': 'application/json'})",
        ),
    ],
)
def test_a_line_of_the_sdk_repeats_the_request_as_its_caller(exchange: Exchange, line: str) -> None:
    assert sdk_line(bundled(), exchange) == line


def test_a_line_of_curl_sends_the_very_bytes() -> None:
    seen: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    bodies = [b'{"name": "it\'s $HOME \\\\ `x` \\u00e9"}', "zwölf\n".encode(), b"\x00\xff%s\\n\r\n'", b"#" * 5000]
    with HTTPServer(("127.0.0.1", 0), Receiver) as server, ThreadPoolExecutor() as pool:
        for body in bodies:
            coming = pool.submit(server.handle_request)
            line = _asked("create-key", "POST", "/v1/keys", body=body).curl(f"http://127.0.0.1:{server.server_port}")
            if len(body) > 4096:
                assert line.endswith("--data-binary @body-of-5000-bytes")
                line = line.replace("@body-of-5000-bytes", "'" + "#" * 5000 + "'")
            subprocess.run(["sh", "-c", f"{line} -s -m 10"], check=True, capture_output=True)
            coming.result(10)
    assert seen == bodies


def test_junit_has_a_test_for_each_part(broken: Report) -> None:
    [suite] = ElementTree.fromstring(reports.FORMS["junit"](broken))
    [case] = suite.findall("testcase")
    assert (case.get("classname"), case.get("name")) == tuple(PART.split("."))
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == broken.findings[0].promise
    assert suite.get("failures") == "1"


def test_the_json_repeats_the_run_and_has_every_step(broken: Report) -> None:
    told = json.loads(reports.FORMS["json"](broken))
    assert told["seed"] == 7
    [finding] = told["findings"]
    assert finding["pointer"].startswith("#/paths/~1v1~1sessions/get")
    assert finding["steps"][0]["operation"] == "create-session"
    assert finding["steps"][-1]["operation"] == "list-sessions"
    assert told["operations"]["list-sessions"]["driven"] == [200]


def test_the_har_has_the_requests_of_what_failed(broken: Report) -> None:
    log = json.loads(reports.FORMS["har"](broken))["log"]
    assert log["version"] == "1.2"
    assert len(log["entries"]) == len(broken.findings[0].steps)
    assert log["entries"][-1]["request"]["url"].startswith(f"{broken.url}/v1/sessions?")


def test_the_page_needs_nothing_else(broken: Report) -> None:
    text = reports.FORMS["html"](broken)
    assert "<script" not in text
    assert "src=" not in text
    assert "Content-Security-Policy" in text


def test_evidence_is_kept_by_operation_and_axis(broken: Report, tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    evidence.keep(broken, file)
    rows = {row.operation: row for row in evidence.load(file)}
    assert set(rows) == set(bundled().operations)
    assert rows["create-session"].driven == [200]
    assert not rows["create-session"].refused
    assert not rows["get-session"].driven
    # The real service was asked before, which another run against an emulator does not undo.
    rows["create-session"].live = {200: "2026-01-15"}
    file.write_text(evidence.written(list(rows.values())), "utf-8")
    evidence.keep(broken, file)
    assert {row.operation: row for row in evidence.load(file)}["create-session"].live == {200: "2026-01-15"}


def test_a_clean_run_says_so_and_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    report = running.run(Where(seed=7), [PART], terminal := Terminal(watched=False))
    terminal.tell(report)
    assert report.exit_code == running.CLEAN
    assert "nothing found, 1 part," in capsys.readouterr().out
    assert "Every promise that was tried is kept" in reports.FORMS["html"](report)
