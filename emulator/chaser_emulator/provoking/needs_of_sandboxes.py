"""What requests need that are about sandboxes and browsers, and the workspaces that they work on."""

from __future__ import annotations

from chaser_emulator.provoking import repositories, resources, stand_in_browser
from chaser_emulator.provoking.needs import Needs, request_of
from chaser_emulator.provoking.stage import Stage

FILE = "/workspace/provoked.txt"
"""What is uploaded, and there to be downloaded."""

ASK_BROWSER = (
    "get-browser-version", "list-browser-targets", "list-browser-targets-shortly", "get-browser-protocol",
    "open-browser-target-by-get", "open-browser-target", "activate-browser-target", "close-browser-target",
    "connect-browser", "connect-browser-target", "upload-browser-extension",
)  # fmt: skip
"""The operations that a browser answers."""

_MANIFEST = b'{"manifest_version": 3, "name": "provoked", "version": "1.0"}'


async def _session(stage: Stage) -> str:
    """The session that the user means, or a new one."""
    return stage.given.get("id") or await resources.session(stage)


async def _workspace(stage: Stage) -> str:
    return stage.given.get("ws") or await resources.workspace(stage)


# Sessions


@request_of("create-session")
async def _new_session(_stage: Stage) -> Needs:
    return Needs(body={"ephemeral": True})


@request_of("exec-sandbox")
async def _one_shot(_stage: Stage) -> Needs:
    return Needs(body={"ephemeral": True, "command": "true"})


@request_of("bulk-terminate-sessions")
async def _sessions(stage: Stage) -> Needs:
    return Needs(body={"ids": [await _session(stage)]})


@request_of(
    "get-session", "terminate-session", "open-session-pty", "self-test-session", "list-session-commands",
)  # fmt: skip
async def _a_session(stage: Stage) -> Needs:
    return Needs({"id": await _session(stage)})


@request_of("exec-session")
async def _exec(stage: Stage) -> Needs:
    return Needs({"id": await _session(stage)}, {"command": "true"})


@request_of("resize-session-pty")
async def _resize(stage: Stage) -> Needs:
    return Needs({"id": await _session(stage)}, {"rows": 50, "cols": 160})


@request_of(
    "get-session-command", "stream-session-command", "write-session-command-stdin", "kill-session-command"
)  # fmt: skip
async def _command(stage: Stage) -> Needs:
    session_id = await _session(stage)
    command_id = stage.given.get("cid") or await resources.command(stage, session_id)
    body = {"write-session-command-stdin": {"input": "yes\n"}, "kill-session-command": {"signal": "TERM"}}
    return Needs({"id": session_id, "cid": command_id}, body.get(stage.operation.id))


@request_of("upload-session-file")
async def _upload(stage: Stage) -> Needs:
    return Needs({"id": await _session(stage)}, form={"path": FILE, "file": b"first line\n"})


@request_of("download-session-file")
async def _download(stage: Stage) -> Needs:
    session_id = await _session(stage)
    await stage.write_file(session_id, FILE, b"first line\n")
    return Needs({"id": session_id}, query={"path": FILE})


# Browsers


@request_of(*ASK_BROWSER)
async def _browser(stage: Stage) -> Needs:
    session_id, stand_in = await stand_in_browser.browser(stage)
    stage.browser = stand_in
    path = {"id": session_id}
    if "{target}" in stage.operation.path:
        path["target"] = stand_in.page
    if "{guid}" in stage.operation.path:
        path["guid"] = stand_in.guid
    query = {"url": "about:blank"} if stage.operation.path.endswith("/new") else {}
    form: dict[str, str | bytes] | None = None
    if stage.operation.id == "upload-browser-extension":
        form = {"file": _extension()}
    return Needs(path, query=query, form=form)


def _extension() -> bytes:
    """The smallest extension there is."""
    import io
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("manifest.json", _MANIFEST)
    return archive.getvalue()


# Workspaces


@request_of("create-workspace")
async def _new_workspace(stage: Stage) -> Needs:
    return Needs(body={"session_type": "sandbox", "name": stage.name()})


@request_of("delete-workspace", "list-workspace-snapshots")
async def _a_workspace(stage: Stage) -> Needs:
    return Needs({"ws": await _workspace(stage)})


@request_of("bulk-delete-workspaces")
async def _workspaces(stage: Stage) -> Needs:
    return Needs(body={"ids": [await _workspace(stage)]})


@request_of("set-workspace-name")
async def _rename(stage: Stage) -> Needs:
    return Needs({"ws": await _workspace(stage)}, {"name": stage.name()})


@request_of("set-workspace-template")
async def _template(stage: Stage) -> Needs:
    return Needs({"ws": await _workspace(stage)}, {"template": True})


@request_of("import-workspace")
async def _import(stage: Stage) -> Needs:
    repository = await repositories.repository(stage)
    return Needs(body={"github_repo": repository, "name": stage.name()})


@request_of("create-workspace-snapshot")
async def _new_snapshot(stage: Stage) -> Needs:
    return Needs({"ws": await _workspace(stage)}, {"name": stage.name()})


@request_of("restore-workspace-snapshot", "delete-workspace-snapshot")
async def _snapshot(stage: Stage) -> Needs:
    workspace_id = await _workspace(stage)
    name = stage.given.get("name") or await resources.snapshot(stage, workspace_id)
    return Needs({"ws": workspace_id, "name": name}, {} if stage.operation.body is not None else None)
