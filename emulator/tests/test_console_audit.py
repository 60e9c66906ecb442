"""The audit log in the console: as far back as one scrolls, filtered, with details and links, new events at once."""

from __future__ import annotations

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of
from databases import tell
from people import ok
from playwright.sync_api import Browser, expect

MANY = 10_500
TO_THE_END = """async () => {
  const region = document.querySelector('main .window');
  for (let frames = 0; frames < 4000; frames += 1) {
    region.scrollTop = region.scrollHeight;
    await new Promise(requestAnimationFrame);
    if (/in all/.test(document.querySelector('main .count').textContent)) break;
  }
  region.scrollTop = region.scrollHeight;
}"""


def test_what_is_done_appears_at_once_and_leads_to_its_thing(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/audit") as page:
        name = "<b id=bold>key</b>"
        key = ok(client.post("/v1/keys", json={"name": name, "scopes": ["audit.read"]}))
        row = page.get_by_role("row").filter(has_text=key["id"][:8])
        expect(row).to_contain_text("success")
        row.get_by_role("button", name="api_key.create").click()
        dialog = page.get_by_role("dialog", name="api_key.create")
        expect(dialog).to_contain_text(name)
        assert page.locator("#bold").count() == 0
        dialog.get_by_role("link", name=key["id"]).click()
        page.get_by_role("heading", name="Keys", level=1).wait_for()
        expect(page.get_by_role("row").filter(has_text=key["key_prefix"])).to_be_visible()


def test_filters_are_part_of_the_address(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    key = ok(client.post("/v1/keys", json={"name": "filtered"}))
    ok(client.delete(f"/v1/keys/{key['id']}"))
    with console_of(emulator, browser, f"/audit?resource_id={key['id']}") as page:
        expect(page.get_by_role("table").get_by_role("row")).to_have_count(3)
        page.get_by_label("Action").fill("api_key.revoke")
        expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)
        assert "action=api_key.revoke" in page.url
        page.get_by_label("Status").select_option("failure")
        expect(page.get_by_role("main")).to_contain_text("No event fits")
        page.get_by_role("button", name="Clear").click()
        expect(page.get_by_role("table").get_by_role("row").nth(3)).to_be_visible()


def test_ten_thousand_rows_are_scrolled_and_few_are_in_the_page(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    account = ok(client.get("/v1/accounts/current"))["account"]["id"]
    statement = """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
        INSERT INTO audit_events
            (id, account_id, actor_type, actor_id, action, resource_type, status, summary, metadata, created_at)
        SELECT printf('00000000-0000-4000-8000-%012d', i), ?1, 'system', 'system', 'session.expire', 'session',
            'success', 'event ' || i, '{}',
            -- Two of each moment, as after a clock was set back: pages neither skip nor repeat one.
            '2020-01-01T00:00:00.' || printf('%06d', i / 2) || 'Z'
        FROM n"""
    tell(emulator, (statement, account, MANY))
    with console_of(emulator, browser, "/audit?action=session.expire") as page:
        expect(page.get_by_role("main")).to_contain_text(f"event {MANY}")
        page.evaluate(TO_THE_END)
        expect(page.locator("main .count")).to_contain_text(f"{MANY} in all")
        expect(page.get_by_text("event 1", exact=True)).to_be_visible()
        assert page.get_by_role("table").get_by_role("row").count() < 60


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1920, "light")])
def test_it_fits_and_is_accessible(emulator: Running, browser: Browser, width: int, scheme: Scheme) -> None:
    with console_of(emulator, browser, "/audit", width=width, scheme=scheme) as page:
        page.get_by_role("table").get_by_role("button").first.wait_for()
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("table").get_by_role("button").first.click()
        page.get_by_role("dialog").wait_for()
        assert_fits(page)
        assert_accessible(page)
