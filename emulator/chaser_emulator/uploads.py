"""Bodies on their way in: JSON up to a limit, and multipart forms streamed to a file that is gone at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from chaser_emulator.errors import ApiError, Problem, invalid

JSON_LIMIT = 2 * 2**20
"""Bytes of a JSON body."""

FILE_LIMIT = 16 * 2**20
"""Bytes of an uploaded or downloaded file (X28)."""

_ENVELOPE = 64 * 2**10
_CHUNK = 256 * 2**10


PASSING = 64 * 2**10
"""Bytes of a body that is read although nobody wants it."""

_PATIENCE = 1.0

_READ_ON = 64 * 2**20
"""Bytes of a body beyond its limit that are read, so that who still sends is there to be told."""


async def let_pass(request: Request) -> None:
    """Read a short body that nobody wants, so that the journal has all of a refused request."""
    declared = request.headers.get("content-length", "")
    if "expect" in request.headers or not (declared.isascii() and declared.isdigit()):
        return
    if int(declared[:20]) <= PASSING:
        with contextlib.suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(_PATIENCE):
                await request.body()


async def _read_on(request: Request, rest: AsyncIterator[bytes]) -> None:
    """Read the rest of a body that is too large, for a while: with the connection cut, nobody would see the refusal."""
    if "expect" in request.headers:
        return
    read = 0
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_PATIENCE):
            async for chunk in rest:
                read += len(chunk)
                if read > _READ_ON:
                    break


async def read_json(request: Request) -> bytes:
    """The whole body. Raises ApiError `payload_too_large` as soon as it is known to be."""
    return b"".join([chunk async for chunk in _limited(request, JSON_LIMIT, "a JSON body")])


async def read_text(request: Request, limit: int, what: str) -> bytes:
    """A whole body of any type. Raises ApiError `payload_too_large` as soon as it is known to be beyond the limit."""
    received = bytearray()
    stream = request.stream()
    async for chunk in stream:
        received += chunk
        if len(received) > limit:
            await _read_on(request, stream)
            text = f"{what} may have at most {limit // 2**20} MiB"
            raise ApiError("payload_too_large", text, details={"limit": limit})
    return bytes(received)


async def read_form(request: Request) -> dict[str, Any]:
    """The parts of a multipart form: text as str, files as UploadFile (to be closed by the caller).

    Raises ApiError for a form that is broken, too large, or names a part twice.
    """
    stream = _limited(request, FILE_LIMIT + _ENVELOPE, "a file")
    try:
        form = await MultiPartParser(
            request.headers, stream, max_files=8, max_fields=32, max_part_size=FILE_LIMIT
        ).parse()
    except MultiPartException as error:
        if "exceeded maximum size" in error.message:
            raise too_large("a file") from None
        raise invalid([Problem("body", "", f"is no multipart form: {error.message}")]) from None
    except (KeyError, ValueError) as error:
        raise invalid([Problem("body", "", f"is no multipart form: {error}")]) from None
    parts: dict[str, Any] = {}
    for name, part in form.multi_items():
        if name in parts:
            # Not by name: of two parts with one name both hold a file.
            for _, each in form.multi_items():
                if isinstance(each, UploadFile):
                    await each.close()
            raise invalid([Problem("body", f"/{name}", "was sent more than once; one part is accepted")])
        parts[name] = part
    return parts


async def close_form(parts: dict[str, Any]) -> None:
    """Remove what the form's files took on disk."""
    for part in parts.values():
        if isinstance(part, UploadFile):
            await part.close()


async def chunks(part: UploadFile | str) -> AsyncIterator[bytes]:
    """The content of a part."""
    if isinstance(part, str):
        yield part.encode()
        return
    while chunk := await part.read(_CHUNK):
        yield chunk


def size(part: UploadFile | str) -> int:
    """Bytes in a part."""
    return len(part.encode()) if isinstance(part, str) else int(part.size or 0)


def too_large(what: str) -> ApiError:
    limit = JSON_LIMIT if what == "a JSON body" else FILE_LIMIT
    return ApiError("payload_too_large", f"{what} may have at most {limit // 2**20} MiB", details={"limit": limit})


async def _limited(request: Request, limit: int, what: str) -> AsyncGenerator[bytes, None]:
    declared = request.headers.get("content-length", "")
    stream = request.stream()
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        await _read_on(request, stream)
        raise too_large(what)
    received = 0
    async for chunk in stream:
        received += len(chunk)
        if received > limit:
            await _read_on(request, stream)
            raise too_large(what)
        yield chunk
