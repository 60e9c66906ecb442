"""How a plan stops a call whose answer it has."""

from __future__ import annotations

from starlette.responses import Response


class Answered(Exception):
    """The call is answered, without anything of it having been done."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered as planned")
        self.response = response
