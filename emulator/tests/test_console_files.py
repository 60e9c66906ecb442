"""Files of a session in the console: found, looked at, fetched and stored by clicking, and listed for programs."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import assert_accessible, assert_fits, console_of
from emulators import EngineChoice, emulator_on, http_of
from people import ok, refused
from playwright.sync_api import Browser, Page, expect

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ODD = "a b & <b>c #1 ü.txt"


def _session(http: httpx.Client) -> str:
    made = ok(http.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))
    return str(made["id"])


def _put(http: httpx.Client, session: str, path: str, content: bytes) -> None:
    ok(http.post(f"/v1/sessions/{session}/upload", data={"path": path}, files={"file": ("f", content)}))


def _get(http: httpx.Client, session: str, path: str) -> bytes:
    return http.get(f"/v1/sessions/{session}/download", params={"path": path}).content


def _run(http: httpx.Client, session: str, command: str) -> None:
    assert ok(http.post(f"/v1/sessions/{session}/exec", json={"command": command}))["exit_code"] == 0


def _open(page: Page, name: str) -> None:
    page.get_by_role("treeitem", name=name).click()


@pytest.mark.parametrize("engine", ["scripted", "local", "docker"])
def test_files_are_listed_as_far_as_is_asked(engine: EngineChoice) -> None:
    with emulator_on(engine) as emulator, http_of(emulator) as http:
        session = _session(http)
        for path in ("notes.txt", f"src/{ODD}", "src/deep/er/x"):
            _put(http, session, path, b"12345")

        def listed(**query: Any) -> Any:
            return ok(http.get(f"/_emulator/sessions/{session}/files", params=query))

        assert listed() == {
            "path": "/workspace",
            "entries": [{"path": "notes.txt", "kind": "file", "size": 5}, {"path": "src", "kind": "directory"}],
            "truncated": False,
        }
        assert [one["path"] for one in listed(path="src")["entries"]] == [ODD, "deep"]
        assert listed(path="src/../src/deep")["path"] == "/workspace/src/deep"
        everything = listed(recursive=True)
        assert [one["path"] for one in everything["entries"]][-2:] == ["src/deep/er", "src/deep/er/x"]
        short = listed(recursive=True, limit=2)
        assert ([one["path"] for one in short["entries"]], short["truncated"]) == (["notes.txt", "src"], True)
        files = f"/_emulator/sessions/{session}/files"
        refused(http.get(files, params={"path": "nope"}), 404, "not_found")
        refused(http.get(files, params={"path": "notes.txt"}), 400, "invalid_request")
        refused(http.get(files, params={"path": "../.."}), 400, "invalid_request")
        refused(http.get(files, params={"limit": 0}), 400, "invalid_request")
        http.delete(f"/v1/sessions/{session}", params={"force": True})
        refused(http.get(files), 409, "not_running")


def test_a_session_that_never_was_has_no_files(client: httpx.Client) -> None:
    refused(client.get("/_emulator/sessions/nope/files"), 404, "not_found")


def test_folders_open_by_keys_and_files_are_shown(local: Running, http: httpx.Client, browser: Browser) -> None:
    session = _session(http)
    _put(http, session, "src/main.py", b"print('<script>alert(1)</script>')\n" + b"x = 1\n" * 40)
    _put(http, session, f"src/{ODD}", b"odd")
    _put(http, session, "pixel.png", PIXEL)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><script>alert(1)</script></svg>'
    _put(http, session, "drawn.svg", svg)
    _put(http, session, "data.bin", bytes(range(256)) * 40)
    _put(http, session, "long.txt", b"line\n" * 300_000)
    _run(http, session, "ln -s src/main.py link; printf x > \"$(printf 'new\\nline')\"")
    with console_of(local, browser, f"/sessions/{session}?tab=files") as page:
        tree = page.get_by_role("tree", name="Files in /workspace")
        folder = page.get_by_role("treeitem", name="src, folder")
        expect(folder).to_have_attribute("aria-expanded", "false")
        tree.focus()
        for key in ("s", "ArrowRight", "ArrowRight"):
            page.keyboard.press(key)
        expect(folder).to_have_attribute("aria-expanded", "true")
        expect(page.get_by_role("treeitem", name=f"{ODD}, 3 B")).to_be_visible()
        expect(page.get_by_role("treeitem", name="link, link")).to_be_visible()
        expect(page.get_by_role("treeitem", name="new\\nline, 1 B")).to_be_visible()
        page.keyboard.press("m")
        page.keyboard.press("Enter")
        content = page.get_by_role("region", name="Content of main.py")
        expect(content).to_contain_text("print('<script>alert(1)</script>')")
        expect(content.locator(".numbers")).to_contain_text("41")
        assert_accessible(page)
        _open(page, ODD)
        expect(page.get_by_role("region", name="Content of")).to_contain_text("odd")
        _open(page, "pixel.png")
        expect(page.get_by_role("img", name="pixel.png")).to_be_visible()
        expect(page.get_by_text("1 × 1")).to_be_visible()
        _open(page, "drawn.svg")
        expect(page.get_by_role("img", name="drawn.svg")).to_be_visible()
        page.get_by_role("button", name="As text").click()
        expect(page.get_by_role("region", name="Content of drawn.svg")).to_contain_text("<script>alert(1)</script>")
        _open(page, "data.bin")
        expect(page.get_by_role("region", name="Bytes")).to_contain_text("00000010  10 11 12")
        _open(page, "long.txt")
        expect(page.get_by_role("note")).to_contain_text("download has")
        with page.expect_download() as caught:
            page.get_by_role("button", name="Download").click()
        assert caught.value.suggested_filename == "long.txt"
        assert Path(caught.value.path()).stat().st_size == 1_500_000


def test_what_a_command_changes_is_seen_without_asking(local: Running, http: httpx.Client, browser: Browser) -> None:
    session = _session(http)
    _put(http, session, "log.txt", b"first\n")
    with console_of(local, browser, f"/sessions/{session}?tab=files") as page:
        _open(page, "log.txt")
        expect(page.get_by_role("region", name="Content of log.txt")).to_contain_text("first")
        _run(http, session, "echo second >> log.txt; mkdir made")
        expect(page.get_by_role("treeitem", name="made, folder")).to_be_visible()
        expect(page.get_by_role("region", name="Content of log.txt")).to_contain_text("second")


def test_files_are_stored_and_replaced_only_when_that_is_said(
    local: Running, http: httpx.Client, browser: Browser
) -> None:
    session = _session(http)
    _put(http, session, "in/here.txt", b"old")

    def files(*texts: bytes) -> list[Any]:
        names = [ODD, "here.txt"]
        return [
            {"name": name, "mimeType": "text/plain", "buffer": text} for name, text in zip(names, texts, strict=False)
        ]

    with console_of(local, browser, f"/sessions/{session}?tab=files") as page:
        _open(page, "in, folder")
        page.get_by_label("Upload").set_input_files(files(b"one", b"two"))
        dialog = page.get_by_role("dialog", name="Replace this file?")
        expect(dialog).to_contain_text("in/here.txt")
        dialog.get_by_role("button", name="Cancel").click()
        assert _get(http, session, "in/here.txt") == b"old"
        page.get_by_label("Upload").set_input_files(files(b"one", b"two"))
        page.get_by_role("button", name="Replace").click()
        expect(page.get_by_text("stored, 3 B")).to_have_count(2)
        expect(page.get_by_role("treeitem", name=f"{ODD}, 3 B")).to_be_visible()
        assert [_get(http, session, f"in/{name}") for name in (ODD, "here.txt")] == [b"one", b"two"]
        drop = page.evaluate_handle("""() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["dropped"], "drop\\nped '\\"%41.txt"));
            return transfer;
        }""")
        target = page.get_by_role("treeitem", name="/workspace, folder")
        for event in ("dragover", "drop"):
            target.dispatch_event(event, {"dataTransfer": drop})
        expect(page.get_by_role("treeitem", name="drop\\nped '\"%41.txt, 7 B")).to_be_visible()
        assert _get(http, session, "drop\nped '\"%41.txt") == b"dropped"


def test_it_says_what_cannot_be_listed_or_stored(local: Running, http: httpx.Client, browser: Browser) -> None:
    session = _session(http)
    _run(http, session, "mkdir taken many; touch many/$(seq -s ' many/' 3000); truncate -s 17M zeros")
    refusal = ("404", "400", "409", "413")
    with console_of(local, browser, f"/sessions/{session}?tab=files", expected=refusal) as page:
        _open(page, "many, folder")
        assert page.get_by_role("treeitem").count() < 200
        page.get_by_role("tree").press("End")
        expect(page.get_by_role("treeitem", name="taken, folder")).to_be_visible()
        _open(page, "zeros")
        expect(page.get_by_role("alert")).to_contain_text("at most 16 MiB")
        page.get_by_role("tree").press("Home")
        page.get_by_label("Upload").set_input_files({"name": "taken", "mimeType": "text/plain", "buffer": b"x"})
        expect(page.get_by_text("is a folder")).to_be_visible()
        page.get_by_label("Folder", exact=True).fill("/nowhere")
        page.get_by_role("button", name="Open", exact=True).click()
        expect(page.get_by_role("treeitem", name="There is no folder /nowhere")).to_be_visible()
        http.delete(f"/v1/sessions/{session}", params={"force": True})


def test_files_fit_a_telephone(local: Running, http: httpx.Client, browser: Browser) -> None:
    session = _session(http)
    _put(http, session, "a/rather/long/path/with-a-name-that-is-long.txt", b"word " * 400)
    path = f"/sessions/{session}?tab=files&folder=/workspace/a/rather/long/path"
    with console_of(local, browser, path, width=360, scheme="dark") as page:
        _open(page, "with-a-name")
        page.get_by_role("region", name="Content of").wait_for()
        assert_fits(page)
        assert_accessible(page)
