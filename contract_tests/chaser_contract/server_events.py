"""Server-Sent Events as a command's output comes in: a reader that takes nothing but what is promised."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chaser_contract.broken import Broken

_STREAM = "stream-session-command"


@dataclass(frozen=True)
class Event:
    """One event; `data` is the JSON in it."""

    event: str
    id: str | None
    data: Any


@dataclass
class Followed:
    """What a stream has told so far, each event held to those before it. `start` is where it was to begin."""

    start: int = 0
    most: int = 65_536
    chunks: list[bytes] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    exit: Any = None
    encodings: list[str] = field(default_factory=list)

    @property
    def output(self) -> bytes:
        return b"".join(self.chunks)

    def take(self, event: Event) -> None:
        """Hold an event to what is promised of it. Raises Broken."""
        require(self.exit is None, "nothing comes after the `exit` event", f"{event}")
        if event.event == "exit":
            keys = set(event.data) if isinstance(event.data, dict) else set()
            require(keys == {"status", "exit_code", "output_bytes"}, "`exit` tells status, code and bytes", f"{event}")
            self.exit = event.data
            return
        require(event.event == "output", "events are `output`, and one `exit`", f"{event}")
        require(set(event.data) == {"offset", "encoding", "data"}, "`output` has offset, encoding and data", f"{event}")
        chunk = _bytes_of(event)
        offset = event.data["offset"]
        due = self.start + len(self.output)
        require(offset == due, "each chunk begins where the one before it ended", f"{offset} and not {due}: {event}")
        require(event.id == str(offset + len(chunk)), "the id of an event is the offset after its chunk", f"{event}")
        require(0 < len(chunk) <= self.most, f"a chunk has from 1 to {self.most} bytes", f"it has {len(chunk)}")
        self.chunks.append(chunk)
        self.encodings.append(event.data["encoding"])
        self.ids.append(offset + len(chunk))

    def read(self, lines: Iterable[bytes]) -> Followed:
        """Take all events of a whole answer, which ends with `exit`."""
        for event in events(lines):
            self.take(event)
        require(self.exit is not None, "the `exit` event ends the stream", f"it ended after {len(self.chunks)} chunks")
        return self


def events(pieces: Iterable[bytes]) -> Iterator[Event]:
    """The events of an answer as it comes. Raises Broken for what is no such event."""
    block: dict[str, str] = {}
    for line in _lines(pieces):
        if line.startswith(":"):
            continue
        if line:
            found = re.fullmatch(r"(event|id|data): ?(.*)", line)
            if found is None:
                raise Broken(f"{_STREAM}: a line of the stream is an event, an id, data or a comment", repr(line[:200]))
            name, value = found.groups()
            require(name not in block, "each event has one line of a kind", f"two of {name}")
            block[name] = value
        elif block:
            yield _event(block)
            block = {}
    require(not block, "an event ends with an empty line", f"{block} is the last that came")


def require(condition: object, promise: str, came: str) -> None:
    """Raise Broken about the stream, unless that is so."""
    if not condition:
        raise Broken(f"{_STREAM}: {promise}", came if len(came) <= 300 else f"{came[:300]}…")


def _event(block: dict[str, str]) -> Event:
    require("event" in block and "data" in block, "each event has a name and data", f"{block}")
    try:
        data = json.loads(block["data"])
    except ValueError:
        raise Broken(f"{_STREAM}: the data of an event is JSON", block["data"][:200]) from None
    return Event(block["event"], block.get("id"), data)


def _bytes_of(event: Event) -> bytes:
    """The bytes of a chunk, which is text wherever it can be."""
    encoding, text = event.data["encoding"], event.data["data"]
    if encoding == "utf-8":
        return str(text).encode()
    require(encoding == "base64", "a chunk is utf-8 or base64", f"{event}")
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Broken(f"{_STREAM}: a chunk in base64 is base64", f"{text[:100]!r}") from None
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw
    raise Broken(f"{_STREAM}: a chunk is base64 only where it is no UTF-8", f"{raw[:100]!r} is UTF-8, in base64")


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines as they come, each without its end."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield _text(line)
    require(not rest, "the last line of the stream is ended", f"{rest[:100]!r}")


def _text(line: bytes) -> str:
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise Broken(f"{_STREAM}: the stream is UTF-8", f"{line[:100]!r}") from None
