"""The official client, unmodified: every call for jobs, webhooks, billing and audit, with all that its types say."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from chaser_emulator.server import Running
from chaser_sdk import ChaserClient, types
from emulators import emulator_on, http_of, sdk_of
from people import ok, person
from receivers import Receiver, answer, receiving
from shapes import complete
from test_exec import until

WHEN = {"run_at": "2090-01-01T00:00:00Z", "idempotency_key": "once"}
NOT_YET = frozenset({"result", "error"})


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with emulator_on("local") as one:
        yield one


@pytest.fixture
def key(emulator: Running) -> str:
    """Of somebody with nothing yet."""
    return person(emulator).key


@pytest.fixture
def sdk(emulator: Running, key: str) -> ChaserClient:
    return sdk_of(emulator, key)


@pytest.fixture
def client(emulator: Running, key: str) -> Iterator[httpx.Client]:
    with http_of(emulator, key) as one:
        yield one


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def calls(part: object) -> set[str]:
    """The names of what a part of the client can be asked."""
    return {name for name, _ in inspect.getmembers(part, inspect.ismethod) if not name.startswith("_")}


def queued(sdk: ChaserClient) -> dict[str, tuple[str, Callable[..., Any], dict[str, Any]]]:
    """Each call that queues a job: the kind that it is to be, the call, and an input."""
    gone = str(uuid.uuid4())
    step = {"method": "Page.navigate", "params": {"url": "about:blank"}}
    return {
        "exec": ("sandbox.exec", sdk.jobs.exec, {"ephemeral": True, "command": "true"}),
        "pipeline": ("pipeline.run", sdk.jobs.pipeline, {"workspace": "none", "steps": [{"command": "true"}]}),
        "browser_action": ("browser.action", sdk.jobs.browser_action, {"session_id": gone, "steps": [step]}),
        "scrape": ("browser.scrape", sdk.jobs.scrape, {"session_id": gone, "url": "https://example.com"}),
        "github_runner": ("github.runner", sdk.jobs.github_runner, {"repo": "a/b", "workflow_job_id": 1}),
        "terminate_session": ("session.terminate", sdk.jobs.terminate_session, {"session_id": gone}),
        "bulk_terminate_sessions": ("session.bulk_terminate", sdk.jobs.bulk_terminate_sessions, {"all": True}),
        "delete_workspace": ("workspace.delete", sdk.jobs.delete_workspace, {"workspace": "none"}),
        "bulk_delete_workspaces": ("workspace.bulk_delete", sdk.jobs.bulk_delete_workspaces, {"all": True}),
    }


def test_every_call_for_jobs_answers_all_that_its_type_has(sdk: ChaserClient) -> None:
    made = {}
    for name, (kind, queue, given) in queued(sdk).items():
        made[name] = queue(given, **(WHEN | {"idempotency_key": name}))
        complete(made[name], types.JobInfo, absent=NOT_YET)
        assert (made[name]["kind"], made[name]["input"], made[name]["status"]) == (kind, given, "queued")
        assert queue(given, **(WHEN | {"idempotency_key": name})) == made[name]
    job = sdk.jobs.create(kind="sandbox.exec", input={"ephemeral": True, "command": "echo hello"})
    complete(job, types.JobInfo, absent=NOT_YET | set(WHEN))
    done = sdk.jobs.wait_for_completion(job["id"], timeout_secs=60, interval_secs=0.02)
    complete(done, types.JobInfo, absent=frozenset({"error", *WHEN}))
    assert done["result"]["output"] == "hello\n"
    failed = sdk.jobs.create(kind="sandbox.exec", input={"ephemeral": True, "command": "exit 3"})
    complete(sdk.jobs.wait_for_completion(failed["id"], interval_secs=0.02), types.JobInfo, absent=frozenset(WHEN))
    complete(sdk.jobs.get(job["id"]), types.JobInfo, absent=frozenset({"error", *WHEN}))
    complete(sdk.jobs.cancel(made["exec"]["id"]), types.JobInfo, absent=NOT_YET)
    complete(sdk.jobs.retry(failed["id"]), types.JobInfo, absent=NOT_YET | set(WHEN))
    page = sdk.jobs.list(status="queued", kind="pipeline.run", limit=1, offset=0)
    assert (page["total"], page["limit"], page["offset"], page["has_more"]) == (1, 1, 0, False)
    complete(page["jobs"][0], types.JobInfo, absent=NOT_YET)
    assert set(page) == set(types.ListJobsPage.__annotations__)
    complete(sdk.jobs.list_kinds(), types.JobKindsInfo)
    asked = {"create", "get", "list", "list_kinds", "cancel", "retry", "wait_for_completion", *made}
    assert asked == calls(sdk.jobs)


def test_every_call_for_webhooks_answers_all_that_its_type_has(sdk: ChaserClient, receiver: Receiver) -> None:
    made = sdk.webhooks.create(url=receiver.url, description="mine", events=["workspace.*"])
    complete(made, types.CreateCustomerWebhookResponse)
    complete(sdk.webhooks.list()[0], types.CustomerWebhookInfo)
    receiver.then = [answer(500)]
    sdk.workspaces.create(session_type="sandbox")
    deliveries = sdk.webhooks.deliveries
    [failing] = deliveries.list(webhook_id=made["webhook"]["id"], status="pending", limit=1)
    until(lambda: deliveries.get(failing["id"]).get("attempts") == 1, 30)
    over = frozenset({"delivered_at", "replayed_at", "discarded_at", "replayed_from_delivery_id"})
    complete(deliveries.get(failing["id"]), types.CustomerWebhookDeliveryInfo, absent=over)
    discarded = deliveries.discard(failing["id"])
    complete(discarded, types.CustomerWebhookDeliveryInfo, absent=over - {"discarded_at"})
    again = deliveries.replay(failing["id"])
    until(lambda: deliveries.get(again["id"])["status"] == "delivered", 30)
    absent = frozenset({"last_error", "replayed_at", "discarded_at"})
    complete(deliveries.get(again["id"]), types.CustomerWebhookDeliveryInfo, absent=absent)
    assert "replayed_at" in deliveries.get(failing["id"])
    sdk.webhooks.delete(made["webhook"]["id"])
    assert sdk.webhooks.list() == []
    assert calls(sdk.webhooks) == {"create", "list", "delete"}
    assert calls(deliveries) == {"list", "get", "replay", "discard"}


def test_every_call_for_billing_answers_all_that_its_type_has(sdk: ChaserClient, client: httpx.Client) -> None:
    begun = sdk.billing.create_checkout(mode="subscription", plan_code="team")
    assert {type(begun[name]) for name in ("checkout_session_id", "checkout_url", "stripe_customer_id")} == {str}
    ok(client.post(f"/_emulator/checkout/{begun['checkout_session_id']}/complete", json={"outcome": "paid"}))
    complete(sdk.billing.summary(), types.BillingSummaryResponse)
    complete(sdk.billing.update_account(plan_code="pro"), types.BillingSummaryResponse)
    assert calls(sdk.billing) == {"summary", "update_account", "create_checkout"}


def test_every_call_for_audit_answers_all_that_its_type_has(sdk: ChaserClient) -> None:
    sdk.billing.update_account(plan_code="team")
    [event] = sdk.audit.list(action="billing.account.update", resource_type="account", status="success", limit=10)
    complete(event, types.AuditEventInfo)
    assert sdk.audit.list(resource_id=event["resource_id"], before=event["created_at"]) == []
    assert calls(sdk.audit) == {"list"}
