"""Extensions of a browser: what is accepted, that they are loaded and kept, and what is refused of hostile archives."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from emulators import http_of
from people import ok, refused
from test_browsers import browser, end, local, page_at, site, start, until

__all__ = ["browser", "local", "site"]

MANIFEST: dict[str, Any] = {
    "name": "Tester",
    "version": "1.0",
    "manifest_version": 3,
    "content_scripts": [{"matches": ["<all_urls>"], "js": ["mark.js"], "run_at": "document_start"}],
}


@pytest.fixture
def api(local: Running) -> Iterator[httpx.Client]:
    with http_of(local) as one:
        yield one


def files_of(name: str = "Tester", mark: str = "yes", **more: Any) -> dict[str, bytes]:
    script = f"document.documentElement.dataset.mark = {json.dumps(mark)}"
    return {"manifest.json": json.dumps(MANIFEST | {"name": name} | more).encode(), "mark.js": script.encode()}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(files: dict[str, bytes], mode: Any = "w", *extra: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for entry in extra:
            archive.addfile(entry)
    return out.getvalue()


def entry_of(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = target
    return entry


def upload(client: httpx.Client, session: str, data: bytes, name: str = "extension.zip") -> httpx.Response:
    return client.post(f"/v1/sessions/{session}/extensions", files={"file": (name, data)})


def mark_at(client: httpx.Client, session: str, url: str) -> Any:
    with page_at(client, session, url) as cdp:
        return cdp.value("document.documentElement.dataset.mark || null")


ARCHIVES: list[tuple[str, Callable[[dict[str, bytes]], bytes]]] = [
    ("zip", zipped),
    ("tar", tarred),
    ("tar.gz", lambda files: tarred(files, "w:gz")),
    ("wrapped zip", lambda files: zipped({f"folder/{name}": data for name, data in files.items()})),
    ("wrapped tar", lambda files: tarred({f"./folder/{name}": data for name, data in files.items()})),
]


@pytest.mark.parametrize(("kind", "pack"), ARCHIVES, ids=[kind for kind, _ in ARCHIVES])
def test_an_extension_works_at_once(
    api: httpx.Client, browser: str, site: str, kind: str, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    # Whatever the file is called: what it is shows by its content.
    told = ok(upload(api, browser, pack(files_of(mark=kind)), "upload.bin"))
    assert (told["name"], told["version"]) == ("Tester", "1.0")
    assert len(told["id"]) == 32
    assert told["path"].startswith("/data/chaser/extensions/")
    assert mark_at(api, browser, site) == kind


def test_a_workspace_loads_its_extensions_again(api: httpx.Client, site: str) -> None:
    workspace = ok(api.post("/v1/workspaces", json={"session_type": "browser"}))["id"]
    session = start(api, workspace=workspace)
    first = ok(upload(api, session, zipped(files_of(mark="old"))))
    second = ok(upload(api, session, zipped(files_of(mark="new"))))
    assert first == second
    end(api, session)
    session = start(api, workspace=workspace)
    assert mark_at(api, session, site) == "new"
    end(api, session)
    ok(api.delete(f"/v1/workspaces/{workspace}"))


def test_an_extension_keeps_the_id_of_its_key(api: httpx.Client, browser: str) -> None:
    key = (
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDcUhQ0bKkXBmxVmFDdUcKdFqKv0gEuCBs9zPjmQyDqBCVuqQfWkDRGMRC5kDHuWD8xV0uV"
        "VyNPQOTDM0y4gkIZvYvTXcSFcJdJ8Cq9dHRGZbXCX1dGNmGrkZNEgCSbXGIZQUYPQqEvUB2rFxIZFp1SUZIl5Qd8s1nFQyGtqvpHPQIDAQAB"
    )
    keyed = upload(api, browser, zipped(files_of("Keyed", key=key)))
    told = ok(keyed)
    assert told["path"] == f"/data/chaser/extensions/{told['id']}"


BAD: dict[str, bytes] = {
    "no archive": b"just some text, long enough to be looked at" * 20,
    "empty": b"",
    "no manifest": zipped({"readme.txt": b"hello"}),
    "two folders": zipped({"a/manifest.json": files_of()["manifest.json"], "b/x": b""}),
    "too deep": zipped({"a/b/manifest.json": files_of()["manifest.json"]}),
    "manifest is no JSON": zipped({"manifest.json": b"{"}),
    "manifest is a list": zipped({"manifest.json": b"[]"}),
    "manifest without a name": zipped({"manifest.json": b'{"version": "1", "manifest_version": 3}'}),
    "manifest without a version": zipped({"manifest.json": b'{"name": "x", "manifest_version": 3}'}),
    "manifest of no kind": zipped({"manifest.json": b'{"name": "x", "version": "1"}'}),
    "traversal in a zip": zipped({**files_of(), "../out": b"x"}),
    "traversal in the middle": zipped({**files_of(), "a/../../out": b"x"}),
    "absolute in a zip": zipped({**files_of(), "/etc/out": b"x"}),
    "backslashes": zipped({**files_of(), "..\\out": b"x"}),
    "traversal in a tar": tarred({**files_of(), "../out": b"x"}),
    "absolute in a tar": tarred({**files_of(), "/etc/out": b"x"}),
    "symlink": tarred(files_of(), "w", entry_of("link", tarfile.SYMTYPE, "/etc/passwd")),
    "hard link": tarred(files_of(), "w", entry_of("link", tarfile.LNKTYPE, "manifest.json")),
    "device": tarred(files_of(), "w", entry_of("device", tarfile.CHRTYPE)),
    "fifo": tarred(files_of(), "w", entry_of("fifo", tarfile.FIFOTYPE)),
    "cut gzip": tarred(files_of(), "w:gz")[:-20],
    "cut zip": zipped(files_of())[:-30],
    "bomb": zipped({**files_of(), "zeros": bytes(65 * 2**20)}),
    "gzip bomb": tarred({**files_of(), "zeros": bytes(90 * 2**20)}, "w:gz"),
    "many files": zipped({**files_of(), **{f"f{n}": b"" for n in range(10_001)}}),
    "file and folder": tarred({**files_of(), "a": b"", "a/b": b""}),
}


def linked_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files_of().items():
            archive.writestr(name, data)
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return out.getvalue()


BAD["symlink in a zip"] = linked_zip()


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_archive_is_refused_with_a_reason(api: httpx.Client, browser: str, kind: str) -> None:
    body = refused(upload(api, browser, BAD[kind]), 400, "invalid_request")
    assert body["details"][0]["pointer"] == "/file"


def test_an_extension_that_chromium_refuses_leaves_the_one_before_it(
    api: httpx.Client, browser: str, site: str
) -> None:
    ok(upload(api, browser, zipped(files_of("Steady", mark="steady"))))
    broken = zipped(files_of("Steady", version="not a version"))
    message = refused(upload(api, browser, broken), 400, "invalid_request")["message"]
    assert "Chromium" in message
    assert "/workspace" not in message
    until(lambda: mark_at(api, browser, site) is not None, "the page is marked")


def test_an_archive_has_a_largest_size(api: httpx.Client, browser: str) -> None:
    refused(upload(api, browser, bytes(16 * 2**20 + 1)), 413, "payload_too_large")


def test_the_file_is_needed(api: httpx.Client, browser: str) -> None:
    refused(api.post(f"/v1/sessions/{browser}/extensions", files={"other": ("x", b"")}), 400, "invalid_request")
