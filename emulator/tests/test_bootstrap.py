"""Sessions that name a repository, and workspaces that have one: it is there before they run, and once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from bases import Forge
from boxes import Box, open_box, refused
from chaser_emulator.server import Running
from databases import ask
from emulators import emulator_on, http_of
from imports import base_fixture, children, clean, emulator_fixture, imported, imports_fixture, server_fixture
from test_workspaces import create, session_on

__all__ = ["base_fixture", "emulator_fixture", "imports_fixture", "server_fixture"]


def test_a_session_finds_the_repository_it_names(imports: Running) -> None:
    with http_of(imports) as client:
        body = {"ephemeral": True, "github_repo": "octo/hello@feature/x"}
        answer = client.post("/v1/sessions", json=body)
        assert answer.json()["status"] == "running", answer.text
        box = Box(imports, client, answer.json()["id"])
        assert box.get("README.md") == b"feature\n"
        box.put("own", b"x")
        box.end()
        one_shot = {"command": "cat README.md; pwd"} | body
        assert client.post("/v1/exec", json=one_shot).json()["output"] == "feature\n/workspace\n"
    assert clean(imports)


def test_a_workspace_gets_its_repository_once(imports: Running) -> None:
    with http_of(imports) as client:
        name = create(client)["name"]
        body = {"workspace": name, "github_repo": "octo/hello", "command": "cat README.md"}
        assert client.post("/v1/exec", json=body).json()["output"] == "hello\n"
        assert client.post("/v1/exec", json=body | {"command": "echo mine > README.md"}).json()["exit_code"] == 0
        for repo in ("octo/hello", "octo/hello@feature/x", "octo/nothing"):
            # Also in the session after that: what is there stays.
            assert client.post("/v1/exec", json=body | {"github_repo": repo}).json()["output"] == "mine\n"
            client.post("/v1/sessions/bulk-terminate", json={"workspaces": [name], "force": True})
        [shown] = [one for one in client.get("/v1/workspaces").json() if one["name"] == name]
        assert shown["github_repo"] == "octo/hello"
        client.delete(f"/v1/workspaces/{name}", params={"force": "true"})
    assert clean(imports)


def test_a_workspace_with_files_keeps_them(imports: Running) -> None:
    with http_of(imports) as client:
        name = create(client)["name"]
        box = open_box(imports, client, name)
        box.run("touch only-a-name")
        box.end()
        body = {"workspace": name, "github_repo": "octo/hello", "command": "ls -A"}
        assert client.post("/v1/exec", json=body).json()["output"] == "only-a-name\n"
        client.delete(f"/v1/workspaces/{name}", params={"force": "true"})
    assert clean(imports)


def test_an_import_that_was_emptied_is_set_up_again(imports: Running) -> None:
    with http_of(imports) as client:
        workspace = imported(client, "octo/hello@v1.0")["workspace"]["id"]
        box = open_box(imports, client, workspace)
        box.run("find . -mindepth 1 -delete")
        box.end()
        again = open_box(imports, client, workspace)
        assert again.get("README.md") == b"feature\n"
        again.end()
        client.delete(f"/v1/workspaces/{workspace}")
    assert clean(imports)


def test_a_repository_that_cannot_be_had_fails_the_session(emulator: Running) -> None:
    with http_of(emulator) as client:
        session = client.post("/v1/sessions", json={"ephemeral": True, "github_repo": "octo/nothing"})
        assert (session.status_code, session.json()["status"]) == (200, "failed")
        body = {"command": "true", "ephemeral": True, "github_repo": "octo/hello@nothing"}
        assert "'nothing'" in refused(client.post("/v1/exec", json=body), 404, "not_found")["message"]
        name = create(client)["name"]
        refused(
            client.post("/v1/exec", json={"command": "true", "workspace": name, "github_repo": "octo/nothing"}),
            404,
            "not_found",
        )
        # Nothing of it stays with the workspace.
        box = open_box(emulator, client, name)
        assert box.run("ls -A") == ""
        box.end()
    assert clean(emulator)


def test_a_session_that_is_ended_while_it_clones_leaves_nothing(server: Forge) -> None:
    with emulator_on("local", github_url=server.url) as emulator, http_of(emulator) as client:
        name = create(client)["name"]
        server.silent.set()
        with ThreadPoolExecutor(1) as thread:
            body = {"workspace": name, "github_repo": "octo/hello"}
            starting = thread.submit(client.post, "/v1/sessions", json=body)
            assert server.arrived.wait(10)
            [session] = client.get("/v1/sessions").json()["sessions"]
            assert session["status"] == "starting"
            assert client.delete(f"/v1/sessions/{session['id']}").status_code == 204
            assert starting.result().json()["status"] in ("terminating", "terminated")
        assert client.get(f"/v1/sessions/{session['id']}").json()["status"] == "terminated"
        assert children() == set()
        assert clean(emulator)
        server.silent.clear()
        session_on(client, name, github_repo="octo/hello")
        assert ask(emulator, "SELECT github_repo FROM workspaces")[0]["github_repo"] == "octo/hello"
