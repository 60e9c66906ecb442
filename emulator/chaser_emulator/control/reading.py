"""What a request to the control plane carries: JSON held against a schema, with the API's own refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from chaser_emulator import uploads
from chaser_emulator.errors import ApiError
from chaser_emulator.spec import Spec
from chaser_emulator.validation import Validator, parse_json


class Reading:
    """Reads bodies; `spec` lends its components to the schemas."""

    def __init__(self, spec: Spec) -> None:
        self._validator = Validator(spec)

    async def body(self, request: Request, schema: Mapping[str, Any]) -> Any:
        """The JSON of a request. Raises ApiError for what is no JSON, and for what the schema does not accept."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        raw = await uploads.read_json(request)
        if media_type != "application/json":
            # A page of another site can send a form without asking, but no JSON.
            raise ApiError(
                "unsupported_media_type", f"the body must be JSON, not {media_type or 'of no declared type'}"
            )
        value = parse_json(raw)
        self._validator.body(schema, value)
        return value
