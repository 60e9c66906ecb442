"""Single files, into a sandbox and out of it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import AsyncGenerator
from urllib.parse import quote

from chaser_emulator import lookup, uploads
from chaser_emulator.operations import Call, Reply, operation
from chaser_emulator.paths import in_sandbox
from chaser_emulator.sandbox import FileDownload
from chaser_emulator.shapes import SessionFileUploadResponse
from chaser_emulator.store import Row

_UNQUOTABLE = re.compile(r"[^ !#-\[\]-~]")
"""What cannot stand in a quoted file name that every client reads alike."""


@operation("upload-session-file")
async def upload_session_file(call: Call) -> SessionFileUploadResponse:
    """Store one file in a sandbox, in place of what was there (X29)."""
    path, part = call.body["path"], call.body["file"]
    if uploads.size(part) > uploads.FILE_LIMIT:
        raise uploads.too_large("a file")
    row = await lookup.sandbox(call, call.path["id"])
    with call.world.lifecycle.use(row["id"]):
        async with lookup.attentive(call, row):
            size = await call.engine.write_file(row["ref"], path, uploads.chunks(part))
    return {"path": in_sandbox(path), "size": size}


@operation("download-session-file")
async def download_session_file(call: Call) -> Reply:
    """Send one file of a sandbox as bytes (X30, X31)."""
    path = call.query["path"]
    row = await lookup.sandbox(call, call.path["id"])
    async with lookup.attentive(call, row):
        download = await call.engine.read_file(row["ref"], path)
    chunks = _sent(call, row, download)
    await anext(chunks)
    if download.size > uploads.FILE_LIMIT:
        await chunks.aclose()
        raise uploads.too_large("a file")
    headers = {
        "Content-Length": str(download.size),
        "Content-Disposition": _attachment(posixpath.basename(in_sandbox(path))),
    }
    return Reply(chunks=chunks, media_type="application/octet-stream", headers=headers)


async def _sent(call: Call, row: Row, download: FileDownload) -> AsyncGenerator[bytes, None]:
    """The content of a file, which is let go of at the end.

    The first value is empty and the handler's to take: to close a generator that was never begun would close nothing.
    """
    try:
        with call.world.lifecycle.use(row["id"]):
            yield b""
            async for chunk in download.chunks:
                yield chunk
    finally:
        close = getattr(download.chunks, "aclose", None)
        if close is not None:
            await close()


def _attachment(name: str) -> str:
    """Content-Disposition with a file name in both forms of RFC 6266: a plain one for all, and the exact one."""
    plain = _UNQUOTABLE.sub("_", name)
    exact = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{exact}'
