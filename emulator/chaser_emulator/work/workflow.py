"""One job of a workflow file, read and checked whole before anything of it runs: what is not supported, by its name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chaser_emulator.work import combinations
from chaser_emulator.work.coercions import ExpressionError, truth_of
from chaser_emulator.work.expressions import Known, Scope
from chaser_emulator.work.templates import Condition, Template, condition, template
from chaser_emulator.work.workflow_yaml import WorkflowError, load

GITHUB = (
    *("actor", "api_url", "base_ref", "event_name", "graphql_url", "head_ref", "job", "ref", "ref_name"),
    *("ref_type", "repository", "repository_owner", "run_attempt", "run_id", "run_number", "sha", "server_url"),
    *("triggering_actor", "workflow", "workspace"),
)
"""What of the context `github` is known here."""

RUNNER = ("arch", "debug", "environment", "name", "os", "temp", "tool_cache")

_WORKFLOW = Known({"github": GITHUB})
_JOB = Known({"github": GITHUB, "matrix": None})
_DEFAULTS = Known({**_JOB.contexts, "env": None})
_STEP = Known({**_DEFAULTS.contexts, "job": ("status",), "runner": RUNNER, "steps": None})
_IF = Known(_STEP.contexts, status=True)

_WORKFLOW_KEYS = ("name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs")
# GitHub has settled what the second line says before it hands a job to a runner; of a single job, outputs go nowhere.
_JOB_KEYS = ("name", "runs-on", "env", "defaults", "steps", "timeout-minutes", "strategy")
_SETTLED_KEYS = ("needs", "if", "permissions", "concurrency", "outputs", "continue-on-error")
_STEP_KEYS = ("id", "if", "name", "env", "continue-on-error", "timeout-minutes")
_RUN_KEYS = ("run", "shell", "working-directory")
_USES_KEYS = ("uses", "with")

_CHECKOUT = re.compile(r"actions/checkout@[^\s@]+", re.IGNORECASE)
# What makes no difference to a checkout that is there already, with its whole history and without a credential.
_CHECKOUT_WITH = ("clean", "fetch-depth", "fetch-tags", "persist-credentials", "set-safe-directory", "show-progress")

_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SHELLS = ("bash", "sh", "python")


@dataclass(frozen=True)
class Step:
    """One step; `run` None is a checkout, which is there already. `where` is its place in the file."""

    where: str
    id: str | None
    name: Template
    kind: Literal["run", "uses"]
    condition: Condition
    env: Mapping[str, Template]
    continue_on_error: Template
    timeout_minutes: Template
    run: Template | None
    shell: Template
    directory: Template


@dataclass(frozen=True)
class Job:
    """One job with all that counts for it; `env` is that of the workflow and then its own."""

    key: str
    workflow: str
    event: str
    runs_on: Template | Sequence[Template]
    env: Sequence[Mapping[str, Template]]
    timeout_minutes: Template
    matrix: Mapping[str, Any]
    steps: Sequence[Step]


def read(text: bytes, path: str, name: str, matrix: Mapping[str, Any] | None) -> Job:
    """The job that a file has under this key or name. Raises WorkflowError, which begins with the file's path."""
    try:
        workflow = load(text)
        _known_keys(workflow, _WORKFLOW_KEYS, "the workflow")
        return _job(workflow, path, *_found(workflow, name, matrix), matrix)
    except WorkflowError as error:
        raise WorkflowError(f"{path}: {error}") from None


def _found(workflow: Mapping[str, Any], name: str, matrix: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
    jobs = _mapping(workflow.get("jobs"), "jobs")
    for key in jobs:
        if key == name:
            return key, _mapping(jobs[key], f"jobs.{key}")
    named = [key for key, job in jobs.items() if isinstance(job, dict) and name in _names(key, job, matrix)]
    if len(named) == 1:
        return named[0], jobs[named[0]]
    if named:
        raise WorkflowError(f"several jobs have the name {name!r}: {', '.join(named)}; register one by its key")
    raise WorkflowError(f"has no job {name!r}; it has {', '.join(jobs) or 'none'}")


def _names(key: str, job: Mapping[str, Any], matrix: Mapping[str, Any] | None) -> Collection[str]:
    """What a job may be called: by its name as written or worked out, and as GitHub tells jobs of a matrix apart."""
    name = job.get("name", key)
    found = {name}
    try:
        found.add(template(name, Known({"matrix": None})).text(Scope({"matrix": dict(matrix or {})})))
        if matrix:
            values = ", ".join(Template((value,)).text(Scope({})) for value in matrix.values())
            found.add(f"{name} ({values})")
    except ExpressionError:
        pass  # what is wrong with it is told of the job that is to run
    return found


def _job(workflow: Mapping[str, Any], path: str, key: str, job: dict[str, Any], given: Mapping[str, Any] | None) -> Job:
    where = f"jobs.{key}"
    if "uses" in job:
        raise WorkflowError(f"{where}.uses: reusable workflows are not supported")
    _known_keys(job, (*_JOB_KEYS, *_SETTLED_KEYS), where)
    strategy = _mapping(job.get("strategy") or {}, f"{where}.strategy")
    _known_keys(strategy, ("matrix", "fail-fast", "max-parallel"), f"{where}.strategy")
    matrix: Mapping[str, Any] = {}
    if "matrix" in strategy:
        matrix = combinations.chosen(strategy["matrix"], given, f"{where}.strategy.matrix")
    elif given:
        raise WorkflowError(f"{where} has no strategy.matrix, and was registered with values of one")
    if "runs-on" not in job:
        raise WorkflowError(f"{where} has no runs-on")
    defaults = {
        **_defaults(workflow.get("defaults"), "defaults"),
        **_defaults(job.get("defaults"), f"{where}.defaults"),
    }
    steps = job.get("steps")
    if not isinstance(steps, list) or not steps:
        raise WorkflowError(f"{where}.steps must be a list of steps")
    read_steps = [_step(one, f"{where}.steps[{number}]", defaults) for number, one in enumerate(steps)]
    ids = [one.id.lower() for one in read_steps if one.id is not None]
    if twice := next((one for one in ids if ids.count(one) > 1), None):
        raise WorkflowError(f"{where}.steps has the id {twice!r} twice")
    return Job(
        key=key,
        workflow=str(workflow.get("name") or path),
        event=_event(workflow.get("on")),
        runs_on=_labels(job["runs-on"], f"{where}.runs-on"),
        env=(_env(workflow.get("env"), "env", _WORKFLOW), _env(job.get("env"), f"{where}.env", _JOB)),
        timeout_minutes=_number(job.get("timeout-minutes"), f"{where}.timeout-minutes", _JOB),
        matrix=matrix,
        steps=read_steps,
    )


def _event(on: Any) -> str:
    """What the run is taken to be for: a push where the workflow is for that, else the first that it names."""
    events = [on] if isinstance(on, str) else [str(one) for one in on] if isinstance(on, (list, dict)) else []
    return "push" if "push" in events or not events else events[0]


def _labels(value: Any, where: str) -> Template | Sequence[Template]:
    if isinstance(value, dict):
        _known_keys(value, ("labels",), where)
        value = value.get("labels")
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return [_template(one, where, _JOB) for one in value]
    if not isinstance(value, str) or not value:
        raise WorkflowError(f"{where} must be a label, or a list of labels")
    return _template(value, where, _JOB)


def _defaults(value: Any, where: str) -> dict[str, Template]:
    defaults = _mapping(value or {}, where)
    _known_keys(defaults, ("run",), where)
    run = _mapping(defaults.get("run") or {}, f"{where}.run")
    _known_keys(run, ("shell", "working-directory"), f"{where}.run")
    found = {name: _text(run[name], f"{where}.run.{name}", _DEFAULTS) for name in run}
    if "shell" in found:
        _require_shell(found["shell"], f"{where}.run.shell")
    return found


def _step(value: Any, where: str, defaults: Mapping[str, Template]) -> Step:
    step = _mapping(value, where)
    if "run" in step and "uses" in step:
        raise WorkflowError(f"{where} has both run and uses")
    if "run" not in step and "uses" not in step:
        raise WorkflowError(f"{where} has neither run nor uses")
    kind: Literal["run", "uses"] = "run" if "run" in step else "uses"
    _known_keys(step, (*_STEP_KEYS, *(_RUN_KEYS if kind == "run" else _USES_KEYS)), where)
    if kind == "uses":
        _require_checkout(step, where)
    step_id = step.get("id")
    if step_id is not None and (not isinstance(step_id, str) or not _ID.fullmatch(step_id)):
        raise WorkflowError(f"{where}.id must be a word of letters, digits, - and _")
    try:
        holds = condition(step.get("if"), _IF)
    except ExpressionError as error:
        raise WorkflowError(f"{where}.if: {error}") from None
    run = _text(step["run"], f"{where}.run", _STEP) if kind == "run" else None
    called = next((line.strip() for line in str(step[kind]).splitlines() if line.strip()), kind)
    shell = _text(step["shell"], f"{where}.shell", _STEP) if "shell" in step else defaults.get("shell")
    if shell is not None:
        _require_shell(shell, f"{where}.shell")
    directory = defaults.get("working-directory")
    if "working-directory" in step:
        directory = _text(step["working-directory"], f"{where}.working-directory", _STEP)
    return Step(
        where=where,
        id=step_id,
        name=_text(step["name"], f"{where}.name", _STEP) if step.get("name") else Template((called,)),
        kind=kind,
        condition=holds,
        env=_env(step.get("env"), f"{where}.env", _STEP),
        continue_on_error=_template(step.get("continue-on-error", False), f"{where}.continue-on-error", _STEP),
        timeout_minutes=_number(step.get("timeout-minutes"), f"{where}.timeout-minutes", _STEP),
        run=run,
        shell=shell or Template((None,)),
        directory=directory or Template((None,)),
    )


def _require_checkout(step: Mapping[str, Any], where: str) -> None:
    """The only action there is; what it would do otherwise than has been done is refused by name."""
    uses = step["uses"]
    if not isinstance(uses, str) or not _CHECKOUT.fullmatch(uses):
        raise WorkflowError(f"{where}.uses: the action {uses!r} is not supported; actions/checkout is")
    for name, value in _mapping(step.get("with") or {}, f"{where}.with").items():
        off = name in ("lfs", "submodules") and str(value).lower() == "false"
        if name not in _CHECKOUT_WITH and not off:
            raise WorkflowError(f"{where}.with.{name} of {uses} is not supported")


def _require_shell(shell: Template, where: str) -> None:
    if shell.fixed:
        require_shell(str(shell.parts[0]), where)


def require_shell(shell: str, where: str) -> None:
    """Raise WorkflowError for a shell that is none of ours, and no command line with {0} for the script."""
    if shell not in SHELLS and "{0}" not in shell:
        raise WorkflowError(
            f"{where}: the shell {shell!r} is not supported; {', '.join(SHELLS)}, or a command with {{0}}"
        )


def _env(value: Any, where: str, known: Known) -> dict[str, Template]:
    variables = _mapping(value or {}, where)
    for name, one in variables.items():
        if not _VARIABLE.fullmatch(name):
            raise WorkflowError(f"{where} has {name!r}, which is no name of a variable")
        if isinstance(one, (dict, list)):
            raise WorkflowError(f"{where}.{name} must be a text or a number")
    return {name: _template(one, f"{where}.{name}", known) for name, one in variables.items()}


def _text(value: Any, where: str, known: Known) -> Template:
    if isinstance(value, (dict, list)) or value is None:
        raise WorkflowError(f"{where} must be a text")
    return _template(value, where, known)


def _number(value: Any, where: str, known: Known) -> Template:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and truth_of(value) and value > 0
    if value is not None and not number and not (isinstance(value, str) and "${{" in value):
        raise WorkflowError(f"{where} must be a number of minutes above 0")
    return _template(value, where, known)


def _template(value: Any, where: str, known: Known) -> Template:
    try:
        return template(value, known)
    except ExpressionError as error:
        raise WorkflowError(f"{where}: {error}") from None


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WorkflowError(f"{where} must be a mapping of names to values")
    return value


def _known_keys(value: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for name in value:
        if name not in known:
            raise WorkflowError(f"{where} has the key {name!r}, which is not supported; {', '.join(known)} are")
