"""The README's examples do what it says, and it names every command and target that there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from chaser_emulator.cli import commands
from chaser_emulator.server import Running
from emulators import emulator_on

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
ADDRESS = "http://localhost:8000"


def block(language: str, word: str) -> str:
    """The one example in a language that has a word in it."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
    [found] = [text for of, text in blocks if of == language and word in text]
    return str(found)


def test_the_curl_example_runs_a_command(local: Running, tmp_path: Path) -> None:
    example = block("sh", "/v1/exec")
    assert ADDRESS in example
    done = subprocess.run(
        ["bash", "-euc", example.replace(ADDRESS, local.url)], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    answer = json.loads(done.stdout)
    assert (answer["output"], answer["exit_code"]) == ("hello\n", 0)


def test_the_example_of_the_official_client_works_unchanged_but_for_the_port(local: Running, tmp_path: Path) -> None:
    example = block("python", "hello.txt")
    assert ADDRESS in example
    program = example.replace(ADDRESS, local.url)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "hello"), done.stderr


def test_the_example_of_a_terminal_follows_on_that_of_the_client(local: Running, tmp_path: Path) -> None:
    program = block("python", "hello.txt").replace(ADDRESS, local.url) + block("python", "pty_websocket_url")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert '{"type": "exit", "exit_code": 3}' in done.stdout
    assert "40 120" in done.stdout


def test_the_example_of_mcp_calls_a_tool(local: Running, tmp_path: Path) -> None:
    example = block("sh", "/v1/mcp").replace(ADDRESS, local.url)
    done = subprocess.run(["bash", "-euc", example], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert json.loads(done.stdout)["result"]["structuredContent"]["output"] == "hello\n"
    [server] = json.loads(block("json", "mcpServers"))["mcpServers"].values()
    assert server["command"] == "chaser-emulator"
    assert server["args"][0] in commands.commands


def test_the_example_of_the_clock_stops_and_moves_it(tmp_path: Path) -> None:
    with emulator_on("scripted") as one:
        example = block("sh", "clock=").replace(ADDRESS, one.url)
        done = subprocess.run(["bash", "-euc", example], capture_output=True, text=True, cwd=tmp_path, check=True)
    first, second, third = (json.loads(text) for text in done.stdout.replace("}{", "}\n{").splitlines())
    assert (first["mode"], second["mode"]) == ("real", "frozen")
    assert third["now"].startswith("2026-03-02T12:00:00")
    assert third["fired"] == []


def test_its_make_targets_are_there_and_listed_by_make_help() -> None:
    named = re.findall(r"^make ([a-z]+)", block("sh", "make run"), re.M)
    assert named == ["run", "test"]
    helped = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"^  make ([a-z]+)", helped, re.M))
    assert listed >= {"run", "test", "check", "format", "generate", "bench", "clean", "help"}
    # Without a target, make helps; that nothing is set up by it is part of the promise.
    assert subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout == helped


def test_it_names_every_command() -> None:
    table = block("", "chaser-emulator doctor")
    assert all(re.search(rf"\b{name}\b", table) for name in commands.commands), table
    words = set(re.findall(r"^chaser-emulator ([a-z]+)|\| ([a-z]+)", table, re.M))
    assert {one or other for one, other in words} <= set(commands.commands)


def test_the_links_to_files_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
