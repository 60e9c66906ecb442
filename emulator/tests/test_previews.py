"""Applications in a real browser, behind each form of a preview's address."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from boxes import Box, box_fixture, real_client_fixture, real_emulator_fixture
from playwright.sync_api import Browser, Page, sync_playwright
from previews import APP, host_of, start
from requirements import chromium, require

__all__ = ["box_fixture", "real_client_fixture", "real_emulator_fixture"]

Address = Callable[[Box, int], str]
FORMS: dict[str, Address] = {
    "by host": lambda box, port: f"http://{host_of(box)}/forward/{port}/",
    "port by host": lambda box, port: f"http://{host_of(box, port)}/",
    "by path": lambda box, port: (
        f"http://localhost:{box.emulator.url.rpartition(':')[2]}/s/{box.session}/forward/{port}/"
    ),
}


@pytest.fixture(name="browser", scope="module")
def browser_fixture() -> Iterator[Browser]:
    require("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture(name="page")
def page_fixture(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def shows(page: Page, text: str) -> None:
    page.wait_for_function("text => document.getElementById('text').textContent === text", arg=text)


@pytest.mark.parametrize("form", FORMS)
def test_a_development_server_reloads_hot(box: Box, page: Page, form: str) -> None:
    box.put("preview_app.py", APP.read_bytes())
    box.put("preview_dev_app.py", Path(__file__).with_name("preview_dev_app.py").read_bytes())
    app = start(box, "python3 preview_dev_app.py 5173", 5173)
    page.goto(FORMS[form](box, 5173))
    shows(page, "first")
    page.wait_for_function("document.title === 'connected'")
    assert box.client.post(f"{app}/change", content="second").text == "changed"
    shows(page, "second")
    assert page.evaluate("window.loads") == 1


@pytest.mark.parametrize("form", FORMS)
def test_folders_of_a_file_server_can_be_walked(box: Box, page: Page, form: str) -> None:
    box.put("site/docs/a b.html", b'<title>found</title><img src="../pic.svg" alt="">')
    box.put("site/pic.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"></svg>')
    start(box, "python3 -m http.server 3000 --bind 127.0.0.1 --directory site", 3000)
    page.goto(FORMS[form](box, 3000))
    page.get_by_role("link", name="docs/").click()
    page.get_by_role("link", name="a b.html").click()
    page.wait_for_function("document.title === 'found' && document.images[0].naturalWidth === 7")


def test_the_page_of_a_session_leads_to_what_listens(box: Box, page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    box.put("site/index.html", b"<title>the app</title><link rel=icon href=data:,>")
    start(box, "python3 -m http.server 3000 --bind 127.0.0.1 --directory site", 3000)
    page.goto(f"http://{host_of(box)}/")
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.evaluate("getComputedStyle(document.querySelector('li')).borderRadius") == "12px"
    page.get_by_role("link").first.click()
    page.wait_for_function("document.title === 'the app'")
    page.goto(f"http://{host_of(box)}/forward/3001/")
    assert "3001" in page.get_by_role("main").inner_text()
    assert not [text for text in said if "Content Security Policy" in text], said


@pytest.mark.parametrize("form", FORMS)
def test_vite_reloads_hot(box: Box, page: Page, form: str) -> None:
    if box.emulator.world.engine.name != "local" or shutil.which("npm") is None:
        pytest.skip("npm: Vite is installed in a sandbox that sees the npm of this machine")
    wanted = {"command": "mkdir app && cd app && npm install --no-audit --no-fund vite", "timeout_ms": 120_000}
    answer = box.client.post(f"/v1/sessions/{box.session}/exec", json=wanted, timeout=150)
    if answer.json()["exit_code"] != 0:
        pytest.skip("npm: Vite cannot be installed here")
    box.put("app/index.html", b'<h1 id="text">?</h1><script type="module" src="/src/main.js"></script>')
    box.put(
        "app/src/main.js",
        b'import { text } from "./text.js"; window.loads = (window.loads || 0) + 1;'
        b'const show = (text) => { document.getElementById("text").textContent = text; }; show(text);'
        b'import.meta.hot.accept("./text.js", (module) => show(module.text));',
    )
    box.put("app/src/text.js", b'export const text = "first";')
    start(box, "sh -c 'cd app && exec node_modules/.bin/vite --port 5173 --host 127.0.0.1'", 5173)
    with page.expect_console_message(lambda message: "connected" in message.text):
        page.goto(FORMS[form](box, 5173))
    shows(page, "first")
    box.put("app/src/text.js", b'export const text = "second";')
    shows(page, "second")
    assert page.evaluate("window.loads") == 1
