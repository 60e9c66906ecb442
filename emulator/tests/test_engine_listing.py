"""What every engine promises of listed folders, and of the mode of a file that replaces one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from chaser_emulator.sandbox import (
    BadPath,
    Engine,
    FileEntry,
    FileListing,
    NotAFolder,
    PathNotFound,
    SandboxGone,
    SandboxSpec,
)
from engines import (  # noqa: F401 - fixtures are found by import
    anyio_backend_fixture,
    engine_fixture,
    needs_processes,
    run,
    stream,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncIterator[str]:
    ref = await engine.start(SandboxSpec(session_id="sess-one"))
    yield ref
    await engine.stop(ref)


async def listed(engine: Engine, ref: str, path: str, *, recursive: bool = False, limit: int = 1000) -> FileListing:
    return await engine.list_files(ref, path, recursive=recursive, limit=limit)


def shown(listing: FileListing) -> list[tuple[str, str, int | None]]:
    return [(entry.path, entry.kind, entry.size) for entry in listing.entries]


async def test_a_folder_is_listed_in_the_order_of_a_tree(engine: Engine, sandbox: str) -> None:
    for path in ("b", "a/x", "a/deep/er/y", "a-b"):
        await engine.write_file(sandbox, path, stream(path.encode()))
    assert shown(await listed(engine, sandbox, "/workspace")) == [
        ("a", "directory", None),
        ("a-b", "file", 3),
        ("b", "file", 1),
    ]
    everything = await listed(engine, sandbox, ".", recursive=True)
    assert shown(everything) == [
        ("a", "directory", None),
        ("a/deep", "directory", None),
        ("a/deep/er", "directory", None),
        ("a/deep/er/y", "file", 11),
        ("a/x", "file", 3),
        ("a-b", "file", 3),
        ("b", "file", 1),
    ]
    assert not everything.truncated
    assert shown(await listed(engine, sandbox, "a/")) == [("deep", "directory", None), ("x", "file", 3)]
    assert shown(await listed(engine, sandbox, "/workspace/a/./deep/..//deep", recursive=True)) == [
        ("er", "directory", None),
        ("er/y", "file", 11),
    ]


async def test_an_empty_workspace_has_nothing_in_it(engine: Engine, sandbox: str) -> None:
    for recursive in (False, True):
        assert await listed(engine, sandbox, "/workspace", recursive=recursive) == FileListing([], truncated=False)


async def test_of_too_many_the_nearest_are_listed(engine: Engine, sandbox: str) -> None:
    for number in range(4):
        await engine.write_file(sandbox, f"a/below-{number}", stream(b"x"))
        await engine.write_file(sandbox, f"top-{number}", stream(b"x"))
    few = await listed(engine, sandbox, ".", recursive=True, limit=5)
    assert few.truncated
    assert [entry.path for entry in few.entries] == ["a", "top-0", "top-1", "top-2", "top-3"]
    exact = await listed(engine, sandbox, ".", recursive=True, limit=9)
    assert (len(exact.entries), exact.truncated) == (9, False)
    assert (await listed(engine, sandbox, ".", recursive=True, limit=8)).truncated
    assert (await listed(engine, sandbox, "a", limit=3)).truncated


async def test_what_is_no_folder_is_refused(engine: Engine, sandbox: str) -> None:
    await engine.write_file(sandbox, "file", stream(b"x"))
    with pytest.raises(PathNotFound):
        await listed(engine, sandbox, "missing")
    with pytest.raises(PathNotFound):
        await listed(engine, sandbox, "/workspace/missing/deeper")
    with pytest.raises(NotAFolder):
        await listed(engine, sandbox, "file")
    for path in ("..", "/workspace/../etc", "", "a\0b", "x" * 300):
        with pytest.raises(BadPath):
            await listed(engine, sandbox, path)


async def test_every_kind_of_name_and_file_is_shown(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    names = ["-rf", "a\nb", "with space", "grüße 世界", "$(id)", "'quoted'", "%n %s"]
    for name in names:
        await engine.write_file(sandbox, f"odd/{name}", stream(b"12"))
    assert shown(await listed(engine, sandbox, "odd", recursive=True)) == [(name, "file", 2) for name in sorted(names)]
    made = await run(engine, sandbox, "mkdir kinds && cd kinds && mkfifo pipe && ln -s .. up && ln -s nowhere dangling")
    assert made.exit_code == 0, made.output
    assert (await listed(engine, sandbox, "kinds", recursive=True)).entries == [
        FileEntry("dangling", "symlink", None),
        FileEntry("pipe", "other", None),
        FileEntry("up", "symlink", None),
    ]
    made = await run(engine, sandbox, 'mkdir bytes && cd bytes && : > "$(printf "a\\377b")"')
    assert made.exit_code == 0, made.output
    assert shown(await listed(engine, sandbox, "bytes")) == [("a�b", "file", 0)]


async def test_a_link_to_a_folder_is_followed_within_the_workspace_only(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    await engine.write_file(sandbox, "real/file", stream(b"x"))
    assert (await run(engine, sandbox, "ln -s real near && ln -s . here && ln -s /etc out")).exit_code == 0
    assert shown(await listed(engine, sandbox, "near")) == [("file", "file", 1)]
    assert [entry.path for entry in (await listed(engine, sandbox, "here/here/real")).entries] == ["file"]
    assert "real" in [entry.path for entry in (await listed(engine, sandbox, "here")).entries]
    with pytest.raises(BadPath):
        await listed(engine, sandbox, "out")
    # By its own name it is no secret.
    assert "passwd" in [entry.path for entry in (await listed(engine, sandbox, "/etc")).entries]


async def test_a_deep_and_a_shut_folder_do_no_harm(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    made = await run(
        engine,
        sandbox,
        "mkdir deep shut && : > shut/file && chmod 0 shut && cd deep && n=0; "
        "while [ $n -lt 150 ]; do mkdir aaaaaaaaaaaaaaaaaaaa && cd aaaaaaaaaaaaaaaaaaaa || exit 1; n=$((n+1)); done",
    )
    assert made.exit_code == 0, made.output
    found = [entry.path for entry in (await listed(engine, sandbox, ".", recursive=True, limit=50)).entries]
    assert found[:3] == ["deep", "deep/aaaaaaaaaaaaaaaaaaaa", "deep/aaaaaaaaaaaaaaaaaaaa/aaaaaaaaaaaaaaaaaaaa"]
    assert "shut" in found
    await run(engine, sandbox, "chmod 700 shut")


async def test_a_sandbox_that_is_gone_lists_nothing(engine: Engine) -> None:
    ref = await engine.start(SandboxSpec(session_id="sess-gone"))
    await engine.stop(ref)
    with pytest.raises(SandboxGone):
        await listed(engine, ref, "/workspace")


async def test_a_file_that_replaces_one_keeps_its_mode_where_that_is_asked_for(engine: Engine, sandbox: str) -> None:
    needs_processes(engine)
    await engine.write_file(sandbox, "tool", stream(b"#!/bin/sh\necho old\n"))
    assert (await run(engine, sandbox, "chmod 750 tool")).exit_code == 0
    await engine.write_file(sandbox, "tool", stream(b"#!/bin/sh\necho new\n"), keep_mode=True)
    assert (await run(engine, sandbox, "stat -c %a tool; ./tool")).output == b"750\nnew\n"
    await engine.write_file(sandbox, "tool", stream(b"x"))
    assert (await run(engine, sandbox, "stat -c %a tool")).output == b"644\n"
    await engine.write_file(sandbox, "fresh", stream(b"x"), keep_mode=True)
    assert (await run(engine, sandbox, "stat -c %a fresh")).output == b"644\n"
