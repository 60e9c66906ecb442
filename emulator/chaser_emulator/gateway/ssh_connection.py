"""One connection by SSH: its key, the session that it holds while it lives, and what it may open in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any, cast

import asyncssh
from asyncssh.channel import SSHChannel

from chaser_emulator.errors import ApiError
from chaser_emulator.gateway import ssh_access
from chaser_emulator.gateway.ssh_access import Sandbox
from chaser_emulator.gateway.ssh_channel import converse, refuse
from chaser_emulator.gateway.ssh_files import SandboxFiles
from chaser_emulator.gateway.ssh_shell import Shell
from chaser_emulator.sandbox import PortClosed, SandboxError, SandboxGone
from chaser_emulator.store import sessions
from chaser_emulator.worlds import Worlds

_log = logging.getLogger(__name__)

_LOOPBACK = frozenset(["localhost", "127.0.0.1", "::1", "0.0.0.0", "::"])  # noqa: S104 - asked for, not bound
_READ_REASON = 1.0
"""Seconds that a refused client has to ask for something, and so to be told why it is refused."""
_BY_APPLICATION = 11


class Connection(asyncssh.SSHServer):
    """What asyncssh asks about one connection. `ended` is done once nothing of it is left to do."""

    def __init__(self, worlds: Worlds, here: set[Connection], most: int) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._worlds = worlds
        self._world = worlds.default
        self._here = here
        self._most = most
        self._conn: asyncssh.SSHServerConnection | None = None
        self._user_name = ""
        self._fingerprint = ""
        self._sandbox: asyncio.Future[Sandbox] = loop.create_future()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._lost = False

    # Coming and going

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._conn = conn
        self._here.add(self)
        if len(self._here) > self._most:
            asyncio.get_running_loop().call_soon(
                conn.disconnect, _BY_APPLICATION, f"there are {self._most} connections already; close one first"
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        for task in self._tasks:
            task.cancel()
        if self._sandbox.done():
            self._sandbox.exception()  # nobody may have asked
        if not self._tasks:
            self._end()

    def _end(self) -> None:
        self._here.discard(self)
        if not self.ended.done():
            self.ended.set_result(None)

    def close(self, reason: str) -> None:
        """Tell the client why, and hang up."""
        if self._conn is not None:
            self._conn.disconnect(_BY_APPLICATION, reason)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Do something that must come to its end before the connection counts as ended."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a connection by SSH failed", exc_info=error)
            self.close("the emulator failed; its log says why")
        if not self._tasks and self._lost:
            self._end()

    # Who it is

    def begin_auth(self, username: str) -> bool:
        self._user_name = username
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        # Asked once to choose a key and once more with its signature, so the last one asked about is the one used.
        self._fingerprint = key.get_fingerprint()
        for world in self._worlds.all():
            if await ssh_access.known(world, self._fingerprint):
                # A key that is registered in several worlds leads to the eldest.
                self._world = world
                return True
        return False

    def auth_completed(self) -> None:
        self.spawn(self._live())

    # The session that it is about

    async def _live(self) -> None:
        """Ensure the session, and hold it until it or the connection ends."""
        lifecycle = self._world.lifecycle
        try:
            entrance = await ssh_access.find(self._world, self._fingerprint, self._user_name)
            row = await ssh_access.enter(self._world, entrance)
        except (ApiError, SandboxError) as error:
            reason = error.message if isinstance(error, ApiError) else str(error)
            self._sandbox.set_exception(ApiError("sandbox_unavailable", reason))
            await asyncio.sleep(_READ_REASON)
            self.close(reason)
            return
        with lifecycle.lease(row["id"]):
            self._sandbox.set_result(Sandbox(self._world.engine, row["ref"], row))
            while (now := await sessions.get(self._world.store, row["id"])) is not None and now["ended_at"] is None:
                await lifecycle.ended(row["id"])
        self.close("the session has ended")

    async def sandbox(self) -> Sandbox:
        """The sandbox of the session, once it runs. Raises ApiError when there is none, or when its time is over."""
        sandbox = await asyncio.shield(self._sandbox)
        self._world.lifecycle.require_time(sandbox.session)
        return sandbox

    async def _note_gone(self, sandbox: Sandbox) -> None:
        await self._world.lifecycle.lost(sandbox.session)

    # What it opens

    def session_requested(self) -> asyncssh.SSHServerProcess[bytes]:
        return asyncssh.SSHServerProcess(self._program, self._files, 3, False)

    async def _program(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        await _quietly(self.spawn(self._serve(process)))

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """A shell or a command."""
        try:
            sandbox = await self.sandbox()
            try:
                await converse(process, sandbox)
            except SandboxGone:
                await self._note_gone(sandbox)
                raise
        except ApiError as error:
            refuse(process.channel, error.message)
        except SandboxError as error:
            refuse(process.channel, str(error))

    async def _files(self, channel: SSHChannel[bytes]) -> asyncssh.SFTPServer:
        """The file server of one SFTP channel."""
        assert isinstance(channel, asyncssh.SSHServerChannel)  # noqa: S101 - we are the server
        try:
            sandbox = await self.sandbox()
            shell = await Shell.open(sandbox)
        except (ApiError, SandboxError) as error:
            reason = error.message if isinstance(error, ApiError) else str(error)
            refuse(channel, reason)
            # There is nothing to serve; a client that shares the connection has no use for it either.
            await channel.wait_closed()
            raise asyncssh.DisconnectError(_BY_APPLICATION, reason) from None
        files = SandboxFiles(channel, sandbox, shell)
        self.spawn(self._watch(channel, files))
        return files

    async def _watch(self, channel: SSHChannel[bytes], files: SandboxFiles) -> None:
        """End the helpers of a file server with its channel."""
        try:
            await channel.wait_closed()
        finally:
            await files.end()

    async def _forward(self, port: int) -> asyncssh.SSHForwarder:
        """A stream to a port of the sandbox."""
        try:
            sandbox = await self.sandbox()
            found = await sandbox.engine.connect(sandbox.ref, port)
        except ApiError as error:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, error.message) from None
        except PortClosed:
            reason = f"nothing in the sandbox listens on port {port}"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, reason) from None
        except SandboxError as error:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from None
        try:
            _, peer = await asyncio.get_running_loop().create_connection(_Forwarder, sock=found)
        except BaseException:
            found.close()
            raise
        return _Forwarder(peer)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Awaitable[asyncssh.SSHTCPSession[bytes]]:
        if dest_host.lower().strip("[]") not in _LOOPBACK:
            reason = f"only ports of the sandbox itself are forwarded (localhost), not those of {dest_host}"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, reason)
        # A forwarder has what a session needs; the library itself takes it for one.
        return cast("Awaitable[asyncssh.SSHTCPSession[bytes]]", self._forward(dest_port))


class _Forwarder(asyncssh.SSHForwarder):
    """One that lets go once both sides have said their last; the library's own waits for one of them to hang up."""

    def eof_received(self) -> bool:
        more = super().eof_received()
        if not more:
            asyncio.get_running_loop().call_soon(self.close)
        return more


async def _quietly(task: asyncio.Task[Any]) -> None:
    """Await work whose failure is reported where it was spawned."""
    with suppress(Exception):
        await asyncio.shield(task)
