"""What `terminal` does to files: read, write, edit one place, list a folder, in the sandbox of a session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from chaser_emulator import lookup, uploads
from chaser_emulator.errors import ApiError
from chaser_emulator.operations import Call
from chaser_emulator.paths import in_sandbox
from chaser_emulator.sandbox import FileDownload
from chaser_emulator.store import Row
from chaser_emulator.tools.xml import ApplyEdit, FileOperation, ListFiles, ReadFile, WriteFile

LISTED = 1000
"""Entries of a folder in one answer."""


async def perform(call: Call, session: Row, wanted: FileOperation) -> Mapping[str, Any]:
    """Do it in a sandbox that runs; answers `kind` and what belongs to it.

    Raises ApiError, and of the engine's errors those of `read_file`, `write_file` and `list_files`.
    """
    with call.world.lifecycle.use(session["id"]):
        async with lookup.attentive(call, session):
            match wanted:
                case ReadFile():
                    return await _read(call, session, wanted)
                case WriteFile():
                    data = wanted.text.encode()
                    return {"kind": "write_file", **await _store(call, session, wanted.path, data)}
                case ApplyEdit():
                    return await _edit(call, session, wanted)
                case ListFiles():
                    return await _list(call, session, wanted)


async def _read(call: Call, session: Row, wanted: ReadFile) -> Mapping[str, Any]:
    text, size = await _text(call, session, wanted.path)
    # By LF alone: what else may end a line belongs to the text.
    lines = text.split("\n")
    total = len(lines) - (lines[-1] == "")
    start = wanted.start_line or 1
    end = total if wanted.end_line is None else min(wanted.end_line, total)
    if start > max(total, 1):
        raise ApiError("invalid_request", f"start_line is {start}, and {wanted.path} has {_lines(total)}")
    last = "" if end == len(lines) else "\n"
    content = "\n".join(lines[start - 1 : end]) + last if end >= start else ""
    return {
        "kind": "read_file",
        "path": in_sandbox(wanted.path),
        "content": content,
        "size": size,
        "start_line": start,
        "end_line": end,
        "total_lines": total,
    }


async def _edit(call: Call, session: Row, wanted: ApplyEdit) -> Mapping[str, Any]:
    text, _size = await _text(call, session, wanted.path)
    search, replace = wanted.search, wanted.replace
    # A model writes LF; a file that ends its lines with CR LF goes on to do so.
    if "\r\n" in text and ("\n" in search + replace) and text.count("\r\n") == text.count("\n"):
        search, replace = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (search, replace))
    found = text.count(search)
    at = text.find(search)
    if found == 1 and text.find(search, at + 1) >= 0:
        found = 2  # those that overlap
    if found != 1:
        what = "does not occur" if found == 0 else f"occurs {found} times"
        hint = "read the file again, and copy it exactly" if found == 0 else "take more of what is around it"
        raise ApiError("invalid_request", f"<search> {what} in {wanted.path}, and it must once: {hint}")
    data = f"{text[:at]}{replace}{text[at + len(search) :]}".encode()
    stored = await _store(call, session, wanted.path, data, keep_mode=True)
    return {"kind": "apply_edit", **stored, "line": text.count("\n", 0, at) + 1}


async def _list(call: Call, session: Row, wanted: ListFiles) -> Mapping[str, Any]:
    listing = await call.engine.list_files(session["ref"], wanted.path, recursive=wanted.recursive, limit=LISTED)
    entries = [
        {"path": entry.path, "type": entry.kind} | ({} if entry.size is None else {"size": entry.size})
        for entry in listing.entries
    ]
    return {
        "kind": "list_files",
        "path": in_sandbox(wanted.path),
        "entries": entries,
        "truncated": listing.truncated,
    }


async def _text(call: Call, session: Row, path: str) -> tuple[str, int]:
    """A file's text and its bytes. Raises ApiError for one that is too large, or no text."""
    download = await call.engine.read_file(session["ref"], path)
    data = await _all(download)
    try:
        return data.decode(), len(data)
    except UnicodeDecodeError as error:
        raise ApiError(
            "invalid_request",
            f"{path} is no UTF-8 text (byte {error.start} of {len(data)}); download it, or look at it with a command",
        ) from None


async def _all(download: FileDownload) -> bytes:
    try:
        if download.size > uploads.FILE_LIMIT:
            raise uploads.too_large("a file")
        return b"".join([chunk async for chunk in download.chunks])
    finally:
        close = getattr(download.chunks, "aclose", None)
        if close is not None:
            await close()


async def _store(call: Call, session: Row, path: str, data: bytes, *, keep_mode: bool = False) -> dict[str, Any]:
    if len(data) > uploads.FILE_LIMIT:
        raise uploads.too_large("a file")
    size = await call.engine.write_file(session["ref"], path, _one(data), keep_mode=keep_mode)
    return {"path": in_sandbox(path), "size": size}


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"
