"""What a person does on a page: click, point, fill in, press keys."""

from __future__ import annotations

import contextlib
from typing import Any

from chaser_emulator.browsers.devtools import Json
from chaser_emulator.browsers.driving import NotDone, elements, keys, scripts
from chaser_emulator.browsers.driving.pages import Node, Page
from chaser_emulator.browsers.driving.settling import settle


async def click(page: Page, node: Node, *, double: bool = False) -> None:
    """Click in the middle of an element, and wait for what follows. Raises NotDone when it cannot be clicked."""
    if node.role in ("option", "MenuListOption") and await _choose(page, node):
        return
    mark = page.mark()
    x, y = await elements.point(page, node)
    await _mouse(page, "mouseMoved", x, y)
    for count in (1, 2) if double else (1,):
        await _mouse(page, "mousePressed", x, y, button="left", buttons=1, clickCount=count)
        await _mouse(page, "mouseReleased", x, y, button="left", clickCount=count)
    await settle(page, mark)


async def hover(page: Page, node: Node) -> None:
    """Point at an element, and wait for what follows. Raises NotDone."""
    mark = page.mark()
    x, y = await elements.point(page, node, seen=False)
    await _mouse(page, "mouseMoved", x, y)
    await settle(page, mark)


async def fill(page: Page, node: Node, value: str) -> str | None:
    """Fill an element of a form, in place of what was in it. Answers what is in it now, where that is something else.

    Raises NotDone when it cannot be filled, or not with this.
    """
    mark = page.mark()
    found: Json = await elements.run(page, node, scripts.FILL, value)
    if found.get("click"):
        x, y = await elements.point(page, node)
        await _mouse(page, "mouseMoved", x, y)
        await _mouse(page, "mousePressed", x, y, button="left", buttons=1, clickCount=1)
        await _mouse(page, "mouseReleased", x, y, button="left", clickCount=1)
    elif found.get("type"):
        await _type(page, value)
    elif not found.get("done") and "click" not in found:
        raise NotDone(_why_not(node, found))
    now = None
    if found.get("type"):
        with contextlib.suppress(NotDone):
            # What is typed may lead elsewhere, or be put in another form by the page.
            told: Json = await elements.run(page, node, scripts.READ)
            now = told.get("now")
    await settle(page, mark)
    if now is None or _plain(now) == _plain(value):
        return None
    if value and not now:
        raise NotDone(f"{node} did not take {value[:100]!r}; it is empty now")
    return str(now)


async def press(page: Page, held: list[keys.Key], key: keys.Key) -> None:
    """Press a key while others are held, on what has the focus, and wait for what follows. Raises NotDone."""
    mark = page.mark()
    modifiers = 0
    for one in held:
        modifiers |= keys.MODIFIERS[one.key]
        await _key(page, "rawKeyDown", one, modifiers)
    text = key.text if not modifiers & ~keys.MODIFIERS["Shift"] else ""
    if modifiers & keys.MODIFIERS["Shift"] and len(key.key) == 1 and key.key.isalpha():
        key = keys.Key(key.key.upper(), key.code, key.number, key.text.upper())
        text = text.upper()
    await _key(page, "keyDown" if text else "rawKeyDown", key, modifiers, text)
    if not page.closed:
        with contextlib.suppress(NotDone):
            await _key(page, "keyUp", key, modifiers)
            for one in reversed(held):
                modifiers &= ~keys.MODIFIERS[one.key]
                await _key(page, "keyUp", one, modifiers)
    await settle(page, mark)


async def _choose(page: Page, node: Node) -> bool:
    """Click on an option of a list that is folded: that is to choose it. False where it is one that can be seen."""
    value = await elements.run(
        page,
        node,
        """function () {
          const list = this.closest && this.closest('select');
          return list && !this.getClientRects().length ? this.value : null;
        }""",
    )
    if value is None:
        return False
    await fill(page, node, str(value))
    return True


async def _type(page: Page, value: str) -> None:
    if value:
        await page.ask("Input.insertText", text=value)
    else:
        await press(page, [], keys.KEYS["Delete"])


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip("\n")


def _why_not(node: Node, found: Json) -> str:
    if "options" in found:
        options = ", ".join(f'"{one}"' for one in found["options"]) or "none"
        return f"{node} has no such option; there are: {options}"
    if "barred" in found:
        return f'{node} has the option "{found["barred"]}", but that is disabled'
    if "accepted" in found:
        return f"{node} takes {found['accepted']}"
    if "refused" in found:
        forms = {
            "date": "2026-01-31",
            "time": "13:30",
            "datetime-local": "2026-01-31T13:30",
            "month": "2026-01",
            "week": "2026-W05",
            "color": "#ff8800",
            "range": "a number between its ends, on one of its steps",
        }
        return f"{node} is an input for {found['refused']} and does not take this; it takes {forms[found['refused']]}"
    if "disabled" in found:
        return f"{node} is disabled"
    if "readonly" in found:
        return f"{node} can only be read"
    return f"{node} is {found.get('kind', 'nothing')} and cannot be filled; click it, or press keys on it"


async def _mouse(page: Page, kind: str, x: float, y: float, **more: Any) -> None:
    await _input(page, "Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)


async def _key(page: Page, kind: str, key: keys.Key, modifiers: int, text: str = "") -> None:
    more = {"text": text, "unmodifiedText": text} if text else {}
    await _input(
        page,
        "Input.dispatchKeyEvent",
        type=kind,
        modifiers=modifiers,
        key=key.key,
        code=key.code,
        windowsVirtualKeyCode=key.number,
        **more,
    )


async def _input(page: Page, method: str, **params: Any) -> None:
    """Send an input. A page that it closes does not answer any more, which is no failure."""
    try:
        await page.ask(method, **params)
    except NotDone:
        if not page.closed:
            raise
