"""Repositories to import for tests, emulators that have them, and what an import leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bases import Forge, bare, commit, forge, git
from chaser_emulator.server import Running
from emulators import REAL, emulator_on, http_of
from requirements import require
from test_snapshots import nothing_is_left

Json = dict[str, Any]

DEVCONTAINER = """// What it is
{
    "name": "A // B", /* not a comment */
    "image": "mcr.example/dev:1//2",
    "forwardPorts": [3000, "db:5432", 8080, 70000, true],
    "workspaceFolder": "/workspace",
    "postCreateCommand": ["pip", "install", "-r", "my requirements.txt"],
}
"""


@pytest.fixture(scope="module", autouse=True)
def git_is_needed() -> None:
    require("git")


@pytest.fixture(name="base", scope="module")
def base_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of repositories."""
    require("git")
    base = tmp_path_factory.mktemp("github") / "base"
    hello = bare(
        base,
        "octo/hello",
        {
            "README.md": "hello\n",
            "bin/run": "#!/bin/sh\n",
            ".devcontainer/devcontainer.json": DEVCONTAINER,
            "passwd->": "/etc/passwd",
            "up->": "../../..",
            "loop->": "loop",
            ".gitattributes": "*.big filter=lfs diff=lfs merge=lfs -text\n",
            "a.big": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            ".gitmodules": '[submodule "s"]\n\tpath = s\n\turl = http://192.0.2.1/never/there.git\n',
        },
        branch="trunk",
    )
    commit(hello, "README.md", "feature\n", branch="feature/x", tag="v1.0")
    bare(base, "octo/secret", {"f": "secret\n"}, private=True)
    bare(base, "Acme/Mixed.Case", {"f": "x\n"})
    git(base, "init", "--quiet", "--bare", "--initial-branch", "main", str(base / "acme" / "empty.git"))
    (base / "acme" / "no-repository").mkdir()
    (base / ".hidden" / "x.git").mkdir(parents=True)
    (base / "file").write_text("no folder")
    return base


@pytest.fixture(name="emulator", scope="module")
def emulator_fixture(base: Path) -> Iterator[Running]:
    """A local emulator that has them."""
    with emulator_on("local", github_url=str(base)) as one:
        yield one


@pytest.fixture(name="imports", scope="module", params=REAL)
def imports_fixture(request: pytest.FixtureRequest, base: Path, emulator: Running) -> Iterator[Running]:
    """An emulator on each real engine."""
    if request.param == "local":
        yield emulator
        return
    with emulator_on(request.param, github_url=f"file://{base}") as one:
        yield one
        with http_of(one) as client:
            client.post("/v1/workspaces/bulk-delete", json={"all": True, "force": True})


@pytest.fixture(name="server")
def server_fixture(base: Path) -> Iterator[Forge]:
    with forge(base) as one:
        yield one


def post(client: httpx.Client, repo: str, **fields: Any) -> httpx.Response:
    return client.post("/v1/workspaces/import", json={"github_repo": repo} | fields)


def imported(client: httpx.Client, repo: str, **fields: Any) -> Json:
    answer = post(client, repo, **fields)
    assert answer.status_code == 200, answer.text
    made: Json = answer.json()
    return made


def clean(emulator: Running) -> bool:
    """Whether nothing of a clone is left on this machine, and no disk that nobody names."""
    checkouts = emulator.world.data_dir / "checkouts"
    return (not checkouts.exists() or list(checkouts.iterdir()) == []) and nothing_is_left(emulator)


def children() -> set[int]:
    """Processes of git below this one."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text()
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"git" in line.split(b"\0")[0] and f"PPid:\t{os.getpid()}\n" in status and "State:\tZ" not in status:
                found.add(int(entry.name))
    return found
