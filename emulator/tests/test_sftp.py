"""Files over SSH with OpenSSH's sftp and scp, on every image: odd names, large files, long lists, and refusals."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import images
import pytest
from chaser_emulator.server import Running
from emulators import REAL, emulator_on, http_of
from openssh import OpenSsh
from people import ok
from requirements import require
from test_exec import until

ODD = (
    b"plain",
    b"with space",
    b'quote\'s "double"',
    b"two\nlines",
    b"line at the end\n",
    b"$(touch pwned) `id` ;&|*?[]\\",
    b"-rf",
    b"Stra\xc3\x9fe",
    b"\xff\xfe no text",
    b"...",
)


@pytest.fixture(scope="module", params=REAL)
def answering(request: pytest.FixtureRequest) -> Iterator[Running]:
    """An emulator that answers SSH; that on docker has the smallest of images, with busybox alone."""
    require("ssh")
    more: dict[str, Any] = {}
    if request.param == "docker":
        require("docker")
        more["image"] = images.busybox()
    with emulator_on(request.param, ssh_port=0, **more) as one:
        yield one
        with http_of(one) as client:
            client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})


@pytest.fixture(name="client", scope="module")
def client_fixture(answering: Running) -> Iterator[httpx.Client]:
    with http_of(answering) as client:
        yield client


@pytest.fixture(scope="module")
def registered(answering: Running, client: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> OpenSsh:
    user = OpenSsh.make(answering, tmp_path_factory.mktemp("user"))
    user.register(client)
    ok(client.post("/v1/workspaces", json={"name": "web", "session_type": "sandbox"}))
    return user


@pytest.fixture
def user(registered: OpenSsh, tmp_path: Path) -> OpenSsh:
    """A user in a fresh folder, with the key that is registered, and a workspace that is empty."""
    for name in ("key", "key.pub"):
        (tmp_path / name).write_bytes((registered.folder / name).read_bytes())
    (tmp_path / "key").chmod(0o600)
    user = OpenSsh(registered.emulator, tmp_path)
    assert user.ssh("web", "cd /workspace && find . ! -name . -prune -exec rm -rf {} +").returncode == 0
    return user


def done(user: OpenSsh, *lines: str) -> str:
    """The output of a batch that must go well."""
    ended = user.sftp("web", *lines)
    assert ended.returncode == 0, ended
    return ended.stdout.decode(errors="surrogateescape")


def failed(user: OpenSsh, line: str) -> str:
    """The complaint about a command that must fail."""
    ended = user.sftp("web", line)
    assert ended.returncode == 1, ended
    return ended.stderr.decode()


def test_a_tree_survives_both_ways_with_names_modes_and_times(user: OpenSsh) -> None:
    tree = user.folder / "tree"
    (tree / "empty").mkdir(parents=True)
    (tree / "sub").mkdir()
    for number, name in enumerate(ODD):
        for folder in (tree, tree / "sub"):
            path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
            path.write_bytes(os.urandom(number * 5_000))
            path.chmod(0o600 + number % 8)
            os.utime(path, (1_000_000_000 + number, 1_100_000_000 + number))
    assert user.scp("-p", "-r", "tree", "web@localhost:").returncode == 0
    assert user.ssh("web", "ls tree/pwned pwned").returncode != 0
    assert user.scp("-p", "-r", "web@localhost:tree", "back").returncode == 0
    assert everything(user.folder / "back") == everything(tree)


def everything(folder: Path) -> dict[bytes, tuple[int, int, bytes]]:
    """Mode, time and content of each file, by its path."""
    found = {}
    for root, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            path = os.path.join(root, name)
            info = os.stat(path)
            with open(path, "rb") as file:
                key = os.path.relpath(path, os.fsencode(folder))
                found[key] = (stat.S_IMODE(info.st_mode), int(info.st_mtime), file.read())
    return found


def test_a_large_file_survives_both_ways(user: OpenSsh) -> None:
    data = os.urandom(2**24 + 7)
    (user.folder / "large").write_bytes(data)
    done(user, "put large", "get large back")
    assert (user.folder / "back").read_bytes() == data


def test_a_transfer_that_broke_off_is_taken_up_again(user: OpenSsh) -> None:
    data = os.urandom(300_000)
    (user.folder / "file").write_bytes(data)
    (user.folder / "part").write_bytes(data[:100_001])
    done(user, "put part file", "reput file file", "reget file part")
    assert (user.folder / "part").read_bytes() == data
    assert user.ssh("web", "cat file").stdout == data


def test_a_file_that_is_there_is_replaced_and_keeps_no_old_end(user: OpenSsh) -> None:
    (user.folder / "long").write_bytes(b"x" * 100_000)
    (user.folder / "short").write_bytes(b"y")
    done(user, "put long file", "put short file")
    assert user.ssh("web", "cat file").stdout == b"y"


def test_a_thousand_files_are_listed(user: OpenSsh) -> None:
    script = (
        "mkdir many && cd many && i=0 && while [ $i -lt 1000 ]; do : > file$i; i=$((i+1)); done; ln -s nowhere link"
    )
    assert user.ssh("web", script).returncode == 0
    listed = [line for line in done(user, "ls -1 many").splitlines() if not line.startswith("sftp>")]
    assert sorted(listed) == sorted([*(f"many/file{i}" for i in range(1000)), "many/link"])


def test_names_are_made_changed_and_removed(user: OpenSsh) -> None:
    (user.folder / "file").write_bytes(b"content")
    done(user, "mkdir 'a b'", "put file 'a b/one'", "rename 'a b/one' 'a b/two'", "ln -s two 'a b/soft'")
    done(user, "ln 'a b/two' 'a b/hard'", "chmod 640 'a b/two'")
    seen = user.ssh("web", "cd 'a b' && readlink soft && cat hard && ls -l two | cut -c1-10").stdout
    assert seen == b"two\ncontent-rw-r-----\n"
    # A link is renamed and removed itself, and what is renamed takes the place of what is there.
    (user.folder / "other").write_bytes(b"other")
    done(
        user, "put other 'a b/three'", "rename 'a b/three' 'a b/hard'", "rename 'a b/soft' 'a b/firm'", "rm 'a b/firm'"
    )
    assert user.ssh("web", "cd 'a b' && cat two hard && ls").stdout == b"contentotherhard\ntwo\n"
    done(user, "rm 'a b/two'", "rm 'a b/hard'", "rmdir 'a b'")
    assert user.ssh("web", "ls -A").stdout == b""


def test_a_rename_never_moves_into_a_folder(user: OpenSsh) -> None:
    assert user.ssh("web", "mkdir full empty && touch full/x file && ln -s full link").returncode == 0
    assert "Failure" in failed(user, "rename file full")
    done(user, "rename file link")
    assert user.ssh("web", "ls full; [ -f link ] && [ ! -L link ] && echo replaced").stdout == b"x\nreplaced\n"
    done(user, "rename full empty")
    assert user.ssh("web", "ls empty; ls -d full").stdout == b"x\n"


def test_paths_start_in_the_workspace_and_lead_everywhere_in_the_sandbox(user: OpenSsh) -> None:
    assert "/workspace\n" in done(user, "pwd")
    assert user.ssh("web", "mkdir -p deep/er; echo out > /tmp/outside").returncode == 0
    assert "/workspace/deep\n" in done(user, "cd deep/er/..", "pwd")
    done(user, "get /tmp/outside", "cd /", "get workspace/../tmp/outside again")
    assert (user.folder / "again").read_bytes() == b"out\n"


REFUSALS = {
    "get nothing": "not found",
    "rm nothing": "No such file or directory",
    "rename nothing something": "No such file or directory",
    "cd nothing": "No such file or directory",
    "ls nothing": "not found",
    "chmod 600 nothing": "No such file or directory",
    "mkdir nothing/below": "No such file or directory",
    "put key.pub nothing/below": "No such file or directory",
    "put key.pub /sys/new": "Permission denied",
    "mkdir folder": "Failure",
    "rmdir full": "Failure",
    "rm full": "Failure",
    "get full": "not a regular file",
    "get /dev/zero": "not a regular file",
    "put key.pub pipe": "Failure",
}


def test_each_refusal_names_its_reason_and_the_next_request_is_served(user: OpenSsh) -> None:
    assert user.ssh("web", "mkdir folder full && touch full/x && mkfifo pipe").returncode == 0
    ended = user.sftp("web", *(f"-{line}" for line in REFUSALS))
    said = ended.stderr.decode().lower().splitlines()
    assert ended.returncode == 0
    assert len(said) == len(REFUSALS), said
    for (line, reason), complaint in zip(REFUSALS.items(), said, strict=True):
        assert reason.lower() in complaint, line


def test_nothing_of_a_session_is_left_running(user: OpenSsh) -> None:
    def shells() -> bytes:
        return user.ssh("web", "(ps -eo args 2>/dev/null || ps -o args) | grep -c '^sh$'").stdout

    before = shells()
    done(user, "put key.pub", "get key.pub")
    until(lambda: shells() == before)


def test_a_client_that_is_killed_in_the_middle_leaves_nothing_running(user: OpenSsh) -> None:
    def streams() -> bytes:
        return user.ssh("web", "(ps -eo args 2>/dev/null || ps -o args) | grep -c -e '^cat$' -e '^sh$'").stdout

    before = streams()
    assert user.ssh("web", "head -c 200000000 /dev/zero > zeros").returncode == 0
    with (user.folder / "zeros").open("wb") as file:
        file.truncate(200_000_000)
    for line, begun in (
        ("put zeros sent", lambda: user.ssh("web", "[ -s sent ]").returncode == 0),
        ("get zeros received", lambda: (user.folder / "received").exists()),
    ):
        command = ["sftp", *user.options, "-b", "-", "web@localhost"]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=user.folder)
        assert client.stdin is not None
        client.stdin.write(f"{line}\n".encode())
        client.stdin.flush()
        until(begun)
        client.kill()
        client.communicate()
        until(lambda: streams() == before)
