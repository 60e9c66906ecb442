"""What Schemathesis has found, in the words of ours: the promise, what came, and the requests that show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chaser_emulator.spec import Operation, escaped
from schemathesis.core.failures import Failure
from schemathesis.engine.events import ScenarioFinished

from chaser_contract.broken import Broken
from chaser_contract.document import Document
from chaser_contract.exchanges import Exchange
from chaser_contract.generated.carrying import CARRIED
from chaser_contract.generated.checking import Unkept

_FORM = (
    "UndefinedStatusCode", "MissingHeaders", "JsonSchemaError", "MissingContentType", "MalformedMediaType",
    "UndefinedContentType", "ContentDeserializationError", "MalformedJson", "ServerError", "ContentTypeServerError",
)  # fmt: skip
"""Findings about the form of an answer; our own check says each of them better."""

_PROMISES = {
    "AcceptedNegativeData": "a request that its schema does not allow is refused",
    "RejectedPositiveData": "a request that its schema allows is accepted",
    "MissingHeaderNotRejected": "a request without a header that has to be there is refused",
    "UnsupportedMethodResponse": "a method that its path does not have is answered 405, with those it has in Allow",
    "AllowHeaderMismatch": "Allow names the methods that its path has, and no other",
    "IgnoredAuth": "who shows no valid credential is answered 401",
    "UseAfterFree": "what was deleted is gone",
    "EnsureResourceAvailability": "what was created is there",
    "ObjectLevelAuthorizationViolation": "nobody reaches what is somebody else's",
    "ServerError": "nothing makes it fail",
    "ContentTypeServerError": "a media type that it does not take does not make it fail",
    "UndefinedStatusCode": "it answers with a status that the document has",
    "MissingHeaders": "an answer has the headers that the document demands",
    "JsonSchemaError": "the body of an answer has the form of its schema",
    "MissingContentType": "an answer says of what media type it is",
    "UndefinedContentType": "an answer is of a media type that the document has",
}

Told = tuple[Broken, list[Exchange]]
"""A broken promise, and the requests that lead to it."""


def told(document: Document, event: ScenarioFinished) -> Iterator[Told]:
    """What one scenario has found: of findings that are the same the one with the smallest request."""
    smallest: dict[Failure, tuple[int, Told]] = {}
    for case_id, checks in event.recorder.checks.items():
        failures = [check.failure_info.failure for check in checks if check.failure_info is not None]
        if any(isinstance(one, Unkept) for one in failures):
            failures = [one for one in failures if type(one).__name__ not in _FORM]
        for failure in failures:
            found = _told(document, event, case_id, failure)
            size = sum(len(one.target) + len(one.request_body) for one in found[1])
            if failure not in smallest or size < smallest[failure][0]:
                smallest[failure] = size, found
    for _, found in smallest.values():
        yield found


def _told(document: Document, event: ScenarioFinished, case_id: str, failure: Failure) -> Told:
    recorder = event.recorder
    shown = failure.case_id if failure.case_id in recorder.interactions else case_id
    steps: list[Exchange] = []
    for case in recorder.iter_chain_cases(case_id=str(shown), related_case_ids=failure.related_case_ids()):
        exchange = _exchange(recorder, case.id)
        if exchange is not None:
            steps.append(exchange)
    if isinstance(failure, Unkept):
        return failure.broken, steps
    operation = _operation(document, recorder.cases[case_id].value)
    kind = type(failure).__name__
    promise = _PROMISES.get(kind, failure.title)
    last = steps[-1] if steps else None
    came = "" if last is None else last.said()
    reason = _reason(failure)
    return (
        Broken(
            f"{operation.id}: {promise}", f"{came} ({reason})" if reason else came,
            pointer=_pointer(document, operation, kind, last), exchange=last, kind=kind,
        ),
        steps,
    )  # fmt: skip


def _exchange(recorder: Any, case_id: str) -> Exchange | None:
    """What went over the wire for a case."""
    interaction = recorder.interactions.get(case_id)
    if interaction is None or interaction.response is None:
        return None
    carried = CARRIED.get(interaction.response.request)
    return None if carried is None else carried.exchange


def _operation(document: Document, case: Any) -> Operation:
    return document.operation(case.operation.definition.raw["operationId"])


def _pointer(document: Document, operation: Operation, kind: str, exchange: Exchange | None) -> str:
    if kind == "IgnoredAuth":
        return document.response_pointer(operation, 401)
    if kind in ("UnsupportedMethodResponse", "AllowHeaderMismatch"):
        return f"#/paths/{escaped(operation.path)}"
    if kind in ("AcceptedNegativeData", "RejectedPositiveData", "MissingHeaderNotRejected"):
        told = exchange is not None and exchange.request_body and operation.body is not None
        return f"{operation.pointer}/{'requestBody' if told else 'parameters'}"
    return document.response_pointer(operation, 0 if exchange is None else exchange.status or 0)


def _reason(failure: Failure) -> str:
    """What Schemathesis says of what is wrong with a request, in a line."""
    _, found, rest = failure.message.partition("Invalid component:")
    return " ".join(rest.split())[:200] if found else ""
