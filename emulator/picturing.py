"""Take the pictures of CONSOLE.md anew: an emulator with something to see, its console in Chromium, light and dark."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from chaser_emulator.server import Running, running
from chaser_emulator.settings import Settings
from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).parent / "pictures"

_WIDTH, _HEIGHT = 1280, 800

_FILES = {
    "README.md": b"# shop\n\nA shop that sells tea.\n",
    "src/app.py": b"def price(grams: int) -> int:\n    return 3 * grams\n",
    "src/static/logo.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>\n",
    "data/teas.csv": b"name,price\n" + b"assam,3\n" * 4000,
}

_COLOURS = "for c in 1 2 3 4 5 6; do printf '\\033[3%sm████ ' $c; done; printf '\\033[0m\\n'"


def main() -> int:
    """Write all pictures; answer the exit code."""
    chromium = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if chromium is None:
        print("a Chromium is needed (Debian: apt install chromium)", file=sys.stderr)  # noqa: T201 - a command's own words
        return 1
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        settings = Settings(port=0, sandbox="local", data_dir=Path(data), webhook_timeout=2.0)
        with running(settings) as emulator, httpx.Client(base_url=emulator.url, timeout=60) as client:
            client.headers["Authorization"] = f"Bearer {emulator.api_key}"
            addresses = _story(client)
            arguments = ["--no-sandbox", "--disable-background-networking"]
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            for name, scheme in _wanted():
                _take(emulator, browser, addresses[name], name, scheme)
            browser.close()
    return 0


def _wanted() -> list[tuple[str, str]]:
    """The pictures that the page shows: what of, and in which colours."""
    page = (FOLDER.parent / "CONSOLE.md").read_text(encoding="utf-8")
    return re.findall(r"\(pictures/([a-z]+)-(light|dark)[.]png\)", page)


def _story(client: httpx.Client) -> dict[str, str]:
    """Let something happen; answers the addresses in the console that are worth a picture, by their names."""
    for name in ("shop", "website", "experiments"):
        _ask(client, "POST", "/v1/workspaces", {"session_type": "sandbox", "name": name})
    session = _ask(client, "POST", "/v1/sessions", {"session_type": "sandbox", "workspace": "shop"})["id"]
    other = _ask(client, "POST", "/v1/sessions", {"session_type": "sandbox", "workspace": "website"})["id"]
    for path, content in _FILES.items():
        for one in (session, other):
            form = {"file": (Path(path).name, content)}
            sent = client.post(f"/v1/sessions/{one}/upload", data={"path": f"/workspace/{path}"}, files=form)
            sent.raise_for_status()
    client.delete(f"/v1/sessions/{other}").raise_for_status()
    _ask(client, "POST", "/v1/workspaces/website/snapshots", {"name": "before-sale"})
    for command in ("ls src", "python3 -c 'print(6 * 7)'", "for i in 1 2 3; do echo step $i; done; exit 3"):
        _ask(client, "POST", f"/v1/sessions/{session}/exec", {"command": command, "background": True})
    _ask(client, "POST", "/_emulator/webhooks/sink/behaviour", {"status": 503})
    _ask(client, "POST", "/_emulator/webhooks/sink/listen", {})
    ended = _ask(client, "POST", "/v1/sessions", {"session_type": "sandbox", "ephemeral": True})["id"]
    client.delete(f"/v1/sessions/{ended}")
    refused = client.post("/v1/sessions", json={"session_type": "boat", "workspace": "shop"})
    number = _ask(client, "GET", f"/_emulator/requests/{refused.headers['x-request-id']}")["number"]
    delivery = _tried_twice(client)
    return {
        "overview": "/",
        "terminal": f"/sessions/{session}?tab=terminal",
        "commands": f"/sessions/{session}?tab=commands",
        "workspaces": "/workspaces",
        "request": f"/requests/{number}",
        "delivery": f"/webhooks/deliveries/{delivery}",
        "clock": "/clock",
    }


def _tried_twice(client: httpx.Client) -> str:
    """The id of a delivery of which two attempts have failed, and a third is to come."""
    for _ in range(200):
        found = _ask(client, "GET", "/v1/webhooks/deliveries")["deliveries"]
        twice = [one for one in found if one["status"] == "pending" and one["attempts"] == 2]
        if twice:
            return str(twice[0]["id"])
        _ask(client, "POST", "/_emulator/clock/advance", {"seconds": 1})
        time.sleep(0.1)
    raise TimeoutError("no delivery was tried twice")


def _ask(client: httpx.Client, method: str, path: str, body: Any = None) -> Any:
    answer = client.request(method, path, json=body)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def _take(emulator: Running, browser: Browser, path: str, name: str, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(f"{emulator.url}/_emulator/#{path}")
    page.get_by_label("Key of the emulator").fill(emulator.api_key)
    page.get_by_role("button", name="Open", exact=True).click()
    page.locator("body:not(.locked) main h1").first.wait_for()
    if name == "terminal":
        _type(page)
    page.wait_for_load_state("load")
    page.wait_for_timeout(1500)
    page.screenshot(path=FOLDER / f"{name}-{scheme}.png")
    context.close()


def _type(page: Page) -> None:
    page.locator(".xterm-helper-textarea, .terminal input").first.wait_for(state="attached")
    page.wait_for_timeout(1000)
    for line in ("ls --color=always -la", _COLOURS, "cat src/app.py"):
        page.keyboard.insert_text(line)
        page.keyboard.press("Enter")
        page.wait_for_timeout(400)


if __name__ == "__main__":
    sys.exit(main())
