"""The sink in the console: a webhook that leads there, what comes as it comes, how it answers, and waiting."""

from __future__ import annotations

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits
from people import ok
from playwright.sync_api import Browser, expect
from receivers import hooked, workspace
from test_console_webhooks import ODD, opened
from test_sink import SINK, address, behave, received


def test_a_webhook_to_the_sink_takes_one_click_and_what_comes_is_seen_at_once(
    emulator: Running, browser: Browser, world: httpx.Client
) -> None:
    with opened(emulator, browser, world, "/sink") as page:
        expect(page.get_by_text("Nothing has come.")).to_be_visible()
        page.get_by_role("button", name="Webhook to the sink").click()
        page.get_by_role("button", name="I have it").click()
        [webhook] = ok(world.get("/v1/webhooks"))["webhooks"]
        assert webhook["url"] == address(world, "console")
        page.get_by_role("button", name="Webhook to the sink").click()
        expect(page.get_by_text("leads here already")).to_be_visible()
        assert len(ok(world.get("/v1/webhooks"))["webhooks"]) == 1

        workspace(world)
        row = page.get_by_role("row").filter(has_text="workspace.created")
        expect(row).to_contain_text("verified")
        row.get_by_role("button", name="workspace.created").click()
        shown = page.get_by_role("dialog")
        [came] = received(world)
        expect(shown).to_contain_text(came["headers"]["webhook-signature"])
        shown.get_by_role("link", name=came["delivery_id"]).click()
        expect(page.get_by_role("heading", name="Attempt 1 200")).to_be_visible()


def test_what_strangers_send_is_told_apart_filtered_and_inert(
    emulator: Running, browser: Browser, world: httpx.Client
) -> None:
    with hooked(world, address(world, "ci")), opened(emulator, browser, world, "/sink") as page:
        workspace(world)
        world.post(f"{SINK}/other", content=ODD, headers={"X-Chaser-Event": "<b>odd</b>", "Content-Type": "text/html"})
        rows = page.get_by_role("table", name="Received").get_by_role("row")
        expect(rows).to_have_count(3)
        page.get_by_role("button", name="<b>odd</b>").click()
        shown = page.get_by_role("dialog")
        expect(shown).to_contain_text(ODD)
        expect(shown).to_contain_text("no webhook of this world has sent it")
        assert shown.locator("b, img, script").count() == 0
        page.keyboard.press("Escape")
        page.get_by_label("Signature").select_option("verified")
        expect(rows).to_have_count(2)
        page.get_by_label("Signature").select_option("any")
        page.get_by_label("Name").fill("other")
        expect(rows).to_have_count(2)
        workspace(world)
        page.get_by_label("Name").fill("")
        expect(rows).to_have_count(4)
        page.get_by_role("button", name="Clear").click()
        page.get_by_role("button", name="Forget it").click()
        expect(page.get_by_text("Nothing has come.")).to_be_visible()
        assert received(world) == []


def test_an_event_is_waited_for_while_the_sink_fails_at_first(
    emulator: Running, browser: Browser, world: httpx.Client
) -> None:
    with opened(emulator, browser, world, "/sink") as page:
        page.get_by_role("button", name="Send every event here").click()
        page.get_by_role("button", name="Send them").click()
        expect(page.get_by_text("One webhook was made.")).to_be_visible()
        behave(world, status=503, times=1)
        expect(page.get_by_text("answers 503, once more")).to_be_visible()
        workspace(world)
        expect(page.get_by_text("It answers 200 at once")).to_be_visible()
        page.get_by_role("button", name="Wait for an event").click()
        page.get_by_label("Event (required)").fill("workspace.*")
        page.get_by_label("Seconds of the world’s clock").fill("60")
        page.get_by_role("button", name="Wait", exact=True).click()
        expect(page.get_by_role("dialog", name="It has come: workspace.created")).to_contain_text("verified")
        assert [one["status"] for one in received(world)] == [503, 200]
        page.keyboard.press("Escape")
        behave(world, name="all", status=500)
        page.get_by_role("button", name="Let all answer 200 again").click()
        expect(page.get_by_text("It answers 200 at once")).to_be_visible()
        assert ok(world.get(f"{SINK}/behaviour"))["behaviours"] == []


@pytest.mark.parametrize(("width", "scheme"), [(1920, "light"), (360, "dark")])
def test_it_fits_and_is_accessible(
    emulator: Running, browser: Browser, world: httpx.Client, width: int, scheme: Scheme
) -> None:
    behave(world, name="other", status=500, delay=2)
    with (
        hooked(world, address(world, "ci")),
        opened(emulator, browser, world, "/sink", width=width, scheme=scheme) as page,
    ):
        workspace(world)
        row = page.get_by_role("row").filter(has_text="workspace.created")
        expect(row).to_be_visible()
        assert_fits(page)
        assert_accessible(page)
        row.get_by_role("button").click()
        page.get_by_role("dialog").wait_for()
        assert_fits(page)
        assert_accessible(page)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Let it fail or be late").click()
        page.get_by_label("Delay in seconds").wait_for()
        assert_fits(page)
        assert_accessible(page)
