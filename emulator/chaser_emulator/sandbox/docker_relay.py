"""A stream to a port inside a container by way of a `docker exec`: a relay there, and its near end here."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from . import PortClosed, SandboxGone, SandboxUnavailable
from .docker_exec import Endpoint, ExecError, ExecStream, open_exec
from .warm_shell import refusal

_CHUNK: Final = 64 * 1024

End = Callable[[int], Awaitable[object]]

# A relay tells on standard error what becomes of it: pid, then open, closed or none, then eof with how many bytes it
# has passed on, as one stream cannot tell of both directions. Its arguments are the port, then addresses to try.
_PYTHON: Final = r"""
import os, socket, sys, threading
def say(*words): os.write(2, (" ".join(map(str, words)) + "\n").encode())
line = b""
while not line.endswith(b"\n"):
    line += os.read(0, 1) or sys.exit()
port, *hosts = line.decode().split()
for host in hosts:
    try:
        far = socket.create_connection((host, int(port)))
        break
    except OSError:
        pass
else:
    say("closed"); sys.exit()
say("open")
def up():
    try:
        while data := os.read(0, 65536): far.sendall(data)
        far.shutdown(socket.SHUT_WR)
    except OSError: pass
sending = threading.Thread(target=up, daemon=True); sending.start()
passed = 0
try:
    while data := far.recv(65536):
        passed += len(data)
        while data: data = data[os.write(1, data):]
except OSError: pass
say("eof", passed)
sending.join()
"""

_PERL: Final = r"""
use Socket qw(:all);
my ($line, $byte) = ("", "");
while (substr($line, -1) ne "\n") { sysread(STDIN, $byte, 1) or exit; $line .= $byte; }
my ($port, @hosts) = split " ", $line;
sub put {
    my ($to, $data) = @_;
    while (length $data) { my $n = syswrite($to, $data); return 0 unless $n; substr($data, 0, $n, ""); }
    1;
}
my $far;
for my $host (@hosts) {
    my $six = $host =~ /:/;
    socket(my $one, $six ? AF_INET6 : AF_INET, SOCK_STREAM, 0) or next;
    my $where = $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $host)) : pack_sockaddr_in($port, inet_aton($host));
    if (connect($one, $where)) { $far = $one; last; }
}
unless ($far) { syswrite(STDERR, "closed\n"); exit; }
setsockopt($far, IPPROTO_TCP, TCP_NODELAY, 1);
syswrite(STDERR, "open\n");
$SIG{PIPE} = "IGNORE";
my ($child, $data, $passed) = (fork(), "", 0);
if (!$child) {
    while (sysread(STDIN, $data, 65536)) { put($far, $data) or exit; }
    shutdown($far, 1);
    exit;
}
close(STDIN);
while (sysread($far, $data, 65536)) { $passed += length $data; put(\*STDOUT, $data) or last; }
syswrite(STDERR, "eof $passed\n");
waitpid($child, 0);
"""

_NODE: Final = r"""
const [port, ...hosts] = process.argv.slice(1);
const say = (text) => require("fs").writeSync(2, text + "\n");
const go = () => {
  if (!hosts.length) { say("closed"); process.exit(); }
  const far = require("net").connect({ port, host: hosts.shift(), allowHalfOpen: true, noDelay: true });
  far.once("error", go);
  far.once("connect", () => {
    far.off("error", go);
    const end = () => process.stdout.write("", () => say("eof " + far.bytesRead));
    far.on("error", () => { end(); process.exit(); });
    say("open");
    process.stdin.pipe(far);
    far.on("end", end);
    far.pipe(process.stdout, { end: false });
  });
};
go();
"""

# bash cannot half-close, and the others here end when the far side does; so they need not say so.
_LAUNCH: Final = r"""
echo pid $$ >&2
if command -v python3 >/dev/null; then exec python3 -S -c "$_chaser_python"; fi
if command -v perl >/dev/null; then exec perl -e "$_chaser_perl"; fi
IFS=' ' read -r _chaser_line || exit 0
set -- $_chaser_line
if command -v node >/dev/null; then exec node -e "$_chaser_node" "$@"; fi
_chaser_host=$2
[ -z "$3" ] || grep -q . /proc/net/tcp || _chaser_host=$3
case $(nc --help 2>&1) in
*BusyBox*) echo open >&2; exec nc "$_chaser_host" "$1" ;;
*" -N"* | *"[-"*N*) echo open >&2; exec nc -N "$_chaser_host" "$1" ;;
esac
if command -v bash >/dev/null; then
    exec bash -c 'exec 4<&0
if ! exec 3<>"/dev/tcp/$0/$1"; then echo closed >&2; exit; fi 2>/dev/null
echo open >&2
cat <&4 >&3 & up=$!
cat <&3
kill $up' "$_chaser_host" "$1"
fi
if command -v socat >/dev/null; then
    case $_chaser_host in *:*) _chaser_host="[$_chaser_host]" ;; esac
    echo open >&2
    exec socat -t 10 STDIO "TCP:$_chaser_host:$1"
fi
command -v nc >/dev/null || { echo none >&2; exit; }
echo open >&2
exec nc "$_chaser_host" "$1"
"""
_NONE: Final = (
    "Ports that listen on the loopback address only cannot be reached in this image: install python3, perl or nc."
)


async def ready_relay(endpoint: Endpoint, ref: str, *, env: Sequence[str], patience: float, end: End) -> Relay:
    """Have a relay wait for where to connect to. `end` kills what a relay has started, by its pid."""
    programs = [f"_chaser_python={_PYTHON}", f"_chaser_perl={_PERL}", f"_chaser_node={_NODE}"]
    try:
        async with asyncio.timeout(patience):
            stream = await open_exec(endpoint, ref, ["sh", "-c", _LAUNCH], user="0", env=[*env, *programs])
    except TimeoutError as error:
        raise SandboxUnavailable("The container engine does not answer.") from error
    except ExecError as error:
        raise refusal(str(error), None) from error
    return Relay(stream, end, half=endpoint.tls is None)


class Relay:
    """The near end: everything ends when its caller closes its socket, or when the far side has ended."""

    def __init__(self, stream: ExecStream, end: End, *, half: bool) -> None:
        self._stream = stream
        self._ours: socket.socket | None = None
        self._end = end
        self._half = half
        self._told = 0
        self._pid = 0
        self._first = b""
        self._until: int | None = None
        self._passed = 0

    async def connect(self, port: int, hosts: Sequence[str], patience: float) -> socket.socket:
        """Connect to the first of `hosts` that answers, and answer the caller's end, which is non-blocking."""
        try:
            async with asyncio.timeout(patience):
                self._stream.write(f"{port:d} {' '.join(hosts)}\n".encode())
                await self._opened()
        except TimeoutError as error:
            raise SandboxUnavailable("The container engine does not answer.") from error
        near, self._ours = socket.socketpair()
        near.setblocking(False)
        self._ours.setblocking(False)
        return near

    async def _opened(self) -> None:
        while (data := await self._stream.read_some()) is not None:
            self._first += data
            for words in self._news():
                match words[0]:
                    case "open":
                        return
                    case "closed":
                        raise PortClosed("Nothing listens on the port.")
                    case "none":
                        raise SandboxUnavailable(_NONE)
        if self._pid == 0:
            raise SandboxGone("The sandbox has ended.")
        raise PortClosed("Nothing listens on the port.")

    def _news(self) -> list[list[str]]:
        """What the relay has told since the last time."""
        lines = self._stream.complaint[self._told :].split(b"\n")[:-1]
        self._told += sum(len(line) + 1 for line in lines)
        found = [words for line in lines if (words := line.decode(errors="replace").split())]
        for words in found:
            if words[0] == "pid":
                self._pid = int(words[1])
            elif words[0] == "eof":
                self._until = int(words[1])
        return found

    async def run(self) -> None:
        """Pass on both ways until it is over."""
        assert self._ours is not None  # noqa: S101  # it is connected
        tasks = (asyncio.create_task(self._up(self._ours)), asyncio.create_task(self._down(self._ours)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            try:
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:
                self.drop()
        await self.close()

    async def _up(self, ours: socket.socket) -> None:
        """From the caller to the far side; returns when the caller has closed its end, as a whole."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(ours, _CHUNK):
                self._stream.write(data)
                await self._stream.drain()
            if self._half:
                self._stream.write_eof()
        # The end of one direction looks like the end of both until it is asked, and the loop does not ask.
        hung_up = select.poll()
        hung_up.register(ours, 0)
        while not hung_up.poll(0):  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    async def _down(self, ours: socket.socket) -> None:
        """From the far side to the caller; returns when that is over."""
        loop = asyncio.get_running_loop()
        data: bytes | None = self._first
        with contextlib.suppress(OSError):
            while data is not None:
                if data:
                    await loop.sock_sendall(ours, data)
                    self._passed += len(data)
                self._news()
                if self._until is not None and self._passed >= self._until:
                    ours.shutdown(socket.SHUT_WR)
                    while await self._stream.read_some() is not None:
                        pass
                    return
                data = await self._stream.read_some()

    def drop(self) -> None:
        """Let go of what is held here."""
        self._stream.close()
        if self._ours is not None:
            self._ours.close()

    async def close(self) -> None:
        """Let go, and end what runs inside."""
        self.drop()
        if self._pid:
            with contextlib.suppress(SandboxUnavailable):
                await self._end(self._pid)
