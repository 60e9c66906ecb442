"""The steps of a workflow job, one after the other: what each of them meets, runs and leaves to those after it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaser_emulator.errors import ApiError
from chaser_emulator.sandbox import PathNotFound, SandboxError
from chaser_emulator.shapes import GithubRunnerStepResult
from chaser_emulator.work import Task, file_commands
from chaser_emulator.work.coercions import Exact, ExpressionError, number_of, truth_of
from chaser_emulator.work.expressions import Scope
from chaser_emulator.work.machine import Machine
from chaser_emulator.work.templates import Template
from chaser_emulator.work.workflow import Job, Step, require_shell
from chaser_emulator.work.workflow_yaml import WorkflowError

_LONGEST_MS = 3_600_000
"""The longest time that one command can be given."""

_FILES = {"ENV": "env", "OUTPUT": "output", "PATH": "path", "STEP_SUMMARY": "summary", "STATE": "state"}
"""The variables GITHUB_… that name files for a step to write to."""


class OutOfTimeError(Exception):
    """The time of the whole job is over."""


@dataclass
class Run:
    """A job under way. `github` is the context of that name; `deadline` is on the clock of the event loop."""

    task: Task
    job: Job
    machine: Machine
    github: Mapping[str, str]
    deadline: float
    env: dict[str, str] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    steps: dict[str, Any] = field(default_factory=dict)
    results: list[GithubRunnerStepResult] = field(default_factory=list)
    failure: str | None = None

    @property
    def status(self) -> str:
        return "success" if self.failure is None else "failure"

    def runner(self) -> dict[str, str]:
        """The context `runner`."""
        place = self.machine.place
        return {
            "os": self.machine.os,
            "arch": self.machine.arch,
            "name": "chaser",
            "environment": "self-hosted",
            "temp": f"{place}/temp",
            "tool_cache": f"{place}/tools",
            "debug": "",
        }

    def scope(self, env: Mapping[str, str]) -> Scope:
        """What the expressions of a step see."""
        contexts = {
            "github": dict(self.github),
            "matrix": dict(self.job.matrix),
            "env": Exact(env),
            "job": {"status": self.status},
            "runner": self.runner(),
            "steps": self.steps,
        }
        return Scope(contexts, self.status)

    def begin(self) -> None:
        """Work out the variables of the workflow and of the job. Raises WorkflowError."""
        contexts = {"github": dict(self.github), "matrix": dict(self.job.matrix)}
        for variables in self.job.env:
            try:
                self.env |= {name: one.text(Scope(contexts)) for name, one in variables.items()}
            except ExpressionError as error:
                raise WorkflowError(f"env: {error}") from None

    async def all(self) -> None:
        """Run every step whose turn comes. Raises OutOfTimeError, with the results of all steps there."""
        for number, step in enumerate(self.job.steps):
            try:
                await self._step(number, step)
            except OutOfTimeError:
                self._skip_from(len(self.results))
                raise

    def _skip_from(self, number: int) -> None:
        for step in self.job.steps[number:]:
            self.results.append({"name": self._name(step, self.env), "kind": step.kind, "status": "skipped"})

    async def _step(self, number: int, step: Step) -> None:
        env = dict(self.env)
        begin = _now()
        shown: dict[str, Any] = {}
        outputs: dict[str, str] = {}
        error: str | None = None
        over = False
        try:
            env |= {name: one.text(self.scope(self.env)) for name, one in step.env.items()}
            if not step.condition.holds(self.scope(env)):
                self._note(step, env, "skipped", {}, {}, None)
                return
            if step.run is not None:
                command, files = await self._ready(number, step, env)
                answer, over = await self._executed(number, step, env, command)
                shown = {name: answer[name] for name in ("exit_code", "output", "output_truncated")}
                error = _of_answer(answer, over=over)
                outputs = await self._read(files)
        except (ExpressionError, WorkflowError, SandboxError) as failure:
            error = error or str(failure)
        except ApiError as failure:
            error = failure.message
        shown["duration_ms"] = int((_now() - begin) * 1000)
        self._note(step, env, "success" if error is None else "failure", shown, outputs, error)
        if over:
            raise OutOfTimeError

    def _note(
        self, step: Step, env: Mapping[str, str], outcome: str, shown: dict[str, Any], outputs: Any, error: str | None
    ) -> None:
        """Write down what became of a step, for the result and for the steps after it."""
        name = self._name(step, env)
        conclusion = outcome
        if error is not None:
            try:
                if truth_of(step.continue_on_error.value(self.scope(env))):
                    conclusion = "success"
            except ExpressionError as failure:
                error = f"{error}; {step.where}.continue-on-error: {failure}"
        if conclusion == "failure" and self.failure is None:
            self.failure = f"step {name!r}: {error}"
        if step.id is not None:
            self.steps[step.id] = {"outputs": outputs, "outcome": outcome, "conclusion": conclusion}
        status = {"success": "completed", "failure": "failed"}.get(outcome, outcome)
        told: Any = {"name": name, "kind": step.kind, "status": status, **shown}
        self.results.append(told if error is None else told | {"error": error})

    def _name(self, step: Step, env: Mapping[str, str]) -> str:
        try:
            return step.name.text(self.scope(env))
        except ExpressionError:
            return step.where

    async def _ready(self, number: int, step: Step, env: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """Put a step's script and its files in place; answers the command that runs it, and the files."""
        scope = self.scope(env)
        shell = step.shell.value(scope)
        place = f"{self.machine.place}/scripts/{number}"
        script = f"{place}.py" if shell == "python" else f"{place}.sh"
        files = {name: f"{place}-{end}" for name, end in _FILES.items()}
        command = _command(shell, script, self.machine.bash, step.where)
        assert step.run is not None  # noqa: S101 - of a step that runs something
        await self.machine.put(script, step.run.text(scope), *files.values())
        return command, files

    async def _executed(self, number: int, step: Step, env: Mapping[str, str], command: str) -> tuple[Any, bool]:
        """Run a step's command; answers what exec answers, and whether the time of the job is over."""
        scope = self.scope(env)
        left = int((self.deadline - _now()) * 1000)
        minutes = minutes_of(step.timeout_minutes, scope, f"{step.where}.timeout-minutes")
        limit = max(0, min(left, _LONGEST_MS, int(min(minutes, 60) * 60_000) if minutes else _LONGEST_MS))
        directory = step.directory.text(scope)
        body = {"command": command, "env": self._variables(number, step, env), "timeout_ms": limit}
        if directory:
            body["cwd"] = directory
        answer = await self.task.perform("exec-session", body, path={"id": self.machine.session["id"]})
        return answer, answer["status"] == "timed_out" and limit >= left

    def _variables(self, number: int, step: Step, env: Mapping[str, str]) -> dict[str, str]:
        """Every variable of a step; those of GitHub's and the runner's own cannot be set otherwise."""
        place = f"{self.machine.place}/scripts/{number}"
        action = step.id or f"__run_{number}"
        variables = {
            "CI": "true",
            **env,
            **{f"GITHUB_{name.upper()}": value for name, value in self.github.items()},
            **{f"RUNNER_{name.upper()}": value for name, value in self.runner().items() if value},
            **{f"GITHUB_{name}": f"{place}-{end}" for name, end in _FILES.items()},
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION": action,
        }
        if self.paths:
            variables["PATH"] = ":".join([*reversed(self.paths), variables.get("PATH", self.machine.path)])
        return variables

    async def _read(self, files: Mapping[str, str]) -> dict[str, str]:
        """Take what a step has written to its files; answers its outputs. Raises WorkflowError and SandboxError."""
        data = {}
        for name in ("ENV", "OUTPUT", "PATH"):
            try:
                data[name] = await self.machine.read(files[name])
            except PathNotFound:  # a step may remove what it does not write to
                data[name] = b""
        variables = file_commands.pairs(data["ENV"], "GITHUB_ENV")
        for name, _ in variables:
            if not file_commands.may_be_set(name):
                raise WorkflowError(f"GITHUB_ENV: {name!r} cannot be set")
        self.env |= dict(variables)
        self.paths += file_commands.paths(data["PATH"])
        return dict(file_commands.pairs(data["OUTPUT"], "GITHUB_OUTPUT"))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _of_answer(answer: Mapping[str, Any], *, over: bool) -> str | None:
    """Why a command has failed, if it has."""
    if over:
        return "the time of the job was over"
    if answer["status"] == "timed_out":
        return "it took longer than its timeout-minutes"
    return None if answer["exit_code"] == 0 else f"command exited with {answer['exit_code']}"


def _command(shell: Any, script: str, bash: str | None, where: str) -> str:
    """The command line that runs a script in a shell, as GitHub's own runner does."""
    quoted = shlex.quote(script)
    if shell is None:
        return f"exec {shlex.quote(bash)} -e {quoted}" if bash else f"exec /bin/sh -e {quoted}"
    if shell == "bash":
        if bash is None:
            raise WorkflowError("the sandbox has no bash")
        return f"exec {shlex.quote(bash)} --noprofile --norc -eo pipefail {quoted}"
    if shell == "sh":
        return f"exec /bin/sh -e {quoted}"
    if shell == "python":
        # Debian calls it python3 alone.
        return f"command -v python >/dev/null 2>&1 && exec python {quoted}; exec python3 {quoted}"
    require_shell(str(shell), f"{where}.shell")
    try:
        words = shlex.split(str(shell))
    except ValueError as error:
        raise WorkflowError(f"{where}.shell: {shell!r} is no command line: {error}") from None
    return "exec " + " ".join(shlex.quote(word.replace("{0}", script)) for word in words)


def minutes_of(template: Template, scope: Scope, where: str) -> float | None:
    """A number of minutes, if one is said. Raises WorkflowError."""
    try:
        value = template.value(scope)
    except ExpressionError as error:
        raise WorkflowError(f"{where}: {error}") from None
    if value is None:
        return None
    if not (minutes := number_of(value)) > 0:
        raise WorkflowError(f"{where} must be a number of minutes above 0")
    return minutes
