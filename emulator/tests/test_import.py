"""Repositories: imported, listed and refused; no place of this machine shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from bases import bare, git
from boxes import open_box, refused
from chaser_emulator.server import Running
from emulators import emulator_on, http_of
from imports import base_fixture, clean, emulator_fixture, imported, imports_fixture, post
from strangers import audited, events_of, stranger
from test_workspaces import unique

__all__ = ["base_fixture", "emulator_fixture", "imports_fixture"]

Json = dict[str, Any]

# What an import gives.


def test_an_import_is_a_workspace_with_the_repository(imports: Running) -> None:
    with http_of(imports) as client:
        made = imported(client, "octo/hello", name=unique("imported"))
        workspace = made["workspace"]
        assert made == {
            "workspace": workspace,
            "github_repo": "octo/hello",
            "private": False,
            "default_branch": "trunk",
            "devcontainer": {
                "path": ".devcontainer/devcontainer.json",
                "image": "mcr.example/dev:1//2",
                "dockerfile": None,
                "workspace_folder": "/workspace",
                "post_create_command": "pip install -r 'my requirements.txt'",
                "forward_ports": [3000, 8080],
            },
        }
        assert (workspace["session_type"], workspace["status"], workspace["github_repo"]) == (
            "sandbox",
            "idle",
            "octo/hello",
        )
        box = open_box(imports, client, workspace["id"])
        assert box.get("README.md") == b"hello\n"
        assert box.get("a.big").startswith(b"version https://git-lfs")
        assert box.run("cat .git/HEAD; readlink passwd up loop; test -w README.md && ls s 2>/dev/null | wc -l") == (
            "ref: refs/heads/trunk\n/etc/passwd\n../../..\nloop\n0\n"
        )
        assert "url = https://github.com/octo/hello.git\n" in box.run("cat .git/config")
        # Nothing tells of the machine that it was cloned on.
        everything = box.run(
            "cat .git/config .git/packed-refs .git/logs/HEAD; find .git -name '*[Ff]etch*'; ls -a .git"
        )
        assert str(imports.world.data_dir) not in everything
        assert str(imports.world.settings.github_url).removeprefix("file://") not in everything
        box.end()
        client.delete(f"/v1/workspaces/{workspace['id']}")
    assert clean(imports)


def test_git_in_a_sandbox_goes_on_from_there(emulator: Running) -> None:
    with http_of(emulator) as client:
        made = imported(client, "octo/hello")
        box = open_box(emulator, client, made["workspace"]["id"])
        assert box.run("git status --porcelain && git log --format=%s && git branch --show-current") == "first\ntrunk\n"
        assert "Chaser" not in box.run("git log --format='%an %ae %cn %ce'")
        box.end()


@pytest.mark.parametrize(
    ("repo", "kept"),
    [
        ("octo/hello@feature/x", "octo/hello@feature/x"),
        ("octo/hello@v1.0", "octo/hello@v1.0"),
        ("https://github.com/octo/hello.git@v1.0", "octo/hello@v1.0"),
        ("http://www.github.com/OCTO/Hello/@feature/x", "octo/hello@feature/x"),
    ],
)
def test_a_branch_or_a_tag_can_be_meant(emulator: Running, repo: str, kept: str) -> None:
    with http_of(emulator) as client:
        made = imported(client, repo)
        assert (made["github_repo"], made["workspace"]["github_repo"]) == (kept, kept)
        assert made["default_branch"] == "trunk"
        box = open_box(emulator, client, made["workspace"]["id"])
        assert box.get("README.md") == b"feature\n"
        box.end()


def test_a_commit_can_be_meant(emulator: Running, base: Path) -> None:
    whole = git(base / "octo" / "hello.git", "rev-parse", "feature/x~1")
    with http_of(emulator) as client:
        for ref in (whole, whole[:8]):
            made = imported(client, f"octo/hello@{ref}")
            box = open_box(emulator, client, made["workspace"]["id"])
            assert box.get("README.md") == b"hello\n"
            assert box.run("cat .git/HEAD") == f"{whole}\n"
            box.end()


def test_an_empty_repository_is_an_empty_workspace(emulator: Running) -> None:
    with http_of(emulator) as client:
        made = imported(client, "acme/empty")
        assert made["devcontainer"] is None
        box = open_box(emulator, client, made["workspace"]["id"])
        assert box.run("ls -A") == ".git\n"
        box.end()


def test_a_private_repository_says_so(emulator: Running) -> None:
    with http_of(emulator) as client:
        assert imported(client, "octo/secret")["private"] is True


def test_the_workspace_is_called_as_the_repository_where_that_is_free(base: Path) -> None:
    bare(base, "octo/_under", {"f": "x"})
    with emulator_on("scripted", github_url=str(base)) as emulator, http_of(emulator) as client:
        assert imported(client, "octo/hello")["workspace"]["name"] == "hello"
        assert imported(client, "octo/HELLO")["workspace"]["name"] not in ("hello", "HELLO")
        assert imported(client, "acme/mixed.case")["workspace"]["name"] == "Mixed.Case"
        assert "_" not in imported(client, "octo/_under")["workspace"]["name"]
        assert imported(client, "octo/hello", name="mine")["workspace"]["name"] == "mine"
        refused(post(client, "octo/hello", name="MINE"), 409, "name_taken")
        refused(post(client, "octo/hello", name="a/b"), 400, "invalid_request")
        assert clean(emulator)


def test_of_many_imports_with_one_name_one_wins(base: Path) -> None:
    with emulator_on("scripted", github_url=str(base)) as emulator, http_of(emulator) as client:
        with ThreadPoolExecutor(6) as threads:
            answers = threads.map(lambda _: post(client, "octo/hello", name="one").status_code, range(6))
            assert sorted(answers) == [200] + [409] * 5
        assert len(client.get("/v1/workspaces").json()) == 1
        assert clean(emulator)


def test_either_field_names_the_repository(emulator: Running) -> None:
    with http_of(emulator) as client:
        path = "/v1/workspaces/import"
        both = {"repo": "octo/hello", "github_repo": "https://github.com/OCTO/hello.git"}
        assert client.post(path, json={"repo": "octo/hello"}).status_code == 200
        assert client.post(path, json=both).status_code == 200
        for other in ("octo/secret", "octo/hello@v1.0"):
            refused(client.post(path, json=both | {"repo": other}), 400, "invalid_request")
        refused(client.post(path, json={}), 400, "invalid_request")
        refused(client.post(path, json={"repo": None}), 400, "invalid_request")


def test_an_import_is_told_of_and_audited(emulator: Running) -> None:
    with http_of(emulator) as client:
        workspace = imported(client, "octo/hello")["workspace"]
    assert events_of(emulator, workspace["id"]) == [("workspace.created", workspace)]
    assert audited(emulator, workspace["id"]) == [("workspace.create", "success", {"github_repo": "octo/hello"})]


def test_a_clone_and_a_snapshot_of_an_import_are_whole(emulator: Running) -> None:
    with http_of(emulator) as client:
        made = imported(client, "octo/hello")["workspace"]
        assert client.post(f"/v1/workspaces/{made['id']}/snapshots", json={"name": "a"}).json()["used_bytes"] > 0
        copied = client.post("/v1/workspaces", json={"clone_from": made["id"]}).json()
        assert copied["github_repo"] == "octo/hello"
        box = open_box(emulator, client, copied["id"])
        assert box.get("README.md") == b"hello\n"
        box.end()
    assert clean(emulator)


# What is refused.

BAD = [
    "hello",
    "octo/",
    "/hello",
    "octo/hello/more",
    "octo/..",
    "../hello",
    "octo/../hello",
    "-octo/hello",
    "--upload-pack=x/hello",
    "octo/hello@--upload-pack=touch",
    "octo/hello@-b",
    "octo/hello@a..b",
    "octo/hello@../x",
    "octo/hello@a//b",
    "octo/hello@x.lock",
    "octo/hello@x/",
    "octo/hello@",
    "octo/.git",
    "octo/hello.git.git",
    "octo/he\u0000llo",
    "octo/hel lo",
    "octo/hello\n",
    "file:///etc/octo/hello",
    "ssh://github.com/octo/hello",
    "git@github.com:octo/hello",
    "ext::sh -c touch% x",
    "https://gitlab.com/octo/hello",
    "https://github.com:22/octo/hello",
    "https://user:token@github.com/octo/hello",
    "https://github.com.evil.example/octo/hello",
    "https://github.com/octo",
    "https://github.com/octo/hello/tree/main",
    "",
    5,
]


@pytest.mark.parametrize("repo", BAD)
def test_what_is_no_repository_never_reaches_git(emulator: Running, repo: Any) -> None:
    with http_of(emulator) as client:
        refused(client.post("/v1/workspaces/import", json={"repo": repo}), 400, "invalid_request")
        refused(client.post("/v1/sessions", json={"ephemeral": True, "github_repo": repo}), 400, "invalid_request")
        refused(client.post("/v1/exec", json={"command": "true", "github_repo": repo}), 400, "invalid_request")


@pytest.mark.parametrize("repo", ["octo/nothing", "nobody/hello", "acme/no-repository", "file/hello", "hidden/x"])
def test_a_repository_that_is_not_there_is_not_found(emulator: Running, repo: str) -> None:
    with http_of(emulator) as client:
        error = refused(post(client, repo), 404, "not_found")
        assert repo in error["message"]
        assert str(emulator.world.settings.github_url) not in error["message"]
    assert clean(emulator)


@pytest.mark.parametrize("ref", ["nothing", "0123abc", "f" * 40, "HEAD", "refs/heads/trunk", "feature"])
def test_a_ref_that_is_not_there_is_not_found_and_named(emulator: Running, ref: str) -> None:
    with http_of(emulator) as client:
        error = refused(post(client, f"octo/hello@{ref}"), 404, "not_found")
        assert ref in error["message"]
    assert clean(emulator)


def test_a_plan_without_workspaces_imports_nothing(emulator: Running) -> None:
    with http_of(emulator, stranger(emulator, "free")) as free:
        refused(post(free, "octo/hello"), 403, "plan_limit_exceeded")
    with http_of(emulator, stranger(emulator, scopes=["workspaces.read"])) as reader:
        refused(post(reader, "octo/hello"), 403, "insufficient_scope")


def test_a_repository_without_room_is_refused(base: Path) -> None:
    with emulator_on("scripted", github_url=str(base)) as emulator, http_of(emulator) as client:
        emulator.world.storage.cap = 1000
        refused(post(client, "octo/hello"), 403, "storage_limit_exceeded")
        assert client.get("/v1/workspaces").json() == []
        assert clean(emulator)


# What devcontainer.json says.

_NOTHING = dict.fromkeys(("image", "dockerfile", "workspace_folder", "post_create_command")) | {"forward_ports": []}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({".devcontainer.json": "{}"}, _NOTHING | {"path": ".devcontainer.json"}),
        ({".devcontainer.json": "\ufeff{}"}, _NOTHING | {"path": ".devcontainer.json"}),
        (
            {".devcontainer/b/devcontainer.json": "{}", ".devcontainer/a/devcontainer.json": '{"image": "a"}'},
            _NOTHING | {"path": ".devcontainer/a/devcontainer.json", "image": "a"},
        ),
        (
            {".devcontainer/devcontainer.json": '{"build": {"dockerfile": "Dockerfile"}}', ".devcontainer.json": "["},
            _NOTHING | {"path": ".devcontainer/devcontainer.json", "dockerfile": "Dockerfile"},
        ),
        (
            {
                ".devcontainer.json": json.dumps(
                    {
                        "dockerFile": "../D",
                        "image": 5,
                        "workspaceFolder": ["x"],
                        "forwardPorts": "80",
                        "postCreateCommand": {"a": "npm ci", "b": ["x", "y z"], "c": {"no": "more"}},
                    }
                )
            },
            _NOTHING | {"path": ".devcontainer.json", "dockerfile": "../D", "post_create_command": "npm ci && x 'y z'"},
        ),
        ({".devcontainer.json": "{ broken"}, None),
        ({".devcontainer.json": "[1]"}, None),
        ({".devcontainer.json": ""}, None),
        ({".devcontainer.json": "[" * 50_000}, None),
        ({".devcontainer.json": '{"image": "' + "x" * 100_000 + '"}'}, None),
        ({".devcontainer.json->": "/etc/hostname"}, None),
        ({".devcontainer->": "/etc", "other": "x"}, None),
        ({".devcontainer": "a file", ".devcontainer.json": "{}"}, _NOTHING | {"path": ".devcontainer.json"}),
        ({".devcontainer/devcontainer.json/x": "a folder"}, None),
        ({"x": "y"}, None),
    ],
)
def test_a_devcontainer_is_read_with_care(tmp_path: Path, files: dict[str, str], expected: Json | None) -> None:
    bare(tmp_path / "base", "o/r", files)
    with emulator_on("scripted", github_url=str(tmp_path / "base")) as emulator, http_of(emulator) as client:
        assert imported(client, "o/r")["devcontainer"] == expected


# The list.


def test_a_folder_of_repositories_is_listed(emulator: Running) -> None:
    with http_of(emulator) as client:
        answer = client.get("/v1/github/repositories").json()
    names = [one["name"] for one in answer["repositories"]]
    assert {"octo/hello", "octo/secret", "Acme/Mixed.Case", "acme/empty"} <= set(names)
    assert not any("no-repository" in name or "hidden" in name for name in names)
    assert names == sorted(names)
    assert answer["install_url"] is None
    owners = {one["account_login"]: one["installation_id"] for one in answer["repositories"]}
    assert owners["octo"] != owners["acme"] == owners["Acme"]


def test_a_server_is_not_listed_but_says_where_to_install() -> None:
    with emulator_on("scripted", github_url="https://github.example/") as emulator, http_of(emulator) as client:
        answer = client.get("/v1/github/repositories").json()
        assert answer == {
            "repositories": [],
            "install_url": "https://github.example/apps/chaser/installations/new",
        }
    with emulator_on("scripted", github_url="/nonexistent") as emulator, http_of(emulator) as client:
        refused(client.get("/v1/github/repositories"), 502, "bad_gateway")
        refused(post(client, "octo/hello"), 404, "not_found")


# The command line.


def command(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if "GITHUB" not in name}
    return subprocess.run(
        [sys.executable, "-m", "chaser_emulator.cli", *arguments],
        env=known | (env or {}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("url", ["ftp://x", "https://u:secret@github.com", "https://", "nowhere-at-all", "https://x?y"])
def test_a_base_that_is_none_is_refused_at_the_start(url: str) -> None:
    said = command("exec", "--sandbox", "scripted", "--github-url", url, "--", "true")
    assert (said.returncode, said.stdout) == (2, "")
    assert "--github-url" in said.stderr
    assert "Traceback" not in said.stderr


def test_the_token_comes_from_the_environment_alone(base: Path) -> None:
    env = {"CHASER_EMULATOR_GITHUB_URL": str(base), "CHASER_EMULATOR_GITHUB_TOKEN": "one two"}
    said = command("exec", "--sandbox", "scripted", "--", "true", env=env)
    assert (said.returncode, "CHASER_EMULATOR_GITHUB_TOKEN" in said.stderr) == (2, True)
    assert "one two" not in said.stderr
    assert command("serve", "--github-token", "x").returncode == 2
