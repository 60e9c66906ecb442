"""Browsers: what they are, their pages, the sockets that drive them, and the extensions they are given."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from chaser_emulator import lookup, uploads
from chaser_emulator.browsers import archives, extensions, refusals, visits
from chaser_emulator.errors import ApiError, invalid_field
from chaser_emulator.operations import Call, Reply, Upgrade, operation
from chaser_emulator.shapes import BrowserCdpTargetInfo, BrowserCdpVersionInfo, BrowserExtensionInfo


async def _visit(call: Call) -> visits.Visit:
    row = await lookup.session(call, call.path["id"])
    base = f"{call.base_url}/v1/sessions/{row['id']}"
    return await visits.visit(call.world, row, base)


@operation("get-browser-version")
async def get_browser_version(call: Call) -> BrowserCdpVersionInfo:
    """The browser, and where it is driven."""
    return await (await _visit(call)).version()


@operation("list-browser-targets")
async def list_browser_targets(call: Call) -> list[BrowserCdpTargetInfo]:
    """Its pages and workers, what was used last first."""
    return await (await _visit(call)).targets()


@operation("list-browser-targets-shortly")
async def list_browser_targets_shortly(call: Call) -> list[BrowserCdpTargetInfo]:
    """The same, under the shorter name (S23)."""
    return await (await _visit(call)).targets()


@operation("open-browser-target")
async def open_browser_target(call: Call) -> BrowserCdpTargetInfo:
    """Open a page (S23)."""
    return await (await _visit(call)).open_target(visits.address(call.request.url.query))


@operation("open-browser-target-by-get")
async def open_browser_target_by_get(call: Call) -> BrowserCdpTargetInfo:
    """The same, as older clients do it."""
    return await (await _visit(call)).open_target(visits.address(call.request.url.query))


@operation("activate-browser-target")
async def activate_browser_target(call: Call) -> Reply:
    """Bring a page to the front."""
    return Reply(await (await _visit(call)).activate(call.path["target"]), media_type="text/plain")


@operation("close-browser-target")
async def close_browser_target(call: Call) -> Reply:
    """Close a page."""
    return Reply(await (await _visit(call)).close(call.path["target"]), media_type="text/plain")


@operation("get-browser-protocol")
async def get_browser_protocol(call: Call) -> Any:
    """The DevTools protocol of this browser, described by itself."""
    return await (await _visit(call)).protocol()


@operation("connect-browser")
async def connect_browser(call: Call) -> Upgrade:
    """All of the browser on a WebSocket; the path is the credential (S22)."""
    return await visits.connect_browser(call.world, call.path["id"], call.path["guid"])


@operation("connect-browser-target")
async def connect_browser_target(call: Call) -> Upgrade:
    """One page on a WebSocket; the path is the credential (S22)."""
    return await visits.connect_target(call.world, call.path["id"], call.path["target"])


@operation("upload-browser-extension")
async def upload_browser_extension(call: Call) -> BrowserExtensionInfo:
    """Unpack an extension, and load it at once (S24)."""
    visit = await _visit(call)
    part: UploadFile | str = call.body["file"]
    if uploads.size(part) > archives.LIMIT:
        raise uploads.too_large("a file")
    if isinstance(part, str):
        raise invalid_field("/file", "is text; send the archive as a file, with a file name")
    try:
        # Some work for the processor; the loop has others to serve.
        extension = await run_in_threadpool(archives.read, part.file)
    except archives.BadArchive as error:
        raise invalid_field("/file", str(error)) from None
    try:
        with refusals.as_answers():
            return await extensions.install(visit.browser, extension)
    except extensions.Refused as error:
        raise ApiError("invalid_request", f"body /file: Chromium does not take it: {error}") from None
