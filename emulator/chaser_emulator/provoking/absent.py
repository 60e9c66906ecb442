"""`not_found`: what a request names is not there, or not in the account."""

from __future__ import annotations

from dataclasses import replace

from chaser_emulator.provoking import repositories
from chaser_emulator.provoking.arrangements import arranges
from chaser_emulator.provoking.requests import ApiRequest
from chaser_emulator.provoking.stage import Stage, unknown_id
from chaser_emulator.provoking.valid import request_for


@arranges("not_found", by="request")
async def of_nothing(stage: Stage) -> ApiRequest:
    """The last thing that the path names, and where it names nothing, the account."""
    request = await request_for(stage)
    if request.path:
        name = [*request.path][-1]
        stage.say(f"nothing has the {name} that the path names")
        return request.with_path(**{name: unknown_id()})
    stage.say("X-Chaser-Account names an account that there is not")
    return request.with_headers(X_Chaser_Account=unknown_id())


@arranges("not_found", "create-session", "exec-sandbox", by="request")
async def on_no_workspace(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    stage.say("there is no workspace of this name")
    body = {key: value for key, value in request.body.items() if key != "ephemeral"}
    return replace(request, body=body | {"workspace": stage.name()})


@arranges("not_found", "create-workspace", by="request")
async def of_no_workspace(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    stage.say("there is no workspace to copy")
    return replace(request, body={"clone_from": stage.name(), "name": request.body["name"]})


@arranges("not_found", "import-workspace")
async def of_no_repository(stage: Stage) -> ApiRequest:
    request = await request_for(stage)
    return request.with_body(github_repo=await repositories.missing(stage))


@arranges("not_found", "download-session-file", by="request")
async def of_no_file(stage: Stage) -> ApiRequest:
    stage.say("there is no such file in it")
    return replace(await request_for(stage), query={"path": f"/workspace/{stage.name()}"})


@arranges("not_found", "store-assistant-credential", "resolve-assistant-credential", by="request")
async def of_no_assistant(stage: Stage) -> ApiRequest:
    stage.say("there is no such assistant")
    return (await request_for(stage)).with_body(assistant_id=unknown_id())


@arranges("not_found", "resolve-assistant-channel", by="request")
async def of_no_channel(stage: Stage) -> ApiRequest:
    stage.say("no assistant is bound to this channel")
    return (await request_for(stage)).with_body(channel_id=stage.name())
