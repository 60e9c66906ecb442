"""The official client against every engine: each call works unmodified and returns what its types promise."""

from __future__ import annotations

import types
import typing
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chaser_sdk.types as sdk_types
import pytest
from bases import bare
from chaser_emulator.sandbox.stubs import stub
from chaser_emulator.server import Running
from chaser_sdk import ChaserApiError, ChaserClient
from emulators import ENGINES, emulator_on, sdk_of
from requirements import require

_STUBS = (stub("echo hello", output="hello\n"), stub("slow", output="begun\n", delay=30))


@pytest.fixture(scope="module", params=ENGINES)
def emulator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    base = tmp_path_factory.mktemp("github") / "base"
    base.mkdir()
    with emulator_on(request.param, stubs=_STUBS, github_url=str(base)) as one:
        yield one


@pytest.fixture
def sdk(emulator: Running) -> ChaserClient:
    return sdk_of(emulator)


def fits(value: Any, expected: Any, where: str = "") -> None:
    """Fail unless a JSON value has the type that the client's annotations say."""
    origin = typing.get_origin(expected)
    if origin in (typing.NotRequired, typing.Required):
        fits(value, typing.get_args(expected)[0], where)
    elif typing.is_typeddict(expected):
        assert isinstance(value, dict), where
        hints = typing.get_type_hints(expected, include_extras=True)
        if getattr(expected, "__total__", True):
            wanted = {name for name, hint in hints.items() if typing.get_origin(hint) is not typing.NotRequired}
            missing = wanted - set(value)
            assert not missing, f"{where}: {missing} missing"
        for name, item in value.items():
            assert name in hints, f"{where}.{name} is unknown to the client"
            fits(item, hints[name], f"{where}.{name}")
    elif origin is list:
        assert isinstance(value, list), where
        for index, item in enumerate(value):
            fits(item, typing.get_args(expected)[0], f"{where}[{index}]")
    elif origin is dict:
        assert isinstance(value, dict), where
    elif origin in (typing.Union, types.UnionType):
        options = typing.get_args(expected)
        objects = [option for option in options if typing.is_typeddict(option)]
        if objects and isinstance(value, dict):
            fits(value, objects[0], where)
        else:
            plain = [option for option in options if option not in objects]
            assert any(_is(value, option) for option in plain), f"{where}: {value!r} is no {expected}"
    elif origin is typing.Literal:
        assert value in typing.get_args(expected), where
    elif expected is not Any:
        assert _is(value, expected), f"{where}: {value!r} is no {expected}"


def _is(value: Any, expected: Any) -> bool:
    if expected is type(None):
        return value is None
    if expected is int and isinstance(value, bool):
        return False
    return isinstance(value, expected)


def holds(value: dict[str, Any], *names: str) -> None:
    """Fail unless every one of these is there."""
    assert not (missing := set(names) - set(value)), f"{missing} missing"


def test_a_session_is_created_found_and_ended(sdk: ChaserClient) -> None:
    session = sdk.sessions.create(session_type="sandbox", ephemeral=True, env={"A": "b"})
    fits(session, sdk_types.SessionInfo)
    ready = sdk.sessions.wait_until_ready(session["id"], interval_secs=0.05)
    assert ready["status"] == "running"
    assert ready["persistence"] is False
    uuid.UUID(session["id"])
    page = sdk.sessions.list_page()
    fits(page, sdk_types.ListSessionsResponse)
    assert session["id"] in [one["id"] for one in sdk.sessions.list()]
    assert page["total"] == len(page["sessions"])
    sdk.sessions.resize_pty(session["id"], 40, 100)
    sdk.sessions.terminate(session["id"])
    assert sdk.sessions.get(session["id"])["status"] == "terminated"
    assert session["id"] not in [one["id"] for one in sdk.sessions.list()]
    sdk.sessions.terminate(session["id"], force=True)


def test_sessions_are_ended_in_bulk(sdk: ChaserClient) -> None:
    ids = [sdk.sessions.create(ephemeral=True)["id"] for _ in range(3)]
    unknown = str(uuid.uuid4())
    result = sdk.sessions.bulk_terminate({"ids": [*ids[:2], unknown]})
    fits(result, sdk_types.BulkTerminateResponse)
    assert sorted(result["terminated"]) == sorted(ids[:2])
    assert [(one["id"], one["code"]) for one in result["failed"]] == [(unknown, "not_found")]
    everything = sdk.sessions.bulk_terminate({"all": True, "session_type": "sandbox", "force": True})
    assert ids[2] in everything["terminated"]


def test_a_command_runs_in_one_call(sdk: ChaserClient) -> None:
    result = sdk.exec.run(command="echo hello", ephemeral=True)
    fits(result, sdk_types.SandboxExecResponse)
    assert (result["output"], result["exit_code"], result["status"]) == ("hello\n", 0, "completed")
    assert result["ephemeral"] is True
    assert result["output_truncated"] is False
    assert sdk.sessions.get(result["session_id"])["status"] == "terminated"


def test_a_command_without_a_target_runs_in_the_default_workspace(sdk: ChaserClient) -> None:
    result = sdk.exec.run(command="echo hello")
    assert (result["workspace"], result["ephemeral"]) == ("default", False)
    again = sdk.exec.run({"command": "echo hello"})
    assert again["session_id"] == result["session_id"]
    sdk.sessions.terminate(result["session_id"])


def test_a_command_runs_in_a_session(sdk: ChaserClient) -> None:
    session = sdk.sessions.create(ephemeral=True)
    settings = {"cwd": "/workspace", "env": {"X": "1"}, "timeout_ms": 60_000}
    result = sdk.exec.in_session(session["id"], settings, command="echo hello")
    fits(result, sdk_types.SandboxExecResponse)
    assert (result["output"], result["exit_code"], result["background"]) == ("hello\n", 0, False)
    failed = sdk.exec.in_session(session["id"], {"command": "false"})
    assert failed["exit_code"] == 1
    sdk.sessions.terminate(session["id"])


def test_a_background_command_is_followed_fed_and_killed(sdk: ChaserClient, emulator: Running) -> None:
    session = sdk.sessions.create(ephemeral=True)
    scripted = emulator.world.engine.name == "scripted"
    started = sdk.exec.in_session(
        session["id"], command="slow" if scripted else "echo begun; cat; sleep 30", background=True
    )
    fits(started, sdk_types.SandboxExecResponse)
    holds(started, "command_id", "pid")
    command = started["command_id"]
    listed = sdk.commands.list(session["id"])
    fits(listed[0], sdk_types.SessionCommandInfo)
    assert [one["command_id"] for one in listed] == [command]
    fed = sdk.commands.send_stdin(session["id"], command, "aGk=", encoding="base64")
    assert fed == {"command_id": command, "bytes_written": 2}
    assert sdk.commands.send_stdin(session["id"], command, "text\n")["bytes_written"] == 5
    assert sdk.commands.kill(session["id"], command, signal="SIGKILL")["signal"] == "SIGKILL"
    done = sdk.commands.wait_for_completion(session["id"], command, interval_secs=0.05)
    fits(done, sdk_types.SessionCommandInfo)
    holds(done, "exit_code", "output", "output_bytes", "output_truncated", "started_at_epoch", "finished_at_epoch")
    assert (done["status"], done["exit_code"]) == ("killed", 137)
    with pytest.raises(ChaserApiError) as refused:
        sdk.commands.kill(session["id"], command)
    assert (refused.value.status, refused.value.code) == (409, "not_running")
    assert sdk.commands.stream_url(session["id"], command, offset=0).endswith("/stream?from=0")
    sdk.sessions.terminate(session["id"], force=True)


def test_files_go_in_and_come_out(sdk: ChaserClient) -> None:
    session = sdk.sessions.create(ephemeral=True)
    data = bytes(range(256)) * 100
    stored = sdk.files.upload(session["id"], path="/workspace/some folder/data.bin", data=data)
    fits(stored, sdk_types.UploadFileResponse)
    assert stored == {"path": "/workspace/some folder/data.bin", "size": len(data)}
    assert sdk.files.download(session["id"], "/workspace/some folder/data.bin") == data
    sdk.files.upload_text(session["id"], "notes.txt", "grüße\n")
    assert sdk.files.download_text(session["id"], "/workspace/notes.txt") == "grüße\n"
    sdk.sessions.terminate(session["id"])


def test_a_workspace_keeps_its_files_from_session_to_session(sdk: ChaserClient) -> None:
    workspace = sdk.workspaces.create(session_type="sandbox", name=f"w-{uuid.uuid4().hex[:8]}")
    fits(workspace, sdk_types.WorkspaceInfo)
    holds(workspace, "id", "name", "created_at", "persistence", "session_type", "status", "template", "assistant_home")
    first = sdk.sessions.create(session_type="sandbox", workspace=workspace["name"])
    assert sdk.sessions.create(session_type="sandbox", workspace=workspace["id"])["id"] == first["id"]
    sdk.files.upload_text(first["id"], "kept.txt", "kept")
    listed = {one["id"]: one for one in sdk.workspaces.list()}[workspace["id"]]
    fits(listed, sdk_types.WorkspaceInfo)
    assert (listed["status"], listed["active_session_id"]) == ("active", first["id"])
    with pytest.raises(ChaserApiError) as refused:
        sdk.workspaces.delete(workspace["id"])
    assert (refused.value.status, refused.value.code) == (409, "workspace_active")
    sdk.sessions.terminate(first["id"])
    second = sdk.sessions.create(session_type="sandbox", workspace=workspace["name"])
    assert second["id"] != first["id"]
    assert sdk.files.download_text(second["id"], "/workspace/kept.txt") == "kept"
    assert sdk.workspaces.rename(workspace["id"], None) == {"id": workspace["id"], "name": None}
    renamed = sdk.workspaces.rename(workspace["id"], f"r-{uuid.uuid4().hex[:8]}")
    fits(renamed, sdk_types.WorkspaceNameResponse)
    assert sdk.workspaces.set_template(workspace["id"], True) == {"id": workspace["id"], "template": True}
    sdk.workspaces.delete(str(renamed["name"]), force=True)
    assert sdk.sessions.get(second["id"])["status"] == "terminated"


def test_workspaces_are_deleted_in_bulk(sdk: ChaserClient) -> None:
    ids = [sdk.workspaces.create(session_type="sandbox")["id"] for _ in range(2)]
    result = sdk.workspaces.bulk_delete({"ids": [*ids, "nobody"]})
    fits(result, sdk_types.BulkDeleteWorkspacesResponse)
    assert (result["requested"], result["deleted"], result["failed"]) == (3, 2, 1)


def test_snapshots_are_made_and_gone_back_to(sdk: ChaserClient) -> None:
    workspace = sdk.workspaces.create(session_type="sandbox")["name"]
    session = sdk.sessions.create(workspace=workspace)
    sdk.files.upload_text(session["id"], "kept.txt", "before")
    with pytest.raises(ChaserApiError) as refused:
        sdk.workspaces.snapshots.create(workspace, name="early")
    assert (refused.value.status, refused.value.code) == (409, "workspace_active")
    sdk.sessions.terminate(session["id"])
    made = sdk.workspaces.snapshots.create(workspace, name="early")
    fits(made, sdk_types.WorkspaceSnapshotInfo)
    holds(made, "id", "workspace_id", "used_bytes", "created_at")
    sdk.workspaces.snapshots.create(workspace)
    session = sdk.sessions.create(workspace=workspace)
    sdk.files.upload_text(session["id"], "kept.txt", "after")
    with pytest.raises(ChaserApiError) as refused:
        sdk.workspaces.snapshots.restore(workspace, "early")
    assert (refused.value.status, refused.value.code) == (409, "workspace_active")
    restored = sdk.workspaces.snapshots.restore(workspace, "early", force=True)
    fits(restored, sdk_types.WorkspaceSnapshotInfo)
    holds(restored, "restored_at")
    assert sdk.sessions.get(session["id"])["status"] == "terminated"
    session = sdk.sessions.create(workspace=workspace)
    assert sdk.files.download_text(session["id"], "kept.txt") == "before"
    sdk.sessions.terminate(session["id"])
    listed = sdk.workspaces.snapshots.list(workspace)
    assert [one["id"] for one in listed][1:] == ["early"]
    sdk.workspaces.snapshots.delete(workspace, "early")
    with pytest.raises(ChaserApiError) as refused:
        sdk.workspaces.snapshots.restore(workspace, "early")
    assert refused.value.status == 404
    sdk.workspaces.delete(workspace)


def test_a_repository_becomes_a_workspace(sdk: ChaserClient, emulator: Running) -> None:
    require("git")
    base = Path(emulator.world.settings.github_url)
    bare(base, "octo/hello", {"README.md": "hello\n", ".devcontainer.json": '{"image": "x", "forwardPorts": [3000]}'})
    found = sdk.github.list_repositories()
    fits(found, sdk_types.GithubRepositoriesResponse)
    assert [one["name"] for one in found["repositories"]] == ["octo/hello"]
    made = sdk.workspaces.import_from_github(repo="octo/hello")
    fits(made, sdk_types.ImportWorkspaceResponse)
    holds(made, "workspace", "github_repo", "private", "default_branch", "devcontainer")
    assert (made["workspace"]["github_repo"], made["default_branch"]) == ("octo/hello", "main")
    session = sdk.sessions.create(workspace=made["workspace"]["id"])
    assert sdk.files.download_text(session["id"], "README.md") == "hello\n"
    with pytest.raises(ChaserApiError) as refused:
        sdk.workspaces.import_from_github({"github_repo": "octo/nothing"})
    assert (refused.value.status, refused.value.code) == (404, "not_found")
    sdk.workspaces.delete(made["workspace"]["id"], force=True)


def test_the_self_test_says_what_commands_find(sdk: ChaserClient, emulator: Running) -> None:
    session = sdk.sessions.create(ephemeral=True)
    report = sdk.sessions.self_test(session["id"])
    fits(report, sdk_types.SessionSelfTestResponse)
    assert report["kind"] == "self_test"
    if emulator.world.engine.name != "scripted":
        runtime = report["runtime"]
        assert runtime["cwd"] == "/workspace"
        assert runtime["workspace_root_present"] is True
        assert runtime["path_entries"] == runtime["path"].split(":")
        assert runtime["chaser"]["session_id"] == session["id"]
        assert "Python 3" in runtime["tool_versions"]["python3"]
    sdk.sessions.terminate(session["id"])


def test_a_key_of_an_organization_sees_that_organization_alone(sdk: ChaserClient, emulator: Running) -> None:
    organization = sdk.accounts.create_organization(f"org-{uuid.uuid4().hex[:8]}")
    ours = sdk.with_account(organization["name"])
    secret = ours.keys.create(name="ci", scopes=["sessions.read", "sessions.write", "exec.write"])["key"]
    bound = sdk_of(emulator, secret)
    session = bound.sessions.create(ephemeral=True)
    assert bound.exec.in_session(session["id"], command="echo hello")["output"] == "hello\n"
    with pytest.raises(ChaserApiError) as refused:
        bound.workspaces.list()
    assert (refused.value.status, refused.value.code) == (403, "insufficient_scope")
    with pytest.raises(ChaserApiError) as refused:
        sdk.sessions.get(session["id"])
    assert refused.value.status == 404
    bound.sessions.terminate(session["id"])


def test_a_service_account_drives_a_sandbox(sdk: ChaserClient, emulator: Running) -> None:
    organization = sdk.accounts.create_organization(f"org-{uuid.uuid4().hex[:8]}")
    ours = sdk.with_account(organization["id"])
    robot = ours.accounts.service_accounts.create("robot")
    secret = ours.accounts.service_accounts.keys.create(robot["id"], scopes=None)["key"]
    bound = sdk_of(emulator, secret)
    result = bound.exec.run(command="echo hello", ephemeral=True)
    assert result["output"] == "hello\n"
    events = bound.audit.list(action="session.exec")
    assert [(one["actor_type"], one["actor_id"]) for one in events] == [("service_account", robot["id"])]


def test_accounts_and_members_are_managed(sdk: ChaserClient) -> None:
    organization = sdk.accounts.create_organization(f"org-{uuid.uuid4().hex[:8]}")
    ours = sdk.with_account(organization["id"])
    fits(organization, sdk_types.AccountInfo)
    assert organization["id"] in [one["id"] for one in sdk.accounts.list()]
    assert ours.accounts.current() == organization
    member = ours.accounts.members.add(f"{uuid.uuid4().hex[:8]}@example.test", role="admin")
    fits(member, sdk_types.AccountMemberInfo)
    assert ours.accounts.members.update(member["user_id"], "member")["role"] == "member"
    assert len(ours.accounts.members.list()) == 2
    ours.accounts.members.remove(member["user_id"])
    assert len(ours.accounts.members.list()) == 1


def test_keys_of_every_kind_come_and_go(sdk: ChaserClient) -> None:
    organization = sdk.accounts.create_organization(f"org-{uuid.uuid4().hex[:8]}")
    ours = sdk.with_account(organization["id"])
    key = ours.keys.create(name="k", scopes=["audit.read"])
    fits(key, sdk_types.CreateApiKeyResponse)
    assert ours.keys.revoke(key["id"])["id"] == key["id"]
    [listed] = ours.keys.list()
    fits(listed, sdk_types.ApiKeyInfo)
    holds(listed, "revoked")
    robot = ours.accounts.service_accounts.create("robot")
    fits(robot, sdk_types.ServiceAccountInfo)
    made = ours.accounts.service_accounts.keys.create(robot["id"], name="k", scopes=["audit.read"])
    fits(made, sdk_types.CreateServiceAccountKeyResponse)
    ours.accounts.service_accounts.keys.revoke(robot["id"], made["id"])
    [listed_key] = ours.accounts.service_accounts.keys.list(robot["id"])
    holds(listed_key, "revoked")
    ours.accounts.service_accounts.delete(robot["id"])
    assert ours.accounts.service_accounts.list() == []
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBavcjp6itKXoSQkeSIoCI2YII1bI0UEDDoPzZLz68ds ada@laptop"
    ssh = ours.ssh_keys.create(line, name="laptop")
    fits(ssh, sdk_types.SshKeyInfo)
    assert [one["id"] for one in ours.ssh_keys.list()] == [ssh["id"]]
    ours.ssh_keys.delete(ssh["id"])
    assert ours.ssh_keys.list() == []
    events = ours.audit.list(action="ssh_key.delete", resource_type="ssh_key", status="success", limit=5)
    assert [one["resource_id"] for one in events] == [ssh["id"]]
    fits(events[0], sdk_types.AuditEventInfo)
