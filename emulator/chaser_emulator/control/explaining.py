"""Explanations: which rule refused a request, where it stands in the document, and what would have passed."""

from __future__ import annotations

from typing import Any

from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import ApiError
from chaser_emulator.journal import Exchange
from chaser_emulator.operations import Reply

_LAST = "last"
_TEXT = "text/plain"


@control("explain-request")
async def explain_request(call: ControlCall) -> Reply | dict[str, Any]:
    """The last refusal, or any request of the journal; a text for people who ask for one."""
    # Imported on use: most who come to the control plane ask for no explanation.
    from chaser_emulator.explaining import explain, told

    explained = await explain(call.world, _found(call), call.api, call.base_url)
    text = told(explained)
    if _TEXT in call.request.headers.get("accept", ""):
        return Reply(text, media_type=_TEXT)
    return explained.info() | {"text": text}


def _found(call: ControlCall) -> Exchange:
    journal, number, name = call.world.journal, call.query.get("number"), call.query.get("request_id", _LAST)
    if number is not None:
        found = journal.find(number=number)
    elif name == _LAST:
        last = journal.last(refused=True)
        if last is None:
            raise ApiError("not_found", "nothing was refused in this world yet")
        return last
    else:
        found = journal.find(request_id=name)
        if not found and name.isascii() and name.isdecimal():
            found = journal.find(number=int(name[:18]))
    if not found:
        wanted = name if number is None else str(number)
        raise ApiError("not_found", f"the journal has no request {wanted[:128]!r}; it keeps the last ones only")
    return found[-1]
