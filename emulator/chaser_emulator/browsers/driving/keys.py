"""Keys by the names that pages know them by, as on a keyboard with the layout of the United States."""

from __future__ import annotations

from dataclasses import dataclass

MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
_ALIASES = {
    "Ctrl": "Control",
    "Cmd": "Meta",
    "Command": "Meta",
    "Option": "Alt",
    "ControlOrMeta": "Control",
    "Esc": "Escape",
    "Return": "Enter",
    "Del": "Delete",
    "Space": " ",
    "Spacebar": " ",
    "Up": "ArrowUp",
    "Down": "ArrowDown",
    "Left": "ArrowLeft",
    "Right": "ArrowRight",
    "Plus": "+",
}


@dataclass(frozen=True)
class Key:
    """A key: what a page is told of it, and the text that it writes."""

    key: str
    code: str
    number: int
    text: str = ""


def _all() -> dict[str, Key]:
    named = {
        "Backspace": 8,
        "Tab": 9,
        "Escape": 27,
        "PageUp": 33,
        "PageDown": 34,
        "End": 35,
        "Home": 36,
        "ArrowLeft": 37,
        "ArrowUp": 38,
        "ArrowRight": 39,
        "ArrowDown": 40,
        "Insert": 45,
        "Delete": 46,
        "CapsLock": 20,
        "ContextMenu": 93,
        "Pause": 19,
        "PrintScreen": 44,
        "NumLock": 144,
        "ScrollLock": 145,
    }
    keys = {name: Key(name, name, number) for name, number in named.items()}
    keys["Enter"] = Key("Enter", "Enter", 13, "\r")
    keys[" "] = Key(" ", "Space", 32, " ")
    for name, code, number in (
        ("Shift", "ShiftLeft", 16),
        ("Control", "ControlLeft", 17),
        ("Alt", "AltLeft", 18),
        ("Meta", "MetaLeft", 91),
    ):
        keys[name] = Key(name, code, number)
    for one in range(1, 25):
        keys[f"F{one}"] = Key(f"F{one}", f"F{one}", 111 + one)
    for letter in "abcdefghijklmnopqrstuvwxyz":
        for text in (letter, letter.upper()):
            keys[text] = Key(text, f"Key{letter.upper()}", ord(letter.upper()), text)
    for plain, shifted in zip("1234567890", "!@#$%^&*()", strict=True):
        for text in (plain, shifted):
            keys[text] = Key(text, f"Digit{plain}", ord(plain), text)
    for pair, code, number in (
        (";:", "Semicolon", 186),
        ("=+", "Equal", 187),
        (",<", "Comma", 188),
        ("-_", "Minus", 189),
        (".>", "Period", 190),
        ("/?", "Slash", 191),
        ("`~", "Backquote", 192),
        ("[{", "BracketLeft", 219),
        ("\\|", "Backslash", 220),
        ("]}", "BracketRight", 221),
        ("'\"", "Quote", 222),
    ):
        for text in pair:
            keys[text] = Key(text, code, number, text)
    return keys


KEYS = _all()
_BY_LOWER = {name.lower(): name for name in (*KEYS, *_ALIASES) if len(name) > 1}


class NoSuchKey(Exception):
    """There is no key of this name. The text names it."""


def parse(combination: str) -> tuple[list[Key], Key]:
    """The modifiers and the key of `Enter`, `Control+A` or `Control++`. Raises NoSuchKey."""
    words = combination.split("+") if combination != "+" else ["+"]
    if combination.endswith("++"):
        words = [*combination[:-2].split("+"), "+"]
    *held, last = [_key(word) for word in words]
    for one in held:
        if one.key not in MODIFIERS:
            raise NoSuchKey(one.key)
    return held, last


def _key(word: str) -> Key:
    name = word if word in KEYS or word in _ALIASES else _BY_LOWER.get(word.strip().lower(), word)
    name = _ALIASES.get(name, name)
    if name in KEYS:
        return KEYS[name]
    if len(name) == 1 and name.isprintable():
        # A letter of another alphabet, as an input method gives it.
        return Key(name, "", 0, name)
    raise NoSuchKey(word)
