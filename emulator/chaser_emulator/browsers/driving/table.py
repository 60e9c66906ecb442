"""The tools for a browser by their names in chrome-devtools-mcp: what each takes, and what it does."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs

from chaser_emulator.browsers.devtools import Json
from chaser_emulator.browsers.driving import keys, tools
from chaser_emulator.browsers.driving.drive import Drive
from chaser_emulator.browsers.driving.tools import Done
from chaser_emulator.schema_words import explain, pointer_of
from chaser_emulator.validation import holds_more_than

LONGEST_MS = 300_000
_MOST_VALUES = 1_000
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True)
class Tool:
    """One tool: a sentence about it, the JSON Schema of its arguments, and who does it."""

    says: str
    schema: Json
    run: Callable[[Drive, Mapping[str, Any]], Awaitable[Done]]


def _takes(required: tuple[str, ...] = (), /, **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def _text(says: str, **more: Any) -> Json:
    return {"type": "string", "description": says, **more}


def _flag(says: str) -> Json:
    return {"type": "boolean", "description": says}


def _number(says: str, **more: Any) -> Json:
    return {"type": "integer", "description": says, **more}


_UID = _text("An id of the newest snapshot.", minLength=1, maxLength=64)
_URL = _text("An address with its scheme, such as https://example.com.", minLength=1, maxLength=2**21)
_PAGE = _number("The number of a page in list_pages.", minimum=0)
_SIZE = _number("The most to answer with.", minimum=1)
_INDEX = _number("How many times as many to skip.", minimum=0)
_SNAPSHOT = _flag("Answer with a new snapshot as well.")
_ONE_PAGE = {"anyOf": [{"required": ["pageIdx"]}, {"required": ["pageId"]}]}


def _within(default: int) -> Json:
    return _number(
        f"Milliseconds to wait at most; {default} where nothing or 0 is said.", minimum=0, maximum=LONGEST_MS
    )


def _kinds(*names: str) -> Json:
    return {"type": "array", "description": "Only of these kinds.", "items": {"type": "string", "enum": list(names)}}


TOOLS: dict[str, Tool] = {
    "navigate_page": Tool(
        "Go to a url, or back, forward, or load the page again.",
        _takes(
            url=_URL,
            type={"type": "string", "enum": ["url", "back", "forward", "reload"]},
            ignoreCache=_flag("With reload: ask the server for everything again."),
            timeout=_within(tools.NAVIGATION_MS),
        ),
        tools.navigate_page,
    ),
    "new_page": Tool(
        "Open a page, which is selected.",
        _takes(("url",), url=_URL, timeout=_within(tools.NAVIGATION_MS)),
        tools.new_page,
    ),
    "list_pages": Tool("List the open pages.", _takes(), tools.list_pages),
    "select_page": Tool(
        "Select the page that the other tools act on.",
        _takes(pageIdx=_PAGE, pageId=_PAGE, bringToFront=_flag("It always is.")) | _ONE_PAGE,
        tools.select_page,
    ),
    "close_page": Tool(
        "Close a page; the last one cannot be closed.",
        _takes(pageIdx=_PAGE, pageId=_PAGE) | _ONE_PAGE,
        tools.close_page,
    ),
    "take_snapshot": Tool(
        "What is on the page as an outline, with the uids that click, fill, hover and others take.",
        _takes(verbose=_flag("Everything, also what says nothing by itself.")),
        tools.take_snapshot,
    ),
    "take_screenshot": Tool(
        "A picture of what is to be seen, of one element, or of the whole page.",
        _takes(
            format={"type": "string", "enum": ["png", "jpeg", "webp"], "default": "png"},
            quality={"type": "number", "description": "Of jpeg and webp.", "minimum": 0, "maximum": 100},
            uid=_UID,
            fullPage=_flag("All of the page, not only the part in the window."),
        ),
        tools.take_screenshot,
    ),
    "click": Tool(
        "Click an element.",
        _takes(("uid",), uid=_UID, dblClick=_flag("Click twice."), includeSnapshot=_SNAPSHOT),
        tools.click,
    ),
    "fill": Tool(
        "Fill an input, a text area or an editable element; choose an option of a list; tick a box (true or false).",
        _takes(("uid", "value"), uid=_UID, value=_text("What to put in.", maxLength=2**20), includeSnapshot=_SNAPSHOT),
        tools.fill,
    ),
    "hover": Tool("Point at an element.", _takes(("uid",), uid=_UID, includeSnapshot=_SNAPSHOT), tools.hover),
    "press_key": Tool(
        "Press a key, or several at once.",
        _takes(("key",), key=_text("Such as Enter, Control+A or Shift+Tab.", minLength=1), includeSnapshot=_SNAPSHOT),
        tools.press_key,
    ),
    "evaluate_script": Tool(
        "Run a function in the page; what it returns is answered as JSON.",
        _takes(
            ("function",),
            function=_text('Such as "() => document.title" or "(element) => element.innerText".', minLength=1),
            args={
                "type": "array",
                "description": "Elements for the function, by their uids.",
                "items": {"anyOf": [{"type": "string"}, _takes(("uid",), uid=_UID)]},
                "maxItems": 100,
            },
            timeout=_within(tools.SCRIPT_MS),
        ),
        tools.evaluate_script,
    ),
    "wait_for": Tool(
        "Wait for a text to appear on the page.",
        _takes(
            ("text",),
            text={
                "description": "The text, or a list of which one is enough.",
                "anyOf": [
                    {"type": "string", "minLength": 1},
                    {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
                ],
            },
            timeout=_within(tools.TEXT_MS),
        ),
        tools.wait_for,
    ),
    "list_console_messages": Tool(
        "What the page has written to its console, with its uncaught errors.",
        _takes(types=_kinds(*tools.MESSAGES), pageSize=_SIZE, pageIdx=_INDEX),
        tools.list_console_messages,
    ),
    "list_network_requests": Tool(
        "What the page has asked of the network.",
        _takes(resourceTypes=_kinds(*tools.RESOURCES), pageSize=_SIZE, pageIdx=_INDEX),
        tools.list_network_requests,
    ),
}


@cache
def _compiled(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(TOOLS[name].schema)


def problems(name: str, arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with the arguments of a tool whatever its browser shows: pairs of an argument, and a clause."""
    found = []
    for argument, value in arguments.items():
        if holds_more_than(value, _MOST_VALUES):
            # Whoever checks them finds all mistakes before naming one.
            return [(argument, f"holds more than {_MOST_VALUES} values, for {name}")]
    for error in _compiled(name).iter_errors(dict(arguments)):
        pointer, says = pointer_of(error).lstrip("/"), explain(error)
        if not pointer:
            pointer, says = "pageIdx", "is required, the number of a page in list_pages"
        found.append((pointer, f"{says}, for {name}"))
    if found:
        return found
    if name == "navigate_page":
        found += _navigation(arguments)
    if name == "take_screenshot" and "uid" in arguments and arguments.get("fullPage"):
        found.append(("fullPage", "does not go with uid; send one of them"))
    if "url" in arguments:
        found += _address(arguments["url"].strip())
    if name == "press_key":
        found += _key(arguments["key"])
    return found


def unknown(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """Arguments that a tool does not have. Newer versions of chrome-devtools-mcp may, so they are no mistake."""
    return [one for one in arguments if one not in TOOLS[name].schema["properties"]]


def _address(url: str) -> list[tuple[str, str]]:
    if not _ADDRESS.match(url):
        return [("url", "has no scheme; write an address such as https://example.com")]
    if url.lower().startswith("javascript:"):
        return [("url", "is a script; run it with evaluate_script")]
    return []


def _key(combination: str) -> list[tuple[str, str]]:
    try:
        keys.parse(combination)
    except keys.NoSuchKey as error:
        says = f"names no key: {str(error)!r}; write a key such as Enter, Tab, a or F5, or several as Control+Shift+A"
        return [("key", says)]
    return []


def _navigation(arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    kind = arguments.get("type")
    if kind in (None, "url") and "url" not in arguments:
        return [("url", "is required, unless type is back, forward or reload")]
    if kind not in (None, "url") and "url" in arguments:
        return [("url", f"does not go with type {kind}; send one of them")]
    return []
