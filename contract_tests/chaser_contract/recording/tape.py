"""Tape: a HAR file that is whole after each exchange, however the program that writes it ends."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import harfile
from chaser_emulator import __version__

from chaser_contract.exchanges import Exchange
from chaser_contract.reports import har

_END = b"\n]}}\n"


class Tape:
    """Writes exchanges one after the other. The file is its owner's alone."""

    def __init__(self, path: Path) -> None:
        self.entries = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        self._file = os.open(path, flags, 0o600)
        creator = {"name": "chaser-contract record", "version": __version__}
        head = json.dumps({"log": {"version": "1.2", "creator": creator, "entries": []}})
        self._end = os.write(self._file, head.removesuffix("]}}").encode())
        self._put(b"")

    def add(self, exchange: Exchange, url: str, comment: str | None = None) -> None:
        """Add an exchange, from which nothing is to be removed any more."""
        text = json.dumps(_entry(exchange, url, comment), ensure_ascii=False)
        self._put((b"," if self.entries else b"") + b"\n" + text.encode("utf-8", "replace"))
        self.entries += 1

    def _put(self, text: bytes) -> None:
        # The end of the file is written together with what comes before it, and then written over.
        os.pwrite(self._file, text + _END, self._end)
        self._end += len(text)

    def close(self) -> None:
        os.close(self._file)


def _entry(exchange: Exchange, url: str, comment: str | None) -> Any:
    text = io.StringIO()
    with harfile.HarFile.open(text) as file:
        har.add(file, exchange, url, comment)
    return json.loads(text.getvalue())["log"]["entries"][0]
