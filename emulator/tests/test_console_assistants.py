"""Assistants in the console: made, changed and paused, with channels, secrets, state, usage and change requests."""

from __future__ import annotations

import httpx
import pytest
from assistants import create, path_of, propose, read, use, used
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of, go
from people import ok, refused
from playwright.sync_api import Browser, expect

MARKUP = "<b id=bold>helper</b>"
SECRET = "123456:a-secret-of-a-bot"


def test_an_assistant_is_made_changed_and_paused(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/assistants") as page:
        expect(page.get_by_role("main")).to_contain_text("No assistants yet")
        page.get_by_role("button", name="New assistant").click()
        page.get_by_label("name (required)").fill(MARKUP)
        page.get_by_label("provider").fill("anthropic")
        page.get_by_label("has a sandbox").select_option(label="yes")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(MARKUP)
        assert page.locator("#bold").count() == 0
        made = ok(client.get("/v1/assistants"))["assistants"][0]
        assert made["config"] == {"model": {"provider": "anthropic"}, "tools": {"sandbox": True}}
        page.get_by_role("button", name="Edit").click()
        page.get_by_label("provider").fill("")
        page.get_by_label("system prompt").fill("Answer in one sentence.")
        page.get_by_text("More", exact=True).click()
        page.get_by_label("other settings").fill('{"mood": ["calm"]}')
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="Configuration, version 2")).to_be_visible()
        expect(page.get_by_role("main")).to_contain_text("Answer in one sentence.")
        assert read(client, made)["config"] == {
            "model": {}, "tools": {"sandbox": True}, "system_prompt": "Answer in one sentence.", "mood": ["calm"],
        }  # fmt: skip
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("paused")
        assert read(client, made)["status"] == "paused"
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("active")
        page.get_by_role("button", name="Rename").click()
        page.get_by_label("name", exact=True).fill("concierge")
        page.get_by_role("dialog").get_by_role("button", name="Rename").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("concierge")
        assert read(client, made)["name"] == "concierge"


def test_channels_are_bound_and_secrets_never_shown(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    one = create(client, "bound")
    with console_of(emulator, browser, f"/assistants/{one['id']}?tab=channels") as page:
        page.get_by_role("button", name="Bind a channel").click()
        page.get_by_label("channel type (required)").select_option(label="discord")
        page.get_by_label("channel id (required)").fill("112233")
        page.get_by_label("credential name").fill("bot")
        page.get_by_role("button", name="Bind", exact=True).click()
        expect(page.get_by_role("row").filter(has_text="112233")).to_contain_text("discord")
        assert read(client, one)["channels"][0]["credential_name"] == "bot"
        page.get_by_role("link", name="Credentials").click()
        page.get_by_role("button", name="Put a credential").click()
        page.get_by_label("name (required)").fill("bot")
        page.get_by_label("value (required)").fill(SECRET)
        page.get_by_role("button", name="Put it into the vault").click()
        expect(page.get_by_role("row").filter(has_text="bot")).to_contain_text("this assistant")
        assert SECRET not in page.content()
        wanted = {"assistant_id": one["id"], "name": "bot"}
        assert ok(client.post("/v1/assistants/resolve-credential", json=wanted))["value"] == SECRET
        listed = client.get(f"/_emulator/assistants/{one['id']}/credentials")
        assert ([each["name"] for each in ok(listed)["credentials"]], SECRET in listed.text) == (["bot"], False)
        page.get_by_role("link", name="Channels").click()
        page.get_by_role("button", name="Unbind 112233").click()
        page.get_by_role("dialog").get_by_role("button", name="Unbind").click()
        expect(page.get_by_role("main")).to_contain_text("No channels yet")
        assert read(client, one)["channels"] == []


def test_what_it_remembers_is_not_written_over(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    one = create(client, "mindful")
    path = path_of(one, "runtime-state")
    with console_of(emulator, browser, f"/assistants/{one['id']}?tab=state", expected=("409",)) as page:
        expect(page.get_by_role("main")).to_contain_text("Nothing was written yet")
        page.get_by_role("button", name="Edit").click()
        page.get_by_label("state (required)").fill('{"greeted": ["ada"]}')
        ok(client.put(path, json={"state": "of another"}))
        page.get_by_role("button", name="Write it").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("version")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("main")).to_contain_text("of another")
        page.get_by_role("button", name="Edit").click()
        page.get_by_label("state (required)").fill('{"greeted": ["ada"]}')
        page.get_by_role("button", name="Write it").click()
        expect(page.get_by_role("heading", name="State, version 2")).to_be_visible()
        assert ok(client.get(path))["state"] == {"greeted": ["ada"]}


def test_what_it_used_is_summed(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    one = create(client, "busy")
    with console_of(emulator, browser, f"/assistants/{one['id']}?tab=usage") as page:
        page.get_by_role("button", name="Note an event").click()
        page.get_by_label("kind (required)").select_option(label="tokens")
        page.get_by_label("quantity (required)").fill("1280")
        page.get_by_role("button", name="Note it").click()
        expect(page.get_by_role("main")).to_contain_text("1,280")
        use(client, one, 20)
        expect(page.get_by_role("main")).to_contain_text("1,300")
        assert used(client, one)["totals"]["tokens"] == 1300


def test_a_change_is_proposed_approved_and_denied(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    one = create(client, "asked", system_prompt="Be kind.")
    with console_of(emulator, browser, f"/assistants/{one['id']}?tab=changes") as page:
        page.get_by_role("button", name="Propose a change").click()
        page.get_by_label("has a browser").select_option(label="yes")
        page.get_by_label("why").fill("People send links.")
        page.get_by_role("button", name="Propose", exact=True).click()
        expect(page.get_by_role("article")).to_contain_text("People send links.")
        assert read(client, one)["config"] == {"system_prompt": "Be kind."}
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("article")).to_contain_text("approved")
        assert read(client, one)["config"] == {"system_prompt": "Be kind.", "tools": {"browser": True}}
        other = propose(client, one, {"system_prompt": None})
        page.get_by_role("button", name=f"Deny {other['id'][:8]}").click()
        expect(page.get_by_role("article", name=other["id"][:8])).to_contain_text("denied")
        assert read(client, one)["config"]["system_prompt"] == "Be kind."
        listed = ok(client.get(f"/_emulator/assistants/{one['id']}/changes"))["changes"]
        assert [each["status"] for each in listed] == ["denied", "approved"]


def test_lists_of_an_assistant_that_is_not_there_are_refused(client: httpx.Client) -> None:
    for what in ("changes", "credentials"):
        refused(client.get(f"/_emulator/assistants/none/{what}"), 404, "not_found")


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_it_fits_and_is_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    one = create(client, f"fits {width}", system_prompt="x" * 300, model={"provider": "anthropic"})
    use(client, one, 3)
    propose(client, one, {"tools": {"browser": True}}, reason="y" * 200)
    with console_of(emulator, browser, "/assistants", width=width, scheme=scheme, expected=("404",)) as page:
        page.get_by_role("link", name=f"fits {width}").wait_for()
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="New assistant").click()
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="Close").click()
        for tab in ("config", "channels", "credentials", "state", "usage", "changes"):
            go(page, f"/assistants/{one['id']}?tab={tab}", f"fits {width}")
            page.get_by_role("navigation", name="Parts of the assistant").locator(
                f"[aria-current][href*={tab}]"
            ).wait_for()
            assert_fits(page)
            assert_accessible(page)
        go(page, "/assistants/none", "Assistant")
        expect(page.get_by_role("main")).to_contain_text("there is no assistant")
