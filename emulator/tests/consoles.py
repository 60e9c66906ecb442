"""The console in a real browser: opened with the key, watched for errors of its scripts, and held against axe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from chaser_emulator.server import Running
from playwright.sync_api import Browser, Page, expect, sync_playwright
from requirements import chromium, require

Scheme = Literal["light", "dark"]

_PATIENCE = 30_000
_OF_THE_MACHINE = ("net::ERR_NETWORK_CHANGED",)
"""What Chromium says when a container of another test starts or ends meanwhile."""

_SERIOUS = ("serious", "critical")


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Chromium without a window, which asks nobody on the network."""
    require("chromium")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        one = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield one
        one.close()


@contextmanager
def console_of(
    emulator: Running,
    browser: Browser,
    path: str = "/",
    *,
    width: int = 1280,
    height: int = 800,
    scheme: Scheme = "light",
    key: str | None = None,
    expected: tuple[str, ...] = (),
    prepare: Callable[[Page], None] = lambda _page: None,
) -> Iterator[Page]:
    """A page of the console, the key given as a person gives it. Errors of its scripts, and what its policy stops,
    fail the test; `expected` are parts of messages that are meant to come (a browser tells of each refusal).
    `prepare` is given the page before anything is loaded."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    # A machine that does much else is slow, and nothing is found out by giving up early.
    context.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    prepare(page)
    page.goto(f"{emulator.url}/_emulator/#{path}")
    page.get_by_label("Key of the emulator").fill(key or emulator.api_key)
    page.get_by_role("button", name="Open", exact=True).click()
    page.locator("body:not(.locked) main h1").first.wait_for()
    try:
        yield page
        assert [text for text in said if not any(part in text for part in (*expected, *_OF_THE_MACHINE))] == []
    finally:
        context.close()


def go(page: Page, path: str, heading: str) -> None:
    """Open another page of the console by its address, and wait for its heading."""
    page.evaluate("(path) => { location.hash = path }", path)
    page.get_by_role("heading", name=heading, level=1).wait_for()


def assert_accessible(page: Page) -> None:
    """That axe finds nothing serious on the page as it is now."""
    results: dict[str, Any] = Axe().run(page).response
    found = [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in results["violations"]
        if one["impact"] in _SERIOUS
    ]
    assert found == []


def assert_fits(page: Page) -> None:
    """That nothing is wider than the window."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the page is {wide} pixels wider than its window"
