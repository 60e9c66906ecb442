"""Bases of repositories for tests: a folder of bare ones, and a server of git's smart protocol before it."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; answers what it says."""
    done = subprocess.run(["git", *arguments], cwd=folder, env=ENV, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def bare(base: Path, repository: str, files: Mapping[str, str], *, branch: str = "main", private: bool = False) -> Path:
    """A bare repository `<owner>/<repo>` with one commit of these files; `name->` is a link to its text."""
    place = base / f"{repository}.git"
    work = base.parent / f"work-{repository.replace('/', '-')}"
    work.mkdir(parents=True)
    git(work, "init", "--quiet", "--initial-branch", branch)
    for name, text in files.items():
        path = work / name.removesuffix("->")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("->"):
            path.symlink_to(text)
        else:
            path.write_text(text)
    git(work, "add", "--all", "--force")
    git(work, "commit", "--quiet", "--allow-empty", "--message", "first")
    place.parent.mkdir(parents=True, exist_ok=True)
    git(work, "clone", "--quiet", "--bare", ".", str(place))
    if private:
        git(place, "config", "chaser.private", "true")
    return place


def commit(place: Path, name: str, text: str, *, branch: str, tag: str | None = None) -> str:
    """Add a commit on a new branch of a bare repository; answers its id."""
    work = place.parent.parent.parent / f"more-{place.stem}-{branch.replace('/', '-')}"
    git(place.parent, "clone", "--quiet", str(place), str(work))
    git(work, "checkout", "--quiet", "-b", branch)
    (work / name).write_text(text)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", branch)
    git(work, "push", "--quiet", "origin", branch)
    if tag is not None:
        git(work, "tag", "--annotate", "--message", tag, tag)
        git(work, "push", "--quiet", "origin", tag)
    return git(work, "rev-parse", "HEAD")


@dataclass
class Forge:
    """A server of repositories: where, the token that opens those that are private, and what it was sent."""

    url: str
    token: str
    private: set[str] = field(default_factory=set)
    silent: threading.Event = field(default_factory=threading.Event)
    """While set, it takes requests and says nothing."""
    status: int | None = None
    """What it answers to everything, if anything."""
    credentials: list[str | None] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)


@contextmanager
def forge(folder: Path) -> Iterator[Forge]:
    """Serve the bare repositories of a folder as GitHub does: what may not be read is not there."""
    token = "forge-token"
    backend = Path(git(folder, "--exec-path")) / "git-http-backend"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def answer(self) -> None:
            one.credentials.append(self.headers["Authorization"])
            one.arrived.set()
            while one.silent.is_set() and not done.wait(0.05):
                pass
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            path, _, query = self.path.partition("?")
            repository = "/".join(path.split("/")[1:3]).removesuffix(".git")
            known = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
            if one.status is not None:
                self.reply(one.status, {}, b"")
            elif repository in one.private and self.headers["Authorization"] != known:
                self.reply(401, {"WWW-Authenticate": 'Basic realm="forge"'}, b"Repository not found.")
            else:
                self.serve(path, query, body)

        def serve(self, path: str, query: str, body: bytes) -> None:
            env = ENV | {
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers["Content-Type"] or "",
                "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
                "GIT_PROTOCOL": self.headers["Git-Protocol"] or "",
            }
            done = subprocess.run([backend], input=body, env=env, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.reply(int(headers.pop("Status", "200").split()[0]), headers, content)

        def reply(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is the base's
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A git that was killed hangs up; that is no failure here."""

    done = threading.Event()
    server = Quiet(("127.0.0.1", 0), Handler)
    one = Forge(f"http://127.0.0.1:{server.server_address[1]}", token)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield one
    finally:
        done.set()
        server.shutdown()
        thread.join()
        server.server_close()
