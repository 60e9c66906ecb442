"""What somebody meant who wrote what is no JSON: commas too many or too few, other quotes, words of Python."""

from __future__ import annotations

import math
import re
from typing import Any

_SPACE = re.compile(r"(?:\s|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.S)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?=[\s,:\]}/#]|$)")
_WORD = re.compile(r"[^\s,:\[\]{}\"']+")
_FIELD = re.compile(r"[^\s,:=\[\]{}\"']+")
_WORDS = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "null": None, "None": None, "undefined": None, "nil": None, "NULL": None,
    "NaN": None, "Infinity": None, "-Infinity": None,
}  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_QUOTES = {'"': '"', "'": "'", "“": "”", "”": "”", "‘": "’", "`": "`"}
_DEEPEST = 60


def lenient(raw: bytes) -> Any:
    """The likeliest value; a text that is nothing like JSON is a string."""
    text = raw.decode("utf-8", "replace").lstrip("\ufeff").strip()
    try:
        return _Reader(text).value(0)
    except RecursionError:
        return {}


class _Reader:
    """Reads one value, and takes no offence at anything."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _next(self) -> str:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def value(self, depth: int) -> Any:
        first = self._next()
        if first in ("{", "[") and depth < _DEEPEST:
            self._at += 1
            return self._object(depth + 1) if first == "{" else self._list(depth + 1)
        if first in _QUOTES:
            return self._string(_QUOTES[first])
        number = _NUMBER.match(self._text, self._at)
        if number:
            self._at = number.end()
            return _number(number.group())
        word = _WORD.match(self._text, self._at)
        if not word:
            self._at += 1
            return None
        self._at = word.end()
        return _WORDS.get(word.group(), word.group())

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (first := self._next()) and first not in "}]":
            if first in ",;":
                self._at += 1
                continue
            name = self._string(_QUOTES[first]) if first in _QUOTES else self._name()
            if self._next() in ("=", ":") and self._next():
                self._at += 1
            found[name] = self.value(depth) if self._next() not in ("", ",", "}") else None
        self._at += 1
        return found

    def _list(self, depth: int) -> list[Any]:
        found = []
        while (first := self._next()) and first not in "]}":
            if first in ",;":
                self._at += 1
                continue
            found.append(self.value(depth))
        self._at += 1
        return found

    def _name(self) -> str:
        word = _FIELD.match(self._text, self._at)
        self._at = word.end() if word else self._at + 1
        return word.group() if word else ""

    def _string(self, end: str) -> str:
        self._at += 1
        found: list[str] = []
        while self._at < len(self._text) and self._text[self._at] != end:
            char = self._text[self._at]
            if char == "\\" and self._at + 1 < len(self._text):
                self._at += 1
                char = self._escaped(self._text[self._at])
            found.append(char)
            self._at += 1
        self._at += 1
        # Half a surrogate pair is no character.
        return "".join(found).encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _escaped(self, char: str) -> str:
        digits = self._text[self._at + 1 : self._at + 5]
        if char == "u" and re.fullmatch("[0-9a-fA-F]{4}", digits):
            self._at += 4
            return chr(int(digits, 16))
        return _ESCAPES.get(char, char)


def _number(text: str) -> Any:
    if re.fullmatch(r"[+-]?\d{1,300}", text):
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else None
