"""What a browser lets the console do, what it lets others do to it, and that output of sandboxes is never markup."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import chaser_emulator
import httpx
import pytest
from chaser_emulator.server import Running
from consoles import console_of
from people import ok, refused
from playwright.sync_api import Browser, Page, expect

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script><b class=mark>x</b>"
"""What would tell of itself if anything took it for markup."""

CONSOLE = Path(chaser_emulator.__file__).parent / "console"


@contextmanager
def another_site(page: str, asked: list[str] | None = None) -> Iterator[str]:
    """A page of another origin on this machine, at the address that is given; `asked` gets the paths asked for."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_its_policy_lets_nothing_run_but_its_own_files(emulator: Running) -> None:
    answer = httpx.get(f"{emulator.url}/_emulator/")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    # No script in the page, and no listener in an attribute.
    assert "<script>" not in answer.text
    assert " on" not in "".join(line for line in answer.text.splitlines() if line.startswith("<") and "=" in line)
    again = httpx.get(f"{emulator.url}/_emulator/").headers["content-security-policy"]
    assert again != answer.headers["content-security-policy"], "a nonce is used once"


def test_every_file_of_it_is_what_it_says(client: httpx.Client) -> None:
    kinds = {".js": "javascript", ".css": "text/css", ".html": "text/html"}
    for path in sorted(CONSOLE.rglob("*.*")):
        if path.suffix not in kinds:
            continue
        answer = client.get(f"/_emulator/console/{path.relative_to(CONSOLE)}")
        assert answer.status_code == 200, path
        assert kinds[path.suffix] in answer.headers["content-type"], path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["cross-origin-resource-policy"] == "same-origin", path
    for outside in ("..%2fworld.py", "%2e%2e/world.py", "../world.py", "..%5cworld.py", "none.js"):
        refused(client.get(f"/_emulator/console/{outside}"), 404, "not_found")


def test_no_file_of_it_makes_markup_of_texts() -> None:
    forbidden = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser")
    found = [
        f"{path.name}: {word}"
        for path in CONSOLE.rglob("*.js")
        if "vendor" not in path.parts
        for word in forbidden
        if word in path.read_text(encoding="utf-8")
    ]
    assert found == []


_ATTEMPTS = """async (elsewhere) => {
  // What is evaluated from outside is let through; what it leaves for later is not.
  await new Promise((done) => setTimeout(done));
  const outcome = {};
  const attempt = async (name, act) => {
    try { outcome[name] = String(await act()); } catch (error) { outcome[name] = `stopped: ${error.name}`; }
  };
  const element = (tag, attributes) => {
    const one = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
    document.body.append(one);
    return one;
  };
  // Whether this part of the policy stops it.
  const stopped = async (part, act) => {
    const seen = new Promise((done) => {
      addEventListener("securitypolicyviolation", (event) => event.effectiveDirective === part && done("stopped"));
      setTimeout(() => done("nothing stops it"), 10000);
    });
    act();
    return seen;
  };
  await attempt("eval", () => eval("window.ran = 1"));
  await attempt("function", () => new Function("window.ran = 2")());
  await attempt("markup", () => { document.body.innerHTML = "<b>x</b>"; });
  await attempt("address", () => { document.createElement("script").src = elsewhere; });
  await attempt("text", () => { document.createElement("script").textContent = "window.ran = 3"; });
  await attempt("listener", () => element("button", {onclick: "window.ran = 4"}).click());
  await attempt("style", () => stopped("style-src-attr", () => element("p", {style: "color: red"})));
  await attempt("image", () => stopped("img-src", () => element("img", {src: elsewhere})));
  await attempt("fetch", () =>
    stopped("connect-src", () => fetch(elsewhere, {mode: "no-cors"}).catch(() => {})));
  await attempt("module", () => stopped("script-src-elem", () => import(elsewhere).catch(() => {})));
  await attempt("frame", () => stopped("frame-src", () => element("iframe", {src: elsewhere})));
  await attempt("form", () =>
    stopped("form-action", () => element("form", {action: elsewhere, method: "post"}).submit()));
  await attempt("base", () => stopped("base-uri", () => element("base", {href: elsewhere})));
  return outcome;
}"""


def test_what_is_injected_into_it_does_not_run_and_reaches_nobody(emulator: Running, browser: Browser) -> None:
    seen: list[str] = []
    with (
        another_site("<p>never to be seen</p>", seen) as elsewhere,
        console_of(emulator, browser, expected=("",)) as page,
    ):
        assert page.evaluate(_ATTEMPTS, elsewhere) == {
            "eval": "stopped: EvalError",
            "function": "stopped: EvalError",
            "markup": "stopped: TypeError",
            "address": "stopped: TypeError",
            "text": "stopped: TypeError",
            "listener": "stopped: TypeError",
            "style": "stopped",
            "image": "stopped",
            "fetch": "stopped",
            "module": "stopped",
            "frame": "stopped",
            "form": "stopped",
            "base": "stopped",
        }
        assert page.evaluate("window.ran") is None
    assert seen == []


def menu(page: Page) -> list[str]:
    links = page.get_by_role("navigation", name="Pages").get_by_role("link").all()
    return [str(link.get_attribute("href")) for link in links]


@pytest.fixture
def hostile(emulator: Running, client: httpx.Client) -> Iterator[str]:
    """A session among things that are all called what would be markup."""
    ok_or_created(client.post("/_emulator/stubs", json={"pattern": ".*", "output": MARKUP}))
    session = ok(client.post("/v1/sessions", json={"session_type": "sandbox", "ephemeral": True}))
    where = f"/v1/sessions/{session['id']}"
    client.post(f"{where}/exec", json={"command": f"echo '{MARKUP}'", "env": {"MARK": MARKUP}})
    client.get(f"/v1/sessions/{MARKUP}", params={"q": MARKUP})
    client.post("/v1/workspaces", json={"name": MARKUP})
    client.post("/v1/jobs", json={"kind": "sandbox.exec", "input": {"command": MARKUP}})
    client.post("/v1/accounts/organizations", json={"name": MARKUP})
    client.post("/v1/keys", json={"name": MARKUP})
    client.post("/v1/ssh-keys", json={"name": MARKUP, "public_key": MARKUP})
    client.post("/v1/assistants", json={"name": MARKUP, "config": {}})
    client.post("/v1/webhooks", json={"url": f"https://example.com/{MARKUP}", "events": ["*"]})
    client.post(
        "/_emulator/faults", json={"operations": ["no-such-*"], "error": {"code": "forbidden", "message": MARKUP}}
    )
    client.post("/_emulator/webhooks/sink/markup", content=MARKUP, headers={"Content-Type": "text/html"})
    yield str(session["id"])
    client.post("/_emulator/reset")


def ok_or_created(answer: httpx.Response) -> None:
    assert answer.status_code in (200, 201), answer.text


def test_what_comes_from_a_sandbox_is_text_and_nothing_leaves_for_elsewhere(
    emulator: Running, browser: Browser, hostile: str
) -> None:
    with console_of(emulator, browser, expected=("Failed to load resource",)) as page:
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        tabs = [f"#/sessions/{hostile}?tab={name}" for name in ("terminal", "files", "commands", "ports")]
        for href in [*menu(page), *tabs]:
            page.evaluate("(href) => { location.hash = href }", href)
            expect(page.locator("main:not([aria-busy]) h1")).to_be_visible()
            made = page.locator("main script, main img[src=x], main b.mark, main [onerror]")
            assert made.count() == 0, href
        assert said == []
        own = (emulator.url, "data:", "blob:", emulator.url.replace("http:", "ws:"))
        assert [url for url in asked if not url.startswith(own)] == []


def test_another_site_neither_frames_it_nor_asks_it_anything(emulator: Running, browser: Browser) -> None:
    with another_site(f"<iframe src='{emulator.url}/_emulator/'></iframe>") as elsewhere:
        page = browser.new_page()
        page.goto(elsewhere)
        frame = page.frames[1]
        assert frame.locator("#main").count() == 0
        ask = """async ([url, headers, mode]) => {
          try {
            const answer = await fetch(url, {headers, mode});
            return [answer.type, answer.status, await answer.text()];
          } catch (error) { return [error.name]; }
        }"""
        own = {"Authorization": f"Bearer {emulator.api_key}"}
        for path in ("world", "operations", "clock", "console/app.js", ""):
            assert page.evaluate(ask, [f"{emulator.url}/_emulator/{path}", own, "cors"]) == ["TypeError"], path
            assert page.evaluate(ask, [f"{emulator.url}/_emulator/{path}", {}, "cors"]) == ["TypeError"], path
            assert page.evaluate(ask, [f"{emulator.url}/_emulator/{path}", {}, "no-cors"])[1:] in ([0, ""], []), path
        opened = page.evaluate(
            """async (url) => {
              const other = window.open(url);
              const soon = () => new Promise((done) => setTimeout(done, 20));
              for (let tries = 0; tries < 100 && !other.closed; tries++) await soon();
              return other.closed;
            }""",
            f"{emulator.url}/_emulator/",
        )
        assert opened, "a window of the console is cut off from who opened it"
        page.context.close()


@pytest.mark.parametrize("path", ["/", "/world", "/operations", "/clock", "/console/app.js"])
def test_foreign_hosts_and_origins_are_refused(emulator: Running, client: httpx.Client, path: str) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        refused(client.get(f"/_emulator{path}", headers=headers), 403, "forbidden")


_PREVIEW = """async (url) => {
  const seen = {};
  const ask = async (path, init) => (await fetch(url + path, init)).status;
  seen.world = await ask("/_emulator/world");
  seen.observer = await ask("/_emulator/world", {headers: {"X-Chaser-Observer": "console"}});
  seen.guess = await ask("/_emulator/world", {headers: {Authorization: "Bearer sk_guess"}});
  seen.reset = await ask("/_emulator/reset", {method: "POST"});
  seen.stored = JSON.stringify([sessionStorage, localStorage, history.state]);
  const frame = document.createElement("iframe");
  frame.src = url + "/_emulator/";
  const loaded = new Promise((done) => { frame.onload = done; });
  document.body.append(frame);
  await loaded;
  seen.frame = frame.contentDocument?.querySelector("#main") ? "framed" : "refused";
  return seen;
}"""


def test_a_preview_of_the_same_origin_has_neither_the_key_nor_a_way_in(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/sessions", expected=("",)) as page:
        # A person types the address of a preview into the very tab of the console.
        page.goto(f"{emulator.url}/api-docs/openapi.json")
        seen = page.evaluate(_PREVIEW, emulator.url)
        assert emulator.api_key not in seen.pop("stored")
        assert seen == {"world": 403, "observer": 403, "guess": 403, "reset": 403, "frame": "refused"}
        # And goes back to the console, which knows the key still.
        page.go_back()
        expect(page.get_by_role("heading", name="Sessions", level=1)).to_be_visible()
        # Forgotten is forgotten, also by the pages that one goes back to.
        page.goto(f"{emulator.url}/api-docs/openapi.json")
        page.goto(f"{emulator.url}/_emulator/")
        page.get_by_label("Key of the emulator").fill(emulator.api_key)
        page.get_by_role("button", name="Open", exact=True).click()
        page.get_by_role("button", name="Forget the key").click()
        page.go_back()
        page.wait_for_url("**/openapi.json")
        page.go_back()
        expect(page.get_by_label("Key of the emulator")).to_be_visible()
