"""Refusals: each that the document declares comes about, and has the form that it declares."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlsplit

from chaser_emulator.embedded import Chaser, Refused
from chaser_emulator.embedded.provoking import Provoked
from chaser_emulator.spec import Operation

from chaser_contract import conformance
from chaser_contract.broken import Broken
from chaser_contract.client import Answer
from chaser_contract.exchanges import Exchange
from chaser_contract.promises import promise
from chaser_contract.subject import Subject

_SHARDS = 2


@promise("emulator", "limits")
def of_one_half(chaser: Subject) -> None:
    """Each refusal that an operation declares comes about, with its status and its code (one half of them)."""
    _provoke(chaser, 0)


@promise("emulator", "limits")
def of_the_other_half(chaser: Subject) -> None:
    """Each refusal that an operation declares comes about, with its status and its code (the other half of them)."""
    _provoke(chaser, 1)


def _provoke(chaser: Subject, shard: int) -> None:
    operations = [one for one in chaser.document.operations.values() if one.codes]
    for operation in operations[shard::_SHARDS]:
        # What one arranges is in the way of no other.
        with chaser.steered.fork() as world:
            for told in world._door.ask("GET", "/provoke", world=world.world.id, operation=operation.id)["refusals"]:
                if told["possible"]:
                    with chaser.case():
                        _refused(chaser, world, operation, told["code"], told["status"])


def _refused(chaser: Subject, world: Chaser, operation: Operation, code: str, status: int) -> None:
    if operation.upgrades:
        # No plain request is one; the emulator sends its own.
        _require(chaser, _sent_by_itself(chaser, world, operation, code), status, code, [])
        return
    try:
        provoked = world.provoke(operation.id, code)
    except Refused:
        # Not every refusal can wait for a request of ours, which comes from this machine.
        _require(chaser, _sent_by_itself(chaser, world, operation, code), status, code, [])
        return
    try:
        _require(chaser, _sent(chaser, provoked), status, code, provoked.arranged)
    finally:
        provoked.undo()


def _require(chaser: Subject, answer: Answer, status: int, code: str, arranged: list[str]) -> None:
    answer.must_be(status, code, because=f"({'; '.join(arranged)})" if arranged else "")
    try:
        conformance.check(chaser.document, answer.operation, answer.exchange)
    except Broken as broken:
        # This one was brought about.
        if status != 500 or broken.kind != "crash":
            raise
        validator = chaser.document.validator(answer.operation, 500)
        answer.require(
            validator is None or validator.is_valid(answer.json), "the body of 500 has the form of its schema"
        )


def _sent_by_itself(chaser: Subject, world: Chaser, operation: Operation, code: str) -> Answer:
    """The answer to a request that the emulator has made and sent."""
    body = {"operation": operation.id, "code": code}
    try:
        told = world._door.ask("POST", "/provoke", body, world=world.world.id)
    except Refused as refused:
        raise Broken(
            f"{operation.id}: it refuses with {code}", f"nothing led to it: {refused}",
            pointer=f"{operation.pointer}/responses", kind=f"refusal-{code}",
        ) from None  # fmt: skip
    answered = told["response"]
    exchange = Exchange(
        operation.id, told["request"]["method"], urlsplit(told["request"]["url"]).path, {"X-Request-Id": told["id"]},
        b"", answered["status"], answered["headers"], json.dumps(answered["body"]).encode(),
    )  # fmt: skip
    chaser.saw(exchange)
    return Answer(chaser.document, operation, exchange)


def _sent(chaser: Subject, provoked: Provoked) -> Answer:
    """The answer to the request that is refused."""
    request = provoked.request
    body, encoding = request.get("body"), request.get("encoding")
    content = b""
    if encoding == "base64":
        content = base64.b64decode(str(body))
    elif body is not None:
        content = str(body).encode() if encoding is not None else json.dumps(body).encode()
    headers = {"X-Chaser-World": provoked.world, **request["headers"]}
    if body is not None and encoding is None:
        headers.setdefault("Content-Type", "application/json")
    operation = chaser.document.operation(provoked.operation)
    sent = chaser.http.build_request(request["method"], request["url"], headers=headers, content=content or None)
    return Answer(chaser.document, operation, chaser.nobody.send(sent, operation))
