"""Keys and members in the console: what opens an account, who belongs to it, and what a role does not allow."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from chaser_emulator.server import Running
from consoles import Scheme, a_browser, assert_accessible, assert_fits, console_of, go
from emulators import http_of
from people import Organization, ok, organization_of, refused
from playwright.sync_api import Browser, Page, expect

SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBavcjp6itKXoSQkeSIoCI2YII1bI0UEDDoPzZLz68ds ada@laptop"
MARKUP = "<b id=bold>Bob</b>"


@pytest.fixture(scope="module")
def others(emulator: Running) -> Iterator[Organization]:
    """An organization of other people, to which the user of the console belongs as a plain member."""
    with organization_of(emulator) as one, http_of(emulator) as client:
        email = ok(client.get("/auth/me"))["user"]["email"]
        ok(one.owner.post("/v1/accounts/current/members", json={"email": email}))
        yield one


@pytest.fixture(scope="module")
def browser(others: Organization) -> Iterator[Browser]:
    """After the people, who cannot be made once Playwright runs."""
    with a_browser() as one:
        yield one


def act_in(page: Page, name: str) -> None:
    """Choose another account on the page of members."""
    go(page, "/members", "Members")
    page.get_by_role("button", name=f"Act in {name}").click()
    expect(page.get_by_role("heading", name=f"Members of {name}")).to_be_visible()


def test_a_key_is_made_with_its_scopes_shown_once_and_revoked(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/keys") as page:
        page.get_by_role("button", name="New key").click()
        page.get_by_label("name").fill(MARKUP)
        page.get_by_label("Only these scopes").check()
        page.get_by_role("button", name="Create the key").click()
        expect(page.get_by_role("dialog")).to_contain_text("Choose at least one scope")
        page.get_by_label("audit.read").check()
        page.get_by_label("keys.read").check()
        page.get_by_role("button", name="Create the key").click()
        shown = page.get_by_role("dialog", name="The new key")
        secret = shown.locator("pre").inner_text()
        page.get_by_role("button", name="I have it").click()
        with http_of(emulator, secret) as narrow:
            ok(narrow.get("/v1/audit/events"))
            refused(narrow.get("/v1/sessions"), 403, "insufficient_scope")
            line = page.get_by_role("row").filter(has_text=secret[:10])
            expect(line).to_contain_text("keys.read, audit.read")
            expect(line).to_contain_text(MARKUP)
            assert page.locator("#bold").count() == 0
            assert secret not in page.content()
            line.get_by_role("button", name="Revoke").click()
            page.get_by_role("button", name="Revoke it").click()
            expect(line).to_contain_text("revoked")
            refused(narrow.get("/v1/audit/events"), 401, "unauthorized")


def test_a_key_with_full_access_needs_no_choice(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/keys") as page:
        page.get_by_role("button", name="New key").click()
        page.get_by_role("button", name="Create the key").click()
        expect(page.get_by_role("dialog", name="The new key")).to_contain_text("full access")
        page.get_by_role("button", name="I have it").click()
        assert ok(client.get("/v1/keys"))["keys"][0]["full_access"] is True


def test_a_key_is_made_and_revoked_with_the_keyboard_alone(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/keys") as page:
        page.get_by_role("button", name="New key").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("name")).to_be_focused()
        page.keyboard.type("typed")
        for key in ("Tab", "ArrowDown", "Tab", "Space", "Enter"):
            page.keyboard.press(key)
        expect(page.get_by_role("dialog", name="The new key")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        made = ok(client.get("/v1/keys"))["keys"][0]
        assert (made["name"], made["scopes"]) == ("typed", ["sessions.read"])
        page.get_by_role("button", name="Revoke key typed").focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Revoke it").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Revoke key typed")).to_have_count(0)
        expect(page.get_by_role("main")).to_be_focused()
        assert ok(client.get("/v1/keys"))["keys"][0]["revoked"]


def test_an_ssh_key_is_added_and_deleted(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/keys?tab=ssh", expected=("400",)) as page:
        page.get_by_role("button", name="Add a key").click()
        page.get_by_label("public key (required)").fill("ssh-ed25519 nonsense")
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_label("public key (required)")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("public key (required)").fill(SSH)
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_role("row").filter(has_text="ada@laptop")).to_contain_text("SHA256:")
        assert [one["name"] for one in ok(client.get("/v1/ssh-keys"))["keys"]] == ["ada@laptop"]
        page.get_by_role("button", name="Delete SSH key ada@laptop").click()
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_role("main")).to_contain_text("No SSH keys yet")
        assert ok(client.get("/v1/ssh-keys"))["keys"] == []


def test_an_organization_is_made_and_its_members_come_change_and_go(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/members", expected=("409",)) as page:
        expect(page.get_by_role("main")).to_contain_text("A personal account has one member")
        expect(page.get_by_role("button", name="Add a member")).to_have_count(0)
        page.get_by_role("button", name="New organization").click()
        page.get_by_label("name (required)").fill("acme <i>")
        page.get_by_role("button", name="Create").click()
        act_in(page, "acme <i>")
        made = next(one for one in ok(client.get("/v1/accounts"))["accounts"] if one["name"] == "acme <i>")
        client.headers["X-Chaser-Account"] = made["id"]
        page.get_by_role("button", name="Add a member").click()
        page.get_by_label("email (required)").fill("grace@example.com")
        page.get_by_role("button", name="Add", exact=True).click()
        line = page.get_by_role("row").filter(has_text="grace@example.com")
        expect(line).to_contain_text("member")
        page.get_by_role("button", name="Change the role of grace@example.com").click()
        page.get_by_role("dialog").get_by_label("role").select_option(label="admin")
        page.get_by_role("button", name="Change it").click()
        expect(line).to_contain_text("admin")
        roles = {one["email"]: one["role"] for one in ok(client.get("/v1/accounts/current/members"))["members"]}
        assert roles["grace@example.com"] == "admin"
        page.get_by_role("button", name="Leave").click()
        page.get_by_role("dialog").get_by_role("button", name="Leave").click()
        expect(page.get_by_text("an organization keeps at least one owner")).to_be_visible()
        page.get_by_role("button", name="Remove grace@example.com").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(line).to_have_count(0)
        assert len(ok(client.get("/v1/accounts/current/members"))["members"]) == 1


def test_a_service_account_of_an_organization_gets_keys(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    made = ok(client.post("/v1/accounts/organizations", json={"name": "workshop"}))["account"]
    with console_of(emulator, browser, "/keys?tab=service") as page:
        expect(page.get_by_role("main")).to_contain_text("A personal account has no service accounts")
        act_in(page, "workshop")
        go(page, "/keys?tab=service", "Keys")
        page.get_by_role("button", name="New service account").click()
        page.get_by_label("name (required)").fill("ci")
        page.get_by_role("button", name="Create").click()
        page.get_by_role("button", name="New key").click()
        page.get_by_role("button", name="Create the key").click()
        secret = page.get_by_role("dialog", name="The new key").locator("pre").inner_text()
        page.get_by_role("button", name="I have it").click()
        with http_of(emulator, secret) as robot:
            assert ok(robot.get("/v1/accounts/current"))["account"]["id"] == made["id"]
            page.get_by_role("row").filter(has_text=secret[:10]).get_by_role("button", name="Revoke").click()
            page.get_by_role("button", name="Revoke it").click()
            expect(page.get_by_role("row").filter(has_text=secret[:10])).to_contain_text("revoked")
            refused(robot.get("/v1/accounts/current"), 401, "unauthorized")
        page.get_by_role("button", name="Delete service account ci").click()
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_role("main")).to_contain_text("There is no such service account")


def test_what_a_role_does_not_allow_is_said(emulator: Running, browser: Browser, others: Organization) -> None:
    with console_of(emulator, browser, "/members") as page:
        act_in(page, others.name)
        expect(page.get_by_role("main")).to_contain_text("You are a member")
        expect(page.get_by_role("button", name="Add a member")).to_have_count(0)
        expect(page.get_by_role("button", name="Remove")).to_have_count(0)
        go(page, "/keys?tab=service", "Keys")
        expect(page.get_by_role("main")).to_contain_text(f"Your role in {others.name} is member")
        go(page, "/billing", "Billing")
        expect(page.get_by_role("main")).to_contain_text("its owners and admins change the plan and pay")
        expect(page.get_by_role("button", name="Top up")).to_have_count(0)


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_it_fits_and_is_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    ok(client.post("/v1/keys", json={"name": "n" * 120, "scopes": ["audit.read", "keys.read", "exec.write"]}))
    with console_of(emulator, browser, "/keys", width=width, scheme=scheme) as page:
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="New key").click()
        page.get_by_label("Only these scopes").check()
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="Close").click()
        for path, heading in (("/keys?tab=ssh", "Keys"), ("/keys?tab=service", "Keys"), ("/members", "Members")):
            go(page, path, heading)
            assert_fits(page)
            assert_accessible(page)
