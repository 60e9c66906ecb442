"""Background commands: list, get, follow, feed, signal. (They carry the tag exec; `exec.py` starts them.)"""

from __future__ import annotations

import base64
import binascii
import signal
from collections.abc import AsyncGenerator

from chaser_emulator import lookup
from chaser_emulator.commands import sse
from chaser_emulator.errors import ApiError, invalid_field, not_found
from chaser_emulator.operations import Call, Reply, operation
from chaser_emulator.resources import command_info, present
from chaser_emulator.shapes import (
    CommandStdinResponse,
    KillCommandResponse,
    SessionCommandInfo,
    SessionCommandList,
)
from chaser_emulator.store import Row, commands

_KEEP_ALIVE = b": the command still runs\n\n"


async def _command(call: Call) -> Row:
    session = await lookup.session(call, call.path["id"])
    lookup.require_sandbox(session)
    row = await commands.get(call.store, session["id"], call.path["cid"])
    if row is None:
        raise not_found("command", call.path["cid"])
    return row


@operation("list-session-commands")
async def list_session_commands(call: Call) -> SessionCommandList:
    """Every background command of the session, newest first, without output (X26)."""
    session = await lookup.session(call, call.path["id"])
    lookup.require_sandbox(session)
    rows = await commands.of_session(call.store, session["id"])
    return {"commands": [command_info(row, *call.world.commands.state(row)) for row in rows]}


@operation("get-session-command")
async def get_session_command(call: Call) -> SessionCommandInfo:
    """One command with the output so far."""
    row = await _command(call)
    size, _ = call.world.commands.state(row)
    output, partial = call.world.commands.output(row)
    return command_info(row, size, partial, output)


@operation("stream-session-command")
async def stream_session_command(call: Call) -> Reply:
    """Output as Server-Sent Events, from a byte offset or after the last event that the client saw (X17–X19)."""
    row = await _command(call)
    start = call.query.get("from", 0)
    start = call.headers.get("Last-Event-ID", start)
    events = _events(call, row, start, call.query["interval_ms"] / 1000, call.query["max_bytes"])
    return Reply(chunks=events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _events(call: Call, row: Row, start: int, interval: float, most: int) -> AsyncGenerator[bytes, None]:
    pending = b""
    offset = start
    async for _position, data, last in call.world.commands.stream(row, start=start, interval=interval, most=most):
        if not data and not last:
            yield _KEEP_ALIVE
            continue
        pending += data
        # A character may be cut in two by the edge of a read; its first half waits for the second.
        cut = len(pending) if last or len(pending) >= 2 * most else _boundary(pending)
        while pending[:cut]:
            piece, encoding, text = _encoded(pending[: min(cut, most)], most, final=last)
            offset += len(piece)
            yield sse("output", {"offset": offset - len(piece), "encoding": encoding, "data": text}, offset)
            pending, cut = pending[len(piece) :], cut - len(piece)
    end = await commands.get(call.store, row["session_id"], row["id"]) or row
    size, _ = call.world.commands.state(end)
    yield sse("exit", {"status": end["status"], "exit_code": end["exit_code"], "output_bytes": size})


def _boundary(data: bytes) -> int:
    """How many bytes of data come before a character that is cut off at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            wanted = (
                1 if byte < 0x80 else 2 if byte >> 5 == 6 else 3 if byte >> 4 == 14 else 4 if byte >> 3 == 30 else 1
            )
            return len(data) - back if wanted > back else len(data)
    return len(data)


def _encoded(data: bytes, most: int, *, final: bool) -> tuple[bytes, str, str]:
    """The next piece of output as (bytes, encoding, text): text where it is UTF-8, else base64."""
    piece = data if final and len(data) < most else data[: _boundary(data)] or data
    try:
        return piece, "utf-8", piece.decode()
    except UnicodeDecodeError:
        return piece, "base64", base64.b64encode(piece).decode("ascii")


@operation("write-session-command-stdin")
async def write_session_command_stdin(call: Call) -> CommandStdinResponse:
    """Feed a command's standard input; `eof` closes it (X20)."""
    row = await _command(call)
    text = call.body["input"]
    if call.body.get("encoding") == "base64":
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise invalid_field("/input", f"must be base64: {error}") from None
    else:
        data = text.encode()
    try:
        taken = await call.world.commands.write(row, data, eof=bool(call.body.get("eof")))
    except TimeoutError:
        raise ApiError("invalid_state", "the command does not read its input, and the pipe to it is full") from None
    if not taken:
        raise ApiError("not_running", f"command {row['id']} has ended, or its input is closed")
    return {"command_id": row["id"], "bytes_written": len(data)}


@operation("kill-session-command")
async def kill_session_command(call: Call) -> KillCommandResponse:
    """Send a signal to the whole process group of a command (X21)."""
    row = await _command(call)
    name = str(call.body.get("signal") or "TERM")
    number = _signal(name)
    status = await call.world.commands.signal(row, number)
    if status is None:
        raise ApiError("not_running", f"command {row['id']} has ended")
    name = signal.Signals(number).name
    return present(KillCommandResponse, command_id=row["id"], signal=name, status=status)


def _signal(name: str) -> int:
    """A signal by name, with or without SIG, or by number."""
    if name.isascii() and name.isdigit() and int(name) in {number.value for number in signal.Signals}:
        return int(name)
    full = name.upper() if name.upper().startswith("SIG") else f"SIG{name.upper()}"
    try:
        return int(signal.Signals[full])
    except KeyError:
        raise invalid_field(
            "/signal", f"{name!r} is no signal; a name such as TERM, SIGKILL or INT, or a number is"
        ) from None
