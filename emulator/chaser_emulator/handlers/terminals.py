"""Terminals: a WebSocket to a shell or a command in a sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.websockets import WebSocket

from chaser_emulator import lookup
from chaser_emulator.commands import kill
from chaser_emulator.errors import Problem, invalid
from chaser_emulator.gateway import pty
from chaser_emulator.operations import Call, Upgrade, operation
from chaser_emulator.sandbox import CommandSpec, Process, Terminal, TerminalSpec
from chaser_emulator.store import Row, sessions

_SIZE = (24, 80)
"""Rows and columns of a terminal that nobody has sized."""


@operation("open-session-pty")
async def open_session_pty(call: Call) -> Upgrade:
    """Open a terminal, or run a command without one, for as long as the client stays (S14)."""
    if call.query["mode"] == "exec" and "command" not in call.query:
        raise invalid([Problem("query", "command", "is required with mode=exec: it is what runs")])
    opening = _Opening(call, await lookup.sandbox_with_time(call, call.path["id"]))
    return Upgrade(opening.talk, opening.held())


class _Opening:
    """A program that is started before its client is told that it may talk, and its end."""

    def __init__(self, call: Call, row: Row) -> None:
        self._call = call
        self._row = row
        self._mode = call.query["mode"]
        self._program: tuple[Process, Callable[[int, int], Awaitable[None]] | None] | None = None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Start the program, hold the session for it, and end what of it is left."""
        terminals = self._call.world.terminals
        with self._call.world.lifecycle.lease(self._row["id"]):
            if self._mode == "exec":
                async with lookup.attentive(self._call, self._row):
                    process = await self._call.engine.exec(
                        self._row["ref"], CommandSpec(self._call.query["command"], stdin=True)
                    )
                self._program = process, None
                try:
                    yield
                finally:
                    terminals.end(kill(process))
            else:
                async with lookup.attentive(self._call, self._row):
                    terminal = await self._open_terminal()
                self._program = terminal, terminal.resize
                try:
                    with terminals.listed(self._row["id"], terminal):
                        await self._catch_up(terminal)
                        yield
                finally:
                    terminals.end(terminal.close())

    async def _open_terminal(self) -> Terminal:
        rows, cols = _size(self._row)
        return await self._call.engine.open_terminal(
            self._row["ref"], TerminalSpec(mode=self._mode, rows=rows, cols=cols)
        )

    async def _catch_up(self, terminal: Terminal) -> None:
        """Give it the size that was asked for while it was being opened."""
        fresh = await sessions.get(self._call.store, self._row["id"])
        if fresh is not None and _size(fresh) != _size(self._row):
            await terminal.resize(*_size(fresh))

    async def talk(self, websocket: WebSocket) -> None:
        assert self._program is not None  # noqa: S101 - nobody talks before it is held
        process, resize = self._program
        session_id, lifecycle = self._row["id"], self._call.world.lifecycle

        async def at_end(code: int) -> None:
            # A signal may have been the end of the whole sandbox.
            if code > 128:
                await lifecycle.reconcile([self._row])

        about = pty.Talk(process, session_id, self._mode, resize, lambda: lifecycle.ended(session_id), at_end)
        await pty.talk(websocket, about)


def _size(row: Row) -> tuple[int, int]:
    return row["rows"] or _SIZE[0], row["cols"] or _SIZE[1]
