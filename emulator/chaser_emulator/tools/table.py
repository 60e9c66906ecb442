"""The table of tools: every name of the document, in its order, with what it takes, gives and does."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from chaser_emulator.browsers.driving import table as driving
from chaser_emulator.keywords import DocumentError
from chaser_emulator.spec import Spec
from chaser_emulator.tools import Tool, browser, hold, platform, require_known, schemas, terminal
from chaser_emulator.validation import Validator

_BROWSER = """\
Drive a browser with one of the tools of chrome-devtools-mcp: `tool` names it, `arguments` are its own. The browser is \
`session_id`, or the live one of `workspace` (of type browser), or with `ephemeral` = true a fresh one; where none is \
named it is the one last started like that. What is not there is started. The answer holds the `session_id`: send it \
again to go on in the same browser. Open a page with navigate_page, look at it with take_snapshot, whose uids click, \
fill and hover take."""


@functools.lru_cache(maxsize=4)
def table_of(spec: Spec) -> Mapping[str, Tool]:
    """Every tool by its name. Raises DocumentError where the document and the code name different ones."""
    validator = Validator(spec)
    made = [terminal.tool(spec, validator), _browser(spec, validator), *platform.tools(spec, validator)]
    by_name = {tool.name: tool for tool in made}
    names = spec.document["components"]["schemas"]["McpToolName"]["enum"]
    if set(names) != set(by_name):
        raise DocumentError(f"tools of the document and of the code differ: {sorted(set(names) ^ set(by_name))}")
    return {name: by_name[name] for name in names}


def _browser(spec: Spec, validator: Validator) -> Tool:
    node = spec.document["components"]["schemas"]["McpBrowserArguments"]
    takes = schemas.without_conditions(schemas.standalone(spec.document, node))

    def check(arguments: Mapping[str, Any]) -> None:
        require_known(arguments, node["properties"])
        hold(validator, node, arguments)

    return Tool(
        name="browser",
        title="Browser",
        description=_BROWSER + _offered(),
        input_schema=schemas.arguments(takes["properties"], takes["required"]),
        output_schema=browser.BROWSER_OUTPUT,
        annotations={"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True},
        check=check,
        run=browser.browser,
    )


def _offered() -> str:
    """What a browser can be told, one line each, with what it takes (a question mark: or not)."""
    lines = []
    for name, one in driving.TOOLS.items():
        needed = one.schema["required"]
        takes = ", ".join(f"{argument}{'' if argument in needed else '?'}" for argument in one.schema["properties"])
        lines.append(f"\n- {name}({takes}): {one.says}")
    return "".join(lines)
