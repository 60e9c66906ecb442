"""The check that Schemathesis makes for us: an answer keeps all that the document promises of every answer."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.core.failures import Failure

from chaser_contract.broken import Broken
from chaser_contract.generated.carrying import CARRIED


class Unkept(Failure):
    """A promise that was broken, in the words of ours."""

    __slots__ = ("broken",)

    def __init__(self, broken: Broken, *, operation: str, case_id: str) -> None:
        super().__init__(operation=operation, title=broken.kind, message=str(broken), case_id=case_id)
        self.broken = broken

    @property
    def _unique_key(self) -> str:
        return f"{self.broken.kind} {self.broken.pointer}"


def chaser_conformance(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    carried = CARRIED.get(response.request)
    if carried is not None and carried.broken is not None:
        raise Unkept(carried.broken, operation=case.operation.label, case_id=case.id)


def filter_failure(
    context: schemathesis.HookContext, failure: Failure, case: schemathesis.Case[Any], response: schemathesis.Response
) -> bool:
    """Whether a finding is one, whatever Schemathesis takes it for.

    A header that nobody knows breaks no schema; a body that is too long is refused for that, before it is read.
    """
    if type(failure).__name__ != "AcceptedNegativeData":
        return True
    said = " ".join(failure.message.split())
    return response.status_code != 413 and "in header - object with unexpected properties" not in said


def register() -> None:
    """Make it one of the checks of Schemathesis, of which there is one table in a process."""
    if chaser_conformance.__name__ not in CHECKS.get_all_names():
        schemathesis.check(chaser_conformance)
