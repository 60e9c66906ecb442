"""A request that succeeds, for every operation of the document: what it is about is really made before."""

from __future__ import annotations

from functools import partial

from chaser_emulator.assembly import resolve
from chaser_emulator.errors import ApiError
from chaser_emulator.provoking import needs_of_people, needs_of_sandboxes, needs_of_work
from chaser_emulator.provoking.needs import MAKINGS, Needs
from chaser_emulator.provoking.requests import ApiRequest
from chaser_emulator.provoking.stage import Stage, unknown_id

_JSON = "application/json"

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


async def request_at_all(stage: Stage) -> ApiRequest:
    """As `request_for`; where the world does not let things be made, one about nothing, by the document's examples.

    It is for refusals that come before anybody looks for what a request is about.
    """
    try:
        return await request_for(stage)
    except ApiError:
        await stage.strike()
        stage.arranged.clear()
    operation, document = stage.operation, stage.spec.document
    node = document["paths"][operation.path][operation.method.lower()]
    required = [each for each in map(partial(resolve, document), node.get("parameters", [])) if each.get("required")]
    body = None
    if operation.body is not None:
        for media in resolve(document, node["requestBody"])["content"].values():
            body = next(iter(media["examples"].values()))["value"]
    return ApiRequest(
        operation,
        path={each["name"]: unknown_id() for each in required if each["in"] == "path"},
        query={each["name"]: str(each["example"]) for each in required if each["in"] == "query"},
        headers=stage.caller.headers if operation.secured else {},
        body=body if operation.body is not None and _JSON in operation.body.content else None,
        form=None if operation.body is None or _JSON in operation.body.content else body,
        upgrade=operation.upgrades,
    )
