"""The tool `browser`: chooses the session whose Chromium is driven, and says what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from chaser_emulator import lookup
from chaser_emulator.browsers import OnDemand, refusals, visits
from chaser_emulator.browsers.devtools import Json
from chaser_emulator.browsers.driving import NotDone, settling, table
from chaser_emulator.browsers.driving.drive import Drive, turn
from chaser_emulator.browsers.driving.tools import Done
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call
from chaser_emulator.store import Row, sessions, workspaces
from chaser_emulator.store.sessions import FAILED, RUNNING, STARTING
from chaser_emulator.tools import BadArguments, Result

_SPARE = 60.0
"""Seconds beside its own timeout after which a tool is given up that waits for something unheard of."""

_POPUP = 1.0
"""Seconds that a page that has opened by itself gets, to be told as what it is."""

_PAGE = {
    "type": "object",
    "required": ["idx", "url", "title", "selected"],
    "additionalProperties": False,
    "properties": {
        "idx": {"type": "integer", "description": "Its number, as select_page and close_page take it."},
        "url": {"type": "string"},
        "title": {"type": "string"},
        "selected": {"type": "boolean", "description": "Whether the tools act on it."},
    },
}

_DIALOG = {
    "type": "object",
    "required": ["type", "message", "answer"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "enum": ["alert", "confirm", "prompt", "beforeunload"]},
        "message": {"type": "string"},
        "answer": {"type": "string", "enum": ["accepted"]},
    },
}

_MESSAGE = {
    "type": "object",
    "required": ["id", "type", "text"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer"},
        "type": {"type": "string"},
        "text": {"type": "string"},
        "url": {"type": "string", "description": "Of the script that wrote it."},
        "line": {"type": "integer"},
    },
}

_REQUEST = {
    "type": "object",
    "required": ["id", "method", "url", "type", "state"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer"},
        "method": {"type": "string"},
        "url": {"type": "string"},
        "type": {"type": "string", "description": "What was asked for: document, script, fetch and so on."},
        "state": {"type": "string", "enum": ["pending", "finished", "failed"]},
        "status": {"type": "integer", "description": "Of the HTTP answer."},
        "error": {"type": "string", "description": "Why there was none."},
    },
}

BROWSER_OUTPUT: Json = {
    "type": "object",
    "description": "Where a tool for browsers acted, and what came of it.",
    "required": ["session_id", "workspace_id", "tool", "result"],
    "additionalProperties": False,
    "properties": {
        "session_id": {"type": "string", "description": "The browser; send it with the next call to go on there."},
        "workspace_id": {"type": ["string", "null"], "description": "Where its profile is kept; null: nowhere."},
        "tool": {"type": "string", "enum": list(table.TOOLS)},
        "result": {
            "type": "object",
            "required": ["message"],
            "additionalProperties": False,
            "properties": {
                "message": {"type": "string", "description": "What happened, or why nothing did."},
                "url": {"type": "string", "description": "Where the page is now."},
                "status": {"type": "integer", "description": "The HTTP status of a navigation."},
                "pages": {"type": "array", "items": _PAGE, "description": "The open pages, where they have changed."},
                "snapshot": {"type": "string", "description": "The outline of the page with its uids."},
                "media_type": {"type": "string", "description": "Of the picture, which is in the content."},
                "value": {"description": "What a function returned, as JSON; null for undefined."},
                "found": {"type": "string", "description": "The text that was waited for."},
                "messages": {"type": "array", "items": _MESSAGE},
                "requests": {"type": "array", "items": _REQUEST},
                "total": {"type": "integer", "description": "How many messages or requests there are in all."},
                "dialogs": {"type": "array", "items": _DIALOG, "description": "Dialogs that opened meanwhile."},
                "downloads": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Names of downloads that began meanwhile.",
                },
            },
        },
    },
}


async def browser(call: Call, arguments: Mapping[str, Any]) -> Result:
    """Do something in a browser, which is started where there is none (M11).

    `session_id` goes before `workspace` and `ephemeral`. With none of them it is the browser that was last started for
    this caller without a workspace, as long as it runs. Raises BadArguments for what a tool does not take, before
    anything is started for it, and ApiError for a browser that cannot be had, or an argument that is out of date.
    """
    tool = arguments["tool"]
    # Null is how some programs say that there is no such argument.
    given = {name: value for name, value in (arguments.get("arguments") or {}).items() if value is not None}
    if wrong := table.problems(tool, given):
        raise BadArguments([(f"arguments/{name}", says) for name, says in wrong])
    row = await _session(call, arguments)
    visit = await visits.visit(call.world, row, call.base_url)
    with call.world.lifecycle.lease(row["id"]):
        try:
            async with asyncio.timeout(_SPARE + (given.get("timeout") or 0) / 1000):
                with refusals.as_answers():
                    async with turn(visit.browser) as drive:
                        return await _perform(drive, row, tool, given)
        except TimeoutError:
            raise ApiError("gateway_timeout", f"the browser of session {row['id']} did not answer in time") from None


async def _perform(drive: Drive, row: Row, tool: str, given: Mapping[str, Any]) -> Result:
    before = {page.target for page in drive.pages}
    failed = False
    try:
        done = await table.TOOLS[tool].run(drive, given)
        for page in drive.pages:
            if page.target not in before:
                await settling.settle(page, page.mark(), longest=_POPUP)
    except NotDone as error:
        text = str(error)
        done, failed = Done(f"{text[:1].upper()}{text[1:]}."), True
    finally:
        for page in drive.pages:
            await page.sweep()
    if ignored := table.unknown(tool, given):
        done.message += f" Not known here, and ignored: {', '.join(one[:100] for one in ignored[:20])}."
    if done.pages or {page.target for page in drive.pages} != before:
        try:
            done.told["pages"] = pages = await drive.listed()
        except NotDone:
            # The browser has ended; that is said already.
            pages = []
        done.sections["Pages"] = "\n".join(_line(one) for one in pages)
    _meanwhile(drive, done)
    structured = {
        "session_id": row["id"],
        "workspace_id": row["workspace_id"],
        "tool": tool,
        "result": {"message": done.message, **done.told},
    }
    return Result(structured, _content(row, tool, done), failed)


def _line(page: Json) -> str:
    title = f' "{page["title"]}"' if page["title"] and page["title"] != page["url"] else ""
    return f"{page['idx']}: {page['url']}{title}{' [selected]' if page['selected'] else ''}"


def _meanwhile(drive: Drive, done: Done) -> None:
    """Tell what has happened since the last tool and that nobody asked for."""
    dialogs: list[Json] = []
    downloads: list[str] = []
    for page in drive.pages:
        dialogs, page.dialogs = dialogs + page.dialogs, []
        downloads, page.downloads = downloads + page.downloads, []
    if dialogs:
        done.told["dialogs"] = dialogs
        lines = Counter(f"{one['type']}: {one['message']} ({one['answer']})" for one in dialogs)
        done.sections["Dialogs"] = "\n".join(
            f"{line} × {count}" if count > 1 else line for line, count in lines.items()
        )
    if downloads:
        done.told["downloads"] = downloads
        done.sections["Downloads"] = "\n".join(downloads)


def _content(row: Row, tool: str, done: Done) -> list[Mapping[str, Any]]:
    # Short ones first: a snapshot can be long.
    titles = sorted(done.sections, key=lambda title: title.startswith("Latest"))
    sections = [f"## {title}\n{done.sections[title]}" for title in titles]
    where = f"session_id: {row['id']}" + (f", workspace_id: {row['workspace_id']}" if row["workspace_id"] else "")
    text = "\n\n".join([f"# {tool}\n{done.message}", *sections, where])
    content: list[Mapping[str, Any]] = [{"type": "text", "text": text}]
    if done.picture is not None:
        data, media_type = done.picture
        content.append({"type": "image", "data": data, "mimeType": media_type})
    return content


async def _session(call: Call, arguments: Mapping[str, Any]) -> Row:
    """The session to act in; a new one where that is what the arguments mean."""
    if (session_id := arguments.get("session_id")) is not None:
        row = await lookup.session(call, session_id)
        if row["session_type"] == "browser":
            call.world.lifecycle.require_time(row)
        return row
    if (selector := arguments.get("workspace")) is not None:
        found = await workspaces.find(call.store, call.account.id, selector)
        if found is not None and found["session_type"] != "browser":
            kind = found["session_type"]
            raise ApiError("invalid_request", f"workspace: {selector!r} is for {kind} sessions, not for browsers")
        return await _started(call, {"workspace": selector})
    mine = call.world.browsers.on_demand.setdefault((call.account.id, call.principal.id), OnDemand())
    if arguments.get("ephemeral"):
        row = await _started(call, {"ephemeral": True})
        mine.session_id = row["id"]
        return row
    async with mine.starting:
        last = None if mine.session_id is None else await sessions.get_in(call.store, call.account.id, mine.session_id)
        if last is None or last["status"] not in (STARTING, RUNNING) or call.world.lifecycle.expired(last):
            last = await _started(call, {"ephemeral": True})
            mine.session_id = last["id"]
        return last


async def _started(call: Call, body: Json) -> Row:
    """The session that a create answers. Raises ApiError `sandbox_unavailable` when it cannot be started (S27)."""
    made = await call.perform("create-session", {"session_type": "browser", **body})
    row = await lookup.session(call, made["id"])
    if row["status"] == FAILED:
        raise ApiError("sandbox_unavailable", f"the browser could not be started: {row['failure']}")
    return row
