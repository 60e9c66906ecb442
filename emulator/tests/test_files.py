"""Files into a sandbox and out of it: what they are on both sides, how large they may be, and who leaves half-way."""

from __future__ import annotations

import os
import socket
import struct
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from boxes import (  # noqa: F401 - fixtures are found by import
    Box,
    box_fixture,
    open_box,
    real_client_fixture,
    real_emulator_fixture,
    refused,
)
from chaser_emulator.server import Running
from emulators import REAL, EngineChoice, emulator_on, http_of, sdk_of
from strangers import stranger

MIB = 2**20
LIMIT = 16 * MIB
BYTES = bytes(range(256)) * 41


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition, which must come true in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        wait_a_little()


def wait_a_little() -> None:
    """Let the emulator's thread work."""
    with socket.socket() as idle:
        idle.settimeout(0.02)
        idle.bind(("127.0.0.1", 0))
        idle.listen()
        try:
            idle.accept()
        except TimeoutError:
            return


# What a file is.


@pytest.mark.parametrize("data", [b"", b"x", BYTES, b"\r\n--boundary\r\n\r\n", b"\x00" * 300_000])
def test_a_file_comes_out_as_it_went_in(box: Box, data: bytes) -> None:
    answer = box.upload("/workspace/data.bin", data)
    assert answer.json() == {"path": "/workspace/data.bin", "size": len(data)}
    sent = box.download("/workspace/data.bin")
    assert (sent.status_code, sent.content) == (200, data)
    assert sent.headers["content-type"] == "application/octet-stream"
    assert sent.headers["content-length"] == str(len(data))
    assert sent.headers["content-disposition"] == 'attachment; filename="data.bin"'


def test_a_command_sees_what_was_uploaded_and_leaves_what_is_downloaded(box: Box) -> None:
    box.put("in.txt", "grüße\n".encode())
    assert box.run("tr a-z A-Z <in.txt >out.txt; cat in.txt; wc -c <in.txt").split() == ["grüße", "8"]
    assert box.get("/workspace/out.txt") == "GRüßE\n".encode()


def test_folders_are_made_and_files_replaced(box: Box) -> None:
    assert box.upload("a/b/c/file", b"longer than the next").json()["path"] == "/workspace/a/b/c/file"
    box.run("chmod 600 a/b/c/file")
    box.put("/workspace/a/./b//c/file", b"next")
    assert box.get("a/b/../b/c/file") == b"next"
    assert box.run("stat -c %a a/b/c/file").strip() == "644"
    assert box.run("stat -c %u a/b/c/file; id -u").split() == [box.run("id -u").strip()] * 2


def test_a_file_outside_the_workspace_is_reached_by_an_absolute_path(box: Box) -> None:
    assert box.upload("/tmp/x.txt", b"t").json() == {"path": "/tmp/x.txt", "size": 1}
    assert box.run("cat /tmp/x.txt") == "t"
    assert b"root" in box.get("/etc/passwd")


ODD = {
    "with spaces .txt": 'attachment; filename="with spaces .txt"',
    "grüße 世界": "attachment; filename=\"gr__e __\"; filename*=UTF-8''gr%C3%BC%C3%9Fe%20%E4%B8%96%E7%95%8C",
    "\"quoted\" 'name'": "attachment; filename=\"_quoted_ 'name'\"; filename*=UTF-8''%22quoted%22%20%27name%27",
    "back\\slash": "attachment; filename=\"back_slash\"; filename*=UTF-8''back%5Cslash",
    "new\nline": "attachment; filename=\"new_line\"; filename*=UTF-8''new%0Aline",
    "100% +plus&more=;#?": 'attachment; filename="100% +plus&more=;#?"',
    "ends with\n": "attachment; filename=\"ends with_\"; filename*=UTF-8''ends%20with%0A",
    "-rf": 'attachment; filename="-rf"',
    "$(touch pwned) `id` $HOME *": 'attachment; filename="$(touch pwned) `id` $HOME *"',
    "...": 'attachment; filename="..."',
    "~": 'attachment; filename="~"',
}


@pytest.mark.parametrize("name", ODD)
def test_odd_names_stay_what_they_are(box: Box, name: str) -> None:
    assert box.upload(f"odd/{name}", b"1").json()["path"] == f"/workspace/odd/{name}"
    answer = box.download(f"odd/{name}")
    assert (answer.status_code, answer.content) == (200, b"1")
    assert answer.headers["content-disposition"] == ODD[name]
    script = """cd odd && for one in * .[!.]* ..?*; do [ -e "$one" ] && printf '[%s]' "$one"; done; :"""
    assert box.run(script) == f"[{name}]"
    assert box.client.get(f"/v1/sessions/{box.session}/download?path=pwned").status_code == 404


def test_the_official_client_moves_files(box: Box) -> None:
    sdk = sdk_of(box.emulator)
    assert sdk.files.upload(box.session, path="up.bin", data=BYTES) == {"path": "/workspace/up.bin", "size": len(BYTES)}
    assert sdk.files.download(box.session, "/workspace/up.bin") == BYTES
    sdk.files.upload_text(box.session, "/workspace/with space.txt", "grüße")
    assert sdk.files.download_text(box.session, "/workspace/with space.txt") == "grüße"


# How large.


def test_sixteen_mebibytes_go_and_not_one_byte_more(box: Box) -> None:
    data = os.urandom(LIMIT)
    assert box.upload("exact", data).json()["size"] == LIMIT
    assert box.get("exact") == data
    error = refused(box.upload("more", data + b"x"), 413, "payload_too_large")
    assert error["details"] == {"limit": LIMIT}
    refused(box.download("more"), 404, "not_found")
    box.run("printf x >>exact")
    refused(box.download("exact"), 413, "payload_too_large")
    box.run("truncate -s 1G holes")
    refused(box.download("holes"), 413, "payload_too_large")


def test_what_says_that_it_is_too_large_is_refused_before_it_is_sent(box: Box) -> None:
    head = request_head(box, length=10 * LIMIT)
    with connected(box) as wire:
        wire.sendall(head)
        assert wire.recv(4096).startswith(b"HTTP/1.1 413 ")


# Refusals.


def test_what_is_no_file_is_refused(box: Box) -> None:
    box.run("mkdir folder && mkfifo pipe && echo 1 >file && ln -s nowhere dangling")
    refused(box.download("missing"), 404, "not_found")
    refused(box.download("file/below"), 404, "not_found")
    refused(box.download("missing/below"), 404, "not_found")
    refused(box.download("dangling"), 404, "not_found")
    for path in ("folder", "pipe", "/dev/null", "/workspace", "."):
        refused(box.download(path), 400, "invalid_request")
    for path in ("folder", "pipe", "file/below", "/workspace", "/proc/x", "."):
        refused(box.upload(path, b"x"), 400, "invalid_request")
    assert box.run("cat file; ls") == "1\ndangling\nfile\nfolder\npipe\n"


def test_a_form_must_have_both_parts(box: Box) -> None:
    url = f"/v1/sessions/{box.session}/upload"
    only_path: dict[str, tuple[str | None, bytes]] = {"path": (None, b"a")}
    only_file: dict[str, tuple[str | None, bytes]] = {"file": ("f", b"a")}
    path_as_file: dict[str, tuple[str | None, bytes]] = {"path": ("p", b"a"), "file": ("f", b"a")}
    for parts in (only_path, only_file, path_as_file):
        refused(box.client.post(url, files=parts), 400, "invalid_request")
    twice: list[tuple[str, tuple[str | None, bytes]]] = [("path", (None, b"a")), ("file", ("f", b"a"))] * 2
    refused(box.client.post(url, files=twice), 400, "invalid_request")
    refused(box.client.post(url, json={"path": "a", "file": "b"}), 415, "unsupported_media_type")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(box.client.post(url, content=b"no form at all", headers=broken), 400, "invalid_request")
    refused(
        box.client.post(url, content=b"--x--", headers={"Content-Type": "multipart/form-data"}), 400, "invalid_request"
    )
    refused(box.client.get(f"/v1/sessions/{box.session}/download"), 400, "invalid_request")
    # A part without a file name is content all the same.
    text: dict[str, tuple[str | None, bytes]] = {"file": (None, b"content"), "path": (None, b"plain.txt")}
    assert box.client.post(url, files=text).json() == {"path": "/workspace/plain.txt", "size": 7}
    assert box.get("plain.txt") == b"content"


def test_a_session_must_be_ones_own_and_run(box: Box) -> None:
    other = Box(box.emulator, box.client, str(uuid.uuid4()))
    refused(other.upload("a", b""), 404, "not_found")
    refused(other.download("a"), 404, "not_found")
    with http_of(box.emulator, stranger(box.emulator)) as theirs:
        refused(Box(box.emulator, theirs, box.session).upload("a", b""), 404, "not_found")
        refused(Box(box.emulator, theirs, box.session).download("/etc/passwd"), 404, "not_found")
    for scope, path, method in (("files.read", "upload", "POST"), ("files.write", "download?path=a", "GET")):
        with http_of(box.emulator, stranger(box.emulator, scopes=[scope])) as scoped:
            answer = scoped.request(method, f"/v1/sessions/{box.session}/{path}")
            refused(answer, 403, "insufficient_scope")
    box.end()
    refused(box.upload("a", b""), 409, "not_running")
    refused(box.download("a"), 409, "not_running")


def test_a_browser_has_no_files(real_emulator: Running, real_client: httpx.Client) -> None:
    session = real_client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}).json()["id"]
    browser = Box(real_emulator, real_client, session)
    refused(browser.upload("a", b""), 400, "not_a_sandbox")
    refused(browser.download("a"), 400, "not_a_sandbox")


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_sandbox_that_is_gone_is_noticed(box: Box, way: str) -> None:
    """A command takes everything down from inside, as an operator would from outside."""
    answer = box.client.post(f"/v1/sessions/{box.session}/exec", json={"command": "kill -9 -1", "background": True})
    assert answer.status_code == 200, answer.text

    def gone() -> bool:
        answer = box.upload("a", b"1") if way == "up" else box.download("/etc/passwd")
        if answer.status_code == 200:
            return False
        refused(answer, 409, "not_running")
        return True

    until(gone)
    assert box.client.get(f"/v1/sessions/{box.session}").json()["status"] == "failed"


# What lasts.


@pytest.mark.parametrize("engine", REAL)
def test_files_outlive_their_session_and_the_emulator(engine: EngineChoice, tmp_path: Path) -> None:
    with emulator_on(engine, data_dir=tmp_path) as emulator, http_of(emulator) as client:
        workspace = client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "lasting"}).json()
        first = open_box(emulator, client, "lasting")
        first.put("kept/data.bin", BYTES)
        first.run("ln -s kept/data.bin link; echo '#!/bin/sh' >run.sh; chmod 750 run.sh; echo gone >/tmp/gone")
        first.end()
        second = open_box(emulator, client, "lasting")
        assert second.session != first.session
        assert second.get("link") == BYTES
        refused(second.download("/tmp/gone"), 404, "not_found")
        second.put("late.txt", b"late")
    with emulator_on(engine, data_dir=tmp_path) as emulator, http_of(emulator) as client:
        try:
            [shown] = client.get("/v1/workspaces").json()
            assert (shown["id"], shown["name"], shown["created_at"]) == (
                workspace["id"], "lasting", workspace["created_at"],
            )  # fmt: skip
            third = open_box(emulator, client, workspace["id"])
            assert third.get("kept/data.bin") == BYTES
            assert third.get("late.txt") == b"late"
            assert third.run("stat -c %a run.sh; readlink link").split() == ["750", "kept/data.bin"]
        finally:
            client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})


def test_a_clone_has_every_kind_of_file_and_a_deleted_one_none(
    real_emulator: Running, real_client: httpx.Client
) -> None:
    for name in ("origin", "copy"):
        real_client.delete(f"/v1/workspaces/{name}", params={"force": "true"})
    assert real_client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "origin"}).status_code == 200
    origin = open_box(real_emulator, real_client, "origin")
    origin.run(
        "mkdir -p 'a b/c' && echo deep >'a b/c/d' && ln -s 'a b/c/d' soft && ln 'a b/c/d' hard &&"
        "ln -s /etc/passwd out && touch -d 2020-02-02T02:02:02Z old && chmod 711 old && mkfifo pipe &&"
        "truncate -s 50M holes && touch .hidden"
    )
    listing = "find . | sort; readlink soft out; stat -c '%a %Y %F' old pipe; stat -c %h hard; du -k holes | cut -f1"
    before = origin.run(listing)
    origin.end()
    answer = real_client.post("/v1/workspaces", json={"clone_from": "origin", "name": "copy"})
    assert answer.status_code == 200, answer.text
    # The copy stands when its source is gone.
    assert real_client.delete("/v1/workspaces/origin").status_code == 204
    copy = open_box(real_emulator, real_client, "copy")
    assert copy.run(listing) == before
    assert copy.get("soft") == b"deep\n"
    copy.end()
    assert real_client.delete("/v1/workspaces/copy").status_code == 204
    real_client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "origin"})
    assert open_box(real_emulator, real_client, "origin").run("ls -A") == ""


# Who leaves half-way.


@contextmanager
def connected(box: Box) -> Iterator[socket.socket]:
    """A connection of our own, that can be cut where we like."""
    url = urlsplit(box.emulator.url)
    with socket.create_connection((str(url.hostname), int(url.port or 80)), timeout=20) as wire:
        yield wire


def cut(wire: socket.socket) -> None:
    """Close at once, as a killed client does."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def request_head(box: Box, length: int) -> bytes:
    return (
        f"POST /v1/sessions/{box.session}/upload HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {box.emulator.api_key}\r\n"
        f"Content-Type: multipart/form-data; boundary=cut\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def form(path: str, data: bytes) -> bytes:
    return (
        f'--cut\r\nContent-Disposition: form-data; name="path"\r\n\r\n{path}\r\n'
        '--cut\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    ).encode() + data + b"\r\n--cut--\r\n"  # fmt: skip


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_an_upload_that_is_cut_off_stores_nothing(box: Box) -> None:
    box.put("old.bin", b"old")
    files = open_files()
    body = form("old.bin", b"n" * (4 * MIB))
    for share in (0, 100, MIB, len(body) - 1):
        with connected(box) as wire:
            wire.sendall(request_head(box, len(body)) + body[:share])
            cut(wire)
    until(lambda: open_files() <= files)
    assert box.get("old.bin") == b"old"
    assert box.run("ls -A") == "old.bin\n"
    # The same bytes in full are stored, so it was the cut that kept them out.
    with connected(box) as wire:
        wire.sendall(request_head(box, len(body)) + body)
        assert wire.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert box.run("stat -c %s old.bin; ls -A").split() == [str(4 * MIB), "old.bin"]


def test_an_upload_whose_client_leaves_at_the_end_is_whole_or_not_there(box: Box) -> None:
    data = b"n" * (8 * MIB)
    body = form("new.bin", data)
    with connected(box) as wire:
        wire.sendall(request_head(box, len(body)) + body)
        cut(wire)
    box.put("marker", b"1")
    assert set(box.run("stat -c %s *.bin 2>/dev/null || true").split()) <= {str(len(data))}


def test_a_download_that_is_cut_off_leaves_nothing_open(box: Box) -> None:
    box.put("large.bin", b"l" * LIMIT)
    assert box.get("large.bin")[:1] == b"l"
    files = open_files()
    head = (
        f"GET /v1/sessions/{box.session}/download?path={quote('large.bin')} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {box.emulator.api_key}\r\n\r\n"
    ).encode()
    for wanted in (0, 1, 100_000):
        with connected(box) as wire:
            wire.sendall(head)
            if wanted:
                wire.recv(wanted)
            cut(wire)
    until(lambda: open_files() <= files + 1)
    assert len(box.get("large.bin")) == LIMIT
    assert box.run("ls -A") == "large.bin\n"


def test_uploads_at_once_to_one_place_do_not_mix(box: Box) -> None:
    contents = [bytes([65 + number]) * (200_000 + number) for number in range(12)]
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda data: box.upload("shared.bin", data).status_code, contents))
    assert answers == [200] * len(contents)
    assert box.get("shared.bin") in contents
    assert box.run("ls -A") == "shared.bin\n"
