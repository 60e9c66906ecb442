"""What every engine promises of its terminals: one suite over all of them."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import psutil
import pytest
from chaser_emulator.sandbox import (
    Engine,
    SandboxGone,
    SandboxSpec,
    Terminal,
    TerminalSpec,
    UnknownDirectory,
    UnknownUser,
)
from engines import (  # noqa: F401 - fixtures are found by import
    anyio_backend_fixture,
    collect,
    engine_fixture,
    needs_processes,
    run,
)

pytestmark = pytest.mark.anyio
MIB = 1_048_576
ESCAPES = re.compile(rb"\x1b(\[[0-9;?<>=]*[a-zA-Z]|[=>()][A-Z0-9]?)")


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncIterator[str]:
    """An ephemeral sandbox of the engine."""
    ref = await engine.start(SandboxSpec(session_id="sess-terminal", env={"FROM_SANDBOX": "yes", "TERM_OF": "sandbox"}))
    yield ref
    await engine.stop(ref)


class Screen:
    """A user before a terminal: types, and waits for what is to be seen."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.seen = b""
        self._output = terminal.output()

    async def type(self, text: str) -> None:
        await self.terminal.write(text.encode())

    async def sees(self, text: str, within: float = 10) -> bytes:
        """Read until `text` has appeared; all up to its end is taken off, and answered without escape sequences."""
        await self.shows(lambda seen: text.encode() in seen, within)
        before, found, self.seen = self.seen.partition(text.encode())
        return ESCAPES.sub(b"", before + found)

    async def shows(self, enough: Callable[[bytes], bool], within: float = 10) -> None:
        """Read until what has been seen is enough."""
        async with asyncio.timeout(within):
            while not enough(self.seen):
                self.seen += await anext(self._output)

    async def rest(self, within: float = 10) -> bytes:
        """All that still comes until the end."""
        async with asyncio.timeout(within):
            async for chunk in self._output:
                self.seen += chunk
        return ESCAPES.sub(b"", self.seen)


async def opened(engine: Engine, ref: str, **how: object) -> Screen:
    """A new terminal; `how` are the fields of its TerminalSpec."""
    return Screen(await engine.open_terminal(ref, TerminalSpec(**how)))  # type: ignore[arg-type] # passed through


async def agent(engine: Engine, ref: str) -> Screen:
    """A terminal that shows nothing but what commands write, and is known to listen."""
    screen = await opened(engine, ref, mode="agent")
    await screen.type("echo rea''dy\n")
    await screen.sees("ready\r\n")
    return screen


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a question is answered by yes."""
    async with asyncio.timeout(10):
        while not await holds():  # noqa: ASYNC110 - asked of the machine
            await asyncio.sleep(0.02)


# The dialogue.


async def test_a_human_types_sees_the_answer_and_leaves(engine: Engine, sandbox: str) -> None:
    screen = await opened(engine, sandbox)
    await screen.type("echo an''swer\r")
    shown = await screen.sees("answer\r\n")
    assert b"echo an''swer" in shown
    await screen.type("exit 5\r")
    await screen.rest()
    assert await screen.terminal.wait() == 5


async def test_an_agent_sees_nothing_but_answers(engine: Engine, sandbox: str) -> None:
    screen = await agent(engine, sandbox)
    await screen.type("echo one\necho two\nexit 3\n")
    shown = await screen.rest()
    assert shown.replace(b"exit\r\n", b"") == b"one\r\ntwo\r\n"
    assert b"\x1b" not in screen.seen
    assert await screen.terminal.wait() == 3


@pytest.mark.parametrize("mode", ["human", "agent"])
async def test_a_command_runs_in_place_of_a_dialogue(engine: Engine, sandbox: str, mode: str) -> None:
    screen = await opened(engine, sandbox, mode=mode, command="echo hello world")
    assert await screen.rest() == b"hello world\r\n"
    assert await screen.terminal.wait() == 0
    assert await (await opened(engine, sandbox, mode=mode, command="exit 7")).terminal.wait() == 7


async def test_the_end_of_input_ends_the_shell(engine: Engine, sandbox: str) -> None:
    screen = await agent(engine, sandbox)
    await screen.type("false\n")
    await screen.terminal.close_stdin()
    await screen.rest()
    assert await screen.terminal.wait() == 1
    await screen.terminal.close_stdin()  # of one that has ended: nothing


async def test_interrupt_ends_the_command_and_not_the_shell(engine: Engine, sandbox: str) -> None:
    screen = await opened(engine, sandbox)
    await screen.type("echo be''gin\r")
    await screen.sees("begin")
    await screen.type("sleep 600\r")
    await screen.sees("sleep 600\r\n")
    if engine.name != "scripted":
        await until(lambda: _in_foreground(engine, sandbox, "sleep"))
    await screen.type("\x03")
    await screen.type("echo still he''re\r")
    await screen.sees("still here")
    await screen.terminal.close()


async def _in_foreground(engine: Engine, ref: str, name: str) -> bool:
    found = await run(
        engine, ref, f"grep -l '^{name}$' /proc/[0-9]*/comm | cut -d / -f 3 | sed 's|.*|/proc/&/stat|' | xargs cat"
    )
    # pid (comm) state ppid pgrp session tty_nr tpgid
    return any(line.split()[4] == line.split()[7] for line in found.output.decode().splitlines() if "(sleep)" in line)


async def test_the_size_is_the_one_asked_for_and_changes(engine: Engine, sandbox: str) -> None:
    screen = await opened(engine, sandbox, mode="agent", rows=31, cols=97)
    await screen.type("stty size\n")
    await screen.sees("31 97\r\n")
    await screen.terminal.resize(50, 132)
    await screen.type("stty size\n")
    await screen.sees("50 132\r\n")
    await screen.type("exit 0\n")
    await screen.rest()
    await screen.terminal.resize(10, 10)  # of one that has ended: nothing


async def test_a_bad_directory_or_user_is_refused(engine: Engine, sandbox: str) -> None:
    with pytest.raises(UnknownDirectory):
        await engine.open_terminal(sandbox, TerminalSpec(cwd="/no/such/folder"))
    with pytest.raises(UnknownUser):
        await engine.open_terminal(sandbox, TerminalSpec(user="nobody-of-that-name"))


async def test_a_signal_ends_it_with_128_and_its_number(engine: Engine, sandbox: str) -> None:
    screen = await agent(engine, sandbox)
    await screen.terminal.signal(signal.SIGKILL)
    async with asyncio.timeout(5):
        assert await screen.terminal.wait() == 137
    await screen.rest()


# The end.


async def test_close_ends_it_and_again_is_nothing(engine: Engine, sandbox: str) -> None:
    screen = await agent(engine, sandbox)
    async with asyncio.timeout(10):
        await asyncio.gather(screen.terminal.close(), screen.terminal.close())
        await screen.terminal.close()
        assert 0 <= await screen.terminal.wait() <= 255
    await screen.rest()
    with pytest.raises(BrokenPipeError):
        await screen.type("echo more\n")
    await screen.terminal.resize(20, 20)
    await screen.terminal.signal(signal.SIGTERM)


async def test_close_ends_a_reader_that_waits(engine: Engine, sandbox: str) -> None:
    screen = await agent(engine, sandbox)
    reading = asyncio.create_task(screen.rest())
    await asyncio.sleep(0)
    await screen.terminal.close()
    await reading


async def test_stop_ends_every_terminal(engine: Engine) -> None:
    ref = await engine.start(SandboxSpec(session_id="sess-stop"))
    screens = [await agent(engine, ref) for _ in range(3)]
    readings = [asyncio.create_task(screen.rest()) for screen in screens]
    await engine.stop(ref)
    async with asyncio.timeout(5):
        for screen, reading in zip(screens, readings, strict=True):
            await reading
            assert await screen.terminal.wait() == 137
    with pytest.raises(SandboxGone):
        await engine.open_terminal(ref, TerminalSpec())


async def test_one_that_ignores_the_hangup_is_killed(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    screen = await opened(engine, sandbox, command="trap '' HUP TERM; echo ready; while :; do sleep 1; done")
    await screen.sees("ready")
    async with asyncio.timeout(5):
        await screen.terminal.close()
        assert await screen.terminal.wait() == 137


async def test_jobs_end_with_the_terminal_and_daemons_do_not(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    screen = await agent(engine, sandbox)
    await screen.type("sleep 600 & echo $! > job\n")
    await screen.type("setsid sh -c 'echo $$ > daemon; exec sleep 600' </dev/null >/dev/null 2>&1 &\n")
    await screen.type("until test -s daemon; do sleep 0.02; done; echo bo''th\n")
    await screen.sees("both")
    await screen.terminal.close()
    ended = "! kill -0 $(cat job) 2>/dev/null || grep -q '^State:.Z' /proc/$(cat job)/status"
    assert (await run(engine, sandbox, ended)).exit_code == 0
    assert (await run(engine, sandbox, "kill -0 $(cat daemon)")).exit_code == 0


async def test_output_ends_when_a_child_keeps_the_terminal(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    # Without a hangup of its own: an interactive shell leaves its background jobs alone when it exits.
    screen = await opened(engine, sandbox, command="trap '' HUP; sleep 600 & echo $! > lives; echo started")
    assert await screen.rest(within=5) == b"started\r\n"
    assert await screen.terminal.wait() == 0
    assert (await run(engine, sandbox, "kill -0 $(cat lives)")).exit_code == 0


# Programs.


async def test_it_is_a_controlling_terminal_with_a_name(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    screen = await agent(engine, sandbox)
    await screen.type("test -t 0 && test -t 1 && test -t 2 && tty && echo to the ter''minal > /dev/tty\n")
    assert re.match(rb"/dev/pts/\d+\r\nto the terminal", await screen.sees("to the terminal"))
    await screen.type("read -r all < /proc/$$/stat; echo $all $$ do''ne\n")
    fields = (await screen.sees("done")).split()
    pid, group, session, terminal, front = (int(fields[at]) for at in (0, 4, 5, 6, 7))
    assert pid == group == session == screen.terminal.pid
    assert terminal > 0
    assert front == pid
    await screen.terminal.close()


async def test_the_variables_of_a_terminal(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    ask = 'echo "[$TERM $CHASER_MODE $CHASER_SESSION_ID $FROM_SANDBOX $TERM_OF]"'
    human = await opened(engine, sandbox, command=ask, env={"TERM_OF": "terminal"})
    assert b"[xterm-256color pty sess-terminal yes terminal]" in await human.rest()
    bare = await opened(engine, sandbox, mode="agent", command=ask)
    assert b"[dumb pty sess-terminal yes sandbox]" in await bare.rest()
    other = await opened(engine, sandbox, mode="agent", command=ask, env={"TERM": "vt100"})
    assert b"[vt100 pty" in await other.rest()
    elsewhere = await opened(engine, sandbox, command="pwd", cwd="/tmp")
    assert await elsewhere.rest() == b"/tmp\r\n"


async def test_a_resize_is_told_to_the_foreground(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    script = "trap 'stty size; echo told' WINCH; echo ready; while :; do sleep 0.02; done"
    screen = await opened(engine, sandbox, command=script)
    await screen.sees("ready")
    await screen.terminal.resize(40, 100)
    assert b"40 100" in await screen.sees("told")
    await screen.terminal.close()


async def test_a_job_is_stopped_resumed_and_interrupted(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    screen = await opened(engine, sandbox)
    await screen.type("sleep 600\r")
    await until(lambda: _in_foreground(engine, sandbox, "sleep"))
    await screen.type("\x1a")
    await screen.sees("Stopped")
    await screen.type("echo in bet''ween; fg\r")
    await screen.sees("in between")
    await until(lambda: _in_foreground(engine, sandbox, "sleep"))
    await screen.type("\x03")
    await screen.type("echo code $?, a''gain\r")
    await screen.sees("code 130, again")
    await screen.terminal.close()


async def test_vi_draws_edits_and_saves(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    if (await run(engine, sandbox, "command -v vi")).exit_code != 0:
        pytest.skip("the sandbox has no vi")
    screen = await opened(engine, sandbox, command="vi note.txt", rows=20, cols=70)
    await screen.shows(lambda seen: b"note.txt" in seen and seen.count(b"~") >= 15)
    await screen.type("ihello from vi\x1b")
    await screen.sees("hello from vi")
    await screen.type(":wq\r")
    await screen.rest()
    assert await screen.terminal.wait() == 0
    assert (await run(engine, sandbox, "cat note.txt")).output == b"hello from vi\n"


async def test_less_and_top_draw_and_leave(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    for program, mark in (("seq 1 500 | less", "10"), ("top", "PID")):
        name = program.split()[-1]
        if (await run(engine, sandbox, f"command -v {name} && command -v seq")).exit_code != 0:
            continue
        screen = await opened(engine, sandbox, command=program)
        await screen.sees(mark)
        await screen.type("q")
        await screen.rest()
        assert await screen.terminal.wait() == 0


# Floods.


async def test_a_large_paste_arrives_whole(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    paste = random.Random(1).randbytes(MIB)
    script = f"stty raw -echo; echo ready; sleep 0.1; head -c {MIB} > pasted; echo all"
    screen = await opened(engine, sandbox, command=script)
    await screen.sees("ready")
    async with asyncio.timeout(30):
        await screen.terminal.write(paste)
        await screen.sees("all", within=30)
    download = await engine.read_file(sandbox, "pasted")
    assert b"".join([chunk async for chunk in download.chunks]) == paste


async def test_twenty_terminals_at_once_mix_nothing_up(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)

    async def echo(number: int) -> None:
        # Docker's engine holds back a ctrl-^ until the next key, so none may be the last.
        sent = random.Random(number).randbytes(MIB - 1) + b"."
        screen = await opened(engine, sandbox, command=f"stty raw -echo; echo ready; exec head -c {MIB}")
        await screen.sees("ready\n", within=30)
        typing = asyncio.create_task(screen.terminal.write(sent))
        async with asyncio.timeout(60):
            async for chunk in screen.terminal.output():
                screen.seen += chunk
            await typing
        assert screen.seen == sent
        assert await screen.terminal.wait() == 0

    await asyncio.gather(*(echo(number) for number in range(20)))


async def test_a_flood_is_held_back_by_a_slow_reader(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    size = 8 * MIB
    screen = await opened(engine, sandbox, command=f"stty raw; head -c {size} /dev/zero; echo done > flood-done")
    reading = screen.terminal.output()
    got = len(await anext(reading))
    # The writer cannot get far ahead of us: nothing but the terminal may lie in between.
    assert (await run(engine, sandbox, "sleep 0.2; test -e flood-done")).exit_code == 1
    async for chunk in reading:
        got += len(chunk)
    assert got == size
    assert await screen.terminal.wait() == 0


async def test_an_endless_flood_ends_by_interrupt(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    screen = await opened(engine, sandbox)
    await screen.type("yes\r")
    await screen.sees("y\r\ny\r\ny\r\n")
    await screen.type("\x03")
    await screen.type("echo ca''lm\r")
    await screen.sees("calm")
    await screen.terminal.close()


# Leaks.


async def test_a_hundred_terminals_leave_nothing(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    here = psutil.Process()

    async def one(way: int) -> None:
        screen = await opened(engine, sandbox, command=None if way % 2 else "echo text")
        match way % 4:
            case 0:
                await screen.rest()
            case 1:
                await screen.type("sleep 600 &\recho he''re\r")
                await screen.sees("here")
            case 2:
                await screen.terminal.wait()
        await screen.terminal.close()

    await one(1)
    descriptors, inside = here.num_fds(), await _processes(engine, sandbox)
    for _ in range(10):
        await asyncio.gather(*(one(way) for way in range(10)))
    gc.collect()

    async def back() -> bool:
        return here.num_fds() <= descriptors and await _processes(engine, sandbox) <= inside

    await until(back)


async def _processes(engine: Engine, ref: str) -> int:
    # By their environment: without isolation, all of the machine's processes are seen.
    found = await run(engine, ref, "grep -l CHASER_SESSION_ID=sess-terminal /proc/[0-9]*/environ 2>/dev/null")
    return len(found.output.split())


async def test_one_that_is_dropped_hangs_up(engine: Engine, sandbox: str) -> None:
    if engine.name != "local":
        pytest.skip("a terminal of this engine is not a descriptor of ours")
    descriptors = os.listdir("/proc/self/fd")
    screen: Screen | None = await opened(engine, sandbox, command="echo $$ > leader; echo ready; exec sleep 600")
    assert screen is not None
    await screen.sees("ready")
    leader = screen.terminal.pid
    screen = None
    gc.collect()

    async def gone() -> bool:
        return (await run(engine, sandbox, f"kill -0 {leader}")).exit_code != 0

    await until(gone)
    assert len(os.listdir("/proc/self/fd")) <= len(descriptors)


async def test_a_start_that_is_cancelled_leaves_nothing(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    await (await agent(engine, sandbox)).terminal.close()
    descriptors, inside = psutil.Process().num_fds(), await _processes(engine, sandbox)
    for pause in range(8):
        opening = asyncio.create_task(engine.open_terminal(sandbox, TerminalSpec(command="sleep 600")))
        await asyncio.wait({opening}, timeout=pause / 500)
        if opening.done():
            await (await opening).close()
        else:
            opening.cancel()
            await asyncio.wait({opening})

    async def back() -> bool:
        gc.collect()
        return psutil.Process().num_fds() <= descriptors and await _processes(engine, sandbox) <= inside

    await until(back)
    assert (await collect(await engine.open_terminal(sandbox, TerminalSpec(command="echo fine")))).output == b"fine\r\n"
