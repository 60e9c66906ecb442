"""Inputs of jobs: what each kind takes, and that what it does not take is refused before anything is queued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chaser_contract import making
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import holds, refused

Json = dict[str, Any]

_SESSION = {"session_id": UNKNOWN}
_STEP = {"method": "Page.navigate"}
_RUNNER = {"repo": "octocat/hello-world", "workflow_job_id": 1}


@promise()
def commands_are_checked(chaser: Subject) -> None:
    """A `sandbox.exec` job takes what one-shot exec takes, `cmd` for `command`, and no background."""
    _takes(
        chaser,
        "sandbox.exec",
        {"command": "true"},
        {"cmd": "true"},
        {"command": "true", "workspace": "not-there-yet"},
        {"cmd": "true", "ephemeral": True, "image": "debian:12"},
        {"command": "x" * 131072, "timeout_ms": 3600000, "cwd": "/", "user": "root", "stdin": "", "env": {"A": "b"}},
        {"cmd": "true", "timeout_ms": 0, "background": False, "github_repo": "octocat/hello-world"},
    )
    _does_not_take(
        chaser,
        "sandbox.exec",
        {},
        {"command": ""},
        {"cmd": ""},
        {"command": "true", "cmd": "true"},
        {"command": ["true"]},
        {"cmd": 1},
        {"command": "true", "background": True},
        {"cmd": "true", "background": True},
        {"command": "true", "timeout_ms": 3600001},
        {"cmd": "true", "timeout_ms": -1},
        {"command": "true", "workspace": "x", "ephemeral": True},
        {"cmd": "true", "workspace": "x", "ephemeral": True},
        {"command": "true", "workspace": "x", "image": "debian"},
        {"cmd": "true", "image": "debian"},
        {"cmd": "true", "env": {"1": "x"}},
        {"command": "true", "env": {"A": 1}},
    )


@promise()
def pipelines_are_checked(chaser: Subject) -> None:
    """A `pipeline.run` job takes a workspace and at least one step, each with a command or with its kind's input."""
    room = {"workspace": "not-there-yet"}
    _takes(
        chaser,
        "pipeline.run",
        {"steps": [{"command": "true"}], **room},
        {"steps": [{"cmd": "true", "name": "first", "timeout_ms": 3600000}, {"input": {"command": "true"}}], **room},
        {"steps": [{"kind": "sandbox.exec", "command": "true"}], **room},
        {"steps": [{"kind": "session.terminate", "input": _SESSION}], **room},
        {"steps": [{"kind": "workspace.bulk_delete", "input": {"ids": ["x"]}}], **room},
        {"steps": [{"kind": "browser.action", "input": {**_SESSION, "steps": [_STEP]}}], **room},
        {"steps": [{"kind": "github.runner", "input": _RUNNER}], **room},
    )
    _does_not_take(
        chaser,
        "pipeline.run",
        {},
        room,
        {"steps": [{"command": "true"}]},
        {"steps": [], **room},
        {"steps": {"command": "true"}, **room},
        {"steps": ["true"], **room},
        {"steps": [{}], **room},
        {"steps": [{"name": "nothing to do"}], **room},
        {"steps": [{"command": "true", "cmd": "true"}], **room},
        {"steps": [{"command": "true", "input": {"command": "true"}}], **room},
        {"steps": [{"command": ""}], **room},
        {"steps": [{"command": "true", "timeout_ms": 3600001}], **room},
        {"steps": [{"command": "true"}, {"kind": "pipeline.run", "input": {}}], **room},
        {"steps": [{"kind": "nope", "input": {}}], **room},
        {"steps": [{"kind": "session.terminate", "command": "true"}], **room},
        {"steps": [{"kind": "session.terminate", "input": {}}], **room},
        {"steps": [{"command": "true"}], "workspace": ""},
    )


@promise()
def work_of_browsers_is_checked(chaser: Subject) -> None:
    """`browser.action` takes a session and calls with a method each, `browser.scrape` a session and an http(s) URL."""
    _takes(
        chaser,
        "browser.action",
        {**_SESSION, "steps": [_STEP]},
        {**_SESSION, "steps": [{**_STEP, "params": {"url": "x"}}, _STEP], "timeout_ms": 1},
    )
    _does_not_take(
        chaser,
        "browser.action",
        {},
        _SESSION,
        {"steps": [_STEP]},
        {**_SESSION, "steps": []},
        {**_SESSION, "steps": [{}]},
        {**_SESSION, "steps": [{"method": "navigate"}]},
        {**_SESSION, "steps": [{"method": "Page.navigate.now"}]},
        {**_SESSION, "steps": [{**_STEP, "params": []}]},
        {"session_id": "", "steps": [_STEP]},
        {**_SESSION, "steps": [_STEP], "timeout_ms": -1},
    )
    page = {**_SESSION, "url": "https://example.com"}
    _takes(chaser, "browser.scrape", page, {**page, "selector": "a[href]", "all": True, "timeout_ms": 0})
    _does_not_take(
        chaser,
        "browser.scrape",
        {},
        _SESSION,
        {"url": "https://example.com"},
        {**page, "url": "example.com"},
        {**page, "url": "file:///etc/passwd"},
        {**page, "url": "https://a b"},
        {**page, "selector": ""},
        {**page, "all": "yes"},
        {**page, "timeout_ms": 3600001},
    )


@promise()
def the_other_kinds_are_checked(chaser: Subject) -> None:
    """Runners take a repository and a number, terminations a session, deletions a workspace, others selections."""
    _takes(
        chaser,
        "github.runner",
        _RUNNER,
        {**_RUNNER, "installation_id": 2**53 - 1, "run_id": 3, "labels": ["chaser"], "timeout_ms": 5},
    )
    _does_not_take(
        chaser,
        "github.runner",
        {},
        {"repo": "octocat/hello-world"},
        {"workflow_job_id": 1},
        {**_RUNNER, "repo": "hello-world"},
        {**_RUNNER, "workflow_job_id": 0},
        {**_RUNNER, "workflow_job_id": "1"},
        {**_RUNNER, "labels": "chaser"},
        {**_RUNNER, "labels": [""]},
        {**_RUNNER, "run_id": 0},
    )
    _takes(chaser, "session.terminate", _SESSION, {"session_id": "x", "force": True})
    _does_not_take(chaser, "session.terminate", {}, {"session_id": ""}, {"session_id": 1}, {**_SESSION, "force": "x"})
    _takes(chaser, "session.bulk_terminate", {"all": True, "session_type": "browser"}, {"ids": ["x"], "force": False})
    _does_not_take(chaser, "session.bulk_terminate", {}, {"ids": []}, {"all": False}, {"all": True, "force": "x"})
    _takes(chaser, "workspace.delete", {"workspace": "x"}, {"workspace": "x", "force": True})
    _does_not_take(chaser, "workspace.delete", {}, {"workspace": ""}, {"workspace": "x", "force": 1})
    _takes(chaser, "workspace.bulk_delete", {"all": True}, {"ids": ["x"], "force": True})
    _does_not_take(chaser, "workspace.bulk_delete", {}, {"ids": []}, {"all": False}, {"ids": "x"})


def _takes(chaser: Subject, kind: str, *inputs: Json) -> None:
    """Queue a job of each input, for a time that does not come, and take it back."""
    for given in inputs:
        with chaser.case():
            wish = {"kind": kind, "input": given, "run_at": making.LATER}
            made = chaser.ask("create-job", json=wish, expect=200)
            holds(made, made.json, kind=kind, input=given, status="queued")
            chaser.ask("cancel-job", id=made.json["id"], expect=200)


def _does_not_take(chaser: Subject, kind: str, *inputs: Json) -> None:
    before = _queued(chaser, kind)
    for given in inputs:
        with chaser.case():
            wish = {"kind": kind, "input": given, "run_at": making.LATER}
            refused(chaser.ask("create-job", json=wish), 400, "invalid_request", "/input")
    chaser.require(_queued(chaser, kind) == before, "create-job: what is refused is not queued", "it is listed")


def _queued(chaser: Subject, kind: str) -> Sequence[str]:
    listed = chaser.ask("list-jobs", query={"kind": kind, "status": "queued", "limit": 200}, expect=200)
    return [one["id"] for one in listed.json["jobs"]]
