"""The disks of containers, which are volumes: made, copied, filled, measured and deleted, by containers of a moment."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from docker.errors import APIError, NotFound
from docker.types import LogConfig, Mount

from ..pieces import Pieces
from . import (
    DiskEntry,
    DiskFull,
    FileDownload,
    NotAFile,
    PathNotFound,
    SandboxUnavailable,
    TooMuch,
    archives,
    docker_looking,
    files,
    looking,
)
from .docker_image import Image
from .docker_labelled import DISK, INSTANCE
from .docker_line import SLOW, Line
from .docker_packing import packed, until

T = TypeVar("T")

_COPYING: Final = 600
"""Seconds for the copy of a whole disk."""
_CHUNK: Final = 256 * 1024
_MOST_READ: Final = 4 * 2**30
"""Bytes of a file of which a copy is made here, holes included."""
_MOST_FILLED: Final = 16 * 2**30
"""Bytes of holes that are written out as zeros, since the engine knows no archives of files with holes."""

# A file that vanishes meanwhile is no failure. busybox fills holes: what it has copied of a file that has any is copied
# once more, without each MiB of zeros; a file of several names stays as it is.
_COPY: Final = r"""
export LC_ALL=C
said=$(cp -a /from/. /to/ 2>&1) || said=$(printf '%s\n' "$said" |
    grep -v -e ': No such file or directory$' -e 'replaced while being copied$') && [ -z "$said" ] ||
    { [ -z "$said" ] || { printf '%s\n' "$said" >&2; exit 1; }; }
cp --help 2>&1 | grep -q -e --sparse && exit 0
cd /to || exit 1
find . -type f -size +2047k -exec sh -c '
for file; do
    [ -f "/from/$file" ] && [ ! -L "/from/$file" ] || continue
    set -- $(stat -c "%b %s %h" "/from/$file")
    [ $(($1 * 512)) -lt "$2" ] && [ "$3" = 1 ] || continue
    size=$(stat -c %s "$file") at=0 part=/to/.chaser-holes
    : >"$part" && truncate -s "$size" "$part" || exit 1
    while [ $((at * 1048576)) -lt "$size" ]; do
        if [ "$(dd if="$file" bs=1048576 skip=$at count=1 2>/dev/null | tr -d "\000" | head -c 1 | wc -c)" -gt 0 ]; then
            dd if="$file" of="$part" bs=1048576 skip=$at seek=$at count=1 conv=notrunc 2>/dev/null || exit 1
        fi
        at=$((at + 1))
    done
    chown "$(stat -c %u:%g "$file")" "$part"
    chmod "$(stat -c %a "$file")" "$part"
    touch -r "$file" "$part"
    mv -f "$part" "$file"
    touch -r "/from/${file%/*}" "${file%/*}"
done' sh {} +
"""


class Volumes:
    """The volumes of one instance. `image` gets the image that containers of a moment are made of."""

    def __init__(
        self,
        line: Line,
        *,
        instance: str,
        prefix: str,
        image_name: str,
        image: Callable[[], Coroutine[object, object, Image]],
        remove: Callable[[str], None],
        spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]],
    ) -> None:
        self._line = line
        self._instance = instance
        self._prefix = prefix
        self._image_name = image_name
        self._image = image
        self._remove = remove
        self._spawn = spawn

    def name(self, disk_id: str) -> str:
        """A disk's volume."""
        return self._prefix + disk_id

    def labels(self, disk_id: str) -> dict[str, str]:
        """What tells that a volume is ours, and which."""
        return {INSTANCE: self._instance, DISK: disk_id}

    def is_new(self, disk_id: str) -> bool:
        """Whether there is none yet, asked in a thread."""
        try:
            self._line.slow_api.inspect_volume(self.name(disk_id))
        except NotFound:
            return True
        return False

    async def all(self) -> set[str]:
        """The disks there are."""

        def look() -> set[str]:
            mine = {"label": [f"{INSTANCE}={self._instance}", DISK]}
            found = self._line.api.volumes(filters=mine)["Volumes"] or ()
            return {volume["Labels"][DISK] for volume in found}

        return await self._line.ask(look)

    async def delete(self, disk_id: str) -> None:
        await self._line.ask(lambda: self._delete(disk_id), SLOW)

    def _delete(self, disk_id: str) -> None:
        with contextlib.suppress(NotFound):
            self._line.slow_api.remove_volume(self.name(disk_id), force=True)

    async def copy(self, source_id: str, target_id: str) -> None:
        """Make a volume of another's content; one that is there under the name is rubbish."""
        if await self._line.ask(lambda: self.is_new(source_id)):
            await self._line.ask(lambda: self._fresh(target_id), SLOW)
            return
        await self._image()

        def work(ref: str) -> None:
            self._fresh(target_id)
            self._create(ref, {"/from": source_id, "/to": target_id}, ["sh", "-c", _COPY], read_only=("/from",))
            self._run(ref)

        await self._by_container(work, target_id)

    async def fill(self, target_id: str, folder: Path) -> None:
        """Make a volume of a folder here, its files the image's user's."""
        image = await self._image()
        given_up = threading.Event()

        def work(ref: str) -> None:
            self._fresh(target_id)
            self._create(ref, {"/to": target_id}, ["true"])
            uid, gid = self._owner(ref, image.owner)
            _put(self._line, ref, until(given_up, packed(folder, "to", uid, gid)))

        await self._by_container(work, target_id, given_up)

    async def export(self, disk_id: str, to: BinaryIO, *, in_use: bool) -> None:
        """Write a volume into a file here; one in use by way of a copy, which nobody changes while it is read."""
        if await self._line.ask(lambda: self.is_new(disk_id)):
            to.write(archives.empty())
            return
        await self._image()
        source_id = f"exported-{secrets.token_hex(8)}" if in_use else disk_id
        if in_use:
            await self.copy(disk_id, source_id)

        def work(ref: str) -> None:
            place = f"/{archives.ROOT}"
            self._create(ref, {place: source_id}, ["true"], read_only=(place,))
            stream, _ = self._line.slow_api.get_archive(ref, place, chunk_size=_CHUNK)
            for piece in archives.rewritten(io.BufferedReader(Pieces(stream), _CHUNK), stream=True):
                to.write(piece)

        try:
            await self._by_container(work)
        finally:
            if in_use:
                await asyncio.shield(self._spawn(self.delete(source_id)))

    async def entries(self, disk_id: str, folder: str, *, recursive: bool, digests: bool) -> list[DiskEntry]:
        """What is in a folder of a volume, as a container finds it that looks into it, in use or not."""
        if digests:
            # First without: to read what holds too much would take for ever.
            look = looking.Look()
            for entry in await self.entries(disk_id, folder, recursive=recursive, digests=False):
                look.read(entry.size or 0)
        if await self._line.ask(lambda: self.is_new(disk_id)):
            docker_looking.require_folder("missing" if folder else "directory", folder)
            return []
        await self._image()
        root = f"/{archives.ROOT}"
        place = f"{root}/{folder}" if folder else root

        def work(ref: str) -> list[DiskEntry]:
            argv = docker_looking.command(place, recursive=recursive, digests=digests)
            self._create(ref, {root: disk_id}, argv, read_only=(root,))
            docker_looking.require_folder(self._run(ref, whatever=True).strip(), folder)
            written: dict[str, bytes] = {}
            stream, _ = self._line.slow_api.get_archive(ref, docker_looking.OUT, chunk_size=_CHUNK)
            with archives.reading(io.BufferedReader(Pieces(stream), _CHUNK), stream=True) as tar:
                for info in tar:
                    if (content := tar.extractfile(info)) is not None:
                        written[info.name.rpartition("/")[2]] = content.read()
            return docker_looking.entries_of(written, folder)

        return await self._by_container(work)

    async def read(self, disk_id: str, path: str) -> FileDownload:
        """Open a file of a volume, of which a copy is made here. Raises PathNotFound and NotAFile."""
        if await self._line.ask(lambda: self.is_new(disk_id)):
            raise PathNotFound(f"There is no file {path} on the disk.")
        await self._image()
        place = f"/{archives.ROOT}"
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - it is the caller's to the end

        def work(ref: str) -> int:
            self._create(
                ref,
                {place: disk_id},
                ["sh", "-c", f'{docker_looking.KIND}kind_of "$1"', "sh", f"{place}/{path}"],
                read_only=(place,),
            )
            kind = self._run(ref, whatever=True).strip()
            if kind in ("", "missing"):
                raise PathNotFound(f"There is no file {path} on the disk.")
            if kind == "through":
                raise NotAFile(f"{path} goes through a link; links are not followed here.")
            if kind != "file":
                raise looking.no_file(path, kind)
            try:
                stream, _ = self._line.slow_api.get_archive(ref, f"{place}/{path}", chunk_size=_CHUNK)
                with archives.reading(io.BufferedReader(Pieces(stream), _CHUNK), stream=True) as tar:
                    info = tar.next()
                    content = tar.extractfile(info) if info is not None and info.isreg() else None
                    if info is None or content is None:
                        raise looking.no_file(path, "other")
                    if info.size > _MOST_READ:
                        limit = f"{_MOST_READ >> 30} GiB"
                        raise TooMuch(f"{path} has {info.size} bytes; at most {limit} of a container's disk are read.")
                    shutil.copyfileobj(content, copy, _CHUNK)
            except NotFound:
                raise PathNotFound(f"There is no file {path} on the disk any more.") from None
            except archives.ArchiveError:
                raise SandboxUnavailable(f"{path} changed while it was read.") from None
            copy.seek(0)
            return info.size

        with copy:
            size = await self._by_container(work)
            return FileDownload(size, files.Chunks(os.dup(copy.fileno()), size, path))

    async def import_(self, target_id: str, archive: BinaryIO, *, owners: bool) -> None:
        """Make a volume of an archive, its files the image's user's unless the `owners` in it are to stay."""
        image = await self._image()
        if (filled := await files.in_thread(archives.holes, archive)) > _MOST_FILLED:
            raise DiskFull(f"The container engine fills the holes of files, and {filled} bytes of them are too many.")
        given_up = threading.Event()

        def work(ref: str) -> None:
            self._fresh(target_id)
            self._create(ref, {f"/{archives.ROOT}": target_id}, ["true"])
            owner = None if owners else self._owner(ref, image.owner)
            _put(self._line, ref, until(given_up, archives.rewritten(archive, owner)))

        await self._by_container(work, target_id, given_up)

    async def bytes(self, disk_id: str) -> int | None:
        """What a volume takes on the engine's disk, by a container that looks into it."""
        if await self._line.ask(lambda: self.is_new(disk_id)):
            return None
        await self._image()

        def work(ref: str) -> str:
            self._create(ref, {"/from": disk_id}, ["du", "-sk", "/from"], read_only=("/from",))
            return self._run(ref, whatever=True)

        try:
            measured = await self._by_container(work)
        except SandboxUnavailable:
            return None
        kib = measured.split()[:1]
        return int(kib[0]) * 1024 if kib and kib[0].isdigit() else None

    # In threads

    def _fresh(self, disk_id: str) -> None:
        self._delete(disk_id)
        self._line.slow_api.create_volume(self.name(disk_id), labels=self.labels(disk_id))

    def _create(self, ref: str, disks: dict[str, str], argv: list[str], read_only: tuple[str, ...] = ()) -> None:
        api = self._line.slow_api
        mounts = [
            Mount(place, self.name(disk), type="volume", read_only=place in read_only, no_copy=True)
            for place, disk in disks.items()
        ]
        api.create_container(
            self._image_name,
            name=ref,
            user="0",
            entrypoint=argv,
            command=[],
            # None of a session: so it is known for what it is when a crash leaves it behind.
            labels={INSTANCE: self._instance},
            network_disabled=True,
            healthcheck={"test": ["NONE"]},
            working_dir="/",
            host_config=api.create_host_config(
                mounts=mounts, network_mode="none", log_config=LogConfig(type=LogConfig.types.JSON)
            ),
        )

    def _run(self, ref: str, *, whatever: bool = False) -> str:
        api = self._line.slow_api
        api.start(ref)
        code = api.wait(ref, timeout=_COPYING)["StatusCode"]
        if code == 0 or whatever:
            return api.logs(ref, stderr=False).decode(errors="replace") if whatever else ""
        said = api.logs(ref, tail=3).decode(errors="replace").strip()
        if "No space left" in said or "quota exceeded" in said:
            raise DiskFull("No space is left on the disk for the copy.")
        if "File name too long" in said or "Filename too long" in said:  # in the words of glibc and of musl
            raise SandboxUnavailable("The workspace cannot be copied: a path in it is longer than 4096 bytes.")
        reason = said.splitlines()[-1] if said else f"cp ended with {code}"
        raise SandboxUnavailable(f"The workspace cannot be copied: {reason.rstrip('.')}.")

    def _owner(self, ref: str, owner: str | None) -> tuple[int, int]:
        """The numbers of an image's user, who may be named user, or user:group."""
        user, _, group = (owner or "0:0").partition(":")
        uid, gid = self._entry(ref, "/etc/passwd", user)
        if group:
            gid, _ = self._entry(ref, "/etc/group", group)
        return uid, gid

    def _entry(self, ref: str, file: str, name: str) -> tuple[int, int]:
        """The two numbers of a line of /etc/passwd, or the one of /etc/group."""
        try:
            stream, _ = self._line.slow_api.get_archive(ref, file)
            content = b"".join(stream)
        except NotFound:
            content = b""
        for line in content.decode(errors="replace").splitlines():
            fields = line.split(":")
            if len(fields) >= 3 and name in (fields[0].rpartition("\0")[2], fields[2]):
                return int(fields[2]), int(fields[3]) if len(fields) > 3 and fields[3].isdigit() else 0
        return (int(name), 0) if name.isdigit() else (0, 0)

    # The life of what is made

    async def _by_container(
        self, work: Callable[[str], T], disk_id: str | None = None, given_up: threading.Event | None = None
    ) -> T:
        """Work in a thread by a container of a moment, given its name; without success a new disk is gone after it."""
        ref = f"{self._prefix}moment-{secrets.token_hex(8)}"
        working = asyncio.ensure_future(self._line.ask(lambda: work(ref), _COPYING))
        try:
            done = await asyncio.shield(working)
            await asyncio.shield(self._spawn(self._end(ref, working, None)))
        except BaseException:
            # Also where one gives up when the work is done, and only its container is still to be removed.
            if given_up is not None:
                given_up.set()
            await asyncio.shield(self._spawn(self._end(ref, working, disk_id)))
            raise
        return done

    async def _end(self, ref: str, working: asyncio.Future[T], disk_id: str | None) -> None:
        """Remove a container and a half disk, also of work that was given up: its thread ends when that does."""
        with contextlib.suppress(SandboxUnavailable):
            await self._line.ask(lambda: self._remove(ref))
        late = not working.done()
        await asyncio.gather(working, return_exceptions=True)
        if late:
            with contextlib.suppress(SandboxUnavailable):
                await self._line.ask(lambda: self._remove(ref))
        if disk_id is not None:
            with contextlib.suppress(SandboxUnavailable):
                await self.delete(disk_id)


def _put(line: Line, ref: str, archive: Iterator[bytes]) -> None:
    try:
        # At the root, as the engine refuses links that lead out of where it unpacks.
        line.slow_api.put_archive(ref, "/", archive)
    except APIError as error:
        if "no space left" in str(error).lower():
            raise DiskFull("No space is left on the disk for the files.") from error
        raise
