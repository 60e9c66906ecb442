"""SFTP in a sandbox: what clients ask about files, answered by commands that run there (GNU's or busybox's)."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncssh

from chaser_emulator.gateway.ssh_shell import Reading, Shell, Writing, word
from chaser_emulator.sandbox import WORKSPACE_ROOT, SandboxError

if TYPE_CHECKING:
    from chaser_emulator.gateway.ssh_access import Sandbox

_FIELDS = "%f %s %u %g %h %X %Y"
_UMASK = 0o022
_MODE = 0o7777


@dataclass
class Handle:
    """An open file: by its path, with the stream that reads or writes it at the moment."""

    path: bytes
    appends: bool
    reading: Reading | None = None
    writing: Writing | None = None


class SandboxFiles(asyncssh.SFTPServer):
    """One SFTP session. Its requests come one after the other, and what was written is seen by the next of them."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], sandbox: Sandbox, shell: Shell) -> None:
        super().__init__(channel)
        self._sandbox = sandbox
        self._shell = shell
        self._handles: list[Handle] = []
        self._ended = False

    # Paths

    def _path(self, path: bytes) -> bytes:
        """An absolute path in the sandbox. Where the workspace is elsewhere, its usual name leads there too."""
        if b"\0" in path:
            raise asyncssh.SFTPNoSuchFile("a path has no NUL")
        root = WORKSPACE_ROOT.encode()
        if self._shell.base != root and (path == root or path.startswith(root + b"/")):
            return self._shell.base + path[len(root) :]
        return posixpath.join(self._shell.base, path)

    async def _run(self, script: str, *paths: bytes) -> bytes:
        """Run a script that finds the paths in $1, $2, …, once all that was written before is in place."""
        for handle in self._handles:
            await _settle(handle)
        words = " ".join(word(self._path(path)) for path in paths)
        return await self._shell.run(f"set -- {words}; {script}" if paths else script)

    async def realpath(self, path: bytes) -> bytes:
        try:
            found = (await self._run('readlink -f "$1"', path)).removesuffix(b"\n")
        except asyncssh.SFTPError:
            found = b""
        return found or posixpath.normpath(self._path(path))

    # What is known of a file

    async def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        return _attributes(await self._run(f'stat -L -c "{_FIELDS}" "$1"', path))

    async def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        return _attributes(await self._run(f'stat -c "{_FIELDS}" "$1"', path))

    async def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        return await self.stat(_handle(file_obj).path)

    async def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        await self._set(path, attrs, links=False)

    async def lsetstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        await self._set(path, attrs, links=True)

    async def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        await self._set(_handle(file_obj).path, attrs, links=False)

    async def _set(self, path: bytes, attrs: asyncssh.SFTPAttrs, *, links: bool) -> None:
        steps = []
        itself = "-h " if links else ""
        if attrs.size is not None:
            steps.append(f'[ -f "$1" ] && dd if=/dev/null of="$1" bs=1 count=0 seek={attrs.size} 2>/dev/null')
        if attrs.uid is not None and attrs.gid is not None:
            steps.append(f'chown {itself}{attrs.uid}:{attrs.gid} "$1"')
        if attrs.permissions is not None:
            kept = '[ -L "$1" ] || ' if links else ""
            steps.append(f'{{ {kept}chmod {attrs.permissions & _MODE:o} "$1"; }}')
        if attrs.atime is not None and attrs.mtime is not None:
            if attrs.atime == attrs.mtime:
                steps.append(f'touch -c {itself}-d @{attrs.mtime} "$1"')
            else:
                steps.append(f'touch -c {itself}-a -d @{attrs.atime} "$1"')
                steps.append(f'touch -c {itself}-m -d @{attrs.mtime} "$1"')
        if steps:
            await self._run(f'stat {"" if links else "-L "}-c "" "$1" >/dev/null && ' + " && ".join(steps), path)

    async def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:
        numbers = [int(part) for part in (await self._run('stat -f -c "%s %S %b %f %a %c %d" "$1"', path)).split()]
        size, fragment, blocks, free, available, files, free_files = numbers
        return asyncssh.SFTPVFSAttrs(
            bsize=size,
            frsize=fragment,
            blocks=blocks,
            bfree=free,
            bavail=available,
            files=files,
            ffree=free_files,
            favail=free_files,
            namemax=255,
        )

    async def fstatvfs(self, file_obj: object) -> asyncssh.SFTPVFSAttrs:
        return await self.statvfs(_handle(file_obj).path)

    def format_user(self, uid: int | None) -> str:
        # By number: the names of this machine are not those of the sandbox.
        return "" if uid is None else str(uid)

    def format_group(self, gid: int | None) -> str:
        return "" if gid is None else str(gid)

    # Names

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """All entries by one command. No name has a slash, so `/./` before each tells where it starts."""
        listed = f"find . ! -name . -prune -exec stat -c '{_FIELDS} /%n' {{}} + 2>/dev/null; true"
        readable = '{ [ -r . ] || { echo ": Permission denied"; false; }; }'
        found = await self._run(f'( cd "$1" && {readable} && {{ {listed}; }} )', path)
        fields, *rest = found.split(b"/./")
        for piece in rest:
            name, _, following = piece.rpartition(b"\n")
            if name:
                yield asyncssh.SFTPName(name, attrs=_attributes(fields))
            fields = following

    async def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        mode = 0o777 if attrs.permissions is None else attrs.permissions & _MODE
        await self._run(f'mkdir -m {mode & ~_UMASK:o} "$1"', path)

    async def rmdir(self, path: bytes) -> None:
        await self._run('rmdir "$1"', path)

    async def remove(self, path: bytes) -> None:
        await self._run('rm "$1"', path)

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._run(f'{_free("$2")} && mv "$1" "$2"', oldpath, newpath)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        # `mv` would move into a folder that is there, or that a link leads to.
        place = (
            'if [ -L "$2" ]; then rm "$2"; elif [ -d "$2" ]; then '
            'if [ -d "$1" ] && [ ! -L "$1" ]; then rmdir "$2"; else echo ": Is a directory"; false; fi; fi'
        )
        same = '[ "$1" -ef "$2" ] && [ ! -L "$1" ] && [ ! -L "$2" ]'
        there = '{ [ -e "$1" ] || [ -L "$1" ] || { echo ": No such file"; false; }; }'
        await self._run(
            f'{there} && {{ {{ {same}; }} || {{ {{ {place}; }} && mv -f "$1" "$2"; }}; }}', oldpath, newpath
        )

    async def readlink(self, path: bytes) -> bytes:
        kind = '[ -L "$1" ] || { stat -c "" "$1" >/dev/null && echo ": it is no link"; false; }'
        return await self._run(f'{{ {kind}; }} && readlink -n "$1"', path)

    async def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        if b"\0" in oldpath:
            raise asyncssh.SFTPFailure("a path has no NUL")
        await self._run(f'{_free("$1")} && ln -s -- {word(oldpath)} "$1"', newpath)

    async def link(self, oldpath: bytes, newpath: bytes) -> None:
        await self._run(f'{_free("$2")} && ln "$1" "$2"', oldpath, newpath)

    # Contents

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Handle:
        mode = 0o666 if attrs.permissions is None else attrs.permissions & _MODE
        # A device or a pipe would never come to an end, or wait for somebody.
        steps = [
            'if [ -d "$1" ]; then echo ": Is a directory"; false;',
            'elif [ -e "$1" ] && [ ! -f "$1" ]; then echo ": it is no regular file"; false; fi',
        ]
        if pflags & asyncssh.FXF_CREAT:
            made = f'{{ {_exists("$1")} || ( set -C; : >"$1" ) && chmod {mode & ~_UMASK:o} "$1"; }}'
            steps.append(f"&& {_free('$1')} && {made}" if pflags & asyncssh.FXF_EXCL else f"&& {made}")
        if pflags & asyncssh.FXF_READ:
            steps.append('&& ( : <"$1" )')
        if pflags & asyncssh.FXF_TRUNC and pflags & asyncssh.FXF_WRITE:
            steps.append('&& ( : >"$1" )')
        elif pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_APPEND):
            # Not by >>, which would make a file.
            steps.append('&& stat -L -c "" "$1" >/dev/null && ( : >>"$1" )')
        await self._run(" ".join(steps), path)
        handle = Handle(self._path(path), bool(pflags & asyncssh.FXF_APPEND))
        self._handles.append(handle)
        return handle

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        handle = self._open(file_obj)
        try:
            await _settle(handle)
            if handle.reading is not None and handle.reading.offset != offset:
                await handle.reading.close()
                handle.reading = None
            if handle.reading is None:
                handle.reading = Reading(self._shell, self._sandbox, handle.path, offset)
            data = await handle.reading.read(size)
        except SandboxError as error:
            raise asyncssh.SFTPConnectionLost(str(error)) from None
        if not data:
            # What is appended later is for another look.
            await handle.reading.close()
            handle.reading = None
        return data

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        handle = self._open(file_obj)
        try:
            if handle.writing is not None and handle.writing.offset not in (None, offset):
                await _settle(handle)
            if handle.writing is None:
                at = None if handle.appends else offset
                handle.writing = Writing(self._shell, self._sandbox, handle.path, at)
            await handle.writing.write(data)
        except SandboxError as error:
            raise asyncssh.SFTPConnectionLost(str(error)) from None
        return len(data)

    async def fsync(self, file_obj: object) -> None:
        await _settle(_handle(file_obj))

    async def close(self, file_obj: object) -> None:
        handle = _handle(file_obj)
        self._handles.remove(handle)
        if handle.reading is not None:
            await handle.reading.close()
        try:
            await _settle(handle)
        except asyncssh.SFTPError:
            if not self._ended:
                raise

    def _open(self, file_obj: object) -> Handle:
        """A handle to go on with. What a client sent before it left is not worth a process any more."""
        if self._ended:
            raise asyncssh.SFTPConnectionLost("the client is gone")
        return _handle(file_obj)

    async def end(self) -> None:
        """End what runs for a client that is gone."""
        self._ended = True
        for handle in self._handles:
            for stream in (handle.reading, handle.writing):
                if stream is not None:
                    await stream.close()
        await self._shell.close()

    async def exit(self) -> None:
        with suppress(OSError, asyncssh.Error):
            # Without it, `scp` takes the end for a failure.
            self.channel.exit(0)


async def _settle(handle: Handle) -> None:
    """See all that was written to a handle in its file."""
    writing, handle.writing = handle.writing, None
    if writing is not None:
        await writing.finish()


def _handle(file_obj: object) -> Handle:
    assert isinstance(file_obj, Handle)  # noqa: S101 - `open` makes no others
    return file_obj


def _exists(name: str) -> str:
    return f'{{ [ -e "{name}" ] || [ -L "{name}" ]; }}'


def _free(name: str) -> str:
    """A test that nothing has this name."""
    return f'{{ ! {_exists(name)} || {{ echo ": File exists"; false; }}; }}'


def _attributes(text: bytes) -> asyncssh.SFTPAttrs:
    mode, size, uid, gid, links, read, changed = text.split()
    return asyncssh.SFTPAttrs(
        permissions=int(mode, 16),
        size=int(size),
        uid=int(uid),
        gid=int(gid),
        nlink=int(links),
        atime=int(read),
        mtime=int(changed),
    )
