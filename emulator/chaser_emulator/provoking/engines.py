"""Refusals that sandboxes and browsers are the reason of: of the wrong type, at an end, out of reach, or silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from chaser_emulator.errors import ApiError
from chaser_emulator.provoking import repositories, resources, stand_in_browser
from chaser_emulator.provoking.arrangements import By, arranges
from chaser_emulator.provoking.needs_of_sandboxes import ASK_BROWSER
from chaser_emulator.provoking.requests import ApiRequest
from chaser_emulator.provoking.stage import Stage
from chaser_emulator.provoking.stand_in_browser import Mood
from chaser_emulator.provoking.valid import request_for
from chaser_emulator.sandbox import Process, SandboxUnavailable
from chaser_emulator.sandbox.failing import Failure
from chaser_emulator.sandbox.failing import Operation as EngineOperation

_SILENT, _NO_ANSWER = Failure("unavailable"), "the engine does not answer"


def _failing(
    code: str, operation: EngineOperation, failure: Failure, why: str, *operation_ids: str, by: By = "resource"
) -> None:
    """Let the engine fail at what one of these operations asks of it: in its session, or (`state`) in any such call."""

    @arranges(code, *operation_ids, by=by)
    async def arrange(stage: Stage) -> ApiRequest:
        request = await request_for(stage)
        stage.engine_fails(operation, failure, session_id=request.path["id"] if by == "resource" else None)
        stage.say(why)
        return request


# Of the wrong type


@arranges("not_a_sandbox")
async def of_a_browser(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    session_id, _ = await stand_in_browser.browser(stage)
    return request.with_path(id=session_id)


@arranges("not_a_browser")
async def of_a_sandbox(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    return request.with_path(id=await resources.session(stage))


# At an end


@arranges("not_running")
async def after_the_end(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    if stage.browser is not None:
        stage.browser.hang_up()
    await stage.perform("terminate-session", id=request.path["id"], query={"force": True})
    stage.say("the session was ended")
    return request


@arranges("not_running", "write-session-command-stdin", "kill-session-command")
async def of_a_command_that_has_ended(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    path = {name: request.path[name] for name in ("id", "cid")}
    await stage.perform_at("kill-session-command", path, {"signal": "KILL"})
    while (await stage.perform_at("get-session-command", path))["status"] == "running":  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.01)
    stage.say("the command was killed")
    return request


_failing(
    "not_running", "exec", Failure("sandbox_dies"), "the sandbox dies as the command starts", "exec-sandbox", by="state"
)


# Out of reach

_failing("sandbox_unavailable", "exec", _SILENT, _NO_ANSWER, "exec-session", "self-test-session")
_failing("sandbox_unavailable", "open_terminal", _SILENT, _NO_ANSWER, "open-session-pty")
_failing("sandbox_unavailable", "write_file", _SILENT, _NO_ANSWER, "upload-session-file")
_failing("sandbox_unavailable", "read_file", _SILENT, _NO_ANSWER, "download-session-file")
_failing(
    "sandbox_unavailable", "start", Failure("cannot_start"), "the sandbox cannot be started", "exec-sandbox", by="state"
)
_failing(
    "sandbox_unavailable", "copy_disk", _SILENT, "the engine does not answer when a disk is to be copied",
    "create-workspace-snapshot", "restore-workspace-snapshot", by="state",
)  # fmt: skip


@arranges("sandbox_unavailable", "create-session")
async def behind_one_that_does_not_end(stage: Stage) -> ApiRequest:
    """A workspace has one session at a time, and the one before cannot be ended."""
    request = await request_for(stage)
    workspace_id = await resources.workspace(stage)
    session_id = await resources.session(stage, workspace_id)
    stage.engine_fails("stop", _SILENT, session_id=session_id)
    await stage.perform("terminate-session", id=session_id, query={"force": True})
    stage.hold(stage.world.lifecycle.given_up(session_id))
    stage.say("it is to end, and the engine cannot stop it")
    return replace(request, body={"workspace": workspace_id})


@arranges("sandbox_unavailable", "delete-workspace")
async def of_one_that_is_held(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    session_id = await resources.session(stage, request.path["ws"])
    stage.engine_fails("stop", _SILENT, session_id=session_id)
    stage.hold(stage.world.lifecycle.given_up(session_id))
    stage.say("the engine cannot stop it")
    return replace(request, query={"force": "true"})


@arranges("sandbox_unavailable", "create-workspace")
async def without_a_clone(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    source = await resources.workspace(stage)
    stage.engine_fails("copy_disk", _SILENT)
    stage.say("the engine does not answer when its disk is to be copied")
    return replace(request, body={"clone_from": source, "name": request.body["name"]})


@arranges("sandbox_unavailable", "write-session-command-stdin", "kill-session-command")
async def of_a_command_out_of_reach(stage: Stage) -> ApiRequest:
    return await _cut_off(stage, SandboxUnavailable("The engine does not answer."), _NO_ANSWER)


@arranges("invalid_state", "write-session-command-stdin")
async def of_a_command_that_does_not_read(stage: Stage) -> ApiRequest:
    return await _cut_off(stage, TimeoutError(), "the command does not read, and the pipe to it is full")


async def _cut_off(stage: Stage, error: Exception, why: str) -> ApiRequest:
    """A request about a command that can be neither fed nor signalled."""
    request = await request_for(stage)

    def wrap(process: Process) -> Process:
        return _CutOff(process, error)

    put_back = stage.world.commands.wrap(request.path["cid"], wrap)

    async def undo() -> None:
        put_back()

    stage.undo(undo)
    stage.say(why)
    return request


class _CutOff:
    """A command whose output still comes, and that nobody reaches any more."""

    def __init__(self, inner: Process, error: Exception) -> None:
        self._inner = inner
        self._error = error

    @property
    def pid(self) -> int:
        return self._inner.pid

    def output(self) -> AsyncIterator[bytes]:
        return self._inner.output()

    async def write(self, data: bytes) -> None:
        raise self._error

    async def close_stdin(self) -> None:
        raise self._error

    async def signal(self, number: int) -> None:
        raise self._error

    async def wait(self) -> int:
        return await self._inner.wait()


# Full


_failing(
    "storage_limit_exceeded", "write_file", Failure("disk_full"), "no space is left on its disk", "upload-session-file"
)


# Browsers


def _in_mood(code: str, mood: Mood, why: str, *operation_ids: str) -> None:
    """Let the browser be like this when one of these operations asks it."""

    @arranges(code, *operation_ids)
    async def arrange(stage: Stage) -> ApiRequest:
        request = await request_for(stage)
        if stage.browser is None or request.path["id"] in stage.given.values():
            raise ApiError("invalid_state", "this happens to a browser that is made for it; leave out the session's id")
        stage.browser.mood = mood
        stage.say(why)
        return request


_in_mood("bad_gateway", "gone", "it does not listen any more", *ASK_BROWSER)
_in_mood("gateway_timeout", "silent", "it takes connections, and never answers", *ASK_BROWSER)
_in_mood("sandbox_unavailable", "unreachable", "the engine does not lead to it any more", *ASK_BROWSER)
_in_mood("storage_limit_exceeded", "full", "no space is left on its disk", "upload-browser-extension")


# Repositories


@arranges("sandbox_unavailable", "import-workspace")
async def from_a_closed_port(stage: Stage) -> ApiRequest:
    return (await request_for(stage)).with_body(github_repo=repositories.on_closed_port(stage))


@arranges("bad_gateway", "import-workspace")
async def of_a_broken_repository(stage: Stage) -> ApiRequest:
    return (await request_for(stage)).with_body(github_repo=await repositories.broken(stage))


@arranges("gateway_timeout", "import-workspace")
async def from_a_silent_server(stage: Stage) -> ApiRequest:
    return (await request_for(stage)).with_body(github_repo=await repositories.on_silent_server(stage))


@arranges("bad_gateway", "list-github-repositories", by="state")
async def from_no_folder(stage: Stage) -> ApiRequest:
    request, known = await request_for(stage), stage.world.repositories
    known.unreadable += 1

    async def put_back() -> None:
        known.unreadable -= 1

    stage.undo(put_back)
    stage.say("the folder of repositories cannot be read")
    return request
