"""A container engine that stops answering: nothing is denied, new work is refused in time, an end is kept in mind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import images
import pytest
from boxes import open_box, refused
from emulators import emulator_on, http_of
from requirements import require
from test_exec import until


class Relay:
    """A TCP port that leads to the engine's socket, and can be silenced: nothing passes, nothing is closed."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        self._open.clear()

    def speak(self) -> None:
        self._open.set()

    def close(self) -> None:
        self._open.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            engine.connect(self._target)
            threading.Thread(target=self._join, args=(client, engine), daemon=True).start()

    def _join(self, client: socket.socket, engine: socket.socket) -> None:
        with client, engine:
            back = threading.Thread(target=self._pass, args=(engine, client), daemon=True)
            back.start()
            self._pass(client, engine)
            back.join()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._open.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    require("docker")
    engine = Path("/var/run/docker.sock")
    if not engine.is_socket():
        pytest.skip("the engine has no socket on this machine")
    images.busybox()
    one = Relay(str(engine))
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{one.port}")
    yield one
    one.close()


def test_a_silent_engine_neither_hangs_nor_loses_anything(relay: Relay) -> None:
    with emulator_on("docker", image=images.busybox()) as emulator, http_of(emulator) as client:
        box = open_box(emulator, client)
        url = f"/v1/sessions/{box.session}"
        assert box.run("echo before") == "before\n"
        relay.silence()
        assert timed(lambda: client.get(url)).json()["status"] == "running"
        assert [one["id"] for one in timed(lambda: client.get("/v1/sessions")).json()["sessions"]] == [box.session]
        body = {"command": "echo silent"}
        refused(timed(lambda: client.post(f"{url}/exec", json=body), 45), 503, "sandbox_unavailable")
        ending = threading.Thread(target=lambda: client.delete(url, params={"force": "true"}))
        ending.start()
        until(lambda: client.get(url).json()["status"] == "terminating")
        relay.speak()
        ending.join(60)
        assert not ending.is_alive()
        until(lambda: client.get(url).json()["status"] == "terminated", 30)
        other = open_box(emulator, client)
        assert other.run("echo after") == "after\n"


def timed(ask: Callable[[], httpx.Response], seconds: float = 5) -> httpx.Response:
    """The answer, which must come in time."""
    began = time.monotonic()
    answer = ask()
    assert time.monotonic() - began < seconds
    return answer
