"""A browser that nobody has to start: a session of that type on any engine, whose DevTools a few lines here answer.

It can be told to be silent, to have gone, or to be out of reach, which real ones are at no good moment.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any, Literal

from chaser_emulator import usage
from chaser_emulator.browsers import Browser, devtools
from chaser_emulator.browsers.screen import Screen
from chaser_emulator.clock import new_hex
from chaser_emulator.lifecycle import Wanted
from chaser_emulator.provoking.stage import Stage
from chaser_emulator.sandbox import CommandSpec, DiskFull, PortClosed, SandboxSpec, SandboxUnavailable
from chaser_emulator.store import sessions

Mood = Literal["well", "silent", "gone", "unreachable", "full"]
"""`full` is one whose disk has no room left."""

_PATIENCE = 0.05
"""Seconds that a silent one is waited for, where it is known to stay silent."""

_PORT = 9222
_EXTENSION = "p" * 32
"""The id of whatever extension is loaded."""


class StandIn:
    """What DevTools need of an engine: a connection, and commands in the sandbox."""

    def __init__(self) -> None:
        self.mood: Mood = "well"
        self.guid = new_hex(32)
        self.page = new_hex(32).upper()
        self._talks: set[asyncio.Task[None]] = set()

    async def connect(self, _ref: str, port: int) -> socket.socket:
        if self.mood == "gone":
            raise PortClosed(f"Nothing in the sandbox listens on port {port}.")
        if self.mood == "unreachable":
            raise SandboxUnavailable("The engine does not answer.")
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        talk = asyncio.create_task(self._talk(far))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)
        return near

    async def exec(self, _ref: str, _command: CommandSpec) -> _Done:
        if self.mood == "full":
            raise DiskFull("The extension does not fit on the disk of the browser.")
        if self.mood == "unreachable":
            raise SandboxUnavailable("The engine does not answer.")
        return _Done()

    def hang_up(self) -> None:
        """Be gone, also for who is connected."""
        self.mood = "gone"
        for talk in self._talks:
            talk.cancel()

    async def _talk(self, far: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=far)
        try:
            if self.mood == "silent":
                await asyncio.Event().wait()
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode("ascii", "replace").partition("?")[0]
            if b"websocket" in head.lower() and path.rpartition("/")[2] in (self.guid, self.page):
                await _converse(head, reader, writer)
            else:
                status, body = self._answer(path)
                writer.write(
                    f"HTTP/1.1 {status} Answer\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever asked has left
        finally:
            writer.close()

    def _answer(self, path: str) -> tuple[int, bytes]:
        page = {"id": self.page, "type": "page", "title": "Provoked", "url": "about:blank"}
        answers: dict[str, Any] = {
            "/json/version": {"Browser": "Provoked/1.0", "Protocol-Version": "1.3"},
            "/json/list": [page],
            "/json/new": page,
            "/json/protocol": {"version": {"major": "1", "minor": "3"}, "domains": []},
        }
        if path in answers:
            return 200, json.dumps(answers[path]).encode()
        known = {f"/json/activate/{self.page}": b"Target activated", f"/json/close/{self.page}": b"Target is closing"}
        return (200, known[path]) if path in known else (404, b"No such target")


async def _converse(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Talk on a WebSocket whose first lines are read: every command is done, and any extension has the same id."""
    # On use, as everything here is that few need.
    from websockets.frames import Frame, Opcode
    from websockets.http11 import Request
    from websockets.server import ServerProtocol

    protocol, data = ServerProtocol(), head
    while data:
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                answer = {"id": json.loads(bytes(event.data))["id"], "result": {"id": _EXTENSION}}
                protocol.send_text(json.dumps(answer).encode())
        writer.writelines(protocol.data_to_send())
        await writer.drain()
        data = b"" if protocol.close_expected() else await reader.read(2**16)


class _Done:
    """A command that has done what it was for: where extensions are unpacked it says the folder."""

    pid = 2

    async def output(self) -> AsyncIterator[bytes]:
        yield b"/browser\n"

    async def write(self, data: bytes) -> None:
        pass

    async def close_stdin(self) -> None:
        pass

    async def signal(self, number: int) -> None:
        pass

    async def wait(self) -> int:
        return 0


async def browser(stage: Stage) -> tuple[str, StandIn]:
    """A session with such a browser, which runs in a sandbox of the world's engine as far as anybody can see."""
    world = stage.world
    wanted = Wanted(stage.caller.account.id, "browser", None, None, None, max_seconds=3600)
    async with world.store.transaction() as tx:
        row = await world.lifecycle.insert(tx, wanted)
    ref = await world.engine.start(SandboxSpec(row["id"]))
    async with world.store.transaction() as tx:
        running = await sessions.run(tx, row["id"], ref)
        if running is not None:
            await usage.opened(tx, running, world.clock.now())
    stand_in = StandIn()
    place = devtools.Place(stand_in, ref, _PORT, patience=_PATIENCE)
    world.browsers.take_in(Browser(row["id"], place, stand_in.guid, _Done(), Screen(place)))
    stage.say(f"a browser that runs: session {row['id']}")

    async def end() -> None:
        stand_in.hang_up()
        await stage.perform("terminate-session", id=row["id"], query={"force": True})

    stage.undo(end)
    return str(row["id"]), stand_in
