"""The page that shows the document, in a real browser without a network."""

from __future__ import annotations

import httpx
from chaser_emulator.server import Running
from playwright.sync_api import sync_playwright
from requirements import chromium, require


def test_the_document_says_where_it_is_served(client: httpx.Client, emulator: Running) -> None:
    document = client.get("/api-docs/openapi.json", headers={"Authorization": ""}).json()
    assert document["servers"][0]["url"] == emulator.url


def test_the_page_lists_every_operation_offline(emulator: Running) -> None:
    require("chromium")
    document = httpx.get(f"{emulator.url}/api-docs/openapi.json").json()
    methods = ("get", "put", "post", "delete", "patch")
    count = sum(1 for item in document["paths"].values() for method in item if method in methods)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{emulator.url}/swagger-ui")
        page.wait_for_selector(".opblock-tag")
        page.evaluate("document.querySelectorAll('.opblock-tag[data-is-open=false]').forEach((tag) => tag.click())")
        page.wait_for_function(f"document.querySelectorAll('.opblock').length === {count}")
        assert page.locator("h2.title").inner_text().startswith("Chaser Core API")
        browser.close()
    assert all(url.startswith((emulator.url, "data:")) for url in asked), asked
