"""Browsers inside of containers, where their image has a Chromium: as root and as a user, and that nothing stays."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import images
import pytest
from chaser_emulator.server import Running
from docker.models.containers import Container
from emulators import emulator_on, http_of, sdk_of
from people import ok, refused
from playwright.sync_api import sync_playwright
from requirements import require
from test_browsers import end, start, until

COOKIE = {"name": "kept", "value": "yes", "domain": "site.example", "path": "/"}


@pytest.fixture(scope="module", params=[images.chromium, images.chromium_as_ubuntu], ids=["root", "ubuntu"])
def inside(request: pytest.FixtureRequest) -> Iterator[Running]:
    require("docker")
    require("chromium")
    image: Callable[[], str] = request.param
    with emulator_on("docker", image=image()) as one:
        yield one


@pytest.fixture
def api(inside: Running) -> Iterator[httpx.Client]:
    with http_of(inside) as one:
        yield one


def containers_of(session: str) -> list[Container]:
    client = docker.from_env()
    try:
        return client.containers.list(
            all=True, filters={"label": f"chaser.emulator.session={session}"}, ignore_removed=True
        )
    finally:
        client.close()


def cookies(emulator: Running, session: str, *fresh: dict[str, Any]) -> dict[str, str]:
    """What the browser has, once it has taken the fresh ones."""
    cdp = sdk_of(emulator).browser.connect(session)
    try:
        if fresh:
            cdp.send("Storage.setCookies", {"cookies": [{**one, "expires": time.time() + 9999} for one in fresh]})
        return {one["name"]: one["value"] for one in cdp.send("Storage.getCookies")["cookies"]}
    finally:
        cdp.close()


def test_a_browser_in_a_container_shows_pages_and_leaves_nothing(inside: Running, api: httpx.Client) -> None:
    session = start(api)
    assert len(containers_of(session)) == 1
    assert sdk_of(inside).browser.version(session)["Browser"].startswith("Chrome/")
    control = ok(api.get(f"/v1/sessions/{session}"))["endpoints"]["control"]
    with sync_playwright() as playwright:
        there = playwright.chromium.connect_over_cdp(control)
        page = there.contexts[0].new_page()
        page.set_content("<h1>Hello</h1>")
        assert page.locator("h1").inner_text() == "Hello"
        assert page.screenshot().startswith(b"\x89PNG")
        there.close()
    end(api, session)
    assert containers_of(session) == []


def test_its_profile_is_in_the_workspace_and_in_copies_of_it(inside: Running, api: httpx.Client) -> None:
    workspace = ok(api.post("/v1/workspaces", json={"session_type": "browser"}))["id"]
    session = start(api, workspace=workspace)
    assert cookies(inside, session, COOKIE) == {"kept": "yes"}
    end(api, session)
    copy = ok(api.post("/v1/workspaces", json={"clone_from": workspace}))["id"]
    for one in (workspace, copy):
        session = start(api, workspace=one)
        assert cookies(inside, session) == {"kept": "yes"}
        end(api, session)
        ok(api.delete(f"/v1/workspaces/{one}"))


def test_a_browser_that_is_killed_in_its_container_fails_the_session(api: httpx.Client) -> None:
    session = start(api)
    [container] = containers_of(session)
    container.exec_run(["pkill", "-KILL", "-o", "-f", "user-data-dir"], user="root")
    until(lambda: bool(ok(api.get(f"/v1/sessions/{session}"))["status"] == "failed"), "it has failed")
    assert containers_of(session) == []
    assert "was killed" in refused(api.get(f"/v1/sessions/{session}/json/version"), 409, "not_running")["message"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "user:word@127.0.0.1"])
def test_a_proxy_that_no_container_reaches_is_refused_with_the_reason(api: httpx.Client, host: str) -> None:
    body = {"session_type": "browser", "ephemeral": True, "proxy": f"http://{host}:3128"}
    session = ok(api.post("/v1/sessions", json=body))
    assert session["status"] == "failed"
    message = refused(api.get(f"/v1/sessions/{session['id']}/json/version"), 409, "not_running")["message"]
    assert "A container does not reach the proxy" in message
    assert "word" not in message
    assert containers_of(session["id"]) == []


@pytest.fixture
def hidden() -> Iterator[str]:
    """An image whose Chromium is where those of Playwright have it, and at a path with a space."""
    require("docker")
    require("chromium")
    name = f"chaser-test/hidden:{uuid.uuid4()}"
    client = docker.from_env()
    folders = ("/ms-playwright/chromium-1234/chrome-linux", "/opt/my own")
    made = " && ".join(f"mkdir -p '{one}' && ln -s /usr/lib/chromium/chromium '{one}/chrome'" for one in folders)
    container = client.containers.run(
        images.chromium(), ["sh", "-c", f"rm /usr/bin/chromium && {made}"], detach=True, init=True
    )
    container.wait()
    container.commit(*name.split(":"))
    container.remove()
    yield name
    client.images.remove(name)
    client.close()


@pytest.mark.parametrize("program", [None, "/opt/my own/chrome"])
def test_a_chromium_at_an_unusual_place_of_the_image_is_found(hidden: str, program: str | None) -> None:
    with emulator_on("docker", image=hidden, browser=program) as one, http_of(one) as client:
        session = start(client)
        assert len(containers_of(session)) == 1
        end(client, session)


def test_a_profile_is_found_again_under_another_image(tmp_path: Path) -> None:
    require("docker")
    require("chromium")
    with emulator_on("docker", data_dir=tmp_path) as one, http_of(one) as client:
        beside = ok(client.post("/v1/workspaces", json={"session_type": "browser"}))["id"]
        session = start(client, workspace=beside)
        assert cookies(one, session, COOKIE) == {"kept": "yes"}
        assert containers_of(session) == []
        end(client, session)
    with emulator_on("docker", data_dir=tmp_path, image=images.chromium()) as one, http_of(one) as client:
        session = start(client, workspace=beside)
        assert cookies(one, session) == {"kept": "yes"}
        end(client, session)
        within = ok(client.post("/v1/workspaces", json={"session_type": "browser"}))["id"]
        session = start(client, workspace=within)
        assert len(containers_of(session)) == 1
        end(client, session)
    with emulator_on("docker", data_dir=tmp_path) as one, http_of(one) as client:
        told = ok(client.post("/v1/sessions", json={"session_type": "browser", "workspace": within}))
        assert told["status"] == "failed"
        message = refused(client.get(f"/v1/sessions/{told['id']}/json/version"), 409, "not_running")["message"]
        assert "--image" in message
        for workspace in (beside, within):
            ok(client.delete(f"/v1/workspaces/{workspace}"))
