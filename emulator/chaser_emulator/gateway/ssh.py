"""The SSH gateway: `ssh -p PORT WORKSPACE@localhost` ensures a session of the workspace, and opens a terminal in it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from chaser_emulator.gateway.ssh_connection import Connection
from chaser_emulator.gateway.ssh_host_key import host_key
from chaser_emulator.worlds import Worlds

_LOGIN_SECONDS = 30
_KEEPALIVE_SECONDS = 30
_MOST = 256
"""Connections at once; each may have any number of channels."""
_GRACE = 2.0
"""Seconds that what runs on connections has to end when the emulator stops."""


@asynccontextmanager
async def open_gateway(worlds: Worlds, listener: socket.socket) -> AsyncIterator[int]:
    """Answer on a listening socket until the block ends; gives the port. Raises InUseError."""
    # What strangers send is no news, and what users do is theirs.
    asyncssh.set_log_level(logging.ERROR)
    here: set[Connection] = set()
    acceptor = await asyncssh.listen(
        sock=listener,
        server_factory=lambda: Connection(worlds, here, _MOST),
        server_host_keys=[host_key(worlds.default.data_dir)],
        public_key_auth=True,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_host=None,
        encoding=None,
        line_editor=False,
        agent_forwarding=False,
        x11_forwarding=False,
        login_timeout=_LOGIN_SECONDS,
        keepalive_interval=_KEEPALIVE_SECONDS,
    )
    try:
        yield listener.getsockname()[1]
    finally:
        acceptor.close()
        ending = [connection.ended for connection in here]
        for connection in list(here):
            connection.close("the emulator has stopped")
        if ending:
            await asyncio.wait(ending, timeout=_GRACE)
        await acceptor.wait_closed()
