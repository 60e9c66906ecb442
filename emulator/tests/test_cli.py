"""The command line, as a user meets it: what is printed, what is written, how it stops, how it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from test_crash import server
from test_exec import until

CLI = [sys.executable, "-m", "chaser_emulator.cli"]


def cli(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CHASER_")}
    return subprocess.run(
        [*CLI, *arguments], cwd=cwd, env=clean | (env or {}), capture_output=True, text=True, timeout=60, check=False
    )


def test_a_start_prints_the_address_the_key_and_what_to_try(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*CLI, "--port", "0", "--ephemeral", "--sandbox", "scripted"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or []))
    reader.start()
    until(lambda: "Ctrl-C" in "".join(lines))
    printed = "".join(lines)
    url = re.search(r"^export CHASER_API_URL=(http://127\.0\.0\.1:[0-9]+)$", printed, re.M)
    key = re.search(r"^export CHASER_API_KEY=(sk_\w+)$", printed, re.M)
    assert url
    assert key
    answer = httpx.get(f"{url[1]}/v1/accounts/current", headers={"Authorization": f"Bearer {key[1]}"})
    assert answer.json()["account"]["personal"] is True
    assert "/swagger-ui" in printed
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    assert time.monotonic() - began < 5
    reader.join()
    process.stdout.close()


def test_the_ready_file_says_how_to_reach_it_and_is_private(tmp_path: Path) -> None:
    with server("scripted", tmp_path) as one:
        assert set(one.state) == {"url", "api_key", "ssh_port", "account_id", "pid", "version", "engine"}
        assert (one.state["pid"], one.state["engine"]) == (one.process.pid, "scripted")
        [ready] = tmp_path.glob("ready-*")
        assert stat.S_IMODE(ready.stat().st_mode) == 0o600
        with one.client() as client:
            assert client.get("/v1/accounts/current").json()["account"]["id"] == one.state["account_id"]
        one.stop()
        assert not ready.exists()


def test_a_stop_is_quick_with_streams_open_and_commands_running(tmp_path: Path) -> None:
    with server("local", tmp_path) as one, one.client() as client:
        session = client.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
        body = {"command": "trap '' TERM; echo on; sleep 300", "background": True}
        command = client.post(f"/v1/sessions/{session}/exec", json=body).json()["command_id"]
        with client.stream("GET", f"/v1/sessions/{session}/commands/{command}/stream") as stream:
            next(stream.iter_lines())
            began = time.monotonic()
            one.stop()
            assert time.monotonic() - began < 5


def test_exec_runs_a_command_against_a_fresh_one_and_ends_with_its_code(tmp_path: Path) -> None:
    script = (
        "import os, sys, urllib.request as r;"
        "q = r.Request(os.environ['CHASER_API_URL'] + '/v1/sessions',"
        "headers={'Authorization': 'Bearer ' + os.environ['CHASER_API_KEY']});"
        "print(r.urlopen(q).read().decode()); sys.exit(7)"
    )
    done = cli("exec", "--sandbox", "scripted", "--", sys.executable, "-c", script, cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)) == (7, {"sessions": [], "total": 0}), done.stderr
    assert cli("exec", "--sandbox", "scripted", "--", "no-such-program", cwd=tmp_path).returncode == 127


def test_the_running_one_is_found_waited_for_and_stopped(tmp_path: Path) -> None:
    data = ["--data-dir", str(tmp_path / "data")]
    assert cli("env", *data, cwd=tmp_path).returncode == 1
    with server("scripted", tmp_path) as one:
        assert cli("wait", *data, cwd=tmp_path).returncode == 0
        exports = cli("env", *data, cwd=tmp_path).stdout
        assert f"export CHASER_API_URL={one.state['url']}\n" in exports
        second = cli("--port", "0", *data, cwd=tmp_path)
        assert (second.returncode, second.stdout) == (1, "")
        assert "another emulator uses" in second.stderr
        assert cli("reset", "--yes", *data, cwd=tmp_path).stdout == "world default is as it began\n"
        assert (tmp_path / "data" / "chaser.db").exists()
        assert cli("stop", *data, cwd=tmp_path).returncode == 0
        assert one.process.wait(timeout=5) == 0
    assert cli("reset", "--yes", *data, cwd=tmp_path).returncode == 0
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["lock"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--host", "0.0.0.0"], 2, "--api-key"),
        (["--host", "::"], 2, "--api-key"),
        (["--host", "0.0.0.0", "--api-key", ""], 2, "--api-key"),
        (["--api-key", "two words"], 2, "--api-key"),
        (["--public-url", "chaser.test"], 2, "--public-url"),
        (["--checkout-success-url", "chaser.test"], 2, "--checkout-success-url"),
        (["--checkout-cancel-url", "ftp://chaser.test"], 2, "--checkout-cancel-url"),
        (["--port", "99999"], 2, "--port"),
        (["--sandbox", "cloud"], 2, "docker"),
        (["--ephemeral", "--data-dir", "d"], 2, "exclude each other"),
        (["no-such-command"], 2, "no-such-command"),
    ],
)
def test_wrong_usage_is_one_clear_refusal(tmp_path: Path, arguments: list[str], code: int, text: str) -> None:
    done = cli(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("chaser-emulator: ")
    assert text in line


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("sandbok = 1", "unknown key sandbok"),
        ("[serve]\nport = 1", "unknown key serve"),
        ("port = ", "chaser-emulator.toml: "),
        ('port = "high"', "--port"),
        ('ephemeral = "perhaps"', "--ephemeral"),
        ('sandbox = "cloud"', "--sandbox"),
    ],
)
def test_a_wrong_file_is_refused_by_what_is_wrong_in_it(tmp_path: Path, content: str, text: str) -> None:
    (tmp_path / "chaser-emulator.toml").write_text(content)
    done = cli(cwd=tmp_path)
    [line] = done.stderr.splitlines()
    assert (done.returncode, done.stdout, text in line) == (2, "", True), line


def test_a_ready_file_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cli(
        "--port",
        "0",
        "--ephemeral",
        "--sandbox",
        "scripted",
        "--ready-file",
        str(tmp_path / "file" / "r"),
        cwd=tmp_path,
    )
    [line] = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert line.startswith(f"chaser-emulator: {tmp_path}/file/r cannot be written")


def test_off_loopback_a_key_of_ones_own_opens_it(tmp_path: Path) -> None:
    show = ["--", "sh", "-c", "echo $CHASER_API_URL $CHASER_API_KEY"]
    done = cli("exec", "--host", "0.0.0.0", "--api-key", "sk_own", "--sandbox", "scripted", *show, cwd=tmp_path)
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+ sk_own\n", done.stdout), done.stderr


def test_a_taken_port_is_said_so(tmp_path: Path) -> None:
    with server("scripted", tmp_path) as one:
        port = one.state["url"].rpartition(":")[2]
        done = cli("--port", port, "--ephemeral", "--sandbox", "scripted", cwd=tmp_path)
        assert done.returncode == 1
        assert f"127.0.0.1:{port} cannot be bound" in done.stderr
        one.stop()


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "chaser-emulator.toml").write_text(
        'sandbox = "scripted"\nport = 0\nephemeral = true\napi-key = "sk_file"\n'
    )
    show = ["exec", "--", "sh", "-c", "echo $CHASER_API_KEY"]
    assert cli(*show, cwd=tmp_path).stdout == "sk_file\n"
    environment = {"CHASER_EMULATOR_API_KEY": "sk_environment"}
    assert cli(*show, cwd=tmp_path, env=environment).stdout == "sk_environment\n"
    flagged = ["exec", "--api-key", "sk_flag", *show[1:]]
    assert cli(*flagged, cwd=tmp_path, env=environment).stdout == "sk_flag\n"


def test_what_exec_starts_has_nothing_to_do_with_the_one_to_develop_with(tmp_path: Path) -> None:
    with server("scripted", tmp_path) as one:
        port = one.state["url"].rpartition(":")[2]
        (tmp_path / "chaser-emulator.toml").write_text(f'sandbox = "scripted"\nport = {port}\ndata-dir = "data"\n')
        done = cli("exec", "--", "sh", "-c", "echo $CHASER_API_URL", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() != one.state["url"]
        # Those that look for it find it by the same file.
        assert one.state["url"] in cli("env", cwd=tmp_path).stdout
        one.stop()
    asked = cli("doctor", "--ephemeral", "--port", "0", cwd=tmp_path)
    assert "exclude each other" not in asked.stderr
    assert (asked.returncode, "ephemeral" in asked.stdout) == (0, True)


def test_exports_are_safe_to_evaluate(tmp_path: Path) -> None:
    key = "sk_$(touch$IFS'hacked')"
    serving = ["--port", "0", "--sandbox", "scripted", "--data-dir", str(tmp_path / "data"), "--api-key", key]
    evaluate = (
        f'eval "$({sys.executable} -m chaser_emulator.cli env --data-dir {tmp_path}/data)"; echo "$CHASER_API_KEY"'
    )
    done = cli("exec", *serving, "--", "sh", "-c", evaluate, cwd=tmp_path)
    assert (done.stdout, [entry.name for entry in tmp_path.iterdir()]) == (f"{key}\n", ["data"])


def test_the_log_can_be_lines_of_json(tmp_path: Path) -> None:
    # A browser that cannot be had is worth a line.
    ask = """
import os, urllib.request
headers = {"Authorization": "Bearer " + os.environ["CHASER_API_KEY"], "Content-Type": "application/json"}
body = b'{"session_type": "browser", "ephemeral": true}'
urllib.request.urlopen(urllib.request.Request(os.environ["CHASER_API_URL"] + "/v1/sessions", body, headers)).read()
"""
    arguments = ["exec", "--sandbox", "scripted", "--log-format", "json", "--", sys.executable, "-c", ask]
    lines = cli(*arguments, cwd=tmp_path).stderr.splitlines()
    assert any("browser" in line for line in lines)
    assert all({"at", "level", "logger", "message"} <= json.loads(line).keys() for line in lines)


def test_a_database_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "chaser.db").write_text("this is no database at all" * 100)
    done = cli("--port", "0", "--data-dir", "data", "--sandbox", "scripted", cwd=tmp_path)
    assert done.returncode == 1
    assert "is no database of the emulator" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_says_what_would_run(tmp_path: Path) -> None:
    done = cli("doctor", "--sandbox", "local", "--port", "0", "--ephemeral", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sandboxes" in done.stdout
    nowhere = {"DOCKER_HOST": "tcp://127.0.0.1:9"}
    refused = cli("doctor", "--sandbox", "docker", "--port", "0", "--ephemeral", cwd=tmp_path, env=nowhere)
    assert refused.returncode == 1
    automatic = cli("doctor", "--port", "0", "--ephemeral", cwd=tmp_path, env=nowhere)
    assert automatic.returncode == 0
    assert "Docker cannot be used" in " ".join(automatic.stdout.split())


def test_an_engine_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    done = cli(
        "--sandbox", "docker", "--port", "0", "--ephemeral", cwd=tmp_path, env={"DOCKER_HOST": "tcp://127.0.0.1:9"}
    )
    assert done.returncode == 1
    assert done.stderr.startswith("chaser-emulator: sandboxes cannot run (docker)")
    assert "Traceback" not in done.stderr


def test_the_limit_of_one_surface_can_be_chosen(tmp_path: Path) -> None:
    script = (
        "for i in 1 2 3; do curl -s -o /dev/null -w '%{http_code} ' -H \"Authorization: Bearer $CHASER_API_KEY\" "
        "-H 'Content-Type: application/json' -d '{\"ephemeral\": true}' $CHASER_API_URL/v1/sessions; done"
    )
    done = cli("exec", "--sandbox", "scripted", "--limit", "sessions=2", "--", "sh", "-c", script, cwd=tmp_path)
    assert done.stdout.split() == ["200", "200", "429"], done.stderr
    refused = cli("--limit", "cookies=2", "--ephemeral", cwd=tmp_path)
    assert refused.returncode == 2
    assert "workspaces" in refused.stderr
