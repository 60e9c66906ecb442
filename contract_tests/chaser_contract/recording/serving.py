"""Recorder: the proxy on a socket, and the file that it writes."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from chaser_emulator import weblog

from chaser_contract.document import bundled
from chaser_contract.exchanges import Exchange
from chaser_contract.hiding import Hiding
from chaser_contract.recording.proxy import LARGEST, proxy
from chaser_contract.recording.tape import Tape

_SECONDS_TO_END = 3


class Recorder:
    """A proxy that listens from now on, and answers once it runs. Raises OSError for a port or a file not to be had."""

    def __init__(self, to: str, file: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            # Who knows the address may ask: what comes early waits.
            self._socket.listen(128)
            self._tape = Tape(file)
        except OSError:
            self._socket.close()
            raise
        shown = f"[{host}]" if family == socket.AF_INET6 else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        self._to = to.rstrip("/")
        document = bundled()
        self._hiding = Hiding(document)
        config = uvicorn.Config(
            proxy(self._to, document, self._heard),
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=_SECONDS_TO_END,
            ws_max_size=2**31,
        )
        self._server = server = uvicorn.Server(config)
        # What a second Ctrl-C breaks off breaks because of that.
        logging.getLogger("uvicorn.error").addFilter(lambda record: not server.force_exit and weblog.is_failure(record))

    @property
    def entries(self) -> int:
        """How many exchanges are in the file."""
        return self._tape.entries

    def run(self) -> None:
        """Serve until the first Ctrl-C or SIGTERM; what is under way then gets some seconds to end."""
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:
            # uvicorn sends itself the signal again when all is done.
            pass
        finally:
            self._tape.close()

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._server.should_exit = True

    def _heard(self, exchange: Exchange, whole: bool) -> None:
        comment = None if whole else f"a body of more than {LARGEST} bytes passed, and is not kept"
        self._tape.add(self._hiding.hidden(exchange), self._to, comment)


@contextmanager
def recording(to: str, file: Path) -> Iterator[Recorder]:
    """A recorder in a thread, for programs that record themselves."""
    recorder = Recorder(to, file)
    thread = threading.Thread(target=recorder.run, name="recorder")
    thread.start()
    try:
        yield recorder
    finally:
        recorder.stop()
        thread.join()
