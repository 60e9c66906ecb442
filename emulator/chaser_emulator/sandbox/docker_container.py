"""What happens inside one container: commands by resident shells, terminals, signals, and files."""

from __future__ import annotations

import asyncio
import posixpath
import secrets
import shlex
import socket
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final

from . import (
    WORKSPACE_ROOT,
    BadPath,
    CommandSpec,
    DiskFull,
    FileDownload,
    FileListing,
    NotAFile,
    NotAFolder,
    NotWritable,
    PathNotFound,
    PortClosed,
    SandboxError,
    SandboxGone,
    SandboxUnavailable,
    TerminalSpec,
    UnknownDirectory,
    listing,
)
from .children import apart, shell_argv
from .docker_exec import Endpoint
from .docker_reach import Listener, listeners
from .docker_relay import Relay, ready_relay
from .docker_terminal import SHELLS_OWN, DockerTerminal, open_terminal
from .warm_shell import Reply, Shell, ShellProcess, ShellStock

ROOT = "0"

_NOT_FROM_LOGIN: Final = {"PWD", "OLDPWD", "SHLVL"}
_LOGIN_PATIENCE: Final = 5.0
_SPARE_SECONDS: Final = 5.0
_LISTED: Final = 16 * 2**20  # bytes of what `stat` says that are looked at
_TOKEN: Final = "CHASER_TERMINAL"  # noqa: S105 - its name
"""The variable by which the root's shell tells what to end when the emulator has died."""


class Container:
    """A running container of a session, as `ref` names it. `env` is the session's own, which no profile may override.

    An engine that says nothing for `patience` seconds is unavailable. `owner` is the user that /workspace is to be
    given to before the first command.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ref: str,
        env: Mapping[str, str],
        opening: asyncio.Semaphore,
        patience: float,
        owner: str | None = None,
        *,
        browser: bool = False,
    ) -> None:
        self.ref = ref
        self._endpoint = endpoint
        self._env = {"CHASER_MODE": "exec", **env}
        self._opening = opening
        self._patience = patience
        self._owner = owner
        self._browser = browser
        self._settling: asyncio.Task[None] | None = None
        self._stocks: dict[str | None, ShellStock] = {}
        self._logins: dict[str | None, asyncio.Task[dict[str, str]]] = {}
        self._control: Shell | None = None
        self._controlling = asyncio.Lock()
        self._asking: set[asyncio.Task[Reply]] = set()
        self._watched: list[int] = []
        self._tasks: set[asyncio.Task[object]] = set()
        self._terminals: set[DockerTerminal] = set()
        self._spare: Relay | None = None
        self._sparing = False
        self._relays: set[asyncio.Task[None]] = set()
        self._token = secrets.token_hex(8)
        self._closed = False

    # Commands

    def warm(self) -> None:
        """Get the first shells ready without being waited for."""
        self._stock(None).warm()

    async def ready(self) -> None:
        """Wait until commands can run."""
        stock = self._stock(None)
        stock.give(await stock.take(), clean=True)

    @property
    def listens(self) -> bool:
        """Whether a shell waits for commands, as far as is known without asking."""
        return any(stock.waits for stock in self._stocks.values())

    def give(self, ref: str, env: Mapping[str, str]) -> None:
        """Make it a session's: under another name, and with variables for all that runs from now on."""
        self.ref = ref
        self._env = {"CHASER_MODE": "exec", **env}
        exports, _ = _environment(self._env)
        for stock in self._stocks.values():
            stock.tell(exports)

    async def exec(self, command: CommandSpec) -> ShellProcess:
        cwd = posixpath.join(WORKSPACE_ROOT, command.cwd)
        if not command.cwd or "\0" in cwd:
            raise UnknownDirectory("cwd is no directory of the sandbox.")
        exports, odd = _environment(command.env)
        code = _code(cwd, command.command, stdin=command.stdin, exports=exports, odd=odd)
        process, reply = await self._run(code, command.user, stdin=command.stdin)
        if reply[0] == "pid":
            return process
        raise UnknownDirectory(f"{command.cwd!r} is no directory of the sandbox.")

    async def _run(self, code: str, user: str | None = None, *, stdin: bool = False) -> tuple[ShellProcess, Reply]:
        """Have a shell evaluate code that replies at least once."""
        if stdin and self._endpoint.tls is not None:
            # asyncio cannot close one direction of a TLS connection, and that is how input ends.
            raise SandboxUnavailable("Over TLS the container engine takes neither standard input nor uploads.")
        # A shell may have died since it was last seen, as when a command kills all it can reach; a new one will tell.
        for _ in range(3):
            stock = self._stock(user)
            shell = await stock.take()
            process = ShellProcess(shell, self, stock.give, stdin=stdin)
            shell.request(code)
            try:
                async with asyncio.timeout(self._patience):
                    reply = await asyncio.shield(process.first)
            except TimeoutError as error:
                process.abandon()
                raise SandboxUnavailable("The container engine does not answer.") from error
            except asyncio.CancelledError:
                self._spawn(self._end(process))
                raise
            if reply is not None:
                return process, reply
        raise SandboxGone("The sandbox has ended.")

    async def _end(self, process: ShellProcess) -> None:
        """Kill a command whose caller has gone before it had begun."""
        if await process.first is not None and process.pid:
            await process.signal(9)
        else:
            process.abandon()

    def _stock(self, user: str | None) -> ShellStock:
        if self._closed:
            raise SandboxGone("The sandbox has ended.")
        stock = self._stocks.get(user)
        if stock is None:
            stock = self._stocks[user] = ShellStock(partial(self._open, user), patience=self._patience)
        return stock

    async def _open(self, user: str | None) -> Shell:
        if self._owner is not None or self._browser:
            if self._settling is None:
                self._settling = asyncio.create_task(self._settle())
            await asyncio.shield(self._settling)
        async with self._opening:
            shell = await Shell.open(self._endpoint, self.ref, user, self._patience)
        try:
            login = self._logins.get(user)
            if login is None:
                login = self._logins[user] = asyncio.create_task(self._login(shell))
            exports, _ = _environment({**await asyncio.shield(login), **self._env})
            if exports:
                shell.request(exports)
        except BaseException:
            shell.close()
            raise
        self._spawn(self._watch())
        return shell

    async def _login(self, shell: Shell) -> dict[str, str]:
        """The environment that a login shell gives, asked once: profiles can be slow, or hang (X9)."""
        mark = secrets.token_hex(8)
        show = shlex.quote(f"printf %s {mark}; exec env -0")
        command = f"if command -v bash >/dev/null; then exec bash -l -c {show}; else exec sh -l -c {show}; fi"
        kept: list[Shell] = []
        process = ShellProcess(shell, self, lambda shell, clean: kept.append(shell), stdin=False)
        shell.request(_code("/", command))
        output = b""
        try:
            async with asyncio.timeout(_LOGIN_PATIENCE):
                async for chunk in process.output():
                    output += chunk
                await process.released()
        except TimeoutError:
            await process.signal(9)
            await process.released()
        pairs = (
            entry.partition("=") for entry in output.partition(mark.encode())[2].decode(errors="replace").split("\0")
        )
        return {name: value for name, is_pair, value in pairs if is_pair and name not in _NOT_FROM_LOGIN}

    # Terminals

    async def open_terminal(self, spec: TerminalSpec) -> DockerTerminal:
        opening = asyncio.create_task(self._open_terminal(spec))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # What the engine was asked to start, it starts.
            self._spawn(self._drop(opening))
            raise

    async def _open_terminal(self, spec: TerminalSpec) -> DockerTerminal:
        env = {**await self._variables(spec.user), _TOKEN: self._token}
        async with self._opening:
            terminal = await open_terminal(self._endpoint, self.ref, self, spec, env, self._patience)
        if self._closed:
            terminal.abandon()
        self._terminals.add(terminal)
        terminal.on_end(self._terminals.discard)
        return terminal

    async def _drop(self, opening: asyncio.Task[DockerTerminal]) -> None:
        await (await opening).close()

    async def _variables(self, user: str | None) -> dict[str, str]:
        """What commands of a user see. The root's shell listens from now on: it ends what is started next."""
        login = self._logins.get(user)
        if login is None:
            stock = self._stock(user)
            stock.give(await stock.take(), clean=True)
            login = self._logins[user]
        found = {**await asyncio.shield(login), **self._env}
        if self._control is None:
            await self._ask("_chaser_say ok")
        return found

    # Ports

    async def check(self) -> None:
        """SandboxGone when it has ended, and its address may be another's."""
        if not await self._ask("_chaser_say ok"):
            raise SandboxGone("The sandbox has ended.")

    async def listeners(self) -> list[Listener]:
        reply = await self._ask("_chaser_ports")
        if not reply:
            raise SandboxGone("The sandbox has ended.")
        return listeners(reply[1:])

    async def relay(self, port: int, hosts: Sequence[str]) -> socket.socket:
        """A stream to a port by a relay inside."""
        opening = asyncio.create_task(self._relay(port, hosts))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close)
            raise

    async def _relay(self, port: int, hosts: Sequence[str]) -> socket.socket:
        relay, self._spare = self._spare, None
        near = None
        if relay is not None:
            # It may have been killed while it waited, and a new one knows better.
            try:
                near = await relay.connect(port, hosts, self._patience)
            except (PortClosed, SandboxGone):
                await relay.close()
            except BaseException:
                await relay.close()
                raise
        if relay is None or near is None:
            relay = await self._ready_relay()
            try:
                near = await relay.connect(port, hosts, self._patience)
            except BaseException:
                await relay.close()
                raise
        running = asyncio.create_task(relay.run())
        self._relays.add(running)
        running.add_done_callback(self._relays.discard)
        # One that is cancelled before it has begun could not do that itself.
        running.add_done_callback(lambda _: relay.drop())
        if self._spare is None and not self._sparing:
            self._sparing = True
            self._spawn(self._keep_spare())
        return near

    async def _ready_relay(self) -> Relay:
        async with self._opening:
            return await ready_relay(
                self._endpoint,
                self.ref,
                env=[f"{_TOKEN}={self._token}"],
                patience=self._patience,
                end=lambda pid: self._ask(f"_chaser_clear {pid:d} {pid:d}; _chaser_say ok"),
            )

    async def _keep_spare(self) -> None:
        """Have the next relay ready for a while: who connects once mostly connects again."""
        try:
            relay = await self._ready_relay()
        finally:
            self._sparing = False
        self._spare = relay
        try:
            await asyncio.sleep(_SPARE_SECONDS)
        finally:
            # Who has taken it out meanwhile has it.
            if self._spare is relay:
                self._spare = None
                relay.drop()

    # The root's shell

    async def hang_up(self, session: int) -> int:
        reply = await self._ask(f'_chaser_hang_up {session:d}; _chaser_say front "$_chaser_front"')
        return int(reply[1]) if len(reply) > 1 else session

    async def clear(self, session: int, front: int) -> int:
        reply = await self._ask(f'_chaser_clear {session:d} {front:d}; _chaser_say left "$_chaser_left"')
        return int(reply[1]) if len(reply) > 1 else 0

    async def kill(self, number: int, group: int) -> None:
        await self._ask(f"_chaser_kill {number:d} {group:d}; _chaser_say ok")

    async def lives(self, pid: int) -> bool:
        return await self._ask(f"kill -0 {pid:d} && _chaser_say yes || _chaser_say no") == ("yes",)

    async def reads(self, shell: int) -> bool:
        return await self._ask(f"_chaser_holders 4 {shell:d} && _chaser_say yes || _chaser_say no") == ("yes",)

    async def _watch(self) -> None:
        """Tell the root's shell whose commands to kill when the emulator dies."""
        pids = [pid for stock in self._stocks.values() for pid in stock.pids]
        if pids != self._watched:
            self._watched = pids
            await self._ask("_chaser_say ok")

    async def _settle(self) -> None:
        code = ""
        if self._owner is not None:
            # A volume is root's at first. One that its user has given to someone else since stays as it is.
            code += f'[ "$(stat -c %u {WORKSPACE_ROOT})" = 0 ] && chown {shlex.quote(self._owner)} {WORKSPACE_ROOT}; '
        if self._browser:
            # Where the documentation has the files of a browser session.
            code += f"[ -e /data/chaser ] || {{ mkdir -p /data && ln -s {WORKSPACE_ROOT} /data/chaser; }} 2>/dev/null; "
        await self._ask(f"{code}_chaser_say ok")

    async def _ask(self, code: str) -> Reply:
        """One short question to the root's shell; no reply, such as `()`, when the container has gone.

        The reply is read also when the caller is cancelled meanwhile: else the next one would take it for its own.
        """
        asking = asyncio.create_task(self._exchange(code))
        self._asking.add(asking)
        asking.add_done_callback(self._answered)
        await asyncio.wait({asking})
        return () if asking.cancelled() else asking.result()

    def _answered(self, asking: asyncio.Task[Reply]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # whoever has asked is told, unless they have gone

    async def _exchange(self, code: str) -> Reply:
        try:
            async with self._controlling, asyncio.timeout(self._patience):
                if self._control is None or self._control.stream.ended:
                    if self._closed:
                        return ()
                    self._control = await Shell.open(self._endpoint, self.ref, ROOT, self._patience)
                watched = " ".join(str(pid) for pid in self._watched)
                self._control.request(f"_chaser_watched='{watched}' _chaser_token={self._token}\n{code}")
                while isinstance(item := await self._control.next(), bytes):
                    pass
                return item or ()
        except SandboxGone:
            return ()
        except TimeoutError as error:
            if self._control is not None:
                self._control.close()
                self._control = None
            raise SandboxUnavailable("The container engine does not answer.") from error

    async def used_bytes(self) -> int | None:
        """Bytes on the disk of /workspace."""
        reply = await self._ask(f"_chaser_say used $(du -sk {WORKSPACE_ROOT} 2>/dev/null)")
        return int(reply[1]) * 1024 if len(reply) > 1 and reply[1].isdigit() else None

    # Files

    async def read_file(self, path: str) -> FileDownload:
        place, inside = _place(path)
        process, reply = await self._run(f"( _chaser_read {shlex.join([place, inside])} ); _chaser_end $?")
        if reply[0] != "size" or len(reply) < 2:
            raise _file_error(reply, path, denied=PathNotFound)
        size = int(reply[1])
        return FileDownload(size, _Chunks(process, size))

    async def list_files(self, path: str, recursive: bool, limit: int) -> FileListing:
        place, inside = _place(path)
        code = f"( _chaser_list {shlex.join([place, inside, 'all' if recursive else ''])} ); _chaser_end $?"
        process, reply = await self._run(code)
        if reply[0] != "go":
            raise _folder_error(reply, path)
        found = bytearray()
        try:
            async with asyncio.timeout(self._patience):
                async for chunk in process.output():
                    found += chunk
                    if len(found) > _LISTED:
                        break
                else:
                    return listing.of_stat(bytes(found), limit, whole=True)
            return listing.of_stat(bytes(found), limit, whole=False)
        except TimeoutError as error:
            raise SandboxUnavailable(f"To list {path!r} takes too long.") from error
        finally:
            process.abandon()

    async def write_file(self, path: str, content: AsyncIterator[bytes], keep_mode: bool) -> int:
        place, inside = _place(path)
        word = secrets.token_hex(16)
        code = f"( _chaser_write {shlex.join([place, inside, word, 'keep' if keep_mode else ''])} ); _chaser_end $?"
        process, reply = await self._run(code, stdin=True)
        if reply[0] != "go":
            raise _file_error(reply, path, denied=NotWritable)
        try:
            try:
                async for chunk in content:
                    await process.write(chunk)
                await process.write(word.encode())
            except BrokenPipeError:
                # It has ended early, and its last reply tells why.
                pass
        finally:
            # Without the word nothing is stored; and the part is gone before the caller goes on, even a cancelled one.
            await process.close_stdin()
            try:
                async with asyncio.timeout(self._patience):
                    await process.wait()
            except TimeoutError as error:
                process.abandon()
                raise SandboxUnavailable("The container engine does not answer.") from error
        last = process.replies[-1]
        if last[0] != "size":
            raise _file_error(last, path, denied=NotWritable)
        return int(last[1])

    # The end

    async def close(self) -> None:
        """Let go of all shells. Commands that still run are killed by the root's."""
        self._closed = True
        tasks: list[asyncio.Task[Any]] = [*self._tasks, *self._logins.values(), *self._relays]
        if self._settling is not None:
            tasks.append(self._settling)
        for task in tasks:
            task.cancel()
        for terminal in list(self._terminals):
            terminal.abandon()
        for stock in self._stocks.values():
            await stock.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        for asking in self._asking:
            asking.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        if self._control is not None:
            self._control.close()
        # The event loop closes the connections in its next round.
        await asyncio.sleep(0)

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        """Do what nobody waits for; it may fail with its sandbox, as whoever uses that next is told."""
        task: asyncio.Task[object] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, SandboxError):
            task.get_loop().call_exception_handler({"message": "work on a container failed", "exception": error})


class _Chunks:
    """The content of a file; dropping it unread lets the shell go that would send it."""

    def __init__(self, process: ShellProcess, size: int) -> None:
        self._process = process
        self._output = process.output()
        self._left = size

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            await self.aclose()
            raise StopAsyncIteration
        async for chunk in self._output:
            part = chunk[: self._left]
            self._left -= len(part)
            return part
        raise SandboxGone("The file was cut short, or the sandbox has ended, while it was read.")

    async def aclose(self) -> None:
        if self._left:
            self._process.abandon()

    def __del__(self) -> None:
        if self._left:
            self._process.abandon()


def _close(opening: asyncio.Task[socket.socket]) -> None:
    """Close what a caller who has gone would have got."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _environment(env: Mapping[str, str]) -> tuple[str, list[str]]:
    """Code that exports variables, and as NAME=value those that a shell cannot export."""
    plain, odd = apart(env, SHELLS_OWN)
    if not plain:
        return "", odd
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in plain.items()) + "; ", odd


def _code(cwd: str, command: str, *, stdin: bool = False, exports: str = "", odd: Sequence[str] = ()) -> str:
    """What a resident shell is sent to run a command. `odd` are variables for `env` to set."""
    words = shlex.join(["env", *odd]) if odd else ""
    arguments = shlex.join(shell_argv("", command)[1:])
    lead = f'_chaser_lead {shlex.quote(cwd)} {4 if stdin else 0} {words} "$_chaser_setsid" "$_chaser_shell" {arguments}'
    return f"( {exports}{lead} ); _chaser_end $?"


def _place(path: str) -> tuple[str, str]:
    """A path made absolute, and a word that is not empty when it must stay within /workspace.

    `..` is resolved by name, as in a URL.
    """
    if not path or "\0" in path:
        raise BadPath("A path may not be empty or contain NUL.")
    place = posixpath.join(WORKSPACE_ROOT, path)
    content = place.encode("utf-8", "surrogatepass")
    if len(content) > 4095 or any(len(part) > 255 for part in content.split(b"/")):
        raise BadPath("The path is too long.")
    if not (place + "/").startswith(WORKSPACE_ROOT + "/"):
        return _by_name(place), ""
    depth = 0
    for part in place[len(WORKSPACE_ROOT) :].split("/"):
        depth += -1 if part == ".." else 1 if part not in ("", ".") else 0
        if depth < 0:
            raise BadPath("The path climbs out of /workspace.")
    return _by_name(place), "inside"


def _by_name(place: str) -> str:
    # A slash or dots at the end say that a folder is meant, and that stays said.
    folder = posixpath.basename(place) in ("", ".", "..")
    return posixpath.normpath("/" + place.lstrip("/")) + ("/" if folder else "")


def _folder_error(reply: Reply, path: str) -> SandboxError:
    match reply[1:2]:
        case ("missing",):
            return PathNotFound(f"There is no folder {path!r}.")
        case ("kind",):
            return NotAFolder(f"{path!r} is no folder.")
        case ("denied",):
            return NotAFolder(f"{path!r} may not be listed by the session's user.")
    return _file_error(reply, path, denied=NotAFolder)


def _file_error(reply: Reply, path: str, *, denied: type[SandboxError]) -> SandboxError:
    match reply[1:2]:
        case ("missing",):
            return PathNotFound(f"There is no file {path!r}.")
        case ("kind",):
            return NotAFile(f"{path!r} is no regular file.")
        case ("outside",):
            return BadPath(f"{path!r} leaves /workspace by a symbolic link.")
        case ("full",):
            return DiskFull("No space left in the sandbox.")
        case ("denied",):
            return denied(f"{path!r} may not be opened by the session's user.")
    return SandboxGone("The sandbox has ended.")
