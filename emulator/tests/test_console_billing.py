"""Billing in the console: plan, wallet, limits and storage as they change, and payments on their own page."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from billings import checkout, complete, summary
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of
from emulators import emulator_on
from people import ok
from playwright.sync_api import Browser, expect


@pytest.fixture
def emulator() -> Iterator[Running]:
    """One for each test: all of them are about the wallet of the first user."""
    with emulator_on("scripted") as one:
        yield one


def test_a_wallet_is_topped_up_on_the_page_of_the_payment(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/billing", expected=("400",)) as page:
        before = summary(client)["wallet_balance_micros_usd"]
        page.get_by_role("button", name="Top up").click()
        page.get_by_label("amount in dollars").fill("5")
        page.get_by_role("button", name="Go on to the payment").click()
        expect(page.get_by_label("amount in dollars")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("amount in dollars").fill("25.5")
        page.get_by_role("button", name="Go on to the payment").click()
        with page.expect_popup() as opened:
            page.get_by_role("link", name="Open the checkout page").click()
        expect(page.get_by_role("table", name="Payments")).to_contain_text("open")
        opened.value.get_by_role("button", name="Pay").click()
        expect(opened.value.get_by_text("Paid.")).to_be_visible()
        expect(page.get_by_role("table", name="Payments")).to_contain_text("paid")
        after = summary(client)["wallet_balance_micros_usd"]
        assert after - before == 25_500_000
        expect(page.get_by_role("region", name="Wallet", exact=True)).to_contain_text(f"${after / 1e6:,.2f}")


def test_a_plan_is_changed_and_subscribed_to(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/billing") as page:
        plan = page.get_by_role("region", name="Plan", exact=True)
        page.get_by_role("button", name="Change plan").click()
        page.get_by_role("dialog").get_by_label("plan").select_option(label="free")
        page.get_by_role("button", name="Change it").click()
        expect(plan).to_contain_text("free")
        assert summary(client)["pricing_model"] == "free"
        expect(plan).to_contain_text("none on this plan")
        expect(page.get_by_role("table", name="Changes of the plan")).to_contain_text("to free")
        page.get_by_role("button", name="Subscribe").click()
        page.get_by_role("dialog").get_by_label("plan").select_option(label="team")
        page.get_by_role("button", name="Go on to the payment").click()
        page.get_by_role("button", name="Later").click()
        started = ok(client.get("/_emulator/checkouts"))["checkouts"]
        assert [(one["mode"], one["plan_code"], one["status"]) for one in started] == [("subscription", "team", "open")]
        with page.expect_popup() as opened:
            page.get_by_role("link", name="Pay").click()
        opened.value.get_by_role("button", name="Subscribe").click()
        expect(plan).to_contain_text("team")
        assert summary(client)["plan_code"] == "team"


def test_payments_are_listed_for_one_account_or_for_all(emulator: Running, client: httpx.Client) -> None:
    ok(complete(client, checkout(client), "canceled"))
    checkout(client, amount_usd=12)
    found = ok(client.get("/_emulator/checkouts"))["checkouts"]
    assert [(one["status"], one["amount_micros_usd"]) for one in found] == [
        ("open", 12_000_000),
        ("canceled", 10_000_000),
    ]
    assert ok(client.get("/_emulator/checkouts", params={"account_id": found[0]["account_id"]}))["checkouts"] == found
    assert ok(client.get("/_emulator/checkouts", params={"account_id": "none"}))["checkouts"] == []


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1920, "light")])
def test_it_fits_and_is_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    checkout(client)
    with console_of(emulator, browser, "/billing", width=width, scheme=scheme) as page:
        page.get_by_role("table", name="Payments").wait_for()
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="Top up").click()
        assert_fits(page)
        assert_accessible(page)
