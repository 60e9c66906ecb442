"""Use after the end: no operation finds what was deleted, and what has ended is read but not used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chaser_contract import making
from chaser_contract.arranging import Arranged
from chaser_contract.asking import Asking
from chaser_contract.broken import NotTried
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.waiting import until


@promise("emulator", stateful=True)
def a_deleted_workspace_is_found_by_nothing(chaser: Subject) -> None:
    """Every operation that names a deleted workspace, by id or by the name it had, answers 404, and jobs on it fail."""
    arranged = Arranged(chaser)
    disk, sandbox = making.workspace(chaser), {"session_type": "sandbox"}
    making.snapshot(chaser, disk["id"], name="one")
    chaser.ask("delete-workspace", ws=disk["id"], expect=204)
    for selector in (disk["id"], disk["name"], disk["name"].upper()):
        _all_404(chaser, arranged, "/v1/workspaces/{ws}", {"ws": selector, "name": "one"})
        for operation, said in (
            ("create-session", {"workspace": selector, **sandbox}),
            ("exec-sandbox", {"workspace": selector, "command": "true"}),
            ("create-workspace", {"clone_from": selector}),
        ):
            with chaser.case():
                chaser.ask(operation, json=said).must_be(404, "not_found", because="the workspace is deleted")
        with chaser.case():
            told = chaser.ask("bulk-delete-workspaces", json={"ids": [selector], "force": True}, expect=200)
            told.require(
                (told.json["deleted"], told.json["failed"]) == (0, 1), "a deleted workspace is not deleted again"
            )
        with chaser.case():
            told = chaser.ask("bulk-terminate-sessions", json={"workspaces": [selector]}, expect=200)
            codes = [(one["id"], one["code"]) for one in told.json["failed"]]
            told.require(codes == [(selector, "not_found")], "a deleted workspace is not found", f"{codes}")
    for kind, given in (
        ("workspace.delete", {"workspace": disk["name"]}),
        ("sandbox.exec", {"workspace": disk["name"], "command": "true"}),
        ("pipeline.run", {"workspace": disk["id"], "steps": [{"command": "true"}]}),
    ):
        with chaser.case():
            job = chaser.ask("create-job", json={"kind": kind, "input": given}, expect=200).json
            ended = making.finished_job(chaser, job["id"])
            chaser.require(ended["status"] == "failed", "create-job: a job on a deleted workspace fails", f"{ended}")
    again = chaser.ask("create-workspace", json={"name": disk["name"].upper(), **sandbox})
    again.must_be(200, because="the name is free again").require(
        again.json["id"] != disk["id"], "a new workspace has an id of its own"
    )
    kept = chaser.ask("list-workspace-snapshots", ws=disk["name"], expect=200)
    kept.require(kept.json == [], "snapshots are deleted with their workspace, and do not come back with its name")


@promise("emulator", stateful=True)
def a_deleted_snapshot_is_found_by_nothing(chaser: Subject) -> None:
    """Every operation that names a deleted snapshot answers 404; the workspace stays, and the name is free."""
    disk = making.workspace(chaser)["id"]
    for name in ("one", "two"):
        making.snapshot(chaser, disk, name=name)
    chaser.ask("delete-workspace-snapshot", ws=disk, name="one", expect=204)
    _all_404(chaser, Arranged(chaser), "/v1/workspaces/{ws}/snapshots/{name}", {"ws": disk, "name": "one"})
    listed = chaser.ask("list-workspace-snapshots", ws=disk, expect=200)
    listed.require([one["id"] for one in listed.json] == ["two"], "a deleted snapshot is not listed, the others are")
    again = making.snapshot(chaser, disk, name="one")
    chaser.require(
        "restored_at" not in again, "create-workspace-snapshot: a new snapshot knows of no other", f"{again}"
    )


@promise("emulator", stateful=True)
def a_session_that_has_ended_is_used_by_nothing(chaser: Subject) -> None:
    """An ended session and its commands are read, and using them is 409 not_running; a day later all is 404."""
    clock = chaser.steered.clock
    clock.freeze()
    arranged = Arranged(chaser)
    one = making.running(chaser)["id"]
    said = {"command": "echo done", "background": True}
    command = chaser.ask("exec-session", id=one, json=said, expect=200).json["command_id"]
    until(
        lambda: chaser.ask("get-session-command", id=one, cid=command, expect=200),
        lambda told: told["status"] == "exited",
        "a command that ends is told of as ended",
    )
    chaser.ask("terminate-session", id=one, expect=204)
    asked = list(_about(arranged, "/v1/sessions/{id}", {"id": one, "cid": command}))
    for asking in asked:
        operation = asking.operation
        if "{target}" in operation.path or "{guid}" in operation.path or operation.upgrades:
            continue
        with chaser.case():
            answer = asking.by(chaser.client)
            if "not_running" in operation.codes:
                wanted = (409, "not_running")
                if operation.tag == "browser":
                    answer.require(
                        (answer.status, answer.code) in (wanted, (400, "not_a_browser")),
                        "a session that has ended is not used",
                    )
                    continue
                answer.must_be(*wanted, because="the session has ended")
            else:
                answer.must_be(operation.success, because="a session that has ended is read for a day")
    clock.advance(24 * 3600 + 2)
    for asking in asked:
        if asking.operation.upgrades or "{target}" in asking.operation.path:
            continue
        with chaser.case():
            asking.by(chaser.client).must_be(404, "not_found", because="the session ended more than a day ago")
    failed = chaser.ask("bulk-terminate-sessions", json={"ids": [one]}, expect=200)
    failed.require(
        [each["code"] for each in failed.json["failed"]] == ["not_found"], "a session that ended a day ago is not found"
    )


@promise("emulator", stateful=True)
def what_is_deleted_is_found_by_nothing(chaser: Subject) -> None:
    """Every operation that names a deleted webhook, SSH key, service account, member or channel answers 404."""
    arranged = Arranged(chaser)
    inside = arranged.in_organization
    robot = arranged.new_service_account()["id"]
    key = inside.ask("create-current-service-account-key", said=robot, json={}, expect=200).json
    owner = making.assistant(chaser)["id"]
    channel = {"channel_type": "discord", "channel_id": chaser.name("channel")}
    bound = chaser.ask("add-assistant-channel", id=owner, json=channel, expect=200).json
    line = making.ssh_line(chaser)
    ssh = chaser.ask("create-ssh-key", json={"public_key": line}, expect=200).json["key"]["id"]
    hook, member = making.webhook(chaser)["id"], arranged.new_member()
    chaser.ask("delete-webhook", id=hook, expect=204)
    chaser.ask("delete-ssh-key", id=ssh, expect=204)
    chaser.ask("remove-assistant-channel", id=owner, bid=bound["id"], expect=204)
    inside.ask("delete-current-service-account", said=robot, expect=204)
    inside.ask("remove-current-member", uid=member, expect=204)
    for prefix, path in (
        ("/v1/webhooks/{id}", {"id": hook}),
        ("/v1/ssh-keys/{id}", {"id": ssh}),
        ("/v1/assistants/{id}/channels/{bid}", {"id": owner, "bid": bound["id"]}),
        ("/v1/accounts/current/service-accounts/{said}", {"said": robot, "kid": key["id"]}),
        ("/v1/accounts/current/members/{uid}", {"uid": member}),
    ):
        _all_404(chaser, arranged, prefix, path)
    with chaser.case():
        chaser.ask("resolve-assistant-channel", json=channel).must_be(
            404, "not_found", because="the channel is unbound"
        )
    with chaser.case():
        other = making.assistant(chaser)["id"]
        chaser.ask("add-assistant-channel", id=other, json=channel).must_be(200, because="the channel is free again")
    with chaser.case():
        chaser.ask("create-ssh-key", json={"public_key": line}).must_be(200, because="the key is free again")
    with chaser.case():
        robots = inside.ask("list-current-service-accounts", expect=200)
        ids = [one["id"] for one in robots.json["service_accounts"]]
        robots.require(robot not in ids, "a deleted service account is not listed", f"{ids}")
    with chaser.case():
        chaser.as_(key["key"]).ask("list-sessions").must_be(
            401, "unauthorized", because="the keys of a deleted service account are revoked with it"
        )


@promise("emulator", stateful=True)
def a_revoked_key_opens_nothing(chaser: Subject) -> None:
    """From its revocation on a key, of a user or a service account, is 401 at every operation; others go on."""
    inside = Arranged(chaser).in_organization
    robot = inside.ask("create-current-service-account", json={"name": "robot"}, expect=200).json["service_account"]
    mine = [chaser.ask("create-key", json={}, expect=200).json for _ in range(2)]
    its = [
        inside.ask("create-current-service-account-key", said=robot["id"], json={}, expect=200).json for _ in range(2)
    ]
    for one in (*mine, *its):
        chaser.as_(one["key"]).ask("list-sessions", expect=200)
    # A key may revoke itself, and is told so.
    told = chaser.as_(mine[0]["key"]).ask("revoke-key", id=mine[0]["id"], expect=200)
    inside.ask("revoke-current-service-account-key", said=robot["id"], kid=its[0]["id"], expect=204)
    chaser.require(told.json["id"] == mine[0]["id"], "revoke-key: the answer names the key", f"{told.json}")
    for one in (mine[0], its[0]):
        caller = chaser.as_(one["key"])
        for operation in chaser.document.operations.values():
            if operation.secured and "{" not in operation.path and not operation.upgrades:
                with chaser.case():
                    caller.ask(operation.id).must_be(401, "unauthorized", because="the key is revoked")
    for one in (mine[1], its[1]):
        with chaser.case():
            chaser.as_(one["key"]).ask("list-sessions").must_be(200, because="another key was revoked, not this one")


@promise("emulator", stateful=True)
def a_deleted_webhook_gets_nothing(chaser: Subject) -> None:
    """A deleted webhook gets no event more, what was pending for it is discarded, and others get theirs."""
    clock, sink = chaser.steered.clock, chaser.steered.webhooks
    clock.freeze()
    hook, other = making.webhook(chaser, events=["job.*"]), making.webhook(chaser, events=["job.*"])
    sink.behave(status=503, name=hook["received"])
    making.waiting_job(chaser)
    came = len(sink.all(name=hook["received"]))
    chaser.require(came == 1, "create-webhook: an event is sent at once", f"{came} attempts")
    chaser.ask("delete-webhook", id=hook["id"], expect=204)
    sink.behave(name=hook["received"])
    job = making.waiting_job(chaser)
    clock.advance("3h")
    came = len(sink.all(name=hook["received"]))
    chaser.require(came == 1, "delete-webhook: nothing more is sent to a deleted webhook", f"{came} attempts")
    kept = chaser.ask("list-webhook-deliveries", query={"webhook_id": hook["id"]}, expect=200)
    told = [(one["status"], one["attempts"], "discarded_at" in one) for one in kept.json["deliveries"]]
    kept.require(told == [("discarded", 1, True)], "what was pending for a deleted webhook is discarded", f"{told}")
    with chaser.case():
        did = kept.json["deliveries"][0]["id"]
        chaser.ask("replay-webhook-delivery", did=did).must_be(
            409, "invalid_state", because="the webhook of the delivery is deleted"
        )
    ids = [one.body["resource_id"] for one in sink.all(name=other["received"])]
    chaser.require(job["id"] in ids and len(ids) == 2, "delete-webhook: other webhooks get their events", f"{ids}")


def _all_404(chaser: Subject, arranged: Arranged, prefix: str, path: dict[str, str]) -> None:
    """Every operation below a path answers 404, whatever is right about its request otherwise."""
    for asking in _about(arranged, prefix, path):
        with chaser.case():
            asking.by(chaser.client).must_be(404, "not_found", because="it is deleted")


def _about(arranged: Arranged, prefix: str, path: dict[str, str]) -> Iterator[Asking]:
    """For each operation below a path a request that is right, but for what its path names."""
    for operation in arranged.chaser.document.operations.values():
        if operation.path == prefix or operation.path.startswith(f"{prefix}/"):
            try:
                asking = arranged.request_of(operation.id)
            except NotTried:
                continue
            named: dict[str, Any] = {name: value for name, value in path.items() if f"{{{name}}}" in operation.path}
            yield asking.but(path=named)
