"""Jobs of GitHub Actions that are not registered or not supported: each is told by its name."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from bases import git
from imports import clean
from people import ok, refused
from workflows import REGISTERED, WORKFLOW, Json, Runs, of_steps, runs_on


@pytest.fixture(name="runs", scope="module")
def runs_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with runs_on("local", tmp_path_factory.mktemp("github")) as one:
        yield one


@dataclass(frozen=True)
class Shelf:
    """A repository that takes one workflow file after the other, each on a branch of its own."""

    runs: Runs
    repository: str
    work: Path

    def run(self, workflow: str, **fields: Any) -> Json:
        branch = f"b-{uuid.uuid4().hex[:8]}"
        (self.work / "ci.yml").write_text(workflow)
        git(self.work, "commit", "--quiet", "--all", "--allow-empty", "--message", branch)
        git(self.work, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        job_id = self.runs.register(self.repository, workflow="ci.yml", ref=branch, **fields)
        return self.runs.final(self.runs.queue(self.repository, job_id))


@pytest.fixture(name="shelf", scope="module")
def shelf_fixture(runs: Runs) -> Shelf:
    repository = runs.repository("", {"ci.yml": ""})
    work = runs.base.parent / "shelf"
    git(runs.base, "clone", "--quiet", f"{repository}.git", str(work))
    return Shelf(runs, repository, work)


def failed(job: Json, *said: str) -> None:
    """Assert that a job failed for a reason with these words, before any step of it ran."""
    assert job["status"] == "failed", job
    assert [word for word in said if word not in job["error"]] == [], job["error"]
    assert job["result"]["steps"] == []


# What is registered.


def test_what_is_registered_is_listed_until_it_is_deleted(runs: Runs) -> None:
    body = {"repository": "https://github.com/Octo/App.git", "ref": "refs/tags/v1", "workflow": f"./{WORKFLOW}"}
    made = ok(runs.client.post(REGISTERED, json=body | {"job": "test", "matrix": {"v": 1}}))
    job_id = made["workflow_job_id"]
    assert made == {
        "workflow_job_id": job_id,
        "repository": "Octo/App",
        "ref": "v1",
        "workflow": WORKFLOW,
        "job": "test",
        "matrix": {"v": 1},
        "created_at": made["created_at"],
    }
    assert made in ok(runs.client.get(REGISTERED))["workflow_jobs"]
    assert ok(runs.client.get(f"{REGISTERED}/{job_id}")) == made
    assert runs.client.delete(f"{REGISTERED}/{job_id}").status_code == 204
    refused(runs.client.delete(f"{REGISTERED}/{job_id}"), 404, "not_found")
    refused(runs.client.get(f"{REGISTERED}/{job_id}"), 404, "not_found")
    assert made not in ok(runs.client.get(REGISTERED))["workflow_jobs"]
    assert runs.register("octo/app") > job_id


def test_an_id_can_be_asked_for_and_is_given_once(runs: Runs) -> None:
    following = runs.register("octo/app") + 1
    for wanted in (following, 2**53 - 1):
        assert runs.register("octo/app", id=wanted) == wanted
        refused(
            runs.client.post(REGISTERED, json={"repository": "o/r", "workflow": "a.yml", "job": "j", "id": wanted}),
            409,
            "already_exists",
        )
    assert runs.register("octo/app") == following + 1


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"repository": "no-slash"}, "/repository"),
        ({"repository": "https://gitlab.example/o/r"}, "/repository"),
        ({"repository": None}, "/repository"),
        ({"ref": "a..b"}, "/ref"),
        ({"ref": ""}, "/ref"),
        ({"repository": "o/r@main", "ref": "other"}, "/ref"),
        ({"workflow": "../ci.yml"}, "/workflow"),
        ({"workflow": "/etc/ci.yml"}, "/workflow"),
        ({"workflow": ".github/workflows/ci.json"}, "/workflow"),
        ({"job": ""}, "/job"),
        ({"matrix": [1]}, "/matrix"),
        ({"id": 0}, "/id"),
        ({"id": 2**53}, "/id"),
        ({"id": "815"}, "/id"),
        ({"steps": []}, "/steps"),
    ],
)
def test_what_cannot_be_registered_is_named(runs: Runs, fields: Json, pointer: str) -> None:
    body = {"repository": "o/r", "workflow": "ci.yml", "job": "test"} | fields
    answer = refused(runs.client.post(REGISTERED, json=body), 400, "invalid_request")
    assert pointer in str(answer["details"]) or pointer.strip("/") in answer["message"]


def test_a_job_that_is_not_the_one_registered_fails(runs: Runs) -> None:
    repository = runs.repository(of_steps("- run: echo"))
    registered = runs.register(repository, ref="main")
    missing = runs.register("octo/app", id=runs.register("octo/app") + 1000) + 1
    for repo, job_id, said in (
        (repository, missing, f"workflow job {missing} is not registered"),
        ("octo/other", registered, f"is one of {repository}, not of octo/other"),
        (f"{repository}@dev", registered, "was registered for the ref 'main', not 'dev'"),
    ):
        job = runs.final(runs.queue(repo, job_id))
        assert (job["status"], "result" in job) == ("failed", False)
        assert said in job["error"]
    assert (
        runs.final(runs.queue(repository.upper().replace("OCTO/APP", "OCTO/App"), registered))["status"] == "completed"
    )


def test_what_is_not_in_the_repository_is_named(runs: Runs) -> None:
    repository = runs.repository(
        of_steps("- run: echo"), {"link.yml->": "/etc/passwd", "folder.yml/f": "", "big.yml": "#" * 2**21}
    )
    for fields, said in (
        ({"workflow": ".github/workflows/none.yml"}, "has no file .github/workflows/none.yml"),
        ({"workflow": "link.yml"}, "link.yml"),
        ({"workflow": "folder.yml"}, "folder.yml"),
        ({"workflow": "big.yml"}, "at most 1048576 are accepted"),
        ({"job": "build"}, "has no job 'build'; it has test"),
        ({"ref": "none"}, "has no branch, tag or commit 'none'"),
        ({"matrix": {"v": 1}}, "jobs.test has no strategy.matrix"),
    ):
        job = runs.final(runs.queue(repository, runs.register(repository, **fields)))
        failed(job, said)
    missing = runs.final(runs.queue("octo/none", runs.register("octo/none")))
    failed(missing, "there is no repository 'octo/none'")
    assert clean(runs.emulator)


# What is not supported.


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            "- uses: actions/setup-node@v4",
            "jobs.test.steps[1].uses: the action 'actions/setup-node@v4' is not supported",
        ),
        ("- uses: ./.github/actions/mine", "'./.github/actions/mine' is not supported"),
        ("- uses: docker://alpine:3", "'docker://alpine:3' is not supported"),
        ("- {uses: actions/checkout@v4, with: {path: elsewhere}}", "with.path of actions/checkout@v4 is not supported"),
        ("- {uses: actions/checkout@v4, with: {submodules: true}}", "with.submodules"),
        ("- {run: echo, with: {x: 1}}", "steps[1] has the key 'with'"),
        ("- {run: echo, uses: actions/checkout@v4}", "both run and uses"),
        ("- {name: nothing}", "neither run nor uses"),
        ("- {run: echo, shell: pwsh}", "the shell 'pwsh' is not supported"),
        ("- {run: echo, background: true}", "the key 'background'"),
        ("- {run: echo, env: {A-B: 1}}", "'A-B', which is no name of a variable"),
        ("- {run: echo, env: {A: [1]}}", "steps[1].env.A must be a text"),
        ("- {run: echo, timeout-minutes: -1}", "timeout-minutes must be a number of minutes above 0"),
        ("- {run: echo, id: 1a}", "steps[1].id"),
        ("- {run: 'echo ${{ secrets.TOKEN }}'}", "the context 'secrets' is not supported"),
        ("- {run: 'echo ${{ vars.A }}'}", "the context 'vars' is not supported"),
        ("- {run: 'echo ${{ github.event.number }}'}", "github.event is not supported"),
        ("- {run: 'echo ${{ github.token }}'}", "github.token is not supported"),
        ("- {run: \"echo ${{ hashFiles('*') }}\"}", "the function hashFiles() is not supported"),
        ("- {run: 'echo ${{ always() }}'}", "always() has a meaning in the `if` of a step only"),
        ("- {run: 'echo ${{ github.sha'}", "is never closed by }}"),
        ("- {run: 'echo ${{ }}'}", "ends too early"),
        ("- {run: echo, if: github.sha ==}", "steps[1].if: the expression 'github.sha ==' ends too early"),
        ('- {run: echo, if: "a \\" b"}', "cannot be read"),
        ("- {run: echo, if: contains(github.sha)}", "contains() takes 2 arguments, not 1"),
        ("- {run: echo, if: " + "(" * 60 + "1" + ")" * 60 + "}", "nested deeper than 50 levels"),
        ("- {run: echo, if: !failure()}", "no YAML"),
        ("- run: echo\n  if: !failure()", "has the tag !failure()"),
        ("- {run: echo, run: echo}", "the key 'run' stands there twice"),
        ("- &a [*a]", "refers to itself"),
        ('- {run: "\\ud800"}', "half of a character"),
        ("- " + "[" * 2000 + "]" * 2000, "nested too deep"),
        # Not read to its end, where it is broken.
        ("- [" + "1, " * 60_000 + "]]", "has more than 50000 values"),
        ("- {run: echo, if: " + "1 || " * 5_000 + "1}", "has 25001 characters; at most 21000 are accepted"),
        ("- !!python/object/apply:os.system [id]", "has the tag"),
        ("- text", "steps[1] must be a mapping"),
    ],
)
def test_a_step_that_is_not_supported_fails_the_job_before_anything_runs(shelf: Shelf, step: str, said: str) -> None:
    failed(shelf.run(of_steps(f"- run: echo first\n{step}")), said)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("runs-on: ubuntu-latest", "jobs.test.runs-on wants a runner 'ubuntu-latest'"),
        ("runs-on: [chaser, gpu]", "'gpu'"),
        ("runs-on: {group: big, labels: chaser}", "jobs.test.runs-on has the key 'group'"),
        ("needs: other", "has no runs-on"),
        (
            "services: {db: {image: postgres}}\nruns-on: chaser",
            "jobs.test has the key 'services', which is not supported",
        ),
        ("container: node:20\nruns-on: chaser", "the key 'container'"),
        ("uses: octo/app/.github/workflows/x.yml@v1", "reusable workflows are not supported"),
        ("strategy: {matrix: {v: [1, 2]}}\nruns-on: chaser", "jobs.test.strategy.matrix makes several jobs of one"),
        ("runs-on: chaser\nenv: {A: '${{ env.B }}'}", "jobs.test.env.A: the context 'env' is not supported here"),
        ("runs-on: chaser\ntimeout-minutes: soon", "jobs.test.timeout-minutes must be a number"),
        ("runs-on: chaser\ndefaults: {run: {shell: cmd}}", "jobs.test.defaults.run.shell: the shell 'cmd'"),
        ("runs-on: chaser\nsteps: []", "must be a list of steps"),
        ("runs-on: chaser\nsteps: [{id: A, run: echo}, {id: a, run: echo}]", "the id 'a' twice"),
    ],
)
def test_a_job_that_is_not_supported_fails_by_name(shelf: Shelf, job: str, said: str) -> None:
    steps = "" if "steps:" in job or "uses:" in job else "steps: [{run: echo}]\n"
    failed(shelf.run("on: push\njobs:\n  test:\n" + indent(f"{job}\n{steps}", "    ")), said)


@pytest.mark.parametrize(
    ("matrix", "given", "said"),
    [
        ("{v: [1, 2], w: [a, b]}", {"v": 1}, "several combinations with v: 1: v: 1, w: a; v: 1, w: b"),
        ("{v: [1, 2]}", {"v": 3}, "no combination with v: 3; it has v: 1; v: 2"),
        ("{v: [1, 2]}", {"x": 1}, "no combination with x: 1"),
        ("{v: 1}", {"v": 1}, "strategy.matrix.v must be a list"),
        ("{v: [1], include: 1}", {"v": 1}, "strategy.matrix.include must be a list of mappings"),
        ("{v: &l [1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7], w: *l}", {"v": 1}, "more than 256 combinations"),
    ],
)
def test_a_combination_that_a_matrix_does_not_have_fails(shelf: Shelf, matrix: str, given: Any, said: str) -> None:
    workflow = f"jobs:\n  test:\n    runs-on: chaser\n    strategy: {{matrix: {matrix}}}\n    steps: [{{run: echo}}]\n"
    failed(shelf.run(workflow, matrix=given), said)


def test_aliases_that_stand_for_very_much_are_refused(runs: Runs) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    failed(runs.run("\n".join(lines) + "\n" + of_steps("- run: echo")), "values")


def test_without_real_commands_a_job_says_what_it_needs(runs: Runs, tmp_path: Path) -> None:
    with runs_on("scripted", tmp_path) as scripted:
        failed(scripted.steps("- run: echo"), "--sandbox local or docker")


def test_labels_of_the_input_are_the_runners_too(runs: Runs) -> None:
    repository = runs.repository("jobs: {test: {runs-on: [Ubuntu-latest, chaser-4], steps: [{run: echo}]}}")
    assert (
        runs.final(runs.queue(repository, runs.register(repository), labels=["ubuntu-LATEST"]))["status"] == "completed"
    )
    failed(runs.final(runs.queue(repository, runs.register(repository), labels=["chaser"])), "'Ubuntu-latest'")
