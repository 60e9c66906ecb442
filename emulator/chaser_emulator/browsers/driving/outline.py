"""What is on a page, as somebody hears it who does not see it: an indented outline, with ids to act on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chaser_emulator.browsers.devtools import Json, Refused
from chaser_emulator.browsers.driving import NotDone
from chaser_emulator.browsers.driving.pages import Node, Page
from chaser_emulator.browsers.driving.watching import LONGEST_URL, clip

LONGEST = 400_000
"""Characters of an outline; what comes after is left out, and said to be."""

_PATIENCE = 15.0
_FRAMES = 100
_NEVER = {"InlineTextBox", "LineBreak"}
_PLAIN = {
    "generic",
    "none",
    "paragraph",
    "presentation",
    "GenericContainer",
    "LabelText",
    "Section",
    "strong",
    "emphasis",
    "code",
}
"""Roles that say nothing by themselves: what is in them stands for itself."""

_FRAME_ROLES = {"Iframe", "IframePresentational"}
_FLAGS = ("disabled", "focused", "pressed", "checked", "expanded", "selected", "required", "readonly", "modal", "busy")
_WORDS = ("level", "url", "haspopup", "valuemin", "valuemax", "valuetext", "roledescription", "errormessage")
_MORE = ("focusable", "editable", "multiline", "multiselectable", "autocomplete", "orientation", "live", "keyshortcuts")
"""What is only told when everything is asked for."""


@dataclass(frozen=True)
class Outline:
    """The text, and what each of its ids stands for."""

    text: str
    nodes: dict[str, Node]


@dataclass(frozen=True)
class _Tree:
    """The accessibility tree of one frame."""

    session: str
    frame: str
    nodes: Mapping[str, Json]
    root: str
    inner: dict[str, _Tree]


async def take(page: Page, number: int, *, verbose: bool = False) -> Outline:
    """The outline of a page as it is now; ids begin with `number`. Raises NotDone."""
    tree = await _tree(page, page.session, page.target, [_FRAMES])
    if tree is None:
        raise NotDone("the page has no document yet; wait for it to load, or go to an address with navigate_page")
    lines: list[str] = []
    nodes: dict[str, Node] = {}
    left = LONGEST
    for depth, found, told in _walk(tree, verbose):
        uid = f"{number}_{len(nodes)}"
        role, name = _value(told, "role"), _value(told, "name")
        line = " ".join([f"{'  ' * depth}uid={uid} {role}", *_said(told, verbose)])
        left -= len(line) + 1
        if left < 0:
            lines.append("… the rest is left out, as it is too long; use evaluate_script to look at a part of it")
            break
        lines.append(line)
        nodes[uid] = Node(found.session, found.frame, int(told.get("backendDOMNodeId", 0)), role, name)
    return Outline("\n".join(lines), nodes)


async def texts(page: Page) -> Iterator[str]:
    """All names and values on a page, for who looks for a text. Raises NotDone."""
    tree = await _tree(page, page.session, page.target, [_FRAMES])
    if tree is None:
        return iter(())
    return (
        text
        for _, _, told in _walk(tree, verbose=False)
        for text in (_value(told, "name"), _value(told, "value"))
        if text
    )


async def _tree(page: Page, session: str, frame: str, budget: list[int]) -> _Tree | None:
    """The tree of a frame and of those inside it; None for one that is not there (any more)."""
    if budget[0] <= 0:
        return None
    budget[0] -= 1
    try:
        told = await page.ask("Accessibility.getFullAXTree", within=_PATIENCE, session=session, frameId=frame)
    except Refused:
        return None
    listed = told.get("nodes", [])
    if not listed:
        return None
    root = next((one for one in listed if "parentId" not in one), listed[0])
    tree = _Tree(session, frame, {one["nodeId"]: one for one in listed}, root["nodeId"], {})
    for one in listed:
        if _value(one, "role") in _FRAME_ROLES and "backendDOMNodeId" in one:
            inner = await _inside(page, session, one["backendDOMNodeId"], budget)
            if inner is not None:
                tree.inner[one["nodeId"]] = inner
    return tree


async def _inside(page: Page, session: str, backend: int, budget: list[int]) -> _Tree | None:
    try:
        described = await page.ask("DOM.describeNode", session=session, backendNodeId=backend)
        frame = described["node"].get("frameId")
        if frame is None:
            return None
        return await _tree(page, page.session_of(frame, session), frame, budget)
    except (Refused, NotDone):
        # A frame that does not answer is no reason to show nothing of the page.
        page.require_open()
        return None


def _walk(tree: _Tree, verbose: bool) -> Iterator[tuple[int, _Tree, Json]]:
    """Everything worth a line, with its depth, from top to bottom. Without recursion: pages can be deep."""
    stack = [(0, tree, tree.root)]
    while stack:
        depth, found, key = stack.pop()
        told = found.nodes.get(key)
        if told is None:
            continue
        role = _value(told, "role")
        if role in _NEVER and not told.get("ignored"):
            continue
        children: list[tuple[_Tree, str]] = [(found, child) for child in told.get("childIds", [])]
        if (inner := found.inner.get(key)) is not None:
            children.append((inner, inner.root))
        shown = not told.get("ignored") and (verbose or _matters(told, role))
        if shown:
            yield depth, found, told
            if not verbose and _says_it_all(told, children):
                continue
        stack += [(depth + shown, *child) for child in reversed(children)]


def _matters(told: Json, role: str) -> bool:
    if role in _PLAIN:
        return bool(_property(told, "focusable") or (_value(told, "name") and role == "generic"))
    return role != "StaticText" or bool(_value(told, "name").strip())


def _says_it_all(told: Json, children: list[tuple[_Tree, str]]) -> bool:
    """Whether a name or a value repeats the text inside, which is then not said again."""
    said = ["".join(_value(told, part).split()) for part in ("name", "value")]
    if not any(said):
        return False
    found = [tree.nodes.get(key, {}) for tree, key in children]
    parts = [part for part in found if not _is_empty(part)]
    if any(part.get("ignored") or _value(part, "role") != "StaticText" for part in parts):
        return False
    inside = "".join("".join(_value(part, "name").split()) for part in parts)
    return any(inside in one for one in said if one)


def _is_empty(told: Json) -> bool:
    return _value(told, "role") in _NEVER or bool(told.get("ignored") and not told.get("childIds"))


def _said(told: Json, verbose: bool) -> Iterator[str]:
    """The name of a node and what else is to be known of it."""
    role, name, value = (_value(told, part) for part in ("role", "name", "value"))
    if name:
        yield _quoted(name)
    if value and value != name:
        yield f"value={_quoted(value)}"
    if (description := _value(told, "description")) and description != name:
        yield f"description={_quoted(description)}"
    for one in _FLAGS + (_MORE if verbose else ()):
        found = _property(told, one)
        if found is True or found == "true":
            yield one
        elif found is False and one == "expanded":
            yield 'expanded="false"'
        elif isinstance(found, str) and found not in ("", "false", "none"):
            yield f"{one}={_quoted(found)}"
    if (invalid := _property(told, "invalid")) not in (None, False, "false", ""):
        yield "invalid" if invalid in (True, "true") else f"invalid={_quoted(str(invalid))}"
    for one in _WORDS:
        found = _property(told, one)
        if found in (None, "", "false", False) or (one.startswith("value") and role not in ("slider", "spinbutton")):
            continue
        yield f"{one}={_quoted(clip(str(found), LONGEST_URL))}"


def _property(told: Json, name: str) -> Any:
    for one in told.get("properties", []):
        if one["name"] == name:
            return one["value"].get("value")
    return None


def _value(told: Json, name: str) -> str:
    return str(told.get(name, {}).get("value", ""))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
