"""Jobs of GitHub Actions that were registered: their steps run as a self-hosted runner would run them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import images
import pytest
from bases import commit, git
from emulators import REAL
from imports import clean
from people import ok
from requirements import require
from workflows import Runs, of_steps, outputs, runs_on, statuses


@pytest.fixture(name="runs", scope="module")
def runs_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with runs_on("local", tmp_path_factory.mktemp("github")) as one:
        yield one


@pytest.fixture(name="real_runs", scope="module", params=REAL)
def real_runs_fixture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with runs_on(request.param, tmp_path_factory.mktemp("github")) as one:
        yield one


# What a job of several steps comes to.


def test_a_job_runs_in_a_sandbox_with_the_repository_which_is_gone_afterwards(real_runs: Runs) -> None:
    job = real_runs.steps(
        """
        - uses: actions/checkout@v4
        - name: Greet ${{ github.repository_owner }}
          run: |
            cat greeting
            cat <<'END'
              it's "quoted" $HOME `x` \\n
            END
        - run: test "$PWD" = "$GITHUB_WORKSPACE" && git log --format=%s 2>/dev/null || echo first
        """,
        files={"greeting": "hello\n"},
    )
    assert job["status"] == "completed", job
    result = job["result"]
    assert (result["repo"], result["workflow_job_id"]) == (job["input"]["repo"], job["input"]["workflow_job_id"])
    checkout, greet, log = result["steps"]
    assert checkout == {
        "name": "actions/checkout@v4",
        "kind": "uses",
        "status": "completed",
        "duration_ms": checkout["duration_ms"],
    }
    assert greet == {
        "name": "Greet octo",
        "kind": "run",
        "status": "completed",
        "exit_code": 0,
        "output": 'hello\n  it\'s "quoted" $HOME `x` \\n\n',
        "output_truncated": False,
        "duration_ms": greet["duration_ms"],
    }
    assert log["name"].startswith('test "$PWD"')
    assert log["output"] == "first\n"
    session = ok(real_runs.client.get(f"/v1/sessions/{result['session_id']}"))
    assert session["status"] == "terminated"
    assert clean(real_runs.emulator)


def test_steps_tell_those_after_them_by_files(real_runs: Runs) -> None:
    job = real_runs.steps(
        """
        - id: first
          run: |
            echo 'PLAIN=a=b<<c' >> "$GITHUB_ENV"
            { echo 'LINES<<__END__'; echo 'x=1'; echo; echo 'y'; echo '__END__'; } >> "$GITHUB_ENV"
            echo "one=1" >> "$GITHUB_OUTPUT"
            printf 'two<<E\\r\\nb\\r\\nE\\r\\n' >> "$GITHUB_OUTPUT"
            mkdir "$RUNNER_TEMP/near" "$RUNNER_TEMP/far"
            for where in near far; do
              printf "#!/bin/sh\\necho $where\\n" > "$RUNNER_TEMP/$where/tool"; chmod +x "$RUNNER_TEMP/$where/tool"
            done
            echo "$RUNNER_TEMP/far" >> "$GITHUB_PATH"
            echo "$RUNNER_TEMP/near" >> "$GITHUB_PATH"
            echo '# Summary' >> "$GITHUB_STEP_SUMMARY"
            echo "${PLAIN-unset} $(command -v tool || echo none)"
        - run: echo "$PLAIN|$LINES|${{ env.PLAIN }}"; tool; echo "GITHUB_REPOSITORY=other" >> "$GITHUB_ENV"
        - run: echo "${{ steps.first.outputs.one }}${{ steps.FIRST.outputs['two'] }}[${{ steps.first.outputs.no }}]"
          env: {PLAIN: mine}
        - run: echo "$PLAIN [${{ env.plain }}]"; wc -c < "$GITHUB_OUTPUT"; echo "$GITHUB_REPOSITORY"
        """,
    )
    assert job["status"] == "completed", job
    repository = job["result"]["repo"]
    assert outputs(job) == [
        "unset none\n",
        "a=b<<c|x=1\n\ny|a=b<<c\nnear\n",
        "1b[]\n",
        f"a=b<<c []\n0\n{repository}\n",
    ]


def test_an_image_without_bash_and_root_will_do(tmp_path: Path) -> None:
    require("docker")
    with runs_on("docker", tmp_path, image=images.busybox_as_ubuntu()) as runs:
        job = runs.steps(
            """
            - run: id -un; echo "A=1" >> "$GITHUB_ENV"; echo "$RUNNER_TEMP" >> "$GITHUB_PATH"
            - run: echo "$A"; test "${PATH%%:*}" = "$RUNNER_TEMP" && touch new
            - {run: echo, shell: bash}
            """
        )
        assert outputs(job) == ["ubuntu\n", "1\n"]
        assert job["error"] == "step 'echo': the sandbox has no bash"
        assert clean(runs.emulator)


def test_what_a_step_does_to_its_files_is_its_own_failure(runs: Runs) -> None:
    job = runs.steps(
        """
        - run: rm "$GITHUB_ENV" "$GITHUB_OUTPUT" "$GITHUB_PATH"
        - run: ln -sf /etc/passwd "$GITHUB_ENV"
        - {if: always(), run: rm "$GITHUB_PATH"; mkfifo "$GITHUB_PATH"}
        - {if: always(), run: head -c 2000000 /dev/zero > "$GITHUB_OUTPUT"}
        - {if: always(), env: {PATH: /nowhere}, run: 'echo "$PATH"'}
        """
    )
    assert statuses(job) == ["completed", "failed", "failed", "failed", "completed"]
    assert outputs(job)[-1] == "/nowhere\n"


def test_many_jobs_run_side_by_side_and_apart(runs: Runs) -> None:
    repository = runs.repository(of_steps("- run: ls | wc -l; touch $GITHUB_RUN_ID; ls"))
    registered = runs.register(repository)
    queued = [runs.queue(repository, registered, run_id=number) for number in range(1, 9)]
    assert [outputs(runs.final(job)) for job in queued] == [[f"0\n{number}\n"] for number in range(1, 9)]


def test_what_a_failed_step_wrote_to_its_files_counts(runs: Runs) -> None:
    job = runs.steps(
        """
        - id: broken
          run: echo "why=disk" >> "$GITHUB_OUTPUT"; echo "WHY=disk" >> "$GITHUB_ENV"; exit 3
        - if: failure()
          run: echo "$WHY ${{ steps.broken.outputs.why }} ${{ steps.broken.outcome }}"
        """
    )
    assert (job["status"], job["error"]) == (
        "failed",
        f"step {job['result']['steps'][0]['name']!r}: command exited with 3",
    )
    assert outputs(job) == ["", "disk disk failure\n"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no separator", "'no separator' is neither name=value nor name<<END"),
        (r"name<<END\nnever ended", "is not ended by a line 'END'"),
        ("=value", "has no name"),
        ("A-B=1", "'A-B' cannot be set"),
        ("NODE_OPTIONS=--x", "'NODE_OPTIONS' cannot be set"),
    ],
)
def test_a_step_that_writes_no_variables_to_its_file_of_them_fails(runs: Runs, line: str, said: str) -> None:
    job = runs.steps(f"""
        - run: printf '%b' '{line}' > "$GITHUB_ENV"
        - run: echo never
        """)
    assert statuses(job) == ["failed", "skipped"]
    first = job["result"]["steps"][0]
    assert first["exit_code"] == 0
    assert first["error"].startswith("GITHUB_ENV: ")
    assert said in first["error"]


def test_nearer_variables_win_and_those_of_github_stay(runs: Runs) -> None:
    job = runs.run(
        """
        name: Checks
        on: [pull_request, push]
        env: {A: workflow, B: workflow, C: workflow, WHERE: "${{ github.repository_owner }}", N: 0x10, T: true}
        jobs:
          test:
            runs-on: [self-hosted, chaser-large]
            env: {B: job, C: job, GITHUB_JOB: mine, CI: "no", RUNNER_OS: DOS}
            steps:
              - run: echo "$A $B $C $WHERE $N $T $STEP"
                env: {C: "step of ${{ env.B }}", STEP: "${{ env.C }}"}
              - run: echo "$GITHUB_JOB $CI $RUNNER_OS $C $GITHUB_ACTIONS $GITHUB_WORKFLOW $GITHUB_EVENT_NAME"
        """
    )
    assert job["status"] == "completed", job
    assert outputs(job) == ["workflow job step of job octo 16 true job\n", "test no Linux job true Checks push\n"]


def test_a_step_runs_where_and_in_the_shell_that_is_nearest(runs: Runs) -> None:
    job = runs.run(
        """
        on: push
        defaults: {run: {working-directory: outer, shell: sh}}
        jobs:
          test:
            runs-on: chaser
            defaults: {run: {working-directory: ./outer/inner}}
            steps:
              - run: basename "$PWD"; echo "${BASH_VERSION:-no bash}"
              - run: basename "$PWD"; echo "${BASH_VERSION:+bash}"
                working-directory: ${{ github.workspace }}/outer
                shell: bash
              - {run: "import os, sys; print(os.path.basename(os.getcwd()), sys.argv[1:])", shell: python}
              - {run: "print('perl')", shell: "python3 -u {0} --flag"}
              - {run: echo, working-directory: nowhere}
        """,
        files={"outer/inner/f": ""},
    )
    assert outputs(job) == ["inner\nno bash\n", "outer\nbash\n", "inner []\n", "perl\n"]
    assert "nowhere" in job["error"]


@pytest.mark.parametrize(
    ("shell", "script", "exit_code"),
    [
        (None, "false\necho on", 1),
        (None, "false | true", 0),
        ("bash", "false | true", 1),
        ("sh", "false\necho on", 1),
        ("sh", "false | true", 0),
        ("python", "raise SystemExit(7)", 7),
    ],
)
def test_a_shell_stops_at_a_failure_as_on_github(runs: Runs, shell: str | None, script: str, exit_code: int) -> None:
    lines = "".join(f"\n    {line}" for line in script.splitlines())
    job = runs.steps(f"- run: |{lines}\n" + (f"  shell: {shell}\n" if shell else ""))
    [step] = job["result"]["steps"]
    assert step["exit_code"] == exit_code
    assert step["status"] == ("failed" if exit_code else "completed")


# What runs after a failure.


def test_after_a_failure_only_those_run_that_ask_for_it(runs: Runs) -> None:
    job = runs.steps(
        """
        - {id: before, run: echo before}
        - {id: tolerated, run: exit 4, continue-on-error: true}
        - run: echo "${{ steps.tolerated.outcome }} ${{ steps.tolerated.conclusion }} ${{ job.status }}"
        - {id: unwanted, if: failure(), run: echo unwanted}
        - {id: broken, run: exit 5}
        - run: echo plain
        - {if: success(), run: echo success}
        - {if: "true", run: echo true}
        - {if: cancelled(), run: echo cancelled}
        - {if: "failure() && steps.before.outcome == 'FAILURE'", run: echo no}
        - {if: "failure() && steps.before.outcome == 'SUCCESS'", run: "echo ${{ job.status }}"}
        - {if: "${{ !cancelled() && steps.unwanted.conclusion == 'skipped' }}", run: echo late}
        - {if: always(), run: exit 6}
        """
    )
    assert job["status"] == "failed"
    assert job["error"] == "step 'exit 5': command exited with 5"
    assert outputs(job) == ["before\n", "", "failure success success\n", "", "failure\n", "late\n", ""]
    assert statuses(job) == [
        *("completed", "failed", "completed", "skipped", "failed", "skipped", "skipped", "skipped", "skipped"),
        *("skipped", "completed", "completed", "failed"),
    ]
    tolerated = job["result"]["steps"][1]
    assert (tolerated["exit_code"], tolerated["error"]) == (4, "command exited with 4")


def test_a_job_whose_failures_are_all_tolerated_is_completed(runs: Runs) -> None:
    job = runs.run(
        """
        on: push
        jobs:
          test:
            runs-on: chaser
            strategy: {matrix: {experimental: [true, false]}}
            steps: [{run: exit 1, continue-on-error: "${{ matrix.experimental }}"}, {run: echo on}]
        """,
        matrix={"experimental": True},
    )
    assert (job["status"], statuses(job)) == ("completed", ["failed", "completed"])


# Which job, which combination, which commit.


MATRIX = """
on: push
jobs:
  unit:
    name: Unit on ${{ matrix.python }}
    runs-on: ${{ matrix.runner }}
    strategy:
      fail-fast: false
      matrix:
        python: ["3.11", "3.12"]
        runner: [chaser, chaser-big]
        exclude: [{python: "3.11", runner: chaser-big}]
        include:
          - {python: "3.12", runner: chaser-big, extra: {deep: [1]}}
          - {python: "3.13", runner: chaser, only: here}
    steps: [{run: 'echo "${{ matrix.python }} ${{ matrix.runner }} ${{ matrix.extra.deep[0] }}${{ matrix.only }}"'}]
"""


@pytest.mark.parametrize(
    ("job", "matrix", "output"),
    [
        ("unit", {"python": "3.11"}, "3.11 chaser "),
        ("Unit on 3.12", {"python": 3.12, "runner": "chaser-big"}, "3.12 chaser-big 1"),
        ("unit", {"python": "3.12", "runner": "chaser"}, "3.12 chaser "),
        ("unit", {"only": "here"}, "3.13 chaser here"),
    ],
)
def test_one_combination_of_a_matrix_runs(runs: Runs, job: str, matrix: dict[str, object], output: str) -> None:
    done = runs.run(MATRIX, job, matrix=matrix)
    assert done["status"] == "completed", done
    assert outputs(done) == [f"{output}\n"]


def test_the_commit_that_was_registered_is_checked_out_and_known(runs: Runs) -> None:
    repository = runs.repository(
        of_steps('- run: cat f; echo "$GITHUB_SHA|$GITHUB_REF|${{ github.ref_name }}"'), {"f": "1"}
    )
    place = runs.base / f"{repository}.git"
    first = git(place, "rev-parse", "main")
    second = commit(place, "f", "2", branch="feature/x", tag="v1")
    known = {
        None: f"1{first}|refs/heads/main|main",
        "feature/x": f"2{second}|refs/heads/feature/x|feature/x",
        "refs/heads/feature/x": f"2{second}|refs/heads/feature/x|feature/x",
        "v1": f"2{second}|refs/tags/v1|v1",
        second: f"2{second}||",
    }
    for ref, output in known.items():
        job = runs.final(runs.queue(repository, runs.register(repository, ref=ref)))
        assert job["status"] == "completed", job
        assert outputs(job) == [f"{output}\n"], ref
    job = runs.final(runs.queue(f"https://github.com/{repository}@v1", runs.register(repository)))
    assert outputs(job) == [f"{known['v1']}\n"]
    assert job["result"]["repo"] == repository


def test_a_file_is_read_as_yaml_1_2_and_anchors_hold(runs: Runs) -> None:
    job = runs.run(
        """
        on: workflow_dispatch
        jobs:
          other: {uses: ./.github/workflows/reusable.yml}
          test:
            name: Some name
            runs-on: CHASER
            steps:
              - &step
                run: echo "$YES $NO $ON $OCTAL $TIME $DAY $NUMBER $EXPONENT ${{ github.event_name }}"
                env: {YES: yes, NO: no, ON: on, OCTAL: 010, TIME: 12:30, DAY: 2026-01-01, NUMBER: 1.10, EXPONENT: 1e3}
              - *step
        """,
        "Some name",
    )
    assert job["status"] == "completed", job
    assert outputs(job) == ["yes no on 10 12:30 2026-01-01 1.1 1000 workflow_dispatch\n"] * 2
