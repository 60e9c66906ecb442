"""Browsers: what only they do, what they do not do, and their DevTools, wherever there is a Chromium."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from chaser_contract.broken import Broken, NotTried
from chaser_contract.client import Answer
from chaser_contract.model_context import call
from chaser_contract.promises import promise
from chaser_contract.sandboxes import session
from chaser_contract.subject import Subject
from chaser_contract.transfers import got, put
from chaser_contract.waiting import eventually
from chaser_contract.web_sockets import Refused, opened, pty, refusal

_OPERATIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("get-browser-version", {}),
    ("list-browser-targets", {}),
    ("list-browser-targets-shortly", {}),
    ("open-browser-target", {}),
    ("open-browser-target-by-get", {}),
    ("activate-browser-target", {"target": "0" * 32}),
    ("close-browser-target", {"target": "0" * 32}),
    ("get-browser-protocol", {}),
)


@promise()
def a_sandbox_is_no_browser(chaser: Subject) -> None:
    """What is for browsers is refused with not_a_browser in a sandbox, and with not_found where there is no session."""
    with session(chaser) as one:
        for operation, path in _OPERATIONS:
            with chaser.case():
                answer = chaser.ask(operation, id=one["id"], **path)
                answer.must_be(400, "not_a_browser", because="in a sandbox")
                missing = chaser.ask(operation, id="5b1f6c1e-2d4a-4b5f-9c3d-8e7f6a5b4c3d", **path)
                missing.must_be(404, "not_found", because="where there is no session")
                if chaser.peer_key is not None:
                    foreign = chaser.peer.ask(operation, id=one["id"], **path)
                    foreign.must_be(404, "not_found", because="in another account")
        _extend(chaser, one["id"], _zipped({"manifest.json": _MANIFEST})).must_be(400, "not_a_browser")


@promise("emulator", "sockets")
def a_browser_is_no_sandbox(chaser: Subject) -> None:
    """What is for sandboxes is refused with not_a_sandbox in a browser, be it running or one that could not start."""
    made = chaser.ask("create-session", json={"session_type": "browser", "ephemeral": True}, expect=200)
    one = made.json["id"]
    made.require(made.json["session_type"] == "browser", "a browser is answered as one")
    settled = _settled(chaser, one)
    for operation, sent in _OF_SANDBOXES:
        with chaser.case():
            answer = chaser.ask(operation, id=one, **sent)
            answer.must_be(400, "not_a_sandbox", because="in a browser")
    with chaser.case():
        put(chaser.client, one, "a", b"x").must_be(400, "not_a_sandbox", because="in a browser")
        got(chaser.client, one, "a").must_be(400, "not_a_sandbox", because="in a browser")
        headers = {"Authorization": f"Bearer {chaser.api_key}"}
        refusal(chaser, pty(one), headers=headers).must_be(400, "not_a_sandbox", because="in a browser")
    if settled.json["status"] == "failed":
        for operation, path in _OPERATIONS:
            with chaser.case():
                answer = chaser.ask(operation, id=one, **path)
                answer.must_be(409, "not_running", because="in a browser that could not start")


@promise()
def a_browser_wants_a_place(chaser: Subject) -> None:
    """A browser is refused with 400 without a workspace or `ephemeral`, with an image, and on a sandbox's workspace."""
    bodies: tuple[Mapping[str, Any], ...] = (
        {}, {"ephemeral": False}, {"ephemeral": True, "image": "debian:12"}, {"workspace": "x", "image": "debian:12"},
    )  # fmt: skip
    for body in bodies:
        with chaser.case():
            answer = chaser.ask("create-session", json={"session_type": "browser", **body})
            answer.must_be(400, "invalid_request", because=f"for a browser with {body}")


@promise("commands", "sockets")
def its_devtools_answer(chaser: Subject) -> None:
    """A browser tells its version and pages, opens, shows and closes them, and speaks DevTools at secret addresses."""
    with _browser(chaser) as one:
        version = chaser.ask("get-browser-version", id=one, expect=200)
        address = version.json["webSocketDebuggerUrl"]
        product = version.json["Browser"]
        with _devtools(chaser, address) as socket:
            said = _cdp(socket, "Browser.getVersion")
            version.require(said["product"] == product, "`Browser` is what DevTools call the product", f"{said}")
        page = "data:text/html,<title>Contract</title>"
        opened_page = chaser.ask("open-browser-target", id=one, query={"url": page}, expect=200)
        target = opened_page.json["id"]
        listed = eventually(
            lambda: chaser.ask("list-browser-targets", id=one, expect=200),
            lambda answer: _entry(answer, target).get("title") == "Contract",
            "list-browser-targets: a page that was opened is listed with its title",
        )
        entry = _entry(listed, target)
        listed.require(
            entry["type"] == "page" and entry["url"] == page, "a page is listed with its address", f"{entry}"
        )
        shortly = chaser.ask("list-browser-targets-shortly", id=one, expect=200)
        ids = [sorted(found["id"] for found in answer.json) for answer in (listed, shortly)]
        shortly.require(ids[0] == ids[1], "`json` lists what `json/list` lists", f"{ids}")
        with _devtools(chaser, entry["webSocketDebuggerUrl"]) as socket:
            value = _cdp(socket, "Runtime.evaluate", expression="document.title")["result"]["value"]
            listed.require(value == "Contract", "the address of a page leads to that page", f"it is {value!r}")
        wrong = address[:-1] + ("0" if address[-1] != "0" else "1")
        try:
            with _devtools(chaser, wrong):
                raise Broken("connect-browser: its address cannot be guessed", f"{wrong} was opened")
        except Refused as refused:
            status = refused.exchange.status
            chaser.require(status == 404, "connect-browser: an address that is not the browser's is 404", f"{status}")
        chaser.ask("activate-browser-target", id=one, target=target, expect=200)
        chaser.ask("close-browser-target", id=one, target=target, expect=200)
        eventually(
            lambda: chaser.ask("list-browser-targets", id=one, expect=200),
            lambda answer: not _entry(answer, target),
            "close-browser-target: a page that is closed is not listed",
        )
        for operation in ("activate-browser-target", "close-browser-target"):
            chaser.ask(operation, id=one, target=target).must_be(404, "not_found", because="for a page that is closed")
        asked = {"url": page}
        _, given = call(chaser.client, "browser", session_id=one, tool="navigate_page", arguments=asked)
        where = given.get("structuredContent", {}).get("session_id")
        chaser.require(where == one, "mcp-handler: browser says in which session it was", f"{given}"[:400])
        asked = {"function": "() => document.title"}
        _, found = call(chaser.client, "browser", session_id=one, tool="evaluate_script", arguments=asked)
        shown = not found["isError"] and "Contract" in json.dumps(found)
        chaser.require(shown, "mcp-handler: browser drives the page of the session", f"{found}"[:400])


@promise("commands")
def extensions_are_taken_as_they_should_be(chaser: Subject) -> None:
    """An extension is taken as zip or tar, with its manifest on top or in one folder, and refused otherwise."""
    with _browser(chaser) as one:
        manifest = {"manifest.json": _MANIFEST, "a.js": b"1"}
        wrapped = {f"folder/{name}": data for name, data in manifest.items()}
        for data in (_zipped(manifest), _zipped(wrapped), _tarred(manifest), _tarred(wrapped, "w:gz")):
            with chaser.case():
                answer = _extend(chaser, one, data).must_be(200)
                told = {name: answer.json[name] for name in ("name", "version")}
                answer.require(
                    told == {"name": "Contract", "version": "1.2"}, "it is answered by its manifest", f"{told}"
                )
                path = answer.json["path"]
                answer.require(path.startswith("/data/chaser/extensions/"), "it is unpacked where extensions are", path)
        link = tarfile.TarInfo("a")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        for data, what in (
            (b"no archive", "what is no archive"), (b"", "nothing"),
            (_zipped({"a.js": b"1"}), "one without a manifest"),
            (_zipped({"manifest.json": b"{"}), "one whose manifest is no JSON"),
            (_tarred(manifest, "w", link), "a symlink"),
            (_zipped({**manifest, "../out": b"x"}), "a path that leads out"),
            (_zipped({"a/b/manifest.json": _MANIFEST}), "a manifest two folders down"),
        ):  # fmt: skip
            with chaser.case():
                _extend(chaser, one, data).must_be(400, "invalid_request", because=f"for {what}")
        large = _extend(chaser, one, b"x" * (16 * 2**20 + 1))
        large.must_be(413, "payload_too_large", because="beyond 16 MiB")


_OF_SANDBOXES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("exec-session", {"json": {"command": "echo x"}}),
    ("self-test-session", {}),
    ("list-session-commands", {}),
    ("resize-session-pty", {"json": {"rows": 1, "cols": 1}}),
)
_MANIFEST = json.dumps({"name": "Contract", "version": "1.2", "manifest_version": 3}).encode()


@contextmanager
def _browser(chaser: Subject) -> Iterator[str]:
    """A browser that runs. Raises NotTried where none can."""
    one = chaser.ask("create-session", json={"session_type": "browser", "ephemeral": True}, expect=200).json["id"]
    if _settled(chaser, one).json["status"] == "failed":
        raise NotTried("it takes an engine that has a Chromium")
    try:
        yield one
    finally:
        chaser.ask("terminate-session", id=one, query={"force": True})


def _settled(chaser: Subject, session_id: str) -> Answer:
    return eventually(
        lambda: chaser.ask("get-session", id=session_id, expect=200),
        lambda answer: answer.json["status"] in ("running", "failed"),
        "get-session: a browser that starts comes to run, or has failed",
        seconds=60,
    )


def _entry(answer: Answer, target: str) -> Mapping[str, Any]:
    return next((one for one in answer.json if one["id"] == target), {})


@contextmanager
def _devtools(chaser: Subject, address: str) -> Iterator[Any]:
    """DevTools at an address of the browser's own, without any header."""
    target = urlsplit(address)
    with opened(chaser, target.path + (f"?{target.query}" if target.query else "")) as socket:
        yield socket


def _cdp(socket: Any, method: str, **params: Any) -> Any:
    """The result of one command of DevTools. Raises Broken for an error."""
    socket.send(json.dumps({"id": 1, "method": method, "params": params}))
    while True:
        told = json.loads(socket.recv(timeout=20))
        if told.get("id") == 1:
            if "result" not in told:
                raise Broken(f"connect-browser: DevTools answer {method}", f"{told}")
            return told["result"]


def _extend(chaser: Subject, session_id: str, data: bytes) -> Answer:
    files = {"file": ("extension.zip", data)}
    return chaser.ask("upload-browser-extension", id=session_id, files=files)


def _zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def _tarred(files: Mapping[str, bytes], mode: Any = "w", *more: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for entry in more:
            archive.addfile(entry)
    return out.getvalue()
