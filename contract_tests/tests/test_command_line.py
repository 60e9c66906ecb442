"""What the command line says of input that it can do nothing with: one line, and exit code 2, before anything runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from chaser_contract import cli
from chaser_contract.exchanges import Exchange
from chaser_contract.generated.trying import is_of_another_server


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CHASER_API_KEY", "CHASER_PEER_KEY"):
        monkeypatch.delenv(name, raising=False)
    Path("empty.json").touch()
    Path("unfinished.yaml").write_text("not: [a")
    Path("bytes.json").write_bytes(bytes(range(255, 0, -1)))


@pytest.mark.parametrize(
    "words",
    [
        "run --url nonsense",
        "run --url http://",
        "run --url http://127.0.0.1:1",
        "run --url http://127.0.0.1:1 --api-key schlüssel",
        "run --profile live --url nonsense --api-key x",
        "run --only nothing",
        "run --only pagination --skip pagination",
        "run --only document --json empty.json/x.json",
        "run --only document --evidence empty.json",
        "run --only document --baseline missing.yaml",
        "run --only document --baseline unfinished.yaml",
        "baseline empty.json",
        "coverage bytes.json",
        "parity here http://127.0.0.1:1",
        "parity here here --ignore unfinished.yaml",
        "parity here here --write empty.json/x.py",
        "parity --cassette bytes.json",
        "drift --against missing.json",
        "drift --against unfinished.yaml",
        "drift --against http://[bad",
        "record x.har --to nonsense",
        "record empty.json/x.har --to http://127.0.0.1:1",
        "mutants --only nothing",
        "sweep --url nonsense --api-key x",
        "sweep --url http:// --api-key x",
        "sweep --url http://127.0.0.1:1 --api-key x --ledger missing",
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["chaser-contract", *words.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert told.err.startswith("chaser-contract: ")
    assert told.err.count("\n") == 1
    assert told.out == ""


@pytest.mark.parametrize(
    ("message", "is_one"),
    [
        ("the server of repository 'octocat/hello-world' cannot be reached", True),
        ("The image 'python:3.12-slim' cannot be had.", True),
        ("the sandbox could not be started", False),
    ],
)
def test_only_what_somebody_else_lacks_is_no_fault_of_a_target(message: str, is_one: bool) -> None:
    body = f'{{"code": "sandbox_unavailable", "message": "{message}"}}'.encode()
    assert is_of_another_server(Exchange("exec-sandbox", "POST", "/v1/exec", {}, b"", 503, body=body)) is is_one


def test_what_an_emulator_does_without_is_named_where_a_run_needs_it() -> None:
    script = "import sys; sys.modules['harfile'] = None; from chaser_contract.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", script, "run"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "chaser-contract: harfile is not installed; it comes with pip install 'chaser-emulator[contract]'\n"
    )
