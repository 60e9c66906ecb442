"""Webhooks in the console: made and deleted, deliveries tried again as the clock is moved, replayed and given up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of, go
from databases import tell
from people import ok
from playwright.sync_api import Browser, Page, expect
from receivers import answer, hooked, receiving, rename, workspace
from test_delivery_attempts import tried
from test_sink import address, at_rest, behave

ODD = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@contextmanager
def opened(
    emulator: Running, browser: Browser, world: httpx.Client, path: str, *, width: int = 1280, scheme: Scheme = "light"
) -> Iterator[Page]:
    """The console of a world."""
    key = world.headers["Authorization"].removeprefix("Bearer ")
    with console_of(emulator, browser, path, key=key, width=width, scheme=scheme) as page:
        yield page


def test_a_webhook_is_made_and_its_delivery_tried_until_it_arrives(
    emulator: Running, browser: Browser, world: httpx.Client
) -> None:
    with opened(emulator, browser, world, "/webhooks") as page:
        page.get_by_role("button", name="New webhook").click()
        page.get_by_role("button", name="Use the built-in sink").click()
        expect(page.get_by_label("Address")).to_have_value(address(world, "console"))
        page.get_by_label("workspace.*", exact=True).check()
        page.get_by_role("button", name="Create").click()
        shown = page.get_by_role("dialog", name="The signing secret")
        expect(shown).to_contain_text("never again")
        secret = shown.locator("pre").inner_text()
        shown.get_by_role("button", name="I have it").click()
        [webhook] = ok(world.get("/v1/webhooks"))["webhooks"]
        assert webhook["events"] == ["workspace.*"]
        assert webhook["signing_secret_preview"][-4:] == secret[-4:]
        expect(page.get_by_role("heading", name=address(world, "console"))).to_be_visible()
        expect(page.locator("main")).not_to_contain_text(secret)

        go(page, "/sink", "Sink")
        page.get_by_role("button", name="Let it fail or be late").click()
        page.get_by_label("How many times").fill("2")
        page.get_by_role("button", name="Do so").click()
        expect(page.get_by_role("listitem").filter(has_text="answers 503")).to_contain_text("2 times more")

        go(page, "/webhooks", "Webhooks")
        workspace(world)
        row = page.get_by_role("row").filter(has_text="workspace.created")
        expect(row).to_contain_text("pending")
        expect(page.get_by_role("link", name="1 pending")).to_be_visible()
        row.get_by_role("link").click()
        page.get_by_role("heading", name="workspace.created", level=1).wait_for()
        expect(page.get_by_role("heading", name="Attempt 1 503")).to_be_visible()
        due = page.get_by_role("status").filter(has_text="is due at")
        expect(due).to_contain_text("Attempt 2 of 8")
        expect(due).to_contain_text("5 s after the last")
        page.get_by_role("button", name="Advance the clock to it").click()
        expect(page.get_by_role("heading", name="Attempt 2 503")).to_be_visible()
        expect(due).to_contain_text("Attempt 3 of 8")
        expect(due).to_contain_text("5 min")
        page.get_by_role("button", name="Advance the clock to it").click()
        expect(page.get_by_role("heading", name="Attempt 3 200")).to_be_visible()
        expect(page.get_by_text("It was delivered")).to_be_visible()
        expect(page.get_by_role("button", name="Advance the clock to it")).to_be_hidden()
        expect(page.get_by_role("status").filter(has_text="It was delivered")).to_be_focused()
        page.get_by_text("Headers of attempt 3").click()
        expect(page.locator("details[open] pre").first).to_contain_text(re.compile("webhook-signature: v1,"))
        [delivery] = ok(world.get("/v1/webhooks/deliveries"))["deliveries"]
        assert (delivery["status"], len(tried(world, delivery["id"])["attempts"])) == ("delivered", 3)


def test_a_delivery_is_replayed_and_the_two_lead_to_each_other(
    emulator: Running, browser: Browser, world: httpx.Client
) -> None:
    with hooked(world, address(world, "ci")) as hook:
        workspace(world)
        [delivery] = hook.settled(1)
        with opened(emulator, browser, world, f"/webhooks/deliveries/{delivery['id']}") as page:
            expect(page.get_by_role("button", name="Discard")).to_be_disabled()
            page.get_by_role("button", name="Replay").click()
            expect(page.get_by_text("Repeats")).to_be_visible()
            again = hook.settled(2)[1]
            assert again["replayed_from_delivery_id"] == delivery["id"]
            expect(page.get_by_text(again["id"], exact=True)).to_be_visible()
            page.get_by_role("link", name=delivery["id"][:8]).click()
            expect(page.get_by_text("Repeated by")).to_be_visible()
            expect(page.get_by_role("link", name=again["id"][:8])).to_be_visible()


def test_a_delivery_is_given_up_and_what_waits_behind_it_goes(
    emulator: Running, browser: Browser, world: httpx.Client
) -> None:
    with hooked(world, address(world, "ci")) as hook:
        behave(world, status=500)
        rename(world, workspace(world), "renamed")
        at_rest(world)
        first, second = hook.deliveries()
        with opened(emulator, browser, world, f"/webhooks/deliveries/{second['id']}") as page:
            expect(page.get_by_text("It waits until what happened before is told")).to_be_visible()
            page.get_by_role("link", name=first["id"][:8]).click()
            expect(page.get_by_role("heading", name="Attempt 1 500")).to_be_visible()
            # What others do with the clock is seen as well.
            ok(world.post("/_emulator/clock/advance", json={"seconds": 6}))
            expect(page.get_by_role("heading", name="Attempt 2 500")).to_be_visible()
            behave(world)
            page.get_by_role("button", name="Discard").click()
            page.get_by_role("button", name="Give it up").click()
            expect(page.get_by_text("It was given up")).to_be_visible()
            expect(page.get_by_role("button", name="Replay")).to_be_focused()
            hook.settled(1)
            assert [one["status"] for one in hook.deliveries()] == ["discarded", "delivered"]


def test_attempts_of_before_they_were_kept_are_told_of_as_such(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with receiving() as receiver, hooked(client, receiver.url) as hook:
        receiver.usual = answer(410)
        workspace(client)
        at_rest(client)
        tell(emulator, ("DELETE FROM delivery_attempts",))
        [delivery] = hook.deliveries()
        with console_of(emulator, browser, f"/webhooks/deliveries/{delivery['id']}") as page:
            expect(page.get_by_text("One attempt was made before the emulator kept them")).to_be_visible()
            expect(page.get_by_role("status").filter(has_text="is due at")).to_contain_text("Attempt 2 of 8")
            page.get_by_role("button", name="Advance the clock to it").click()
            expect(page.get_by_role("heading", name="Attempt 2 410")).to_be_visible()


def test_the_list_is_filtered_and_a_webhook_deleted(emulator: Running, browser: Browser, world: httpx.Client) -> None:
    with hooked(world, address(world, "good")) as good, hooked(world, address(world, "bad")) as bad:
        behave(world, name="bad", status=500)
        workspace(world)
        at_rest(world)
        with opened(emulator, browser, world, "/webhooks") as page:
            rows = page.get_by_role("table", name="Deliveries").get_by_role("row")
            expect(rows).to_have_count(3)
            page.get_by_label("State", exact=True).select_option("pending")
            expect(rows).to_have_count(2)
            expect(rows.nth(1)).to_contain_text("sink bad")
            page.get_by_label("Webhook", exact=True).select_option(good.id)
            expect(page.get_by_text("No delivery is like that.")).to_be_visible()
            page.reload()
            expect(page.get_by_text("No delivery is like that.")).to_be_visible()
            page.get_by_role("button", name=f"Delete the webhook to {address(world, 'bad')}").click()
            page.get_by_role("button", name="Delete it").click()
            expect(page.get_by_role("heading", name=address(world, "bad"))).to_have_count(0)
            expect(page.get_by_role("heading", name="Subscriptions")).to_be_focused()
            assert [one["id"] for one in ok(world.get("/v1/webhooks"))["webhooks"]] == [good.id]
            assert [one["status"] for one in bad.deliveries()] == ["discarded"]


@pytest.mark.parametrize(("width", "scheme"), [(1920, "light"), (360, "dark")])
def test_it_fits_is_accessible_and_shows_markup_as_text(
    emulator: Running, browser: Browser, world: httpx.Client, width: int, scheme: Scheme
) -> None:
    body = {"url": address(world, "ci"), "description": ODD, "events": ["workspace.*", "session.*"]}
    hook_id = ok(world.post("/v1/webhooks", json=body))["webhook"]["id"]
    behave(world, status=503)
    rename(world, workspace(world), "renamed")
    at_rest(world)
    [_, first] = ok(world.get("/v1/webhooks/deliveries", params={"webhook_id": hook_id}))["deliveries"]
    with opened(emulator, browser, world, "/webhooks", width=width, scheme=scheme) as page:
        expect(page.get_by_text(ODD)).to_be_visible()
        expect(page.get_by_role("row").filter(has_text="workspace.created")).to_be_visible()
        assert page.locator("main img, main script").count() == 0
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="New webhook").click()
        page.get_by_label("Address").wait_for()
        assert_fits(page)
        assert_accessible(page)
        page.keyboard.press("Escape")
        go(page, f"/webhooks/deliveries/{first['id']}", "workspace.created")
        expect(page.get_by_role("heading", name="Attempt 1 503")).to_be_visible()
        page.get_by_text("Headers of attempt 1").click()
        page.get_by_text("If it goes on to fail").click()
        assert_fits(page)
        assert_accessible(page)
