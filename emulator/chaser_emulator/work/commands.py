"""Jobs that run commands: one, or the steps of a pipeline on one workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from chaser_emulator.commands import DEFAULT_TIMEOUT_MS
from chaser_emulator.errors import ApiError
from chaser_emulator.sandbox import SandboxError
from chaser_emulator.shapes import PipelineRunResult, PipelineStepResult
from chaser_emulator.targets import open_session, started
from chaser_emulator.work import JobFailed, Task, Work

EXEC = "sandbox.exec"
PIPELINE = "pipeline.run"

ALIASES: Mapping[str, Mapping[str, str]] = {EXEC: {"cmd": "command"}, PIPELINE: {"cmd": "command"}}
"""Other names of fields of the input, by kind; those of a pipeline are of its steps (J20)."""


async def sandbox_exec(task: Task) -> Any:
    """Run a command as POST /v1/exec does; its answer is the result, also where the command failed (J15)."""
    body = _by_their_own_names(task.input)
    answer = await task.perform("exec-sandbox", body)
    if answer["status"] == "timed_out":
        timeout_ms = body.get("timeout_ms")
        raise JobFailed(f"command timed out after {_of(timeout_ms)} ms", answer)
    if answer["exit_code"] != 0:
        raise JobFailed(f"command exited with {answer['exit_code']}", answer)
    return answer


async def pipeline_run(task: Task, kinds: Mapping[str, Work]) -> PipelineRunResult:
    """Run steps on a workspace until one fails, each as a job of its kind would; the rest is skipped (J16)."""
    target = await open_session(task.who, {"workspace": task.input["workspace"]})
    session = await started(task.who, target)
    workspace_id = session["workspace_id"]
    steps: list[PipelineStepResult] = []
    failure = None
    for number, step in enumerate(task.input["steps"], 1):
        if failure is not None:
            steps.append({"name": step.get("name"), "kind": step_kind(step), "status": "skipped"})
            continue
        steps.append(await _step(task, step, workspace_id, kinds))
        if (error := steps[-1].get("error")) is not None:
            failure = f"step {step.get('name') or number}: {error}"
    result: PipelineRunResult = {"workspace_id": workspace_id, "session_id": session["id"], "steps": steps}
    if failure is not None:
        raise JobFailed(failure, result)
    return result


def step_kind(step: Mapping[str, Any]) -> Any:
    """What a step of a pipeline does (J17)."""
    return step.get("kind", EXEC)


async def _step(
    task: Task, step: Mapping[str, Any], workspace_id: str, kinds: Mapping[str, Work]
) -> PipelineStepResult:
    kind = step_kind(step)
    given, timeout_ms = _input(step, workspace_id)
    loop = asyncio.get_running_loop()
    result, error = None, None
    begin = loop.time()
    patience = asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000)
    try:
        async with patience:
            result = await kinds[kind](Task(task.who, given))
    except JobFailed as failure:
        result, error = failure.result, str(failure)
    except ApiError as failure:
        error = failure.message
    except SandboxError as failure:
        error = str(failure) or "the sandbox failed"
    except TimeoutError:
        if not patience.expired():
            raise
        error = f"it took longer than {timeout_ms} ms"
    shown: PipelineStepResult = {
        "name": step.get("name"),
        "kind": kind,
        "status": "completed" if error is None else "failed",
        "duration_ms": int((loop.time() - begin) * 1000),
    }
    if kind == EXEC and result is not None:
        shown["exit_code"] = result["exit_code"]
        shown["output"] = result["output"]
        shown["output_truncated"] = result["output_truncated"]
    elif result is not None:
        shown["result"] = result
    if error is not None:
        shown["error"] = error
    return shown


def _input(step: Mapping[str, Any], workspace_id: str) -> tuple[Mapping[str, Any], int | None]:
    """What a step's kind is given, and how long it may take (None: its work sees to that itself)."""
    timeout_ms: int | None = step.get("timeout_ms")
    if step_kind(step) != EXEC:
        given: Mapping[str, Any] = step["input"]
        return given, _of(timeout_ms) if timeout_ms is not None or "timeout_ms" not in given else None
    body = _by_their_own_names(step.get("input") or {name: step[name] for name in ("command", "cmd") if name in step})
    if body.get("workspace") is None and not body.get("ephemeral"):
        body["workspace"] = workspace_id
    limits = [limit for limit in (timeout_ms, body.get("timeout_ms")) if limit is not None]
    return (body | {"timeout_ms": min(limits)} if limits else body), None


def _of(timeout_ms: int | None) -> int:
    return DEFAULT_TIMEOUT_MS if timeout_ms is None else timeout_ms


def _by_their_own_names(given: Mapping[str, Any]) -> dict[str, Any]:
    aliases = ALIASES[EXEC]
    return {aliases.get(name, name): value for name, value in given.items()}
