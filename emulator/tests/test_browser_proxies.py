"""A browser goes through the proxy that its session names, with the user and the password that the proxy wants."""

from __future__ import annotations

import base64
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from chaser_emulator.server import Running
from emulators import http_of
from test_browsers import end, local, page_at, serving, site, start

__all__ = ["local", "site"]


@pytest.fixture
def api(local: Running) -> Iterator[httpx.Client]:
    with http_of(local) as one:
        yield one


class _Proxy(socketserver.ThreadingTCPServer):
    """Notes what it was asked for; sends it all to one server, whatever the name."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler], target: str, credentials: str | None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.target = (str(urlsplit(target).hostname), int(urlsplit(target).port or 80))
        self.credentials = credentials
        self.asked: list[str] = []


class _Http(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        proxy: Any = self.server
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (line := self.rfile.readline()):
                return
            head += line
        first, *lines = head.decode().split("\r\n")
        wanted = proxy.credentials and "Basic " + base64.b64encode(proxy.credentials.encode()).decode()
        if wanted and f"proxy-authorization: {wanted}".lower() not in [line.lower() for line in lines]:
            self.wfile.write(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            return
        method, url, _ = first.split(" ")
        proxy.asked.append(str(urlsplit(url).hostname))
        with socket.create_connection(proxy.target) as far:
            path = urlsplit(url).path or "/"
            far.sendall(f"{method} {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            while chunk := far.recv(65536):
                self.wfile.write(chunk)


class _Socks(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        proxy: Any = self.server
        _, count = self.rfile.read(2)
        methods = self.rfile.read(count)
        if proxy.credentials is None:
            self.wfile.write(b"\x05\x00")
        elif 2 not in methods:
            self.wfile.write(b"\x05\xff")
            return
        else:
            self.wfile.write(b"\x05\x02")
            _, size = self.rfile.read(2)
            user = self.rfile.read(size).decode()
            password = self.rfile.read(self.rfile.read(1)[0]).decode()
            good = f"{user}:{password}" == proxy.credentials
            self.wfile.write(b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return
        _, _, _, kind = self.rfile.read(4)
        host = self.rfile.read(self.rfile.read(1)[0]).decode() if kind == 3 else ".".join(map(str, self.rfile.read(4)))
        self.rfile.read(2)
        proxy.asked.append(host)
        with socket.create_connection(proxy.target) as far:
            self.wfile.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            far.sendall(self.connection.recv(65536))
            while chunk := far.recv(65536):
                self.wfile.write(chunk)


@contextmanager
def proxy_to(target: str, kind: str, credentials: str | None) -> Iterator[_Proxy]:
    with _Proxy(_Http if kind == "http" else _Socks, target, credentials) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.mark.parametrize("credentials", [None, "user:p@ss"])
@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_pages_come_through_the_proxy(api: httpx.Client, scheme: str, credentials: str | None) -> None:
    with serving(b"<title>Behind</title>") as behind, proxy_to(behind, scheme[:5].rstrip("h"), credentials) as proxy:
        user = "" if credentials is None else credentials.replace("p@ss", "p%40ss") + "@"
        session = start(api, proxy=f"{scheme}://{user}127.0.0.1:{proxy.server_address[1]}")
        # No resolver knows this name: the proxy is the one that is asked.
        for address in ("http://site.example/", "http://127.0.0.1:54321/"):
            with page_at(api, session, address) as cdp:
                assert cdp.value("document.title") == "Behind"
        assert {"site.example", "127.0.0.1"} <= set(proxy.asked)
        end(api, session)


def test_without_a_proxy_the_way_is_direct(api: httpx.Client, site: str) -> None:
    session = start(api, proxy="direct")
    with page_at(api, session, site) as cdp:
        assert cdp.value("document.title") == "Site"
    end(api, session)


def test_a_proxy_that_refuses_the_user_shows_in_the_browser(api: httpx.Client) -> None:
    with serving(b"<title>Behind</title>") as behind, proxy_to(behind, "socks5", "user:right") as proxy:
        session = start(api, proxy=f"socks5://user:wrong@127.0.0.1:{proxy.server_address[1]}")
        with page_at(api, session, "http://site.example/") as cdp:
            assert "Behind" not in str(cdp.value("document.title"))
        end(api, session)
