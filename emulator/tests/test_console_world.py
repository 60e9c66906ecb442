"""The world in the console: seeded, kept and gone back to, compared with its beginning, and put back."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of
from emulators import http_of
from people import ok
from playwright.sync_api import Browser, Page, expect


@pytest.fixture(autouse=True)
def _afresh(emulator: Running) -> None:
    with http_of(emulator) as client:
        ok(client.post("/_emulator/reset"))


def _part(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")


def _names(client: httpx.Client) -> list[str]:
    return [one["name"] for one in ok(client.get("/v1/workspaces"))]


def test_a_world_is_seeded_kept_changed_and_gone_back_to(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/world") as page:
        page.get_by_label("Or the seed itself, in YAML").fill("workspaces:\n  - {name: demo, session_type: sandbox}")
        page.get_by_role("button", name="Apply it").click()
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        assert "demo" in _names(client)
        _part(page, "Saved states")
        page.get_by_role("button", name="Keep the state").click()
        page.get_by_label("name").fill("before")
        page.get_by_role("button", name="Keep it").click()
        expect(page.get_by_role("row").filter(has_text="before")).to_be_visible()
        ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "later"}))
        _part(page, "Changes")
        expect(page.get_by_role("row").filter(has_text="workspaces").filter(has_text="created")).to_be_visible()
        _part(page, "Saved states")
        page.get_by_role("button", name="Go back to before").click()
        page.get_by_role("button", name="Go back", exact=True).click()
        expect(page.get_by_text("The world is what before holds.")).to_be_visible()
        assert "demo" in _names(client)
        assert "later" not in _names(client)
        page.get_by_role("button", name="Delete before").click()
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_text("No state is kept.")).to_be_visible()
    assert ok(client.get("/_emulator/states"))["states"] == []


def test_a_ready_seed_is_applied_and_a_reset_leads_back_to_it(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/world") as page:
        page.get_by_role("button", name="Apply the seed empty").click()
        expect(page.get_by_role("dialog", name="Applied empty")).to_be_visible()
        page.get_by_role("button", name="Close").click()
        before = _names(client)
        ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "later"}))
        page.get_by_role("button", name="Reset the world").click()
        page.get_by_role("button", name="Reset it").click()
        expect(page.get_by_text("The world is where it began.")).to_be_visible()
    assert _names(client) == before


def test_what_is_wrong_with_a_seed_is_told_with_its_place(emulator: Running, browser: Browser) -> None:
    with console_of(emulator, browser, "/world", expected=("400",)) as page:
        page.get_by_label("Or the seed itself, in YAML").fill("workspaces:\n  - {name: demo, session_type: submarine}")
        page.get_by_role("button", name="Apply it").click()
        expect(page.get_by_role("alert").filter(has_text="session_type")).to_be_visible()
        expect(page.get_by_label("Or the seed itself, in YAML")).to_be_focused()


def test_a_state_is_saved_to_a_file_and_loaded_from_it(
    emulator: Running, browser: Browser, client: httpx.Client, tmp_path: Path
) -> None:
    ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "kept"}))
    with console_of(emulator, browser, "/world?tab=states") as page:
        page.get_by_role("button", name="Save it to a file").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save it", exact=True).click()
        file = tmp_path / download.value.suggested_filename
        download.value.save_as(file)
        ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "later"}))
        page.get_by_label("A saved state").set_input_files(file)
        page.get_by_role("button", name="Load it").click()
        expect(page.get_by_text("The state is loaded.")).to_be_visible()
    assert "kept" in _names(client)
    assert "later" not in _names(client)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_it_fits_and_is_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    ok(client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "later"}))
    with console_of(emulator, browser, "/world", width=width, scheme=scheme) as page:
        for name in ("Seeds", "Saved states", "Changes"):
            _part(page, name)
            assert_fits(page)
            assert_accessible(page)
