"""What each tool does with the pages of a browser, and what it has to say of that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.browsers.devtools import Json
from chaser_emulator.browsers.driving import NotDone, acting, keys, looking, outline, settling
from chaser_emulator.browsers.driving.drive import Drive
from chaser_emulator.browsers.driving.pages import Node, Page
from chaser_emulator.browsers.driving.watching import LONGEST_URL, clip, page_of
from chaser_emulator.errors import ApiError

NAVIGATION_MS = 10_000
SCRIPT_MS = 15_000
TEXT_MS = 5_000

MESSAGES = (
    *("log", "debug", "info", "error", "warn", "dir", "dirxml", "table", "trace", "clear", "startGroup"),
    *("startGroupCollapsed", "endGroup", "assert", "profile", "profileEnd", "count", "timeEnd", "verbose"),
)
RESOURCES = (
    *("document", "stylesheet", "image", "media", "font", "script", "texttrack", "xhr", "fetch", "prefetch"),
    *("eventsource", "websocket", "manifest", "signedexchange", "ping", "cspviolationreport", "preflight", "fedcm"),
    "other",
)


@dataclass
class Done:
    """What a tool has to say: a sentence, sections of text below it, what a program reads, and perhaps a picture."""

    message: str
    told: Json = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)
    picture: tuple[str, str] | None = None
    """Base64, and its media type."""
    pages: bool = False
    """Whether to list the pages below."""


def refused(argument: str, says: str) -> ApiError:
    """What is wrong with an argument as things are in the browser."""
    where = f"arguments/{argument}"
    details = [{"in": "body", "pointer": f"/params/arguments/{where}", "message": says}]
    return ApiError("invalid_request", f"{where}: {says}", details=details)


def _seconds(arguments: Mapping[str, Any], default: int) -> float:
    return float(arguments.get("timeout") or default) / 1000


async def navigate_page(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    page = await drive.current()
    seconds = _seconds(arguments, NAVIGATION_MS)
    match arguments.get("type") or "url":
        case "back":
            arrived = await settling.step(page, -1, seconds)
            did = "Went back to"
        case "forward":
            arrived = await settling.step(page, 1, seconds)
            did = "Went forward to"
        case "reload":
            arrived = await settling.reload(page, seconds, ignore_cache=bool(arguments.get("ignoreCache")))
            did = "Loaded again:"
        case _:
            arrived = await settling.go(page, arguments["url"].strip(), seconds)
            did = "Went to"
    return _arrived(did, arrived)


async def new_page(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    url = arguments["url"].strip()
    page = await drive.add("about:blank")
    if url == "about:blank":
        return Done("Opened a new page.", {"url": url}, pages=True)
    return _arrived("Opened a new page at", await settling.go(page, url, _seconds(arguments, NAVIGATION_MS)))


async def list_pages(drive: Drive, _: Mapping[str, Any]) -> Done:
    if not drive.pages:
        await drive.current()
    count = len(drive.pages)
    return Done(f"There {'is 1 page' if count == 1 else f'are {count} pages'} open.", pages=True)


async def select_page(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    index, page = _page(drive, arguments)
    drive.selected = page
    await drive.to_front(page)
    return Done(f"Selected page {index}.", pages=True)


async def close_page(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    index, page = _page(drive, arguments)
    if len(drive.pages) == 1:
        raise NotDone("the last open page cannot be closed; leave it open, or go elsewhere with navigate_page")
    await drive.remove(page)
    return Done(f"Closed page {index}.", pages=True)


async def take_snapshot(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    page = await drive.current()
    text = await _snapshot(drive, page, verbose=bool(arguments.get("verbose")))
    return Done(
        "Took a snapshot.", {"url": clip(page.url, LONGEST_URL), "snapshot": text}, {"Latest page snapshot": text}
    )


async def take_screenshot(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    page = await drive.current()
    node = _node(drive, page, arguments["uid"]) if "uid" in arguments else None
    await drive.to_front(page)
    form, quality = arguments.get("format") or "png", arguments.get("quality")
    full = bool(arguments.get("fullPage"))
    data, cut = await looking.picture(page, form, None if quality is None else round(quality), node=node, full=full)
    what = f"of {node}" if node else "of the whole page" if full else "of what is to be seen of the page"
    message = f"Took a picture {what}." + (" It is cut off: the page is larger than pictures can be." if cut else "")
    media_type = f"image/{form}"
    return Done(message, {"url": clip(page.url, LONGEST_URL), "media_type": media_type}, picture=(data, media_type))


async def click(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    page, node = await _target(drive, arguments)
    double = bool(arguments.get("dblClick"))
    before = _place(page)
    await acting.click(page, node, double=double)
    return await _acted(drive, page, before, f"{'Double-clicked' if double else 'Clicked'} {node}.", arguments)


async def fill(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    page, node = await _target(drive, arguments)
    before = _place(page)
    now = await acting.fill(page, node, arguments["value"])
    message = f"Filled in {node}." + (f" It holds {json.dumps(now, ensure_ascii=False)} now." if now else "")
    return await _acted(drive, page, before, message, arguments)


async def hover(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    page, node = await _target(drive, arguments)
    before = _place(page)
    await acting.hover(page, node)
    return await _acted(drive, page, before, f"Pointed at {node}.", arguments)


async def press_key(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    held, key = keys.parse(arguments["key"])
    page = await drive.current()
    await drive.to_front(page)
    before = _place(page)
    await acting.press(page, held, key)
    return await _acted(drive, page, before, f"Pressed {arguments['key']}.", arguments)


async def evaluate_script(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    page = await drive.current()
    uids = [one if isinstance(one, str) else one["uid"] for one in arguments.get("args") or []]
    nodes = [_node(drive, page, uid, f"args/{index}/uid") for index, uid in enumerate(uids)]
    mark, before = page.mark(), _place(page)
    value = await looking.evaluate(page, arguments["function"], nodes, _seconds(arguments, SCRIPT_MS))
    await settling.settle(page, mark)
    done = await _acted(drive, page, before, "Ran the function.", arguments)
    done.told["value"] = value
    done.sections["Returned"] = f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```"
    return done


async def wait_for(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    page = await drive.current()
    wanted = arguments["text"]
    texts = [wanted] if isinstance(wanted, str) else wanted
    found = await looking.wait_for(page, texts, _seconds(arguments, TEXT_MS))
    text = await _snapshot(drive, page)
    told = {"url": clip(page.url, LONGEST_URL), "found": found, "snapshot": text}
    return Done(f'"{found}" is on the page.', told, {"Latest page snapshot": text})


async def list_console_messages(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    page = await drive.current()
    kinds = arguments.get("types")
    found = [one for one in page.console.messages if not kinds or one["type"] in kinds]
    part = page_of(found, arguments.get("pageSize"), arguments.get("pageIdx") or 0)
    lines = [f"msgid={one['id']} [{one['type']}] {one['text']}{_where(one)}" for one in part]
    text = "\n".join(lines) or "<no console messages found>"
    return Done(_counted(part, found, "message"), {"messages": part, "total": len(found)}, {"Console messages": text})


async def list_network_requests(drive: Drive, arguments: Mapping[str, Any]) -> Done:
    page = await drive.current()
    kinds = arguments.get("resourceTypes")
    found = [dict(one) for one in page.network.requests.values() if not kinds or one["type"] in kinds]
    part = page_of(found, arguments.get("pageSize"), arguments.get("pageIdx") or 0)
    lines = [f"reqid={one['id']} {one['method']} {one['url']} ({one['type']}) {_outcome(one)}" for one in part]
    text = "\n".join(lines) or "<no requests found>"
    return Done(_counted(part, found, "request"), {"requests": part, "total": len(found)}, {"Network requests": text})


def _arrived(did: str, arrived: settling.Arrived) -> Done:
    failed = arrived.status is not None and arrived.status >= 400
    status = f" The server answered {arrived.status}." if failed else ""
    told: Json = {"url": arrived.url} | ({"status": arrived.status} if arrived.status is not None else {})
    return Done(f"{did} {arrived.url}.{status}", told, pages=True)


def _page(drive: Drive, arguments: Mapping[str, Any]) -> tuple[int, Page]:
    name = "pageIdx" if "pageIdx" in arguments else "pageId"
    index = arguments[name]
    page = drive.at(index)
    if page is None:
        raise refused(name, f"is no open page; there are 0 to {len(drive.pages) - 1}")
    return index, page


def _node(drive: Drive, page: Page, uid: str, pointer: str = "uid") -> Node:
    node = page.nodes.get(uid)
    if node is not None:
        return node
    for number, other in enumerate(drive.pages):
        if uid in other.nodes:
            raise refused(pointer, f"is of page {number}, which is not selected; select it with select_page first")
    stale = "is stale: it is not of the newest snapshot of this page" if uid[:1].isdigit() else "is no uid"
    raise refused(pointer, f"{uid!r} {stale}; take a new snapshot with take_snapshot")


async def _target(drive: Drive, arguments: Mapping[str, Any]) -> tuple[Page, Node]:
    page = await drive.current()
    page.require_open()
    node = _node(drive, page, arguments["uid"])
    await drive.to_front(page)
    return page, node


async def _snapshot(drive: Drive, page: Page, *, verbose: bool = False) -> str:
    drive.snapshots += 1
    taken = await outline.take(page, drive.snapshots, verbose=verbose)
    page.nodes = taken.nodes
    return taken.text


def _place(page: Page) -> tuple[str, int]:
    return page.url, page.documents


async def _acted(drive: Drive, page: Page, before: tuple[str, int], message: str, arguments: Mapping[str, Any]) -> Done:
    """What an action has led to."""
    if page.closed:
        return Done(f"{message} The page has been closed by that.", pages=True)
    if page.crashed:
        raise NotDone(f"{message} The page has crashed by that.")
    done = Done(message, {"url": clip(page.url, LONGEST_URL)})
    if _place(page) != before:
        done.message += f" The page is at {clip(page.url, LONGEST_URL)} now."
        done.pages = True
        if page.unreachable is not None:
            reason = page.network.why_failed(page.unreachable) or "it cannot be reached"
            done.message += f" There is nothing there: {reason}."
        elif not page.at_rest:
            done.message += " It has not finished loading yet."
    elif page.other_program is not None:
        done.message += (
            f" That is for another program ({page.other_program}:), and there is none here. Load the page again with "
            "navigate_page if it does not react any more: the browser may be asking which one to use."
        )
        page.other_program = None
    elif page.starting:
        done.message += " Another page is on its way, which has not answered yet."
    if arguments.get("includeSnapshot"):
        done.told["snapshot"] = done.sections["Latest page snapshot"] = await _snapshot(drive, page)
    return done


def _where(message: Json) -> str:
    return f" ({message['url']}:{message['line']})" if "url" in message else ""


def _outcome(request: Json) -> str:
    status = f" {request['status']}" if "status" in request else ""
    if request["state"] == "failed":
        return f"[failed - {request['error']}{status}]"
    if request["state"] == "pending":
        return f"[pending{status}]"
    return f"[{'success' if request.get('status', 0) < 400 else 'failed'} -{status or ' done'}]"


def _counted(part: list[Any], found: list[Any], what: str) -> str:
    many = f"{len(found)} {what}{'' if len(found) == 1 else 's'}"
    return f"There are {many}." if len(part) == len(found) else f"{len(part)} of {many}."
