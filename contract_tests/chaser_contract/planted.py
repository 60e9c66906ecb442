"""Planted: repositories that imports are tried on, in the folder that stands in for GitHub."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

FULL, PRIVATE = "contract/Full.Repo", "contract/private"
"""A repository with files, a branch, a tag and a workflow; and one that is marked as private."""

DEVCONTAINER = {
    "path": ".devcontainer/devcontainer.json",
    "image": "debian:12",
    "dockerfile": None,
    "workspace_folder": "/workspace/here",
    "post_create_command": "make ready",
    "forward_ports": [3000, 8080],
}
"""What the devcontainer file of FULL asks for."""

OTHER_DEVCONTAINER: dict[str, object] = {
    "path": ".devcontainer.json",
    "image": None,
    "dockerfile": "Dockerfile.dev",
    "workspace_folder": None,
    "post_create_command": "make ready",
    "forward_ports": [],
}
"""What that of PRIVATE asks for."""

_SAYS = """{
  // as people write it
  "image": "debian:12", "workspaceFolder": "/workspace/here", "postCreateCommand": "make ready",
  "forwardPorts": [3000, "db:5432", 8080],
}
"""

_WORKFLOW = """on: push
jobs:
  good:
    runs-on: chaser
    steps:
      - uses: actions/checkout@v4
      - name: look
        run: cat README.md
      - run: echo done
  bad:
    runs-on: chaser
    steps:
      - run: exit 3
      - run: echo never
"""

WORKFLOW = ".github/workflows/ci.yml"

_MAIN = {
    "README.md": "main\n",
    ".devcontainer/devcontainer.json": _SAYS,
    WORKFLOW: _WORKFLOW,
    "deep/er/file": "deep\n",
}

_TRUNK = {
    "README.md": "secret\n",
    ".devcontainer.json": '{"build": {"dockerfile": "Dockerfile.dev"}, "postCreateCommand": ["make", "ready"]}',
}


def plant(folder: Path) -> None:
    """Make the repositories, where this machine has git at all."""
    with suppress(FileNotFoundError):
        main = _commit("refs/heads/main", _MAIN) + "reset refs/tags/v1\nfrom refs/heads/main\n\n"
        side = _commit("refs/heads/side", {"README.md": "side\n"}, since="refs/heads/main")
        _repository(folder / f"{FULL}.git", main + side)
        private = _repository(folder / f"{PRIVATE}.git", _commit("refs/heads/trunk", _TRUNK))
        _git(private, "config", "chaser.private", "true")
        _git(private, "symbolic-ref", "HEAD", "refs/heads/trunk")


def _repository(path: Path, history: str) -> Path:
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(path)], check=True)
    _git(path, "fast-import", "--quiet", said=history)
    return path


def _git(path: Path, *words: str, said: str = "") -> None:
    subprocess.run(["git", "-C", str(path), *words], input=said.encode(), check=True)


def _commit(ref: str, files: dict[str, str], since: str | None = None) -> str:
    """A commit as git fast-import reads it."""
    head = f"commit {ref}\ncommitter Contract <contract@example.com> 0 +0000\ndata 0\n"
    begin = f"from {since}\n" if since else ""
    changes = [f"M 100644 inline {name}\ndata {len(text.encode())}\n{text}\n" for name, text in files.items()]
    return head + begin + "".join(changes) + "\n"
