"""The page on which a checkout is paid or cancelled, in a browser and out of it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from billings import checkout, complete, plan, summary, wallet
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from people import ok, refused
from playwright.sync_api import Page, sync_playwright
from requirements import chromium, require
from strangers import audited, events_of, stranger

_HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def payer(emulator: Running) -> Iterator[httpx.Client]:
    """Somebody with an account, and a wallet, of their own."""
    with http_of(emulator, stranger(emulator)) as client:
        yield client


@pytest.fixture
def browser(payer: httpx.Client) -> Iterator[Any]:
    """Chromium; after the payer, as Playwright leaves a loop running in which people cannot be made."""
    require("chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-background-networking"]
        )
        yield opened
        opened.close()


@contextmanager
def shop() -> Iterator[tuple[str, list[str]]]:
    """A site of another origin, to which checkouts lead back; its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<title>shop</title>back in the shop")

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def start(client: httpx.Client, **body: Any) -> dict[str, Any]:
    started: dict[str, Any] = ok(client.post("/v1/billing/checkout", json=body))
    return started


def press(url: str, outcome: str, **headers: str) -> httpx.Response:
    """What a browser sends when a button is pressed."""
    key = re.search(r'name="form_key" value="([0-9a-f]+)"', httpx.get(url, headers=_HTML).text)
    form = {"outcome": outcome} | ({"form_key": key[1]} if key else {})
    return httpx.post(url, data=form, headers=_HTML | headers)


def test_a_checkout_says_where_to_pay(emulator: Running, payer: httpx.Client) -> None:
    account = ok(payer.get("/v1/accounts/current"))["account"]["id"]
    first = start(payer, mode="topup", amount_usd=25)
    assert first["checkout_url"] == f"{emulator.url}/_emulator/checkout/{first['checkout_session_id']}"
    assert first["stripe_customer_id"].startswith("cus_")
    second = start(payer, mode="subscription", plan_code="team")
    assert second["stripe_customer_id"] == first["stripe_customer_id"] == summary(payer)["stripe_customer_id"]
    assert second["checkout_session_id"] != first["checkout_session_id"]
    # Nothing is paid yet.
    assert (wallet(payer), summary(payer)["plan_code"]) == (0, "pro")
    rows = [row for row in audited(emulator, account) if row[0] == "billing.checkout.create"]
    assert rows == [
        (
            "billing.checkout.create",
            "success",
            {"mode": "topup", "amount_usd": 25, "checkout_session_id": first["checkout_session_id"]},
        ),
        (
            "billing.checkout.create",
            "success",
            {"mode": "subscription", "plan_code": "team", "checkout_session_id": second["checkout_session_id"]},
        ),
    ]


@pytest.mark.parametrize(
    ("body", "micros"),
    [
        ({}, 10_000_000),
        ({"mode": None, "amount_usd": None, "plan_code": None}, 10_000_000),
        ({"mode": "topup"}, 10_000_000),
        ({"amount_usd": 10}, 10_000_000),
        ({"amount_usd": 10.005}, 10_005_000),
        ({"amount_usd": 1e1}, 10_000_000),
        ({"amount_usd": 19.99}, 19_990_000),
        ({"amount_usd": 1234.5678904}, 1_234_567_890),
        ({"amount_usd": 1234.5678906}, 1_234_567_891),
        ({"amount_usd": 1_000_000}, 1_000_000_000_000),
        ({"amount_usd": 12, "plan_code": "team"}, 12_000_000),
    ],
)
def test_a_top_up_adds_what_it_says(payer: httpx.Client, body: dict[str, Any], micros: int) -> None:
    done = ok(complete(payer, checkout(payer, **body)))
    assert (done["status"], done["mode"], done["amount_micros_usd"]) == ("paid", "topup", micros)
    assert wallet(payer) == micros
    assert summary(payer)["wallet_balance_usd"] == micros / 1e6
    assert summary(payer)["plan_code"] == "pro"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount_usd": 9.99}, "/amount_usd"),
        ({"amount_usd": 0}, "/amount_usd"),
        ({"amount_usd": -25}, "/amount_usd"),
        ({"amount_usd": 1_000_000.01}, "/amount_usd"),
        ({"amount_usd": "25"}, "/amount_usd"),
        ({"amount_usd": True}, "/amount_usd"),
        ({"mode": "subscription"}, "/plan_code"),
        ({"mode": "subscription", "plan_code": None}, "/plan_code"),
        ({"mode": "subscription", "plan_code": "free"}, "/plan_code"),
        ({"mode": "gift"}, "/mode"),
    ],
)
def test_what_cannot_be_paid_is_refused_by_name(payer: httpx.Client, body: dict[str, Any], field: str) -> None:
    error = refused(payer.post("/v1/billing/checkout", json=body), 400, "invalid_request")
    assert any(field in f"{one['pointer']} {one['message']}" for one in error["details"]), error
    # Not even a customer was made.
    assert summary(payer)["stripe_customer_id"] is None


def test_a_paid_subscription_lasts_until_the_account_leaves_it(emulator: Running, payer: httpx.Client) -> None:
    account = ok(payer.get("/v1/accounts/current"))["account"]["id"]
    ok(complete(payer, checkout(payer, mode="subscription", plan_code="team")))
    paid = summary(payer)
    assert (paid["pricing_model"], paid["plan_code"]) == ("subscription", "team")
    assert paid["stripe_subscription_id"].startswith("sub_")
    assert paid["wallet_balance_micros_usd"] == 0
    assert events_of(emulator, account) == [("billing.updated", paid)]
    # Another plan of the same subscription keeps it; no subscription ends it.
    assert plan(payer, plan_code="pro")["stripe_subscription_id"] == paid["stripe_subscription_id"]
    assert plan(payer, pricing_model="usage_based")["stripe_subscription_id"] is None
    assert plan(payer, plan_code="pro")["stripe_subscription_id"] is None


def test_money_reaches_the_wallet_of_every_plan(emulator: Running) -> None:
    for code in ("free", "usage_based", "pro"):
        with http_of(emulator, stranger(emulator, plan=code)) as client:
            ok(complete(client, checkout(client, amount_usd=15)))
            assert wallet(client) == 15_000_000


def test_a_cancelled_checkout_changes_nothing(emulator: Running, payer: httpx.Client) -> None:
    account = ok(payer.get("/v1/accounts/current"))["account"]["id"]
    before = summary(payer)
    started = checkout(payer)
    done = ok(complete(payer, started, "canceled"))
    assert done["status"] == "canceled"
    assert done["completed_at"] > done["created_at"]
    assert ok(complete(payer, started, "canceled")) == done
    refused(complete(payer, started, "paid"), 409, "invalid_state")
    assert summary(payer) == before | {"stripe_customer_id": summary(payer)["stripe_customer_id"]}
    assert events_of(emulator, account) == []


def test_a_payment_counts_once_however_often_it_is_made(emulator: Running, payer: httpx.Client) -> None:
    account = ok(payer.get("/v1/accounts/current"))["account"]["id"]
    url = start(payer)["checkout_url"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: press(url, "paid"), range(16)))
    assert {answer.status_code for answer in answers} == {303}
    assert wallet(payer) == 10_000_000
    assert len(events_of(emulator, account)) == 1
    late = press(url, "canceled")
    assert late.status_code == 409
    assert "Paid" in late.text
    assert wallet(payer) == 10_000_000


def test_of_a_payment_and_a_cancellation_at_once_one_wins(payer: httpx.Client) -> None:
    for _ in range(5):
        before, url = wallet(payer), start(payer)["checkout_url"]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(press, [url] * 8, ["paid", "canceled"] * 4))
        shown = ok(httpx.get(url))
        assert sorted(answer.status_code for answer in answers) == [303] * 4 + [409] * 4
        assert wallet(payer) - before == (10_000_000 if shown["status"] == "paid" else 0)


def test_the_page_is_html_to_a_browser_and_json_to_a_program(payer: httpx.Client) -> None:
    started = start(payer, amount_usd=25.5)
    page = httpx.get(started["checkout_url"], headers=_HTML)
    assert page.headers["content-type"].startswith("text/html")
    assert "25.50 USD" in page.text
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    shown = ok(httpx.get(started["checkout_url"]))
    assert (shown["id"], shown["status"], shown["amount_micros_usd"]) == (
        started["checkout_session_id"],
        "open",
        25_500_000,
    )


def test_a_checkout_that_there_is_not_is_not_found(emulator: Running, client: httpx.Client) -> None:
    for name in ("nobody", "3c2b1a09-8f7e-4d6c-9b5a-4f3e2d1c0b9a", "%3Cscript%3E"):
        url = f"{emulator.url}/_emulator/checkout/{name}"
        page = httpx.get(url, headers=_HTML)
        assert (page.status_code, page.headers["content-type"][:9]) == (404, "text/html")
        assert "<script>" not in page.text
        assert press(url, "paid").status_code == 404
        refused(httpx.get(url), 404, "not_found")
        refused(complete(client, name), 404, "not_found")


def test_what_is_no_press_of_a_button_pays_nothing(payer: httpx.Client) -> None:
    url = start(payer)["checkout_url"]
    refused(httpx.post(url, json={"outcome": "paid"}), 415, "unsupported_media_type")
    sent: tuple[dict[str, Any], ...] = ({}, {"outcome": "stolen"}, {"outcome": ["paid", "canceled"]})
    for data in sent:
        refused(httpx.post(url, data=data, headers={"Content-Type": "application/x-www-form-urlencoded"}), 400, _BAD)
    refused(httpx.post(f"{url}/complete", data={"outcome": "paid"}), 415, "unsupported_media_type")
    bodies: tuple[object, ...] = ({}, {"outcome": "stolen"}, {"outcome": None}, [])
    for body in bodies:
        refused(httpx.post(f"{url}/complete", json=body), 400, _BAD)
    refused(press(url, "paid", Origin="https://evil.example"), 403, "forbidden")
    refused(press(url, "paid", Origin="null"), 403, "forbidden")
    wrong = httpx.delete(url)
    refused(wrong, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(wrong.headers["allow"].split(", "))
    assert wallet(payer) == 0


_BAD = "invalid_request"


def test_whoever_has_the_address_may_pay_from_another_machine_and_do_nothing_else() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but its own")
        address = probe.getsockname()[0]
    with emulator_on("scripted", host="0.0.0.0", api_key="sk_of_my_own") as one, http_of(one) as client:
        port = one.url.rpartition(":")[2]
        elsewhere = f"http://{address}:{port}/_emulator"
        url = f"{elsewhere}/checkout/{checkout(client)}"
        assert httpx.get(url, headers=_HTML).status_code == 200
        assert httpx.get(f"{elsewhere}/style.css").status_code == 200
        assert press(url, "paid", Origin=f"http://{address}:{port}").status_code == 303
        assert wallet(client) == 10_000_000
        refused(httpx.get(f"{elsewhere}/clock"), 401, "unauthorized")


def test_a_checkout_outlasts_a_restart(tmp_path: Path) -> None:
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        started = checkout(client, amount_usd=11)
        ok(complete(client, checkout(client, amount_usd=10)))
    with emulator_on("scripted", data_dir=tmp_path) as one, http_of(one) as client:
        assert wallet(client) == 10_000_000
        ok(complete(client, started))
        assert wallet(client) == 21_000_000


def test_the_address_is_the_one_by_which_the_server_is_known(tmp_path: Path) -> None:
    with emulator_on("scripted", public_url="https://chaser.test/base/") as one, http_of(one) as client:
        url = start(client)["checkout_url"]
        assert url.startswith("https://chaser.test/base/_emulator/checkout/")


def open_page(browser: Any, url: str, **options: Any) -> tuple[Page, list[str]]:
    """A page on which nothing went wrong so far, and the list of what does."""
    page = browser.new_page(**options)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    return page, wrong


def test_somebody_pays_in_a_browser(browser: Any, payer: httpx.Client) -> None:
    page, wrong = open_page(browser, start(payer, amount_usd=25)["checkout_url"])
    assert page.locator("h1").inner_text() == "Top up the wallet"
    page.get_by_role("button", name="Pay 25.00 USD").dblclick()
    assert "25.00 USD were added" in page.get_by_role("status").inner_text()
    assert page.get_by_role("button").count() == 0
    assert wallet(payer) == 25_000_000
    page.reload()
    page.go_back()
    assert wallet(payer) == 25_000_000
    assert wrong == []
    page.close()


def test_somebody_cancels_in_a_browser(browser: Any, payer: httpx.Client) -> None:
    page, wrong = open_page(browser, start(payer, mode="subscription", plan_code="team")["checkout_url"])
    page.get_by_role("button", name="Cancel").click()
    assert "Nothing was paid" in page.get_by_role("status").inner_text()
    assert summary(payer)["plan_code"] == "pro"
    assert wrong == []
    page.close()


def test_two_tabs_pay_once_and_the_late_one_says_so(browser: Any, payer: httpx.Client) -> None:
    url = start(payer)["checkout_url"]
    first, _ = open_page(browser, url)
    second, _ = open_page(browser, url)
    third, _ = open_page(browser, url)
    for page in (first, second):
        page.get_by_role("button", name="Pay").click()
        assert "were added" in page.get_by_role("status").inner_text()
    third.get_by_role("button", name="Cancel").click()
    assert "nothing has changed" in third.get_by_role("alert").inner_text()
    assert wallet(payer) == 10_000_000
    for page in (first, second, third):
        page.close()


def test_the_name_of_an_account_is_no_markup(browser: Any, client: httpx.Client) -> None:
    name = "<script>alert(1)</script><b>&amp;"
    made = ok(client.post("/v1/accounts/organizations", json={"name": name}))["account"]
    started = ok(client.post("/v1/billing/checkout", json={}, headers={"X-Chaser-Account": made["id"]}))
    page, wrong = open_page(browser, started["checkout_url"])
    assert page.locator("dd").first.inner_text() == f"{name} (organization)"
    assert page.locator("script, b").count() == 0
    assert wrong == []
    page.close()


def test_the_page_follows_the_colours_of_the_system(browser: Any, payer: httpx.Client) -> None:
    url = start(payer)["checkout_url"]
    grounds = set()
    for scheme in ("light", "dark"):
        page, _ = open_page(browser, url, color_scheme=scheme)
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    # The stylesheet is there, and has both.
    assert len(grounds) == 2


def test_a_browser_is_led_back_to_where_it_came_from(browser: Any) -> None:
    with (
        shop() as (site, asked),
        emulator_on(
            "scripted", checkout_success_url=f"{site}/thanks?order=7#top", checkout_cancel_url=f"{site}/basket"
        ) as one,
        http_of(one) as client,
    ):
        for button, way_on in (
            ("Pay", "/thanks?order=7&checkout_session_id="),
            ("Cancel", "/basket?checkout_session_id="),
        ):
            started = start(client)
            page, wrong = open_page(browser, started["checkout_url"])
            page.get_by_role("button", name=button).click()
            page.wait_for_url(f"{site}/**")
            assert way_on + started["checkout_session_id"] in asked
            assert wrong == []
            page.close()
        assert wallet(client) == 10_000_000
        # Who pays twice is led there twice; the money comes once.
        again = press(started["checkout_url"], "canceled")
        assert again.headers["location"] == f"{site}/basket?checkout_session_id={started['checkout_session_id']}"
