"""Repositories of a server: private ones, servers that fail or say nothing, and the token, which shows nowhere."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from bases import Forge
from boxes import open_box, refused
from emulators import emulator_on, http_of
from imports import base_fixture, children, clean, imported, post, server_fixture

__all__ = ["base_fixture", "server_fixture"]

Json = dict[str, Any]


def test_a_server_is_cloned_from(server: Forge) -> None:
    with emulator_on("local", github_url=server.url) as emulator, http_of(emulator) as client:
        made = imported(client, f"{server.url}/octo/hello@v1.0")
        assert (made["private"], made["default_branch"]) == (False, "trunk")
        box = open_box(emulator, client, made["workspace"]["id"])
        assert f"url = {server.url}/octo/hello.git" in box.run("cat .git/config")
        assert box.get("README.md") == b"feature\n"
        refused(post(client, "octo/nothing"), 404, "not_found")
        refused(post(client, "octo/hello@nothing"), 404, "not_found")
        assert clean(emulator)


def test_a_token_opens_what_is_private_and_shows_nowhere(
    server: Forge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.private.add("octo/secret")
    with emulator_on("local", github_url=server.url) as emulator, http_of(emulator) as client:
        refused(post(client, "octo/secret"), 404, "not_found")
    data = tmp_path / "data"
    settings: Json = {"github_url": server.url, "github_token": server.token, "data_dir": data}
    with emulator_on("local", **settings) as emulator, http_of(emulator) as client:
        assert server.token not in repr(emulator.world.settings)
        server.credentials.clear()
        assert imported(client, "octo/hello")["private"] is False
        # Whoever needs no token is sent none.
        assert set(server.credentials) == {None}
        answer = post(client, "octo/secret")
        assert answer.json()["private"] is True
        errors = [post(client, repo).text for repo in ("octo/nothing", "octo/secret@nothing")]
        box = open_box(emulator, client, answer.json()["workspace"]["id"])
        assert box.get("f") == b"secret\n"
        box.end()
    secrets = [server.token.encode(), str(server.credentials[-1]).removeprefix("Basic ").encode()]
    kept = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file() and not path.is_symlink())
    for secret in secrets:
        assert secret not in kept
        assert secret.decode() not in answer.text + "".join(errors) + caplog.text


def test_a_wrong_token_opens_nothing(server: Forge) -> None:
    server.private.add("octo/secret")
    with (
        emulator_on("local", github_url=server.url, github_token="wrong") as emulator,
        http_of(emulator) as client,
    ):
        assert "wrong" not in str(refused(post(client, "octo/secret"), 404, "not_found"))


def test_a_server_that_fails_or_is_not_there_is_told_apart(server: Forge) -> None:
    with emulator_on("scripted", github_url=server.url) as emulator, http_of(emulator) as client:
        server.status = 500
        refused(post(client, "octo/hello"), 502, "bad_gateway")
        server.status = 403
        refused(post(client, "octo/hello"), 404, "not_found")
        assert clean(emulator)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with emulator_on("scripted", github_url=f"http://127.0.0.1:{port}") as emulator, http_of(emulator) as client:
        # The name is part of what git says, and means nothing.
        for repo in ("octo/hello", "octo/not-found", "octo/ssl-proxy"):
            refused(post(client, repo), 503, "sandbox_unavailable")


def test_a_machine_without_git_says_so(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with emulator_on("scripted", github_url=str(base)) as emulator, http_of(emulator) as client:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "git" in refused(post(client, "octo/hello"), 503, "sandbox_unavailable")["message"]
        assert clean(emulator)


def test_a_server_that_says_nothing_is_given_up(server: Forge) -> None:
    server.silent.set()
    with emulator_on("local", github_url=server.url) as emulator, http_of(emulator) as client:
        emulator.world.repositories.answer_seconds = 0.5
        refused(post(client, "octo/hello"), 504, "gateway_timeout")
        exec_ = {"command": "true", "ephemeral": True, "github_repo": "octo/hello"}
        refused(client.post("/v1/exec", json=exec_), 503, "sandbox_unavailable")
        assert children() == set()
        assert clean(emulator)


def test_an_emulator_stops_in_the_middle_of_an_import(server: Forge) -> None:
    server.silent.set()
    with (
        ThreadPoolExecutor(2) as threads,
        emulator_on("local", github_url=server.url) as emulator,
        http_of(emulator) as client,
    ):
        waiting = threads.submit(post, client, "octo/hello")
        assert server.arrived.wait(10)
        begun = time.monotonic()
        emulator.stop()
        with pytest.raises(httpx.HTTPError):
            waiting.result(20).raise_for_status()
        assert time.monotonic() - begun < 10
    assert children() == set()
