"""A request that succeeds, for every operation of the document: what it is about is really made before."""

from __future__ import annotations

from chaser_emulator.provoking import needs_of_people, needs_of_sandboxes, needs_of_work
from chaser_emulator.provoking.needs import MAKINGS, Needs
from chaser_emulator.provoking.requests import ApiRequest
from chaser_emulator.provoking.stage import Stage

SAYING = (needs_of_people, needs_of_sandboxes, needs_of_work)
"""The modules whose import says what requests need."""


async def request_for(stage: Stage) -> ApiRequest:
    """A request of the stage's operation that succeeds, if nothing else happens before it.

    Raises ApiError `invalid_state` where the world does not let it be made.
    """
    operation = stage.operation
    making = MAKINGS.get(operation.id)
    needs = await making(stage) if making is not None else Needs()
    headers = stage.caller.headers if operation.secured else {}
    return ApiRequest(
        operation,
        path={**needs.path, **{name: value for name, value in stage.given.items() if name in needs.path}},
        query=needs.query,
        headers=headers,
        body=needs.body,
        form=needs.form,
        upgrade=operation.upgrades,
    )
