"""Workspaces in the console: made, copied, opened, looked into, kept, compared, gone back and deleted by clicking."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from bases import bare
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of, go
from emulators import emulator_on, http_of
from people import ok
from playwright.sync_api import Browser, Locator, Page, expect
from test_snapshots import content, names, put, snap
from test_workspaces import clone, create, session_on, upload

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An emulator where files are real, with a repository that can be imported."""
    folder = tmp_path_factory.mktemp("repositories") / "base"
    bare(folder, "octo/hello", {"README.md": "hello\n", ".devcontainer/devcontainer.json": '{"forwardPorts": [3000]}'})
    with emulator_on("local", github_url=str(folder)) as one:
        yield one


@pytest.fixture
def real(local: Running) -> Iterator[httpx.Client]:
    with http_of(local) as one:
        yield one


def row_of(page: Page, name: str) -> Locator:
    """The row of a table that has a link or a cell with this name."""
    return page.get_by_role("row").filter(has_text=name)


def item(page: Page, name: str) -> Locator:
    """Something in the tree of files; what is spoken of it begins with its name."""
    return page.get_by_role("treeitem", name=re.compile(rf"^{re.escape(name)},"))


def test_a_workspace_is_made_renamed_marked_and_deleted(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/workspaces", expected=("status of 400",)) as page:
        expect(page.get_by_text("No workspaces yet")).to_be_visible()
        page.get_by_role("button", name="New workspace").click()
        page.get_by_label("name").fill("not a name")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_label("name")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("name").fill("first")
        page.get_by_label("image").fill("python:3.12-slim")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="first", level=1).wait_for()
        made = client.get("/v1/workspaces").json()[0]
        assert (made["name"], made["session_type"], made["image"]) == ("first", "sandbox", "python:3.12-slim")
        page.get_by_role("button", name="Rename").click()
        page.get_by_role("dialog").get_by_label("name").fill("second")
        page.get_by_role("dialog").get_by_role("button", name="Rename").click()
        page.get_by_role("heading", name="second idle", level=1).wait_for()
        page.get_by_role("button", name="Make it a template").click()
        page.get_by_role("heading", name="second idle template", level=1).wait_for()
        page.get_by_role("link", name="Workspaces", exact=True).click()
        expect(row_of(page, "second")).to_contain_text("template")
        page.get_by_role("link", name="second").click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_text("No workspaces yet")).to_be_visible()
        assert client.get("/v1/workspaces").json() == []


def test_those_that_are_chosen_are_deleted_and_what_others_do_is_seen(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/workspaces") as page:
        for name in ("one", "two", "three"):
            create(client, name=name)
        session_on(client, "two")
        expect(row_of(page, "two")).to_contain_text("active")
        page.get_by_label("Choose two").check()
        page.get_by_label("Choose three").check()
        expect(page.get_by_text("2 workspaces are chosen.")).to_be_visible()
        page.get_by_role("button", name="Delete the chosen").click()
        expect(page.get_by_role("dialog")).to_contain_text("A session uses one of them, and ends first")
        page.get_by_role("button", name="Delete them").click()
        expect(page.get_by_role("row")).to_have_count(2)
        assert [one["name"] for one in client.get("/v1/workspaces").json()] == ["one"]
        page.get_by_role("button", name="Open a session in one").click()
        page.get_by_role("heading", name="Session", level=1).wait_for()
        assert client.get("/v1/workspaces").json()[0]["status"] == "active"
        client.delete("/v1/workspaces/one", params={"force": True})


def test_a_repository_is_imported_and_what_it_is_is_told(local: Running, browser: Browser, real: httpx.Client) -> None:
    with console_of(local, browser, "/workspaces", expected=("status of 404",)) as page:
        page.get_by_role("button", name="Import a repository").click()
        page.get_by_role("textbox", name="repository").fill("octo/nothing")
        page.get_by_role("button", name="Import", exact=True).click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("octo/nothing")
        page.get_by_role("textbox", name="repository").fill("octo/hello")
        page.get_by_role("button", name="Import", exact=True).click()
        told = page.get_by_role("dialog", name="Imported as hello")
        expect(told).to_contain_text("octo/hello")
        expect(told).to_contain_text("3000")
        told.get_by_role("button", name="Open the workspace").click()
        page.get_by_role("heading", name="hello", level=1).wait_for()
        expect(item(page, "README.md")).to_be_visible()
        real.delete("/v1/workspaces/hello")


def test_files_are_looked_at_without_a_session_now_and_in_a_snapshot(
    local: Running, browser: Browser, real: httpx.Client
) -> None:
    one = create(real, name="files")
    put(real, "files", "src/app.py", b"print('old')\n")
    put(real, "files", MARKUP, MARKUP.encode())
    snap(real, "files", name="before")
    put(real, "files", "src/app.py", b"print('new')\n")
    with console_of(local, browser, f"/workspaces/{one['id']}") as page:
        item(page, "src").click()
        item(page, "app.py").click()
        expect(page.get_by_role("region", name="Content of app.py")).to_contain_text("print('new')")
        page.get_by_label("Files of").select_option("before")
        item(page, "src").click()
        item(page, "app.py").click()
        expect(page.get_by_role("region", name="Content of app.py")).to_contain_text("print('old')")
        item(page, MARKUP).click()
        expect(page.get_by_role("region", name="Content of")).to_contain_text(MARKUP)
        page.get_by_label("Files of").select_option("")
        expect(item(page, MARKUP)).to_be_visible()
        assert real.get("/v1/sessions").json()["sessions"] == []
        session = session_on(real, "files")
        expect(page.get_by_role("link", name="Go to its session")).to_be_visible()
        upload(real, session, "written", b"meanwhile")
        expect(item(page, "written")).to_be_visible()
    real.delete("/v1/workspaces/files", params={"force": True})


def test_what_has_changed_is_shown_by_line_and_undone(local: Running, browser: Browser, real: httpx.Client) -> None:
    one = create(real, name="changing")
    put(real, "changing", "app.py", b"one\ntwo\nthree\n")
    put(real, "changing", "gone", b"gone")
    with console_of(local, browser, f"/workspaces/{one['id']}?tab=changes") as page:
        page.get_by_role("link", name="Keep a snapshot").click()
        page.get_by_role("button", name="New snapshot").click()
        page.get_by_role("dialog").get_by_label("name").fill("good")
        page.get_by_role("button", name="Keep them").click()
        expect(row_of(page, "good")).to_be_visible()
        assert names(real, "changing") == ["good"]
        session = session_on(real, "changing")
        upload(real, session, "app.py", f"one\n2\nthree\n{MARKUP}\n".encode())
        upload(real, session, "new", b"new")
        ok(real.post(f"/v1/sessions/{session}/exec", json={"command": "rm gone"}))
        page.get_by_role("link", name="Changes since good").click()
        expect(page.get_by_text("1 added, 1 removed, 1 changed.")).to_be_visible()
        expect(row_of(page, "app.py")).to_contain_text("14 B → 41 B")
        page.get_by_role("button", name="app.py").click()
        shown = page.get_by_role("dialog")
        expect(shown.get_by_role("row").filter(has_text="removed")).to_contain_text("two")
        expect(shown.get_by_role("row").filter(has_text=MARKUP)).to_contain_text("added")
        shown.get_by_role("button", name="Close").click()
        page.get_by_role("link", name="Snapshots").click()
        page.get_by_role("button", name="Go back to good").click()
        expect(page.get_by_role("dialog")).to_contain_text("it ends first")
        page.get_by_role("button", name="End the session and go back").click()
        expect(page.get_by_text("The files are those of good again.")).to_be_visible()
        assert real.get(f"/v1/sessions/{session}").json()["status"] == "terminated"
        page.get_by_role("link", name="Changes", exact=True).click()
        expect(page.get_by_role("status").filter(has_text="Nothing differs.")).to_be_visible()
        page.get_by_role("link", name="Snapshots").click()
        page.get_by_role("button", name="Delete good").click()
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_text("No snapshots yet")).to_be_visible()
    assert names(real, "changing") == []
    assert content(real, "changing", "app.py") == b"one\ntwo\nthree\n"
    real.delete("/v1/workspaces/changing", params={"force": True})


def test_copies_are_made_and_shown_as_a_tree(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    base = create(client, name="base", template=True)
    child = clone(client, "base", name="child")
    with console_of(emulator, browser, f"/workspaces/{child['id']}?tab=copies") as page:
        page.get_by_role("button", name="Make a copy").click()
        page.get_by_label("name").fill("grandchild")
        page.get_by_role("button", name="Make the copy").click()
        page.get_by_role("heading", name="grandchild", level=1).wait_for()
        page.get_by_role("link", name="Copies").click()
        tree = page.get_by_role("main").get_by_role("list").filter(has_text="grandchild").first
        expect(tree.get_by_role("listitem").filter(has_text="grandchild").last).to_have_text(re.compile("^grandchild"))
        expect(tree.get_by_role("link")).to_have_text(["base", "child", "grandchild"])
        client.delete("/v1/workspaces/base")
        expect(page.get_by_text("which is gone")).to_be_visible()
        page.get_by_role("link", name="Workspaces", exact=True).click()
        page.get_by_role("button", name="Copy a workspace").click()
        page.get_by_label("copy of").select_option("child")
        page.get_by_role("button", name="Make the copy").click()
        page.get_by_role("heading", name="idle", level=1).wait_for()
    made = {one["name"]: one for one in client.get("/v1/workspaces").json()}
    assert made["grandchild"]["source_workspace_id"] == child["id"]
    assert sum(one["source_workspace_id"] == child["id"] for one in made.values()) == 2
    assert base["id"] not in {one["id"] for one in made.values()}
    ok(client.post("/v1/workspaces/bulk-delete", json={"all": True}))


def test_storage_is_a_picture_with_names_and_a_table(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    create(client, name="large")
    put(client, "large", "f", bytes(3 * 2**20))
    snap(client, "large", name="kept")
    create(client, name="small")
    put(client, "small", "f", bytes(2**20))
    with console_of(emulator, browser, "/workspaces") as page:
        card = page.get_by_role("region", name="Storage", exact=True)
        expect(card).to_contain_text("7.0 MiB of")
        areas = card.get_by_role("group").get_by_role("link")
        expect(areas).to_have_count(3)
        area = card.get_by_role("link", name="large, snapshot kept: 3.0 MiB")
        area.focus()
        expect(card.locator("p").filter(has_text="large, snapshot kept: 3.0 MiB")).to_be_visible()
        boxes = [areas.nth(at).bounding_box() for at in range(3)]
        sizes = sorted(box["width"] * box["height"] for box in boxes if box)
        assert sizes[2] / sizes[0] == pytest.approx(3, rel=0.05)
        card.get_by_text("As a table").click()
        expect(card.get_by_role("row").filter(has_text="small")).to_contain_text("1,048,576")
        expect(row_of(page, "small").last).to_contain_text("1.0 MiB")
        area.click()
        page.get_by_role("heading", name="large", level=1).wait_for()
        expect(page.get_by_role("link", name="kept", exact=True)).to_be_visible()
    ok(client.post("/v1/workspaces/bulk-delete", json={"all": True}))


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1920, "light")])
def test_its_pages_fit_and_are_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    one = create(client, name="a-rather-long-name-of-a-workspace-that-goes-on-and-on", image="python:3.12-slim")
    put(client, one["id"], "f", b"one\n" * 20)
    snap(client, one["id"], name="kept")
    put(client, one["id"], "f", b"one\n" * 19 + b"two\n")
    clone(client, one["id"], name="copy")
    session_on(client, one["id"])
    with console_of(emulator, browser, "/workspaces", width=width, scheme=scheme) as page:
        page.get_by_label("Choose copy").check()
        expect(page.get_by_text("are used")).to_be_visible()
        assert_fits(page)
        assert_accessible(page)
        for tab in ("files", "snapshots", "changes", "copies"):
            go(page, f"/workspaces/{one['id']}?tab={tab}", one["name"])
            expect(page.get_by_role("link", name=tab.capitalize(), exact=True)).to_have_attribute(
                "aria-current", "page"
            )
            if tab == "changes":
                expect(row_of(page, "changed")).to_be_visible()
            assert_fits(page)
            assert_accessible(page)
        go(page, f"/workspaces/{one['id']}?tab=changes", one["name"])
        page.get_by_role("button", name="f", exact=True).click()
        expect(page.get_by_role("dialog").get_by_role("row").filter(has_text="two")).to_be_visible()
        assert_fits(page)
        assert_accessible(page)
    ok(client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True}))
