"""The live view of a browser: pictures that a page of another browser shows, for as long as somebody looks."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from chaser_emulator.server import Running
from emulators import http_of
from people import ok
from playwright.sync_api import sync_playwright
from requirements import chromium
from test_browsers import browser, end, local, page_at, site, start

__all__ = ["browser", "local", "site"]


@pytest.fixture
def api(local: Running) -> Iterator[httpx.Client]:
    with http_of(local) as one:
        yield one


def video_of(client: httpx.Client, session: str) -> str:
    return str(ok(client.get(f"/v1/sessions/{session}"))["endpoints"]["video"])


def pictures(answer: httpx.Response) -> Iterator[bytes]:
    """The parts of a stream as they come."""
    data = b""
    for chunk in answer.iter_bytes():
        data += chunk
        while (head := data.find(b"\r\n\r\n")) >= 0:
            size = int(data[:head].lower().rpartition(b"content-length:")[2].split()[0])
            if len(data) < head + 4 + size:
                break
            yield data[head + 4 : head + 4 + size]
            data = data[head + 4 + size :]


def test_a_browser_has_a_view_and_a_sandbox_has_none(api: httpx.Client, browser: str) -> None:
    assert video_of(api, browser).endswith(f"/s/{browser}/video")
    sandbox = ok(api.post("/v1/sessions", json={"ephemeral": True}))
    assert "video" not in sandbox["endpoints"]
    assert httpx.get(f"{sandbox['endpoints']['control']}video").status_code == 404
    end(api, sandbox["id"])


def test_the_view_follows_what_the_page_shows(api: httpx.Client, browser: str, site: str) -> None:
    with page_at(api, browser, site) as cdp, httpx.stream("GET", video_of(api, browser), timeout=20) as answer:
        assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        stream = pictures(answer)
        first = next(stream)
        assert first.startswith(b"\xff\xd8")
        cdp.value("document.body.style.background = 'rgb(10, 200, 30)'")
        assert any(picture != first for picture in stream)


def test_several_people_look_at_once(api: httpx.Client, browser: str, site: str) -> None:
    url = video_of(api, browser)
    with page_at(api, browser, site), httpx.stream("GET", url, timeout=20) as one:
        assert next(pictures(one)).startswith(b"\xff\xd8")
        with httpx.stream("GET", url, timeout=20) as other:
            assert next(pictures(other)).startswith(b"\xff\xd8")
    with httpx.stream("GET", url, timeout=20) as again:
        assert next(pictures(again)).startswith(b"\xff\xd8")


def test_the_view_ends_with_the_session(api: httpx.Client) -> None:
    session = start(api)
    with httpx.stream("GET", video_of(api, session), timeout=20) as answer:
        stream = pictures(answer)
        next(stream)
        end(api, session)
        list(stream)
    assert httpx.get(str(answer.url)).status_code == 404


def test_a_page_shows_the_view(api: httpx.Client, browser: str, site: str) -> None:
    with page_at(api, browser, site), sync_playwright() as playwright:
        viewer = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = viewer.new_page()
        page.set_content(f'<img src="{video_of(api, browser)}">')
        page.wait_for_function("document.querySelector('img').naturalWidth > 100")
        viewer.close()
