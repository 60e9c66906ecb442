"""What a recording holds, and never holds, and that it is the same session when it is asked again elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaser_contract.cli import commands
from chaser_contract.recording.serving import recording
from chaser_contract.waiting import comes
from chaser_emulator.server import Running
from chaser_sdk import ChaserApiError, ChaserClient
from click.testing import CliRunner
from defective import defective
from emulators import emulator_on
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

PASSWORD, VARIABLE, TYPED = "correct horse battery", "value-of-a-variable", "typed-by-somebody"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted") as found:
        yield found


@pytest.fixture(scope="module")
def told() -> set[str]:
    """The secrets that were said while the session was recorded."""
    return {PASSWORD, VARIABLE, TYPED, "secret-in-a-query", "secret-of-nothing", "bytes-of-nothing", "proxy-password"}


@pytest.fixture(scope="module")
def cassette(emulator: Running, told: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of the official SDK, with callers of several kinds, and some calls that no client makes."""
    file = tmp_path_factory.mktemp("recorded") / "session.har"
    with recording(emulator.url, file) as recorder:
        client = ChaserClient(base_url=recorder.url, api_key=emulator.api_key, timeout=30)
        client.workspaces.create(session_type="sandbox", name="demo")
        session = client.sessions.create(session_type="sandbox", workspace="demo")["id"]
        client.files.upload_text(session, "/workspace/hello.txt", "hello\n")
        assert client.files.download(session, "/workspace/hello.txt") == b"hello\n"
        client.exec.in_session(session, command="true", env={"STAGE": VARIABLE}, stdin=TYPED)
        started = client.exec.in_session(session, command="echo hello", background=True)
        key = client._request_json("POST", "/v1/keys", json_body={"name": "ci", "scopes": ["sessions.read"]})["key"]
        narrow = ChaserClient(base_url=recorder.url, api_key=key, timeout=30)
        assert narrow.sessions.list_page()["total"] == 1
        with pytest.raises(ChaserApiError):
            narrow.sessions.terminate(session)
        told |= {emulator.api_key, key}
        with httpx.Client(base_url=recorder.url) as http:
            person = {"email": "ada@example.com", "password": PASSWORD}
            token = http.post("/auth/register", json=person).json()["access_token"]
            told |= {token, token.rpartition(".")[2]}
            there = {"Authorization": f"Bearer {token}"}
            assert http.get("/auth/me", params={"access_token": "secret-in-a-query"}, headers=there).status_code == 200
            assert http.get("/v1/sessions", headers={"Authorization": "Bearer sk_wrong_wrong_wrong"}).status_code == 401
            told.add("sk_wrong_wrong_wrong")
            wish = {"ephemeral": True, "proxy": "socks5h://user:proxy-password@proxy.example:1080"}
            http.post("/v1/sessions", json=wish, headers=there)
            http.post("/v1/nothing", json={"clientSecret": "secret-of-nothing"})
            http.post("/v1/nothing", content=b"bytes-of-nothing")
            mine = {"Authorization": f"Bearer {emulator.api_key}"}
            stream = http.get(f"/v1/sessions/{session}/commands/{started['command_id']}/stream", headers=mine)
            assert "event: exit" in stream.text
        address = client.sessions.pty_websocket_url(session)
        with connect(address, additional_headers=mine) as terminal:
            assert json.loads(terminal.recv())["type"] == "ready"
        with pytest.raises(InvalidStatus), connect(address):
            pass
        client.sessions.terminate(session, force=True)
        client.workspaces.delete("demo")
        client._request_json("GET", "/v1/audit/events")
    return file


def replayed(file: Path, *arguments: str) -> Any:
    return CliRunner().invoke(commands, ["parity", "--cassette", str(file), *arguments], standalone_mode=False)


def test_a_recording_is_a_har_and_holds_no_secret(cassette: Path, told: set[str]) -> None:
    text = cassette.read_text("utf-8")
    log = json.loads(text)["log"]
    assert log["version"] == "1.2"
    assert len(log["entries"]) > 20
    assert {secret for secret in told if secret in text} == set()
    assert cassette.stat().st_mode & 0o077 == 0


def test_a_placeholder_is_the_same_wherever_its_secret_was(cassette: Path) -> None:
    entries = json.loads(cassette.read_text("utf-8"))["log"]["entries"]
    made = next(one for one in entries if one["request"]["url"].endswith("/v1/keys"))
    placeholder = json.loads(made["response"]["content"]["text"])["key"]
    users = [
        one["request"]["method"]
        for one in entries
        if {"name": "authorization", "value": f"Bearer {placeholder}"} in one["request"]["headers"]
    ]
    assert users == ["GET", "DELETE"]


def test_a_recording_is_the_same_session_on_another_emulator(cassette: Path) -> None:
    with emulator_on("scripted") as other:
        told = replayed(cassette, "--url", other.url)
    assert told.output.rstrip().rpartition("\n")[2].startswith("nothing differs")
    assert told.return_value == 0


def test_an_emulator_of_this_process_will_do(cassette: Path) -> None:
    assert replayed(cassette).return_value == 0


def test_what_another_chaser_answers_otherwise_is_told_by_the_entry(cassette: Path) -> None:
    def forgets(method: str, path: str, status: int, told: Any) -> tuple[int, Any]:
        if path == "/v1/keys" and status == 200:
            told["scopes"] = []
        return status, told

    with emulator_on("scripted") as other, defective(other.url, forgets) as url:
        told = replayed(cassette, "--url", url, "--api-key", other.api_key)
    assert told.return_value == 1
    assert "create-key: /scopes/0 is 'sessions.read' in the recording and '(nothing)'" in told.output


@pytest.mark.parametrize("text", ["", "{}", '{"log": {"entries": []}}', '{"log": {"entries": [{"request": 1}]}}'])
def test_what_is_no_recording_cannot_be_replayed(text: str, tmp_path: Path) -> None:
    file = tmp_path / "none.har"
    file.write_text(text, "utf-8")
    assert type(replayed(file).exception).__name__ == "ClickException"


def entries_in(file: Path) -> list[Any]:
    """The entries of a recording that goes on; none when an entry is being written while it is read."""
    try:
        found: list[Any] = json.loads(file.read_text("utf-8"))["log"]["entries"]
    except ValueError:
        return []
    return found


def test_a_file_is_whole_after_each_exchange_and_the_command_ends_with_ctrl_c(
    emulator: Running, tmp_path: Path
) -> None:
    file = tmp_path / "whole.har"
    command = [sys.executable, "-c", "from chaser_contract.cli import main; main()"]
    recorder = subprocess.Popen(
        [*command, "record", "--to", emulator.url, "--port", "0", str(file)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert recorder.stdout is not None
        recorder.stdout.readline()
        url = recorder.stdout.readline().strip().removeprefix("export CHASER_API_URL=")
        for number in (1, 2):
            assert httpx.get(f"{url}/auth/me", timeout=30).status_code == 401
            # The answer ends for the client before the entry is written.
            assert comes(lambda: len(entries_in(file)), number.__eq__, seconds=20)
        recorder.send_signal(signal.SIGINT)
        assert recorder.wait(20) == 0
        assert recorder.stdout.read().startswith("2 exchanges in ")
        recorder.stdout.close()
    finally:
        recorder.kill()
        recorder.wait()
    assert len(json.loads(file.read_text("utf-8"))["log"]["entries"]) == 2


def test_a_recording_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "there.har"
    file.write_text("mine", "utf-8")
    told = CliRunner().invoke(commands, ["record", "--to", "http://127.0.0.1:9", str(file)], standalone_mode=False)
    assert type(told.exception).__name__ == "ClickException"
    assert file.read_text("utf-8") == "mine"


def test_bodies_of_any_bytes_and_encodings_of_paths_pass_as_they_are(emulator: Running, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1024
    with recording(emulator.url, tmp_path / "bytes.har") as recorder:
        client = ChaserClient(base_url=recorder.url, api_key=emulator.api_key, timeout=30)
        session = client.sessions.create(session_type="sandbox", ephemeral=True)["id"]
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        with httpx.Client(base_url=recorder.url, headers=headers) as http:
            form = {"path": "/workspace/ä b%2F.bin"}
            assert http.post(f"/v1/sessions/{session}/upload", data=form, files={"file": content}).status_code == 200
            found = http.get(f"/v1/sessions/{session}/download", params={"path": form["path"]})
    assert found.content == content
    assert replayed(tmp_path / "bytes.har").return_value == 0
