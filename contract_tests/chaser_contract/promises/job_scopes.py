"""Scopes of jobs that do several things: a pipeline takes the scopes of all that its steps do."""

from __future__ import annotations

from chaser_contract import making
from chaser_contract.arranging import signed_in_peer
from chaser_contract.asking import UNKNOWN
from chaser_contract.promises import promise
from chaser_contract.subject import Subject
from chaser_contract.targets import PEER


@promise("emulator", "peer")
def a_job_is_run_again_for_who_asks(chaser: Subject) -> None:
    """Members share jobs: one whose maker has left can be run again by another, with the rights of who asks."""
    org, account = making.organization(chaser)
    added = org.ask("add-current-member", json={"email": PEER, "role": "member"}, expect=200).json["member"]
    theirs = chaser.as_(signed_in_peer(chaser).credential, account=account["id"])
    nothing = {"kind": "session.bulk_terminate", "input": {"all": True}}
    waits = theirs.ask("create-job", json={**nothing, "run_at": making.LATER}, expect=200).json["id"]
    theirs.ask("cancel-job", id=waits, expect=200)
    org.ask("remove-current-member", uid=added["user_id"], expect=204)
    again = org.ask("retry-job", id=waits, expect=200)
    done = making.finished_job(org, waits)
    again.require(
        done["status"] == "completed",
        "it runs for who asks for it, not for who has left",
        f"it is {done['status']}: {done.get('error')}",
    )


@promise()
def a_pipeline_takes_the_scopes_of_its_steps(chaser: Subject) -> None:
    """Queueing, cancelling and retrying a pipeline take the scope of each of its steps, wherever it stands."""
    room = making.workspace(chaser)
    steps = [
        {"command": "true"},
        {"kind": "workspace.delete", "input": {"workspace": UNKNOWN}},
        {"kind": "session.terminate", "input": {"session_id": UNKNOWN}},
    ]
    narrow = ["exec.write", "workspaces.write", "sessions.write", "sessions.read"]
    made = chaser.ask("create-key", json={"scopes": narrow}, expect=200).json
    wide = chaser.as_(made["key"])
    for missing in narrow[:3]:
        scopes = [scope for scope in narrow if scope != missing]
        client = chaser.as_(chaser.ask("create-key", json={"scopes": scopes}, expect=200).json["key"])
        for order in (steps, steps[::-1]):
            body = {
                "kind": "pipeline.run",
                "input": {"workspace": room["id"], "steps": order},
                "run_at": making.LATER,
            }
            with chaser.case():
                refused = client.ask("create-job", json=body)
                refused.must_be(403, "insufficient_scope", because=f"to a key without {missing}")
                refused.require(
                    refused.json.get("details", {}).get("required") == missing, f"it says that {missing} is missing"
                )
                job = wide.ask("create-job", json=body, expect=200).json["id"]
                for operation in ("cancel-job", "retry-job"):
                    answer = client.ask(operation, id=job)
                    answer.must_be(403, "insufficient_scope", because=f"to a key without {missing}")
                wide.ask("cancel-job", id=job, expect=200)
