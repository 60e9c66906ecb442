"""How a plan stops a call: with an answer of its own, or with a failure of what was to answer."""

from __future__ import annotations

from starlette.responses import Response


class Answered(Exception):
    """The call is answered, without anything of it having been done."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered as planned")
        self.response = response


class PlannedFailure(Exception):
    """What answers the call fails, as planned."""
