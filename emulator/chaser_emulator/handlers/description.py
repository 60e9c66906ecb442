"""The document itself, and a page to read it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from chaser_emulator.assembly import served_from
from chaser_emulator.operations import Call, Reply, operation

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="stylesheet" href="swagger-ui/swagger-ui.css">
<link rel="icon" type="image/png" href="swagger-ui/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="swagger-ui/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({{
  url: "api-docs/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "none",
  persistAuthorization: true,
  validatorUrl: null,
}});
</script>
</body>
</html>
"""


def swagger_assets() -> Path:
    """The folder of Swagger UI's own files, which a package brings; importing that package would cost the start."""
    found = find_spec("swagger_ui")
    assert found is not None and found.submodule_search_locations  # noqa: S101, PT018 - a dependency of ours
    return Path(found.submodule_search_locations[0]) / "static"


@operation("get-openapi-document")
async def get_openapi_document(call: Call) -> Reply:
    """The document, with this server's own address first."""
    return Reply(served_from(call.spec.document, call.base_url))


@operation("swagger-ui")
async def swagger_ui(call: Call) -> Reply:
    """Swagger UI on the document, from files of this machine alone."""
    return Reply(_PAGE.format(title=call.spec.document["info"]["title"]), media_type="text/html")
