"""GitHub: repositories that are listed, imported as workspaces, and whose workflow jobs are run."""

from __future__ import annotations

import re

from chaser_contract import making
from chaser_contract.broken import NotTried
from chaser_contract.planted import DEVCONTAINER, FULL, OTHER_DEVCONTAINER, PRIVATE, WORKFLOW
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.values import equals, frozen, holds, is_at, lacks, refused


@promise("emulator")
def repositories_are_listed(chaser: Subject) -> None:
    """Each repository is listed with its owner, those of an owner with one installation; none is to be installed."""
    _planted(chaser)
    told = chaser.ask("list-github-repositories", expect=200)
    names = [one["name"] for one in told.json["repositories"]]
    told.require({FULL, PRIVATE} <= set(names), "every repository is listed as `owner/repo`", str(names))
    told.require(len(names) == len(set(names)), "a repository is listed once", str(names))
    installations: dict[str, set[int]] = {}
    for one in told.json["repositories"]:
        holds(told, one, "repository", account_login=one["name"].partition("/")[0])
        installations.setdefault(one["account_login"], set()).add(one["installation_id"])
    told.require(all(len(ids) == 1 for ids in installations.values()), "an owner has one installation")
    lacks(told, told.json, "install_url")
    again = chaser.ask("list-github-repositories", expect=200)
    equals(again, again.json, told.json, "the list is the same when nothing has changed")


@promise("emulator")
def an_import_is_what_was_asked_for(chaser: Subject) -> None:
    """An import makes a sandbox workspace of the name that was given, else that of the repository, which it keeps."""
    _planted(chaser)
    then = frozen(chaser)
    for body, name, kept in (
        ({"github_repo": FULL}, "Full.Repo", FULL),
        ({"repo": FULL, "name": "mine"}, "mine", FULL),
        ({"repo": FULL, "github_repo": FULL, "name": "both"}, "both", FULL),
        ({"github_repo": f"{FULL}@side", "name": "branch"}, "branch", f"{FULL}@side"),
        ({"github_repo": f"{FULL}@v1", "name": "tag"}, "tag", f"{FULL}@v1"),
        ({"github_repo": f"https://github.com/{FULL}", "name": "url"}, "url", FULL),
        ({"github_repo": FULL.lower(), "name": "lower"}, "lower", FULL),
        ({"repo": FULL.lower(), "github_repo": FULL, "name": "twice"}, "twice", FULL),
    ):
        with chaser.case():
            told = chaser.ask("import-workspace", json=body, expect=200)
            holds(told, told.json, github_repo=kept, private=False, default_branch="main", devcontainer=DEVCONTAINER)
            room = told.json["workspace"]
            holds(told, room, "workspace", name=name, session_type="sandbox", status="idle", github_repo=kept)
            holds(told, room, "workspace", template=False, persistence=True, assistant_home=False)
            lacks(told, room, "image", "source_workspace_id", "active_session_id", "last_session_id")
            is_at(told, room, "created_at", then)
            equals(told, making.workspace_of(chaser, room["id"]), room, "a workspace is listed as it was imported")
            noted = chaser.ask("list-audit-events", query={"resource_id": room["id"]}, expect=200)
            holds(noted, noted.json["events"][0]["metadata"], "metadata", **body)
    copy = chaser.ask("create-workspace", json={"clone_from": "branch"}, expect=200)
    holds(copy, copy.json, github_repo=f"{FULL}@side")
    taken = chaser.ask("import-workspace", json={"github_repo": FULL, "name": None}, expect=200)
    made_up = taken.json["workspace"]["name"]
    good = re.fullmatch(r"[a-z]+-[a-z]+-[0-9]{4}", made_up)
    taken.require(good, "where the name of the repository is taken, one is made up", made_up)
    refused(chaser.ask("import-workspace", json={"github_repo": FULL, "name": "MINE"}), 409, "name_taken")
    private = chaser.ask("import-workspace", json={"github_repo": PRIVATE}, expect=200)
    holds(private, private.json, private=True, default_branch="trunk", devcontainer=OTHER_DEVCONTAINER)


@promise("emulator")
def what_cannot_be_imported_is_refused(chaser: Subject) -> None:
    """No selector or two that differ are 400, an unknown repository or branch 404; no workspace is made."""
    _planted(chaser)
    for body, pointer in (
        ({}, ""),
        ({"name": "x"}, ""),
        ({"github_repo": FULL, "repo": PRIVATE}, "/repo"),
        ({"github_repo": FULL, "repo": f"{FULL}@side"}, "/repo"),
        ({"github_repo": "repository"}, "/github_repo"),
        ({"repo": "a/b/c"}, "/repo"),
        ({"github_repo": "https://gitlab.com/contract/hello"}, "/github_repo"),
        ({"github_repo": "file:///etc"}, "/github_repo"),
        ({"github_repo": f"{FULL}@"}, "/github_repo"),
        ({"github_repo": f"{FULL}@a..b"}, "/github_repo"),
        ({"github_repo": FULL, "name": "a b"}, "/name"),
        ({"github_repo": 7}, "/github_repo"),
    ):
        with chaser.case():
            refused(chaser.ask("import-workspace", json=body), 400, "invalid_request", pointer)
    for missing in ("contract/nothing", "nobody/nothing", f"{FULL}@nothing", f"{FULL}@deadbeef"):
        with chaser.case():
            refused(chaser.ask("import-workspace", json={"github_repo": missing}), 404, "not_found")
    listed = chaser.ask("list-workspaces", expect=200)
    equals(listed, listed.json, [], "what is refused makes no workspace")


@promise("emulator", "commands")
def an_import_brings_the_files(chaser: Subject) -> None:
    """The files of the repository are in `/workspace`, at the ref that was named, as a clone whose origin is GitHub."""
    _planted(chaser)
    for selector, text in ((FULL, "main\n"), (f"{FULL}@side", "side\n")):
        room = chaser.ask("import-workspace", json={"github_repo": selector}, expect=200).json["workspace"]
        look = "cat README.md deep/er/file; git remote get-url origin 2>&- || true"
        told = chaser.ask("exec-sandbox", json={"workspace": room["id"], "command": look}, expect=200)
        output = told.json["output"]
        told.require(output.startswith(f"{text}deep\n"), "the files of the repository are in `/workspace`", output)
        origin = output.removeprefix(f"{text}deep\n")
        fits = origin in ("", f"https://github.com/{FULL}.git\n")
        told.require(fits, "the clone's origin is on GitHub, without a credential", origin)
        chaser.ask("delete-workspace", ws=room["id"], query={"force": True}, expect=204)
    made = making.running(chaser, ephemeral=True, github_repo=f"{FULL}@side")
    told = chaser.ask("exec-session", id=made["id"], json={"command": "cat README.md"}, expect=200)
    holds(told, told.json, output="side\n")


@promise("emulator", "commands")
def workflow_jobs_are_run(chaser: Subject) -> None:
    """A job of a workflow that is registered runs its steps on the checked out repository, and tells of each."""
    _planted(chaser)
    for job, status, states in (
        ("good", "completed", ["completed", "completed", "completed"]),
        ("bad", "failed", ["failed", "skipped"]),
    ):
        wish = {"repository": FULL, "workflow": WORKFLOW, "job": job}
        registered = chaser.steered.http.post("/_emulator/github/workflow-jobs", json=wish).raise_for_status().json()
        given = {"repo": FULL, "workflow_job_id": registered["workflow_job_id"]}
        made = chaser.ask("create-job", json={"kind": "github.runner", "input": given}, expect=200)
        done = making.finished_job(chaser, made.json["id"])
        read = chaser.ask("get-job", id=made.json["id"], expect=200)
        holds(read, done, status=status)
        result = done["result"]
        holds(read, result, "result", repo=FULL, workflow_job_id=given["workflow_job_id"])
        told = [step["status"] for step in result["steps"]]
        equals(read, told, states, "each step tells whether it was completed, failed or skipped")
        if job == "good":
            equals(read, [step["kind"] for step in result["steps"]], ["uses", "run", "run"], "steps tell of their kind")
            holds(read, result["steps"][1], "step", name="look", output="main\n", exit_code=0)
        else:
            holds(read, result["steps"][0], "step", exit_code=3)
        session = chaser.ask("get-session", id=result["session_id"], expect=200)
        holds(session, session.json, status="terminated", persistence=False)


def _planted(chaser: Subject) -> None:
    """Raise NotTried where there are no repositories that are known here."""
    told = chaser.ask("list-github-repositories", expect=200)
    if FULL not in {one["name"] for one in told.json["repositories"]}:
        raise NotTried(f"what stands in for GitHub has no {FULL}")
