"""Browser sessions, driven by the clients that people use: the SDK, Playwright, Puppeteer, and plain DevTools."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from chaser_emulator.server import Running
from emulators import emulator_on, http_of, sdk_of
from people import ok, refused
from playwright.sync_api import sync_playwright
from requirements import require
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

Page = tuple[str, bytes]


@pytest.fixture(scope="module")
def local() -> Iterator[Running]:
    require("chromium")
    with emulator_on("local") as one:
        yield one


@pytest.fixture
def api(local: Running) -> Iterator[httpx.Client]:
    with http_of(local) as one:
        yield one


@pytest.fixture(scope="module")
def browser(local: Running) -> Iterator[str]:
    """One that tests share who leave it as it was."""
    with http_of(local) as client:
        session = start(client)
        yield session
        client.delete(f"/v1/sessions/{session}", params={"force": "true"})


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a page that counts its visits in a cookie and in the storage of the browser."""
    with serving(b"<title>Site</title><h1>Hello</h1>") as url:
        yield url


@contextmanager
def serving(page: bytes) -> Iterator[str]:
    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def start(client: httpx.Client, **fields: Any) -> str:
    """A browser session that runs."""
    body = {"session_type": "browser", **({} if "workspace" in fields else {"ephemeral": True}), **fields}
    session = ok(client.post("/v1/sessions", json=body))
    assert session["status"] == "running", ok(client.get(f"/v1/sessions/{session['id']}"))
    return str(session["id"])


def end(client: httpx.Client, session: str) -> None:
    ok(client.delete(f"/v1/sessions/{session}", params={"force": "true"}))


def until(found: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


class Cdp:
    """A plain client of DevTools."""

    def __init__(self, url: str, sock: socket.socket | None = None, **headers: str) -> None:
        self.socket = connect(url, sock=sock, max_size=None, compression=None, additional_headers=headers, legacy=True)
        self._last = 0

    def ask(self, method: str, **params: Any) -> Any:
        answer = self._answer(method, params)
        assert "error" not in answer, answer
        return answer["result"]

    def _answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._last += 1
        self.socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            answer: dict[str, Any] = json.loads(self.socket.recv(timeout=20))
            if answer.get("id") == self._last:
                return answer

    def value(self, expression: str) -> Any:
        params = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answers: list[dict[str, Any]] = []

        def evaluated() -> bool:
            # Between two documents a page has no context to evaluate anything in.
            answers.append(self._answer("Runtime.evaluate", params))
            return "context" not in answers[-1].get("error", {}).get("message", "")

        until(evaluated, expression)
        assert "error" not in answers[-1], answers[-1]
        told = answers[-1]["result"]
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def close(self) -> None:
        self.socket.close()


@contextmanager
def page_at(client: httpx.Client, session: str, url: str) -> Iterator[Cdp]:
    """A new page at this address, loaded; closed at the end."""
    target = ok(client.put(f"/v1/sessions/{session}/json/new?{url}"))
    cdp = Cdp(target["webSocketDebuggerUrl"])
    try:
        until(lambda: bool(cdp.value("document.readyState === 'complete' && location.href !== 'about:blank'")), url)
        yield cdp
    finally:
        cdp.close()
        client.get(f"/v1/sessions/{session}/json/close/{target['id']}")


def chromium_of(emulator_pid: int) -> list[psutil.Process]:
    """Every Chromium below a process, also below sandboxes that are no children of it by now."""
    found = []
    for process in psutil.Process(emulator_pid).children(recursive=True):
        try:
            if "chrom" in process.name():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


# What a browser is, and its pages


def test_a_browser_is_driven_by_the_official_client(local: Running, browser: str) -> None:
    sdk = sdk_of(local)
    version = sdk.browser.version(browser)
    assert version["Browser"].startswith("Chrome/")
    assert any(target["type"] == "page" for target in sdk.browser.list_targets(browser))
    cdp = sdk.browser.connect(browser)
    try:
        assert cdp.send("Browser.getVersion")["product"] == version["Browser"]
    finally:
        cdp.close()


def test_what_a_browser_says_of_itself_names_nothing_of_the_inside(
    local: Running, api: httpx.Client, browser: str
) -> None:
    version = ok(api.get(f"/v1/sessions/{browser}/json/version"))
    base = f"ws{local.url.removeprefix('http')}/v1/sessions/{browser}/devtools"
    assert version["webSocketDebuggerUrl"].startswith(f"{base}/browser/")
    targets = ok(api.get(f"/v1/sessions/{browser}/json/list"))
    assert all(one["webSocketDebuggerUrl"] == f"{base}/page/{one['id']}" for one in targets)


def test_addresses_follow_the_host_and_scheme_that_the_caller_used(api: httpx.Client, browser: str) -> None:
    headers = {"Host": "chaser.localhost:1234", "X-Forwarded-Proto": "https"}
    version = ok(api.get(f"/v1/sessions/{browser}/json/version", headers=headers))
    assert version["webSocketDebuggerUrl"].startswith(f"wss://chaser.localhost:1234/v1/sessions/{browser}/devtools/")


@pytest.mark.parametrize("method", ["PUT", "GET"])
@pytest.mark.parametrize("form", ["?{}", "?url={}"])
def test_pages_open_come_to_the_front_and_close(
    api: httpx.Client, browser: str, site: str, method: str, form: str
) -> None:
    base = f"/v1/sessions/{browser}/json"
    address = site.replace(":", "%3A").replace("/", "%2F")
    page = ok(api.request(method, f"{base}/new{form.format(address)}"))
    assert page["url"] == site

    def listed() -> list[str]:
        return [one["id"] for one in ok(api.get(base)) if one["type"] == "page"]

    assert page["id"] in listed()
    brought = api.get(f"{base}/activate/{page['id']}")
    assert (brought.status_code, brought.text) == (200, "Target activated")
    closed = api.get(f"{base}/close/{page['id']}")
    assert (closed.status_code, closed.text) == (200, "Target is closing")
    until(lambda: page["id"] not in listed(), "the page is gone")
    for action in ("activate", "close"):
        refused(api.get(f"{base}/{action}/{page['id']}"), 404, "not_found")


def test_the_protocol_describes_itself(api: httpx.Client, browser: str) -> None:
    protocol = ok(api.get(f"/v1/sessions/{browser}/json/protocol"))
    assert {"Page", "Runtime", "Target"} <= {domain["domain"] for domain in protocol["domains"]}


def test_a_slash_at_the_end_means_nothing_to_devtools(api: httpx.Client, browser: str) -> None:
    assert api.get(f"/v1/sessions/{browser}/json/version/").status_code == 200
    assert api.get(f"/v1/sessions/{browser}/json/list/").status_code == 200


# Who may come in


def test_a_wrong_secret_is_refused_before_the_upgrade(local: Running, browser: str) -> None:
    base = f"ws{local.url.removeprefix('http')}/v1/sessions/{browser}/devtools"
    for path in (f"browser/{uuid.uuid4()}", "page/0123456789ABCDEF0123456789ABCDEF"):
        with pytest.raises(InvalidStatus) as caught:
            Cdp(f"{base}/{path}")
        assert caught.value.response.status_code == 404
    with pytest.raises(InvalidStatus) as caught:
        Cdp(f"ws{local.url.removeprefix('http')}/v1/sessions/{uuid.uuid4()}/devtools/browser/{uuid.uuid4()}")
    assert caught.value.response.status_code == 404


def test_a_page_of_a_foreign_origin_is_refused(api: httpx.Client, browser: str) -> None:
    url = ok(api.get(f"/v1/sessions/{browser}/json/version"))["webSocketDebuggerUrl"]
    with pytest.raises(InvalidStatus) as caught:
        Cdp(url, Origin="http://evil.example")
    assert caught.value.response.status_code == 403


def test_the_pages_of_a_browser_want_a_credential(local: Running, browser: str) -> None:
    for path in ("json", "json/list", "json/version", "json/protocol"):
        assert httpx.get(f"{local.url}/v1/sessions/{browser}/{path}").status_code == 401


def test_a_sandbox_is_no_browser_and_a_browser_no_sandbox(api: httpx.Client, browser: str) -> None:
    sandbox = ok(api.post("/v1/sessions", json={"ephemeral": True}))["id"]
    for path in ("json", "json/list", "json/version", "json/protocol", "json/close/x"):
        refused(api.get(f"/v1/sessions/{sandbox}/{path}"), 400, "not_a_browser")
    refused(api.post(f"/v1/sessions/{sandbox}/extensions", files={"file": ("x.zip", b"PK")}), 400, "not_a_browser")
    refused(api.post(f"/v1/sessions/{browser}/exec", json={"command": "true"}), 400, "not_a_sandbox")
    end(api, sandbox)
    refused(api.get(f"/v1/sessions/{sandbox}/json/list"), 400, "not_a_browser")


def test_an_open_connection_is_a_lease_and_ends_with_a_forced_end(api: httpx.Client) -> None:
    session = start(api)
    cdp = Cdp(ok(api.get(f"/v1/sessions/{session}/json/version"))["webSocketDebuggerUrl"])
    assert ok(api.get(f"/v1/sessions/{session}"))["active_connection_leases"] == 1
    refused(api.delete(f"/v1/sessions/{session}"), 409, "session_leased")
    end(api, session)
    with pytest.raises(ConnectionClosed):
        list(iter(lambda: cdp.socket.recv(timeout=10), None))
    refused(api.get(f"/v1/sessions/{session}/json/version"), 409, "not_running")


def test_large_messages_pass_both_ways(api: httpx.Client, browser: str, site: str) -> None:
    with page_at(api, browser, site) as cdp:
        text = "0123456789abcdef" * (5 * 2**18)
        assert cdp.value(f"window.kept = '{text}'; window.kept.length") == len(text)
        assert cdp.value("window.kept") == text


# Clients


def test_playwright_connects_with_a_key(local: Running, browser: str, site: str) -> None:
    with sync_playwright() as playwright:
        there = playwright.chromium.connect_over_cdp(
            f"{local.url}/v1/sessions/{browser}", headers={"Authorization": f"Bearer {local.api_key}"}
        )
        page = there.new_context().new_page()
        page.goto(site)
        assert page.locator("h1").inner_text() == "Hello"
        assert page.screenshot().startswith(b"\x89PNG")
        there.close()


def test_playwright_connects_to_the_control_endpoint(api: httpx.Client, browser: str, site: str) -> None:
    control = ok(api.get(f"/v1/sessions/{browser}"))["endpoints"]["control"]
    with sync_playwright() as playwright:
        there = playwright.chromium.connect_over_cdp(control)
        page = there.contexts[0].new_page()
        page.goto(site)
        assert page.title() == "Site"
        page.close()
        there.close()


def test_the_gateway_speaks_devtools_under_its_own_addresses(local: Running, browser: str) -> None:
    base = f"{local.url}/s/{browser}"
    version = ok(httpx.get(f"{base}/json/version"))
    assert version["webSocketDebuggerUrl"].startswith(f"ws{base.removeprefix('http')}/devtools/browser/")
    cdp = Cdp(version["webSocketDebuggerUrl"])
    assert cdp.ask("Browser.getVersion")["product"] == version["Browser"]
    cdp.close()
    assert httpx.get(f"{base}/json/new").status_code == 200
    assert httpx.post(f"{base}/json/list").status_code == 405
    assert httpx.get(f"{base}/json/nonsense").status_code == 404
    with pytest.raises(InvalidStatus) as caught:
        Cdp(f"ws{base.removeprefix('http')}/devtools/browser/{uuid.uuid4()}")
    assert caught.value.response.status_code == 404


_PUPPETEER = """
const puppeteer = require('puppeteer-core');
(async () => {
  const browser = await puppeteer.connect({browserWSEndpoint: process.argv[2]});
  const page = await browser.newPage();
  await page.goto(process.argv[3]);
  console.log(await page.$eval('h1', (heading) => heading.textContent));
  await page.close();
  await browser.disconnect();
})().catch((error) => { console.error(error); process.exit(1); });
"""


def test_puppeteer_connects(api: httpx.Client, browser: str, site: str, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    script = tmp_path / "connect.js"
    script.write_text(_PUPPETEER)
    url = ok(api.get(f"/v1/sessions/{browser}/json/version"))["webSocketDebuggerUrl"]
    command = ["node", str(script), url, site]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "Cannot find module 'puppeteer-core'" in done.stderr:
        pytest.skip("puppeteer-core is not installed where NODE_PATH leads")
    assert done.stdout.strip() == "Hello", done.stderr


def test_a_browser_is_found_by_the_host_of_its_session(local: Running, browser: str) -> None:
    # Puppeteer's browserURL drops the path of an address and asks for /json/version at its root.
    host = f"{browser}.localhost:{local.url.rpartition(':')[2]}"
    version = ok(httpx.get(f"{local.url}/json/version", headers={"Host": host}))
    assert version["webSocketDebuggerUrl"].startswith(f"ws://{host}/devtools/browser/")
    # By a socket of our own: not every resolver knows names below localhost.
    there = socket.create_connection(("127.0.0.1", int(local.url.rpartition(":")[2])))
    cdp = Cdp(version["webSocketDebuggerUrl"], there)
    assert cdp.ask("Browser.getVersion")["product"] == version["Browser"]
    cdp.close()


# Life


def test_a_workspace_keeps_the_profile_and_its_copies_have_it(api: httpx.Client, site: str) -> None:
    workspace = ok(api.post("/v1/workspaces", json={"session_type": "browser"}))
    session = start(api, workspace=workspace["id"])
    with page_at(api, session, site) as cdp:
        cdp.value("localStorage.kept = 'yes'; document.cookie = 'kept=yes; max-age=9999'")
    end(api, session)
    copy = ok(api.post("/v1/workspaces", json={"clone_from": workspace["id"]}))
    for one in (workspace, copy):
        session = start(api, workspace=one["id"])
        with page_at(api, session, site) as cdp:
            assert cdp.value("[localStorage.kept, document.cookie]") == ["yes", "kept=yes"]
        end(api, session)
        ok(api.delete(f"/v1/workspaces/{one['id']}"))


def test_an_ephemeral_browser_knows_nothing_of_the_one_before(api: httpx.Client, browser: str, site: str) -> None:
    with page_at(api, browser, site) as cdp:
        cdp.value("localStorage.kept = 'yes'")
    session = start(api)
    with page_at(api, session, site) as cdp:
        assert cdp.value("localStorage.kept") is None
    end(api, session)


def test_a_browser_that_is_closed_by_its_client_ends_the_session(api: httpx.Client) -> None:
    session = start(api)
    Cdp(ok(api.get(f"/v1/sessions/{session}/json/version"))["webSocketDebuggerUrl"]).ask("Browser.close")
    until(lambda: bool(ok(api.get(f"/v1/sessions/{session}"))["status"] == "terminated"), "it has ended")
    refused(api.get(f"/v1/sessions/{session}/json/version"), 409, "not_running")


def test_a_browser_that_dies_fails_the_session_and_leaves_nothing(api: httpx.Client) -> None:
    before = {process.pid for process in chromium_of(os.getpid())}
    session = start(api)
    ours = [process for process in chromium_of(os.getpid()) if process.pid not in before]
    main = next(process for process in ours if not any("--type=" in word for word in process.cmdline()))
    main.kill()
    until(lambda: bool(ok(api.get(f"/v1/sessions/{session}"))["status"] == "failed"), "it has failed")
    _, left = psutil.wait_procs(ours, timeout=10)
    assert left == []


def test_the_end_of_a_session_is_the_end_of_its_processes(api: httpx.Client) -> None:
    before = {process.pid for process in chromium_of(os.getpid())}
    session = start(api)
    ours = [process for process in chromium_of(os.getpid()) if process.pid not in before]
    assert ours
    end(api, session)
    assert [process for process in ours if process.is_running()] == []


def test_a_killed_emulator_leaves_no_browser(tmp_path: Path) -> None:
    require("chromium")
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "chaser_emulator.cli", "--port", "0", "--sandbox", "local"]
    command += ["--data-dir", str(tmp_path / "data"), "--ready-file", str(ready)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(ready.exists, "it is ready")
        told = json.loads(ready.read_text())
        headers = {"Authorization": f"Bearer {told['api_key']}"}
        with httpx.Client(base_url=told["url"], headers=headers, timeout=60) as client:
            start(client)
        browsers = chromium_of(process.pid)
        assert browsers
    finally:
        process.kill()
        process.wait()
    _, left = psutil.wait_procs(browsers, timeout=10)
    assert left == []


# Refusals


def test_the_scripted_engine_runs_no_browsers(client: httpx.Client) -> None:
    session = ok(client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))
    assert session["status"] == "failed"
    message = refused(client.get(f"/v1/sessions/{session['id']}/json/version"), 409, "not_running")["message"]
    assert "The scripted engine runs no browsers" in message


def test_no_chromium_is_a_failed_session_that_says_what_to_install() -> None:
    with emulator_on("local", browser="no-such-chromium") as one, http_of(one) as client:
        session = ok(client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))
        assert session["status"] == "failed"
        message = refused(client.get(f"/v1/sessions/{session['id']}/json/version"), 409, "not_running")["message"]
        assert "apt install chromium" in message


def test_a_chromium_that_fails_is_a_failed_session_with_its_last_words(tmp_path: Path) -> None:
    with emulator_on("local", browser="false") as one, http_of(one) as client:
        session = ok(client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}))
        assert session["status"] == "failed"
        message = refused(client.get(f"/v1/sessions/{session['id']}/json/version"), 409, "not_running")["message"]
        assert "Chromium ended with code 1" in message


def test_browsers_run_beside_containers_whose_image_has_none(site: str) -> None:
    require("chromium")
    with emulator_on("docker") as one, http_of(one) as client:
        workspace = ok(client.post("/v1/workspaces", json={"session_type": "browser"}))
        session = start(client, workspace=workspace["id"])
        with page_at(client, session, site) as cdp:
            assert cdp.value("document.title") == "Site"
        end(client, session)
        ok(client.delete(f"/v1/workspaces/{workspace['id']}"))
        assert not any((one.world.data_dir / "workspaces").iterdir())
