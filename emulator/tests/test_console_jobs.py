"""Jobs in the console: queued by their kind, followed to their end, canceled and run again, filtered; workflow jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from chaser_emulator.sandbox.stubs import Answer, Said, Stub
from chaser_emulator.server import Running
from consoles import Scheme, assert_accessible, assert_fits, console_of, go
from emulators import emulator_on
from people import ok
from playwright.sync_api import Browser, Page, expect
from queues import done, get, queue, workspace

FAILING = Stub("make test", Answer(output=(Said("1 failed\n"),), exit_code=2))
MARKUP = '<img src=x onerror="document.title=1">'


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("scripted", stubs=(FAILING,)) as one:
        yield one


def begin(page: Page, kind: str) -> None:
    """Go as far as the form of a new job."""
    page.get_by_role("button", name="New job").click()
    page.get_by_role("button", name=kind).click()
    page.get_by_role("dialog", name=f"New job: {kind}").wait_for()


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(text)


def test_a_job_is_queued_by_its_kind_and_followed_to_its_end(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/jobs", expected=("400",)) as page:
        begin(page, "sandbox.exec")
        page.get_by_label("command (required)").fill("echo hi")
        page.get_by_label("ephemeral").check()
        page.get_by_text("More", exact=True).click()
        page.get_by_label("timeout ms").fill("99999999999")
        page.get_by_role("button", name="Queue it").click()
        expect(page.get_by_label("timeout ms")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("timeout ms").fill("60000")
        page.get_by_role("button", name="Queue it").click()
        heading(page, "completed")
        expect(page.get_by_role("main")).to_contain_text("hi")
        job = ok(client.get("/v1/jobs"))["jobs"][0]
        assert job["input"] == {"command": "echo hi", "ephemeral": True, "timeout_ms": 60000}
        assert job["result"]["output"] == "hi\n"
        expect(page.get_by_role("link", name=job["result"]["session_id"])).to_be_visible()


def test_a_job_for_later_is_canceled_and_run_again(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    with console_of(emulator, browser, "/jobs") as page:
        begin(page, "sandbox.exec")
        page.get_by_label("command (required)").fill("echo later")
        page.get_by_label("ephemeral").check()
        page.get_by_text("More", exact=True).click()
        page.get_by_label("run at").fill("2999-01-01T00:00:00Z")
        page.get_by_label("idempotency key").fill("nightly")
        page.get_by_role("button", name="Queue it").click()
        heading(page, "queued")
        expect(page.get_by_role("main")).to_contain_text("nightly")
        job = ok(client.get("/v1/jobs"))["jobs"][0]
        assert (job["idempotency_key"], job["run_at"]) == ("nightly", "2999-01-01T00:00:00.000000Z")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Cancel the job").click()
        heading(page, "canceled")
        assert ok(client.get(f"/v1/jobs/{job['id']}"))["status"] == "canceled"
        page.get_by_role("button", name="Run again").click()
        page.get_by_role("button", name="Run it again").click()
        heading(page, "completed")
        assert ok(client.get(f"/v1/jobs/{job['id']}"))["result"]["output"] == "later\n"


def test_a_job_that_runs_is_stopped(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    job = queue(client, "sandbox.exec", {"ephemeral": True, "command": "sleep 300"}, run_at="2999-01-01T00:00:00Z")
    with console_of(emulator, browser, f"/jobs/{job['id']}") as page:
        heading(page, "queued")
        ok(client.post(f"/v1/jobs/{job['id']}/cancel"))
        heading(page, "canceled")
        ok(client.post(f"/v1/jobs/{job['id']}/retry"))
        heading(page, "running")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("dialog")).to_contain_text("What it runs is stopped")
        page.get_by_role("button", name="Cancel the job").click()
        heading(page, "canceled")
        expect(page.get_by_role("button", name="Run again")).to_be_visible()
        assert get(client, job)["status"] == "canceled"


def test_steps_are_added_and_taken_away_one_by_one(emulator: Running, browser: Browser, client: httpx.Client) -> None:
    workspace(client, "stepwise")
    with console_of(emulator, browser, "/jobs", expected=("400",)) as page:
        begin(page, "pipeline.run")
        page.get_by_label("workspace (required)").fill("stepwise")
        page.get_by_role("button", name="Remove step 2").click()
        page.get_by_role("button", name="Add a step").click()
        first, second = (page.get_by_role("group", name=f"step {number}", exact=True) for number in (1, 2))
        first.get_by_label("name").fill("build")
        first.get_by_label("command").fill("echo built")
        first.get_by_label("timeout ms").fill("")
        second.get_by_label("timeout ms").fill("3600001")
        second.get_by_label("command").fill("make test")
        page.get_by_role("button", name="Queue it").click()
        expect(second.get_by_label("timeout ms")).to_have_attribute("aria-invalid", "true")
        second.get_by_label("timeout ms").fill("")
        page.get_by_role("button", name="Queue it").click()
        heading(page, "failed")
        job = ok(client.get("/v1/jobs"))["jobs"][0]
        assert job["input"] == {
            "workspace": "stepwise",
            "steps": [{"name": "build", "command": "echo built"}, {"command": "make test"}],
        }


def test_every_kind_has_a_form_that_its_example_fills(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    kinds = ok(client.get("/v1/jobs/kinds"))["worker_kind_specs"]
    with console_of(emulator, browser, "/jobs") as page:
        for spec in kinds:
            begin(page, spec["kind"])
            dialog = page.get_by_role("dialog")
            for name, value in spec["input_examples"][0].items():
                field = dialog.get_by_label(re.compile(f"^{name.replace('_', ' ')}"))
                if value is True and field.get_attribute("type") == "checkbox":
                    field.check()
                elif value is True:
                    field.select_option(label="yes")
                elif isinstance(value, list) and isinstance(value[0], str):
                    field.fill("\n".join(value))
                elif isinstance(value, str | int) and field.evaluate("(node) => node.tagName") != "SELECT":
                    field.fill(str(value))
                elif isinstance(value, str):
                    field.select_option(label=value)
            page.get_by_role("button", name="Queue it").click()
            expect(page).to_have_url(re.compile("#/jobs/."))
            job = ok(client.get("/v1/jobs", params={"kind": spec["kind"]}))["jobs"][0]
            assert job["input"] == spec["input_examples"][0]
            go(page, "/jobs", "Jobs")


def test_a_list_shows_what_fits_and_what_others_queue(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    canceled = queue(client, "sandbox.exec", {"ephemeral": True, "command": MARKUP}, run_at="2999-01-01T00:00:00Z")
    ok(client.post(f"/v1/jobs/{canceled['id']}/cancel"))
    with console_of(emulator, browser, "/jobs?status=canceled") as page:
        row = page.get_by_role("row").filter(has_text=canceled["id"][:8])
        expect(row).to_contain_text(MARKUP)
        assert page.locator("main img").count() == 0
        page.get_by_label("Status").select_option("queued")
        expect(page.get_by_role("main")).to_contain_text("No job fits")
        assert "status=queued" in page.url
        waiting = queue(client, "sandbox.exec", {"ephemeral": True, "command": "echo x"}, run_at="2999-01-01T00:00:00Z")
        expect(page.get_by_role("row").filter(has_text=waiting["id"][:8])).to_contain_text("queued")
        page.get_by_label("Kind").select_option("browser.scrape")
        expect(page.get_by_role("main")).to_contain_text("No job fits")
        page.get_by_role("button", name="Clear").click()
        page.get_by_role("button", name=f"Cancel job {waiting['id'][:8]}").click()
        page.get_by_role("button", name="Cancel the job").click()
        expect(page.get_by_role("row").filter(has_text=waiting["id"][:8])).to_contain_text("canceled")
        assert ok(client.get(f"/v1/jobs/{waiting['id']}"))["status"] == "canceled"


def test_a_workflow_job_is_registered_run_and_forgotten(
    emulator: Running, browser: Browser, client: httpx.Client
) -> None:
    with console_of(emulator, browser, "/jobs?tab=workflow") as page:
        page.get_by_role("button", name="Register a workflow job").click()
        page.get_by_label("repository (required)").fill("octocat/none")
        page.get_by_label("workflow (required)").fill(".github/workflows/ci.yml")
        page.get_by_label("job (required)").fill("build")
        page.get_by_role("button", name="Register", exact=True).click()
        expect(page.get_by_role("row").filter(has_text="octocat/none")).to_contain_text("build")
        registered = ok(client.get("/_emulator/github/workflow-jobs"))["workflow_jobs"][0]
        page.get_by_role("button", name=f"Run workflow job {registered['workflow_job_id']}").click()
        heading(page, "failed")
        expect(page.get_by_role("main")).to_contain_text("It failed")
        assert ok(client.get("/v1/jobs"))["jobs"][0]["kind"] == "github.runner"
        go(page, "/jobs?tab=workflow", "Jobs")
        page.get_by_role("button", name="Forget workflow job").click()
        page.get_by_role("button", name="Forget it").click()
        expect(page.get_by_role("main")).to_contain_text("No workflow jobs")
        assert ok(client.get("/_emulator/github/workflow-jobs"))["workflow_jobs"] == []


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_it_fits_and_is_accessible(
    emulator: Running, browser: Browser, client: httpx.Client, width: int, scheme: Scheme
) -> None:
    steps = [
        {"name": "build", "command": "echo built"},
        {"command": "make test"},
        {"name": "never", "command": "echo x"},
    ]
    job = done(client, "pipeline.run", {"workspace": workspace(client, f"at-{width}"), "steps": steps})
    with console_of(emulator, browser, "/jobs", width=width, scheme=scheme) as page:
        expect(page.get_by_role("row").filter(has_text=job["id"][:8])).to_be_visible()
        assert_fits(page)
        assert_accessible(page)
        begin(page, "pipeline.run")
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="Close").click()
        page.get_by_role("link", name=job["id"][:8]).click()
        heading(page, "failed")
        for text in ("build", "built", "1 failed", "exited with 2", "skipped"):
            expect(page.get_by_role("main")).to_contain_text(text)
        assert_fits(page)
        assert_accessible(page)
