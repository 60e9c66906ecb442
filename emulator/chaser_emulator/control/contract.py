"""What the emulator knows of contract tests: the last report that was handed over, and the evidence that they keep."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

from chaser_emulator import uploads
from chaser_emulator.assembly import resolve
from chaser_emulator.control.operations import ControlCall, control
from chaser_emulator.errors import Problem, invalid
from chaser_emulator.sandbox import files
from chaser_emulator.spec import Spec
from chaser_emulator.validation import Validator, parse_json

LARGEST = 16 * 2**20
"""Bytes of a report."""

_KEPT = "contract-report.json"
_TESTS = "chaser_contract"
_EVIDENCE = "evidence.json"


@control("get-contract-report")
async def get_contract_report(call: ControlCall) -> dict[str, Any]:
    """The one that was kept last."""
    text = await files.in_thread(_read, call.worlds.folder / _KEPT)
    return {} if text is None else {"report": json.loads(text)}


@control("put-contract-report")
async def put_contract_report(call: ControlCall) -> dict[str, Any]:
    """Keep one in place of it."""
    raw = await uploads.read_text(call.request, LARGEST, "a report")
    report = await files.in_thread(_report, call.spec, raw)
    await files.in_thread(_keep, call.worlds.folder / _KEPT, json.dumps(report))
    return {
        "exit_code": report["exit_code"],
        "findings": len(report["findings"]),
        "parts": len(report["parts"]),
    }


@control("get-contract-evidence")
async def get_contract_evidence(_call: ControlCall) -> dict[str, Any]:
    """What the contract tests beside the emulator keep. They are looked for and not imported: they may not be there."""
    text = await files.in_thread(_evidence)
    if text is None:
        return {"installed": False, "operations": []}
    rows = json.loads(text)
    return {"installed": True, "operations": [{"operation": name, **row} for name, row in rows.items()]}


def _report(spec: Spec, raw: bytes) -> dict[str, Any]:
    """The report that a file is. Raises ApiError."""
    report = parse_json(raw)
    if not isinstance(report, dict):
        raise invalid([Problem("body", "", "must be the object that `chaser-contract run --json` writes")])
    schema = spec.document["components"]["schemas"]["ContractReport"]
    known: dict[str, Any] = _known(spec, schema, report)
    Validator(spec).body(schema, known)
    return known


def _known(spec: Spec, schema: Mapping[str, Any], value: Any) -> Any:
    """A value without the fields that its schema does not name: a later run may tell more than this emulator knows."""
    schema = resolve(spec.document, dict(schema))
    if isinstance(value, list):
        return [_known(spec, schema.get("items", {}), one) for one in value]
    if not isinstance(value, dict):
        return value
    if "properties" in schema:
        named = schema["properties"]
        return {name: _known(spec, named[name], one) for name, one in value.items() if name in named}
    others = schema.get("additionalProperties")
    return {name: _known(spec, others, one) for name, one in value.items()} if isinstance(others, dict) else value


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None


def _keep(path: Path, text: str) -> None:
    # Of its own for each: several may be handed over at once, and the last one stays.
    beside = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        beside.write_text(text, "utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _evidence() -> str | None:
    found = importlib.util.find_spec(_TESTS)
    folders = [] if found is None else found.submodule_search_locations or []
    texts = (_read(Path(folder) / _EVIDENCE) for folder in folders)
    return next((text for text in texts if text is not None), None)
