"""A repository that is there for an import on any machine, without a network: small, and made by hand."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import socket
import zlib
from pathlib import Path

from chaser_emulator.provoking.stage import Stage
from chaser_emulator.repositories import Elsewhere

OWNER = "provoked"
_FILE = b"A repository that was made for a test.\n"
_AUTHOR = b"Chaser <chaser@localhost> 1767225600 +0000"
_PATIENCE = 0.3
"""Seconds that a server is given which is known not to answer."""


async def repository(stage: Stage) -> str:
    """`owner/name` of a repository with one file in it, for as long as the stage stands."""
    name = stage.name()
    folder = stage.world.data_dir / "checkouts" / OWNER
    await asyncio.to_thread(_make, folder / OWNER / f"{name}.git")

    async def remove() -> None:
        await asyncio.to_thread(shutil.rmtree, folder / OWNER / f"{name}.git", True)

    stage.undo(remove)
    stage.say(f"a repository, {OWNER}/{name}")
    return _found_at(stage, f"{OWNER}/{name}", Elsewhere(folder))


def _found_at(stage: Stage, repository: str, elsewhere: Elsewhere) -> str:
    known = stage.world.repositories.elsewhere
    known[repository] = elsewhere

    async def forget() -> None:
        known.pop(repository, None)

    stage.undo(forget)
    return repository


async def missing(stage: Stage) -> str:
    """The name of a repository that there is not."""
    stage.say("the folder of repositories has none of this name")
    return _found_at(stage, f"{OWNER}/{stage.name()}", Elsewhere(stage.world.data_dir / "checkouts" / OWNER))


async def broken(stage: Stage) -> str:
    """A repository whose only branch leads to an object that is gone."""
    found = await repository(stage)
    folder = stage.world.data_dir / "checkouts" / OWNER / f"{found}.git"
    await asyncio.to_thread(shutil.rmtree, folder / "objects")
    await asyncio.to_thread((folder / "objects").mkdir)
    stage.say("its objects are gone")
    return found


def on_closed_port(stage: Stage) -> str:
    """A repository on a server that does not run."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    stage.say(f"the server of the repository, 127.0.0.1:{port}, does not run")
    return _found_at(stage, f"{OWNER}/{stage.name()}", Elsewhere(f"http://127.0.0.1:{port}"))


async def on_silent_server(stage: Stage) -> str:
    """A repository on a server that takes connections, and never answers."""
    over = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await over.wait()
        finally:
            writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def close() -> None:
        over.set()
        server.close()
        await server.wait_closed()

    stage.undo(close)
    stage.say(f"the server of the repository, 127.0.0.1:{port}, takes connections and never answers")
    elsewhere = Elsewhere(f"http://127.0.0.1:{port}", answer_seconds=_PATIENCE)
    return _found_at(stage, f"{OWNER}/{stage.name()}", elsewhere)


def _make(folder: Path) -> None:
    """A bare repository with one commit of one file."""
    (folder / "refs" / "heads").mkdir(parents=True)
    blob = _store(folder, b"blob", _FILE)
    tree = _store(folder, b"tree", b"100644 README.md\0" + bytes.fromhex(blob))
    text = b"tree %s\nauthor %s\ncommitter %s\n\nBegin\n" % (tree.encode(), _AUTHOR, _AUTHOR)
    commit = _store(folder, b"commit", text)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "refs" / "heads" / "main").write_text(f"{commit}\n")
    (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")


def _store(folder: Path, kind: bytes, content: bytes) -> str:
    """Keep an object of git's; answers its name."""
    whole = b"%s %d\0%s" % (kind, len(content), content)
    name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    place = folder / "objects" / name[:2] / name[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(zlib.compress(whole))
    return name
