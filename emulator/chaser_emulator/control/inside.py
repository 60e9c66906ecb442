"""What is inside a session: the files of its sandbox, the ports that listen there, and the pages of a browser."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import ApiError
from chaser_emulator.gateway.places import root_host
from chaser_emulator.insides import Inside
from chaser_emulator.lifecycle import START_PATIENCE
from chaser_emulator.operations import Reply
from chaser_emulator.paths import in_sandbox
from chaser_emulator.sandbox import SandboxGone
from chaser_emulator.store import Row, sessions


@control("list-session-files")
async def list_session_files(call: ControlCall) -> dict[str, Any]:
    """What is in a folder."""
    row = await _running(call)
    path = call.query["path"]
    try:
        listing = await call.world.engine.list_files(
            row["ref"], path, recursive=call.query["recursive"], limit=call.query["limit"]
        )
    except SandboxGone:
        await call.world.lifecycle.lost(row)
        raise
    entries = [{name: value for name, value in asdict(one).items() if value is not None} for one in listing.entries]
    return {"path": in_sandbox(path), "entries": entries, "truncated": listing.truncated}


@control("list-session-ports")
async def list_session_ports(call: ControlCall) -> dict[str, Any]:
    """What listens."""
    row = await _running(call)
    try:
        inside = await call.world.insides.look(row["id"])
    except TimeoutError:
        raise ApiError("sandbox_unavailable", "the sandbox did not say in time what listens there") from None
    return {"ports": _addresses(call, row["id"], inside)}


@control("watch-session")
async def watch_session(call: ControlCall) -> Reply:
    """All of it as Server-Sent Events, each part when it has changed."""
    row = await _session(call)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    chunks = _stream(call, row["id"], follow=call.query["follow"])
    return Reply(chunks=chunks, media_type="text/event-stream", headers=headers)


async def _stream(call: ControlCall, session_id: str, *, follow: bool) -> AsyncGenerator[bytes, None]:
    # Headers are sent with the first bytes, and who watches wants to know that it has begun.
    yield b": watching\n\n"
    said: dict[str, str] = {}
    async with aclosing(call.world.insides.watch(session_id)) as seen:
        async for inside in seen:
            if inside is None:
                yield b": nothing\n\n"
                continue
            for kind, data in _parts(call, session_id, inside):
                text = json.dumps(data, separators=(",", ":"))
                if said.get(kind) != text:
                    said[kind] = text
                    yield f"event: {kind}\ndata: {text}\n\n".encode()
            if not follow:
                return


def _parts(call: ControlCall, session_id: str, inside: Inside) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "status", {"status": inside.status} | ({"failure": inside.failure} if inside.failure else {})
    yield "ports", {"ports": _addresses(call, session_id, inside)}
    if inside.pages is not None:
        pages = [{"id": one.id, "type": one.kind, "title": one.title, "url": one.url} for one in inside.pages]
        yield "pages", {"pages": pages}


def _addresses(call: ControlCall, session_id: str, inside: Inside) -> list[dict[str, Any]]:
    """Each port with its address below the session's, and at the root of a host where such a host leads here."""
    base = urlsplit(call.base_url)
    host = root_host(base.netloc, session_id, call.world.settings)
    found = []
    for port in inside.ports:
        one = {"port": port, "url": f"{call.base_url}/s/{session_id}/forward/{port}/"}
        if host is not None:
            one["root_url"] = f"{base.scheme}://{port}-{host}/"
        found.append(one)
    return found


async def _session(call: ControlCall) -> Row:
    """The session that is named, in whatever account of the world. Raises ApiError `not_found`."""
    row = await sessions.get(call.world.store, call.path["id"].lower())
    if row is None:
        raise ApiError("not_found", f"there is no session {call.path['id'][:64]!r}")
    return row


async def _running(call: ControlCall) -> Row:
    """The same, waited for while it starts. Raises ApiError `not_found` and `not_running`."""
    row = await _session(call)
    if row["status"] == sessions.STARTING:
        row = await call.world.lifecycle.settled(row["id"], START_PATIENCE) or row
    if row["status"] != sessions.RUNNING:
        reason = f": {row['failure']}" if row["failure"] else ""
        raise ApiError("not_running", f"session {row['id']} is {row['status']}, not running{reason}")
    return row
