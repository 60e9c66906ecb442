"""An emulator in the foreground: held data, notes of where it is, signals, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from chaser_emulator import __version__, whereabouts
from chaser_emulator.banner import print_banner
from chaser_emulator.server import Running, new_event_loop
from chaser_emulator.server import serve as open_server
from chaser_emulator.settings import Settings

_ENDING = (signal.SIGINT, signal.SIGTERM)


class NoteError(Exception):
    """The ready file cannot be written."""


class CommandError(Exception):
    """The command of `exec` cannot be run; `exit_code` is what a shell would say."""

    def __init__(self, command: str, error: OSError) -> None:
        super().__init__(f"{command} cannot be run: {error.strerror}")
        self.exit_code = 127 if isinstance(error, FileNotFoundError) else 126


def run(work: Coroutine[None, None, int]) -> int:
    """Run to the end in an event loop of its own; answers the exit code."""
    # A shell that started us with `&` had SIGINT ignored, and every command of a sandbox would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Where a parent has closed standard streams, the loop would take their numbers for its own, and abort.
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(spare)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)


async def serve(settings: Settings, ready_file: Path | None) -> int:
    """Serve until a signal. The first one stops in order, also in the middle of a start; the second one at once."""
    asked = asyncio.Event()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this is a coroutine
    starting = True

    def end() -> None:
        _usual_signals()
        asked.set()
        if starting:
            task.cancel()

    for number in _ENDING:
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        async with _noted(settings, ready_file) as running:
            starting = False
            print_banner(running, settings)
            await asked.wait()
    except asyncio.CancelledError:
        if not asked.is_set():
            raise
    return 0


async def execute(settings: Settings, ready_file: Path | None, command: Sequence[str]) -> int:
    """Serve while a command runs that is told where; answers its exit code, as a shell would."""
    got: list[int] = []
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this is a coroutine
    child: asyncio.subprocess.Process | None = None

    def pass_on(number: int) -> None:
        got.append(number)
        if child is None:
            task.cancel()
        # Ctrl-C reaches every process of the terminal's foreground by itself.
        elif child.returncode is None and not (number == signal.SIGINT and _in_foreground()):
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)

    loop = asyncio.get_running_loop()
    for number in (*_ENDING, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, pass_on, number)
    try:
        async with _noted(settings, ready_file) as running:
            told = {"CHASER_API_URL": running.url, "CHASER_API_KEY": running.api_key}
            try:
                child = await asyncio.create_subprocess_exec(*command, env=os.environ | told)
            except OSError as error:
                raise CommandError(command[0], error) from error
            code = await child.wait()
            _usual_signals()
    except asyncio.CancelledError:
        if not got:
            raise
        return 128 + got[0]
    return code if code >= 0 else 128 - code


@asynccontextmanager
async def _noted(settings: Settings, ready_file: Path | None) -> AsyncIterator[Running]:
    """An emulator that alone uses its data, with the notes that say where it is. Raises NoteError as well."""
    async with contextlib.AsyncExitStack() as stack:
        notes = [ready_file] if ready_file else []
        if settings.data_dir is not None:
            stack.enter_context(whereabouts.hold(settings.data_dir))
            notes.append(settings.data_dir / whereabouts.NOTE)
        # One that was killed left its notes; whoever waits for ours must not find them.
        _forget(notes)
        running = await stack.enter_async_context(open_server(settings))
        if settings.data_dir is None:
            # It goes with its folder; until then `stop` finds an ephemeral emulator by that.
            notes.append(running.world.data_dir / whereabouts.NOTE)
        stack.callback(_forget, notes)
        for note in notes:
            try:
                whereabouts.write(note, _note(running))
            except OSError as error:
                raise NoteError(f"{note} cannot be written: {error.strerror}") from error
        gc.enable()
        yield running


def _forget(notes: Sequence[Path]) -> None:
    for note in notes:
        with contextlib.suppress(OSError):
            note.unlink()


def _note(running: Running) -> dict[str, object]:
    return {
        "url": running.url,
        "api_key": running.api_key,
        "ssh_port": running.ssh_port,
        "account_id": running.world.account_id,
        "pid": os.getpid(),
        "version": __version__,
        "engine": running.world.engine.name,
    }


def _usual_signals() -> None:
    """Let the next signal end the process at once."""
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)


def _in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def log_to_stderr(form: str, level: str) -> None:
    """Send the log to standard error as lines of `text` or `json`."""
    handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(_JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # At debug it writes the values of every statement, the environment of jobs and the hashes of passwords among them.
    logging.getLogger("aiosqlite").setLevel(logging.INFO)


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"at": record.created, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)
