"""What every engine promises: one suite over all of them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator

import pytest
from chaser_emulator.sandbox import (
    BadPath,
    CommandSpec,
    Engine,
    NotAFile,
    NotWritable,
    PathNotFound,
    SandboxGone,
    SandboxSpec,
    UnknownDirectory,
    UnknownUser,
)
from engines import (  # noqa: F401 - fixtures are found by import
    Ended,
    anyio_backend_fixture,
    collect,
    content_of,
    engine_fixture,
    needs_processes,
    run,
    stream,
)

pytestmark = pytest.mark.anyio
MIB = 1_048_576


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncIterator[str]:
    """An ephemeral sandbox of the engine."""
    ref = await engine.start(SandboxSpec(session_id="sess-one"))
    yield ref
    await engine.stop(ref)


async def until(engine: Engine, ref: str, command: str) -> None:
    """Wait until `command` succeeds in the sandbox."""
    async with asyncio.timeout(10):
        while (await run(engine, ref, command)).exit_code != 0:  # noqa: ASYNC110 - asked in the sandbox
            await asyncio.sleep(0.02)


# Commands.


async def test_output_and_exit_code_of_a_command(engine: Engine, sandbox: str) -> None:
    ended = await run(engine, sandbox, "echo hello world")
    assert (ended.exit_code, ended.output) == (0, b"hello world\n")
    assert (await run(engine, sandbox, "exit 3")).exit_code == 3
    assert (await run(engine, sandbox, "exit 255")).exit_code == 255


async def test_an_unknown_command_is_127(engine: Engine, sandbox: str) -> None:
    ended = await run(engine, sandbox, "no-such-command-here")
    assert ended.exit_code == 127
    assert b"no-such-command-here" in ended.output
    assert b"not found" in ended.output


async def test_stdout_and_stderr_are_merged_in_order(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    ended = await run(engine, sandbox, "for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; done")
    assert ended.output.split() == [f"{kind}{i}".encode() for i in range(1, 6) for kind in ("out", "err")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, 137), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_death_by_signal_is_128_and_its_number(engine: Engine, sandbox: str, number: int, code: int) -> None:
    process = await engine.exec(sandbox, CommandSpec("sleep 60"))
    await process.signal(number)
    async with asyncio.timeout(5):
        assert await process.wait() == code
    await process.signal(number)  # of one that has ended: nothing


async def test_wait_needs_no_reader(engine: Engine, sandbox: str) -> None:
    process = await engine.exec(sandbox, CommandSpec("echo unread"))
    async with asyncio.timeout(5):
        assert await process.wait() == 0
    assert (await collect(process)).output == b"unread\n"


async def test_the_pid_is_the_one_the_command_sees(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("echo $$"))
    assert int((await collect(process)).output) == process.pid


async def test_a_command_is_the_leader_of_its_group(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("cut -d ' ' -f 5 /proc/$$/stat"))
    assert int((await collect(process)).output) == process.pid


async def test_stdin_is_fed_and_closed(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("cat; echo end", stdin=True))
    await process.write(b"one\n")
    await process.write(b"two\n")
    await process.close_stdin()
    await process.close_stdin()
    assert (await collect(process)).output == b"one\ntwo\nend\n"


async def test_large_stdin_arrives_whole(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("sleep 0.1; wc -c", stdin=True))

    async def feed() -> None:
        await process.write(b"x" * (2 * MIB))
        await process.close_stdin()

    feeding = asyncio.create_task(feed())
    assert int((await collect(process)).output) == 2 * MIB
    await feeding


async def test_without_stdin_it_is_empty(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    async with asyncio.timeout(5):
        assert (await run(engine, sandbox, "cat; echo end")).output == b"end\n"


async def test_feeding_one_that_has_ended_is_a_broken_pipe(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("true", stdin=True))
    await process.wait()
    with pytest.raises(BrokenPipeError):
        await process.write(b"x" * MIB)


async def test_a_writer_that_waits_learns_of_the_end(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("sleep 60", stdin=True))
    writing = asyncio.create_task(process.write(b"x" * (4 * MIB)))
    done, _ = await asyncio.wait({writing}, timeout=0.2)
    assert not done
    await process.signal(signal.SIGKILL)
    with pytest.raises(BrokenPipeError):
        async with asyncio.timeout(5):
            await writing


async def test_a_flood_is_complete_and_held_back_by_a_slow_reader(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("head -c 8388608 /dev/zero; echo done > flood-done"))
    reading = process.output()
    size = len(await anext(reading))
    # The writer cannot get far ahead of us: nothing but pipes may lie in between.
    assert (await run(engine, sandbox, "sleep 0.2; test -e flood-done")).exit_code == 1
    async for chunk in reading:
        size += len(chunk)
    assert size == 8 * MIB
    assert await process.wait() == 0


async def test_a_flood_leaves_the_loop_to_others(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("yes"))

    async def swallow() -> None:
        async for _ in process.output():
            pass

    swallowing = asyncio.create_task(swallow())
    async with asyncio.timeout(5):
        assert (await run(engine, sandbox, "echo still here")).output == b"still here\n"
    await process.signal(signal.SIGKILL)
    async with asyncio.timeout(5):
        await swallowing
        assert await process.wait() == 137


async def test_one_that_ignores_term_dies_by_kill(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("trap '' TERM; echo ready; while :; do sleep 1; done"))
    reading = process.output()
    assert await anext(reading) == b"ready\n"
    await process.signal(signal.SIGTERM)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await process.wait()
    await process.signal(signal.SIGKILL)
    async with asyncio.timeout(5):
        assert await process.wait() == 137


async def test_a_signal_reaches_grandchildren(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    script = "(sh -c 'echo $$ > grandchild; exec sleep 600' &) ; echo started; sleep 600"
    process = await engine.exec(sandbox, CommandSpec(script))
    assert await anext(process.output()) == b"started\n"
    await until(engine, sandbox, "test -s grandchild && kill -0 $(cat grandchild)")
    await process.signal(signal.SIGKILL)
    assert await process.wait() == 137
    await until(engine, sandbox, "! kill -0 $(cat grandchild) 2>/dev/null")


async def test_output_ends_when_a_child_lives_on(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("sleep 600 & echo $! > lives; echo started"))
    begin = time.monotonic()
    async with asyncio.timeout(5):
        ended = await collect(process)
    assert (ended.exit_code, ended.output) == (0, b"started\n")
    assert time.monotonic() - begin < 2
    assert (await run(engine, sandbox, "kill -0 $(cat lives)")).exit_code == 0


async def test_one_that_closes_stdout_lives_on(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    process = await engine.exec(sandbox, CommandSpec("echo before; exec >&- 2>&-; sleep 0.4; exit 5"))
    begin = time.monotonic()
    assert await collect(process) == Ended(5, b"before\n")
    assert time.monotonic() - begin >= 0.35


async def test_bytes_that_are_no_text_arrive(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    ended = await run(engine, sandbox, r"printf '\377\376\000\200ok'")
    assert ended.output == b"\xff\xfe\x00\x80ok"


async def test_a_long_command_runs(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    ended = await run(engine, sandbox, f"x='{'é' * 150_000}'; echo ${{#x}} $#")
    assert ended.exit_code == 0
    assert ended.output.split()[1] == b"0"
    assert int(ended.output.split()[0]) in (150_000, 300_000)  # characters, or bytes in a C locale


async def test_twenty_commands_at_once_mix_nothing_up(engine: Engine, sandbox: str) -> None:
    results = await asyncio.gather(*(run(engine, sandbox, f"echo number {number}") for number in range(20)))
    assert [ended.output for ended in results] == [f"number {number}\n".encode() for number in range(20)]


# Where and as whom.


async def test_a_command_starts_in_the_workspace(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    await engine.write_file(sandbox, "deep/er/file", stream(b"x"))
    assert (await run(engine, sandbox, "ls deep/er")).output == b"file\n"
    for cwd in ("/workspace/deep", "deep", "/workspace/deep/er/.."):
        assert (await run(engine, sandbox, "ls er", cwd=cwd)).output == b"file\n"


@pytest.mark.parametrize("cwd", ["/no/such/place", "missing", "/workspace/a-file", "-L", "", "a\0b"])
async def test_an_unknown_directory_is_refused(engine: Engine, sandbox: str, cwd: str) -> None:
    await engine.write_file(sandbox, "a-file", stream(b"x"))
    with pytest.raises(UnknownDirectory):
        await engine.exec(sandbox, CommandSpec("true", cwd=cwd))


async def test_an_unknown_user_is_refused(engine: Engine, sandbox: str) -> None:
    with pytest.raises(UnknownUser):
        await engine.exec(sandbox, CommandSpec("true", user="no-such-user"))


async def test_variables_of_sandbox_and_command(engine: Engine) -> None:
    needs_processes(engine)
    ref = await engine.start(SandboxSpec(session_id="sess-env", env={"BOTH": "sandbox", "OURS": "a 'b' \"c\"\n$d"}))
    ended = await run(engine, ref, 'echo "$BOTH|$OURS|$MINE"', env={"BOTH": "command", "MINE": "ü"})
    assert ended.output.decode() == "command|a 'b' \"c\"\n$d|ü\n"
    ended = await run(engine, ref, "echo $CHASER_SESSION_ID $CHASER_MODE")
    assert ended.output == b"sess-env exec\n"
    await engine.stop(ref)


async def test_nothing_of_the_emulators_environment_is_seen(
    engine: Engine, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_processes(engine)
    monkeypatch.setenv("CHASER_API_KEY", "sk_of_the_host")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "also_of_the_host")
    output = (await run(engine, sandbox, "env; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'")).output
    assert b"PATH=" in output
    if engine.name == "docker" or b"/root" in (await run(engine, sandbox, "echo $HOME")).output:
        assert b"of_the_host" not in output
    assert b"of_the_host" not in (await run(engine, sandbox, "env")).output


# Files.


async def test_sixteen_mebibytes_go_there_and_back(engine: Engine, sandbox: str) -> None:
    content = os.urandom(MIB) * 16
    chunks = [content[start : start + 70_000] for start in range(0, len(content), 70_000)]
    assert await engine.write_file(sandbox, "/workspace/a/b c/big.bin", stream(*chunks)) == len(content)
    assert await content_of(engine, sandbox, "a/b c/big.bin") == content


async def test_files_are_the_ones_commands_see(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    await engine.write_file(sandbox, "new/file", stream(b"up"))
    assert (await run(engine, sandbox, "cat new/file; stat -c ' %a %u' new/file")).output.split() == [
        b"up",
        b"644",
        (await run(engine, sandbox, "id -u")).output.strip(),
    ]
    in_tmp = f"/tmp/made-{uuid.uuid4()}"
    await run(engine, sandbox, f"echo down > made; echo tmp > {in_tmp}")
    assert await content_of(engine, sandbox, "/workspace/made") == b"down\n"
    assert await content_of(engine, sandbox, in_tmp) == b"tmp\n"
    await run(engine, sandbox, f"rm {in_tmp}")


async def test_an_old_file_is_replaced_and_an_empty_one_is_one(engine: Engine, sandbox: str) -> None:
    await engine.write_file(sandbox, "file", stream(b"old and long"))
    assert await engine.write_file(sandbox, "./file", stream(b"new")) == 3
    assert await content_of(engine, sandbox, "/workspace/x/../file") == b"new"
    assert await engine.write_file(sandbox, "empty", stream()) == 0
    assert await content_of(engine, sandbox, "empty") == b""


@pytest.mark.parametrize(
    "path", ["", "a\0b", "../out", "a/../../out", "/workspace/../etc/passwd", "x" * 300, "y/" * 4000]
)
async def test_a_bad_path_is_refused(engine: Engine, sandbox: str, path: str) -> None:
    with pytest.raises((BadPath, NotAFile) if path.endswith("/") else BadPath):
        await engine.read_file(sandbox, path)
    with pytest.raises((BadPath, NotAFile) if path.endswith("/") else BadPath):
        await engine.write_file(sandbox, path, stream(b"x"))


async def test_what_is_missing_and_what_is_a_folder(engine: Engine, sandbox: str) -> None:
    await engine.write_file(sandbox, "folder/file", stream(b"x"))
    for path in ("missing", "folder/missing", "missing/file", "folder/file/below"):
        with pytest.raises(PathNotFound):
            await engine.read_file(sandbox, path)
    for path in ("folder", "/workspace", "/workspace/folder/"):
        with pytest.raises(NotAFile):
            await engine.read_file(sandbox, path)
        with pytest.raises(NotAFile):
            await engine.write_file(sandbox, path, stream(b"x"))
    with pytest.raises((NotWritable, NotAFile)):
        await engine.write_file(sandbox, "folder/file/below", stream(b"x"))


async def test_pipes_and_devices_are_no_files(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    await run(engine, sandbox, "mkfifo fifo; ln -s /dev/zero zero; ln -s fifo link")
    async with asyncio.timeout(5):
        for path in ("fifo", "link", "/dev/zero", "/dev/null"):
            with pytest.raises(NotAFile):
                await engine.read_file(sandbox, path)
        with pytest.raises((NotAFile, BadPath)):
            await engine.read_file(sandbox, "zero")


async def test_links_are_followed_inside_and_refused_outwards(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    await run(
        engine,
        sandbox,
        "mkdir -p a/b; echo in > a/in; ln -s ../in a/b/up; ln -s /workspace/a abs; ln -s / root; ln -s /etc/passwd pw; "
        "ln -s ../etc/passwd rel; ln -s /tmp tmp; ln -s loop loop; ln -s a/b/../../../etc/passwd dots",
    )
    assert await content_of(engine, sandbox, "a/b/up") == b"in\n"
    assert await content_of(engine, sandbox, "abs/in") == b"in\n"
    await engine.write_file(sandbox, "abs/written", stream(b"w"))
    assert await content_of(engine, sandbox, "a/written") == b"w"
    outside = f"x-{uuid.uuid4()}"
    for path in ("pw", "rel", "root/etc/passwd", "dots", "loop", f"tmp/{outside}"):
        with pytest.raises(BadPath):
            await engine.read_file(sandbox, path)
        with pytest.raises(BadPath):
            await engine.write_file(sandbox, path, stream(b"x"))
    assert (await run(engine, sandbox, f"test -e /tmp/{outside}")).exit_code == 1


async def test_an_upload_that_fails_changes_nothing(engine: Engine, sandbox: str) -> None:
    await engine.write_file(sandbox, "kept/file", stream(b"old"))

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * MIB
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await engine.write_file(sandbox, "kept/file", broken())
    with pytest.raises(ConnectionResetError):
        await engine.write_file(sandbox, "kept/other", broken())
    assert await content_of(engine, sandbox, "kept/file") == b"old"
    with pytest.raises(PathNotFound):
        await engine.read_file(sandbox, "kept/other")
    if engine.name != "scripted":
        assert (await run(engine, sandbox, "ls -A kept")).output == b"file\n"


async def test_an_upload_that_is_cancelled_changes_nothing(engine: Engine, sandbox: str) -> None:
    await engine.write_file(sandbox, "file", stream(b"old"))
    sent = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * MIB
        sent.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(engine.write_file(sandbox, "file", endless()))
    async with asyncio.timeout(10):
        await sent.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert await content_of(engine, sandbox, "file") == b"old"
    if engine.name != "scripted":
        assert (await run(engine, sandbox, "ls -A")).output == b"file\n"


# Sandboxes and workspaces.


async def test_a_workspace_outlives_its_sandboxes_until_it_is_deleted(engine: Engine) -> None:
    workspace = str(uuid.uuid4())
    first = await engine.start(SandboxSpec(session_id="sess-1", workspace_id=workspace, disk_id=workspace))
    await engine.write_file(first, "kept", stream(b"kept"))
    await engine.stop(first)
    second = await engine.start(SandboxSpec(session_id="sess-2", workspace_id=workspace, disk_id=workspace))
    assert await content_of(engine, second, "kept") == b"kept"
    used = await engine.disk_bytes(workspace)
    assert used is None or used >= 4
    await engine.stop(second)
    await engine.delete_disk(workspace)
    await engine.delete_disk(workspace)
    third = await engine.start(SandboxSpec(session_id="sess-3", workspace_id=workspace, disk_id=workspace))
    with pytest.raises(PathNotFound):
        await engine.read_file(third, "kept")
    await engine.stop(third)
    await engine.delete_disk(workspace)


async def test_sandboxes_do_not_see_each_others_files(engine: Engine) -> None:
    one, other = [await engine.start(SandboxSpec(session_id=f"sess-{name}")) for name in "ab"]
    await engine.write_file(one, "mine", stream(b"x"))
    with pytest.raises(PathNotFound):
        await engine.read_file(other, "mine")
    await engine.stop(one)
    await engine.stop(other)


async def test_refs_name_what_runs(engine: Engine) -> None:
    ref = await engine.start(SandboxSpec(session_id="sess-refs"))
    assert (await engine.refs())[ref] == "sess-refs"
    assert await engine.alive(ref)
    await engine.stop(ref)
    assert ref not in await engine.refs()
    assert not await engine.alive(ref)
    await engine.stop(ref)
    with pytest.raises(SandboxGone):
        await engine.exec(ref, CommandSpec("true"))
    with pytest.raises(SandboxGone):
        await engine.read_file(ref, "file")


async def test_stop_ends_every_command(engine: Engine) -> None:
    ref = await engine.start(SandboxSpec(session_id="sess-stop"))
    processes = [await engine.exec(ref, CommandSpec("sleep 600")) for _ in range(3)]
    readers = [asyncio.create_task(collect(process)) for process in processes]
    await engine.stop(ref)
    async with asyncio.timeout(10):
        ends = await asyncio.gather(*readers)
    assert all(ended.exit_code == 137 for ended in ends)
