"""Measure what the project promises about speed, side by side in one run, and print the rows: `make bench`.

Each row is a median, beside what it is to be compared with where there is such a thing. Nothing here fails on a number.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent / "tests"))

import images
from chaser_emulator import events
from chaser_emulator.clock import Clock, new_id
from chaser_emulator.server import running
from chaser_emulator.settings import Settings
from chaser_emulator.store import Store
from requirements import chromium, reason_missing

_BARE = """
import socket, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("ok"))])
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
"""

Row = tuple[str, str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", help="a word of the rows to measure: start, api, exec, files, terminals, browsers, jobs, webhooks, …"
    )
    only = parser.parse_args().only
    table = Table("what", "measured", "compared with", title="chaser-emulator")
    for name, measure in (
        ("start", starts),
        ("api", api),
        ("exec", execs),
        ("warm", warm),
        ("forward", forwards),
        ("files", files),
        ("terminals", terminals),
        ("browsers", browsers),
        ("disks", disks),
        ("jobs", jobs),
        ("webhooks", webhooks),
        ("mcp", mcp),
        ("worlds", worlds),
        ("memory", memory),
    ):
        if only in (None, name):
            for row in measure():
                table.add_row(*row)
    Console(width=140).print(table)


def expect(fine: bool, otherwise: str) -> None:
    """A measurement of the wrong answer is none."""
    if not fine:
        raise SystemExit(otherwise)


def median_ms(times: list[float]) -> float:
    return statistics.median(times) * 1000


# Start


def starts() -> Iterator[Row]:
    command = [sys.executable, "-m", "chaser_emulator.cli", "--ephemeral", "--sandbox", "scripted", "--port"]
    emulator, bare = [], []
    for _ in range(7):
        bare.append(_until_it_answers([sys.executable, "-c", _BARE], "/"))
        emulator.append(_until_it_answers(command, "/v1/accounts"))
    ratio = statistics.median(emulator) / statistics.median(bare)
    yield (
        "process to ready, scripted",
        f"{median_ms(emulator):.0f} ms",
        f"bare uvicorn {median_ms(bare):.0f} ms, × {ratio:.2f}",
    )
    inside = []
    for _ in range(10):
        began = time.perf_counter()
        with running(Settings(port=0, sandbox="scripted")):
            inside.append(time.perf_counter() - began)
    yield "in-process start", f"{median_ms(inside):.0f} ms", ""


def _until_it_answers(command: list[str], path: str) -> float:
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, cwd=folder)
        try:
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}{path}")
                    return time.perf_counter() - began
                except httpx.TransportError:
                    time.sleep(0.002)
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# Requests


@contextmanager
def process_on(engine: str, **flags: str) -> Iterator[dict[str, Any]]:
    """An emulator in a process of its own, so that the client's work is not measured with it."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready"
        command = [sys.executable, "-m", "chaser_emulator.cli", "--port", "0", "--sandbox", engine, "--no-rate-limit"]
        command += ["--data-dir", f"{folder}/data", "--ready-file", str(ready), "--max-sessions", "100000"]
        command += [f"--{name}={value}" for name, value in flags.items()]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder)
        try:
            while not ready.exists():
                if process.poll() is not None:
                    raise SystemExit("the emulator did not start")
                time.sleep(0.01)
            yield json.loads(ready.read_text()) | {"data_dir": f"{folder}/data"}
        finally:
            process.terminate()
            process.wait()


async def _load(
    state: dict[str, Any], method: str, path: str, body: Any = None, *, connections: int, total: int
) -> tuple[float, list[float]]:
    """(requests a second, times) of `total` requests on so many connections.

    The client writes and reads sockets itself: a whole HTTP library would take more of the two cores than the server.
    """
    text = json.dumps(body).encode() if body is not None else b""
    kind = "Content-Type: application/json\r\n" if text else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {state['api_key']}\r\n"
    request = f"{head}{kind}Content-Length: {len(text)}\r\n\r\n".encode() + text
    port = int(state["url"].rpartition(":")[2])
    times: list[float] = []
    left = iter(range(total))

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            began = time.perf_counter()
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            expect(b" 200 " in answer[:16], answer.decode())
            length = answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            times.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return total / (time.perf_counter() - began), times


def api() -> Iterator[Row]:
    port = _free_port()
    bare = subprocess.Popen([sys.executable, "-c", _BARE, str(port)], stdout=subprocess.DEVNULL)
    with process_on("scripted") as state:
        client = httpx.Client(base_url=state["url"], headers={"Authorization": f"Bearer {state['api_key']}"})
        for _ in range(10):
            client.post("/v1/sessions", json={"ephemeral": True}).raise_for_status()
        client.close()
        other = {"url": f"http://127.0.0.1:{port}", "api_key": ""}
        plain, plain_times = asyncio.run(_load(other, "GET", "/", connections=16, total=5000))
        rate, times = asyncio.run(_load(state, "GET", "/v1/sessions", connections=16, total=5000))
        _, alone = asyncio.run(_load(state, "GET", "/v1/sessions", connections=1, total=500))
        text = f"{rate:.0f}/s, p50 {median_ms(times):.1f} ms; alone p50 {median_ms(alone):.2f} ms"
        against = f"bare Starlette, one word: {plain:.0f}/s, p50 {median_ms(plain_times):.1f} ms"
        yield "GET /v1/sessions, 10 sessions, 16 connections", text, against
        body = {"ephemeral": True}
        rate, times = asyncio.run(_load(state, "POST", "/v1/sessions", body, connections=8, total=2000))
        yield "POST /v1/sessions, scripted, 8 connections", f"{rate:.0f}/s, p50 {median_ms(times):.1f} ms", ""
    bare.terminate()
    bare.wait()
    yield asyncio.run(_audit_rows())


async def _audit_rows() -> Row:
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(Path(folder) / "chaser.db", durable=False)
        account = new_id()
        from chaser_emulator.store import audit

        # SQLite makes the rows itself: a million statements from here would take minutes.
        statement = """
            INSERT INTO audit_events
            WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1000000)
            SELECT hex(randomblob(16)), ?, 'user', 'u', 'session.create', 'session', hex(randomblob(16)), 'success',
                   's', '{}', strftime('%Y-%m-%dT%H:%M:%fZ', n, 'unixepoch') FROM number"""
        async with store.transaction() as tx:
            await tx.run(statement, account)
        times = []
        for _ in range(20):
            began = time.perf_counter()
            await audit.page(store, account, {"action": "session.create"}, before=None, limit=100)
            times.append(time.perf_counter() - began)
        await store.close()
    return "first page of 1,000,000 audit rows", f"{median_ms(times):.1f} ms", ""


# Commands


def engines() -> Iterator[tuple[str, dict[str, str]]]:
    yield "local", {}
    if reason_missing("docker") is None:
        yield "docker", {"image": images.busybox()}


def execs() -> Iterator[Row]:
    for engine, flags in engines():
        with process_on(engine, **flags) as state:
            client = httpx.Client(
                base_url=state["url"], headers={"Authorization": f"Bearer {state['api_key']}"}, timeout=60
            )
            creates = []
            sessions = []
            for _ in range(7):
                began = time.perf_counter()
                session = client.post("/v1/sessions", json={"ephemeral": True}).json()
                creates.append(time.perf_counter() - began)
                expect(session["status"] == "running", str(session))
                sessions.append(session["id"])
            url = f"/v1/sessions/{sessions[0]}/exec"
            times = []
            for _ in range(100):
                began = time.perf_counter()
                answer = client.post(url, json={"command": "echo hello"})
                times.append(time.perf_counter() - began)
                expect(answer.json()["output"] == "hello\n", answer.text)
            compared = ""
            if engine == "docker":
                own, runs = _docker_itself(sessions[0], flags["image"])
                compared = (
                    f"docker exec {median_ms(own):.0f} ms, × {statistics.median(times) / statistics.median(own):.2f}"
                )
                ratio = statistics.median(creates) / statistics.median(runs)
                against = f"docker run -d {median_ms(runs):.0f} ms, × {ratio:.2f}"
            else:
                against = ""
            yield f"exec of echo over HTTP, {engine}", f"{median_ms(times):.1f} ms", compared
            yield f"create to running, {engine}", f"{median_ms(creates):.0f} ms", against
            for session_id in sessions:
                client.delete(f"/v1/sessions/{session_id}", params={"force": "true"})
            client.close()


def browsers() -> Iterator[Row]:
    program = chromium()
    if program is None:
        return
    with process_on("local") as state, tempfile.TemporaryDirectory() as folder:
        headers = {"Authorization": f"Bearer {state['api_key']}"}
        with httpx.Client(base_url=state["url"], headers=headers, timeout=60) as client:
            starts, closings = [], []
            for _ in range(5):
                began = time.perf_counter()
                session = client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}).json()
                starts.append(time.perf_counter() - began)
                expect(session["status"] == "running", str(session))
                began = time.perf_counter()
                client.delete(f"/v1/sessions/{session['id']}")
                closings.append(time.perf_counter() - began)
            session = client.post("/v1/sessions", json={"session_type": "browser", "ephemeral": True}).json()
            url = client.get(f"/v1/sessions/{session['id']}/json/version").json()["webSocketDebuggerUrl"]
            through = _round_trips(url)
            client.delete(f"/v1/sessions/{session['id']}")
        bare_starts = []
        for number in range(5):
            began = time.perf_counter()
            with _bare_chromium(program, f"{folder}/{number}") as url:
                bare_starts.append(time.perf_counter() - began)
                bare = _round_trips(url)
        ratio = statistics.median(starts) / statistics.median(bare_starts)
        against = f"bare Chromium {median_ms(bare_starts):.0f} ms, × {ratio:.2f}"
        yield "browser session to running, local", f"{median_ms(starts):.0f} ms", against
        yield "browser session to its end, local", f"{median_ms(closings):.0f} ms", ""
        ratio = statistics.median(through) / statistics.median(bare)
        yield "CDP round trip", f"{median_ms(through):.2f} ms", f"bare Chromium {median_ms(bare):.2f} ms, × {ratio:.2f}"


@contextmanager
def _bare_chromium(program: str, profile: str) -> Iterator[str]:
    """The address that drives a Chromium of our own."""
    command = [
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--remote-debugging-port=0",
    ]
    command += ["--disable-background-networking", f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None  # noqa: S101 - a pipe was asked for
        try:
            yield next(line.split()[-1] for line in process.stderr if line.startswith("DevTools listening on"))
        finally:
            process.kill()


def _round_trips(url: str) -> list[float]:
    from websockets.sync.client import connect

    times = []
    with connect(url, compression=None, max_size=None) as socket:
        for number in range(1, 301):
            began = time.perf_counter()
            socket.send(json.dumps({"id": number, "method": "Browser.getVersion"}))
            expect(json.loads(socket.recv())["id"] == number, "another answer")
            times.append(time.perf_counter() - began)
    return times


def _docker_itself(session_id: str, image: str) -> tuple[list[float], list[float]]:
    """Times of `docker exec` and of `docker run -d` on the same engine."""
    docker = shutil.which("docker") or "docker"
    label = f"label=chaser.emulator.session={session_id}"
    name = subprocess.run(
        [docker, "ps", "-q", "--filter", label], check=True, capture_output=True, text=True
    ).stdout.strip()
    execs_, runs = [], []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([docker, "exec", name, "echo", "hello"], check=True, capture_output=True)
        execs_.append(time.perf_counter() - began)
        began = time.perf_counter()
        made = subprocess.run(
            [docker, "run", "-d", "--init", image, "sleep", "60"], check=True, capture_output=True, text=True
        )
        runs.append(time.perf_counter() - began)
        subprocess.run([docker, "rm", "-f", made.stdout.strip()], check=True, capture_output=True)
    return execs_, runs


def warm() -> Iterator[Row]:
    if reason_missing("docker") is not None:
        return
    times = []
    with process_on("docker", image=images.busybox(), warm="1") as state:
        client = httpx.Client(
            base_url=state["url"], headers={"Authorization": f"Bearer {state['api_key']}"}, timeout=60
        )
        for _ in range(7):
            # The next container has to wait before a create can be quick: so much longer than one takes to start.
            time.sleep(2)
            began = time.perf_counter()
            session = client.post("/v1/sessions", json={"ephemeral": True}).json()
            times.append(time.perf_counter() - began)
            expect(session["status"] == "running", str(session))
        client.post("/v1/sessions/bulk-terminate", json={"all": True, "force": True})
        client.close()
    yield "create to running from a warm pool, docker", f"{median_ms(times):.0f} ms", "bar 50 ms"


# Previews


def forwards() -> Iterator[Row]:
    app = Path(__file__).resolve().parent / "tests" / "preview_app.py"
    port = _free_port()
    bare = subprocess.Popen([sys.executable, str(app), str(port)])
    direct = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
    for engine, flags in engines():
        # A server is needed in the sandbox, and the smallest image has no Python.
        flags = flags and {"image": images.debian()}
        with process_on(engine, **flags) as state:
            client = httpx.Client(
                base_url=state["url"], headers={"Authorization": f"Bearer {state['api_key']}"}, timeout=60
            )
            session = client.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
            url = f"/v1/sessions/{session}"
            client.post(f"{url}/upload", data={"path": "a.py"}, files={"file": app.read_bytes()}).raise_for_status()
            client.post(f"{url}/exec", json={"command": "exec python3 a.py 3000", "background": True})
            while not client.get(f"/s/{session}").json()["ports"]:
                time.sleep(0.02)
            preview = f"/s/{session}/forward/3000"
            process = psutil.Process(state["pid"])
            before = process.memory_info().rss
            own, through = _gets(direct, "/headers"), _gets(client, f"{preview}/headers")
            ratio = statistics.median(through) / statistics.median(own)
            against = f"without the gateway {median_ms(own):.2f} ms, × {ratio:.2f}"
            yield f"forwarded request, {engine}", f"{median_ms(through):.2f} ms", against
            size = 2**28
            rates = [_rate(direct, f"/big?bytes={size}"), _rate(client, f"{preview}/big?bytes={size}")]
            grown = (process.memory_info().rss - before) / 2**20
            against = f"without the gateway {rates[0]:.0f} MB/s; memory grew by {grown:.1f} MiB"
            yield f"256 MiB forwarded, {engine}", f"{rates[1]:.0f} MB/s", against
            client.close()
    direct.close()
    bare.terminate()
    bare.wait()


def _gets(client: httpx.Client, path: str) -> list[float]:
    times = []
    for _ in range(200):
        began = time.perf_counter()
        expect(client.get(path).status_code == 200, f"{path} was refused")
        times.append(time.perf_counter() - began)
    return times


def _rate(client: httpx.Client, path: str) -> float:
    """Megabytes a second of a download."""
    began = time.perf_counter()
    with client.stream("GET", path) as answer:
        size = sum(len(piece) for piece in answer.iter_raw(2**20))
    return size / 1e6 / (time.perf_counter() - began)


# Files and memory


def files() -> Iterator[Row]:
    data = os.urandom(16 * 2**20)
    for engine, flags in engines():
        with process_on(engine, **flags) as state:
            client = httpx.Client(
                base_url=state["url"], headers={"Authorization": f"Bearer {state['api_key']}"}, timeout=60
            )
            session = client.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
            process = psutil.Process(state["pid"])
            before = process.memory_info().rss
            up, down = [], []
            for _ in range(7):
                began = time.perf_counter()
                client.post(
                    f"/v1/sessions/{session}/upload", data={"path": "f"}, files={"file": data}
                ).raise_for_status()
                up.append(time.perf_counter() - began)
                began = time.perf_counter()
                got = client.get(f"/v1/sessions/{session}/download", params={"path": "f"}).content
                down.append(time.perf_counter() - began)
                expect(got == data, "other bytes came back than went in")
            grown = (process.memory_info().rss - before) / 2**20
            rates = [len(data) / 1e6 / statistics.median(times) for times in (up, down)]
            text = f"up {rates[0]:.0f} MB/s, down {rates[1]:.0f} MB/s"
            yield f"16 MiB, {engine}", text, f"memory grew by {grown:.1f} MiB over {2 * len(up)} transfers"
            client.close()


def disks() -> Iterator[Row]:
    fill = "for i in $(seq 1000); do head -c 10240 /dev/urandom > f$i; done"
    for engine, flags in engines():
        with process_on(engine, **flags) as state:
            client = httpx.Client(
                base_url=state["url"], headers={"Authorization": f"Bearer {state['api_key']}"}, timeout=60
            )
            client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "w"}).raise_for_status()
            client.post("/v1/exec", json={"workspace": "w", "command": fill}).raise_for_status()
            client.post("/v1/sessions/bulk-terminate", json={"all": True, "force": True}).raise_for_status()
            for what, path, body in (
                ("snapshot", "/v1/workspaces/w/snapshots", {}),
                ("restore", "/v1/workspaces/w/snapshots/{}/restore", {}),
                ("clone", "/v1/workspaces", {"clone_from": "w"}),
            ):
                times = []
                for _ in range(5):
                    names = [one["id"] for one in client.get("/v1/workspaces/w/snapshots").json()]
                    began = time.perf_counter()
                    client.post(path.format(*names[:1]), json=body).raise_for_status()
                    times.append(time.perf_counter() - began)
                yield f"{what} of 10 MB in 1,000 files, {engine}", f"{median_ms(times):.0f} ms", ""
            client.post("/v1/workspaces/bulk-delete", json={"all": True}).raise_for_status()
            client.close()


def terminals() -> Iterator[Row]:
    from websockets.sync.client import connect

    for engine, flags in engines():
        with process_on(engine, **flags) as state, contextlib.ExitStack() as stack:
            key = {"Authorization": f"Bearer {state['api_key']}"}
            client = stack.enter_context(httpx.Client(base_url=state["url"], headers=key, timeout=60))
            session = client.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
            url = f"{state['url'].replace('http', 'ws', 1)}/v1/sessions/{session}/pty"
            opened = [stack.enter_context(connect(url, additional_headers=key)) for _ in range(20)]
            terminal = opened[0]
            terminal.send(b"PS1=; cat > /dev/null; echo\n")
            with contextlib.suppress(TimeoutError):
                while True:
                    terminal.recv(timeout=1)
            times = []
            for number in range(200):
                pressed = b"%d" % (number % 10)
                began = time.perf_counter()
                terminal.send(pressed)
                expect(terminal.recv(timeout=10) == pressed, "another key was echoed")
                times.append(time.perf_counter() - began)
            text = f"p50 {median_ms(times):.1f} ms, p99 {sorted(times)[197] * 1000:.1f} ms"
            yield f"PTY echo of a key, {len(opened)} open, {engine}", text, ""


def jobs() -> Iterator[Row]:
    with process_on("local") as state:
        headers = {"Authorization": f"Bearer {state['api_key']}"}
        with httpx.Client(base_url=state["url"], headers=headers, timeout=60) as client:
            client.post("/v1/workspaces", json={"session_type": "sandbox", "name": "w"}).raise_for_status()
            client.post("/v1/exec", json={"workspace": "w", "command": "true"}).raise_for_status()
            body = {"kind": "sandbox.exec", "input": {"workspace": "w", "command": "echo hello"}}
            times = []
            for _ in range(50):
                began = time.perf_counter()
                path = f"/v1/jobs/{client.post('/v1/jobs', json=body).json()['id']}"
                while client.get(path).json()["status"] in ("queued", "running"):
                    pass
                times.append(time.perf_counter() - began)
            yield "job of echo, from POST to completed, local", f"{median_ms(times):.1f} ms", ""
            began = time.perf_counter()
            asyncio.run(_load(state, "POST", "/v1/jobs", body, connections=4, total=500))
            while client.get("/v1/jobs", params={"status": "queued", "limit": 1}).json()["total"]:
                time.sleep(0.01)
            yield "500 such jobs, queued and run", f"{500 / (time.perf_counter() - began):.0f}/s", ""


def webhooks() -> Iterator[Row]:
    yield asyncio.run(_deliveries(10_000))


async def _deliveries(count: int) -> Row:
    came = 0
    all_came = asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                came += 1
                if came > count:
                    all_came.set()
        writer.close()

    async with await asyncio.start_server(receive, "127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        # On an engine whose ephemeral data are a file, which others can write to.
        with process_on("local") as state:
            headers = {"Authorization": f"Bearer {state['api_key']}"}
            async with httpx.AsyncClient(base_url=state["url"], headers=headers, timeout=60) as client:
                (await client.post("/v1/webhooks", json={"url": url})).raise_for_status()
                # Behind the emulator's back, so that all of them wait when it hears of the next.
                store = await Store.open(Path(state["data_dir"]) / "chaser.db")
                async with store.transaction() as tx:
                    for number in range(count):
                        await events.emit(tx, Clock(), state["account_id"], "job.queued", f"job-{number}", {})
                await store.close()
                began = time.perf_counter()
                await client.post("/v1/workspaces", json={"session_type": "sandbox"})
                await all_came.wait()
                rate = count / (time.perf_counter() - began)
    return f"{count:,} pending deliveries to one receiver", f"{rate:.0f}/s", ""


def worlds() -> Iterator[Row]:
    with process_on("scripted") as state:
        headers = {"Authorization": f"Bearer {state['api_key']}"}
        with httpx.Client(base_url=state["url"], headers=headers, timeout=60) as client:
            for number in range(100):
                job = {"kind": "session.bulk_terminate", "input": {"all": True}, "run_at": "2099-01-01T00:00:00Z"}
                for path, body in (("jobs", job), ("keys", {}), ("sessions", {"ephemeral": True})):
                    client.post(f"/v1/{path}", json=body).raise_for_status()
                if number % 9 == 0:
                    client.post("/v1/sessions/bulk-terminate", json={"all": True}).raise_for_status()
            forks, requests, ends, resets, plain = [], [], [], [], []
            for _ in range(50):
                began = time.perf_counter()
                client.get("/_emulator/health").raise_for_status()
                plain.append(time.perf_counter() - began)
                made = client.post("/_emulator/worlds/default/fork").raise_for_status().json()
                forked = time.perf_counter()
                key = {"Authorization": f"Bearer {made['api_key']}"}
                client.get("/v1/workspaces", headers=key).raise_for_status()
                asked = time.perf_counter()
                client.post("/_emulator/reset", headers={"X-Chaser-World": made["id"]}).raise_for_status()
                reset = time.perf_counter()
                client.delete(f"/_emulator/worlds/{made['id']}").raise_for_status()
                forks.append(forked - began - plain[-1])
                requests.append(asked - forked)
                resets.append(reset - asked)
                ends.append(time.perf_counter() - reset)
    against = f"an empty answer takes {median_ms(plain):.1f} ms"
    yield "fork of a world of 300 rows, over HTTP", f"{median_ms(forks):.1f} ms", against
    yield "its first request", f"{median_ms(requests):.1f} ms", ""
    yield "its reset", f"{median_ms(resets):.1f} ms", ""
    yield "its end", f"{median_ms(ends):.1f} ms", ""


def mcp() -> Iterator[Row]:
    with process_on("local") as state:
        headers = {"Authorization": f"Bearer {state['api_key']}"}
        with httpx.Client(base_url=state["url"], headers=headers, timeout=60) as client:
            session = client.post("/v1/sessions", json={"ephemeral": True}).json()["id"]
            run = {"command": "echo hello"}
            arguments = {"name": "terminal", "arguments": {"session_id": session, **run}}
            request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments}
            by_rest, by_tool = [], []
            for _ in range(100):
                began = time.perf_counter()
                client.post(f"/v1/sessions/{session}/exec", json=run).raise_for_status()
                middle = time.perf_counter()
                expect("hello" in client.post("/v1/mcp", json=request).text, "the tool failed")
                by_rest.append(middle - began)
                by_tool.append(time.perf_counter() - middle)
            ratio = statistics.median(by_tool) / statistics.median(by_rest)
            yield "tool terminal with echo, local", f"{median_ms(by_tool):.1f} ms", f"by REST, × {ratio:.2f}"


def memory() -> Iterator[Row]:
    with process_on("scripted") as state:
        process = psutil.Process(state["pid"])
        yield "idle memory", f"{process.memory_info().rss / 2**20:.0f} MiB", ""
        body = {"ephemeral": True}
        asyncio.run(_load(state, "POST", "/v1/sessions", body, connections=4, total=1000))
        yield "1,000 scripted sessions", f"{process.memory_info().rss / 2**20:.0f} MiB", ""


if __name__ == "__main__":
    main()
